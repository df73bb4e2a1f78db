"""Pictures that stay on the disk: processes of their own decode the next batches while
a model trains on this one.
"""

import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from vit_tutorial.data.folder import Picture, fingerprint
from vit_tutorial.data.image_files import check_image, read_image
from vit_tutorial.data.images import ImageSet, sides_of

# A fork starts at once, and what it decodes with needs none of the threads that it
# lacks. Elsewhere it is not safe, or not there: the default imports PyTorch once more.
START = "fork" if sys.platform == "linux" else None


@dataclass(frozen=True)
class PicturesOnDisk:
    """What stands for the tensor of an ImageSet's images, (N, 3, Y, X) uint8, where
    they are too many for memory. Of pixels there are only those of a few batches.

    Rows of it are pictures on the disk again; `split` and `batches` decode. They put
    what they read on the `device`.
    """

    paths: tuple[Path, ...]
    sides: tuple[int, int]
    workers: int
    device: torch.device = torch.device("cpu")

    @property
    def shape(self) -> torch.Size:
        return torch.Size((len(self), 3, *self.sides))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, rows: Tensor | slice) -> "PicturesOnDisk":
        chosen = torch.arange(len(self))[rows].tolist()
        return replace(self, paths=tuple(self.paths[row] for row in chosen))

    def to(self, device: torch.device) -> "PicturesOnDisk":
        return replace(self, device=device)

    def split(self, size: int) -> Iterator[Tensor]:
        """All images in order, `size` at a time: (b, 3, Y, X)."""
        return self.batches(torch.arange(len(self)).split(size))

    def batches(self, rows: Iterable[Tensor]) -> Iterator[Tensor]:
        """The images of each batch, by their rows: (b, 3, Y, X).

        The processes are started once for all of these batches and end with them; each
        has two batches in its hands at most. Raises ValueError or OSError for a picture
        that cannot be read, as `read_image` does, when its batch is due.
        """
        batches = [[self.paths[row] for row in each.tolist()] for each in rows]
        loader = DataLoader(
            Reader(self.sides),
            batch_size=None,  # the sampler's items are batches already
            sampler=batches,
            num_workers=min(self.workers, len(batches)),
            multiprocessing_context=START if batches else None,
            worker_init_fn=keep_silent,
            generator=Generator(),  # or a seed would be drawn from the run's own
        )
        for images in started(loader):
            if isinstance(images, Exception):
                raise images
            yield images.to(self.device)


@dataclass(frozen=True)
class Reader(Dataset):
    """What a process does: it decodes the files of a batch. What is wrong with one is
    handed over, to be raised in one line where the batch is awaited.
    """

    sides: tuple[int, int]

    def __getitem__(self, paths: list[Path]) -> Tensor | Exception:
        try:
            return torch.stack([read_image(path, self.sides) for path in paths])
        except (ValueError, OSError) as error:
            return error


def keep_silent(worker: int) -> None:
    """Let a process say nothing of a batch that its interrupted parent does not take:
    what goes wrong in decoding is handed over, see `Reader`.
    """
    sys.excepthook = lambda *error: None


def started(loader: DataLoader) -> Iterator[Any]:
    """What a loader yields, its processes started while interrupts wait. They go on
    holding them back: the parent alone is interrupted, and ends them.
    """
    if not hasattr(signal, "pthread_sigmask"):  # on Windows
        return iter(loader)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass(frozen=True)
class StreamedSet(ImageSet):
    """An ImageSet whose pictures stay on the disk; its labels are in memory."""

    images: PicturesOnDisk  # type: ignore[assignment]  # as far as batches need one

    def batches(self, rows: Iterable[Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        rows = list(rows)
        labels = (self.labels[each] for each in rows)
        return zip(self.images.batches(rows), labels, strict=True)


def leave_pictures(
    pictures: Sequence[Picture],
    classes: tuple[str, ...],
    image_size: int | tuple[int, int],
    workers: int,
) -> StreamedSet:
    """The files of a split, left where they are, to be decoded by so many processes.

    Each is opened, so that what is no picture is refused at once; whether its pixels
    are whole shows when they are decoded. Raises FileNotFoundError or ValueError.
    """
    sides = sides_of(image_size)
    for each in pictures:
        check_image(each.path, sides)
    images = PicturesOnDisk(tuple(each.path for each in pictures), sides, workers)
    labels = torch.tensor([each.label for each in pictures])
    return StreamedSet(images, labels, classes, origin=fingerprint(pictures))
