"""Reads whatever is asked for, each means once; one that cannot be read spoils no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ansible.module_utils.opsctl_read import (
    clock,
    devices,
    ethtool,
    kernel,
    machine,
    people,
    software,
)
from ansible.module_utils.opsctl_read.answers import Answer, Answers, Unreadable, all_without

Read = Callable[[Iterable[str]], Answers]

READERS: dict[str, Read] = {
    "cmdline": kernel.cmdline,
    "sysctl": kernel.sysctl,
    "sysfs": kernel.sysfs,
    "file": kernel.files,
    "ethtool": ethtool.read,
    "irq": devices.irq,
    "unit": software.units,
    "package": software.packages,
    "sshd": software.sshd,
    "firewall": software.firewall,
    "limit": people.limits,
    "account": people.accounts,
    "measured": clock.measured,
}
"""One for each `Means` of the model."""

facts = machine.facts


def of(asks: Iterable[tuple[str, str]]) -> list[dict]:
    """Return the model's `Reading` of each, in the order asked."""
    wanted = list(asks)
    by_means: dict[str, list[str]] = {}
    for means, at in dict.fromkeys(wanted):
        by_means.setdefault(means, []).append(at)
    answers = {means: _read(means, ats) for means, ats in by_means.items()}
    return [
        {"means": means, "at": at, **answers[means].get(at, _UNANSWERED)._asdict()}
        for means, at in wanted
    ]


_UNANSWERED = Answer(None, "the reader had no answer")


def _read(means: str, ats: list[str]) -> Answers:
    """Read all of one means; where that fails as a whole, each by itself."""
    reader = READERS.get(means)
    if reader is None:
        return all_without(ats, f"means are {', '.join(READERS)}")
    try:
        return reader(ats)
    except Unreadable as why:
        return all_without(ats, str(why))
    except Exception as error:  # noqa: BLE001 - whatever one of them has met, the others are read
        if len(ats) == 1:
            return all_without(ats, f"{type(error).__name__}: {error}")
    answers: Answers = {}
    for at in ats:
        answers.update(_read(means, [at]))
    return answers
