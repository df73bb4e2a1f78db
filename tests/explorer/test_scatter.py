"""The points in a real browser: what is pointed at, walked to and hidden."""

import io
import json
from base64 import b64decode
from math import atan2, dist, pi

import browser
import pytest
import torch
from IPython.core.formatters import DisplayFormatter
from modules import javascript
from pieces import assert_readable, open_pieces
from PIL import Image
from playwright.sync_api import Locator
from torch import Tensor

from vit_tutorial.data.synthetic import STACKS_CLASSES, stacks
from vit_tutorial.explorer import scatter as module
from vit_tutorial.explorer.scatter import looks, scatter, sheet, within

chromium = browser.chromium
guarded = browser.guarded

SIDE, EDGE = 560, 20  # of the drawing
HINT = "Point at a marker, or walk with the arrow keys."
CLASSES = ("cat", "dog", "<b>ox</b> $1$")
# 4 above the others, 1 in the middle, 0 and 2 beside it, 3 far down to the right
PLACES = torch.tensor([[-2.0, 0.5], [0, 0], [2, -0.5], [4, -6], [0.5, 2]])
LABELS = torch.tensor([0, 1, 2, 0, 1])
# the pixels of the picture of a point
PIXELS = """(canvas) => [...canvas.getContext("2d")
  .getImageData(0, 0, canvas.width, canvas.height).data]"""


def images(count: int = 5, height: int = 8, width: int = 8) -> Tensor:
    """One colour each."""
    colours = 40 * torch.arange(count)[:, None] + torch.tensor([9, 30, 60])
    return colours.to(torch.uint8)[..., None, None].expand(-1, -1, height, width)


def place(shown: Locator, point: int) -> tuple[float, float]:
    """Where a point is on the screen: the points reach from edge to edge downwards."""
    box = shown.locator(".plot").bounding_box()
    unit = (SIDE - 2 * EDGE) / 8  # from 2 down to -6
    x, y = PLACES[point].tolist()
    at = (SIDE / 2 + unit * (x - 1), EDGE + unit * (2 - y))
    scale = (box["width"] - 2) / SIDE  # within its border
    return box["x"] + 1 + scale * at[0], box["y"] + 1 + scale * at[1]


def said(shown: Locator) -> str:
    return shown.get_by_role("status").inner_text()


def assert_chosen(shown: Locator, point: int) -> None:
    """The point's class is said, it has the ring, and its picture is shown."""
    assert said(shown) == f"{CLASSES[LABELS[point]]}, point {point + 1} of 5"
    ring = shown.locator(".ring").bounding_box()
    middle = (ring["x"] + ring["width"] / 2, ring["y"] + ring["height"] / 2)
    assert middle == pytest.approx(place(shown, point), abs=0.6)
    pixels = torch.tensor(shown.locator("canvas").evaluate(PIXELS)).reshape(-1, 4)
    assert pixels.unique(dim=0).tolist() == [[*images()[point, :, 0, 0].tolist(), 255]]


def opened(guarded, folder, *args, **options) -> Locator:
    given = args or (PLACES, LABELS, CLASSES, images(), "Five")
    (shown,) = open_pieces(guarded.page, folder, "scatter", scatter(*given), **options)
    return shown


def test_the_pointer_finds_each_point(guarded, tmp_path):
    shown = opened(guarded, tmp_path)
    assert said(shown) == HINT and not shown.locator(".ring").is_visible()
    for point in (3, 0, 4, 1, 2):
        x, y = place(shown, point)
        guarded.page.mouse.move(x + 9, y - 9)  # it need not be hit
        assert_chosen(shown, point)
    guarded.page.mouse.move(x + 200, y + 100)  # far from any: the last one stays
    assert_chosen(shown, 2)
    box = shown.locator("canvas").bounding_box()
    assert (box["width"], box["height"]) == (96, 96)
    rendering = "one => getComputedStyle(one).imageRendering"
    assert shown.locator("canvas").evaluate(rendering) == "pixelated"
    guarded.assert_clean()


def test_a_finger_finds_a_point(chromium, tmp_path):
    phone = browser.open_guarded(
        chromium, has_touch=True, viewport={"width": 390, "height": 800}
    )
    shown = opened(phone, tmp_path)
    phone.page.touchscreen.tap(*place(shown, 2))
    assert_chosen(shown, 2)
    phone.assert_clean()
    phone.page.context.close()


def test_arrow_keys_walk_and_hidden_classes_are_passed_over(guarded, tmp_path):
    shown = opened(guarded, tmp_path)
    guarded.page.keyboard.press("Tab")
    assert_chosen(shown, 2)  # nearest to the plot's middle, (1, -2)
    walk = [("Right", 2), ("Down", 3), ("Down", 3), ("Up", 2), ("Left", 1), ("Up", 4)]
    for key, point in [*walk, ("Down", 1), ("Left", 0), ("Left", 0), ("Right", 1)]:
        guarded.page.keyboard.press(f"Arrow{key}")
        assert_chosen(shown, point)
    dog, ox = (shown.get_by_role("button", name=name) for name in CLASSES[1:])
    assert ox.inner_text() == CLASSES[2]
    ox.press("Enter")
    assert (ox.get_attribute("aria-pressed"), said(shown)) == (
        "false",
        "dog, point 2 of 5",
    )
    assert shown.locator(".plot .marker").evaluate_all(
        "all => all.map((one) => one.checkVisibility())"
    ) == [True, True, False, True, True]
    shown.locator(".plot").press("ArrowDown")
    assert_chosen(shown, 3)
    shown.locator(".plot").press("ArrowUp")
    assert_chosen(shown, 1)
    guarded.page.mouse.move(*place(shown, 4))
    dog.click()  # with the point that was chosen
    assert said(shown) == HINT and not shown.locator(".ring").is_visible()
    guarded.page.mouse.move(*place(shown, 1))
    assert said(shown) == HINT
    for button in (dog, ox):
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
    guarded.page.mouse.move(*place(shown, 1))
    assert_chosen(shown, 1)
    guarded.assert_clean()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("pictures", [True, False])
def test_phones_and_dark_pages_show_it(guarded, tmp_path, theme, pictures):
    many = [f"class {at} has a name" for at in range(40)]
    given = (PLACES, LABELS, many, images() if pictures else None, "A title")
    shown = opened(guarded, tmp_path, *given, theme=theme)
    texts = ".title, button, [role=status]"
    shown.get_by_role("button").nth(2).click()
    assert_readable(guarded.page, shown, texts, theme)
    assert shown.locator("canvas").count() == pictures
    guarded.assert_clean()


def test_points_in_one_place_stand_in_the_middle(guarded, tmp_path):
    """As features do that have collapsed."""
    shown = opened(guarded, tmp_path, torch.full((3, 2), 7.0), [0, 0, 1], CLASSES)
    shown.locator(".plot").hover()
    assert said(shown) == "cat, point 1 of 3"
    shown.get_by_role("button", name="cat").click()
    shown.locator(".plot").hover(position={"x": 120, "y": 120})
    assert said(shown) == HINT
    shown.locator(".plot").press("ArrowUp")
    assert said(shown) == "dog, point 3 of 3"
    shown.locator(".plot").press("ArrowUp")
    assert said(shown) == "dog, point 3 of 3"
    guarded.assert_clean()


def test_walking_goes_to_the_nearest_point_of_a_quarter():
    """Against angles, one point after the other."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(60, 2, generator=generator).tolist()
    steps = {"right": [1, 0], "up": [0, 1], "left": [-1, 0], "down": [0, -1]}
    given = json.dumps({"points": points, "steps": list(steps.values())})
    found = javascript(
        'import { towards } from "./scatter/nearest.js";'
        f"const {{ points, steps }} = {given};"
        "const allowed = (at) => at % 7 > 0;",
        "steps.map((step) =>"
        " points.map((_, at) => towards(points, at, step, allowed)))",
    )
    for (x, y), got in zip(steps.values(), found, strict=True):
        for at, start in enumerate(points):
            best = None
            for other, end in enumerate(points):
                if other % 7 == 0 or other == at:
                    continue
                angle = atan2(end[1] - start[1], end[0] - start[0]) - atan2(y, x)
                inside = abs((angle + pi) % (2 * pi) - pi) <= pi / 4
                nearer = best is None or dist(start, end) < dist(start, points[best])
                if inside and nearer:
                    best = other
            assert got[at] == best


def test_both_axes_have_one_unit():
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(50, 2, generator=generator, dtype=torch.float64)
    points = points * torch.tensor([1e4, 1e3]) - 1e6
    inside = within(points)
    low, high = inside.amin(dim=0), inside.amax(dim=0)
    assert (low[0].item(), high[0].item()) == pytest.approx((0, 1))
    assert low[1].item() > 0 and (low[1] + high[1]).item() == pytest.approx(1)
    ratio = torch.pdist(inside) / torch.pdist(points)
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))


def test_no_two_classes_look_alike():
    assert len(set(looks(40))) == 40
    assert len({colour for colour, _ in looks(8)}) == 8
    assert len({marker for _, marker in looks(5)}) == 5


def test_thumbnails_of_stacks_are_the_images_and_small():
    data = stacks(500, seed=0)
    generator = torch.Generator().manual_seed(0)
    places = torch.randn(500, 2, generator=generator)
    shown = scatter(places, data.labels, STACKS_CLASSES, data.images)
    assert len(shown.html) < 300_000
    made = sheet(data.images[:30])
    assert made["address"].startswith("data:image/jpeg;base64,")
    whole = Image.open(file_of(made["address"])).convert("RGB")
    assert made["columns"] == 5 and whole.size == (5 * 48, 6 * 48)
    for at in (0, 7, 29):
        left, top = 48 * (at % 5), 48 * (at // 5)
        thumb = torch.frombuffer(
            bytearray(whole.crop((left, top, left + 48, top + 48)).tobytes()),
            dtype=torch.uint8,
        ).reshape(48, 48, 3)
        halved = torch.nn.functional.avg_pool2d(data.images[at].float(), 2)
        apart = (thumb.movedim(-1, 0) - halved).abs().mean()
        assert apart < 8, (at, apart)


def file_of(address: str) -> io.BytesIO:
    """What a data address holds."""
    return io.BytesIO(b64decode(address.partition(",")[2]))


def test_wide_images_keep_their_form(guarded, tmp_path):
    """And few colours become a PNG, which keeps them to the bit."""
    made = sheet(images(height=50, width=100))
    assert made["size"] == [24, 48] and made["address"].startswith("data:image/png")
    given = (PLACES, LABELS, CLASSES, images(height=50, width=100))
    shown = opened(guarded, tmp_path, *given)
    guarded.page.mouse.move(*place(shown, 3))
    assert_chosen(shown, 3)
    box = shown.locator("canvas").bounding_box()
    assert (box["width"], box["height"]) == (96, 48)
    guarded.assert_clean()


def test_a_notebook_gets_a_page_and_a_picture():
    shown = scatter(PLACES.numpy(), LABELS.tolist(), CLASSES, images(), "A $title")
    data, _ = DisplayFormatter().format(shown)
    assert data["text/plain"] == "scatter(5 points of 3 classes)"
    assert "http" not in data["text/html"] and "<b>" not in data["text/html"]
    picture = Image.open(io.BytesIO(shown.png))
    assert data["image/png"] and picture.format == "PNG" and picture.width == 770
    assert scatter(PLACES, LABELS, CLASSES, images(), "A $title").png == shown.png


def test_the_picture_has_the_same_points():
    figure = module._figure(PLACES.double(), LABELS, list(CLASSES), "Five")
    (axis,) = figure.axes
    for at, drawn in enumerate(axis.collections):
        wanted = [p for p, label in zip(PLACES, LABELS, strict=True) if label == at]
        assert drawn.get_offsets().tolist() == [p.tolist() for p in wanted]
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["cat", "dog", r"<b>ox</b> \$1\$"]


GIVEN = {"places": PLACES, "labels": LABELS, "classes": CLASSES, "images": images()}


@pytest.mark.parametrize(
    "wrong, says",
    [
        (
            {"places": PLACES[:0], "labels": LABELS[:0]},
            r"places are \(0, 2\), expected",
        ),
        ({"places": torch.zeros(5, 3)}, r"places are \(5, 3\), expected \(n, 2\)"),
        ({"places": torch.zeros(2001, 2)}, "n from 1 to 2000"),
        ({"places": torch.tensor(1.0)}, r"places are \(\), expected"),
        ({"places": ["a"] * 5}, "places are a list, expected a tensor of numbers"),
        ({"places": PLACES.clone().fill_(torch.nan)}, "places are not finite"),
        ({"places": PLACES / 0}, "places are not finite"),
        ({"places": PLACES * 1j}, "places are not finite"),
        ({"labels": LABELS[:4]}, "4 labels, expected 5, one per point"),
        ({"labels": LABELS.float()}, r"labels are \(5,\) of torch.float32, expected"),
        ({"labels": LABELS == 1}, "of torch.bool, expected whole numbers"),
        ({"labels": LABELS[:, None]}, r"labels are \(5, 1\) of torch.int64"),
        ({"labels": LABELS + 1}, "labels run from 1 to 3, expected 0 to 2"),
        ({"labels": LABELS - 1}, "labels run from -1 to 1, expected 0 to 2"),
        ({"classes": []}, "0 classes, expected 1 to 40"),
        ({"classes": ["a"] * 41}, "41 classes, expected 1 to 40"),
        ({"images": images(4)}, "4 images, expected 5, one per point"),
        ({"images": images() / 255}, "images are of torch.float32, expected uint8"),
        ({"images": images()[:, :1]}, r"images are \(5, 1, 8, 8\), expected \(n, 3"),
        ({"images": images(width=0)}, r"images are \(5, 3, 8, 0\), expected"),
        ({"images": images().numpy()}, "images are a ndarray, expected a tensor"),
    ],
)
def test_wrong_use_is_named_in_one_line(wrong, says):
    with pytest.raises(ValueError, match=says) as caught:
        scatter(**(GIVEN | wrong))
    assert "\n" not in str(caught.value)
