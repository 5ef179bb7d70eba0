"""A Docker Engine, by its socket: what it is, what it holds, and its errors in our words."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from opsctl.errors import OpsctlError
from opsctl.images import ssh
from opsctl.model.hosts import Way
from opsctl.model.value import Value

if TYPE_CHECKING:
    from docker import DockerClient

OLDEST_API = "1.41"
"""The API of Docker 20.10."""
NEEDED_BYTES = 2 * 1024**3
TIMEOUT_S = 600
_DIRECT = Way()


class EngineRefused(OpsctlError):
    """An engine is not there, not ours to use, too old, or refused what was asked."""


class Held(Value):
    """An image that an engine holds."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    """`repository@sha256:…`, as registries name it."""
    bytes: int
    labels: dict[str, str]
    diff_ids: tuple[str, ...]
    environment: tuple[str, ...] = ()
    user: str = ""
    healthcheck: tuple[str, ...] = ()


class Engine:
    """One engine; every method raises `EngineRefused` with what to do."""

    def __init__(self, client: DockerClient, address: str) -> None:
        """Take a client that answers."""
        self.client, self.address = client, address
        self._info: dict[str, Any] | None = None

    @property
    def info(self) -> dict[str, Any]:
        """What the engine says of itself, asked once."""
        if self._info is None:
            with errors(self.address):
                self._info = self.client.info()
        return self._info

    @property
    def keeps_layers(self) -> bool:
        """Whether it takes an image whose lower layers it holds without being sent them again."""
        status = dict(tuple(pair) for pair in self.info.get("DriverStatus") or ())
        return "containerd" not in str(status.get("driver-type", ""))

    def held(self) -> tuple[Held, ...]:
        """Return every image that it holds."""
        with errors(self.address):
            return tuple(_held(image.attrs) for image in self.client.images.list())

    def find(self, reference: str) -> Held | None:
        """Return an image by reference, None where the engine does not hold it."""
        from docker.errors import ImageNotFound

        with errors(self.address):
            try:
                return _held(self.client.images.get(reference).attrs)
            except ImageNotFound:
                return None

    def load(self, stream: Iterator[bytes]) -> tuple[str, ...]:
        """Take in an archive of images; return their ids or tags, as the engine names them."""
        named: list[str] = []
        with errors(self.address):
            for event in self.client.api.load_image(stream):
                if "error" in event:
                    raise refused(self.address, str(event["error"]))
                said = str(event.get("stream", ""))
                if found := re.match(r"Loaded image(?: ID)?: (\S+)", said):
                    named.append(found[1])
        return tuple(named)

    def export(self, references: tuple[str, ...]) -> Iterator[bytes]:
        """Yield images as an archive."""
        with errors(self.address):
            url = self.client.api._url("/images/get")
            params = [("names", reference) for reference in references]
            answer = self.client.api._get(url, params=params, stream=True)
            self.client.api._raise_for_status(answer)
            yield from answer.iter_content(1 << 20)

    def forget(self, id_: str) -> None:
        """Remove an image that has lost its name, unless something else uses it."""
        from docker.errors import APIError

        with errors(self.address), contextlib.suppress(APIError):
            found = self.client.images.get(id_)
            if not found.tags:
                self.client.images.remove(id_)

    def tag(self, reference: str, repository: str, tag: str) -> None:
        """Give an image another name."""
        with errors(self.address):
            self.client.images.get(reference).tag(repository, tag)


@contextlib.contextmanager
def connected(address: str | None = None) -> Iterator[Engine]:
    """Yield the engine at an address, closed afterwards; raises as `connect` does."""
    engine = connect(address)
    with contextlib.closing(engine.client):
        yield engine


def connect(address: str | None = None, way: Way = _DIRECT) -> Engine:
    """Return the engine at an address (`unix://…`, `tcp://…`, `ssh://…`), by a way of ssh.

    Without one it is `$DOCKER_HOST`, else the engine of this machine. Raises `EngineRefused`
    where it does not answer, is not ours to use, or is too old.
    """
    import docker
    import requests
    from docker.errors import DockerException

    wanted = address or os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    with errors(wanted):
        try:
            arguments, said = _asked(wanted, way)
        except (DockerException, requests.RequestException, OSError):
            if not ssh.broke(wanted, way):
                raise
            arguments, said = _asked(wanted, way)
    version = str(said.get("ApiVersion", "0"))
    if _numbers(version) < _numbers(OLDEST_API):
        raise EngineRefused(
            f"the engine at {wanted} is Docker {said.get('Version')}: too old",
            hint="Docker 20.10 or later is needed",
        )
    return Engine(docker.DockerClient(version=version, **arguments), wanted)


def _asked(address: str, way: Way) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a client of the engine at an address is made with, and the engine's version."""
    import docker
    from docker.utils import parse_host

    here = f"unix://{ssh.tunnel(address, way)}" if address.startswith("ssh://") else address
    parse_host(here)
    _reachable(here)
    arguments: dict[str, Any] = {"base_url": here, "timeout": TIMEOUT_S}
    # Asked by an address without a version, so that any engine answers.
    with contextlib.closing(docker.DockerClient(version=OLDEST_API, **arguments)) as any_:
        return arguments, any_.version(api_version=False)


def refuse_full_disk(engine: Engine, needed: int = NEEDED_BYTES) -> None:
    """Refuse an engine whose disk has no room; only an engine of this machine can be looked at."""
    root = str(engine.info.get("DockerRootDir", ""))
    if not engine.address.startswith("unix://") or not os.path.isdir(root):  # noqa: PTH112
        return
    stat = os.statvfs(root)
    free = stat.f_bavail * stat.f_frsize
    if free < needed:
        raise EngineRefused(
            f"the disk of the engine ({root}) has {free / 1e9:.1f} GB free, "
            f"needed are {needed / 1e9:.1f} GB",
            hint="docker image prune removes what nothing uses; or give the engine another disk",
        )


@contextlib.contextmanager
def errors(address: str) -> Iterator[None]:
    """Turn what the client raises into `EngineRefused`."""
    import requests
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        raise refused(address, str(error.explanation or error)) from error
    except (DockerException, requests.RequestException, OSError) as error:
        raise _unreachable(address, error) from error


def refused(address: str, said: str) -> EngineRefused:
    """Return the error for what an engine answered."""
    hint = ""
    if "no space left" in said:
        hint = "the disk of the engine is full: docker image prune removes what nothing uses"
    return EngineRefused(f"the engine at {address} refused: {said}", hint=hint)


def _reachable(address: str) -> None:
    """Raise the OSError of a socket that cannot be opened: the client would bury it.

    And leave its own end open.
    """
    if address.startswith("unix://"):
        import socket

        with socket.socket(socket.AF_UNIX) as line:
            line.connect(address.removeprefix("unix://"))


def _unreachable(address: str, error: Exception) -> EngineRefused:
    code = getattr(error, "errno", None)
    if code in (errno.EACCES, errno.EPERM):
        return EngineRefused(
            f"no permission on the engine's socket {address}",
            hint="run as root, or let this account use Docker: usermod -aG docker $USER "
            "(whoever may use it is root on that machine)",
        )
    if address.startswith("ssh://"):
        return EngineRefused(
            f"the engine at {address} does not answer: its host does, the engine does not run",
            hint="there: systemctl start docker",
        )
    if code in (errno.ENOENT, errno.ECONNREFUSED, errno.ENOTSOCK):
        return EngineRefused(
            f"no Docker Engine answers at {address}",
            hint="start one (apt-get install docker.io; systemctl start docker), "
            "or name yours: --engine unix:///path or DOCKER_HOST",
        )
    return EngineRefused(
        f"the engine at {address} does not answer: {error}",
        hint="name an engine: --engine unix:///path, tcp://host:port or ssh://user@host",
    )


def _held(attrs: dict[str, Any]) -> Held:
    config = attrs.get("Config") or {}
    return Held(
        id=attrs["Id"],
        tags=tuple(attrs.get("RepoTags") or ()),
        digests=tuple(attrs.get("RepoDigests") or ()),
        bytes=attrs.get("Size", 0),
        labels=config.get("Labels") or {},
        diff_ids=tuple((attrs.get("RootFS") or {}).get("Layers") or ()),
        environment=tuple(config.get("Env") or ()),
        user=config.get("User") or "",
        healthcheck=tuple((config.get("Healthcheck") or {}).get("Test") or ()),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
