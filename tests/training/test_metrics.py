import math
from itertools import combinations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.testing import assert_close

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import ImageSet, Normalization
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.metrics import (
    calibration,
    compute_logits,
    confusion,
    difference,
    evaluate,
    holm,
)


def chances_and_labels(n=200, classes=3):
    torch.manual_seed(0)
    return (3 * torch.randn(n, classes)).softmax(dim=1), torch.randint(classes, (n,))


def test_confusion_counts_images():
    chances, labels = chances_and_labels()
    counts = torch.zeros(3, 3, dtype=torch.long)
    for chance, label in zip(chances, labels, strict=True):
        counts[label, chance.argmax()] += 1
    assert_close(confusion(chances, labels), counts)
    assert counts.sum() == 200 and (counts != counts.T).any()


def test_a_class_without_images_has_its_row():
    assert_close(
        confusion(torch.eye(3)[[0, 1]], torch.tensor([0, 0])),
        torch.tensor([[1, 1, 0], [0, 0, 0], [0, 0, 0]]),
    )


def test_calibration_by_hand():
    chances, labels = chances_and_labels()
    bins = [[] for _ in range(5)]
    for chance, label in zip(chances.double().tolist(), labels.tolist(), strict=True):
        sure = max(chance)
        bins[min(4, int(5 * sure))].append((sure, chance.index(sure) == label))
    result = calibration(chances, labels, bins=5)
    assert result["n"].tolist() == [len(images) for images in bins]
    for place, name in enumerate(("confidence", "accuracy")):
        means = [
            sum(image[place] for image in images) / max(1, len(images))
            for images in bins
        ]
        assert_close(result[name], torch.tensor(means, dtype=torch.float64))


def test_bins_end_and_may_be_empty():
    result = calibration(torch.eye(3)[[0, 1]], torch.tensor([0, 0]))
    assert result["n"].tolist() == [0] * 9 + [2]
    assert result["confidence"].tolist() == [0.0] * 9 + [1.0] and result[
        "accuracy"
    ].tolist() == [0.0] * 9 + [0.5]


def test_a_calibrated_model_lies_on_the_line():
    torch.manual_seed(0)
    chances = torch.randn(40_000, 4).mul(2).softmax(dim=1)
    result = calibration(chances, torch.multinomial(chances, 1)[:, 0])
    full = result["n"] > 500
    assert full.sum() >= 6
    assert_close(
        result["confidence"][full], result["accuracy"][full], atol=0.05, rtol=0
    )


def test_evaluate_counts_what_compute_logits_says():
    torch.manual_seed(0)
    model = VisionTransformer(
        ViTConfig(
            image_size=16,
            patch_size=8,
            dim=16,
            depth=1,
            heads=2,
            classes=2,
            dropout=0.5,
        )
    )
    nn.init.normal_(model.head[1].weight)
    data = ImageSet(
        torch.randint(256, (7, 3, 12, 12), dtype=torch.uint8),
        torch.tensor([0, 1] * 3 + [0]),
        ("a", "b"),
    )
    logits = compute_logits(model.train(), data, Normalization(), batch_size=3)
    chances = logits.softmax(dim=1)
    assert not model.training and chances.shape == (7, 2)
    assert_close(chances.sum(dim=1), torch.ones(7))
    scores = evaluate(model, data, Normalization())
    assert (
        scores["accuracy"]
        == (chances.argmax(dim=1) == data.labels).double().mean().item()
    )
    loss = nn.functional.nll_loss(chances.log(), data.labels)
    assert_close(scores["loss"], loss.item(), rtol=1e-5, atol=1e-6)


def test_a_difference_by_hand():
    gap, error, p = difference([0.5, 0.7], [0.8, 0.9, 1.0])
    assert math.isclose(gap, 0.9 - 0.6)
    assert math.isclose(error, math.sqrt(0.02 / 2 + 0.01 / 3))
    freedom = (0.01 + 0.01 / 3) ** 2 / (0.01**2 / 1 + (0.01 / 3) ** 2 / 2)
    assert math.isclose(p, 2 * stats.t.sf(0.3 / error, freedom), rel_tol=1e-9)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 8), (12, 5)])
def test_a_difference_is_that_of_the_library(n, m):
    random = np.random.default_rng(n)
    first, second = random.normal(0.6, 0.02, n), random.normal(0.62, 0.05, m)
    gap, error, p = difference(first.tolist(), second.tolist())
    test = stats.ttest_ind(second, first, equal_var=False)
    assert math.isclose(gap, second.mean() - first.mean(), rel_tol=1e-9)
    assert math.isclose(gap / error, test.statistic, rel_tol=1e-9)
    assert math.isclose(p, test.pvalue, rel_tol=1e-9)
    turned = difference(second.tolist(), first.tolist())
    assert turned[0] == -gap and math.isclose(turned[2], p, rel_tol=1e-9)


def test_p_is_how_often_chance_alone_makes_such_a_gap():
    random = np.random.default_rng(0)
    runs = random.normal(0.6, 0.02, (1000, 2, 5)).tolist()
    found = np.array([difference(*pair)[2] for pair in runs])
    for level in (0.05, 0.2, 0.5):
        assert abs((found <= level).mean() - level) < 0.04


@pytest.mark.parametrize(
    ("first", "second", "want"),
    [([0.1] * 3, [0.1] * 2, (0, 0, 1)), ([0.5] * 3, [0.75] * 3, (0.25, 0, 0))],
)
def test_values_that_never_vary_leave_no_doubt(first, second, want):
    assert difference(first, second) == want


def test_one_side_may_be_without_a_spread():
    gap, error, p = difference([0.5, 0.5], [0.6, 0.8])
    assert math.isclose(error, 0.1) and 0 < p < 1


@pytest.mark.parametrize("runs", [([0.5], [0.6, 0.7]), ([0.5, 0.6], [0.7])])
def test_a_single_run_has_no_spread(runs):
    with pytest.raises(ValueError, match="^a spread needs two values or more, got 1$"):
        difference(*runs)


def closed(p, level):
    """Holm's test as the closure of Bonferroni's: a difference stands if in every set
    that holds it the smallest p is small enough for that set alone.
    """
    sets = [
        members
        for count in range(1, len(p) + 1)
        for members in combinations(range(len(p)), count)
    ]
    kept = {
        members: min(p[i] for i in members) <= level / len(members) for members in sets
    }
    return [all(kept[s] for s in sets if i in s) for i in range(len(p))]


def test_holm_is_the_closure_of_bonferroni():
    random = np.random.default_rng(0)
    numbers = set()
    for m in (1, 2, 3, 5, 6):
        for level in (0.05, 0.2):
            for _ in range(20):
                p = (random.random(m) ** 3).tolist()
                assert holm(p, level) == closed(p, level)
                numbers.add(sum(holm(p, level)))
    assert len(numbers) > 4


@pytest.mark.parametrize(
    ("p", "want"),
    [
        ([0.04, 0.01, 0.03, 0.005], [False, True, False, True]),
        ([0.04, 0.02, 0.03], [False, False, False]),  # 0.02 > 0.05 / 3, so none
        ([0.01, 0.01, 0.01, 0.04], [True, True, True, True]),
        ([0.05], [True]),
        ([], []),
    ],
)
def test_holm_by_hand(p, want):
    assert holm(p) == want


def test_holm_rarely_errs_where_nothing_differs():
    random = np.random.default_rng(0)
    tables = random.random((1500, 12)).tolist()
    assert 0.02 < np.mean([any(holm(table)) for table in tables]) < 0.08
    assert np.mean([min(table) <= 0.05 for table in tables]) > 0.4


@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan])
def test_what_is_no_probability_is_refused(value):
    with pytest.raises(ValueError, match=f"^p is {value}, expected 0 to 1$"):
        holm([0.2, value])


def test_labels_beyond_the_models_classes_are_refused():
    config = ViTConfig(image_size=8, patch_size=4, dim=8, depth=1, heads=2, classes=3)
    data = ImageSet(torch.zeros(2, 3, 8, 8), torch.tensor([0, 3]), ("a", "b", "c", "d"))
    with pytest.raises(ValueError, match="labels up to 3, but the model has 3 classes"):
        evaluate(VisionTransformer(config), data, Normalization())


@pytest.mark.parametrize("large", [1e308, -(10**60), math.inf])
def test_values_too_large_to_square_are_not_compared(large):
    with pytest.raises(ValueError, match="is too large, expected at most 1e\\+50"):
        difference([0.0, 1.0], [large, 0])
