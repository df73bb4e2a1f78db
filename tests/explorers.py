"""What the tests of the explorer share: small models that look about, and what a
browser shows, decoded.
"""

import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import browser
import pytest
import torch
from playwright.sync_api import Locator, expect
from torch import Tensor, nn

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import normalise
from vit_tutorial.explorer.html import page
from vit_tutorial.interpret.attention import attention_maps, rollout
from vit_tutorial.model import VisionTransformer

GRID = (4, 6)
PATCH = 8
IMAGES = 2
CLASSES = ("red", "green & <b>blue</b>", "</script><!--")
MEAN = (0.5,) * 3
STD = (0.25,) * 3
SHARES = """all => all.map((i) => ["--share", "--before"].map((name) =>
    parseFloat(i.style.getPropertyValue(name)) / 100))"""
CENTRES = """(canvas, [rows, columns]) => {
    const {width, height} = canvas;
    const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
    return Array.from({length: rows * columns}, (_, patch) => {
        const x = Math.floor((patch % columns + 0.5) * canvas.width / columns);
        const row = Math.floor(patch / columns);
        const y = Math.floor((row + 0.5) * canvas.height / rows);
        return [0, 1, 2].map((band) => data[4 * (y * canvas.width + x) + band]);
    });
}"""


def build(pool: str = "cls", seed: int = 0, **sizes) -> VisionTransformer:
    """A model whose heads and layers look at different places: wide queries and keys
    make peaked rows.
    """
    torch.manual_seed(seed)
    config = dict(
        image_size=(GRID[0] * PATCH, GRID[1] * PATCH),
        patch_size=PATCH,
        dim=24,
        depth=4,
        heads=3,
        classes=3,
    )
    model = VisionTransformer(ViTConfig(**{**config, "pool": pool, **sizes}))
    for block in model.blocks:
        nn.init.normal_(block.attention.qkv.weight, std=0.7)
    nn.init.normal_(model.head[-1].weight, std=0.5)  # predictions that differ
    return model.eval()


@torch.no_grad()
def halved(*args, **sizes) -> VisionTransformer:
    """A model whose weights are numbers of half precision: a page changes none."""
    model = build(*args, **sizes)
    for parameter in model.parameters():
        parameter.copy_(parameter.half().float())
    return model


def draw_images(count: int = IMAGES) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(
        0,
        256,
        (count, 3, GRID[0] * PATCH, GRID[1] * PATCH),
        generator=generator,
        dtype=torch.uint8,
    )


def see_without(
    model: VisionTransformer, image: Tensor, dropped: list[int]
) -> tuple[Tensor, list[Tensor]]:
    """Probabilities (classes,) and weights of one image (C, Y, X), some patches (from
    1) dropped before the encoder.

    The weights have the shape of a whole image's; rows and columns of what was dropped
    are 0.
    """
    first = int(model.config.pool == "cls")
    with torch.no_grad():
        tokens = model.embedder(normalise(image[None], MEAN, STD))
        there = [
            token
            for token in range(tokens.shape[1])
            if token + 1 - first not in dropped or token < first
        ]
        features, maps = model.encode(tokens[:, there], return_attention=True)
        logits = model.classify(features)
    weights = [
        torch.zeros(*one.shape[:2], tokens.shape[1], tokens.shape[1]) for one in maps
    ]
    for whole, one in zip(weights, maps, strict=True):
        whole[:, :, torch.tensor(there)[:, None], torch.tensor(there)] = one
    return logits.softmax(dim=-1)[0], weights


def wanted(weights: list[Tensor], state: dict, pool: str) -> tuple[Tensor, float]:
    """The weights (N,) that belong to a state, from one image's (1, H, T, T) a layer,
    and what a level may be off.
    """
    layer = state["layer"]
    head = state["head"]
    query = state["query"]
    if state["mode"] == "rollout":
        heads = rollout(weights[: layer + 1])
    else:
        heads = weights[layer][0] if head < 0 else weights[layer][0, [head]]
    if pool == "cls":
        rows = heads[:, query, 1:]
    else:  # a dropped patch asks nothing
        asked = weights[0][0, 0].sum(dim=-1) > 0
        rows = heads[:, query - 1] if query else heads[:, asked].mean(dim=1)
    return rows.mean(dim=0), float(rows.amax(dim=1).mean()) / 255


def read_state(shown: Locator) -> dict:
    """The state that an explorer says it shows, and `scale`, the weight of the
    brightest colour.
    """
    said = shown.evaluate("element => ({...element.dataset})")
    state = {name: int(said[name]) for name in ("image", "layer", "head", "query")}
    dropped = [int(patch) for patch in said["dropped"].split(",") if patch]
    epoch = None if said["epoch"] == "null" else int(said["epoch"])
    others = {name: float(said[name]) for name in ("opacity", "scale")}
    return (
        state
        | others
        | {
            "mode": said["mode"],
            "epoch": epoch,
            "dropped": dropped,
            "preview": said["preview"],
        }
    )


def colours(shown: Locator, canvas: str, grid: tuple[int, int] = GRID) -> Tensor:
    """The colours (N, 3) in the middle of a canvas's patches, row by row."""
    return torch.tensor(
        shown.locator(f"canvas.{canvas}").evaluate(CENTRES, grid), dtype=torch.float
    )


def assert_weights(
    shown: Locator,
    weights: Tensor,
    tolerance: float,
    patches: list[int] | slice = slice(None),
) -> None:
    """The bare canvas, decoded, is `weights` (N,) but for what a level can be off; so
    is the scale beside it.
    """
    scale = read_state(shown)["scale"]
    assert scale == pytest.approx(float(weights.max()), abs=tolerance)
    level = browser.decoded(
        colours(shown, "bare")[patches], 255 * weights[patches] / scale
    )
    assert (level / 255 * scale - weights[patches]).abs().max() <= tolerance + 1e-7


def assert_shown(
    shown: Locator, model: VisionTransformer, images: Tensor | None = None, **expected
) -> None:
    """The explorer shows the state `expected`, and all it draws and says, decoded, is
    what belongs to it.
    """
    state = read_state(shown)
    assert {name: state[name] for name in expected} == expected
    image = (draw_images() if images is None else images)[state["image"]]
    pool = model.config.pool
    weights, tolerance = wanted(
        attention_maps(model, normalise(image[None], MEAN, STD)), state, pool
    )
    assert_weights(shown, weights, tolerance)
    under = image[:, PATCH // 2 :: PATCH, PATCH // 2 :: PATCH].flatten(1).T
    mixed = (1 - state["opacity"]) * under + state["opacity"] * colours(shown, "bare")
    assert (colours(shown, "overlay") - mixed).abs().max() <= 2
    kept = shown.locator(".kept").inner_text() if pool == "cls" else "0"
    assert float(kept.split()[-1]) == pytest.approx(1 - float(weights.sum()), abs=1e-3)


def assert_lacking(
    shown: Locator, model: VisionTransformer, image: Tensor, dropped: list[int]
) -> None:
    """Maps and bars are those of the image (C, Y, X) without its dropped patches, and
    the bars' marks those of the whole one.
    """
    expect(shown).to_have_attribute("data-dropped", ",".join(map(str, dropped)))
    state = read_state(shown)
    shares, maps = see_without(model, image, dropped)
    before, _ = see_without(model, image, [])
    found = torch.tensor(shown.locator(".bars i").evaluate_all(SHARES))
    assert (found - torch.stack([shares, before], dim=1)).abs().max() < 1e-3
    weights, tolerance = wanted(maps, state, model.config.pool)
    there = [patch for patch in range(GRID[0] * GRID[1]) if patch + 1 not in dropped]
    if state["query"]:
        there = [patch for patch in there if patch + 1 != state["query"]]
    assert_weights(shown, weights, tolerance + 1e-4, there)
    said = shown.get_by_role("status").inner_text()
    assert f"{len(dropped)} of 24 patches dropped." in said


def assert_thumbs(
    shown: Locator, weights: list[Tensor], query: int, pool: str = "cls"
) -> None:
    """Each thumbnail, decoded, is the row of its layer and head, from 0 to its own
    largest weight.
    """
    rows, columns = GRID
    depth = len(weights)
    heads = weights[0].shape[1]
    drawn = colours(shown, "thumbs", (depth * (rows + 2), heads * (columns + 2)))
    drawn = drawn.reshape(depth, rows + 2, heads, columns + 2, 3)[
        :, 1:-1, :, 1:-1
    ].transpose(1, 2)
    for layer in range(depth):
        for head in range(heads):
            state = {"layer": layer, "head": head, "query": query, "mode": "raw"}
            row, _ = wanted(weights, state, pool)
            level = browser.decoded(
                drawn[layer, head].reshape(-1, 3), 255 * row / row.max()
            )
            assert (level / 255 * row.max() - row).abs().max() <= row.max() / 255


def maps(model, image: int = 0) -> list[Tensor]:
    """The weights of one of the test's images: (1, H, T, T) a layer."""
    return attention_maps(model, normalise(draw_images()[[image]], MEAN, STD))


def middle(shown: Locator, canvas: str, row: int, column: int) -> dict:
    """Where on a canvas a patch lies, as Playwright's mouse wants it."""
    box = shown.locator(f"canvas.{canvas}").bounding_box()
    return {
        "x": (column + 0.5) * box["width"] / GRID[1],
        "y": (row + 0.5) * box["height"] / GRID[0],
    }


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass


@pytest.fixture
def opened(guarded: browser.Guarded, tmp_path: Path) -> Iterator[Callable]:
    """Write explorers into one page and open it, from the disk or a server: a function
    that returns them, loaded.

    Afterwards the page has asked for nothing but itself and reported no error.
    """
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def open_page(*explorers, scheme: str = "file") -> list[Locator]:
        file = tmp_path / "page.html"
        head = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport"'
            ' content="width=device-width">'
        )
        file.write_text(
            head
            + "<title>t</title><body>"
            + "<p>between</p>".join(map(page, explorers)),
            encoding="utf-8",
        )
        address = (
            f"http://127.0.0.1:{server.server_port}/page.html"
            if scheme == "http"
            else file.as_uri()
        )
        guarded.page.goto(address)
        shown = guarded.page.locator(".vit-explorer")
        expect(guarded.page.locator(".vit-explorer[data-loaded=all]")).to_have_count(
            len(explorers)
        )
        return shown.all()

    yield open_page
    server.shutdown()
    server.server_close()
    guarded.assert_clean()
    assert all(address.endswith("/page.html") for address in guarded.asked)
