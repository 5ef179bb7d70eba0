"""The engine's commands on one stack: held while it is changed, its failures told to a reader."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pulumi import log
from pulumi.automation import LocalWorkspace, OutputMap, Stack, UpdateSummary
from pulumi.automation._stack import StackInitMode
from pulumi.automation.errors import (
    CommandError,
    ConcurrentUpdateError,
    StackAlreadyExistsError,
    StackNotFoundError,
)

from opsctl.deploy import lock
from opsctl.deploy.files import remove
from opsctl.errors import Interrupted, OpsctlError, UsageError
from opsctl.infra import bucket, failures, locks, session
from opsctl.infra.command import Command
from opsctl.infra.results import Mended
from opsctl.infra.steps import Steps
from opsctl.infra.workspace import FOLDER, Workspace
from opsctl.toolchain import programs

Program = Callable[[], None]
"""Declares resources and exports outputs; called by the engine, in a thread of this process."""

_T = TypeVar("_T")

_loops: list[asyncio.AbstractEventLoop] = []
"""The event loops that the SDK ran programs in: of one that failed it leaves the loop open."""


class _Workspace(LocalWorkspace):
    """A workspace whose stack is named with every command, so that none has to be selected."""

    def select_stack(self, stack_name: str) -> None:
        """Select nothing: it would cost a run of the engine each time."""


class _Stack(Stack):
    """A stack of which nothing is asked that nobody reads: each question is a run of the engine.

    What it hands out is asked for by `Engine.outputs`, secrets masked.
    """

    def outputs(self) -> OutputMap:
        """Return nothing, at the end of an update."""
        return {}

    def info(self, show_secrets: bool = True) -> UpdateSummary:
        """Return what says nothing, at the end of an update or a removal."""
        return UpdateSummary("", datetime.now(UTC), "", {}, {}, "")


class Driver:
    """Runs the engine's commands on the stack of a workspace."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        say: Callable[[str], None] = lambda _: None,
        lock_lasts: timedelta | None = None,
    ) -> None:
        """Find the engine; a lock that is older than it `lasts` is no living engine's.

        Raises:
            ToolMissing: Pulumi is not here; the hint says how to obtain it.
            UsageError: the workspace cannot be meant.
        """
        workspace.check()
        self.workspace = workspace
        self._say, self._lock_lasts = say, lock_lasts
        binary = programs.path("pulumi", "pulumi")
        found = programs.locate("pulumi")
        assert found is not None  # noqa: S101 - it was found in the line before
        self._variables = workspace.variables(binary)
        self._command = Command(binary, found.version, say)
        self._unread = False
        self._joined = False

    @contextmanager
    def changing(self, what: str) -> Iterator[tuple[Mended, ...]]:
        """Hold the stack for a change; yield what was cleared away of a killed run."""
        name = self.workspace.environment
        with lock.held(f"{name}/{FOLDER}", f"opsctl, {what} of the stack"):
            self.workspace.prepare()
            self.join()
            former = session.left(self.workspace.note)
            gone = session.end(former.run) if former else ()
            note = session.begin(self.workspace.note, what, former)
            self._command.changing, self._command.stopped = note, None
            self._unread = note.unread
            try:
                yield tuple(
                    Mended(what="process", name=each, found="left by a killed run", done="ended")
                    for each in gone
                )
            finally:
                self._command.changing = None
                session.end(note.run)
                if not self._unread:
                    session.ended(self.workspace.note)

    @property
    def unread(self) -> bool:
        """Whether the state holds what must be read anew, before anything relies on it."""
        return self._unread

    @unread.setter
    def unread(self, unread: bool) -> None:
        note = self._command.changing
        assert note is not None  # noqa: S101 - it is set under `changing` only
        self._unread = unread
        session.write(self.workspace.note, note.model_copy(update={"unread": unread}))

    def join(self) -> None:
        """Take the settings of a stack from where machines share its state; once a command.

        What this machine remembers of a stack that another has removed is taken away.
        """
        if self._joined or not self.workspace.backend:
            return
        self._joined = True
        self.workspace.prepare()
        try:
            state = json.loads(self.pulumi("stack", "export"))
        except StackNotFoundError:
            remove(self.workspace.settings)
            return
        if not self.workspace.settings.exists():
            self.workspace.settle(state["deployment"].get("secrets_providers") or {})

    def created(self) -> bool:
        """Create the stack where there is none yet; return whether there was none."""
        if self.workspace.settings.exists():
            return False
        try:
            self.unlocked(lambda: self.stack().workspace.create_stack(self.workspace.environment))
        except StackAlreadyExistsError:
            return False
        except CommandError as fault:
            raise self._explained(fault) from fault
        return True

    def pulumi(self, *words: str) -> str:
        """Run one command on the stack, and return what it printed."""
        argv = [*words, "--stack", self.workspace.environment]
        try:
            done = self._command.run(argv, str(self.workspace.folder), self._variables)
        except (ConcurrentUpdateError, StackNotFoundError):
            raise
        except CommandError as fault:
            raise self._explained(fault) from fault
        return done.stdout or done.stderr

    def unlocked(self, act: Callable[[], _T]) -> _T:
        """Act; where a dead engine of this machine has the lock, take it away and act again."""
        bucket.tidy(self.workspace)
        try:
            return act()
        except ConcurrentUpdateError as refusal:
            text, note = str(refusal), self._command.changing
            found = locks.holders(text)
            since = note.unsettled if note else None
            shared = bool(self.workspace.backend)
            now = datetime.now(UTC)
            if not found or not all(
                locks.stale(h, shared=shared, unsettled=since)
                or locks.outlived(h, lasts=self._lock_lasts, now=now)
                for h in found
            ):
                raise locks.refused(self.workspace.environment, text) from refusal
        self._say("the lock of a killed engine is taken away")
        self.pulumi("cancel", "--yes")
        bucket.tidy(self.workspace)
        return act()

    def run(
        self,
        act: Callable[[Stack], _T],
        steps: Steps | None = None,
        program: Program | None = None,
    ) -> _T:
        """Run something on the stack; turn what fails into an error for a reader.

        A stack that a `program` needs and that is not there yet is made.
        """
        _close_loops()
        if self._command.changing is None:
            self.workspace.prepare()
            self.join()
        if program is not None:
            self.created()
        refused: list[OpsctlError] = []
        stack = self.stack(program and _noting(program, refused))
        try:
            with _at_ease():
                found = act(stack)
        except StackNotFoundError as fault:
            raise self._missing() from fault
        except ConcurrentUpdateError as fault:
            if self._command.changing is not None:
                raise
            raise locks.refused(self.workspace.environment, str(fault)) from fault
        except CommandError as fault:
            raise self._meant(fault, steps, refused) from fault
        if steps is not None:
            steps.wait()
        return found

    def _missing(self) -> OpsctlError:
        """Return what it means that the stack is not there: it was never made, or is gone."""
        name = self.workspace.environment
        if not self.workspace.settings.exists():
            return UsageError(f"{name} has no stack yet", hint=f"opsctl deploy {name} makes it")
        return OpsctlError(
            f"the state of {name} is gone: {self.workspace.url}",
            hint="put it back from your backup; only where nothing of it exists any more, remove "
            f"{self.workspace.settings}: the next deploy begins anew",
        )

    def _meant(
        self, fault: CommandError, steps: Steps | None, refused: Sequence[OpsctlError]
    ) -> OpsctlError:
        """Return the error for a reader: a signal, a refusal of the program, or a failure."""
        if steps is not None:
            steps.wait()
        if self._command.stopped is not None:
            return Interrupted(
                f"stopped by {self._command.stopped.name}: what was made is in the state of "
                f"{self.workspace.environment}",
                hint="run the same command again: it continues from here",
                signal=self._command.stopped,
            )
        return refused[0] if refused else self._explained(fault, steps)

    def stack(self, program: Program | None = None) -> Stack:
        """Return the stack, for the Automation API."""
        workspace = _Workspace(
            work_dir=str(self.workspace.folder),
            program=program,
            env_vars=self._variables,
            secrets_provider=self.workspace.secrets_provider,
            pulumi_command=self._command,
        )
        return _Stack(self.workspace.environment, workspace, StackInitMode.SELECT)

    def _explained(self, fault: CommandError, steps: Steps | None = None) -> OpsctlError:
        failed = [steps.resource(urn) for urn in steps.failed] if steps else []
        return failures.explained(
            str(fault),
            self.workspace,
            home=self._variables["PULUMI_HOME"],
            faults=steps.faults if steps else (),
            failed=[each for each in failed if each is not None],
        )


def _noting(program: Program, refused: list[OpsctlError]) -> Program:
    """Return the program, with its own refusals noted: the engine would show a trace of them."""

    def noting() -> None:
        _loops.append(asyncio.get_running_loop())
        try:
            program()
        except OpsctlError as error:
            refused.append(error)
            raise

    return noting


@contextmanager
def _at_ease() -> Iterator[None]:
    """Run a program without what costs it a quarter of its time, and nobody reads.

    The types of a provider are objects that live as long as the program: looking again and again
    through them for garbage finds none. And the SDK asks the engine, one call after the other,
    to write what only `--debug` shows; when the engine is gone, it prints that it could not.
    """
    collecting, told = gc.isenabled(), log.debug
    gc.disable()
    log.debug = _nothing
    try:
        yield
    finally:
        log.debug = told
        if collecting:
            gc.enable()


def _nothing(*_: object, **__: object) -> None:
    """Say nothing."""


def _close_loops() -> None:
    """Close the loops of programs that ran before.

    Not right after a run: where the engine had failed by itself, the SDK may still be about to
    close the loop, in a thread of its own.
    """
    for loop in [each for each in _loops if not each.is_running()]:
        loop.close()
        _loops.remove(loop)
