"""How long the explorer takes to draw a step, in a headless browser: 12 layers of 12
heads, 197 tokens.

    python benchmarks/explorer_render.py    200 steps a control, into
        results/explorer_render.json

The weights are random; drawing takes the same time for any. A step is one key on a
control: the time from the event until every canvas could be read again and the words
are laid out, so nothing of it is put off. The browser draws without a graphics card.
"worst" is the control whose median is largest.
"""

import shutil
import statistics
import tempfile
from pathlib import Path

import torch
from playwright.sync_api import sync_playwright

from experiments.results import ROOT, environment_info, run, write_result
from vit_tutorial.config import ViTConfig
from vit_tutorial.explorer.html import page
from vit_tutorial.explorer.widget import explore
from vit_tutorial.model import VisionTransformer

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CONTROLS = ("epoch", "layer", "head", "query", "opacity", "mode", "hover")
TIME = """async ([name, steps]) => {
  const shown = document.querySelector(".vit-explorer");
  const canvases = [...shown.querySelectorAll("canvas")];
  const labels = [...shown.querySelectorAll("label")];
  const input = labels.find((label) => label.textContent === name)?.control;
  const overlay = shown.querySelector(".overlay");
  const {left, top} = overlay.getBoundingClientRect();
  const positions = input && 1 + Math.round((input.max - input.min) / input.step);
  const times = [];
  for (let step = 0; step < steps; step++) {
    await new Promise(requestAnimationFrame);
    if (name === "mode") input.value = ["raw", "rollout"][step % 2];
    else if (input) input.value = Number(input.min) + (step % positions) * input.step;
    const clientX = left + 10 + (37 * step) % 200;
    const clientY = top + 10 + (53 * step) % 200;
    const place = {clientX, clientY, bubbles: true};
    const hover = new PointerEvent("pointermove", place);
    const event = name === "hover" ? hover : new Event("input");
    const start = performance.now();
    (input ?? overlay).dispatchEvent(event);
    for (const canvas of canvases) canvas.getContext("2d").getImageData(0, 0, 1, 1);
    shown.getBoundingClientRect();
    times.push(performance.now() - start);
  }
  return times;
}"""


def explorer_render(steps: int = 200) -> None:
    """Time `steps` steps of each control and write the result.

    Args:
        steps: how many of each control
    """
    torch.manual_seed(0)
    config = ViTConfig(
        image_size=224, patch_size=16, dim=192, depth=12, heads=12, classes=10
    )
    models = {epoch: VisionTransformer(config) for epoch in (0, 1)}
    for block in (block for model in models.values() for block in model.blocks):
        # peaked rows: two models fit a page
        torch.nn.init.normal_(block.attention.qkv.weight, std=0.3)
    explorer = explore(models[1], torch.randn(1, 3, 224, 224), snapshots=models)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "page.html"
        file.write_text(
            "<!doctype html><meta charset=utf-8><body>" + page(explorer),
            encoding="utf-8",
        )
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"]
        )
        shown = browser.new_page(viewport={"width": 1280, "height": 800})
        shown.goto(file.as_uri())
        shown.locator(".vit-explorer[data-loaded=all]").wait_for()
        times = {name: shown.evaluate(TIME, [name, steps]) for name in CONTROLS}
        version = browser.version
        browser.close()
    result = environment_info("cpu", "playwright")
    result |= {
        "browser": f"Chromium {version}, headless, no graphics card",
        "layers": 12,
        "heads": 12,
        "tokens": 197,
    }
    result |= {"bytes_on_the_page": len(page(explorer)), "steps": steps}
    result["milliseconds"] = {name: summary(values) for name, values in times.items()}
    result["worst_median"] = max(
        each["median"] for each in result["milliseconds"].values()
    )
    write_result(ROOT / "results" / "explorer_render.json", result)
    print(
        f"a step takes {result['worst_median']} ms (median of {steps}, worst control)"
    )


def summary(times: list[float]) -> dict:
    """Median and 95th percentile, milliseconds."""
    return {
        "median": round(statistics.median(times), 2),
        "p95": round(statistics.quantiles(times, n=20)[-1], 2),
    }


def find_browser() -> str:
    """The path of the system's Chromium. Raises ValueError where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        raise ValueError(
            "no Chromium found: install it (apt install chromium, or any Chrome on the"
            " PATH)"
        )
    return path


if __name__ == "__main__":
    run(explorer_render)
