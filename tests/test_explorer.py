"""The explorer: its numbers in Python, and what a reader sees and moves in a real browser."""

import base64
import io

import browser
import pytest
import torch
from PIL import Image
from playwright.sync_api import Locator
from torch import Tensor, nn
from traitlets import TraitError

from vit_tutorial.config import ViTConfig
from vit_tutorial.data import normalise
from vit_tutorial.explorer import SCRIPT, explore, page
from vit_tutorial.look import attention_maps, rollout
from vit_tutorial.model import VisionTransformer

chromium, guarded = browser.chromium, browser.guarded

GRID, PATCH, IMAGES, CLASSES = (4, 6), 8, 2, ("red", "green & <b>blue</b>", "</script><!--")
MEAN, STD = (0.5,) * 3, (0.25,) * 3
CENTRES = """(canvas, [rows, columns]) => Array.from({length: rows * columns}, (_, patch) => [
    ...canvas.getContext("2d").getImageData(
        Math.floor((patch % columns + 0.5) * canvas.width / columns),
        Math.floor((Math.floor(patch / columns) + 0.5) * canvas.height / rows), 1, 1).data.slice(0, 3)])"""


def build(pool: str = "cls", **sizes) -> VisionTransformer:
    """A model whose heads and layers look at different places: wide queries and keys make peaked rows."""
    torch.manual_seed(0)
    config = dict(image_size=(GRID[0] * PATCH, GRID[1] * PATCH), patch_size=PATCH, dim=24, depth=4, heads=3, classes=3)
    model = VisionTransformer(ViTConfig(**{**config, "pool": pool, **sizes}))
    for block in model.blocks:
        nn.init.normal_(block.attention.qkv.weight, std=0.7)
    return model


def draw_images(count: int = IMAGES) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, GRID[0] * PATCH, GRID[1] * PATCH), generator=generator, dtype=torch.uint8)


def wanted(model: VisionTransformer, state: dict) -> tuple[Tensor, float]:
    """The weights (N,) that belong to a state, from the model itself, and by how much a level of 255 can be off."""
    weights = attention_maps(model, normalise(draw_images(), MEAN, STD))
    if state["mode"] == "rollout":
        heads = rollout(weights[: state["layer"] + 1])[state["image"]][None]
    else:
        heads = weights[state["layer"]][state["image"]]
        heads = heads if state["head"] < 0 else heads[[state["head"]]]
    if model.config.pool == "cls":
        rows = heads[:, state["query"], 1:]
    else:
        rows = heads[:, state["query"] - 1] if state["query"] else heads.mean(dim=1)
    return rows.mean(dim=0), float(rows.amax(dim=1).mean()) / 255


def assert_shown(shown: Locator, model: VisionTransformer, **expected) -> None:
    """The explorer shows the state `expected`, and both canvases, decoded, the tensor that belongs to it."""
    said = shown.evaluate("element => ({...element.dataset})")
    state = {name: int(said[name]) for name in ("image", "layer", "head", "query")} | {"mode": said["mode"]}
    assert {name: state[name] for name in expected} == expected
    weights, tolerance = wanted(model, state)
    assert float(said["scale"]) == pytest.approx(float(weights.max()), abs=tolerance)
    drawn = torch.tensor(shown.locator("canvas.bare").evaluate(CENTRES, GRID), dtype=torch.float)
    level = browser.decoded(drawn, 255 * weights / float(said["scale"]))
    assert (level / 255 * float(said["scale"]) - weights).abs().max() <= tolerance + 1e-7
    over = torch.tensor(shown.locator("canvas.overlay").evaluate(CENTRES, GRID), dtype=torch.float)
    under = draw_images()[state["image"], :, PATCH // 2 :: PATCH, PATCH // 2 :: PATCH].flatten(1).T
    assert (over - 0.4 * under - 0.6 * drawn).abs().max() <= 2
    kept = shown.locator(".kept").inner_text() if model.config.pool == "cls" else "0"
    assert float(kept.split()[-1]) == pytest.approx(1 - float(weights.sum()), abs=1e-3)
    # the line of code under the picture means the same tensor
    names = {"rollout": rollout, "weights": attention_maps(model, normalise(draw_images(), MEAN, STD))}
    torch.testing.assert_close(eval(shown.locator("code").inner_text(), names), weights)


@pytest.fixture
def opened(guarded, tmp_path):
    """Write explorers into one page and open it from the disk; yields a function that does so."""

    def open_page(*explorers) -> list[Locator]:
        file = tmp_path / "page.html"
        head = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        )
        file.write_text(head + "<title>t</title><body>" + "<p>between</p>".join(map(page, explorers)), encoding="utf-8")
        guarded.page.goto(file.as_uri())
        return guarded.page.locator(".vit-explorer").all()

    yield open_page
    guarded.assert_clean()


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_every_control_redraws_the_right_weights_by_keyboard(opened, pool):
    model = build(pool)
    (shown,) = opened(explore(model, draw_images(), CLASSES, labels=[2, 0]))
    assert_shown(shown, model, image=0, layer=3, head=-1, query=0, mode="raw")
    moves = [
        ("head", "ArrowRight", "head", 0, "head 0"),
        ("head", "End", "head", 2, "head 2"),
        ("layer", "Home", "layer", 0, "layer 1 of 4"),
        ("layer", "ArrowUp", "layer", 1, "layer 2 of 4"),
        ("query", "End", "query", 24, "patch row 4, column 6"),
        ("query", "ArrowLeft", "query", 23, "patch row 4, column 5"),
        ("image", "ArrowRight", "image", 1, "image 2 of 2"),
        ("head", "Home", "head", -1, "mean over heads"),
        ("mode", "ArrowDown", "mode", "rollout", None),
        ("layer", "ArrowRight", "layer", 2, "layer 3 of 4"),
        ("query", "Home", "query", 0, "class token" if pool == "cls" else "mean over queries"),
        ("mode", "ArrowUp", "mode", "raw", None),
    ]
    for label, key, name, value, text in moves:
        control = shown.get_by_label(label, exact=True)
        control.focus()
        control.press(key)
        assert_shown(shown, model, **{name: value})
        assert control.get_attribute("aria-valuetext") == text
    assert shown.get_by_role("status").inner_text().startswith("Image 2 of 2, layer 3 of 4, mean over heads. Query:")


def test_the_mouse_moves_sliders_and_picks_patches(opened):
    model = build()
    (shown,) = opened(explore(model, draw_images()))
    for name, value in [("layer", 0), ("head", -1), ("image", 0), ("query", 0)]:
        box = shown.get_by_label(name, exact=True).bounding_box()
        shown.page.mouse.click(box["x"] + 4, box["y"] + box["height"] / 2)
        assert_shown(shown, model, **{name: value})
    for canvas, row, column in [("overlay", 3, 1), ("bare", 0, 5)]:
        box = shown.locator(f"canvas.{canvas}").bounding_box()
        place = {"x": (column + 0.5) * box["width"] / GRID[1], "y": (row + 0.5) * box["height"] / GRID[0]}
        shown.locator(f"canvas.{canvas}").click(position=place)
        assert_shown(shown, model, query=1 + row * GRID[1] + column)


def test_explorers_on_one_page_do_not_clash(opened):
    models = [build(), build("mean", depth=3)]
    first, second = opened(*(explore(model, draw_images(), CLASSES) for model in models))
    first.get_by_label("layer", exact=True).press("Home")
    second.get_by_label("query", exact=True).press("ArrowRight")
    assert_shown(first, models[0], layer=0, query=0)
    assert_shown(second, models[1], layer=2, query=1)
    ids = first.page.locator("[id]").evaluate_all("elements => elements.map(element => element.id)")
    assert len(ids) == len(set(ids))


def test_a_control_without_a_choice_is_not_shown(opened):
    model = build(heads=1)
    (shown,) = opened(explore(model, draw_images(1)))
    assert [shown.get_by_label(name, exact=True).is_visible() for name in ("image", "layer", "head")] == [
        False,
        True,
        False,
    ]
    assert_shown(shown, model, image=0, head=-1)


def test_the_prediction_is_the_models(opened):
    model, images = build(), draw_images(3)
    logits = model(normalise(images, MEAN, STD)).detach()
    share, guess = logits.softmax(dim=-1).max(dim=-1)
    labels = guess.clone()
    labels[1] = (guess[1] + 1) % 3
    (shown,) = opened(explore(model, images, CLASSES, labels))
    for image in range(3):
        text = shown.locator(".prediction").inner_text()
        assert CLASSES[guess[image]] in text and f"{100 * share[image]:.0f} %" in text
        assert ("right" in text) == (image != 1) and (f"wrong: it is {CLASSES[labels[1]]}" in text) == (image == 1)
        shown.get_by_label("image", exact=True).press("ArrowRight")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_and_a_dark_page_can_read_it(opened, theme):
    (shown,) = opened(explore(build(), draw_images()))
    shown.page.set_viewport_size({"width": 390, "height": 800})
    back, text = {"light": ("rgb(255, 255, 255)", "rgb(0, 0, 0)"), "dark": ("rgb(20, 24, 30)", "rgb(206, 214, 221)")}[
        theme
    ]
    shown.page.evaluate(
        "([theme, back, text]) => { document.documentElement.dataset.theme = theme;"
        "Object.assign(document.body.style, {background: back, color: text}) }",
        [theme, back, text],
    )
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
    inside = shown.locator("p, .figures div, label, .controls span, select, code")
    assert set(inside.evaluate_all("all => all.map(one => getComputedStyle(one).color)")) == {text}


def test_floats_and_uint8_are_the_same_images():
    model = build()
    plain = explore(model, draw_images())
    floats = explore(model, normalise(draw_images(), MEAN, STD))
    assert plain.pixels == floats.pixels and plain.weights == floats.weights and plain.facts == floats.facts


def test_a_grey_model_in_double_precision_works():
    model = build(channels=1).double()
    explorer = explore(model, draw_images()[:, :1], mean=(0.5,), std=(0.25,))
    assert len(explorer.pixels) == IMAGES * 3 * GRID[0] * GRID[1] * PATCH**2


def test_the_model_stays_as_it_was():
    model = build(dropout=0.3)
    model.blocks[1].eval()
    modes = [module.training for module in model.modules()]
    explore(model, normalise(draw_images(), MEAN, STD).requires_grad_())
    assert [module.training for module in model.modules()] == modes
    assert not model._forward_hooks and all(parameter.grad is None for parameter in model.parameters())


def test_the_bundle_holds_widget_page_and_picture():
    explorer = explore(build(), draw_images(), CLASSES)
    explorer.query = 7
    assert repr(explorer) == "Explorer(image=0, layer=3, head=-1, query=7, mode='raw')"
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    assert "</script><!--" not in bundle["text/html"].replace("</script>\n", "") and "http" not in bundle["text/html"]
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.width == 770 and len(picture.convert("RGB").getcolors(10**6)) > 100
    assert len(bundle["image/png"]) < 200_000


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_python_decodes_what_the_page_shows(pool):
    model = build(pool)
    explorer = explore(model, draw_images())
    for state in [{"head": 2, "query": 5, "layer": 1}, {"head": -1, "image": 1}, {"mode": "rollout", "query": 0}]:
        for name, value in state.items():
            setattr(explorer, name, value)
        weights, tolerance = wanted(model, explorer.state())
        assert (explorer.chosen()[0] - weights).abs().max() <= tolerance
        if pool == "cls":
            assert explorer.chosen()[1] + float(weights.sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name, value", [("image", 2), ("layer", 4), ("head", -2), ("query", 25), ("mode", "grad")])
def test_a_choice_that_does_not_exist_is_refused(name, value):
    explorer = explore(build(), draw_images())
    before = explorer.state()
    with pytest.raises(TraitError, match=str(value)):
        setattr(explorer, name, value)
    assert explorer.state() == before


def broken() -> VisionTransformer:
    model = build()
    nn.init.constant_(model.blocks[2].attention.qkv.weight, torch.nan)
    return model


@pytest.mark.parametrize(
    "wrong, says",
    [
        (dict(images=draw_images()[0]), r"images are \(3, 32, 48\), expected \(B, 3, 32, 48\)"),
        (dict(images=draw_images()[..., :40]), r"images are \(2, 3, 32, 40\), expected \(B, 3, 32, 48\)"),
        (dict(images=draw_images()[:0]), r"images are \(0, 3, 32, 48\)"),
        (dict(images=draw_images().int()), "torch.int32, expected uint8 or"),
        (dict(images=draw_images(65)), "65 images, expected at most 64"),
        (dict(model=build(depth=60), images=draw_images(20)), r"20 images take \d.* MB .* at most 3: \d+ of"),
        (dict(classes=["a", "b"]), "2 names of classes, expected 3"),
        (dict(labels=[0]), "1 labels, expected 2"),
        (dict(labels=torch.tensor([0, 3])), "labels run from 0 to 3, expected 0 to 2"),
        (dict(mean=(0.5,)), "1 means and 3 deviations, expected 3"),
        (dict(images=[draw_images()]), r"images are a list, expected a tensor \(B, 3, 32, 48\)"),
        (dict(model=broken()), "not finite"),
    ],
)
def test_wrong_use_is_named_in_one_line(wrong, says):
    with pytest.raises(ValueError, match=says) as caught:
        explore(**{"model": build(), "images": draw_images(), **wrong})
    assert "\n" not in str(caught.value)


def test_the_limit_holds_for_the_page_itself():
    model = build(depth=60)
    with pytest.raises(ValueError) as caught:
        explore(model, draw_images(64))
    fitting = int(str(caught.value).split(": ")[1].split()[0])
    assert 2_800_000 < len(page(explore(model, draw_images(fitting)))) < 3_000_000


def test_the_script_can_stand_in_a_page():
    assert "</script" not in SCRIPT and "<!--" not in SCRIPT and "http" not in SCRIPT
