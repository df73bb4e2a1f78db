"""What each command does, once its words are understood."""

import io
import itertools
import json
import math
import os
import warnings
from pathlib import Path

from jsonargparse import Namespace
from torch import nn, stack

from vit_tutorial.cli.attend import (
    check_choice,
    draw_attention,
    look_at,
    name_of,
    read_all,
)
from vit_tutorial.cli.console import (
    PROGRAM,
    in_words,
    one_line,
    print_row,
    say,
    typed,
)
from vit_tutorial.convert.web import export_web
from vit_tutorial.data.config import DataConfig
from vit_tutorial.data.datasets import (
    describe,
    labelled_bank,
    load_split,
    sized_for,
)
from vit_tutorial.data.folder_layout import other_classes, some
from vit_tutorial.data.images import ImageSet
from vit_tutorial.data.stl10_download import download_stl10
from vit_tutorial.files import write_file
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.predict import BATCH, predict, read_picture
from vit_tutorial.selfsup.probes import probe
from vit_tutorial.training.checkpoint import (
    find_weights,
    load_checkpoint,
    shipped_names,
)
from vit_tutorial.training.distributed import pick_device, rank
from vit_tutorial.training.finetune import freeze
from vit_tutorial.training.loop import train
from vit_tutorial.training.metrics import compute_logits, confusion, evaluate
from vit_tutorial.training.run import Run


def note(line: str) -> None:
    """Tell what a user should know and no script reads."""
    say(line, "stderr")


def run_train(settings: Namespace) -> None:
    model, run = train(
        settings.model,
        settings.data,
        settings.training,
        settings.out,
        settings.resume,
        report=(lambda row: None) if settings.quiet else print_row,
        note=note,
        quiet=settings.quiet,
    )
    if rank() > 0 or settings.quiet:
        return
    count = count_parameters(model)
    freeze(model, settings.training.freeze)  # as it was trained
    frozen = count - count_parameters(model)
    part = f", {frozen:,} of them frozen," if frozen else ""
    say(
        f"The run is in {settings.out}: {count:,} parameters{part} after epoch"
        f" {len(run.history)}."
    )
    place = (
        os.path.join(os.curdir, settings.out)
        if settings.out in shipped_names()
        else settings.out
    )
    measure = "probe" if run.config.training.self_supervised else "evaluate"
    say(
        f"Measure it with: {PROGRAM} {measure} --checkpoint {typed([place])} --split"
        " val"
    )


def refuse_nameless(checkpoint: str, run: Run) -> None:
    """Raise ValueError for a run without labels, whose head has never learned to name a
    class.
    """
    objective = run.config.training.objective
    if run.config.training.self_supervised:
        raise ValueError(
            f"{checkpoint} was trained by {objective!r}, without labels, and names no"
            f" classes: measure it with '{PROGRAM} probe', or train it on with --init"
        )


def run_evaluate(settings: Namespace) -> None:
    model, run = load_checkpoint(settings.checkpoint, pick_device(settings.device))
    refuse_nameless(settings.checkpoint, run)
    config = sized_for(settings.data, model.config)
    data = load_split(config, settings.split)
    if other := other_data(data, run):
        raise ValueError(other)
    describe_folder(config, data, run, settings.split)
    scores = evaluate(model, data, run.normalization)
    if not math.isfinite(scores["loss"]):
        raise FloatingPointError(
            f"the loss is {scores['loss']}: the weights of {settings.checkpoint} are of"
            " no use"
        )
    about = {
        "checkpoint": settings.checkpoint,
        "data": settings.data.name,
        "split": settings.split,
    }
    detail = in_detail(model, data, run) if settings.detail else {}
    say(json.dumps(scores | about | {"epochs": len(run.history)} | detail))


def in_detail(model: nn.Module, data: ImageSet, run: Run) -> dict:
    """A confusion matrix (row: what it is, column: what it is taken for), and each
    class's accuracy; None for a class without images.
    """
    logits = compute_logits(model, data, run.normalization)
    table = confusion(logits, data.labels.cpu())
    classes = [
        {
            "class": name,
            "accuracy": correct / count if count else None,
            "n": count,
        }
        for name, correct, count in zip(
            run.classes, table.diag().tolist(), table.sum(dim=1).tolist(), strict=True
        )
    ]
    return {"classes": classes, "confusion": table.tolist()}


def other_data(data: ImageSet, run: Run) -> str:
    """In which classes the data differ from those of the run; "" where they do not."""
    if data.classes == run.classes:
        return ""
    known = (
        "the model was trained for"
        f" {some(run.classes)}{other_classes(data.classes, run.classes)}"
    )
    return f"the data have classes {some(data.classes)}, {known}"


def describe_folder(config: DataConfig, data: ImageSet, run: Run, split: str) -> None:
    """Note what a folder was taken for, and whether the run may have trained on it."""
    if not data.origin:
        return
    note(describe(config))
    was = run.config.images.get(split, "pictures that it does not name")
    if was != data.origin and split != "test":
        note(
            f"the run's {split} split was {was!s:.60}, this is"
            f" {data.origin}: some may have trained it"
        )


def run_probe(settings: Namespace) -> None:
    model, run = load_checkpoint(settings.checkpoint, pick_device(settings.device))
    config = sized_for(settings.data, model.config)
    bank = labelled_bank(config)
    queries = load_split(config, settings.split)
    if other := other_data(queries, run):
        note(f"{other}; the probes learn those of the data")
    describe_folder(config, queries, run, settings.split)
    with warnings.catch_warnings(record=True) as caught:
        scores = probe(
            model, run.normalization, bank, queries, settings.k, settings.tokens
        )
    for warning in caught:
        note(str(warning.message))
    about = {
        "checkpoint": settings.checkpoint,
        "data": settings.data.name,
        "split": settings.split,
        "tokens": settings.tokens or model.config.pool,
    }
    say(json.dumps(scores | about | {"epochs": len(run.history)}))


def run_predict(settings: Namespace) -> int:
    model, run = load_checkpoint(settings.checkpoint, pick_device(settings.device))
    refuse_nameless(settings.checkpoint, run)
    predict(model, run, [], settings.topk)  # refuses a topk before a file is read
    code = 0
    paths = iter(settings.images)
    while part := list(itertools.islice(paths, BATCH)):
        images = {}
        for number, path in enumerate(part):
            try:
                images[number] = read_picture(path, run.config)
            except (ValueError, OSError) as error:
                note(one_line(in_words(error)).rstrip())
                code = 2
        if not images:
            continue
        found = predict(model, run, stack(list(images.values())), settings.topk)
        for number, classes in zip(images, found, strict=True):
            named = [{"class": name, "probability": share} for name, share in classes]
            say(json.dumps({"file": part[number], "classes": named}))
    return code


def run_attend(settings: Namespace) -> None:
    if not Path(settings.out).parent.is_dir():
        raise ValueError(
            f"--out is {settings.out}, but there is no folder"
            f" {Path(settings.out).parent}"
        )
    if Path(settings.out).resolve() in [
        Path(path).resolve() for path in settings.images
    ]:
        raise ValueError(f"--out is {settings.out}, which is one of the pictures")
    model, run = load_checkpoint(settings.checkpoint)
    if not isinstance(model, VisionTransformer):
        raise ValueError(
            f"{settings.checkpoint} is a {type(model).__name__}, which has no"
            " attention, expected a Vision Transformer"
        )
    choice = (settings.layer, settings.head, settings.rollout)
    check_choice(model.config, *choice)
    images, _, lines = read_all(settings.images, run.config)
    weights, titles = look_at(model, images, run, *choice)
    name = name_of(model.config, *choice)
    figure = draw_attention(images, weights, model.config.grid, titles, name)
    file = io.BytesIO()
    figure.savefig(file, format=Path(settings.out).suffix[1:] or "png")
    write_file(Path(settings.out), file.getvalue())
    for line in lines:
        note(line)
    say(f"{settings.out}: {name}, over {len(images)} image{'s' * (len(images) > 1)}")


def run_workbench(settings: Namespace) -> None:
    # no other command needs what an explorer needs
    from vit_tutorial.explorer.workbench import Subject, document, workbench

    out = Path(settings.out)
    if not settings.out or out.is_dir():
        raise ValueError(f"--out is {settings.out!r}, expected the file of the page")
    if out.resolve() in [Path(path).resolve() for path in settings.images]:
        raise ValueError(f"--out is {out}, which is one of the pictures")
    if not out.parent.is_dir():
        raise ValueError(f"--out is {out}, but there is no folder {out.parent}")
    model, run = load_checkpoint(settings.checkpoint)
    refuse_nameless(settings.checkpoint, run)
    images, paths, lines = read_all(settings.images, run.config)
    subject = Subject(
        name="model",
        title=settings.checkpoint,
        model=model,
        images=images,
        titles=[Path(path).name for path in paths],
        classes=run.classes,
        mean=run.mean,
        std=run.std,
    )
    page = document(f"{settings.checkpoint}: workbench", workbench([subject]))
    write_file(out, page.encode())
    for line in lines:
        note(line)
    say(
        f"{out}: {len(images)} picture{'s' * (len(images) > 1)} and the model,"
        f" {out.stat().st_size / 1e6:.1f} MB; open it in a browser"
    )


def run_export(settings: Namespace) -> None:
    if not settings.out:
        expected = {"web": "the folder of the files", "onnx": "the file of the model"}
        raise ValueError(f"out is '', expected {expected[settings.format]}")
    if settings.format == "onnx" and settings.dtype != "float32":
        raise ValueError(f"dtype is {settings.dtype}, the onnx format has float32")
    model, run = load_checkpoint(settings.checkpoint)
    refuse_nameless(settings.checkpoint, run)
    if settings.format == "onnx":
        if Path(settings.out).resolve() == find_weights(settings.checkpoint).resolve():
            raise ValueError(f"out is {settings.out}, which is the checkpoint itself")
        # slow to import, and no other command needs it
        from vit_tutorial.convert.onnx import export_onnx

        size = export_onnx(model, run, Path(settings.out))
        say(f"{settings.out}: onnx, {size / 1e6:.2f} MB")
        return
    size = export_web(model, run, Path(settings.out), settings.dtype)
    say(
        f"{settings.out}: model.json and model.bin, {settings.dtype},"
        f" {size / 1e6:.2f} MB"
    )


def run_download(settings: Namespace) -> None:
    download_stl10(settings.root, unlabelled=settings.unlabelled)
