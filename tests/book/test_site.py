"""The website as a whole: what it may load, what it says of itself, how it is found,
printed and read.
"""

import base64
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urlsplit

import address
import browser
import citation
import head
import policy
import preview
import pytest
import questions
import torch
import website
import yaml
from explorers import build, draw_images
from PIL import Image
from playwright.sync_api import Page, expect
from tries import TRIES, TRY

from vit_tutorial.explorer.attention_toy import drag_tokens
from vit_tutorial.explorer.attention_toy import page as toy
from vit_tutorial.explorer.deck import deck
from vit_tutorial.explorer.film import film
from vit_tutorial.explorer.html import page as explorer
from vit_tutorial.explorer.scatter import scatter
from vit_tutorial.explorer.widget import explore
from vit_tutorial.explorer.workbench import Subject, workbench

chromium, guarded = browser.chromium, browser.guarded
site, served = website.site, website.served
torch.set_num_threads(1)

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "book" / "static"
CHAPTERS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.md"))
CHAPTER = "notebooks/03_attention.html"
MOST_BYTES = 1_500_000  # of a chapter with all it loads, compressed
EVIL = "\"'><img src=x onerror=hit()></script><script>hit()</script> $x$"
OURS = {"Repository": "https://github.com/o/r", "Documentation": "https://o.test/b"}
NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("refused", "SecurityError"); } })"""


class Tags(HTMLParser):
    """The tags of a page in their order, with their attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            values
            for name, values in self.found
            if name == tag and wanted.items() <= values.items()
        ]

    def meta(self, name: str) -> str | None:
        """What the page says of itself under this name, at most once."""
        said = [
            values["content"]
            for values in self.all("meta")
            if name in (values.get("name"), values.get("property"))
        ]
        assert len(said) <= 1, name
        return said[0] if said else None


def pages(site: Path) -> list[Path]:
    return [path for path in site.rglob("*.html") if "_static" not in path.parts]


# ---- the content-security policy


def directives(path: Path) -> dict[str, list[str]]:
    (tag,) = Tags(path).all("meta", **{"http-equiv": policy.NAME})
    parts = [part.split() for part in tag["content"].split(";")]
    return {name: allowed for name, *allowed in parts}


def test_each_page_allows_nothing_but_itself(site):
    assert len(pages(site)) > 20
    for path in pages(site):
        tags = Tags(path).found
        heads = [values.get("http-equiv") for tag, values in tags if tag == "meta"]
        assert heads[1] == policy.NAME, "before all that it governs"
        names = [tag for tag, _ in tags]
        at = names.index("meta") + 1
        assert not {"script", "link", "style"} & set(names[:at])
        rules = directives(path)
        assert rules["default-src"] == rules["base-uri"] == ["'none'"]
        said = " ".join(sum(rules.values(), []))
        assert not re.search(r"unsafe-eval|https?:|\*", said)
        assert "'unsafe-inline'" not in rules["script-src"]


def test_the_hashes_are_those_of_the_scripts_in_the_page(site):
    """By another reading of the page than the policy's."""
    for path in pages(site):
        text = path.read_text(encoding="utf-8")
        codes = re.findall(
            r"<script(?: data-cfasync=\"false\"| type=\"module\")?>(.*?)</script>",
            text,
            re.DOTALL,
        )
        codes += ["window.print()"] * ('onclick="window.print()"' in text)
        digests = {
            base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
            for code in codes
        }
        found = re.findall(r"'sha256-(.*?)'", " ".join(directives(path)["script-src"]))
        assert set(found) == digests, path.name


@pytest.mark.parametrize("name", ["search", "genindex", "index"])
def test_a_page_that_no_text_stands_behind_is_clean(guarded, served, name):
    query = "?q=softmax" if name == "search" else ""
    guarded.page.goto(f"{served}/{name}.html{query}", wait_until="networkidle")
    guarded.assert_clean()


@pytest.mark.parametrize("start", ["disk", "server"])
def test_what_a_page_must_not_do_is_stopped(guarded, site, served, start):
    page = guarded.page
    base = site.as_uri() if start == "disk" else served
    # from the disk a browser refuses it before the policy is asked
    before = [TRIES["worker-src"]] if start == "disk" else []
    for rule, code in TRIES.items():
        page.goto(f"{base}/book/glossary.html", wait_until="load")
        refused = page.evaluate(TRY.replace("CODE", code))
        assert refused == (None if code in before else rule.strip()), code
        assert page.evaluate("window.hit") is None, code
    assert guarded.refused == []  # nothing was even asked for
    assert not [url for url in guarded.asked if "else.test" in url]


def test_without_the_policy_the_same_tries_get_out(chromium, site):
    """The test above can fail."""
    guarded = browser.open_guarded(chromium, bypass_csp=True)
    guarded.page.goto((site / "book" / "glossary.html").as_uri())
    guarded.page.evaluate("new Image().src = 'https://else.test/a.png'")
    guarded.page.wait_for_timeout(300)
    assert guarded.refused == ["https://else.test/a.png"]
    guarded.page.context.close()


# ---- what a page says of itself


def test_each_page_says_what_it_is_about(site):
    said = {}
    for name in [f"notebooks/{stem}" for stem in CHAPTERS] + ["book/index"]:
        tags = Tags(site / f"{name}.html")
        about = tags.meta("description")
        assert 40 < len(about) < 320 and about[-1] in ".?!:", name
        assert tags.meta("og:description") == about
        assert tags.meta("og:title") and "<" not in tags.meta("og:title")
        assert tags.meta("twitter:card") == "summary_large_image"
        said[name] = about
        sides = (tags.meta("og:image:width"), tags.meta("og:image:height"))
        assert sides == ("1200", "630") and tags.meta("og:image:alt")
    assert len(set(said.values())) == len(said)
    text = (ROOT / f"{CHAPTER[:-5]}.md").read_text(encoding="utf-8")
    assert f"\n\n{said[CHAPTER[:-5]]}\n\n" in text


def test_the_pictures_of_the_site_are_what_the_command_draws(tmp_path):
    preview.main(tmp_path)
    assert (STATIC / "favicon.svg").read_text(encoding="utf-8") == preview.favicon()
    kept = STATIC / head.PREVIEW
    assert kept.stat().st_size < 200_000
    one, other = (
        torch.frombuffer(
            bytearray(Image.open(path).convert("RGB").tobytes()), dtype=torch.uint8
        ).float()
        for path in (kept, tmp_path / head.PREVIEW)
    )
    assert Image.open(kept).size == head.SIDES == (1200, 630)
    assert (one - other).abs().mean() < 1, "run python book/preview.py"


def test_a_tab_has_the_icon_and_a_preview_its_picture(site, guarded, served):
    tags = Tags(site / CHAPTER)
    (icon,) = tags.all("link", rel="icon")
    for link in (icon["href"], "../_static/preview.png"):
        assert ((site / CHAPTER).parent / urlsplit(link).path).resolve().is_file()
    guarded.page.goto(f"{served}/_static/favicon.svg")
    sides = guarded.page.evaluate(
        "[...document.querySelectorAll('rect')].map((one) => one.getBBox().width)"
    )
    assert len(sides) == 9
    guarded.assert_clean()


# ---- the address: said in one place, or nowhere


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A site of two pages, built by the book's own conf.py, whose address is set and
    whose words look like code.
    """
    root = tmp_path_factory.mktemp("small")
    book = root / "book"
    book.mkdir()
    for name in ("templates", "static"):
        shutil.copytree(ROOT / "book" / name, book / name)
    for path in (ROOT / "book").glob("*.py"):
        shutil.copy(path, book)
    for name in ("landing", "speed", "try_it"):  # which show what is not here
        (book / f"{name}.py").write_text("def write(folder): pass\n", encoding="utf-8")
    (book / "_build" / "static").mkdir(parents=True)
    for name in ("references.bib", "search_scores.js"):
        shutil.copy(ROOT / "book" / name, book)
    urls = "".join(f'{name} = "{value}/"\n' for name, value in OURS.items())
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (root / "pyproject.toml").write_text(
        f"{project}\n[project.urls]\n{urls}", encoding="utf-8"
    )
    facts = {"title": EVIL, "version": "1", "authors": [{"name": "A & B"}]}
    (root / "CITATION.cff").write_text(json.dumps(facts), encoding="utf-8")
    (book / "index.md").write_text(
        "# Home\n\nOne. Two.\n\n| | chapter | its question |\n|---|---|---|\n"
        f"| 01 | [One](../notebooks/01_one.ipynb) | {EVIL} |\n\n"
        "```{literalinclude} _build/landing/citation.bib\n:language: bibtex\n```\n\n"
        "```{toctree}\n/notebooks/01_one\n```\n",
        encoding="utf-8",
    )
    (root / "notebooks").mkdir()
    cell = {"cell_type": "markdown", "metadata": {}}
    source = '# `"<script>hit()</script>"` & 1\n\nA `"` and `<script>`. More.\n'
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {
        "cells": [{**cell, "source": source}],
        "metadata": {"kernelspec": kernel},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    (root / "notebooks" / "01_one.ipynb").write_text(
        json.dumps(notebook), encoding="utf-8"
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-c", str(book)]
    built = subprocess.run(
        [*command, str(root), str(root / "html")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "BOOK_EXECUTE": "none"},
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert built.returncode == 0, built.stderr
    return root / "html"


def links(path: Path) -> list[str]:
    return [values.get("href") or "" for _, values in Tags(path).found]


def test_a_set_address_leads_to_the_sources_and_to_servers(small):
    chapter = small / "notebooks" / "01_one.html"
    tags = Tags(chapter)
    page = "https://o.test/b/notebooks/01_one.html"
    (canonical,) = tags.all("link", rel="canonical")
    assert canonical["href"] == tags.meta("og:url") == page
    assert tags.meta("og:image") == "https://o.test/b/_static/preview.png"
    assert {
        OURS["Repository"],
        "https://github.com/o/r/edit/main/notebooks/01_one.md",  # not the .ipynb
        "https://colab.research.google.com/github/o/r/blob/main/notebooks/01_one.ipynb",
        "https://mybinder.org/v2/gh/o/r/main?urlpath=lab/tree/notebooks/01_one.ipynb",
    } <= set(links(chapter))
    index = links(small / "book" / "index.html")
    assert "https://github.com/o/r/edit/main/book/index.md" in index
    assert not [link for link in index if "colab" in link or "mybinder" in link]
    assert f"url     = {{{OURS['Repository']}}}" in re.sub(
        r"<[^>]*>", "", (small / "book" / "index.html").read_text(encoding="utf-8")
    )


def test_the_site_shows_an_address_where_one_is_set_and_only_there(site):
    """Of the site that is built: as pyproject.toml says."""
    urls = address.read(ROOT)
    for name in (CHAPTER, "book/index.html"):
        tags = Tags(site / name)
        on = bool(urls.get("Documentation"))
        assert bool(tags.all("link", rel="canonical")) == on
        assert bool(tags.meta("og:url")) == on
        assert tags.meta("og:image").startswith("https://") == on
        places = [link for link in links(site / name) if "/edit/" in link]
        assert bool(places) == ("Repository" in urls)
    buttons = [link for link in links(site / CHAPTER) if "colab.research" in link]
    assert bool(buttons) == ("Repository" in urls)


def test_a_repository_elsewhere_is_refused(tmp_path):
    text = '[project]\n[project.urls]\nRepository = "https://git.test/o/r"\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="Repository is 'https://git.test/o/r'"):
        address.read(tmp_path)


# ---- the citation


def test_the_citation_says_what_the_file_says(site):
    facts = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    page = (site / "book" / "index.html").read_text(encoding="utf-8")
    block = re.search(r'<div class="highlight-bibtex.*?</pre>', page, re.DOTALL)[0]
    text = re.sub(r"<[^>]*>", "", block)
    for fact in (facts["title"], facts["version"], facts["authors"][0]["name"]):
        assert fact in text
    assert "@software{" in text and text.count("{") == text.count("}")


def test_a_person_a_day_and_an_address_stand_in_the_entry():
    facts = {
        "title": "T",
        "version": 2,
        "date-released": "2026-01-31",
        "authors": [{"family-names": "B", "given-names": "A"}, {"name": "The C"}],
    }
    assert citation.bibtex(facts, "https://o.test").splitlines() == [
        "@software{vit_tutorial,",
        "  author  = {B, A and {The C}},",
        "  title   = {{T}},",
        "  version = {2},",
        "  year    = {2026},",
        "  url     = {https://o.test},",
        "}",
    ]


def test_the_citation_is_copied_whole(chromium, served):
    guarded = browser.open_guarded(
        chromium, permissions=["clipboard-read", "clipboard-write"]
    )
    page = guarded.page
    page.goto(f"{served}/book/index.html")
    block = page.locator(".highlight-bibtex")
    block.hover()
    block.get_by_role("button").click()
    expect(block.get_by_role("button")).to_have_class(re.compile("success"))
    copied = page.evaluate("navigator.clipboard.readText()")
    folder = ROOT / "book" / "_build" / "landing"
    citation.write(folder)
    kept = (folder / "citation.bib").read_text(encoding="utf-8")
    assert copied.strip() == kept.strip()
    guarded.assert_clean()
    page.context.close()


# ---- from chapter to chapter


def test_the_foot_of_a_page_asks_what_the_next_chapter_asks(site):
    asked = questions.read(ROOT / "book")
    assert sorted(asked) == [f"notebooks/{stem}" for stem in CHAPTERS]
    names = ["book/index", *(f"notebooks/{stem}" for stem in CHAPTERS)]
    for before, after in zip(names, names[1:], strict=False):
        text = (site / f"{before}.html").read_text(encoding="utf-8")
        foot = re.search(r'class="right-next".*?</a>', text, re.DOTALL)[0]
        line = re.search(r'"prev-next-question">(.*?)</p>', foot)[1]
        assert line.replace("&#39;", "'") == asked[after]
    last = (site / "book" / "glossary.html").read_text(encoding="utf-8")
    assert "prev-next-question" not in last


def marked(page: Page) -> list[str]:
    """The numbers of the chapters that the sidebar shows as read."""
    return page.locator(".bd-links a").evaluate_all(
        """(links) => links.filter((link) =>
             getComputedStyle(link, "::after").content.includes("✓"))
           .map((link) => link.textContent.trim().slice(0, 2))"""
    )


def box(page: Page):
    return page.get_by_label("I have read this chapter")


@pytest.mark.parametrize("start", ["disk", "server"])
def test_a_chapter_that_was_read_is_marked_until_it_is_forgotten(
    guarded, site, served, start
):
    page = guarded.page
    base = site.as_uri() if start == "disk" else served
    page.goto(f"{base}/{CHAPTER}")
    expect(box(page)).not_to_be_checked()
    assert marked(page) == []
    page.locator(".prev-next-area").scroll_into_view_if_needed()  # the foot is reached
    expect(box(page)).to_be_checked()
    assert marked(page) == ["03"]
    page.goto(f"{base}/notebooks/01_images_as_sequences.html")
    page.locator(".prev-next-area").scroll_into_view_if_needed()
    expect(box(page)).to_be_checked()
    page.goto(f"{base}/book/index.html")
    assert marked(page) == ["01", "03"]
    rows = page.locator("#the-chapters td a")
    read = rows.filter(has_text="(read)")  # for who sees no mark
    assert read.all_text_contents() == ["Patches (read)", "Attention (read)"]
    sidebar = page.locator(".bd-links a")
    assert sidebar.filter(has_text="(read)").count() == 2
    line = page.locator("p.reading")
    expect(line).to_contain_text(f"You have read 2 of {len(CHAPTERS)} chapters")
    line.get_by_role("button", name="Forget it").click()
    expect(line).to_contain_text("No chapter is marked as read yet.")
    expect(line.get_by_role("button")).to_be_hidden()
    assert marked(page) == [] and page.locator(".read").count() == 0
    page.reload()
    assert marked(page) == []
    guarded.assert_clean()


def test_what_the_reader_unchecks_stays_unchecked(guarded, served):
    page = guarded.page
    page.goto(f"{served}/{CHAPTER}")
    page.locator(".prev-next-area").scroll_into_view_if_needed()
    expect(box(page)).to_be_checked()
    box(page).uncheck()
    page.reload()
    page.locator(".prev-next-area").scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    expect(box(page)).not_to_be_checked()
    assert marked(page) == []


@pytest.mark.parametrize("kept", ["3", "null", "[1]", "{", '{"a{}*{color:red}": true}'])
def test_what_else_is_kept_under_the_name_does_no_harm(guarded, served, kept):
    page = guarded.page
    page.add_init_script(f"localStorage.setItem('vit_tutorial.read', {kept!r})")
    page.goto(f"{served}/book/index.html")
    assert marked(page) == []
    expect(page.locator("p.reading")).to_contain_text("No chapter is marked")
    guarded.assert_clean()


@pytest.mark.parametrize("read", [["03_attention"], []])
def test_what_stands_in_no_row_is_not_counted(guarded, served, read):
    """As an older book's chapter, or a page beside the chapters."""
    kept = json.dumps(dict.fromkeys(["02_gone", "attention", *read], True))
    page = guarded.page
    page.add_init_script(f"localStorage['vit_tutorial.read'] ??= {kept!r}")
    page.goto(f"{served}/book/index.html")
    line = page.locator("p.reading")
    count = f"1 of {len(CHAPTERS)} chapters"
    expect(line).to_contain_text(count if read else "No chapter is marked")
    line.get_by_role("button", name="Forget it").click()
    expect(line.get_by_role("button")).to_be_hidden()
    assert page.evaluate("localStorage['vit_tutorial.read']") == "{}"
    guarded.assert_clean()


def test_refused_storage_is_no_error_of_ours(guarded, served):
    page = guarded.page
    page.add_init_script(NO_STORAGE)
    stacks = []
    page.on("pageerror", lambda error: stacks.append(error.stack or ""))
    page.goto(f"{served}/{CHAPTER}")
    page.locator(".prev-next-area").scroll_into_view_if_needed()
    expect(box(page)).to_be_checked()
    assert marked(page) == ["03"]  # until the page is left
    assert not [stack for stack in stacks if "progress.js" in stack]
    page.goto(f"{served}/book/index.html")
    assert marked(page) == []
    expect(page.locator("p.reading")).to_contain_text("No chapter is marked")
    assert not [stack for stack in stacks if "progress.js" in stack]


def test_marks_are_there_before_the_page_is_drawn(guarded, served):
    """Before the text below the sidebar has even come."""
    page = guarded.page
    page.add_init_script(
        """localStorage.setItem("vit_tutorial.read", '{"03_attention": true}');
        new MutationObserver((_, watch) => {
          const link = document.querySelector('.bd-links a[href$="03_attention.html"]');
          if (!link) return;
          window.first = getComputedStyle(link, "::after").content;
          window.state = document.readyState;
          watch.disconnect();
        }).observe(document, { childList: true, subtree: true });"""
    )
    page.goto(f"{served}/book/index.html")
    assert "✓" in page.evaluate("first") and page.evaluate("state") == "loading"


# ---- paper, motion


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_paper_shows_the_text_and_no_buttons(chromium, site, scheme):
    guarded = browser.open_guarded(
        chromium, viewport={"width": 700, "height": 900}, color_scheme=scheme
    )
    page = guarded.page
    page.goto((site / CHAPTER).as_uri())
    page.locator("article details").nth(1).evaluate("(part) => part.open = true")
    page.emulate_media(media="print")
    shown = page.locator("button, .bd-sidebar-primary, .prev-next-area, .headerlink")
    moving = ".vit-explorer *, .vit-tokens *"  # they keep their controls
    assert not [
        part.evaluate("(part) => part.outerHTML.slice(0, 80)")
        for part in shown.all()
        if part.is_visible()
        and not part.evaluate(f"(part) => part.matches('{moving}')")
    ]
    assert page.evaluate(
        """[...document.querySelectorAll("article pre")]
          .every((block) => block.scrollWidth <= block.clientWidth)"""
    )
    inside = page.locator("article details > :not(summary)")
    opened = page.locator("article details[open] > :not(summary)")
    assert [part.is_visible() for part in inside.all()].count(True) == opened.count()
    dark = page.evaluate(
        """() => [...document.querySelectorAll("article :is(p, h2, pre, code, span.k)")]
          .filter((part) => part.checkVisibility()).map((part) =>
            getComputedStyle(part).color.match(/\\d+/g).slice(0, 3).map(Number))
          .filter((colour) => Math.min(...colour) > 130).length"""
    )
    assert dark == 0, "pale letters on white paper"
    page.context.close()


def test_who_wants_no_motion_sees_none(chromium, site):
    guarded = browser.open_guarded(chromium, reduced_motion="reduce")
    page = guarded.page
    for name in (CHAPTER, "book/index.html", "book/try_it.html"):
        page.goto((site / name).as_uri())
        moving = page.evaluate(
            """() => [...document.querySelectorAll("*")].flatMap((part) =>
              [null, "::before", "::after"].map((side) => {
                const look = getComputedStyle(part, side);
                const times = [look.transitionDuration, look.animationDuration];
                const long = times.join().split(",").some((t) => parseFloat(t) > 0.01);
                return long || look.scrollBehavior === "smooth" ? part.outerHTML : "";
              })).filter(Boolean).map((text) => text.slice(0, 80))"""
        )
        assert moving == []
    page.context.close()


# ---- text is text


def test_words_that_look_like_code_are_words_in_the_head_and_at_the_foot(small):
    text = (small / "notebooks" / "01_one.html").read_text(encoding="utf-8")
    tags = Tags(small / "notebooks" / "01_one.html")
    assert tags.meta("og:title") == '"<script>hit()</script>" & 1'
    assert tags.meta("description") == 'A " and <script>.'
    assert "<script>hit()" not in text
    index = (small / "book" / "index.html").read_text(encoding="utf-8")
    foot = re.search(r'class="right-next".*?</a>', index, re.DOTALL)[0]
    assert "<script" not in foot and "<img" not in foot and "&lt;script&gt;" in foot
    block = re.search(r'<div class="highlight-bibtex.*?</pre>', index, re.DOTALL)[0]
    assert "<script" not in block and "<img" not in block
    assert directives(small / "book" / "index.html")["script-src"]


def test_words_that_look_like_code_are_words_in_all_that_moves(guarded, tmp_path):
    """On one page, under the site's policy, which none of it breaks."""
    model = build()
    names = [f"{EVIL}{at}" for at in range(3)]
    images = draw_images()
    points = torch.rand(3, 2, generator=torch.Generator().manual_seed(0))
    card = {"name": EVIL, "question": EVIL, "asked": names[1], "prediction": 0.5}
    run = {"mean": 0.5, "spread": None, "runs": [{"val_accuracy": 0.5}]}
    card["arms"] = [{"name": name, **run} for name in names]
    parts = [
        explorer(explore(model, images, names)),
        workbench([Subject("s", EVIL, model, images, names[:2], names)]),
        film(list(images), names[:2], EVIL).html,
        scatter(points, [0, 1, 2], names, title=EVIL).html,
        deck([card], EVIL).html,
        toy(drag_tokens()),
    ]
    path = tmp_path / "page.html"
    start = '<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>'
    path.write_text(start + "".join(parts), encoding="utf-8")
    policy.write(tmp_path)
    page = guarded.page
    page.add_init_script("window.hits = 0; window.hit = () => { window.hits += 1; }")
    page.goto(path.as_uri())
    expect(page.locator(".vit-explorer[data-loaded=all]")).to_have_count(1)
    expect(page.locator(".vit-workbench[aria-busy=false]")).to_have_count(1)
    for name in ("explorer", "workbench", "film", "scatter", "deck"):
        shown = page.locator(f".vit-{name}")
        said = shown.evaluate(
            """(part) => [part.textContent, ...[...part.querySelectorAll("*")]
              .flatMap((one) => ["title", "alt", "aria-label", "aria-valuetext"]
                .map((name) => one.getAttribute(name)))].join("\\n")"""
        )
        assert EVIL in said, name
        assert shown.locator("img[src=x]").count() == 0, name
        assert shown.locator("script").count() == 0, name
    assert page.evaluate("hits") == 0
    guarded.assert_clean()


def test_words_that_look_like_formulas_are_words_in_pictures():
    """Matplotlib would set $x$, and fail at a lone $ or an unknown command."""
    names = [r"$\nothing{$", "$x$", EVIL]
    points = torch.rand(3, 2, generator=torch.Generator().manual_seed(0))
    for shown in (
        scatter(points, [0, 1, 2], names, title=names[0]),
        film(list(draw_images()), names[:2], names[0]),
    ):
        assert Image.open(io.BytesIO(shown.png)).format == "PNG"


# ---- search


@pytest.mark.parametrize(
    "query, first",
    [
        ("B, N, D", {"02 Tokens", "01 Patches", "The paper"}),
        ("(B, H, T, T)", {"03 Attention"}),
        ("CLS", {"Glossary"}),
        ("class token", {"Glossary", "02 Tokens"}),
        ("softmax", {"Glossary", "03 Attention"}),
        ("patchify", {"vit_tutorial.patches.patchify"}),
    ],
)
def test_search_finds_shapes_and_terms(guarded, served, query, first):
    """In the index that was built: among the first results are the pages that explain
    the term, and each holds all words of the query.
    """
    page = guarded.page
    page.goto(f"{served}/search.html?q={quote(query)}")
    expect(page.locator("#search-results")).to_contain_text("Search finished")
    found = page.locator("#search-results li > a")
    titles = found.all_inner_texts()[:8]
    for wanted in first:
        assert [title for title in titles if title.startswith(wanted)], titles
    target = found.first.evaluate("(link) => link.href")
    text = page.request.get(target).text().lower()
    assert all(
        re.search(rf"\b{word}", text) for word in re.findall(r"\w+", query.lower())
    )
    guarded.assert_clean()


@pytest.mark.parametrize("start", ["disk", "server"])
def test_search_quotes_pages_where_they_can_be_fetched(guarded, site, served, start):
    """From the disk there are the same results alone, and no error."""
    page = guarded.page
    base = site.as_uri() if start == "disk" else served
    page.goto(f"{base}/search.html?q=softmax")
    expect(page.locator("#search-results")).to_contain_text("Search finished")
    assert page.locator("#search-results li > a").count() > 1
    page.wait_for_load_state("networkidle")
    quoted = page.locator("#search-results p.context")
    if start == "server":
        expect(quoted.filter(has_text="softmax")).not_to_have_count(0)
    else:
        expect(quoted).to_have_count(0)
    guarded.assert_clean()


# ---- size


def test_icons_are_drawn_by_a_font_alone(guarded, served):
    page = guarded.page
    page.goto(f"{served}/{CHAPTER}", wait_until="networkidle")
    assert not [url for url in guarded.asked if "fontawesome.js" in url]
    icons = page.locator("header .fa-solid, .bd-header-article .fa-solid")
    family = icons.first.evaluate("(icon) => getComputedStyle(icon).fontFamily")
    assert page.evaluate(
        "(family) => document.fonts.check(`900 16px ${family}`)", family
    )
    assert any("fa-solid-900" in url for url in guarded.asked)
    guarded.assert_clean()


@pytest.mark.parametrize("stem", CHAPTERS)
def test_a_chapter_comes_quickly_even_without_a_cache(site, stem):
    """The page without its explorers, its pictures, and all scripts and styles that
    the theme loads, compressed as a server does.
    """
    path = site / "notebooks" / f"{stem}.html"
    text = path.read_text(encoding="utf-8")
    bare = re.sub(
        r'<div class="vit-\w+"><script.*?<script type="module">.*?</script>',
        "",
        text,
        flags=re.DOTALL,
    )
    tags = Tags(path)
    loaded = {values["src"] for values in tags.all("script") if values.get("src")}
    loaded |= {values["href"] for values in tags.all("link", rel="stylesheet")}
    pictures = {values["src"] for values in tags.all("img") if values.get("src")}
    pictures = {source for source in pictures if not source.startswith("data:")}
    files = [path.parent / urlsplit(source).path for source in loaded | pictures]
    sizes = [len(gzip.compress(file.read_bytes())) for file in files]
    assert len(gzip.compress(bare.encode())) + sum(sizes) < MOST_BYTES


def test_pictures_that_a_build_draws_are_in_256_colours(site):
    drawn = [
        path
        for path in (site / "_images").glob("*.png")
        if path.stat().st_size > 45_000
    ]
    modes = {path.name: Image.open(path).mode for path in drawn}
    assert drawn and set(modes.values()) == {"P"}, modes


# ---- the page of the API


def test_signatures_read_as_they_are_written(site):
    """No default that autodoc could not read, and no module's name in its place."""
    page = (site / "book" / "reference.html").read_text(encoding="utf-8")
    signatures = [
        unescape(re.sub(r"<[^>]+>", "", found))
        for found in re.findall(r'<dt class="sig.*?</dt>', page, re.S)
    ]
    assert len(signatures) > 200
    bad = [said for said in signatures if re.search(r"~|<factory>|<function|0x", said)]
    assert bad == []
