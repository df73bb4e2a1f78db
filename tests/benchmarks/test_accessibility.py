"""The report on what keeps people out, of a site of two pages."""

import json
from pathlib import Path

import browser
import pytest

from benchmarks import accessibility

GOOD = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>t</title>'
    "<main><h1>t</h1><p>a text</p></main>"
)
# pale in the dark alone, a button without words on a phone alone, and everywhere, in
# what is folded away, a picture without any
BAD = GOOD.replace(
    "<p>a text</p>",
    "<style>@media (prefers-color-scheme: dark) { p { color: #eee } }"
    " @media (max-width: 400px) { b { display: none } }</style><p>a text</p>"
    '<button><b>go</b></button><details><summary>more</summary><img src="data:,">'
    "</details>",
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    browser.find_chromium()
    (tmp_path / "site" / "_static").mkdir(parents=True)
    for name in ("good", "_static/no_page"):
        (tmp_path / "site" / f"{name}.html").write_text(GOOD, encoding="utf-8")
    return tmp_path / "site"


def report(site: Path) -> tuple[int, dict]:
    out = site.parent / "accessibility.json"
    code = accessibility.accessibility(site, out)
    return code, json.loads(out.read_text(encoding="utf-8"))


def test_a_page_that_keeps_nobody_out_has_no_violation(site):
    code, result = report(site)
    assert code == 0 and set(result["totals"].values()) == {0}
    looks = [(look["scheme"], look["width"]) for look in result["pages"]["good.html"]]
    assert looks == [("light", 1280), ("light", 390), ("dark", 1280), ("dark", 390)]
    assert list(result["pages"]) == ["good.html"]
    assert result["commit"] and "axe-core" in result["versions"]


def test_violations_are_found_in_the_look_that_has_them(site):
    (site / "bad.html").write_text(BAD, encoding="utf-8")
    code, result = report(site)
    assert code == 1
    rules = {
        (look["scheme"], look["width"]): {
            words.partition(":")[0] for words in look["found"]
        }
        for look in result["pages"]["bad.html"]
    }
    assert rules == {
        ("light", 1280): {"image-alt"},
        ("light", 390): {"image-alt", "button-name"},
        ("dark", 1280): {"image-alt", "color-contrast"},
        ("dark", 390): {"image-alt", "color-contrast", "button-name"},
    }
    # these pictures and buttons are critical, that contrast is serious
    assert result["totals"] == {"critical": 6, "serious": 2, "moderate": 0, "minor": 0}


def test_a_page_is_asked_when_its_parts_are_filled(site):
    late = "<script>setTimeout(() => { film.innerHTML = '<img src=data:,>' }, 700)"
    page = GOOD.replace(
        "<p>a text</p>", f'<p class="vit-film" id="film"></p>{late}</script>'
    )
    (site / "late.html").write_text(page, encoding="utf-8")
    _, result = report(site)
    assert result["totals"]["critical"] == 4  # in each look: an image without words


def test_a_folder_without_pages_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected the folder of a built website"):
        accessibility.accessibility(tmp_path, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
