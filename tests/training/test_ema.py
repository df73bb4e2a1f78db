from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from vit_tutorial.training.ema import Ema


def test_the_average_follows_the_definition():
    """average = decay * average + (1 - decay) * weight, the decay of step t at most (1
    + t) / (10 + t).
    """
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()
    decay = 0.5
    average = Ema(model, decay)
    expected = None
    for t in range(1, 13):
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight))
        weights = [weight.detach().clone() for weight in model.parameters()]
        now = min(decay, (1 + t) / (10 + t))
        expected = (
            weights
            if t == 1
            else [
                now * old + (1 - now) * new
                for old, new in zip(expected, weights, strict=True)
            ]
        )
        average.update(model)
        assert_close(
            list(map(torch.Tensor.detach, average.averaged(model).parameters())),
            expected,
        )
        # it changes nothing
        assert_close([weight.detach() for weight in model.parameters()], weights)
    assert now == decay > 2 / 11  # both sides of the minimum were seen


def test_before_the_first_step_it_is_the_model():
    model = nn.Linear(3, 2)
    copy = Ema(model, 0.9).averaged(model)
    assert copy is not model
    assert_close(copy.weight, model.weight)


def test_a_batch_norms_statistics_are_averaged_and_its_counter_is_not():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double()
    average = Ema(model, 0.5)
    seen = []
    for _ in range(3):
        model(torch.randn(5, 3).double())
        average.update(model)
        seen.append(model[1].running_mean.clone())
    # decays 2/11 (nothing to keep), 3/12 and 4/13
    second = 3 / 12 * seen[0] + 9 / 12 * seen[1]
    averaged = average.averaged(model)[1]
    assert_close(averaged.running_mean, 4 / 13 * second + 9 / 13 * seen[2])
    assert averaged.num_batches_tracked == 3


def test_its_state_can_be_saved_and_loaded():
    model = nn.Linear(3, 2)
    first = Ema(model, 0.9)
    second = Ema(model, 0.9)
    for _ in range(3):
        first.update(model)
        nn.init.normal_(model.weight)
    second.load_state_dict(deepcopy(first.state_dict()))
    for average in (first, second):
        average.update(model)
    assert_close(
        first.averaged(model).weight, second.averaged(model).weight, rtol=0, atol=0
    )
    assert first.steps == second.steps == 4


def test_the_state_of_another_model_is_refused():
    with pytest.raises(ValueError, match="of other weights"):
        Ema(nn.Linear(3, 2), 0.9).load_state_dict(
            Ema(nn.Linear(2, 2), 0.9).state_dict()
        )
