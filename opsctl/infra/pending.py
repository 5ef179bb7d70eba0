"""Operations that a killed engine had begun and never ended, as the state names them.

Of one that was creating something nobody knows whether it exists: running it again would make
a second copy, forgetting it would leave one that nobody knows. It is looked up where its
provider has it, or a person says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.infra.properties import readable
from opsctl.model.value import Value

CREATING = "creating"


class Undecided(Exception):
    """Raised by a look-up that cannot tell whether something exists; the message says why."""


class Operation(Value):
    """One operation that was not ended."""

    kind: str
    """`creating`, `updating`, `deleting`, `reading`, `importing`."""
    urn: str
    type: str
    name: str
    inputs: dict[str, Any] = {}
    provider: dict[str, Any] = {}
    """The inputs of its provider: `region`, of one of AWS."""
    recorded: tuple[str, ...] = ()
    """The ids of those of its type that the state has: what it made is none of them."""


Lookup = Callable[[Operation], str | None]
"""Returns the provider's id of what an operation may have made, None where it made nothing.

Raises:
    Undecided: it cannot tell.
"""


def nowhere(operation: Operation) -> str | None:
    """Look nothing up: of no operation it is known what it made."""
    raise Undecided(f"nobody can look up a {operation.type}")


def operations(deployment: Mapping[str, Any] | None) -> tuple[Operation, ...]:
    """Return the operations of an exported state that were not ended."""
    found = []
    there: Sequence[Mapping[str, Any]] = (deployment or {}).get("resources") or ()
    inputs = {each["urn"]: each.get("inputs") or {} for each in there}
    for each in (deployment or {}).get("pending_operations") or ():
        resource = each["resource"]
        provider = str(resource.get("provider") or "").rpartition("::")[0]
        found.append(
            Operation(
                kind=each["type"],
                urn=resource["urn"],
                type=resource["type"],
                name=resource["urn"].rpartition("::")[2],
                inputs=readable(resource.get("inputs") or {}),
                provider=readable(inputs.get(provider, {})),
                recorded=tuple(
                    str(one["id"])
                    for one in there
                    if one["type"] == resource["type"] and one.get("id") and not _left(one)
                ),
            )
        )
    return tuple(found)


def said(made: Mapping[str, str], not_made: tuple[str, ...], otherwise: Lookup = nowhere) -> Lookup:
    """Return a look-up by what a person said: name to id of what exists, names of what does not."""

    def lookup(operation: Operation) -> str | None:
        if operation.name in made:
            return made[operation.name]
        if operation.name in not_made:
            return None
        return otherwise(operation)

    return lookup


def decided(
    environment: str, found: tuple[Operation, ...], lookup: Lookup
) -> dict[str, str | None]:
    """Return the id of what each operation that was creating something has made, by URN.

    Raises:
        OpsctlError: of one it is not known, so nothing may be changed.
    """
    known: dict[str, str | None] = {}
    unknown: list[tuple[Operation, str]] = []
    for each in found:
        if each.kind != CREATING:
            continue
        try:
            known[each.urn] = lookup(each)
        except Undecided as why:
            unknown.append((each, str(why)))
    if unknown:
        words = " ".join(f"--not-made {each.name}" for each, _ in unknown)
        raise OpsctlError(
            f"a killed update of {environment} was creating what may exist by now: nothing was "
            "changed",
            hint="look whether each exists; then "
            f"`opsctl stack repair {environment} {words}`, "
            "with `--made NAME=ID` instead for each that does",
            details=[f"{each.name} ({each.type}): {why}" for each, why in unknown],
        )
    return known


def taken_over(deployment: Mapping[str, Any], known: Mapping[str, str | None]) -> dict[str, Any]:
    """Return a state in which what was being made and exists (`known`) is a resource.

    Nothing of it but its declaration is known: it has to be read anew. What does not exist
    is forgotten; operations of other kinds stay, for the engine to read anew.
    """
    resources = list(deployment.get("resources") or ())
    left = []
    for each in deployment.get("pending_operations") or ():
        resource = each["resource"]
        if each["type"] != CREATING:
            left.append(each)
        elif made := known[resource["urn"]]:
            inputs = resource.get("inputs") or {}
            outputs = resource.get("outputs") or inputs
            resources = _with({**resource, "id": made, "outputs": outputs}, resources)
    return {**deployment, "resources": resources, "pending_operations": left}


def _with(made: Mapping[str, Any], resources: Sequence[Any]) -> list[Any]:
    """Return resources and one more; its predecessor, if it replaces one, is to be deleted.

    The engine wants a resource behind all that it depends on, and a predecessor behind it.
    """
    urn, provider = made["urn"], str(made.get("provider") or "").rpartition("::")[0]
    others = [each for each in resources if each["urn"] != urn]
    if len(others) == len(resources):
        return [*others, made]
    before = {made.get("parent"), provider, *(made.get("dependencies") or ())}
    places = (place for place, each in enumerate(others, start=1) if each["urn"] in before)
    place = max(places, default=0)
    former = [{**each, "delete": True} for each in resources if each["urn"] == urn]
    kept = [each for each in former if not _left(each)]
    return [*others[:place], made, *others[place:], *kept]


def _left(resource: Mapping[str, Any]) -> bool:
    """Return whether a resource was deleted already, to make room for its successor."""
    return bool(resource.get("pendingReplacement"))
