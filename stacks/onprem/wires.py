"""Reading and holding links and floating addresses, in a process of its own as all work on boxes.

`python -m stacks.onprem.wires` takes a `Task` and returns a `Report`, as JSON.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.model.value import Value
from opsctl.provision import apart, wiring
from opsctl.provision.failing import Failure
from opsctl.provision.progress import Progress
from opsctl.provision.wiring import Seen, Wish
from stacks.onprem import links, turns
from stacks.onprem.boxes import Properties, Quiet, selection

Asked = Callable[[Mapping[str, Properties]], dict[str, dict[str, Any]]]


class Task(Value):
    """What is to be done, and on which servers."""

    servers: dict[str, dict[str, Any]]
    asked: dict[str, dict[str, Any]] = {}
    wish: Wish | None = None
    """What they are to hold; None: they are only read."""


class Report(Value):
    """What came of it."""

    seen: Seen | None = None
    failures: dict[str, Failure] = {}


def seen_of_links(many: Mapping[str, Properties]) -> dict[str, Seen]:
    """Read links, all by one run of Ansible."""
    return _seen(many, links.asked_of_links)


def seen_of_addresses(many: Mapping[str, Properties]) -> dict[str, Seen]:
    """Read floating addresses, all by one run of Ansible."""
    return _seen(many, links.asked_of_addresses)


def hold(
    kind: str, props: Properties, wanted: Mapping[str, dict[str, list[dict[str, Any]]]], **how: bool
) -> dict[str, Failure]:
    """Have servers hold what is wanted of a link or an address; return what went wrong on which."""
    servers = {name: one for name, one in links.reached(props).items() if name in wanted}
    wish = Wish(
        topic=f"{kind}-{props['name']}", owner=str(props["owner"]), holds=dict(wanted), **how
    )
    with turns.of(servers):
        return _ask(Task(servers=servers, wish=wish)).failures


def put_back(
    kind: str, props: Properties, servers: Iterable[str], **how: bool
) -> dict[str, Failure]:
    """Have servers be as they were before a link or an address; return what went wrong."""
    wanted: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in servers}
    return hold(kind, props, wanted, **how) if wanted else {}


def raise_of(failures: Mapping[str, Failure]) -> None:
    """Raise an `OpsctlError` that names each server and what went wrong there, if anything did."""
    if failures:
        said = "; ".join(f"{name}: {one}" for name, one in failures.items())
        raise OpsctlError(said, hint=next(iter(failures.values())).hint)


def _seen(many: Mapping[str, Properties], asked_of: Asked) -> dict[str, Seen]:
    servers = {name: one for props in many.values() for name, one in links.reached(props).items()}
    found = _ask(Task(servers=servers, asked=asked_of(many))).seen
    assert found is not None  # noqa: S101 - without it there is an error
    return {name: _part(found, links.reached(props)) for name, props in many.items()}


def _part(seen: Seen, servers: Iterable[str]) -> Seen:
    """Return what was read of some servers."""
    there = set(servers)
    return Seen(
        wires={name: one for name, one in seen.wires.items() if name in there},
        failures={name: one for name, one in seen.failures.items() if name in there},
    )


def _ask(task: Task) -> Report:
    try:
        answer = apart.ask("stacks.onprem.wires", task.model_dump_json(), Quiet())
    except OpsctlError as error:  # the engine shows the message of it alone
        said = "; ".join((error.message, *error.details))
        raise OpsctlError(said, hint=error.hint) from error
    return Report.model_validate_json(answer)


def _worked(text: str, progress: Progress) -> Report:
    task = Task.model_validate_json(text)
    with tempfile.TemporaryDirectory(prefix="opsctl-") as folder:
        chosen = selection(task.servers, Path(folder))
        if task.wish is None:
            return Report(seen=wiring.look(chosen, task.asked, progress))
        return Report(failures=wiring.hold(chosen, task.wish, progress))


if __name__ == "__main__":
    apart.serve(_worked)
