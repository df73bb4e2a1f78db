import pytest
import torch
from torch import nn
from torch.testing import assert_close

from vit_tutorial.attention import MultiHeadSelfAttention
from vit_tutorial.embedding import sincos_positions
from vit_tutorial.initialisation import convolutional_, factorised, mimetic_

SIZES = [(96, 4, (6, 6)), (128, 4, (8, 8))]  # the sizes of our runs
NINE = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]


def made(dim: int, heads: int, seed: int = 0) -> MultiHeadSelfAttention:
    torch.manual_seed(seed)
    attention = MultiHeadSelfAttention(dim, heads)
    for parameter in attention.parameters():
        nn.init.normal_(parameter)
    return attention


def product(attention: MultiHeadSelfAttention, head: int) -> torch.Tensor:
    """W_Q W_K^T of a head, value by value, from what the layer makes of unit vectors:
    (D, D) in float64.
    """
    dim = attention.out.in_features
    width = dim // attention.heads
    attention = attention.double()
    made_of = (attention.qkv(torch.eye(dim).double()) - attention.qkv.bias).tolist()
    found = torch.zeros(dim, dim, dtype=torch.float64)
    for i in range(dim):
        for j in range(dim):
            for n in range(head * width, (head + 1) * width):
                found[i, j] += made_of[i][n] * made_of[j][dim + n]
    return found


def through(attention: MultiHeadSelfAttention) -> torch.Tensor:
    """W_V W_out: what the layer makes of unit vectors whose tokens are alone."""
    attention = attention.double()
    dim = attention.out.in_features
    nothing = attention(torch.zeros(1, 1, dim).double())[0]
    return attention(torch.eye(dim).double()[:, None])[:, 0] - nothing


@pytest.mark.parametrize("shape", [(7, 7), (2, 9, 5), (3, 6, 8)])
def test_factors_are_the_closest_of_their_rank(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape, dtype=torch.float64)
    a, b = factorised(matrix, 4)
    assert a.shape == (*shape[:-1], 4) and b.shape == (*shape[:-2], shape[-1], 4)
    left_out = torch.linalg.svdvals(matrix)[..., 4:].square().sum(dim=-1).sqrt()
    assert_close((a @ b.mT - matrix).norm(dim=(-2, -1)), left_out)
    assert_close(a.mT @ a, b.mT @ b)  # evenly split


def test_factors_of_full_rank_lose_nothing():
    torch.manual_seed(0)
    matrix = torch.randn(5, 5, dtype=torch.float64)
    a, b = factorised(matrix, 5)
    assert_close(a @ b.T, matrix)


@pytest.mark.parametrize("rank", [0, 6])
def test_a_rank_that_no_factors_have_is_refused(rank):
    with pytest.raises(ValueError, match=f"^rank {rank} is not from 1 to 5$"):
        factorised(torch.zeros(5, 7), rank)


@pytest.mark.parametrize(("dim", "heads"), [(15, 3), (12, 1), (7, 7)])
def test_mimetic_heads_are_close_to_noise_and_identity(dim, heads):
    attention = made(dim, heads)
    torch.manual_seed(3)
    mimetic_(attention)
    torch.manual_seed(3)
    noise = torch.randn(heads + 1, dim, dim).double() / dim**0.5
    for head in range(heads):
        target = 0.7 * noise[head + 1] + 0.7 * torch.eye(dim)
        got = product(attention, head)
        values = torch.linalg.svdvals(target)
        kept = torch.linalg.svdvals(got)[: dim // heads]
        assert_close(kept, values[: dim // heads], atol=1e-5, rtol=1e-4)
        assert torch.linalg.matrix_rank(got, rtol=1e-4) == dim // heads
        lost = values[dim // heads :].square().sum().sqrt()
        assert_close((got - target).norm(), lost, atol=1e-5, rtol=1e-4)
    target = 0.4 * noise[0] - 0.4 * torch.eye(dim)
    assert_close(through(attention), target, atol=1e-5, rtol=1e-4)


def test_mimetic_tokens_look_at_themselves_and_subtract():
    attention = made(48, 4)
    mimetic_(attention)
    for head in range(4):
        assert product(attention, head).diagonal().mean() > 0.1
    value = through(attention)
    assert -0.5 < value.diagonal().mean() < -0.3
    assert abs(value.mean()) < 0.05
    assert torch.linalg.matrix_rank(value) == 48
    tokens = torch.randn(64, 9, 48).double()
    weights = attention(tokens, return_attention=True)[1]
    assert weights.diagonal(dim1=2, dim2=3).mean() > 1.5 / 9


def test_mimetic_noise_has_the_variance_of_the_paper():
    attention = made(64, 1)
    mimetic_(attention)
    off = ~torch.eye(64, dtype=torch.bool)
    for value, scale in ((product(attention, 0), 0.7), (through(attention), 0.4)):
        assert_close(value[off].std().item(), scale / 8, rtol=0.05, atol=0)


@pytest.mark.parametrize("start", [mimetic_, lambda a: convolutional_(a, *PLACES)])
def test_starts_are_drawn_and_repeat_from_a_seed(start):
    states = []
    for seed in (1, 1, 2):
        attention = made(24, 3)
        torch.manual_seed(seed)
        start(attention)
        states.append(attention.qkv.weight.detach().clone())
    assert states[0].equal(states[1])
    heads = [states[0][n : n + 8] for n in (0, 8, 16, 24, 32, 40)]
    assert not any(a.allclose(b) for i, a in enumerate(heads) for b in heads[:i])
    assert not states[0].allclose(states[2])


PLACES = (sincos_positions((3, 4), 24), (3, 4))


def test_biases_start_at_zero():
    attention = made(24, 3)
    mimetic_(attention)
    assert not attention.qkv.bias.any() and not attention.out.bias.any()
    attention = made(24, 3)
    before = {name: value.clone() for name, value in attention.state_dict().items()}
    convolutional_(attention, *PLACES)
    assert not attention.qkv.bias[:48].any()
    for name in ("qkv.weight", "qkv.bias"):
        assert attention.state_dict()[name][48:].equal(before[name][48:])
    for name in ("out.weight", "out.bias"):
        assert attention.state_dict()[name].equal(before[name])


def looked_at(attention, positions, grid) -> tuple[list[tuple[int, int]], list[float]]:
    """For each head the offset that most of the places look at, and the shares of
    places that do, found by trying all nine; the mean weights there come last.
    """
    dim = positions.shape[-1]
    tokens = nn.functional.layer_norm(positions, (dim,))
    weights = attention(tokens, return_attention=True)[1][0]
    weights = weights[:, -grid[0] * grid[1] :, -grid[0] * grid[1] :]
    offsets, shares, heights = [], [], []
    for head in weights:
        found = {}
        for down, right in NINE:
            places = []
            for y in range(grid[0]):
                for x in range(grid[1]):
                    to_y = min(max(y + down, 0), grid[0] - 1)
                    to_x = min(max(x + right, 0), grid[1] - 1)
                    row = head[y * grid[1] + x]
                    goal = to_y * grid[1] + to_x
                    places.append((row.argmax().item() == goal, row[goal].item()))
            found[down, right] = [
                sum(p) / len(places) for p in zip(*places, strict=True)
            ]
        best = max(found, key=lambda offset: found[offset][0])
        offsets.append(best)
        shares.append(found[best][0])
        heights.append(found[best][1])
    return offsets, shares, heights


@pytest.mark.parametrize(("dim", "heads", "grid"), [*SIZES, (72, 3, (5, 7))])
@pytest.mark.parametrize("class_token", [True, False])
def test_a_convolutional_head_looks_at_one_neighbour(dim, heads, grid, class_token):
    attention = made(dim, heads)
    positions = sincos_positions(grid, dim, class_token)
    convolutional_(attention, positions, grid)
    offsets, shares, heights = looked_at(attention, positions, grid)
    assert min(shares) >= 0.9
    assert 0.45 < sum(heights) / heads < 0.75  # a peak, and not the only place
    assert len(set(offsets)) == heads


@pytest.mark.parametrize("positions", ["sincos", "learned"])
def test_nine_heads_look_at_nine_neighbours_and_more_begin_anew(positions):
    places = sincos_positions((4, 4), 144, class_token=False)
    if positions == "learned":
        torch.manual_seed(0)
        places = 0.02 * torch.randn(1, 16, 144)
    offsets = looked_at_by(9, places)
    assert sorted(offsets) == sorted(NINE)
    offsets = looked_at_by(12, places)
    assert set(offsets[:9]) == set(NINE) and len(set(offsets[9:])) == 3


def looked_at_by(heads: int, places: torch.Tensor) -> list[tuple[int, int]]:
    attention = made(144, heads)
    convolutional_(attention, places, (4, 4))
    offsets, shares, _ = looked_at(attention, places, (4, 4))
    assert min(shares) >= 0.9
    return offsets


def test_offsets_are_drawn_evenly():
    places = sincos_positions((3, 3), 8, class_token=False)
    seen = set()
    for seed in range(60):
        attention = made(8, 1, seed)
        convolutional_(attention, places, (3, 3))
        seen |= set(looked_at(attention, places, (3, 3))[0])
    assert seen == set(NINE)


def test_one_patch_looks_at_itself():
    attention = made(8, 2)
    convolutional_(attention, sincos_positions((1, 1), 8), (1, 1))
    assert attention.qkv.weight.isfinite().all()


@pytest.mark.parametrize("count", [11, 14])
def test_positions_that_do_not_fit_the_grid_are_refused(count):
    message = f"^{count} positions do not fit a grid of 3 x 4$"
    with pytest.raises(ValueError, match=message):
        convolutional_(made(8, 2), torch.zeros(1, count, 8), (3, 4))
