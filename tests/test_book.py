"""The built website in a real browser that cannot leave this machine.

BOOK_SITE names a website that is built already. Without it one is built here: the chapters with sliders are executed,
or taken from the cache, and the others show their committed outputs.
"""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browser
import numpy as np
import pytest
import torch
from playwright.sync_api import Locator, Page
from torch import Tensor

from vit_tutorial import attention_maps, load_checkpoint, rollout
from vit_tutorial.data import normalise

chromium, guarded = browser.chromium, browser.guarded
torch.set_num_threads(1)

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("[0-9][0-9]_*.md")])
PAGES = pytest.mark.parametrize("name", [str(path.relative_to(ROOT).with_suffix(".html")) for path in SOURCES])
WITH_SLIDERS = [path.stem for path in SOURCES if "explore(" in path.read_text()]

MOVES = [
    ("head", "ArrowRight"), ("head", "End"), ("layer", "Home"), ("image", "ArrowRight"), ("query", "End"),
    ("query", "ArrowLeft"), ("layer", "End"), ("mode", "ArrowDown"), ("layer", "Home"), ("query", "Home"),
]  # fmt: skip

# the colours in the middle of a canvas's patches, row by row
CENTRES = """(canvas, [rows, columns]) => Array.from({length: rows * columns}, (_, patch) => [
    ...canvas.getContext("2d").getImageData(
        Math.floor((patch % columns + 0.5) * canvas.width / columns),
        Math.floor((Math.floor(patch / columns) + 0.5) * canvas.height / rows), 1, 1).data.slice(0, 3)])"""

# the contrast of every text on a page with what lies behind it
CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => channels(colour).slice(0, 3).map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (!colour.startsWith("rgb(") && channels(colour)[3] < 0.5) continue;
      return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = document.querySelectorAll("article :is(p, h1, h2, li, td, th, summary, span, code, label, a)");
  return [...texts].filter((element) => element.checkVisibility() && !element.closest("mjx-container")
      && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
    .map((element) => {
      const [one, two] = [light(getComputedStyle(element).color), light(behind(element))];
      return [(Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05), element.outerHTML.slice(0, 120)];
    });
}"""


@pytest.fixture(scope="session")
def site() -> Path:
    if "BOOK_SITE" in os.environ:
        return Path(os.environ["BOOK_SITE"]).resolve()
    folder = ROOT / "book" / "_build" / "tested" / "html"
    built = subprocess.run(
        [sys.executable, ROOT / "book" / "build.py", folder],
        env={"BOOK_EXECUTE": "explorers", **os.environ}, capture_output=True, text=True,
    )  # fmt: skip
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="session")
def served(site) -> str:
    """The address of the site on a local server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def visit(page: Page, address: str) -> None:
    """Open a page and wait until its formulas are set."""
    page.goto(address, wait_until="networkidle")
    page.evaluate("() => window.MathJax?.startup?.promise")
    assert page.locator("mjx-container").count() == page.locator(".math").count()


@PAGES
def test_a_page_asks_no_other_machine_and_reports_no_error(guarded, site, served, name):
    visit(guarded.page, f"{served}/{name}")
    visit(guarded.page, (site / name).as_uri())
    assert not re.search(r":::|```|\$\$|\{[a-z-]+\}`", guarded.page.locator("article").inner_text()), "markup left over"
    guarded.assert_clean()


def test_the_top_of_the_site_leads_to_the_landing_page(guarded, served):
    guarded.page.goto(served)
    guarded.page.wait_for_url("**/book/index.html")
    guarded.assert_clean()


class Links(HTMLParser):
    """What a page links to or shows, and the places in it that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links, self.places = set(), set()
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        self.links |= {values[name] for name in ("href", "src") if values.get(name)}
        self.places |= {values[name] for name in ("id", "name") if values.get(name)}


def test_every_internal_link_leads_somewhere(site):
    pages = {path: Links(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.name} links to {link}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].places, f"{path.name} links to {link}"


@PAGES
def test_a_page_fits_a_phone(chromium, served, name):
    guarded = browser.open_guarded(chromium, viewport={"width": 390, "height": 844})
    visit(guarded.page, f"{served}/{name}")
    assert guarded.page.evaluate("document.documentElement.scrollWidth") <= 390
    guarded.page.context.close()


@PAGES
def test_a_page_is_readable_in_the_dark(chromium, served, name):
    guarded = browser.open_guarded(chromium, color_scheme="dark", viewport={"width": 1000, "height": 900})
    visit(guarded.page, f"{served}/{name}")
    assert guarded.page.locator("html").get_attribute("data-theme") == "dark"
    contrasts = guarded.page.evaluate(CONTRASTS)
    assert len(contrasts) > 5
    assert not [text for ratio, text in contrasts if ratio < 4.5]
    guarded.page.context.close()


def wanted(state: dict, weights: list[Tensor]) -> Tensor:
    """The weights (N,) that the model gives to the patches in a state of the sliders."""
    image, layer, head, query = (int(state[name]) for name in ("image", "layer", "head", "query"))
    if state["mode"] == "rollout":
        return rollout(weights[: layer + 1])[image, query, 1:]
    return weights[layer][image].mean(0)[query, 1:] if head < 0 else weights[layer][image, head, query, 1:]


def assert_drawn(shown: Locator, facts: dict, levels: np.ndarray, weights: list[Tensor]) -> None:
    """The canvas, decoded, shows the numbers in the page and those of the model."""
    state = shown.evaluate("element => ({...element.dataset})")
    state = {name: text if name == "mode" else float(text) for name, text in state.items()}
    drawn = torch.tensor(shown.locator("canvas.bare").evaluate(CENTRES, facts["grid"]), dtype=torch.float)
    expected = wanted(state, weights)
    level = browser.decoded(drawn, 255 * expected / state["scale"])
    assert (level / 255 * state["scale"] - expected).abs().max() <= 1.5 / 255 * expected.max()
    if state["mode"] == "rollout" or state["head"] >= 0:
        map_index = facts["heads"] if state["mode"] == "rollout" else int(state["head"])
        stored = levels[int(state["image"]), int(state["layer"]), map_index, int(state["query"])]
        assert (level - torch.tensor(stored.astype(np.int64))).abs().max() == 0


@pytest.mark.parametrize("chapter", WITH_SLIDERS)
def test_sliders_redraw_the_values_of_the_model(guarded, site, chapter):
    """From the disk, with neither server nor kernel: every control of every explorer of the page."""
    guarded.page.goto((site / "notebooks" / f"{chapter}.html").as_uri())
    packed = guarded.page.locator(".vit-explorer").first
    packed.wait_for()
    texts = [json.loads(text) for text in embedded(site / "notebooks" / f"{chapter}.html")]
    explorers = guarded.page.locator(".vit-explorer").all()
    assert len(explorers) == len(texts) > 0
    model, record = load_checkpoint("stacks")
    for shown, text in zip(explorers, texts, strict=True):
        facts = text["facts"]
        pixels = np.frombuffer(base64.b64decode(text["pixels"]), np.uint8).reshape(-1, *facts["size"], 3)
        shape = (facts["images"], facts["layers"], facts["heads"] + 1, facts["queries"], -1)
        levels = np.frombuffer(base64.b64decode(text["weights"]), np.uint8).reshape(shape)
        images = torch.tensor(pixels).movedim(-1, 1)
        weights = attention_maps(model, normalise(images, record["mean"], record["std"]))
        assert_drawn(shown, facts, levels, weights)
        for label, key in MOVES:
            shown.get_by_label(label, exact=True).press(key)
            assert_drawn(shown, facts, levels, weights)
    guarded.assert_clean()


def embedded(path: Path) -> list[str]:
    """The data of each explorer of a page, as its file holds them."""
    pieces = path.read_text().split('<div class="vit-explorer"><script type="application/json">')[1:]
    return [piece.partition("</script>")[0] for piece in pieces]
