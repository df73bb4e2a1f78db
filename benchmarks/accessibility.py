"""Whether anybody is kept out of a page of the built website: what axe-core finds on
every page, in light and dark, on a wide and a narrow screen.

    python benchmarks/accessibility.py --site book/_build/html    into
        results/accessibility.json

Pages are opened from the disk, with nothing reachable beyond it, and all that is folded
away is opened. Counted are violations, one a rule and page, by how much they hinder.
Exit code 1 when one is serious or critical.
"""

import sys
from collections import Counter
from itertools import product
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from benchmarks.explorer_render import find_browser
from experiments.results import ROOT, environment_info, run, write_result

sys.path.append(str(ROOT / "book"))
import npm  # noqa: E402

IMPACTS = ("critical", "serious", "moderate", "minor")
SCHEMES = ("light", "dark")
WIDTHS = (1280, 390)  # pixels: a laptop and a phone
# parts of pages that are not filled yet
EMPTY = (
    ".vit-explorer:not([data-loaded=all]), .vit-workbench:not([aria-busy=false]),"
    " .vit-tokens:not(:has(td)), .vit-calculator:not(:has(td)),"
    " .vit-film:not(:has(img)), .vit-scatter:not(:has(.marker)),"
    " .vit-deck:not(:has(circle))"
)
LEADS_ON = 'http-equiv="refresh"'  # a page that is left before it is read
UNFOLD = "document.querySelectorAll('details').forEach((part) => part.open = true)"
SET = "() => window.MathJax?.startup?.promise"  # its formulas
PATIENCE = 60_000  # milliseconds for a page to be filled
# it would fetch style sheets, which the disk refuses, for a rule that is not among the
# default ones
FIND = """async () => {
  const options = { preload: false, resultTypes: ["violations"] };
  const { violations } = await axe.run(options);
  return violations.map(({ id, impact, nodes }) =>
    [impact, `${id}: ${nodes.map(({ target }) => target).join("; ")}`]);
}"""


def accessibility(
    site: Path = ROOT / "book/_build/html",
    out: Path = ROOT / "results/accessibility.json",
) -> int:
    """Ask axe-core about every page and write the result.

    Args:
        site: folder of the built website
        out: file of the result
    """
    pages = [
        path
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts and LEADS_ON not in path.read_text("utf-8")
    ]
    if not pages:
        raise ValueError(f"no page in {site}, expected the folder of a built website")
    axe = (npm.fetch("axe-core") / "axe.min.js").read_text(encoding="utf-8")
    rows: dict[str, list[dict]] = {
        path.relative_to(site).as_posix(): [] for path in pages
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"]
        )
        about = {"browser": f"Chromium {browser.version}, headless"}
        for (name, looks), path in zip(rows.items(), pages, strict=True):
            for scheme, width in product(SCHEMES, WIDTHS):
                found = violations(browser, path, axe, scheme, width)
                counts = Counter(impact for impact, _ in found)
                looks.append(
                    {"scheme": scheme, "width": width}
                    | {impact: counts[impact] for impact in IMPACTS}
                    | {"found": [words for _, words in found]}
                )
            print(name, totals(looks), flush=True)
        browser.close()
    every = totals([look for looks in rows.values() for look in looks])
    result = environment_info("cpu", "playwright", "sphinx") | about
    result["versions"]["axe-core"] = npm.version("axe-core")
    result |= {"schemes": SCHEMES, "widths": WIDTHS, "totals": every, "pages": rows}
    write_result(out, result)
    return int(every["critical"] + every["serious"] > 0)


def totals(looks: list[dict]) -> dict[str, int]:
    return {impact: sum(look[impact] for look in looks) for impact in IMPACTS}


def violations(
    browser: Browser, path: Path, axe: str, scheme: str, width: int
) -> list[tuple[str, str]]:
    """What axe-core finds on a page: how much each hinders, the rule and where."""
    context = browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        offline=True,
        service_workers="block",
    )
    try:
        page = context.new_page()
        # colours change once more when all of the theme is there
        page.goto(path.resolve().as_uri(), wait_until="networkidle")
        page.evaluate(UNFOLD)
        page.evaluate(SET)
        expect(page.locator(EMPTY)).to_have_count(0, timeout=PATIENCE)
        page.evaluate(axe)  # not as a script tag, which the page's policy refuses
        return [(impact, words) for impact, words in page.evaluate(FIND)]
    finally:
        context.close()


if __name__ == "__main__":
    sys.exit(run(accessibility))
