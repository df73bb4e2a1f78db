"""The forward pass in JavaScript equals PyTorch's, whatever is taken away from it."""

import base64
import copy
import json
import math
import re
from contextlib import nullcontext
from functools import partial

import browser
import pytest
import torch
from engine import SOURCE, Outcome, compute, exported, run_of, unlike_fresh
from modules import javascript
from torch import nn

from vit_tutorial.config import ViTConfig
from vit_tutorial.convert.web import export_web, web_tensors
from vit_tutorial.interpret.interventions import drop_patches, without_positions
from vit_tutorial.interpret.lens import logit_lens, patch_lens
from vit_tutorial.training.checkpoint import load_checkpoint, shipped_names

chromium, guarded = browser.chromium, browser.guarded

TOLERANCE = 1e-4
ODD = {
    "manual": ViTConfig((12, 20), 4, 2, 5, dim=12, depth=2, heads=3, embedder="manual"),
    "manual-mean": ViTConfig(
        15, 5, 1, 3, dim=8, depth=1, heads=1, pool="mean", embedder="manual"
    ),
    "one-patch": ViTConfig(
        7, 7, 3, 2, dim=10, depth=2, heads=5, pool="mean", embedder="manual"
    ),
    "convolutional": ViTConfig(
        (21, 14), 7, 4, 11, dim=20, depth=3, heads=2, positions="sincos"
    ),
    "scaled": ViTConfig(
        18, 6, 3, 1, dim=12, depth=2, heads=2, mlp_ratio=1.5, name="layer-scale"
    ),
    "both": ViTConfig(
        (10, 5),
        5,
        dim=12,
        depth=2,
        heads=4,
        name="stochastic-depth-and-layer-scale",
    ),
    "stem": ViTConfig((24, 36), 12, 3, 4, dim=20, depth=2, heads=2, embedder="stem"),
    "stem-mean": ViTConfig(
        (15, 25),
        5,
        1,
        3,
        dim=8,
        depth=2,
        heads=2,
        embedder="stem",
        pool="mean",
        positions="sincos",
        name="stochastic-depth",
    ),
    "stem-pixels": ViTConfig(3, 1, 2, 3, dim=4, depth=1, heads=1, embedder="stem"),
    "hybrid": ViTConfig((16, 24), 8, 3, 6, dim=24, depth=2, heads=3, embedder="hybrid"),
    "hybrid-mean": ViTConfig(
        (30, 18),
        6,
        2,
        4,
        dim=16,
        depth=2,
        heads=2,
        embedder="hybrid",
        pool="mean",
        positions="sincos",
        norm_eps=1e-3,
    ),
    "nowhere": ViTConfig(12, 4, dim=8, depth=2, heads=2, name="no-positions"),
    "uniform": ViTConfig(12, 4, dim=8, depth=2, heads=2, name="uniform-start"),
    "mimetic": ViTConfig(12, 4, dim=8, depth=2, heads=2, name="mimetic-start"),
    "as-a-convolution": ViTConfig(
        12,
        4,
        dim=8,
        depth=2,
        heads=2,
        positions="sincos",
        name="convolutional-start",
    ),
    "hybrid-prime": ViTConfig(
        (6, 9), 3, 1, 2, dim=6, depth=1, heads=2, embedder="hybrid"
    ),
}


@torch.no_grad()
def expected(model, image, keep=None, silence=(), patch=(), positions=True):
    """The same in PyTorch, block by block, in double precision: in single precision it
    is itself nearly 1e-4 off where a state reaches 110, as in stl10-small.
    """
    config = model.config
    model = copy.deepcopy(model).double()
    with nullcontext() if positions else without_positions(model):
        x = model.embed(image[None].double())
    first = int(config.pool == "cls")
    if keep is not None:
        x = torch.cat([x[:, :first], x[:, [first + one for one in keep]]], dim=1)
    for one in silence:
        quieten(model, **one)
    attention = []
    states = []
    for layer in range(config.depth + 1):
        if layer:
            x, weights = model.blocks[layer - 1](x, True)
            attention.append(weights[0])
        for one in patch:
            if one["layer"] == layer:
                x[:, one["token"]] = one["state"]
        states.append(x[0].clone())
    lens = [model.classify(state[None])[0] for state in states]
    patches = [model.head(state[first:]) for state in states]
    return Outcome(lens[-1], attention, states, lens, patches)


def quieten(model, layer, head=None, part=None):
    """Silence a head, or a branch, of a block from now on."""
    block = model.blocks[layer]
    if head is not None:
        block.attention.out.register_forward_pre_hook(
            partial(without_head, head=head, heads=model.config.heads)
        )
    else:
        getattr(block, part).register_forward_hook(without_branch)


def without_head(module, inputs, head, heads):
    mixed = inputs[0].unflatten(-1, (heads, -1)).clone()
    mixed[:, :, head] = 0
    return (mixed.flatten(-2),)


def without_branch(module, inputs, output):
    if isinstance(output, tuple):
        return torch.zeros_like(output[0]), output[1]
    return torch.zeros_like(output)


def assert_same(found, wanted):
    assert found.error == ""
    for mine, theirs in zip(arrays(found), arrays(wanted), strict=True):
        torch.testing.assert_close(mine, theirs.float(), atol=TOLERANCE, rtol=0)


def arrays(one):
    lenses = [*one.logit_lens, *one.patch_lens]
    return [one.logits, *one.attention, *one.states, *lenses]


def image_for(config, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(config.channels, *config.sides, generator=generator)


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """The folder of each odd model's export, and the model."""
    folder = tmp_path_factory.mktemp("odd")
    return {name: (folder / name, exported(ODD[name], folder / name)) for name in ODD}


@pytest.fixture(scope="module")
def plain_outcomes(odd, tmp_path_factory):
    """What the engine gives for all models, shipped and odd, one picture each."""
    folder = tmp_path_factory.mktemp("plain")
    models = dict(odd)
    for name in shipped_names():
        model, run = load_checkpoint(name)
        export_web(model, run, folder / name)
        models[name] = (folder / name, model)
    images = {name: image_for(model.config) for name, (_, model) in models.items()}
    cases = [
        (path, model.config, images[name], {}) for name, (path, model) in models.items()
    ]
    outcomes = compute(folder, cases)
    return {
        name: (models[name][1], images[name], outcome)
        for name, outcome in zip(models, outcomes, strict=True)
    }


@pytest.mark.parametrize("name", [*ODD, *shipped_names()])
def test_every_model_computes_as_in_pytorch(plain_outcomes, name):
    model, image, found = plain_outcomes[name]
    assert_same(found, expected(model, image))
    with torch.no_grad():
        logits, attention = model(image[None], return_attention=True)
    torch.testing.assert_close(found.logits, logits[0], atol=TOLERANCE, rtol=0)
    for mine, theirs in zip(found.attention, attention, strict=True):
        torch.testing.assert_close(mine, theirs[0], atol=TOLERANCE, rtol=0)
        torch.testing.assert_close(mine.sum(dim=-1), torch.ones(mine.shape[:2]))
    for mine, lens in ((found.logit_lens, logit_lens), (found.patch_lens, patch_lens)):
        wanted = lens(model, image[None])[:, 0]
        torch.testing.assert_close(torch.stack(mine), wanted, atol=TOLERANCE, rtol=0)


def interventions(config):
    """Every head, every branch, some patches, some states, and all at once."""
    first = int(config.pool == "cls")
    patches = math.prod(config.grid)
    generator = torch.Generator().manual_seed(2)
    layers = range(config.depth)
    silenced = [
        {"layer": one, "head": h} for one in layers for h in range(config.heads)
    ]
    silenced += [
        {"layer": one, "part": part} for one in layers for part in ("attention", "mlp")
    ]
    written = [
        {
            "layer": layer,
            "token": layer % (patches + first),
            "state": torch.randn(config.dim, generator=generator),
        }
        for layer in range(config.depth + 1)
    ]
    kept = torch.randperm(patches, generator=generator)[: (patches + 1) // 2].tolist()
    last = [one | {"token": len(kept) + first - 1} for one in written]
    yield from ({"silence": [one]} for one in silenced)
    yield from ({"patch": [one]} for one in written)
    yield {"keep": kept}
    yield {"keep": kept[:1]}
    if first:
        yield {"keep": []}
    yield {"positions": False}
    yield {"keep": kept, "silence": silenced[::2], "patch": last}
    yield {"positions": False, "keep": kept, "silence": silenced[::2], "patch": last}
    yield {"silence": silenced, "patch": written}


def test_interventions_are_those_of_pytorch(odd, tmp_path):
    cases = [
        (path, model.config, image_for(model.config), options)
        for path, model in odd.values()
        for options in interventions(model.config)
    ]
    models = {path: model for path, model in odd.values()}
    for case, found in zip(cases, compute(tmp_path, cases), strict=True):
        path, _, image, options = case
        assert_same(found, expected(models[path], image, **options))
        if options.keys() == {"keep"}:
            kept = torch.tensor([options["keep"]], dtype=torch.long)
            logits = drop_patches(models[path], image[None], kept)[0]
            torch.testing.assert_close(found.logits, logits, atol=TOLERANCE, rtol=0)


def test_an_intervention_changes_something(odd, tmp_path):
    """Each of them: no comparison above is of nothing with nothing."""
    path, model = odd["hybrid"]
    options = list(interventions(model.config))
    image = image_for(model.config)
    cases = [(path, model.config, image, one) for one in [{}, *options]]
    plain, *others = compute(tmp_path, cases)
    for other in others:
        last = other.states[-1]
        fewer = len(last) < len(plain.states[-1])
        assert fewer or (last - plain.states[-1]).abs().max() > 1e-3


ONE_EMBEDDING = """
import { readFileSync } from "node:fs";
import { embed, encode, forward, load } from "./vit.js";
function ask([folder, pixels, ...options]) {
  const json = JSON.parse(readFileSync(`${folder}/model.json`, "utf8"));
  const model = load(json, readFileSync(`${folder}/model.bin`));
  const tokens = embed(model, Float32Array.from(pixels));
  const plain = ({ logits, attention, states }) =>
    [logits, ...attention, ...states].map((values) => [...values]);
  return options.map((one) => [
    plain(encode(model, tokens, one)), plain(forward(model, pixels, one)),
  ]);
}"""


def test_one_embedding_serves_many_calls(odd):
    """None of them changes it, so that the last gives what the first gave."""
    path, model = odd["hybrid"]
    written = {"layer": 0, "token": 1, "state": [1.0] * model.config.dim}
    options = [
        {},
        {"patch": [written]},
        {"silence": [{"layer": 0, "part": "mlp"}]},
        {"keep": [4, 1], "patch": [written]},
        {},
    ]
    pixels = image_for(model.config).flatten().tolist()
    asked = json.dumps([str(path), pixels, *options])
    found = javascript(ONE_EMBEDDING, f"ask({asked})")
    for of_tokens, of_pixels in found:
        assert of_tokens == of_pixels
    assert found[0] == found[-1] != found[1]


def test_tokens_that_do_not_fit_are_named():
    imports = 'import { encode } from "./vit.js";'
    model = "{ config: { depth: 0, dim: 4 }, weights: {} }"
    call = f"(() => {{ try {{ encode({model}, new Float64Array(6)); }}"
    said = javascript(
        imports, f"{call} catch ({{ message }}) {{ return message; }} }})()"
    )
    assert said == "tokens are 6 values, expected a multiple of 4"


@torch.no_grad()
def rounded(model):
    """The model with the weights that half precision keeps, batch norms folded."""
    halves = {
        name: tensor.half().float() for name, tensor in web_tensors(model).items()
    }
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            halves[f"{name}.running_mean"] = torch.zeros_like(module.running_mean)
            halves[f"{name}.running_var"] = 1 - torch.full_like(
                module.running_var, module.eps
            )
    model.embedder.positions.copy_(halves["embedder.positions"])
    model.load_state_dict(halves, strict=False)
    return model


def test_half_precision_computes_with_the_rounded_weights(tmp_path):
    names = ("hybrid", "stem", "convolutional", "manual")
    models = [exported(ODD[name], tmp_path / name, dtype="float16") for name in names]
    images = [image_for(model.config) for model in models]
    cases = [
        (tmp_path / name, model.config, image, {})
        for name, model, image in zip(names, models, images, strict=True)
    ]
    outcomes = compute(tmp_path, cases)
    for model, image, found in zip(models, images, outcomes, strict=True):
        assert_same(found, expected(rounded(model), image))


def test_every_number_of_half_precision_is_read(tmp_path):
    """Those below the normal ones, too: as biases of as many classes, which are the
    logits where the head's weights are zero.
    """
    halves = torch.arange(2**16, dtype=torch.int32).to(torch.int16).view(torch.float16)
    halves = halves[halves.isfinite()].float()
    config = ViTConfig(4, 4, 1, len(halves), dim=4, depth=1, heads=1, embedder="manual")
    model = unlike_fresh(config)
    nn.init.zeros_(model.head[1].weight)
    model.head[1].bias.data = halves
    export_web(model, run_of(config), tmp_path / "export", "float16")
    case = (tmp_path / "export", config, image_for(config), {})
    (found,) = compute(tmp_path, [case])
    assert torch.equal(found.logits, halves)


MISTAKES = [
    ({"keep": [0, 6]}, "keep is [0,6], expected patches from 0 to 5"),
    ({"keep": [1, 1]}, "keep is [1,1], expected each patch at most once"),
    ({"keep": [0.5]}, "keep is [0.5], expected patches from 0 to 5"),
    ({"silence": [{"layer": 2, "head": 0}]}, "layer is 2, expected 0 to 1"),
    (
        {"silence": [{"layer": 0, "head": 3}]},
        "head is 3 and part undefined, expected a head from 0 to 2, or part"
        ' "attention" or "mlp"',
    ),
    (
        {"silence": [{"layer": 0, "part": "norm"}]},
        "head is undefined and part norm, expected a head from 0 to 2, or part"
        ' "attention" or "mlp"',
    ),
    (
        {"patch": [{"layer": 3, "token": 0, "state": torch.zeros(24)}]},
        "layer is 3, expected 0 to 2",
    ),
    (
        {"patch": [{"layer": 0, "token": 7, "state": torch.zeros(24)}]},
        "token is 7, expected 0 to 6",
    ),
    (
        {"patch": [{"layer": 0, "token": 0, "state": torch.zeros(23)}]},
        "state is 23 values, expected 24",
    ),
]


def test_an_intervention_that_cannot_be_is_named(odd, tmp_path):
    path, model = odd["hybrid"]
    image = image_for(model.config)
    nothing, bare = odd["manual-mean"]
    cases = [(path, model.config, image, options) for options, _ in MISTAKES]
    cases += [
        (path, model.config, image[:2], {}),
        (nothing, bare.config, image_for(bare.config), {"keep": []}),
    ]
    wanted = [says for _, says in MISTAKES]
    wanted += [
        "pixels are 768 values, expected 3 x 16 x 24",
        "keep is empty and the model has no class token",
    ]
    found = [one.error for one in compute(tmp_path, cases)]
    assert found == [f"Error: {says}" for says in wanted]


def test_what_is_no_export_is_named(odd, tmp_path):
    path, model = odd["manual"]
    described = json.loads((path / "model.json").read_text(encoding="utf-8"))
    size = described["bytes"]
    halved = {"dtype": "bfloat16", "shape": [1], "offset": 0}
    wrong = [
        ({"format": 2}, 0, "model.json is of format 2, expected 1"),
        (
            {"config": described["config"] | {"name": "cnn"}},
            0,
            "the model is cnn with embedder manual, expected a Vision Transformer of"
            " this package",
        ),
        (
            {"config": described["config"] | {"embedder": "toString"}},
            0,
            "the model is vit with embedder toString, expected a Vision Transformer of"
            " this package",
        ),
        ({}, 1, f"model.bin has {size - 1} bytes, expected {size}"),
        (
            {"tensors": {"head.0.bias": halved}},
            0,
            "a tensor is of bfloat16, expected float32 or float16",
        ),
    ]
    cases = []
    for number, (change, missing, _) in enumerate(wrong):
        folder = tmp_path / str(number)
        folder.mkdir()
        content = (path / "model.bin").read_bytes()
        (folder / "model.bin").write_bytes(content[: size - missing])
        (folder / "model.json").write_text(
            json.dumps(described | change), encoding="utf-8"
        )
        cases.append((folder, model.config, image_for(model.config), {}))
    found = [one.error for one in compute(tmp_path, cases)]
    assert found == [f"Error: {says}" for _, _, says in wrong]


IN_A_WORKER = """async ([source, json, weights, pixels]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const code = source + `
    onmessage = ({ data: [json, buffer, pixels] }) => {
      const result = forward(load(json, buffer), pixels);
      const all = [result.logits, ...result.attention, ...result.states];
      postMessage(result, all.map(({ buffer }) => buffer));
    };`;
  const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const worker = new Worker(address);
  const { promise, resolve, reject } = Promise.withResolvers();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message }) => reject(new Error(message));
  const picture = new Float32Array(bytes(pixels).buffer);
  worker.postMessage([json, bytes(weights).buffer, picture], [picture.buffer]);
  const { logits, attention, states } = await promise;
  worker.terminate();
  return [logits, attention.at(-1), states.at(-1)].map((values) => [...values]);
}"""


def test_a_worker_of_a_page_from_a_file_computes_the_same(guarded, tmp_path):
    """In Chromium, which takes no module for a worker there: the bundle, too, is a
    plain script. What comes back was transferred.
    """
    model, run = load_checkpoint("stacks")
    export_web(model, run, tmp_path)
    image = image_for(model.config)
    (tmp_path / "page.html").write_text("<!doctype html>", encoding="utf-8")
    guarded.page.goto((tmp_path / "page.html").as_uri())
    found = guarded.page.evaluate(
        IN_A_WORKER,
        [
            SOURCE.read_text(encoding="utf-8").replace("export function", "function"),
            json.loads((tmp_path / "model.json").read_text(encoding="utf-8")),
            base64.b64encode((tmp_path / "model.bin").read_bytes()).decode(),
            base64.b64encode(image.numpy().tobytes()).decode(),
        ],
    )
    wanted = expected(model, image)
    for mine, theirs in zip(
        found, (wanted.logits, wanted.attention[-1], wanted.states[-1]), strict=True
    ):
        torch.testing.assert_close(
            torch.tensor(mine), theirs.float().flatten(), atol=TOLERANCE, rtol=0
        )
    guarded.assert_clean()


def test_the_engine_imports_nothing_and_touches_no_page():
    source = re.sub(r"//.*", "", SOURCE.read_text(encoding="utf-8"))
    words = set(re.findall(r"[A-Za-z_]\w*", source))
    assert not words & {"import", "require", "document", "window", "fetch", "self"}
