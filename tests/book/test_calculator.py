"""The calculator page against the real model: parameters, FLOPs and kept tensors as
PyTorch counts them.
"""

import re
from itertools import product
from pathlib import Path
from urllib.parse import parse_qs

import browser
import pytest
import torch
import yaml
from modules import javascript
from playwright.sync_api import Locator, Page
from torch.utils.flop_counter import FlopCounterMode

from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer, count_parameters

chromium = browser.chromium
guarded = browser.guarded

ROOT = Path(__file__).parents[2]
SIZES = product(
    [(32, 48, 3, 8), (28, 28, 1, 4)],  # rows, columns, channels, patch
    [(24, 2, 3), (20, 1, 5)],  # width, depth, heads
    [(4, 10), (1.625, 2)],  # MLP ratio, classes: 20 * 1.625 is 32.5 hidden units
    [("cls", "learned"), ("mean", "sincos"), ("cls", "sincos")],
    ["float32", "mixed"],
)
CONFIGS = [
    dict(
        rows=rows,
        columns=columns,
        channels=channels,
        patch=patch,
        width=width,
        depth=depth,
        heads=heads,
        ratio=ratio,
        classes=classes,
        pool=pool,
        positions=positions,
        precision=precision,
        batch=2,
    )
    for (rows, columns, channels, patch), (width, depth, heads), (ratio, classes), (
        pool,
        positions,
    ), precision in SIZES
]
LARGEST = {
    "rows": 16384,
    "columns": 16384,
    "patch": 1,
    "width": 65536,
    "depth": 1024,
    "heads": 1,
    "ratio": 64,
    "channels": 1024,
    "classes": 10**6,
    "batch": 10**6,
}
ROWS = (
    "table => [...table.tBodies[0].rows].map(row => [...row.cells].map(cell =>"
    " cell.dataset.value ?? cell.innerText))"
)


def vit_config(c: dict) -> ViTConfig:
    return ViTConfig(
        image_size=(c["rows"], c["columns"]),
        patch_size=c["patch"],
        channels=c["channels"],
        classes=c["classes"],
        dim=c["width"],
        depth=c["depth"],
        heads=c["heads"],
        mlp_ratio=c["ratio"],
        pool=c["pool"],
        positions=c["positions"],
    )


def raw_html() -> str:
    """What the page's raw blocks put into the site, in order."""
    blocks = re.findall(
        r"^```\{raw\} html\n(.*?)^```$",
        (ROOT / "book" / "calculator.md").read_text(encoding="utf-8"),
        re.M | re.S,
    )
    files = [re.match(r":file: (\S+)", block) for block in blocks]
    return "\n".join(
        (ROOT / "book" / file[1]).read_text(encoding="utf-8") if file else block
        for file, block in zip(files, blocks, strict=True)
    )


@pytest.fixture
def opened(guarded, tmp_path) -> Page:
    """The calculator on a page of its own, opened from the disk; its functions within
    reach of the test.
    """
    head = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport"'
        ' content="width=device-width">'
    )
    within = "Object.assign(window, { cost, wrong, PRESETS });\n</script>"
    (tmp_path / "page.html").write_text(
        f"{head}<title>t</title><body>{raw_html().replace('</script>', within)}",
        encoding="utf-8",
    )
    guarded.page.goto((tmp_path / "page.html").as_uri())
    yield guarded.page
    guarded.assert_clean()


def field(page: Page, name: str) -> Locator:
    return page.locator(f".vit-calculator [name={name}]")


def numbers(page: Page, name: str) -> dict[str, list[float]]:
    """A table of the page: row -> its numbers."""
    return {
        row: [float(value) for value in values]
        for row, *values in page.locator(f"table.{name}").evaluate(ROWS)
    }


def counted(config: ViTConfig) -> tuple[dict[str, int], dict[str, int]]:
    """Parameters by part and FLOPs of one image by module, from the model itself
    (without memory for its weights).
    """
    with torch.device("meta"):
        model = VisionTransformer(config)
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, config.channels, *config.sides))
    blocks = model.blocks
    parameters = {
        "patch embedder": count_parameters(model.embedder.projection),
        "class token": (
            model.embedder.class_token.numel() if config.pool == "cls" else 0
        ),
        "positions": (
            model.embedder.positions.numel() if config.positions == "learned" else 0
        ),
        "attention: its four maps": sum(
            count_parameters(block.attention) for block in blocks
        ),
        "attention: scores, mix": 0,
        "MLP": sum(count_parameters(block.mlp) for block in blocks),
        "norms of the blocks": sum(
            count_parameters(block.norm1) + count_parameters(block.norm2)
            for block in blocks
        ),
        "head, with its norm": count_parameters(model.head),
        "total": count_parameters(model),
    }
    return parameters, {
        name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()
    }


def assert_equal(found: dict, config: ViTConfig) -> None:
    """Every part's parameters and FLOPs are those of the model."""
    parameters, flops = counted(config)
    assert {name: count for name, (count, _) in found["parts"].items()} | {
        "total": found["parameters"]
    } == parameters
    assert found["T"] == config.tokens
    multiplies = {name: count for name, (_, count) in found["parts"].items()}
    assert 2 * found["multiplies"] == flops["Global"] == 2 * sum(multiplies.values())
    of = {
        name: sum(
            flops[f"VisionTransformer.blocks.{n}.{name}"] for n in range(config.depth)
        )
        for name in ("attention", "mlp")
    }
    assert (
        2
        * (
            multiplies["attention: its four maps"]
            + multiplies["attention: scores, mix"]
        )
        == of["attention"]
    )
    assert 2 * multiplies["MLP"] == of["mlp"]
    assert 2 * multiplies["patch embedder"] == flops["VisionTransformer.embedder"]
    assert found["share"] == pytest.approx(
        2 * multiplies["attention: scores, mix"] / sum(of.values())
    )


def test_small_models_agree_with_pytorch(opened):
    for c in CONFIGS[::5]:
        assert opened.evaluate("wrong", c) is None
        assert_equal(opened.evaluate("cost", c), vit_config(c))


def test_presets_agree_with_pytorch_and_with_the_configs(opened):
    presets = opened.evaluate("PRESETS")
    assert len(presets) >= 11
    for name, preset in presets.items():
        found = opened.evaluate("cost", preset | {"batch": 1, "precision": "float32"})
        assert_equal(found, vit_config(preset))
        if not name.startswith("ViT"):
            settings = yaml.safe_load(
                (ROOT / "vit_tutorial" / "configs" / f"{name}.yaml").read_text(
                    encoding="utf-8"
                )
            )
            settings["model"].pop("dropout", None)  # costs nothing that is counted
            same = ViTConfig(**settings["model"])
            assert vars(vit_config(preset)) | {"image_size": same.image_size} == vars(
                same
            )


def test_a_training_step_is_about_three_forward_passes():
    with torch.device("meta"):
        model = VisionTransformer(
            ViTConfig(
                image_size=224, patch_size=16, dim=768, depth=12, heads=12, classes=1000
            )
        )
        with FlopCounterMode(display=False) as counter:
            model(torch.zeros(2, 3, 224, 224)).sum().backward()
    assert counter.get_total_flops() == pytest.approx(3 * 2 * 35_127_656_448, rel=0.01)


def kept(config: ViTConfig, batch: int, mixed: bool) -> int:
    """Bytes that autograd keeps for the backward pass, weights left out, copies of
    weights included.
    """
    model = VisionTransformer(config)
    storages = {}
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            # held, so that no address comes twice
            storages[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    images = torch.randn(batch, config.channels, *config.sides)
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
        torch.autocast("cpu", torch.bfloat16, enabled=mixed),
    ):
        model(images)
    return sum(size for size, _ in storages.values())


def test_memory_is_what_pytorch_keeps(opened):
    for c in CONFIGS:
        memory = opened.evaluate("cost", c)["memory"]
        copies = memory["bfloat16 copies of matrices"]
        activations = memory["kept for the backward pass"]
        assert copies + activations == kept(
            vit_config(c), c["batch"], c["precision"] == "mixed"
        ), c
        model = VisionTransformer(vit_config(c))
        optimizer = torch.optim.AdamW(model.parameters())
        model(torch.randn(1, c["channels"], c["rows"], c["columns"])).sum().backward()
        optimizer.step()
        averages = [
            state[name]
            for state in optimizer.state.values()
            for name in ("exp_avg", "exp_avg_sq")
        ]
        assert memory["weights"] == sum(
            parameter.nbytes for parameter in model.parameters()
        )
        assert memory["gradients"] == sum(
            parameter.grad.nbytes for parameter in model.parameters()
        )
        assert memory["AdamW's two averages"] == sum(
            average.nbytes for average in averages
        )


def test_the_page_shows_what_it_counts(opened):
    assert field(opened, "preset").input_value() == "ViT-B/16"
    assert numbers(opened, "parts")["total"] == [86_567_656, 17_563_828_224]
    for name in ("stacks", "ViT-S/32"):
        field(opened, "preset").select_option(name)
        found = opened.evaluate(
            "name => cost({...PRESETS[name], batch: 64, precision: 'float32'})", name
        )
        parts = numbers(opened, "parts")
        assert parts.pop("total") == [found["parameters"], found["multiplies"]]
        assert parts == found["parts"]
        memory = numbers(opened, "memory")
        assert memory.pop("together") == [sum(found["memory"].values())]
        assert memory == {row: [size] for row, size in found["memory"].items() if size}
        config = eval(opened.locator("code").inner_text(), {"ViTConfig": ViTConfig})
        assert count_parameters(VisionTransformer(config)) == found["parameters"]
        assert (
            float(opened.locator("[data-name=share]").get_attribute("data-value"))
            == found["share"]
        )
        assert (
            float(opened.locator("[data-name=step]").get_attribute("data-value"))
            == 6 * 64 * found["multiplies"]
        )
        assert f"T = {found['T']} tokens" in opened.get_by_role("status").inner_text()


def test_large_counts_are_said_to_three_digits_with_their_unit():
    said = {
        0: "0",
        999_700: "999,700",
        1_000_000: "1.00 million",
        86_567_656: "86.6 million",
        999_400_000: "999 million",
        999_700_000: "1.00 billion",
        35_127_656_448: "35.1 billion",
        999_499_999_999: "999 billion",
        999_500_000_000: "1.00 trillion",
        999_700_000_000_000: "1.00 quadrillion",
        1.513e15: "1.51 quadrillion",
        9.995e17: "1,000 quadrillion",
        5.83e31: "58,300,000,000,000,000 quadrillion",
    }
    script = (ROOT / "book" / "calculator.js").read_text(encoding="utf-8")
    assert javascript(script, f"{list(said)}.map(words)") == list(said.values())
    # a training step of ViT-L/16 with a batch of 4096
    step = "words(6 * 4096 * cost({ ...PRESETS['ViT-L/16'], batch: 4096 }).multiplies)"
    assert javascript(script, step) == "1.51 quadrillion"


def test_a_field_changes_everything_by_keyboard(opened):
    depth = opened.get_by_label("depth (blocks)", exact=True)
    depth.focus()
    depth.press("ArrowUp")
    assert depth.input_value() == "13"
    assert field(opened, "preset").input_value() == ""
    opened.get_by_label("precision").select_option("mixed")
    assert "bfloat16 copies of matrices" in numbers(opened, "memory")
    with_token = numbers(opened, "parts")["total"][0]
    opened.get_by_label("the head reads").select_option("mean")
    # the token and its position
    assert numbers(opened, "parts")["total"][0] == with_token - 2 * 768


@pytest.mark.parametrize(
    "name, value, says",
    [
        (
            "patch",
            "15",
            "The patch side 15 does not divide an image of 224 × 224 pixels.",
        ),
        (
            "columns",
            "230",
            "The patch side 16 does not divide an image of 224 × 230 pixels.",
        ),
        ("heads", "5", "5 heads do not divide the width 768."),
        ("depth", "0", "Depth (blocks): 0, expected a whole number from 1 to 1,024."),
        ("width", "", "Width, D: no number, expected a whole number from 1 to 65,536."),
        ("heads", "1.5", "Heads, H: 1.5, expected a whole number from 1 to 1,024."),
        ("batch", "-1", "Batch, B: -1, expected a whole number from 1 to 1,000,000."),
        ("ratio", "0", "MLP ratio: 0, expected more than 0, at most 64."),
        (
            "classes",
            "1e300",
            "Classes: 1e+300, expected a whole number from 1 to 1,000,000.",
        ),
    ],
)
def test_wrong_input_gets_one_line_and_no_number(opened, name, value, says):
    field(opened, name).fill(value)
    alert = opened.get_by_role("alert")
    assert alert.inner_text() == says
    assert (
        field(opened, name).get_attribute("aria-invalid") == "true" or name == "columns"
    )
    text = opened.locator(".vit-calculator").inner_text()
    assert (
        "NaN" not in text
        and "Infinity" not in text
        and not opened.locator(".results").is_visible()
    )
    field(opened, "preset").select_option("ViT-B/16")
    assert not alert.is_visible() or name == "batch"


def test_largest_numbers_stay_numbers(opened):
    for name, value in LARGEST.items():
        field(opened, name).fill(str(value))
    text = opened.locator(".vit-calculator").inner_text()
    assert opened.locator(".results").is_visible() and not re.search(
        "NaN|Infinity|undefined", text
    )


def test_the_address_keeps_the_sizes(opened):
    field(opened, "preset").select_option("stacks")
    field(opened, "depth").fill("6")
    shared = parse_qs(opened.evaluate("location.hash.slice(1)"))
    assert (shared["depth"], shared["width"], shared["positions"]) == (
        ["6"],
        ["96"],
        ["sincos"],
    )
    before = numbers(opened, "parts")
    opened.reload()
    assert numbers(opened, "parts") == before
    opened.evaluate(
        "location.hash = 'depth=2&width=64&pool=mean&nonsense=1&precision=float8'"
    )
    opened.wait_for_function("document.querySelector('[name=depth]').value === '2'")
    assert (
        field(opened, "pool").input_value() == "mean"
        and field(opened, "precision").input_value() == "float32"
    )
    opened.evaluate("location.hash = 'depth=<b>'")
    opened.get_by_role("alert").wait_for()
    assert "Depth (blocks): no number" in opened.get_by_role("alert").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_and_a_dark_page_can_read_it(opened, theme):
    opened.set_viewport_size({"width": 390, "height": 800})
    back, text = {
        "light": ("rgb(255, 255, 255)", "rgb(0, 0, 0)"),
        "dark": ("rgb(20, 24, 30)", "rgb(206, 214, 221)"),
    }[theme]
    opened.evaluate(
        "([theme, back, text]) => { document.documentElement.dataset.theme = theme;"
        "Object.assign(document.body.style, {background: back, color: text}) }",
        [theme, back, text],
    )
    field(opened, "preset").select_option("ViT-H/14")
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    inside = opened.locator(
        ".vit-calculator :is(p, caption, th, td, label, input, select, code, b)"
    )
    assert set(
        inside.evaluate_all("all => all.map(one => getComputedStyle(one).color)")
    ) == {text}
    names = opened.locator(".vit-calculator :is(input, select)").evaluate_all(
        "all => all.map(one => one.labels.length)"
    )
    assert set(names) == {1}
