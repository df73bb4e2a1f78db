"""Are maps faithful? Every score beside what knows no model: contrast, a random order,
an untrained model's maps.

    python experiments/faithfulness.py --checkpoint '[runs/stacks-0, runs/stacks-1,
        runs/stacks-2]'
    python experiments/faithfulness.py --checkpoint '[runs/stacks-decoys-0,
        runs/stacks-decoys-1, runs/stacks-decoys-2]'
    python experiments/faithfulness.py --checkpoint stl10 --root DIR
        photographs: STL-10 lies in DIR

Patches leave as tokens (`vit_tutorial.interpret.faithfulness.faithfulness`); what is
followed is the probability of the class the model names on the whole image. Writes
results/faithfulness-NAME.json, all of it over the first images of the validation split:
for each score the curves and areas of deletion and insertion and SaCo, as the mean over
models with the band in which 95 % of bootstrap samples of the images fall, and each
model's own mean under "models"; by how much a score beats the others on the same images
("over"); how alike a map stays while the model's parts are randomised from the head
down ("sanity": rank correlation, and the share of the five highest patches that stay
among the five highest); what a random order does if missing patches are painted grey;
and how far the first model's heads look. Drawn sets also get the mask's own curve, the
share of each map on object and decoys, and the pointing game.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from experiments.results import ROOT, environment_info, run, write_result
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import load_split
from vit_tutorial.data.images import ImageSet, resize
from vit_tutorial.interpret.attention import attention_distance, attention_maps
from vit_tutorial.interpret.attribution import ATTRIBUTIONS
from vit_tutorial.interpret.faithfulness import (
    attention_mass,
    bootstrap,
    faithfulness,
    patch_coverage,
    pointing_game,
    saco,
)
from vit_tutorial.interpret.interventions import randomize_cascade
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.distributed import pick_device
from vit_tutorial.training.metrics import evaluate
from vit_tutorial.training.run import Run

BATCH = 50  # images at a time: gradients keep the weights of every layer
NO_MODEL = ("contrast (no model)", "random")
SUBSETS = 9  # of SaCo: four patches each of 36, about seven of 64


def band(values: Tensor) -> dict:
    """The mean over images (first axis) and its band, rounded."""
    low, high = bootstrap(values)
    named = {"mean": values.float().mean(dim=0), "low": low, "high": high}
    return {name: rounded(v) for name, v in named.items()}


def rounded(values: Tensor) -> list | float:
    return (
        [rounded(value) for value in values] if values.ndim else round(values.item(), 4)
    )


def over_models(values: list[Tensor]) -> dict:
    """Values (B, ...) of several models: the band of their mean over models, and each
    model's mean over images.
    """
    models = torch.stack(values)
    return band(models.mean(dim=0)) | {"models": rounded(models.float().mean(dim=1))}


def in_batches(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """A function of images and what belongs to them, a batch at a time."""
    return torch.cat(
        [
            function(*batch)
            for batch in zip(*(tensor.split(BATCH) for tensor in tensors), strict=True)
        ]
    )


def ranks_alike(one: Tensor, other: Tensor) -> Tensor:
    """Spearman's rank correlation of two maps (B, N) of each image: (B,). Equal values
    share their mean rank.
    """
    ranks = []
    for scores in (one, other):
        here = scores.double()[:, :, None]
        there = scores.double()[:, None]
        rank = (there < here).double().sum(dim=2) + (there == here).double().sum(
            dim=2
        ) / 2
        ranks.append(rank - rank.mean(dim=1, keepdim=True))
    return torch.cosine_similarity(*ranks, dim=1)


def top_alike(one: Tensor, other: Tensor, count: int = 5) -> Tensor:
    """The share of the `count` highest patches of one map (B, N) that are among the
    other's: (B,).
    """
    chosen = [
        torch.zeros_like(scores).scatter(1, scores.topk(count).indices, 1.0)
        for scores in (one, other)
    ]
    return (chosen[0] * chosen[1]).sum(dim=1) / count


def cascade(
    model: VisionTransformer, images: Tensor, labels: Tensor, scores: dict[str, Tensor]
) -> dict:
    """How alike each score's maps stay with 0, 1, ... parts randomised: name -> measure
    -> (B, parts).
    """
    alike = {
        name: {"ranks": [], "top": []} for name in ATTRIBUTIONS if name not in NO_MODEL
    }
    for parts in range(model.config.depth + 3):
        copy = randomize_cascade(model, parts).eval()
        for name, rows in alike.items():
            found = in_batches(partial(ATTRIBUTIONS[name], copy), images, labels)
            rows["ranks"].append(ranks_alike(scores[name], found))
            rows["top"].append(top_alike(scores[name], found))
    return {
        n: {part: torch.stack(found, dim=1) for part, found in rows.items()}
        for n, rows in alike.items()
    }


def painted(
    model: VisionTransformer,
    images: Tensor,
    scores: Tensor,
    labels: Tensor,
    kept: list[int],
) -> Tensor:
    """The insertion curve (B, S) if missing patches are painted in the mean colour, 0,
    instead of being left out.
    """
    order = scores.argsort(dim=1, descending=True, stable=True)
    rows, columns = model.config.grid
    size = model.config.patch_size
    points = []
    for count in kept:
        there = (
            torch.zeros_like(scores)
            .scatter(1, order[:, :count], 1.0)
            .reshape(-1, 1, rows, columns)
        )
        shown = images * there.repeat_interleave(size, 2).repeat_interleave(size, 3)
        points.append(model(shown).softmax(dim=1).gather(1, labels[:, None])[:, 0])
    return torch.stack(points, dim=1)


def on_the_mask(masks: Tensor, scores: dict[str, Tensor], patch_size: int) -> dict:
    """What share of each map lies on object and decoys, and the pointing game on the
    object: part -> name -> (B,).
    """
    found = {}
    for part, mask in (("object", masks[:, 0]), ("decoys", masks[:, 1])):
        cover = patch_coverage(mask, patch_size)
        found[part] = {"even": cover.mean(dim=1)} | {
            name: attention_mass(cover, s) for name, s in scores.items()
        }
    cover = patch_coverage(masks[:, 0], patch_size)
    return found | {
        "pointing": {
            name: pointing_game(cover, values) for name, values in scores.items()
        }
    }


def all_scores(
    model: VisionTransformer, images: Tensor, labels: Tensor, seed: int
) -> dict[str, Tensor]:
    """Every score's maps (B, N), and those of an untrained model, whose weights come
    from `seed`.
    """
    torch.manual_seed(seed)
    fresh = randomize_cascade(model, model.config.depth + 2, seed).eval()
    found = {
        n: in_batches(lambda *batch, f=f: f(model, *batch), images, labels)
        for n, f in ATTRIBUTIONS.items()
    }
    for name in ATTRIBUTIONS:
        if name not in NO_MODEL:
            maps = in_batches(
                lambda *batch, f=ATTRIBUTIONS[name]: f(fresh, *batch), images, labels
            )
            found[f"{name}, untrained"] = maps
    return found


def put_on_trial(
    model: VisionTransformer, images: Tensor, maps: Tensor, labels: Tensor, steps: int
) -> dict:
    """What the model does as patches leave and come in the order of maps (B, N):
    measure -> (B,), or (B, S).
    """
    batches = list(
        zip(*(tensor.split(BATCH) for tensor in (images, maps, labels)), strict=True)
    )
    parts = [faithfulness(model, *batch, steps=steps) for batch in batches]
    areas = [
        torch.cat(area) for area in zip(*(part.auc() for part in parts), strict=True)
    ]
    return {
        "deletion": torch.cat([part.deletion for part in parts]),
        "insertion": torch.cat([part.insertion for part in parts]),
        "deletion_area": areas[0],
        "insertion_area": areas[1],
        "gap": areas[1] - areas[0],
        "saco": torch.cat([saco(model, *batch, subsets=SUBSETS) for batch in batches]),
    }


def examine(
    model: VisionTransformer,
    inputs: Tensor,
    masks: Tensor | None,
    steps: int,
    seed: int,
) -> dict:
    """All that is measured of one model, image by image."""
    with torch.no_grad():
        guesses = in_batches(lambda batch: model(batch).argmax(dim=1), inputs)
    scores = all_scores(model, inputs, guesses, seed)
    found = {"sanity": cascade(model, inputs, guesses, scores)}
    if masks is not None:
        found["masks"] = on_the_mask(masks, scores, model.config.patch_size)
        cover = patch_coverage(masks[:, 0], model.config.patch_size)
        # patches covered alike in random order
        scores["the mask itself"] = cover + 1e-3 * torch.rand_like(cover)
    found["scores"] = {
        name: put_on_trial(model, inputs, maps, guesses, steps)
        for name, maps in scores.items()
    }
    kept = faithfulness(
        model, inputs[:1], scores["random"][:1], steps=steps
    ).kept.tolist()
    with torch.no_grad():
        paint = in_batches(
            lambda *batch: painted(model, *batch, kept),
            inputs,
            scores["random"],
            guesses,
        )
    return found | {"kept": kept, "random_painted_grey": paint}


def merged(models: list[dict]) -> dict:
    """The same nested measurements of several models, each leaf over models."""
    first = models[0]
    if isinstance(first, Tensor):
        return over_models(models)
    return {name: merged([model[name] for model in models]) for name in first}


def compared(scores: list[dict]) -> dict:
    """By how much each score beats every other on the same images: name -> other ->
    measure.
    """
    measures = ("deletion_area", "insertion_area", "gap", "saco")
    return {
        one: {
            other: {
                part: over_models(
                    [model[one][part] - model[other][part] for model in scores]
                )
                for part in measures
            }
            for other in scores[0]
            if other != one
        }
        for one in ATTRIBUTIONS
    }


def shared_data(runs: list[Run], root: str | None) -> tuple[DataConfig, ImageSet]:
    """The validation split that all runs were judged on. Raises ValueError where they
    have different ones.
    """
    configs = [made.config["data"] | ({"root": root} if root else {}) for made in runs]
    first = DataConfig(**configs[0])
    # of drawn sets the seed changes the training images only; the same files may lie
    # elsewhere, but a folder's pictures are those that lie in it
    alike = {"split_seed"} if first.drawn else set()
    alike |= {"root"} if first.name != "folder" else set()
    for config in configs[1:]:
        for name in set(config) - alike:
            if config[name] != configs[0].get(name):
                raise ValueError(
                    f"data.{name} is {config[name]!r} in one run and"
                    f" {configs[0].get(name)!r} in another"
                )
    return first, load_split(first, "val")  # so the split is the run's own


def measure_faithfulness(
    checkpoint: list[str] | str = "stacks",
    root: str | None = None,
    images: int = 200,
    steps: int = 12,
    name: str | None = None,
) -> None:
    """Write results/faithfulness-NAME.json.

    Args:
        checkpoint: a run's folder or a shipped name, or several of one recipe
        root: where the data lie, by default where they lay in training
        images: how many of the runs' validation split
        steps: of a curve
        name: of the result, by default that of the data
    """
    places = [checkpoint] if isinstance(checkpoint, str) else checkpoint
    loaded = [load_checkpoint(place, pick_device("auto")) for place in places]
    data, val = shared_data([made for _, made in loaded], root)
    model = loaded[0][0]
    device = next(model.parameters()).device
    result = environment_info(device.type) | {
        "config": loaded[0][1].config["model"],
        "data": data.name,
    }
    few = resize(val.images[:images].to(device), model.config.image_size)
    masks = None if val.masks is None else val.masks[:images].to(device)
    result["models"] = []
    found = []
    for seed, (place, (model, made)) in enumerate(zip(places, loaded, strict=True)):
        accuracy = evaluate(model, val, made.normalization)["accuracy"]
        about = {"name": Path(place).name, "epochs": len(made.history)}
        result["models"].append(about | {"accuracy": accuracy})
        inputs = made.normalization(few)
        found.append(examine(model, inputs, masks, steps, seed))
        print(f"{place}: examined, accuracy {accuracy:.1%}", flush=True)
    kept = found[0].pop("kept")
    result |= {"n": len(few), "patches": kept[-1], "kept": kept, "subsets": SUBSETS}
    result |= merged([{part: one[part] for part in found[0]} for one in found])
    result["over"] = compared([one["scores"] for one in found])
    result["distance"] = how_far(*loaded[0], few)
    write_result(ROOT / "results" / f"faithfulness-{name or named(data)}.json", result)
    for score, row in result["scores"].items():
        measures = ("deletion_area", "insertion_area", "saco")
        print(
            f"{score:32}"
            + "  ".join(f"{part} {row[part]['mean']:.3f}" for part in measures)
        )


def how_far(model: VisionTransformer, made: Run, images: Tensor) -> dict:
    """The mean distance of each head in pixels, (depth, H), and that of an even
    spread.
    """
    config = model.config
    weights = attention_maps(model, made.normalization(images[:BATCH]))
    alike = torch.full(
        (1, 1, math.prod(config.grid), math.prod(config.grid)),
        1 / math.prod(config.grid),
    )
    even = attention_distance([alike], config.grid, config.patch_size)
    return {
        "heads": rounded(attention_distance(weights, config.grid, config.patch_size)),
        "even": rounded(even[0, 0]),
    }


def named(data: DataConfig) -> str:
    """The name of a result: that of the data, and of stacks' decoys where they are
    others.
    """
    return data.name + "-decoys" * (data.decoys == "patterned")


if __name__ == "__main__":
    run(measure_faithfulness)
