import pytest
import torch
from torch.testing import assert_close

from vit_tutorial.config import ViTConfig
from vit_tutorial.look import attention_distance, attention_maps, rollout
from vit_tutorial.model import VisionTransformer

B, H, DEPTH, GRID = 2, 5, 3, (3, 4)


def model(**choices):
    torch.manual_seed(0)
    sizes = {"image_size": (24, 32), "patch_size": 8, "dim": 40, "depth": DEPTH, "heads": H, "dropout": 0.5}
    return VisionTransformer(ViTConfig(**sizes | choices))


def random_weights(depth=DEPTH, tokens=13, dtype=torch.float64):
    torch.manual_seed(0)
    return [(3 * torch.randn(B, H, tokens, tokens, dtype=dtype)).softmax(dim=-1) for _ in range(depth)]


@pytest.mark.parametrize(("pool", "tokens"), [("cls", 13), ("mean", 12)])
def test_maps_of_all_layers_and_heads(pool, tokens):
    vit, images = model(pool=pool), torch.randn(B, 3, 24, 32)
    weights = attention_maps(vit, images)
    assert len(weights) == DEPTH
    for layer in weights:
        assert layer.shape == (B, H, tokens, tokens)
        assert not layer.requires_grad
        assert_close(layer.sum(dim=-1), torch.ones(B, H, tokens))
    assert_close(weights, vit.eval()(images, return_attention=True)[1])  # seen without dropout


@pytest.mark.parametrize("fails", [False, True])
def test_maps_leave_the_model_as_it_was(fails):
    vit = model().train()
    vit.blocks[1].eval()  # a frozen part in a model under training
    vit.blocks[2].attention.dropout.eval()
    vit.head.requires_grad_(False)
    vit(torch.randn(B, 3, 24, 32)).sum().backward()

    def state():
        modes = [module.training for module in vit.modules()]
        kinds = [(p.requires_grad, p.device, p.dtype) for p in vit.parameters()]
        values = [p.detach().clone() for p in vit.parameters()]
        return modes, kinds, values, [None if p.grad is None else p.grad.clone() for p in vit.parameters()]

    before = state()
    if fails:
        with pytest.raises(ValueError, match="expected"):
            attention_maps(vit, torch.randn(B, 3, 8, 8))
    else:
        attention_maps(vit, torch.randn(B, 3, 24, 32))
    after = state()
    assert after[:2] == before[:2]
    assert all(map(torch.equal, after[2], before[2]))
    assert [g is None for g in after[3]] == [g is None for g in before[3]]
    assert all(torch.equal(*pair) for pair in zip(after[3], before[3], strict=True) if pair[0] is not None)
    assert torch.is_grad_enabled()


def test_rollout_by_hand():
    """Two tokens, two layers: each layer keeps half of a token and fills half from its attention."""
    first = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]]])  # heads: mean [[1, 0], [.5, .5]]
    second = torch.tensor([[[[0.0, 1.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]]])
    assert_close(rollout([first]), torch.tensor([[[1.0, 0.0], [0.25, 0.75]]]))
    # second layer: [[.5, .5], [0, 1]], after the first: [[.625, .375], [.25, .75]]
    assert_close(rollout([first, second]), torch.tensor([[[0.625, 0.375], [0.25, 0.75]]]))


@pytest.mark.parametrize("depth", [1, 3, 24])
def test_rollout_rows_sum_to_one(depth):
    joint = rollout(random_weights(depth))
    assert joint.shape == (B, 13, 13)
    assert (joint >= 0).all()
    assert_close(joint.sum(dim=-1), torch.ones(B, 13, dtype=torch.float64))


def test_rollout_of_layers_that_only_look_at_themselves():
    weights = [torch.eye(6).expand(B, H, 6, 6)] * 12
    assert_close(rollout(weights), torch.eye(6).expand(B, 6, 6))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_rollout_of_half_precision(dtype):
    weights = [layer.to(dtype) for layer in random_weights(24)]
    assert_close(rollout(weights).sum(dim=-1).float(), torch.ones(B, 13), atol=1e-2, rtol=0)


@pytest.mark.parametrize("class_token", [0, 1])
def test_attention_distance_by_hand(class_token):
    """A grid of 3 x 4 patches, 8 px each. Head 0 looks at itself, head 1 at patch 0, head 2 everywhere alike."""
    count = 12
    patches = torch.stack(
        [torch.eye(count), torch.eye(count)[:1].expand(count, count), torch.ones(count, count) / count]
    )
    weights = torch.full((1, 3, count + class_token, count + class_token), 0.7)
    weights[..., class_token:, class_token:] = 0.3 * patches
    places = [(row, column) for row in range(3) for column in range(4)]
    apart = torch.tensor([[8 * ((r - y) ** 2 + (c - x) ** 2) ** 0.5 for y, x in places] for r, c in places])
    expected = torch.stack([torch.tensor(0.0), apart[0].mean(), apart.mean()])
    assert apart[0].max().item() == pytest.approx(8 * 13**0.5)  # two rows down, three columns across
    distance = attention_distance([weights, weights.flip(1)], GRID, 8)
    assert_close(distance, torch.stack([expected, expected.flip(0)]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_attention_distance_in_any_precision(dtype):
    weights = random_weights()
    distance = attention_distance([layer.to(dtype) for layer in weights], GRID, 8)
    assert distance.shape == (DEPTH, H)
    assert_close(distance.double(), attention_distance(weights, GRID, 8), atol=0.3, rtol=0)


def test_attention_distance_of_another_grid():
    with pytest.raises(ValueError, match="13 tokens .* 4 x 4 patches"):
        attention_distance(random_weights(), (4, 4), 8)
