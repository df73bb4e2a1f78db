import math

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn
from torch.testing import assert_close

from vit_tutorial.config import ViTConfig
from vit_tutorial.model import VisionTransformer, count_parameters
from vit_tutorial.patches import patchify, unpatchify

B = 2
C = 3
P = 4
H = 5
K = 8
DEPTH = 3
CLASSES = 7
GRID = (5, 6)
SIZES = {"image_size": (20, 24), "patch_size": P, "channels": C, "classes": CLASSES}
SIZES |= {"dim": H * K, "depth": DEPTH, "heads": H, "mlp_ratio": 1.5}
VARIANTS = [
    {"pool": pool, "positions": positions, "embedder": embedder}
    for pool in ("cls", "mean")
    for positions in ("learned", "sincos")
    for embedder in ("manual", "convolutional")
]


def small(**choices):
    torch.manual_seed(0)
    return VisionTransformer(ViTConfig(**SIZES | choices))


def shaken(model):
    """No parameter left at zero or one, where a wrong place for it would not show."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    return model.double()


def images(channels=C, rows=20, columns=24, dtype=torch.float32):
    return torch.randn(B, channels, rows, columns, dtype=dtype)


def torchvision_name(name):
    for ours, theirs in {
        "embedder.projection": "conv_proj",
        "embedder.class_token": "class_token",
        "embedder.positions": "encoder.pos_embedding",
        "blocks.": "encoder.layers.encoder_layer_",
        "attention.qkv.": "self_attention.in_proj_",
        "attention.out": "self_attention.out_proj",
        "norm1": "ln_1",
        "norm2": "ln_2",
        "head.0": "encoder.ln",
        "head.1": "heads.head",
    }.items():
        name = name.replace(ours, theirs)
    return name


def test_equals_torchvision():
    """Logits and the gradients of all parameters (torchvision builds square images
    only).
    """
    ours = shaken(small(image_size=20))
    theirs = torchvision.models.VisionTransformer(
        20, P, DEPTH, H, H * K, 60, num_classes=CLASSES
    ).double()
    theirs.load_state_dict(
        {torchvision_name(name): value for name, value in ours.state_dict().items()}
    )
    pictures = images(columns=20, dtype=torch.float64)
    labels = torch.tensor([3, 6])
    assert_close(ours(pictures), theirs(pictures))
    for model in (ours, theirs):
        F.cross_entropy(model(pictures), labels).backward()
    reference = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        gradient = parameter.grad
        expected = reference[torchvision_name(name)].grad
        # the key bias cancels in the softmax: what is left is rounding
        if name.endswith("qkv.bias"):
            q, k, v = gradient.chunk(3)
            expected_q, expected_k, expected_v = expected.chunk(3)
            assert max(k.abs().max(), expected_k.abs().max()) < 1e-12
            gradient = torch.cat([q, v])
            expected = torch.cat([expected_q, expected_v])
        assert expected.abs().max() > 1e-6, name
        assert_close(
            gradient, expected, msg=lambda message, name=name: f"{name}: {message}"
        )


def test_vit_b16_has_the_published_size():
    with torch.device("meta"):
        model = VisionTransformer(
            ViTConfig(224, 16, classes=1000, dim=768, depth=12, heads=12)
        )
    assert count_parameters(model) == 86_567_656
    model.requires_grad_(False)
    assert count_parameters(model) == 0


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("training", [True, False])
def test_fused_and_written_out_agree(variant, training):
    model = shaken(small(**variant, dropout=0.2)).train(training)
    pictures = images(dtype=torch.float64)
    torch.manual_seed(1)
    logits = model(pictures)
    torch.manual_seed(1)
    written_out, weights = model(pictures, return_attention=True)
    assert logits.shape == (B, CLASSES)
    assert isinstance(model.embedder.positions, nn.Parameter) == (
        variant["positions"] == "learned"
    )
    assert_close(logits, written_out)
    tokens = GRID[0] * GRID[1] + (variant["pool"] == "cls")
    assert len(weights) == DEPTH
    for layer in weights:
        assert layer.shape == (B, H, tokens, tokens)
        assert_close(layer.sum(dim=-1), torch.ones(B, H, tokens, dtype=torch.float64))


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_a_token_left_out_is_a_token_nobody_sees(pool, monkeypatch):
    model = shaken(small(pool=pool)).eval()
    x = model.embedder(images(dtype=torch.float64))
    kept = torch.tensor([0, 1, 4, 7, 8, 20, 29])
    features, weights = model.encode(x[:, kept], return_attention=True)
    logits = model.classify(features)
    assert_close(model.classify(model.encode(x[:, kept])), logits)
    fused = F.scaled_dot_product_attention
    seen = torch.zeros(x.shape[1], dtype=torch.bool)
    seen[kept] = True
    monkeypatch.setattr(
        F,
        "scaled_dot_product_attention",
        lambda q, k, v: fused(q, k, v, attn_mask=seen.expand(len(seen), -1)),
    )
    for block in model.blocks:
        x = block(x)
    assert_close(
        model.head(x[:, 0] if pool == "cls" else x[:, kept].mean(dim=1)), logits
    )
    assert [layer.shape for layer in weights] == [(B, H, len(kept), len(kept))] * DEPTH


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_gets_a_gradient(variant):
    model = small(**variant)
    F.cross_entropy(model(images()), torch.tensor([3, 6])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_first_loss_is_that_of_a_guess(variant):
    model = small(**variant)
    loss = F.cross_entropy(
        model(torch.randn(64, C, 20, 24)), torch.arange(64) % CLASSES
    )
    assert loss.item() == pytest.approx(math.log(CLASSES), abs=0.05)


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_without_positions_the_order_of_patches_is_lost(pool):
    model = shaken(small(pool=pool))
    pictures = images(dtype=torch.float64)
    shuffled = unpatchify(patchify(pictures, P)[:, torch.randperm(30)], GRID, C)
    assert (model(pictures) - model(shuffled)).abs().max() > 1e-4
    nn.init.zeros_(model.embedder.positions)
    assert_close(model(pictures), model(shuffled))


def test_pooling_reads_the_class_token_or_the_mean():
    """With blocks that do nothing, the logits follow from the tokens."""
    for pool in ("cls", "mean"):
        model = shaken(small(pool=pool))
        pictures = images(dtype=torch.float64)
        tokens = model.embedder(pictures)
        model.blocks = nn.ModuleList()
        pooled = tokens[:, 0] if pool == "cls" else tokens.mean(dim=1)
        assert_close(model(pictures), model.head(pooled))


def test_initial_weights():
    model = small(dim=160, classes=100)
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            assert not parameter.any(), name
    qkv = model.blocks[0].attention.qkv.weight
    kernel = model.embedder.projection.weight
    # Glorot and Bengio 2010
    assert qkv.std().item() == pytest.approx((2 / (160 + 480)) ** 0.5, rel=0.05)
    # quieter than sine-cosine positions
    assert kernel.std().item() == pytest.approx(0.01, rel=0.05)
    assert model.head[1].weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_dropout_in_training_only():
    model = small(dropout=0.3)
    pictures = images()
    assert [layer.p for layer in model.modules() if isinstance(layer, nn.Dropout)] == [
        0.3
    ] * (1 + 3 * DEPTH)
    assert not torch.equal(model(pictures), model(pictures))
    model.eval()
    assert torch.equal(model(pictures), model(pictures))
    assert_close(model(pictures), small()(pictures))


@pytest.mark.parametrize("shape", [(B, 1, 20, 24), (B, C, 24, 20), (C, 20, 24)])
def test_images_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"expected \(B, 3, 20, 24\)") as error:
        small()(torch.zeros(shape))
    assert str(tuple(shape)) in str(error.value)


def test_saved_weights_of_one_embedder_do_not_load_into_the_other():
    with pytest.raises(
        RuntimeError, match="size mismatch for embedder.projection.weight"
    ):
        small(embedder="manual").load_state_dict(
            small(embedder="convolutional").state_dict()
        )


@pytest.mark.parametrize("embedder", ["manual", "convolutional"])
def test_exported_graph_takes_any_number_of_images(embedder):
    model = small(embedder=embedder, depth=1).eval()
    batch = torch.export.Dim("batch")
    graph = torch.export.export(
        model, (images(),), dynamic_shapes={"images": {0: batch}}
    ).module()
    pictures = torch.randn(5, C, 20, 24)
    assert_close(graph(pictures), model(pictures))
