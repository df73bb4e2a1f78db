"""What chapters 03 to 07 say of recorded runs is what the records say."""

from written import chapter, recorded


def per_cent(record: str, *keys: str) -> str:
    value = recorded(record)
    for key in keys:
        value = value[key]
    return f"{100 * value['mean']:.0f}"


def test_attention_is_held_against_the_bag_of_three_seeds():
    step = recorded("scoreboard")["steps"]["bag, positions"]
    assert [run["seed"] for run in step["runs"]] == [0, 1, 2]
    assert (
        f"against {100 * step['mean']:.0f} % (three seeds) for the bag with the same"
        " addresses" in chapter("03_attention")
    )


def test_post_norm_never_gets_below_what_is_said():
    claims = recorded("robustness")["parts"]["04_encoder_block"]["claims"]
    least = claims["post-norm at the same rate is stuck"]["least"]
    assert f"never gets below {least:.1f}" in chapter("04_encoder_block")
    assert round(least, 1) <= least


def test_one_block_is_worse_than_two_wherever_it_is_trained_better():
    cards = recorded("ablations-stacks")["cards"]
    (depth,) = [card for card in cards if card["name"] == "depth"]
    reached = {arm["name"]: f"{100 * arm['mean']:.0f}" for arm in depth["arms"]}
    assert (
        f"trained better it reaches {reached['1 block']} %, two"
        f" {reached['2 blocks']} (chapter 11)" in chapter("04_encoder_block")
    )
    block = per_cent("scoreboard", "steps", "block")
    assert f"take it no further, {block} % over three seeds" in chapter(
        "04_encoder_block"
    )


def test_more_epochs_bring_four_blocks_level_with_one():
    one, four = (
        per_cent("scoreboard", "steps", step) for step in ("block", "full ViT")
    )
    assert int(four) - int(one) == 1
    assert f"four blocks stand at {four} %, one at {one} %" in chapter(
        "05_vision_transformer"
    )
    assert recorded("scoreboard")["epochs"] == 20


def test_muon_forgives_a_rate_that_adamw_does_not():
    text = chapter("06_training")
    best = per_cent("stacks-adamw-2.5e-4")
    assert f"stands at {per_cent('stacks-adamw')} % after 24 epochs" in text
    assert f"the best of five rates, AdamW reaches {best} %" in text
    others = [
        per_cent(f"stacks-adamw{rate}") for rate in ("", "-1.25e-4", "-5e-4", "-1e-3")
    ]
    assert max(map(int, others)) < int(best)
    factors = {factor: per_cent(f"stacks-muon-{factor}") for factor in (1, 2, 4, 10)}
    assert {factors[factor] for factor in (2, 4, 10)} == {"100"}
    assert (
        f"Muon reaches {factors[1]} % at a factor of 1 and 100 % at 2, 4 and 10" in text
    )
