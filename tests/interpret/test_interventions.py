"""Heads, branches, positions and states that are taken away or replaced: against the
same by hand, in every kind of model.
"""

import pytest
import torch
from test_attention_maps import DEPTH, H, assert_unchanged, model, state
from torch.testing import assert_close

from vit_tutorial.config import ViTConfig
from vit_tutorial.interpret.interventions import (
    drop_patches,
    patched,
    silenced,
    without_positions,
)
from vit_tutorial.interpret.lens import residual_states
from vit_tutorial.models import MODELS, build_model
from vit_tutorial.resolution import AtResolution

B = 2
K = 8  # 40 values of 5 heads
TRANSFORMERS = [
    name for name in MODELS if name not in ("cnn", "resnet-small", "resnet18")
]


def images(seed=1):
    return torch.randn(B, 3, 24, 32, generator=torch.Generator().manual_seed(seed))


def variant(name, **choices):
    """In eval mode, with a head whose logits are far from zero and no bias at zero."""
    sizes = {"image_size": (24, 32), "patch_size": 8, "dim": 40, "depth": 3, "heads": 5}
    torch.manual_seed(0)
    vit = build_model(ViTConfig(name=name, dropout=0.5, **sizes | choices)).eval()
    for parameter in vit.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return vit


def through_blocks(vit, x, layer=0):
    """What each block from `layer` on makes of x, one after the other; registers, where
    there are any, stand behind the tokens.
    """
    if layer == 0 and hasattr(vit, "registers"):
        x = torch.cat([x, vit.registers.repeat(len(x), 1, 1)], dim=1)
    states = [x]
    for block in vit.blocks[layer:]:
        states.append(block(states[-1]))
    return states


def quiet_head(vit, layer, head):
    """The same by hand: no value that the head gives reaches the output."""
    with torch.no_grad():
        vit.blocks[layer].attention.out.weight[:, K * head : K * (head + 1)] = 0


def quiet_part(vit, layer, part):
    block = vit.blocks[layer]
    last = block.attention.out if part == "attention" else block.mlp[-2]
    for parameter in last.parameters():
        torch.nn.init.zeros_(parameter)


@pytest.mark.parametrize("name", TRANSFORMERS)
@pytest.mark.parametrize("layer", range(DEPTH))
@pytest.mark.parametrize("head", range(H))
def test_a_silent_head_gives_nothing(name, layer, head):
    vit = variant(name).double()  # without norms values are large
    inputs = images().double()
    with silenced(vit, heads=[(layer, head)]), torch.no_grad():
        found = vit(inputs)
        with_weights, weights = vit(inputs, return_attention=True)
    loud = vit(inputs).detach()
    assert_close(found, with_weights)
    assert len(weights) == DEPTH
    quiet_head(vit, layer, head)
    assert_close(found, vit(inputs).detach())
    assert not torch.allclose(found, loud)


@pytest.mark.parametrize("name", TRANSFORMERS)
@pytest.mark.parametrize("layer", range(DEPTH))
@pytest.mark.parametrize("part", ["attention", "mlp"])
def test_a_silent_branch_adds_nothing(name, layer, part):
    vit = variant(name).double()  # without norms values are large
    inputs = images().double()
    with silenced(vit, parts=[(layer, part)]), torch.no_grad():
        found = vit(inputs)
        with_weights, weights = vit(inputs, return_attention=True)
    assert_close(found, with_weights)
    loud, seen = vit(inputs, return_attention=True)
    # what the layer would have looked at
    assert_close(weights[layer], seen[layer].detach())
    assert not torch.allclose(found, loud)
    quiet_part(vit, layer, part)
    assert_close(found, vit(inputs).detach())


def test_many_at_once_and_one_inside_another():
    vit = variant("vit")
    heads = [(0, 1), (2, 3), (0, 4)]
    parts = [(1, "mlp"), (2, "attention")]
    with silenced(vit, heads, parts):
        found = vit(images())
    with silenced(vit, heads[:1]), silenced(vit, heads[1:], parts):
        assert_close(vit(images()), found)
    for layer, head in heads:
        quiet_head(vit, layer, head)
    for layer, part in parts:
        quiet_part(vit, layer, part)
    assert_close(found, vit(images()))


def test_without_any_branch_tokens_stay_as_they_are():
    vit = variant("layer-scale", pool="mean")
    parts = [(n, part) for n in range(DEPTH) for part in ("attention", "mlp")]
    with silenced(vit, parts=parts):
        assert_close(vit(images()), vit.classify(vit.embed(images())))


def test_all_heads_leave_the_bias_of_their_projection():
    vit = variant("vit", depth=1)
    tokens = vit.embed(images())
    block = vit.blocks[0]
    x = tokens + block.attention.out.bias
    expected = vit.classify(x + block.mlp(block.norm2(x)))
    with silenced(vit, heads=[(0, head) for head in range(H)]):
        assert_close(vit(images()), expected)


def test_a_silent_head_learns_nothing():
    vit = variant("vit")
    with silenced(vit, heads=[(1, 2)]):
        vit(images()).sum().backward()
    slope = vit.blocks[1].attention.out.weight.grad
    assert (slope[:, 2 * K : 3 * K] == 0).all() and (slope[:, :K] != 0).all()


def test_silence_holds_for_dropped_patches_too():
    vit = variant("vit")
    kept = torch.tensor([[3, 1], [0, 2]])
    with silenced(vit, heads=[(1, 2)]):
        found = drop_patches(vit, images(), kept)
    quiet_head(vit, 1, 2)
    assert_close(found, drop_patches(vit, images(), kept))


@pytest.mark.parametrize("positions", ["learned", "sincos"])
@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_tokens_without_positions(positions, pool):
    vit = variant("vit", positions=positions, pool=pool)
    with without_positions(vit):
        found = vit(images())
        with without_positions(vit):
            assert_close(vit(images()), found)
        assert_close(vit(images()), found)  # the outer one still holds
    tokens = vit.embedder.project(images())
    if pool == "cls":
        first = vit.embedder.class_token.expand(B, 1, -1)
        tokens = torch.cat([first, tokens], dim=1)
    assert_close(found, vit.classify(vit.encode(tokens)))
    assert not torch.allclose(found, vit(images()))


def test_without_positions_no_order_counts():
    vit = variant("vit")
    rows = images()
    swapped = rows.roll(8, dims=2)  # by a patch
    assert not torch.allclose(vit(rows), vit(swapped))
    with without_positions(vit):
        assert_close(vit(rows), vit(swapped))


@pytest.mark.parametrize("name", ["rope", "rope-beside-added", "since-2020"])
def test_positions_that_turn_queries_and_keys_cannot_be_left_out(name):
    vit = variant(name)
    before = vit(images())
    message = f"the rotary positions of '{name}' cannot be left out"
    with pytest.raises(ValueError, match=message), without_positions(vit):
        pass
    assert torch.equal(vit(images()), before)


def test_a_stretched_model_has_no_positions_either():
    vit = variant("vit")
    small = images()[..., :16, :16]
    with without_positions(vit):
        found = AtResolution(vit, 16)(small)
        kept = torch.arange(2).add(torch.tensor([[0], [4]])).flatten().expand(B, -1)
        assert_close(found, drop_patches(vit, images(), kept))
    assert not torch.allclose(found, AtResolution(vit, 16)(small))


@pytest.mark.parametrize("name", TRANSFORMERS)
@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("layer", range(DEPTH + 1))
def test_patched_tokens_go_on_as_the_other_pictures(name, pool, layer):
    vit = variant(name, pool=pool).double()
    own = images().double()
    other = residual_states(vit, images(2).double())
    x = residual_states(vit, own)[layer]
    x[:, [0, 5]] = other[layer][:, [0, 5]]
    x = through_blocks(vit, x, layer)[-1]
    with patched(vit, other, [(layer, 5), (layer, 0)]):
        found = vit(own)
        with_weights, _ = vit(own, return_attention=True)
        states = residual_states(vit, own)
    assert_close(found, vit.classify(x[:, : vit.config.tokens]))
    assert_close(with_weights, found)
    assert_close(states[layer][:, 5], other[layer][:, 5])
    assert_close(states[-1], x.detach())


def test_all_tokens_of_another_picture_give_its_answer():
    vit = variant("vit")
    other = residual_states(vit, images(2)[:1])  # one picture for all
    for layer in range(DEPTH + 1):
        with patched(vit, other, [(layer, token) for token in range(13)]):
            found = vit(images())
        assert_close(found, vit(images(2)[:1]).expand(B, -1))


def test_a_token_of_the_same_picture_changes_nothing():
    vit = variant("vit")
    with patched(vit, residual_states(vit, images()), [(1, 4), (2, 0)]):
        assert_close(vit(images()), vit(images()))


def test_patches_after_the_last_block_do_not_reach_the_class_token():
    vit = variant("vit")
    with patched(vit, residual_states(vit, images(2)), [(DEPTH, 4)]):
        found = vit(images())
    assert_close(found, vit(images()))


def hooks(vit):
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)
        for module in vit.modules()
    )


@pytest.mark.parametrize("positions", ["learned", "sincos"])
@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(fails, positions):
    vit = model(positions=positions).train()
    vit.blocks[1].eval()
    vit(images()).sum().backward()
    before = state(vit)
    places = vit.embedder.positions.clone()  # no part of the state where fixed
    states = residual_states(vit, images(2))
    try:
        with (
            without_positions(vit),
            silenced(vit, [(0, 1)], [(1, "mlp"), (2, "attention")]),
            patched(vit, states, [(0, 1), (3, 0)]),
        ):
            assert hooks(vit) == 5
            vit(images())
            if fails:
                raise KeyError
    except KeyError:
        assert fails
    assert_unchanged(vit, before)
    assert torch.equal(vit.embedder.positions, places)
    assert hooks(vit) == 0


@pytest.mark.parametrize(
    ("heads", "parts", "message"),
    [
        ([(3, 0)], [], "layer 3 among the heads to silence, expected 0 to 2"),
        ([(-1, 0)], [], "layer -1 among the heads"),
        ([(0, 1), (0, 5)], [], "head 5 among the heads to silence, expected 0 to 4"),
        ([], [(7, "mlp")], "layer 7 among the parts to silence, expected 0 to 2"),
        ([], [(0, "norm")], "part 'norm' among .* expected 'attention' or 'mlp'"),
    ],
)
def test_what_there_is_not_cannot_be_silenced(heads, parts, message):
    vit = model()
    with pytest.raises(ValueError, match=message), silenced(vit, heads, parts):
        pass
    assert hooks(vit) == 0


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ([(4, 0)], "layer 4 among the places to patch, expected 0 to 3"),
        ([(0, 0), (0, 13)], "token 13 among the places to patch, expected 0 to 12"),
        ([(0, -1)], "token -1"),
    ],
)
def test_places_there_are_not(places, message):
    vit = model()
    states = residual_states(vit, images())
    with pytest.raises(ValueError, match=message), patched(vit, states, places):
        pass
    assert hooks(vit) == 0


def test_states_that_do_not_fit():
    vit = model().eval()
    states = residual_states(vit, images())
    with (
        pytest.raises(ValueError, match="states of 3 layers, expected 4"),
        patched(vit, states[1:], [(0, 0)]),
    ):
        pass
    with (
        pytest.raises(ValueError, match=r"states are \(2, 13, 40\), expected \(1, 13"),
        patched(vit, states, [(1, 0)]),
    ):
        vit(images()[:1])
    assert hooks(vit) == 0
