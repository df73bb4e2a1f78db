"""What frozen features are worth: the classes of their nearest neighbours, a linear
classifier on top of them, a picture of them in the plane.

No weight of the model is trained for any of it, so that it measures what is already
there.
"""

# mypy: disable-error-code="import-untyped"
import warnings
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vit_tutorial.data.folder_layout import other_classes, some
from vit_tutorial.data.images import ImageSet, Normalization, resize
from vit_tutorial.interpret.attention import evaluating, require_tokens

AT_ONCE = 2**22  # similarities in memory: about 150 MB with all that is made of them
STEPS = 10_000  # of a linear probe, which needs about 50


@torch.no_grad()
def features(
    model: nn.Module,
    data: ImageSet,
    normalization: Normalization,
    tokens: Literal["cls", "mean"] | None = None,
    batch_size: int = 256,
) -> Tensor:
    """What the model's last linear layer is given for all images: (n, D), float32 on
    the CPU.

    That is the class token, or the mean of the patch tokens, after the head's
    LayerNorm; `tokens` chooses, by default as the model's own `pool` does. The weights
    may be of any precision. Runs in eval mode without gradients and leaves the model as
    it was. Raises ValueError for a model without tokens, or without the class token
    that is asked for, and when there are no images.
    """
    model = require_tokens(model)
    pool = model.config.pool
    if tokens not in (None, "cls", "mean"):
        raise ValueError(f"tokens is {tokens!r}, expected 'cls' or 'mean'")
    if tokens == "cls" and pool != "cls":
        raise ValueError(
            f"tokens is 'cls', but the model has no class token: its pool is {pool!r}"
        )
    if len(data) == 0:
        raise ValueError("there are no images to take features of")
    weight = next(model.parameters())
    patches = int(pool == "cls")  # where they begin
    parts = []
    with evaluating(model):
        for images in data.images.split(batch_size):
            images = resize(images.to(weight.device), model.config.image_size)
            x = model.encode(model.embed(normalization(images).to(weight.dtype)))
            assert isinstance(x, Tensor)  # no attention was asked for
            cls = (tokens or pool) == "cls"
            pooled = x[:, 0] if cls else x[:, patches:].mean(dim=1)
            parts.append(model.head[0](pooled).float().cpu())
    return torch.cat(parts)


def knn(
    bank: Tensor,
    labels: Tensor,
    queries: Tensor,
    k: int = 20,
    temperature: float = 0.07,
) -> Tensor:
    """The class of each query by its `k` nearest neighbours in the bank: (n, D), (n,),
    (m, D) -> (m,).

    Near is what has a large cosine similarity s; a neighbour votes for its class with
    weight `exp(s / temperature)` (Wu et al. 2018, section 3.4; Caron et al. 2021, with
    k = 20). Ties, of neighbours and of votes, go to the lower class. Raises ValueError
    for a k or a temperature that cannot be, features that are not finite, and images
    without a label.
    """
    expect_labelled(labels)
    expect_features(bank, labels, queries)
    expect_neighbours(k, len(labels))
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, expected a positive number")
    order = labels.argsort(stable=True)  # of neighbours alike the lower class is first
    labels = labels[order]
    directions = F.normalize(bank[order].double(), dim=1)
    found = []
    for part in queries.split(max(1, AT_ONCE // len(bank))):
        # rounded: neighbours alike are equal whatever the order of summation
        similarity = (F.normalize(part.double(), dim=1) @ directions.T).float()
        nearest = similarity.sort(dim=1, descending=True, stable=True)
        # in proportion to exp(s / temperature), and never infinite
        weights = (nearest.values[:, :k].double() / temperature).softmax(dim=1)
        votes = weights.new_zeros(len(part), int(labels[-1]) + 1)
        votes.scatter_add_(1, labels[nearest.indices[:, :k]], weights)
        found.append(votes.argmax(dim=1))
    return torch.cat(found)


def linear_probe(bank: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
    """The class of each query by logistic regression on the bank's features: (n, D),
    (n,), (m, D) -> (m,).

    Each feature is standardised by its mean and deviation in the bank. The penalty is
    scikit-learn's default, C = 1, for all models alike: no validation image chooses it.
    The same features give the same answer. Warns, in one line, when the regression has
    not converged. Raises ValueError for features that are not finite, images without a
    label, and fewer than two classes.
    """
    # a second to import
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    expect_labelled(labels)
    expect_features(bank, labels, queries)
    if len(classes := labels.unique()) < 2:
        raise ValueError(
            f"all {len(labels)} images of the bank are of class {classes.item()},"
            " expected at least 2 classes"
        )
    regression = LogisticRegression(C=1, max_iter=STEPS)
    classifier = make_pipeline(StandardScaler(), regression)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of many lines
        classifier.fit(bank.double().numpy(), labels.numpy())
    if regression.n_iter_.max() >= STEPS:
        warnings.warn(
            f"the linear probe has not converged after {STEPS:,} steps: its classes are"
            " not final",
            stacklevel=2,
        )
    return torch.from_numpy(classifier.predict(queries.double().numpy()))


def embed_2d(
    features: Tensor, method: Literal["pca", "tsne"] = "pca", seed: int = 0
) -> Tensor:
    """A place in the plane for each image: (n, D) -> (n, 2) float32.

    `"pca"` projects on the two directions of largest variance; `"tsne"` starts from
    that and keeps neighbours together, with perplexity 30, or what few points allow
    (Maaten and Hinton 2008). The same seed gives the same places. Features that are
    all the same lie at one point. Raises ValueError for another method, other axes,
    fewer than three images, a single feature, and features that are not finite.
    """
    from sklearn.decomposition import PCA  # a second to import
    from sklearn.manifold import TSNE

    if method not in ("pca", "tsne"):
        raise ValueError(f"method is {method!r}, expected 'pca' or 'tsne'")
    if features.ndim != 2:
        raise ValueError(f"features are {tuple(features.shape)}, expected (n, D)")
    n, dim = features.shape
    if n < 3 or dim < 2:
        raise ValueError(
            f"{n} images of {dim} features, expected at least 3 images of at least 2"
        )
    expect_finite(features)
    if (features == features[0]).all():
        return torch.zeros(n, 2)
    values = features.double().numpy()
    if method == "pca":
        placed = PCA(2, random_state=seed).fit_transform(values)
    else:
        perplexity = min(30, (n - 1) / 3)
        tsne = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
        placed = tsne.fit_transform(values)
    return torch.from_numpy(placed).float()


def probe(
    model: nn.Module,
    normalization: Normalization,
    bank: ImageSet,
    queries: ImageSet,
    k: int = 20,
    tokens: Literal["cls", "mean"] | None = None,
) -> dict[str, float]:
    """How many of the queries both probes get right, "knn" and "linear" (fractions),
    with "k", "n_train" (of the bank) and "n"; see `features`, `knn`, `linear_probe`.

    Raises ValueError, besides what they raise, for two sets of other classes.
    """
    if bank.classes != queries.classes:
        raise ValueError(
            f"the bank has classes {some(bank.classes)}, the queries"
            f" {some(queries.classes)}{other_classes(queries.classes, bank.classes)}"
        )
    expect_labelled(bank.labels)
    expect_labelled(queries.labels)
    expect_neighbours(k, len(bank))  # before the features, which take a while
    known = features(model, bank, normalization, tokens)
    asked = features(model, queries, normalization, tokens)
    labels = bank.labels.cpu()
    found = {
        "knn": knn(known, labels, asked, k),
        "linear": linear_probe(known, labels, asked),
    }
    right = {
        name: (classes == queries.labels.cpu()).double().mean().item()
        for name, classes in found.items()
    }
    return right | {"k": k, "n_train": len(bank), "n": len(queries)}


def expect_labelled(labels: Tensor) -> None:
    """Raise ValueError unless there are images, and each has a label."""
    if not labels.numel():
        raise ValueError("there are no images to probe with, expected at least 1")
    if unlabelled := int((labels < 0).sum()):
        raise ValueError(
            f"{unlabelled:,} of {labels.numel():,} images have no label (-1), expected"
            " labelled images"
        )


def expect_neighbours(k: int, n: int) -> None:
    """Raise ValueError unless a bank of `n` images has `k` neighbours for a query."""
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}, but the bank has {n} images: expected 1 to {n}")


def expect_features(bank: Tensor, labels: Tensor, queries: Tensor) -> None:
    """Raise ValueError unless features (n, D), labels (n,) and features (m, D) fit."""
    shapes = [tuple(each.shape) for each in (bank, labels, queries)]
    fit = (
        bank.ndim == queries.ndim == 2
        and labels.ndim == 1
        and len(bank) == len(labels)
        and bank.shape[1] == queries.shape[1]
        and len(queries) > 0
    )
    if not fit:
        raise ValueError(
            f"bank, labels and queries are {shapes[0]}, {shapes[1]} and {shapes[2]},"
            " expected (n, D), (n,) and (m, D), m at least 1"
        )
    expect_finite(bank)
    expect_finite(queries)


def expect_finite(features: Tensor) -> None:
    """Raise ValueError unless all features are finite."""
    if broken := int((~features.isfinite()).any(dim=1).sum()):
        raise ValueError(
            f"the features of {broken:,} of {len(features):,} images are not finite"
        )
