"""Learning: one step, one epoch, the whole run."""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR
from tqdm import tqdm

from vit_tutorial.augment.mixing import draw_strong, strengthen
from vit_tutorial.augment.transforms import augment, draw
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import keep_apart, load_split, remarks, sized_for
from vit_tutorial.data.images import ImageSet, normalise
from vit_tutorial.files import user_path
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.checkpoint import load_run, open_run, save_run
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.distributed import (
    averaged,
    connect,
    join,
    pick_device,
    rank,
    share,
)
from vit_tutorial.training.ema import MovingAverage
from vit_tutorial.training.memory import refuse_too_large
from vit_tutorial.training.metrics import evaluate
from vit_tutorial.training.optimizers import make_optimizers
from vit_tutorial.training.run import Record
from vit_tutorial.training.schedule import learning_rate


def fit(
    model: nn.Module,
    draw: Callable[[int], tuple[Tensor, Tensor]],
    epochs: int,
    rate: float = 2e-3,
    batch: int = 64,
) -> list[float]:
    """Train on fresh images every epoch: `draw(epoch)` -> normalised images, labels.
    The mean loss of each epoch.
    """
    optimizer = AdamW(model.parameters(), lr=rate)
    history = []
    # the rate climbs, then falls
    schedule = OneCycleLR(optimizer, rate, total_steps=epochs + 1)
    for epoch in range(epochs):
        batches = zip(*(part.split(batch) for part in draw(epoch)), strict=True)
        losses = []
        for images, labels in batches:
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
        history.append(sum(losses) / len(losses))
    return history


def train_epoch(
    model: VisionTransformer,
    optimizers: list[Optimizer],
    data: ImageSet,
    epoch: int,
    config: TrainConfig,
    record: Record,
) -> dict[str, float]:
    """One pass over the images: the epoch's mean loss and accuracy, and its last
    learning rate.

    Order, augmentation and dropout follow from the seed and the number of the epoch
    alone, so that a resumed run goes on as if it had never stopped, on the same machine
    with as many threads. Of several processes each takes its share of every batch.
    Raises FloatingPointError, naming the step, when the loss is not finite.
    """
    # all that is random follows from these two seeds
    # dropout: another one in each process
    torch.manual_seed(10_000 * config.seed + epoch + (rank() << 32))
    # order and augmentation
    generator = torch.Generator().manual_seed(10_000 * config.seed + epoch + 2**31)
    # the images in a new order, cut into batches; of each this process takes a slice
    size = min(config.batch_size, len(data))
    # the few images left over wait: a small batch would give each of them more weight
    steps = len(data) // size
    # an epoch of one step is too dear for the rates at both ends, which may be 0
    ends = int(steps == 1)
    order = torch.randperm(len(data), generator=generator).to(data.images.device)
    local_slice = share(size)
    losses, correct = torch.zeros(2, steps, device=data.images.device)
    # mixing is off in the last epochs
    unmixed = epoch > config.epochs - config.mixup_off_epochs
    strong = replace(config.strong, mixup=0.0, cutmix=0.0) if unmixed else config.strong
    model.train()
    with tqdm(
        total=steps,
        desc=f"epoch {epoch}/{config.epochs}",
        leave=False,
        disable=rank() > 0 or None,
    ) as bar:
        for step in range(steps):
            rate = learning_rate(
                (epoch - 1) * steps + step + ends,
                config.epochs * steps + 2 * ends,
                config.warmup_epochs * steps,
                config.warmup_start_lr,
                config.peak_lr,
                config.min_lr,
            )
            rows = order[step * size : (step + 1) * size][local_slice]
            draws = draw(config.augment, size, generator)[local_slice]
            mix_params = draw_strong(strong, size, generator)[local_slice]
            images = augment(data.images[rows], draws, model.config.image_size)
            images, labels = strengthen(
                images, data.labels[rows], mix_params, len(data.classes)
            )
            images = normalise(images, record.mean, record.std)
            losses[step], correct[step] = train_step(
                model, optimizers, images, labels, rate, config
            )
            # true a few times a second: reading a number makes us wait for the device
            if bar.update():
                so_far = slice(max(0, step - 19), step + 1)
                stop_if_not_finite(losses[: step + 1], epoch)
                loss = losses[so_far].mean().item()
                accuracy = correct[so_far].mean().item()
                bar.set_postfix_str(
                    f"loss {loss:.3f}, accuracy {accuracy:.1%}, rate {rate:.1e}",
                    refresh=False,
                )
    # over the processes
    losses = averaged(losses)
    correct = averaged(correct)
    stop_if_not_finite(losses, epoch)
    return {
        "train_loss": losses.mean().item(),
        "train_accuracy": correct.mean().item(),
        "learning_rate": rate,
    }


def train_step(
    model: nn.Module,
    optimizers: list[Optimizer],
    images: Tensor,
    labels: Tensor,
    rate: float,
    config: TrainConfig,
) -> tuple[Tensor, Tensor]:
    """Look, compare, correct: one step on a batch of normalised images; its loss and
    accuracy, still on the device.
    """
    with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda):
        logits = model(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=config.label_smoothing)
    loss.backward()
    if config.grad_clip_norm:
        nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip_norm)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("factor", 1)
        optimizer.step()
        optimizer.zero_grad()
    # of mixed images the class with the larger share
    truth = labels if labels.ndim == 1 else labels.argmax(dim=1)
    return loss.detach(), (logits.argmax(dim=1) == truth).float().mean()


def stop_if_not_finite(losses: Tensor, epoch: int) -> None:
    """Raise FloatingPointError, naming the first step, when a loss is infinite or not a
    number.
    """
    bad = (~losses.isfinite()).nonzero()
    if len(bad):
        step = int(bad[0])
        raise FloatingPointError(
            f"the loss is {losses[step]:g} at epoch {epoch}, step {step + 1}; a lower"
            " peak_lr may help"
        )


def train(
    model_config: ViTConfig,
    data_config: DataConfig,
    config: TrainConfig,
    out: str | Path,
    resume: bool = False,
    report: Callable[[dict], None] = lambda row: None,
    build: Callable[[ViTConfig], nn.Module] = VisionTransformer,
    note: Callable[[str], None] = lambda line: None,
) -> tuple[VisionTransformer, Record]:
    """Train a model and keep it in the folder `out`, which is complete whenever it is
    written; `report` gets each row, `note` each line that there is to say of the
    data.

    With `resume` the run in `out` goes on as if it had never stopped, to the last digit
    on the same machine with as many threads and processes; elsewhere sums are rounded
    in another order. What a kill left unwritten is written first. Of the processes that
    torchrun started the first one writes and reports. `build` makes the model. Returns
    what `load_checkpoint(out)` returns. Raises ValueError when `out` holds a run
    already (or, with `resume`, none or another one), when it is in use, and when model,
    data, memory and the number of processes do not fit; OSError when it cannot be
    written; FloatingPointError for a loss not finite.
    """
    if not str(out).strip():
        raise ValueError(f"out is {str(out)!r}, expected the folder of the run")
    device = pick_device(config.device)
    writes = rank() == 0
    out = user_path(out)
    join(device)
    asked = data_config
    data_config = sized_for(data_config, model_config)
    keep_apart(data_config, out)
    val = load_on(device, data_config, "val")
    for name, count in {
        "classes": len(val.classes),
        "channels": val.images.shape[1],
    }.items():
        if getattr(model_config, name) != count:
            raise ValueError(
                f"the data have {count} {name}, but model.{name} is"
                f" {getattr(model_config, name)}"
            )
    # refused before anything is written
    normalise(val.images[:1], data_config.mean, data_config.std)
    share(config.batch_size)  # so is a batch that the processes cannot share
    if build is VisionTransformer:
        refuse_too_large(model_config)
    # so is a broken picture
    data = val if data_config.drawn else load_on(device, data_config, "train")
    torch.manual_seed(10_000 * config.seed)
    model = build(model_config).to(device)
    optimizers = make_optimizers(model, config)
    settings = {
        "model": asdict(model_config),
        "data": asdict(data_config),
        "training": asdict(config),
    }
    # which it keeps, too
    settings |= (
        {"images": {"train": data.origin, "val": val.origin}} if val.origin else {}
    )
    record = Record(settings, val.classes, data_config.mean, data_config.std)
    with open_run(out, resume) if writes else nullcontext():
        if resume:
            defaults = {
                "model": ViTConfig(),
                "data": DataConfig(),
                "training": TrainConfig(),
            }
            load_run(
                out,
                model,
                optimizers,
                record,
                {name: asdict(part) for name, part in defaults.items()},
            )
        # a run can be resumed in its first epoch, too, and one cut off while it was
        # written is whole again
        if writes:
            save_run(out, model, eval_model(model, optimizers), optimizers, record)
        for line in (
            remarks(asked, data_config, len(data), config.batch_size) if writes else ()
        ):
            note(line)
        if config.compile:
            model.compile()
        learner = connect(model)
        first = len(record.history) + 1
        for epoch in range(first, config.epochs + 1):
            began = time.perf_counter()
            if data_config.drawn:
                data = load_on(device, data_config, "train", epoch)
            row = {"epoch": epoch} | train_epoch(
                learner, optimizers, data, epoch, config, record
            )
            finished = eval_model(model, optimizers)
            scores = evaluate(finished, val, record.mean, record.std)
            if not math.isfinite(scores["loss"]):
                raise FloatingPointError(
                    f"the validation loss is {scores['loss']} after epoch {epoch}"
                )
            row |= {f"val_{name}": scores[name] for name in ("loss", "accuracy")}
            record.history.append(
                row | {"seconds": round(time.perf_counter() - began, 2)}
            )
            if writes and (
                epoch % config.save_every == 0
                or epoch in (config.epochs, *config.snapshots)
            ):
                save_run(out, model, finished, optimizers, record)
            if writes:
                report(record.history[-1])
    return eval_model(model, optimizers).eval(), record


def eval_model(model: nn.Module, optimizers: list[Optimizer]) -> nn.Module:
    """The model that is validated and kept: the moving average where there is one."""
    return (
        optimizers[-1].averaged(model)
        if isinstance(optimizers[-1], MovingAverage)
        else model
    )


def load_on(
    device: torch.device, config: DataConfig, split: str, epoch: int = 0
) -> ImageSet:
    """One split as uint8 tensors on the device, where they stay: a batch is then an
    index, not a copy.
    """
    data = load_split(config, split, epoch)
    return replace(data, images=data.images.to(device), labels=data.labels.to(device))
