"""Work on the servers of a stack in a process of its own: who asks has a part in an update.

`python -m stacks.onprem.apart` takes a `Task` and returns a `Report`, as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from opsctl.errors import OpsctlError
from opsctl.model.value import Value
from opsctl.provision import apart
from opsctl.provision.progress import Progress
from opsctl.provision.results import ProvisionedHost
from stacks.onprem import boxes, turns
from stacks.onprem.boxes import Found, Properties, Quiet


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


def found(servers: Mapping[str, Properties]) -> dict[str, Found]:
    """Read servers, all by one run of Ansible; one that cannot be read says why."""
    return _ask(Task(what="read", servers={name: dict(one) for name, one in servers.items()})).found


def provision(
    props: Properties, what: Literal["apply", "rollback"], machine: str
) -> ProvisionedHost:
    """Provision one server, or put it back. `OpsctlError`: why not; the next update goes on."""
    servers = {str(props["name"]): dict(props)}
    with turns.of(servers):
        done = _ask(Task(what=what, servers=servers, machine=machine)).done
    assert done is not None  # noqa: S101 - without it there is an error
    return done


def _ask(task: Task) -> Report:
    try:
        answer = apart.ask("stacks.onprem.apart", task.model_dump_json(), Quiet())
    except OpsctlError as error:  # the engine shows the message of it alone
        said = "; ".join((error.message, *error.details))
        raise OpsctlError(said, hint=error.hint) from error
    return Report.model_validate_json(answer)


def _worked(text: str, _: Progress) -> Report:
    task = Task.model_validate_json(text)
    if task.what == "read":
        return Report(found=boxes.found(task.servers))
    (props,) = task.servers.values()
    return Report(done=boxes.provisioned(props, task.what, task.machine))


if __name__ == "__main__":
    apart.serve(_worked)
