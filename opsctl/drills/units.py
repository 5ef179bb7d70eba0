"""A schedule as units of systemd or lines of cron: text to be read and installed by a person; pure.

Each unit comes at the begin of every span of the window, asks whether its scenario is due, and
runs it only then; scenarios come one after another, so that none finds another's lock.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import NamedTuple

from opsctl.drills.due import Schedule
from opsctl.model.window import DAYS, MINUTES, Span, parse

APART_MIN = 15
"""Minutes between the begin of one scenario and the next."""
ANY_TIME = "02:00-06:00"
"""When drills begin that may begin at any time."""


class Caller(NamedTuple):
    """How opsctl is called: program, account, folder of the project, `OPSCTL_STATE` if any."""

    program: str
    account: str
    folder: str
    state: str
    live: bool = False
    """Whether a live environment is meant."""


class Begin(NamedTuple):
    """When a scenario begins: days of the week (0 is Monday), hour, minute."""

    days: tuple[int, ...]
    hour: int
    minute: int


def begins(span: Span, place: int) -> Begin:
    """Return when the scenario at a place begins in a span; a short span is gone round again."""
    passed = span.begins.hour * 60 + span.begins.minute + place * APART_MIN % span.minutes
    days = tuple(sorted((day + passed // MINUTES) % len(DAYS) for day in span.days))
    return Begin(days, passed % MINUTES // 60, passed % 60)


def systemd(schedule: Schedule, caller: Caller) -> str:
    """Return a service and a timer for each scenario, each under the path of its file."""
    return "\n".join(
        line.replace("%", "%%")
        for place, due in enumerate(schedule.scenarios)
        for line in _units(schedule, due.scenario, place, caller)
    )


def cron(schedule: Schedule, caller: Caller) -> str:
    """Return a crontab; one that does not know CRON_TZ (cronie does) needs its times shifted."""
    lines = [f"CRON_TZ={schedule.timezone}"]
    if caller.state:
        lines.append(f"OPSCTL_STATE={caller.state}")
    for place, due in enumerate(schedule.scenarios):
        asked, run = _commands(schedule, due.scenario, caller)
        command = f"cd {shlex.quote(caller.folder)} && {asked} && {run}".replace("%", r"\%")
        for at in _times(schedule, place):
            # Sunday is 0 to cron, Monday to us.
            days = "*" if len(at.days) == 7 else ",".join(str((day + 1) % 7) for day in at.days)
            lines.append(f"{at.minute} {at.hour} * * {days} {command}")
    return "\n".join(lines) + "\n"


def _units(schedule: Schedule, scenario: str, place: int, caller: Caller) -> Iterator[str]:
    name = f"opsctl-drill-{schedule.environment}-{scenario}"
    asked, run = _commands(schedule, scenario, caller)
    yield f"# /etc/systemd/system/{name}.service"
    yield "[Unit]"
    yield f"Description=Drill {scenario} of {schedule.environment}, where it is due"
    yield "\n[Service]\nType=oneshot"
    yield f"User={caller.account}"
    yield f"WorkingDirectory={caller.folder}"
    if caller.state:
        yield f'Environment="OPSCTL_STATE={caller.state}"'
    yield f"ExecCondition={asked}"
    yield f"ExecStart={run}"
    yield f"\n# /etc/systemd/system/{name}.timer"
    yield "[Unit]"
    yield f"Description=When drill {scenario} of {schedule.environment} may begin"
    yield "\n[Timer]"
    for at in _times(schedule, place):
        days = "" if len(at.days) == 7 else ",".join(DAYS[day].title() for day in at.days) + " "
        yield f"OnCalendar={days}*-*-* {at.hour:02}:{at.minute:02}:00 {schedule.timezone}"
    yield "\n[Install]\nWantedBy=timers.target\n"


def _times(schedule: Schedule, place: int) -> Iterator[Begin]:
    for span in parse(schedule.window or ANY_TIME):
        yield begins(span, place)


def _commands(schedule: Schedule, scenario: str, caller: Caller) -> tuple[str, str]:
    """Return the command that asks whether a scenario is due, and the one that runs it."""
    live = ("--live", "--yes") if caller.live else ()
    asked = ("drill", "schedule", schedule.environment, "--due", scenario)
    run = ("drill", "run", scenario, schedule.environment, *live)
    return shlex.join((caller.program, *asked)), shlex.join((caller.program, *run))
