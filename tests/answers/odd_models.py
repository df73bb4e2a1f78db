"""Whole models for the capstone that go wrong in ways of their own, with the sentence
for each.
"""

import torch.nn.functional as F
from torch import nn
from whole_models import ByPyTorch, Right

from answers.capstone import but, but_after, but_block
from vit_tutorial.config import ViTConfig


def added_in_place(self, x):
    x = x + self.attend(self.norm1(x))
    x += self.mlp(self.norm2(x))
    return x


def normed_after(self, x):
    x = x + self.norm1(self.attend(x))
    return x + self.norm2(self.mlp(x))


def all_blocks_but_the_last(self, x):
    for block in self.blocks[:-1]:
        x = block(x)
    return x


def without_bias(self, images):
    return (
        F.conv2d(images, self.embedder.projection.weight, stride=self.config.patch_size)
        .flatten(2)
        .mT
    )


def in_and_out(self, weights):
    self.load_state_dict(
        {name: w.T if ".out.weight" in name else w for name, w in weights.items()}
    )


def another_parameter(self, weights):
    self.load_state_dict(weights)
    self.embedder.class_token = nn.Parameter(weights["embedder.class_token"])


def a_tenth_drops(self, c):
    for layer in (
        module for module in self.modules() if isinstance(module, nn.Dropout)
    ):
        layer.p = 0.1


def always_in_eval_mode(self, images):
    return Right.forward(self.eval(), images)


class Remembers(Right):
    def forward(self, images):
        if not hasattr(self, "places"):
            self.places = self.embedder.positions.detach().clone()
        return self.read(
            self.encode(
                Right.tokens(self, images) - self.embedder.positions + self.places
            )
        )


class TokensFirst(ByPyTorch):
    """PyTorch's own layer as it is by default: the first axis is taken for the
    tokens.
    """

    def __init__(self, c):
        super().__init__(c)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                c.dim,
                c.heads,
                round(c.dim * c.mlp_ratio),
                c.dropout,
                "gelu",
                c.norm_eps,
                norm_first=True,
            )
            for _ in range(c.depth)
        )


def built_by_a_function(config):
    return Right(config)


small = Right(ViTConfig(image_size=8, patch_size=4, dim=8, depth=1, heads=2))
WRONG = {
    "my_vit": [
        (
            small,
            "rung 1 of 17, a class: a model was given: check the class Right itself",
        ),
        (
            Remembers,
            (
                "rung 6 of 17, batch: other weights were loaded, and numbers of the old"
                " ones are still used"
            ),
        ),
        (
            but_block("NormedAfter", forward=normed_after),
            "rung 7 of 17, class token to head: the norms come after",
        ),
        (
            but("Logs", read=lambda self, x: self.head(x[:, 0]).log_softmax(dim=1)),
            "these are logarithms of",
        ),
        (
            but("LeavesOneOut", encode=all_blocks_but_the_last),
            "rung 8 of 17, patches and places: the block does not",
        ),
        (
            but("WithoutBias", patches=without_bias),
            "the bias of the patch projection is missing",
        ),
        (but("InAndOut", load=in_and_out), "attention's output matrix is transposed"),
        (TokensFirst, "PyTorch's own layers need batch_first=True"),
        (
            but_after("ATenthDrops", a_tenth_drops),
            "with config.dropout=0.0, train mode gives other logits each time",
        ),
        (but("AlwaysEval", forward=always_in_eval_mode), "left the model in eval mode"),
        (
            but_block("InPlaceSum", forward=added_in_place),
            "rung 16 of 17, gradients: x += ... changed a tensor",
        ),
    ]
}
RIGHT = {
    "my_vit": [built_by_a_function, but("AnotherParameter", load=another_parameter)]
}
