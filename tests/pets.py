"""Small folders of pictures for tests."""

import pytest
from PIL import Image

from vit_tutorial.data.folder import list_classes, read_pictures, survey


def write_image(path, colour=(200, 0, 0), size=(16, 16), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)


def classes_in(root, names=("ants", "bees"), count=6, first=0):
    for name in names:
        for number in range(first, first + count):
            write_image(root / name / f"{number:03}.png", (10 * number % 256, 0, 0))
    return root


def read_folder(root, image_size):
    """All pictures of a folder, one subfolder per class."""
    classes, pictures = list_classes(root)
    return read_pictures(pictures, classes, image_size)


def names(pictures):
    return {picture.name for picture in pictures}


def refused(root, message, **options):
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        survey(root, **{"fraction": 0.2, "seed": 0} | options)
    assert (
        "\n" not in str(caught.value)
        and len(str(caught.value)) < 2000
        and root.name in str(caught.value)
    )
