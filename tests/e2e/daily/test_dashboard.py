"""The dashboard of a deployed environment, opened as a user opens it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.conftest import Deployed
from tests.support.browser import tab

PICTURE = Path(__file__).parents[3] / "docs" / "images" / "dashboard.png"
WANTED = os.environ.get("OPSCTL_UPDATE_PICTURE") == "1"
UNTIL = "2011-07-15"
"""The day up to which the picture of the README goes at least."""


def test_the_dashboard_shows_the_strategy_trading(daily: Deployed) -> None:
    link = daily.json("open", daily.name)["address"]
    with tab() as opened:
        page = opened.page
        page.goto(link)
        expect(page.locator("#environment")).to_have_text(daily.name)
        expect(page.locator("#light-books")).to_have_attribute("data-state", "up")
        expect(page.locator("#light-bus")).to_have_attribute("data-state", "up")
        expect(page.locator("#fills tbody tr").first).to_be_visible(timeout=60_000)
        expect(page.locator("#positions tbody tr").first).to_be_visible()
        expect(page.locator("#services [data-ready='true']")).to_have_count(5, timeout=30_000)
        day = page.locator("#day").get_attribute("datetime")
        expect(page.locator("#day")).not_to_have_attribute("datetime", str(day), timeout=30_000)
        expect(page.get_by_role("alert")).to_have_text("")
        if WANTED:
            with faster(daily):
                page.wait_for_function(
                    "until => document.querySelector('#day').dateTime >= until",
                    arg=UNTIL,
                    timeout=600_000,
                )
            expect(page.locator("#pace")).to_have_text("2.0 s a day", timeout=60_000)
            expect(page.get_by_role("alert")).to_have_text("", timeout=60_000)
            expect(page.locator("#services [data-ready='true']")).to_have_count(5, timeout=30_000)
            PICTURE.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=PICTURE)
        assert opened.faults == []
        # A link works once.
        answer = page.request.get(link)
        assert answer.status == 401


@contextmanager
def faster(daily: Deployed) -> Iterator[None]:
    """Replay faster for a while, so that the picture shows more than a month."""
    quick = ("--set", "trading:replay.day_s=0.15", "--no-verify")
    daily.run("deploy", daily.name, *quick)
    try:
        yield
    finally:
        daily.run("deploy", daily.name, "--no-verify")
