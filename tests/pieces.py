"""Pieces of HTML that no kernel stands behind, as the tests open them in a real
browser.
"""

from pathlib import Path

import npm
from playwright.sync_api import Locator, Page

from vit_tutorial.explorer.output import Output

THEMES = {
    "light": ("rgb(255, 255, 255)", "rgb(0, 0, 0)"),
    "dark": ("rgb(20, 24, 30)", "rgb(206, 214, 221)"),
}  # ground and text
# what axe-core finds, a line each
FINDINGS = """async () => {
  const options = { preload: false, resultTypes: ["violations"] };
  const { violations } = await axe.run(options);
  return violations.map(({ id, nodes }) =>
    `${id}: ${nodes.map(({ target }) => target).join("; ")}`);
}"""
COLOURS = "all => [...new Set(all.map((one) => getComputedStyle(one).color))]"


def open_pieces(
    page: Page, folder: Path, name: str, *shown: Output, theme: str = "light"
) -> list[Locator]:
    """Write them into one page on the disk and open it; returns those of a name."""
    ground, text = THEMES[theme]
    file = folder / "page.html"
    file.write_text(
        f'<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>t</title>'
        f"<style>body {{ background: {ground}; color: {text}; font: 16px DejaVu Sans,"
        " sans-serif; }</style><body><main><h1>t</h1>"
        + "".join(one.html for one in shown)
        + "</main>",
        encoding="utf-8",
    )
    page.goto(file.as_uri())
    return page.locator(f".vit-{name}").all()


def assert_readable(page: Page, shown: Locator, texts: str, theme: str) -> None:
    """At 390 and 320 pixels nothing sticks out, the texts have the page's colour, and
    nobody is kept out.
    """
    for width in (1000, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.locator(texts).evaluate_all(COLOURS) == [THEMES[theme][1]]
    page.add_script_tag(path=npm.fetch("axe-core") / "axe.min.js")
    assert page.evaluate(FINDINGS) == []


def assert_own_ids(page: Page) -> None:
    ids = page.locator("[id]").evaluate_all("all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids)) > 0
