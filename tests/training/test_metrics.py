import torch
from torch import nn
from torch.testing import assert_close

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import ImageSet, Normalization
from vit_tutorial.model import VisionTransformer
from vit_tutorial.training.metrics import (
    calibration,
    compute_logits,
    confusion,
    evaluate,
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
