"""Answers to "Upside down, and the label with it" of chapter 07, wrong and right, as
learners write them.
"""

import torch

from vit_tutorial.data.synthetic import STACKS

SWAP = torch.tensor([1, 0, 3, 2, 5, 4, 7, 6, 8, 9])


def by_where(images, masks, labels, flips):
    chosen = flips[:, None, None, None]
    images, masks = (
        torch.where(chosen, values.flip(-2), values) for values in (images, masks)
    )
    return images, masks, torch.where(flips, SWAP[labels], labels)


def by_index(images, masks, labels, flips):
    images = images.clone()
    masks = masks.clone()
    labels = labels.clone()
    images[flips] = images[flips].flip(2)
    masks[flips] = masks[flips].flip(2)
    labels[flips] = SWAP[labels[flips]]
    return images, masks, labels


def by_loop(images, masks, labels, flips):
    results = []
    for image, mask, label, flip in zip(images, masks, labels, flips, strict=True):
        above, below = STACKS[label]
        if flip:
            image = image.flip(1)
            mask = mask.flip(1)
            label = torch.tensor(STACKS.index((below, above)))
        results.append((image, mask, label))
    return [torch.stack(column) for column in zip(*results, strict=True)]


def by_arithmetic(pictures, where, classes, turn):
    rows = torch.arange(pictures.shape[2] - 1, -1, -1)
    keep = ~turn.view(-1, 1, 1, 1)
    moved = torch.where(turn & (classes < 8), classes + 1 - 2 * (classes % 2), classes)
    return (
        pictures * keep + pictures[:, :, rows] * ~keep,
        (where & keep) | (where[:, :, rows] & ~keep),
        moved,
    )


def spoilt(name, images=None, masks=None, labels=None):
    """A right answer but for what the given functions of (value, flips) put out
    instead.
    """

    def answer(*inputs):
        right = by_where(*inputs)
        flips = inputs[3]
        wrong = (images, masks, labels)
        return tuple(
            spoil(value, flips) if spoil else good
            for spoil, value, good in zip(wrong, inputs, right, strict=False)
        )

    answer.__name__ = name
    return answer


def stay(values, flips):
    return values


def mirror(values, flips):
    return torch.where(flips[:, None, None, None], values.flip(-1), values)


def flip_all(values, flips):
    return values.flip(-2)


def flip_others(values, flips):
    return torch.where(flips[:, None, None, None], values, values.flip(-2))


def half_circle(values, flips):
    return torch.where(flips[:, None, None, None], values.flip(-1, -2), values)


def only_the_flipped(values, flips):
    return values.flip(-2)[flips]


nothing_moves_but_pixels = spoilt("nothing_moves_but_pixels", masks=stay, labels=stay)
masks_stay = spoilt("masks_stay", masks=stay)
labels_stay = spoilt("labels_stay", labels=stay)
left_for_top = spoilt("left_for_top", images=mirror, masks=mirror)
masks_left_for_top = spoilt("masks_left_for_top", masks=mirror)
everything_flipped = spoilt("everything_flipped", images=flip_all, masks=flip_all)
others_flipped = spoilt("others_flipped", images=flip_others, masks=flip_others)
turned_round = spoilt("turned_round", images=half_circle, masks=half_circle)
the_flipped_alone = spoilt("the_flipped_alone", images=only_the_flipped)
images_stay = spoilt("images_stay", images=stay)
twins_swapped = spoilt(
    "twins_swapped", labels=lambda labels, flips: torch.where(flips, labels ^ 1, labels)
)
list_reversed = spoilt(
    "list_reversed", labels=lambda labels, flips: torch.where(flips, 9 - labels, labels)
)
every_label = spoilt("every_label", labels=lambda labels, flips: SWAP[labels])
wrong_label_side = spoilt(
    "wrong_label_side",
    labels=lambda labels, flips: torch.where(flips, labels, SWAP[labels]),
)
float_masks = spoilt(
    "float_masks",
    masks=lambda masks, flips: by_where(masks, masks, flips.long(), flips)[1].float(),
)
float_images = spoilt(
    "float_images", images=lambda images, flips: flip_others(images, ~flips) / 255
)


def images_alone(images, masks, labels, flips):
    return by_where(images, masks, labels, flips)[0]


def two_of_three(images, masks, labels, flips):
    return by_where(images, masks, labels, flips)[:2]


def turned_in_place(images, masks, labels, flips):
    images[flips] = images[flips].flip(2)
    masks[flips] = masks[flips].flip(2)
    labels[flips] = SWAP[labels[flips]]
    return images, masks, labels


def labels_first(images, masks, labels, flips):
    images, masks, labels = by_where(images, masks, labels, flips)
    return labels, images, masks


def numpy_turn(images, masks, labels, flips):
    return tuple(value.numpy() for value in by_where(images, masks, labels, flips))


def flipped_first(images, masks, labels, flips):
    moved = by_where(images, masks, labels, flips)
    order = torch.cat([flips.nonzero(), (~flips).nonzero()])[:, 0]
    return tuple(value[order] for value in moved)


def first_plane(images, masks, labels, flips):
    images, turned, labels = by_where(images, masks, labels, flips)
    return images, torch.cat([turned[:, :1], masks[:, 1:]], dim=1), labels


def next_class(images, masks, labels, flips):
    images, masks, _ = by_where(images, masks, labels, flips)
    return images, masks, torch.where(flips, labels + 1, labels)


def one_image_squeezed(images, masks, labels, flips):
    return tuple(value.squeeze(0) for value in by_where(images, masks, labels, flips))


def yielded(images, masks, labels, flips):
    yield from by_where(images, masks, labels, flips)


def by_gather(images, masks, labels, flips):
    rows = torch.arange(images.shape[-2]).expand(len(flips), -1)
    rows = torch.where(flips[:, None], rows.flip(1), rows)[:, None, :, None]
    images, masks = (
        values.gather(2, rows.expand_as(values)) for values in (images, masks)
    )
    return images, masks, labels ^ (flips & (labels < 8)).long()


WRONG = {
    "upside_down": [
        (nothing_moves_but_pixels, "the masks stand as they stood"),
        (masks_stay, "the masks stand as they stood"),
        (images_stay, "the images stand as they stood"),
        (labels_stay, "the labels stayed"),
        (left_for_top, "the images are mirrored left to right"),
        (masks_left_for_top, "the masks are mirrored left to right"),
        (everything_flipped, "all images are upside down"),
        (others_flipped, "the wrong images are upside down"),
        (turned_round, "the images are turned by half a circle"),
        (the_flipped_alone, "only the images that were flipped are left"),
        (twins_swapped, "a twin upside down is the same twin"),
        (list_reversed, "reads the list of classes from its end"),
        (every_label, "all labels moved"),
        (wrong_label_side, "the labels of the wrong images moved"),
        (float_masks, "returned torch.float32, expected torch.bool"),
        (float_images, "returned torch.float32, expected torch.uint8"),
        (images_alone, "returned a Tensor, three tensors were expected"),
        (two_of_three, "returned 2 values, three tensors were expected"),
        (labels_first, "the three come back in another order"),
        (flipped_first, "the images that were flipped stand first"),
        (first_plane, "only the first plane of the masks is turned"),
        (next_class, "each class became the next"),
        (one_image_squeezed, "expected (1, "),
        (yielded, "returned a generator, three tensors were expected"),
        (numpy_turn, "returned a ndarray"),
        (turned_in_place, "changed its input in place"),
    ],
}
RIGHT = {"upside_down": [by_where, by_index, by_loop, by_arithmetic, by_gather]}
