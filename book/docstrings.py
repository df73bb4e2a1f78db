"""The package's docstrings on the page of the API: they are plain text with `code` in
single backticks, and autodoc reads reStructuredText.
"""

import re

from sphinx.application import Sphinx

SPECIAL = re.compile(r"[\\*_|]")
JOINT = r"\ "  # parts a literal from the letter beside it, and is not shown


def to_rst(text: str) -> str:
    """Plain text with `code` in it as reStructuredText that says the same."""
    said, *rest = text.split("`")
    made = SPECIAL.sub(r"\\\g<0>", said)
    for code, said in zip(rest[::2], rest[1::2], strict=True):
        before = JOINT if made[-1:].isalnum() else ""
        after = JOINT if said[:1].isalnum() else ""
        made += f"{before}``{code}``{after}" + SPECIAL.sub(r"\\\g<0>", said)
    return made


def rewrite(
    app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]
) -> None:
    lines[:] = to_rst("\n".join(lines)).split("\n")


def without_factory(
    app: Sphinx, what: str, name: str, found: object, options: object, *said: str | None
) -> tuple[str | None, ...]:
    """A signature and what it returns; a default that is made anew, which no parser
    reads, is left out.
    """
    signature, returned = said
    return signature and signature.replace("<factory>", "..."), returned


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", rewrite)
    app.connect("autodoc-process-signature", without_factory)
