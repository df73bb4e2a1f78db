"""Frozen features and what is read off them: against hooks, loops in double precision
and scikit-learn.
"""

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from vit_tutorial.config import ViTConfig
from vit_tutorial.data.images import ImageSet, Normalization, resize
from vit_tutorial.models import build_model
from vit_tutorial.selfsup import probes
from vit_tutorial.selfsup.probes import (
    embed_2d,
    features,
    knn,
    linear_probe,
    probe,
)
from vit_tutorial.training.metrics import compute_logits

TRANSFORMERS = ["vit", "stochastic-depth", "layer-scale"]
SCALE = Normalization((0.4, 0.5, 0.6), (0.2, 0.3, 0.25))


def model(name="vit", **choices):
    """With weights far from their start, so that every part of it shows."""
    sizes = {"image_size": (16, 24), "patch_size": 8, "dim": 8, "depth": 2, "heads": 2}
    torch.manual_seed(0)
    made = build_model(
        ViTConfig(name=name, classes=3, dropout=0.5, norm_eps=0.1, **sizes | choices)
    )
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def images(n=7, seed=1, classes=3):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (n, 3, 32, 48), dtype=torch.uint8, generator=generator)
    names = tuple("abc"[:classes])
    return ImageSet(pixels, torch.arange(n) % classes, names)


def random_sets(n=60, m=40, dim=5, classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=generator)
    bank, queries = (torch.randn(size, dim, generator=generator) for size in (n, m))
    return bank, labels, queries


# Features


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_features_are_what_the_last_linear_layer_is_given(name, pool, dtype):
    vit = model(name, pool=pool).to(dtype)
    given = []
    handle = vit.head[1].register_forward_pre_hook(
        lambda module, inputs: given.append(inputs[0].detach().float())
    )
    compute_logits(vit, images(), SCALE, batch_size=3)
    handle.remove()
    vit.train()
    found = features(vit, images(), SCALE, batch_size=3)
    assert found.dtype == torch.float32 and found.shape == (7, 8)
    assert [len(part) for part in given] == [3, 3, 1]
    assert torch.equal(found, torch.cat(given))


@pytest.mark.parametrize("tokens", ["cls", "mean"])
def test_tokens_are_chosen_one_image_at_a_time(tokens):
    vit = model().eval()
    found = features(vit, images(), SCALE, tokens)
    for place, image in enumerate(resize(images().images, (16, 24))):
        with torch.no_grad():
            encoded = vit.encode(vit.embed(SCALE(image[None])))[0]
        chosen = encoded[0] if tokens == "cls" else sum(encoded[1:]) / 6
        centred = chosen - chosen.mean()
        normal = centred / (centred.square().mean() + 0.1).sqrt()
        by_hand = normal * vit.head[0].weight + vit.head[0].bias
        assert_close(found[place], by_hand.detach(), rtol=1e-4, atol=1e-5)
    both = [features(vit, images(), SCALE, tokens) for tokens in (None, "mean")]
    assert not torch.allclose(*both)
    mean = model(pool="mean")
    assert torch.equal(
        features(mean, images(), SCALE), features(mean, images(), SCALE, "mean")
    )


def snapshot(vit):
    modes = [module.training for module in vit.modules()]
    kinds = [
        (p.requires_grad, p.dtype, None if p.grad is None else p.grad.sum().item())
        for p in vit.parameters()
    ]
    values = {name: value.clone() for name, value in vit.state_dict().items()}
    return modes, kinds, values


def test_taking_features_leaves_the_model_and_the_dice_as_they_were():
    vit = model().train()
    vit.blocks[0].eval()
    vit.head.requires_grad_(False)
    vit.embed(SCALE(images().images[..., :16, :24])).sum().backward()
    modes, kinds, values = snapshot(vit)
    dice = torch.get_rng_state()
    found = features(vit, images(), SCALE)
    assert not found.requires_grad
    assert torch.equal(torch.get_rng_state(), dice)
    now = snapshot(vit)
    assert now[:2] == (modes, kinds) and now[2].keys() == values.keys()
    assert all(torch.equal(now[2][name], values[name]) for name in values)
    with pytest.raises(ValueError, match="images of 3 channels"):
        features(vit, images(), Normalization((0.5,), (0.5,)))
    assert snapshot(vit)[0] == modes


@pytest.mark.parametrize(
    ("made", "tokens", "message"),
    [
        (
            lambda: model(pool="mean"),
            "cls",
            "tokens is 'cls', but the model has no class token: its pool is 'mean'",
        ),
        (model, "all", "tokens is 'all', expected 'cls' or 'mean'"),
        (lambda: model("cnn"), None, "the model is a CNN, which has no tokens"),
        (lambda: model("resnet-small"), "mean", "is a SmallResNet, which has no"),
    ],
)
def test_a_model_without_these_tokens_is_refused(made, tokens, message):
    with pytest.raises(ValueError, match=message):
        features(made(), images(), SCALE, tokens)


def test_no_images_have_no_features():
    with pytest.raises(ValueError, match="there are no images"):
        features(model(), images(0), SCALE)


# Nearest neighbours


def slow_knn(bank, labels, queries, k, temperature):
    found = []
    for query in queries.tolist():
        near = []
        for known, label in zip(bank.tolist(), labels.tolist(), strict=True):
            product = sum(a * b for a, b in zip(query, known, strict=True))
            similarity = product / math.hypot(*query) / math.hypot(*known)
            near.append((-similarity, label))
        votes = {}
        for away, label in sorted(near)[:k]:
            votes[label] = votes.get(label, 0) + math.exp(-away / temperature)
        found.append(min(votes, key=lambda label: (-votes[label], label)))
    return torch.tensor(found)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
@pytest.mark.parametrize("k", [1, 3, 20, 60])
def test_neighbours_vote_as_in_a_slow_loop(k, temperature):
    sets = random_sets()
    found = knn(*sets, k, temperature)
    assert found.dtype == torch.int64
    assert torch.equal(found, slow_knn(*sets, k, temperature))


def test_twenty_neighbours_at_the_papers_temperature_are_the_default():
    sets = random_sets(n=200, m=300, dim=3)
    found = knn(*sets)
    assert torch.equal(found, slow_knn(*sets, 20, 0.07))
    for other in ((19, 0.07), (21, 0.07), (20, 0.06), (20, 0.08)):
        assert not torch.equal(found, slow_knn(*sets, *other))


def test_how_near_a_neighbour_is_decides_how_much_it_says():
    """Two of class 1 at 60 degrees and one of class 0 at 0: exp(0.5 / T) twice against
    exp(1 / T).
    """
    bank = torch.tensor([[0.5, 0.75**0.5], [0.5, -(0.75**0.5)], [3.0, 0.0]])
    labels = torch.tensor([1, 1, 0])
    query = torch.tensor([[0.1, 0.0]])
    even = 0.5 / math.log(2)
    assert knn(bank, labels, query, 3, 0.99 * even).item() == 0
    assert knn(bank, labels, query, 3, 1.01 * even).item() == 1
    # exp(10,000) is not finite
    assert knn(bank, labels, query, 3, 1e-4).item() == 0
    assert knn(bank, 1 - labels, query, 3, 1e-4).item() == 1


@pytest.mark.parametrize("seed", range(5))
def test_ties_go_to_the_lower_class(seed):
    """Five directions, each of them many times and in every class: more neighbours are
    alike than may vote.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(5, 37, generator=generator)
    bank = directions.repeat(12, 1)
    labels = torch.randint(1, 5, (60,), generator=generator)
    for k in (1, 2, 3, 5, 8):
        found = knn(bank, labels, directions, k)
        assert torch.equal(found, slow_knn(bank, labels, directions, k, 0.07))
        lowest = [labels[place::5].sort().values for place in range(5)]
        most = [near[:k].mode().values.item() for near in lowest]
        assert found.tolist() == most


@pytest.mark.parametrize("seed", range(5))
def test_rounding_decides_no_tie(seed):
    """The same numbers in another order are as near to a query of ones."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(37, generator=generator)
    orders = [torch.randperm(37, generator=generator) for _ in range(60)]
    bank = torch.stack([values[order] for order in orders])
    labels = torch.randint(1, 5, (60,), generator=generator)
    for k in (1, 3, 8):
        found = knn(bank, labels, torch.ones(1, 37), k).item()
        assert found == labels.sort().values[:k].mode().values.item()


class Largest(TorchDispatchMode):
    """The number of values of the largest tensor that is made inside."""

    values = 0

    def __torch_dispatch__(self, call, types, arguments=(), options=None):
        made = call(*arguments, **options or {})
        for each in made if isinstance(made, tuple | list) else [made]:
            if isinstance(each, torch.Tensor):
                self.values = max(self.values, each.numel())
        return made


def test_memory_is_bounded_and_parts_change_nothing(monkeypatch):
    sets = random_sets(n=50, m=300, dim=2)
    whole = knn(*sets)
    with Largest() as before:
        knn(*sets)
    assert before.values == 50 * 300
    monkeypatch.setattr(probes, "AT_ONCE", 1000)
    with Largest() as bounded:
        parts = knn(*sets)
    assert torch.equal(parts, whole) and bounded.values == 1000
    monkeypatch.setattr(probes, "AT_ONCE", 10)  # not even one row
    assert torch.equal(knn(*sets), whole)


# Linear probe


def test_the_linear_probe_is_a_logistic_regression_on_standardised_features():
    """One feature is a thousandth of another, and it is the one that tells."""
    bank, noise, queries = random_sets(n=300, m=200, classes=2)
    labels = 2 * (bank[:, 2] > 0).long() + noise
    sizes = torch.tensor([1.0, 10.0, 0.01, 3.0, 1.0])
    bank, queries = (7 + each * sizes for each in (bank, queries))
    mean = bank.double().mean(dim=0)
    deviation = (bank.double() - mean).square().mean(dim=0).sqrt()
    scaled, asked = (((each - mean) / deviation).numpy() for each in (bank, queries))
    found = linear_probe(bank, labels, queries)
    reference = LogisticRegression(C=1.0, solver="newton-cg", max_iter=1000, tol=1e-8)
    expected = reference.fit(scaled, labels.numpy()).predict(asked)
    assert found.dtype == torch.int64 and found.tolist() == expected.tolist()
    assert torch.equal(found, linear_probe(bank, labels, queries))
    raw = LogisticRegression(C=1.0, max_iter=10_000).fit(bank.numpy(), labels.numpy())
    assert found.tolist() != raw.predict(queries.numpy()).tolist()


def test_the_penalty_is_said_once_and_weighs():
    """More features than images: what the penalty is decides the answers."""
    bank, labels, queries = random_sets(n=30, m=400, dim=40)
    mean, deviation = bank.double().mean(dim=0), bank.double().std(dim=0, correction=0)
    scaled, asked = (((each - mean) / deviation).numpy() for each in (bank, queries))
    predicted = {
        c: LogisticRegression(C=c, solver="newton-cg", max_iter=1000, tol=1e-8)
        .fit(scaled, labels.numpy())
        .predict(asked)
        .tolist()
        for c in (0.01, 1.0, 100.0)
    }
    found = linear_probe(bank, labels, queries).tolist()
    assert [c for c in predicted if predicted[c] == found] == [1.0]


@pytest.mark.parametrize("spread", [0, 4, 8])
def test_the_linear_probe_converges_without_a_word(spread):
    """Also where features say nearly the same, as they do when a model collapses."""
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(400, 30, generator=generator).double()
    mixed = mixed @ torch.randn(30, 30, generator=generator).double()
    mixed = mixed * torch.logspace(0, -spread, 30) + 5
    mixed[:, 3] = 1.0  # says nothing at all
    labels = torch.randint(3, (400,), generator=generator)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        linear_probe(mixed.float(), labels, mixed[:5].float())


def test_a_probe_that_has_not_converged_says_so_in_one_line(monkeypatch):
    monkeypatch.setattr(probes, "STEPS", 2)
    with pytest.warns(UserWarning) as said:
        linear_probe(*random_sets())
    assert [str(each.message) for each in said] == [
        "the linear probe has not converged after 2 steps: its classes are not final"
    ]


def test_one_class_is_nothing_to_tell_apart():
    bank, labels, queries = random_sets()
    with pytest.raises(ValueError, match="all 60 images of the bank are of class 2,"):
        linear_probe(bank, torch.full_like(labels, 2), queries)


# What both refuse


NAN = torch.full((60, 5), torch.nan)


@pytest.mark.parametrize("classify", [knn, linear_probe])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b, y, q: (b[:0], y[:0], q), "there are no images to probe with"),
        (lambda b, y, q: (b, y, q[:0]), r"and \(0, 5\), expected .* m at least 1"),
        (lambda b, y, q: (b, y - 9 * (y == 1), q), "[0-9]+ of 60 images have no label"),
        (lambda b, y, q: (b[1:], y, q), r"are \(59, 5\), \(60,\) and \(40, 5\)"),
        (lambda b, y, q: (b, y, q[:, 1:]), r"are \(60, 5\), \(60,\) and \(40, 4\)"),
        (lambda b, y, q: (b, y, q[0]), r"\(60,\) and \(5,\), expected"),
        (lambda b, y, q: (NAN, y, q), "features of 60 of 60 images are not finite"),
        (lambda b, y, q: (b, y, q / (q > 3)), "of 40 of 40 images are not finite"),
    ],
)
def test_what_cannot_be_is_one_line_with_numbers(classify, change, message):
    with pytest.raises(ValueError, match=message) as error:
        classify(*change(*random_sets()))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("k", [0, -1, 61])
def test_k_is_a_number_of_neighbours(k):
    with pytest.raises(ValueError, match=f"k is {k}, but the bank has 60 images"):
        knn(*random_sets(), k=k)


@pytest.mark.parametrize("temperature", [0, -0.07, math.nan])
def test_a_temperature_is_positive(temperature):
    with pytest.raises(ValueError, match=f"temperature is {temperature}, expected"):
        knn(*random_sets(), temperature=temperature)


# A picture


def test_pca_keeps_the_two_directions_of_largest_variance():
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(50, 6, generator=generator) @ torch.randn(
        6, 6, generator=generator
    )
    placed = embed_2d(values, "pca")
    assert placed.shape == (50, 2) and placed.dtype == torch.float32
    centred = values.double().numpy() - values.double().numpy().mean(axis=0)
    left, scale, _ = np.linalg.svd(centred)
    by_hand = torch.from_numpy(left[:, :2] * scale[:2])
    signs = (by_hand * placed).sum(dim=0).sign()  # a direction has two ends
    assert_close(placed.double(), by_hand * signs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("n", [3, 5, 40])
@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_the_same_seed_gives_the_same_places(method, n):
    values = random_sets(n)[0]
    placed = embed_2d(values, method, seed=3)
    assert placed.shape == (n, 2) and placed.dtype == torch.float32
    assert placed.isfinite().all()
    assert torch.equal(placed, embed_2d(values, method, seed=3))


def test_tsne_keeps_neighbours_together():
    """Three heaps in 10 dimensions: the nearest in the plane is of the same heap."""
    generator = torch.Generator().manual_seed(0)
    heap = torch.arange(60) % 3
    values = 20 * torch.eye(10)[heap] + torch.randn(60, 10, generator=generator)
    placed = embed_2d(values, "tsne")
    apart = torch.cdist(placed, placed) + 1e9 * torch.eye(60)
    assert torch.equal(heap[apart.argmin(dim=1)], heap)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_collapsed_model_is_one_point(method):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(embed_2d(torch.full((9, 4), 0.3), method), torch.zeros(9, 2))


@pytest.mark.parametrize(
    ("values", "method", "message"),
    [
        (torch.eye(5), "umap", "method is 'umap', expected 'pca' or 'tsne'"),
        (torch.eye(5)[:2], "pca", "2 images of 5 features, expected at least 3"),
        (torch.eye(5)[:, :1], "tsne", "5 images of 1 features, expected"),
        (torch.eye(5) / 0, "tsne", "features of 5 of 5 images are not finite"),
    ],
)
def test_what_cannot_be_placed_is_refused(values, method, message):
    with pytest.raises(ValueError, match=message):
        embed_2d(values, method)


# Both probes


def split_by_brightness(n, seed):
    """Images of three classes, dark to bright, that overlap."""
    data = images(n, seed)
    shift = (data.labels - 1)[:, None, None, None] * 3
    pixels = (data.images.float() / 4 + 96 + shift).to(torch.uint8)
    return ImageSet(pixels, data.labels, data.classes)


@pytest.mark.parametrize("tokens", [None, "mean"])
def test_probe_counts_what_both_get_right(tokens):
    vit = model().train()
    bank, queries = split_by_brightness(30, 1), split_by_brightness(13, 2)
    found = probe(vit, SCALE, bank, queries, k=4, tokens=tokens)
    known, asked = (features(vit, data, SCALE, tokens) for data in (bank, queries))
    right = {"knn": 0, "linear": 0}
    near = slow_knn(known, bank.labels, asked, 4, 0.07)
    line = linear_probe(known, bank.labels, asked)
    for name, classes in {"knn": near, "linear": line}.items():
        for guess, label in zip(classes.tolist(), queries.labels.tolist(), strict=True):
            right[name] += guess == label
    assert 0 < right["knn"] < 13 and 0 < right["linear"] < 13
    assert found == {
        "knn": right["knn"] / 13,
        "linear": right["linear"] / 13,
        "k": 4,
        "n_train": 30,
        "n": 13,
    }


def test_twenty_neighbours_are_asked_of_images_normalised_as_said():
    vit = model()
    sets = split_by_brightness(30, 1), split_by_brightness(13, 2)
    found = probe(vit, SCALE, *sets)
    assert found["k"] == 20
    assert found != probe(vit, Normalization((0, 0, 0), (1, 1, 1)), *sets)


HIDDEN = ImageSet(images().images, torch.tensor([0, 1, -1] * 2 + [2]), ("a", "b", "c"))


@pytest.mark.parametrize(
    ("bank", "queries", "k", "message"),
    [
        (images(7), images(7), 8, "k is 8, but the bank has 7 images: expected 1 to 7"),
        (images(0), images(7), 1, "there are no images"),
        (images(7), images(0), 1, "there are no images"),
        (images(7), images(7, classes=2), 1, r"\('a', 'b', 'c'\), the .* \('a', 'b'\)"),
        (HIDDEN, images(7), 1, "2 of 7 images have no label"),
        (images(7), HIDDEN, 1, "2 of 7 images have no label"),
    ],
)
def test_a_probe_that_cannot_be_is_refused_before_features_are_taken(
    bank, queries, k, message, monkeypatch
):
    monkeypatch.setattr(probes, "features", None)
    with pytest.raises(ValueError, match=message):
        probe(model(), SCALE, bank, queries, k)


def test_features_and_labels_of_other_axes_are_refused():
    bank = torch.eye(4)
    for call in (knn, linear_probe):
        with pytest.raises(ValueError, match=r"are \(4, 4\), \(\) and \(4, 4\)"):
            call(bank, torch.tensor(1), bank)
    with pytest.raises(ValueError, match=r"features are \(4, 2, 2\), expected"):
        embed_2d(torch.zeros(4, 2, 2))
