"""Rules on how much one update takes away."""

from __future__ import annotations

from collections.abc import Iterator

from opsctl.infra.guardrails import sources
from opsctl.infra.guardrails.reading import STATEFUL
from opsctl.infra.guardrails.rule import Facts, Rule, Severity, Wrong
from opsctl.infra.previewed import Action, Preview, Resource

_DONE = {Action.REPLACE: "replaced", Action.DELETE: "deleted"}


def taken(preview: Preview) -> tuple[Resource, ...]:
    """Return what would be deleted, or replaced by another, each once."""
    found = {one.urn: one for one in preview.changes if one.action in _DONE}
    return tuple(found.values())


def stateful(preview: Preview) -> tuple[Resource, ...]:
    """Return what holds data and would be deleted or replaced."""
    return tuple(one for one in taken(preview) if one.type in STATEFUL)


def _many(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    found = taken(preview)
    if len(found) > facts.max_deletions:
        yield Wrong(
            None,
            f"{len(found)} resources would be deleted or replaced, and at most "
            f"{facts.max_deletions} may be: {_some(found)}",
        )


def _some(found: tuple[Resource, ...], most: int = 5) -> str:
    names = ", ".join(one.name for one in found[:most])
    return names if len(found) <= most else f"{names} and {len(found) - most} more"


def _data(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    for one in stateful(preview):
        if one.name not in facts.replace_data:
            forced = [prop.path for prop in one.properties if prop.replaces]
            why = f" because of {', '.join(forced)}" if forced else ""
            yield Wrong(one, f"holds data, and would be {_DONE[one.action]}{why}")


RULES = (
    Rule(
        "AWS-CHG-001",
        "An update takes away few resources",
        Severity.REFUSE,
        "A slip in a name or a region looks like a wish to remove all that there is.",
        sources.UNSUCCESSFUL,
        "Make the change in steps, or allow as many for once: `--max-deletions N`.",
        _many,
        waivable=False,
    ),
    Rule(
        "AWS-CHG-002",
        "What holds data is neither replaced nor deleted unasked",
        Severity.REFUSE,
        "The new one is empty.",
        sources.UNSUCCESSFUL,
        "Take a backup, then say `--replace-data NAME` for each that may go.",
        _data,
        waivable=False,
    ),
)
