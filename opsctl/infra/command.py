"""The engine's command as the Automation API calls it, started and stopped our way."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Self

from pulumi.automation import CommandResult, OnOutput, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from opsctl.infra import session

AGAIN_S = 1.0
"""How long an engine that is to give up may go on before it is told again."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Command(PulumiCommand):
    """Runs the engine in a session of its own, its output in memory.

    `changing` is the run that the next commands belong to, where they change the stack: a
    signal to opsctl is then passed on, the first to end orderly, the second to give up.
    """

    def __init__(self, binary: Path, version: str, say: Callable[[str], None]) -> None:
        """Know the engine; unlike its base class, ask nobody for its version."""
        self.command = str(binary)
        self.version = VersionInfo.parse(version)
        self.changing: session.Note | None = None
        self.stopped: signal.Signals | None = None
        """The signal that stopped the engine, if one did."""
        self._say = say

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Run one command to its end; raise the Automation API's error where it fails."""
        mark = {session.MARK: self.changing.run} if self.changing else {}
        env = {**os.environ, **additional_env, **mark, "PULUMI_AUTOMATION_API": "true"}
        out, err = os.memfd_create("stdout"), os.memfd_create("stderr")
        try:
            process = session.launch(
                [self.command, "--non-interactive", *args],
                cwd=Path(cwd),
                env=env,
                out=out,
                err=err,
            )
            code = self._waited(process)
            result = CommandResult(stdout=_text(out), stderr=_text(err), code=code)
        finally:
            os.close(out)
            os.close(err)
        for callback, text in ((on_output, result.stdout), (on_error, result.stderr)):
            for line in text.splitlines() if callback else ():
                callback(line)  # type: ignore[misc]
        if code != 0:
            raise create_command_error(result)
        return result

    def _waited(self, process: subprocess.Popen[bytes]) -> int:
        if self.changing is not None:
            with _PassedOn(process, self._say) as signals:
                code = signals.waited()
            self.stopped = signals.first or self.stopped
            return code
        try:
            return process.wait()
        except BaseException:  # Ctrl-C: what only reads can end at once
            process.terminate()
            process.wait()
            raise


class _PassedOn:
    """Passes SIGINT and SIGTERM on to the engine, which ends orderly at the first.

    Two that come before it takes the first are one to it: it is told to give up until it has.
    """

    def __init__(self, process: subprocess.Popen[bytes], say: Callable[[str], None]) -> None:
        self._process, self._say = process, say
        self._before: dict[signal.Signals, Any] = {}
        self.first: signal.Signals | None = None
        self._given_up = False
        self._handle = os.pidfd_open(process.pid)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._pass) for number in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def waited(self) -> int:
        """Return the exit code of the engine at its end."""
        ended = select.poll()
        ended.register(self._handle, select.POLLIN)
        while not ended.poll(AGAIN_S * 1_000):
            if self._given_up:
                self._process.send_signal(signal.SIGINT)
        return self._process.wait()

    def _pass(self, number: int, _frame: FrameType | None) -> None:
        if self.first is None:
            self.first = signal.Signals(number)
            self._say("ending the operations that have begun; once more gives them up")
        else:
            self._given_up = True
            self._say("giving up: what was half-done is noted in the state")
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)


def _text(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, size, 0).decode("utf-8", errors="replace").rstrip()
