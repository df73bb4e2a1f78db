"""The explorer on a page, in a real browser: every control, by keyboard and mouse,
where no kernel runs.
"""

import browser
import explorers
import pytest
from explorers import (
    CLASSES,
    GRID,
    MEAN,
    STD,
    assert_shown,
    assert_thumbs,
    build,
    draw_images,
    maps,
    middle,
    read_state,
    wanted,
)
from playwright.sync_api import Locator
from torch import Tensor

from vit_tutorial.data.images import normalise
from vit_tutorial.explorer.widget import explore
from vit_tutorial.interpret.attention import attention_maps, rollout
from vit_tutorial.model import VisionTransformer

chromium = browser.chromium
guarded = browser.guarded
opened = explorers.opened


def assert_tensor(shown: Locator, model, image: int, weights: Tensor) -> None:
    """The line of code under the maps means the weights (N,) that are drawn."""
    whole = attention_maps(model, normalise(draw_images(), MEAN, STD))
    value = eval(
        shown.locator("code").inner_text(), {"rollout": rollout, "weights": whole}
    )
    assert (value - weights).abs().max() < 1e-6


@pytest.mark.parametrize("pool, scheme", [("cls", "file"), ("mean", "http")])
def test_every_control_redraws_the_right_weights_by_keyboard(opened, pool, scheme):
    model = build(pool)
    (shown,) = opened(
        explore(model, draw_images(), CLASSES, labels=[2, 0]), scheme=scheme
    )
    assert_shown(
        shown, model, image=0, layer=3, head=-1, query=0, mode="raw", opacity=0.6
    )
    moves = [
        ("head", "ArrowRight", 0, "head 0"),
        ("head", "End", 2, "head 2"),
        ("layer", "Home", 0, "layer 1 of 4"),
        ("layer", "ArrowUp", 1, "layer 2 of 4"),
        ("query", "End", 24, "patch row 4, column 6"),
        ("query", "ArrowLeft", 23, "patch row 4, column 5"),
        ("image", "ArrowRight", 1, "image 2 of 2"),
        ("head", "Home", -1, "mean over heads"),
        ("opacity", "End", 1, "100 %"),
        ("opacity", "ArrowLeft", 0.95, "95 %"),
        ("mode", "ArrowDown", "rollout", None),
        ("layer", "ArrowRight", 2, "layer 3 of 4"),
        ("query", "Home", 0, "class token" if pool == "cls" else "mean over queries"),
        ("mode", "ArrowUp", "raw", None),
    ]
    for name, key, value, text in moves:
        control = shown.get_by_label(name, exact=True)
        control.focus()
        control.press(key)
        assert_shown(shown, model, **{name: value})
        assert control.get_attribute("aria-valuetext") == text
        state = read_state(shown)
        assert_tensor(
            shown,
            model,
            state["image"],
            wanted(maps(model, state["image"]), state, pool)[0],
        )
    assert_thumbs(shown, maps(model, 1), query=0, pool=pool)
    query = (
        "Query: class token" if pool == "cls" else "No class token: mean over queries"
    )
    said = shown.get_by_role("status").inner_text()
    assert said.startswith(
        f"Image 2 of 2, layer 3 of 4, mean over heads. {query}. It looks most at patch"
        " row "
    )
    shown.get_by_label("query", exact=True).press("End")
    shown.get_by_role("button", name="query: ").press("Enter")
    assert_shown(shown, model, query=0)
    assert (
        shown.get_by_role("button", name="query: ").get_attribute("aria-pressed")
        == "true"
    )


def test_the_mouse_moves_sliders_and_picks_patches(opened):
    model = build()
    (shown,) = opened(explore(model, draw_images()))
    for name, value in [
        ("layer", 0),
        ("head", -1),
        ("image", 0),
        ("query", 0),
        ("opacity", 0),
    ]:
        box = shown.get_by_label(name, exact=True).bounding_box()
        shown.page.mouse.click(box["x"] + 4, box["y"] + box["height"] / 2)
        assert_shown(shown, model, **{name: value})
    for canvas, row, column in [("overlay", 3, 1), ("bare", 0, 5)]:
        shown.locator(f"canvas.{canvas}").click(
            position=middle(shown, canvas, row, column)
        )
        assert_shown(shown, model, query=1 + row * GRID[1] + column)
    shown.get_by_role("button", name="query: class token").click()
    assert_shown(shown, model, query=0)


def test_patches_and_thumbnails_follow_the_arrow_keys(opened):
    model = build()
    (shown,) = opened(explore(model, draw_images()))
    for key, query in [
        ("ArrowDown", 7),
        ("ArrowRight", 8),
        ("ArrowUp", 2),
        ("ArrowUp", 2),
        ("ArrowLeft", 1),
    ]:
        shown.locator("canvas.overlay").press(key)
        assert_shown(shown, model, query=query)
    assert_thumbs(shown, maps(model), query=1)
    for key, layer, head in [
        ("ArrowUp", 2, 0),
        ("ArrowRight", 2, 1),
        ("ArrowDown", 3, 1),
        ("ArrowDown", 3, 1),
    ]:
        shown.locator("canvas.thumbs").press(key)
        assert_shown(shown, model, layer=layer, head=head)


def test_a_thumbnail_chooses_its_layer_and_head(opened):
    model = build()
    (shown,) = opened(explore(model, draw_images()))
    shown.get_by_label("mode", exact=True).select_option("rollout")
    box = shown.locator("canvas.thumbs").bounding_box()
    for layer, head in [(1, 2), (3, 0)]:
        place = {
            "x": (head + 0.5) * box["width"] / 3,
            "y": (layer + 0.5) * box["height"] / 4,
        }
        shown.locator("canvas.thumbs").click(position=place)
        assert_shown(shown, model, layer=layer, head=head, mode="raw")
        assert framed(shown) == {(layer, head)}
    shown.get_by_label("head", exact=True).press("Home")
    assert framed(shown) == {(3, 0), (3, 1), (3, 2)}


def framed(shown: Locator) -> set[tuple[int, int]]:
    """The thumbnails (layer, head) that have a frame in the query's blue."""
    return set(
        map(
            tuple,
            shown.locator("canvas.thumbs").evaluate("""canvas => {
        const cells = [], [across, down] = [canvas.width / 3, canvas.height / 4];
        for (let layer = 0; layer < 4; layer++)
            for (let head = 0; head < 3; head++) {
                const box = [head * across, layer * down, across, Math.ceil(down / 6)];
                const context = canvas.getContext("2d");
                const {data} = context.getImageData(...box.map(Math.floor));
                const blue = (at) => [0, 114, 178].every(
                  (band, n) => data[at + n] === band);
                if (data.some((_, at) => at % 4 === 0 && blue(at)))
                  cells.push([layer, head]);
            }
        return cells; }"""),
        )
    )


def test_explorers_on_one_page_do_not_clash(opened):
    models = [build(), build("mean", depth=3)]
    first, second = opened(
        *(explore(model, draw_images(), CLASSES) for model in models)
    )
    first.get_by_label("layer", exact=True).press("Home")
    second.get_by_label("query", exact=True).press("ArrowRight")
    assert_shown(first, models[0], layer=0, query=0)
    assert_shown(second, models[1], layer=2, query=1)
    ids = first.page.locator("[id]").evaluate_all(
        "elements => elements.map(element => element.id)"
    )
    assert len(ids) == len(set(ids))


def test_only_what_can_be_chosen_is_shown(opened):
    model = build(heads=1)
    (shown,) = opened(explore(model, draw_images(1)))
    visible = {"image": False, "layer": True, "head": False, "epoch": False}
    assert {
        name: shown.get_by_label(name, exact=True).is_visible() for name in visible
    } == visible
    assert_shown(shown, model, image=0, head=-1)


def test_a_page_without_the_model_does_not_offer_to_compute(opened):
    """A reader's own class may compute otherwise than the engine does."""
    model = build()
    model.__class__ = type("Mine", (VisionTransformer,), {})
    (shown,) = opened(explore(model, draw_images(1)))
    assert not shown.get_by_label("own picture", exact=True).is_visible()
    assert not shown.get_by_role("button", name="drop patches").is_visible()
    assert not shown.locator(".note").is_visible()
    assert_shown(shown, model, image=0)


def test_the_prediction_and_its_bars_are_the_models(opened):
    model = build()
    images = draw_images(3)
    shares = model(normalise(images, MEAN, STD)).detach().softmax(dim=-1)
    guess = shares.argmax(dim=-1)
    labels = guess.clone()
    labels[1] = (guess[1] + 1) % 3
    (shown,) = opened(explore(model, images, CLASSES, labels))
    for image in range(3):
        text = shown.locator(".prediction").inner_text()
        assert (
            CLASSES[guess[image]] in text
            and f"{100 * shares[image].max():.0f} %" in text
        )
        assert ("right" in text) == (image != 1) and (
            f"wrong: it is {CLASSES[labels[1]]}" in text
        ) == (image == 1)
        drawn = shown.locator(".bars i").evaluate_all(
            "all => all.map(i => parseFloat(i.style.getPropertyValue('--share')))"
        )
        assert drawn == pytest.approx((100 * shares[image]).tolist(), abs=1e-3)
        assert shown.locator(".bars").inner_text().split("\n")[::2] == list(CLASSES)
        shown.get_by_label("image", exact=True).press("ArrowRight")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_and_a_dark_page_can_read_it(opened, theme):
    (shown,) = opened(explore(build(), draw_images()))
    shown.page.set_viewport_size({"width": 390, "height": 800})
    back, text = {
        "light": ("rgb(255, 255, 255)", "rgb(0, 0, 0)"),
        "dark": ("rgb(20, 24, 30)", "rgb(206, 214, 221)"),
    }[theme]
    shown.page.evaluate(
        "([theme, back, text]) => { document.documentElement.dataset.theme = theme;"
        "Object.assign(document.body.style, {background: back, color: text}) }",
        [theme, back, text],
    )
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
    inside = shown.locator(
        "p, .panes div, label, .controls span, select, button:enabled, code"
    )
    assert set(
        inside.evaluate_all("all => all.map(one => getComputedStyle(one).color)")
    ) == {text}


def test_a_dollar_in_a_class_name_is_a_dollar(opened):
    """Pages and JupyterLab set formulas with MathJax, which leaves such elements out
    (its option ignoreHtmlClass).
    """
    names = ["cost_$5_$10", "$x$", r"\(y\)"]
    (shown,) = opened(explore(build(), draw_images(), names))
    assert {"tex2jax_ignore", "mathjax_ignore"} <= set(
        shown.get_attribute("class").split()
    )
    assert shown.locator(".prediction b").inner_text() in names
