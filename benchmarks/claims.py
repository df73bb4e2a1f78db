"""What the chapters say of the models they train while you watch, as numbers with
bands.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """A sentence of a chapter, the number behind it, an expression of the chapter's
    names, and the number's band.

    What a cell prints as "says: True" is said in the same words; any other sentence
    stands in the text.
    """

    says: str
    value: str
    low: float | None = None
    high: float | None = None


# for each picture, how much of what its two patterned tiles look at is patterned
ON_TILES = (
    "(weights * marked[:, None]).sum(dim=-1)[marked == 1].reshape(8, 2).mean(dim=1)"
)

CLAIMS = {
    "02_tokens_and_places": [
        Claim("The pixels get 15 %", 'scores["pixels"]', 0.1, 0.2),
        Claim(
            "it comes to rest just below the dashed line",
            'scores["bag of patches"]',
            0.5,
            0.62,
        ),
        Claim("Past the line", 'scores["bag, with positions"]', 0.6),
    ],
    "03_attention": [
        Claim("of the report is lost", "max(abs(lost[1] - 0.5), lost[2])", high=0.05),
        Claim(
            "the bag at a coin's 45 to 55 %",
            'score(trained["bag"], *judged)',
            0.45,
            0.55,
        ),
        Claim(
            "the bag that talks above 99 %",
            'score(trained["bag that talks"], *judged)',
            0.99,
        ),
        Claim(
            "In about half of the pictures the light falls",
            f"({ON_TILES} > 0.2).sum()",
            2.5,
            5.5,
        ),
        Claim("with even shares above 99 %", "score(even, *judged)", 0.99),
        Claim(
            "Without positions talking did not help", 'scores["attention"]', 0.5, 0.65
        ),
        Claim('"above" can be told', 'scores["attention, positions"]', 0.95),
    ],
    "04_encoder_block": [
        Claim(
            "pre-norm is near zero after 20 steps", 'losses["pre-norm"][20]', high=0.2
        ),
        Claim("post-norm at the same rate is stuck", 'min(losses["post-norm"])', 1.0),
        Claim("does at a third of it", 'losses["post-norm, 0.0003"][-1]', high=0.5),
        Claim(
            "The other two get nowhere worth going",
            'min(losses["no residual"] + losses["no norm"])',
            1.5,
        ),
        Claim(
            "It has come to the dashed line",
            "(found == val.labels).float().mean()",
            0.55,
            0.65,
        ),
    ],
    "05_vision_transformer": [
        Claim(
            "Four blocks trail one", "(found == val.labels).float().mean()", 0.3, 0.6
        ),
        Claim("the loss does not move from", "history[1]", 2.25),
    ],
    "06_training": [
        Claim("by heart above 95 %", "memorised", 0.95),
        Claim("new ones below 30 %", "fresh", high=0.3),
        Claim("at least 90 %", "val_accuracy[-1]", 90),
        Claim("most mistakes on the shelf are the swapped pair", "swapped", 0.7),
    ],
    "07_generalising": [
        Claim("training above 95 %", "curves['train_accuracy'][-1]", 95),
        Claim("validation below 65 %", "curves['val_accuracy'][-1]", high=65),
        Claim("the CNN is above 90 %", "quick['val_accuracy'][-1]", 90),
    ],
    "12_self_supervision": [
        Claim(
            "Two of the three have collapsed, to opposite sides",
            "max(last['not centred'], 1 - last['not sharpened'])",
            high=0.1,
        ),
        Claim("with labels, above 90 %", "right['with labels']", 0.9),
        Claim("MAE and DINO, below 20 %", "max(right['MAE'], right['DINO'])", high=0.2),
        Claim("backgrounds of neighbours differ by less than 80 %", "share", high=0.8),
    ],
    "13_transfer": [
        Claim("above 70 %, below 90 % as it is", "as_it_is", 0.7, 0.9),
        Claim("the last block, above 90 %", "found['last block'][0]", 0.9),
        Claim(
            "ahead of everything", "found['last block'][0] - found['everything'][0]", 0
        ),
    ],
}
