"""Answers of chapters 01 and 02 that lean on a habit: one size, one type, one mode, the
memory of another module.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from answers import chapter_01, chapter_02

Right = chapter_02.Right


def habit(answer, change):
    """`answer` with its result changed by `change(result, *inputs)`, under a name of
    both.
    """

    def changed(*inputs):
        return change(answer(*inputs), *inputs)

    changed.__name__ = f"{answer.__name__}_{change.__name__}"
    return changed


def in_floats(got, *inputs):
    return got.float()


def floats_for_bytes(got, first, *sizes):
    return got if first.is_floating_point() else got.float()


def bytes_by_hand(images, patch_size):
    return chapter_01.permuted(images.double(), patch_size).to(images.dtype)


def as_text(y, x, columns, patch_size):
    return str(chapter_01.divided_twice(y, x, columns, patch_size))


def no_number(y, x, columns, patch_size):
    return torch.tensor(float("nan"))


def two_numbers(y, x, columns, patch_size):
    return torch.tensor([y // patch_size, x // patch_size])


def side_of_four(weight, patch_size):
    return rearrange(weight, "d (p1 p2 c) -> d c p1 p2", p1=4, p2=4)


def new_leaf(weight, patch_size):
    return chapter_02.tied(weight, patch_size).detach().requires_grad_()


class LargeRegisters(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        nn.init.normal_(self.registers, std=100)


class OnlyInTraining(Right):
    def forward(self, tokens):
        return super().forward(tokens) if self.training else tokens


class OnlyInTrainingPlaced(Right):
    def forward(self, tokens):
        return super().forward(tokens) * (1 if self.training else 2)


class FourRegisters(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, 4, dim)


class OneTooFew(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers - 1, dim)


class InFloats(Right):
    def forward(self, tokens):
        return super().forward(tokens).float()


class PlainClassToken(Right):
    def __init__(self, patches, registers, dim):
        super().__init__(patches, registers, dim)
        del self.class_token
        self.class_token = torch.zeros(1, 1, dim)


class WithDropout(Right):
    def forward(self, tokens):
        return F.dropout(super().forward(tokens), 0.1, self.training)


class RandomInForward(Right):
    def forward(self, tokens):
        return super().forward(tokens) + 0.02 * torch.randn(1, 1, tokens.shape[2])


def sharing(name):
    """An answer to `enlarge` whose parameter `name` is the old embedder's own."""

    def answer(old, image_size):
        new = chapter_02.moved(old, image_size)
        owner, _, last = name.rpartition(".")
        setattr(new.get_submodule(owner), last, old.get_parameter(name))
        return new

    answer.__name__ = f"sharing_{name}"
    return answer


def same_projection(old, image_size):
    new = chapter_02.moved(old, image_size)
    new.projection = old.projection
    return new


def same_data(old, image_size):
    new = chapter_02.moved(old, image_size)
    new.projection.weight.data = old.projection.weight.data
    return new


def assigned(old, image_size):
    new = chapter_02.fresh(old, image_size)
    new.load_state_dict(
        old.state_dict() | {"positions": chapter_02.stretched(old, image_size)},
        assign=True,
    )
    return new


def old_one_frozen(old, image_size):
    old.requires_grad_(False)
    return chapter_02.moved(old, image_size)


def old_one_asleep(old, image_size):
    return chapter_02.moved(old.eval(), image_size)


def made_double(old, image_size):
    return chapter_02.moved(old, image_size).double()


def made_single(old, image_size):
    return chapter_02.moved(old, image_size).float()


def by_a_factor(old, image_size):
    before, after = chapter_02.grids(old, image_size)
    positions = old.positions.detach()
    picture = rearrange(positions[:, 1:], "b (y x) d -> b d y x", y=before[0])
    factors = tuple(large / small for large, small in zip(after, before, strict=True))
    picture = F.interpolate(picture, scale_factor=factors, mode="bicubic")
    places = torch.cat(
        [positions[:, :1], rearrange(picture, "b d y x -> b (y x) d")], dim=1
    )
    return chapter_02.loaded(old, image_size, positions=places)


def positions_grown(old, image_size):
    return chapter_02.loaded(
        old, image_size, positions=1.1 * chapter_02.stretched(old, image_size)
    )


def patches_fresh(old, image_size):
    positions = chapter_02.stretched(old, image_size)
    positions[:, 1:] = torch.randn_like(positions[:, 1:])
    return chapter_02.loaded(old, image_size, positions=positions)


WRONG = {
    "patchify": [
        (
            habit(chapter_01.permuted, in_floats),
            "returned torch.float32, expected torch.float64, the type of its input",
        ),
        (
            habit(chapter_01.permuted, floats_for_bytes),
            "returned torch.float32 for images of bytes",
        ),
    ],
    "overlap": [
        (
            habit(chapter_01.slid, in_floats),
            "returned torch.float32, expected torch.float64, the type of its input",
        ),
        (
            habit(chapter_01.slid, floats_for_bytes),
            "returned torch.float32 for images of bytes",
        ),
    ],
    "which_patch": [
        (as_text, "a str: one whole number was expected"),
        (no_number, "returned tensor(nan), a Tensor: one whole number was expected"),
        (two_numbers, "a Tensor: one whole number was expected"),
    ],
    "kernel": [
        (side_of_four, "side_of_four r"),
        (new_leaf, "a copy and not tied: detach"),
        (
            habit(chapter_02.tied, in_floats),
            "returned torch.float32, expected torch.float64, the type of its input",
        ),
    ],
    "registers": [
        (LargeRegisters, "a learned token starts at a size of "),
        (OnlyInTraining, "tokens came out, expected "),
        (OnlyInTrainingPlaced, "in eval mode other tokens come out"),
        (FourRegisters, ", expected "),
        (OneTooFew, "the class token or one register is missing"),
        (
            InFloats,
            "returned torch.float32, expected torch.float64, the type of its input",
        ),
        (PlainClassToken, "the class token is not learned: make it an nn.Parameter"),
        (WithDropout, "the tokens are others at each call: no dropout here"),
        (RandomInForward, "the tokens are others at each call"),
    ],
    "enlarge": [
        (same_projection, "projection.weight is shared with the old embedder"),
        (same_data, "projection.weight is shared with the old embedder"),
        (sharing("class_token"), "class_token is shared with the old embedder"),
        (assigned, "class_token is shared with the old embedder"),
        (old_one_frozen, "left the old embedder frozen"),
        (old_one_asleep, "left the old embedder in eval mode"),
        (made_double, "class_token is torch.float64, expected torch.float32"),
        (made_single, "class_token is torch.float32, expected torch.float64"),
        (by_a_factor, "size mismatch for positions"),
        (positions_grown, "the positions are not the old one's: stretch its table"),
        (patches_fresh, "positions of the patches are not the old one's"),
    ],
}

RIGHT = {"patchify": [bytes_by_hand]}
