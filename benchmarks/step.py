"""How fast a training step on one CPU core is: against the core's own matrix products,
and against four other Vision Transformers, in one interleaved run.

    python benchmarks/step.py                  into results/step.json
    python benchmarks/step.py --rounds 40      for a busy machine

Two models of photographs of 64 pixels, one that cuts patches and one with tokens from a
small CNN, take the whole step of a run: forward, backward, clipping, Muon and AdamW,
moving average. Its operations are those that PyTorch counts in its products and
convolutions (attention's are done again in the backward pass, and are counted again),
over those of a product of two large square matrices in the same time.

The others are those of benchmarks/throughput.py at the size of the first model; all of
them take a plain AdamW step, and classify images. vit-pytorch's has no class token, so
ours without one stands beside it, too. Everything takes turns, so that whatever slows
the machine down slows all alike; times are of the processor, not the clock on the wall,
and each figure is a median over the rounds.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import quantiles

import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import trange

from benchmarks.throughput import CONTENDERS, Setting, make_step
from experiments.results import ROOT, environment_info, run, write_result
from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.allocator import keep_freed_memory
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.ema import Ema
from vit_tutorial.training.loop import train_step
from vit_tutorial.training.objectives import Classification
from vit_tutorial.training.optimizers import make_optimizers

SIZES = {"image_size": 64, "patch_size": 8, "dim": 128, "heads": 4}
PHOTOGRAPHS = {
    "plain": ViTConfig(**SIZES, depth=5, positions="sincos"),
    "hybrid": ViTConfig(**SIZES, depth=4, positions="sincos", embedder="hybrid"),
}
COMPARED = ViTConfig(**SIZES, depth=5)
OURS = "vit_tutorial"
BARE = "vit_tutorial without class token"
# of the square matrices: the product is at its fastest from about this size on
SIDE = 2048
WARM_UP = 2  # rounds that are not counted


def whole_step(config: ViTConfig, batch_size: int) -> Callable[[], None]:
    """A step of a run, without drawing and augmenting its images."""
    torch.manual_seed(0)
    model = VisionTransformer(config).train()
    training = TrainConfig(optimizer="muon", ema_decay=0.998, label_smoothing=0.1)
    optimizers = make_optimizers(model, training)
    average = Ema(model, training.ema_decay)
    objective = Classification(training.label_smoothing)
    images = torch.randn(batch_size, config.channels, *config.sides)
    labels = torch.randint(config.classes, (batch_size,))

    def step() -> None:
        train_step(
            model,
            images,
            labels,
            objective,
            optimizers,
            training.peak_lr,
            training.grad_clip_norm,
        )
        average.update(model)

    return step


def inference(name: str, config: ViTConfig, batch_size: int) -> Callable[[], None]:
    """A batch through one of the contenders, without gradients."""
    torch.manual_seed(0)
    model = CONTENDERS[name](config).eval()
    images = torch.randn(batch_size, config.channels, *config.sides)

    @torch.inference_mode()
    def infer() -> None:
        model(images)

    return infer


def contenders(batch_size: int) -> dict[str, Callable[[], None]]:
    """A training step and an inference of each contender, and of ours without class
    token.
    """
    bare = replace(COMPARED, pool="mean", positions="sincos")
    models = {name: (name, COMPARED) for name in CONTENDERS} | {BARE: (OURS, bare)}
    turns = {}
    for label, (name, config) in models.items():
        setting = Setting(config, "cpu", batch_size, compile=False, threads=1)
        turns[f"{label} training"] = make_step(name, setting)
        turns[f"{label} inference"] = inference(name, config, batch_size)
    return turns


def product() -> Callable[[], None]:
    """What the core does at its fastest."""
    one, other, result = torch.randn(3, SIDE, SIDE)

    def multiply() -> None:
        torch.mm(one, other, out=result)

    return multiply


def measure(turns: dict[str, Callable[[], None]], rounds: int) -> dict[str, list]:
    """Seconds of processor time of each turn, by name; nobody is always first."""
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    names = list(turns)
    for number in trange(-WARM_UP, rounds, leave=False):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            start = time.process_time()
            turns[name]()
            if number >= 0:
                seconds[name].append(time.process_time() - start)
    return seconds


def times_as_fast(ours: list[float], other: list[float]) -> dict:
    """How ours compares with another's seconds, round by round."""
    ratios = [their / our for our, their in zip(ours, other, strict=True)]
    low, middle, high = quantiles(ratios, n=4)
    return {"median": round(middle, 3), "quartiles": [round(low, 3), round(high, 3)]}


def against_peak(
    seconds: list[float], products: list[float], operations: int
) -> dict[str, float]:
    """The share of a step's time that a core at its fastest would need for the step's
    operations.
    """
    peak = 2 * SIDE**3
    shares = [
        operations / step / (peak / product)
        for step, product in zip(seconds, products, strict=True)
    ]
    low, middle, high = quantiles(shares, n=4)
    return {
        "giga_operations": round(operations / 1e9, 2),
        "share_of_peak": round(middle, 3),
        "quartiles": [round(low, 3), round(high, 3)],
    }


def main(
    rounds: int = 20,
    batch_size: int = 64,
    out: Path = ROOT / "results" / "step.json",
) -> None:
    """Time a training step against the core's matrix products and others' models.

    Args:
        rounds: how many turns each of them takes
        batch_size: images a step
        out: the result that is written
    """
    if rounds < 2:
        raise ValueError(f"rounds is {rounds}, expected at least 2")
    torch.set_num_threads(1)
    kept = keep_freed_memory()  # no turn pays for pages that another gave back
    turns = {"product": product()}
    turns |= {
        name: whole_step(config, batch_size) for name, config in PHOTOGRAPHS.items()
    }
    turns |= contenders(batch_size)
    seconds = measure(turns, rounds)

    packages = ("torchvision", "timm", "transformers", "vit-pytorch")
    result = environment_info("cpu", *packages) | {
        "batch_size": batch_size,
        "rounds": rounds,
        "memory_kept": kept,
        "steps": {},
        "times_as_fast_as": {},
        "fastest_other": {},
    }
    for name in PHOTOGRAPHS:
        with FlopCounterMode(display=False) as counter:
            turns[name]()
        row = against_peak(seconds[name], seconds["product"], counter.get_total_flops())
        result["steps"][name] = row
        print(f"{name:14} {row['share_of_peak']:.1%} of the core's peak")
    for what in ("training", "inference"):
        rows = {
            name: times_as_fast(seconds[f"{OURS} {what}"], seconds[f"{name} {what}"])
            for name in CONTENDERS
            if name != OURS
        }
        fastest = min(rows, key=lambda name: rows[name]["median"])
        rows["vit-pytorch, both without class token"] = times_as_fast(
            seconds[f"{BARE} {what}"], seconds[f"vit-pytorch {what}"]
        )
        result["times_as_fast_as"][what] = rows
        result["fastest_other"][what] = fastest
        for name, row in rows.items():
            print(f"{what:14} {row['median']:.3f} times as fast as {name}")
    write_result(out, result)
    print(f"written: {out}")


if __name__ == "__main__":
    run(main)
