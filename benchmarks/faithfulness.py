"""Are maps of attention faithful? Deletion and insertion curves of five scores, and the check with random weights.

    python benchmarks/faithfulness.py                                                the shipped model on stacks
    python benchmarks/faithfulness.py --checkpoint RUN --root DIR --images 400      a run on STL-10, which lies in DIR

Patches leave as tokens (`vit_tutorial.look.faithfulness`); what is followed is the probability of the class the model
names on the whole image. Writes results/faithfulness-NAME.json: for each score the mean curves and areas over the first
images of the validation split, with the bands in which 95 % of bootstrap samples of the images fall; the gap between
both areas, and by how much it beats every other score's on the same images; what a random order does if missing patches
are painted grey instead; and how alike (rank correlation, mean over images) a map stays while the model's parts are
randomised from the head down. Drawn sets also get the mask's own curve, the share of each map on object and decoys, and
the pointing game.
"""

from collections.abc import Callable

import torch
from jsonargparse import auto_cli
from record import ROOT, circumstances, write_record
from torch import Tensor

from vit_tutorial.checkpoint import load_checkpoint
from vit_tutorial.data import DataConfig, load_split, normalise, resize
from vit_tutorial.look import SCORES, Curves, bootstrap, cover_of, faithfulness, mass_on, points_at, randomise
from vit_tutorial.model import VisionTransformer
from vit_tutorial.train import evaluate, pick_device

BATCH = 50  # images at a time: gradients keep the weights of every layer


def band(values: Tensor) -> dict:
    """The mean over images (first axis) and its band, rounded."""
    low, high = bootstrap(values)
    named = {"mean": values.float().mean(dim=0), "low": low, "high": high}
    return {name: [round(x, 4) for x in v.tolist()] if v.ndim else round(v.item(), 4) for name, v in named.items()}


def in_batches(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """A function of images and what belongs to them, a batch at a time."""
    return torch.cat([function(*batch) for batch in zip(*(tensor.split(BATCH) for tensor in tensors), strict=True)])


def curves_of(model: VisionTransformer, images: Tensor, scores: Tensor, labels: Tensor, steps: int) -> Curves:
    batches = zip(*(tensor.split(BATCH) for tensor in (images, scores, labels)), strict=True)
    parts = [faithfulness(model, *batch, steps=steps) for batch in batches]
    return Curves(parts[0].kept, *(torch.cat([getattr(p, name) for p in parts]) for name in ("deletion", "insertion")))


def ranks_alike(one: Tensor, other: Tensor) -> Tensor:
    """Spearman's rank correlation of two maps (B, N) of each image: (B,). Equal values share their mean rank."""
    ranks = []
    for scores in (one, other):
        here, there = scores.double()[:, :, None], scores.double()[:, None]
        rank = (there < here).double().sum(dim=2) + (there == here).double().sum(dim=2) / 2
        ranks.append(rank - rank.mean(dim=1, keepdim=True))
    return torch.cosine_similarity(*ranks, dim=1)


def cascade(model: VisionTransformer, images: Tensor, labels: Tensor, scores: dict[str, Tensor]) -> dict:
    """How alike each score's maps stay while parts are randomised from the head down: a list over 0, 1, ... parts."""
    alike = {name: [] for name in SCORES if name != "random"}
    for parts in range(model.config.depth + 3):
        copy = randomise(model, parts).eval()
        for name, rows in alike.items():
            found = in_batches(lambda *batch, score=SCORES[name]: score(copy, *batch), images, labels)  # noqa: B023
            rows.append(ranks_alike(scores[name], found))
    return {name: band(torch.stack(rows, dim=1)) for name, rows in alike.items()}


def painted(model: VisionTransformer, images: Tensor, scores: Tensor, labels: Tensor, kept: list[int]) -> Tensor:
    """The insertion curve (B, S) if missing patches are painted in the mean colour, 0, instead of being left out."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    (rows, columns), size = model.config.grid, model.config.patch_size
    points = []
    for count in kept:
        there = torch.zeros_like(scores).scatter(1, order[:, :count], 1.0).reshape(-1, 1, rows, columns)
        shown = images * there.repeat_interleave(size, 2).repeat_interleave(size, 3)
        points.append(model(shown).softmax(dim=1).gather(1, labels[:, None])[:, 0])
    return torch.stack(points, dim=1)


def on_the_mask(masks: Tensor, scores: dict[str, Tensor], patch_size: int) -> dict:
    """What share of each map lies on the object and on the decoys, and the pointing game on the object."""
    found = {}
    for part, mask in (("object", masks[:, 0]), ("decoys", masks[:, 1])):
        cover = cover_of(mask, patch_size)
        found[part] = {"even": band(cover.mean(dim=1))} | {n: band(mass_on(cover, s)) for n, s in scores.items()}
    cover = cover_of(masks[:, 0], patch_size)
    return found | {"pointing": {name: band(points_at(cover, values)) for name, values in scores.items()}}


def record_faithfulness(
    checkpoint: str = "stacks",
    root: str | None = None,
    images: int = 400,
    steps: int = 18,
    name: str | None = None,
) -> None:
    """Write results/faithfulness-NAME.json.

    Args:
        checkpoint: a run's folder or a shipped name
        root: where the data lie, by default where they lay in training
        images: how many of the run's validation split
        steps: of a curve
        name: of the record, by default that of the data
    """
    model, run = load_checkpoint(checkpoint, pick_device("auto"))
    device = next(model.parameters()).device
    data = DataConfig(**run.config["data"] | ({"root": root} if root else {}))  # so the split is the run's own
    val = load_split(data, "val")
    record = circumstances(device.type, ["torch"]) | {"config": run.config["model"], "data": data.name}
    record |= {"epochs": len(run.history), "accuracy": evaluate(model, val, run.mean, run.std)["accuracy"]}
    inputs = normalise(resize(val.images[:images].to(device), model.config.image_size), run.mean, run.std)
    with torch.no_grad():
        guesses = in_batches(lambda batch: model(batch).argmax(dim=1), inputs)
    torch.manual_seed(0)
    scores = {n: in_batches(lambda *batch, f=f: f(model, *batch), inputs, guesses) for n, f in SCORES.items()}
    record |= {"n": len(inputs), "sanity": cascade(model, inputs, guesses, scores)}
    if val.masks is not None:
        masks = val.masks[:images].to(device)
        record["masks"] = on_the_mask(masks, scores, model.config.patch_size)
        cover = cover_of(masks[:, 0], model.config.patch_size)
        scores["the mask itself"] = cover + 1e-3 * torch.rand_like(cover)  # patches covered alike in random order
    curves = {n: curves_of(model, inputs, values, guesses, steps) for n, values in scores.items()}
    kept = curves["random"].kept.tolist()
    record |= {"patches": kept[-1], "kept": kept, "scores": {}, "gap_over": {}}
    gaps = {n: found.areas()[1] - found.areas()[0] for n, found in curves.items()}
    for n, found in curves.items():
        deletion, insertion = found.areas()
        record["scores"][n] = {
            "deletion": band(found.deletion), "insertion": band(found.insertion),
            "deletion_area": band(deletion), "insertion_area": band(insertion), "gap": band(gaps[n]),
        }  # fmt: skip
        record["gap_over"][n] = {other: band(gaps[n] - gaps[other]) for other in gaps if other != n}
    with torch.no_grad():
        paint = in_batches(lambda *batch: painted(model, *batch, kept), inputs, scores["random"], guesses)
    record["random_painted_grey"] = band(paint)
    write_record(ROOT / "results" / f"faithfulness-{name or data.name}.json", record)
    print(f"{data.name}: {len(inputs)} images, accuracy {record['accuracy']:.1%} after {len(run.history)} epochs")
    for n, row in record["scores"].items():
        print(f"{n:22}" + "  ".join(f"{part} {row[part]['mean']:.3f}" for part in row if part.endswith(("ea", "p"))))


if __name__ == "__main__":
    auto_cli(record_faithfulness)
