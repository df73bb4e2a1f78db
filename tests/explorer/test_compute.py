"""What the engine gives becomes the view that Python sends: the same numbers, whatever
the model, and without some of its patches.
"""

import base64
import json
from pathlib import Path

import pytest
import torch
from engine import exported
from explorers import build
from modules import javascript
from torch import Tensor

from vit_tutorial.config import ViTConfig
from vit_tutorial.convert.web import web_model
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.explorer.encoding import pack, run_model, unpack
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.checkpoint import load_checkpoint

IMPORTS = """
import { readFileSync } from "node:fs";
import { answer } from "./engine_worker.js";
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
function ask({ path, pixels, keep, sizes }) {
  const { json, weights } = JSON.parse(readFileSync(path, "utf8"));
  const [loaded] = answer({ number: 1, kind: "load", json, buffer: bytes(weights) });
  const options = keep ? { keep } : {};
  pixels = new Float32Array(bytes(pixels).buffer);
  const [{ result, error }, handedOver] =
    answer({ number: 2, kind: "view", pixels, options, sizes });
  if (loaded.error ?? error) throw new Error(loaded.error ?? error);
  const parts = Object.fromEntries(Object.entries(result).map(([name, values]) =>
    [name, [...values]]));
  return { ...parts, handedOver: handedOver.length };
}"""
ODD = ViTConfig((12, 20), 4, 2, 5, dim=12, depth=3, heads=3, pool="mean")


def seen(
    model: VisionTransformer,
    image: Tensor,
    keep: list[int] | None,
    folder: Path,
    dtype: str = "float32",
) -> tuple[Tensor, Tensor, dict]:
    """Probabilities and weights as `unpack` gives them, of the view that the worker
    makes; and the sizes of the view.
    """
    c = model.config
    mean, std = (0.5,) * c.channels, (0.25,) * c.channels
    description, content = web_model(model, None, mean, std, dtype)
    file = folder / "model.json"
    file.write_text(
        json.dumps(
            {"json": description, "weights": base64.b64encode(content).decode()}
        ),
        encoding="utf-8",
    )
    rows, columns = c.grid
    sizes = {
        "layers": c.depth,
        "heads": c.heads,
        "patches": rows * columns,
        "quantizationLevels": 255,
        "classToken": c.pool == "cls",
    }
    asked = {
        "path": str(file),
        "pixels": base64.b64encode(image.numpy().tobytes()).decode(),
        "keep": keep,
        "sizes": sizes,
    }
    found = javascript(IMPORTS, f"ask({json.dumps(asked)})")
    assert found["handedOver"] == 4
    shape = (c.depth, c.heads + 1, 1 + rows * columns)
    scales, kept = (
        torch.tensor(found[name]).reshape(*shape, 1) for name in ("scales", "kept")
    )
    steps = torch.tensor(found["weights"]).reshape(*shape, rows * columns)
    weights = torch.cat([kept, steps * scales / 255], dim=-1)
    return torch.tensor(found["probabilities"]), weights, sizes


def models() -> dict[str, VisionTransformer]:
    return {
        "stacks": load_checkpoint("stacks")[0],
        "class token": build(),
        "mean": build("mean"),
    }


@pytest.mark.parametrize("name", models())
@pytest.mark.parametrize("part", [None, [3, 4, 7, 20]])
def test_a_view_is_the_one_that_python_sends(name, part, tmp_path):
    model = models()[name]
    c = model.config
    generator = torch.Generator().manual_seed(3)
    image = torch.randn(c.channels, *c.sides, generator=generator)
    shares, weights, sizes = seen(model, image, part, tmp_path)
    patches = None if part is None else [1 + patch for patch in part]
    exact = run_model(model, image[None], patches)
    torch.testing.assert_close(shares, exact[0][0], atol=1e-5, rtol=0)
    names = ("layers", "heads", "patches", "quantizationLevels")
    (view,) = pack(*exact)
    _, sent = unpack(view, c.classes, *(sizes[name] for name in names))
    # a level may be the next one where single precision rounds to the other side
    largest = sent[..., 1:].amax(dim=-1, keepdim=True)
    step = largest / 255
    apart = (weights - sent).abs()
    assert (apart[..., 1:] <= 1.01 * step + 1e-5).all()
    assert (apart[..., 1:] > 1e-5 + 0.01 * step).float().mean() < 1e-2
    assert apart[..., 0].max() < 1e-4
    lacking = [1 + at for at in range(sizes["patches"]) if at not in (part or [])]
    if part is not None:
        assert weights[:, :, lacking].abs().max() == 0
        assert weights[..., lacking].abs().max() == 0


def test_a_page_rounds_weights_so_little_that_views_stay(tmp_path):
    """The shipped model is in single precision; a page carries matrices in half."""
    model, run = load_checkpoint("stacks")
    images = run.normalization(stacks(3, seed=5).images)
    shares, weights = run_model(model, images)
    for image, share, weight in zip(images, shares, weights, strict=True):
        found, rounded, _ = seen(model, image, None, tmp_path, "mixed")
        assert (found - share).abs().max() < 1e-3
        step = weight[..., 1:].amax(dim=-1, keepdim=True) / 255
        assert ((rounded - weight).abs() <= 0.51 * step + 1e-3).all()


def test_an_odd_model_of_two_channels_too(tmp_path):
    model = exported(ODD, tmp_path / "export")
    image = torch.randn(2, 12, 20, generator=torch.Generator().manual_seed(3))
    shares, weights, _ = seen(model, image, None, tmp_path)
    exact = run_model(model, image[None])
    torch.testing.assert_close(shares, exact[0][0], atol=1e-5, rtol=0)
    step = exact[1][0, ..., 1:].amax(dim=-1, keepdim=True) / 255
    assert ((weights - exact[1][0]).abs() <= 0.51 * step + 1e-4).all()
