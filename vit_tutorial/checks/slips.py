"""What a learner's slips would have given: each alone, then two at once."""

from collections.abc import Callable, Mapping
from itertools import combinations, product

from torch import Tensor

from vit_tutorial.checks.core import AND


def slips(
    form: Callable[..., Tensor], wrong: Mapping[str, Mapping[str, object]]
) -> dict[str, Tensor]:
    """The sentences of `wrong` -> what `form` makes of them, in the order in which they
    should be looked for.

    `form` computes the exercise; its keywords are the places where one may slip, their
    defaults are right. `wrong` has for each keyword the wrong values under the sentence
    that names them. Slips in two places are named in one sentence.
    """
    found = {}
    for count in (1, 2):
        for places in combinations(wrong, count):
            for chosen in product(*(wrong[place].items() for place in places)):
                sentence = AND.join(sentence for sentence, _ in chosen)
                found[sentence] = form(
                    **{
                        place: value
                        for place, (_, value) in zip(places, chosen, strict=True)
                    }
                )
    return found
