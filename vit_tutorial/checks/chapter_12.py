"""Checks of chapter 12: patches hidden by chance, a teacher to agree with, and the
votes of the nearest.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from vit_tutorial.checks.harness import (
    NotSolved,
    ask,
    called,
    checked,
    combined,
    compare,
    compare_gradients,
    distinct,
    listed,
    name_mistake,
    same,
    told_apart,
    two,
)
from vit_tutorial.selfsup.dino import dino_loss
from vit_tutorial.selfsup.masking import visible


def one_by_one(
    form: Callable[..., Tensor], table: Mapping[str, Mapping[str, object]]
) -> dict[str, Tensor]:
    """What `form` makes of each mistake of a table: as `combined`, without pairs."""
    return {
        said: form(**{place: value})
        for place, wrong in table.items()
        for said, value in wrong.items()
    }


# ---- which tokens are hidden, and which are left


PAIR = "a pair, visible tokens (B, V, D) and masks (B, N),"
# what PyTorch says where images are stacked of which one shows more than another
UNEVEN = dict.fromkeys(
    ("equal size", "is invalid for input of size", "unflatten", "sequence of length"),
    "are as many tokens hidden in each image?",
)
ROUND = "round(ratio * N) tokens are hidden"
COUNTS = {
    "ratio is the share that is hidden, you hide as many as should be"
    " shown": lambda N, hidden: N - hidden,
    f"{ROUND}, you hide one too few: int(ratio * N) cuts off": lambda N, hidden: (
        hidden - 1
    ),
    f"{ROUND}, you hide one too many: int((1 - ratio) * N) cuts off what is"
    " visible": lambda N, hidden: hidden + 1,
    f"{ROUND}, you hide none": lambda hidden: 0 * hidden,
    f"{ROUND}, you hide them all": lambda N: N,
}
TURNED = "a mask is True where a token is hidden, yours is where it is visible"
# of masks (B, N): whether they are made so, which never happens by chance
PATTERNS = {
    "the first tokens are hidden, always: draw which": lambda masks, hidden: masks[
        :, :hidden
    ].all(),
    "the last tokens are hidden, always: draw which": lambda masks, hidden: masks[
        :, -hidden:
    ].all(),
    "every image hides the same tokens: draw for each of its own": lambda masks: (
        masks == masks[0]
    ).all(),
    "the hidden tokens stand side by side: draw which, one by one": lambda masks: (
        (masks != masks.roll(1, 1)).sum(dim=1) == 2
    ).all(),
}
SHOWN = {
    "these are the hidden tokens: the visible ones are those where the mask is"
    " False": lambda tokens, masks: tokens[masks].unflatten(0, (len(tokens), -1)),
    "the hidden tokens are zeros, and still there: leave them"
    " out": lambda tokens, masks: tokens * ~masks[..., None],
    "the visible tokens are zeros, and the hidden ones there: leave the hidden ones"
    " out": lambda tokens, masks: tokens * masks[..., None],
    "all tokens are there: leave the hidden ones out": lambda tokens: tokens,
    "the first V tokens were taken, the mask says which": lambda tokens, V: tokens[
        :, :V
    ],
    "the last V tokens were taken, the mask says which": lambda tokens, V: tokens[
        :, -V:
    ],
    "each image shows what the mask of the first one leaves: take its"
    " own": lambda tokens, masks: tokens[:, ~masks[0]],
    "each image shows tokens of the first one: take its own": lambda tokens, masks: (
        visible(tokens[:1].expand_as(tokens), masks)
    ),
    "the images have changed places": lambda want: want.flip(0),
    "tokens went to another image: tokens[~masks] lists all of the first image, then"
    " all of the second, so it is (B, V, D)": lambda want: (
        want.flatten(0, 1).unflatten(0, (-1, len(want))).transpose(0, 1)
    ),
    "the images are joined to one list: keep them apart, (B, V, D)": lambda want: (
        want.flatten(0, 1)
    ),
    "the axes are turned: a row is a token, (B, V, D)": lambda want: want.mT,
}
SHUFFLED = (
    "the visible tokens are in another order than in the image: nothing tells the place"
    " of a token but its rank, and restore would put them in wrong places"
)


@checked
def masking(answer: Callable) -> str:
    """`my_masking(tokens, ratio)`: tokens (B, N, D) -> the visible ones (B, V, D), and
    masks (B, N), True where hidden.
    """
    # so many that chance alone makes no pattern, and hides not as many in each
    B, more_images = distinct(2, 12, 18)
    N, more = distinct(2, 20, 30)
    (D,) = distinct(1, 3, 7)
    for count, size, hidden, off, dtype in (
        (B, N, math.ceil(0.7 * N), -0.3, torch.float32),
        (more_images, more, math.floor(0.3 * more), 0.3, torch.float64),
        (1, 49, 37, -0.25, torch.float32),
        (2, 8, 7, 0.0, torch.float32),
        (2, 9, 1, 0.0, torch.float32),
    ):
        tokens = torch.randn(count, size, D, dtype=dtype, requires_grad=True)
        ratio = (hidden + off) / size
        shown, masks = ask_masks(answer, tokens, ratio, hidden)
        if count > 2:
            check_patterns(masks, hidden)
        check_visible(answer, tokens, shown, masks)
        compare_gradients(answer, shown, visible(tokens, masks), {"tokens": tokens})
        if count > 2 and masks.equal(ask_masks(answer, tokens, ratio, hidden)[1]):
            raise NotSolved(
                "the same tokens are hidden at every call: draw afresh each time"
            )
    check_chances(answer, D)
    return "in each image as many are hidden, each time others, and none more often"


def ask_masks(
    answer: Callable, tokens: Tensor, ratio: float, hidden: int
) -> tuple[Tensor, Tensor]:
    """What the learner's function makes of tokens; NotSolved unless the masks are bool
    (B, N), and `hidden` of each True.
    """
    case = f"tokens of shape {tuple(tokens.shape)} and ratio {ratio:.3f}"
    got = ask(answer, tokens, ratio, expected=PAIR, case=case, clues=UNEVEN)
    shown, masks = two(answer, got, PAIR)
    B, N, _ = tokens.shape
    if masks.ndim == 3 and shown.shape == (B, N):
        raise NotSolved("the visible tokens come first, then the masks")
    if masks.shape == (N,) and B > 1:
        raise NotSolved(
            "there is one mask for all images, each hides its own tokens: (B, N)"
        )
    if masks.shape != (B, N) and masks.dtype == torch.int64:
        raise NotSolved(
            "these are the numbers of tokens; masks (B, N) are asked for, True where a"
            " token is hidden"
        )
    if masks.shape != (B, N):
        raise NotSolved(
            f"{called(answer)} returned masks of shape {tuple(masks.shape)}, expected"
            f" {(B, N)} for {case}"
        )
    if masks.dtype != torch.bool:
        raise NotSolved(
            f"{called(answer)} returned masks of {masks.dtype}, expected torch.bool:"
            " True and False"
        )
    if masks.device != tokens.device:
        raise NotSolved(
            f"{called(answer)} returned masks on {masks.device}, expected them on"
            f" {tokens.device}, where the tokens are"
        )
    check_counts(masks, hidden, shown)
    return shown, masks


def check_counts(masks: Tensor, hidden: int, shown: Tensor) -> None:
    """Raise NotSolved unless each image hides as many as it should."""
    least, most = (int(end) for end in masks.sum(dim=1).aminmax())
    N = masks.shape[1]
    if least == most == hidden:
        return
    if least != most:
        raise NotSolved(
            f"one image hides {least} tokens, another {most}: hide exactly"
            f" round(ratio * N) in each, here {hidden} of {N}; draw no token for"
            " itself, and none twice"
        )
    if most == N - hidden and shown.ndim == 3 and shown.shape[1] == most:
        raise NotSolved(TURNED)
    for said, count in listed(COUNTS, N=N, hidden=hidden).items():
        if most == count:
            raise NotSolved(said)
    raise NotSolved(f"{ROUND}, here {hidden} of {N}, you hide {most}")


def check_patterns(masks: Tensor, hidden: int) -> None:
    for said, found in listed(PATTERNS, masks=masks, hidden=hidden).items():
        if found:
            raise NotSolved(said)


def check_visible(
    answer: Callable, tokens: Tensor, shown: Tensor, masks: Tensor
) -> None:
    """Raise NotSolved unless `shown` are the tokens that the masks leave, in order."""
    want = visible(tokens, masks)
    if shown.shape == want.shape and shown.dtype == want.dtype:
        # rows are compared to the last bit: (B, V, N)
        alike = (shown[:, :, None] == tokens[:, None]).all(dim=-1)
        once = (alike.sum(dim=2) == 1).all() and alike.any(dim=1).equal(~masks)
        places = alike.int().argmax(dim=2)
        if once and (places.diff(dim=1) < 0).any():
            raise NotSolved(SHUFFLED)
    mistakes = None
    if len(tokens) > 2:
        drawn = {"tokens": tokens, "masks": masks, "want": want, "V": want.shape[1]}
        mistakes = listed(SHOWN, **drawn)
    case = f"{masks.sum() // len(masks)} of {masks.shape[1]} tokens hidden"
    compare(answer, shown, want, mistakes, case)


def check_chances(answer: Callable, D: int) -> None:
    """Raise NotSolved unless all sets of tokens are hidden about equally often.

    A right answer is refused less than once in 10**9 times: a share may be seven
    standard errors off, the sum of squares twelve of its own.
    """
    N = 6
    hidden = int(torch.randint(2, 5, ()))
    found = []
    for _ in range(2):
        tokens = torch.randn(1200, N, D)
        shown, masks = ask_masks(answer, tokens, hidden / N, hidden)
        check_visible(answer, tokens, shown, masks)
        found.append(masks)
    masks = torch.cat(found)
    want = hidden / N
    parts = masks.double().mean(dim=0).tolist()
    for place, share in enumerate(parts):
        if share == 0:
            why = ": there is no class token among these" if place == 0 else ""
            raise NotSolved(f"token {place} of {N} is never hidden{why}")
        if share == 1:
            raise NotSolved(f"token {place} of {N} is always hidden")
    for place, share in enumerate(parts):
        if abs(share - want) > 7 * math.sqrt(want * (1 - want) / len(masks)):
            raise NotSolved(
                f"the chances are uneven: token {place} of {N} is hidden in"
                f" {share:.0%} of {len(masks):,} draws, expected {want:.0%}"
            )
    sets = math.comb(N, hidden)
    times = masks.unique(dim=0, return_counts=True)[1].double()
    mean = len(masks) / sets
    squares = ((times - mean) ** 2).sum() / mean
    if len(times) < sets or squares > sets + 12 * math.sqrt(2 * sets):
        raise NotSolved(
            f"there are {sets} ways to hide {hidden} of {N} tokens, in"
            f" {len(masks):,} draws {len(times)} of them came, from"
            f" {times.min():.0f} to {times.max():.0f} times, expected about"
            f" {mean:.0f} each: draw which, one by one"
        )


# ---- a student and its teacher


SCALAR = "a tensor without axes (the mean loss)"
CENTRE = "the centre is taken off the teacher's outputs, before they are divided"
QUOTIENT = "outputs are divided by their temperature"
OUTPUTS = "each image has a distribution over the outputs, softmax over the last axis"


def shares(outputs: Tensor, dim: int = 2) -> Tensor:
    return outputs.softmax(dim)


def log_shares(outputs: Tensor, dim: int = 2) -> Tensor:
    return outputs.log_softmax(dim)


def joined(terms: Tensor) -> Tensor:
    """Terms (pairs, B, K) to the loss."""
    return -terms.sum(dim=2).mean()


def centred(outputs: Tensor, center: Tensor, scale: float) -> Tensor:
    return (outputs - center) * scale


def uncentred(outputs: Tensor, center: Tensor, scale: float) -> Tensor:
    return outputs * scale


def distilled(
    student: Tensor,
    teacher: Tensor,
    center: Tensor,
    warm: float,
    cold: float,
    pairs: Sequence[tuple[int, int]] = ((0, 1), (1, 0)),
    divide: Callable = lambda warm, cold: (1 / warm, 1 / cold),
    teach: Callable = centred,
    learn: Callable = uncentred,
    target: Callable = shares,
    logs: Callable = log_shares,
    join: Callable = joined,
) -> Tensor:
    """The loss of a student (2, B, K) at temperature `warm` and its teacher at `cold`;
    from `pairs` on, teacher's view and student's, all are places to slip.
    """
    mine, theirs = divide(warm, cold)
    goal = target(teach(teacher, center, theirs))
    said = logs(learn(student, center, mine))
    return join(torch.stack([goal[g] * said[v] for g, v in pairs]))


BOTH_PAIRS = "there are two pairs of different views, and"
OTHER_VIEW = "the teacher's view is another one than the student's:"
LOSSES = {
    "pairs": {
        f"{OTHER_VIEW} pairs of the same view were counted, too": [
            (0, 0),
            (0, 1),
            (1, 0),
            (1, 1),
        ],
        f"{OTHER_VIEW} you took the pairs of the same view": [(0, 0), (1, 1)],
        f"{OTHER_VIEW} you took the first one of both": [(0, 0)],
        f"{OTHER_VIEW} you took the second one of both": [(1, 1)],
        f"{BOTH_PAIRS} that of the teacher's second view is missing": [(0, 1)],
        f"{BOTH_PAIRS} that of the teacher's first view is missing": [(1, 0)],
        f"{BOTH_PAIRS} you gave the teacher's first to both of the student's": [
            (0, 0),
            (0, 1),
        ],
        f"{BOTH_PAIRS} you gave the teacher's second to both of the student's": [
            (1, 0),
            (1, 1),
        ],
        f"{BOTH_PAIRS} the student's first was given both of the teacher's": [
            (0, 0),
            (1, 0),
        ],
        f"{BOTH_PAIRS} the student's second was given both of the teacher's": [
            (0, 1),
            (1, 1),
        ],
    },
    "divide": {
        "the temperatures are swapped": lambda warm, cold: (1 / cold, 1 / warm),
        "the teacher's temperature is used for both": lambda warm, cold: (
            1 / cold,
            1 / cold,
        ),
        "the student's temperature is used for both": lambda warm, cold: (
            1 / warm,
            1 / warm,
        ),
        "the student's temperature is missing": lambda warm, cold: (1, 1 / cold),
        "the teacher's temperature is missing": lambda warm, cold: (1 / warm, 1),
        "both temperatures are missing": lambda warm, cold: (1, 1),
        f"{QUOTIENT}: you multiplied both": lambda warm, cold: (warm, cold),
        f"{QUOTIENT}: you multiplied the student's": lambda warm, cold: (
            warm,
            1 / cold,
        ),
        f"{QUOTIENT}: you multiplied the teacher's": lambda warm, cold: (
            1 / warm,
            cold,
        ),
    },
    "teach": {
        f"{CENTRE}: you added it": lambda outputs, center, scale: (
            (outputs + center) * scale
        ),
        f"{CENTRE}: it is missing": uncentred,
        f"{CENTRE} by the temperature, not after": lambda outputs, center, scale: (
            outputs * scale - center
        ),
        f"{CENTRE}: yours is the mean of this batch, not"
        " center": lambda outputs, center, scale: (
            (outputs - outputs.mean(dim=(0, 1))) * scale
        ),
    },
    "learn": {
        "the centre is taken off the student's outputs, too: it is the teacher's"
        " alone": centred,
    },
    "target": {
        f"{OUTPUTS}: the teacher's ran over the images": partial(shares, dim=1),
        f"{OUTPUTS}: the teacher's ran over the views": partial(shares, dim=0),
        "the teacher's softmax is missing": lambda outputs: outputs,
        "the teacher's probabilities weigh the student's logarithms; of these you took"
        " the logarithm, too": log_shares,
        "all of the teacher's outputs count, not its largest alone: leave the argmax"
        " out": lambda outputs: F.one_hot(outputs.argmax(dim=2), outputs.shape[2]),
    },
    "logs": {
        f"{OUTPUTS}: the student's ran over the images": partial(log_shares, dim=1),
        f"{OUTPUTS}: the student's ran over the views": partial(log_shares, dim=0),
        "the logarithm is missing: log_softmax of the student": shares,
        "the student's outputs are not logarithms of probabilities yet: log_softmax"
        " makes them so": lambda outputs: outputs,
        "you took the softmax of a softmax: cross_entropy and log_softmax take the"
        " outputs": lambda outputs: outputs.softmax(dim=2).log_softmax(dim=2),
    },
    "join": {
        "the sign: a logarithm of a probability is below 0, a loss above": lambda t: (
            -joined(t)
        ),
        "you took the mean over the outputs, too: over them it is a sum": lambda t: (
            -t.mean()
        ),
        "you summed over the images: take the mean": lambda t: (
            -t.sum(dim=(1, 2)).mean()
        ),
        "you summed over the two pairs: take the mean": lambda t: (
            -t.sum(dim=(0, 2)).mean()
        ),
        "you summed over images and pairs: take the mean": lambda t: -t.sum(),
        "sum over the outputs and take the mean over the images: yours are the other"
        " way round": lambda t: -t.sum(dim=1).mean(),
        "sum over the outputs and take the mean over the pairs: yours are the other"
        " way round": lambda t: -t.sum(dim=0).mean(),
        "divide by the two pairs that count, not by all four": lambda t: joined(t) / 2,
        "one loss an image is right, and the mean over the batch is"
        " missing": lambda t: -t.sum(dim=2).mean(dim=0),
        "one loss a pair is right, and their mean is missing": lambda t: (
            -t.sum(dim=2).mean(dim=1)
        ),
        "one loss an image and a pair is right, and their mean is missing": lambda t: (
            -t.sum(dim=2)
        ),
    },
}
# `goal` (2, B, K) are the teacher's probabilities, `said` the student's logarithms
OTHER_LOSSES = {
    "the roles are swapped: the teacher's probabilities weigh the student's"
    " logarithms": lambda goal, said: joined(said.exp() * goal.log().flip(0)),
    f"{OUTPUTS}: both ran over the images": lambda distil: distil(
        target=partial(shares, dim=1), logs=partial(log_shares, dim=1)
    ),
    f"{OUTPUTS}: both ran over the views": lambda distil: distil(
        target=partial(shares, dim=0), logs=partial(log_shares, dim=0)
    ),
    "the centre was taken off the student's outputs: it belongs to the"
    " teacher's": lambda distil: distil(teach=uncentred, learn=centred),
    "the centre is taken off the outputs, not off the"
    " probabilities": lambda bare, center, said: joined((bare - center) * said.flip(0)),
    "you left out the teacher's own entropy: that is the divergence, the cross-entropy"
    " is asked for": lambda want, goal: (
        want - torch.special.entr(goal).sum(dim=2).mean()
    ),
    "an image is compared with itself, not with all images of the"
    " batch": lambda goal, said: (
        -torch.einsum("pbk,pck->pbc", goal, said.flip(0)).mean()
    ),
    "the images have changed places: flip the views, axis 0": lambda goal, said: joined(
        goal * said.flip(1)
    ),
    "logarithms to base 2: the loss uses the natural one": lambda want: (
        want / math.log(2)
    ),
}


def wrong_losses(
    student: Tensor, teacher: Tensor, center: Tensor, warm: float, cold: float
) -> dict[str, Tensor]:
    """What the usual mistakes make of the outputs: sentence -> loss."""
    given = (student, teacher, center, warm, cold)
    distil = partial(distilled, *given)
    others = listed(
        OTHER_LOSSES,
        goal=((teacher - center) / cold).softmax(dim=2),
        bare=(teacher / cold).softmax(dim=2),
        said=(student / warm).log_softmax(dim=2),
        want=distil(),
        distil=distil,
        center=center,
    )
    return others | one_by_one(distil, LOSSES)


def drawn_views(B: int, loudness: float, dtype: torch.dtype) -> tuple:
    """What a student and its teacher make of two views of B images, a centre and two
    temperatures.
    """
    (K,) = distinct(1, 5, 9)
    student, teacher = loudness * torch.randn(2, 2, B, K, dtype=dtype)
    center = 0.5 * loudness * torch.randn(K, dtype=dtype)
    warm = 0.5 + 0.3 * torch.rand(()).item()
    cold = 0.2 + 0.15 * torch.rand(()).item()
    return student.requires_grad_(), teacher.requires_grad_(), center, warm, cold


def told_views(B: int) -> tuple[list[tuple], Tensor, dict[str, Tensor]]:
    """Views drawn twice, so that no loss is named that is met by chance; the right
    losses (2,), and those of the usual mistakes, no two alike.
    """
    while True:
        drawn = [drawn_views(B, 1.0, torch.float32) for _ in range(2)]
        want = torch.stack([right_loss(*given) for given in drawn])
        wrong = [wrong_losses(*given) for given in drawn]
        mistakes = {
            said: torch.stack([losses[said] for losses in wrong]) for said in wrong[0]
        }
        if told_apart([want, *mistakes.values()]):
            return drawn, want, mistakes


@checked
def self_distillation(answer: Callable) -> str:
    """`my_loss(student, teacher, center, student_temperature, teacher_temperature)`:
    outputs (2, B, K) of two views -> the mean loss, a tensor without axes.
    """
    few, many = distinct(2, 3, 6)
    drawn, want, mistakes = told_views(few)
    got = [ask(answer, *given, expected=SCALAR) for given in drawn]
    if all(isinstance(loss, Tensor) and loss.shape == got[0].shape for loss in got):
        name_mistake(torch.stack(got), want, lambda: mistakes, same)
    loud = (
        "loud outputs: softmax rounds to 0, so take log_softmax instead of a log of it"
    )
    cases = [None, None]
    for case, given in (
        (f"{many} images", drawn_views(many, 1.0, torch.float64)),
        ("one image", drawn_views(1, 1.0, torch.float32)),
        (loud, drawn_views(few, 100.0, torch.float32)),
    ):
        cases.append(case)
        drawn.append(given)
        got.append(ask(answer, *given, expected=SCALAR, case=case))
    for loss, given, case in zip(got, drawn, cases, strict=True):
        want = right_loss(*given)
        compare(answer, loss, want, case=case)
        check_gradients(answer, loss, want, *given[:2])
    return "each view learns from the other, and the teacher from none"


def right_loss(
    student: Tensor, teacher: Tensor, center: Tensor, warm: float, cold: float
) -> Tensor:
    goal = ((teacher.detach() - center) / cold).softmax(dim=2)
    return dino_loss((student / warm).log_softmax(dim=2), goal)


def check_gradients(
    answer: Callable, got: Tensor, want: Tensor, student: Tensor, teacher: Tensor
) -> None:
    """Raise NotSolved unless the student has the right gradient, the teacher none."""
    mine, theirs = torch.autograd.grad(
        got, (student, teacher), retain_graph=True, allow_unused=True
    )
    if theirs is not None and theirs.any():
        raise NotSolved(
            "the value is right, but the gradient goes to the teacher, not to the"
            " student: detach the other one"
            if mine is None
            else "the value is right, but a gradient reaches the teacher, who would"
            " learn to please the student: teacher.detach()"
        )
    compare_gradients(answer, got, want, {"student": student})


# ---- the votes of the nearest


CLASSES = "one class for each query, of shape (m,)"
NUMBERS = dict.fromkeys(
    ("num_classes", "out of bounds"),
    "classes go up to labels.max(), and not each of them need be in the bank",
)


def cosines(bank: Tensor, queries: Tensor, one: int = 1, other: int = 1) -> Tensor:
    """Similarities (m, n) of features normalised along axes of bank and queries."""
    return F.normalize(queries, dim=other) @ F.normalize(bank, dim=one).T


def nearest(similarity: Tensor, k: int) -> Tensor:
    """Places in the bank, the nearest first: (m, k)."""
    return similarity.topk(k, dim=1).indices


def by_exponent(similarity: Tensor, temperature: float) -> Tensor:
    return (similarity / temperature).exp()


def by_rank(similarity: Tensor, temperature: float) -> Tensor:
    return 1 / torch.arange(1, 1 + similarity.shape[1]).expand_as(similarity)


def votes_of(
    bank: Tensor,
    labels: Tensor,
    queries: Tensor,
    k: int,
    temperature: float,
    near: Callable = cosines,
    choose: Callable = nearest,
    weigh: Callable = by_exponent,
    name: Callable = lambda labels, places: labels[places],
    add: Callable = lambda votes, counts: votes,
) -> Tensor:
    """The votes for each class (m, classes); from `near` on, all are places to slip."""
    similarity = near(bank.double(), queries.double())
    places = choose(similarity, k)
    weights = weigh(similarity.gather(1, places), temperature)
    named = F.one_hot(name(labels, places), int(labels.max()) + 1).double()
    votes = (weights[..., None] * named).sum(dim=1)
    return add(votes, named.sum(dim=1))


NORMED = "each image's features have length 1, normalise over the last axis"
NEAR = "near is what has a large cosine similarity"
WEIGHT = "a neighbour's vote weighs exp(similarity / temperature)"
VOTES = {
    "near": {
        f"{NEAR}: yours are dot products, long features win; normalise"
        " first": lambda bank, queries: queries @ bank.T,
        f"{NEAR}: the bank is normalised, the queries are not, and what is long has"
        " sharper votes": lambda bank, queries: queries @ F.normalize(bank, dim=1).T,
        f"{NEAR}: the queries are normalised, the bank is not, and long features"
        " win": lambda bank, queries: F.normalize(queries, dim=1) @ bank.T,
        f"{NEAR}: yours is a small distance": lambda bank, queries: (
            -torch.cdist(queries, bank)
        ),
        f"{NEAR}: yours is a small distance of what is normalised, so the neighbours"
        " are right and their weights are not": lambda bank, queries: (
            -torch.cdist(F.normalize(queries, dim=1), F.normalize(bank, dim=1))
        ),
        f"{NORMED}: yours ran over the images": partial(cosines, one=0, other=0),
        f"{NORMED}: that of the bank ran over its images": partial(cosines, one=0),
        f"{NORMED}: that of the queries ran over the queries": partial(
            cosines, other=0
        ),
    },
    "choose": {
        "the k farthest vote: sort descending, or topk": lambda similarity, k: (
            similarity.argsort(dim=1)[:, :k]
        ),
        "all of the bank votes: only the k nearest do": lambda similarity, k: nearest(
            similarity, similarity.shape[1]
        ),
        "the nearest alone is asked: k neighbours vote": lambda similarity, k: nearest(
            similarity, 1
        ),
        "the nearest is left out, but no query is in the bank": lambda similarity, k: (
            nearest(similarity, k + 1)[:, 1:]
        ),
        "k is an argument: here always 20 vote": lambda similarity, k: nearest(
            similarity, 20
        ),
        "the first k of the bank vote, not the nearest": lambda similarity, k: (
            torch.arange(k).expand(len(similarity), k)
        ),
    },
    "weigh": {
        f"{WEIGHT}: yours all count alike": lambda similarity, temperature: (
            torch.ones_like(similarity)
        ),
        f"{WEIGHT}: yours all count alike, and the nearest decides where classes are"
        " even": lambda similarity, temperature: (
            1 + 0.5 ** torch.arange(1, 1 + similarity.shape[1]).expand_as(similarity)
        ),
        f"{WEIGHT}: yours is the similarity itself": lambda similarity, temperature: (
            similarity
        ),
        f"{WEIGHT}: the temperature is missing": lambda similarity, temperature: (
            similarity.exp()
        ),
        f"{WEIGHT}: you multiplied by the temperature": lambda similarity, heat: (
            similarity * heat
        ).exp(),
        f"{WEIGHT}: the sign is turned": lambda similarity, temperature: (
            -similarity / temperature
        ).exp(),
        f"{WEIGHT}: yours goes by rank": by_rank,
        f"{WEIGHT}: the temperature is an argument, here it is always"
        " 0.07": lambda similarity, temperature: by_exponent(similarity, 0.07),
        "the softmax runs over the queries: over a query's neighbours"
        " it may": lambda similarity, temperature: (similarity / temperature).softmax(
            dim=0
        ),
    },
    "name": {
        "places among the neighbours are taken for places in the bank: the first k"
        " labels vote": lambda labels, places: labels[: places.shape[1]].expand_as(
            places
        ),
    },
    "add": {
        "the votes of a class are averaged: add them up": lambda votes, counts: (
            votes / counts.clamp(min=1)
        ),
    },
}
EVEN = {said for said in VOTES["weigh"] if "count alike" in said}  # ties are exact
# of the votes (m, classes), and of `places` (m, k) of the nearest
OTHER_ANSWERS = {
    "these are places in the bank: labels says of which class an image"
    " is": lambda places: places[:, 0],
    "these are places among the k neighbours: labels of the bank say of which class one"
    " is": lambda places: torch.zeros_like(places[:, 0]),
    "these are the votes for each class, the class with most of them is asked for:"
    " argmax": lambda votes: votes.float(),
    "the class with the fewest votes was taken": lambda votes: votes.argmin(dim=1),
}


def wrong_classes(each: Callable, *given: object) -> dict[str, Tensor]:
    """What the usual mistakes make of the queries: sentence -> (m,) classes; `each`
    goes through the table.
    """

    def classes(**mistake: Callable) -> Tensor:
        return votes_of(*given, **mistake).argmax(dim=1)

    bank, _, queries, k, _ = given
    places = nearest(cosines(bank, queries), k)
    others = listed(OTHER_ANSWERS, places=places, votes=votes_of(*given))
    return others | each(classes, VOTES)


def clear(votes: Tensor) -> Tensor:
    """Where no rounding changes the class with most votes: (m,) bool."""
    first, second = votes.topk(2, dim=1).values.T
    return first - second > 1e-4 * first.abs()


def steady(told: bool, *given: object) -> Tensor:
    """The queries whose class no rounding changes, be it right or what a mistake that
    is to be `told` gives: (m,) bool.
    """
    bank, _, queries, *_ = given
    ways = [cosines, *(VOTES["near"].values() if told else ())]
    ranked = [way(bank.double(), queries.double()).sort(dim=1).values for way in ways]
    rows = [(near.diff(dim=1) > 1e-6 * near.abs().amax()).all(dim=1) for near in ranked]
    wrong = one_by_one(partial(votes_of, *given), VOTES) if told else {}
    rows += [clear(votes) for said, votes in wrong.items() if said not in EVEN]
    return torch.stack([*rows, clear(votes_of(*given))]).all(dim=0)


def drawn_features(count: int, D: int) -> Tensor:
    """Features of all directions and of lengths that differ."""
    lengths = torch.empty(count, 1).uniform_(0.4, 1.6)
    return lengths * F.normalize(torch.randn(count, D), dim=1)


def drawn_bank(
    n: int, m: int, k: int, classes: int, told: bool
) -> tuple[Tensor, Tensor, Tensor, int, float]:
    """A bank, its labels, up to `m` queries, k and a temperature.

    Where mistakes are to be `told`, no two give the same classes; elsewhere one class
    is missing in the bank.
    """
    while True:
        (D,) = distinct(1, 4, 6)
        bank = drawn_features(n, D)
        labels = torch.randint(classes, (n,))
        if not told:
            labels[labels == 1] = 0
        labels[torch.randint(n, ())] = classes - 1  # how many there are
        rest = (k, 0.2 + 0.1 * torch.rand(()).item())
        queries = drawn_features(m, D)
        queries = queries[steady(told, bank, labels, queries, *rest)]
        given = (bank, labels, queries, *rest)
        # once more, for some mistakes make of a query what the others are
        if len(queries) and steady(told, *given).all():
            found = wrong_classes(one_by_one, *given) if told else {}
            if told_apart([votes_of(*given).argmax(dim=1), *found.values()]):
                return given


@checked
def neighbours(answer: Callable) -> str:
    """`my_knn(bank, labels, queries, k, temperature)`: (n, D), (n,), (m, D) -> the
    class of each query by its k nearest in the bank, (m,).
    """
    n, more = distinct(2, 40, 50)
    (k,) = distinct(1, 7, 9)
    many = "14 classes, of which the bank lacks one"
    for size, m, voters, classes, case in (
        (n, 130, k, 4, None),
        (60, 21, 5, 14, many),
        (more, 9, 1, 5, "k = 1, where the nearest decides"),
        (12, 9, 12, 3, "k = 12, as many as the bank has"),
        (n, 1, k, 3, "one query"),
    ):
        given = drawn_bank(size, m, voters, classes, told=case is None)
        want = votes_of(*given).argmax(dim=1)
        got = ask(answer, *given, expected=CLASSES, case=case, clues=NUMBERS)
        mistakes = None
        if case is None:
            # pairs of mistakes take a third of a second: only for what is wrong
            right = isinstance(got, Tensor) and same(got, want)
            mistakes = wrong_classes(one_by_one if right else combined, *given)
        compare(answer, got, want, mistakes, case)
    return f"the {k} nearest of {n} voted, and so did others of other banks"
