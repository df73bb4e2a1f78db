"""What moves by itself in the explorer on a page: previews, epochs, play, and data that
arrive.
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
    assert_weights,
    build,
    draw_images,
    maps,
    middle,
    read_state,
    wanted,
)

from vit_tutorial.data.images import normalise
from vit_tutorial.explorer.html import page
from vit_tutorial.explorer.widget import explore

chromium = browser.chromium
guarded = browser.guarded
opened = explorers.opened


def test_hovering_previews_a_query_and_changes_nothing(opened):
    model = build()
    (shown,) = opened(explore(model, draw_images()))
    shown.get_by_label("query", exact=True).press("ArrowRight")
    before = read_state(shown)
    sentence = shown.get_by_role("status")
    for canvas, row, column in [("overlay", 2, 3), ("bare", 3, 0)]:
        shown.locator(f"canvas.{canvas}").hover(
            position=middle(shown, canvas, row, column)
        )
        patch = 1 + row * GRID[1] + column
        state = read_state(shown)
        assert state["preview"] == str(patch) and {
            **state,
            "preview": "",
            "scale": 0,
        } == {**before, "scale": 0}
        assert_weights(shown, *wanted(maps(model), {**state, "query": patch}, "cls"))
        assert_thumbs(shown, maps(model), query=patch)
        # a moving pointer is not read out
        assert sentence.get_attribute("aria-live") == "off"
    shown.page.mouse.move(0, 0)
    assert read_state(shown) == before
    assert_shown(shown, model, query=1)
    # a click keeps it
    shown.locator("canvas.overlay").click(position=middle(shown, "overlay", 2, 3))
    shown.page.mouse.move(0, 0)
    assert_shown(shown, model, query=16)
    shown.get_by_label("layer", exact=True).press("Home")
    assert (
        sentence.get_attribute("aria-live") == "polite"
        and "row 3, column 4" in sentence.inner_text()
    )
    shown.locator("canvas.overlay").hover(position=middle(shown, "overlay", 0, 0))
    # keys count even where the pointer rests
    shown.locator("canvas.overlay").press("ArrowRight")
    assert_shown(shown, model, query=17, preview="")


def test_the_epochs_slider_moves_through_the_snapshots(opened):
    models = {epoch: build(seed=epoch) for epoch in (12, 0, 3)}
    (shown,) = opened(explore(models[12], draw_images(), CLASSES, snapshots=models))
    assert_shown(shown, models[12], epoch=12)
    slider = shown.get_by_label("epoch", exact=True)
    for key, epoch in [("Home", 0), ("ArrowRight", 3), ("End", 12)]:
        slider.press(key)
        assert_shown(shown, models[epoch], epoch=epoch)
        assert slider.get_attribute("aria-valuetext") == f"epoch {epoch} of 12"
        assert f", epoch {epoch}, " in shown.get_by_role("status").inner_text()
        probability, guess = (
            models[epoch](normalise(draw_images(), MEAN, STD))[0]
            .softmax(dim=-1)
            .max(dim=0)
        )
        said = shown.locator(".prediction").inner_text()
        assert CLASSES[guess] in said and f"{100 * probability:.0f} %" in said


@pytest.mark.parametrize("name, values", [("layer", [0, 1, 2, 3]), ("epoch", [0, 5])])
def test_play_goes_through_to_the_end_and_stops(opened, name, values):
    models = {epoch: build(seed=epoch) for epoch in (0, 5)}
    (shown,) = opened(explore(models[5], draw_images(), snapshots=models))
    button = shown.get_by_role("button", name=f"play {name}s")
    status = shown.get_by_role("status")
    shown.page.clock.install(time=0)
    shown.page.clock.pause_at(1000)
    button.press("Enter")
    for value in values:
        state = read_state(shown)
        assert_shown(shown, models[state["epoch"]], **{name: value})
        still = value == values[-1]
        assert status.get_attribute("aria-live") == ("polite" if still else "off")
        assert shown.locator("button", has_text="pause").count() == (not still)
        shown.page.clock.run_for(800)
    shown.page.clock.run_for(5000)
    assert read_state(shown)[name] == values[-1]
    button.press("Enter")  # from the start once more, and stopped
    shown.get_by_role("button", name=f"pause {name}s").click()
    shown.page.clock.run_for(5000)
    assert read_state(shown)[name] == values[0]


def test_whoever_wants_no_motion_plays_step_by_step(chromium, tmp_path):
    guarded = browser.open_guarded(chromium, reduced_motion="reduce")
    (tmp_path / "page.html").write_text(
        page(explore(build(), draw_images())), encoding="utf-8"
    )
    guarded.page.goto((tmp_path / "page.html").as_uri())
    shown = guarded.page.locator(".vit-explorer[data-loaded=all]")
    guarded.page.clock.install()
    for layer in (0, 1):
        shown.get_by_role("button", name="step layers").click()
        guarded.page.clock.run_for(5000)
        assert read_state(shown)["layer"] == layer
    guarded.page.context.close()


def test_what_is_shown_first_is_drawn_before_the_rest_is_unpacked(guarded, tmp_path):
    explorer = explore(
        build(),
        draw_images(8),
        snapshots={epoch: build(seed=epoch) for epoch in range(4)},
    )
    explorer.image = 5
    (tmp_path / "page.html").write_text(page(explorer), encoding="utf-8")
    guarded.page.add_init_script("""new MutationObserver(() => {
        const shown = document.querySelector(".vit-explorer[data-loaded=first]");
        if (shown) window.first ??= {...shown.dataset};
    }).observe(document, {subtree: true, attributes: true})""")
    guarded.page.goto((tmp_path / "page.html").as_uri())
    guarded.page.locator(".vit-explorer[data-loaded=all]").wait_for()
    first = guarded.page.evaluate("window.first")
    assert first["image"] == "5" and float(first["scale"]) > 0
