import pytest
import torch
from test_attention_maps import DEPTH, assert_unchanged, model, state
from test_interventions import TRANSFORMERS, images, through_blocks, variant
from torch.testing import assert_close

from vit_tutorial.config import ViTConfig
from vit_tutorial.interpret.lens import logit_lens, patch_lens, residual_states
from vit_tutorial.models import build_model

POOLS = pytest.mark.parametrize("pool", ["cls", "mean"])


@POOLS
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_states_are_what_the_blocks_pass_on(name, pool):
    vit = variant(name, pool=pool)
    seen = []
    for stage in (vit.embedder, *vit.blocks):
        stage.register_forward_hook(lambda module, given, made: seen.append(made))
    vit(images())
    found = residual_states(vit, images())
    assert len(found) == DEPTH + 1
    assert_close(found, [made.detach() for made in seen[: DEPTH + 1]])
    assert not any(state.requires_grad for state in found)


@POOLS
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_the_last_answer_is_the_models(name, pool):
    vit = variant(name, pool=pool).double()
    found = logit_lens(vit, images().double())
    assert found.shape == (DEPTH + 1, 2, 10)
    assert_close(found[-1], vit(images().double()).detach())


@POOLS
@pytest.mark.parametrize("name", TRANSFORMERS)
@torch.no_grad()
def test_answers_are_read_off_the_tokens_alone(name, pool):
    vit = variant(name, pool=pool).double()
    answers = logit_lens(vit, images().double())
    patches = patch_lens(vit, images().double())
    assert patches.shape == (DEPTH + 1, 2, 12, 10)
    states = through_blocks(vit, vit.embed(images().double()))
    first = int(pool == "cls")
    for answer, each, stream in zip(answers, patches, states, strict=True):
        read = stream[:, 0] if first else stream[:, :12].mean(dim=1)
        assert_close(answer, vit.head(read))
        for number in range(12):
            assert_close(each[:, number], vit.head(stream[:, first + number]))


@POOLS
def test_an_early_answer_is_that_of_a_model_that_ends_there(pool):
    vit = variant("vit", pool=pool)
    found = logit_lens(vit, images())
    short = variant("vit", pool=pool, depth=2)
    weights = vit.state_dict()
    short.load_state_dict({name: weights[name] for name in short.state_dict()})
    assert_close(found[2], short(images()).detach())


def test_before_any_block_the_class_token_says_the_same_of_every_picture():
    first = logit_lens(variant("vit"), images())[0]
    assert_close(first[0], first[1])


@POOLS
def test_each_patch_is_read_for_itself(pool):
    vit = variant("vit", pool=pool)
    found = patch_lens(vit, images())
    assert found.shape == (DEPTH + 1, 2, 12, 10)
    states = residual_states(vit, images())
    token = 5 + (pool == "cls")
    assert_close(found[2, 1, 5], vit.head(states[2][1, token]).detach())


@pytest.mark.parametrize("look", [residual_states, logit_lens])
def test_a_cnn_has_no_states_to_read(look):
    cnn = build_model(ViTConfig(image_size=16, name="cnn"))
    with pytest.raises(ValueError, match="^the model is a CNN, which has no tokens"):
        look(cnn, torch.randn(1, 3, 16, 16))


@pytest.mark.parametrize("look", [residual_states, logit_lens, patch_lens])
def test_looking_leaves_the_model_as_it_was_and_sees_no_dropout(look):
    vit = model().train()
    vit.blocks[1].eval()
    vit(images()).sum().backward()
    before = state(vit)
    found = look(vit, images())
    with pytest.raises(ValueError, match="expected"):
        look(vit, torch.randn(1, 3, 8, 8))
    assert_unchanged(vit, before)
    assert_close(found, look(vit.eval(), images()))
