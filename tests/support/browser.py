"""A headless Chromium of the system, and everything that a page complained about."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Page, sync_playwright

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@dataclass
class Tab:
    """A page, the faults that it reported, and every address that it asked for."""

    page: Page
    faults: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@contextmanager
def tab(width: int = 1440, height: int = 900) -> Iterator[Tab]:
    """Open a page; skip where there is no Chromium, fail for that in CI."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        why = "chromium is missing; on Debian, as root: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            page = browser.new_page(viewport={"width": width, "height": height})
            opened = Tab(page)
            page.on(
                "console",
                lambda m: opened.faults.append(m.text) if m.type in ("error", "warning") else None,
            )
            page.on("pageerror", lambda fault: opened.faults.append(str(fault)))
            page.on("request", lambda request: opened.asked.append(request.url))
            yield opened
        finally:
            browser.close()
