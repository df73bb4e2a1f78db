"""The second yardstick, and what both yardsticks are held against: scores that see no
model.
"""

import pytest
import torch
from test_attention_maps import model
from test_faithfulness import POOLS, B, N, images
from torch.testing import assert_close

from vit_tutorial.interpret import faithfulness as module
from vit_tutorial.interpret.attribution import ATTRIBUTIONS
from vit_tutorial.interpret.faithfulness import saco


def pretend(monkeypatch, worth):
    """Replace `drop_patches`: the class's probability is the sum of what the patches
    left are worth.
    """

    def drop_patches(vit, pictures, kept):
        chance = worth[kept].sum(dim=1)
        return torch.stack([chance, 1 - chance], dim=1).log()

    monkeypatch.setattr(module, "drop_patches", drop_patches)


def test_saco_by_hand(monkeypatch):
    """Three groups of four patches with mean scores 6, 3 and 1, worth 0.2, 0.5 and 0.1
    of the class.

    The first pair votes against the map with 6 - 3, the others for it with 6 - 1 and 3
    - 1: (5 + 2 - 3) / 10.
    """
    pretend(monkeypatch, torch.tensor([0.2, 0.5, 0.1]).repeat_interleave(4) / 4)
    scores = torch.tensor([7.0, 5, 6, 6, 3, 3, 4, 2, 1, 1, 1, 1]).expand(B, N)
    found = saco(model(), images(), scores, torch.zeros(B, dtype=torch.long), subsets=3)
    assert_close(found, torch.full((B,), 0.4))


@pytest.mark.parametrize(("sign", "expected"), [(1.0, 1.0), (-1.0, -1.0)])
def test_saco_of_the_truth_and_of_its_opposite(monkeypatch, sign, expected):
    worth = torch.rand(N, generator=torch.Generator().manual_seed(0)) / N
    pretend(monkeypatch, worth)
    labels = torch.zeros(B, dtype=torch.long)
    assert_close(
        saco(model(), images(), sign * worth.expand(B, N), labels, subsets=N),
        torch.full((B,), expected),
    )


@POOLS
def test_saco_asks_about_the_guess_and_not_about_the_size_of_a_map(pool):
    vit = model(pool=pool).eval()
    scores = torch.rand(B, N)
    guess = vit(images()).argmax(dim=1)
    found = saco(vit, images(), scores, subsets=4)
    assert found.shape == (B,) and (found.abs() <= 1).all()
    assert_close(
        saco(vit, images(), 100 * scores + 7, guess, subsets=4),
        found,
        atol=1e-4,
        rtol=1e-4,
    )


def test_saco_of_a_map_that_prefers_nothing_is_0():
    assert_close(saco(model(), images(), torch.ones(B, N)), torch.zeros(B))


@pytest.mark.parametrize(
    ("scores", "subsets", "message"),
    [
        (torch.rand(B, N), 1, "subsets is 1, expected 2 to 12"),
        (torch.rand(B, N), N + 1, "subsets is 13, expected 2 to 12"),
        (torch.rand(B, N - 1), 4, r"scores are \(3, 11\), expected \(3, 12\) finite"),
        (torch.full((B, N), torch.inf), 4, "finite"),
    ],
)
def test_what_saco_refuses(scores, subsets, message):
    with pytest.raises(ValueError, match=message):
        saco(model(), images(), scores, subsets=subsets)


def test_contrast_by_hand():
    """Patch 6 (row 1, column 2) is half black, half white in one of three channels:
    deviation 0.5 there, mean 1/6.
    """
    pictures = torch.full((2, 3, 24, 32), 0.3)
    pictures[0, 1, 8:16, 16:20] = 0.0
    pictures[0, 1, 8:16, 20:24] = 1.0
    expected = torch.zeros(2, N)
    expected[0, 6] = 0.5 / 3
    assert_close(
        ATTRIBUTIONS["contrast (no model)"](model(), pictures),
        expected,
        atol=1e-6,
        rtol=1e-5,
    )


def test_contrast_never_asks_the_model():
    pictures = images()
    found = [
        ATTRIBUTIONS["contrast (no model)"](model(**choices), pictures)
        for choices in ({}, {"pool": "mean", "depth": 1})
    ]
    assert torch.equal(*found)


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_scores_inside_inference_mode(name):
    vit = model()
    with torch.inference_mode():
        pictures = images()
        labels = torch.tensor([1, 2, 3])
        torch.manual_seed(0)
        found = ATTRIBUTIONS[name](vit, pictures, labels)
    again = images()
    wanted = torch.tensor([1, 2, 3])
    torch.manual_seed(0)
    assert_close(found, ATTRIBUTIONS[name](vit, again, wanted))


@POOLS
def test_curves_of_a_model_of_one_patch(pool):
    vit = model(pool=pool, image_size=(8, 8))
    pictures = torch.randn(B, 3, 8, 8)
    curves = module.faithfulness(vit, pictures, torch.rand(B, 1))
    for area in curves.auc():
        assert area.isfinite().all()
    if pool == "mean":
        assert_close(curves.auc()[0], vit.eval()(pictures).softmax(dim=1).amax(dim=1))
