"""Where the lock and the state of an environment are on the docker target: in all its engines."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from opsctl.custody import FORMAT, Holder, State
from opsctl.errors import Locked, UsageError
from opsctl.images.engine import Engine, EngineRefused, connect
from opsctl.images.running import with_python
from opsctl.targets.docker.holding import ANSWER_S, RETRY_S, Custodian, Line

_logger = logging.getLogger(__name__)


class DockerSession:
    """The lock in every engine of an environment."""

    def __init__(self, custodians: Sequence[Custodian], me: Holder) -> None:
        """Take it in each, in the same order whoever does; raises `Locked`."""
        self._me = me
        self._lines: list[Line] = []
        self._writing = threading.Lock()
        try:
            for one in custodians:
                self._lines.append(one.acquire(me))
        except BaseException:
            self.release()
            raise
        self._state = newest(line.state for line in self._lines)

    @property
    def state(self) -> State | None:
        """The newest state of the engines' copies, or what was written last."""
        return self._state

    def put(self, files: Mapping[str, str]) -> None:
        """Replace the state in every engine."""
        with self._writing:
            same = self._state is not None and self._state.files == dict(files)
            if same and all(line.state == self._state for line in self._lines):
                return
            made = State(
                format=FORMAT,
                counter=self._state.counter + 1 if self._state else 1,
                at=datetime.now(UTC),
                by=f"{self._me.user} on {self._me.host}",
                files=dict(files),
            )
            text = made.model_dump_json().encode()
            self._each(b"put %d\n" % len(text) + text)
            self._state = made
            for line in self._lines:
                line.state = made

    def check(self) -> None:
        """Return while every engine's lock is held, or could be taken again as it was."""
        with self._writing:
            for at, line in enumerate(self._lines):
                if line.cut:
                    self._lines[at] = self._again(line)

    def drop(self) -> None:
        """Remove the state from every engine."""
        with self._writing:
            self._each(b"drop\n")
            self._state = None
            for line in self._lines:
                line.state = None

    def _each(self, said: bytes) -> None:
        for at, line in enumerate(self._lines):
            try:
                line.tell(said)
            except OSError as fault:
                _logger.warning("the lock in %s is lost: %s", line.where.engine.address, fault)
                self._lines[at] = self._again(line)
                self._lines[at].tell(said)

    def _again(self, lost: Line) -> Line:
        """Take a lock again that an engine has lost, where nobody has written meanwhile."""
        lost.close()
        until = time.monotonic() + ANSWER_S
        while True:
            try:
                line = lost.where.acquire(self._me)
            except (EngineRefused, Locked):
                if time.monotonic() > until:
                    raise
                time.sleep(RETRY_S)
            else:
                break
        if line.state != lost.state:
            line.close()
            by = line.state.by if line.state else "another opsctl, which has removed it"
            raise Locked(
                f"the lock of {lost.where.environment} was lost, and its state was written by {by}",
                hint=f"look at it before you go on: opsctl status {lost.where.environment}",
            )
        return line

    def release(self) -> None:
        """Give the lock up in every engine, the last one first."""
        for line in reversed(self._lines):
            line.close()
            empty = line.state is None  # a volume that was made for nothing goes as well
            line.where.release(line.container, volume=empty)


class DockerBackend:
    """The lock and the state of an environment in its engines."""

    def __init__(
        self,
        environment: str,
        engines: Sequence[Engine],
        marks: Mapping[str, str] | None = None,
    ) -> None:
        """Name them; touch nothing. An engine that is named twice counts once."""
        known = {_identity(engine): engine for engine in engines}
        self._custodians = [Custodian(known[one], environment, marks) for one in sorted(known)]

    @property
    def where(self) -> str:
        """The addresses of the engines."""
        return ", ".join(one.engine.address for one in self._custodians)

    def read(self) -> State | None:
        """Return the newest copy."""
        return newest(one.read() for one in self._custodians)

    def holder(self) -> Holder | None:
        """Return who holds the lock in any of the engines."""
        return next(filter(None, (one.holder() for one in self._custodians)), None)

    def left(self) -> frozenset[str]:
        """Return the identities that anything of the environment's name bears."""
        return frozenset().union(*(one.left() for one in self._custodians))

    def acquire(self, me: Holder) -> DockerSession:
        """Take the lock in every engine."""
        for one in self._custodians:
            one.exists()  # raises where a stranger has the volume's name
            self._lend(one.engine)
        return DockerSession(self._custodians, me)

    def _lend(self, to: Engine) -> None:
        """Send an image with Python to an engine that has none: a host that is new."""
        try:
            with_python(to)
        except UsageError as lacking:
            engines = [one.engine for one in self._custodians]
            with contextlib.suppress(EngineRefused):  # there need be none on this machine
                engines.append(connect())
            for source in engines:
                with contextlib.suppress(UsageError):
                    image, _ = with_python(source)
                    to.load(source.export((image.tags[0] if image.tags else image.id,)))
                    return
            raise lacking


def _identity(engine: Engine) -> tuple[str, ...]:
    """Return what tells an engine from every other, by whatever address it is reached.

    Its own id alone does not: machines that were cloned share it, and so do engines of one
    machine (Docker 20.10 takes it from /etc/docker/key.json).
    """
    return tuple(str(engine.info.get(name, "")) for name in ("ID", "Name", "DockerRootDir"))


def newest(states: Iterable[State | None]) -> State | None:
    """Return the state with the highest counter."""
    return max(filter(None, states), key=lambda state: state.counter, default=None)
