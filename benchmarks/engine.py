"""How long the forward pass in JavaScript takes in a headless browser, a picture at a
time.

    python benchmarks/engine.py    30 pictures a model, into results/engine.json

The models: two that are shipped, of drawn stacks and of photographs. "first" is the
first picture, before the browser has compiled the code; "fastest" is the one that other
work on the machine disturbed least.
"""

import base64
import json
import statistics
import tempfile
from pathlib import Path

import torch
from playwright.sync_api import Page, sync_playwright
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.explorer_render import find_browser
from experiments.results import ROOT, environment_info, run, write_result
from vit_tutorial.convert.web import export_web
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.run import Run

SOURCE = ROOT / "vit_tutorial" / "explorer" / "js" / "vit.js"
SHIPPED = ("stacks", "stl10")
TIME = """async ([source, json, weights, count, pictures]) => {
  const { load, forward } = await import("data:text/javascript;base64," + source);
  const bytes = Uint8Array.from(atob(weights), (one) => one.charCodeAt(0));
  const start = performance.now();
  const model = load(json, bytes.buffer);
  const times = [performance.now() - start];
  for (let picture = 0; picture < pictures; picture++) {
    const pixels = Float32Array.from({ length: count }, () => 2 * Math.random() - 1);
    await new Promise(requestAnimationFrame);
    const begun = performance.now();
    forward(model, pixels);
    times.push(performance.now() - begun);
  }
  return times;
}"""


def engine(pictures: int = 30, out: Path = ROOT / "results" / "engine.json") -> None:
    """Time `pictures` pictures of each model and write the result.

    Args:
        pictures: how many of each model, at least 2
        out: file of the result
    """
    if pictures < 2:
        raise ValueError(f"pictures is {pictures}, expected at least 2")
    models = {name: load_checkpoint(name) for name in SHIPPED}
    rows = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"]
        )
        for name, (model, trained) in models.items():
            # a page each: what was compiled for one model does not help the next
            rows[name] = timed(browser.new_page(), model, trained, pictures)
            print(f"{name}: {rows[name]['milliseconds']}")
        version = browser.version
        browser.close()
    result = environment_info("cpu", "playwright")
    result |= {"browser": f"Chromium {version}, headless", "pictures": pictures}
    write_result(out, result | {"models": rows})


def timed(page: Page, model: VisionTransformer, trained: Run, pictures: int) -> dict:
    """One model's row: its size, and how long it takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        export_web(model, trained, folder, "float16")
        content = (folder / "model.bin").read_bytes()
        described = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    config = model.config
    shape = (config.channels, *config.sides)
    loading, first, *times = page.evaluate(
        TIME,
        [
            base64.b64encode(SOURCE.read_bytes()).decode(),
            described,
            base64.b64encode(content).decode(),
            torch.Size(shape).numel(),
            pictures,
        ],
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *shape), return_attention=True)
    return {
        "tokens": config.tokens,
        "parameters": count_parameters(model),
        "bytes_float16": len(content),
        "multiply_adds": counter.get_total_flops() // 2,
        "milliseconds": {
            "load": round(loading, 1),
            "first": round(first, 1),
            "median": round(statistics.median(times), 1),
            "fastest": round(min(times), 1),
        },
    }


if __name__ == "__main__":
    run(engine)
