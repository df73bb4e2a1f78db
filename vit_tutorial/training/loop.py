"""Learning: one step, one epoch, the whole run."""

import itertools
import math
import time
from collections.abc import Callable, Iterable
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR

from vit_tutorial.augment.augmentation import Augmentation
from vit_tutorial.augment.config import MixingConfig
from vit_tutorial.config import ViTConfig
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import (
    keep_apart,
    labelled_bank,
    load_split,
    remarks,
    sized_for,
)
from vit_tutorial.data.images import ImageSet, Normalization
from vit_tutorial.files import user_path
from vit_tutorial.models import MODELS, build_model, is_transformer
from vit_tutorial.resolution import AtResolution, at_any_resolution
from vit_tutorial.selfsup.learner import Learner
from vit_tutorial.training.allocator import keep_freed_memory
from vit_tutorial.training.batches import epoch_generator
from vit_tutorial.training.checkpoint import (
    load_checkpoint,
    load_run,
    open_run,
    save_run,
)
from vit_tutorial.training.config import TrainConfig
from vit_tutorial.training.distributed import (
    all_reduce_mean,
    init_process_group,
    pick_device,
    rank,
    shard,
    wrap_ddp,
)
from vit_tutorial.training.ema import Ema
from vit_tutorial.training.finetune import prepare, thaw
from vit_tutorial.training.learners import (
    epoch_batches,
    kept,
    make_learner,
    validate_learner,
    watched,
)
from vit_tutorial.training.memory import refuse_model
from vit_tutorial.training.metrics import evaluate
from vit_tutorial.training.objectives import (
    Classification,
    Distillation,
    without_labels,
)
from vit_tutorial.training.optimizers import make_optimizers
from vit_tutorial.training.progress import Progress, stop_if_not_finite
from vit_tutorial.training.run import History, Run, RunConfig
from vit_tutorial.training.schedule import epoch_learning_rates
from vit_tutorial.variants import RotaryBesideAdded

Objective = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, Tensor]]


def fit(
    model: nn.Module,
    draw: Callable[[int], tuple[Tensor, Tensor]],
    epochs: int,
    lr: float = 2e-3,
    batch: int = 64,
) -> list[float]:
    """Train on fresh images every epoch: `draw(epoch)` -> normalised images, labels.
    The mean loss of each epoch.
    """
    optimizer = AdamW(model.parameters(), lr=lr)
    history = []
    # the rate climbs, then falls
    schedule = OneCycleLR(optimizer, lr, total_steps=epochs + 1)
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


def train_step(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    objective: Objective,
    optimizers: list[Optimizer],
    lr: float,
    grad_clip_norm: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Forward, backward, update: one step on normalised images; its loss and accuracy,
    still on the device.
    """
    with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda):
        loss, accuracy = objective(model, images, labels)
    loss.backward()
    if grad_clip_norm:
        nn.utils.clip_grad_norm_(model.parameters(), grad_clip_norm)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = lr * group.get("lr_scale", 1)
        optimizer.step()
        optimizer.zero_grad()
    return loss.detach(), accuracy


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    objective: Objective,
    optimizers: list[Optimizer],
    lrs: list[float],
    grad_clip_norm: float = 0.0,
    after_step: Callable[[Tensor, Tensor], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """One pass over the batches, with a learning rate for each: the loss and the
    accuracy of each step, (steps,) each.
    """
    model.train()
    losses = []
    accuracies = []
    for (images, labels), lr in zip(batches, lrs, strict=True):
        loss, accuracy = train_step(
            model, images, labels, objective, optimizers, lr, grad_clip_norm
        )
        losses.append(loss)
        accuracies.append(accuracy)
        if after_step:
            after_step(loss, accuracy)
    return torch.stack(losses), torch.stack(accuracies)


def run_epoch(
    model: nn.Module,
    optimizers: list[Optimizer],
    data: ImageSet,
    epoch: int,
    config: TrainConfig,
    normalization: Normalization,
    ema: Ema | None = None,
    objective: Objective | None = None,
    quiet: bool = False,
) -> dict[str, float]:
    """An epoch of a run: its mean loss and accuracy, or what else its objective
    watches, and its last learning rate.

    Order, augmentation and dropout follow from the seed and the number of the epoch
    alone, so that a resumed run goes on as if it had never stopped, on the same machine
    with as many threads. Of several processes each takes its share of every batch. The
    objective is by default `Classification`. `quiet` is without a bar.
    Raises FloatingPointError, naming the step, when the loss is not finite.
    """
    # dropout: another one in each process
    torch.manual_seed(10_000 * config.seed + epoch + (rank() << 32))
    size = min(config.batch_size, len(data))
    mixed = epoch <= config.epochs - config.mixup_off_epochs
    augmentation = Augmentation(
        config.augment, config.mixing if mixed else MixingConfig()
    )
    generator = epoch_generator(config.seed, epoch)
    steps = len(data) // size
    lrs = epoch_learning_rates(config, epoch, steps)
    device = next(model.parameters()).device
    shuffled = epoch_batches(
        data,
        config,
        epoch,
        model.config.image_size,
        augmentation,
        normalization,
        generator,
        shard(size),
    )
    # a memory map stays where it is
    there = ((images.to(device), labels.to(device)) for images, labels in shuffled)
    # a model that is not wrapped yet, as `wrapped` wraps it
    learner = at_any_resolution(model) if config.resolution else model
    names = watched(unwrapped(model))
    done = itertools.count(steps * (epoch - 1) + 1)
    # what is interrupted leaves no process that reads pictures
    with (
        closing(shuffled),  # type: ignore[type-var]  # a generator
        Progress(epoch, config.epochs, lrs, names, quiet) as progress,
    ):

        def after_step(loss: Tensor, values: Tensor) -> None:
            inner = unwrapped(model)
            if isinstance(inner, Learner):
                inner.after_step(next(done) / (steps * config.epochs), all_reduce_mean)
            if ema:
                ema.update(inner)
            progress.update(loss, values)

        losses, values = train_epoch(
            learner,
            there,
            objective or Classification(config.label_smoothing),
            optimizers,
            lrs,
            config.grad_clip_norm,
            after_step,
        )
    losses = all_reduce_mean(losses)
    means = all_reduce_mean(values).view(steps, -1).mean(dim=0).tolist()
    stop_if_not_finite(losses, epoch)
    return (
        {"train_loss": losses.mean().item()}
        | {f"train_{name}": mean for name, mean in zip(names, means, strict=True)}
        | {"learning_rate": lrs[-1]}
    )


def wrapped(model: nn.Module, config: TrainConfig) -> nn.Module:
    """The model as it is trained: at other resolutions, compiled, in several
    processes.
    """
    if config.resolution:
        model = at_any_resolution(model)
    if config.compile:
        model.compile()
    return wrap_ddp(model)


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, of one that `wrapped` returned."""
    model = getattr(model, "module", model)
    return model.model if isinstance(model, AtResolution) else model


def train(
    model_config: ViTConfig,
    data_config: DataConfig,
    config: TrainConfig,
    out: str | Path,
    resume: bool = False,
    report: Callable[[dict], None] = lambda row: None,
    note: Callable[[str], None] = lambda line: None,
    quiet: bool = False,
) -> tuple[nn.Module, Run]:
    """Train a model and keep it in the folder `out`, which is complete whenever it is
    written; `report` gets each row of the history, `note` each line that there is to
    say of the data. `quiet` is without a bar.

    With `resume` the run in `out` goes on as if it had never stopped, to the last digit
    on the same machine with as many threads and processes; elsewhere sums are rounded
    in another order. What a kill left unwritten is written first. Of the processes that
    torchrun started the first one writes and reports. Returns what
    `load_checkpoint(out)` returns. Raises ValueError when `out` holds a run already
    (or, with `resume`, none or another one), when it is in use, and when model, data,
    memory and the number of processes do not fit; OSError when it cannot be written;
    FloatingPointError for a loss not finite.
    """
    if not str(out).strip():
        raise ValueError(f"out is {str(out)!r}, expected the folder of the run")
    out = user_path(out)
    device = pick_device(config.device)
    init_process_group(device)
    if device.type == "cpu":
        keep_freed_memory()
    sized = sized_for(data_config, model_config)
    keep_apart(sized, out)
    normalization = Normalization(sized.mean, sized.std)
    val = load_on(device, sized, "val")
    refuse_what_does_not_fit(model_config, sized, config, val)
    objective = make_objective(config, val.classes, normalization, device)
    # a broken picture, too, is refused before anything is written
    data = val if sized.drawn else load_on(device, sized, "train")
    watches = config.self_supervised and config.knn_every
    bank = labelled_bank(sized) if watches else None
    torch.manual_seed(10_000 * config.seed)
    model = build_model(model_config)
    prepare(model, config, val.classes, normalization, resume)
    model = make_learner(model, config).to(device)
    optimizers = make_optimizers(model, config)
    ema = Ema(model, config.ema_decay) if config.ema_decay else None
    images = {"train": data.origin, "val": val.origin} if val.origin else {}
    run_config = RunConfig(
        model_config, sized, config, val.classes, normalization, images
    )
    history = History()
    writes = rank() == 0
    with open_run(out, resume) if writes else nullcontext():
        if resume:
            history = load_run(out, model, optimizers, ema, run_config)
        run = Run(run_config, history)
        if writes:
            # a run can be resumed in its first epoch, too, and one that was cut off
            # while it was written is whole again
            save_run(out, model, optimizers, ema, run)
            for line in remarks(data_config, sized, len(data), config.batch_size):
                note(line)
        ddp_model = wrapped(model, config)
        for epoch in range(len(history) + 1, config.epochs + 1):
            began = time.perf_counter()
            if sized.drawn:
                data = load_on(device, sized, "train", epoch)
            row = {"epoch": epoch} | run_epoch(
                ddp_model,
                optimizers,
                data,
                epoch,
                config,
                normalization,
                ema,
                objective,
                quiet,
            )
            row |= validate(eval_model(model, ema), val, bank, run_config, epoch)
            history.append(row | {"seconds": round(time.perf_counter() - began, 2)})
            if writes:
                stays = epoch in (config.epochs, *config.snapshots)
                if stays or epoch % config.save_every == 0:
                    save_run(out, model, optimizers, ema, run)
                report(history[-1])
    trained = kept(eval_model(model, ema))
    thaw(trained)
    return trained.eval(), run


def make_objective(
    config: TrainConfig,
    classes: tuple[str, ...],
    normalization: Normalization,
    device: torch.device,
) -> Objective:
    """What a run makes smaller. Raises ValueError for a teacher that cannot be loaded,
    or is of other classes or another normalisation.
    """
    if config.self_supervised:
        return without_labels
    if not config.teacher:
        return Classification(config.label_smoothing)
    teacher, run = load_checkpoint(config.teacher, device)
    if run.config.training.self_supervised:
        raise ValueError(
            f"the teacher {config.teacher} was trained without labels and names no"
            " classes: train it on with --init first"
        )
    for name, own in {"classes": classes, "normalization": normalization}.items():
        if getattr(run, name) != own:
            raise ValueError(
                f"the teacher {config.teacher} has {name} {getattr(run, name)},"
                f" expected the run's own, {own}"
            )
    return Distillation(
        at_any_resolution(teacher),
        config.teacher_weight,
        config.teacher_temperature,
        config.label_smoothing,
    )


def refuse_what_does_not_fit(
    model_config: ViTConfig,
    data_config: DataConfig,
    config: TrainConfig,
    data: ImageSet,
) -> None:
    """Raise ValueError where data, model, machine and processes do not fit, before
    anything is made or written.
    """
    found = {"classes": len(data.classes), "channels": data.images.shape[1]}
    for name, count in found.items():
        if getattr(model_config, name) != count:
            raise ValueError(
                f"the data have {count} {name}, but model.{name} is"
                f" {getattr(model_config, name)}"
            )
    blank = torch.zeros(data.images.shape[1:], dtype=torch.uint8)
    Normalization(data_config.mean, data_config.std)(blank)
    if data_config.unlabelled and not config.self_supervised:
        raise ValueError(
            f"data.unlabelled is True, but objective {config.objective!r} needs labels:"
            " expected 'simmim', 'mae' or 'dino'"
        )
    shard(config.batch_size)
    kind = MODELS.get(model_config.name)
    whole = isinstance(kind, type) and issubclass(kind, RotaryBesideAdded)
    if whole and (config.resolution or config.objective in ("mae", "dino")):
        raise ValueError(
            f"model.name is {model_config.name!r}, whose rotary positions need whole"
            " pictures of one size: expected no training.resolution and another"
            " objective than 'mae' and 'dino'"
        )
    if is_transformer(model_config):
        refuse_model(model_config, config)
        for side in config.resolution:
            try:
                replace(model_config, image_size=side)
            except ValueError as error:
                raise ValueError(f"training.resolution {side}: {error}") from error


def validate(
    model: nn.Module,
    val: ImageSet,
    bank: ImageSet | None,
    run: RunConfig,
    epoch: int,
) -> dict[str, float]:
    """What a row of the history says of the validation images after an epoch; a learner
    is watched by k-NN, which asks the `bank`, when that is due. Raises
    FloatingPointError when the loss is not finite.
    """
    if isinstance(model, Learner):
        every = run.training.knn_every
        due = every and (epoch % every == 0 or epoch == run.training.epochs)
        asked = bank if due else None
        scores = validate_learner(model, asked, val, run.training, run.normalization)
    else:
        scores = evaluate(model, val, run.normalization)
    if not math.isfinite(scores["loss"]):
        raise FloatingPointError(
            f"the validation loss is {scores['loss']} after epoch {epoch}"
        )
    return {f"val_{name}": value for name, value in scores.items() if name != "n"}


def eval_model(model: nn.Module, ema: Ema | None) -> nn.Module:
    """The model that is validated and kept: the moving average where there is one."""
    return ema.averaged(model) if ema else model


def load_on(
    device: torch.device,
    config: DataConfig,
    split: Literal["train", "val", "test"],
    epoch: int = 0,
) -> ImageSet:
    """One split as uint8 tensors on the device, where they stay: a batch is then an
    index, not a copy. What is left on the disk stays there: a memory map, and pictures
    that `workers` read, whose batches come to the device one by one.
    """
    data = load_split(config, split, epoch)
    if config.unlabelled and split == "train":
        return data
    return replace(data, images=data.images.to(device), labels=data.labels.to(device))
