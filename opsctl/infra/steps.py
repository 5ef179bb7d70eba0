"""What the engine tells while it runs, gathered: resources, progress, faults, outputs."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from opsctl.infra import properties
from opsctl.infra.previewed import Action, Property, Resource
from opsctl.infra.results import Step
from opsctl.model.value import Value

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent
    from pulumi.automation.events import StepEventMetadata

ROOT = "pulumi:pulumi:Stack"
"""The type of what holds everything of a stack together."""

PROVIDERS = "pulumi:providers:"
LATE_S = 5.0
"""How long the last events of an engine may be under way after its end."""

_ACTIONS = {
    "same": Action.SAME,
    "create": Action.CREATE,
    "update": Action.UPDATE,
    "import": Action.UPDATE,
    "delete": Action.DELETE,
    "discard": Action.DELETE,
    "remove-pending-replace": Action.DELETE,
    "read": Action.READ,
    "refresh": Action.READ,
}
"""Of the engine's operations; every other one is a part of a replacement."""
_MARKUP = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")


class Fault(Value):
    """What the engine or a provider said went wrong; `urn` is empty where no resource is named."""

    urn: str
    message: str


class Steps:
    """Takes the engine's events, which come in a thread of their own."""

    def __init__(
        self, on_step: Callable[[Step], None] = lambda _: None, *, looking: bool = False
    ) -> None:
        """Tell the progress of each resource to `on_step`.

        With `looking` the engine compares with what is there, not with a declaration.
        """
        self._tell, self._looking = on_step, looking
        self._lock = threading.Lock()
        self._found: dict[str, Resource] = {}
        self._started: dict[str, float] = {}
        self.faults: list[Fault] = []
        self.failed: list[str] = []
        """URNs, in the order of their failures."""
        self.outputs: dict[str, Any] | None = None
        """What the stack hands out, secrets masked; None where it was not told."""
        self._begun, self._over = threading.Event(), threading.Event()

    @property
    def resources(self) -> tuple[Resource, ...]:
        """What was seen so far, in the engine's order."""
        with self._lock:
            return tuple(self._found.values())

    def resource(self, urn: str) -> Resource | None:
        """Return what was seen of a resource."""
        with self._lock:
            return self._found.get(urn)

    def __call__(self, event: EngineEvent) -> None:
        """Take one event."""
        self._begun.set()
        if event.cancel_event is not None:
            self._over.set()
        elif event.resource_pre_event is not None:
            self._step(event.resource_pre_event.metadata, "started")
        elif event.res_outputs_event is not None:
            step = event.res_outputs_event.metadata
            if step.type == ROOT and step.new is not None:
                self.outputs = {**(step.new.outputs or {})}
            self._step(step, "done")
        elif event.res_op_failed_event is not None:
            self._step(event.res_op_failed_event.metadata, "failed")
        elif event.diagnostic_event is not None and event.diagnostic_event.severity == "error":
            diagnostic = event.diagnostic_event
            message = _MARKUP.sub("", diagnostic.message).strip()
            if message:
                with self._lock:
                    self.faults.append(Fault(urn=diagnostic.urn or "", message=message))

    def wait(self) -> None:
        """Return when the last event of an engine that has exited was taken."""
        if self._begun.is_set():
            self._over.wait(LATE_S)

    def _step(self, step: StepEventMetadata, stage: Literal["started", "done", "failed"]) -> None:
        if _own(step):
            return
        made = resource(step, looking=self._looking)
        with self._lock:
            before = self._found.get(step.urn)
            self._found[step.urn] = made if before is None else _together(before, made)
            if stage == "failed":
                self.failed.append(step.urn)
            since = self._started.get(step.urn)
            if stage == "started":
                self._started[step.urn] = time.monotonic()
        if made.custom and made.action not in (Action.SAME, Action.READ):
            took = None if since is None or stage == "started" else time.monotonic() - since
            self._tell(
                Step(
                    stage=stage,
                    action=made.action,
                    type=made.type,
                    name=made.name,
                    took_s=None if took is None else round(took, 3),
                )
            )


def resource(step: StepEventMetadata, *, looking: bool = False) -> Resource:
    """Return a resource and what happens to it, of one step of the engine."""
    op = str(getattr(step.op, "value", step.op))
    action = _ACTIONS.get(op, Action.REPLACE)
    old, new = step.old, step.new
    state = new or old
    changes = action in (Action.UPDATE, Action.REPLACE) and old is not None and new is not None
    parent = state.parent if state else ""
    return Resource(
        urn=step.urn,
        type=step.type,
        name=name_of(step.urn),
        action=action,
        parent="" if f"::{ROOT}::" in parent else parent,
        id=(new and new.id) or (old and old.id) or "",
        inputs=properties.readable(state.inputs or {}) if state else {},
        properties=_changes(step, looking=looking) if changes else (),
        protected=bool(state and state.protect),
        custom=bool(state and state.custom),
    )


def _own(step: StepEventMetadata) -> bool:
    """Return whether it is the engine's own: the stack itself, a provider that nobody declared."""
    default = step.type.startswith(PROVIDERS) and name_of(step.urn).startswith("default")
    return default or step.type == ROOT


def name_of(urn: str) -> str:
    """Return the name of a resource, the last part of its URN."""
    return urn.rpartition("::")[2]


def _changes(step: StepEventMetadata, *, looking: bool) -> tuple[Property, ...]:
    assert step.old is not None and step.new is not None  # noqa: S101, PT018 - asked by the caller
    old, new = step.old, step.new
    before = {**(old.inputs or {}), **(old.outputs or {})}
    # Of an update the declaration counts, whose state comes after it; of a look what is there.
    after = {**(new.inputs or {}), **(new.outputs or {})}
    if not looking:
        after |= new.inputs or {}
    if step.detailed_diff:
        declared = (old.inputs or {}, new.inputs or {})
        found = properties.named(step.detailed_diff, declared=declared, there=(before, after))
        if found:
            return found
    if looking:
        return properties.compared(before, after)
    return properties.compared(old.inputs, new.inputs, tuple(step.keys or ()))


def _together(before: Resource, after: Resource) -> Resource:
    """Return one resource of two steps: a replacement is made, then deleted, under one URN."""
    if before.action is Action.REPLACE:
        better = after if after.action is Action.REPLACE and not before.properties else before
        return better.model_copy(update={"id": after.id or before.id})
    if after.action is Action.REPLACE:
        return after
    if not after.properties and after.action is before.action:
        return after.model_copy(update={"properties": before.properties})
    return after
