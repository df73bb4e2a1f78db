"""The content-security policy of every page: nothing comes from another machine, and no
script runs that was not on the page when it was built.
"""

import re
from pathlib import Path

from vit_tutorial.explorer.policy import ALONE, NAME, policy_tag
from vit_tutorial.files import write_file

# 'self' is the site on a server; from the disk it names nothing in some browsers, where
# file: stands in, which no page of a server can load.
HERE = "'self' file:"
SOURCES = {
    **ALONE,
    "script-src": HERE,
    # MathJax, the icons and the explorers write styles as they run; each line of code
    # carries its indent
    "style-src": f"{HERE} {ALONE['style-src']}",
    "img-src": f"{HERE} {ALONE['img-src']}",  # frames of films, too, stand in a page
    "font-src": HERE,  # of MathJax
    "connect-src": HERE,  # the search page quotes the pages it has found
    "form-action": HERE,  # the search field
}
CHARSET = re.compile(r'<meta charset="utf-8"\s*/?>')


def write(site: Path) -> None:
    """Put its policy first into each page that has none yet."""
    for path in sorted(site.rglob("*.html")):
        page = path.read_text(encoding="utf-8")
        if "_static" in path.parts or f'http-equiv="{NAME}"' in page:
            continue
        charset = CHARSET.search(page)
        if charset is None:
            raise ValueError(f"{path} names no charset, expected a page of the site")
        at = charset.end()
        placed = page[:at] + policy_tag(page, SOURCES) + page[at:]
        write_file(path, placed.encode())
