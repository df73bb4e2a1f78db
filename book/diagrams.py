"""Draw the book's diagrams: python book/diagrams.py writes notebooks/figures/*.svg.

All read from top to bottom. The sides of a tensor carry the book's letters; colours are
those of `language.py`.
"""

import sys
from functools import partial
from pathlib import Path

from language import (
    HEADS,
    PATCH,
    ROLES,
    SIDE,
    STREAM,
    TINTS,
    WIDTH,
    D,
    H,
    K,
    N,
    T,
    attention_colour,
    first_row,
    flat_pixel,
    head_colour,
    mark,
    patch_at,
    pixel,
    position_colour,
    scale,
    score_colour,
    step,
)
from svg import FAINT, INK, PANEL, PAPER, Drawing, blend, box, plus, tensor

from vit_tutorial.files import write_file
from vit_tutorial.plots import CLASS_TOKEN, KEY, QUERY, RESIDUAL, VALUE

FIGURES = Path(__file__).resolve().parent.parent / "notebooks" / "figures"


def patches_to_tokens() -> Drawing:
    d = Drawing(
        "From an image to tokens",
        "An image of Y by X pixels is cut into N patches of side P. Each patch is"
        " flattened into a row of P*P*C values; one linear map, shared by all patches,"
        " turns it into D values. A class token is put in front, and every one of the T"
        " = N + 1 tokens has its own position added.",
        WIDTH,
        586,
    )
    step(d, 26, 1, "cut the image into patches, row by row")
    right, _ = tensor(
        d, (60, 62), (SIDE, SIDE), (9, 9), pixel, "Y", "X", "image", grid=False
    )
    d.line((right + 20, 116), (right + 66, 116))
    for patch in range(N):
        place = (270 + 42 * (patch % 3), 56 + 42 * (patch // 3))
        sides = {"left": "P" * (patch == 3), "top": "P" * (patch == 1)}
        tensor(
            d,
            place,
            (PATCH, PATCH),
            (9, 9),
            partial(patch_at, patch),
            grid=False,
            **sides,
        )
    d.text(330, 193, "N patches")

    step(d, 232, 2, "flatten each, and send all through one linear map")
    right, _ = tensor(
        d,
        (40, 270),
        (N, PATCH**2),
        (9, 11),
        flat_pixel,
        "N",
        "P*P*C",
        "flat patches",
        grid=False,
    )
    d.add(
        "path",
        stroke=PANEL,
        stroke_width=2,
        d="".join(f"M41 {270 + 11 * row}H{right - 1}" for row in range(1, N)),
    )
    d.text(206, 320, "@", 16, code=True)
    tensor(d, (272, 264), (PATCH**2, 8), (9, 7), PAPER, "P*P*C", "D", "weight")
    d.text(358, 320, "=", 16, code=True)
    tensor(d, (374, 270), (N, 8), (8, 11), STREAM, "", "D", "patch tokens")

    step(d, 420, 3, "put the class token first, add a position to each")
    tensor(
        d,
        (48, 454),
        (N + 1, 8),
        (10, 10),
        first_row(CLASS_TOKEN, STREAM),
        "T",
        "D",
        "with class token",
    )
    plus(d, 152, 504)
    tensor(d, (190, 454), (N + 1, 8), (10, 10), position_colour, "T", "D", "positions")
    d.text(294, 504, "=", 16, code=True)
    tensor(
        d,
        (332, 454),
        (N + 1, 8),
        (10, 10),
        first_row(CLASS_TOKEN, STREAM),
        "T",
        "D",
        "tokens",
    )
    return d


def attention() -> Drawing:
    d = Drawing(
        "Attention: scores, softmax, mix",
        "Every token makes a query (blue), a key (green) and a value (pink) of K"
        " numbers each. Queries times keys, divided by the root of K, give T by T"
        " scores. Softmax makes each row, one query over all keys, sum to 1. These"
        " weights mix the values. One query is followed through all steps.",
        WIDTH,
        586,
    )
    asks = 3
    cell = (16, 16)
    step(d, 26, 1, "every token makes a query, a key and a value")
    right, _ = tensor(d, (44, 66), (T, D), (8, 16), STREAM, "T", "D", "tokens")
    d.line((right + 12, 106), (right + 42, 106))
    for at, (name, does) in enumerate(
        {"q": "asks", "k": "is found by", "v": "hands over"}.items()
    ):
        tensor(d, (218 + 84 * at, 66), (T, K), cell, TINTS[name], "T", "K", name)
        d.text(242 + 84 * at, 176, does, 12, colour=FAINT)
    mark(d, (218, 66 + 16 * asks), (48, 16))

    step(d, 214, 2, "compare every query with every key: scores")
    tensor(d, (44, 254), (T, K), cell, TINTS["q"], "T", "K", "q")
    d.text(118, 294, "@", 16, code=True)
    tensor(d, (158, 270), (K, T), cell, TINTS["k"], "K", "T", "k transposed")
    d.text(280, 294, "/ √K =", 16, code=True)
    tensor(d, (356, 254), (T, T), cell, score_colour, "T", "T", "scores")
    for x, width in ((44, 48), (356, 80)):
        mark(d, (x, 254 + 16 * asks), (width, 16))

    step(d, 386, 3, "softmax over the keys, then mix the values")
    tensor(d, (44, 426), (T, T), cell, attention_colour(), "T", "T", "weights")
    d.text(152, 466, "@", 16, code=True)
    tensor(d, (200, 426), (T, K), cell, TINTS["v"], "T", "K", "v")
    d.text(282, 466, "=", 16, code=True)
    tensor(d, (346, 426), (T, K), cell, blend(VALUE, 0.8), "T", "K", "mixed")
    for x, width in ((44, 80), (346, 48)):
        mark(d, (x, 426 + 16 * asks), (width, 16))
    scale(d, (44, 546))
    d.text(216, 551, "each row of weights sums to 1", 12, "start", FAINT)
    return d


def heads() -> Drawing:
    d = Drawing(
        "Heads: several attentions side by side",
        "The D columns of queries, keys and values are split into H heads of K = D / H"
        " columns, drawn as four tints of violet. Each head mixes its own values with"
        " its own T by T weights. The H results are put side by side again, T by D, and"
        " a linear map mixes the heads.",
        WIDTH,
        612,
    )
    step(d, 26, 1, "split q, k and v into H heads: D = H * K")
    for at, (name, colour) in enumerate({"q": QUERY, "k": KEY, "v": VALUE}.items()):
        x = 34 + 144 * at
        y = 66
        right, bottom = tensor(d, (x, y), (T, D), (10, 14), head_colour, "T", "D", name)
        d.rect(x - 1, y - 1, right - x + 2, bottom - y + 2, "none", colour, line=3)

    step(d, 192, 2, "every head attends by itself")
    for head in range(H):
        x = 44 + 106 * head
        d.text(x + 35, 222, f"head {head}", 13)
        tensor(
            d,
            (x, 250),
            (T, T),
            (14, 14),
            attention_colour(head),
            "T" * (head == 0),
            "T",
        )
        d.line((x + 35, 325), (x + 35, 349))
        tensor(d, (x + 14, 371), (T, K), (14, 11), HEADS[head], "T" * (head == 0), "K")
    d.text(
        230,
        443,
        "a map of weights for each head, and the values it mixed",
        12,
        colour=FAINT,
    )

    step(d, 482, 3, "side by side again, then one linear map")
    tensor(d, (40, 528), (T, D), (8, 10), head_colour, "T", "D", "all heads")
    d.text(158, 553, "@", 16, code=True)
    tensor(d, (202, 520), (D, D), (8, 5.5), PAPER, "D", "D")
    d.text(320, 553, "=", 16, code=True)
    tensor(d, (342, 528), (T, D), (8, 10), STREAM, "", "D", "one result")
    return d


def block() -> Drawing:
    d = Drawing(
        "The encoder block",
        "A grey residual stream x, T by D, runs straight through from top to bottom."
        " Two branches leave it and are added back: first LayerNorm and attention,"
        " where tokens talk, then LayerNorm and the MLP, where each token thinks for"
        " itself. The norms stand on the branches, never on the stream.",
        WIDTH,
        424,
    )
    stream = 70
    d.line((stream, 42), (stream, 402), colour=STREAM, width=9)
    d.text(stream, 24, "x", 15, code=True, bold=True)
    d.text(stream + 18, 25, "T × D", 12, "start", FAINT, code=True)
    first = sublayer(d, stream, 62, "attention", True, 110)
    second = sublayer(d, stream, first + 32, "MLP", True, 110)
    notes = [
        (first - 92, "tokens talk:", "weights T × T in each head"),
        (second - 92, "each token by itself:", "D → 4D → D"),
    ]
    for y, one, two in notes:
        d.text(252, y + 40, one, 13, "start", bold=True)
        d.text(252, y + 58, two, 13, "start", FAINT)
    for y, code in (
        (first, "x = x + attention(norm1(x))"),
        (second, "x = x + mlp(norm2(x))"),
    ):
        d.text(206, y + 1, code, 12, "start", code=True)
    return d


def norm_placement() -> Drawing:
    d = Drawing(
        "Post-norm beside pre-norm",
        "Two encoder blocks. Left, post-norm, as in the Transformer of 2017: LayerNorm"
        " stands on the residual stream after each sum, so the stream is rescaled twice"
        " a block. Right, pre-norm, as in the Vision Transformer: LayerNorm stands on"
        " the branches, and the stream runs through untouched.",
        WIDTH,
        466,
    )
    for middle, pre, name, note in (
        (74, False, "post-norm", "Transformer, 2017"),
        (292, True, "pre-norm", "ViT"),
    ):
        d.text(middle + 50, 26, name, 14, bold=True)
        d.text(middle + 50, 46, note, 12, colour=FAINT)
        d.text(middle, 66, "x", 15, code=True, bold=True)
        d.line((middle, 80), (middle, 450), colour=STREAM, width=9)
        end = sublayer(d, middle, 98, "attention", pre, 100)
        sublayer(d, middle, end + 22, "MLP", pre, 100)
    return d


def sublayer(
    drawing: Drawing, stream: float, top: float, layer: str, pre: bool, side: float
) -> float:
    """A branch off the residual stream and back, with LayerNorm on the branch (pre) or
    on the stream after the sum.

    `side` is how far to the right the branch runs. Returns the height of its end.
    """
    x = stream + side
    norm = "LayerNorm"
    stripes = ROLES if layer == "attention" else ()
    drawing.line((stream, top), (x, top), (x, top + 30))
    if pre:
        box(drawing, (x, top + 44), (112, 28), norm, PAPER)
        drawing.line((x, top + 58), (x, top + 76))
    below = top + (46 if pre else 0)
    box(drawing, (x, below + 46), (112, 32), layer, stripes=stripes)
    drawing.line((x, below + 62), (x, below + 92), (stream + 11, below + 92))
    plus(drawing, stream, below + 92)
    if not pre:
        box(drawing, (stream, below + 130), (112, 28), norm, PAPER)
    return below + (92 if pre else 144)


def vision_transformer() -> Drawing:
    d = Drawing(
        "The Vision Transformer, from image to logits",
        "The patch embedder turns an image into T tokens: an orange class token and one"
        " token a patch. Each runs down its own grey residual stream through all"
        " blocks. In a block, attention spans all streams and the MLP stands on each"
        " alone. At the end the head reads the class token and gives a logit for each"
        " class.",
        WIDTH,
        612,
    )
    tensor(d, (76, 20), (SIDE, SIDE), (7, 7), pixel, grid=False)
    d.add(
        "path", d="M104 20v84M132 20v84M76 48h84M76 76h84", stroke=PANEL, stroke_width=2
    )
    shapes = [
        (176, 62, "images", "(B, C, Y, X)"),
        (374, 204, "tokens", "(B, T, D)"),
        (346, 562, "logits", "(B, classes)"),
    ]
    for x, y, name, shape in shapes:
        d.text(x, y - 9, name, 13, "start", bold=True)
        d.text(x, y + 9, shape, 11, "start", FAINT, code=True)
    d.line((118, 106), (118, 128))
    box(
        d, (193, 146), (342, 34), "patch embedder: cut, project, class token, positions"
    )
    streams = [40 + 34 * token for token in range(N + 1)]
    for token, x in enumerate(streams):
        d.line((x, 164), (x, 188), width=1.2)
        fill = partial(patch_at, token - 1) if token else CLASS_TOKEN
        tensor(d, (x - 12, 192), (PATCH, PATCH), (6, 6), fill, grid=False)
        d.line((x, 217), (x, 494), colour=STREAM, width=5, head=False)
        d.rect(x - 12, 494, 24, 24, STREAM if token else CLASS_TOKEN, FAINT, line=1.3)
    d.rect(20, 236, 346, 120, "none", INK, radius=8, line=1.3)
    box(
        d, (193, 267), (330, 34), "LayerNorm, attention: all tokens talk", stripes=ROLES
    )
    for x in streams:
        box(d, (x, 310), (26, 22), "")
    d.rect(64, 328, 258, 20, PANEL, radius=4)
    d.text(193, 338, "LayerNorm, MLP: each token by itself")
    for y, name in ((389, "block 2"), (457, "last block")):
        box(d, (193, y), (346, 30), "", PAPER)
        d.text(374, y, name, 13, "start", bold=True)
    d.text(374, 296, "block 1", 13, "start", bold=True)
    d.text(386, 423, "⋮", 16, bold=True)
    d.line((40, 519), (40, 544))
    box(d, (104, 562), (160, 34), "head: LayerNorm, linear")
    d.line((186, 562), (212, 562))
    for index, height in enumerate((6, 11, 4, 30, 8, 5, 13, 3, 7, 4)):
        d.rect(
            222 + 11 * index, 577 - height, 8, height, INK if height == 30 else RESIDUAL
        )
    return d


def crop_box() -> Drawing:
    d = Drawing(
        "A crop's box, measured from -1 to 1",
        "The image reaches from -1 to 1 across and down, so its sides are 2 long and"
        " its area is 4. A box in it has its middle at x, y; half its width is w, half"
        " its height h, so its area is 2w times 2h. Its share of the image is the"
        " product of w and h.",
        WIDTH,
        316,
    )
    # pixels of this drawing from 0 to 1
    left = 56
    top = 46
    unit = 118
    middle = (0.25, 0.3)
    half = (0.6, 0.45)
    d.rect(left, top, 2 * unit, 2 * unit, PAPER, INK, line=1.3)
    for place, name in enumerate(("-1", "0", "1")):
        d.text(left + place * unit, top - 14, name, 12, colour=FAINT, code=True)
        d.text(left - 18, top + place * unit, name, 12, colour=FAINT, code=True)
    x = left + (1 + middle[0]) * unit
    y = top + (1 + middle[1]) * unit
    w = half[0] * unit
    h = half[1] * unit
    d.rect(x - w, y - h, 2 * w, 2 * h, blend(QUERY, 0.15), QUERY, line=2)
    d.line((x, y), (x + w, y), colour=QUERY, width=2)
    d.line((x, y), (x, y - h), colour=QUERY, width=2)
    d.add("circle", cx=x, cy=y, r=4, fill=INK)
    d.text(x - 6, y + 16, "x, y", 13, code=True)
    d.text(x + w / 2, y + 14, "w", 13, code=True, bold=True)
    d.text(x - 12, y - h / 2, "h", 13, code=True, bold=True)
    areas = {
        "image": "2 · 2 = 4",
        "box": "2w · 2h = 4wh",
        "share of the area": "4wh / 4 = wh",
    }
    for at, (name, area) in enumerate(areas.items()):
        d.text(316, 90 + 70 * at, name, 13, "start", bold=True)
        d.text(316, 112 + 70 * at, area, 13, "start", code=True)
    return d


DIAGRAMS = (
    patches_to_tokens,
    attention,
    heads,
    block,
    vision_transformer,
    norm_placement,
    crop_box,
)


def main(folder: Path) -> None:
    """Write every diagram as FOLDER/name.svg."""
    folder.mkdir(exist_ok=True)
    for diagram in DIAGRAMS:
        write_file(folder / f"{diagram.__name__}.svg", diagram().svg().encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FIGURES)
