"""The explorer in a real JupyterLab: the reader's moves reach Python, and Python's
reach the view.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import browser
import nbformat
import numpy as np
import pytest
from explorers import (
    GRID,
    assert_lacking,
    assert_shown,
    build,
    draw_images,
    middle,
    read_state,
    see_without,
)
from PIL import Image
from playwright.sync_api import Locator, Page, expect

chromium = browser.chromium
guarded = browser.guarded

ROOT = Path(__file__).parents[2]
SETUP = """
import torch
from explorers import CLASSES, build, draw_images
torch.set_num_threads(1)
models = {epoch: build(seed=epoch) for epoch in (0, 5)}
"""
EXPLORE = """
from vit_tutorial.explorer.widget import explore
explorer = explore(models[5], draw_images(3), CLASSES, [0, 1, 2], snapshots=models)
explorer
"""
FOLLOW = """
import ipywidgets
heard = ipywidgets.Label()
def follow(change):
    heard.value = f"{change.name} is {change.new}"
    if change.name == "image":
        explorer.query = 6  # Python moves the view
names = ["image", "layer", "head", "query", "mode", "epoch", "opacity", "dropped"]
explorer.observe(follow, names=names)
heads = ipywidgets.IntSlider(min=-1, max=2, description="linked")
ipywidgets.jslink((heads, "value"), (explorer, "head"))
ipywidgets.VBox([heads, heard])
"""
# not when all cells run, before a reader has dropped one
DROP = """
if explorer.dropped:
    explorer.dropped, explorer.epoch = [2, 24], 0
print(explorer.dropped)
"""
AFTER = (
    "print(explorer, len(explorer.pictures), [round(share, 3) for share in"
    " explorer.view()[0].tolist()])"
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """A JupyterLab on a free port with settings of its own; yields the address of a
    notebook with an explorer.
    """
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )
    notebook.cells = [
        nbformat.v4.new_code_cell(source.strip())
        for source in (SETUP, EXPLORE, FOLLOW, AFTER, DROP)
    ]
    nbformat.write(notebook, tmp_path / "explorer.ipynb")
    config = tmp_path / "config" / "labconfig"
    config.mkdir(parents=True)
    (config / "page_config.json").write_text(
        '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements":'
        " true}}",
        encoding="utf-8",
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {
        f"JUPYTER_{name.upper()}_DIR": str(tmp_path / name)
        for name in ("config", "runtime", "data")
    }
    settings = {
        **folders,
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    options = [
        "--no-browser",
        "--allow-root",
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
        "--IdentityProvider.token=",
        "--ServerApp.password=",
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
    ]
    log = (tmp_path / "lab.log").open("w", encoding="utf-8")
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        cwd=tmp_path,
        stdout=log,
        stderr=log,
        env={**os.environ, **settings, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )
    try:
        deadline = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}/api"):
            assert server.poll() is None and time.monotonic() < deadline, (
                tmp_path / "lab.log"
            ).read_text(encoding="utf-8")
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/lab/tree/explorer.ipynb"
    finally:
        server.terminate()  # ends its kernels too
        server.wait(timeout=20)


def answers(address: str) -> bool:
    try:
        return urlopen(address, timeout=2).status == 200
    except (URLError, TimeoutError, ConnectionError):
        return False


def arrive(shown: Locator, **state: int | float | str) -> None:
    """The view reaches `state`, wherever the move came from, and shows what belongs to
    it.
    """
    for name, value in state.items():
        expect(shown).to_have_attribute(f"data-{name}", str(value))
    assert_shown(shown, build(seed=read_state(shown)["epoch"]), draw_images(4), **state)


def lack(shown: Locator, dropped: list[int]) -> None:
    """The view lacks these patches, hatches them, and shows what belongs to it."""
    expect(shown).to_have_attribute("data-dropped", ",".join(map(str, dropped)))
    state = read_state(shown)
    image = draw_images(4)[state["image"]]
    assert_lacking(shown, build(seed=state["epoch"]), image, dropped)
    hatched = shown.locator("canvas.bare").evaluate(
        HATCHED, [[patch - 1 for patch in dropped], *GRID]
    )
    assert hatched == [True] * len(dropped)


# whether these patches, between their strokes, are the grey of a hatched one
HATCHED = """(canvas, [patches, rows, columns]) => patches.map((patch) => {
    const [across, down] = [canvas.width / columns, canvas.height / rows];
    const row = Math.floor(patch / columns);
    const at = [(patch % columns + 0.35) * across, (row + 0.4) * down];
    const spot = at.map(Math.floor);
    const {data} = canvas.getContext("2d").getImageData(...spot, 1, 1);
    return data.slice(0, 3).every((band) => band === 119);
})"""


def run(page: Page, cell: int) -> str:
    """Run a cell of the notebook; returns what it prints."""
    output = (
        page.locator(".jp-Notebook-cell")
        .nth(cell)
        .locator(".jp-OutputArea-output")
        .last
    )
    before = (
        page.locator(".jp-Notebook-cell")
        .nth(cell)
        .locator(".jp-InputPrompt")
        .inner_text()
    )
    page.evaluate(
        "cell => { window.jupyterapp.shell.currentWidget.content.activeCellIndex ="
        " cell }",
        cell,
    )
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-cell')")
    prompt = page.locator(".jp-Notebook-cell").nth(cell).locator(".jp-InputPrompt")
    expect(prompt).not_to_have_text(before)
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"))
    return output.inner_text().strip()


def test_every_control_lives_in_jupyterlab(lab, guarded, tmp_path):
    page = guarded.page
    # all outputs in sight: JupyterLab drops what is not
    page.set_viewport_size({"width": 1300, "height": 2000})
    page.goto(lab)
    page.wait_for_function(
        "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel",
        timeout=120_000,
    )
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    heard = page.locator(".jp-OutputArea-output .widget-label").last
    expect(heard).to_have_text("head is 0", timeout=120_000)  # the link set it
    shown = page.locator(".vit-explorer")
    expect(shown).to_have_count(1)
    sliders = {
        name: shown.get_by_label(name, exact=True)
        for name in ("image", "layer", "head", "query", "epoch")
    }
    arrive(shown, image=0, layer=3, head=0, query=0, epoch=5)

    # by mouse: a slider, a patch, a thumbnail, the class token
    box = sliders["layer"].bounding_box()
    page.mouse.click(box["x"] + 4, box["y"] + box["height"] / 2)
    expect(heard).to_have_text("layer is 0")
    arrive(shown, layer=0)
    shown.locator("canvas.bare").click(position=middle(shown, "bare", 1, 2))
    expect(heard).to_have_text("query is 9")
    arrive(shown, query=9)
    shown.locator("canvas.overlay").hover(position=middle(shown, "overlay", 0, 0))
    expect(shown).to_have_attribute("data-preview", "1")
    expect(heard).to_have_text("query is 9")  # a preview is nobody's choice
    box = shown.locator("canvas.thumbs").bounding_box()
    shown.locator("canvas.thumbs").click(
        position={"x": 2.5 * box["width"] / 3, "y": 1.5 * box["height"] / 4}
    )
    arrive(shown, layer=1, head=2)
    shown.get_by_role("button", name="query: class token").click()
    expect(heard).to_have_text("query is 0")

    # by keyboard, in small steps: JupyterLab must not take the keys for its own
    # commands
    sliders["query"].focus()
    for step in range(1, 4):
        page.keyboard.press("ArrowRight")
        expect(heard).to_have_text(f"query is {step}")
        arrive(shown, query=step)
    page.keyboard.press("ArrowDown")
    expect(heard).to_have_text("query is 2")
    expect(sliders["query"]).to_be_focused()
    shown.locator("canvas.overlay").press("ArrowDown")
    expect(heard).to_have_text("query is 8")
    shown.locator("canvas.thumbs").press("ArrowLeft")
    expect(heard).to_have_text("head is 1")
    arrive(shown, layer=1, head=1, query=8)
    sliders["epoch"].press("Home")
    expect(heard).to_have_text("epoch is 0")
    arrive(shown, epoch=0)
    shown.get_by_label("opacity", exact=True).press("End")
    expect(heard).to_have_text("opacity is 1.0")
    arrive(shown, opacity=1)
    shown.get_by_label("mode", exact=True).press("ArrowDown")
    expect(heard).to_have_text("mode is rollout")
    arrive(shown, mode="rollout")
    shown.get_by_label("mode", exact=True).press("ArrowUp")
    shown.get_by_role("button", name="play layers").press("Enter")
    expect(heard).to_have_text("layer is 3")
    arrive(shown, layer=3)
    shown.get_by_role("button", name="play epochs").press(" ")
    expect(heard).to_have_text("epoch is 5")
    sliders["image"].press("ArrowRight")  # Python answers by moving the query
    expect(heard).to_have_text("query is 6")
    arrive(shown, image=1, query=6)
    # jslink: no kernel between the two
    page.locator(".widget-slider .noUi-handle").press("ArrowRight")
    expect(heard).to_have_text("head is 2")
    arrive(shown, head=2)

    # patches dropped and put back
    shown.get_by_role("button", name="drop patches").press("Enter")
    shown.locator("canvas.overlay").click(position=middle(shown, "overlay", 1, 1))
    expect(heard).to_have_text("dropped is [8]")
    lack(shown, [8])
    shown.locator("canvas.bare").focus()
    for key in ("ArrowDown", "ArrowRight"):  # from where the pointer is
        page.keyboard.press(key)
    expect(shown.get_by_role("status")).to_contain_text(
        "Under the cursor: patch row 3, column 3."
    )
    page.keyboard.press(" ")
    lack(shown, [8, 15])
    assert "2 of 24 patches dropped" in shown.get_by_role("status").inner_text()
    shares = see_without(build(seed=5), draw_images(4)[1], [8, 15])[0]
    assert run(page, 3).endswith(
        f"dropped=[8, 15]) 3 {[round(share, 3) for share in shares.tolist()]}"
    )
    # Python drops, at an epoch whose weights have not travelled yet
    assert run(page, 4) == "[2, 24]"
    expect(shown).to_have_attribute("data-epoch", "0")
    lack(shown, [2, 24])
    # which the kernel's answer would have changed
    expect(shown.locator(".note")).to_have_text(
        "Dropped patches are computed in this browser, own pictures by the kernel."
    )
    sliders["epoch"].press("End")
    expect(heard).to_have_text("epoch is 5")
    shown.get_by_role("button", name="put all back").press("Enter")
    expect(heard).to_have_text("dropped is []")
    shown.get_by_role("button", name="drop patches").click()
    expect(shown).to_have_attribute("data-dropped", "")
    arrive(shown, image=1, head=2)

    # a picture of one's own, and a file that is none
    file = shown.get_by_label("own picture")
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    file.set_input_files(tmp_path / "notes.txt")
    expect(shown.get_by_role("alert")).to_have_text(
        "notes.txt is no picture that this browser can read"
    )
    Image.fromarray(draw_images(4)[3].movedim(0, -1).numpy()).save(tmp_path / "own.png")
    file.set_input_files(tmp_path / "own.png")
    expect(heard).to_have_text("image is 3")
    arrive(shown, image=3, query=6)
    expect(shown.get_by_role("alert")).to_have_count(0)
    assert " 4 [" in run(page, 3) and "image=3" in run(page, 3)
    # red in the middle part that is cut out, white above and below
    tall = np.full((640, 240, 3), 255, np.uint8)
    tall[241:399] = (255, 0, 0)
    Image.fromarray(tall).save(tmp_path / "tall.jpg", quality=95)
    file.set_input_files(tmp_path / "tall.jpg")
    expect(shown).to_have_attribute("data-image", "4")
    shown.get_by_label("opacity", exact=True).press("Home")
    centre = (
        "canvas => [...canvas.getContext('2d').getImageData(canvas.width - 20,"
        " canvas.height - 20, 1, 1).data]"
    )
    red, green, blue, _ = shown.locator("canvas.overlay").evaluate(centre)
    assert red > 245 and green < 15 and blue < 15
    guarded.assert_clean()
