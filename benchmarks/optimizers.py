"""How fast a training step is with AdamW, with our Muon and with PyTorch's, in one
interleaved run on one thread.

    python benchmarks/optimizers.py                  into results/optimizers.json
    python benchmarks/optimizers.py --rounds 40      for a busy machine
    MKL_ENABLE_INSTRUCTIONS=AVX2 ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 \\
        python benchmarks/optimizers.py --out results/optimizers-avx2.json    as on a
            processor without AVX-512

A plain ViT (64 tokens, dim 128, depth 5) takes the package's own step on batches of 64
random images. The optimisers take turns, so that whatever slows the machine down slows
all of them; each figure is a median over the rounds.
"""

import time
from pathlib import Path
from statistics import median, quantiles

import torch
from torch.optim import Optimizer
from tqdm import trange

from experiments.results import ROOT, environment_info, run, write_result
from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.loop import train_step
from vit_tutorial.training.objectives import Classification
from vit_tutorial.training.optimizers import Muon, make_optimizers

MODEL = ViTConfig(image_size=64, patch_size=8, dim=128, depth=5, heads=4)
# images; rounds that are not counted
BATCH = 64
WARM_UP = 2


def as_in_pytorch(optimizers: list[Optimizer]) -> list[Optimizer]:
    """The same optimisers with PyTorch's Muon, which orthogonalises in bfloat16 on
    every device.
    """
    made = []
    for optimizer in optimizers:
        if isinstance(optimizer, Muon):
            groups = optimizer.param_groups
            made.append(torch.optim.Muon(groups, adjust_lr_fn="match_rms_adamw"))
        else:
            made.append(optimizer)
    return made


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds of each step, by optimiser."""
    images = torch.randn(BATCH, 3, 64, 64)
    labels = torch.randint(10, (BATCH,))
    objective = Classification()
    contenders = {}
    for name in ("adamw", "muon", "torch.optim.Muon"):
        config = TrainConfig(optimizer="adamw" if name == "adamw" else "muon")
        torch.manual_seed(0)
        model = VisionTransformer(MODEL)
        optimizers = make_optimizers(model, config)
        if name == "torch.optim.Muon":
            optimizers = as_in_pytorch(optimizers)
        contenders[name] = (model, optimizers, config)
    seconds = {name: [] for name in contenders}
    for number in trange(-WARM_UP, rounds, leave=False):
        for name, (model, optimizers, config) in contenders.items():
            start = time.perf_counter()
            train_step(
                model,
                images,
                labels,
                objective,
                optimizers,
                1e-4,
                config.grad_clip_norm,
            )
            if number >= 0:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def main(rounds: int = 20, out: Path = ROOT / "results" / "optimizers.json") -> None:
    """Time a training step with each optimiser.

    Args:
        rounds: how many steps each of them takes
        out: the result that is written
    """
    if rounds < 2:
        raise ValueError(f"rounds is {rounds}, expected at least 2")
    torch.set_num_threads(1)
    seconds = measure(rounds)
    slowest = seconds["torch.optim.Muon"]
    result = environment_info("cpu") | {
        "batch_size": BATCH,
        "rounds": rounds,
        "optimizers": {},
    }
    for name, values in seconds.items():
        ratios = [slow / value for slow, value in zip(slowest, values, strict=True)]
        low, middle, high = quantiles(ratios, n=4)
        result["optimizers"][name] = {
            "images_a_second": round(BATCH / median(values), 1),
            "times_as_fast_as_torch": round(middle, 3),
            "quartiles": [round(low, 3), round(high, 3)],
        }
        print(
            f"{name:20}{middle:8.2f} times as fast as torch.optim.Muon, half of the"
            f" rounds {low:.2f} to {high:.2f}"
        )
    write_result(out, result)


if __name__ == "__main__":
    run(main)
