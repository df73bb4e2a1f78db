"""Models of torchvision, timm and transformers compute here what they compute there."""

import copy
import json
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.testing import assert_close

from vit_tutorial import VisionTransformer, ViTConfig, attention_maps, convert
from vit_tutorial.models import build_model

torchvision = pytest.importorskip("torchvision.models.vision_transformer")
timm = pytest.importorskip("timm.models.vision_transformer")
transformers = pytest.importorskip("transformers")
import huggingface_hub  # noqa: E402, that timm and transformers need

# ---- models of theirs, all weights unlike fresh ones


def function(direction, library):
    """`from_` or `to_` a library, by the name of its maker where that is better
    known.
    """
    maker = {"transformers": "huggingface"}.get(library, library)
    return getattr(convert, f"{direction}_{maker}")


def unlike(model):
    """The model with weights drawn anew, in eval mode."""
    torch.manual_seed(3)
    with torch.no_grad():
        for name, one in model.named_parameters():
            one.normal_(std=0.3)
            if one.ndim == 1 and name.endswith("weight"):
                one += 1  # of a norm: what all blocks say is heard
    return model.eval()


def of_torchvision(channels=3, **options):
    sizes = {
        "image_size": 15,
        "patch_size": 5,
        "num_layers": 3,
        "num_heads": 3,
        "hidden_dim": 12,
        "mlp_dim": 20,
        "num_classes": 3,
    }
    sizes |= options
    model = torchvision.VisionTransformer(**sizes)
    if channels != 3:
        side = sizes["patch_size"]
        model.conv_proj = nn.Conv2d(channels, sizes["hidden_dim"], side, side)
    return unlike(model)


def of_timm(**options):
    sizes = {
        "img_size": (9, 15),
        "patch_size": 3,
        "in_chans": 1,
        "num_classes": 3,
        "embed_dim": 20,
        "depth": 2,
        "num_heads": 5,
        "mlp_ratio": 2.35,
    }
    return unlike(timm.VisionTransformer(**sizes | options))


def of_transformers(kind="ViTForImageClassification", **options):
    sizes = {
        "image_size": 14,
        "patch_size": 7,
        "num_channels": 1,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_labels": 3,
    }
    sizes |= {"mlp_ratio": 2} if "Dino" in kind else {"intermediate_size": 20}
    family = kind.removesuffix("Model").removesuffix("ForImageClassification")
    config = getattr(transformers, f"{family}Config")(**sizes | options)
    model = unlike(getattr(transformers, kind)(config))
    if kind.startswith("Dino") and kind.endswith("Classification"):
        nn.init.zeros_(model.classifier.weight[:, 16:])
    return model


MEAN = {"global_pool": "avg", "class_token": False}
FOUR = {"reg_tokens": 4, "no_embed_class": True}
SCALE = {"init_values": 0.1}
# from which library, how it is made; all come back bit by bit
WHOLE = {
    "torchvision": ("torchvision", partial(of_torchvision)),
    "torchvision, one channel": ("torchvision", partial(of_torchvision, channels=1)),
    "torchvision, another size": (
        "torchvision",
        partial(
            of_torchvision,
            image_size=8,
            patch_size=4,
            num_layers=1,
            num_heads=2,
            hidden_dim=14,
            mlp_dim=15,
            norm_layer=partial(nn.LayerNorm, eps=0.02),
        ),
    ),
    "timm": ("timm", partial(of_timm)),
    "timm, DeiT III": ("timm", partial(of_timm, no_embed_class=True, **SCALE)),
    "timm, any size": ("timm", partial(of_timm, dynamic_img_size=True)),
    "timm, GELU by name": ("timm", partial(of_timm, act_layer="gelu")),
    "timm, LayerScale": ("timm", partial(of_timm, **SCALE)),
    "timm, stochastic depth": ("timm", partial(of_timm, drop_path_rate=0.5)),
    "timm, registers": ("timm", partial(of_timm, **FOUR)),
    "timm, DINOv2 with registers": ("timm", partial(of_timm, **FOUR, **SCALE)),
    "timm, mean": ("timm", partial(of_timm, **MEAN)),
    "timm, mean, registers": ("timm", partial(of_timm, **MEAN, **FOUR, **SCALE)),
    "transformers": ("transformers", partial(of_transformers)),
    "transformers, another size": (
        "transformers",
        partial(
            of_transformers,
            image_size=(8, 12),
            patch_size=4,
            num_channels=3,
            hidden_size=15,
            num_attention_heads=5,
            num_hidden_layers=3,
            num_labels=4,
            layer_norm_eps=0.03,
        ),
    ),
    "transformers, DINOv2": (
        "transformers",
        partial(of_transformers, "Dinov2ForImageClassification", use_mask_token=False),
    ),
}
# features only, or tensors that are here in another form
PARTIAL = {
    "torchvision, no heads": (
        "torchvision",
        partial(of_torchvision, num_classes=3),
        "heads",
    ),
    "timm, no head": ("timm", partial(of_timm, num_classes=0), "head"),
    "transformers, ViTModel": ("transformers", partial(of_transformers, "ViTModel")),
    "transformers, DINOv2 model": (
        "transformers",
        partial(of_transformers, "Dinov2Model"),
    ),
    "transformers, registers": (
        "transformers",
        partial(of_transformers, "Dinov2WithRegistersModel", image_size=21),
    ),
}
HEADLESS = {name: case[:2] for name, case in PARTIAL.items()}


def made(name):
    """A model of theirs and how it is converted, there and back."""
    library, make = (WHOLE | HEADLESS)[name]
    theirs = make()
    if name == "torchvision, no heads":
        theirs.heads = nn.Identity()
    back = function("to", library)
    return theirs, function("from", library), back


def images(config, dtype=torch.float32):
    torch.manual_seed(4)
    return torch.randn(2, config.channels, *config.sides, dtype=dtype)


def theirs_of(model, pictures):
    """Their logits, or the features that a head would read."""
    answer = model(pictures)
    if hasattr(answer, "logits"):
        return answer.logits
    return answer if torch.is_tensor(answer) else answer.last_hidden_state[:, 0]


def ours_of(model, pictures, headless):
    if not headless:
        return model(pictures)
    return model.head[0](model.encode(model.embed(pictures))[:, 0])


def assert_same_state(one, other):
    assert one.state_dict().keys() == other.state_dict().keys()
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name


# ---- the same function


@pytest.mark.parametrize("name", [*WHOLE, *HEADLESS])
@pytest.mark.parametrize(
    ("dtype", "atol"), [(torch.float32, 1e-5), (torch.float64, 1e-10)]
)
def test_logits_or_features_are_theirs(name, dtype, atol):
    theirs, take, _ = made(name)
    ours = take(theirs).to(dtype)
    pictures = images(ours.config, dtype)
    found = ours_of(ours, pictures, name in HEADLESS)
    expected = theirs_of(theirs.to(dtype), pictures)
    assert expected.std() > 0.1
    assert_close(found, expected, atol=atol, rtol=atol)


@pytest.mark.parametrize("name", [*WHOLE, *HEADLESS])
def test_gradients_are_theirs(name):
    theirs, take, _ = made(name)
    ours = take(theirs).double()
    gradients = copy.deepcopy(theirs)
    theirs.double()
    seen = [images(ours.config, torch.float64).requires_grad_() for _ in range(2)]
    answers = [ours_of(ours, seen[0], name in HEADLESS), theirs_of(theirs, seen[1])]
    weighed = torch.randn_like(answers[0])
    for answer in answers:
        (answer * weighed).sum().backward()
    assert seen[1].grad.abs().max() > 0.01
    assert_close(seen[0].grad, seen[1].grad, atol=1e-10, rtol=1e-10)
    # tensors are only put elsewhere: a model whose weights are their gradients comes
    # as one whose weights are ours
    with torch.no_grad():
        for one, other in zip(gradients.parameters(), theirs.parameters(), strict=True):
            one.copy_(torch.zeros_like(one) if other.grad is None else other.grad)
        if name == "transformers, DINOv2":
            gradients.classifier.weight[:, 16:] = 0
    converted = dict(take(gradients).named_parameters())
    for key, value in ours.named_parameters():
        if name in HEADLESS and key.startswith("head.1"):
            continue
        mine = value.grad.float()
        expected = converted[key]
        if key == "embedder.positions" and getattr(theirs, "no_embed_class", False):
            first = int(ours.config.pool == "cls")  # that place is 0 and not theirs
            mine = mine[:, first:]
            expected = expected[:, first:]
        assert_close(mine, expected.detach(), atol=1e-7, rtol=1e-5)


KINDS = [
    ("ViTForImageClassification", {}, 0),
    ("Dinov2Model", {}, 0),
    ("Dinov2WithRegistersModel", {}, 4),
]


@pytest.mark.parametrize(("kind", "options", "registers"), KINDS)
def test_attention_is_theirs(kind, options, registers):
    theirs = of_transformers(kind, attn_implementation="eager", **options)
    ours = convert.from_huggingface(theirs)
    pictures = images(ours.config)
    with torch.no_grad():
        expected = theirs(pictures, output_attentions=True).attentions
    found = attention_maps(ours, pictures)
    assert len(found) == len(expected) == 2
    kept = [0, *range(1 + registers, expected[0].shape[-1])]
    for one, other in zip(found, expected, strict=True):
        assert other.std() > 0.01
        assert_close(one, other[:, :, kept][..., kept], atol=1e-6, rtol=1e-5)


# ---- there and back


@pytest.mark.parametrize("name", WHOLE)
def test_theirs_comes_back_bit_by_bit(name):
    theirs, take, back = made(name)
    ours = take(theirs)
    again = back(ours)
    assert_same_state(again, theirs)
    assert not again.training
    pictures = images(ours.config)
    assert_close(theirs_of(again, pictures), theirs_of(theirs, pictures))


SMALL = ViTConfig(
    (6, 12), 3, 2, classes=3, dim=12, depth=2, heads=2, mlp_ratio=3, norm_eps=1e-3
)
OURS = {
    "torchvision": [
        replace(SMALL, image_size=12),
        replace(SMALL, image_size=12, name="stochastic-depth", mlp_ratio=1.3),
    ],
    "timm": [
        SMALL,
        replace(SMALL, mlp_ratio=0.6, norm_eps=1e-12),
        replace(SMALL, dim=22, mlp_ratio=15 / 22),  # 22 * (15 / 22) < 15
        replace(SMALL, pool="mean"),
        replace(SMALL, pool="mean", name="registers"),
        replace(SMALL, name="registers"),
        replace(SMALL, name="layer-scale"),
        replace(SMALL, name="registers-and-layer-scale"),
        replace(SMALL, name="mimetic-start"),
    ],
    "transformers": [
        SMALL,
        replace(SMALL, image_size=12, mlp_ratio=1.3),
        replace(SMALL, image_size=12, name="layer-scale"),
        replace(SMALL, image_size=12, name="registers-and-layer-scale"),
    ],
}


@pytest.mark.parametrize(
    ("library", "config"),
    [(name, one) for name, those in OURS.items() for one in those],
)
def test_ours_comes_back_bit_by_bit(library, config):
    ours = unlike(build_model(config))
    theirs = function("to", library)(ours)
    pictures = images(config)
    assert_close(theirs_of(theirs, pictures), ours(pictures), atol=1e-5, rtol=1e-5)
    again = function("from", library)(theirs)
    assert_same_state(again, ours)
    plain = config.name in ("stochastic-depth", "mimetic-start")
    expected = replace(config, name="vit") if plain else config
    assert replace(again.config, mlp_ratio=1) == replace(expected, mlp_ratio=1)


@pytest.mark.parametrize(
    ("library", "config"),
    [
        ("timm", replace(SMALL, embedder="manual")),
        ("timm", replace(SMALL, positions="sincos")),
        ("timm", replace(SMALL, name="stochastic-depth-and-layer-scale")),
        ("timm", replace(SMALL, name="no-positions")),
        ("torchvision", replace(SMALL, image_size=12, embedder="manual")),
        ("transformers", replace(SMALL, image_size=12, name="registers")),
        ("transformers", replace(SMALL, positions="sincos", dropout=0.5)),
    ],
)
def test_ours_in_another_form_computes_the_same(library, config):
    ours = unlike(build_model(config))
    theirs = function("to", library)(ours)
    again = function("from", library)(theirs)
    pictures = images(config)
    for found in (theirs_of(theirs, pictures), again(pictures)):
        assert_close(found, ours(pictures), atol=1e-5, rtol=1e-5)


def test_registers_with_positions_come_as_their_sum():
    theirs = of_timm(reg_tokens=4)
    ours = convert.from_timm(theirs)
    pictures = images(ours.config)
    assert_close(ours(pictures), theirs(pictures), atol=1e-5, rtol=1e-5)
    assert_close(ours.registers, theirs.reg_token + theirs.pos_embed[:, 1:5])
    theirs.to(torch.bfloat16)  # summed with all digits
    added = theirs.reg_token.float() + theirs.pos_embed[:, 1:5].float()
    assert torch.equal(convert.from_timm(theirs).registers, added)


def test_biases_that_they_lack_are_zero():
    bare = partial(nn.LayerNorm, bias=False)
    for theirs, take in (
        (of_timm(qkv_bias=False, proj_bias=False), convert.from_timm),
        (of_torchvision(norm_layer=bare), convert.from_torchvision),
        (of_transformers(qkv_bias=False), convert.from_huggingface),
    ):
        ours = take(theirs)
        expected = theirs_of(theirs, images(ours.config))
        assert_close(ours(images(ours.config)), expected, atol=1e-5, rtol=1e-5)


# ---- the model that comes


def test_the_config_is_read_off_the_model():
    config = convert.from_torchvision(of_torchvision()).config
    assert config == ViTConfig(15, 5, 3, 3, 12, 3, 3, 20 / 12)
    config = convert.from_timm(of_timm(**MEAN, **FOUR)).config
    expected = ViTConfig((9, 15), 3, 1, 3, 20, 2, 5, 47 / 20, pool="mean")
    assert config == replace(expected, name="registers")
    config = convert.from_huggingface(of_transformers()).config
    assert config == ViTConfig(14, 7, 1, 3, 16, 2, 4, 20 / 16, norm_eps=1e-12)
    both = convert.from_huggingface(of_transformers("Dinov2WithRegistersModel"))
    assert both.config.name == "registers-and-layer-scale"
    assert both.config.norm_eps == 1e-6


def test_it_is_a_float32_copy_in_eval_mode_and_theirs_is_left_alone():
    theirs = of_timm().train().to(torch.bfloat16)
    before = copy.deepcopy(theirs.state_dict())
    ours = convert.from_timm(theirs)
    assert theirs.training and not ours.training
    assert {one.dtype for one in ours.parameters()} == {torch.float32}
    assert all(one.requires_grad for one in ours.parameters())
    with torch.no_grad():
        for one in ours.parameters():
            one.zero_()
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(tensor, before[name]) and tensor.dtype == torch.bfloat16


def test_to_a_library_is_a_copy_too():
    ours = unlike(build_model(SMALL)).train().double()
    theirs = convert.to_timm(ours)
    assert ours.training and not theirs.training
    assert {one.dtype for one in theirs.parameters()} == {torch.float32}
    with torch.no_grad():
        theirs.cls_token.zero_()
    assert ours.embedder.class_token.abs().sum() > 0


def test_without_a_head_it_has_a_fresh_one_of_as_many_classes_as_are_asked_for():
    theirs = of_timm(num_classes=0)
    assert convert.from_timm(theirs).config.classes == 10
    ours = convert.from_timm(theirs, classes=7)
    assert ours(images(ours.config)).shape == (2, 7)
    assert ours.head[1].weight.std().item() == pytest.approx(0.01, rel=0.3)


def test_a_linear_layer_in_the_place_of_torchvisions_heads_is_the_head():
    theirs = of_torchvision()
    theirs.heads = theirs.heads.head
    ours = convert.from_torchvision(theirs)
    pictures = images(ours.config)
    assert_close(ours(pictures), theirs(pictures), atol=1e-5, rtol=1e-5)


# ---- what has no place here


def changed(model, part, other):
    """The model with another module in the place of `part`."""
    above, _, name = part.rpartition(".")
    setattr(model.get_submodule(above), name, other)
    return model


class Block(timm.Block):
    """A block of a known name that may compute anything."""


def with_eps():
    model = of_timm()
    model.norm.eps = 0.5
    return model


def stem():
    one = torchvision.ConvStemConfig(out_channels=4, kernel_size=3, stride=5)
    return of_torchvision(conv_stem_configs=[one])


REFUSED_TIMM = {
    "blocks.0.attn.q_norm.weight has no place in this model: QK-norm": partial(
        of_timm, qk_norm=True
    ),
    "blocks.0.attn.norm.weight has no place in this model: a norm within"
    " attention": partial(of_timm, scale_attn_norm=True),
    "blocks.0.mlp.norm.weight has no place in this model: a norm within the"
    " MLP": partial(of_timm, scale_mlp_norm=True),
    "norm_pre.weight has no place in this model: a norm before the blocks": partial(
        of_timm, pre_norm=True
    ),
    "attn_pool.latent has no place in this model: attention pooling": partial(
        of_timm, global_pool="map"
    ),
    "patch_embed.norm.weight has no place in this model: a norm of the"
    " patches": partial(of_timm, embed_norm_layer="layernorm"),
    "blocks.0.mlp is timm's GluMlp, which has no place in this model: SwiGLU": partial(
        of_timm, mlp_layer=timm.SwiGLUPacked, mlp_ratio=2
    ),
    "blocks.0 is timm's ResPostBlock, which has no place in this model": partial(
        of_timm, block_fn=timm.ResPostBlock
    ),
    "blocks.0 is test_libraries's Block, which has no place in this model": partial(
        of_timm, block_fn=Block
    ),
    "blocks.0.mlp.act is timm's QuickGELU, which has no place in this model": partial(
        of_timm, act_layer="quick_gelu"
    ),
    "blocks.0.mlp.act is timm's GELUTanh, which has no place in this model: a GELU that"
    " is approximated": partial(of_timm, act_layer="gelu_tanh"),
    "blocks.0.mlp.act is a GELU that is approximated, which has no place in this"
    " model": partial(of_timm, act_layer=partial(nn.GELU, approximate="tanh")),
    "blocks.0.norm1 is timm's RmsNorm, which has no place in this model": partial(
        of_timm, norm_layer="rmsnorm"
    ),
    "the model has 1 GELUs in 2 blocks": lambda: changed(
        of_timm(), "blocks.1.mlp.act", nn.Identity()
    ),
    "global_pool is '', which has no place in this model": partial(
        of_timm, global_pool=""
    ),
    "global_pool is 'avg' beside a class token, which has no place in this"
    " model": partial(of_timm, global_pool="avg"),
    "global_pool is 'avg' without fc_norm, which has no place in this model": partial(
        of_timm, **MEAN, fc_norm=False
    ),
    "global_pool is 'avg' over registers, too, which has no place in this"
    " model": partial(of_timm, **MEAN, **FOUR, pool_include_prefix=True),
    "reg_token holds 3 registers, expected 4": partial(of_timm, reg_tokens=3),
    "pos_embed is missing": partial(of_timm, pos_embed="none"),
    "norm.weight is missing": partial(of_timm, final_norm=False),
    "blocks.1.ls2.gamma is missing": lambda: changed(
        of_timm(**SCALE), "blocks.1.ls2", nn.Identity()
    ),
    "blocks.0.attn.qkv.weight holds (90, 20), expected (60, 20)": lambda: changed(
        of_timm(), "blocks.0.attn", timm.Attention(20, 5, attn_head_dim=6)
    ),
    "the model has 2 values of eps in its norms, expected one": with_eps,
    "the model has 2 numbers of heads, expected one": lambda: changed(
        of_timm(), "blocks.0.attn", timm.Attention(20, 4)
    ),
    "patch_embed.proj is Conv2d(1, 20, kernel_size=(3, 5), stride=(3, 5)), expected"
    " square patches side by side": partial(of_timm, patch_size=(3, 5)),
    "image_size 10 is not divisible by patch_size 3": partial(of_timm, img_size=10),
    "head.0.weight has no place in this model": lambda: changed(
        of_timm(), "head", nn.Sequential(nn.Linear(20, 3))
    ),
    "the model is torch's Linear, expected timm's VisionTransformer": partial(
        nn.Linear, 2, 3
    ),
}
REFUSED_TORCHVISION = {
    "heads.pre_logits.weight has no place in this model: a hidden layer in the"
    " head": partial(of_torchvision, representation_size=4),
    "conv_proj.conv_bn_relu_0.0.weight has no place in this model: a convolutional"
    " stem": stem,
    "encoder.layers.encoder_layer_1.mlp.1 is torch's ReLU, which has no place in this"
    " model": lambda: changed(
        of_torchvision(), "encoder.layers.encoder_layer_1.mlp.1", nn.ReLU()
    ),
    "conv_proj is Conv2d(3, 12, kernel_size=(5, 5), stride=(4, 4)), expected square"
    " patches side by side": lambda: changed(
        of_torchvision(), "conv_proj", nn.Conv2d(3, 12, 5, 4)
    ),
    "encoder.ln.weight is missing": lambda: changed(
        of_torchvision(), "encoder.ln", nn.Identity()
    ),
    "encoder.pos_embedding holds (1, 10, 12), expected (1, 5, 12)": partial(
        lambda: changed(of_torchvision(), "image_size", 10)
    ),
}
REFUSED_TRANSFORMERS = {
    "classifier.weight reads the mean of the patches beside the class token, which has"
    " no place in this model: give its dinov2, without the classifier": lambda: unlike(
        of_transformers("Dinov2ForImageClassification")
    ),
    "encoder.layer.0.mlp.gate_proj.weight has no place in this model: SwiGLU": partial(
        of_transformers, "Dinov2Model", use_swiglu_ffn=True
    ),
    "embeddings.register_tokens holds 2 registers, expected 4": partial(
        of_transformers, "Dinov2WithRegistersModel", num_register_tokens=2
    ),
    "images are 7 x 28, expected square ones": partial(
        of_transformers, "Dinov2Model", image_size=(7, 28)
    ),
    "vit.layers.0.mlp.activation_fn is transformers's GELUTanh, which has no place in"
    " this model: a GELU that is approximated": partial(
        of_transformers, hidden_act="gelu_pytorch_tanh"
    ),
    "vit.layers.0.mlp.activation_fn is transformers's NewGELUActivation, which has no"
    " place in this model": partial(of_transformers, hidden_act="gelu_new"),
    "the model is transformers's ViTForMaskedImageModeling": lambda: (
        transformers.ViTForMaskedImageModeling(of_transformers().config)
    ),
    "embeddings.distillation_token has no place in this model: a distillation"
    " token": lambda: transformers.DeiTModel(
        transformers.DeiTConfig(
            hidden_size=12, num_hidden_layers=1, num_attention_heads=2, image_size=16
        )
    ),
}
REFUSED = [
    (take, make, message)
    for take, those in (
        (convert.from_timm, REFUSED_TIMM),
        (convert.from_torchvision, REFUSED_TORCHVISION),
        (convert.from_huggingface, REFUSED_TRANSFORMERS),
    )
    for message, make in those.items()
]


@pytest.mark.parametrize(
    ("take", "make", "message"), REFUSED, ids=[message for *_, message in REFUSED]
)
def test_what_has_no_place_is_refused_by_name(take, make, message):
    with pytest.raises(ValueError) as refusal:
        take(make())
    said = str(refusal.value)
    assert said == message or said.startswith(f"{message}, expected")
    assert "\n" not in said


def test_a_distilled_deit_and_rotary_positions_are_refused_by_name():
    deit = pytest.importorskip("timm.models.deit")
    model = deit.VisionTransformerDistilled(
        img_size=8, patch_size=4, embed_dim=12, depth=1, num_heads=2
    )
    with pytest.raises(ValueError, match="^dist_token has no place.*distillation"):
        convert.from_timm(model)
    eva = pytest.importorskip("timm.models.eva")
    model = eva.Eva(
        img_size=8,
        patch_size=4,
        embed_dim=12,
        depth=1,
        num_heads=3,
        use_rot_pos_emb=True,
    )
    with pytest.raises(ValueError, match="the model is timm's Eva, expected timm's"):
        convert.from_timm(model)


HERE = replace(SMALL, image_size=12)


@pytest.mark.parametrize(
    ("library", "config", "message"),
    [
        ("torchvision", SMALL, "images are 6 x 12, expected square ones"),
        (
            "torchvision",
            replace(HERE, pool="mean"),
            "pool is 'mean', torchvision reads the class token",
        ),
        (
            "torchvision",
            replace(HERE, name="layer-scale"),
            "name is 'layer-scale', torchvision has a plain ViT only",
        ),
        (
            "torchvision",
            replace(HERE, name="registers"),
            "name is 'registers', torchvision has a plain ViT only",
        ),
        (
            "transformers",
            replace(HERE, pool="mean"),
            "pool is 'mean', transformers reads the class token",
        ),
        (
            "transformers",
            replace(HERE, name="layer-scale", mlp_ratio=2.5),
            "mlp_ratio is 2.5, transformers' DINOv2 takes whole numbers",
        ),
        (
            "transformers",
            replace(SMALL, name="layer-scale"),
            "images are 6 x 12, expected square ones",
        ),
        (
            "timm",
            replace(HERE, embedder="stem"),
            "embedder is 'stem', which other libraries have no place for",
        ),
        ("timm", replace(HERE, name="rms-norm"), "the model is 'rms-norm', expected"),
        ("timm", replace(HERE, name="cnn"), "the model is 'cnn', expected one of vit,"),
    ],
)
def test_ours_without_a_place_there_is_refused(library, config, message):
    with pytest.raises(ValueError) as refusal:
        function("to", library)(build_model(config))
    assert str(refusal.value).startswith(message) and "\n" not in str(refusal.value)


def test_a_subclass_of_ours_is_refused():
    class Other(VisionTransformer):
        """A model of a known name that may compute anything."""

    with pytest.raises(ValueError, match="^the model is a Other, expected one of vit"):
        convert.to_timm(Other(SMALL))


MADE = {
    "torchvision": (of_torchvision, "conv_proj.bias"),
    "timm": (of_timm, "patch_embed.proj.bias"),
    "transformers": (
        of_transformers,
        "vit.embeddings.patch_embeddings.projection.bias",
    ),
}
LIBRARIES = pytest.mark.parametrize("library", MADE)


@LIBRARIES
@pytest.mark.parametrize("value", [float("nan"), float("-inf"), 1e300])
def test_values_that_are_not_finite_are_refused(library, value):
    make, name = MADE[library]
    theirs = make().double()
    ours = build_model(HERE).double()
    for model, of, direction in (
        (theirs, name, "from"),
        (ours, "embedder.projection.bias", "to"),
    ):
        model.get_parameter(of).data[0] = value
        with pytest.raises(ValueError) as refusal:
            function(direction, library)(model)
        message = f"{of} holds values that are not finite in float32"
        assert str(refusal.value) == message


@LIBRARIES
def test_a_model_without_numbers_is_refused(library):
    theirs = MADE[library][0]().to("meta")
    for model, direction in ((theirs, "from"), (build_model(HERE).to("meta"), "to")):
        with pytest.raises(ValueError, match=r"^[\w.]+ is on the meta device, which"):
            function(direction, library)(model)


@LIBRARIES
def test_what_is_no_model_is_refused_in_one_line(library):
    weights = MADE[library][0]().state_dict()
    for thing in (None, 3, weights):
        with pytest.raises(ValueError, match="^the model is .*, expected a mod") as no:
            function("from", library)(thing)
        assert "\n" not in str(no.value) and len(str(no.value)) < 300
        with pytest.raises(ValueError, match="^the model is '.*', expected one of vit"):
            function("to", library)(thing)


# ---- by name


class Hub:
    """A folder a repository, in the place of the hub; what was asked for."""

    def __init__(self, root):
        self.root = root
        self.asked = []

    def __call__(self, repo_id, filename, revision=None, **options):
        self.asked.append((repo_id, filename, revision))
        if not (self.root / repo_id).is_dir():
            raise lost(huggingface_hub.errors.RepositoryNotFoundError)
        path = self.root / repo_id / filename
        if not path.is_file():
            raise lost(huggingface_hub.errors.RemoteEntryNotFoundError)
        return str(path)


def lost(kind):
    """An error of the hub, without the answer that it would hold."""
    return kind.__new__(kind)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    one = Hub(tmp_path)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", one)
    # timm took its own when it was imported
    monkeypatch.setattr("timm.models._hub.hf_hub_download", one)
    return one


def share(hub, repository, model, config):
    """Lay a model down as a repository of the hub."""
    folder = hub.root / repository
    folder.mkdir(parents=True)
    weights = {name: one.contiguous() for name, one in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


SIZES = {"img_size": 6, "patch_size": 3, "embed_dim": 12, "depth": 1, "num_heads": 2}


def share_timm(hub, repository="someone/small"):
    model = of_timm(**SIZES, mlp_ratio=4, in_chans=3)
    arguments = {**SIZES, "num_classes": 3}
    config = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 3,
        "model_args": arguments,
        "pretrained_cfg": {"num_classes": 3},
    }
    return model, share(hub, repository, model, config)


def test_timm_by_the_name_of_a_repository(hub):
    model, _ = share_timm(hub)
    ours = convert.from_timm("hf-hub:someone/small")
    assert_same_state(convert.to_timm(ours), model)
    assert ("someone/small", "model.safetensors", None) in hub.asked
    convert.from_timm("hf-hub:someone/small@main")
    assert hub.asked[-1] == ("someone/small", "model.safetensors", "main")


def test_timm_by_a_name_of_its_own(hub):
    model = unlike(timm.test_vit())
    share(hub, "timm/test_vit.r160_in1k", model, {})
    ours = convert.from_timm("test_vit")
    assert ours.config == ViTConfig(160, 16, 3, 1000, 64, 6, 2, 3)
    assert_same_state(convert.to_timm(ours), model)


FAMILIES = [
    "ViTForImageClassification",
    "ViTModel",
    "Dinov2Model",
    "Dinov2WithRegistersModel",
]


@pytest.mark.parametrize("kind", FAMILIES)
def test_transformers_by_name_or_folder(hub, kind):
    model = of_transformers(kind)
    folder = hub.root / "someone/small"
    model.save_pretrained(folder)
    expected = convert.from_huggingface(model, classes=3).state_dict()
    for name in ("someone/small", str(folder)):
        ours = convert.from_huggingface(name, classes=3)
        assert len(ours.state_dict()) == len(expected)
        for key, tensor in ours.state_dict().items():
            fresh = kind.endswith("Model") and key.startswith("head.1")
            assert fresh or torch.equal(tensor, expected[key]), key
    asked = {file for _, file, _ in hub.asked}
    assert asked == {"config.json", "model.safetensors"}


def test_loading_leaves_pytorch_as_it_was(hub):
    of_transformers().save_pretrained(hub.root / "someone/small")
    torch.utils._device._device_constructors.cache_clear()  # as in a new process
    convert.from_huggingface("someone/small")
    with torch.device("meta"):
        assert torch.linspace(0, 1, 2).is_meta


def names(hub):
    """How each library would be asked for the same repository."""
    _, folder = share_timm(hub)
    other = hub.root / "someone/other"
    of_transformers().save_pretrained(other)
    return [
        (convert.from_timm, "hf-hub:someone/small", folder),
        (convert.from_huggingface, "someone/other", other),
        (convert.from_huggingface, str(other), other),
    ]


def test_a_pickle_is_never_loaded(hub):
    for take, name, folder in names(hub):
        weights = folder / "model.safetensors"
        if weights.exists():
            weights.unlink()
        torch.save({}, folder / "pytorch_model.bin")
        with pytest.raises(ValueError) as refusal:
            take(name)
        assert str(refusal.value) == (
            f"{name.removeprefix('hf-hub:')} holds no model.safetensors; pickles (.bin,"
            " .pth) can run code and are never loaded"
        )


def test_a_pickle_under_another_name_and_half_a_file_are_refused(hub):
    for take, name, folder in names(hub):
        weights = folder / "model.safetensors"
        content = weights.read_bytes()
        torch.save({}, weights)
        with pytest.raises(ValueError, match="a pickle under another name"):
            take(name)
        weights.write_bytes(content[: len(content) // 2])
        with pytest.raises(ValueError, match="truncated or no safetensors file"):
            take(name)
        weights.write_bytes(content)


@pytest.mark.parametrize("fault", ["missing", "mismatched", "unexpected"])
def test_a_file_of_another_architecture_is_refused(hub, fault):
    for take, name, folder in names(hub):
        path = folder / "model.safetensors"
        model = of_timm(**SIZES, mlp_ratio=4, in_chans=3)
        if take is convert.from_huggingface:
            model = of_transformers()
        weights = {key: one.clone() for key, one in model.state_dict().items()}
        first = next(key for key in weights if key.endswith("norm.weight"))
        if fault == "missing":
            del weights[first]
        elif fault == "mismatched":
            weights[first] = torch.ones(5)
        else:
            weights["another.weight"] = torch.ones(5)
            first = "another.weight"
        save_file(weights, path, {"format": "pt"})
        with pytest.raises(ValueError, match="another architecture") as refusal:
            take(name)
        assert first in str(refusal.value) and "\n" not in str(refusal.value)


def test_names_that_nobody_has_are_refused(hub):
    with pytest.raises(ValueError, match="^the hub has no nobody/none"):
        convert.from_huggingface("nobody/none")
    with pytest.raises(ValueError, match=r"^timm: Unknown model \(vit_unknown\)"):
        convert.from_timm("vit_unknown")
    with pytest.raises(ValueError, match="^the hub has no weights of timm's test_vit4"):
        convert.from_timm("test_vit4")
    with pytest.raises(ValueError, match="^the model is 'vit_b_16', expected a module"):
        convert.from_torchvision("vit_b_16")
    folder = hub.root / "some/bert"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(
        '{"architectures": ["BertModel"]}', encoding="utf-8"
    )
    with pytest.raises(ValueError, match="^some/bert is a BertModel, expected ViTMod"):
        convert.from_huggingface("some/bert")


def test_without_a_connection_the_hubs_own_error_says_so(hub, monkeypatch):
    def offline(*_, **__):
        raise huggingface_hub.errors.LocalEntryNotFoundError("no connection")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    with pytest.raises(OSError, match="no connection"):
        convert.from_huggingface("someone/small")


# ---- libraries that are not there


def test_importing_the_conversions_imports_no_library():
    check = (
        "import sys; from vit_tutorial import convert; sys.exit(any(name in sys.modules"
        " for name in ('torchvision', 'timm', 'transformers', 'huggingface_hub')))"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", check], cwd=root).returncode == 0


@pytest.mark.parametrize("library", ["torchvision", "timm", "transformers"])
def test_a_library_that_is_not_installed_is_named(library, monkeypatch):
    for name in list(sys.modules):
        if name.split(".")[0] == library:
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError) as refusal:
        function("to", library)(build_model(HERE))
    assert str(refusal.value) == f"{library} is not installed: pip install {library}"
