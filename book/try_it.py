"""The workbench of the page "Try it": the shipped models, and pictures that anybody may
show.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image
from torch import Tensor

from vit_tutorial import load_checkpoint
from vit_tutorial.data.image_files import read_image
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.explorer.workbench import Subject, model_script, workbench
from vit_tutorial.files import write_file

BOOK = Path(__file__).resolve().parent
# those of chapters 01 and 08, one of them with each kind of pair
DRAWN = 8
SEED = 12
PHOTOGRAPHS = "stl10"
SCRIPT = f"models/{PHOTOGRAPHS}.js"  # among the static files of the site
# nothing stands beside the workbench, which needs the width
STYLE = """<style>
.bd-main .bd-content .bd-article-container { max-width: 64rem; }
</style>
"""


def drawings() -> Subject:
    model, run = load_checkpoint("stacks")
    data = stacks(DRAWN, seed=SEED)
    titles = [f"stack {number + 1}" for number in range(DRAWN)]
    labels = data.labels.tolist()
    return Subject(
        "stacks",
        "drawn stacks",
        model,
        data.images,
        titles,
        run.classes,
        labels,
        run.mean,
        run.std,
        paints=True,
    )


def photographs() -> Subject:
    model, run = load_checkpoint(PHOTOGRAPHS)
    pictures = {
        "cat (scikit-image, CC0)": read_image(
            BOOK / "samples" / "cat.png", model.config.sides
        ),
        "flower (scikit-learn)": sample("flower.jpg", model.config.sides),
        "temple (scikit-learn)": sample("china.jpg", model.config.sides),
    }
    return Subject(
        PHOTOGRAPHS,
        "photographs",
        model,
        torch.stack(list(pictures.values())),
        list(pictures),
        run.classes,
        mean=run.mean,
        std=run.std,
        address=f"../_static/{SCRIPT}",
    )


def sample(name: str, size: tuple[int, int]) -> Tensor:
    """One of scikit-learn's photographs, resized as every picture is: (3, *size)."""
    image = Image.fromarray(load_sample_image(name))
    fitted = ImageOps.fit(image, size[::-1], Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1)


def write(built: Path) -> None:
    """Write the workbench and the script beside it where they are new or have
    changed.
    """
    photos = photographs()
    texts = {
        built / "try_it" / "workbench.html": STYLE + workbench([drawings(), photos]),
        built / "static" / SCRIPT: model_script(photos),
    }
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_file(path, text.encode())
