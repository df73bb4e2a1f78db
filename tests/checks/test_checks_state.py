"""What any answer may do beside its work: each deed is tried on a right answer of every
check.
"""

from collections import OrderedDict

import answers
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vit_tutorial import checks

RIGHT = {name: rows[0] for name, rows in answers.gathered("RIGHT").items()}
# their answers are classes: what they are asked to do stands in forward
CLASSES = {"mended", "my_vit", "registers"}
MODELS = {
    "drop_patches",
    "deletion_area",
    "enlarge",
    "head_parts",
    "lean_biases",
    "pre_norm",
}  # given one, to leave alone
LISTS = {"field", "renamed", "rollout", "sharpness"}  # these are given a list or a dict
TENSORS = (
    {
        "attend",
        "boxes",
        "drop_patches",
        "gaze",
        "head_parts",
        "kernel",
        "layer_norm",
        "overlap",
        "patchify",
    }
    | {
        "pre_norm",
        "rollout",
        "sharpness",
        "smoothed",
        "upside_down",
        "accumulated",
        "renamed",
        "own_score",
    }
    | {"deletion_area", "calibration_error", "paired_bootstrap"}
    | {"difference", "holm", "mimetic"}
    | {"masking", "neighbours", "self_distillation"}
    | {"folded", "pruned"}
)


def tensors(values):
    for value in values:
        if isinstance(value, list | dict):
            yield from tensors(value.values() if isinstance(value, dict) else value)
        elif isinstance(value, Tensor):
            yield value


def models(values):
    return [value for value in values if isinstance(value, nn.Module)]


def overwrite(values):
    for value in tensors(values):
        value.data.fill_(1)


def leave_gradients(values):
    for model in models(values):
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)


def move_a_weight(values):
    for model in models(values):
        next(model.parameters()).data.add_(1e-3)


def freeze_or_thaw(values):
    for model in models(values):
        for parameter in model.parameters():
            parameter.requires_grad_(not parameter.requires_grad)


def leave_a_hook(values):
    for model in models(values):
        model.register_forward_hook(print)


def empty(values):
    for value in values:
        if isinstance(value, list | dict):
            value.clear()


def ask_for_gradients(values):
    for value in tensors(values):
        if value.is_floating_point():
            (
                value.requires_grad_(not value.requires_grad)
                if value.is_leaf
                else value.detach_()
            )


ANY = sorted(RIGHT)
DEEDS = [
    (
        lambda values: torch.manual_seed(0),
        ANY,
        "changed the seed of all random numbers",
    ),
    (
        lambda values: torch.set_default_dtype(torch.float64),
        ANY,
        "changed the default type of numbers",
    ),
    (
        lambda values: torch.set_num_threads(torch.get_num_threads() + 1),
        ANY,
        "changed the number of threads",
    ),
    (
        lambda values: torch.set_grad_enabled(False),
        ANY,
        "changed whether gradients are recorded",
    ),
    (overwrite, TENSORS, "in place"),
    (empty, LISTS, "that it was given"),
    (
        ask_for_gradients,
        {"boxes", "gaze", "overlap", "rollout", "sharpness"},
        "switched requires_grad of",
    ),
    (leave_gradients, MODELS, "left gradients in the"),
    (move_a_weight, MODELS, "itself: leave its weights and biases as they were"),
    (freeze_or_thaw, MODELS, "left the"),
    (leave_a_hook, MODELS, "left a hook on the"),
    (
        lambda values: [model.train() for model in models(values)],
        MODELS,
        "in train mode",
    ),
    (lambda values: [model.eval() for model in models(values)], MODELS, "in eval mode"),
]


def and_then(answer, deed):
    """The answer, and what it does besides once its work is done."""
    if isinstance(answer, type):

        def forward(self, x):
            got = answer.forward(self, x)
            deed([self, x])
            return got

        return type(answer.__name__, (answer,), {"forward": forward})

    def my_answer(*values):
        got = answer(*values)
        deed(values)
        return got

    return my_answer


@pytest.mark.parametrize(
    ("name", "deed", "said"),
    [(name, deed, said) for deed, names, said in DEEDS for name in sorted(names)],
)
def test_a_right_answer_that_leaves_something_changed_is_refused(name, deed, said):
    before = (
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.initial_seed(),
    )
    # modes are drawn, and train() changes nothing where all is in train mode
    for _ in range(8):
        result = getattr(checks, name)(and_then(RIGHT[name], deed))
        assert not result.ok and said in result.message, result.message
    after = (
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        torch.initial_seed(),
    )
    assert after == before


@pytest.mark.parametrize(
    "name",
    [
        "attend",
        "kernel",
        "layer_norm",
        "head_parts",
        "pre_norm",
        "smoothed",
        "self_distillation",
    ],
)
def test_a_backward_that_nobody_asked_for_is_refused(name):
    def my_answer(*values):
        got = RIGHT[name](*values)
        torch.autograd.backward(
            (got[0] if name == "attend" else got).sum(), retain_graph=True
        )
        return got

    assert "left gradients in" in getattr(checks, name)(my_answer).message


@pytest.mark.parametrize("name", sorted(CLASSES))
@pytest.mark.parametrize(
    "deed", [nn.Module.train, nn.Module.eval, lambda model: model.requires_grad_(False)]
)
def test_a_module_that_changes_its_own_mode_or_freezes_itself_is_refused(name, deed):
    assert not getattr(checks, name)(
        and_then(RIGHT[name], lambda values: deed(values[0]))
    )


def test_every_check_is_among_the_kinds():
    assert set(RIGHT) == set(checks.__all__) - {"Result", "progress"}
    numbers = {"bill", "layer_rates", "parameters", "schedule", "which_patch", "field"}
    assert set(RIGHT) == TENSORS | CLASSES | MODELS | LISTS | numbers


FORMS = {
    "which_patch": (np.int64, torch.as_tensor),
    "field": (np.int64, torch.as_tensor),
    "parameters": (float, np.int64, np.float64, torch.as_tensor),
    "schedule": (np.float64, torch.as_tensor),
    "accumulated": (np.float64, torch.as_tensor),
    "attend": (list,),
    "folded": (list,),
    "pruned": (list,),
    "layer_rates": (list, tuple, np.asarray, torch.Tensor.tolist, torch.Tensor.double),
    "lean_biases": (list,),
    "upside_down": (list,),
    "renamed": (
        OrderedDict,
        lambda names: {name: value.double() for name, value in names.items()},
    ),
}


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name, forms in FORMS.items() for form in forms]
)
def test_a_right_answer_in_another_form_passes(name, form):
    result = getattr(checks, name)(lambda *values: form(RIGHT[name](*values)))
    assert result.ok, result.message


def test_drawing_random_numbers_is_no_fault():
    def my_boxes(*dice):
        torch.rand(3)
        with torch.random.fork_rng():
            torch.manual_seed(0)
        return RIGHT["boxes"](*dice)

    assert checks.boxes(my_boxes)
