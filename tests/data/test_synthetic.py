import hashlib
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch

from vit_tutorial.data.synthetic import STACKS, TEXTURES, pairs, patterns, stacks
from vit_tutorial.interpret.faithfulness import patch_coverage, pointing_game

torch.set_num_threads(1)

SUMS = {
    "stacks": "89b54e25617c854b",
    "decoys": "b1ea6a200ddbf9ee",
    "pairs": "6e2c0e1f1c17fa7b",
}
decoyed = partial(stacks, decoys="patterned")


@pytest.mark.parametrize(
    "drawn, size, classes, masks",
    [(stacks, 96, 10, 2), (decoyed, 96, 10, 2), (pairs, 48, 2, 1)],
)
def test_drawn_sets_have_their_shapes_and_come_from_their_seed(
    drawn, size, classes, masks
):
    first = drawn(40, 0)
    again = drawn(40, 0)
    other = drawn(40, 1)
    assert (
        first.images.shape == (40, 3, size, size) and first.images.dtype == torch.uint8
    )
    assert (
        first.masks.shape == (40, masks, size, size) and first.masks.dtype == torch.bool
    )
    assert len(first) == 40 and len(first.classes) == classes
    assert first.labels.bincount().tolist() == [40 // classes] * classes
    assert torch.equal(first.images, again.images) and torch.equal(
        first.labels, again.labels
    )
    assert not torch.equal(first.images, other.images)


def checksums():
    """The first digits of what `sha256` makes of 200 images of each set, with their
    labels and masks.
    """
    found = {}
    for name, drawn in {
        "stacks": stacks(200, 7),
        "decoys": decoyed(200, 7),
        "pairs": pairs(200, 7),
    }.items():
        parts = [
            tensor.numpy().tobytes()
            for tensor in (drawn.images, drawn.labels, drawn.masks)
        ]
        found[name] = hashlib.sha256(b"".join(parts)).hexdigest()[:16]
    return found


def test_drawn_sets_are_the_same_on_every_machine():
    """Trained weights, records and texts are about these very images."""
    assert checksums() == SUMS


@pytest.mark.parametrize(("threads", "processor"), [("2", "default"), ("3", "avx2")])
def test_drawn_sets_do_not_depend_on_threads_and_processor(threads, processor):
    chosen = os.environ | {
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "ATEN_CPU_CAPABILITY": processor,
    }
    words = (
        "import torch; from test_synthetic import checksums;"
        f" torch.set_num_threads({threads}); print(checksums())"
    )
    here = Path(__file__).parent
    run = subprocess.run(
        [sys.executable, "-c", words],
        env=chosen,
        cwd=here,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == str(SUMS)


def test_a_count_that_is_no_multiple_of_the_classes_is_balanced_up_to_rounding():
    assert sorted(stacks(64, 0).labels.bincount().tolist()) == [6] * 6 + [7] * 4
    with pytest.raises(ValueError, match="count is 0"):
        stacks(0, 0)


def test_a_stack_is_two_squares_one_above_the_other_and_clear_of_the_decoys():
    masks = stacks(300, 0).masks
    for stack in masks[:30, 0]:
        rows = stack.any(1).nonzero()[:, 0]
        columns = stack.any(0).nonzero()[:, 0]
        side = len(columns)
        assert 24 <= side <= 32 and side % 2 == 0 and len(rows) == 2 * side
        # eight rows of background between the tiles
        assert rows[side] - rows[side - 1] == 9
        assert stack.sum() == 2 * side * side
    assert not (masks[:, 0] & masks[:, 1]).any()
    assert masks[:, 1].flatten(1).any(1).all()
    assert (
        0.15 < masks[:, 0].float().mean() < 0.19
        and 0.015 < masks[:, 1].float().mean() < 0.04
    )


def test_patterned_decoys_leave_contrast_no_clue():
    """What they cover is nearly as much as the stack, and the patch of highest contrast
    is as often theirs.
    """
    plain = stacks(300, 2)
    drawn = decoyed(300, 2)
    assert not (drawn.masks[:, 0] & drawn.masks[:, 1]).any()
    stack, discs = drawn.masks.float().mean(dim=(0, 2, 3))
    assert 0.11 < discs < 0.15 and 0.15 < stack < 0.19
    points = []
    for some in (plain, drawn):
        patches = some.images.float().unfold(2, 16, 16).unfold(3, 16, 16)
        contrast = patches.std(dim=(-2, -1)).mean(dim=1).flatten(1)
        points.append(
            pointing_game(patch_coverage(some.masks[:, 0], 16), contrast).mean()
        )
    assert points[0] > 0.9 and points[1] < stack / (stack + discs)


def test_patterned_decoys_do_not_tell_the_class():
    """Their stripes lean one way or the other in every class, in colours as far from
    grey as a tile's.
    """
    drawn = decoyed(600, 4)
    pixels = drawn.images.float().permute(0, 2, 3, 1)
    leans = []
    for image, mask in zip(pixels, drawn.masks[:, 1], strict=True):
        right, left = (mask & mask.roll((1, side), (0, 1)) for side in (1, -1))
        down = [
            (image - image.roll((1, side), (0, 1)))[both].abs().mean()
            for side, both in ((1, right), (-1, left))
        ]
        leans.append(bool(down[0] < down[1]))
    by_class = [
        torch.tensor(leans)[drawn.labels == label].double().mean()
        for label in range(10)
    ]
    assert all(0.2 < share < 0.8 for share in by_class)
    far = [(image - 127.5).abs().amax() for image in pixels]
    assert min(far) > 100  # 0.42 of 255


def test_decoys_there_are_not():
    with pytest.raises(
        ValueError, match="decoys is 'striped', expected 'plain' or 'patterned'"
    ):
        stacks(10, 0, decoys="striped")


def test_the_class_names_the_textures_from_top_to_bottom():
    """Read the textures off the pixels: stripes do not change along one axis, checks
    and dots do along both.
    """
    drawn = stacks(200, 3)
    for image, label, mask in zip(
        drawn.images.float(), drawn.labels, drawn.masks[:, 0], strict=True
    ):
        names = drawn.classes[label].split("/")
        assert names == [TEXTURES[texture] for texture in STACKS[label]]
        side = int(mask.any(0).sum())
        for name, tile in zip(
            names, image[:, mask].view(3, 2, side, side).unbind(1), strict=True
        ):
            down = tile.var(dim=1).mean() > 20
            across = tile.var(dim=2).mean() > 20
            assert (bool(down), bool(across)) == {
                "vertical": (False, True),
                "horizontal": (True, False),
            }.get(name, (True, True))


def test_a_flip_upside_down_swaps_the_ordered_classes_only():
    assert {(bottom, top) for top, bottom in STACKS} == set(STACKS)
    assert [top == bottom for top, bottom in STACKS] == [False] * 8 + [True] * 2


def test_pairs_hold_two_patterned_tiles_that_tell_the_class():
    drawn = pairs(400, 0)
    known = patterns().flatten(1)
    counts = torch.zeros(2, len(known), dtype=torch.long)
    for image, label, mask in zip(
        drawn.images, drawn.labels, drawn.masks[:, 0], strict=True
    ):
        tiles = (
            image.unfold(1, 8, 8).unfold(2, 8, 8).permute(1, 2, 0, 3, 4).reshape(36, -1)
        )
        found = [
            (at, int(which))
            for at, which in (tiles[:, None] == known).all(-1).nonzero().tolist()
        ]
        assert len(found) == 2 and (found[0][1] == found[1][1]) == bool(label)
        assert mask[::8, ::8].flatten().nonzero()[:, 0].tolist() == [
            at for at, _ in found
        ]
        for _, which in found:
            counts[label, which] += 1
    assert (counts > 25).all()  # 50 expected: no pattern belongs to one class
    assert len(known.unique(dim=0)) == len(known)


@pytest.mark.parametrize("draw", [stacks, pairs])
def test_more_images_than_memory_holds_are_not_drawn(draw):
    with pytest.raises(ValueError, match="1,000,000,000 images to draw need .* GB"):
        draw(10**9, 0)
