"""Names as they are in figures: a class may be called "$5 to $10", or 猫, which
Matplotlib's own font does not have.
"""

from functools import cache
from unicodedata import category, normalize

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager
from matplotlib.ft2font import FT2Font
from matplotlib.text import Text

PLACEHOLDERS = (
    "Last Resort",
    ".LastResort",
    "Adobe Blank",
)  # they have a sign for every character, and it says nothing


def literal(text: str) -> str:
    """`text` for Matplotlib to draw letter by letter: no formula begins at a dollar,
    and what no font here can draw stands there as Python writes it, such as \\u732b
    for 猫.
    """
    base = findfont(FontProperties())
    shown = ""
    last = None
    # an accent of its own is joined to its letter
    for character in normalize("NFC", str(text)):
        family = _family(character, base)
        # a mark is of its letter's font
        if family is None or (category(character).startswith("M") and family != last):
            shown = shown + _spelt(character)
            last = ""
        else:
            shown = shown + character
            last = family
    return shown.replace("$", r"\$")


def fitted(figure: Figure) -> Figure:
    """The figure, whose every text may use whichever installed fonts have its
    letters.
    """
    base = findfont(FontProperties())
    for text in figure.findobj(Text):
        families = [
            family
            for family in (_family(letter, base) for letter in text.get_text())
            if family
        ]
        if families:
            text.set_fontfamily(
                list(dict.fromkeys([*text.get_fontfamily(), *families]))
            )
    return figure


def _spelt(character: str) -> str:
    """A character that cannot be drawn: white space as a space, invisible ones not at
    all, the rest by its number.
    """
    if character.isspace():
        return " "
    return (
        ""
        if category(character) == "Cf"
        else character.encode("unicode_escape").decode()
    )


@cache
def _family(character: str, base: str) -> str | None:
    """The family of the first font that has a character: none is needed ("") where
    `base` has it, None where none has.

    Regular fonts come first: a family is looked up again by its name, and that leads to
    its regular font.
    """
    if ord(character) in _characters(base) or character == "\n":
        return ""
    for font in sorted(
        fontManager.ttflist,
        key=lambda font: (font.style != "normal", font.weight != 400, font.name),
    ):
        if not font.name.startswith(PLACEHOLDERS) and ord(character) in _characters(
            font.fname
        ):
            return font.name
    return None


@cache
def _characters(path: str) -> frozenset[int]:
    """The code points that a font has; none where its file cannot be read (any
    more).
    """
    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
