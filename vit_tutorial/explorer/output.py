"""A notebook's output that a reader moves and that no kernel stands behind: HTML that
needs nothing else, and a picture where no script runs.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from vit_tutorial.fonts import fitted

FOLDER = Path(__file__).parent


@dataclass(frozen=True, repr=False)
class Output:
    """What IPython shows where it stands last in a cell: `html`, or `png`, or else
    `text`.
    """

    html: str
    png: bytes
    text: str

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html

    def _repr_png_(self) -> bytes:
        return self.png


def piece(name: str, data: dict[str, Any], need: str, files: str | None = None) -> str:
    """One piece of HTML: the data, and the script and style of this name, inline;
    several fit on a page. `need` is what a reader without JavaScript is told, `files`
    what script and style are called where they have another name.
    """
    stem = files or name
    script, style = (
        (FOLDER / file).read_text(encoding="utf-8")
        for file in (f"bundle/{stem}.js", f"{stem}.css")
    )
    content = json.dumps(data, separators=(",", ":"))
    content = content.replace("<", "\\u003c")  # a class may be called </script>
    return (
        f'<style>{style}</style><div class="vit-{name}"><script'
        f' type="application/json">{content}</script><noscript>{need}</noscript></div>'
        f'\n<script type="module">\n{script}</script>'
    )


def png(figure: Figure) -> bytes:
    """The bytes of a figure: the same picture, the same bytes."""
    file = io.BytesIO()
    fitted(figure).savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
