"""Work on boxes in a process of its own, for a process that has driven Pulumi's engine.

ansible-runner begins Ansible by a fork, and a child of a process in which gRPC has threads may
hang for ever. So whoever has a part in an update, or comes after one, has a fresh process do it:
a module that is run as a program, calls `serve`, and is asked by `ask`. It ends with the one that
asked, and Ansible with it; what it tells of its progress is heard as it happens, and a signal to
stop is passed on to it, which honours it as `opsctl provision` does.

The task goes in whole on its standard input, a `_Line` of JSON comes out for each thing told, and
the answer or the error is the last of them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import IO, Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from opsctl.deploy.interrupt import Interruption
from opsctl.errors import Interrupted, Locked, OpsctlError, ToolMissing, UsageError
from opsctl.model.value import Value
from opsctl.provision import applying, bound
from opsctl.provision.progress import Progress
from opsctl.provision.results import Provisioned

TAIL = 2_000
"""Characters of what a process said that ended without an answer."""
CONTINUES = "the same command goes on where it ended"
_KINDS = {kind.__name__: kind for kind in (UsageError, Locked, ToolMissing, Interrupted)}
_ASKED = TypeAdapter(applying.Asked)

Work = Callable[[str, Progress], BaseModel]
"""Does a task, and says how far it is; raises `OpsctlError`."""


class _Line(Value):
    """One thing that is told: a method of `Progress` and its words, or how it ended."""

    what: Literal["say", "stage", "task", "done", "failed"]
    words: tuple[str, ...]


def provision(asked: applying.Asked, progress: Progress) -> Provisioned:
    """Provision boxes as `applying.provision` does, and raise what it raises."""
    answer = ask("opsctl.provision.apart", _ASKED.dump_json(asked).decode(), progress)
    return Provisioned.model_validate_json(answer)


def ask(module: str, task: str, progress: Progress) -> str:
    """Have a task done by a module that serves; return its answer, as JSON.

    Raises:
        OpsctlError: what the work raised, in its kind; or it ended without an answer.
        Interrupted: a signal came; what was done stands.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
        process = _begun(module, said)
        with process, _passing(process) as interruption:
            try:
                last = _heard(process, task, progress)
            except BaseException:
                process.terminate()
                raise
        interruption.check("the work on boxes ended orderly; what was done on them stands")
        if last is None:
            said.seek(0)
            raise OpsctlError(
                f"the work on boxes ended with code {process.returncode} and without an answer",
                details=said.read()[-TAIL:].splitlines(),
                hint=CONTINUES,
            )
    if last.what == "failed":
        kind, message, hint, *details = last.words
        raise _KINDS.get(kind, OpsctlError)(message, hint=hint, details=details)
    return last.words[0]


def serve(work: Work) -> None:
    """Be the process that does one task; nothing else comes out of its standard output."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as wire:
        os.dup2(2, 1)  # what a library prints is no part of what is told
        telling = _Telling(wire)
        try:
            telling.tell("done", work(sys.stdin.read(), telling).model_dump_json())
        except OpsctlError as error:
            kind = next((one.__name__ for one in type(error).mro() if one.__name__ in _KINDS), "")
            telling.tell("failed", kind, error.message, error.hint, *error.details)


class _Telling:
    """Tells the process that asked; where that has ended, nobody."""

    def __init__(self, wire: IO[str]) -> None:
        self._wire = wire

    def tell(self, what: Literal["say", "stage", "task", "done", "failed"], *words: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._wire.write(_Line(what=what, words=words).model_dump_json() + "\n")
            self._wire.flush()

    def say(self, text: str) -> None:
        self.tell("say", text)

    def stage(self, host: str, stage: str, detail: str = "") -> None:
        self.tell("stage", host, stage, detail)

    def task(self, host: str, task: str) -> None:
        self.tell("task", host, task)


def _begun(module: str, said: IO[str]) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", module]
    if sys.platform == "linux":
        argv = [sys.executable, "-I", bound.__file__, str(os.getpid()), *argv]
    return subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        text=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        start_new_session=True,  # a ^C is for this process, which passes it on
    )


def _passing(process: subprocess.Popen[str]) -> Interruption:
    """Return what passes a first signal on, as a ^C; a second one ends the process."""
    return Interruption(lambda _: process.send_signal(signal.SIGINT))


def _heard(process: subprocess.Popen[str], task: str, progress: Progress) -> _Line | None:
    """Hear a process to its end; return the line that says how it ended."""
    assert process.stdin is not None and process.stdout is not None  # noqa: PT018, S101 - pipes
    with contextlib.suppress(BrokenPipeError), process.stdin as task_in:
        task_in.write(task)
    last = None
    for text in process.stdout:
        with contextlib.suppress(ValidationError):  # cut off where it was killed
            line = _Line.model_validate_json(text)
            if line.what in ("done", "failed"):
                last = line
            else:
                getattr(progress, line.what)(*line.words)
    process.wait()
    return last


if __name__ == "__main__":
    serve(
        lambda task, progress: applying.provision(
            _ASKED.validate_json(task), progress, lambda _: None
        )
    )
