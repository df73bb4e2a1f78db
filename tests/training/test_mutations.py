"""Hundreds of changes to a run's files, by seeded chance and by intent: each is refused
in one line before a model is built, or leaves a run that loads.
"""

import copy
import json
import os
import random
import struct
from dataclasses import replace

import pytest
import torch
from damage import joined, parts, places, with_value
from safetensors.torch import load, save
from small import MODEL, TRAIN, refused

from vit_tutorial.cli.main import main
from vit_tutorial.models import build_model
from vit_tutorial.training import checkpoint, loop
from vit_tutorial.training.checkpoint import digest, load_checkpoint
from vit_tutorial.training.loop import train

BAD = (  # values of JSON
    None,
    -1,
    0.5,
    10**6,
    10**12,
    10**400,
    1e308,
    True,
    "",
    "a\nb" * 300,
    "9" * 5000,
    [],
    [10**6] * 2,
    [None],
    {},
    {"a\nb": 1},
    {"x" * 3000: 1},
)


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The folder of a run of one epoch with a moving average; it stays as it is."""
    folder = tmp_path_factory.mktemp("whole")
    train(MODEL, data, replace(TRAIN, epochs=1, ema_decay=0.9), folder)
    return folder


@pytest.fixture
def run(whole, tmp_path):
    """A copy of the run, to be damaged."""
    for path in whole.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def built(monkeypatch):
    """The models that are built, other than on the device that holds no numbers."""
    models = []

    def build(config):
        model = build_model(config)
        if not next(model.parameters()).is_meta:
            models.append(model)
        return model

    monkeypatch.setattr(checkpoint, "build_model", build)
    monkeypatch.setattr(loop, "build_model", build)
    return models


def refuses(folder, built) -> bool:
    """Whether a run is refused: in one line, and without a model."""
    built.clear()
    try:
        load_checkpoint(folder)
    except (ValueError, OSError) as error:
        assert "\n" not in str(error) and str(folder) in str(error)
        assert not built
        return True
    return False


def must_refuse(path, contents, built):
    """Each of the contents of a file is refused."""
    for number, content in enumerate(contents):
        path.write_bytes(content)
        assert refuses(path.parent, built), (number, content[:300])


def flipped(content, chance, end):
    """The bytes with one bit changed before the place `end`."""
    changed = bytearray(content)
    changed[chance.randrange(end)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def test_a_run_that_nobody_changed_loads(run, built):
    assert not refuses(run, built) and len(built) == 1


def test_weights_cut_anywhere_are_refused(run, built):
    path = run / "model.safetensors"
    content = path.read_bytes()
    end = len(content) - len(parts(content)[1])
    chance = random.Random(0)
    lengths = [0, 1, 7, 8, 9, end - 1, end, end + 1, len(content) - 1]
    lengths += chance.sample(range(len(content)), 40)
    must_refuse(path, [content[:length] for length in lengths], built)
    must_refuse(path, [content + b"\0", content[1:], b"\0" + content], built)


def test_a_flipped_bit_of_the_header_is_refused(run, built):
    path = run / "model.safetensors"
    content = path.read_bytes()
    end = len(content) - len(parts(content)[1])
    text = content[8:end].rstrip()
    chance = random.Random(1)
    changed = [flipped(content, chance, 8 + len(text)) for _ in range(200)]
    must_refuse(path, changed, built)


def test_a_header_that_claims_what_is_not_there_is_refused(run, built):
    path = run / "model.safetensors"
    content = path.read_bytes()
    header, body = parts(content)
    first = min(header.keys() - {"__metadata__"})
    contents = []
    for value in (*BAD, [10**12], [2**63], [-1], "F8_E4M3", "I32", "C64", "Q1"):
        for key in header[first]:
            changed = copy.deepcopy(header)
            changed[first][key] = value
            contents.append(joined(changed, body))
        contents.append(joined(header | {first: value}, body))
    contents += [joined(text, body) for text in (b"", b"[]", b"null", b"[" * 10**5)]
    sizes = (0, 10**8 + 1, 2**40, 2**63, 2**64 - 1)
    contents += [struct.pack("<Q", size) + content[8:] for size in sizes]
    must_refuse(path, contents, built)


@pytest.mark.skipif(os.name == "nt", reason="files there are not sparse by themselves")
def test_a_file_of_far_more_than_the_model_is_not_read(run, built):
    path = run / "model.safetensors"
    header, body = parts(path.read_bytes())
    more = 4 * 10**9
    place = [len(body), len(body) + more]
    extra = {"dtype": "F32", "shape": [more // 4], "data_offsets": place}
    path.write_bytes(joined(header | {"extra": extra}, body))
    os.truncate(path, path.stat().st_size + more)
    with pytest.raises(ValueError, match=r"extra holds \(1000000000,\), expected not"):
        load_checkpoint(run)
    assert not built


def test_tensors_of_another_kind_number_or_value_are_refused(run, built):
    path = run / "model.safetensors"
    tensors = load(path.read_bytes())
    chance = random.Random(5)
    contents = [save({}), save(tensors | {"a\nb": torch.zeros(1)})]
    contents.append(save(tensors | {"x" * 5000: torch.zeros(1)}))
    for name, tensor in tensors.items():
        contents.append(save({one: tensors[one] for one in tensors if one != name}))
        spoilt = [tensor.flatten()[0], torch.zeros(0), tensor.int(), tensor.bool()]
        for value in (float("nan"), float("inf")):
            spoilt.append(tensor.clone())
            spoilt[-1].view(-1)[-1] = value
        contents += [
            save(tensors | {name: one.clone()}) for one in chance.sample(spoilt, 3)
        ]
    must_refuse(path, contents, built)


def test_any_value_of_a_config_is_fit_or_refused(run, built):
    path = run / "config.json"
    config = json.loads(path.read_bytes())
    chance = random.Random(2)
    refusals = 0
    for place in places(config):
        for value in chance.sample(BAD, 5):
            path.write_text(
                json.dumps(with_value(config, place, value)), encoding="utf-8"
            )
            refusals += refuses(run, built)
    assert refusals > 300


def test_a_flipped_bit_of_a_config_or_history_is_fit_or_refused(run, built):
    chance = random.Random(4)
    for name in ("config.json", "history.json"):
        content = (run / name).read_bytes()
        refusals = 0
        for _ in range(100):
            (run / name).write_bytes(flipped(content, chance, len(content)))
            refusals += refuses(run, built)
        assert 50 < refusals, name
        (run / name).write_bytes(content)


NO_JSON = [
    b"",
    b"\0",
    b"\xff",
    b"{",
    b"[" * 10**5,
    b'{"a":' * 10**5,
    b"NaN",
    b"1e999",
    b"9" * 5000,
    b'"' + b"x" * 10**6 + b'"',
    b'{"epoch": 1, "a\\nb": 2, "a\\nb": 2}',
]


@pytest.mark.parametrize("name", ["config.json", "history.json"])
def test_what_is_no_json_or_names_a_thing_twice_is_refused(run, built, name):
    content = (run / name).read_bytes()
    row = next(line for line in content.splitlines() if b": " in line)
    twice = content.replace(row, row.rstrip(b",") + b",\n" + row, 1)
    must_refuse(run / name, [*NO_JSON, content[:-3], twice], built)
    with pytest.raises(ValueError, match=r"is broken: it names '?\w+'? twice"):
        load_checkpoint(run)


@pytest.mark.parametrize("name", ["config.json", "history.json"])
def test_text_of_fifty_megabytes_is_read_and_a_larger_one_refused(run, built, name):
    path = run / name
    content = path.read_bytes()
    path.write_bytes(content + b" " * 5 * 10**7)
    assert not refuses(run, built)
    os.truncate(path, 10**8 + 1)
    assert refuses(run, built)
    with pytest.raises(ValueError, match="100,000,001 bytes, expected at most 100,"):
        load_checkpoint(run)


def test_weights_of_another_run_are_refused_wherever_they_are_asked_for(
    run, data, built, tmp_path, capsys
):
    path = run / "model.safetensors"
    content = path.read_bytes()
    picture = next((tmp_path.parent / data.root).rglob("*.png"))
    commands = [
        ["evaluate", "--checkpoint", run],
        ["probe", "--checkpoint", run],
        ["predict", "--checkpoint", run, picture],
        ["attend", "--checkpoint", run, picture, "--out", run / "a.png"],
        ["workbench", "--checkpoint", run, picture, "--out", run / "w.html"],
        ["export", "--checkpoint", run, "--format", "web", "--out", run / "web"],
        ["export", "--checkpoint", run, "--format", "onnx", "--out", run / "m.onnx"],
    ]
    before = sorted(run.iterdir())
    for spoilt in (content[:-1], b"PK" + content[2:], joined(b"{}", b"")):
        path.write_bytes(spoilt)
        for command in commands:
            assert str(path) in refused(capsys, *command)
    assert not built and sorted(run.iterdir()) == before


@pytest.mark.parametrize("setting", ["teacher", "init"])
def test_a_damaged_run_to_learn_from_is_refused(run, data, tmp_path, setting):
    path = run / "model.safetensors"
    content = path.read_bytes()
    config = replace(TRAIN, epochs=1, **{setting: str(run)})
    for spoilt in (content[:-1], b"PK" + content[2:], joined(b"{}", b"")):
        path.write_bytes(spoilt)
        with pytest.raises(ValueError, match=r"model\.safetensors") as error:
            train(MODEL, data, config, tmp_path / "new")
        assert "\n" not in str(error.value) and not (tmp_path / "new").exists()


def states(content):
    """Mutations of a state: of its bytes, and of what it says where its digest does not
    tell.
    """
    chance = random.Random(3)
    end = len(content) - len(parts(content)[1])
    yield from (content[: chance.randrange(len(content))] for _ in range(15))
    yield from (flipped(content, chance, end // 4) for _ in range(15))
    yield from (flipped(content[::-1], chance, end)[::-1] for _ in range(5))
    texts = parts(content)[0]["__metadata__"]
    tensors = load(content)
    spoilt = [
        {name: one for name, one in tensors.items() if not name.endswith("exp_avg")},
        {name: one for name, one in tensors.items() if not name.startswith("ema/")},
        {name: one for name, one in tensors.items() if not name.startswith("0/")},
        tensors | {"0/0/step": torch.zeros(2)},
        tensors | {"0/0/exp_avg": torch.tensor(0.0)},
        tensors | {"0/999/step": torch.tensor(1.0)},
        tensors | {"0/0/other": torch.tensor(1.0)},
        tensors | {"ema/steps": torch.zeros(2)},
        tensors | {"ema/steps": torch.tensor(float("inf"))},
        tensors | {"ema/head.1.bias": torch.full((2,), float("nan"))},
        tensors | {"model/head.1.bias": torch.full((2,), float("nan"))},
        tensors | {"model/a\nb": torch.zeros(1)},
    ]
    for one in spoilt:
        known = {"digest": digest(one, texts["history"])}
        yield save(one, texts | known)
    for name in ("config", "history"):
        for text in ("", "{", "3", "[" * 10**5, '{"a\\nb": 1}', "null"):
            yield save(tensors, texts | {name: text})
    for depth in (10**6, 3, 0, "2"):
        config = json.loads(texts["config"])
        config["model"]["depth"] = depth
        yield save(tensors, texts | {"config": json.dumps(config)})


def test_a_changed_state_is_not_resumed(run, data, capsys):
    path = run / "state.safetensors"
    content = path.read_bytes()
    resume = ["train", "--resume", "--out", run, "--quiet", "true"]
    for number, spoilt in enumerate(states(content)):
        path.write_bytes(spoilt)
        line = refused(capsys, *resume)
        assert "VIT_TRACEBACK" not in line, (number, line)
    path.write_bytes(content)
    assert main([str(word) for word in resume]) == 0


def test_a_state_of_far_fewer_values_than_its_config_builds_nothing(run, built, capsys):
    path = run / "state.safetensors"
    content = path.read_bytes()
    texts = parts(content)[0]["__metadata__"]
    config = json.loads(texts["config"])
    config["model"] |= {"depth": 10**5}
    path.write_bytes(save(load(content), texts | {"config": json.dumps(config)}))
    line = refused(capsys, "train", "--resume", "--out", run)
    assert "another architecture" in line and not built
