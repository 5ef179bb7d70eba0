"""Settling what a killed run left in the state of a stack, before anything is changed.

Where it is killed itself, the next one continues: what was put into the state unseen is noted
until it was read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pulumi.automation import Deployment

from opsctl.errors import OpsctlError
from opsctl.infra import pending
from opsctl.infra.driving import Driver
from opsctl.infra.pending import Lookup, Operation
from opsctl.infra.results import Mended

VALID = "already valid"
"""What the engine says of a state whose parts agree."""


def exported(driver: Driver) -> dict[str, Any]:
    """Return the state as the engine exports it, secrets encrypted.

    Not by the Automation API, which exports them as plain text.
    """
    found: dict[str, Any] = json.loads(driver.run(lambda _: driver.pulumi("stack", "export")))
    return found


def imported(driver: Driver, state: Mapping[str, Any]) -> None:
    """Put a state in the place of the stack's; the engine forgets its pending operations."""
    made = Deployment(version=int(state["version"]), deployment=dict(state["deployment"]))
    driver.unlocked(lambda: driver.run(lambda stack: stack.import_stack(made)))


def settle(driver: Driver, lookup: Lookup) -> tuple[Mended, ...]:
    """Settle the operations that a killed run had begun.

    Raises:
        OpsctlError: of one nobody can tell what it made, so nothing was changed; or what is
            there cannot be read.
    """
    state = exported(driver)
    found = pending.operations(state["deployment"])
    if not found and not driver.unread:
        return ()
    known = pending.decided(driver.workspace.environment, found, lookup)
    if known:
        driver.unread = True
        deployment = pending.taken_over(state["deployment"], known)
        imported(driver, {**state, "deployment": deployment})
    driver.unlocked(lambda: driver.pulumi("refresh", "--yes", "--skip-preview"))
    left = pending.operations(exported(driver)["deployment"])
    if left:
        raise OpsctlError(
            f"operations of {driver.workspace.environment} are still not settled: nothing else "
            "was changed",
            hint=f"opsctl stack repair {driver.workspace.environment}",
            details=[f"{each.kind} {each.name} ({each.type})" for each in left],
        )
    driver.unread = False
    return tuple(_mended(each, known.get(each.urn)) for each in found)


def mend(driver: Driver) -> tuple[Mended, ...]:
    """Mend a state whose parts contradict each other, as far as the engine can."""
    said = driver.unlocked(lambda: driver.pulumi("state", "repair", "--yes"))
    if VALID in said:
        return ()
    return (Mended(what="state", name="", found="it contradicted itself", done="mended"),)


def _mended(operation: Operation, made: str | None) -> Mended:
    if operation.kind != pending.CREATING:
        done = "its state was read anew"
    else:
        done = f"it exists ({made}) and was taken over" if made else "it does not exist: forgotten"
    return Mended(
        what="operation", name=operation.name, found=f"{operation.kind} when killed", done=done
    )
