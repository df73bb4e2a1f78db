from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_attention_maps import DEPTH, assert_unchanged, model, state
from torch.testing import assert_close

from vit_tutorial.interpret.attention import rollout
from vit_tutorial.interpret.attribution import ATTRIBUTIONS, target_classes
from vit_tutorial.interpret.faithfulness import faithfulness
from vit_tutorial.interpret.interventions import drop_patches, randomize_cascade
from vit_tutorial.models import build_model

ROOT = Path(__file__).parents[2]
# a grid of 3 x 4 patches
B = 3
N = 12
POOLS = pytest.mark.parametrize("pool", ["cls", "mean"])


def images(count=B):
    torch.manual_seed(1)
    return torch.randn(count, 3, 24, 32)


def everything(count=B):
    return torch.arange(N).expand(count, N)


@POOLS
def test_dropping_nothing_changes_nothing(pool):
    vit = model(pool=pool)
    expected = vit.eval()(images())
    assert_close(drop_patches(vit, images(), everything()), expected)
    # in any order
    assert_close(
        drop_patches(vit, images(), everything()[:, torch.randperm(N)]), expected
    )


@POOLS
def test_dropping_cannot_be_seen_in_the_dropped_pixels(pool):
    """What stands in a dropped patch has no effect; what stands in a kept one has."""
    vit = model(pool=pool).eval()
    pictures = images()
    kept = torch.tensor([[5, 0], [11, 3], [2, 6]])
    logits = drop_patches(vit, pictures, kept)
    noise = torch.randn_like(pictures)
    there = (
        torch.zeros(B, N)
        .scatter(1, kept, 1.0)
        .reshape(B, 1, 3, 4)
        .repeat_interleave(8, 2)
        .repeat_interleave(8, 3)
    )
    assert_close(
        drop_patches(vit, torch.where(there > 0, pictures, noise), kept), logits
    )
    assert not torch.allclose(
        drop_patches(vit, torch.where(there > 0, noise, pictures), kept), logits
    )


def test_dropped_patches_leave_the_others_in_their_places():
    """By hand: the tokens of patches 4 and 9, with the positions of 4 and 9, after the
    class token.
    """
    vit = model().eval()
    pictures = images()
    tokens = vit.embedder(pictures)
    kept = torch.stack([tokens[:, 0], tokens[:, 5], tokens[:, 10]], dim=1)
    expected = vit.classify(vit.encode(kept))
    assert_close(drop_patches(vit, pictures, torch.tensor([[4, 9]] * B)), expected)


def test_class_token_alone_says_the_same_of_every_image():
    logits = drop_patches(model(), images(), torch.empty(B, 0, dtype=torch.long))
    assert_close(logits, logits[:1].expand_as(logits))


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (
            torch.zeros(B, 2),
            r"kept is \(3, 2\) of torch.float32, expected \(3, n\) numbers",
        ),
        (torch.ones(B, N, dtype=torch.bool), "of torch.bool"),
        (torch.zeros(B + 1, 2, dtype=torch.long), r"kept is \(4, 2\)"),
        (torch.arange(3), r"kept is \(3,\)"),
        (
            torch.tensor([[0, 12]] * B),
            "kept runs from 0 to 12, expected patches from 0 to 11",
        ),
        (torch.tensor([[-1, 1]] * B), "kept runs from -1 to 1"),
        (torch.tensor([[3, 4, 3]] * B), "twice"),
    ],
)
def test_patches_there_are_not(kept, message):
    with pytest.raises(ValueError, match=message):
        drop_patches(model(), images(), kept)


def test_no_patch_and_no_class_token():
    with pytest.raises(ValueError, match="at least 1 patch"):
        drop_patches(model(pool="mean"), images(), torch.empty(B, 0, dtype=torch.long))


@POOLS
@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_scores_are_one_a_patch_and_do_not_depend_on_the_batch(name, pool):
    vit = model(pool=pool)
    pictures = images()
    scores = ATTRIBUTIONS[name](vit, pictures)
    assert scores.shape == (B, N)
    assert (scores >= 0).all() and not scores.requires_grad
    if name != "random":
        assert_close(ATTRIBUTIONS[name](vit, pictures[1:2]), scores[1:2])


@POOLS
@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_looking_leaves_the_model_as_it_was(name, pool):
    vit = model(pool=pool).train()
    vit.blocks[1].eval()
    vit.head.requires_grad_(False)
    vit(images()).sum().backward()
    before = state(vit)
    scores = ATTRIBUTIONS[name](vit, images())
    faithfulness(vit, images(), scores, steps=2)
    assert_unchanged(vit, before)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("name", ["gradient x attention", "input gradient"])
def test_gradients_need_no_trainable_weight_and_ask_about_the_label(name):
    vit = model()
    pictures = images()
    labels = vit.eval()(pictures).argmax(dim=1)
    scores = ATTRIBUTIONS[name](vit, pictures, labels)
    with torch.no_grad():
        # the guess is what is asked about
        assert_close(ATTRIBUTIONS[name](vit.requires_grad_(False), pictures), scores)
    assert not torch.allclose(
        ATTRIBUTIONS[name](vit, pictures, (labels + 1) % 10), scores
    )


@pytest.mark.parametrize("name", ["raw attention", "rollout"])
def test_attention_is_the_same_for_every_class(name):
    scores = [
        ATTRIBUTIONS[name](model(), images(), torch.full((B,), label))
        for label in (2, 7)
    ]
    assert_close(*scores)


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_attention_scores_are_the_rows_of_the_output(pool):
    vit = model(pool=pool).eval()
    weights = vit(images(), return_attention=True)[1]
    for name, maps in {
        "raw attention": weights[-1].mean(dim=1),
        "rollout": rollout(weights),
    }.items():
        expected = maps[:, 0, 1:] if pool == "cls" else maps.mean(dim=1)
        assert_close(ATTRIBUTIONS[name](vit, images()), expected.detach())


def test_gradient_attention_by_differences():
    """One layer: the positive part of weight times slope, where the slope is measured
    by nudging a weight.
    """
    vit = model(depth=1, dropout=0.0).double().eval()
    pictures = images(1).double()
    nudged = {}

    def attend_nudged(q, k, v):
        weights = (q @ k.transpose(-2, -1) / q.shape[-1] ** 0.5).softmax(dim=-1)
        weights = weights + nudged.get("by", 0)
        return weights @ v, weights

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vit_tutorial.attention.attend", attend_nudged)
        logits, (weights,) = vit(pictures, return_attention=True)
        guess = logits.argmax()
        slopes = torch.zeros_like(weights)
        for head in range(weights.shape[1]):
            for key in range(N + 1):
                nudged["by"] = torch.zeros_like(weights)
                nudged["by"][0, head, 0, key] = 1e-6
                raised = vit(pictures, return_attention=True)[0]
                slopes[0, head, 0, key] = (raised - logits)[0, guess] / 1e-6
    expected = (weights * slopes).clamp(min=0).mean(dim=1)[:, 0, 1:]
    assert_close(
        ATTRIBUTIONS["gradient x attention"](vit, pictures),
        expected.detach(),
        atol=1e-8,
        rtol=1e-3,
    )


def test_gradient_attention_joins_the_layers_from_the_last_to_the_first():
    vit = model(depth=2, dropout=0.0).double().eval()
    logits, weights = vit(images().double(), return_attention=True)
    gradients = torch.autograd.grad(logits.amax(dim=1).sum(), weights)
    pairs = zip(weights, gradients, strict=True)
    first, second = (
        (layer * gradient).clamp(min=0).mean(dim=1) for layer, gradient in pairs
    )
    # the paths through one layer, or through both
    expected = (first + second + second @ first)[:, 0, 1:].detach()
    assert_close(ATTRIBUTIONS["gradient x attention"](vit, images().double()), expected)


def test_input_gradient_by_differences():
    vit = model(dropout=0.0).double().eval()
    pictures = images(1).double()
    logits = vit(pictures)
    guess = logits.argmax()
    expected = 0.0
    for channel in range(3):
        for row in range(8, 16):  # patch 6 stands in row 1, column 2
            for column in range(16, 24):
                nudged = pictures.clone()
                nudged[0, channel, row, column] += 1e-6
                expected += ((vit(nudged) - logits)[0, guess] / 1e-6).abs().item()
    assert ATTRIBUTIONS["input gradient"](vit, pictures)[0, 6].item() == pytest.approx(
        expected, rel=1e-3
    )


def test_gradients_that_cannot_be_had_are_refused():
    vit = model()
    with pytest.raises(ValueError, match="of torch.int64, expected .* of floats"):
        ATTRIBUTIONS["input gradient"](vit, torch.zeros(1, 3, 24, 32).long())
    registers = build_model(replace(vit.config, name="registers"))
    with pytest.raises(ValueError, match="weights of 'registers' are only a part"):
        ATTRIBUTIONS["gradient x attention"](registers, images())


@pytest.mark.parametrize(
    "labels",
    [
        torch.tensor([1, 2]),
        torch.tensor([0, 3, 10]),
        torch.tensor([-1, 0, 0]),
        torch.tensor([]),
        torch.tensor([0.0, 1.5, 2.0]),
    ],
)
def test_labels_there_are_not(labels):
    for name in ("gradient x attention", "input gradient"):
        with pytest.raises(ValueError, match="expected 3 whole numbers from 0 to 9"):
            ATTRIBUTIONS[name](model(), images(), labels)
    with pytest.raises(ValueError, match="expected 3 whole numbers from 0 to 9"):
        faithfulness(model(), images(), torch.rand(B, N), labels)


def test_labels_may_be_whole_numbers_of_any_size_and_for_no_image_none():
    vit = model()
    labels = torch.tensor([4, 0, 9])
    want = ATTRIBUTIONS["input gradient"](vit, images(), labels)
    for dtype in (torch.uint8, torch.int32):
        found = ATTRIBUTIONS["input gradient"](vit, images(), labels.to(dtype))
        assert_close(found, want, rtol=0, atol=0)
    none = target_classes(torch.zeros(0, 10), torch.zeros(0, dtype=torch.long))
    assert none.shape == (0,)


@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_is_each_channels_own_spread(channels):
    vit = model(channels=channels)
    pictures = torch.randn(B, channels, 24, 32, generator=torch.Generator())
    found = ATTRIBUTIONS["contrast (no model)"](vit, pictures)
    for row in range(3):
        for column in range(4):
            patch = pictures[
                1, :, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8
            ].numpy()
            spread = np.mean([np.std(plane) for plane in patch])
            assert found[1, 4 * row + column].item() == pytest.approx(spread, rel=1e-5)
    with pytest.raises(ValueError, match="24 x 30 pixels cannot be cut into patches"):
        ATTRIBUTIONS["contrast (no model)"](vit, pictures[..., :30])


@POOLS
def test_curves_by_hand(pool):
    vit = model(pool=pool)
    pictures = images()
    scores = torch.rand(B, N)
    labels = torch.tensor([4, 0, 9])
    curves = faithfulness(vit, pictures, scores, labels, steps=5)
    assert (
        curves.kept.tolist()
        == {"cls": [0, 2, 5, 7, 10, 12], "mean": [1, 3, 5, 8, 10, 12]}[pool]
    )
    for column, count in enumerate(curves.kept.tolist()):
        if count:
            highest = scores.topk(count).indices
            chance = drop_patches(vit, pictures, highest).softmax(dim=1)[
                torch.arange(B), labels
            ]
            assert_close(curves.insertion[:, column], chance)
        lowest = (-scores).topk(count).indices
        if count:
            chance = drop_patches(vit, pictures, lowest).softmax(dim=1)[
                torch.arange(B), labels
            ]
            assert_close(curves.deletion[:, column], chance)
    # all patches are there
    assert_close(curves.deletion[:, -1], curves.insertion[:, -1])


def test_deletion_is_the_insertion_of_the_opposite():
    vit = model()
    scores = torch.rand(B, N)
    there, back = (
        faithfulness(vit, images(), s, torch.tensor([1, 1, 2]))
        for s in (scores, -scores)
    )
    assert_close(there.deletion, back.insertion)
    assert_close(there.auc()[0], back.auc()[1])


def test_curves_ask_about_the_guess_on_the_whole_image():
    vit = model()
    scores = torch.rand(B, N)
    guess = vit.eval()(images()).argmax(dim=1)
    assert_close(
        faithfulness(vit, images(), scores).insertion,
        faithfulness(vit, images(), scores, guess).insertion,
    )


def test_curves_tell_a_right_map_from_a_wrong_one():
    """A model that answers by patch 6 alone: the map that says so deletes fast and
    inserts fast.
    """
    vit = model(depth=1, classes=2).eval()
    with torch.no_grad():
        for parameter in vit.parameters():
            parameter.zero_()
        for norm in (vit.blocks[0].norm1, vit.head[0]):
            norm.weight.fill_(1.0)
        # only the token of patch 6 has anything to say
        vit.embedder.positions[0, 7, 0] = 40.0
        vit.blocks[0].attention.qkv.weight[80:] = torch.eye(40)
        vit.blocks[0].attention.out.weight.copy_(torch.eye(40))
        vit.head[1].weight[0, 0] = 3.0
    right = torch.zeros(B, N)
    right[:, 6] = 1
    (deletion, insertion), (worst, slow) = (
        faithfulness(
            vit, images(), scores, torch.zeros(B, dtype=torch.long), steps=N
        ).auc()
        for scores in (right, -right)
    )
    assert (deletion < 0.6).all() and (insertion > 0.9).all()
    assert_close((worst, slow), (insertion, deletion))


@pytest.mark.parametrize(("pool", "height"), [("cls", 6 / 12), ("mean", 6.5 / 12)])
def test_area_is_the_mean_height(pool, height):
    curves = faithfulness(model(pool=pool), images(), torch.rand(B, N))
    points = len(curves.kept)
    flat = type(curves)(
        curves.kept, torch.full((B, points), 0.25), curves.kept.expand(B, -1) / 12.0
    )
    assert_close(flat.auc(), (torch.full((B,), 0.25), torch.full((B,), height)))


@pytest.mark.parametrize(
    ("scores", "steps", "message"),
    [
        (
            torch.rand(B, N + 1),
            5,
            r"scores are \(3, 13\), expected \(3, 12\) finite numbers",
        ),
        (torch.full((B, N), torch.nan), 5, "finite"),
        (torch.rand(B, N), 0, "steps is 0, expected at least 1"),
    ],
)
def test_wrong_scores(scores, steps, message):
    with pytest.raises(ValueError, match=message):
        faithfulness(model(), images(), scores, steps=steps)


@pytest.mark.parametrize("parts", range(DEPTH + 3))
def test_randomise_from_the_top(parts):
    vit = model(positions="learned").double().eval()
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in vit.parameters():
            parameter.add_(0.1)  # trained weights differ from any fresh ones
    before = state(vit)
    random = torch.get_rng_state()
    copy = randomize_cascade(vit, parts)
    assert_unchanged(vit, before)
    assert torch.equal(torch.get_rng_state(), random)
    assert not copy.training and all(
        values.dtype == torch.float64 for values in copy.state_dict().values()
    )
    trained = vit.state_dict()
    fresh = copy.state_dict()
    changed = [
        any(
            not torch.equal(fresh[name], trained[name])
            for name in trained
            if name.startswith(part)
        )
        for part in ("head", "blocks.2", "blocks.1", "blocks.0", "embedder")
    ]
    assert changed == [True] * parts + [False] * (DEPTH + 2 - parts)
    assert_close(randomize_cascade(vit, parts).state_dict(), copy.state_dict())


@pytest.mark.parametrize("parts", range(DEPTH + 3))
def test_a_variant_stays_one_and_its_registers_go_with_the_embedder(parts):
    vit = build_model(replace(model().config, name="registers")).eval()
    with torch.no_grad():
        vit.registers.add_(0.1)
    copy = randomize_cascade(vit, parts)
    assert type(copy) is type(vit)
    same = torch.equal(copy.registers, vit.registers)
    assert same == (parts < DEPTH + 2)


def test_randomise_more_than_there_is():
    with pytest.raises(ValueError, match="parts is 6, expected 0 to 5"):
        randomize_cascade(model(), DEPTH + 3)
