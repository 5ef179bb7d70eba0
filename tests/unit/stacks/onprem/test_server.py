"""When a server is to be changed, and what a reading makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from opsctl.model.profile.profile import Finding, Verdict
from opsctl.provision.failing import Failure
from stacks.onprem import drift
from stacks.onprem.boxes import Found
from stacks.onprem.server import differs, observed

OWNER, MACHINE = "rack 6b896021", "3dec18262dee969f6eb87df9c84bc2f8"
STATE: dict[str, Any] = {
    "name": "one",
    "environment": "rack",
    "address": "10.0.0.1",
    "port": 22.0,
    "user": "ops",
    "key": "",
    "host_key": "",
    "machine": "",
    "reboot": False,
    "rack": "r1",
    "site": "a",
    "role": "trading",
    "owner": OWNER,
    "profile": {"name": "weekly", "tier": "weekly"},
    "wants": "0123456789ab",
    "drift": {},
    "machine_id": MACHINE,
    "digest": "d",
}
SEEN = Found(machine=MACHINE, owner=OWNER, profile="d", drift={})


def test_what_was_read_as_it_is_to_be_is_left_alone() -> None:
    assert observed(STATE, SEEN) == STATE
    assert not differs(STATE, {**STATE, "port": 22})


@pytest.mark.parametrize("key", ["address", "wants", "role", "reboot", "owner", "host_key"])
def test_whatever_is_declared_otherwise_is_a_change(key: str) -> None:
    assert differs(STATE, {**STATE, key: "another"})


@pytest.mark.parametrize(
    ("change", "entry", "said"),
    [
        ({"drift": {"sysctl.vm.swappiness": "60 (wanted 0)"}}, "sysctl.vm.swappiness", "60"),
        ({"owner": "other 77"}, "claim", "held by other 77"),
        ({"owner": ""}, "claim", "nobody's: given back, or installed anew"),
        ({"machine": "f" * 32}, "machine", f"{'f' * 32} (was {MACHINE})"),
    ],
)
def test_what_was_read_otherwise_is_a_change_that_says_what(
    change: dict[str, Any], entry: str, said: str
) -> None:
    after = observed(STATE, SEEN.model_copy(update=change))
    assert said in after["drift"][entry]
    assert differs(after, STATE)


def test_one_whose_creation_was_killed_becomes_known_by_its_reading() -> None:
    taken_over = {key: value for key, value in STATE.items() if key != "machine_id"}
    assert observed(taken_over, SEEN)["machine_id"] == MACHINE
    assert observed(taken_over, SEEN)["drift"] == {}
    pinned = {**taken_over, "machine": "e" * 32}
    assert "machine" in observed(pinned, SEEN)["drift"]


def test_a_server_that_does_not_answer_keeps_what_is_known_of_it() -> None:
    failure = Failure(stage="connect", message="10.0.0.1 port 22: does not answer", hint="up?")
    away = Found(machine="", owner="", profile="", drift=drift.of_failure(failure), failure=failure)
    after = observed(STATE, away)
    assert after["drift"] == {"reached": "unknown: 10.0.0.1 port 22: does not answer"}
    assert {**after, "drift": {}} == STATE


def test_findings_are_told_in_a_line() -> None:
    def finding(verdict: Verdict, got: str, want: str) -> Finding:
        return Finding(
            setting=verdict.value, want=want, got=got, verdict=verdict, detail="no program"
        )

    told = drift.of_findings(
        [
            finding(Verdict.DRIFTED, "1", "0"),
            finding(Verdict.REBOOT, "", "2-3"),
            finding(Verdict.UNREADABLE, "", "on"),
            finding(Verdict.HOLDS, "1", "1"),
            finding(Verdict.NOT_APPLICABLE, "", "1"),
        ]
    )
    assert told == {
        "drifted": "1 (wanted 0)",
        "reboot": "none (wanted 2-3, after a reboot)",
        "unreadable": "unknown: no program (wanted on)",
    }
    long = drift.of_findings([finding(Verdict.DRIFTED, "a\n" + "b\n" * 30, "x" * 100)])
    assert long["drifted"] == f"a … 30 more lines (wanted {'x' * 60}…)"
