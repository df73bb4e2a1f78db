"""The ViT since 2020: every difference on the page is applied to the package, run and
counted.
"""

import re
import sys
from types import ModuleType

import package
import pytest
import torch
from pages import ROOT, SMALL, fences, flat, page, sections
from torch.nn.functional import cross_entropy

# in order of import
MODEL = ("config", "patches", "embedding", "attention", "block", "model")


def indented(hunk: str, margin: int) -> tuple[list[str], list[str]]:
    """The old and the new lines of a hunk, `margin` spaces further in."""
    old, new = (
        [line[2:] for line in hunk.splitlines() if line[0] in f" {sign}"]
        for sign in "-+"
    )
    return tuple(
        [" " * margin + line if line else "" for line in lines] for lines in (old, new)
    )


def apply(diff: str) -> dict[str, str]:
    """The sources of the model's modules with a difference applied; each of its old
    lines must stand there, once.
    """
    sources = {
        name: (ROOT / "vit_tutorial" / f"{name}.py").read_text(encoding="utf-8")
        for name in MODEL
    }
    for module, body in re.findall(
        r"^=== vit_tutorial/(\w+)\.py\n(.*?)(?=^=== |\Z)",
        diff,
        re.MULTILINE | re.DOTALL,
    ):
        for scope, hunk in re.findall(
            r"^@@ (\w+)\n(.*?)(?=^@@ |\Z)", body, re.MULTILINE | re.DOTALL
        ):
            lines = sources[module].splitlines()
            spans = package.definitions(sources[module])
            first, last = (
                spans[scope]
                if scope != "imports"
                else (0, min(start for start, _ in spans.values()))
            )
            # on the page it stands at the margin
            hunks = [indented(hunk, margin) for margin in range(0, 13, 4)]
            at = [
                (n, old, new)
                for old, new in hunks
                for n in range(first, last)
                if lines[n : n + len(old)] == old
            ]
            assert len(at) == 1, (
                f"{module}.py, {scope}: the old lines of this stand there {len(at)}"
                f" times:\n{hunk}"
            )
            place, old, new = at[0]
            lines[place : place + len(old)] = new
            sources[module] = "\n".join(lines) + "\n"
    return sources


@pytest.fixture
def changed(monkeypatch):
    """A function from a difference to the changed module `vit_tutorial.model`, imported
    beside the real one.
    """

    def build(diff: str) -> ModuleType:
        for name, source in apply(diff).items():
            module = ModuleType(f"vit_tutorial.{name}")
            monkeypatch.setitem(sys.modules, module.__name__, module)
            exec(compile(source, f"{name}.py", "exec"), vars(module))
        return module

    return build


DIFFS = {
    name: fences(text, "diff")[0]
    for name, text in sections(page("since_2020")).items()
    if fences(text, "diff")
}
COSTS = {
    name: (int(parameters.replace(",", "")), int(tokens))
    for name, parameters, tokens in re.findall(
        r"^\| \[[^\]]+\]\(#([\w-]+)\) \| ([\d,]+) \| (\d+) \|$",
        page("since_2020"),
        re.MULTILINE,
    )
}
# the package has them
SETTINGS = {
    "no-class-token": {"pool": "mean"},
    "convolutional-stem": {"embedder": "stem"},
}
OTHER_SIZES = SETTINGS | {
    "attention-pooling": {"pool": "mean"},
    "distillation-token": {"positions": "learned"},
}


def test_every_change_is_in_the_table_of_costs():
    assert list(COSTS) == [
        name for name in sections(page("since_2020")) if name in SETTINGS | DIFFS
    ]


@pytest.mark.parametrize("name", COSTS)
def test_a_change_runs_and_costs_what_the_page_says(changed, name):
    model_module = changed(DIFFS.get(name, ""))
    torch.manual_seed(0)
    model = model_module.VisionTransformer(
        model_module.ViTConfig(**SMALL | OTHER_SIZES.get(name, {}))
    )
    images = torch.randn(2, 3, 96, 96)
    outputs = model(images)
    sum(
        logits.square().sum()
        for logits in (outputs if isinstance(outputs, tuple) else [outputs])
    ).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    logits, weights = model.eval()(images, return_attention=True)
    assert logits.shape == (2, 10)
    # the fused attention got the same change
    torch.testing.assert_close(logits, model(images))
    assert (model_module.count_parameters(model), weights[0].shape[-1]) == COSTS[name]


def test_the_model_as_it_is_costs_what_the_page_says(changed):
    model_module = changed("")
    parameters = model_module.count_parameters(
        model_module.VisionTransformer(model_module.ViTConfig(**SMALL))
    )
    assert f"| the model as it is | {parameters:,} | 37 |" in page("since_2020")


def test_learned_positions_have_the_parameters_the_page_says(changed):
    model_module = changed(DIFFS["distillation-token"])
    config = model_module.ViTConfig(**SMALL | {"positions": "learned"})
    positions = model_module.VisionTransformer(config).embedder.positions.numel()
    assert f"; {positions:,} of the parameters in the table are theirs" in flat(
        "since_2020"
    )


def share_of_key_bias(model_module: ModuleType) -> float:
    """The largest gradient of the key bias of a fresh model, over that of the query
    bias.
    """
    torch.manual_seed(0)
    model = model_module.VisionTransformer(model_module.ViTConfig(**SMALL)).double()
    images = torch.randn(2, 3, 96, 96, dtype=torch.float64)
    cross_entropy(model(images), torch.tensor([3, 7])).backward()
    biases = torch.stack([block.attention.qkv.bias.grad for block in model.blocks])
    query, key, _ = biases.abs().chunk(3, dim=1)
    return (key.max() / query.max()).item()


def test_the_key_bias_has_a_gradient_only_where_the_page_says_so(changed):
    assert share_of_key_bias(changed("")) < 1e-12
    normed = share_of_key_bias(changed(DIFFS["qk-norm"]))
    turned = share_of_key_bias(changed(DIFFS["rotary-positions"]))
    said = f"{100 * normed:.0f} % of the largest of the query's bias with QK-norm"
    assert f"{said}, {100 * turned:.0f} % with the rotation below" in flat("since_2020")


def test_a_probe_of_zeros_reads_the_mean(changed):
    pool = changed(DIFFS["attention-pooling"]).AttentionPool(96, 4, 1e-6)
    x = torch.randn(2, 36, 96)
    with torch.no_grad():
        assert not torch.allclose(pool(x), pool(x.roll(1, dims=0)))
        torch.testing.assert_close(pool(x), pool(x.flip(1)))  # it knows no order
        pool.probe.zero_()
        values = pool.attention.in_proj_weight[2 * 96 :]
        mean = pool.attention.out_proj(pool.norm(x).mean(dim=1) @ values.T)
        torch.testing.assert_close(pool(x), mean)


def test_rotary_scores_know_only_how_far_apart_two_patches_are(changed):
    changed(DIFFS["rotary-positions"])
    rotate = sys.modules["vit_tutorial.attention"].rotate
    # the same content everywhere
    q, k = torch.randn(2, 1, 1, 1, 24, dtype=torch.float64).expand(2, 1, 1, 37, 24)
    # from (row, column) to (row, column)
    scores = (rotate(q) @ rotate(k).mT)[0, 0, 1:, 1:].reshape(6, 6, 6, 6)
    torch.testing.assert_close(
        scores[:5, :5, :5, :5], scores[1:, 1:, 1:, 1:], rtol=0, atol=1e-5
    )
    # and they do know that
    assert (scores[0, 0] - scores[0, 0, 0, 0]).abs().flatten().sort().values[1] > 1e-3


def test_an_encoder_takes_any_patches():
    names = {}
    exec(fences(page("since_2020"), "python")[0], names)
    assert names["tokens"].shape == (2, 37, 96)
    assert [layer.shape for layer in names["weights"]] == [(2, 4, 10, 10)] * 4
    assert names["features"].shape == (2, 10, 96)
