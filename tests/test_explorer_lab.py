"""The explorer in a real JupyterLab: the reader's moves reach Python, and Python's reach the view."""

import os
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
import pytest
import torch
from playwright.sync_api import Locator, expect

chromium, guarded = browser.chromium, browser.guarded

ROOT = Path(__file__).parents[1]
SETUP = """
import torch
from vit_tutorial.config import ViTConfig
from vit_tutorial.look import attention_maps
from vit_tutorial.model import VisionTransformer
torch.set_num_threads(1)
torch.manual_seed(0)
model = VisionTransformer(ViTConfig(image_size=32, patch_size=8, dim=24, depth=4, heads=3))
images = torch.randn(3, 3, 32, 32)
"""
EXPLORE = """
from vit_tutorial.explorer import explore
explorer = explore(model, images)
explorer
"""
FOLLOW = """
import ipywidgets
heard = ipywidgets.Label()
def follow(change):
    heard.value = f"{change.name} is {change.new}"
    if change.name == "image":
        explorer.query = 6  # Python moves the view
explorer.observe(follow, names=["image", "layer", "head", "query", "mode"])
heads = ipywidgets.IntSlider(min=-1, max=2, description="linked")
ipywidgets.jslink((heads, "value"), (explorer, "head"))
ipywidgets.VBox([heads, heard])
"""
CENTRES = """canvas => Array.from({length: 16}, (_, patch) => [...canvas.getContext("2d").getImageData(
    (patch % 4 + 0.5) * canvas.width / 4, (Math.floor(patch / 4) + 0.5) * canvas.height / 4, 1, 1).data.slice(0, 3)])"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """A JupyterLab on a free port with settings of its own; yields the address of a notebook with an explorer."""
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    notebook.cells = [nbformat.v4.new_code_cell(source.strip()) for source in (SETUP, EXPLORE, FOLLOW)]
    nbformat.write(notebook, tmp_path / "explorer.ipynb")
    config = tmp_path / "config" / "labconfig"
    config.mkdir(parents=True)
    (config / "page_config.json").write_text(
        '{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}'
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folders = {f"JUPYTER_{name.upper()}_DIR": str(tmp_path / name) for name in ("config", "runtime", "data")}
    settings = {
        **folders,
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    options = [
        "--no-browser", "--allow-root", f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1",
        "--IdentityProvider.token=", "--ServerApp.password=", "--LabApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    log = (tmp_path / "lab.log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        cwd=tmp_path, stdout=log, stderr=log, env={**os.environ, **settings, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while not answers(f"http://127.0.0.1:{port}/api"):
            assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "lab.log").read_text()
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


def assert_shown(shown: Locator, weights: list[torch.Tensor], **state: int) -> None:
    """The view reaches `state`, and its canvas, decoded, is the row of weights that belongs to it."""
    for name, value in state.items():
        expect(shown).to_have_attribute(f"data-{name}", str(value))
    said = shown.evaluate("element => ({...element.dataset})")
    image, layer, head, query = (int(said[name]) for name in ("image", "layer", "head", "query"))
    rows = weights[layer][image, :, query, 1:]
    row = rows.mean(dim=0) if head < 0 else rows[head]
    drawn = torch.tensor(shown.locator("canvas.bare").evaluate(CENTRES), dtype=torch.float)
    level = browser.decoded(drawn, 255 * row / float(said["scale"]))
    assert (level / 255 * float(said["scale"]) - row).abs().max() <= rows.max() / 255


def test_the_sliders_live_in_jupyterlab(lab, guarded):
    made = {}
    exec(SETUP, made)
    weights = made["attention_maps"](made["model"], made["images"])
    page = guarded.page
    page.set_viewport_size({"width": 1300, "height": 1600})  # all outputs in sight: JupyterLab drops what is not
    page.goto(lab)
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel", timeout=120_000)
    page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    heard = page.locator(".jp-OutputArea-output .widget-label").last
    expect(heard).to_have_text("head is 0", timeout=120_000)  # the link set it
    shown = page.locator(".vit-explorer")
    expect(shown).to_have_count(1)
    slider = {name: shown.get_by_label(name, exact=True) for name in ("image", "layer", "head", "query")}
    assert_shown(shown, weights, image=0, layer=3, head=0, query=0)

    box = slider["layer"].bounding_box()
    page.mouse.click(box["x"] + 4, box["y"] + box["height"] / 2)
    expect(heard).to_have_text("layer is 0")
    assert_shown(shown, weights, layer=0)

    slider["query"].focus()  # by hand and in small steps: JupyterLab must not take the keys for its own commands
    for step in range(1, 4):
        page.keyboard.press("ArrowRight")
        expect(heard).to_have_text(f"query is {step}")
        assert_shown(shown, weights, query=step)
    page.keyboard.press("ArrowDown")
    expect(heard).to_have_text("query is 2")
    expect(slider["query"]).to_be_focused()

    slider["image"].press("ArrowRight")  # Python answers by moving the query
    expect(heard).to_have_text("query is 6")
    assert_shown(shown, weights, image=1, query=6)

    page.locator(".widget-slider .noUi-handle").press("ArrowRight")  # jslink: no kernel between the two
    expect(heard).to_have_text("head is 1")
    assert_shown(shown, weights, head=1)
    guarded.assert_clean()
