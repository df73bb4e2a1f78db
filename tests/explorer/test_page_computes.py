"""A page with neither kernel nor network computes by itself: without patches, and for
pictures of the reader's own; what it shows is PyTorch's.
"""

import base64
import json
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import browser
import explorers
import numpy as np
import pytest
import torch
from explorers import (
    CLASSES,
    GRID,
    MEAN,
    PATCH,
    SHARES,
    STD,
    assert_lacking,
    assert_shown,
    assert_thumbs,
    assert_weights,
    build,
    draw_images,
    halved,
    middle,
    read_state,
    see_without,
    wanted,
)
from PIL import Image
from playwright.sync_api import Locator, expect
from torch import Tensor

from vit_tutorial.data.image_files import read_image
from vit_tutorial.data.images import normalise
from vit_tutorial.explorer import html
from vit_tutorial.explorer.html import page
from vit_tutorial.explorer.widget import explore
from vit_tutorial.model import VisionTransformer

chromium = browser.chromium
guarded = browser.guarded
opened = explorers.opened

SIZE = (GRID[0] * PATCH, GRID[1] * PATCH)
# a pixel of the image is a square of the overlay
PIXELS = """(canvas, [rows, columns]) => {
    const {width, height} = canvas;
    const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
    const zoom = width / columns;
    return Array.from({length: rows * columns}, (_, at) => {
        const x = Math.floor((at % columns + 0.5) * zoom);
        const y = Math.floor((Math.floor(at / columns) + 0.5) * zoom);
        return [...data.slice(4 * (y * width + x), 4 * (y * width + x) + 3)];
    });
}"""
HAND_OVER = """(element, [kind, name, type, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    if (name) data.items.add(new File([bytes], name, { type }));
    const options = {bubbles: true, cancelable: true};
    const event = kind === "paste"
        ? new ClipboardEvent(kind, {...options, clipboardData: data})
        : new DragEvent(kind, {...options, dataTransfer: data});
    return element.dispatchEvent(event);
}"""


def drawn(shown: Locator) -> Tensor:
    """The pixels (3, Y, X), uint8, of the image that is shown."""
    opacity = shown.get_by_label("opacity", exact=True)
    opacity.press("Home")
    found = shown.locator("canvas.overlay").evaluate(PIXELS, SIZE)
    return torch.tensor(found, dtype=torch.uint8).T.reshape(3, *SIZE)


@pytest.mark.parametrize("pool, scheme", [("cls", "file"), ("mean", "http")])
def test_patches_are_dropped_and_put_back_by_mouse_and_keys(opened, pool, scheme):
    model = halved(pool)
    (shown,) = opened(explore(model, draw_images(), CLASSES), scheme=scheme)
    image = draw_images()[0]
    drop = shown.get_by_role("button", name="drop patches")
    drop.press("Enter")
    shown.locator("canvas.overlay").click(position=middle(shown, "overlay", 1, 1))
    assert_lacking(shown, model, image, [8])
    assert not shown.locator(".tensor").is_visible()
    # what came of it is spoken of
    assert shown.get_by_role("status").get_attribute("aria-live") == "polite"
    shown.locator("canvas.bare").focus()
    for key in ("ArrowDown", "ArrowRight", " "):
        shown.page.keyboard.press(key)
    assert_lacking(shown, model, image, [8, 15])
    for name, key in [("layer", "Home"), ("head", "End"), ("query", "ArrowRight")]:
        shown.get_by_label(name, exact=True).press(key)
        assert_lacking(shown, model, image, [8, 15])
    shown.get_by_label("mode", exact=True).press("ArrowDown")
    assert_lacking(shown, model, image, [8, 15])
    shown.get_by_role("button", name="put all back").press("Enter")
    expect(drop).to_be_focused()
    drop.click()
    assert_shown(shown, model, dropped=[], query=1, mode="rollout")
    # of another image, which is whole when one comes to it
    shown.get_by_label("image", exact=True).press("End")
    drop.click()
    shown.locator("canvas.bare").click(position=middle(shown, "bare", 0, 0))
    assert_lacking(shown, model, draw_images()[1], [1])
    shown.get_by_label("image", exact=True).press("Home")
    assert_shown(shown, model, dropped=[], image=0)


def test_of_many_drops_in_a_hurry_the_last_is_shown(opened):
    model = halved()
    (shown,) = opened(explore(model, draw_images(), CLASSES))
    shown.get_by_role("button", name="drop patches").click()
    box = shown.locator("canvas.overlay").bounding_box()
    places = [
        [(column + 0.5) * box["width"] / 6, (row + 0.5) * box["height"] / 4]
        for row in range(3)
        for column in range(6)
    ]
    shown.locator("canvas.overlay").evaluate(
        """(canvas, places) => places.forEach(([x, y]) => {
            const {left, top} = canvas.getBoundingClientRect();
            const place = {clientX: left + x, clientY: top + y, bubbles: true};
            canvas.dispatchEvent(new MouseEvent("click", place));
        })""",
        places,
    )
    assert_lacking(shown, model, draw_images()[0], list(range(1, 19)))
    # begun and taken back before it was answered
    shown.evaluate(
        """shown => {
            const {left, top} = shown.querySelector(".overlay").getBoundingClientRect();
            const place = {clientX: left + 2, clientY: top + 2, bubbles: true};
            shown.querySelector(".overlay").dispatchEvent(
                new MouseEvent("click", place));
            for (const button of shown.querySelectorAll(".tools button"))
                if (button.textContent === "put all back") button.click();
        }"""
    )
    assert_shown(shown, model, dropped=[])


def test_a_finger_drops_patches_and_a_phone_is_wide_enough(chromium, tmp_path):
    model = halved()
    guarded = browser.open_guarded(
        chromium, has_touch=True, viewport={"width": 390, "height": 1200}
    )
    head = '<!doctype html><meta name="viewport" content="width=device-width">'
    (tmp_path / "page.html").write_text(
        head + page(explore(model, draw_images(), CLASSES)), encoding="utf-8"
    )
    guarded.page.goto((tmp_path / "page.html").as_uri())
    shown = guarded.page.locator(".vit-explorer[data-loaded=all]")
    shown.get_by_role("button", name="drop patches").tap()
    shown.locator("canvas.overlay").tap(position=middle(shown, "overlay", 2, 3))
    assert_lacking(shown, model, draw_images()[0], [16])
    assert guarded.page.evaluate("document.documentElement.scrollWidth") <= 390
    guarded.assert_clean()
    guarded.page.context.close()


def test_what_is_computed_is_of_the_epoch_whose_model_the_page_carries(
    opened, tmp_path
):
    models = {epoch: halved(seed=epoch) for epoch in (0, 3, 7)}
    (shown,) = opened(explore(models[7], draw_images(), CLASSES, snapshots=models))
    expect(shown.locator(".note")).to_have_text(
        "Dropped patches and own pictures are computed on this page, with the model of"
        " epoch 7: your picture never leaves this browser."
    )
    epoch = shown.get_by_label("epoch", exact=True)
    epoch.press("Home")
    assert_shown(shown, models[0], epoch=0)
    shown.get_by_role("button", name="drop patches").click()
    shown.locator("canvas.overlay").click(position=middle(shown, "overlay", 0, 1))
    assert_lacking(shown, models[7], draw_images()[0], [2])
    assert read_state(shown)["epoch"] == 7
    epoch.press("ArrowLeft")
    assert_shown(shown, models[3], epoch=3, dropped=[])
    own = tmp_path / "own.png"
    Image.fromarray(draw_images(4)[3].movedim(0, -1).numpy()).save(own)
    shown.get_by_label("own picture").set_input_files(own)
    expect(shown).to_have_attribute("data-image", "2")
    assert_shown(shown, models[7], draw_images(4)[[0, 1, 3]], image=2, epoch=7)
    assert epoch.is_disabled()
    assert shown.get_by_role("button", name="play epochs").is_disabled()
    assert not shown.locator(".tensor").is_visible()  # no tensor of a notebook has it
    shown.get_by_label("image", exact=True).press("Home")
    epoch.press("Home")
    assert_shown(shown, models[0], epoch=0, image=0)
    assert shown.locator(".tensor").is_visible()


def test_epochs_stop_playing_where_a_patch_is_dropped(opened):
    """The next epoch would have no view without it."""
    models = {epoch: halved(seed=epoch) for epoch in (0, 3, 7)}
    (shown,) = opened(explore(models[7], draw_images(), CLASSES, snapshots=models))
    shown.get_by_role("button", name="drop patches").click()
    shown.page.clock.install(time=0)
    shown.page.clock.pause_at(1000)
    shown.get_by_role("button", name="play epochs").click()
    assert_shown(shown, models[0], epoch=0)
    shown.locator("canvas.overlay").click(position=middle(shown, "overlay", 1, 1))
    assert_lacking(shown, models[7], draw_images()[0], [8])
    expect(shown.locator("button", has_text="pause")).to_have_count(0)
    shown.page.clock.run_for(5000)
    assert_lacking(shown, models[7], draw_images()[0], [8])


def save_png(path: Path, array: np.ndarray, mode: str | None = None, **options):
    Image.fromarray(array, mode).save(path, "PNG", **options)


def odd_pictures() -> dict[str, Callable[[Path], None]]:
    """Pictures of many kinds, by what is odd about them; each is written to a path."""
    random = np.random.default_rng(0)
    noise = random.integers(0, 256, (61, 83, 3), dtype=np.uint8)
    smooth = np.linspace(0, 255, 90 * 70 * 3).reshape(90, 70, 3).astype(np.uint8)
    see_through = np.dstack([noise, random.integers(0, 256, (61, 83), dtype=np.uint8)])
    turned = Image.Exif()
    turned[0x0112] = 6
    palette = Image.fromarray(noise).quantize(16)
    deep = (random.integers(0, 256, (40, 50)) * 257).astype(np.uint16)
    large = np.tile(noise, (40, 40, 1))[:2400, :3200]
    return {
        "noise": partial(save_png, array=noise),
        "of-its-size": partial(save_png, array=noise[:32, :48]),
        "enlarged": partial(save_png, array=noise[:9, :11]),
        "grey": partial(save_png, array=noise[..., 0]),
        "alpha": partial(save_png, array=see_through),
        "grey-alpha": partial(
            lambda path, array: Image.fromarray(array).convert("LA").save(path, "PNG"),
            array=see_through,
        ),
        "palette": lambda path: palette.save(path, "PNG"),
        "palette-clear": lambda path: palette.save(path, "PNG", transparency=3),
        "bilevel": lambda path: Image.fromarray(noise).convert("1").save(path, "PNG"),
        "deep": lambda path: Image.fromarray(deep).save(path, "PNG"),
        "turned": lambda path: Image.fromarray(smooth).save(
            path, "JPEG", quality=95, exif=turned
        ),
        "cmyk": lambda path: Image.fromarray(smooth).convert("CMYK").save(path, "JPEG"),
        "gif": lambda path: palette.save(path, "GIF"),
        "webp": lambda path: Image.fromarray(noise).save(path, "WEBP", lossless=True),
        "bmp": lambda path: Image.fromarray(noise).save(path, "BMP"),
        "one": partial(save_png, array=noise[:1, :1]),
        "wide": partial(save_png, array=np.tile(noise[:3], (1, 200, 1))),
        "tall": partial(save_png, array=np.tile(noise[:, :2], (50, 1, 1))),
        "large": partial(save_png, array=large),
    }


# how far a pixel may be from Pillow's where the two decode or blend by themselves; in
# one more than 100 times as tall as wide Pillow begins with the rows
APART = {"alpha": 2, "grey-alpha": 2, "deep": 1, "turned": 3, "cmyk": 4, "tall": 1}


def test_pictures_of_ones_own_are_read_as_python_reads_them(opened, tmp_path):
    """Class and attention are PyTorch's of the pixels that the page made of a file, and
    these are `read_image`'s.
    """
    model = halved()
    (shown,) = opened(explore(model, draw_images(), CLASSES, [0, 1]))
    pixels = list(draw_images())
    for at, (name, save) in enumerate(odd_pictures().items(), start=len(pixels)):
        save(tmp_path / name)
        shown.get_by_label("own picture").set_input_files(tmp_path / name)
        expect(shown).to_have_attribute("data-image", str(at))
        pixels.append(drawn(shown))
        apart = read_image(tmp_path / name, SIZE).int() - pixels[-1].int()
        assert apart.abs().max() <= APART.get(name, 0), name
        assert_shown(shown, model, torch.stack(pixels), image=at)
        shares, maps = see_without(model, pixels[-1], [])
        found = torch.tensor(shown.locator(".bars i").evaluate_all(SHARES))[:, 0]
        assert (found - shares).abs().max() < 1e-3
        assert_thumbs(shown, maps, query=0)
        assert shown.locator(".prediction span").inner_text().endswith(" %")
        expect(shown.get_by_role("alert")).to_have_count(0)
    # of one's own, too, patches can be dropped
    shown.get_by_role("button", name="drop patches").click()
    shown.locator("canvas.bare").click(position=middle(shown, "bare", 3, 5))
    assert_lacking(shown, model, pixels[-1], [24])


def test_a_grey_model_sees_ones_own_picture_in_grey(opened, tmp_path):
    model = halved(channels=1)
    grey = draw_images()[:, :1]
    (shown,) = opened(explore(model, grey, mean=(0.5,), std=(0.25,)))
    noise = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    save_png(tmp_path / "own.png", noise)
    shown.get_by_label("own picture").set_input_files(tmp_path / "own.png")
    expect(shown).to_have_attribute("data-image", "2")
    pixels = drawn(shown)
    expected = read_image(tmp_path / "own.png", SIZE, channels=1)
    assert torch.equal(pixels, expected.expand(3, -1, -1))
    weights, tolerance = wanted(see_grey(model, expected), read_state(shown), "cls")
    assert_weights(shown, weights, tolerance + 1e-5)


@torch.no_grad()
def see_grey(model: VisionTransformer, image: Tensor) -> list[Tensor]:
    return model((image[None] / 255 - 0.5) / 0.25, return_attention=True)[1]


def test_a_file_is_dropped_on_the_explorer_or_pasted(opened, tmp_path):
    model = halved()
    (shown,) = opened(explore(model, draw_images(), CLASSES))
    own = tmp_path / "own.png"
    Image.fromarray(draw_images(4)[3].movedim(0, -1).numpy()).save(own)
    content = encoded(own)
    images = torch.cat([draw_images(), draw_images(4)[[3, 3]]])
    canvas = shown.locator("canvas.bare")
    for kind in ("dragenter", "dragover"):  # taken: the page does not go to the file
        assert not canvas.evaluate(HAND_OVER, [kind, "a.png", "image/png", content])
        assert "over" in shown.get_attribute("class").split()
    assert not canvas.evaluate(HAND_OVER, ["drop", "a.png", "image/png", content])
    assert "over" not in shown.get_attribute("class").split()
    expect(shown).to_have_attribute("data-image", "2")
    assert_shown(shown, model, images, image=2)
    assert not canvas.evaluate(HAND_OVER, ["paste", "a.png", "image/png", content])
    expect(shown).to_have_attribute("data-image", "3")
    assert_shown(shown, model, images, image=3)
    assert shown.get_by_label("image", exact=True).get_attribute("max") == "3"
    # text that is dragged or pasted is not ours
    for kind in ("dragover", "drop", "paste"):
        assert canvas.evaluate(HAND_OVER, [kind, "", "", ""])


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def test_what_is_no_picture_is_said_in_one_line(opened, tmp_path):
    model = halved()
    (shown,) = opened(explore(model, draw_images(), CLASSES))
    wrong = tmp_path / "<b>notes<img src=x>.png"
    wrong.write_text("no picture", encoding="utf-8")
    file = shown.get_by_label("own picture")
    file.set_input_files(wrong)
    alert = shown.get_by_role("alert")
    expect(alert).to_have_text(
        "<b>notes<img src=x>.png is no picture that this browser can read"
    )
    assert alert.locator("*").count() == 0
    empty = tmp_path / "empty.png"
    empty.touch()
    file.set_input_files(empty)
    expect(alert).to_have_text("empty.png is no picture that this browser can read")
    assert_shown(shown, model, image=0)
    Image.new("RGB", (5, 5)).save(tmp_path / "good.png")
    file.set_input_files(tmp_path / "good.png")
    expect(shown).to_have_attribute("data-image", "2")
    expect(alert).to_have_count(0)


def test_what_went_wrong_is_said_until_the_reader_moves_on(opened, tmp_path):
    (shown,) = opened(explore(halved(), draw_images(), CLASSES))
    (tmp_path / "notes.png").write_text("no picture", encoding="utf-8")
    file = shown.get_by_label("own picture")
    alert = shown.get_by_role("alert")
    layer = shown.get_by_label("layer", exact=True)
    layer.press("Home")
    file.set_input_files(tmp_path / "notes.png")
    expect(alert).to_contain_text("notes.png is no picture")
    layer.press("ArrowRight")
    expect(alert).to_have_count(0)
    # what plays does not take the line from the reader
    shown.page.clock.install(time=0)
    shown.page.clock.pause_at(1000)
    shown.get_by_role("button", name="play layers").click()
    file.set_input_files(tmp_path / "notes.png")
    expect(alert).to_contain_text("notes.png is no picture")
    shown.page.clock.run_for(800)
    assert read_state(shown)["layer"] == 3
    expect(alert).to_contain_text("notes.png is no picture")
    shown.get_by_role("button", name="play layers").click()
    expect(alert).to_have_count(0)


def test_two_on_one_page_compute_each_with_its_own_model(opened):
    models = [halved(), halved("mean", depth=3)]
    both = opened(*(explore(model, draw_images(), CLASSES) for model in models))
    for shown in both:
        shown.get_by_role("button", name="drop patches").click()
        shown.locator("canvas.bare").click(position=middle(shown, "bare", 2, 2))
    for shown, model in zip(both, models, strict=True):
        assert_lacking(shown, model, draw_images()[0], [15])


def test_a_browser_without_workers_says_so_and_shows_what_it_knows(
    guarded, opened, tmp_path
):
    guarded.page.add_init_script(
        "window.Worker = class { constructor() { throw new Error('no <b>') } }"
    )
    model = halved()
    (shown,) = opened(explore(model, draw_images(), CLASSES))
    shown.get_by_role("button", name="drop patches").click()
    shown.locator("canvas.overlay").click(position=middle(shown, "overlay", 1, 1))
    alert = shown.get_by_role("alert")
    expect(alert).to_have_text("no <b>")
    assert_shown(shown, model, dropped=[], image=0)
    Image.new("RGB", (5, 5)).save(tmp_path / "good.png")
    shown.get_by_label("own picture").set_input_files(tmp_path / "good.png")
    expect(alert).to_have_text("no <b>")
    assert_shown(shown, model, image=0)


WEIGHTS = ("weight", "bias")


def model_on(explorer, **options) -> dict | None:
    text = page(explorer, **options).partition('type="application/json">')[2]
    return json.loads(text.partition("</script>")[0])["model"]


def test_a_page_carries_the_model_of_the_epoch_it_shows(monkeypatch):
    models = {epoch: build(seed=epoch) for epoch in (0, 3)}
    explorer = explore(models[3], draw_images(), snapshots=models)
    carried = model_on(explorer)
    assert carried["epoch"] == 3
    description = carried["description"]
    content = zlib.decompress(base64.b64decode(carried["weights"]))
    assert len(content) == description["bytes"]
    weight, bias = (description["tensors"][f"head.1.{part}"] for part in WEIGHTS)
    halves = np.frombuffer(content, "<f2", 3 * 24, weight["offset"])
    head = models[3].head[1].state_dict()
    assert (halves.reshape(3, 24) == head["weight"].half().numpy()).all()
    vector = np.frombuffer(content, "<f4", 3, bias["offset"])
    assert (vector == head["bias"].numpy()).all()
    explorer.epoch = 0
    assert model_on(explorer)["epoch"] == 0
    assert model_on(explorer, with_model=False) is None
    # pictures and views come first
    size = len(base64.b64decode(carried["weights"]))
    monkeypatch.setattr(html, "MOST_BYTES", size + 1000)
    assert model_on(explorer) is None


def test_a_page_whose_images_are_not_their_pictures_does_not_compute():
    """It would compute with the pictures, and they are coarser, or of other means."""
    for images in (torch.rand(2, 3, *SIZE), normalise(draw_images(), (0.3,) * 3, STD)):
        assert model_on(explore(build(), images)) is None
    assert model_on(explore(build(), normalise(draw_images(), MEAN, STD))) is not None


def test_weights_too_large_for_half_precision_stay_at_home():
    model = build()
    torch.nn.init.constant_(model.head[1].weight, 1e5)
    assert model_on(explore(model, draw_images())) is None
