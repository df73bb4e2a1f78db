"""What an answer must leave as it found it: what it was given, and the settings of
PyTorch.
"""

import operator
from collections.abc import Mapping

import torch
from torch import Tensor, nn

SETTINGS = {
    "the default type of numbers": (torch.get_default_dtype, torch.set_default_dtype),
    "the default device": (torch.get_default_device, torch.set_default_device),
    "the number of threads": (torch.get_num_threads, torch.set_num_threads),
    "whether gradients are recorded": (torch.is_grad_enabled, torch.set_grad_enabled),
    "the search for anomalies": (
        torch.is_anomaly_enabled,
        torch.autograd.set_detect_anomaly,
    ),
    "the precision of products": (
        torch.get_float32_matmul_precision,
        torch.set_float32_matmul_precision,
    ),
}
SEED = "the seed of all random numbers"


def settings() -> dict[str, object]:
    """What holds for all of PyTorch, and the seed that was set last."""
    return {name: read() for name, (read, _) in SETTINGS.items()} | {
        SEED: torch.initial_seed()
    }


def restore(before: Mapping[str, object]) -> list[str]:
    """Set the settings back to what they were; the names of those that were not. Random
    numbers are not set back.
    """
    now = settings()
    found = [name for name, value in now.items() if value != before[name]]
    for name in found:
        if name != SEED:
            SETTINGS[name][1](before[name])
    return found


def copied(value: object) -> object:
    """A copy of a tensor, through which gradients flow, or of a list, tuple or dict of
    such; anything else itself.
    """
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {name: copied(inner) for name, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(copied(inner) for inner in value)
    return value


def record(value: object) -> object:
    """What `disturbed` needs to know of a value later: of a module what is in it, of
    tensors their gradient.
    """
    if isinstance(value, nn.Module):
        return {
            "numbers": {
                name: number.clone() for name, number in value.state_dict().items()
            },
            "sizes": {name: plain(part) for name, part in value.named_modules()},
            "hooks": {name: hooks(part) for name, part in value.named_modules()},
        } | stance(value)
    if isinstance(value, Tensor):
        return None if not value.is_leaf or value.grad is None else value.grad.clone()
    return [record(inner) for inner in inside(value)]


def in_two_modes(module: nn.Module, training: bool | None = None) -> nn.Module:
    """Put a module in train or eval mode, drawn where it is not said, and its last part
    in the other one.

    So it is in a model of which a part is not trained; neither train() nor eval()
    brings it back.
    """
    first, *_, last = module.train(
        bool(torch.rand(()) < 0.5) if training is None else training
    ).modules()
    last.training = not first.training
    return module


def stance(module: nn.Module) -> dict[str, dict]:
    """The mode of each part of a module, and of each parameter whether it learns and
    its gradient.
    """
    return {
        "modes": {name: part.training for name, part in module.named_modules()},
        "learns": {
            name: value.requires_grad for name, value in module.named_parameters()
        },
        "gradients": {name: record(value) for name, value in module.named_parameters()},
    }


def plain(part: nn.Module) -> dict[str, object]:
    """The numbers and names that a part keeps beside its tensors, such as `heads`."""
    kinds = (bool, int, float, str, tuple)
    values = {
        name: value for name, value in vars(part).items() if isinstance(value, kinds)
    }
    return {name: value for name, value in values.items() if name != "training"}


def hooks(part: nn.Module) -> int:
    return sum(
        len(kept)
        for name, kept in vars(part).items()
        if name.endswith("_hooks") and kept
    )


def inside(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return list(value) if isinstance(value, list | tuple) else []


def memory(value: object) -> set[int]:
    """Where the numbers of tensors lie."""
    if isinstance(value, Tensor):
        return {value.untyped_storage().data_ptr()}
    return set().union(*map(memory, inside(value)))


def alike(one: Tensor | None, other: Tensor | None) -> bool:
    """Equal to the last bit, in shape and type too."""
    if one is None or other is None:
        return one is other
    return (
        one.shape == other.shape
        and one.dtype == other.dtype
        and torch.equal(one, other)
    )


def disturbed(
    given: object,
    original: object,
    before: object,
    noun: str = "model",
    advice: str = "make a new tensor (x = x + y, not x += y)",
) -> str | None:
    """What became of an input that should be as it was, as the end of a sentence; None
    where it is.

    `given` is what the answer got, `original` what that was a copy of, `before` the
    record of it. `noun` is what the exercise calls a module, `advice` how else one gets
    what a change in place gave.
    """
    if isinstance(given, nn.Module):
        return disturbed_module(given, before, noun)
    if isinstance(given, Tensor):
        return disturbed_tensor(given, original, before, advice)
    kind = type(given).__name__
    changed = (
        f"changed the {kind} that it was given: make a new one, or begin with a copy"
    )
    names = given.keys() == original.keys() if isinstance(given, dict) else True
    if len(inside(given)) != len(inside(original)) or not names:
        return changed
    for triple in zip(inside(given), inside(original), before or [], strict=False):
        if isinstance(triple[0], Tensor) != isinstance(triple[1], Tensor) or (
            isinstance(triple[0], int | float) and triple[0] != triple[1]
        ):
            return changed
        if said := disturbed(*triple, noun, advice):
            place = f"a tensor in the {kind} that it was given"
            said = said.replace("its input in place", f"{place}, in place")
            return said.replace("its input", place)
    return None


def disturbed_tensor(
    given: Tensor, original: Tensor, before: object, advice: str
) -> str | None:
    if not alike(given, original):
        return f"changed its input in place: {advice}"
    if given.requires_grad != original.requires_grad:
        return (
            "switched requires_grad of its input"
            f" {'on' if given.requires_grad else 'off'}: leave it as it was"
        )
    if not alike(record(original), before) or record(given) is not None:
        return (
            "left gradients in its input: no backward is asked for here, or"
            " torch.autograd.grad"
        )
    return None


def disturbed_module(
    module: nn.Module, before: Mapping[str, dict], noun: str
) -> str | None:
    """What became of a module since `before`, the record or the stance of it."""
    now = record(module) if "numbers" in before else stance(module)
    for kind, equal, what in (
        ("numbers", alike, "weights and biases"),
        ("sizes", operator.eq, "sizes and settings"),
    ):
        mine = now.get(kind, {})
        then = before.get(kind, {})
        if mine.keys() != then.keys() or not all(
            equal(mine[name], value) for name, value in then.items()
        ):
            return f"changed the {noun} itself: leave its {what} as they were"
    for name, training in before["modes"].items():
        if now["modes"].get(name, training) != training:
            whole = len(set(now["modes"].values())) == 1 or not name
            part = f"the {noun}" if whole else f"{name} of the {noun}"
            return (
                f"left {part} in {'eval' if training else 'train'} mode: leave each"
                " part in the mode it is in"
            )
    for name, learns in before["learns"].items():
        if now["learns"].get(name, learns) != learns:
            frozen = "frozen: its weights and biases have lost requires_grad"
            return f"left the {noun} {frozen if learns else 'to learn: it was frozen'}"
    for name, value in before["gradients"].items():
        if not alike(now["gradients"].get(name), value):
            return f"left gradients in the {noun}: no backward is asked for here"
    if now.get("hooks") != before.get("hooks"):
        return f"left a hook on the {noun}: remove it before you return"
    return None
