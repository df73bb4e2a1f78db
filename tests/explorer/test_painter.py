"""Stacks of a reader's own: painted as the data set's, and edited in a real browser."""

import base64
import json

import browser
import bundle
import pytest
import torch
from modules import javascript
from playwright.sync_api import Page, expect
from torch import Tensor

from vit_tutorial.data import synthetic

torch.set_num_threads(1)

chromium = browser.chromium
guarded = browser.guarded

STYLE = bundle.EXPLORER / "workbench.css"
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>t</title>
<style>%s</style><body class="vit-workbench"><div id="here"></div>
<script type="module">%s
window.heard = [];
const shown = painter(document.querySelector("#here"), (pixels, label) =>
  window.heard.push({ pixels: [...pixels], label }));
Object.assign(window, { shown, paintStack });
shown.show(%s);
</script>"""


def drawn(count: int, seed: int) -> tuple[list[dict], Tensor]:
    """Choices of `count` stacks as JavaScript has them, and their pictures as Python
    draws them: (B, Y, X, 3) uint8.
    """
    generator = torch.Generator().manual_seed(seed)
    textures = torch.randint(4, (count, 2), generator=generator)
    chosen = synthetic.choose_stacks(count, generator)
    images, _ = synthetic.paint_stacks(textures, chosen)
    choices = [choice(textures, chosen, at) for at in range(count)]
    for least, share in synthetic.DISCS["plain"]:
        places = synthetic.choose_discs(chosen, least, share, generator)
        colours = 0.1 + 0.8 * torch.rand(count, 3, generator=generator)
        filling = (255 * colours).round().to(torch.uint8)[..., None, None]
        disc = synthetic.disc_mask(*places)
        images = torch.where(disc[:, None], filling, images)
        for at, one in enumerate(choices):
            x, y, radius, there = (values[at].item() for values in places)
            if there:
                colour = colours[at].tolist()
                one["discs"].append(
                    {"x": x, "y": y, "radius": radius, "colour": colour}
                )
    return choices, images.permute(0, 2, 3, 1)


def choice(textures: Tensor, chosen: synthetic.ChosenStacks, at: int) -> dict:
    tiles = [
        {
            "period": chosen.period[at, tile].item(),
            "phase": [
                chosen.phase_x[at, tile].item(),
                chosen.phase_y[at, tile].item(),
            ],
            "colour": chosen.colour[at, tile].tolist(),
        }
        for tile in range(2)
    ]
    return {
        "top": textures[at, 0].item(),
        "bottom": textures[at, 1].item(),
        "x": chosen.across[at].item(),
        "y": chosen.down[at].item(),
        "half": chosen.half[at].item(),
        "tiles": tiles,
        "background": chosen.soft[at].tolist(),
        "discs": [],
    }


def test_a_choice_is_painted_as_python_paints_it():
    choices, images = drawn(80, seed=5)
    assert {(one["top"], one["bottom"]) for one in choices} >= set(synthetic.STACKS)
    assert {len(one["discs"]) for one in choices} == {1, 2}
    imports = 'import { paintStack } from "./workbench/stack.js";'
    written = '(choice) => Buffer.from(paintStack(choice)).toString("base64")'
    texts = javascript(imports, f"{json.dumps(choices)}.map({written})")
    for text, image in zip(texts, images, strict=True):
        pixels = torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
        pixels = pixels.view(96, 96, 4)
        assert (pixels[..., :3].int() - image.int()).abs().max() <= 1
        assert (pixels[..., 3] == 255).all()


def test_the_classes_are_those_of_the_data_set():
    imports = 'import { CLASSES, TEXTURES } from "./workbench/stack.js";'
    classes, textures = javascript(imports, "[CLASSES, TEXTURES]")
    assert [tuple(pair) for pair in classes] == list(synthetic.STACKS)
    assert tuple(textures) == synthetic.TEXTURES


@pytest.fixture(scope="module")
def script() -> str:
    made = bundle.esbuild("workbench/painter.js", "--format=esm")
    assert made.returncode == 0
    return made.stdout


FIRST = drawn(1, seed=0)[0][0] | {"x": 40, "y": 44, "half": 14, "top": 0, "bottom": 1}


@pytest.fixture
def opened(guarded, tmp_path, script):
    file = tmp_path / "page.html"
    style = STYLE.read_text(encoding="utf-8")
    file.write_text(PAGE % (style, script, json.dumps(FIRST)), encoding="utf-8")
    guarded.page.goto(file.as_uri())
    expect(guarded.page.locator(".class")).to_have_text("class: vertical/horizontal")
    yield guarded.page
    guarded.assert_clean()


def assert_shows(page: Page, **other) -> None:
    """The last picture that was heard of, and the canvas, are the first choice with
    these values in place of its own.
    """
    settled(page)
    wanted = "(choice) => [...paintStack(choice)]"
    pixels = page.evaluate(wanted, FIRST | other)
    assert page.evaluate("heard.at(-1).pixels") == pixels
    assert canvas_pixels(page) == pixels


def canvas_pixels(page: Page) -> list[int]:
    return page.locator(".picture canvas").evaluate(
        'c => [...c.getContext("2d").getImageData(0, 0, 96, 96).data]'
    )


def settled(page: Page) -> None:
    """Wait until the frame after the next one."""
    frame = "new Promise((go) => requestAnimationFrame(go))"
    page.evaluate(f"{frame}.then(() => {frame})")


def at(page: Page, column: float, row: float) -> tuple[float, float]:
    """Where on the page a place of the picture is."""
    box = page.locator(".picture canvas").bounding_box()
    return (
        box["x"] + column * box["width"] / 96,
        box["y"] + row * box["height"] / 96,
    )


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, *end), steps=4)
    page.mouse.up()


def test_the_stack_is_dragged_and_moved_by_keys(opened):
    canvas = opened.locator(".picture canvas")
    drag(opened, (40, 44), (50, 50))
    assert_shows(opened, x=50, y=50)
    drag(opened, (5, 5), (30, 30))  # beside the stack
    assert_shows(opened, x=50, y=50)
    expect(canvas).to_be_focused()
    canvas.press("ArrowLeft")
    canvas.press("Shift+ArrowUp")
    assert_shows(opened, x=49, y=42)
    expect(canvas).to_have_attribute(
        "aria-label",
        "stack: its middle is 49 pixels from the left and 42 from the top, of 96",
    )
    drag(opened, (49, 42), (95, 95))
    assert_shows(opened, x=82, y=64)


def test_a_drag_beyond_the_edge_comes_back_with_the_pointer(opened):
    opened.mouse.move(*at(opened, 40, 44))
    opened.mouse.down()
    opened.mouse.move(*at(opened, 0, 44))
    opened.mouse.move(*at(opened, 40, 44))
    opened.mouse.up()
    assert_shows(opened)


def test_textures_are_chosen_by_mouse_and_keys(opened):
    opened.get_by_role("radiogroup", name="texture at the top").get_by_role(
        "radio", name="checks"
    ).click()
    expect(opened.locator(".class")).to_have_text(
        "this pair is none of the ten classes"
    )
    assert_shows(opened, top=2)
    assert opened.evaluate("heard.at(-1).label") is None
    opened.keyboard.press("ArrowRight")
    assert_shows(opened, top=3)
    assert opened.evaluate("heard.at(-1).label") == synthetic.STACKS.index((3, 1))
    expect(opened.get_by_role("radio", name="dots").first).to_be_focused()
    checked = opened.get_by_role("radio", checked=True)
    assert [one.get_attribute("aria-label") for one in checked.all()] == [
        "dots",
        "horizontal",
    ]
    tabbed = opened.locator("[role=radio][tabindex='0']")
    expect(tabbed).to_have_count(2)


def test_size_swap_colours_and_background(opened):
    opened.get_by_label("size").press("End")
    assert_shows(opened, half=16)
    opened.get_by_role("button", name="swap top and bottom").click()
    assert_shows(opened, half=16, top=1, bottom=0, tiles=FIRST["tiles"][::-1])
    expect(opened.locator(".class")).to_have_text("class: horizontal/vertical")
    for name in ("other colours", "other background"):
        before = canvas_pixels(opened)
        opened.get_by_role("button", name=name).click()
        settled(opened)
        after = canvas_pixels(opened)
        in_stack = 4 * (96 * 24 + 40)  # a pixel of the upper tile
        edge = slice(0, 3)
        same_stack = before[in_stack : in_stack + 3] == after[in_stack : in_stack + 3]
        assert same_stack == (name == "other background")
        assert (before[edge] == after[edge]) == (name == "other colours")


def test_scribble_is_drawn_by_pointer_and_keys_and_cleared(opened):
    canvas = opened.locator(".picture canvas")
    button = opened.get_by_role("button", name="scribble", exact=True)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    opened.get_by_label("colour", exact=True).fill("#ff0080")
    drag(opened, (10, 80), (30, 80))
    settled(opened)
    red = [255, 0, 128, 255]
    pixel = 4 * (96 * 80 + 20)
    assert canvas_pixels(opened)[pixel : pixel + 4] == red
    assert opened.evaluate("heard.at(-1).pixels") == canvas_pixels(opened)
    for _ in range(5):
        canvas.press("Shift+ArrowUp")
    canvas.press("ArrowUp")
    settled(opened)
    lifted, drawn_on = (4 * (96 * row + 30) for row in (75, 69))
    pixels = canvas_pixels(opened)
    assert pixels[lifted : lifted + 4] != red
    assert pixels[drawn_on : drawn_on + 4] == red
    opened.get_by_role("button", name="clear scribble").click()
    assert_shows(opened)
    expect(button).to_be_focused()


def test_many_moves_in_a_frame_are_heard_of_once_and_none_after_the_end(opened):
    settled(opened)
    before = opened.evaluate("heard.length")
    many = "(choice) => { for (let x = 30; x < 60; x++) shown.show({...choice, x}); }"
    opened.evaluate(many, FIRST)
    assert_shows(opened, x=59)
    assert opened.evaluate("heard.length") == before + 1
    opened.evaluate("(choice) => { shown.show(choice); shown.stop(); }", FIRST)
    settled(opened)
    assert opened.evaluate("heard.length") == before + 1
    expect(opened.locator("#here")).to_be_empty()


def test_a_finger_drags_the_stack_and_scrolls_beside_it(chromium, tmp_path, script):
    guarded = browser.open_guarded(
        chromium, viewport={"width": 390, "height": 500}, has_touch=True
    )
    file = tmp_path / "page.html"
    style = STYLE.read_text(encoding="utf-8")
    text = PAGE % (style, script, json.dumps(FIRST))
    file.write_text(text + '<div style="height: 2000px">', encoding="utf-8")
    page = guarded.page
    page.goto(file.as_uri())
    expect(page.locator(".class")).to_have_text("class: vertical/horizontal")
    settled(page)
    swipe(page, at(page, 40, 60), at(page, 50, 50))
    assert_shows(page, x=50, y=34)
    assert page.evaluate("scrollY") == 0
    swipe(page, at(page, 90, 80), at(page, 90, 20))
    page.wait_for_function("scrollY > 50")
    page.evaluate("scrollTo(0, 0)")
    assert_shows(page, x=50, y=34)
    guarded.assert_clean()
    page.context.close()


def swipe(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    session = page.context.new_cdp_session(page)
    steps = 8

    def send(kind: str, share: float) -> None:
        x, y = (a + share * (b - a) for a, b in zip(start, end, strict=True))
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", 0)
    for step in range(1, steps + 1):
        send("touchMove", step / steps)
    send("touchEnd", 1)
