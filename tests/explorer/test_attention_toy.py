"""Three draggable tokens: the page's numbers against torch's, and what a reader drags
in a real browser.
"""

import base64
import io
import json
from itertools import product

import browser
import pytest
import torch
from modules import javascript
from PIL import Image
from playwright.sync_api import Locator
from torch import Tensor
from traitlets import TraitError

from vit_tutorial.attention import attend
from vit_tutorial.explorer.attention_toy import SCRIPT, drag_tokens, page

chromium = browser.chromium
guarded = browser.guarded

TABLES = ("scores", "weights", "mixed")
READ = (
    "table => [...table.rows].slice(1).map(row => [...row.cells].slice(1).map(cell =>"
    " Number(cell.dataset.value)))"
)
CONTRASTS = """all => all.map(cell => {
  const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  const {color, backgroundColor} = getComputedStyle(cell);
  const both = [color, backgroundColor].map(light);
  return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
})"""
# the widget in a live notebook, with a model in place of the kernel's
LIVE = """<div id="live"></div><script type="module">
import widget from "data:text/javascript;base64,%s";
const values = %s, heard = {};
window.saved = [];
window.model = {
  get: (name) => values[name],
  set: (name, value) => { values[name] = value; heard[name]?.(); },
  on: (event, hear) => { heard[event.replace("change:", "")] = hear; },
  off: (event) => { delete heard[event.replace("change:", "")]; },
  save_changes: () => { window.saved.push(JSON.parse(JSON.stringify(values))); },
};
window.heard = heard;
const el = document.querySelector("#live");
window.leave = widget.render({ model: window.model, el });
</script>"""


@pytest.fixture
def opened(guarded, tmp_path):
    """Write pieces of HTML into one page and open it from the disk; yields a function
    that does so.
    """

    def open_page(*pieces: str) -> list[Locator]:
        file = tmp_path / "page.html"
        head = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport"'
            ' content="width=device-width">'
        )
        file.write_text(
            head + "<title>t</title><body>" + "".join(pieces), encoding="utf-8"
        )
        guarded.page.goto(file.as_uri())
        return guarded.page.locator(".vit-tokens").all()

    yield open_page
    guarded.assert_clean()


def state(shown: Locator) -> dict:
    said = shown.evaluate("element => ({...element.dataset})")
    return {
        "tokens": json.loads(said["tokens"]),
        "scale": float(said["scale"]),
        "softmax_dim": said["softmax_dim"],
        "query_index": int(said["query_index"]),
    }


def handle(shown: Locator, token: int) -> Locator:
    return shown.get_by_role("slider", name=f"token {token}", exact=True)


def wanted(
    tokens: Tensor, scale: float, softmax_dim: str
) -> tuple[Tensor, Tensor, Tensor]:
    scores = tokens @ tokens.T * scale
    weights = scores.softmax(dim={"keys": -1, "queries": 0}[softmax_dim])
    return scores, weights, weights @ tokens


def assert_shown(shown: Locator, **expected) -> None:
    """The page is in this state; its tables, its sentence and its line of code are
    torch's numbers.
    """
    now = state(shown)
    assert {name: now[name] for name in expected} == expected
    tokens = torch.tensor(now["tokens"], dtype=torch.float64)
    numbers = wanted(tokens, now["scale"], now["softmax_dim"])
    for name, values in zip(TABLES, numbers, strict=True):
        torch.testing.assert_close(
            torch.tensor(shown.locator(f"table.{name}").evaluate(READ)).double(),
            values.float().double(),
        )
    row = numbers[1][now["query_index"]]
    assert (
        f"Token {now['query_index']} asks. It takes {row[0]:.2f} of 0"
        in shown.get_by_role("status").inner_text()
    )
    names = {"tokens": tokens}
    exec(shown.locator("code").inner_text(), names)
    torch.testing.assert_close(names["weights"], numbers[1])
    torch.testing.assert_close(names["mixed"], numbers[2])


def test_every_control_by_keyboard(opened):
    (shown,) = opened(page(drag_tokens()))
    assert_shown(
        shown,
        tokens=[[2, 0], [1.5, 1], [0, 2]],
        scale=0.5**0.5,
        softmax_dim="keys",
        query_index=0,
    )
    moves = [
        (1, "ArrowLeft", [1.4, 1]),
        (1, "ArrowUp", [1.4, 1.1]),
        (2, "ArrowRight", [0.1, 2]),
        (0, "ArrowDown", [2, -0.1]),
        (0, "Shift+ArrowRight", [2.5, -0.1]),
        (0, "Shift+ArrowRight", [3, -0.1]),
        (0, "ArrowRight", [3, -0.1]),
    ]
    for token, key, place in moves:
        handle(shown, token).press(key)
        assert_shown(shown, query_index=token)
        assert state(shown)["tokens"][token] == place
        assert (
            handle(shown, token).get_attribute("aria-valuetext")
            == f"x {place[0]:.2f}, y {place[1]:.2f}"
        )
    scale = shown.get_by_label("scale", exact=True)
    assert scale.get_attribute("aria-valuetext") == "1/√K = 0.71"
    assert "/ 2**0.5" in shown.locator("code").inner_text()
    for key, value, text in [
        ("ArrowRight", 1, "1: not scaled"),
        ("ArrowRight", 2**0.5, "1.41"),
        ("End", 32, "32"),
        ("Home", 0.125, "0.125"),
    ]:
        scale.press(key)
        assert_shown(shown)
        assert state(shown)["scale"] == pytest.approx(value)
        assert scale.get_attribute("aria-valuetext") == text
    shown.get_by_label("softmax over").press("ArrowDown")
    assert_shown(shown, softmax_dim="queries")
    assert "softmax ran over the queries" in shown.get_by_role("status").inner_text()


def test_the_mouse_drags_a_tip_and_the_plane_ends_somewhere(opened):
    (shown,) = opened(page(drag_tokens()))
    plane = shown.locator(".plane").bounding_box()
    unit = 60 * plane["width"] / 400
    mouse = shown.page.mouse
    middle = (plane["x"] + plane["width"] / 2, plane["y"] + plane["height"] / 2)
    mouse.move(middle[0], middle[1] - 2 * unit)  # token 2, at (0, 2)
    mouse.down()
    for x, y, place in [(-1, 1, [-1, 1]), (-2.5, -2, [-2.5, -2]), (-3.2, -5, [-3, -3])]:
        mouse.move(middle[0] + x * unit, middle[1] - y * unit, steps=3)
        assert state(shown)["tokens"][2] == pytest.approx(place, abs=0.02)
        assert_shown(shown, query_index=2)
    mouse.up()
    mouse.move(*middle)
    assert state(shown)["tokens"][2] == [-3, -3]
    assert (
        handle(shown, 2).evaluate("one => getComputedStyle(one).touchAction") == "none"
    )  # a finger drags, not scrolls


def test_what_is_drawn_is_the_mix(opened):
    """The hollow pink arrow and the dashed sum of shortened values end where the mix
    is.
    """
    (shown,) = opened(page(drag_tokens([[2.0, -1.0], [-1.5, 1.0], [0.0, 0.0]])))
    mixed = (
        200
        + 60
        * torch.tensor([1, -1])
        * attend(*[torch.tensor([[2.0, -1.0], [-1.5, 1.0], [0.0, 0.0]])] * 3)[0][0]
    )
    hollow = shown.locator('polygon[stroke="#CC79A7"]').get_attribute("points").split()
    dashed = shown.locator("polyline").get_attribute("points").split()
    for points in (hollow[3], dashed[-1]):
        assert [float(at) for at in points.split(",")] == pytest.approx(
            mixed.tolist(), abs=0.01
        )


def test_two_on_one_page_do_not_clash(opened):
    first, second = opened(
        page(drag_tokens()), page(drag_tokens(torch.zeros(3, 2), scale=8))
    )
    handle(first, 0).press("ArrowUp")
    handle(second, 2).press("ArrowLeft")
    assert_shown(first, tokens=[[2, 0.1], [1.5, 1], [0, 2]], query_index=0)
    assert_shown(second, tokens=[[0, 0], [0, 0], [-0.1, 0]], scale=8, query_index=2)
    ids = first.page.locator("[id]").evaluate_all(
        "elements => elements.map(element => element.id)"
    )
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_and_a_dark_page_can_read_it(opened, theme):
    (shown,) = opened(page(drag_tokens(scale=4)))
    shown.page.set_viewport_size({"width": 390, "height": 800})
    back, text = {
        "light": ("rgb(255, 255, 255)", "rgb(0, 0, 0)"),
        "dark": ("rgb(20, 24, 30)", "rgb(206, 214, 221)"),
    }[theme]
    shown.page.evaluate(
        "([theme, back, text]) => { document.documentElement.dataset.theme ="
        " theme;Object.assign(document.body.style, {background: back, color: text,"
        " font: '16px DejaVu Sans, sans-serif'}) }",
        [theme, back, text],
    )
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
    boxes = [shown.locator(f"table.{name}").bounding_box() for name in TABLES]
    # side by side
    assert (
        boxes[0]["y"] == boxes[1]["y"]
        and boxes[0]["x"] + boxes[0]["width"] < boxes[1]["x"]
    )
    assert all(box["x"] + box["width"] <= 382 for box in boxes)
    inside = shown.locator(
        "p, caption, th, label, .scores td, .controls span, select, code"
    )
    assert set(
        inside.evaluate_all("all => all.map(one => getComputedStyle(one).color)")
    ) == {text}
    scale = shown.get_by_label("scale", exact=True)
    for _ in range(17):
        cells = shown.locator(".weights td[data-value]")
        assert min(cells.evaluate_all(CONTRASTS)) >= 4.5
        scale.press("ArrowLeft")
    # four times as large on a screen of 1280
    shown.page.set_viewport_size({"width": 320, "height": 800})
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_live_widget_and_its_view_follow_each_other(opened):
    widget = drag_tokens()
    values = {
        "metadata": widget.metadata,
        **{
            name: getattr(widget, name)
            for name in ("tokens", "scale", "softmax_dim", "query_index")
        },
    }
    (shown,) = opened(
        LIVE % (base64.b64encode(SCRIPT.encode()).decode(), json.dumps(values))
    )
    handle(shown, 1).press("ArrowRight")
    saved = shown.page.evaluate("saved.at(-1)")
    assert (saved["tokens"], saved["query_index"]) == ([[2, 0], [1.6, 1], [0, 2]], 1)
    shown.get_by_label("softmax over").select_option("queries")
    assert shown.page.evaluate("saved.at(-1).softmax_dim") == "queries"
    # Python moves the view
    shown.page.evaluate("model.set('tokens', [[1, 1], [-1, 0.5], [0, -2]])")
    shown.page.evaluate("model.set('scale', 3)")
    assert_shown(
        shown, tokens=[[1, 1], [-1, 0.5], [0, -2]], scale=3, softmax_dim="queries"
    )
    shown.page.evaluate("leave()")
    assert shown.page.evaluate("Object.keys(heard)") == []


def test_numbers_equal_torch_over_the_whole_plane():
    """What the page computes, in node."""
    generator = torch.Generator().manual_seed(0)
    points = 6 * torch.rand(40, 3, 2, generator=generator, dtype=torch.float64) - 3
    scales = (0.125, 2**-0.5, 32)
    cases = list(product(points, scales, ("keys", "queries")))
    asked = [(tokens.tolist(), *others) for tokens, *others in cases]
    found = javascript(
        'import { attend } from "./toy/attend.js";',
        f"{json.dumps(asked)}.map((args) => attend(...args))",
    )
    for case, numbers in zip(cases, found, strict=True):
        for name, values in zip(TABLES, wanted(*case), strict=True):
            got = torch.tensor(numbers[name], dtype=torch.float64)
            assert (got - values).abs().max() < 1e-9


def test_the_bundle_holds_widget_page_and_picture():
    shown = drag_tokens(scale=1)
    assert repr(shown).startswith(
        "Tokens(tokens=[[2.0, 0.0], [1.5, 1.0], [0.0, 2.0]], scale=1.0,"
    )
    bundle, _ = shown._repr_mimebundle_()
    assert (
        bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == shown.model_id
    )
    assert "http" not in bundle["text/html"] and len(bundle["text/html"]) < 40_000
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.width == 770 and len(picture.convert("RGB").getcolors(10**6)) > 100
    again, _ = shown._repr_mimebundle_()
    assert again["image/png"] == bundle["image/png"]


def test_no_text_ends_the_data_of_a_page():
    shown = drag_tokens()
    shown.metadata = {**shown.metadata, "colours": ["</script>"]}
    data = page(shown).partition('type="application/json">')[2]
    assert json.loads(data.partition("</script>")[0])["colours"] == ["</script>"]


@pytest.mark.parametrize("softmax_dim", ["keys", "queries"])
def test_python_reads_the_same_numbers(softmax_dim):
    torch.manual_seed(0)
    tokens = torch.randn(3, 2).clamp(-3, 3)
    shown = drag_tokens(tokens)
    shown.softmax_dim = softmax_dim
    for mine, theirs in zip(
        (shown.scores, shown.weights, shown.mixed),
        wanted(tokens.double(), 2**-0.5, softmax_dim),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)
    if softmax_dim == "keys":
        torch.testing.assert_close(shown.mixed, attend(*[tokens.double()] * 3)[0])


@pytest.mark.parametrize(
    "wrong, says",
    [
        (
            dict(tokens=[[1, 0], [0, 1]]),
            r"tokens are \[\[1, 0\], \[0, 1\]\], expected three points",
        ),
        (dict(tokens=torch.zeros(3, 3)), "expected three points"),
        (dict(tokens=[[4, 0], [0, 1], [0, 0]]), "from -3 to 3"),
        (dict(tokens=[[float("nan"), 0], [0, 1], [0, 0]]), "from -3 to 3"),
        (dict(scale=0), "scale is 0.0, expected 1/8 to 32"),
        (dict(scale=float("nan")), "nan"),
        (dict(scale=64), "64"),
    ],
)
def test_wrong_use_is_named_in_one_line(wrong, says):
    with pytest.raises(ValueError, match=says) as caught:
        drag_tokens(**wrong)
    assert "\n" not in str(caught.value)


def test_a_wrong_value_is_refused_and_nothing_changes():
    shown = drag_tokens()
    for name, value in [
        ("tokens", [[9, 9]] * 3),
        ("scale", -1.0),
        ("softmax_dim", "rows"),
        ("query_index", 3),
    ]:
        with pytest.raises(TraitError):
            setattr(shown, name, value)
    assert repr(shown) == repr(drag_tokens())
