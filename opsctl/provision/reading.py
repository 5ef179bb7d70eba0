"""Reading boxes: what each is and what each of its settings is now; changes nothing.

What to ask depends on the machine (its NICs, its CPUs), so a box that is new is asked twice; one
that was read before is asked for what it had then, and again only where it is no longer the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from opsctl.deploy.files import write_whole
from opsctl.errors import OpsctlError
from opsctl.model.profile.box import Ask, Box, Reading
from opsctl.model.profile.profile import Profile
from opsctl.provision import choosing, places
from opsctl.provision.choosing import Chosen
from opsctl.provision.failing import Failure, failure
from opsctl.provision.inventory import BoxHost
from opsctl.provision.playing import Played, answers

FACTS = "facts.yml"

_READINGS = TypeAdapter(tuple[Reading, ...])

Ran = Callable[[str, Mapping[str, Mapping[str, object]]], Played]
"""Runs a playbook over boxes with variables for each, and returns what came of it."""


@dataclass(frozen=True)
class Seen:
    """A box as it was read, and the profile that it is to hold."""

    host: BoxHost
    box: Box
    profile: Profile
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Read:
    """Boxes as they were read, and what kept the others from it, by name."""

    seen: dict[str, Seen]
    failures: dict[str, Failure]


class _Failed(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def read(wanted: Mapping[str, tuple[BoxHost, Chosen]], run: Ran, stage: str = "read") -> Read:
    """Read boxes, all at once; what goes wrong on one is a failure of that one."""
    found = Read({}, {})
    asked: dict[str, tuple[Ask, ...]] = {}
    for name, (_, profile) in wanted.items():
        before = _remembered(name)
        asked[name] = _asks_or_none(before, profile)
    again = dict(wanted)
    for last in (False, True):
        if not again:
            break
        played = run(FACTS, {name: variables(asked[name]) for name in again})
        now, again = again, {}
        for name, (host, profile) in now.items():
            try:
                box, readings = _answer(host, played, stage)
                write_whole(places.of_host(name) / "box.json", box.model_dump_json() + "\n")
                asks = choosing.asks(box, profile)
                if set(asks) - set(asked[name]) and not last:
                    asked[name] = asks
                    again[name] = (host, profile)
                    continue
                resolved = choosing.resolved(box, profile, readings)
                found.seen[name] = Seen(host, box, resolved, readings)
            except _Failed as failed:
                found.failures[name] = failed.failure
            except OpsctlError as error:
                found.failures[name] = of_error("profile", error)
    return found


def variables(asks: tuple[Ask, ...]) -> dict[str, object]:
    """Return what a box is told for a reading."""
    return {
        "opsctl_asks": [ask.model_dump(mode="json") for ask in asks],
        "opsctl_options": list(choosing.options()),
    }


def of_error(stage: str, error: OpsctlError) -> Failure:
    """Return an error of ours as the failure of one box."""
    message = "; ".join((error.message, *error.details))
    return Failure(stage=stage, message=message, hint=error.hint)


def _answer(host: BoxHost, played: Played, stage: str) -> tuple[Box, tuple[Reading, ...]]:
    if host.name in played.failures:
        raise _Failed(failure(stage, played.failures[host.name], host))
    answer = answers(played.results.get(host.name, ()), ("box", "readings"))
    if answer is None:
        raise _Failed(
            Failure(
                stage=stage,
                message="the playbook ended without saying what the box is",
                hint="the run's folder has all that Ansible printed",
            )
        )
    try:
        return Box.model_validate(answer["box"]), _READINGS.validate_python(answer["readings"])
    except ValidationError as error:
        first: Any = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise _Failed(
            Failure(
                stage=stage,
                message=f"what was read of the box cannot be understood: {where}: {first['msg']}",
                hint="opsctl and its playbooks must be of one release",
            )
        ) from error


def _remembered(name: str) -> Box | None:
    try:
        text = (places.of_host(name) / "box.json").read_text(encoding="utf-8")
        return Box.model_validate_json(text)
    except (OSError, ValidationError):
        return None


def _asks_or_none(box: Box | None, profile: Chosen) -> tuple[Ask, ...]:
    if box is None:
        return ()
    try:
        return choosing.asks(box, profile)
    except OpsctlError:  # it was refused then; it is asked what it is now
        return ()
