"""Waivers: rules that need not hold for some resources until a day, and who answers for it."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from datetime import date
from fnmatch import fnmatchcase
from typing import Protocol

from opsctl.errors import UsageError
from opsctl.infra.guardrails.catalogue import BY_ID


class Waiver(Protocol):
    """A waiver of the environment file, as `trading:aws` has it."""

    @property
    def rule(self) -> str:
        """The id of a rule, in capitals or not."""

    @property
    def resource(self) -> str:
        """The name of a resource, or a pattern of names with `*`."""

    @property
    def reason(self) -> str:
        """Why it need not hold."""

    @property
    def owner(self) -> str:
        """Who answers for it."""

    @property
    def expires(self) -> date:
        """The last day on which it holds."""


def waives(waiver: Waiver, rule: str, resource: str) -> bool:
    """Return whether a waiver is of this rule and resource."""
    return waiver.rule.upper() == rule and fnmatchcase(resource, waiver.resource)


def refuse(waivers: Sequence[Waiver], used: Sequence[bool], today: date) -> None:
    """Raise UsageError with every waiver that cannot stand, and what to do about each.

    `used`: of each waiver, whether it waives something.
    """
    faults = [
        f"waiver {number} ({waiver.rule} of {waiver.resource}): {fault}"
        for number, (waiver, of_use) in enumerate(zip(waivers, used, strict=True), 1)
        for fault in _faults(waiver, of_use, today)
    ]
    if faults:
        raise UsageError(
            "waivers of the environment file cannot stand",
            hint="correct `waivers` of trading:aws in the environment file",
            details=faults,
        )


def _faults(waiver: Waiver, used: bool, today: date) -> Iterator[str]:
    rule = BY_ID.get(waiver.rule.upper())
    if rule is None:
        near = difflib.get_close_matches(waiver.rule.upper(), BY_ID, n=1, cutoff=0.5)
        meant = f", did you mean {near[0]}?" if near else ""
        yield f"there is no such rule{meant}"
        return
    if not waiver.reason.strip():
        yield "say why it need not hold, in `reason`"
    if not waiver.owner.strip():
        yield "name who answers for it, in `owner`"
    if not rule.waivable:
        yield f"this rule cannot be waived: {rule.comply}"
    elif waiver.expires < today:
        yield f"it expired on {waiver.expires}: comply, or give it another day and reason"
    elif not used:
        yield "it waives nothing: remove it"
