"""Answers on the step in parts of chapter 06: wrong ones, each with what must be said
to it, and right ones.
"""

import copy

import numpy as np
import torch
import torch.nn.functional as F


def stepping(**changes):
    """A step in parts in which one thing or another is not as it should be."""

    def my_step(model, optimizer, images, labels, parts):
        total = 0.0
        losses = []
        if changes.get("clear") is None:
            optimizer.zero_grad()
        for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True):
            if changes.get("clear") == "part":
                optimizer.zero_grad()
            logits = model(some).softmax(dim=1) if "softmax" in changes else model(some)
            mean = F.cross_entropy(logits, theirs)
            share = changes.get("share", lambda mine, all, parts: mine / all)(
                len(some), len(images), parts
            )
            (mean * share).backward()
            total += mean.item() * share
            losses.append(mean.item())
            if changes.get("step") == "part":
                optimizer.step()
        if changes.get("step") is None:
            optimizer.step()
        return changes.get("result", lambda total, losses: total)(total, losses)

    my_step.__name__ = "_".join(["stepping", *changes])
    return my_step


def whole_batch(model, optimizer, images, labels, parts):
    loss = F.cross_entropy(model(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def no_backward(model, optimizer, images, labels, parts):
    optimizer.zero_grad()
    total = sum(
        F.cross_entropy(model(some), theirs, reduction="sum").item()
        for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True)
    )
    optimizer.step()
    return total / len(images)


def clears_before_the_step(model, optimizer, images, labels, parts):
    for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True):
        loss = F.cross_entropy(model(some), theirs) * len(some) / len(images)
        loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss


def without_gradients(model, optimizer, images, labels, parts):
    with torch.no_grad():
        return stepping()(model, optimizer, images, labels, parts)


def drops_the_rest(model, optimizer, images, labels, parts):
    size = len(images) // parts
    optimizer.zero_grad()
    for number in range(parts):
        rows = slice(number * size, (number + 1) * size)
        loss = F.cross_entropy(model(images[rows]), labels[rows]) / parts
        loss.backward()
    optimizer.step()
    return loss


def squared_error(model, optimizer, images, labels, parts):
    optimizer.zero_grad()
    for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True):
        logits = model(some)
        loss = F.mse_loss(logits, F.one_hot(theirs, logits.shape[1]).to(logits))
        loss.backward()
    optimizer.step()
    return loss


def one_image_at_a_time(model, optimizer, images, labels, parts):
    optimizer.zero_grad()
    total = 0
    for some, theirs in zip(images.split(1), labels.split(1), strict=True):
        loss = F.cross_entropy(model(some), theirs) / len(images)
        loss.backward()
        total += loss.item()
    optimizer.step()
    return total


def joined_logits(model, optimizer, images, labels, parts):
    logits = torch.cat([model(some) for some in images.chunk(parts)])
    loss = F.cross_entropy(logits, labels)
    model.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def clears_at_the_end(model, optimizer, images, labels, parts):
    total = torch.zeros((), dtype=torch.float64)
    for some, theirs in zip(
        torch.tensor_split(images, parts),
        torch.tensor_split(labels, parts),
        strict=True,
    ):
        loss = F.cross_entropy(model(some), theirs, reduction="sum") / len(images)
        loss.backward()
        total += loss.detach()
    optimizer.step()
    optimizer.zero_grad()
    return total


def sums(model, optimizer, images, labels, parts):
    optimizer.zero_grad()
    return clears_at_the_end(model, optimizer, images, labels, parts)


def divided_at_the_end(net, optim, x, y, n):
    net.zero_grad(set_to_none=False)
    losses = []
    for rows in torch.arange(len(x)).chunk(n):
        loss = -net(x[rows]).log_softmax(-1).gather(1, y[rows, None]).sum()
        loss.backward()
        losses.append(loss.item())
    for parameter in net.parameters():
        parameter.grad /= len(x)
    optim.step()
    return np.sum(losses) / len(x)


def left_in_eval_mode(model, optimizer, images, labels, parts):
    model.eval()
    return stepping()(model, optimizer, images, labels, parts)


def graphs_kept(model, optimizer, images, labels, parts):
    optimizer.zero_grad()
    losses = []
    for some, theirs in zip(images.chunk(parts), labels.chunk(parts), strict=True):
        losses.append(F.cross_entropy(model(some), theirs) * len(some) / len(images))
        losses[-1].backward(retain_graph=True)
    optimizer.step()
    return sum(losses).item()


def another_optimizer(model, optimizer, images, labels, parts):
    return stepping()(
        model,
        torch.optim.SGD(model.parameters(), lr=optimizer.param_groups[0]["lr"]),
        images,
        labels,
        parts,
    )


def by_hand(model, optimizer, images, labels, parts):
    total = stepping(step="never")(model, optimizer, images, labels, parts)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= optimizer.param_groups[0]["lr"] * parameter.grad
    return total


def trains_a_copy(model, optimizer, images, labels, parts):
    return stepping()(copy.deepcopy(model), optimizer, images, labels, parts)


def stops_after_the_first(model, optimizer, images, labels, parts):
    return stepping()(
        model, optimizer, images.chunk(parts)[0], labels.chunk(parts)[0], 1
    )


def parts_of_so_many(model, optimizer, images, labels, parts):
    return stepping()(model, optimizer, images, labels, -(-len(images) // parts))


def with_a_closure(model, optimizer, images, labels, parts):
    return optimizer.step(
        lambda: stepping(step="never")(model, optimizer, images, labels, parts)
    )


WRONG = {
    "accumulated": [
        (stepping(clear="never"), "gradients of the step before are still there"),
        (clears_at_the_end, "gradients of the step before are still there"),
        (stepping(clear="part"), "only the last part counts"),
        (stepping(step="part"), "you correct after every part"),
        (
            stepping(clear="part", step="part", share=lambda mine, all, parts: 1),
            "you correct after every part",
        ),
        (
            stepping(share=lambda mine, all, parts: 1 / parts),
            "each part counts alike, but the last is smaller",
        ),
        (
            stepping(share=lambda mine, all, parts: 1),
            "weigh each part's loss by its share",
        ),
        (
            stepping(share=lambda mine, all, parts: mine),
            "a sum over the images is not a mean",
        ),
        (stepping(softmax=True), "cross_entropy takes logits"),
        (stepping(step="never"), "is optimizer.step() missing"),
        (
            stepping(result=lambda total, losses: losses[-1]),
            "the weights are right, the loss is not",
        ),
        (
            stepping(result=lambda total, losses: sum(losses)),
            "the weights are right, the loss is not",
        ),
        (
            stepping(result=lambda total, losses: losses),
            "returned a list, the mean loss of the batch was expected",
        ),
        (stepping(result=lambda total, losses: None), "returned None"),
        (whole_batch, "images at once"),
        (no_backward, "where is loss.backward()?"),
        (clears_before_the_step, "were the gradients cleared before it?"),
        (joined_logits, "until then every part stays in memory"),
        (without_gradients, "raised RuntimeError"),
        (drops_the_rest, "images are left over"),
        (squared_error, "the weights are not those of steps on whole batches"),
        (one_image_at_a_time, "the model saw parts of [1, 1"),
        (left_in_eval_mode, "was shown images all in eval mode"),
        (graphs_kept, "a part is still in memory when the next one comes"),
        (another_optimizer, "the optimizer's memory is lost"),
        (by_hand, "the optimizer's memory is lost"),
        (trains_a_copy, "the model you were given was shown no image"),
        (stops_after_the_first, "the model saw parts of ["),
        (parts_of_so_many, "the model saw parts of ["),
    ],
}
RIGHT = {"accumulated": [stepping(), sums, divided_at_the_end, with_a_closure]}
