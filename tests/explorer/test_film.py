"""The film in a real browser: the frames by keyboard, mouse and by themselves."""

import io

import browser
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from pieces import assert_own_ids, assert_readable, open_pieces
from PIL import Image
from playwright.sync_api import Locator

from vit_tutorial.explorer import film as module
from vit_tutorial.explorer.film import film

chromium = browser.chromium
guarded = browser.guarded

NAMES = ("epoch 0", "epoch 4", "epoch 40")
# the pixels of the image that is shown, as they are in its file
PIXELS = """async (image) => {
  await image.decode();
  const { naturalWidth: width, naturalHeight: height } = image;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(image, 0, 0);
  return [height, width, [...context.getImageData(0, 0, width, height).data]];
}"""


def frames(count: int = 3, height: int = 6, width: int = 9) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = (count, 3, height, width)
    return list(torch.randint(256, shape, generator=generator).to(torch.uint8))


def button(shown: Locator) -> Locator:
    return shown.get_by_role("button")


def assert_at(shown: Locator, frame: torch.Tensor, name: str, title: str = "") -> None:
    """This frame is shown, and all that names it says so."""
    image = shown.get_by_role("img")
    height, width, values = image.evaluate(PIXELS)
    pixels = torch.tensor(values).reshape(height, width, 4).movedim(-1, 0)
    assert torch.equal(pixels[:3], frame.long()) and bool((pixels[3] == 255).all())
    assert image.get_attribute("alt") == title + name
    slider = shown.get_by_label("frame", exact=True)
    assert slider.get_attribute("aria-valuetext") == name
    assert shown.locator(".name").inner_text() == name


def test_the_slider_shows_every_frame(guarded, tmp_path):
    given = frames()
    (shown,) = open_pieces(
        guarded.page, tmp_path, "film", film(given, NAMES, "Learning")
    )
    assert shown.get_attribute("aria-label") == "Learning"
    slider = shown.get_by_label("frame", exact=True)
    assert_at(shown, given[0], NAMES[0], "Learning: ")
    moves = [("ArrowRight", 1), ("End", 2), ("ArrowRight", 2), ("Home", 0)]
    for key, at in moves:
        slider.press(key)
        assert_at(shown, given[at], NAMES[at], "Learning: ")
    # nine pixels, enlarged 71 times, as sharp as they are
    image = shown.get_by_role("img")
    assert image.bounding_box()["width"] == 639
    rendering = "one => getComputedStyle(one).imageRendering"
    assert image.evaluate(rendering) == "pixelated"
    guarded.assert_clean()


def test_play_moves_until_the_end_and_stops_where_it_is_told(guarded, tmp_path):
    given = frames(4)
    names = list("abcd")
    guarded.page.clock.install()
    (shown,) = open_pieces(guarded.page, tmp_path, "film", film(given, names))
    button(shown).click()
    for at in (1, 2):
        assert_at(shown, given[at], names[at])
        assert button(shown).inner_text() == "stop"
        guarded.page.clock.run_for(800)
    assert button(shown).inner_text() == "play"
    guarded.page.clock.run_for(5000)
    assert_at(shown, given[3], "d")
    button(shown).press("Enter")  # once more from the first
    assert_at(shown, given[0], "a")
    button(shown).click()
    guarded.page.clock.run_for(5000)
    assert_at(shown, given[0], "a")
    button(shown).click()
    shown.get_by_label("frame", exact=True).press("ArrowRight")  # takes over
    assert button(shown).inner_text() == "play"
    guarded.page.clock.run_for(5000)
    assert_at(shown, given[2], "c")
    guarded.assert_clean()


def test_who_wants_no_motion_moves_a_frame_a_press(chromium, tmp_path):
    given = frames()
    calm = browser.open_guarded(chromium, reduced_motion="reduce")
    calm.page.clock.install()
    (shown,) = open_pieces(calm.page, tmp_path, "film", film(given, NAMES))
    for at in (1, 2, 0):
        assert button(shown).inner_text() == "next"
        button(shown).click()
        calm.page.clock.run_for(5000)
        assert_at(shown, given[at], NAMES[at])
    calm.assert_clean()
    calm.page.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_phones_and_dark_pages_show_films_that_do_not_clash(guarded, tmp_path, theme):
    long = film(frames(height=40, width=700), ["a", "b", "word" * 40], "Wide")
    alone = film(frames(1), ["epoch 0"])
    shown = open_pieces(guarded.page, tmp_path, "film", long, alone, theme=theme)
    shown[0].get_by_label("frame", exact=True).press("End")
    assert_readable(guarded.page, shown[0], ".title, .name, label, button", theme)
    assert_own_ids(guarded.page)
    shown[0].get_by_label("frame", exact=True).press("ArrowLeft")
    assert shown[0].locator(".name").inner_text() == "b"
    assert shown[1].locator(".name").inner_text() == "epoch 0"
    assert button(shown[1]).is_disabled()
    guarded.assert_clean()


def test_words_are_words(guarded, tmp_path):
    name, title = "<b>x</b> $1$", "</script><img src=x onerror=alert(1)>"
    (shown,) = open_pieces(
        guarded.page, tmp_path, "film", film(frames(1), [name], title)
    )
    assert shown.locator(".name").inner_text() == name
    assert shown.locator(".title").inner_text() == title
    assert shown.get_by_role("img").count() == 1
    guarded.assert_clean()


def test_a_notebook_gets_a_page_and_a_picture():
    shown = film(frames(10), [f"epoch {at}" for at in range(10)], "Ten")
    data, _ = DisplayFormatter().format(shown)
    assert data["text/plain"] == "film(10 frames, epoch 0 to epoch 9)"
    assert "http" not in data["text/html"] and len(data["text/html"]) < 15_000
    picture = Image.open(io.BytesIO(shown.png))
    assert data["image/png"] and picture.format == "PNG" and picture.width == 770
    again = film(frames(10), [f"epoch {at}" for at in range(10)], "Ten")
    assert (again.html, again.png) == (shown.html, shown.png)


@pytest.mark.parametrize("count, at", [(1, [0]), (2, [0, 1]), (5, [0, 2, 4])])
def test_the_picture_holds_first_middle_and_last(count, at):
    given = frames(count)
    figure = module._figure(given, [f"epoch {k}" for k in range(count)], "")
    assert [axis.get_title() for axis in figure.axes] == [f"epoch {k}" for k in at]
    for axis, k in zip(figure.axes, at, strict=True):
        drawn = torch.tensor(axis.images[0].get_array())
        assert torch.equal(drawn, given[k].permute(1, 2, 0))


def test_flat_frames_are_small():
    rows, columns = torch.arange(400)[:, None] // 40, torch.arange(600) // 60
    flat = [(25 * rows + 20 * columns + 9 * at).byte() for at in range(10)]
    shown = film([each.expand(3, -1, -1) for each in flat], [""] * 10)
    assert len(shown.html) < 400_000


@pytest.mark.parametrize(
    "wrong, names, says",
    [
        ([], [], "no frames, expected at least one"),
        (frames(2), ["a"], "1 names, expected 2, one a frame"),
        ([frames()[0].numpy()], ["a"], r"is a ndarray, expected a tensor \(3, Y, X\)"),
        ([frames()[0] / 255], ["a"], "is of torch.float32, expected uint8"),
        ([frames()[0][:1]], ["a"], r"is \(1, 6, 9\), expected \(3, Y, X\)"),
        ([frames()[0][:, :0]], ["a"], r"is \(3, 0, 9\), expected \(3, Y, X\)"),
        ([frames()[0][None]], ["a"], r"is \(1, 3, 6, 9\)"),
        (
            [frames()[0], frames()[0][:, :5]],
            ["a", "b"],
            r"frame 1 is \(3, 5, 9\), expected \(3, 6, 9\) as the first",
        ),
    ],
)
def test_wrong_use_is_named_in_one_line(wrong, names, says):
    with pytest.raises(ValueError, match=says) as caught:
        film(wrong, names)
    assert "\n" not in str(caught.value)
