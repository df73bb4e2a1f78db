"""A real browser for the tests: the system's Chromium, which sees this machine and
nothing else.

A test module takes the fixtures over by name: `chromium, guarded = browser.chromium,
browser.guarded`.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
import torch
from matplotlib import colormaps
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
expect.set_options(timeout=30_000)  # milliseconds: a busy machine is slow, not wrong


def decoded(drawn: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    """The levels, 0 to 255, of viridis colours (N, 3): each must be one of the map's,
    to the byte.

    Two pairs of neighbours in viridis are one colour in bytes; of these the one nearer
    to `expected` (N,) is meant.
    """
    viridis = torch.tensor(colormaps["viridis"].colors).mul(255).round()
    same = (drawn[:, None] == viridis).all(dim=-1)
    assert same.any(dim=1).all()
    apart = (torch.arange(256) - expected[:, None]).abs()
    return torch.where(same, apart, torch.inf).argmin(dim=1)


@dataclass
class Guarded:
    """A page that cannot leave this machine: `asked` lists all it asked for, `refused`
    what lay elsewhere, `errors`.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def assert_clean(self) -> None:
        """No request left the machine and no script failed."""
        assert self.refused == []
        assert self.errors == []

    def let_through(self, route: Route) -> None:
        self.asked.append(route.request.url)
        address = urlsplit(route.request.url)
        if address.scheme in ("file", "data", "blob") or address.hostname in (
            "localhost",
            "127.0.0.1",
        ):
            route.continue_()
        else:
            self.refused.append(route.request.url)
            route.abort()


def find_chromium() -> str:
    """The browser's path. Without one the test is skipped, but fails where the
    environment variable CI is set.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = (
            "no Chromium found: install it (apt install chromium, or any Chrome on the"
            " PATH) to test in a browser"
        )
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return path


def open_guarded(chromium: Browser, **options) -> Guarded:
    """A new page of its own context; `options` as for Playwright's `new_context`
    (viewport, color_scheme, ...).
    """
    context = chromium.new_context(service_workers="block", **options)
    guarded = Guarded(context.new_page())
    context.route("**/*", guarded.let_through)
    guarded.page.on("pageerror", lambda error: guarded.errors.append(str(error)))
    guarded.page.on(
        "console",
        lambda said: guarded.errors.append(said.text) if said.type == "error" else None,
    )
    return guarded


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a module; it ends with the module, as two of
    Playwright cannot run at once.
    """
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, headless=True, args=FLAGS
        )
        yield browser
        browser.close()


@pytest.fixture
def guarded(chromium: Browser) -> Iterator[Guarded]:
    """A fresh guarded page, 1000 x 900."""
    opened = open_guarded(chromium, viewport={"width": 1000, "height": 900})
    yield opened
    opened.page.context.close()
