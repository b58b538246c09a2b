"""A real browser: Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from evidence.harness.stack import Stack

QUIET = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_AXE = Axe()
PATIENCE_MILLISECONDS = 120_000  # for a machine that is busy with other things
expect.set_options(timeout=PATIENCE_MILLISECONDS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # As root, Chromium has no sandbox; it loads only the project's own pages here.
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=[*QUIET, *sandbox])
        yield browser
        browser.close()


@contextmanager
def page_of(
    browser: Browser, *, expected_statuses: tuple[int, ...] = (), size: tuple[int, int] = (1280, 1400), **options: Any
) -> Iterator[Page]:
    """A page in a window of its own; it fails the test when a script fails or a resource is blocked.

    Chromium logs an error for each answer of 400 or above, unless its status is one of `expected_statuses`.
    """
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    context.set_default_timeout(PATIENCE_MILLISECONDS)
    page = context.new_page()
    failures: list[str] = []
    expected = [f"status of {status}" for status in expected_statuses]

    def note(text: str) -> None:
        if not any(each in text for each in expected):
            failures.append(text)

    page.on("pageerror", lambda error: note(str(error)))
    page.on("console", lambda message: note(message.text) if message.type in ("error", "warning") else None)
    yield page
    context.close()
    assert failures == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of 1280 x 1400 pixels, on which no error is expected."""
    with page_of(browser) as page:
        yield page


def check_page(page: Page, stack: Stack, name: str) -> None:
    """Save a screenshot of a page without a violation of axe-core's rules, and with nothing wider than the window."""
    violations = _AXE.run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in violations] == [], name
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, name
    keep(page, stack, name)


def keep(page: Page, stack: Stack, name: str, **options: Any) -> None:
    """Save a screenshot beside the logs of the stack."""
    folder = Path(stack.directory) / "screenshots"
    folder.mkdir(exist_ok=True)
    page.screenshot(path=folder / f"{name}.png", **options)
