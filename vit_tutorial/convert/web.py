"""A model for the browser: what `explorer/js/vit.js` loads."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from vit_tutorial.files import write_file
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import MODELS
from vit_tutorial.training.run import Run, to_json

FORMAT = 1
# the models of `vit_tutorial/models.py` whose forward pass vit.js knows
VARIANTS = (
    "vit",
    "layer-scale",
    "stochastic-depth",
    "stochastic-depth-and-layer-scale",
    "no-positions",
    "uniform-start",
    "mimetic-start",
    "convolutional-start",
)
DTYPES = {"float32": torch.float32, "float16": torch.float16}
ALIGNMENT = 4  # bytes: where a tensor of four-byte numbers may begin


def export_web(
    model: nn.Module,
    run: Run,
    folder: Path,
    dtype: Literal["float32", "float16"] = "float32",
) -> int:
    """Write model.json and model.bin into `folder`, made if need be, over those of an
    earlier export; the bytes of both.

    Raises ValueError for a folder that is a file, and what `web_model` raises; then
    nothing has been written.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, expected a folder")
    about, content = web_model(model, run.classes, run.mean, run.std, dtype)
    description = to_json(about).encode()
    folder.mkdir(parents=True, exist_ok=True)
    # the description last: it counts the bytes of the other, so that an export which
    # was cut off between the two is refused, never computed with
    write_file(folder / "model.bin", content)
    write_file(folder / "model.json", description)
    return len(content) + len(description)


def web_model(
    model: nn.Module,
    classes: Sequence[str] | None,
    mean: Sequence[float],
    std: Sequence[float],
    dtype: Literal["float32", "float16", "mixed"] = "float32",
) -> tuple[dict, bytes]:
    """What model.json says, and the bytes of model.bin.

    "mixed" is float16, but for the vectors: they are few, and rounding them costs as
    much as rounding all matrices.

    model.json names config, classes, mean and std, and of each tensor shape, dtype and
    the byte of model.bin where it begins; numbers are little-endian. Raises ValueError
    for a model that is none of `VARIANTS`, and for values that are not finite or too
    large for `dtype`.
    """
    name = getattr(getattr(model, "config", None), "name", type(model).__name__)
    # not of a subclass, either: its forward pass may be another
    exact = name in VARIANTS and type(model) is MODELS[name]
    if not isinstance(model, VisionTransformer) or not exact:
        raise ValueError(
            f"the model is {name!r}, the web format is of Vision Transformers:"
            f" {', '.join(VARIANTS)}"
        )
    content = bytearray()
    tensors = {}
    for key, tensor in web_tensors(model).items():
        halved_dtype = "float32" if tensor.ndim < 2 else "float16"
        kind = halved_dtype if dtype == "mixed" else dtype
        stored = tensor.detach().cpu().to(DTYPES[kind])
        if not stored.isfinite().all():
            raise ValueError(f"{key} holds {tensor.abs().max():g}, which {kind} cannot")
        content += bytes(-len(content) % ALIGNMENT)
        tensors[key] = {
            "shape": list(stored.shape),
            "dtype": kind,
            "offset": len(content),
        }
        content += stored.contiguous().numpy().astype(f"<f{stored.itemsize}").tobytes()
    about = {
        "format": FORMAT,
        "config": asdict(model.config),
        "classes": classes,
        "mean": mean,
        "std": std,
        "bytes": len(content),
        "tensors": tensors,
    }
    return about, bytes(content)


def web_tensors(model: VisionTransformer) -> dict[str, Tensor]:
    """All that the forward pass needs, by PyTorch's names.

    Positions are there, learnt or not. A batch norm is a weight and a bias, its
    statistics folded in. The factors of a branch are `end1.factors`, whatever stands
    beside them.
    """
    state = model.state_dict() | {"embedder.positions": model.embedder.positions}
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            for part in ("running_mean", "running_var", "num_batches_tracked"):
                del state[f"{name}.{part}"]
            state[f"{name}.weight"], state[f"{name}.bias"] = folded(module)
    return {name.replace(".0.factors", ".factors"): state[name] for name in state}


def folded(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """The scale and the offset that a batch norm in eval mode is, (C,) each."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale
