"""The built website in a real browser that cannot leave this machine."""

import base64
import gzip
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browser
import npm
import pytest
import torch
import torchvision
import website
from explorers import colours, read_state, wanted
from playwright.sync_api import Locator, Page, expect
from torch import Tensor

from benchmarks.accessibility import EMPTY
from vit_tutorial import VisionTransformer, attention_maps, load_checkpoint
from vit_tutorial.convert import from_torchvision
from vit_tutorial.data.images import normalise
from vit_tutorial.models import build_model
from vit_tutorial.resolution import resized
from vit_tutorial.training.checkpoint import load_snapshots

chromium = browser.chromium
guarded = browser.guarded
site, served = website.site, website.served
torch.set_num_threads(1)

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    [*(ROOT / "book").glob("*.md"), *(ROOT / "notebooks").glob("[0-9][0-9]_*.md")]
)
PAGES = pytest.mark.parametrize(
    "name", [path.relative_to(ROOT).with_suffix(".html").as_posix() for path in SOURCES]
)
WITH_SLIDERS = ["book/index"] + [
    f"notebooks/{path.stem}"
    for path in SOURCES
    if path.parent.name == "notebooks"
    and "explore(" in path.read_text(encoding="utf-8")
]
# each in the light; in the dark those with parts that move, and one chapter
LOOKS = [
    (path.relative_to(ROOT).with_suffix("").as_posix(), scheme)
    for path in SOURCES
    for scheme in ("light", "dark")
    if scheme == "light"
    or path.stem in ("index", "calculator", "try_it", "06_training")
    or re.search(r"\b(explore|drag_tokens)\(", path.read_text(encoding="utf-8"))
]
MOST_BYTES = 3_000_000  # of a page, compressed

MOVES = [
    ("head", "ArrowRight"),
    ("head", "End"),
    ("layer", "Home"),
    ("image", "ArrowRight"),
    ("query", "End"),
    ("query", "ArrowLeft"),
    ("layer", "End"),
    ("opacity", "End"),
    ("mode", "ArrowDown"),
    ("layer", "Home"),
    ("query", "Home"),
    ("epoch", "Home"),
    ("epoch", "ArrowRight"),
]

# sides, of a page: the addresses of the pages before and after it
SIDES = """() => ["a.left-prev", "a.right-next"]
  .map((side) => document.querySelector(`.prev-next-area ${side}`)?.href ?? null)"""

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
  const kinds = "p, h1, h2, li, td, th, summary, span, code, label, a";
  const texts = document.querySelectorAll(`article :is(${kinds})`);
  const written = (node) => node.nodeType === 3 && node.data.trim();
  return [...texts].filter((element) => element.checkVisibility()
      && !element.closest("mjx-container") && [...element.childNodes].some(written))
    .map((element) => {
      const one = light(getComputedStyle(element).color), two = light(behind(element));
      const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
      return [ratio, element.outerHTML.slice(0, 120)];
    });
}"""

# code that scrolls sideways, lines of the page's width that are broken all the same,
# and lines that do not begin at the margin
CUT_OFF = """(columns) => {
  document.querySelectorAll("details").forEach((part) => part.open = true);
  const blocks = [...document.querySelectorAll("article pre")];
  const broken = (line) => line.textContent.trimEnd().length <= columns
    && line.getBoundingClientRect().height > 1.5 * parseFloat(
      getComputedStyle(line).lineHeight);
  const shifted = (line) => {
    const range = document.createRange();
    range.setStart(line, 0);
    const text = document.createTreeWalker(line, NodeFilter.SHOW_TEXT).nextNode();
    range.setEnd(text, 1);
    const margin = line.getBoundingClientRect().left;
    const padding = 5;  // of the number of a line, where it has one
    return Math.abs(range.getBoundingClientRect().left - margin) > padding + 0.5;
  };
  return {
    blocks: blocks.length,
    scrolled: blocks.filter((block) => block.scrollWidth > block.clientWidth)
      .map((block) => block.textContent),
    broken: blocks.flatMap((block) => [...block.querySelectorAll(".line")])
      .filter(broken).map((line) => line.textContent),
    shifted: blocks.flatMap((block) => [...block.querySelectorAll(".line")])
      .filter(shifted).map((line) => line.textContent),
  };
}"""

# what axe-core calls serious or critical, a line each; it would fetch style sheets,
# which the disk refuses, for a rule that is not among the default ones
FINDINGS = """async () => {
  const options = { preload: false, resultTypes: ["violations"] };
  const { violations } = await axe.run(options);
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, impact, help, nodes }) =>
      `${id}, ${impact}: ${help}: ${nodes.map(({ target }) => target).join("; ")}`);
}"""


def visit(page: Page, address: str) -> None:
    """Open a page and wait until its formulas are set."""
    page.goto(address, wait_until="networkidle")
    page.evaluate("() => window.MathJax?.startup?.promise")
    assert page.locator("mjx-container").count() == page.locator(".math").count()


@PAGES
def test_a_page_asks_no_other_machine_and_reports_no_error(guarded, site, served, name):
    visit(guarded.page, f"{served}/{name}")
    visit(guarded.page, (site / name).as_uri())
    assert not re.search(
        r":::|```|\$\$|\{[a-z-]+\}`", guarded.page.locator("article").inner_text()
    ), "markup left over"
    guarded.assert_clean()


def test_the_top_of_the_site_leads_to_the_landing_page(guarded, served):
    guarded.page.goto(served)
    guarded.page.wait_for_url("**/book/index.html")
    guarded.assert_clean()


class Links(HTMLParser):
    """What a page links to or shows, and the places in it that can be linked to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links = set()
        self.places = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(
        self, tag: str, attributes: list[tuple[str, str | None]]
    ) -> None:
        values = dict(attributes)
        self.links |= {values[name] for name in ("href", "src") if values.get(name)}
        self.places |= {values[name] for name in ("id", "name") if values.get(name)}


def test_every_internal_link_leads_somewhere(site):
    pages = {
        path: Links(path)
        for path in site.rglob("*.html")
        if "_static" not in path.parts
    }
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path
            )
            assert target.is_file(), f"{path.name} links to {link}"
            if parts.fragment.startswith("model="):  # a state of the workbench
                assert 'class="vit-workbench"' in target.read_text(encoding="utf-8")
                continue
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].places, (
                    f"{path.name} links to {link}"
                )


def pages_linked_from(site: Path, path: Path, pages: set[Path]) -> set[Path]:
    addresses = {urlsplit(link) for link in Links(path).links}
    return pages & {
        (path.parent / unquote(address.path)).resolve()
        for address in addresses
        if not address.scheme and address.path
    }


def test_every_page_is_two_clicks_from_every_other(site):
    pages = {site / path.relative_to(ROOT).with_suffix(".html") for path in SOURCES}
    linked = {path: pages_linked_from(site, path, pages) for path in pages}
    for path, first in linked.items():
        second = set().union(*(linked[other] for other in first))
        assert first | second | {path} == pages, path.name


def test_previous_and_next_lead_through_the_sidebar_in_its_order(guarded, site):
    page = guarded.page
    page.goto((site / "book" / "index.html").as_uri())
    items = page.locator(".bd-sidebar-primary .bd-links a.reference.internal")
    order = items.evaluate_all("(links) => links.map((link) => link.href)")
    order = [page.url, *(address for address in order if address != page.url + "#")]
    assert len(order) == len(SOURCES)
    assert [
        int(text[:2]) for text in items.all_inner_texts() if text[:2].isdigit()
    ] == [int(path.name[:2]) for path in sorted((ROOT / "notebooks").glob("??_*.md"))]
    for before, address, after in zip(
        [None, *order], order, [*order[1:], None], strict=False
    ):
        page.goto(address)
        assert page.evaluate(SIDES) == [before, after]


@PAGES
def test_a_page_fits_a_phone(chromium, served, name):
    guarded = browser.open_guarded(chromium, viewport={"width": 390, "height": 844})
    visit(guarded.page, f"{served}/{name}")
    assert guarded.page.evaluate("document.documentElement.scrollWidth") <= 390
    found = guarded.page.evaluate(CUT_OFF, 40)
    assert [found[fault] for fault in ("scrolled", "broken", "shifted")] == [[], [], []]
    guarded.page.context.close()


@PAGES
def test_code_as_wide_as_the_page_is_neither_scrolled_nor_broken(chromium, site, name):
    """Beside both side columns, with the room that a scroll bar takes."""
    guarded = browser.open_guarded(
        chromium, viewport={"width": 1280 - 17, "height": 900}
    )
    guarded.page.goto((site / name).as_uri())
    found = guarded.page.evaluate(CUT_OFF, 88)
    assert found["blocks"] > 20 or not name.startswith("notebooks/")
    assert [found[fault] for fault in ("scrolled", "broken", "shifted")] == [[], [], []]
    guarded.page.context.close()


def test_broken_lines_are_copied_whole(chromium, site):
    guarded = browser.open_guarded(chromium, viewport={"width": 390, "height": 844})
    guarded.page.goto((site / "notebooks" / "05_vision_transformer.html").as_uri())
    copies = guarded.page.evaluate(
        """() => [...document.querySelectorAll("article pre")]
          .filter((block) => block.checkVisibility()).map((block) => {
            getSelection().selectAllChildren(block);
            return [getSelection().toString().trim(), block.textContent.trim()];
          })"""
    )
    assert any("class VisionTransformer(nn.Module):" in copied for copied, _ in copies)
    assert all(copied == written for copied, written in copies)
    guarded.page.context.close()


@PAGES
def test_a_page_is_readable_in_the_dark(chromium, served, name):
    guarded = browser.open_guarded(
        chromium, color_scheme="dark", viewport={"width": 1000, "height": 900}
    )
    visit(guarded.page, f"{served}/{name}")
    assert guarded.page.locator("html").get_attribute("data-theme") == "dark"
    contrasts = guarded.page.evaluate(CONTRASTS)
    assert len(contrasts) > 5
    assert not [text for ratio, text in contrasts if ratio < 4.5]
    guarded.page.context.close()


def assert_drawn(shown: Locator, weights: list[Tensor], grid: tuple[int, int]) -> None:
    """The canvas, decoded, shows the weights of one image, (1, H, T, T) a layer, within
    1/255 of the largest.
    """
    state = read_state(shown)
    expected, tolerance = wanted(weights, state, "cls")
    level = browser.decoded(
        colours(shown, "bare", grid), 255 * expected / state["scale"]
    )
    assert (level / 255 * state["scale"] - expected).abs().max() <= tolerance + 1e-7


def explained(name: str) -> tuple[VisionTransformer, tuple]:
    """The model that a page explains, its mean and deviation: the shipped one, but
    where chapter 11 computes a start, and 13 takes over a fresh one of torchvision's.
    """
    if name != "notebooks/13_transfer":
        model, record = load_checkpoint("stacks")
        if name == "notebooks/11_what_matters":
            torch.manual_seed(0)
            model = build_model(replace(model.config, name="mimetic-start")).eval()
        return model, (record["mean"], record["std"])
    torch.manual_seed(0)
    theirs = torchvision.models.vit_b_16()
    imagenet = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    return resized(from_torchvision(theirs), 112).eval(), imagenet


@pytest.mark.parametrize("name", WITH_SLIDERS)
def test_sliders_redraw_the_values_of_the_model(guarded, site, name):
    """From the disk, with neither server nor kernel: every control of every explorer of
    the page.
    """
    path = site / f"{name}.html"
    guarded.page.goto(path.as_uri())
    data = [json.loads(text) for text in embedded(path)]
    expect(guarded.page.locator(".vit-explorer[data-loaded=all]")).to_have_count(
        len(data)
    )
    model, scale = explained(name)
    assert data
    for shown, each in zip(
        guarded.page.locator(".vit-explorer").all(), data, strict=True
    ):
        metadata = each["metadata"]
        models = {None: model}
        if metadata["epochs"] != [None]:
            models = load_snapshots("stacks")
        pictures = {at: text for kind, at, text in each["pieces"] if kind == "pictures"}
        for label, key in [(None, None), *MOVES]:
            control = shown.get_by_label(label or "layer", exact=True)
            if label and not control.is_visible():
                assert metadata["epochs"] == [None] and label == "epoch"
                continue
            if label:
                control.press(key)
            state = read_state(shown)
            pixels = bytearray(
                zlib.decompress(base64.b64decode(pictures[state["image"]]))
            )
            image = (
                torch.frombuffer(pixels, dtype=torch.uint8)
                .reshape(*metadata["size"], 4)[..., :3]
                .movedim(-1, 0)
            )
            image = normalise(image[None], *scale)
            assert_drawn(
                shown, attention_maps(models[state["epoch"]], image), metadata["grid"]
            )
    guarded.assert_clean()


@pytest.mark.parametrize("name", WITH_SLIDERS)
def test_a_page_with_sliders_is_not_too_large(site, name):
    content = (site / f"{name}.html").read_bytes()
    assert len(gzip.compress(content)) < MOST_BYTES
    assert b"jupyter.widget-state" not in content


def embedded(path: Path) -> list[str]:
    """The data of each explorer of a page, as its file holds them."""
    pieces = path.read_text(encoding="utf-8").split(
        '<div class="vit-explorer"><script type="application/json">'
    )[1:]
    return [piece.partition("</script>")[0] for piece in pieces]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_screen_of_the_landing_page_holds_it_all(chromium, site, scheme):
    """One image under a live explorer, one sentence above, three doors below, and the
    number of the record.
    """
    guarded = browser.open_guarded(
        chromium, viewport={"width": 1280, "height": 800}, color_scheme=scheme
    )
    guarded.page.goto((site / "book" / "index.html").as_uri())
    article = guarded.page.locator("article")
    shown = guarded.page.locator(".vit-explorer[data-loaded=all]")
    doors = article.locator(".sd-card").all()
    number = article.locator(".landing-number")
    tops = [
        element.bounding_box()
        for element in (article.locator("p").first, shown, *doors, number)
    ]
    assert len(tops) == 6 and [box["y"] for box in tops] == sorted(
        box["y"] for box in tops
    )
    assert tops[-1]["y"] + tops[-1]["height"] <= 800
    shown.locator("canvas.overlay").hover(position={"x": 10, "y": 10})
    expect(shown).to_have_attribute("data-preview", "1")
    share = json.loads((ROOT / "results" / "stacks.json").read_text(encoding="utf-8"))[
        "mean"
    ]
    assert f"{100 * share:.1f} %" in article.locator(".landing-number").inner_text()
    guarded.assert_clean()
    guarded.page.context.close()


def findings(page: Page) -> list[str]:
    """What keeps people out of a page, with all that is folded away opened."""
    page.evaluate(
        "document.querySelectorAll('details').forEach((part) => part.open = true)"
    )
    # not as a script tag, which the page's policy refuses
    page.evaluate((npm.fetch("axe-core") / "axe.min.js").read_text(encoding="utf-8"))
    return page.evaluate(FINDINGS)


@pytest.mark.parametrize(("name", "scheme"), LOOKS)
def test_a_page_keeps_nobody_out(chromium, site, name, scheme):
    guarded = browser.open_guarded(
        chromium, viewport={"width": 1280, "height": 900}, color_scheme=scheme
    )
    visit(guarded.page, (site / f"{name}.html").as_uri())
    expect(guarded.page.locator(EMPTY)).to_have_count(0)
    assert findings(guarded.page) == []
    guarded.assert_clean()
    guarded.page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_changed_workbench_keeps_nobody_out(chromium, site, scheme):
    """With something of each kind changed, own curves, and the tour under way."""
    guarded = browser.open_guarded(
        chromium, viewport={"width": 640, "height": 900}, color_scheme=scheme
    )
    changed = "hidden=1&swaps=3-4&positions=off&silent=0-0.1-mlp&copy=2-2-0"
    page = (site / "book" / "try_it.html").as_uri()
    guarded.page.goto(f"{page}#model=stacks&{changed}")
    shown = guarded.page.locator(".vit-workbench[aria-busy=false]")
    shown.get_by_role("button", name="guided tour").click()
    guarded.page.evaluate(
        "(changed) => (location.hash = changed)", f"model=stacks&{changed}"
    )
    expect(shown.locator(".tour")).to_be_visible()
    expect(shown.locator(".after")).to_be_visible()
    shown.locator(".curves summary").click()
    expect(shown.locator(".verdict")).to_contain_text("the mean of")
    assert findings(guarded.page) == []
    guarded.assert_clean()
    guarded.page.context.close()
