"""`opsctl halt` and `resume`: what they say, and when they exit 0.

The kill switch itself is tested on a real journal in `tests/integration/deploy`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from opsctl.cli.halt import sentence
from opsctl.deploy.outcome import SiteStopped, Switched
from tests.unit.cli.conftest import Opsctl
from tests.unit.deploy.fake import FakeTarget


def _switched(*, halted: bool, changed: bool = True, effective: bool = True) -> Switched:
    return Switched(
        environment="daily",
        halted=halted,
        changed=changed,
        effective=effective,
        effective_ms=12.4,
        at=datetime(2026, 1, 31, 14, 30, tzinfo=UTC) if halted else None,
        by="alice" if halted else None,
        reason="runaway [strategy]" if halted else None,
    )


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (_switched(halted=True), "halted: no order leaves, confirmed after 12 ms"),
        (
            _switched(halted=True, changed=False),
            "halted already, since 2026-01-31T14:30:00Z by alice: runaway [strategy]",
        ),
        (_switched(halted=True, effective=False), "no execution app has confirmed it"),
        (_switched(halted=False), "trades again, confirmed after 12 ms"),
        (_switched(halted=False, changed=False), "daily was not halted"),
        (_switched(halted=False, effective=False), "no execution app has confirmed it"),
    ],
)
def test_what_is_said(result: Switched, said: str) -> None:
    assert said in sentence(result)


def test_what_each_site_did_without_the_journal_is_said() -> None:
    done = SiteStopped(site="a", answered=True, cancelled=("x", "y"), in_doubt=("z",), detail="-")
    gone = SiteStopped(site="b", answered=False, detail="nothing listens")
    nothing = _switched(halted=False, effective=False)
    lines = sentence(nothing.model_copy(update={"sites": (done, gone)})).splitlines()
    assert "the kill switch is not written" in lines[0]
    assert lines[1:] == [
        "  a: sent 2 cancels; 1 in doubt",
        "  b: did nothing (nothing listens)",
    ]


@pytest.mark.parametrize("command", ["halt", "resume"])
@pytest.mark.parametrize(("effective", "code"), [(True, 0), (False, 1)])
def test_exit_0_only_when_confirmed(
    opsctl: Opsctl,
    target: FakeTarget,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    effective: bool,
    code: int,
) -> None:
    asked: list[tuple[str, str, str]] = []

    def switch(
        to: str,
        environment: object,
        target: object,
        *,
        by: str,
        reason: str,
        show: Callable[[Switched], None],
    ) -> Switched:
        asked.append((to, by, reason))
        result = _switched(halted=to == "halt", effective=effective)
        show(result)
        return result

    monkeypatch.setattr("opsctl.deploy.kill_switch.switch", switch)
    opsctl("deploy", "daily", "--no-verify")
    words = ["--reason", "runaway [strategy]"] if command == "halt" else []
    done = opsctl(command, "daily", *words, "--output", "json")
    assert done.code == code
    assert done.json["effective"] is effective
    ((to, by, reason),) = asked
    assert (to, reason) == (command, words[1] if words else "")
    assert by
    shown = opsctl(command, "daily", *words)
    assert ("[strategy]" in shown.out) == (command == "halt" and effective)


@pytest.mark.parametrize("command", ["halt", "resume"])
def test_what_is_not_deployed_cannot_be_halted(
    opsctl: Opsctl, target: FakeTarget, command: str
) -> None:
    done = opsctl(command, "daily")
    assert (done.code, "not deployed" in done.err) == (2, True)


def test_a_halt_needs_no_file(
    opsctl: Opsctl, target: FakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsctl.deploy.kill_switch.switch", lambda *_, **__: _switched(halted=True))
    opsctl("deploy", "daily", "--no-verify")
    opsctl.write("Pulumi.daily.yaml", "config: [\n")
    assert opsctl("halt", "daily").code == 0
