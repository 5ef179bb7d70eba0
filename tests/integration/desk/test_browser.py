"""The page in a real browser: what it shows, moves, and asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from apps.core.messages import Side
from tests.integration.desk.conftest import Shown
from tests.integration.desk.stage import await_ready, desk
from tests.support.browser import Tab, tab

LINE = """() => {
  const { width, height } = document.querySelector("#plot canvas");
  const pixels = document.querySelector("#plot canvas").getContext("2d")
    .getImageData(0, 0, width, height).data;
  let line = 0;
  for (let at = 0; at < pixels.length; at += 4) {
    const [red, green, blue, alpha] = pixels.slice(at, at + 4);
    if (red > 200 && green > 140 && blue < 90 && alpha > 200) line += 1;
  }
  return line;
}"""
"""Counts the pixels of the equity line."""


@pytest.fixture
def opened(shown: Shown) -> Iterator[Tab]:
    with tab() as found:
        found.page.goto(f"{shown.desk.address}/login?code={shown.desk.code()}")
        expect(found.page).to_have_url(f"{shown.desk.address}/")
        expect(found.page.locator("#light-bus")).to_have_attribute("data-state", "up")
        yield found


def drawn(page: Page) -> str:
    return hashlib.sha256(page.locator("#plot").screenshot()).hexdigest()


def test_the_page_is_alive(shown: Shown, opened: Tab) -> None:
    page, firm = opened.page, shown.firm
    expect(page.locator("#environment")).to_have_text("daily")
    expect(page.locator("#equity")).to_have_text(f"${firm.equity:,.2f}")
    expect(page.locator("#positions tbody tr")).to_have_count(2)
    expect(page.locator("#orders tbody tr")).to_have_count(3)
    expect(page.locator("#fills tbody tr")).to_have_count(3)
    expect(page.locator("#decisions tbody tr")).to_have_count(6)
    expect(page.locator("#orders tbody tr").first).to_contain_text("filled")
    expect(page.locator("#p99-sub")).to_contain_text("budget 1 s")
    expect(page.locator("#services li")).to_have_count(2)
    expect(page.locator("#services li", has_text="data")).to_contain_text("does not listen")
    assert page.evaluate(LINE) > 300

    before = drawn(page)
    for _ in range(5):
        firm.close()
        firm.decide([])
    firm.close()
    firm.decide([("JNJ", Side.SELL, 500), ("AMD", Side.BUY, 120)])
    expect(page.locator("#equity")).to_have_text(f"${firm.equity:,.2f}")
    expect(page.locator("#day")).to_have_attribute("datetime", firm.day.isoformat())
    expect(page.locator("#fills tbody tr")).to_have_count(5)
    expect(page.locator("#fills tbody tr").first).to_contain_text("AMD")
    expect(page.locator("#positions tbody tr .symbol")).to_have_text(["AMD", "KO"])
    assert drawn(page) != before

    firm.halt(halted=True)
    expect(page.get_by_role("alert")).to_contain_text("opsctl resume daily")
    firm.halt(halted=False)
    expect(page.get_by_role("alert")).to_have_text("")

    expect(page.locator("#leader")).to_have_text("a leads, epoch 3")
    firm.hand_over("b")
    expect(page.locator("#leader")).to_have_text("b leads, epoch 4")
    expect(page.get_by_role("alert")).to_contain_text("Site b leads epoch 4 since")

    for label in ("3M", "1Y", "All"):
        page.get_by_role("button", name=label).click()
        expect(page.get_by_role("button", name=label)).to_have_attribute("aria-pressed", "true")
    assert opened.faults == []
    strangers = [url for url in opened.asked if not url.startswith((shown.desk.address, "data:"))]
    assert strangers == []


def test_what_keeps_orders_in_is_said(shown: Shown) -> None:
    gone = {"execution": "http://127.0.0.1:1"}
    with (
        desk(shown.postgres, shown.valkey, shown.firm.database, peers=gone) as running,
        tab() as found,
    ):
        await_ready(running)
        found.page.goto(f"{running.address}/login?code={running.code()}")
        notice = found.page.get_by_role("alert")
        expect(notice).to_contain_text("No new orders")
        expect(notice).to_contain_text("does not listen")


def test_a_restarted_desk_is_found_again(shown: Shown, opened: Tab) -> None:
    page = opened.page
    expect(page.locator("#equity")).to_have_text(f"${shown.firm.equity:,.2f}")
    shown.desk.process.stop()
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    shown.firm.close()
    shown.desk.process.start()
    expect(page.locator("#equity")).to_have_text(f"${shown.firm.equity:,.2f}", timeout=30_000)
    expect(page.get_by_role("alert")).to_have_text("")


@pytest.mark.parametrize("width", [390, 1000, 1440])
def test_nothing_is_wider_than_the_screen(shown: Shown, opened: Tab, width: int) -> None:
    opened.page.set_viewport_size({"width": width, "height": 900})
    expect(opened.page.locator("#equity")).to_be_visible()
    wider = (
        "width => [...document.body.querySelectorAll('*')]"
        ".filter(e => e.getBoundingClientRect().right > width && !e.closest('.scroll'))"
        ".map(e => e.id || e.className || e.tagName)"
    )
    assert opened.page.evaluate(wider, width) == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


def test_who_is_not_logged_in_is_told_how(shown: Shown) -> None:
    with tab() as found:
        found.page.goto(shown.desk.address)
        expect(found.page.locator("code")).to_have_text("opsctl open daily")
