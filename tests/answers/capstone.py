"""Whole models for the capstone that are wrong in one place, by the level that must say
so, and right ones.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn
from whole_models import Block, ByPyTorch, Einsums, LayersOfLayers, Right

from vit_tutorial.block import EncoderBlock
from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer


class Ours(VisionTransformer):
    pass


class Blank(nn.Module):
    pass


class NoForward(nn.Module):
    def __init__(self, config):
        super().__init__()


def but(name, **methods):
    """The right model with other methods."""
    return type(name, (Right,), methods)


def but_block(name, **methods):
    """The right model whose blocks have other methods."""
    return but(name, block=type("Block", (Block,), methods))


def but_after(name, change):
    """The right model, changed once it is built."""

    def __init__(self, config):
        Right.__init__(self, config)
        change(self, config)

    return but(name, __init__=__init__)


def our_blocks(self, c):
    self.blocks = nn.ModuleList(EncoderBlock(c.dim, c.heads) for _ in range(c.depth))


def no_positions(self, c):
    self.embedder.positions = None


def without_positions(self, images):
    patches = self.patches(images)
    return torch.cat(
        [self.embedder.class_token.expand(len(patches), -1, -1), patches], dim=1
    )


def no_bias(self, c):
    for block in self.blocks:
        block.attention["qkv"] = nn.Linear(c.dim, 3 * c.dim, bias=False)


def fixed_positions(self, c):
    table = self.embedder.positions.detach()
    del self.embedder.positions
    self.embedder.register_buffer("positions", table)


def one_block(self, c):
    self.blocks = nn.ModuleList([self.blocks[0]] * c.depth)


def square_only(self, c):
    self.side = c.image_size // c.patch_size


def a_token_for_each_image(self, c):
    self.embedder.class_token = nn.Parameter(torch.zeros(3, 1, c.dim))


def other_names(self, c):
    self.trunk = self.blocks
    del self.blocks


def relu(self, c):
    for block in self.blocks:
        block.mlp[1] = nn.ReLU()


def by_tanh(self, c):
    for block in self.blocks:
        block.mlp[1] = nn.GELU("tanh")


def default_eps(self, c):
    for norm in (
        module for module in self.modules() if isinstance(module, nn.LayerNorm)
    ):
        norm.eps = 1e-5


def never_drops(self, c):
    for layer in (
        module for module in self.modules() if isinstance(module, nn.Dropout)
    ):
        layer.p = 0.0


def one_head(self, c):
    for block in self.blocks:
        block.heads = 1


def forgets_positions(self, weights):
    self.load_state_dict(
        {name: w for name, w in weights.items() if "positions" not in name},
        strict=False,
    )


def mixes_norms(self, weights):
    swap = {"norm1": "norm2", "norm2": "norm1"}
    self.load_state_dict(
        {
            ".".join(swap.get(part, part) for part in name.split(".")): w
            for name, w in weights.items()
        }
    )


def post_norm(self, x):
    x = self.norm1(x + self.attend(x))
    return self.norm2(x + self.mlp(x))


def one_residual(self, x):
    x = x + self.attend(self.norm1(x))
    return self.mlp(self.norm2(x))


def one_norm(self, x):
    normed = self.norm1(x)
    return x + self.attend(normed) + self.mlp(normed)


def places_before_the_token(self, images):
    patches = self.patches(images) + self.embedder.positions[:, 1:]
    return torch.cat(
        [self.embedder.class_token.expand(len(patches), -1, -1), patches], dim=1
    )


def token_last(self, images):
    patches = self.patches(images)
    last = self.embedder.class_token.expand(len(patches), -1, -1)
    return torch.cat([patches, last], dim=1) + self.embedder.positions


def flat_kernel(self, images):
    P = self.config.patch_size
    kernel = self.embedder.projection
    rows = rearrange(images, "b c (y p1) (x p2) -> b (y x) (p1 p2 c)", p1=P, p2=P)
    return rows @ kernel.weight.flatten(1).T + kernel.bias


def square_grid(self, images):
    side = round((self.config.tokens - 1) ** 0.5)
    grid = self.embedder.projection(images)
    return grid.reshape(*grid.shape[:2], side, side).flatten(2).mT


def by_view(self, images):
    kernel = self.embedder.projection
    rows = images.reshape(len(images), self.config.tokens - 1, -1)
    return rows @ kernel.weight.flatten(1).T + kernel.bias


def keys_first(self, joint):
    k, q, v = Block.split(self, joint)
    return q, k, v


def head_by_head(self, joint):
    return rearrange(joint, "b t (h three k) -> three b h t k", three=3, h=self.heads)


def split_by_view(self, joint):
    return [
        part.reshape(len(part), self.heads, part.shape[1], -1)
        for part in joint.chunk(3, dim=-1)
    ]


def causal(self, scores):
    return (scores + torch.full_like(scores, -torch.inf).triu(1)).softmax(dim=-1)


def only_the_last(self, x):
    for block in self.blocks:
        out = block(x)
    return out


def in_place(self, images):
    images -= 0.5
    return Right.forward(self, images + 0.5)


LEVELS = {
    "rung 1 of 17, a class": [
        (Ours, "VisionTransformer comes from vit_tutorial.model"),
        (
            but_after("OurBlocks", our_blocks),
            "EncoderBlock comes from vit_tutorial.block",
        ),
        (Blank, "Blank has no __init__"),
        (NoForward, "NoForward has no forward"),
    ],
    "rung 2 of 17, logits": [
        (
            but("AllTokens", read=lambda self, x: self.head(x)),
            "expected (B, classes), here",
        ),
        (but_after("ATokenForEach", a_token_for_each_image), "raised RuntimeError"),
        (but("InPlace", forward=in_place), "changed its input in place"),
        (
            but(
                "InNumpy",
                forward=lambda self, x: Right.forward(self, x).detach().numpy(),
            ),
            "returned a ndarray",
        ),
    ],
    "rung 3 of 17, size": [
        (
            but(
                "NoPositions",
                __init__=but_after("", no_positions).__init__,
                tokens=without_positions,
            ),
            "the positions",
        ),
        (
            but_after("FixedPositions", fixed_positions),
            "too few: the positions, one row of D",
        ),
        (but_after("NoBias", no_bias), "too few: the biases of q, k and v"),
        (but_after("OneBlock", one_block), "too few: all blocks but one"),
        (but_after("SquareOnly", square_only), "unsupported operand type(s) for //"),
    ],
    "rung 4 of 17, load": [
        (
            but(
                "OtherNames",
                __init__=but_after("", other_names).__init__,
                encode=lambda self, x: self.trunk[0](x),
            ),
            "name your parts as ours, or write load(self, weights)",
        )
    ],
    "rung 6 of 17, batch": [
        (
            but(
                "NormedOverTheBatch",
                forward=lambda self, x: Right.forward(self, x - x.mean(dim=0)),
            ),
            "beside it",
        ),
    ],
    "rung 7 of 17, class token to head": [
        (
            but_after("DefaultEps", default_eps),
            "LayerNorm's eps is 1e-05 in your model",
        ),
        (
            but("ForgetsPositions", load=forgets_positions),
            "embedder.positions are nowhere in your model",
        ),
        (but_block("PostNorm", forward=post_norm), "the stream itself is normed"),
        (
            but_block("NoResidual", forward=lambda self, x: self.mlp(self.attend(x))),
            "a residual is missing",
        ),
        (but_block("OneResidual", forward=one_residual), "a residual is missing"),
        (
            but("NoLastNorm", read=lambda self, x: self.head[1](x[:, 0])),
            "before the last linear layer is missing",
        ),
        (
            but("PlacesBeforeTheToken", tokens=places_before_the_token),
            "the class token has a place too",
        ),
        (
            but(
                "TokenLast", tokens=token_last, read=lambda self, x: self.head(x[:, -1])
            ),
            "it stands first",
        ),
        (
            but("ReadsLast", read=lambda self, x: self.head(x[:, -1])),
            "the head reads the last token",
        ),
        (
            but("MeanOfTokens", read=lambda self, x: self.head(x.mean(dim=1))),
            "the head reads the mean of all",
        ),
        (
            but(
                "Probabilities", read=lambda self, x: self.head(x[:, 0]).softmax(dim=1)
            ),
            "these are probabilities",
        ),
    ],
    "rung 8 of 17, patches and places": [
        (but("FlatKernel", patches=flat_kernel), "your patches are (p1 p2 c)"),
        (but("ByView", patches=by_view), "a view cuts images into runs of pixels"),
        (
            but(
                "ByColumns",
                patches=lambda self, x: self.embedder.projection(x).mT.flatten(2).mT,
            ),
            "column by column",
        ),
        (but("MixesNorms", load=mixes_norms), "passes norm1, in your model norm2"),
        (but_block("Causal", weigh=causal), "a ViT has no causal mask"),
    ],
    "rung 9 of 17, attention": [
        (
            but_block("Scaleless", scores=lambda self, q, k: q @ k.mT),
            "not divided by the root of K",
        ),
        (
            but_block("OverQueries", weigh=lambda self, scores: scores.softmax(dim=-2)),
            "softmax ran over the queries",
        ),
        (but_block("KeysFirst", split=keys_first), "qkv stacks q, then k, then v"),
    ],
    "rung 10 of 17, heads": [
        (
            but_block(
                "ScaledByD",
                scores=lambda self, q, k: q @ k.mT / (q.shape[-1] * self.heads) ** 0.5,
            ),
            "K = D/H numbers",
        ),
        (
            but_block("SplitByView", split=split_by_view),
            "a view is no transpose: split D",
        ),
        (
            but_block(
                "MergedByView",
                merge=lambda self, mixed: mixed.reshape(len(mixed), mixed.shape[2], -1),
            ),
            "a view is no transpose: bring the heads behind",
        ),
        (but_block("HeadByHead", split=head_by_head), "cut out head by head"),
        (but_after("OneHead", one_head), "there is one head of D numbers"),
    ],
    "rung 11 of 17, MLP": [
        (but_after("ReLU", relu), "the bend is a ReLU"),
        (but_after("ByTanh", by_tanh), "the GELU's approximation by tanh"),
        (but_block("OneNorm", forward=one_norm), "passes norm2, in your model norm1"),
    ],
    "rung 12 of 17, block": [
        (
            but_block(
                "SideBySide",
                forward=lambda self, x: (
                    x + self.attend(self.norm1(x)) + self.mlp(self.norm2(x))
                ),
            ),
            "attention and MLP read the same x",
        )
    ],
    "rung 13 of 17, depth": [
        (
            but("OnlyTheFirst", encode=lambda self, x: self.blocks[0](x)),
            "only the first block runs",
        ),
        (but("OnlyTheLast", encode=only_the_last), "only the last block runs"),
    ],
    "rung 14 of 17, config": [
        (but("SquareGrid", patches=square_grid), "pixels with 1 channels")
    ],
    "rung 15 of 17, dropout": [
        (but_after("NeverDrops", never_drops), "nothing is dropped"),
        (
            but(
                "AlwaysDrops",
                read=lambda self, x: self.head(F.dropout(x[:, 0], self.config.dropout)),
            ),
            "eval mode still drops",
        ),
    ],
    "rung 16 of 17, gradients": [
        (
            but("Detached", tokens=lambda self, x: Right.tokens(self, x).detach()),
            "gets no gradient",
        ),
        (
            but_block(
                "CutWeights", weigh=lambda self, scores: scores.softmax(dim=-1).detach()
            ),
            "its gradient for the images is not",
        ),
    ],
    "rung 5 of 17, any device, any type": [
        (but("FixedType", read=lambda self, x: Right.read(self, x).float()), "float32"),
        (
            but(
                "StaysBehind",
                patches=lambda self, x: Right.patches(self, x) + torch.zeros(1),
            ),
            "stays behind",
        ),
    ],
}


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


WRONG = {"my_vit": [row for rows in LEVELS.values() for row in rows]}
WRONG["my_vit"] += [(rows[0][0], f"{level}: ") for level, rows in LEVELS.items()]
RIGHT = {"my_vit": [Right, ByPyTorch, Einsums, LayersOfLayers]}
WRONG["my_vit"] += [
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
RIGHT["my_vit"] += [
    built_by_a_function,
    but("AnotherParameter", load=another_parameter),
]
