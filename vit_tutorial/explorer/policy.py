"""The content-security policy of a page: nothing comes from another machine, and no
script runs that was not on the page when it was written.
"""

import base64
import hashlib
from collections.abc import Mapping
from html.parser import HTMLParser

NAME = "Content-Security-Policy"
RUN = (None, "", "module", "text/javascript")  # types of a script that is no data
ALONE = {  # of a page that has everything inside it
    "default-src": "'none'",  # frames, media, plug-ins and what is still to come
    "script-src": "",  # the hashes of what stands in the page
    "worker-src": "blob:",  # the engine: from the disk no other worker starts
    "style-src": "'unsafe-inline'",  # what stands in the page, and moves
    # thumbnails stand in a page; a picture that a reader brings is a blob
    "img-src": "data: blob:",
    "form-action": "'none'",
    "base-uri": "'none'",
}


class Inline(HTMLParser):
    """What runs though it stands in the page: scripts, and the handlers of events."""

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


def policy_tag(page: str, sources: Mapping[str, str]) -> str:
    """The tag with the policy of a page, to stand before all that it governs: these
    sources, and the hashes of the page's own scripts and handlers.
    """
    found = Inline(page)
    scripts = [sources["script-src"], *digests(found.scripts)]
    if found.handlers:  # on the site: the theme's print button
        scripts += ["'unsafe-hashes'", *digests(found.handlers)]
    rules = {**sources, "script-src": " ".join(filter(None, scripts))}
    said = "; ".join(f"{name} {allowed}" for name, allowed in rules.items())
    return f'<meta http-equiv="{NAME}" content="{said}">'
