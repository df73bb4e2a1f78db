"""What chapters 08 and 09 conclude about maps is what their models and the
records say.
"""

import math
import re
from functools import cache

import pytest
import torch
from written import ROOT, chapter, recorded

from vit_tutorial import load_checkpoint
from vit_tutorial.data.images import normalise
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.interpret.attention import attention_maps
from vit_tutorial.interpret.attribution import attribute_contrast
from vit_tutorial.interpret.faithfulness import (
    attention_mass,
    patch_coverage,
    pointing_game,
)
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.checkpoint import load_snapshots

SETS = ("stacks", "stacks-decoys", "stl10")
CONTRAST = "contrast (no model)"
EXPLANATIONS = ("raw attention", "rollout", "gradient x attention", "input gradient")


MAPS = chapter("08_attention_maps")
TRIAL = chapter("09_faithfulness")


def areas(name: str, score: str) -> list[float]:
    row = recorded(f"faithfulness-{name}")["scores"][score]
    return [row[part]["mean"] for part in ("deletion_area", "insertion_area", "saco")]


def over(name: str, one: str, other: str, part: str) -> dict:
    return recorded(f"faithfulness-{name}")["over"][one][other][part]


@cache
def looked_at():
    """The pictures of chapter 08, and what each head of the finished model and of five
    untrained ones makes of them.
    """
    model, record = load_checkpoint("stacks")
    data = stacks(200, seed=108)
    images = normalise(data.images, record.mean, record.std)
    torch.manual_seed(0)
    fresh = [attention_maps(VisionTransformer(model.config), images) for _ in range(5)]
    cover = [patch_coverage(data.masks[:, part], 16) for part in (0, 1)]
    weights = attention_maps(model, images)
    heads = torch.stack(weights, dim=1)[..., 0, 1:]
    untrained = torch.stack(
        [torch.stack(layers, dim=1)[..., 0, 1:] for layers in fresh], dim=1
    )
    return (
        images,
        data.labels,
        cover,
        weights,
        heads,
        untrained,
        attribute_contrast(model, images),
    )


def per_cent(value) -> int:
    return round(100 * float(value))


def test_mass_tells_a_trained_head_from_an_untrained_one():
    _, _, (stack, decoys), _, heads, untrained, _ = looked_at()
    mass = attention_mass(stack, heads).mean(dim=0)
    fresh = attention_mass(stack, untrained).mean(dim=0)
    assert (
        f"on the stack ({per_cent(mass.min())} to {per_cent(mass.max())} % of what"
        " falls on patches)" in MAPS
    )
    assert (
        f"untrained ones {per_cent(fresh.min())} to {per_cent(fresh.max())} %" in MAPS
    )
    astray = attention_mass(decoys, heads).mean(dim=0)
    assert (
        f"The discs cover {per_cent(decoys.mean())} % and get"
        f" {100 * astray.min():.1f} to {per_cent(astray.max())}." in MAPS
    )
    assert (
        f"has a mass of {per_cent(attention_mass(stack, stack).mean())} %, not 100"
        in MAPS
    )


def test_pointing_does_not_and_contrast_points_best():
    _, _, (stack, _), _, heads, untrained, contrast = looked_at()
    points = pointing_game(stack, heads).mean(dim=0)
    fresh = pointing_game(stack, untrained).mean(dim=0)
    best = pointing_game(stack, contrast).mean()
    assert f"in up to {per_cent(fresh.max())} % of the pictures" in MAPS
    assert f"points at it in {per_cent(best)} %, more often than every head" in MAPS
    assert f"({per_cent(points.min())} to {per_cent(points.max())} %)" in MAPS
    assert (
        f"with a mass of {per_cent(attention_mass(stack, contrast).mean())} %" in MAPS
    )
    assert points.max() < best
    # a fresh class token has no query: it looks everywhere alike, pointing at patch 0
    assert "In layer 1 their class token, still zero, looks everywhere alike" in MAPS
    assert untrained[:, :, 0].std(dim=-1).max() < 1e-6
    assert (untrained[:, :, 0].argmax(dim=-1) == 0).all()


def test_what_the_class_token_keeps_for_itself():
    *_, heads, _, _ = looked_at()
    kept = 1 - heads.sum(dim=-1).mean(dim=0)
    assert (
        f"head 1 of layer 1 leaves {per_cent(kept[0, 1])} % of the class token's weight"
        in MAPS
    )
    assert kept.argmax() == 1
    page = (ROOT / "book" / "since_2020.md").read_text(encoding="utf-8")
    said = f"one head leaves {per_cent(kept[0, 1])} % of the class token's weight on"
    assert said in " ".join(page.split())


def test_only_the_first_layer_has_its_mass_early():
    images, labels, (stack, _), *_ = looked_at()
    mass = {}
    right = {}
    for epoch, model in load_snapshots("stacks").items():
        layers = attention_maps(model, images)
        mass[epoch] = [
            per_cent(attention_mass(stack, layer.mean(dim=1)[:, 0, 1:]).mean())
            for layer in layers
        ]
        right[epoch] = (model(images).argmax(dim=1) == labels).double().mean()
    said = f"nearly its final mass ({mass[4][0]} %, then {mass[24][0]})"
    assert said in MAPS
    _, *before = mass[4]
    _, *after = mass[24]
    assert (
        f"go from {before[0]}, {before[1]} and {before[2]} % to {after[0]}, {after[1]}"
        f" and {after[2]}" in MAPS
    )
    assert 0.5 < right[4] < 0.6 and right[24] > 0.99 and 0.15 < right[2] < 0.25
    assert max(mass[2][1:]) < 20 < mass[2][0]


def test_heads_look_less_far_on_photographs():
    found = recorded("faithfulness-stl10")["distance"]
    drawn = recorded("faithfulness-stacks")["distance"]
    nearest, *others = sorted(head for layer in found["heads"] for head in layer)
    assert all(
        abs(head - drawn["even"]) < 4 for layer in drawn["heads"] for head in layer
    )
    assert nearest in found["heads"][0]
    assert f"one head of layer 1 comes down to {nearest:.0f} pixels" in MAPS
    assert all(abs(head - found["even"]) < 3 for head in others)


@pytest.mark.parametrize(
    "score", [*EXPLANATIONS, CONTRAST, "random", "the mask itself"]
)
def test_the_verdict_is_what_the_records_say(score):
    lines = (
        (ROOT / "notebooks" / "09_faithfulness.md")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    (row,) = [line for line in lines if line.startswith(f"|{score}|")]
    cells = [cell.strip() for cell in row[1:-1].split("|")][1:]
    for name, cell in zip(SETS, cells, strict=False):
        if cell:
            assert cell == "/".join(f"{value:.2f}" for value in areas(name, score)), (
                name,
                score,
            )
    assert cells[3] == {"gradient x attention": "yes", "input gradient": "yes"}.get(
        score, "no" if score in EXPLANATIONS else ""
    )
    assert all(recorded(f"faithfulness-{name}")["n"] >= 200 for name in SETS)


def test_three_models_stand_behind_the_drawn_sets():
    for name in SETS[:2]:
        models = recorded(f"faithfulness-{name}")["models"]
        assert len({model["name"] for model in models}) == 3 and all(
            model["accuracy"] > 0.98 for model in models
        )
    mean = recorded("stacks-decoys")["mean"]
    assert f"{100 * mean:.1f} % over three seeds" in TRIAL


def test_on_stacks_contrast_ties_with_the_best():
    tie = over("stacks", "rollout", CONTRAST, "deletion_area")
    assert tie["low"] < 0 < tie["high"]
    assert f"a band from {tie['low']:.3f} to {tie['high']:.3f}" in TRIAL
    assert (
        f"its deletion area is {areas('stacks', CONTRAST)[0]:.3f}, rollout's"
        f" {areas('stacks', 'rollout')[0]:.3f}" in TRIAL
    )
    for score in EXPLANATIONS:
        if score != "rollout":
            assert over("stacks", score, CONTRAST, "deletion_area")["low"] > 0, score


def test_with_patterned_decoys_contrast_falls_and_rollout_stands():
    found = recorded("faithfulness-stacks-decoys")
    points = {name: row["mean"] for name, row in found["masks"]["pointing"].items()}
    assert points[CONTRAST] < 0.5 < 0.75 < points["rollout"]
    assert areas("stacks-decoys", CONTRAST)[0] > areas("stacks", CONTRAST)[0] + 0.03
    assert over("stacks-decoys", "rollout", CONTRAST, "deletion_area")["high"] < 0
    assert over("stacks-decoys", "rollout", CONTRAST, "insertion_area")["low"] > 0
    assert over("stacks-decoys", "rollout", CONTRAST, "saco")["low"] > 0


def test_on_photographs_both_areas_say_what_their_difference_hides():
    record = recorded("faithfulness-stl10")
    gap, deletion, insertion = (
        over("stl10", "raw attention", "random", p)
        for p in ("gap", "deletion_area", "insertion_area")
    )
    assert (
        gap["low"] < 0 < gap["high"] and deletion["high"] < 0 and insertion["high"] < 0
    )
    assert (
        f"larger than the random order's by {gap['mean']:.3f}, with a band from"
        f" {gap['low']:.3f} to {gap['high']:.3f}" in TRIAL
    )
    for part, word in ((deletion, "better* than chance"), (insertion, "worse*")):
        said = (
            f"{word}, by {-part['mean']:.3f} ({-part['high']:.3f} to"
            f" {-part['low']:.3f})"
        )
        assert said in TRIAL
    beats = [
        score
        for score in EXPLANATIONS
        if over("stl10", score, CONTRAST, "deletion_area")["high"] < 0
        and over("stl10", score, CONTRAST, "insertion_area")["low"] > 0
    ]
    assert (
        beats == ["gradient x attention"]
        and "the only score that beats contrast." in TRIAL
    )
    for score in ("rollout", "input gradient"):
        for part in ("deletion_area", "insertion_area"):
            equal = over("stl10", score, CONTRAST, part)
            assert equal["low"] < 0 < equal["high"]
    insertion = record["scores"]["gradient x attention"]["insertion"]["mean"]
    assert record["kept"][1] == 12 and record["patches"] == 144
    assert f"than with all, {insertion[1]:.2f} against {insertion[-1]:.2f}" in TRIAL
    assert (
        f"is right on {100 * record['models'][0]['accuracy']:.0f} % of that split"
        in TRIAL
    )


def test_saco_favours_gradient_attention_and_raw_attention_deletes_worst():
    for name in SETS:
        found = {
            score: areas(name, score)[2]
            for score in recorded(f"faithfulness-{name}")["scores"]
        }
        assert max(found, key=found.get) == "gradient x attention"
        assert over(name, "raw attention", CONTRAST, "deletion_area")["low"] > 0
    for score in ("gradient x attention", "input gradient"):
        deletion = over("stacks-decoys", score, CONTRAST, "deletion_area")
        assert deletion["low"] < 0 < deletion["high"]
        assert over("stacks-decoys", score, CONTRAST, "insertion_area")["low"] > 0


def test_what_maps_keep_while_the_model_forgets():
    record = recorded("faithfulness-stacks")
    photographs = recorded("faithfulness-stl10")
    kept = {
        name: per_cent(alike["top"]["mean"][4])
        for name, alike in record["sanity"].items()
    }
    assert (
        f"raw attention keeps {kept['raw attention']} % of its five brightest patches"
        " (chance: 14)" in TRIAL
    )
    for name in ("gradient x attention", "input gradient", "rollout"):
        assert f"{name} {kept[name]}" in TRIAL
    order = photographs["sanity"]["rollout"]["ranks"]["mean"][3]
    assert (
        f"rollout keeps its order ({order:.2f}) when the head and the last two of four"
        " layers" in TRIAL
    )
    # with all parts random a map is hardly more alike than chance has it
    for found in (record, photographs):
        assert all(
            abs(alike["ranks"]["mean"][-1]) < 0.2 for alike in found["sanity"].values()
        )


def test_raw_attention_falls_below_the_random_order():
    rows = recorded("faithfulness-stacks")["scores"]
    raw, chance = (
        rows[name]["insertion"]["mean"] for name in ("raw attention", "random")
    )
    assert (
        raw[1] > chance[1] + 0.3
        and raw[-4] < chance[-4]
        and "falls below the random order" in TRIAL
    )


def test_no_untrained_map_is_worth_anything_on_a_drawn_set():
    for name in SETS[:2]:
        rows = recorded(f"faithfulness-{name}")["scores"]
        for score in EXPLANATIONS:
            untrained = rows[f"{score}, untrained"]
            assert untrained["saco"]["mean"] < 0.1
            assert untrained["deletion_area"]["mean"] > 0.6
            area = untrained["insertion_area"]["mean"]
            assert area < rows["random"]["insertion_area"]["mean"]
    said = "Untrained maps lie near the random order, in insertion below it."
    assert said in TRIAL


def test_on_photographs_an_untrained_rollout_has_the_larger_saco():
    rows = recorded("faithfulness-stl10")["scores"]
    trained, untrained = (
        rows[name]["saco"]["mean"] for name in ("rollout", "rollout, untrained")
    )
    said = f"untrained, rollout has a SaCo of {untrained:.2f}, trained {trained:.2f}"
    assert said in TRIAL and trained < untrained


def test_every_number_of_the_prose_is_filled_in():
    assert not re.search("[«»]", TRIAL + MAPS) and "FREE" not in TRIAL


def test_a_token_of_the_photographs_model_has_seen_far_beyond_its_patch():
    model, _ = load_checkpoint("stl10")
    images = torch.rand(1, 3, *model.config.sides, requires_grad=True)
    middle = 1 + math.prod(model.config.grid) // 2 + model.config.grid[1] // 2
    (gradient,) = torch.autograd.grad(model.embed(images)[0, middle].sum(), images)
    seen = gradient.abs().sum(dim=(0, 1)).nonzero()
    wide = 1 + seen.amax(dim=0) - seen.amin(dim=0)
    assert f"each has seen {wide[0]} pixels a side" in TRIAL and wide[0] == wide[1]
    page = (ROOT / "book" / "try_it.md").read_text(encoding="utf-8")
    assert f"has seen {wide[0]} pixels a side" in " ".join(page.split())
