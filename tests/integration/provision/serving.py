"""Work of a test in a process of its own, and one that asks for it.

`python -m tests.integration.provision.serving` does a task; with `ask TASK` it has it done and
says what it hears.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from opsctl.deploy.interrupt import Interruption
from opsctl.errors import Locked
from opsctl.model.value import Value
from opsctl.provision import apart
from opsctl.provision.progress import Progress

MODULE = "tests.integration.provision.serving"


class Answer(Value):
    """What came of it."""

    text: str
    pid: int


class Heard:
    """What was told, line by line."""

    def __init__(self, *, aloud: bool = False) -> None:
        """Hear; `aloud`: print it as well."""
        self.lines: list[str] = []
        self._aloud = aloud

    def say(self, text: str) -> None:
        """Hear a remark."""
        self.lines.append(text)
        if self._aloud:
            print(text, flush=True)

    def stage(self, host: str, stage: str, detail: str = "") -> None:
        """Hear that a box has come to a stage."""
        self.say(f"{host}: {stage} {detail}")

    def task(self, host: str, task: str) -> None:
        """Hear what is done on a box."""
        self.say(f"{host}: {task}")


def work(task: str, progress: Progress) -> Answer:
    """Do what a word says."""
    what, _, mark = task.partition(" ")
    if what == "locked":
        raise Locked("box is held", hint="wait", details=["by whom", "since when"])
    if what == "die":
        print("the last words", file=sys.stderr, flush=True)
        os._exit(9)
    with Interruption(progress.say) as interruption:
        progress.stage("box", "read", "all of it")
        progress.task("box", "Look")
        print("what a library prints", end="", flush=True)
        if what == "wait":
            worker = subprocess.Popen(
                [sys.executable, "-c", "input()", mark], stdin=subprocess.PIPE
            )
            progress.say("waiting")
            while interruption.requested is None:
                signal.pause()
            worker.communicate()
        interruption.check("on the way")
    return Answer(text=mark, pid=os.getpid())


if __name__ == "__main__":
    if sys.argv[1:2] == ["ask"]:
        print(apart.ask(MODULE, sys.argv[2], Heard(aloud=True)))
    else:
        apart.serve(work)
