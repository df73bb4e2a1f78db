"""Whole Vision Transformers that are right and unlike each other: what the capstone
must accept.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        self.norm1, self.norm2 = (nn.LayerNorm(c.dim, eps=c.norm_eps) for _ in range(2))
        self.attention = nn.ModuleDict(
            {"qkv": nn.Linear(c.dim, 3 * c.dim), "out": nn.Linear(c.dim, c.dim)}
        )
        hidden = round(c.dim * c.mlp_ratio)
        drop = nn.Dropout(c.dropout)
        self.mlp = nn.Sequential(
            nn.Linear(c.dim, hidden), nn.GELU(), drop, nn.Linear(hidden, c.dim), drop
        )
        self.drop = drop

    def split(self, joint):
        return [
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in joint.chunk(3, dim=-1)
        ]

    def scores(self, q, k):
        return q @ k.mT / q.shape[-1] ** 0.5

    def weigh(self, scores):
        return scores.softmax(dim=-1)

    def merge(self, mixed):
        return mixed.transpose(1, 2).flatten(2)

    def attend(self, x):
        q, k, v = self.split(self.attention["qkv"](x))
        return self.drop(
            self.attention["out"](self.merge(self.weigh(self.scores(q, k)) @ v))
        )

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Right(nn.Module):
    """Our names throughout, so that it needs no `load`; attention written out, the
    patches by a convolution.
    """

    block = Block

    def __init__(self, config):
        super().__init__()
        c = self.config = config
        self.embedder = nn.Module()
        self.embedder.projection = nn.Conv2d(
            c.channels, c.dim, c.patch_size, c.patch_size
        )
        self.embedder.class_token = nn.Parameter(torch.zeros(1, 1, c.dim))
        self.embedder.positions = nn.Parameter(torch.zeros(1, c.tokens, c.dim))
        self.blocks = nn.ModuleList(self.block(c) for _ in range(c.depth))
        self.head = nn.Sequential(
            nn.LayerNorm(c.dim, eps=c.norm_eps), nn.Linear(c.dim, c.classes)
        )
        self.drop = nn.Dropout(c.dropout)

    def patches(self, images):
        return self.embedder.projection(images).flatten(2).mT

    def tokens(self, images):
        patches = self.patches(images)
        first = self.embedder.class_token.expand(len(patches), -1, -1)
        return torch.cat([first, patches], dim=1) + self.embedder.positions

    def encode(self, x):
        for block in self.blocks:
            x = block(x)
        return x

    def read(self, x):
        return self.head(x[:, 0])

    def forward(self, images):
        return self.read(self.encode(self.drop(self.tokens(images))))


class ByPyTorch(nn.Module):
    """PyTorch's own encoder layer."""

    def __init__(self, config):
        super().__init__()
        c = config
        self.cut = nn.Unfold(c.patch_size, stride=c.patch_size)
        self.patch = nn.Linear(c.patch_size**2 * c.channels, c.dim)
        self.table = nn.Parameter(torch.zeros(c.tokens, c.dim))
        self.first = nn.Parameter(torch.zeros(c.dim))
        hidden = round(c.dim * c.mlp_ratio)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                c.dim, c.heads, hidden, c.dropout, "gelu", c.norm_eps, True, True
            )
            for _ in range(c.depth)
        )
        self.norm = nn.LayerNorm(c.dim, c.norm_eps)
        self.out = nn.Linear(c.dim, c.classes)

    def forward(self, images):
        x = self.patch(self.cut(images).transpose(1, 2))
        x = torch.cat([self.first.expand(x.shape[0], 1, -1), x], 1) + self.table
        for layer in self.layers:
            x = layer(x)
        return self.out(self.norm(x[:, 0]))

    def load(self, weights):
        names = {
            "attention.qkv.": "self_attn.in_proj_",
            "attention.out": "self_attn.out_proj",
            "blocks": "layers",
        }
        names |= {
            "mlp.0": "linear1",
            "mlp.3": "linear2",
            "head.0": "norm",
            "head.1": "out",
        }
        names |= {
            "embedder.projection": "patch",
            "embedder.class_token": "first",
            "embedder.positions": "table",
        }
        mine = {}
        for name, value in weights.items():
            for ours, theirs in names.items():
                name = name.replace(ours, theirs)
            mine[name] = value.flatten(1) if name == "patch.weight" else value
        mine |= {"first": mine["first"][0, 0], "table": mine["table"][0]}
        self.load_state_dict(mine)


class Einsums(nn.Module):
    """Matrices as bare parameters, (in, out), one for each of q, k and v; attention and
    patches by einsum.
    """

    def __init__(self, cfg):
        super().__init__()
        self.cfg = cfg
        D = cfg.dim
        M = round(cfg.dim * cfg.mlp_ratio)
        P = cfg.patch_size
        K = D // cfg.heads

        def new(*shape):
            return nn.Parameter(0.02 * torch.randn(shape))

        self.kernel = new(P, P, cfg.channels, D)
        self.kernel_bias = new(D)
        self.cls = new(D)
        self.cls_place = new(D)
        self.places = new(*cfg.grid, D)
        shapes = {
            "q": (D, cfg.heads, K),
            "k": (D, cfg.heads, K),
            "v": (D, cfg.heads, K),
            "o": (cfg.heads, K, D),
        }
        biases = {
            "bq": (cfg.heads, K),
            "bk": (cfg.heads, K),
            "bv": (cfg.heads, K),
            "bo": (D,),
            "b1": (M,),
            "b2": (D,),
        }
        shapes |= biases | {
            "w1": (D, M),
            "w2": (M, D),
            "g1": (D,),
            "o1": (D,),
            "g2": (D,),
            "o2": (D,),
        }
        self.layers = nn.ModuleList(
            nn.ParameterDict({name: new(*shape) for name, shape in shapes.items()})
            for _ in range(cfg.depth)
        )
        self.gain = new(D)
        self.offset = new(D)
        self.last = new(D, cfg.classes)
        self.last_bias = new(cfg.classes)

    def norm(self, x, gain, offset):
        centred = x - x.mean(-1, keepdim=True)
        return (
            gain
            * centred
            / (centred.pow(2).mean(-1, keepdim=True) + self.cfg.norm_eps).sqrt()
            + offset
        )

    def forward(self, images):
        y, x = self.cfg.grid
        squares = rearrange(images, "b c (y p) (x r) -> b y x p r c", y=y, x=x)
        patches = (
            torch.einsum("byxprc,prcd->byxd", squares, self.kernel)
            + self.kernel_bias
            + self.places
        )
        first = (self.cls + self.cls_place).repeat(len(images), 1, 1)
        x = F.dropout(
            torch.cat([first, patches.flatten(1, 2)], 1),
            self.cfg.dropout,
            self.training,
        )
        for p in self.layers:
            n = self.norm(x, p["g1"], p["o1"])
            q, k, v = (
                torch.einsum("btd,dhk->bhtk", n, p[name]) + p["b" + name][:, None]
                for name in "qkv"
            )
            weights = (
                torch.einsum("bhik,bhjk->bhij", q, k).div(q.shape[-1] ** 0.5).exp()
            )
            weights = weights / weights.sum(-1, keepdim=True)
            x = x + torch.einsum("bhij,bhjk,hkd->bid", weights, v, p["o"]) + p["bo"]
            x = (
                x
                + F.gelu(self.norm(x, p["g2"], p["o2"]) @ p["w1"] + p["b1"]) @ p["w2"]
                + p["b2"]
            )
        return self.norm(x[:, 0], self.gain, self.offset) @ self.last + self.last_bias

    def load(self, weights):
        for mine, ours in self.pairs(weights):
            mine.copy_(ours)

    def pairs(self, weights):
        H = self.cfg.heads
        table = weights["embedder.positions"][0]
        yield self.kernel, weights["embedder.projection.weight"].permute(2, 3, 1, 0)
        yield self.kernel_bias, weights["embedder.projection.bias"]
        yield self.cls, weights["embedder.class_token"][0, 0]
        yield self.cls_place, table[0]
        yield self.places, table[1:].unflatten(0, self.cfg.grid)
        yield from zip(
            (self.gain, self.offset),
            (weights["head.0.weight"], weights["head.0.bias"]),
            strict=True,
        )
        yield from zip(
            (self.last, self.last_bias),
            (weights["head.1.weight"].T, weights["head.1.bias"]),
            strict=True,
        )
        for number, p in enumerate(self.layers):
            block = {
                name.split(".", 2)[2]: w
                for name, w in weights.items()
                if name.startswith(f"blocks.{number}.")
            }
            joint = zip(
                block["attention.qkv.weight"].chunk(3),
                block["attention.qkv.bias"].chunk(3),
                strict=True,
            )
            for name, (w, b) in zip("qkv", joint, strict=True):
                yield p[name], w.T.unflatten(1, (H, -1))
                yield p["b" + name], b.unflatten(0, (H, -1))
            yield p["o"], block["attention.out.weight"].T.unflatten(0, (H, -1))
            names = {
                "w1": "mlp.0.weight",
                "w2": "mlp.3.weight",
                "b1": "mlp.0.bias",
                "b2": "mlp.3.bias",
            }
            names |= {
                "g1": "norm1.weight",
                "o1": "norm1.bias",
                "g2": "norm2.weight",
                "o2": "norm2.bias",
            }
            for mine, ours in (names | {"bo": "attention.out.bias"}).items():
                yield p[mine], block[ours].mT if mine[0] == "w" else block[ours]


class LayersOfLayers(nn.Module):
    """Separate layers for q, k and v, scale folded into the loaded queries, patches cut
    by loops.
    """

    def __init__(self, config):
        super().__init__()
        c = self.c = config
        self.patch = nn.Linear(c.channels * c.patch_size**2, c.dim)
        self.token = nn.Parameter(torch.randn(1, c.dim))
        self.place = nn.Embedding(c.tokens, c.dim)
        names = {
            "query": (c.dim, c.dim),
            "key": (c.dim, c.dim),
            "value": (c.dim, c.dim),
            "out": (c.dim, c.dim),
        }
        names |= {
            "up": (c.dim, round(c.mlp_ratio * c.dim)),
            "down": (round(c.mlp_ratio * c.dim), c.dim),
        }
        self.layers = nn.ModuleList()
        for _ in range(c.depth):
            layer = nn.ModuleDict(
                {name: nn.Linear(*shape) for name, shape in names.items()}
            )
            layer.update(
                {
                    name: nn.LayerNorm(c.dim, c.norm_eps)
                    for name in ("before", "between")
                }
            )
            self.layers.append(layer)
        self.norm = nn.LayerNorm(c.dim, c.norm_eps)
        self.classes = nn.Linear(c.dim, c.classes)

    def forward(self, images):
        P = self.c.patch_size
        rows, columns = self.c.grid
        cut = [
            images[..., y * P : y * P + P, x * P : x * P + P]
            for y in range(rows)
            for x in range(columns)
        ]
        patches = torch.stack([self.patch(one.flatten(1)) for one in cut], dim=1)
        x = torch.cat([self.token.repeat(len(images), 1, 1), patches], dim=1)
        x = nn.functional.dropout(x + self.place.weight, self.c.dropout, self.training)
        for layer in self.layers:
            normed = layer["before"](x)
            q, k, v = (layer[name](normed) for name in ("query", "key", "value"))
            K = self.c.dim // self.c.heads
            mixed = [
                torch.softmax(
                    q[..., at : at + K] @ k[..., at : at + K].transpose(1, 2), -1
                )
                @ v[..., at : at + K]
                for at in range(0, self.c.dim, K)
            ]
            x = x + layer["out"](torch.cat(mixed, dim=-1))
            x = x + layer["down"](F.gelu(layer["up"](layer["between"](x))))
        return self.classes(self.norm(x)[:, 0])

    def load(self, weights):
        scale = (self.c.dim // self.c.heads) ** -0.5
        mine = {
            "patch.weight": weights["embedder.projection.weight"].flatten(1),
            "token": weights["embedder.class_token"][0],
        }
        mine |= {
            "patch.bias": weights["embedder.projection.bias"],
            "place.weight": weights["embedder.positions"][0],
        }
        names = {
            "attention.out": "out",
            "mlp.0": "up",
            "mlp.3": "down",
            "norm1": "before",
            "norm2": "between",
        }
        for name, value in weights.items():
            if ".qkv." in name:
                for part, rows in zip(
                    ("query", "key", "value"), value.split(self.c.dim), strict=True
                ):
                    key = name.replace("blocks", "layers").replace(
                        "attention.qkv", part
                    )
                    mine[key] = rows * scale if part == "query" else rows
            elif name.startswith("blocks"):
                for ours, theirs in names.items():
                    name = name.replace(ours, theirs)
                mine[name.replace("blocks", "layers")] = value
            elif name.startswith("head"):
                mine[name.replace("head.0", "norm").replace("head.1", "classes")] = (
                    value
                )
        self.load_state_dict(mine)
