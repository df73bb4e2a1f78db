"""Answers to the exercises of chapter 12, wrong and right, as learners write them."""

import random
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, repeat

from vit_tutorial.selfsup.dino import dino_loss
from vit_tutorial.selfsup.masking import random_masks, visible
from vit_tutorial.selfsup.probes import knn

# ---- masking


def drawn(tokens, ratio):
    """Right masks: (B, N)."""
    return random_masks(len(tokens), (1, tokens.shape[1]), ratio)


def by_the_package(tokens, ratio):
    masks = drawn(tokens, ratio)
    return visible(tokens, masks), masks


def by_sorted_places(tokens, ratio):
    B, N, D = tokens.shape
    hidden = round(ratio * N)
    order = torch.rand(B, N).argsort(dim=1)
    kept = order[:, hidden:].sort(dim=1).values
    masks = torch.ones(B, N, dtype=torch.bool)
    masks.scatter_(1, kept, False)
    return tokens.gather(1, repeat(kept, "b v -> b v d", d=D)), masks


def image_by_image(tokens, ratio):
    B, N, _ = tokens.shape
    masks = torch.zeros(B, N, dtype=torch.bool)
    for mask in masks:
        mask[torch.randperm(N)[: round(ratio * N)]] = True
    shown = [image[~mask] for image, mask in zip(tokens, masks, strict=True)]
    return torch.stack(shown), masks


def by_multinomial(tokens, ratio):
    B, N, _ = tokens.shape
    places = torch.multinomial(torch.ones(B, N), round(ratio * N))
    masks = F.one_hot(places, N).sum(dim=1).bool()
    return tokens[~masks].view(B, -1, tokens.shape[-1]), masks


def by_threshold(tokens, ratio):
    noise = torch.rand(tokens.shape[:2], dtype=torch.float64)
    hidden = round(ratio * tokens.shape[1])
    masks = noise <= noise.kthvalue(hidden, dim=1, keepdim=True).values
    return rearrange(tokens[~masks], "(b v) d -> b v d", b=len(tokens)), masks


def by_chance_of_python(tokens, ratio):
    B, N, _ = tokens.shape
    keep = [sorted(random.sample(range(N), N - round(ratio * N))) for _ in range(B)]
    masks = torch.tensor([[place not in row for place in range(N)] for row in keep])
    chosen = F.one_hot(torch.tensor(keep), N).to(tokens)
    return torch.einsum("bvn,bnd->bvd", chosen, tokens), masks


def with_numpy(tokens, ratio):
    B, N, _ = tokens.shape
    row = np.arange(N) < round(ratio * N)
    masks = np.random.default_rng().permuted(np.tile(row, (B, 1)), axis=1)
    return [visible(tokens, torch.from_numpy(masks)), torch.from_numpy(masks)]


def hiding(number, keep=visible):
    """Another number of tokens."""

    def my_masking(tokens, ratio):
        B, N, _ = tokens.shape
        masks = torch.rand(B, N).argsort(dim=1).argsort(dim=1) < number(ratio, N)
        return keep(tokens, masks), masks

    return my_masking


def where(masks_of, keep=visible):
    """Other masks (B, N) than those of the package."""

    def my_masking(tokens, ratio):
        B, N, _ = tokens.shape
        masks = masks_of(B, N, round(ratio * N))
        return keep(tokens, masks), masks

    my_masking.__name__ = masks_of.__name__
    return my_masking


def left(keep):
    """Right masks, and what `keep(tokens, masks)` makes of them."""

    def my_masking(tokens, ratio):
        masks = drawn(tokens, ratio)
        return keep(tokens, masks), masks

    my_masking.__name__ = keep.__name__
    return my_masking


def formed(masks_of):
    """The masks in another form."""

    def my_masking(tokens, ratio):
        shown, masks = by_the_package(tokens, ratio)
        return shown, masks_of(masks)

    return my_masking


def each_for_itself(tokens, ratio):
    masks = torch.rand(tokens.shape[:2]) < ratio
    return tokens * ~masks[..., None], masks


def each_for_itself_stacked(tokens, ratio):
    masks = torch.rand(tokens.shape[:2]) < ratio
    shown = [image[~mask] for image, mask in zip(tokens, masks, strict=True)]
    return torch.stack(shown), masks


def each_for_itself_cut(tokens, ratio):
    masks = torch.rand(tokens.shape[:2]) < ratio
    return tokens[~masks].view(len(tokens), -1, tokens.shape[-1]), masks


def nothing_left(tokens, masks):
    return tokens[:, :1]


def with_replacement(B, N, hidden):
    masks = torch.zeros(B, N, dtype=torch.bool)
    return masks.scatter_(1, torch.randint(N, (B, hidden)), True)


def over_the_batch(B, N, hidden):
    return (torch.randperm(B * N) < B * hidden).view(B, N)


def first_ones(B, N, hidden):
    return (torch.arange(N) < hidden).expand(B, N)


def last_ones(B, N, hidden):
    return (torch.arange(N) >= N - hidden).expand(B, N)


def one_for_all(B, N, hidden):
    return (torch.randperm(N) < hidden).expand(B, N)


def from_a_seed(B, N, hidden):
    noise = torch.rand(B, N, generator=torch.Generator().manual_seed(12))
    return noise.argsort(dim=1).argsort(dim=1) < hidden


kept_masks = {}


def remembered(B, N, hidden):
    if (B, N, hidden) not in kept_masks:
        noise = torch.rand(B, N)
        kept_masks[B, N, hidden] = noise.argsort(dim=1).argsort(dim=1) < hidden
    return kept_masks[B, N, hidden]


def in_a_window(B, N, hidden):
    start = torch.randint(N, (B, 1))
    return (torch.arange(N) - start) % N < hidden


def one_pattern_moved(B, N, hidden):
    pattern = torch.from_numpy(np.random.RandomState(N).permutation(N) < hidden)
    start = torch.randint(N, (B, 1))
    return pattern[(torch.arange(N) - start) % N]


def first_one_spared(B, N, hidden):
    noise = torch.rand(B, N)
    noise[:, 0] = 2 if hidden < N else 0
    return noise.argsort(dim=1).argsort(dim=1) < hidden


def last_one_always(B, N, hidden):
    noise = torch.rand(B, N)
    noise[:, -1] = -1
    return noise.argsort(dim=1).argsort(dim=1) < hidden


def sides_preferred(B, N, hidden):
    chances = torch.linspace(1, 2, N).expand(B, N)
    masks = torch.zeros(B, N, dtype=torch.bool)
    return masks.scatter_(1, torch.multinomial(chances, hidden), True)


def sorted_once(B, N, hidden):
    """The places of the smallest numbers, taken for ranks: right by chance of
    symmetry, so it is an answer, too.
    """
    return torch.rand(B, N).argsort(dim=1) < hidden


def as_mae_does(tokens, ratio):
    B, N, D = tokens.shape
    order = torch.rand(B, N).argsort(dim=1)
    hidden = round(ratio * N)
    masks = order.argsort(dim=1) < hidden
    return tokens.gather(1, repeat(order[:, hidden:], "b v -> b v d", d=D)), masks


def inverted(tokens, ratio):
    shown, masks = by_the_package(tokens, ratio)
    return shown, ~masks


def hidden_ones(tokens, masks):
    return visible(tokens, ~masks)


def zeros_left(tokens, masks):
    return torch.where(masks[..., None], 0, tokens)


def everything(tokens, masks):
    return tokens


def first_v(tokens, masks):
    return tokens[:, : int((~masks[0]).sum())]


def mask_of_the_first(tokens, masks):
    return tokens[:, ~masks[0]]


def of_another_image(tokens, masks):
    return visible(tokens, masks).roll(1, dims=0)


def across_images(tokens, masks):
    B, _, D = tokens.shape
    return tokens[~masks].view(-1, B, D).transpose(0, 1)


def in_one_list(tokens, masks):
    return tokens[~masks]


def shuffled(tokens, masks):
    shown = visible(tokens, masks)
    return shown[:, torch.randperm(shown.shape[1])]


def without_gradient(tokens, masks):
    return visible(tokens, masks).detach()


def half_the_gradient(tokens, masks):
    return visible((tokens + tokens.detach()) / 2, masks)


def in_single_precision(tokens, masks):
    return visible(tokens.float(), masks)


def somewhat_larger(tokens, masks):
    return 1.1 * visible(tokens, masks)


def zeros_written(tokens, masks):
    tokens[masks] = 0
    return tokens


def swapped(tokens, ratio):
    return by_the_package(tokens, ratio)[::-1]


def masks_alone(tokens, ratio):
    return drawn(tokens, ratio)


def in_numpy(tokens, ratio):
    shown, masks = by_the_package(tokens, ratio)
    return shown.detach().numpy(), masks.numpy()


# ---- self-distillation


def loss_by_the_package(student, teacher, center, warm, cold):
    goal = ((teacher.detach() - center) / cold).softmax(dim=-1)
    return dino_loss((student / warm).log_softmax(dim=-1), goal)


def by_cross_entropy(student, teacher, center, warm, cold):
    with torch.no_grad():
        goal = F.softmax((teacher - center) / cold, dim=-1)
    pairs = ((student[0], goal[1]), (student[1], goal[0]))
    return sum(F.cross_entropy(mine / warm, theirs) for mine, theirs in pairs) / 2


def by_loops(student, teacher, center, warm, cold):
    total = 0
    for mine, theirs in ((0, 1), (1, 0)):
        for said, goal in zip(student[mine], teacher[theirs], strict=True):
            goal = torch.softmax((goal - center) / cold, dim=0).detach()
            said = said / warm
            total = total + torch.dot(goal, said.logsumexp(dim=0) - said)
    return total / student.shape[0] / student.shape[1]


def by_einsum(student, teacher, center, warm, cold):
    goal = torch.softmax((teacher.detach() - center) / cold, dim=2)
    said = torch.log_softmax(student / warm, dim=2)
    apart = -torch.einsum("gbk,vbk->gv", goal, said) / student.shape[1]
    return (apart.sum() - apart.trace()) / 2


def by_flip(student, teacher, center, warm, cold):
    goal = (teacher.flip(0).data.double() - center) / cold
    said = student.double() / warm
    losses = said.logsumexp(dim=-1) - (goal.softmax(dim=-1) * said).sum(dim=-1)
    return losses.mean().to(student.dtype)


def divergence_and_entropy(student, teacher, center, warm, cold):
    goal = ((teacher.detach().flip(0) - center) / cold).softmax(dim=-1).flatten(0, 1)
    said = (student / warm).log_softmax(dim=-1).flatten(0, 1)
    apart = F.kl_div(said, goal, reduction="batchmean")
    return apart + torch.special.entr(goal).sum(dim=-1).mean()


CROSSED = ((0, 1), (1, 0))


def distilling(
    pairs=CROSSED,
    goal=lambda teacher, center, cold: ((teacher - center) / cold).softmax(dim=-1),
    said=lambda student, center, warm: (student / warm).log_softmax(dim=-1),
    loss=lambda goal, said: -(goal * said).sum(dim=-1).mean(),
    temperatures=lambda warm, cold: (warm, cold),
    end=lambda losses: losses.mean(),
    teach=lambda teacher: teacher.detach(),
    learn=lambda student: student,
):
    """The loss as a loop over pairs of teacher's and student's views, any of its parts
    exchanged.
    """

    def my_loss(student, teacher, center, warm, cold):
        warm, cold = temperatures(warm, cold)
        theirs = goal(teach(teacher), center, cold)
        mine = said(learn(student), center, warm)
        return end(torch.stack([loss(theirs[g], mine[v]) for g, v in pairs]))

    return my_loss


def roles_swapped(student, teacher, center, warm, cold):
    goal = ((teacher.detach() - center) / cold).log_softmax(dim=-1).flip(0)
    return -((student / warm).softmax(dim=-1) * goal).sum(dim=-1).mean()


def divergence(student, teacher, center, warm, cold):
    goal = ((teacher.detach().flip(0) - center) / cold).softmax(dim=-1).flatten(0, 1)
    said = (student / warm).log_softmax(dim=-1).flatten(0, 1)
    return F.kl_div(said, goal, reduction="batchmean")


def softmax_twice(student, teacher, center, warm, cold):
    goal = ((teacher.detach().flip(0) - center) / cold).softmax(dim=-1)
    mine = (student / warm).softmax(dim=-1)
    return F.cross_entropy(mine.flatten(0, 1), goal.flatten(0, 1))


def diagonal_of_zeros(student, teacher, center, warm, cold):
    goal = ((teacher.detach() - center) / cold).softmax(dim=-1)
    said = (student / warm).log_softmax(dim=-1)
    apart = -torch.einsum("gbk,vbk->gv", goal, said) / student.shape[1]
    return (apart * (1 - torch.eye(2))).mean()


def all_pairs_of_images(student, teacher, center, warm, cold):
    goal = ((teacher.detach() - center) / cold).softmax(dim=-1)
    said = (student / warm).log_softmax(dim=-1)
    return -(goal @ said.flip(0).mT).mean()


def as_a_number(student, teacher, center, warm, cold):
    return loss_by_the_package(student, teacher, center, warm, cold).item()


def centred_in_place(student, teacher, center, warm, cold):
    teacher.data -= center
    return loss_by_the_package(student, teacher, 0 * center, warm, cold)


def backward_called(student, teacher, center, warm, cold):
    loss = loss_by_the_package(student, teacher, center, warm, cold)
    loss.backward(retain_graph=True)
    return loss


def one_loss_too_large(student, teacher, center, warm, cold):
    return loss_by_the_package(student, teacher, center, warm, cold) + 100


# ---- the nearest neighbours


def classes_of(labels):
    return int(labels.max()) + 1


def by_scatter(bank, labels, queries, k, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    near, places = similarity.topk(k, dim=1)
    votes = torch.zeros(len(queries), classes_of(labels))
    votes.scatter_add_(1, labels[places], (near / temperature).exp())
    return votes.argmax(dim=1)


def by_one_hot(bank, labels, queries, k, temperature):
    similarity = F.cosine_similarity(queries[:, None], bank[None], dim=-1)
    places = similarity.argsort(dim=1)[:, -k:]
    weights = torch.exp(similarity.gather(1, places) / temperature)
    named = F.one_hot(labels[places], classes_of(labels)).float()
    return torch.einsum("mk,mkc->mc", weights, named).argmax(dim=1)


def query_by_query(bank, labels, queries, k, temperature):
    found = []
    for query in queries:
        similarity = (bank @ query) / (bank.norm(dim=1) * query.norm())
        ranked = sorted(range(len(bank)), key=lambda place: -similarity[place])
        votes = Counter()
        for place in ranked[:k]:
            votes[labels[place].item()] += torch.exp(similarity[place] / temperature)
        found.append(max(votes, key=votes.get))
    return torch.tensor(found)


def by_softmax(bank, labels, queries, k, temperature):
    bank, queries = (
        values / values.square().sum(dim=1, keepdim=True).sqrt()
        for values in (bank, queries)
    )
    similarity = torch.einsum("md,nd->mn", queries, bank)
    bound = similarity.sort(dim=1, descending=True).values[:, k - 1 : k]
    weights = (similarity / temperature).masked_fill(similarity < bound, -torch.inf)
    kinds, numbers = labels.unique(return_inverse=True)
    votes = weights.softmax(dim=1) @ F.one_hot(numbers).float()
    return kinds[votes.argmax(dim=1)]


def by_distance(bank, labels, queries, k, temperature):
    """Of directions: the square of their distance is 2 - 2 s."""
    apart = torch.cdist(F.normalize(queries), F.normalize(bank)).square()
    near, places = apart.topk(k, dim=1, largest=False)
    weights = torch.exp(-near / (2 * temperature))
    kinds = torch.arange(classes_of(labels))
    return ((labels[places][..., None] == kinds) * weights[..., None]).sum(1).argmax(1)


def neighbours_with_numpy(bank, labels, queries, k, temperature):
    bank, queries = (values.double().numpy() for values in (bank, queries))
    similarity = queries @ bank.T / np.linalg.norm(bank, axis=1)
    similarity /= np.linalg.norm(queries, axis=1)[:, None]
    found = []
    for row in similarity:
        places = np.argpartition(-row, k - 1)[:k]
        weights = np.exp(row[places] / temperature)
        found.append(np.bincount(labels.numpy()[places], weights).argmax())
    return torch.from_numpy(np.array(found))


def voting(
    near=lambda bank, queries: F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T,
    choose=lambda similarity, k: similarity.topk(k, dim=1),
    weigh=lambda near, temperature: (near / temperature).exp(),
    name=lambda labels, places: labels[places],
    end=lambda votes: votes.argmax(dim=1),
):
    """The neighbours' votes, any part of them exchanged."""

    def my_knn(bank, labels, queries, k, temperature):
        similarities, places = choose(near(bank, queries), k)
        votes = torch.zeros(len(queries), classes_of(labels))
        weights = weigh(similarities, temperature)
        return end(votes.scatter_add_(1, name(labels, places), weights))

    return my_knn


def raw_distance(bank, labels, queries, k, temperature):
    near, places = torch.cdist(queries, bank).topk(k, dim=1, largest=False)
    votes = torch.zeros(len(queries), classes_of(labels))
    votes.scatter_add_(1, labels[places], (-near / temperature).exp())
    return votes.argmax(dim=1)


def majority(bank, labels, queries, k, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    return labels[similarity.topk(k, dim=1).indices].mode(dim=1).values


def majority_counted(bank, labels, queries, k, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    rows = labels[similarity.topk(k, dim=1).indices].tolist()
    return torch.tensor([Counter(row).most_common(1)[0][0] for row in rows])


def mean_of_votes(bank, labels, queries, k, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    near, places = similarity.topk(k, dim=1)
    weights = (near / temperature).exp()
    votes = torch.zeros(len(queries), classes_of(labels))
    votes.scatter_reduce_(1, labels[places], weights, "mean", include_self=False)
    return votes.argmax(dim=1)


def place_in_the_bank(bank, labels, queries, k, temperature):
    return (F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T).argmax(dim=1)


def place_among_neighbours(bank, labels, queries, k, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    return (similarity.topk(k, dim=1).values / temperature).exp().argmax(dim=1)


def in_floats(bank, labels, queries, k, temperature):
    return by_scatter(bank, labels, queries, k, temperature).float()


def as_a_list(bank, labels, queries, k, temperature):
    return by_scatter(bank, labels, queries, k, temperature).tolist()


def ten_classes(bank, labels, queries, k, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    near, places = similarity.topk(k, dim=1)
    named = F.one_hot(labels[places], 10)
    return ((near / temperature).exp()[..., None] * named).sum(dim=1).argmax(dim=1)


def as_many_as_there_are(bank, labels, queries, k, temperature):
    similarity = F.normalize(queries, dim=1) @ F.normalize(bank, dim=1).T
    near, places = similarity.topk(k, dim=1)
    votes = torch.zeros(len(queries), len(labels.unique()))
    votes.scatter_add_(1, labels[places], (near / temperature).exp())
    return votes.argmax(dim=1)


def normalised_in_place(bank, labels, queries, k, temperature):
    bank /= bank.norm(dim=1, keepdim=True)
    return by_scatter(bank, labels, queries, k, temperature)


def squeezed(bank, labels, queries, k, temperature):
    return by_scatter(bank, labels, queries, k, temperature).squeeze()


def always_the_first_class(bank, labels, queries, k, temperature):
    return 0 * by_scatter(bank, labels, queries, k, temperature)


WRONG = {
    "masking": [
        (hiding(lambda ratio, N: N - round(ratio * N)), "as many as should be shown"),
        (hiding(lambda ratio, N: int(ratio * N)), "one too few: int(ratio * N) cuts"),
        (hiding(lambda ratio, N: N - int((1 - ratio) * N)), "one too many: int((1 - r"),
        (hiding(lambda ratio, N: round(ratio * N) + 3, nothing_left), ", you hide "),
        (inverted, "a mask is True where a token is hidden, yours is where it is"),
        (each_for_itself, "exactly round(ratio * N) in each"),
        (each_for_itself_stacked, "are as many tokens hidden in each image?"),
        (each_for_itself_cut, " in each"),
        (where(with_replacement, nothing_left), "exactly round(ratio * N) in each"),
        (where(over_the_batch, nothing_left), "exactly round(ratio * N) in each"),
        (where(first_ones), "the first tokens are hidden, always"),
        (where(last_ones), "the last tokens are hidden, always"),
        (where(one_for_all), "every image hides the same tokens"),
        (where(from_a_seed), "the same tokens are hidden at every call"),
        (where(remembered), "the same tokens are hidden at every call"),
        (where(in_a_window), "the hidden tokens stand side by side"),
        (where(one_pattern_moved), "draw which, one by one"),
        (where(first_one_spared), "token 0 of 6 is never hidden: there is no class"),
        (where(last_one_always), "token 5 of 6 is always hidden"),
        (where(sides_preferred), "the chances are uneven: token"),
        (as_mae_does, "restore would put them in wrong places"),
        (left(shuffled), "restore would put them in wrong places"),
        (left(hidden_ones), "these are the hidden tokens"),
        (left(zeros_left), "the hidden tokens are zeros, and still there"),
        (left(everything), "all tokens are there: leave the hidden ones out"),
        (left(first_v), "the first V tokens were taken"),
        (left(mask_of_the_first), "what the mask of the first one leaves"),
        (left(of_another_image), "the shape is right, the values are not"),
        (left(lambda tokens, masks: visible(tokens, masks).flip(0)), "changed places"),
        (left(across_images), "lists all of the first image, then all of the second"),
        (left(in_one_list), "joined to one list"),
        (left(without_gradient), "cuts the gradient"),
        (left(half_the_gradient), "its gradient for tokens is not: part is cut off"),
        (left(in_single_precision), "torch.float32, expected torch.float64"),
        (left(somewhat_larger), "the shape is right, the values are not"),
        (left(zeros_written), "changed its input in place"),
        (formed(lambda masks: masks.float()), "masks of torch.float32, expected"),
        (formed(lambda masks: masks.int().argsort(dim=1)[:, -3:]), "numbers of tokens"),
        (formed(lambda masks: masks[0]), "there is one mask for all images"),
        (formed(lambda masks: masks[..., None]), "returned masks of shape"),
        (swapped, "the visible tokens come first, then the masks"),
        (masks_alone, "returned a Tensor, a pair, visible tokens (B, V, D) and masks"),
        (in_numpy, "returned a tuple of ndarray, ndarray"),
    ],
    "self_distillation": [
        (
            distilling(pairs=((0, 0), (0, 1), (1, 0), (1, 1))),
            "pairs of the same view were counted, too",
        ),
        (distilling(pairs=((0, 0), (1, 1))), "you took the pairs of the same view"),
        (distilling(pairs=((0, 1),)), "that of the teacher's second view is missing"),
        (distilling(pairs=((1, 0),)), "that of the teacher's first view is missing"),
        (
            distilling(loss=lambda goal, said: -(goal * said).mean()),
            "you took the mean over the outputs, too",
        ),
        (
            distilling(loss=lambda goal, said: -(goal * said).sum()),
            "you summed over the images: take the mean",
        ),
        (distilling(end=sum), "you summed over the two pairs: take the mean"),
        (
            distilling(loss=lambda goal, said: -(goal * said).sum(dim=0).mean()),
            "sum over the outputs and take the mean over the images",
        ),
        (
            distilling(
                loss=lambda goal, said: -goal * said,
                end=lambda terms: terms.sum(dim=0).mean(),
            ),
            "sum over the outputs and take the mean over the pairs",
        ),
        (
            distilling(
                loss=lambda goal, said: -(goal * said).sum(dim=-1),
                end=lambda losses: losses.mean(dim=0),
            ),
            "one loss an image is right, and the mean over the batch is missing",
        ),
        (
            distilling(
                goal=lambda teacher, center, cold: ((teacher - center) / cold).softmax(
                    1
                )
            ),
            "the teacher's ran over the images",
        ),
        (
            distilling(
                said=lambda student, center, warm: (student / warm).log_softmax(dim=1)
            ),
            "the student's ran over the images",
        ),
        (
            distilling(
                goal=lambda teacher, center, cold: ((teacher - center) / cold).softmax(
                    0
                ),
                said=lambda student, center, warm: (student / warm).log_softmax(dim=0),
            ),
            "both ran over the views",
        ),
        (
            distilling(
                goal=lambda teacher, center, cold: ((teacher + center) / cold).softmax(
                    -1
                )
            ),
            "you added it",
        ),
        (
            distilling(
                goal=lambda teacher, center, cold: (teacher / cold).softmax(dim=-1)
            ),
            "before they are divided: it is missing",
        ),
        (
            distilling(
                goal=lambda teacher, center, cold: (teacher / cold - center).softmax(-1)
            ),
            "before they are divided by the temperature, not after",
        ),
        (
            distilling(
                said=lambda student, center, warm: (
                    (student - center) / warm
                ).log_softmax(dim=-1)
            ),
            "the centre is taken off the student's outputs, too",
        ),
        (
            distilling(temperatures=lambda warm, cold: (cold, warm)),
            "the temperatures are swapped",
        ),
        (
            distilling(temperatures=lambda warm, cold: (cold, cold)),
            "the teacher's temperature is used for both",
        ),
        (
            distilling(temperatures=lambda warm, cold: (warm, warm)),
            "the student's temperature is used for both",
        ),
        (
            distilling(temperatures=lambda warm, cold: (1 / warm, 1 / cold)),
            "you multiplied both",
        ),
        (roles_swapped, "the roles are swapped"),
        (distilling(teach=lambda teacher: teacher), "a gradient reaches the teacher"),
        (
            distilling(
                teach=lambda teacher: teacher, learn=lambda student: student.detach()
            ),
            "the gradient goes to the teacher, not to the student",
        ),
        (distilling(learn=lambda student: student.detach()), "cuts the gradient"),
        (
            distilling(learn=lambda student: (student + student.detach()) / 2),
            "its gradient for student is not: part is cut off",
        ),
        (
            distilling(loss=lambda goal, said: (goal * said).sum(dim=-1).mean()),
            "the sign: a logarithm of a probability is below 0",
        ),
        (
            distilling(
                said=lambda student, center, warm: (
                    (student / warm).softmax(dim=-1).log()
                )
            ),
            "take log_softmax instead of a log of it",
        ),
        (
            distilling(
                said=lambda student, center, warm: (
                    (student / warm).softmax(dim=-1) + 1e-9
                ).log()
            ),
            "take log_softmax instead of a log of it",
        ),
        (
            distilling(
                said=lambda student, center, warm: (student / warm).softmax(dim=-1)
            ),
            "the logarithm is missing",
        ),
        (divergence, "that is the divergence, the cross-entropy is asked for"),
        (softmax_twice, "you took the softmax of a softmax"),
        (diagonal_of_zeros, "divide by the two pairs that count, not by all four"),
        (all_pairs_of_images, "not with all images of the batch"),
        (as_a_number, "returned a float, a tensor of shape () was expected"),
        (centred_in_place, "changed its input in place"),
        (backward_called, "left gradients in its input"),
        (one_loss_too_large, "the shape is right, the values are not"),
    ],
    "neighbours": [
        (voting(near=lambda bank, queries: queries @ bank.T), "yours are dot products"),
        (
            voting(near=lambda bank, queries: queries @ F.normalize(bank, dim=1).T),
            "the bank is normalised, the queries are not",
        ),
        (
            voting(near=lambda bank, queries: F.normalize(queries, dim=1) @ bank.T),
            "the queries are normalised, the bank is not",
        ),
        (raw_distance, "yours is a small distance"),
        (
            voting(
                near=lambda bank, queries: (
                    F.normalize(queries, dim=0) @ F.normalize(bank, dim=0).T
                )
            ),
            "yours ran over the images",
        ),
        (
            voting(
                choose=lambda similarity, k: similarity.topk(k, dim=1, largest=False)
            ),
            "the k farthest vote",
        ),
        (
            voting(choose=lambda similarity, k: similarity.sort(dim=1)),
            "all of the bank votes",
        ),
        (
            voting(choose=lambda similarity, k: similarity.topk(1, dim=1)),
            "the nearest alone is asked",
        ),
        (
            voting(
                choose=lambda similarity, k: [
                    part[:, 1:] for part in similarity.topk(min(k + 1, 12), dim=1)
                ]
            ),
            "no query is in the bank",
        ),
        (
            voting(choose=lambda similarity, k: similarity.topk(20, dim=1)),
            "here always 20 vote",
        ),
        (majority, "exp(similarity / temperature): yours all count alike"),
        (majority_counted, "and the nearest decides where classes are even"),
        (voting(weigh=lambda near, temperature: near), "yours is the similarity"),
        (
            voting(weigh=lambda near, temperature: near.exp()),
            "the temperature is missing",
        ),
        (
            voting(weigh=lambda near, temperature: (near * temperature).exp()),
            "you multiplied by the temperature",
        ),
        (
            voting(weigh=lambda near, temperature: (near / 0.07).exp()),
            "here it is always 0.07",
        ),
        (
            voting(weigh=lambda near, temperature: (near / temperature).softmax(dim=0)),
            "the softmax runs over the queries",
        ),
        (
            voting(
                name=lambda labels, places: labels[: places.shape[1]].expand_as(places)
            ),
            "the first k labels vote",
        ),
        (mean_of_votes, "the votes of a class are averaged"),
        (place_in_the_bank, "these are places in the bank"),
        (place_among_neighbours, "these are places among the k neighbours"),
        (voting(end=lambda votes: votes), "these are the votes for each class"),
        (
            voting(
                near=lambda bank, queries: queries @ bank.T,
                weigh=lambda near, temperature: torch.ones_like(near),
            ),
            "long features win; normalise first; and a neighbour's vote weighs",
        ),
        (in_floats, "returned torch.float32, expected torch.int64"),
        (as_a_list, "returned a list, a tensor of shape"),
        (ten_classes, "ten_classes raised RuntimeError"),
        (as_many_as_there_are, "classes go up to labels.max()"),
        (normalised_in_place, "changed its input in place"),
        (squeezed, "returned shape (), expected (1,) for one query"),
        (always_the_first_class, "k neighbours: labels of the bank"),
    ],
}
RIGHT = {
    "masking": [
        by_the_package,
        by_sorted_places,
        image_by_image,
        by_multinomial,
        by_threshold,
        by_chance_of_python,
        with_numpy,
        where(sorted_once),
    ],
    "self_distillation": [
        loss_by_the_package,
        by_cross_entropy,
        by_loops,
        by_einsum,
        by_flip,
        divergence_and_entropy,
        distilling(),
    ],
    "neighbours": [
        by_scatter,
        by_one_hot,
        query_by_query,
        by_softmax,
        by_distance,
        neighbours_with_numpy,
        knn,
        voting(),
    ],
}
