"""Training speed and memory of our Vision Transformer beside four others': same sizes,
optimiser and batch.

They are torchvision's, timm's and Hugging Face's, equal to ours parameter for
parameter, and vit-pytorch's SimpleViT, which is a little smaller: it has no class
token, no learned positions and no biases in its attention.

    python benchmarks/throughput.py                      on the GPU where there is one,
        else on the CPU
    python benchmarks/throughput.py --device cpu --batch_size 64 --repeats 15 --steps 2
    python benchmarks/throughput.py --device cuda --dim 384 --depth 12 --heads 6
        --batch_size 512 --compile true

All models take turns in one run, so that whatever slows the machine down slows all of
them; so does ours with the augmentation of the recipe stl10 before each step, which
shows what that costs. Writes results/throughput-DEVICE.json, or
throughput-DEVICE-compiled.json.
"""

import gc
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from operator import truediv
from pathlib import Path
from statistics import median
from typing import Literal

import psutil
import timm
import torch
import torch.nn.functional as F
import torchvision
import transformers
from torch import Tensor, nn
from tqdm import tqdm
from vit_pytorch import SimpleViT

from experiments.plans import read_plan
from experiments.results import ROOT, environment_info, run, write_result
from vit_tutorial.augment.augmentation import Augmentation
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import normalise, to_device_of
from vit_tutorial.data.stl10 import STL10_MEAN, STL10_STD
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.training.distributed import pick_device

AUGMENTED = "vit_tutorial, augmented"
IMAGES = 4000  # to draw batches from, as many as STL-10's training split


@dataclass(frozen=True)
class Setting:
    """What is measured, and where. `threads` are the CPU's."""

    model: ViTConfig
    device: str
    batch_size: int
    compile: bool
    threads: int


def theirs_torchvision(c: ViTConfig) -> nn.Module:
    return torchvision.models.VisionTransformer(
        c.image_size,
        c.patch_size,
        c.depth,
        c.heads,
        c.dim,
        round(c.dim * c.mlp_ratio),
        num_classes=c.classes,
    )


def theirs_timm(c: ViTConfig) -> nn.Module:
    return timm.models.vision_transformer.VisionTransformer(
        img_size=c.image_size,
        patch_size=c.patch_size,
        embed_dim=c.dim,
        depth=c.depth,
        num_heads=c.heads,
        num_classes=c.classes,
    )


class HuggingFace(nn.Module):
    """Hugging Face's ViT, returning logits alone."""

    def __init__(self, c: ViTConfig) -> None:
        super().__init__()
        config = transformers.ViTConfig(
            image_size=c.image_size,
            patch_size=c.patch_size,
            hidden_size=c.dim,
            num_hidden_layers=c.depth,
            num_attention_heads=c.heads,
            intermediate_size=round(c.dim * c.mlp_ratio),
            num_labels=c.classes,
            hidden_dropout_prob=0.0,
            attn_implementation="sdpa",
        )
        self.model = transformers.ViTForImageClassification(config)

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images).logits


def theirs_vit_pytorch(c: ViTConfig) -> nn.Module:
    return SimpleViT(
        image_size=c.image_size,
        patch_size=c.patch_size,
        num_classes=c.classes,
        dim=c.dim,
        depth=c.depth,
        heads=c.heads,
        mlp_dim=round(c.dim * c.mlp_ratio),
        dim_head=c.dim // c.heads,
    )


CONTENDERS: dict[str, Callable[[ViTConfig], nn.Module]] = {
    "vit_tutorial": VisionTransformer,
    "torchvision": theirs_torchvision,
    "timm": theirs_timm,
    "huggingface": HuggingFace,
    "vit-pytorch": theirs_vit_pytorch,
}


def make_batches(
    setting: Setting, augmented: bool
) -> Callable[[], tuple[Tensor, Tensor]]:
    """A function that gives normalised images and labels: always the same, or augmented
    afresh from uint8 images.
    """
    c = setting.model
    device = setting.device
    count = IMAGES if augmented else setting.batch_size
    images = torch.randint(
        256, (count, c.channels, *c.sides), dtype=torch.uint8, device=device
    )
    labels = torch.randint(c.classes, (count,), device=device)
    if not augmented:
        ready = normalise(images, STL10_MEAN, STL10_STD)
        return lambda: (ready, labels)
    training = read_plan("stl10", []).training
    recipe = Augmentation(training.augment, training.mixing)
    generator = torch.Generator().manual_seed(0)

    def batch() -> tuple[Tensor, Tensor]:
        """As in `run_epoch`."""
        rows = to_device_of(
            images, torch.randint(count, (setting.batch_size,), generator=generator)
        )
        draws = recipe.draw(len(rows), generator)
        some, truth = recipe.apply(
            images[rows], labels[rows], draws, c.image_size, c.classes
        )
        return normalise(some, STL10_MEAN, STL10_STD), truth

    return batch


def make_step(name: str, setting: Setting) -> Callable[[], None]:
    """One training step: forward, loss, backward, AdamW; under bf16 autocast on a GPU,
    in float32 on the CPU.
    """
    torch.manual_seed(0)
    device = setting.device
    build = CONTENDERS["vit_tutorial" if name == AUGMENTED else name]
    model = build(setting.model).to(device).train()
    size = count_parameters(model) / count_parameters(VisionTransformer(setting.model))
    assert size == 1 or (name == "vit-pytorch" and 0.97 < size < 1), (
        "the models differ in size: no fair comparison"
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.05)
    batch = make_batches(setting, augmented=name == AUGMENTED)
    if setting.compile:
        model.compile()

    def step() -> None:
        images, labels = batch()
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            loss: Tensor = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def peak_memory(name: str, setting: Setting) -> float:
    """MiB that building a model and training it for three steps adds. On the CPU: to be
    called in a fresh process.
    """

    def peak() -> float:
        if setting.device == "cuda":
            return torch.cuda.max_memory_allocated() / 2**20
        if sys.platform == "win32":
            return psutil.Process().memory_info().peak_wset / 2**20
        import resource  # which Windows lacks

        # ru_maxrss: bytes there, KiB on Linux
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit

    torch.set_num_threads(setting.threads)
    if setting.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    before = peak()
    step = make_step(name, setting)
    for _ in range(3):
        step()
    return peak() - before


def measure_memory(setting: Setting) -> dict[str, float]:
    """Peak MiB of each contender; on the CPU each in its own process, started while
    this one is still small.
    """
    memory = {}
    for name in CONTENDERS:
        # the allocator counts for itself: no fresh process is needed
        if setting.device == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
            memory[name] = peak_memory(name, setting)
            continue
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            memory[name] = pool.submit(peak_memory, name, setting).result()
    return memory


def measure_seconds(
    setting: Setting, repeats: int, steps: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds of `steps` training steps, `repeats` times each in turn: wall time, and
    processor time of all threads.
    """

    def wait() -> None:
        if setting.device == "cuda":
            torch.cuda.synchronize()

    contenders = {name: make_step(name, setting) for name in [*CONTENDERS, AUGMENTED]}
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    processor: dict[str, list[float]] = {name: [] for name in contenders}
    gc.disable()
    names = list(contenders)
    # the first round warms up
    for repeat in tqdm(range(-1, repeats), desc="rounds", leave=False):
        # nobody is always first
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            wait()
            start = time.perf_counter(), time.process_time()
            for _ in range(steps):
                contenders[name]()
            wait()
            if repeat >= 0:
                wall[name].append(time.perf_counter() - start[0])
                processor[name].append(time.process_time() - start[1])
        gc.collect()
    gc.enable()
    return wall, processor


def compare(
    wall: dict[str, list[float]],
    processor: dict[str, list[float]],
    memory: dict[str, float],
    images: int,
) -> dict[str, dict[str, float]]:
    """What the result says of each contender; a turn takes `images` images."""
    fastest = min(map(median, wall.values()))
    least = min(map(median, processor.values()))
    # each round's own ratio: what slows one round down slows all of them
    best = [min(turn) for turn in zip(*wall.values(), strict=True)]
    return {
        name: {
            "images_per_second": images / median(seconds),
            "relative_speed": fastest / median(seconds),
            "relative_speed_by_round": median(map(truediv, best, seconds)),
            "relative_processor_time": median(processor[name]) / least,
            "peak_mib": memory[name],
            "relative_memory": memory[name] / min(memory.values()),
        }
        for name, seconds in wall.items()
    }


def show(rows: dict[str, dict[str, float]], augmentation: dict[str, float]) -> None:
    print(
        f"{'':14}{'images/s':>10}{'speed':>8}{'by round':>10}"
        f"{'CPU time':>10}{'peak MiB':>10}{'memory':>8}"
    )
    row = "{:14}{:10.1f}{:8.3f}{:10.3f}{:10.3f}{:10.0f}{:8.3f}"
    for name, values in rows.items():
        print(row.format(name, *values.values()))
    print(
        "augmentation: {share:.1%} of a step of vit_tutorial, {images_per_second:.1f}"
        " images/s".format(**augmentation)
    )


def main(
    device: Literal["auto", "cpu", "cuda"] = "auto",
    batch_size: int = 64,
    dim: int = 192,
    depth: int = 6,
    heads: int = 3,
    patch_size: int = 8,
    compile: bool = False,
    repeats: int = 15,
    steps: int | None = None,
    threads: int | None = None,
    out: Path = ROOT / "results",
) -> None:
    """Compare training speed and memory of our model with the others'.

    Args:
        device: where to train
        batch_size: images a step
        dim: width of a token
        depth: number of blocks
        heads: heads of each attention
        patch_size: side of a patch, of images of 96 pixels
        compile: whether all models are compiled by torch.compile
        repeats: measured turns of each model; medians are reported
        steps: training steps a turn; 2 on the CPU and 20 on a GPU unless given
        threads: CPU threads; all cores unless given
        out: the folder of the result
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if steps is None:
        steps = {"cpu": 2, "cuda": 20}[device]
    if threads is None:
        threads = torch.get_num_threads()
    counts = {"batch_size": batch_size, "repeats": repeats}
    for name, count in (counts | {"steps": steps, "threads": threads}).items():
        if count < 1:
            raise ValueError(f"{name} is {count}, expected at least 1")
    pick_device(device)  # which may not be there
    torch.set_num_threads(threads)
    config = ViTConfig(
        image_size=96,
        patch_size=patch_size,
        dim=dim,
        depth=depth,
        heads=heads,
        classes=10,
    )
    setting = Setting(config, device, batch_size, compile, threads)
    memory = measure_memory(setting)
    wall, processor = measure_seconds(setting, repeats, steps)

    augmented = wall.pop(AUGMENTED)
    processor.pop(AUGMENTED)
    images = batch_size * steps
    augmentation = {
        "share": 1 - median(map(truediv, wall["vit_tutorial"], augmented)),
        "images_per_second": images / median(augmented),
    }
    rows = compare(wall, processor, memory, images)
    show(rows, augmentation)
    for row in (augmentation, *rows.values()):
        if device == "cpu":  # seconds of some laptop tell nobody anything; ratios do
            del row["images_per_second"]
        row.update({key: round(value, 3) for key, value in row.items()})
    about = {
        "batch_size": batch_size,
        "repeats": repeats,
        "steps": steps,
        "threads": threads,
        "compiled": compile,
        "precision": "bf16 autocast" if device == "cuda" else "float32",
        "optimiser": "AdamW",
    }
    packages = ("torchvision", "timm", "transformers", "vit-pytorch")
    result = environment_info(device, *packages) | {"model": asdict(config)}
    result |= {"setting": about, "contenders": rows, "augmentation": augmentation}
    path = out / f"throughput-{device}{'-compiled' * compile}.json"
    write_result(path, result)
    print(f"written: {path}")


if __name__ == "__main__":
    run(main)
