"""Which drills are due, and the units that run them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opsctl.drills.due import Schedule, schedule
from opsctl.drills.units import Begin, Caller, begins, cron, systemd
from opsctl.evidence.line import Entry
from opsctl.model.environment import Drills
from opsctl.model.window import parse
from tests.unit.deploy.fake import environment

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
TITLES = {"leader-kill": "The leader is killed", "site-loss": "A site is lost"}
CALLER = Caller("/opt/ops ctl/opsctl", "ops", "/srv/trading", "/var/lib/opsctl")


def ran(scenario: str, days_ago: float, verdict: str = "passed", **changes: Any) -> Entry:
    made = {
        "run": "20261129T120000000Z-000000",
        "at": NOW - timedelta(days=days_ago),
        "duration_s": 1.0,
        "user": "ops",
        "host": "here",
        "opsctl": "1",
        "command": "drill",
        "environment": "daily",
        "identity": "one",
        "arguments": {"scenario": scenario},
        "outcome": "done",
        "exit_code": 0,
        "message": "",
        "result": {"verdict": verdict},
        "folder": "",
    }
    return Entry.model_validate(made | changes)


def planned(*evidence: Entry, **settings: Any) -> Schedule:
    drilled = environment(drills=Drills(**settings))
    return schedule(drilled, TITLES, evidence, identity="one", now=NOW)


def due(*evidence: Entry, **settings: Any) -> dict[str, bool]:
    return {each.scenario: each.due for each in planned(*evidence, **settings).scenarios}


def test_what_was_never_run_is_due_now() -> None:
    assert due() == {"leader-kill": True, "site-loss": True}
    assert due(scenarios=("site-loss",)) == {"site-loss": True}


def test_what_passed_is_due_a_period_later() -> None:
    found = planned(ran("leader-kill", 10), every_days=30).scenarios
    assert [each.scenario for each in found] == ["site-loss", "leader-kill"]
    assert found[1].due_at == NOW + timedelta(days=20)
    assert not found[1].due
    assert due(ran("leader-kill", 31), every_days=30)["leader-kill"]


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        (ran("leader-kill", 1), True),
        (ran("leader-kill", 1, identity=None), True),
        (ran("leader-kill", 1, identity="another"), False),
        (ran("leader-kill", 1, environment="intraday"), False),
        (ran("leader-kill", 1, command="deploy"), False),
        (ran("leader-kill", 1, "blocked"), False),
        (ran("leader-kill", 1, "interrupted"), False),
        (ran("leader-kill", 1, result={}), False),
    ],
)
def test_which_runs_count(line: Entry, counts: bool) -> None:
    assert due(line)["leader-kill"] is not counts


def test_what_failed_since_it_passed_is_due_now() -> None:
    lines = (ran("leader-kill", 2), ran("leader-kill", 1, "failed"))
    found = {each.scenario: each for each in planned(*lines).scenarios}["leader-kill"]
    assert (found.due, found.last_verdict) == (True, "failed")
    assert not due(*lines, ran("leader-kill", 0.5))["leader-kill"]


def test_the_window_says_when_it_may_begin() -> None:
    found = planned(window="sat 10:00-16:00").scenarios[0]
    assert found.window_at.isoformat() == "2026-11-28T10:00:00-05:00"


@pytest.mark.parametrize(
    ("window", "place", "begin"),
    [
        ("sat 10:00-16:00", 0, Begin((5,), 10, 0)),
        ("sat 10:00-16:00", 5, Begin((5,), 11, 15)),
        ("sat 10:00-10:30", 2, Begin((5,), 10, 0)),
        ("sun 23:30-01:00", 3, Begin((0,), 0, 15)),
    ],
)
def test_scenarios_begin_one_after_another_within_the_window(
    window: str, place: int, begin: Begin
) -> None:
    assert begins(parse(window)[0], place) == begin


def test_a_service_asks_whether_its_scenario_is_due_and_runs_it() -> None:
    text = systemd(planned(window="sat-sun 10:00-16:00, 22:00-23:00"), CALLER)
    assert text.count("[Timer]") == text.count("[Service]") == 2
    assert (
        "ExecCondition='/opt/ops ctl/opsctl' drill schedule daily --due leader-kill\n"
        "ExecStart='/opt/ops ctl/opsctl' drill run leader-kill daily\n"
    ) in text
    assert "OnCalendar=Sat,Sun *-*-* 10:00:00 America/New_York\n" in text
    assert "OnCalendar=*-*-* 22:15:00 America/New_York\n" in text
    assert 'Environment="OPSCTL_STATE=/var/lib/opsctl"' in text
    assert "--live" not in text
    assert "WorkingDirectory=/a%%b\n" in systemd(planned(), CALLER._replace(folder="/a%b"))


def test_a_crontab_counts_days_from_sunday_and_keeps_to_the_time_zone() -> None:
    text = cron(planned(window="sat-sun 10:00-16:00"), CALLER._replace(live=True, folder="/a%b"))
    lines = text.splitlines()
    assert lines[:2] == ["CRON_TZ=America/New_York", "OPSCTL_STATE=/var/lib/opsctl"]
    assert lines[2] == (
        r"0 10 * * 6,0 cd /a\%b && '/opt/ops ctl/opsctl' drill schedule daily --due leader-kill"
        " && '/opt/ops ctl/opsctl' drill run leader-kill daily --live --yes"
    )
    assert lines[3].startswith("15 10 * * 6,0 ")
