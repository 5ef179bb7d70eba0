"""The lock of an environment, and its copy of the state, in one engine.

The lock is a container by a fixed name, which one engine gives to one container only. It is
started under another name first: what bears the name always runs, with its holder's stream
attached. The state is a file in a volume that only root reads; `custodian` writes it.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import select
import socket
import tarfile
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from opsctl.custody import FORMAT, Holder, State
from opsctl.errors import Locked, OpsctlError
from opsctl.images.engine import Engine, EngineRefused, errors
from opsctl.images.running import with_python
from opsctl.targets.docker import custodian, naming

BEAT_S = 5.0
ANSWER_S = 30.0
"""How long a custodian may take to have the state on its disk."""
RETRIES, RETRY_S = 50, 0.1
MOUNTED = "/state"
_logger = logging.getLogger(__name__)


class Custodian:
    """The lock and the copy of the state in one engine."""

    def __init__(
        self, engine: Engine, environment: str, marks: Mapping[str, str] | None = None
    ) -> None:
        """Name them; touch nothing. `marks` are labels of the state's volume besides its own."""
        self.engine, self.environment = engine, environment
        self._marks = dict(marks or {})
        self.lock = naming.lock(environment)
        self.volume = naming.state(environment)

    @property
    def _api(self) -> Any:
        return self.engine.client.api

    def holder(self) -> Holder | None:
        """Return who holds the lock; None where nobody does."""
        found = self._find()
        if found is None or not found["State"]["Running"]:
            return None
        return holder_of(found["Config"]["Labels"])

    def _find(self) -> Mapping[str, Any] | None:
        from docker.errors import NotFound

        with errors(self.engine.address):
            try:
                found: Mapping[str, Any] = self._api.inspect_container(self.lock)
            except NotFound:
                return None
        if found["Config"]["Labels"].get(naming.ROLE) != naming.LOCK:
            raise OpsctlError(
                f"a container named {self.lock} is there already, and is no lock of opsctl",
                hint=f"rename or remove it: docker rename {self.lock} NAME",
            )
        return found

    def exists(self) -> bool:
        """Return whether the volume of the state is there; raise where it is a stranger's."""
        from docker.errors import NotFound

        with errors(self.engine.address):
            try:
                found = self._api.inspect_volume(self.volume)
            except NotFound:
                return False
        if (found["Labels"] or {}).get(naming.ENVIRONMENT) != self.environment:
            raise OpsctlError(
                f"a volume named {self.volume} is there already, and is not of {self.environment}",
                hint=f"remove it: docker volume rm {self.volume}",
            )
        return True

    def read(self) -> State | None:
        """Return the state, by way of a container that is never started."""
        if not self.exists():
            return None
        made = self._create(naming.READER, None)
        try:
            return self._state_in(made)
        finally:
            self._remove(made)

    def _state_in(self, container: str) -> State | None:
        from docker.errors import NotFound

        with errors(self.engine.address):
            try:
                stream, _ = self._api.get_archive(container, f"{MOUNTED}/{custodian.STATE}")
            except NotFound:
                return None
            packed = io.BytesIO(b"".join(stream))
        with tarfile.open(fileobj=packed) as tar:
            file = tar.extractfile(custodian.STATE)
            assert file is not None  # noqa: S101 - a regular file, as it was written
            return _parsed(file.read(), self.volume)

    def acquire(self, me: Holder) -> Line:
        """Return the stream of a custodian that bears the lock's name; raises `Locked`."""
        self._refuse()
        made = self._create(naming.LOCK, me)
        line = None
        try:
            with errors(self.engine.address):
                line = Line(self, made)
                self._api.start(made)
            self._name(made)
            line.state = self._state_in(made)
        except BaseException:
            if line is not None:
                line.close()
            self._remove(made)
            raise
        return line

    def _refuse(self) -> None:
        """Raise `Locked` where another has the lock; remove what an engine that died left of it."""
        found = self._find()
        if found is None:
            return
        if not found["State"]["Running"]:
            self._remove(found["Id"])
        elif (by := holder_of(found["Config"]["Labels"])) is not None:
            raise by.refusal(self.environment, elsewhere=self.engine.address)

    def _name(self, made: str) -> None:
        from docker.errors import APIError

        for _ in range(RETRIES):
            with errors(self.engine.address):
                try:
                    self._api.rename(made, self.lock)
                except APIError as error:
                    if error.status_code != 409:
                        raise
                else:
                    return
            self._refuse()
            time.sleep(RETRY_S)  # the engine removes the former lock
        raise Locked(
            f"the engine {self.engine.address} does not give the name {self.lock} away",
            hint=f"see what has it: docker inspect {self.lock}",
        )

    def _create(self, role: str, me: Holder | None) -> str:
        from docker.types import Mount

        image, python = with_python(self.engine)
        labels = {naming.ENVIRONMENT: self.environment, naming.ROLE: role}
        if me is not None:
            labels[naming.HOLDER] = me.model_dump_json()
        source = Path(custodian.__file__).read_text(encoding="utf-8")
        with errors(self.engine.address):
            mount = Mount(
                MOUNTED,
                self.volume,
                type="volume",
                no_copy=True,
                labels={
                    naming.ENVIRONMENT: self.environment,
                    naming.ROLE: naming.STATE,
                    **self._marks,
                },
            )
            made: str = self._api.create_container(
                image.id,
                command=[*python, "-I", "-S", "-c", source, MOUNTED],
                entrypoint=[],
                user="0:0",
                name=naming.of(self.environment, role, uuid.uuid4().hex[:12]),
                labels=labels,
                stdin_open=me is not None,
                healthcheck={"Test": ["NONE"]},
                host_config=self._api.create_host_config(
                    read_only=True,
                    network_mode="none",
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    mounts=[mount],
                    auto_remove=me is not None,
                    pids_limit=16,
                    # What it says is for its holder, and never lies on the engine's disk.
                    log_config={"Type": "none", "Config": {}},
                ),
            )["Id"]
        return made

    def _remove(self, container: str) -> None:
        from docker.errors import APIError

        # It removes itself as well: that it is gone, or going, is no fault.
        with errors(self.engine.address), contextlib.suppress(APIError):
            self._api.remove_container(container, force=True)

    def release(self, container: str, *, volume: bool) -> None:
        """Remove a custodian, and the volume where that is asked for."""
        from docker.errors import APIError

        with contextlib.suppress(EngineRefused):  # it ends by itself
            self._remove(container)
            for _ in range(RETRIES if volume else 0):  # the engine may still be removing the former
                with errors(self.engine.address):
                    try:
                        self._api.remove_volume(self.volume)
                    except APIError as error:
                        if error.status_code != 409:
                            return
                    else:
                        return
                time.sleep(RETRY_S)

    def left(self) -> frozenset[str]:
        """Return the identities that anything of this environment's name bears."""
        of = {"label": [f"{naming.ENVIRONMENT}={self.environment}", naming.IDENTITY]}
        with errors(self.engine.address):
            containers = self._api.containers(all=True, filters=of)
            volumes = self._api.volumes(filters=of)["Volumes"] or ()
            networks = self._api.networks(filters=of)
        every = (*containers, *volumes, *networks)
        return frozenset(one["Labels"][naming.IDENTITY] for one in every)


class Line:
    """The attached stream of a custodian: while it is open, the lock is held."""

    def __init__(self, where: Custodian, container: str) -> None:
        """Attach, before the container is started."""
        self.where, self.container = where, container
        self.state: State | None = None
        asked = {"stdin": 1, "stdout": 1, "stream": 1}
        self._attached = where.engine.client.api.attach_socket(container, params=asked)
        self._raw: Any = getattr(self._attached, "_sock", self._attached)
        if hasattr(self._raw, "settimeout"):
            self._raw.settimeout(ANSWER_S)
        self._sending = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._beat, name="lock", daemon=True).start()

    def _beat(self) -> None:
        while not self._closed.wait(BEAT_S):
            try:
                with self._sending:
                    self._raw.sendall(b"\n")
            except OSError as fault:
                _logger.warning("the stream of the lock is cut: %s", fault)
                return

    def tell(self, said: bytes) -> None:
        """Have the custodian do something; return once it has. Raises `OSError` if it is gone."""
        with self._sending:
            self._raw.sendall(said)
            answer = b""
            while not answer.endswith(custodian.KEPT):
                answer += self._frame()

    @property
    def cut(self) -> bool:
        """Whether the custodian has ended, or the way to it."""
        try:
            ready, _, _ = select.select([self._raw], [], [], 0)
            return bool(ready) and self._raw.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    def _frame(self) -> bytes:
        """Return what one frame of the engine's stream holds."""
        head = self._exactly(8)
        return self._exactly(int.from_bytes(head[4:], "big"))

    def _exactly(self, length: int) -> bytes:
        found = b""
        while len(found) < length:
            more = self._raw.recv(length - len(found))
            if not more:
                raise ConnectionError("the lock's container has ended")
            found += more
        return found

    def close(self) -> None:
        """Give the stream up."""
        self._closed.set()
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self._attached.close()
            self._raw.close()  # of which the former is but a file


def holder_of(labels: Mapping[str, str]) -> Holder | None:
    """Return whom the labels of a lock name."""
    try:
        return Holder.model_validate_json(labels[naming.HOLDER])
    except (KeyError, ValidationError):
        return None


def _parsed(text: bytes, volume: str) -> State:
    try:
        form = json.loads(text)["format"]
        if form > FORMAT:
            raise OpsctlError(
                f"the state in the volume {volume} was written by a newer opsctl (format {form}; "
                f"this one knows {FORMAT})",
                hint="use the release of opsctl that deployed this environment, or a later one",
            )
        return State.model_validate_json(text)
    except (ValueError, KeyError, TypeError) as fault:
        raise OpsctlError(
            f"the state in the volume {volume} is damaged: {str(fault).splitlines()[0]}",
            hint="it is written whole, so something else wrote it; the machine that deployed last "
            "has a copy",
        ) from fault
