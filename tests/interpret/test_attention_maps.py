import pytest
import torch
from torch.testing import assert_close

from vit_tutorial.config import ViTConfig
from vit_tutorial.interpret.attention import (
    attention_distance,
    attention_maps,
    rollout,
    select_attention,
)
from vit_tutorial.interpret.faithfulness import (
    attention_mass,
    bootstrap,
    patch_coverage,
    pointing_game,
)
from vit_tutorial.model import VisionTransformer

B = 2
H = 5
DEPTH = 3
GRID = (3, 4)


def model(**choices):
    torch.manual_seed(0)
    sizes = {
        "image_size": (24, 32),
        "patch_size": 8,
        "dim": 40,
        "depth": DEPTH,
        "heads": H,
        "dropout": 0.5,
    }
    return VisionTransformer(ViTConfig(**sizes | choices))


def random_weights(depth=DEPTH, tokens=13, dtype=torch.float64):
    torch.manual_seed(0)
    return [
        (3 * torch.randn(B, H, tokens, tokens, dtype=dtype)).softmax(dim=-1)
        for _ in range(depth)
    ]


def state(vit):
    """What looking must not change: modes, kinds of parameters, values, gradients,
    hooks.
    """
    modules = list(vit.modules())
    parameters = list(vit.parameters())
    hooks = [
        len(module._forward_hooks) + len(module._backward_hooks) for module in modules
    ]
    kinds = [(p.requires_grad, p.device, p.dtype, p.grad is None) for p in parameters]
    values = [
        *vit.state_dict().values(),
        *(p.grad for p in parameters if p.grad is not None),
    ]
    return (
        [module.training for module in modules],
        hooks,
        kinds,
        [value.clone() for value in values],
    )


def assert_unchanged(vit, before):
    now = state(vit)
    assert now[:3] == before[:3]
    assert all(map(torch.equal, now[3], before[3]))


@pytest.mark.parametrize(("pool", "tokens"), [("cls", 13), ("mean", 12)])
def test_maps_of_all_layers_and_heads(pool, tokens):
    vit = model(pool=pool)
    images = torch.randn(B, 3, 24, 32)
    weights = attention_maps(vit, images)
    assert len(weights) == DEPTH
    for layer in weights:
        assert layer.shape == (B, H, tokens, tokens)
        assert not layer.requires_grad
        assert_close(layer.sum(dim=-1), torch.ones(B, H, tokens))
    # seen without dropout
    assert_close(weights, vit.eval()(images, return_attention=True)[1])


@pytest.mark.parametrize("fails", [False, True])
def test_maps_leave_the_model_as_it_was(fails):
    vit = model().train()
    vit.blocks[1].eval()  # a frozen part in a model under training
    vit.blocks[2].attention.dropout.eval()
    vit.head.requires_grad_(False)
    vit(torch.randn(B, 3, 24, 32)).sum().backward()

    before = state(vit)
    if fails:
        with pytest.raises(ValueError, match="expected"):
            attention_maps(vit, torch.randn(B, 3, 8, 8))
    else:
        attention_maps(vit, torch.randn(B, 3, 24, 32))
    assert_unchanged(vit, before)
    assert torch.is_grad_enabled()


def test_rollout_by_hand():
    """Two tokens, two layers: each layer keeps half of a token and fills half from its
    attention.
    """
    # heads: mean [[1, 0], [.5, .5]]
    first = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]])
    second = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]])
    assert_close(rollout([first]), torch.tensor([[[1.0, 0.0], [0.25, 0.75]]]))
    # second layer: [[.5, .5], [0, 1]], after the first: [[.625, .375], [.25, .75]]
    assert_close(
        rollout([first, second]), torch.tensor([[[0.625, 0.375], [0.25, 0.75]]])
    )


@pytest.mark.parametrize("depth", [1, 3, 24])
def test_rollout_rows_sum_to_one(depth):
    joint = rollout(random_weights(depth))
    assert joint.shape == (B, 13, 13)
    assert (joint >= 0).all()
    assert_close(joint.sum(dim=-1), torch.ones(B, 13, dtype=torch.float64))


def test_rollout_of_layers_that_only_look_at_themselves():
    weights = [torch.eye(6).expand(B, H, 6, 6)] * 12
    assert_close(rollout(weights), torch.eye(6).expand(B, 6, 6))


@pytest.mark.parametrize(
    "shapes",
    [[], [(4, 4)], [(4, 4, 4)], [(2, 3, 4, 4), (2, 3, 5, 5)]],
    ids=["no layer", "one map", "heads averaged", "two sizes"],
)
def test_rollout_of_other_weights_is_refused(shapes):
    with pytest.raises(ValueError, match=r"layers are .*expected \(B, H, T, T\) each"):
        rollout([torch.zeros(shape) for shape in shapes])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rollout_of_half_precision(dtype):
    weights = [layer.to(dtype) for layer in random_weights(24)]
    assert_close(
        rollout(weights).sum(dim=-1).float(), torch.ones(B, 13), atol=1e-2, rtol=0
    )


@pytest.mark.parametrize("class_token", [0, 1])
def test_attention_distance_by_hand(class_token):
    """A grid of 3 x 4 patches, 8 px each. Head 0 looks at itself, head 1 at patch 0,
    head 2 everywhere alike.
    """
    count = 12
    patches = torch.stack(
        [
            torch.eye(count),
            torch.eye(count)[:1].expand(count, count),
            torch.ones(count, count) / count,
        ]
    )
    weights = torch.full((1, 3, count + class_token, count + class_token), 0.7)
    weights[..., class_token:, class_token:] = 0.3 * patches
    places = [(row, column) for row in range(3) for column in range(4)]
    apart = torch.tensor(
        [
            [8 * ((r - y) ** 2 + (c - x) ** 2) ** 0.5 for y, x in places]
            for r, c in places
        ]
    )
    expected = torch.stack([torch.tensor(0.0), apart[0].mean(), apart.mean()])
    # two rows down, three columns across
    assert apart[0].max().item() == pytest.approx(8 * 13**0.5)
    distance = attention_distance([weights, weights.flip(1)], GRID, 8)
    assert_close(distance, torch.stack([expected, expected.flip(0)]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_attention_distance_in_any_precision(dtype):
    weights = random_weights()
    distance = attention_distance([layer.to(dtype) for layer in weights], GRID, 8)
    assert distance.shape == (DEPTH, H)
    assert_close(
        distance.double(), attention_distance(weights, GRID, 8), atol=0.3, rtol=0
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_attention_distance_of_queries_that_look_at_the_class_token_alone(dtype):
    """They look nowhere, so the others decide; a head of nothing else has no
    distance.
    """
    weights = [layer.to(dtype) for layer in random_weights(1)]
    expected = attention_distance([weights[0][:1]], GRID, 8)
    weights[0][1, :, 1:] = torch.eye(13)[0].to(dtype)  # all queries of the second image
    assert_close(attention_distance(weights, GRID, 8), expected)
    weights[0][:, 2, 1:] = torch.eye(13)[0].to(dtype)
    assert attention_distance(weights, GRID, 8).isnan().tolist() == [
        [False, False, True, False, False]
    ]


def test_attention_distance_of_another_grid():
    with pytest.raises(ValueError, match="13 tokens .* 4 x 4 patches"):
        attention_distance(random_weights(), (4, 4), 8)


def test_cover_mass_and_pointing_by_hand():
    masks = torch.zeros(2, 24, 32, dtype=torch.bool)
    masks[0, 8:16, 8:20] = True  # patch 5 and half of patch 6
    masks[1, :4, :8] = True  # half of patch 0
    cover = patch_coverage(masks, 8)
    expected = torch.zeros(2, 12)
    expected[0, 5] = 1
    expected[0, 6] = 0.5
    expected[1, 0] = 0.5
    assert_close(cover, expected)
    scores = torch.zeros(2, 12)
    scores[0, 5] = 1
    scores[0, 6] = 2
    scores[0, 7] = 1
    scores[1, 3] = 5
    assert_close(attention_mass(cover, scores), torch.tensor([0.5, 0.0]))
    assert_close(pointing_game(cover, scores), torch.tensor([0.5, 0.0]))
    # (B, 2, 1, N)
    layers = torch.stack([scores, scores.roll(-3, dims=1)], dim=1)[:, :, None]
    assert_close(
        attention_mass(cover, layers)[:, :, 0], torch.tensor([[0.5, 0.0], [0.0, 0.5]])
    )
    assert_close(
        pointing_game(cover, layers)[:, :, 0], torch.tensor([[0.5, 0.0], [0.0, 0.5]])
    )


def test_a_mask_that_patches_do_not_fill_is_refused():
    with pytest.raises(ValueError, match="24 x 30 pixels cannot be cut into patches"):
        patch_coverage(torch.zeros(2, 24, 30, dtype=torch.bool), 8)


def test_mass_does_not_depend_on_the_sum_of_a_map():
    cover = torch.rand(B, 12)
    scores = torch.rand(B, 12)
    assert_close(attention_mass(cover, 100 * scores), attention_mass(cover, scores))
    # no map, no mass, no nan
    assert_close(attention_mass(cover, torch.zeros(B, 12)), torch.zeros(B))


def test_bootstrap_covers_the_mean_as_often_as_it_says():
    torch.manual_seed(0)
    # 400 experiments of 50 images, true mean 0
    low, high = bootstrap(torch.randn(50, 400))
    assert 0.90 < ((low < 0) & (high > 0)).double().mean() < 0.98


def test_bootstrap_agrees_with_the_standard_error():
    torch.manual_seed(0)
    values = torch.rand(400, 2, 3)
    low, high = bootstrap(values)
    assert low.shape == high.shape == (2, 3)
    mean = values.mean(dim=0)
    error = values.std(dim=0) / 400**0.5
    for edge in (mean - low, high - mean):
        assert_close((edge / error).mean(), torch.tensor(1.96), rtol=0, atol=0.1)
    assert_close(bootstrap(values), (low, high))  # the same images, the same band


def test_bootstrap_of_one_image():
    with pytest.raises(ValueError, match="at least 2 images, found 1"):
        bootstrap(torch.rand(1, 4))


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ({"layer": 3}, "layer is 3, expected one of 3 layers"),
        ({"layer": -4}, "layer is -4"),
        ({"head": 2}, "head is 2, expected one of 2 heads"),
        ({"head": -3}, "head is -3"),
    ],
)
def test_a_layer_or_head_there_is_not_is_refused(choice, found):
    weights = [torch.zeros(1, 2, 4, 4)] * 3
    assert select_attention(weights, -3, -2).shape == (1, 4, 4)
    with pytest.raises(ValueError, match=found):
        select_attention(weights, **choice)
    with pytest.raises(ValueError, match="layer is -1, expected one of 0 layers"):
        select_attention([])
