"""How Sphinx builds the website. The source folder is the root, so that pages keep the
notebooks' own paths.

BOOK_EXECUTE says which chapters are run while the site is built: "all" (the default),
"explorers" (only those with attention sliders, the others show their committed outputs)
or "none".
"""

import hashlib
import os
import re
import sys
import time
from html import escape
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.highlighting import PygmentsBridge

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book"))

import address  # noqa: E402  found through the path that is set above
import head  # noqa: E402
import questions  # noqa: E402
from code_lines import LineFormatter  # noqa: E402

URLS = address.read(ROOT)
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
EXECUTE = os.environ.get("BOOK_EXECUTE", "all")
os.environ["TQDM_DISABLE"] = "1"  # a progress bar is of no use on a page


def package_digest() -> str:
    """One short name for the package and the records as they are: outputs kept under
    another name are not used.
    """
    paths = [
        path
        for folder in ("results", "vit_tutorial")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    ]
    contents = b"".join(hashlib.sha256(path.read_bytes()).digest() for path in paths)
    return hashlib.sha256(contents).hexdigest()[:16]


def not_executed(path: Path) -> bool:
    pieces = r"\b(explore|drag_tokens|film|scatter|deck)\("
    moves = re.search(pieces, path.read_text(encoding="utf-8"))
    return EXECUTE == "none" or (EXECUTE == "explorers" and not moves)


project = "vit_tutorial"
author = "The vit_tutorial authors"
copyright = "2026, the vit_tutorial authors. Code: MIT. Text: CC BY 4.0"
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx_design",
    "sphinx_copybutton",
    "sphinxcontrib.bibtex",
    "docstrings",
]
root_doc = "book/index"
templates_path = ["templates"]
include_patterns = ["book/*.md", "notebooks/*.ipynb"]
exclude_patterns = [".*", "lab", "data", "runs", "book/_build", "book/node_modules"]
bibtex_bibfiles = ["references.bib"]
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True  # URL, not the address that it stands for
autodoc_inherit_docstrings = False  # what PyTorch says of its own is told there
add_module_names = False
# fetched by build.py; the default is a content network
mathjax_path = "mathjax/tex-mml-chtml.js"

nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "book" / "_build" / "cache" / package_digest())
nb_execution_excludepatterns = [
    f"notebooks/{path.name}" for path in CHAPTERS if not_executed(path)
]
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_merge_streams = True
nb_output_stderr = "remove"
# sliders on a page work without a kernel, in their HTML form; no other widget is
# published
nb_ipywidgets_js = {}
nb_mime_priority_overrides = [
    ("html", "text/html", 0),
    ("html", "application/vnd.jupyter.widget-view+json", None),
]

html_theme = "sphinx_book_theme"
html_title = head.TITLE
html_context = {"default_mode": "auto", **address.edit_link(URLS)}
html_baseurl = address.base(URLS)
html_favicon = "static/favicon.svg"
html_static_path = ["static", "_build/static"]
html_css_files = ["book.css"]
html_js_files = ["progress.js", "print.js"]
html_search_scorer = str(ROOT / "book" / "search_scores.js")
html_show_sphinx = False
html_theme_options = {
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the search field stands in the sidebar already
    "show_toc_level": 2,
    "use_fullscreen_button": False,
    **address.buttons(URLS),
}

started: dict[str, float] = {}
read_anew: set[str] = set()


def say_start(app: Sphinx, docname: str, source: list[str]) -> None:
    if docname.startswith("notebooks/"):
        print(f"{docname:44}", end=" ", flush=True)
        started[docname] = time.time()


def say_seconds(app: Sphinx, doctree: nodes.document) -> None:
    docname = app.env.docname
    if docname in started:
        data = NbMetadataCollector.get_exec_data(app.env, docname)
        if data is None:
            print("as committed")
        else:
            print(
                f"{data['runtime']:.0f} s"
                + (", kept" if data["mtime"] < started[docname] else ""),
                flush=True,
            )


def describe_figures(app: Sphinx, doctree: nodes.document) -> None:
    """A figure without a description of its own is announced as what it is, not by the
    name of its file.
    """
    for image in doctree.findall(nodes.image):
        image.setdefault("alt", "Figure drawn by the code above, described in the text")


def say_unchanged(app: Sphinx, exception: Exception | None) -> None:
    if rest := len(CHAPTERS) - len(started):
        print(f"{rest} chapters unchanged")


def remember_read(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    read_anew.update(docnames)


def write_all_again(app: Sphinx, env: BuildEnvironment) -> set[str]:
    """All pages, once one has changed: their sidebars hold its title and place."""
    return env.found_docs if read_anew else set()


def lead_to_index(app: Sphinx, exception: Exception | None) -> None:
    """A page at the top of the site that leads to the landing page."""
    if exception is None and app.builder.format == "html":
        page = (
            '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh"'
            f' content="0; url={root_doc}.html">'
        )
        link = f'<title>{html_title}</title><a href="{root_doc}.html">{html_title}</a>'
        (Path(app.outdir) / "index.html").write_text(
            page + link + "\n", encoding="utf-8"
        )


def write_parts(app: Sphinx) -> None:
    """What pages include: the explorer, numbers from records, the workbench."""
    # torch is needed for the website alone, not for every use of this file
    import citation
    import landing
    import speed
    import try_it

    citation.write(ROOT / "book" / "_build" / "landing")
    landing.write(ROOT / "book" / "_build" / "landing")
    speed.write(ROOT / "book" / "_build" / "speed")
    try_it.write(ROOT / "book" / "_build")


def leave_out_widgets(app: Sphinx, pagename: str, *_: object) -> None:
    """No state of widgets, which would repeat in the head of a page what its explorer
    holds, and nothing reads.
    """
    NbMetadataCollector.get_js_files(app.env, pagename).clear()


def list_sources(
    app: Sphinx, pagename: str, templatename: str, context: dict, *_: object
) -> None:
    """The sources as items of their list; the role that docutils gives them is
    deprecated and leaves the list without any.
    """
    if "body" in context:
        context["body"] = context["body"].replace(
            'role="doc-biblioentry"', 'role="listitem"'
        )


def describe(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict,
    doctree: nodes.document | None,
) -> None:
    """What the page says of itself, for search engines and where it is shared."""
    image = context["pathto"](f"_static/{head.PREVIEW}", 1)
    if html_baseurl:
        image = f"{html_baseurl}_static/{head.PREVIEW}"
    about = head.tags(
        head.plain(context.get("title") or head.TITLE),
        head.description(doctree) if doctree else "",
        image,
        context.get("pageurl") or "",
    )
    context["metatags"] = context.get("metatags", "") + about


def say_title(
    app: Sphinx, pagename: str, templatename: str, context: dict, *_: object
) -> None:
    """The title that the theme puts on paper, as the text that it is."""
    if "pagetitle" in context:
        context["pagetitle"] = escape(context["pagetitle"])


def ask(
    app: Sphinx, pagename: str, templatename: str, context: dict, *_: object
) -> None:
    """The questions of the pages before and after this one."""
    _, *names = app.builder.relations.get(pagename, (None, None, None))
    asked = questions.read(ROOT / "book")
    for side, name in zip(("prev", "next"), names, strict=True):
        if context.get(side):
            context[side]["question"] = asked.get(name)


def shrink_pictures(app: Sphinx, exception: Exception | None) -> None:
    import pictures

    if exception is None and app.builder.format == "html":
        pictures.write(Path(app.outdir))


def guard(app: Sphinx, exception: Exception | None) -> None:
    """Its policy in every page, last of all."""
    import policy

    if exception is None and app.builder.format == "html":
        policy.write(Path(app.outdir))


def setup(app: Sphinx) -> None:
    PygmentsBridge.html_formatter = LineFormatter
    app.connect("builder-inited", write_parts)
    app.connect("env-before-read-docs", remember_read)
    app.connect("env-get-updated", write_all_again)
    app.connect("source-read", say_start)
    app.connect("doctree-read", describe_figures)
    app.connect("doctree-read", say_seconds)
    # before myst-nb's own, which adds it
    app.connect("html-page-context", leave_out_widgets, priority=400)
    app.connect("html-page-context", list_sources)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", ask)
    # after the theme, which sets it
    app.connect("html-page-context", say_title, priority=900)
    app.connect("build-finished", say_unchanged)
    app.connect("build-finished", lead_to_index)
    app.connect("build-finished", shrink_pictures)
    app.connect("build-finished", guard, priority=900)
