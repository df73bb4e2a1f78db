"""Saving, loading and resuming runs: tensors and JSON only, nothing that could run code
when it is opened.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from math import prod
from pathlib import Path
from typing import cast

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from vit_tutorial.config import ViTConfig
from vit_tutorial.files import user_path, write_file
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import build_model, is_transformer
from vit_tutorial.settings import shown
from vit_tutorial.training.ema import Ema
from vit_tutorial.training.learners import kept
from vit_tutorial.training.memory import matrix_values
from vit_tutorial.training.migrate import migrate_state
from vit_tutorial.training.run import (
    History,
    Run,
    RunConfig,
    checked,
    checked_file,
    from_json,
    in_line,
    read_run,
    to_json,
)

SHIPPED = Path(str(resources.files("vit_tutorial"))) / "checkpoints"
# settings that a run's result does not depend on
MAY_CHANGE = ("data.root", "data.workers", "training.device", "training.save_every")
# what an optimiser remembers of each parameter
REMEMBERED = {"AdamW": {"step", "exp_avg", "exp_avg_sq"}, "Muon": {"momentum_buffer"}}
# what torch.compile and DistributedDataParallel put before every name
WRAPPERS = ("_orig_mod.", "module.")

Shapes = Mapping[str, tuple[int, ...]]  # of tensors, by name


def load_checkpoint(
    name_or_path: str | Path, device: str | torch.device = "cpu"
) -> tuple[VisionTransformer, Run]:
    """A trained model in eval mode and its run: of a shipped name, a run's folder or a
    .safetensors file in one.

    Weights of any precision become float32. Raises ValueError, one line with the path,
    for a name that is also a run's folder, for a file that is missing, truncated, a
    pickle or of another architecture, and for a broken config or history.
    """
    path = find_weights(name_or_path)
    with opened(path) as file:
        texts = file.metadata() or {}
    if "history" in texts:
        raise ValueError(
            f"{path} is for resuming the run: give its folder, {path.parent}"
        )
    run = read_run(path.parent)
    return load_model(run.config.model, path).to(device).eval(), run


def load_model(config: ViTConfig, path: Path) -> VisionTransformer:
    """The model of a config with the weights of a file. Raises ValueError for a file of
    other weights, before they are read, and for damaged ones, before it is built.
    """
    with opened(path) as file:
        names = own_names(file)
        shapes = {name: shape_of(file, names[name]) for name in names}
        refuse_far_larger(config, shapes, path)
        try:
            with torch.device("meta"):  # where tensors take no memory
                expected = build_model(config).state_dict()
        except ValueError as error:
            raise ValueError(f"{path} is of an unknown model: {error}") from error
        check_shapes(expected, shapes, path)
        weights = copied(file, names)
    check_values(expected, weights, path)
    model = cast("VisionTransformer", build_model(config))  # or a CNN of its kind
    model.load_state_dict(weights)
    return model


def refuse_far_larger(config: ViTConfig, shapes: Shapes, path: Path) -> None:
    """Raise ValueError for a config whose model is far larger than a file of tensors of
    these shapes.
    """
    held = sum(map(prod, shapes.values()))
    described = matrix_values(config)
    too_large = described > 20 * held + 10**7 or config.depth > len(shapes)
    if is_transformer(config) and too_large:
        largest = (
            f"the model of its config has at least {described:,} values, the file"
            f" {held:,}"
        )
        raise ValueError(f"{path} is of another architecture: {largest}")


def load_snapshots(
    name_or_path: str | Path, device: str | torch.device = "cpu"
) -> dict[int, VisionTransformer]:
    """The models of a run's snapshots by epoch, in order, the finished one last; all in
    eval mode.

    Takes what `load_checkpoint` takes. Raises ValueError when the run kept none, and
    what `load_checkpoint` raises.
    """
    model, run = load_checkpoint(name_or_path, device)
    folder = find_weights(name_or_path).parent / "snapshots"
    models = {}
    for path in folder.glob("*.safetensors"):
        if number := re.fullmatch(r"epoch-([0-9]{3,9})", path.stem):
            snapshot = load_model(model.config, path).to(device).eval()
            models[int(number[1])] = snapshot
    if not models:
        raise ValueError(
            f"{folder} holds no snapshots: train with --training.snapshots '[0, 1,"
            " 2]', say"
        )
    return {**dict(sorted(models.items())), len(run.history): model}


def shipped_names() -> list[str]:
    """The names of the models that come with the package."""
    return (
        sorted(folder.name for folder in SHIPPED.iterdir() if folder.is_dir())
        if SHIPPED.is_dir()
        else []
    )


def find_weights(name_or_path: str | Path) -> Path:
    """The .safetensors file of a shipped name, a folder or a file. Raises ValueError,
    with the shipped names.

    A name that is also the folder of a run here is refused: ./NAME is the folder,
    without doubt.
    """
    names = shipped_names()
    here = user_path(name_or_path)
    path = SHIPPED / name_or_path if name_or_path in names else here
    if path != here and (here.is_file() or any(here.glob("*.safetensors"))):
        both = f"{str(here)!r} is a shipped model and a run's folder here"
        raise ValueError(
            f"{both}: write {os.path.join(os.curdir, here)} for the folder, or rename"
            " it for the model"
        )
    if path.is_dir() and str(name_or_path):
        path = path / "model.safetensors"
        if not path.is_file():
            raise ValueError(
                f"{path.parent} holds no model.safetensors: it is not the folder of"
                " a run"
            )
    if not path.is_file():
        raise ValueError(
            f"no checkpoint {str(name_or_path)!r}: neither a file, a run's folder nor"
            f" one of {names}"
        )
    if path.suffix != ".safetensors":
        raise ValueError(
            f"{path} is no .safetensors file; pickles (.pt, .pth, .bin) can run code"
            " and are never loaded"
        )
    return path


@contextmanager
def opened(path: Path) -> Iterator[safe_open]:
    """A .safetensors file to read from. Raises ValueError for another, and for one that
    memory does not hold; a pickle is not opened as one.
    """
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        with path.open("rb") as file:
            start = file.read(2)
        # a zip archive by torch.save, or a bare pickle
        if start in (b"PK", b"\x80\x02", b"\x80\x04"):
            raise ValueError(
                f"{path} is a pickle under another name; it can run code and is never"
                " loaded"
            ) from error
        reason = " ".join(str(error)[:200].split())  # may quote the file
        raise ValueError(
            f"{path} is truncated or no safetensors file ({reason})"
        ) from error
    except (RuntimeError, MemoryError) as error:  # larger than what can be mapped
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} cannot be read: {reason}") from error


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the text of a .safetensors file, copied into memory: the file may
    then change or go.
    """
    with opened(path) as file:
        return copied(file, own_names(file)), file.metadata() or {}


def copied(file: safe_open, names: dict[str, str]) -> dict[str, Tensor]:
    """The tensors of a file by the names that the model has, in memory of their own."""
    return {own: file.get_tensor(its).clone() for own, its in names.items()}


def own_names(file: safe_open) -> dict[str, str]:
    """The names of a file's tensors as the model has them, and as the file has."""
    names = list(file.keys())
    wrapper = next(
        (start for start in WRAPPERS if all(name.startswith(start) for name in names)),
        "",
    )
    return {name.removeprefix(wrapper): name for name in names}


def shape_of(file: safe_open, name: str) -> tuple[int, ...]:
    """The shape of a tensor of a file, which is not read for it."""
    return tuple(file.get_slice(name).get_shape())


def check_shapes(expected: Mapping[str, Tensor], shapes: Shapes, path: Path) -> None:
    """Raise ValueError, naming the first tensor that is missing, extra or of another
    shape than expected.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    for name in [*wanted, *shapes]:
        if shapes.get(name) != wanted.get(name):
            have, want = (
                shown(of[name]) if name in of else "nothing" for of in (shapes, wanted)
            )
            raise ValueError(
                f"{path} is of another architecture: {in_line(name)} holds {have},"
                f" expected {want}"
            )


def check_values(
    expected: Mapping[str, Tensor], weights: Mapping[str, Tensor], path: Path
) -> None:
    """Raise ValueError, naming the first of the expected tensors that is of another
    kind or not finite.
    """
    for name in expected:
        if weights[name].is_floating_point() != expected[name].is_floating_point():
            raise ValueError(
                f"{path} is damaged: {name} is {weights[name].dtype}, expected"
                f" {expected[name].dtype}"
            )
        # as they will be: what float64 holds may be too large
        if not weights[name].to(expected[name].dtype).isfinite().all():
            raise ValueError(
                f"{path} is damaged: {name} holds values that are not finite"
            )


def set_weights(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Copy weights into the model. Raises ValueError naming the first that is missing,
    extra or of another shape.
    """
    expected = model.state_dict()
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    check_shapes(expected, shapes, path)
    check_values(expected, weights, path)
    model.load_state_dict(weights)


def save_run(
    folder: Path,
    model: nn.Module,
    optimizers: list[Optimizer],
    ema: Ema | None,
    run: Run,
) -> None:
    """Write a run's files, and in half precision the weights of an epoch that is among
    the run's snapshots.

    Kept for use are the averaged weights, where there is an average. The state counts:
    once it is written, so is the epoch. All else follows from it, and `train` writes it
    anew when it resumes, so a kill between two files does no harm.
    """
    live = _tensors(model)
    weights = _tensors(kept(ema.averaged(model) if ema else model))
    if len(run.history) in run.config.training.snapshots:
        path = folder / "snapshots" / f"epoch-{len(run.history):03}.safetensors"
        path.parent.mkdir(exist_ok=True)
        write_file(path, save(halved(weights)))
    state = {f"model/{name}": tensor for name, tensor in live.items()}
    for number, optimizer in enumerate(optimizers):
        for index, values in optimizer.state_dict()["state"].items():
            for name, tensor in values.items():
                state[f"{number}/{index}/{name}"] = tensor.cpu().contiguous()
    if ema:
        for name, tensor in ema.state_dict().items():
            state[f"ema/{name}"] = tensor.cpu().contiguous()
    config = to_json(run.config.as_dict())
    history = to_json(run.history)
    texts = {"config": config, "history": history, "digest": digest(state, history)}
    write_file(folder / "state.safetensors", save(state, texts))
    write_file(folder / "model.safetensors", save(weights))
    write_file(folder / "config.json", config.encode())
    write_file(folder / "history.json", history.encode())


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    """The weights and buffers of a module as they are written."""
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in module.state_dict().items()
    }


def halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors in half precision; whole numbers, a batch norm's counter, stay."""
    return {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


def digest(tensors: dict[str, Tensor], history: str) -> str:
    """What tells a state from one that was damaged or changed by other hands: SHA-256
    of its tensors and history.
    """
    return hashlib.sha256(save(tensors) + history.encode()).hexdigest()


@contextmanager
def open_run(folder: Path, resume: bool) -> Iterator[Path]:
    """The folder of a run, made if need be, closed to other processes. Raises
    ValueError when it is not as expected.

    A run that has not finished its first epoch has nothing to lose: another may begin
    in its place.
    """
    if resume:
        read_state(folder)
    if folder.is_file():
        raise ValueError(f"{folder} is a file, expected the folder of a run")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder / ".lock", timeout=0).acquire()
    except Timeout as error:
        raise ValueError(f"another process is training in {folder}") from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"{folder} cannot be locked: {reason}; choose a folder on another disk"
        ) from error
    with lock:
        if not resume:
            if holds_run(folder):
                raise ValueError(
                    f"{folder} already holds a run: resume it, or choose another folder"
                )
            shutil.rmtree(folder / "snapshots", ignore_errors=True)
            # of a run with other settings: a kill before they are written anew would
            # leave them beside this run's state
            for name in ("config.json", "history.json", "model.safetensors"):
                (folder / name).unlink(missing_ok=True)
        yield folder


def holds_run(folder: Path) -> bool:
    """Whether a folder holds weights, other than those of a run without a finished
    epoch.
    """
    try:
        return bool(read_state(folder).history)
    except (ValueError, OSError):
        return any(folder.glob("*.safetensors"))


def read_state(folder: Path) -> Run:
    """Config and history of the run that can be resumed in `folder`. Raises ValueError
    when there is none.
    """
    path = folder / "state.safetensors"
    if not path.is_file():
        raise ValueError(f"{folder} holds no run to resume")
    with opened(path) as file:
        texts = file.metadata() or {}
        shapes = {name: shape_of(file, name) for name in file.keys()}  # noqa: SIM118
    if not {"config", "history"} <= texts.keys():
        raise ValueError(f"{path} is not the state of a run")
    config = checked(path, RunConfig.from_dict, texts["config"])
    refuse_far_larger(config.model, shapes, path)
    return Run(config, checked(path, History.from_rows, texts["history"]))


def load_run(
    folder: Path,
    model: nn.Module,
    optimizers: list[Optimizer],
    ema: Ema | None,
    config: RunConfig,
) -> History:
    """Bring model, optimisers and average to where the run in `folder` stopped; its
    history.

    A setting that the run is older than was at its default. Raises ValueError for a
    damaged file, and when the run was started with other settings, or its config.json
    was edited, naming the first.
    """
    path = folder / "state.safetensors"
    edited = folder / "config.json"
    old = read_state(folder)
    was = from_json(to_json(old.config.as_dict()))
    refuse_changes(was, from_json(to_json(config.as_dict())))
    if edited.is_file():
        now = checked_file(edited, RunConfig.from_dict)
        refuse_changes(was, from_json(to_json(now.as_dict())), f"{edited}: ")
    tensors, texts = read_tensors(path)
    if texts.get("digest", own := digest(tensors, texts["history"])) != own:
        raise ValueError(
            f"{path} is damaged: its values are not those that were written"
        )
    tensors = migrate_state(tensors, [name for name, _ in model.named_parameters()])
    set_weights(model, _within(tensors, "model/"), path)
    for number, optimizer in enumerate(optimizers):
        state = optimizer_state(tensors, number, optimizer, path)
        if old.history and not state:
            raise ValueError(
                f"{path} is damaged: it lacks the state of optimizer {number}"
            )
        optimizer.load_state_dict(
            {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
        )
    averages = _within(tensors, "ema/")
    if ema and (old.history or averages):
        try:
            ema.load_state_dict(averages)
        # of a number of steps that is none
        except (ValueError, RuntimeError, OverflowError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        check_values(ema.averages, averages, path)
    return old.history


def _within(tensors: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that beginning."""
    return {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }


def optimizer_state(
    tensors: dict[str, Tensor], number: int, optimizer: Optimizer, path: Path
) -> dict[int, dict]:
    """The state of optimiser `number`: by parameter, then by name. Raises ValueError
    for one that does not fit it.
    """
    parameters = [
        parameter for group in optimizer.param_groups for parameter in group["params"]
    ]
    remembered = REMEMBERED[type(optimizer).__name__]
    state: dict[int, dict] = {}
    for name, tensor in tensors.items():
        if not (place := re.fullmatch(rf"{number}/([0-9]+)/(\w+)", name)):
            continue
        index = int(place[1])
        key = place[2]
        if index >= len(parameters) or tensor.shape != (
            () if key == "step" else parameters[index].shape
        ):
            raise ValueError(
                f"{path} is damaged: {name} of {tuple(tensor.shape)} fits no parameter"
            )
        state.setdefault(index, {})[key] = tensor
    if any(values.keys() != remembered for values in state.values()):
        raise ValueError(
            f"{path} is damaged: parts of the state of optimizer {number} are missing"
        )
    return state


def refuse_changes(old: dict, new: dict, before: str = "", within: str = "") -> None:
    """Raise ValueError, `before` first, for the first setting that differs and is not
    among `MAY_CHANGE`.
    """
    for name in {**old, **new}:
        was = old.get(name, "not set")
        now = new.get(name, "not set")
        if isinstance(was, dict) and isinstance(now, dict):
            refuse_changes(was, now, before, f"{within}{name}.")
        elif was != now and within + name not in MAY_CHANGE:
            changed = f"{within}{name} was {shown(was)} and is now {shown(now)}"
            raise ValueError(f"{before}a resumed run keeps its settings: {changed}")
