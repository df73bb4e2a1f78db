"""Files with their bytes changed, and pictures that claim to be huge: what is read is
whole, or one line names the file.
"""

import hashlib
import json
import struct
import zlib
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from damage import edited, joined, parts, places, with_value
from hypothesis import given
from hypothesis import strategies as st
from oracle import MOST_OF_A_PICTURE, either_or
from PIL import Image
from small import MODEL, TRAIN
from strategies import JSON, edits, few_of

from vit_tutorial.data import stl10
from vit_tutorial.data.image_files import read_image
from vit_tutorial.data.stl10 import STL10_SIZE, read_stl10
from vit_tutorial.training.checkpoint import load_checkpoint
from vit_tutorial.training.loop import train

FILES = (ValueError, OSError)  # what a file may be refused with
TRAINED = replace(TRAIN, epochs=1, ema_decay=0.9)
# a state with other settings in it names the first of them
OTHER_SETTINGS = ("a resumed run keeps its settings",)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The files of a run of one epoch, by name, and a folder to put them in."""
    folder = tmp_path_factory.mktemp("run")
    train(MODEL, data, TRAINED, folder)
    return folder, {path.name: path.read_bytes() for path in folder.glob("*.*")}


def put(folder, files, name, content):
    """The files of a run in their folder, one of them with other content."""
    for each, bytes_of in (files | {name: content}).items():
        (folder / each).write_bytes(bytes_of)


@pytest.mark.parametrize("name", ["config.json", "history.json", "model.safetensors"])
def test_a_run_of_other_bytes_loads_or_names_its_file(whole, name):
    folder, files = whole

    @few_of(0.5)
    @given(edits())
    def tried(changes):
        put(folder, files, name, edited(files[name], changes))
        either_or(f"bytes of {name}", lambda: load_checkpoint(folder), [folder], FILES)

    tried()


@pytest.mark.parametrize("name", ["config.json", "history.json"])
def test_a_run_of_other_json_loads_or_names_its_file(whole, name):
    folder, files = whole
    value = json.loads(files[name])
    where = st.sampled_from([(), *places(value)])

    @few_of(0.5)
    @given(st.lists(st.tuples(where, JSON), min_size=1, max_size=3))
    def tried(changes):
        changed = value
        for place, other in changes:
            changed = with_value(changed, place, other)
        put(folder, files, name, json.dumps(changed).encode())
        either_or(f"values of {name}", lambda: load_checkpoint(folder), [folder], FILES)

    tried()


@pytest.mark.parametrize("name", ["model.safetensors", "state.safetensors"])
def test_a_header_of_other_json_loads_or_names_its_file(whole, data, name):
    folder, files = whole
    header, body = parts(files[name])
    where = st.sampled_from([(), *places(header)])

    def read():
        if name == "model.safetensors":
            load_checkpoint(folder)
        else:
            train(MODEL, data, TRAINED, folder, resume=True)

    @few_of(0.5)
    @given(st.lists(st.tuples(where, JSON), min_size=1, max_size=3))
    def tried(changes):
        changed = header
        for place, other in changes:
            changed = with_value(changed, place, other)
        put(folder, files, name, joined(changed, body))
        either_or(f"header of {name}", read, [folder, *OTHER_SETTINGS], FILES)

    tried()


def test_a_state_of_other_bytes_is_resumed_or_named(whole, data):
    folder, files = whole
    name = "state.safetensors"

    def resume():
        train(MODEL, data, TRAINED, folder, resume=True)

    @few_of(0.5)
    @given(edits())
    def tried(changes):
        put(folder, files, name, edited(files[name], changes))
        either_or(f"bytes of {name}", resume, [folder, *OTHER_SETTINGS], FILES)

    tried()


def drawn(kind):
    """A small picture in a file format; None where this Pillow does not write it."""
    pixels = np.random.default_rng(0).integers(256, size=(24, 17, 3), dtype=np.uint8)
    file = BytesIO()
    try:
        Image.fromarray(pixels).save(file, format=kind)
    except (KeyError, OSError):
        return None
    return file.getvalue()


KINDS = ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000", "BMP", "ICO", "PPM")
PICTURES = {kind: content for kind in KINDS if (content := drawn(kind))}


def read_at(path, size):
    found = read_image(path, size)
    assert found.shape == (3, *size) and found.dtype == torch.uint8


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_of_other_bytes_is_read_or_named(tmp_path, kind):
    path = tmp_path / "picture"

    @few_of(1)
    @given(edits(), st.tuples(st.integers(1, 40), st.integers(1, 40)))
    def tried(changes, size):
        path.write_bytes(edited(PICTURES[kind], changes))
        either_or(
            f"picture: {kind}",
            lambda: read_at(path, size),
            [path],
            FILES,
            MOST_OF_A_PICTURE,
        )

    tried()


def chunk(name, content):
    """A chunk of PNG with its checksum."""
    end = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + end


def bomb(kind, columns, rows):
    """A few bytes that claim to be a picture of so many pixels."""
    if kind == "PNG":
        sizes = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
        packed = zlib.compress(bytes(10**6))
        head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", sizes)
        return head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    if kind == "BMP":
        sizes = struct.pack("<IiiHHIIiiII", 40, columns, rows, 1, 24, *[0] * 6)
        return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + sizes
    if kind == "PPM":
        return f"P6 {columns} {rows} 255\n".encode()
    sizes = struct.pack("<HHBBB", columns % 2**16, rows % 2**16, 0x80, 0, 0)
    frame = struct.pack("<BHHHHB", 0x2C, 0, 0, columns % 2**16, rows % 2**16, 0)
    return b"GIF89a" + sizes + bytes(6) + frame + b"\x02\x02\x44\x01\x00;"


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "GIF"])
def test_a_picture_that_claims_to_be_huge_is_refused_at_once(tmp_path, kind):
    path = tmp_path / "bomb"
    sides = st.integers(1, 2**16 - 1) | st.integers(2**15, 2**31 - 1)

    @few_of(1)
    @given(sides, sides)
    def tried(columns, rows):
        path.write_bytes(bomb(kind, columns, rows))
        either_or(
            f"bomb: {kind}",
            lambda: read_at(path, (8, 8)),
            [path],
            FILES,
            MOST_OF_A_PICTURE,
        )

    tried()


@pytest.mark.parametrize("known", [False, True])
def test_other_files_of_stl10_are_read_or_named(tmp_path, monkeypatch, known):
    """Where `known` the mutilated files are the official ones: no MD5 tells."""
    folder = tmp_path / "stl10_binary"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(256, size=3 * 3 * STL10_SIZE**2)
    official = {
        "train_X.bin": pixels.astype(np.uint8).tobytes(),
        "train_y.bin": bytes([1, 10, 3]),
    }

    def read():
        assert read_stl10(tmp_path, "train").images.shape == (3, 3, 96, 96)

    @few_of(0.5)
    @given(st.sampled_from(sorted(official)), edits())
    def tried(name, changes):
        files = official | {name: edited(official[name], changes) or b"\1"}
        for each, content in files.items():
            (folder / each).write_bytes(content)
        told = files if known else official
        monkeypatch.setattr(
            stl10,
            "STL10_FILES",
            {one: (len(told[one]), hashlib.md5(told[one]).hexdigest()) for one in told},
        )
        either_or("files of STL-10", read, [folder], FILES)

    tried()
