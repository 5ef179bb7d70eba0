"""What a drill leaves: checked by an auditor's script, and opened in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.e2e.conftest import Deployed
from tests.support.browser import tab
from tests.support.script import auditor

PICTURE = Path(__file__).parents[3] / "docs" / "images" / "drill-report.png"
WANTED = os.environ.get("OPSCTL_UPDATE_PICTURE") == "1"


def test_an_auditor_comes_to_the_same_verdict(series: Any, tmp_path: Path) -> None:
    script = auditor(tmp_path / "check.py")
    for run in series["runs"]:
        folder = Path(run["report"]).parent
        done = subprocess.run(
            [sys.executable, "-I", "-S", str(script), str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"RTO: {run['measured']['rto_ms']:.3f} ms" in done.stdout
        assert f"the report says: {run['verdict']}" in done.stdout


def test_nothing_secret_is_recorded(series: Any, intraday: Deployed) -> None:
    kept = intraday.state / "environments" / intraday.name / "secrets"
    # A key of several lines would stand in JSON with its line breaks written out.
    secrets = {
        line
        for file in kept.rglob("*")
        if file.is_file()
        for line in file.read_text(errors="replace").splitlines()
        if len(line) >= 16 and not line.startswith("-----")
    }
    assert secrets
    for run in series["runs"]:
        for path in Path(run["report"]).parent.iterdir():
            text = path.read_text(errors="replace")
            assert not [secret for secret in secrets if secret in text], path.name


def test_the_life_of_an_order_goes_through_every_account(series: Any, intraday: Deployed) -> None:
    run = series["runs"][0]
    around = intraday.json("drill", "show", run["id"])
    assert around["changed"] == []
    for order in (each["order"] for each in around["lives"][:3]):
        found = intraday.json("drill", "show", run["id"], "--order", order)
        accounts = {event["account"] for event in found["events"]}
        assert {"client", "journal", "books a", "books b"} <= accounts
        assert found["site"] in ("a", "b")
    assert run["evidence"] == around["evidence"]
    line = intraday.json("evidence", "show", run["id"])["line"]
    assert line["result"]["evidence"] == run["evidence"]


def test_the_report_opens_without_a_network_and_prints(series: Any, tmp_path: Path) -> None:
    run = series["runs"][0]
    page_file = Path(run["report"]).with_suffix(".html")
    with tab(width=1100, height=1500) as opened:
        page = opened.page
        page.goto(page_file.as_uri())
        expect(page.locator("h1")).to_contain_text("Drill leader-kill on intraday")
        expect(page.locator("figure svg")).to_have_count(2)
        row = page.locator("td a[href^='#order-']").first
        row.click()
        told = page.locator(str(row.get_attribute("href")).replace("#", "details#"))
        told.locator("summary").click()
        expect(told.locator("tbody tr").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 1100
        assert page.pdf(format="A4").startswith(b"%PDF")
        assert opened.faults == []
        assert opened.asked == [page_file.as_uri()]
        if WANTED:
            told.locator("summary").click()
            page.goto(page_file.as_uri())
            PICTURE.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=PICTURE)
    assert "RTO of 2 runs" in (Path(series["report"]).with_suffix(".html")).read_text()
