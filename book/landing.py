"""What the landing page shows of the book itself: the explorer on the shipped model,
and one number from a record.
"""

import json
from pathlib import Path

from vit_tutorial import load_checkpoint
from vit_tutorial.data.synthetic import stacks
from vit_tutorial.explorer.html import page
from vit_tutorial.explorer.widget import explore
from vit_tutorial.files import write_file
from vit_tutorial.training.checkpoint import load_snapshots

ROOT = Path(__file__).resolve().parent.parent
# those of chapter 01, begun where the attention lies on both tiles
IMAGES = 6
SEED = 12
FIRST = 3
# The first screen, 1280 x 800, holds everything: the whole width, a title in one line,
# cards without empty space.
STYLE = """<style>
.bd-main .bd-content .bd-article-container { max-width: 64rem; }
.bd-article { padding-top: 0.5rem !important; }
.bd-article h1 { margin: 0 0 0.4rem; font-size: 1.9rem; }
.bd-article p { margin-bottom: 0.5rem; }
.bd-article > section > .sd-container-fluid { margin: 0.4rem 0 0.6rem !important; }
.bd-article .sd-card-body { padding: 0.5rem 0.8rem; }
.bd-article .sd-card-title { margin-bottom: 0.1rem !important; }
.bd-article .sd-card-text { font-size: 0.9rem; line-height: 1.35; margin-bottom: 0; }
.bd-article .vit-explorer .tensor { display: none; }
.bd-article .landing-number { font-size: 0.9rem; }
</style>
"""


def explorer() -> str:
    """The explorer as HTML: six drawn images, the model that comes with the book, and
    how it came to be.
    """
    model, record = load_checkpoint("stacks")
    data = stacks(IMAGES, seed=SEED)
    snapshots = load_snapshots("stacks")
    shown = explore(
        model,
        data.images,
        record.classes,
        data.labels,
        record.mean,
        record.std,
        snapshots,
    )
    shown.image = FIRST
    # the first screen has no room for what the model is there for
    return STYLE + page(shown, with_model=False)


def number() -> str:
    """The accuracy that was measured, as HTML."""
    record = json.loads((ROOT / "results" / "stacks.json").read_text(encoding="utf-8"))
    share = record["mean"]
    spread = record["spread"]
    count = len(record["runs"])
    images = record["config"]["data"]["val_images"]
    return (
        f'<p class="landing-number"><b>{100 * share:.1f} %</b> right on {images:,}'
        f" new drawings ({count} trainings, standard deviation {100 * spread:.1f}"
        " points); knowing both tiles but not their order gives 60 %.</p>\n"
    )


def write(folder: Path) -> None:
    """Write explorer.html and number.html where they are new or have changed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("explorer", explorer()), ("number", number())):
        path = folder / f"{name}.html"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_file(path, text.encode())
