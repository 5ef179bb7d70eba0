"""Links and floating addresses on boxes: read and measured, held, and put back.

Each is a topic of its own on its boxes (`link-NAME`, `address-NAME`), so that one is changed
without the others, and what was before comes back with it.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from opsctl import evidence
from opsctl.deploy.interrupt import Interruption
from opsctl.model.value import Value
from opsctl.provision import holding
from opsctl.provision.failing import Failure, failure
from opsctl.provision.playing import Played, answers, become_password
from opsctl.provision.progress import Progress
from opsctl.provision.session import BECOME_PASSWORD, Reach, Selection, Session

READ, HOLD = "measure_links.yml", "links.yml"

Holds = Mapping[str, list[dict[str, Any]]]
"""By means (`link`, `address`): `id`, `at` and `want` of each; empty: what was before."""


class State(Value):
    """What makes an interface the end of a link."""

    up: bool
    mtu: int
    """Bytes."""
    addresses: tuple[str, ...]
    routes: tuple[str, ...]
    """Those that the kernel did not make itself: `10.20.0.0/16 via 10.9.0.1`."""


class Pings(Value):
    """What pings to the other end of a link say."""

    least_us: float
    median_us: float
    lost: int
    passes: str
    """Why packets of the full size do not pass; empty where they do."""


class End(Value):
    """An end of a link, as it was read."""

    state: State | None
    """None where there is no such interface."""
    carrier: bool
    pings: Pings | None
    """None where nobody was asked: no carrier, no address, or an end that answers none."""


class Held(Value):
    """A floating address, as one box has it."""

    held: bool
    others: tuple[str, ...]
    """The MACs of all others who answer for it."""
    macs: tuple[str, ...]
    """Those of all its own interfaces."""


class Wires(Value):
    """What was read of one box."""

    owner: str
    topics: tuple[str, ...]
    """What wrote something there that is not put back."""
    links: dict[str, End]
    addresses: dict[str, Held]


class Seen(Value):
    """What was read of boxes, and what kept the others from it."""

    wires: dict[str, Wires]
    failures: dict[str, Failure]


class Wish(Value):
    """What boxes are to hold of one link or address."""

    topic: str
    owner: str
    """Whose the boxes are to be; another's are refused."""
    holds: dict[str, dict[str, list[dict[str, Any]]]]
    """By box."""
    while_trading: bool = False
    """Whether the order path may run on them meanwhile."""


def look(
    selection: Selection, asked: Mapping[str, Mapping[str, object]], progress: Progress
) -> Seen:
    """Return what boxes have, all read by one run of Ansible; nothing is changed or left behind.

    `asked` has, by box, its `opsctl_links` and `opsctl_addresses` as the playbook takes them.

    Raises:
        ToolMissing: Ansible or OpenSSH is not installed.
        Interrupted: a signal came.
    """
    with (
        tempfile.TemporaryDirectory(prefix="opsctl-") as folder,
        _session(Path(folder), selection, progress) as session,
    ):
        played = session.run(READ, {name: asked[name] for name in session.left})
        wires: dict[str, Wires] = {}
        for name in session.left:
            found = _answer(name, session, played)
            if isinstance(found, Wires):
                wires[name] = found
            else:
                session.failed({name: found})
        return Seen(wires=wires, failures=session.failures)


def hold(selection: Selection, wish: Wish, progress: Progress) -> dict[str, Failure]:
    """Have boxes hold what is wished, with evidence; return what went wrong on which.

    Raises:
        Locked: another opsctl works on one of the boxes.
        ToolMissing: Ansible or OpenSSH is not installed.
        Interrupted: a signal came; the next run continues.
    """
    names = tuple(wish.holds)
    arguments = {"hosts": list(names), "topic": wish.topic, "holds": wish.holds}
    with (
        holding.held(names, f"opsctl, {wish.topic}"),
        evidence.recorded(command="provision", arguments=arguments) as run,
        _session(run.folder, selection, progress) as session,
    ):
        told = {
            "opsctl_topic": wish.topic,
            "opsctl_owner": wish.owner,
            "opsctl_while_trading": wish.while_trading,
        }
        wanted = {name: {**told, "opsctl_holds": wish.holds[name]} for name in session.left}
        if wanted:
            played = session.run(HOLD, wanted, keep=True)
            boxes = selection.boxes
            for name, raw in played.failures.items():
                session.failed({name: failure("apply", raw, boxes[name][0])})
            run.result = {"changed": {name: played.settings.get(name, ()) for name in wanted}}
        run.result["failed"] = {name: str(one) for name, one in session.failures.items()}
        run.exit_code = 1 if session.failures else 0
        return session.failures


@contextlib.contextmanager
def _session(folder: Path, selection: Selection, progress: Progress) -> Iterator[Session]:
    with (
        become_password(BECOME_PASSWORD, None) as password,
        Interruption(progress.say) as interruption,
    ):
        session = Session(folder, selection, Reach(), progress, interruption, password)
        session.begin()
        yield session


def _answer(name: str, session: Session, played: Played) -> Wires | Failure:
    if name in played.failures:
        host, _ = session.selection.boxes[name]
        return failure("read", played.failures[name], host)
    answer = answers(played.results.get(name, ()), ("wires",))
    try:
        return Wires.model_validate(answer["wires"] if answer else None)
    except ValidationError as error:
        return Failure(
            stage="read",
            message=f"what was read of its links cannot be understood: {error.errors()[0]['msg']}",
            hint="opsctl and its playbooks must be of one release",
        )
