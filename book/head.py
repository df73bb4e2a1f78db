"""What a page says of itself to search engines and where its address is shared."""

import re
from html import escape, unescape

from docutils import nodes

TITLE = "The Vision Transformer, built by hand"
PREVIEW = "preview.png"  # of preview.py, in the static files
SIDES = (1200, 630)
ALT = "A drawing cut into patches, and which of them the class token looks at"
SENTENCE = re.compile(r".+?[.!?:](?=\s|$)")
TAG = re.compile(r"<[^>]*>")


def description(doctree: nodes.document) -> str:
    """The first sentence of a page; empty where it has none."""
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split())
        if found := SENTENCE.match(text):
            return found[0]
    return ""


def plain(title: str) -> str:
    """A title without its markup."""
    return unescape(TAG.sub("", title))


def tags(title: str, about: str, image: str, address: str) -> str:
    """The meta tags of a page; `image` is an address, `address` that of the page or
    empty.
    """
    said = {
        "og:type": "website" if title == TITLE else "article",
        "og:site_name": TITLE,
        "og:title": title,
        "og:description": about,
        "og:url": address,
        "og:image": image,
        "og:image:width": str(SIDES[0]),
        "og:image:height": str(SIDES[1]),
        "og:image:alt": ALT,
    }
    named = {"description": about, "twitter:card": "summary_large_image"}
    lines = [("property", *pair) for pair in said.items() if pair[1]]
    lines += [("name", *pair) for pair in named.items() if pair[1]]
    return "".join(
        f'\n    <meta {kind}="{name}" content="{escape(text)}" />'
        for kind, name, text in lines
    )
