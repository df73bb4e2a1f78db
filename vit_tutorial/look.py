"""Looking inside: attention maps, how far heads look, rollout, and whether a map may be believed."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vit_tutorial.model import VisionTransformer


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards every part is back in the mode it was in."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@torch.no_grad()
def attention_maps(model: VisionTransformer, images: Tensor) -> list[Tensor]:
    """The weights of every block for normalised images (B, C, Y, X): `depth` tensors (B, H, T, T), rows sum to 1.

    Runs in eval mode without gradients and leaves the model as it was.
    """
    with evaluating(model):
        return model(images, return_attention=True)[1]


def rollout(weights: list[Tensor]) -> Tensor:
    """How much each output token draws on each input token through all layers: (B, T, T), rows sum to 1.

    `weights` are `depth` tensors (B, H, T, T). Heads are averaged, half of each token is what the residual carries
    past the layer, rows are renormalised, layers multiplied (Abnar and Zuidema 2020, section 3).
    """
    joint = None
    for layer in weights:
        mean = layer.mean(dim=1)
        step = mean + torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)
        step = step / step.sum(dim=-1, keepdim=True)
        joint = step if joint is None else step @ joint
    return joint


def attention_distance(weights: list[Tensor], grid: tuple[int, int], patch_size: int) -> Tensor:
    """The mean distance in pixels between a query patch and what it attends to: (depth, H).

    `weights` are `depth` tensors (B, H, T, T) over rows * columns patches of `grid`; a class token is left out and
    rows renormalised; a query that gives all to the class token looks nowhere and does not count (a head of such ones
    alone: NaN). Dosovitskiy et al. 2021, figure 7 (right). Raises ValueError when T does not fit the grid.
    """
    rows, columns = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], dim=1).to(weights[0].device, torch.float32) * patch_size
    count, tokens = len(places), weights[0].shape[-1]
    if tokens not in (count, count + 1):
        raise ValueError(f"weights of {tokens} tokens do not fit a grid of {grid[0]} x {grid[1]} patches")
    apart = (places[:, None] - places).norm(dim=-1)  # (N, N), pixels
    patches = torch.stack([layer[..., -count:, -count:] for layer in weights])  # (depth, B, H, N, N)
    patches = patches.to(torch.promote_types(patches.dtype, torch.float32))  # half precision cannot add up many
    given, travelled = patches.sum(dim=-1), (patches * apart).sum(dim=-1)  # (depth, B, H, N)
    looks = given != 0
    return (travelled / given.where(looks, 1)).sum(dim=(1, 3)) / looks.sum(dim=(1, 3))


def cover_of(masks: Tensor, patch_size: int) -> Tensor:
    """The share of each patch that lies on a mask: (B, Y, X) bool -> (B, N), from 0 to 1."""
    return masks.float().unfold(1, patch_size, patch_size).unfold(2, patch_size, patch_size).mean((-2, -1)).flatten(1)


def mass_on(cover: Tensor, scores: Tensor) -> Tensor:
    """The share of each map that lies on a mask: cover (B, N), maps (B, ..., N) of values not below 0 -> (B, ...)."""
    cover = cover.reshape(len(cover), *[1] * (scores.ndim - 2), -1)
    return (scores * cover).sum(dim=-1) / scores.sum(dim=-1).clamp(min=1e-12)


def points_at(cover: Tensor, scores: Tensor) -> Tensor:
    """The pointing game: how likely a pixel of the highest patch lies on the mask. (B, N), (B, ..., N) -> (B, ...).

    Zhang et al. 2018, where the highest pixel hits or misses; here all pixels of a patch are equally high.
    """
    cover = cover.reshape(len(cover), *[1] * (scores.ndim - 2), -1).expand_as(scores)
    return cover.gather(-1, scores.argmax(dim=-1, keepdim=True))[..., 0]


def score_contrast(model: VisionTransformer, images: Tensor, labels: Tensor | None = None) -> Tensor:
    """The standard deviation of a patch's pixels, mean over channels: (B, N). It never asks the model anything."""
    size = model.config.patch_size
    patches = images.float().unfold(2, size, size).unfold(3, size, size)
    return patches.std(dim=(-2, -1), correction=0).mean(dim=1).flatten(1)


def bootstrap(values: Tensor, level: float = 0.95, rounds: int = 1000) -> tuple[Tensor, Tensor]:
    """Where the mean over images would fall in `level` of repetitions: values (B, ...) -> lowest and highest, (...).

    Images are drawn anew with replacement, `rounds` times from a fixed seed, so equal images give equal bands
    (Efron 1979, the percentile method). Raises ValueError for fewer than two images.
    """
    count = len(values)
    if count < 2:
        raise ValueError(f"a band needs at least 2 images, found {count}")
    picks = torch.randint(count, (rounds, count), generator=torch.Generator().manual_seed(0))
    shares = torch.zeros(rounds, count).scatter_add_(1, picks, torch.full((rounds, count), 1 / count))
    means = (shares @ values.detach().cpu().float().reshape(count, -1)).reshape(rounds, *values.shape[1:])
    return means.quantile((1 - level) / 2, dim=0), means.quantile((1 + level) / 2, dim=0)


@torch.no_grad()
def drop_patches(model: VisionTransformer, images: Tensor, kept: Tensor) -> Tensor:
    """Logits (B, classes) of images of which only the patches `kept` (B, n) are there, each in its own place.

    The others become no tokens at all; the class token always stays. `kept` are numbers from 0 to N - 1, in any order.
    Runs in eval mode without gradients and leaves the model as it was. Raises ValueError for patches there are not,
    a patch given twice, and no patch at all where there is no class token.
    """
    first, patches = int(model.config.pool == "cls"), math.prod(model.config.grid)
    if kept.ndim != 2 or len(kept) != len(images) or kept.is_floating_point() or kept.dtype == torch.bool:
        raise ValueError(
            f"kept is {tuple(kept.shape)} of {kept.dtype}, expected ({len(images)}, n) numbers of patches to keep"
        )
    if kept.shape[1] + first == 0:
        raise ValueError("no patch is kept and the model has no class token, expected at least 1 patch")
    if kept.numel() and not 0 <= kept.min() <= kept.max() < patches:
        raise ValueError(f"kept runs from {kept.min()} to {kept.max()}, expected patches from 0 to {patches - 1}")
    if (kept.sort(dim=1).values.diff(dim=1) == 0).any():
        raise ValueError("a patch is kept twice in one image, expected each number at most once")
    with evaluating(model):
        tokens = model.embedder(images)  # (B, T, D), with their positions
        chosen = tokens[:, first:].gather(1, kept.long().to(tokens.device)[..., None].expand(-1, -1, tokens.shape[-1]))
        return model.encode(torch.cat([tokens[:, :first], chosen], dim=1))


def asked_about(logits: Tensor, labels: Tensor | None) -> Tensor:
    """The classes that are explained, (B,): `labels`, or without them what the model itself says."""
    if labels is None:
        return logits.argmax(dim=1)
    count, classes = logits.shape
    if labels.shape != (count,) or not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"labels are {labels.tolist()}, expected {count} numbers from 0 to {classes - 1}")
    return labels.to(logits.device, copy=True)


def of_patches(model: VisionTransformer, maps: Tensor) -> Tensor:
    """What the output draws on each patch: maps (B, T, T) -> (B, N), the row of the class token or the mean of rows."""
    return maps[:, 0, 1:] if model.config.pool == "cls" else maps.mean(dim=1)


def score_attention(model: VisionTransformer, images: Tensor, labels: Tensor | None = None) -> Tensor:
    """Raw attention of the last layer, mean over heads: (B, N). It is the same for every class."""
    return of_patches(model, attention_maps(model, images)[-1].mean(dim=1))


def score_rollout(model: VisionTransformer, images: Tensor, labels: Tensor | None = None) -> Tensor:
    """Attention through all layers, see `rollout`: (B, N). It is the same for every class."""
    return of_patches(model, rollout(attention_maps(model, images)))


@torch.inference_mode(False)
@torch.enable_grad()
def score_gradient_attention(model: VisionTransformer, images: Tensor, labels: Tensor | None = None) -> Tensor:
    """Attention where more of it would raise the class's logit, through all layers: (B, N).

    Each layer's weights times their gradient, positive part, mean over heads: R <- R + mean(grad * W)^+ R.
    Chefer, Gur and Wolf 2021, equations 5 and 6. Leaves the model as it was, gradients included.
    """
    with evaluating(model):
        tokens = model.embedder(images.clone()).detach().requires_grad_()  # a graph even where all weights are frozen
        logits, weights = model.encode(tokens, return_attention=True)
    wanted = logits.gather(1, asked_about(logits, labels)[:, None]).sum()
    gradients = torch.autograd.grad(wanted, weights)
    joint = torch.eye(tokens.shape[1], dtype=tokens.dtype, device=tokens.device).expand(len(images), -1, -1)
    for layer, gradient in zip(weights, gradients, strict=True):
        joint = joint + (layer.detach() * gradient).clamp(min=0).mean(dim=1) @ joint
    return of_patches(model, joint)


@torch.inference_mode(False)
@torch.enable_grad()
def score_gradient(model: VisionTransformer, images: Tensor, labels: Tensor | None = None) -> Tensor:
    """How strongly the class's logit answers to a patch's pixels, the sum of absolute gradients: (B, N).

    Simonyan, Vedaldi and Zisserman 2014, section 3. Leaves the model as it was, gradients included.
    """
    pixels = images.detach().clone().requires_grad_()
    with evaluating(model):
        logits = model(pixels)
    (gradient,) = torch.autograd.grad(logits.gather(1, asked_about(logits, labels)[:, None]).sum(), pixels)
    size = model.config.patch_size
    return gradient.abs().sum(dim=1).unfold(1, size, size).unfold(2, size, size).sum(dim=(-2, -1)).flatten(1)


def score_random(model: VisionTransformer, images: Tensor, labels: Tensor | None = None) -> Tensor:
    """No explanation at all, for comparison: (B, N) between 0 and 1."""
    return torch.rand(len(images), math.prod(model.config.grid), device=images.device)


SCORES: dict[str, Callable[..., Tensor]] = {
    "raw attention": score_attention,
    "rollout": score_rollout,
    "gradient x attention": score_gradient_attention,
    "input gradient": score_gradient,
    "contrast (no model)": score_contrast,
    "random": score_random,
}


@dataclass(frozen=True)
class Curves:
    """The probability of each image's class while `kept` (S,) of its N patches are there; both curves are (B, S).

    `deletion` keeps the patches with the lowest scores, `insertion` those with the highest. An area is the mean height
    of a curve, (B,): if the scores are right it is small for deletion and large for insertion.
    """

    kept: Tensor
    deletion: Tensor
    insertion: Tensor

    def areas(self) -> tuple[Tensor, Tensor]:
        """Of deletion and of insertion, (B,) each."""
        if len(self.kept) == 1:  # of a model of one patch: as high as its only point
            return self.deletion[:, 0], self.insertion[:, 0]
        share = (self.kept - self.kept[0]) / (self.kept[-1] - self.kept[0])
        return torch.trapezoid(self.deletion, share), torch.trapezoid(self.insertion, share)


def check_scores(model: VisionTransformer, images: Tensor, scores: Tensor) -> None:
    """Raise ValueError for scores of another shape than one a patch of each image, or not finite."""
    shape = (len(images), math.prod(model.config.grid))
    if scores.shape != shape or not scores.isfinite().all():
        raise ValueError(f"scores are {tuple(scores.shape)}, expected {shape} finite numbers")


def faithfulness(
    model: VisionTransformer, images: Tensor, scores: Tensor, labels: Tensor | None = None, steps: int = 12
) -> Curves:
    """Take patches away in the order of their scores (B, N), highest first, and add them to nothing in the same order.

    Deletion and insertion of Petsiuk, Das and Saenko 2018, but patches leave as tokens, without a colour in their
    place. At most `steps` + 1 points, from the class token alone (or 1 patch, without one) to all N.
    Raises ValueError for scores of another shape or not finite, and for fewer than 1 step.
    """
    check_scores(model, images, scores)
    if steps < 1:
        raise ValueError(f"steps is {steps}, expected at least 1")
    order = scores.argsort(dim=1, descending=True, stable=True)
    kept = torch.linspace(int(model.config.pool == "mean"), scores.shape[1], steps + 1).round().long().unique()
    labels = asked_about(drop_patches(model, images, order), labels)

    def curve(order: Tensor) -> Tensor:
        chances = [drop_patches(model, images, order[:, :count]).softmax(dim=1) for count in kept.tolist()]
        return torch.stack([chance.gather(1, labels[:, None])[:, 0] for chance in chances], dim=1)

    return Curves(kept.to(images.device), deletion=curve(order.flip(1)), insertion=curve(order))


def saco(
    model: VisionTransformer, images: Tensor, scores: Tensor, labels: Tensor | None = None, subsets: int = 9
) -> Tensor:
    """Do groups of patches with higher scores matter more, above all where scores are far apart? (B,), from -1 to 1.

    In the order of their scores (B, N) patches fall into `subsets` groups; each pair of groups votes with the
    difference of its mean scores, for the map if leaving out the higher group costs the class at least as much of its
    probability, else against it. Wu et al. 2024, the salience-guided faithfulness coefficient; they paint patches, here
    patches leave as tokens. Raises ValueError as `faithfulness` does, and for other than 2 to N groups.
    """
    check_scores(model, images, scores)
    if not 2 <= subsets <= scores.shape[1]:
        raise ValueError(f"subsets is {subsets}, expected 2 to {scores.shape[1]}, the number of patches")
    groups = scores.argsort(dim=1, descending=True, stable=True).tensor_split(subsets, dim=1)
    height = torch.stack([scores.gather(1, group).mean(dim=1) for group in groups], dim=1)  # (B, subsets)
    rest = [torch.cat(groups[:number] + groups[number + 1 :], dim=1) for number in range(subsets)]
    labels = asked_about(drop_patches(model, images, torch.cat(groups, dim=1)), labels)[:, None]
    left = torch.cat([drop_patches(model, images, kept).softmax(dim=1).gather(1, labels) for kept in rest], dim=1)
    upper, lower = torch.triu_indices(subsets, subsets, offset=1)  # each pair once
    stake = height[:, upper] - height[:, lower]
    votes = stake.where(left[:, upper] <= left[:, lower], -stake)
    return votes.sum(dim=1) / stake.sum(dim=1).clamp(min=1e-12)


def randomise(model: VisionTransformer, parts: int, seed: int = 0) -> VisionTransformer:
    """A copy whose last `parts` parts have fresh weights: the head, then blocks from the last to the first, embedder.

    Adebayo et al. 2018, cascading randomisation. Raises ValueError for more parts than there are.
    """
    names = ["head", *(f"blocks.{block}" for block in reversed(range(model.config.depth))), "embedder"]
    if not 0 <= parts <= len(names):
        raise ValueError(f"parts is {parts}, expected 0 to {len(names)}: head, {model.config.depth} blocks, embedder")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        copy = VisionTransformer(model.config).to(next(model.parameters()))
    trained = tuple(f"{name}." for name in names[parts:])
    state = {name: tensor for name, tensor in model.state_dict().items() if name.startswith(trained)}
    copy.load_state_dict(copy.state_dict() | state)
    return copy.train(model.training)
