"""What moves the weights: groups of parameters, AdamW, and Muon for matrices."""

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from vit_tutorial.embedding import ResidualNetwork
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.config import TrainConfig


def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """A matrix with its singular values brought near 1: (rows, columns), same dtype.

    A quintic in the matrix acts on each singular value alone: `steps` times
    s -> a*s + b*s^3 + c*s^5. It is as steep at 0 as it can be, so small values grow
    fastest; all but the tiniest end between about 0.7 and 1.2 (Jordan et al. 2024).
    """
    a = 3.4445
    b = -4.7750
    c = 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # the small Gram matrix is the cheap one
    # no singular value is above 1, where the quintic would run away
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(Optimizer):
    """For weight matrices: Nesterov's momentum, orthogonalised; decay as in AdamW.

    A convolution's weights count as one, a row for each output channel. A step's root
    mean square is about 0.2 times the rate, as AdamW's, whatever the matrix's shape, so
    that both share a schedule (Liu et al. 2025). Raises ValueError for a parameter that
    is no matrix.
    """

    def __init__(
        self,
        params: list,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(
            params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum)
        )
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.ndim not in (2, 4):
                    raise ValueError(
                        f"a parameter is {tuple(weight.shape)}, expected a matrix"
                    )

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                mean = state.setdefault("momentum_buffer", torch.zeros_like(weight))
                mean.lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(mean, group["momentum"])
                # half the digits do; CPUs are faster with all of them
                if weight.is_cuda:
                    ahead = ahead.bfloat16()
                matrix = orthogonalize(ahead.flatten(1))
                scale = 0.2 * max(matrix.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(matrix.view_as(weight), alpha=-group["lr"] * scale)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """The optimiser's two groups: the matrices of linear maps and convolutions decay,
    everything else does not.

    Decay holds down products of many matrices; biases, norms, the class token and
    positions need no such brake.
    """
    matrices = {
        id(module.weight)
        for module in model.modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }
    parameters = [
        parameter for parameter in model.parameters() if parameter.requires_grad
    ]
    return [
        {
            "params": [p for p in parameters if id(p) in matrices],
            "weight_decay": weight_decay,
        },
        {
            "params": [p for p in parameters if id(p) not in matrices],
            "weight_decay": 0.0,
        },
    ]


def hidden_matrices(model: nn.Module) -> list[nn.Parameter]:
    """What Muon takes: the matrices of the blocks, and of a residual network all
    convolutions but the first, which sees pixels.
    """
    found = [
        weight
        for name, weight in model.named_parameters()
        if "blocks." in name and weight.ndim == 2
    ]
    for part in model.modules():
        if isinstance(part, ResidualNetwork):
            found += [weight for weight in part.parameters() if weight.ndim == 4][1:]
    return found


def make_optimizers(model: nn.Module, config: TrainConfig) -> list[Optimizer]:
    """AdamW for all that is not frozen, or Muon for its hidden matrices and AdamW for
    the rest; where all of those are frozen, AdamW alone.

    Raises ValueError for Muon and a model without such matrices, and for a
    `layer_decay` and a model without layers of its own.
    """
    groups = parameter_groups(model, config.weight_decay)
    # on CUDA all parameters in one go
    fused = next(model.parameters()).is_cuda
    decay = config.layer_decay
    if config.optimizer == "adamw":
        return [AdamW(scale_by_layer(groups, model, decay), fused=fused)]
    inner = hidden_matrices(model)
    if not inner:
        raise ValueError(
            "the model has no blocks, whose matrices Muon takes: expected optimizer"
            " 'adamw'"
        )
    inner = [weight for weight in inner if weight.requires_grad]
    taken = set(map(id, inner))
    groups[0]["params"] = [p for p in groups[0]["params"] if id(p) not in taken]
    group = {
        "params": inner,
        "weight_decay": config.weight_decay,
        "lr_scale": config.muon_lr_scale,
    }
    adamw = AdamW(scale_by_layer(groups, model, decay), fused=fused)
    return [Muon(scale_by_layer([group], model, decay)), adamw] if inner else [adamw]


def scale_by_layer(
    groups: list[dict], model: nn.Module, layer_decay: float
) -> list[dict]:
    """The groups, each split by layer, with a rate for each layer: the head learns at
    the full one, each layer below it at `layer_decay` times that of the one above.

    The layers are the embedder with class token and positions and what variants have
    besides, such as registers; the blocks; and the head with its norm. So the
    embedder's rate is scaled by the power depth + 1. What was learnt from much other
    data, and low down is of use for any, is changed least (Clark et al. 2020, appendix
    B; of images Bao et al. 2022, and He et al. 2022, appendix A). At 1 the groups stay
    as they are. Raises ValueError for a factor other than 1 and a model that is no
    Vision Transformer.
    """
    if layer_decay == 1:
        return groups
    if not isinstance(model, VisionTransformer):
        raise ValueError(
            f"layer_decay is {layer_decay}, which needs the layers of a Vision"
            f" Transformer, but the model is a {type(model).__name__}: expected 1"
        )
    split = []
    layers = [model.head, *reversed(model.blocks)]
    depth = {
        id(weight): below
        for below, layer in enumerate(layers)
        for weight in layer.parameters()
    }
    for group in groups:
        scale = group.get("lr_scale", 1.0)
        for below in range(len(layers) + 1):
            found = [
                weight
                for weight in group["params"]
                if depth.get(id(weight), len(layers)) == below
            ]
            if found:
                rate = {"params": found, "lr_scale": scale * layer_decay**below}
                split.append(group | rate)
    return split
