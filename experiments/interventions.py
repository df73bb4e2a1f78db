"""What the workbench's buttons do, counted over many drawings instead of one.

    python experiments/interventions.py

Of images of `stacks` that the shipped model was not trained on, into
results/interventions.json: the share that it names right as it is; without positions,
where `pair` also counts the two textures in the wrong order; with one branch of one
layer silent, or one head; read off each layer by its own head (the logit lens, layer 0:
the class token before the first); and with the class token's state taken from another
image, whose class is another: how often it then names that class (`donor`), its own, or
neither.
"""

import torch
from torch import Tensor

from experiments.results import ROOT, environment_info, run, write_result
from vit_tutorial.data.images import normalise
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.interpret.interventions import patched, silenced, without_positions
from vit_tutorial.interpret.lens import logit_lens, residual_states
from vit_tutorial.training.checkpoint import load_checkpoint

SEED = 12  # not that of training, nor of validation


@torch.no_grad()
def interventions(images: int = 400) -> None:
    """Write results/interventions.json.

    Args:
        images: how many are drawn
    """
    if images < 2:  # of which two are of two classes
        raise ValueError(f"images is {images}, expected at least 2")
    model, record = load_checkpoint("stacks")
    data = stacks(images, seed=SEED)
    labels = data.labels
    inputs = normalise(data.images, record.mean, record.std)
    layers = range(model.config.depth)

    def named() -> Tensor:
        return model(inputs).argmax(dim=1)

    def right() -> float:
        return share(named() == labels)

    result = environment_info("cpu") | {"images": images, "whole": right()}
    with without_positions(model):
        answers = named()
    swapped = torch.tensor(mirrored(record.classes))[labels]
    result["without_positions"] = {
        "right": share(answers == labels),
        "pair": share((answers == labels) | (answers == swapped)),
    }
    for part in ("attention", "mlp"):
        result[f"{part}_silent"] = []
        for layer in layers:
            with silenced(model, parts=[(layer, part)]):
                result[f"{part}_silent"].append(right())
    result["head_silent"] = []
    for layer in layers:
        result["head_silent"].append([])
        for head in range(model.config.heads):
            with silenced(model, heads=[(layer, head)]):
                result["head_silent"][-1].append(right())
    read = logit_lens(model, inputs).argmax(dim=-1)
    result["lens"] = [share(answers == labels) for answers in read]
    result["class_token_copied"] = copied(model, inputs, labels)
    write_result(ROOT / "results" / "interventions.json", result)


def mirrored(classes: tuple[str, ...]) -> list[int]:
    """The class of the same two textures in the other order, for each class."""
    return [classes.index("/".join(reversed(name.split("/")))) for name in classes]


def copied(model, inputs: Tensor, labels: Tensor) -> list[dict]:
    """Layer by layer, what is named with the class token of the image before."""
    states = residual_states(model, inputs.roll(1, 0))
    donors = labels.roll(1)
    differ = labels != donors
    rows = []
    for layer in range(len(states)):
        with patched(model, states, [(layer, 0)]):
            answers = model(inputs).argmax(dim=1)
        rows.append(
            {
                "donor": share((answers == donors)[differ]),
                "own": share((answers == labels)[differ]),
            }
        )
    return rows


def share(hits: Tensor) -> float:
    return round(hits.float().mean().item(), 4)


if __name__ == "__main__":
    run(interventions)
