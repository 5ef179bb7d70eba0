"""Operations that a killed engine had begun and never ended, as the state names them.

Of one that was creating something nobody knows whether it exists: running it again would make
a second copy, forgetting it would leave one that nobody knows. It is looked up where its
provider has it, or a person says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    for each in (deployment or {}).get("pending_operations") or ():
        resource = each["resource"]
        found.append(
            Operation(
                kind=each["type"],
                urn=resource["urn"],
                type=resource["type"],
                name=resource["urn"].rpartition("::")[2],
                inputs=readable(resource.get("inputs") or {}),
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
            resources.append({**resource, "id": made, "outputs": outputs})
    return {**deployment, "resources": resources, "pending_operations": left}
