"""Muon by hand: against the singular value decomposition, and against PyTorch's step by
step.
"""

import pytest
import torch
from torch import nn

from vit_tutorial.config import ViTConfig
from vit_tutorial.models import build_model
from vit_tutorial.training.optimizers import Muon, hidden_matrices, orthogonalize


@pytest.mark.parametrize("shape", [(24, 24), (72, 24), (24, 96), (1, 8), (8, 1)])
def test_orthogonalize_keeps_directions_and_evens_their_strengths(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    u, strengths, v = torch.linalg.svd(matrix, full_matrices=False)
    found = u.T @ orthogonalize(matrix) @ v.T
    assert torch.allclose(found, found.diagonal().diag(), atol=1e-4)
    strong = strengths > 0.1 * strengths.max()
    assert found.diagonal()[strong].min() > 0.67 and found.diagonal().max() < 1.21


def test_orthogonalize_does_not_depend_on_scale_and_keeps_zero():
    matrix = torch.randn(8, 12, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(
        orthogonalize(1000 * matrix), orthogonalize(matrix), atol=1e-5
    )
    assert orthogonalize(torch.zeros(3, 5)).abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_steps_are_those_of_pytorch(dtype):
    torch.manual_seed(0)
    start = [
        torch.zeros(shape, dtype=dtype) for shape in ((16, 16), (48, 16), (16, 64))
    ]
    gradients = [[torch.randn_like(weight) for weight in start] for _ in range(4)]
    results = []
    for make in (
        Muon,
        lambda *given, **options: torch.optim.Muon(
            *given, adjust_lr_fn="match_rms_adamw", **options
        ),
    ):
        weights = [nn.Parameter(weight.clone()) for weight in start]
        optimizer = make(weights, lr=0.02, weight_decay=0.05)
        for gradient in gradients:
            for weight, slope in zip(weights, gradient, strict=True):
                weight.grad = slope.clone()
            optimizer.step()
        results.append(
            (
                weights,
                [optimizer.state[weight]["momentum_buffer"] for weight in weights],
            )
        )
    (ours, memory), (theirs, remembered) = results
    # PyTorch's have the digits of bfloat16 in either case
    coarse = 0.02 if dtype == torch.float32 else 0.04
    for weight, other in zip(ours, theirs, strict=True):
        assert (weight - other).float().norm() < coarse * other.float().norm()
    assert all(
        torch.equal(one, two) for one, two in zip(memory, remembered, strict=True)
    )


def test_a_state_of_pytorchs_is_taken_up():
    weight = nn.Parameter(torch.randn(4, 6))
    theirs = torch.optim.Muon([weight])
    ours = Muon([weight])
    weight.grad = torch.randn(4, 6)
    theirs.step()
    ours.load_state_dict(
        {
            "state": theirs.state_dict()["state"],
            "param_groups": ours.state_dict()["param_groups"],
        }
    )
    assert torch.equal(
        ours.state[weight]["momentum_buffer"], theirs.state[weight]["momentum_buffer"]
    )


def test_a_weight_without_gradient_stays_and_a_vector_is_refused():
    weight = nn.Parameter(torch.ones(2, 3))
    Muon([weight]).step()
    assert torch.equal(weight, torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"a parameter is \(3,\), expected a matrix"):
        Muon([nn.Parameter(torch.ones(3))])


def test_a_convolution_is_a_matrix_with_a_row_an_output_channel():
    torch.manual_seed(0)
    start, gradient = torch.randn(2, 6, 4, 3, 3)
    results = []
    for shape in ((6, 4, 3, 3), (6, 36)):
        weight = nn.Parameter(start.reshape(shape).clone())
        optimizer = Muon([weight], lr=0.02, weight_decay=0.05)
        for _ in range(3):
            weight.grad = gradient.reshape(shape).clone()
            optimizer.step()
        results.append(weight.detach().reshape(6, 36))
    assert torch.equal(*results) and not torch.equal(results[0], start.flatten(1))


@pytest.mark.parametrize("name", ["vit", "resnet-small"])
def test_muon_takes_all_convolutions_of_a_residual_network_but_the_first(name):
    config = ViTConfig(
        image_size=32, dim=16, depth=2, heads=2, embedder="hybrid", name=name
    )
    model = build_model(config)
    names = {id(weight): name for name, weight in model.named_parameters()}
    taken = {names[id(weight)] for weight in hidden_matrices(model)}
    blocks = {
        name
        for name, weight in model.named_parameters()
        if name.startswith("blocks.") and weight.ndim == 2
    }
    inside = "embedder.stem." if name == "vit" else "layers."
    convolutions = {
        name
        for name, weight in model.named_parameters()
        if name.startswith(inside) and weight.ndim == 4
    }
    assert taken == blocks | (convolutions - {f"{inside}0.weight"})
    assert len(convolutions) == (7 if name == "vit" else 14)
