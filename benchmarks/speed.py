"""What makes a small ViT faster on a CPU, and where the time of a training step goes.

    python benchmarks/speed.py                  into results/speed-cpu.json
    python benchmarks/speed.py --rounds 5       sooner, and rougher

All ways of running it take turns in one process, so that whatever slows the machine
down slows all of them; each is compared, image by image, with the first: one thread,
batches of 64, as PyTorch runs it by itself. The shares of a step are the profiler's,
of the time that operators spend in themselves. The model is a plain one for pictures of
96 pixels.
"""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from statistics import quantiles

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

from experiments.results import ROOT, environment_info, run, write_result
from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer

CONFIG = ViTConfig(patch_size=8, dim=128, depth=4, heads=4, positions="sincos")
STEPS = 10  # that are profiled
# parts of an operator's name, and what it does; the first that fits counts
KINDS = {
    "attention": ("scaled_dot_product", "flash_attention"),
    "matrix products": ("mm", "linear", "convolution", "conv2d", "mkldnn"),
    "norms": ("layer_norm",),
    "GELU": ("gelu",),
    "optimiser": ("adamw", "_foreach", "lerp", "addcmul", "addcdiv", "sqrt"),
    "adding and copying": ("add", "copy", "cat", "clone", "sum", "fill", "zero"),
}


@dataclass(frozen=True)
class Way:
    """One way of running the model: `maps` asks for the weights of attention as
    well.
    """

    trains: bool = False
    batch_size: int = 64
    threads: int = 1
    compiled: bool = False
    maps: bool = False
    bfloat16: bool = False


WAYS = {
    "inference": Way(),
    "inference, batches of 1": Way(batch_size=1),
    "inference, batches of 8": Way(batch_size=8),
    "inference, batches of 256": Way(batch_size=256),
    "inference, two threads": Way(threads=2),
    "inference, compiled": Way(compiled=True),
    "inference, with maps": Way(maps=True),
    "inference, bfloat16": Way(bfloat16=True),
    "training": Way(trains=True),
    "training, batches of 8": Way(trains=True, batch_size=8),
    "training, two threads": Way(trains=True, threads=2),
    "training, compiled": Way(trains=True, compiled=True),
}


def make_turn(way: Way) -> Callable[[], None]:
    """A function that takes one batch through the model, trained where the way says
    so.
    """
    torch.manual_seed(0)
    model = VisionTransformer(CONFIG).train(way.trains)
    images = torch.randn(way.batch_size, CONFIG.channels, *CONFIG.sides)
    labels = torch.randint(CONFIG.classes, (way.batch_size,))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    if way.compiled:
        model.compile()

    def look() -> None:
        with torch.inference_mode():
            model(images, return_attention=way.maps)

    def step() -> None:
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def turn() -> None:
        torch.set_num_threads(way.threads)
        with torch.autocast("cpu", torch.bfloat16, enabled=way.bfloat16):
            step() if way.trains else look()

    return turn


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """No garbage is collected inside."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds an image, by way, once a round; a first round warms up."""
    turns = {name: make_turn(way) for name, way in WAYS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    with no_collection():
        for count in tqdm(range(-1, rounds), desc="rounds", leave=False):
            for name, turn in turns.items():
                # small batches as often as fill a large one
                repeats = max(1, 64 // WAYS[name].batch_size)
                start = time.perf_counter()
                for _ in range(repeats):
                    turn()
                spent = time.perf_counter() - start
                if count >= 0:
                    seconds[name].append(spent / repeats / WAYS[name].batch_size)
            gc.collect()
    return seconds


def shares() -> dict[str, float]:
    """The part of a training step's time that each kind of operator takes."""
    turn = make_turn(WAYS["training"])
    turn()
    with profile(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(STEPS):
            turn()
    spent = dict.fromkeys([*KINDS, "everything else"], 0.0)
    for row in found.key_averages():
        name = row.key.lower()
        kind = next(
            (kind for kind, parts in KINDS.items() if any(p in name for p in parts)),
            "everything else",
        )
        spent[kind] += row.self_cpu_time_total
    total = sum(spent.values())
    return {kind: round(part / total, 4) for kind, part in spent.items()}


def speed(rounds: int = 15) -> None:
    """Measure every way and write results/speed-cpu.json.

    Args:
        rounds: how often each way takes its turn
    """
    if rounds < 2:
        raise ValueError(f"rounds is {rounds}, expected at least 2")
    about = environment_info("cpu") | {"model": asdict(CONFIG), "rounds": rounds}
    if about["cores"] < 2:
        raise ValueError("there is one core, expected two for two threads")
    seconds = measure(rounds)
    ways = {}
    for name, spent in seconds.items():
        first = "training" if WAYS[name].trains else "inference"
        ratios = [base / own for base, own in zip(seconds[first], spent, strict=True)]
        low, middle, high = quantiles(ratios, n=4)
        ways[name] = {
            "way": asdict(WAYS[name]),
            "times_as_fast": round(middle, 3),
            "quartiles": [round(low, 3), round(high, 3)],
        }
        print(f"{name:28}{middle:6.2f} times as fast")
    spent_on = shares()
    for kind, share in spent_on.items():
        print(f"{kind:28}{share:6.1%}")
    result = about | {"ways": ways, "shares_of_a_step": spent_on}
    write_result(ROOT / "results" / "speed-cpu.json", result)


if __name__ == "__main__":
    run(speed)
