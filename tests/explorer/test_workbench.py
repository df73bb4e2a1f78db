"""The workbench in a browser: what it says when something is changed is what PyTorch
says of the same change.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import browser
import pytest
import torch
from explorers import (
    CENTRES,
    CLASSES,
    GRID,
    MEAN,
    PATCH,
    SHARES,
    STD,
    build,
    draw_images,
    halved,
)
from PIL import Image
from playwright.sync_api import Locator, expect
from torch import Tensor
from tries import TRIES, TRY

from vit_tutorial.data.images import normalise
from vit_tutorial.data.synthetic import STACKS_CLASSES
from vit_tutorial.explorer.workbench import (
    Subject,
    document,
    model_script,
    pictures,
    workbench,
)
from vit_tutorial.interpret.attention import attention_maps, rollout
from vit_tutorial.interpret.attribution import ATTRIBUTIONS
from vit_tutorial.interpret.faithfulness import faithfulness
from vit_tutorial.interpret.interventions import (
    drop_patches,
    patched,
    silenced,
    without_positions,
)
from vit_tutorial.interpret.lens import logit_lens, patch_lens, residual_states
from vit_tutorial.model import VisionTransformer

chromium = browser.chromium
guarded = browser.guarded

PATCHES = GRID[0] * GRID[1]
# what a click has changed is painted in the next frame
BYTES = """canvas => new Promise((read) => requestAnimationFrame(() => setTimeout(() =>
    read([...canvas.getContext("2d").getImageData(0, 0, 96, 96).data]))))"""
# of a line in a chart: shares of patches and of certainty, both from 0 to 1
POINTS = """all => all.map((line) => {
    const [bottom, , top] = [...line.parentElement.querySelectorAll("line")].map(
        (one) => ["x1", "x2", "y1"].map((name) => Number(one.getAttribute(name))));
    const [left, right] = bottom;
    return line.getAttribute("points").split(" ").map((pair) => {
        const [x, y] = pair.split(",").map(Number);
        return [(x - left) / (right - left), (y - bottom[2]) / (top[2] - bottom[2])];
    });
})"""
TITLES = ["one", "</script>two"]

# of what has the focus: itself where its middle lies under the tour, "" where it does
# not, null where it is no part of the workbench
UNDER_THE_TOUR = """shown => {
  const focused = document.activeElement;
  if (!shown.contains(focused)) return null;
  const { left, top, width, height } = focused.getBoundingClientRect();
  const there = document.elementFromPoint(left + width / 2, top + height / 2);
  const tour = shown.querySelector(".tour");
  return tour.contains(there) && !tour.contains(focused) ? focused.outerHTML : "";
}"""


def subject(model: VisionTransformer, **others) -> Subject:
    given = {"name": "small", "title": "small ones", "images": draw_images()}
    given |= {"titles": TITLES, "classes": CLASSES}
    return Subject(model=model, **given | others)


@pytest.fixture
def opened(guarded: browser.Guarded, tmp_path: Path) -> Iterator[Callable]:
    """Write a page with a workbench and open it from the disk, with an address behind
    #; a function that returns it, ready.
    """

    def open_page(*subjects: Subject, state: str = "") -> Locator:
        head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>'
        page = tmp_path / "page.html"
        page.write_text(head + workbench(subjects), encoding="utf-8")
        guarded.page.goto("about:blank")  # else only the part behind # would change
        guarded.page.goto(page.as_uri() + state)
        return ready(guarded.page.locator(".vit-workbench"))

    yield open_page
    guarded.assert_clean()
    assert all(
        url.startswith(tmp_path.as_uri()) for url in guarded.asked if "blob:" not in url
    )


def ready(shown: Locator) -> Locator:
    """With all its answers."""
    expect(shown).to_have_attribute("aria-busy", "false")
    return shown


def inputs(image: int = 0) -> Tensor:
    return normalise(draw_images()[[image]], MEAN, STD)


@torch.no_grad()
def shares(model: VisionTransformer, images: Tensor) -> Tensor:
    return model(images).softmax(dim=1)[0]


def assert_answers(shown: Locator, after: Tensor, before: Tensor | None = None) -> None:
    """The bars are these probabilities, and their marks those before."""
    found = torch.tensor(ready(shown).locator(".bars i").evaluate_all(SHARES))
    assert (found[:, 0] - after).abs().max() < 1e-4
    if before is None:
        assert found[:, 1].isnan().all()
        return
    assert (found[:, 1] - before).abs().max() < 1e-4
    assert (before - after).abs().max() > 2e-4, "the change changes nothing"
    said = shown.locator(".sentence").inner_text()
    word = "still" if before.argmax() == after.argmax() else "now"
    assert f"{word} {CLASSES[after.argmax()]}" in said


def assert_map(shown: Locator, weights: Tensor, pane: str = "before") -> None:
    """The map on a pane, decoded, is these weights (N,), by their largest."""
    canvas = shown.locator(f".{pane} canvas")
    drawn = torch.tensor(canvas.evaluate(CENTRES, GRID), dtype=torch.float)
    level = browser.decoded(drawn, 255 * weights / weights.max()) / 255
    assert (level - weights / weights.max()).abs().max() < 2 / 255


def assert_picture(shown: Locator, pane: str, lacking: Sequence[int] = ()) -> None:
    """A pane shows the first picture, without its map, but for patches (from 0) that
    are covered.
    """
    drawn = shown.locator(f".{pane} canvas").evaluate(CENTRES, GRID)
    there = draw_images()[0][:, PATCH // 2 :: PATCH, PATCH // 2 :: PATCH].flatten(1).T
    same = (torch.tensor(drawn) == there).all(dim=1).tolist()
    assert [patch for patch in range(PATCHES) if not same[patch]] == list(lacking)


def touch(shown: Locator, row: int, column: int, pane: str = "before") -> None:
    canvas = shown.locator(f".{pane} canvas")
    box = canvas.bounding_box()
    x = (column + 0.5) * box["width"] / GRID[1]
    y = (row + 0.5) * box["height"] / GRID[0]
    canvas.click(position={"x": x, "y": y})


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_maps_of_both_pictures_are_the_models(opened, pool):
    model = halved(pool)
    shown = opened(subject(model), state="#opacity=1")
    said = "class token" in shown.inner_text()
    assert said == (pool == "cls")
    for image in range(2):
        shown.get_by_role("group", name="picture").get_by_role("button").nth(
            image
        ).click()
        assert_answers(shown, shares(model, inputs(image)))
        maps = attention_maps(model, inputs(image))
        for layer, head in [(3, -1), (3, 2), (0, 1)]:
            shown.get_by_label("layer", exact=True).fill(str(layer))
            shown.get_by_label("head", exact=True).fill(str(head))
            rows = maps[layer][0].mean(dim=0) if head < 0 else maps[layer][0, head]
            row = rows[0, 1:] if pool == "cls" else rows.mean(dim=0)
            assert_map(shown, row)
        shown.get_by_label("map", exact=True).select_option("rollout")
        joint = rollout(maps[:1])[0]
        row = joint[0, 1:] if pool == "cls" else joint.mean(dim=0)
        assert_map(shown, row)
        shown.get_by_label("map", exact=True).select_option("raw")


def test_gradient_maps_came_with_the_pictures(opened):
    model = halved()
    shown = opened(subject(model), state="#opacity=1&map=input%20gradient&picture=1")
    score = ATTRIBUTIONS["input gradient"](model, inputs(1))[0]
    assert_map(shown, score)
    shown.get_by_role("button", name="no positions").click()
    assert shown.locator(".after").is_visible()


def test_a_map_on_which_nothing_rests_is_0_everywhere():
    """Where no token says anything to the class token, no patch matters to it."""
    model = build()
    with torch.no_grad():
        for block in model.blocks:
            block.attention.out.weight.zero_()
    for picture in pictures(subject(model)):
        assert set(picture["scores"]) == {"gradient x attention", "input gradient"}
        for levels in picture["scores"].values():
            assert levels == [0] * PATCHES


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_hidden_patches_become_no_tokens(opened, pool):
    model = halved(pool)
    shown = opened(subject(model))
    shown.get_by_label("hides it").check()
    canvas = shown.locator(".before canvas")
    box = canvas.bounding_box()
    middles = [
        (box["x"] + (column + 0.5) * box["width"] / 6, box["y"] + box["height"] * 3 / 8)
        for column in range(4)
    ]
    page = shown.page
    page.mouse.move(*middles[0])
    page.mouse.down()
    for place in middles[1:]:
        page.mouse.move(*place)
    page.mouse.up()
    kept = [patch for patch in range(PATCHES) if patch not in (6, 7, 8, 9)]
    after = drop_patches(model, inputs(), torch.tensor([kept])).softmax(dim=1)[0]
    assert_answers(shown, after, shares(model, inputs()))
    shown.get_by_label("opacity").press("Home")
    assert_picture(shown, "before")
    assert_picture(shown, "after", lacking=[6, 7, 8, 9])
    # a stroke that begins on a hidden one puts back, and takes none away
    page.mouse.move(*middles[3])
    page.mouse.down()
    page.mouse.move(*middles[2])
    page.mouse.move(middles[2][0], middles[2][1] + box["height"] / 4)
    page.mouse.up()
    kept = sorted([*kept, 8, 9])
    after = drop_patches(model, inputs(), torch.tensor([kept])).softmax(dim=1)[0]
    assert_answers(shown, after, shares(model, inputs()))
    shown.get_by_role("button", name="put everything back").click()
    assert_answers(shown, shares(model, inputs()))


def test_patches_are_swapped_shuffled_and_lose_their_places(opened):
    model = halved()
    shown = opened(subject(model))
    before = shares(model, inputs())
    shown.get_by_label("swaps it").check()
    touch(shown, 0, 1)
    touch(shown, 3, 5)
    order = list(range(PATCHES))
    order[1], order[23] = 23, 1
    assert_answers(shown, shares(model, rearranged(inputs(), order)), before)
    shown.get_by_role("button", name="no positions").press("Enter")
    with without_positions(model):
        assert_answers(shown, shares(model, rearranged(inputs(), order)), before)
    shown.get_by_role("button", name="put everything back").click()
    shown.get_by_role("button", name="shuffle the patches").click()
    ready(shown)
    # the address says the seed, and the pane shows the order
    assert re.search(r"shuffle=\d+", shown.page.url)
    shown.get_by_label("opacity").press("Home")
    order = order_drawn(shown)
    assert order != list(range(PATCHES))
    assert_answers(shown, shares(model, rearranged(inputs(), order)), before)


def rearranged(images: Tensor, order: list[int]) -> Tensor:
    """Images (B, C, Y, X) whose patches lie in this order."""
    rows, columns = GRID
    cut = images.unflatten(2, (rows, PATCH)).unflatten(4, (columns, PATCH))
    patches = cut.permute(2, 4, 0, 1, 3, 5).flatten(0, 1)[order]
    tiled = patches.unflatten(0, GRID).permute(2, 3, 0, 4, 1, 5)
    return tiled.flatten(4, 5).flatten(2, 3)


def order_drawn(shown: Locator) -> list[int]:
    """Which patch of the first picture lies at each place of the pane."""
    canvas = shown.locator(".after canvas")
    drawn = torch.tensor(canvas.evaluate(CENTRES, GRID)).float()
    there = draw_images()[0][:, PATCH // 2 :: PATCH, PATCH // 2 :: PATCH].flatten(1).T
    apart = (drawn[:, None] - there.float()[None]).abs().sum(dim=-1)
    assert apart.min(dim=1).values.max() == 0
    return apart.argmin(dim=1).tolist()


def test_heads_and_branches_are_silenced_one_by_one(opened):
    model = halved()
    shown = opened(subject(model))
    before = shares(model, inputs())
    for layer in range(4):
        names = [f"head {head}" for head in range(3)] + ["all attention", "MLP"]
        for number, name in enumerate(names):
            button = shown.get_by_role(
                "button", name=f"silence {name} of layer {layer + 1}", exact=True
            )
            button.click()
            expect(button).to_have_attribute("aria-pressed", "true")
            parts = [(layer, "mlp" if name == "MLP" else "attention")]
            given = {"heads": [(layer, number)]} if number < 3 else {"parts": parts}
            with silenced(model, **given):
                assert_answers(shown, shares(model, inputs()), before)
            button.click()
    assert_answers(shown, before)


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_states_are_copied_from_another_picture(opened, pool):
    model = halved(pool)
    shown = opened(subject(model))
    before = shares(model, inputs())
    shown.get_by_label("copy states from").select_option("1")
    shown.get_by_label("copies its state").check()
    touch(shown, 1, 2)
    touch(shown, 2, 2)
    first = int(pool == "cls")
    tokens = [0] * first + [8 + first, 14 + first]
    states = residual_states(model, inputs(1))
    for layer in range(5):
        shown.get_by_label("taken", exact=True).fill(str(layer))
        with patched(model, states, [(layer, token) for token in tokens]):
            assert_answers(shown, shares(model, inputs()), before)
    # what is hidden has no state: the rest is copied all the same
    shown.get_by_label("taken", exact=True).fill("0")
    shown.get_by_label("hides it").check()
    touch(shown, 1, 2)
    touch(shown, 0, 0)
    hidden = (0, 8)
    kept = [patch for patch in range(PATCHES) if patch not in hidden]
    rows = [*range(first), *(patch + first for patch in kept)]
    with torch.no_grad():
        stream = model.embed(inputs())
        for token in set(tokens) & set(rows):
            stream[:, token] = states[0][:, token]
        answer = model.classify(model.encode(stream[:, rows])).softmax(dim=1)[0]
    assert_answers(shown, answer, before)


def test_the_lens_reads_every_layer(opened):
    model = halved()
    shown = opened(subject(model))
    read = logit_lens(model, inputs())[:, 0].softmax(dim=1)
    final = read[-1].argmax()
    bars = ready(shown).locator(".readings i").evaluate_all(SHARES)
    assert (torch.tensor(bars)[:, 0] - read[:, final]).abs().max() < 1e-3
    named = patch_lens(model, inputs())[-1, 0].argmax(dim=1).bincount(minlength=3)
    said = shown.locator(".legend").inner_text()
    for name, count in zip(CLASSES, named.tolist(), strict=True):
        assert (f"{name} {count}" in said) == (count > 0)
    # with a change: of the class that is named now, and what it was before
    shown.get_by_role("button", name="no positions").click()
    with without_positions(model):
        now = logit_lens(model, inputs())[:, 0].softmax(dim=1)
    bars = ready(shown).locator(".readings i").evaluate_all(SHARES)
    final = now[-1].argmax()
    both = torch.stack([now[:, final], read[:, final]], dim=1)
    assert (torch.tensor(bars) - both).abs().max() < 1e-4


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_curves_are_those_of_python(opened, pool):
    model = halved(pool)
    shown = opened(subject(model), state="#picture=1&layer=3&head=1")
    shown.locator(".curves summary").click()
    expect(shown.locator(".verdict")).to_contain_text("the mean of 3")
    rows = attention_maps(model, inputs(1))[3][:, 1]
    scores = rows[:, 0, 1:] if pool == "cls" else rows.mean(dim=1)
    curves = faithfulness(model, inputs(1), scores)
    deletion, insertion = curves.auc()
    said = re.search(r"this map (-?[\d.]+)", shown.locator(".verdict").inner_text())
    assert float(said[1]) == pytest.approx(float(insertion - deletion), abs=0.006)
    assert shown.locator(".charts .random").count() == 2
    drawn = shown.locator(".charts .map").evaluate_all(POINTS)
    kept = curves.kept / PATCHES
    for points, curve, x in [
        (drawn[0], curves.deletion[0], 1 - kept),
        (drawn[1], curves.insertion[0], kept),
    ]:
        expected = torch.stack([x, curve], dim=1)
        assert (torch.tensor(points) - expected).abs().max() < 0.01


def test_a_link_brings_back_all_that_was_changed(opened):
    model = halved()
    address = (
        "#model=small&picture=1&layer=1&head=2&query=3&hidden=4.9&swaps=1-2"
        "&positions=off&silent=0-1.2-mlp&copy=0-2-0.5"
    )
    shown = opened(subject(model), state=address)
    said = shown.locator(".sentence").inner_text()
    expect(shown.get_by_label("layer", exact=True)).to_have_value("1")
    assert "2 of 24 patches hidden" in said and "no positions" in said
    bars = shown.locator(".bars i").evaluate_all(SHARES)
    shown.get_by_label("opacity").press("Home")
    again = opened(subject(model), state="#" + shown.page.url.partition("#")[2])
    assert again.locator(".bars i").evaluate_all(SHARES) == bars
    again.get_by_role("button", name="start afresh").click()
    assert_answers(again, shares(model, inputs()))
    # a link on the page itself leads there, too
    again.page.evaluate("location.hash = '#model=small&positions=off'")
    back = again.get_by_role("button", name="put everything back")
    expect(back).to_be_enabled()
    before = shares(model, inputs())
    with without_positions(model):
        assert_answers(again, shares(model, inputs()), before)


def test_everything_goes_by_keys(opened):
    model = halved()
    shown = opened(subject(model))
    before = shares(model, inputs())
    shown.get_by_label("asks it").press("ArrowRight")
    canvas = shown.locator(".before canvas")
    for key in ("ArrowDown", "ArrowRight", " "):
        canvas.press(key)
    kept = [patch for patch in range(PATCHES) if patch != 7]
    after = drop_patches(model, inputs(), torch.tensor([kept])).softmax(dim=1)[0]
    assert_answers(shown, after, before)
    assert "row 2, column 2" in canvas.get_attribute("aria-label")
    canvas.press("Enter")
    assert_answers(shown, before)


def test_a_finger_hides_patches_and_a_phone_is_wide_enough(chromium, tmp_path):
    model = halved()
    guarded = browser.open_guarded(
        chromium, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}
    )
    head = '<!doctype html><meta name="viewport" content="width=device-width">'
    page = tmp_path / "page.html"
    page.write_text(head + workbench([subject(model)]), encoding="utf-8")
    guarded.page.goto(page.as_uri())
    shown = ready(guarded.page.locator(".vit-workbench"))
    shown.get_by_label("hides it").tap()
    canvas = shown.locator(".before canvas")
    assert canvas.evaluate("canvas => canvas.style.touchAction") == "none"
    box = canvas.bounding_box()
    canvas.tap(position={"x": box["width"] * 5 / 12, "y": box["height"] * 5 / 8})
    kept = [patch for patch in range(PATCHES) if patch != 14]
    after = drop_patches(model, inputs(), torch.tensor([kept])).softmax(dim=1)[0]
    assert_answers(shown, after, shares(model, inputs()))
    # with any other tool a finger that passes scrolls the page
    shown.get_by_label("asks it").tap()
    assert canvas.evaluate("canvas => canvas.style.touchAction") == ""
    shown.get_by_role("button", name="guided tour").tap()
    expect(shown.get_by_role("region", name="guided tour")).to_be_visible()
    assert guarded.page.evaluate("document.documentElement.scrollWidth") <= 390
    guarded.assert_clean()
    guarded.page.context.close()


def test_a_page_of_its_own_works_and_lets_nothing_in_or_out(guarded, tmp_path):
    page = guarded.page
    path = tmp_path / "page.html"
    content = workbench([subject(halved())])
    path.write_text(document("</title>small", content), encoding="utf-8")
    page.goto(path.as_uri())
    shown = ready(page.locator(".vit-workbench"))
    shown.get_by_role("button", name="no positions").click()
    everything = shown.get_by_role("button", name="put everything back")
    expect(everything).to_be_enabled()
    brought = tmp_path / "brought.png"
    Image.new("RGB", (60, 40), "red").save(brought)
    shown.locator("input[type=file]").set_input_files(brought)
    expect(shown.locator(".sentence")).to_contain_text("brought.png: ")
    ready(shown)
    guarded.assert_clean()
    # from the disk a browser refuses a worker before the policy is asked
    for rule, code in TRIES.items():
        if rule == "worker-src":
            continue
        assert page.evaluate(TRY.replace("CODE", code)) == rule.strip(), code
        assert page.evaluate("window.hit") is None, code
    assert guarded.refused == []  # nothing was even asked for


def test_the_focus_moves_on_when_what_has_it_goes(opened):
    shown = opened(subject(halved()), state="#model=small&hidden=1")
    shown.get_by_label("hides it").check()
    shown.locator(".after canvas").press(" ")
    expect(shown.locator(".after")).to_be_hidden()
    expect(shown.locator(".before canvas")).to_be_focused()
    shown.locator(".before canvas").press(" ")
    shown.get_by_role("button", name="put everything back").press("Enter")
    expect(shown.get_by_role("button", name="no positions")).to_be_focused()


def test_a_link_on_the_page_takes_the_keys_to_the_workbench(opened):
    shown = opened(subject(halved()))
    shown.evaluate("() => (location.hash = 'model=small&positions=off')")
    expect(shown.get_by_role("button", name="put everything back")).to_be_enabled()
    expect(shown).to_be_focused()
    shown.press("Tab")
    expect(shown.get_by_role("button", name="guided tour")).to_be_focused()
    # so does one to what is shown already
    shown.evaluate("""shown => {
        const link = Object.assign(document.createElement("a"), {href: location.hash});
        document.body.append(link);
        link.click();
    }""")
    expect(shown).to_be_focused()


@pytest.mark.parametrize("height", [450, 256])  # 900 pixels, twice as large or more
def test_the_tour_lies_on_nothing_that_has_the_focus(opened, height):
    shown = opened(subject(halved()))
    shown.page.set_viewport_size({"width": 640, "height": height})
    shown.get_by_role("button", name="guided tour").press("Enter")
    shown.locator("button").first.focus()
    found = []
    while (under := shown.evaluate(UNDER_THE_TOUR)) is not None:
        found.append(under)
        shown.page.keyboard.press("Tab")
    assert len(found) > 30
    assert not any(found), found


def test_the_tour_leads_through_every_step_and_out_again(opened):
    shown = opened(subject(halved()))
    shown.get_by_role("button", name="guided tour").click()
    tour = shown.get_by_role("region", name="guided tour")
    for step in range(1, 11):
        title = tour.get_by_role("heading")
        expect(title).to_contain_text(f"{step} of 10: ")
        expect(title).to_be_focused()
        ready(shown)
        assert tour.locator("p").first.inner_text()
        if step == 5:
            shown.get_by_role("button", name="no positions").click()
            expect(tour.get_by_role("status")).to_contain_text("✓ ")
            expect(tour).to_contain_text(", now ")
        tour.get_by_role("button", name="next" if step < 10 else "end").click()
    expect(tour).to_be_hidden()
    # what a step changed does not stay for the next one
    expect(shown.get_by_role("button", name="put everything back")).to_be_disabled()
    # the reader's own changes wait for the end of a tour
    shown.get_by_role("button", name="no positions").click()
    shown.get_by_role("button", name="guided tour").click()
    expect(shown.get_by_role("button", name="no positions")).to_have_attribute(
        "aria-pressed", "false"
    )
    tour.get_by_role("button", name="leave the tour").click()
    expect(tour).to_be_hidden()
    expect(shown.get_by_role("button", name="no positions")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_model_beside_the_page_is_loaded_when_it_is_chosen(opened, tmp_path, guarded):
    other = halved(seed=3)
    beside = subject(other, name="be</script>side", address="models/beside.js")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "beside.js").write_text(
        model_script(beside), encoding="utf-8"
    )
    shown = opened(subject(halved()), beside)
    assert not any("beside.js" in url for url in guarded.asked)
    chosen = shown.get_by_label("model", exact=True)
    assert re.search(r"loads \d\.\d MB", chosen.inner_text())
    chosen.select_option("be</script>side")
    expect(shown.locator(".sentence")).to_contain_text("one")
    assert_answers(shown, shares(other, inputs()))
    assert any("beside.js" in url for url in guarded.asked)


def test_a_model_that_is_not_there_is_said_in_one_line(chromium, tmp_path):
    guarded = browser.open_guarded(chromium)
    page = tmp_path / "page.html"
    model = halved()
    gone = subject(halved(seed=3), name="gone", address="gone.js")
    page.write_text(workbench([subject(model, name="here"), gone]), encoding="utf-8")
    guarded.page.goto(page.as_uri())
    shown = ready(guarded.page.locator(".vit-workbench"))
    shown.locator(".curves summary").click()
    verdict = shown.locator(".verdict")
    expect(verdict).to_contain_text("the mean of 3")
    shown.get_by_label("model", exact=True).select_option("gone")
    problem = shown.locator(".problem")
    expect(problem).to_have_text("gone.js could not be loaded")
    ready(shown)
    # and left again; nothing of one model is said of another
    assert shown.locator(".bars i").count() == 0
    expect(verdict).to_have_text("")
    shown.get_by_label("model", exact=True).select_option("here")
    expect(verdict).to_contain_text("the mean of 3")
    assert_answers(shown, shares(model, inputs()))
    expect(problem).to_have_text("")
    guarded.page.context.close()


def test_while_a_model_loads_nothing_is_said_of_the_last_one(opened):
    shown = opened(subject(halved()), subject(halved(seed=3), name="other"))
    shown.locator(".curves summary").click()
    expect(shown.locator(".verdict")).to_contain_text("the mean of 3")
    shown.get_by_role("button", name="guided tour").click()
    parts = [".bars", ".readings", ".sentence", ".charts", ".verdict", ".tour p"]
    parts += [f".{part} b" for part in ("prediction", "before", "after")]
    say = f"shown => {parts}.map((part) => shown.querySelector(part).textContent)"
    assert all(shown.evaluate(say))
    said = shown.evaluate(f"""shown => {{
        const select = shown.querySelector(".subject select");
        select.value = "other";
        select.dispatchEvent(new Event("input", {{bubbles: true}}));
        const {{ ariaLabel }} = shown.querySelector(".panes canvas");
        return [...({say})(shown), ariaLabel.includes("one") ? ariaLabel : ""];
    }}""")
    assert not any(said), said
    expect(shown.locator(".verdict")).to_contain_text("the mean of 3")


def test_models_that_are_switched_in_a_hurry_stay_apart(opened):
    models = [halved(seed=seed) for seed in (0, 3)]
    shown = opened(subject(models[0]), subject(models[1], name="other"))
    shown.evaluate("""shown => {
        const select = shown.querySelector(".subject select");
        for (const value of ["other", "small", "other", "small"]) {
            select.value = value;
            select.dispatchEvent(new Event("input", {bubbles: true}));
        }
    }""")
    assert_answers(shown, shares(models[0], inputs()))
    # also what comes after the last answer is of the model shown
    shown.page.wait_for_timeout(300)
    assert_answers(shown, shares(models[0], inputs()))
    maps = attention_maps(models[0], inputs())[3][0].mean(dim=0)[0, 1:]
    shown.get_by_label("opacity").press("End")
    assert_map(shown, maps)


def test_nothing_is_said_of_a_change_before_it_is_answered(opened):
    """Between a change and its answer the old sentence stays; no mixture is said."""
    model = halved()
    shown = opened(subject(model))
    before = shown.locator(".sentence").inner_text()
    said = shown.evaluate("""shown => new Promise((found) => {
        const all = [];
        const watch = new MutationObserver(() => {
            all.push(shown.querySelector(".sentence").textContent);
            if (shown.ariaBusy === "false") setTimeout(() => found(all));
        });
        watch.observe(shown, {subtree: true, childList: true, characterData: true,
            attributes: true});
        for (const button of shown.querySelectorAll(".switches button"))
            if (button.textContent === "no positions") button.click();
    })""")
    with without_positions(model):
        after = shares(model, inputs()).argmax()
    first, second = dict.fromkeys(said)
    assert first == before and CLASSES[after] in second


def test_of_many_maps_in_a_hurry_the_last_ones_curves_are_shown(opened):
    model = halved()
    shown = opened(subject(model))
    shown.locator(".curves summary").click()
    expect(shown.locator(".verdict")).to_contain_text("the mean of 3")
    shown.evaluate("""shown => {
        const curves = shown.querySelector(".curves");
        const verdict = shown.querySelector(".verdict");
        window.verdicts = [];
        window.done = new Promise((found) => {
            let begun = false;
            new MutationObserver(() => {
                window.verdicts.push(verdict.textContent);
                begun ||= curves.ariaBusy === "true";
                if (begun && curves.ariaBusy === "false") found();
            }).observe(curves, {subtree: true, childList: true, characterData: true,
                attributes: true});
        });
        const slider = [...shown.querySelectorAll(".controls label")]
            .find((label) => label.textContent === "query").nextElementSibling;
        for (let query = 1; query <= 24; query++) {
            slider.value = query;
            slider.dispatchEvent(new Event("input", {bubbles: true}));
        }
    }""")
    shown.page.evaluate("window.done")
    expect(shown.locator(".verdict")).to_contain_text("the mean of 3")
    scores = attention_maps(model, inputs())[3].mean(dim=1)[:, 24, 1:]
    deletion, insertion = faithfulness(model, inputs(), scores).auc()
    # and those of no other
    verdicts = " ".join(shown.page.evaluate("window.verdicts"))
    (said,) = set(re.findall(r"this map (-?[\d.]+)", verdicts))
    assert float(said) == pytest.approx(float(insertion - deletion), abs=0.006)


def test_own_pictures_join_the_row_and_stay_out_of_the_address(opened, tmp_path):
    model = halved()
    shown = opened(subject(model))
    image = draw_images()[1]
    file = tmp_path / "<b>mine<b>.png"
    Image.fromarray(image.movedim(0, -1).numpy()).save(file)
    shown.locator("input[type=file]").set_input_files(file)
    expect(shown.locator(".gallery button")).to_have_count(3)
    expect(shown.locator(".sentence")).to_contain_text("<b>mine<b>.png: ")
    assert_answers(shown, shares(model, inputs(1)))
    assert shown.page.url.endswith("#model=small")
    (tmp_path / "text.png").write_text("no picture", encoding="utf-8")
    shown.locator("input[type=file]").set_input_files(tmp_path / "text.png")
    expect(shown.get_by_role("alert")).to_have_text(
        "text.png is no picture that this browser can read"
    )


@pytest.mark.parametrize("also", [False, True])
def test_a_painted_stack_is_answered_as_it_changes(opened, also):
    """Until another model is chosen, which may paint also."""
    model = halved(image_size=96, patch_size=16, classes=10)
    images = torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8)
    drawn = subject(model, images=images, classes=STACKS_CLASSES, paints=True)
    other = replace(drawn, name="other") if also else subject(halved(), name="other")
    shown = opened(drawn, other)
    paint = shown.get_by_role("button", name="paint a stack")
    paint.click()
    expect(shown.locator(".gallery button")).to_have_count(3)
    expect(paint).to_have_attribute("aria-expanded", "true")
    for _ in range(2):
        shown.get_by_role("button", name="other background").click()
        painted = torch.tensor(shown.locator(".painting canvas").first.evaluate(BYTES))
        image = painted.reshape(96, 96, 4)[..., :3].movedim(-1, 0)[None]
        after = shares(model, normalise(image.to(torch.uint8), MEAN, STD))
        bars = shown.locator(".bars i").first
        near = (100 * float(after[0]) + off for off in (-0.005, 0.005))
        cut = "|".join(re.escape(f"{share:.6f}"[:-4]) for share in near)
        expect(bars).to_have_attribute("style", re.compile(f"--share: (?:{cut})"))
        assert_answers(shown, after)
    expect(shown.locator(".gallery button")).to_have_count(3)
    shown.get_by_label("model", exact=True).select_option("other")
    expect(shown.locator(".gallery button")).to_have_count(2)
    expect(paint).to_be_visible(visible=also)
    expect(shown.locator(".paint")).to_have_attribute("aria-expanded", "false")
    expect(shown.locator(".painting")).to_be_hidden()


def test_names_are_text(opened):
    shown = opened(subject(halved(), title="<b>bold</b>"))
    assert shown.locator("b b, .bars b, .gallery b").count() == 0
    assert "</script>two" in shown.locator(".gallery button").nth(1).get_attribute(
        "title"
    )


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"titles": ["one"]}, "1 titles, expected 2, one per image"),
        ({"labels": [0, 9]}, "labels run from 0 to 9, expected 0 to 2"),
        ({"images": torch.zeros(2, 3, 32, 48)}, "images are of torch.float32"),
        ({"images": torch.zeros(2, 3, 8, 8)}, r"images are \(2, 3, 8, 8\)"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, message):
    given = {"name": "s", "title": "s", "images": draw_images(), "titles": TITLES}
    with pytest.raises(ValueError, match=message):
        Subject(model=build(), **given | wrong)


def test_data_of_the_page_are_complete():
    """Not in the page: the model that lies beside it."""
    here = subject(halved())
    beside = subject(halved(), name="beside", address="beside.js")
    text = workbench([here, beside])
    data = json.loads(
        text.partition('type="application/json">')[2].partition("</script>")[0]
    )
    inline, away = data["subjects"]
    assert inline["model"] and away["model"] is None
    assert inline["bytes"] == away["bytes"] == len(inline["model"]["weights"])
