"""Runs of schema 1, as they were written before settings had the names of today."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save
from small import MODEL, TRAIN, stop_at, timeless

from vit_tutorial.augment.config import MixingConfig
from vit_tutorial.training.checkpoint import digest, load_checkpoint, read_tensors
from vit_tutorial.training.config import RENAMED
from vit_tutorial.training.loop import train
from vit_tutorial.training.migrate import SCHEMA, migrate_config


def aged_config(config):
    """A config.json as it was in schema 1."""
    training = config["training"]
    old = {"strong": {}}
    for was, now in RENAMED.items():
        part, _, name = now.rpartition(".")
        value = (training[part] if part else training).pop(name)
        (old["strong"] if part else old)[was.rpartition(".")[2]] = value
    del training["mixing"], config["schema"], config["model"]["name"]
    return config | {"training": training | old}


def age(folder, optimizers):
    """Make a run look as if an older version had written it: its average was one more
    optimiser, with the number of a step in each of its parts.
    """
    path = folder / "state.safetensors"
    tensors, texts = read_tensors(path)
    steps = tensors.pop("ema/steps")
    names = [name for name in tensors if name.startswith("ema/")]
    order = [name for name, _ in load_checkpoint(folder)[0].named_parameters()]
    for name in names:
        start = f"{optimizers}/{order.index(name.removeprefix('ema/'))}"
        tensors[f"{start}/average"] = tensors.pop(name)
        tensors[f"{start}/step"] = steps.float()
    config = json.dumps(aged_config(json.loads(texts["config"])))
    history = texts["history"]
    texts = {"config": config, "history": history, "digest": digest(tensors, history)}
    path.write_bytes(save(tensors, texts))
    (folder / "config.json").write_text(config, encoding="utf-8")


@pytest.mark.parametrize(("optimizer", "optimizers"), [("adamw", 1), ("muon", 2)])
def test_an_old_run_is_loaded_and_goes_on_as_if_nothing_had_changed(
    data, tmp_path, monkeypatch, optimizer, optimizers
):
    mixing = MixingConfig(mixup=0.8, cutmix=1.0)
    recipe = {"ema_decay": 0.9, "mixup_off_epochs": 1, "mixing": mixing}
    config = replace(TRAIN, optimizer=optimizer, **recipe)
    expected = timeless(train(MODEL, data, config, tmp_path / "whole")[1].history)
    with monkeypatch.context() as patch:
        stop_at(patch, 11, KeyboardInterrupt())  # in the third epoch
        with pytest.raises(KeyboardInterrupt):
            train(MODEL, data, config, tmp_path / "old")
    before, run = load_checkpoint(tmp_path / "old")
    age(tmp_path / "old", optimizers)
    loaded, same = load_checkpoint(tmp_path / "old")
    assert same.config == run.config and same.history == run.history
    torch.testing.assert_close(loaded.state_dict(), before.state_dict())
    _, resumed = train(MODEL, data, config, tmp_path / "old", resume=True)
    assert timeless(resumed.history) == expected
    written = json.loads((tmp_path / "old" / "config.json").read_text("utf-8"))
    assert written["schema"] == SCHEMA and written["training"]["ema_decay"] == 0.9


def test_a_run_of_a_newer_schema_is_refused():
    with pytest.raises(ValueError, match="schema 3, this package knows 1 to 2"):
        migrate_config({"schema": 3})
