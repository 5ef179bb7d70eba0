"""Drives Pulumi's engine for the stack of one environment, by inline programs.

Whoever changes the stack holds it; what a killed run left is settled first. Everything that
the engine tells becomes values of `previewed` and `results`, everything that fails an error
that names the resource, the cause and the next step.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Literal

from pulumi.automation import Stack

from opsctl.infra import pending, settling
from opsctl.infra.driving import Driver, Program
from opsctl.infra.pending import Lookup, Operation
from opsctl.infra.previewed import SECRET, Action, Preview, Resource
from opsctl.infra.properties import readable
from opsctl.infra.results import Applied, Mended, Output, StackUpdate, Step
from opsctl.infra.steps import Steps, name_of
from opsctl.infra.workspace import Workspace

Told = Callable[[Step], None]
Kind = Literal["update", "destroy"]


def _nobody(_: object) -> None:
    """Tell nobody."""


class Engine:
    """The engine for one environment's stack."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        say: Callable[[str], None] = _nobody,
        lookup: Lookup = pending.nowhere,
        lock_lasts: timedelta | None = None,
    ) -> None:
        """Find the engine; `lookup` says what a killed run has made.

        `lock_lasts` is for how long an engine may hold its lock; None: until somebody says.

        Raises:
            ToolMissing: Pulumi is not here; the hint says how to obtain it.
            UsageError: the workspace cannot be meant.
        """
        self.workspace = workspace
        self._say, self._lookup = say, lookup
        self._driver = Driver(workspace, say=say, lock_lasts=lock_lasts)

    def preview(self, program: Program, *, refresh: bool = False) -> Preview:
        """Return what an update would do; nothing is changed. With `refresh` it looks first."""
        steps = Steps()

        def run(stack: Stack) -> None:
            stack.preview(on_event=steps, color="never", refresh=refresh)

        self._driver.run(run, steps, program)
        return Preview(environment=self.workspace.environment, resources=steps.resources)

    def preview_destroy(self) -> Preview:
        """Return what a removal would delete; nothing is changed."""
        steps = Steps()
        self._driver.run(lambda stack: stack.preview_destroy(on_event=steps, color="never"), steps)
        return Preview(environment=self.workspace.environment, resources=steps.resources)

    def drift(self) -> Preview:
        """Return what differs from what was declared last; neither it nor the state is changed.

        Of each property `old` is what was declared and `new` what is there.
        """
        steps = Steps(looking=True)
        self._driver.run(lambda stack: stack.preview_refresh(on_event=steps, color="never"), steps)
        return Preview(environment=self.workspace.environment, resources=steps.resources)

    @property
    def exists(self) -> bool:
        """Whether the environment has a stack: on this machine, or in the bucket of its state."""
        self._driver.join()
        return self.workspace.settings.exists()

    def protected(self) -> dict[str, str]:
        """Return the resources that refuse to be deleted: URN to name."""
        found = self.export()["deployment"].get("resources") or ()
        return {one["urn"]: name_of(one["urn"]) for one in found if one.get("protect")}

    def unprotect(self, urns: Sequence[str]) -> None:
        """Let resources be deleted that refuse it, as their declaration said."""
        self._protection("unprotect", urns)

    @contextmanager
    def letting_go(self, names: Collection[str]) -> Iterator[dict[str, str]]:
        """Let resources of these names be replaced or deleted, while the block runs.

        Yields those, URN to name. What is still there afterwards is protected again; after a
        kill it is by the next update, as its declaration says.
        """
        named = bool(names) and self.exists
        going = {u: name for u, name in self.protected().items() if name in names} if named else {}
        if not going:
            yield going
            return
        self.unprotect(tuple(going))
        try:
            yield going
        finally:
            there = self.export()["deployment"].get("resources") or ()
            left = [r["urn"] for r in there if r["urn"] in going and not r.get("protect")]
            self._protection("protect", left)

    def _protection(self, verb: Literal["protect", "unprotect"], urns: Sequence[str]) -> None:
        if urns:
            with self._driver.changing(verb):
                words = ("state", verb, *urns, "--yes")
                self._driver.unlocked(partial(self._driver.pulumi, *words))

    def up(
        self,
        program: Program,
        on_step: Told = _nobody,
        *,
        refresh: bool = False,
        keep_going: bool = False,
    ) -> Applied:
        """Make what the program declares, and return what was done.

        With `refresh` it looks first at what is there: what differs is made as declared. With
        `keep_going` what does not depend on a resource that failed is made all the same.

        Raises:
            Locked: another holds the stack.
            Interrupted: a signal stopped it; what was made is in the state.
            OpsctlError: it failed, or a killed run left what nobody can decide.
        """
        return self._change("update", on_step, program, refresh=refresh, keep_going=keep_going)

    def destroy(self, on_step: Told = _nobody, *, forget: bool = False) -> Applied:
        """Delete everything of the stack; with `forget` its history and settings as well."""
        done = self._change("destroy", on_step)
        if forget:
            self._driver.stack().workspace.remove_stack(self.workspace.environment)
        return done

    def outputs(self) -> dict[str, Output]:
        """Return what the last update handed out, secrets masked: no key of theirs is needed."""
        words = ("stack", "output", "--json")
        return _handed_out(json.loads(self._driver.run(lambda _: self._driver.pulumi(*words))))

    def history(self) -> tuple[StackUpdate, ...]:
        """Return the updates of the stack, the latest first."""
        found = self._driver.run(lambda stack: stack.history(show_secrets=False))
        return tuple(
            StackUpdate(
                version=each.version or 0,
                kind=each.kind,
                result=each.result,
                started=each.start_time,
                ended=each.end_time,
                message=each.message,
                changes={str(k): int(v) for k, v in (each.resource_changes or {}).items()},
            )
            for each in found
        )

    def export(self) -> dict[str, Any]:
        """Return the state as the engine exports it, secrets encrypted."""
        return settling.exported(self._driver)

    def import_(self, state: Mapping[str, Any]) -> None:
        """Put another state in the place of the stack's; it is checked by the engine first."""
        with self._driver.changing("import"):
            self._driver.created()
            settling.imported(self._driver, state)

    def unfinished(self) -> tuple[Operation, ...]:
        """Return the operations that a killed run had begun and never ended."""
        return pending.operations(self.export()["deployment"])

    def repair(
        self, lookup: Lookup | None = None, *, break_lock: bool = False
    ) -> tuple[Mended, ...]:
        """Settle what a killed run left, and mend a state that is inconsistent.

        Its processes are ended, its lock is taken away, what it was making is looked up:
        taken over where it exists, forgotten where it does not. With `break_lock` the lock
        goes whoever holds it.
        """
        with self._driver.changing("repair") as cleared:
            mended = [*cleared]
            if break_lock:
                self._driver.pulumi("cancel", "--yes")
                mended.append(Mended(what="lock", name="", found="by your word", done="removed"))
            mended += settling.mend(self._driver)
            mended += settling.settle(self._driver, lookup or self._lookup)
            return tuple(mended)

    def _change(
        self,
        kind: Kind,
        on_step: Told,
        program: Program | None = None,
        *,
        refresh: bool = False,
        keep_going: bool = False,
    ) -> Applied:
        began = time.monotonic()
        steps = Steps(on_step)
        with self._driver.changing(kind) as cleared:
            new = self._driver.created()  # and nothing was begun in it yet
            settled = () if new else settling.settle(self._driver, self._lookup)
            for each in (*cleared, *settled):
                self._say(f"{each.name}: {each.found}: {each.done}")

            def run(stack: Stack) -> None:
                if kind == "destroy":
                    stack.destroy(on_event=steps, color="never")
                else:
                    stack.up(
                        on_event=steps,
                        color="never",
                        show_secrets=False,
                        refresh=refresh,
                        continue_on_error=keep_going,
                    )

            self._driver.unlocked(lambda: self._driver.run(run, steps, program))
            if steps.outputs is None:  # its last events may be late, and a removal has none
                outputs = self.outputs() if kind == "update" else {}
            else:
                outputs = _handed_out(steps.outputs)
        still = (Action.SAME, Action.READ)
        return Applied(
            environment=self.workspace.environment,
            changes=tuple(r for r in steps.resources if r.custom and r.action not in still),
            unchanged=sum(r.custom and r.action in still for r in steps.resources),
            there=tuple(_staying(steps.resources)),
            outputs=outputs,
            duration_s=round(time.monotonic() - began, 3),
        )


def _handed_out(found: Mapping[str, Any]) -> dict[str, Output]:
    """Return outputs as the engine tells them, for a reader."""
    values = ((name, readable(value)) for name, value in sorted(found.items()))
    return {name: Output(value=value, secret=value == SECRET) for name, value in values}


def _staying(resources: Sequence[Resource]) -> Iterator[Resource]:
    """Yield what is there after an update, as a preview without a change would show it."""
    for one in resources:
        if one.action is not Action.DELETE:
            yield one.model_copy(update={"action": Action.SAME, "properties": ()})
