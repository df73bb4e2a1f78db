"""Whether the wheel alone, in an empty environment and an empty folder, does what the
README says.

    python benchmarks/wheel.py                  into results/wheel.json
    python benchmarks/wheel.py --torch fetch    PyTorch from the index too, 5.4 GB

The wheel is built, and installed with what it declares and nothing else. PyTorch and
what that needs are lent by the environment that runs this, unless they are to be
fetched. All commands are then tried on drawn pictures, far from the repository. A step
passes when it ends with the code, and says the words, that are expected; the exit code
is 1 when one does not.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

import numpy as np
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from experiments.results import ROOT, environment_info, run, write_result

TINY = "--model.dim 16 --model.depth 2 --model.heads 2 --training.device cpu"
DRAWN = (
    f"{TINY} --model.patch_size 48 --data.train_images 40 --data.val_images 30"
    " --training.batch_size 20 --training.epochs 1"
)
FOLDER = (
    f"{TINY} --model.image_size 32 --model.patch_size 16 --model.classes 3"
    " --data.name folder --data.root pictures --training.batch_size 8"
)
PHOTOS = "pictures/blue/0.jpg pictures/green/1.png pictures/red/2.jpg"
CLASSES = ("blue", "green", "red")
ORIENTATION = 274  # the tag of EXIF that says how a picture lies

# what the README's snippets are about: images, and a reader's own code
README = """
import torch
images = torch.rand(2, 3, 96, 96)
def my_patchify(images, side):
    return images.reshape(len(images), -1, images.shape[1] * side**2)
"""
SHIPPED = """
from vit_tutorial.training.checkpoint import load_checkpoint, shipped_names
for name in shipped_names():
    assert load_checkpoint(name)[1].history, name
    print(name, True)
"""
CHECKS = """
from vit_tutorial import checks as check
from vit_tutorial.patches import patchify
print(check.patchify(patchify).ok)
"""
EXPLORER = """
import torch
from pathlib import Path
from vit_tutorial import explore, load_checkpoint
from vit_tutorial.explorer.html import page
explorer = explore(load_checkpoint("stacks")[0], torch.rand(2, 3, 96, 96))
print(Path("explorer.html").write_text(page(explorer), encoding="utf-8") > 10**5)
"""
RECORDS = """
from vit_tutorial.results import read_result
print(len(read_result("stl10")["runs"]))
"""
TYPES = """
from importlib.resources import files
print((files("vit_tutorial") / "py.typed").is_file())
"""
LIGHT = """
import sys
from vit_tutorial.__main__ import run
sys.argv[1:] = ["--help"]
try:
    run()
finally:
    print("torch" in sys.modules)
"""


@dataclass(frozen=True)
class Step:
    """What Python is told, the words that it is to say, and the code with which it is
    to end.
    """

    words: tuple[str, ...]
    says: str = ""
    code: int = 0


def command(line: str, says: str = "", code: int = 0) -> Step:
    """A step on the command line."""
    return Step(("-m", "vit_tutorial", *line.split()), says, code)


CHAPTERS = "is not installed: pip install 'vit-tutorial[chapters]'"
STEPS = [
    Step(("-m", "pip", "check"), "No broken requirements found"),
    command("--help", "look into it"),
    command("--version"),
    Step(("-c", LIGHT), "False"),
    Step(("-c", TYPES), "True"),
    command(f"train --out runs/drawn {DRAWN}", "after epoch 1."),
    command(f"train --out runs/drawn {DRAWN}", "already holds a run", 2),
    command("train --out runs/drawn --resume", "after epoch 1."),
    command("evaluate --checkpoint runs/drawn --split val", '"accuracy"'),
    command(f"train --out runs/mine --training.epochs 2 {FOLDER}", "after epoch 2."),
    command("evaluate --checkpoint runs/mine --detail true", '"confusion"'),
    command(f"predict --checkpoint runs/mine {PHOTOS}", '"probability"'),
    command(f"attend --checkpoint runs/mine {PHOTOS} --out a.png", "over 3 images"),
    command(f"workbench --checkpoint runs/mine {PHOTOS} --out w.html", "3 pictures"),
    command("export --checkpoint runs/mine --format web --out web", "model.bin"),
    command(
        "export --checkpoint runs/mine --format onnx --out mine.onnx",
        "is not installed: pip install 'vit-tutorial[onnx]'",
        2,
    ),
    command("probe --checkpoint runs/mine --k 3", CHAPTERS, 2),
    command(f"train --out runs/resnet --model.name resnet18 {DRAWN}", CHAPTERS, 2),
    command(
        f"train --out runs/mae --training.epochs 1 --training.objective mae {FOLDER}",
        "after epoch 1.",
    ),
    command("predict --checkpoint runs/mae no.jpg", "names no classes", 2),
    command(
        f"train --out runs/tuned --init runs/mae --training.epochs 1 {FOLDER}",
        "after epoch 1.",
    ),
    command("evaluate --checkpoint stacks --data.val_images 50", '"accuracy"'),
    command("evaluate --checkpoint stacks-decoys --data.val_images 50", '"accuracy"'),
    command(f"predict --checkpoint stl10 {PHOTOS} --topk 2", '"probability"'),
    command("download --help", "--root"),
    Step(("-c", SHIPPED), "stl10 True"),
    Step(("-c", CHECKS), "True"),
    Step(("-c", EXPLORER), "True"),
    Step(("-c", RECORDS)),
]
WITH_EXTRAS = [
    command("export --checkpoint runs/mine --format onnx --out mine.onnx", "MB"),
    command("probe --checkpoint runs/mine --k 3", '"linear"'),
    command("probe --checkpoint runs/mae --k 3", '"linear"'),
    command(f"train --out runs/resnet --model.name resnet18 {DRAWN}", "after epoch 1."),
]


def draw_pictures(root: Path) -> None:
    """A folder a class: JPEG and PNG of all sizes, grey ones, and some that lie on
    their side.
    """
    generator = np.random.default_rng(0)
    for channel, name in enumerate(reversed(CLASSES)):
        (root / name).mkdir(parents=True)
        for number in range(18):
            rows, columns = generator.integers(17, 90, size=2)
            pixels = generator.integers(0, 160, (rows, columns, 3), dtype=np.uint8)
            pixels[..., channel] += 95
            picture = Image.fromarray(pixels)
            if number % 5 == 4:
                picture = picture.convert("L")
            exif = Image.Exif()
            exif[ORIENTATION] = 6 if number % 3 == 0 else 1
            kind = "png" if number % 4 == 1 else "jpg"
            picture.save(root / name / f"{number}.{kind}", exif=exif)


def needed(requirement: Requirement) -> Iterator[str]:
    """The names of the distributions that are installed here for this one, its own
    first.
    """
    try:
        found = distribution(requirement.name)
    except PackageNotFoundError:  # of another system
        return
    yield requirement.name
    for other in map(Requirement, found.requires or []):
        for extra in ("", *requirement.extras):
            if other.marker is None or other.marker.evaluate({"extra": extra}):
                yield from needed(other)


def lend(name: str, environment: Path) -> None:
    """Link into an environment what is installed here for a library, but what the wheel
    declares by itself.
    """
    lent = environment / "lent"
    lent.mkdir(exist_ok=True)
    (packages,) = environment.glob("[Ll]ib/**/site-packages")
    (packages / "lent.pth").write_text(str(lent), encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    own = {Requirement(text).name for text in project["project"]["dependencies"]}
    for one in set(map(canonicalize_name, needed(Requirement(name)))) - own | {name}:
        found = distribution(one)
        for top in {file.parts[0] for file in found.files or []}:
            link = lent / top
            if top not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(Path(str(found.locate_file(top))))


def install(wheel: Path, folder: Path, lends: bool) -> Path:
    """The Python of a fresh environment in `folder` that holds the wheel and what it
    declares.
    """
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if lends:
        lend("torch", folder)
    pip(python, "install", str(wheel))
    return python


def pip(python: Path | str, *words: str) -> None:
    """Call pip. Raises ValueError with the end of what it says where it fails."""
    quiet = ("--quiet", "--disable-pip-version-check")
    done = subprocess.run(
        [python, "-m", "pip", *words, *quiet], capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        raise ValueError(f"pip {' '.join(words)}: {done.stderr[-500:]}")


def snippets(python: Path) -> list[Step]:
    """The README's Python, as the installed wheel brings it along, but what needs
    another library.
    """
    read = "from importlib.metadata import metadata as m; print(m('vit-tutorial'))"
    text = subprocess.run(
        [python, "-c", read], capture_output=True, check=True, encoding="utf-8"
    ).stdout
    body = str(message_from_string(text).get_payload())
    found = re.findall(r"```python\n(.*?)```", body, flags=re.DOTALL)
    return [Step(("-c", README + code)) for code in found if "import timm" not in code]


def passes(step: Step, python: Path, folder: Path) -> dict:
    """Take a step in `folder`: what it was, the code with which it ended, and whether
    it passed.
    """
    kept = {n: v for n, v in os.environ.items() if not n.startswith("PYTHON")}
    done = subprocess.run(
        [python, *step.words],
        cwd=folder,
        env=kept | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
    )
    said = done.stdout + done.stderr
    # notes on the data may stand before a mistake, which is one line
    heard = said if step.code == 0 else done.stderr.rstrip().rpartition("\n")[2]
    passed = done.returncode == step.code and step.says in heard
    passed = passed and "Traceback" not in said
    name = " ".join(" ".join(step.words).split())
    print("passed" if passed else f"FAILED with {done.returncode}\n{said}\n ", name)
    return {"step": name, "code": done.returncode, "passed": passed}


def wheel(
    torch: Literal["lent", "fetch"] = "lent", out: Path = ROOT / "results/wheel.json"
) -> int:
    """Build the wheel, try it, and write what came of it.

    Args:
        torch: whether PyTorch is lent by this environment or fetched from the index
        out: file of the result
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", place, str(ROOT))
        (file,) = folder.glob("*.whl")
        python = install(file, folder / "environment", torch == "lent")
        (work := folder / "work").mkdir()
        draw_pictures(work / "pictures")
        rows = [passes(step, python, work) for step in [*STEPS, *snippets(python)]]
        if torch == "lent":
            lend("torchvision", folder / "environment")
        pip(python, "install", f"vit-tutorial[chapters,onnx] @ {file.as_uri()}")
        rows += [passes(step, python, work) for step in WITH_EXTRAS]
    about = environment_info("cpu") | {"wheel": file.name, "torch": torch}
    write_result(out, about | {"steps": rows})
    return int(not all(row["passed"] for row in rows))


if __name__ == "__main__":
    sys.exit(run(wheel))
