"""The content-security policy of every page: nothing comes from another machine, and no
script runs that was not on the page when it was built.
"""

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

from vit_tutorial.files import write_file

# 'self' is the site on a server; from the disk it names nothing in some browsers, where
# file: stands in, which no page of a server can load.
HERE = "'self' file:"
SOURCES = {
    "default-src": "'none'",  # frames, media, plug-ins and what is still to come
    "script-src": HERE,  # and the hashes of what stands in the page
    "worker-src": "blob:",  # the engine: from the disk no other worker starts
    # MathJax, the icons and the explorers write styles as they run; each line of code
    # carries its indent
    "style-src": f"{HERE} 'unsafe-inline'",
    # frames and thumbnails stand in a page; a picture that a reader brings is a blob
    "img-src": f"{HERE} data: blob:",
    "font-src": HERE,  # of MathJax
    "connect-src": HERE,  # the search page quotes the pages it has found
    "form-action": HERE,  # the search field
    "base-uri": "'none'",
}
NAME = "Content-Security-Policy"
CHARSET = re.compile(r'<meta charset="utf-8"\s*/?>')
RUN = (None, "", "module", "text/javascript")  # types of a script that is no data


class Inline(HTMLParser):
    """What runs though it stands in the page: scripts, and handlers such as onclick."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.scripts: set[str] = set()
        self.handlers: set[str] = set()
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.handlers |= {code or "" for name, code in attrs if name.startswith("on")}
        self.inside = (
            tag == "script" and "src" not in values and values.get("type") in RUN
        )

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts.add(data)

    def handle_endtag(self, tag: str) -> None:
        self.inside = False


def digests(codes: set[str]) -> list[str]:
    """Sources that allow these texts and no other, sorted."""
    return sorted(
        f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
        for code in codes
    )


def policy(page: str) -> str:
    """The policy of a page, with the hashes of its own scripts and handlers."""
    found = Inline(page)
    scripts = [SOURCES["script-src"], *digests(found.scripts)]
    if found.handlers:  # the theme's print button
        scripts += ["'unsafe-hashes'", *digests(found.handlers)]
    sources = {**SOURCES, "script-src": " ".join(scripts)}
    return "; ".join(f"{name} {allowed}" for name, allowed in sources.items())


def write(site: Path) -> None:
    """Put its policy first into each page that has none yet."""
    for path in sorted(site.rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        if "_static" in path.parts or f'http-equiv="{NAME}"' in page:
            continue
        charset = CHARSET.search(page)
        if charset is None:
            raise ValueError(f"{path} names no charset, expected a page of the site")
        tag = f'<meta http-equiv="{NAME}" content="{policy(page)}">'
        placed = page[: charset.end()] + tag + page[charset.end() :]
        write_file(path, placed.encode())
