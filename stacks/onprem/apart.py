"""Work on boxes, in a process of its own: the engine's provider and opsctl speak gRPC.

ansible-runner begins Ansible by a fork, and a child of a process in which gRPC has threads may
hang for ever. So whoever has a part in an update asks a fresh process, which ends with the one
that asked, and Ansible with it: `python -m stacks.onprem.apart` takes a `Task` and returns a
`Report`, as JSON.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

from opsctl.errors import OpsctlError
from opsctl.model.value import Value
from opsctl.provision import bound
from opsctl.provision.results import ProvisionedHost
from stacks.onprem import boxes
from stacks.onprem.boxes import Found, Properties

TAIL = 2_000
"""Characters of what a process said that ended without a report."""


class Task(Value):
    """What is to be done, and with which servers."""

    what: Literal["read", "apply", "rollback"]
    servers: dict[str, dict[str, Any]]
    machine: str = ""
    """The machine-id that a server must have before it is changed; empty: any."""


class Report(Value):
    """What came of it."""

    found: dict[str, Found] = {}
    done: ProvisionedHost | None = None
    error: str = ""
    hint: str = ""


def found(servers: Mapping[str, Properties]) -> dict[str, Found]:
    """Read servers, all by one run of Ansible; one that cannot be read says why."""
    return _ask(Task(what="read", servers={name: dict(one) for name, one in servers.items()})).found


def provision(
    props: Properties, what: Literal["apply", "rollback"], machine: str
) -> ProvisionedHost:
    """Provision one server, or put it back. `OpsctlError`: why not; the next update goes on."""
    servers = {str(props["name"]): dict(props)}
    done = _ask(Task(what=what, servers=servers, machine=machine)).done
    assert done is not None  # noqa: S101 - without it there is an error
    return done


def _ask(task: Task) -> Report:
    argv = [sys.executable, "-m", "stacks.onprem.apart"]
    if sys.platform == "linux":
        argv = [sys.executable, "-I", bound.__file__, str(os.getpid()), *argv]
    ended = subprocess.run(
        argv,
        input=task.model_dump_json(),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    lines = ended.stdout.splitlines()
    if ended.returncode != 0 or not lines:
        raise OpsctlError(
            f"the work on {', '.join(task.servers)} ended with code {ended.returncode}",
            details=ended.stderr[-TAIL:].splitlines(),
            hint="the next update goes on where it ended",
        )
    report = Report.model_validate_json(lines[-1])
    if report.error:
        raise OpsctlError(report.error, hint=report.hint)
    return report


def _worked(task: Task) -> Report:
    if task.what == "read":
        return Report(found=boxes.found(task.servers))
    (props,) = task.servers.values()
    return Report(done=boxes.provisioned(props, task.what, task.machine))


def main(read: Callable[[], str], write: Callable[[str], object]) -> None:
    """Do one task."""
    task = Task.model_validate_json(read())
    try:
        report = _worked(task)
    except OpsctlError as error:
        said = "; ".join((error.message, *error.details))
        report = Report(error=said, hint=error.hint)
    write(report.model_dump_json() + "\n")


if __name__ == "__main__":
    main(sys.stdin.read, sys.stdout.write)
