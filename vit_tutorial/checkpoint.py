"""Saving, loading and resuming runs: tensors and JSON only, nothing that could run code when it is opened."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer

SHIPPED = Path(str(resources.files("vit_tutorial"))) / "checkpoints"
MAY_CHANGE = ("data.root", "training.device", "training.save_every")  # settings that a run's result does not depend on


@dataclass(frozen=True)
class Record:
    """What a run knows besides its weights; `record["classes"]` is `record.classes`.

    `config` is the run's config.json: the settings of "model", "data" and "training". `mean` and `std` are those the
    model's images are normalised with. `history` has one row an epoch.
    """

    config: dict
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    history: list[dict] = field(default_factory=list)

    def __getitem__(self, name: str) -> dict | tuple | list:
        return vars(self)[name]

    def settings(self) -> str:
        """What config.json holds."""
        names = {"classes": self.classes, "mean": self.mean, "std": self.std}
        return json.dumps(self.config | names, indent=2) + "\n"


def load_checkpoint(name_or_path: str | Path, device: str | torch.device = "cpu") -> tuple[VisionTransformer, Record]:
    """A trained model in eval mode and its record, from a shipped name, a run's folder or a .safetensors file in one.

    Weights of any precision become float32. Raises ValueError, one line with the path, for a file that is missing,
    truncated, a pickle or of another architecture, and for a broken config.json.
    """
    path = find_weights(name_or_path)
    weights, texts = read_tensors(path)
    if "history" in texts:
        raise ValueError(f"{path} is for resuming the run: give its folder, {path.parent}")
    record = read_record(path.parent)
    try:
        model = VisionTransformer(ViTConfig(**record.config["model"]))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path.parent / 'config.json'} describes no model: {error}") from error
    set_weights(model, weights, path)
    return model.to(device).eval(), record


def load_snapshots(name_or_path: str | Path, device: str | torch.device = "cpu") -> dict[int, VisionTransformer]:
    """The models of a run's snapshots by epoch, in order, the finished one last; all in eval mode.

    Takes what `load_checkpoint` takes. Raises ValueError when the run kept none, and what `load_checkpoint` raises.
    """
    model, record = load_checkpoint(name_or_path, device)
    folder = find_weights(name_or_path).parent / "snapshots"
    models = {}
    for path in sorted(folder.glob("epoch-*.safetensors")):
        snapshot = VisionTransformer(model.config)
        set_weights(snapshot, read_tensors(path)[0], path)
        models[int(path.stem.removeprefix("epoch-"))] = snapshot.to(device).eval()
    if not models:
        raise ValueError(f"{folder} holds no snapshots: train with --training.snapshots '[0, 1, 2]', say")
    return {**models, len(record.history): model}


def find_weights(name_or_path: str | Path) -> Path:
    """The .safetensors file of a shipped name, a folder or a file. Raises ValueError, with the shipped names."""
    names = sorted(folder.name for folder in SHIPPED.iterdir() if folder.is_dir()) if SHIPPED.is_dir() else []
    path = SHIPPED / name_or_path if name_or_path in names else Path(name_or_path)
    if path.is_dir():
        path = path / "model.safetensors"
        if not path.is_file():
            raise ValueError(f"{path.parent} holds no model.safetensors: it is not the folder of a run")
    if not path.is_file():
        raise ValueError(f"no checkpoint {str(name_or_path)!r}: neither a file, a run's folder nor one of {names}")
    if path.suffix != ".safetensors":
        raise ValueError(f"{path} is no .safetensors file; pickles (.pt, .pth, .bin) can run code and are never loaded")
    return path


def read_record(folder: Path) -> Record:
    """The record of a run from config.json and, where there is one, history.json."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        classes, mean, std = (tuple(config[name]) for name in ("classes", "mean", "std"))
        if not all(isinstance(part, dict) for part in (config["model"], config["data"], config.get("training", {}))):
            raise TypeError("'model', 'data' and 'training' must hold settings")
        path = folder / "history.json"
        history = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing: the weights alone do not say which model they are for") from error
    except KeyError as error:
        raise ValueError(f"{path} is broken: it has no {error}") from error
    except (TypeError, ValueError) as error:  # JSON's own error is a ValueError
        raise ValueError(f"{path} is broken: {error}") from error
    return Record(config, classes, mean, std, history)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors and the text of a .safetensors file; a pickle is refused without being opened as one."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        with path.open("rb") as file:
            start = file.read(2)
        if start in (b"PK", b"\x80\x02", b"\x80\x04"):  # a zip archive by torch.save, or a bare pickle
            raise ValueError(f"{path} is a pickle under another name; it can run code and is never loaded") from error
        raise ValueError(f"{path} is truncated or no safetensors file ({error})") from error


def set_weights(model: nn.Module, weights: dict[str, Tensor], path: Path) -> None:
    """Copy weights into the model. Raises ValueError naming the first that is missing, extra or of another shape."""
    expected = model.state_dict()
    for name in [*expected, *weights]:
        have, want = (tuple(of[name].shape) if name in of else "nothing" for of in (weights, expected))
        if have != want:
            raise ValueError(f"{path} is of another architecture: {name} holds {have}, expected {want}")
    model.load_state_dict(weights)


def write_file(path: Path, content: bytes) -> None:
    """Write all or nothing: under a temporary name in the same folder, then renamed. Raises OSError with the path."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        if part.exists():
            part.unlink()


def save_run(folder: Path, model: nn.Module, finished: nn.Module, optimizers: list[Optimizer], record: Record) -> None:
    """Write a run's files, and in half precision the weights of an epoch that is among the run's snapshots.

    `model` is what training goes on with, `finished` what is kept for use: the moving average, or the model itself.
    Everything `load_run` needs is in one file, so a kill between two of them does no harm.
    """
    live, weights = (
        {name: tensor.detach().cpu().contiguous() for name, tensor in module.state_dict().items()}
        for module in (model, finished)
    )
    if len(record.history) in record.config["training"].get("snapshots", ()):
        path = folder / "snapshots" / f"epoch-{len(record.history):03}.safetensors"
        path.parent.mkdir(exist_ok=True)
        write_file(path, save({name: tensor.half() for name, tensor in weights.items()}))
    state = {f"model/{name}": tensor for name, tensor in live.items()}
    for number, optimizer in enumerate(optimizers):
        for index, values in optimizer.state_dict()["state"].items():
            state |= {f"{number}/{index}/{name}": tensor.cpu().contiguous() for name, tensor in values.items()}
    settings, history = record.settings(), json.dumps(record.history, indent=2) + "\n"
    write_file(folder / "state.safetensors", save(state, {"config": settings, "history": history}))
    write_file(folder / "model.safetensors", save(weights))
    write_file(folder / "config.json", settings.encode())
    write_file(folder / "history.json", history.encode())


@contextmanager
def open_run(folder: Path, resume: bool) -> Iterator[Path]:
    """The folder of a run, made if need be, closed to other processes. Raises ValueError when it is not as expected."""
    if resume and not (folder / "state.safetensors").is_file():
        raise ValueError(f"{folder} holds no run to resume")
    if folder.is_file():
        raise ValueError(f"{folder} is a file, expected the folder of a run")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            if not resume and any(folder.glob("*.safetensors")):
                raise ValueError(f"{folder} already holds a run: resume it, or choose another folder")
            yield folder
    except Timeout as error:
        raise ValueError(f"another process is training in {folder}") from error


def load_run(folder: Path, model: nn.Module, optimizers: list[Optimizer], record: Record, defaults: dict) -> None:
    """Bring model, optimisers and the record's history to where the run in `folder` stopped.

    A setting that the run is older than was at its default. Raises ValueError for a damaged file, and when the run was
    started with other settings, naming the first.
    """
    path = folder / "state.safetensors"
    tensors, texts = read_tensors(path)
    if not {"config", "history"} <= texts.keys():
        raise ValueError(f"{path} is not the state of a run")
    refuse_changes(json.loads(texts["config"]), json.loads(record.settings()), json.loads(json.dumps(defaults)))
    weights = {name.removeprefix("model/"): tensor for name, tensor in tensors.items() if name.startswith("model/")}
    set_weights(model, weights, path)
    for number, optimizer in enumerate(optimizers):
        state = {}
        for name, tensor in tensors.items():
            if name.startswith(f"{number}/"):
                _, index, key = name.split("/")
                state.setdefault(int(index), {})[key] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    record.history[:] = json.loads(texts["history"])


def refuse_changes(old: dict, new: dict, defaults: dict, within: str = "") -> None:
    """Raise ValueError for the first setting that differs and is not among `MAY_CHANGE`."""
    for name in [*old, *new]:
        default = defaults.get(name, "not set")
        was, now = old.get(name, default), new.get(name, "not set")
        if isinstance(was, dict) and isinstance(now, dict):
            refuse_changes(was, now, default if isinstance(default, dict) else {}, f"{within}{name}.")
        elif was != now and within + name not in MAY_CHANGE:
            raise ValueError(f"a resumed run keeps its settings: {within}{name} was {was!r} and is now {now!r}")
