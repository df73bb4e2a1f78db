"""The live widget in a real browser: there it is computed what lacks patches, by the
engine of a page; the kernel sends the weights, and computes where the engine cannot.
"""

import browser
import pytest
import torch
from explorers import (
    CLASSES,
    STD,
    assert_lacking,
    assert_shown,
    build,
    draw_images,
    middle,
)
from live import Live
from PIL import Image
from playwright.sync_api import expect

from vit_tutorial.data.images import normalise
from vit_tutorial.explorer.widget import explore
from vit_tutorial.model import VisionTransformer

chromium = browser.chromium
guarded = browser.guarded

IN_BROWSER = "Dropped patches are computed in this browser, own pictures by the kernel."
BY_KERNEL = "Dropped patches and own pictures are computed by the kernel."


@pytest.fixture
def live(guarded, tmp_path):
    """A function that shows an explorer; nothing fails in the browser."""
    yield lambda explorer: Live(guarded.page, explorer, tmp_path)
    guarded.assert_clean()


def drop(shown, row: int, column: int) -> None:
    """Drop a patch by a click, where nothing is dropped yet."""
    shown.get_by_role("button", name="drop patches").click()
    shown.locator("canvas.overlay").click(
        position=middle(shown, "overlay", row, column)
    )


def mine(model: VisionTransformer) -> VisionTransformer:
    """A reader's own class, which may compute otherwise than the engine does."""
    model.__class__ = type("Mine", (VisionTransformer,), {})
    return model


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_patches_are_dropped_in_the_browser_at_every_epoch(live, pool):
    models = {epoch: build(pool, seed=epoch) for epoch in (0, 5)}
    explorer = explore(models[5], draw_images(), CLASSES, snapshots=models)
    there = live(explorer)
    shown = there.shown
    expect(shown.locator(".note")).to_have_text(IN_BROWSER)
    for name in ("layer", "query", "image"):
        shown.get_by_label(name, exact=True).press("ArrowRight")
    assert there.asked == []  # weights travel when they are needed
    drop(shown, 1, 1)
    assert_lacking(shown, models[5], draw_images()[1], [8])
    assert there.asked == ["model"] and explorer.dropped == [8]
    size = sum(parameter.numel() for parameter in models[5].parameters())
    assert there.sent == [4 * size]
    epoch = shown.get_by_label("epoch", exact=True)
    for key, expected in [("Home", 0), ("End", 5), ("Home", 0)]:
        epoch.press(key)
        expect(shown).to_have_attribute("data-epoch", str(expected))
        assert_lacking(shown, models[expected], draw_images()[1], [8])
    assert there.asked == ["model", "model"]  # once an epoch
    shown.get_by_role("button", name="put all back").click()
    assert_shown(shown, models[0], dropped=[], image=1)
    assert explorer.dropped == []


def test_python_drops_too_and_says_the_same(live):
    models = {epoch: build(seed=epoch) for epoch in (0, 5)}
    explorer = explore(models[5], draw_images(), CLASSES, snapshots=models)
    explorer.dropped = [3]  # before it is shown
    there = live(explorer)
    assert_lacking(there.shown, models[5], draw_images()[0], [3])

    def move(explorer):
        explorer.dropped = [2, 24]
        explorer.epoch = 0
        explorer.layer = 1

    there.do(move)
    expect(there.shown).to_have_attribute("data-epoch", "0")
    assert_lacking(there.shown, models[0], draw_images()[0], [2, 24])
    shares = torch.tensor(
        there.shown.locator(".bars i").evaluate_all(
            "all => all.map((i) => parseFloat(i.style.getPropertyValue('--share')))"
        )
    )
    assert (shares / 100 - explorer.view()[0]).abs().max() < 1e-3
    there.do(lambda explorer: explorer.set_trait("image", 1))  # it is whole
    assert_shown(there.shown, models[0], image=1, dropped=[])
    assert "view" not in there.asked


def test_an_own_picture_is_the_kernels_and_lacks_patches_in_the_browser(live, tmp_path):
    models = {epoch: build(seed=epoch) for epoch in (0, 5)}
    explorer = explore(models[5], draw_images(), CLASSES, snapshots=models)
    there = live(explorer)
    own = draw_images(4)[3]
    Image.fromarray(own.movedim(0, -1).numpy()).save(tmp_path / "own.png")
    there.shown.get_by_label("own picture").set_input_files(tmp_path / "own.png")
    expect(there.shown).to_have_attribute("data-image", "2")
    assert there.asked == ["picture"] and explorer.image == 2
    there.shown.get_by_label("epoch", exact=True).press("Home")
    images = draw_images(4)[[0, 1, 3]]
    assert_shown(there.shown, models[0], images, image=2, epoch=0)
    drop(there.shown, 2, 3)
    assert_lacking(there.shown, models[0], own, [16])
    assert there.asked == ["picture", "model"]


def other_images() -> torch.Tensor:
    """Images of another mean than `explore` is told: shown too dark, computed right."""
    return normalise(draw_images(), (0.3,) * 3, STD)


@pytest.mark.parametrize(
    "model, images",
    [(mine(build()), draw_images()), (build(), other_images())],
    ids=["own class", "other images"],
)
def test_what_the_engine_cannot_compute_the_kernel_does(live, model, images):
    explorer = explore(model, images, CLASSES)
    there = live(explorer)
    expect(there.shown.locator(".note")).to_have_text(BY_KERNEL)
    drop(there.shown, 0, 2)
    expect(there.shown).to_have_attribute("data-dropped", "3")
    assert there.asked == ["view"]
    shares = there.shown.locator(".bars i").evaluate_all(
        "all => all.map((i) => parseFloat(i.style.getPropertyValue('--share')) / 100)"
    )
    with torch.no_grad():
        tokens = model.embed(explorer.source.images[:1])
        kept = [token for token in range(25) if token != 3]
        logits = model.classify(model.encode(tokens[:, kept]))
    assert (torch.tensor(shares) - logits.softmax(-1)[0]).abs().max() < 1e-5


def test_where_no_worker_starts_the_kernel_computes_and_the_note_says_so(guarded, live):
    """As in an editor that shows notebooks and forbids workers."""
    guarded.page.add_init_script(
        "window.Worker = class { constructor() { throw new Error('no') } }"
    )
    model = build()
    there = live(explore(model, draw_images(), CLASSES))
    expect(there.shown.locator(".note")).to_have_text(IN_BROWSER)
    drop(there.shown, 1, 1)
    assert_lacking(there.shown, model, draw_images()[0], [8])
    expect(there.shown.locator(".note")).to_have_text(BY_KERNEL)
    expect(there.shown.get_by_role("alert")).to_have_count(0)
    there.shown.locator("canvas.overlay").click(
        position=middle(there.shown, "overlay", 1, 2)
    )
    assert_lacking(there.shown, model, draw_images()[0], [8, 9])
    assert there.asked == ["model", "view", "view"]


def test_what_neither_can_compute_is_said_in_one_line_and_taken_back(live):
    model = mine(build())

    def encode(tokens, return_attention=False):
        if tokens.shape[1] < 25:
            raise RuntimeError("24 tokens, <b>expected</b> 25\nas always")
        return VisionTransformer.encode(model, tokens, return_attention)

    explorer = explore(model, draw_images(), CLASSES)
    model.encode = encode
    there = live(explorer)
    drop(there.shown, 1, 1)
    expect(there.shown.get_by_role("alert")).to_have_text(
        "24 tokens, <b>expected</b> 25"
    )
    expect(there.shown).to_have_attribute("data-dropped", "")
    assert explorer.dropped == []


def test_a_view_that_is_closed_ends_its_worker(guarded, live):
    model = build()
    there = live(explore(model, draw_images(), CLASSES))
    drop(there.shown, 1, 1)
    assert_lacking(there.shown, model, draw_images()[0], [8])
    (worker,) = guarded.page.workers
    with worker.expect_event("close"):
        guarded.page.evaluate("window.leave()")
    assert guarded.page.workers == []
