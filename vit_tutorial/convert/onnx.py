"""A model for whatever runs ONNX: pictures in, logits and attention out."""

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vit_tutorial.convert.naming import numbers
from vit_tutorial.data.images import Normalization, resize
from vit_tutorial.files import write_file
from vit_tutorial.model import VisionTransformer
from vit_tutorial.models import MODELS
from vit_tutorial.training.run import Run

if TYPE_CHECKING:
    import onnx

OPSET = 18  # the oldest whose Split, ReduceSum and others are what PyTorch writes
LARGEST = 2 * 10**9  # bytes of weights: one file of ONNX holds no more than 2 GiB


def export_onnx(model: nn.Module, run: Run, path: Path) -> int:
    """Write the model as one file of ONNX, over one of an earlier export; its bytes.

    The graph takes `images` (B, C, Y, X) uint8, any number of any size. It brings them
    to the model's size as `data.images.resize` does, normalises them, and returns
    `logits` (B, classes) and, of a Vision Transformer, `attention` (B, depth, H, T, T).
    Images of the model's size pass unchanged. Of others a value that lies midway
    between two shades may be rounded to the other one; nothing else differs. The
    resizing is written as two products of matrices: the antialiasing of ONNX's own
    `Resize` differs from PyTorch's at the borders, in onnxruntime by several shades.

    The file's metadata are JSON: `classes`, `mean`, `std` and the model's `config`.
    Raises ValueError for a path that is a folder or lies in none, for a model that is
    not of `vit_tutorial/models.py`, for weights that are not finite or too large for a
    file, and when onnx or onnxscript are missing; then nothing has been written.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected the file of the model")
    if not path.parent.is_dir():
        raise ValueError(f"{path} lies in {path.parent}, which is no folder")
    content = onnx_model(model, run).SerializeToString()
    write_file(path, content)
    return len(content)


def onnx_model(model: nn.Module, run: Run) -> "onnx.ModelProto":
    """The model as `export_onnx` writes it; raises what it says of the model."""
    try:
        import onnx
        import onnxscript  # noqa: F401  torch.onnx asks for it later, in many lines
    except ImportError as error:
        raise ValueError(
            f"{error.name} is not installed: pip install 'vit-tutorial[onnx]'"
        ) from error
    check_model(model)
    # on the CPU in float32, and the caller's model stays as it is
    graph = Graph(copy.deepcopy(model).cpu().float(), run.normalization).eval()
    config: Any = model.config
    images = torch.zeros(2, config.channels, 2, 3, dtype=torch.uint8)
    names = {0: "batch", 2: "rows", 3: "columns"}
    sizes = {axis: torch.export.Dim.DYNAMIC for axis in names}
    exported = torch.export.export(
        graph, (images,), dynamic_shapes=(sizes,), strict=False
    )
    program = torch.onnx.export(
        exported,
        input_names=["images"],
        output_names=["logits", "attention"][: 1 + graph.looks],
        custom_translation_table={torch.ops.vit_tutorial.fit.default: fit_in_onnx},
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    proto = program.model_proto
    forget(proto)
    facts = {
        "classes": run.classes,
        "mean": run.mean,
        "std": run.std,
        "config": asdict(config),
    }
    onnx.helper.set_model_props(
        proto, {name: json.dumps(value) for name, value in facts.items()}
    )
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    rename_dims(proto, {dims[axis].dim_param: name for axis, name in names.items()})
    return proto


def check_model(model: nn.Module) -> None:
    """Raise ValueError for a model that is not of the registry, whose weights are not
    finite, or are too large for a file.
    """
    name = getattr(getattr(model, "config", None), "name", type(model).__name__)
    if name not in MODELS:
        raise ValueError(f"the model is {name!r}, expected one of {sorted(MODELS)}")
    kind = MODELS[name]
    if isinstance(kind, type) and type(model) is not kind:
        raise ValueError(
            f"the model is a {type(model).__name__}, expected the {kind.__name__} of"
            f" {name!r}"
        )
    state = model.state_dict()
    size = sum(4 * tensor.numel() for tensor in state.values())
    if size > LARGEST:
        raise ValueError(
            f"the model holds {size:,} bytes, expected at most {LARGEST:,}: one file of"
            " ONNX holds no more"
        )
    for key, tensor in state.items():
        numbers(key, tensor)  # refuses what are none


class Graph(nn.Module):
    """What is exported: images (B, C, Y, X) uint8 of any size -> logits (B, classes)
    and, of a Vision Transformer, attention (B, depth, H, T, T).
    """

    def __init__(self, model: nn.Module, normalization: Normalization) -> None:
        super().__init__()
        self.model = model
        self.normalization = normalization
        self.looks = isinstance(model, VisionTransformer)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        config: Any = self.model.config
        normalised = self.normalization(fit(images, *config.sides))
        if not self.looks:
            return self.model(normalised)
        logits, attention = self.model(normalised, return_attention=True)
        return logits, torch.stack(attention, dim=1)


@torch.library.custom_op("vit_tutorial::fit", mutates_args=())
def fit(images: Tensor, rows: int, columns: int) -> Tensor:
    """`resize` as one operator: a graph through it keeps the sizes of images open."""
    # a custom operator must not return what it was given
    return resize(images, (rows, columns)).clone()


@fit.register_fake
def _(images: Tensor, rows: int, columns: int) -> Tensor:
    return images.new_empty(*images.shape[:2], rows, columns)


def fit_in_onnx(images: Any, rows: int, columns: int) -> Any:
    """`fit` in operators of ONNX: the middle as `data.images.middle` takes it, then
    rows and columns resized one after the other.
    """
    import onnxscript
    from onnx import TensorProto

    op: Any = onnxscript.opset18
    size = op.Constant(value_ints=[rows, columns])
    wide = op.Cast(size, to=TensorProto.DOUBLE)
    given = op.Shape(images, start=2)
    # in double precision, in which Python has computed it
    ratio = op.ReduceMin(op.Div(op.Cast(given, to=TensorProto.DOUBLE), wide))
    kept = op.Cast(op.Round(op.Mul(wide, ratio)), to=TensorProto.INT64)
    kept = op.Max(kept, op.Constant(value_ints=[1, 1]))
    start = op.Div(op.Sub(given, kept), op.Constant(value_ints=[2, 2]))
    part = op.Slice(images, start, op.Add(start, kept), op.Constant(value_ints=[2, 3]))
    down = filter_in_onnx(op.Gather(kept, op.Constant(value_int=0)), rows)
    across = filter_in_onnx(op.Gather(kept, op.Constant(value_int=1)), columns)
    pixels = op.Cast(part, to=TensorProto.FLOAT)
    resized = op.MatMul(op.MatMul(down, pixels), op.Transpose(across, perm=[1, 0]))
    return op.Cast(op.Round(resized), to=TensorProto.UINT8)


def filter_in_onnx(count: Any, side: int) -> Any:
    """The share of each of `count` pixels in each of `side` others: (side, count).

    A triangle around the middle of the place, as wide as a step, at least one pixel to
    each side: bilinear with antialiasing. In the order and precision of PyTorch's.
    """
    import onnxscript
    from onnx import TensorProto

    op: Any = onnxscript.opset18
    half = op.Constant(value_float=0.5)
    one = op.Constant(value_float=1.0)
    step = op.Div(
        op.Cast(count, to=TensorProto.FLOAT), op.Constant(value_float=float(side))
    )
    places = op.Unsqueeze(
        op.Constant(value_floats=[place + 0.5 for place in range(side)]),
        op.Constant(value_ints=[1]),
    )
    numbers = op.Range(op.Constant(value_int=0), count, op.Constant(value_int=1))
    pixels = op.Cast(numbers, to=TensorProto.FLOAT)
    away = op.Add(op.Sub(pixels, op.Mul(places, step)), half)
    triangle = op.Relu(op.Sub(one, op.Abs(op.Div(away, op.Max(step, one)))))
    return op.Div(triangle, op.ReduceSum(triangle, op.Constant(value_ints=[1])))


def forget(proto: "onnx.ModelProto") -> None:
    """Take out where each node came from: paths of the machine it was made on."""
    graph = proto.graph
    for parts in (graph.node, graph.input, graph.output, graph.value_info):
        for part in parts:
            part.ClearField("metadata_props")
            part.ClearField("doc_string")
    for tensor in graph.initializer:
        tensor.ClearField("metadata_props")
    graph.ClearField("metadata_props")
    graph.ClearField("doc_string")


def rename_dims(proto: "onnx.ModelProto", names: dict[str, str]) -> None:
    """Give open sizes the names that a reader of the graph expects."""
    graph = proto.graph
    for values in (graph.input, graph.output, graph.value_info):
        for value in values:
            for dim in value.type.tensor_type.shape.dim:
                if dim.dim_param in names:
                    dim.dim_param = names[dim.dim_param]
