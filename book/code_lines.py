"""Code on the website, line by line: a line that is too long for the screen goes on
below, indented, and is copied as the one line that it is.
"""

import re
from collections.abc import Iterator

from pygments.formatters import HtmlFormatter

# columns by which the rest of a broken line stands further in than its beginning
HANG = 4
NUMBER = re.compile(r'<span class="linenos">.*?</span>')
TAG = re.compile(r"<[^>]*>")


def indent(line: str) -> int:
    """The columns of space at the beginning of a line of HTML, its number included."""
    number = NUMBER.search(line)
    width = len(TAG.sub("", number[0])) if number else 0
    text = TAG.sub("", NUMBER.sub("", line))
    return width + len(text) - len(text.lstrip(" "))


class LineFormatter(HtmlFormatter):
    """Pygments' HTML with a block for each line, which book.css breaks."""

    def wrap(self, source: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        return super().wrap(self._in_blocks(source))

    def _in_blocks(
        self, source: Iterator[tuple[int, str]]
    ) -> Iterator[tuple[int, str]]:
        for is_line, line in source:
            if is_line:
                hang = indent(line) + HANG
                line = f'<span class="line" style="--hang: {hang}ch">{line}</span>'
            yield is_line, line
