"""Containers of an engine: made from their values, found by their labels, ended."""

from __future__ import annotations

import contextlib
import io
import tarfile
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.images.engine import Engine, EngineRefused, errors
from opsctl.model.resources import Resources
from opsctl.targets.docker import naming
from opsctl.targets.docker.spec import (
    DROPPED,
    LOG_FILES,
    LOG_MB,
    RESTART,
    SECURITY,
    Container,
    bounds,
    limits,
)

DETACHED_WITHIN_S, AGAIN_S = 10.0, 0.2


class Containers:
    """The containers of one environment in an engine."""

    def __init__(
        self,
        engine: Engine,
        environment: str,
        identity: str,
        marks: Mapping[str, str] | None = None,
    ) -> None:
        """Work in an engine; touch nothing. `marks` are labels of all that is made."""
        self.engine, self.environment, self.identity = engine, environment, identity
        self.marks = dict(marks or {})

    @property
    def api(self) -> Any:
        """The client of the engine's API."""
        return self.engine.client.api

    def found(self) -> dict[str, Mapping[str, Any]]:
        """Return what the engine says of each service's container, by the service's key."""
        with errors(self.engine.address):
            listed = self.api.containers(
                all=True, filters={"label": [f"{naming.ENVIRONMENT}={self.environment}"]}
            )
            seen = {}
            # What is to take another's place counts only where that is gone.
            for one in sorted(
                listed, key=lambda o: not str(o["Names"]).endswith(f"{naming.ANEW}']")
            ):
                key = one["Labels"].get(naming.SERVICE)
                if key and naming.ROLE not in one["Labels"]:
                    with _gone():
                        seen[key] = self.api.inspect_container(one["Id"])
        return seen

    def find(self, name: str) -> Mapping[str, Any] | None:
        """Return what the engine says of a container, None where there is none of that name.

        Raises `OpsctlError` where it is a stranger's.
        """
        from docker.errors import NotFound

        with errors(self.engine.address):
            try:
                found: Mapping[str, Any] = self.api.inspect_container(name)
            except NotFound:
                return None
        if found["Config"]["Labels"].get(naming.ENVIRONMENT) != self.environment:
            raise OpsctlError(
                f"a container named {name} is there already, and is not of {self.environment}",
                hint=f"rename or remove it: docker rename {name} NAME",
            )
        return found

    def create(self, wanted: Container, **more: Any) -> str:
        """Make a container and attach it to its networks; return its id. It does not run yet."""
        if not wanted.probed:
            more.setdefault("healthcheck", {"Test": ["NONE"]})
        with errors(self.engine.address):
            first, *others = wanted.networks.items() or [("none", "")]
            made: str = self.api.create_container(
                wanted.image,
                command=list(wanted.command) or None,
                entrypoint=[] if wanted.command else None,
                user=wanted.user,
                name=wanted.name,
                hostname=wanted.name,
                environment=wanted.environment,
                working_dir=wanted.environment.get("HOME"),
                labels={**wanted.labels, **self.marks},
                stop_signal=wanted.stop_signal,
                stop_timeout=wanted.stop_within_s,
                networking_config=self._attached(*first) if first[0] != "none" else None,
                ports=list(wanted.published) or None,
                host_config=self._host_config(wanted, first[0]),
                **more,
            )["Id"]
            for name, address in others:
                self.api.connect_container_to_network(
                    made, name, **({"ipv4_address": address} if address else {})
                )
        return made

    def _attached(self, network: str, address: str) -> Any:
        fixed = {"ipv4_address": address} if address else {}
        return self.api.create_networking_config(
            {network: self.api.create_endpoint_config(**fixed)}
        )

    def _host_config(self, wanted: Container, network: str) -> Any:
        return self.api.create_host_config(
            read_only=True,
            network_mode=network,
            cap_drop=list(DROPPED),
            cap_add=list(wanted.rights),
            security_opt=list(SECURITY),
            binds=[
                f"{m.volume}:{m.path}:{'ro' if m.read_only else 'rw'},nocopy" for m in wanted.mounts
            ],
            tmpfs=wanted.in_memory,
            port_bindings={port: (at.host, at.port) for port, at in wanted.published.items()},
            restart_policy={"Name": RESTART if wanted.restarts else "no"},
            cpu_shares=wanted.shares,
            **bounds(wanted.resources),
            cpuset_cpus=wanted.resources.cpus or None,
            ulimits=_ulimits(wanted.resources),
            log_config={
                "Type": "json-file",
                "Config": {"max-size": f"{LOG_MB}m", "max-file": str(LOG_FILES)},
            },
        )

    def start(self, name: str) -> None:
        """Start a container; `EngineRefused` says why it cannot be."""
        with errors(self.engine.address):
            self.api.start(name)

    def remove(self, name: str, within_s: float) -> None:
        """Stop a container as it wants to be stopped, and remove it; nothing where it is gone."""
        with errors(self.engine.address), _gone():
            self.api.unpause(name) if self._paused(name) else None
            self.api.stop(name, timeout=round(within_s))
        with errors(self.engine.address), _gone():
            self.api.remove_container(name, force=True, v=False)

    def _paused(self, name: str) -> bool:
        return bool(self.api.inspect_container(name)["State"]["Paused"])

    def clear(self, *, keep_data: bool) -> None:
        """Remove everything else of the environment: keepers, networks, volumes."""
        of = {"label": [f"{naming.ENVIRONMENT}={self.environment}"]}
        with errors(self.engine.address):
            for one in self.api.containers(all=True, filters=of):
                if one["Labels"].get(naming.ROLE) != naming.LOCK:  # its holder's, who does this
                    self.remove(one["Id"], 2)
            for one in self.api.networks(filters=of):
                with _gone():
                    self._remove_network(one["Id"])
            kept = (naming.DATA, naming.VAULT) if keep_data else ()
            for one in self.api.volumes(filters=of)["Volumes"] or ():
                if one["Labels"].get(naming.ROLE) == naming.STATE:
                    continue
                if not (kept and one["Name"].endswith(kept)):
                    with _gone(), _counted():
                        self.api.remove_volume(one["Name"])

    def _remove_network(self, network: str) -> None:
        """Remove a network; on a busy machine an endpoint may outlive its container a little."""
        from docker.errors import APIError

        until = time.monotonic() + DETACHED_WITHIN_S
        while True:
            self._detach(network)
            try:
                self.api.remove_network(network)
            except APIError as fault:
                if fault.response.status_code != HTTPStatus.FORBIDDEN or time.monotonic() > until:
                    raise
                time.sleep(AGAIN_S)
            else:
                return

    def _detach(self, network: str) -> None:
        """Take off a network what an engine or an opsctl that was killed left attached to it."""
        for id_, left in (self.api.inspect_network(network)["Containers"] or {}).items():
            who = left["Name"] if id_.startswith("ep-") else id_
            self.api.disconnect_container_from_network(who, network, force=True)

    def put(self, name: str, folder: str, files: Mapping[str, str]) -> None:
        """Write files into a folder of a container, as root's alone."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            folders = {str(p) for f in files for p in _parents(f)}
            for each in sorted(folders):
                member = tarfile.TarInfo(each)
                member.type, member.mode = tarfile.DIRTYPE, 0o700
                tar.addfile(member)
            for path, text in files.items():
                data = text.encode()
                member = tarfile.TarInfo(path)
                member.size, member.mode = len(data), 0o600
                tar.addfile(member, io.BytesIO(data))
        with errors(self.engine.address):
            if not self.api.put_archive(name, folder, out.getvalue()):
                raise EngineRefused(f"the engine did not take {', '.join(files)} into {name}")

    def has(self, name: str, path: str) -> bool:
        """Return whether a container has a file."""
        from docker.errors import NotFound

        with errors(self.engine.address):
            try:
                stream, _ = self.api.get_archive(name, path)
            except NotFound:
                return False
            stream.close()
        return True


def _whether_in_place(listed: Mapping[str, Any]) -> bool:
    """Order those first that are to take another's place: they count where that is gone."""
    return not any(name.endswith(naming.ANEW) for name in listed["Names"] or ())


def _ulimits(allowed: Resources) -> list[Any]:
    from docker.types import Ulimit

    return [Ulimit(name=n, soft=value, hard=value) for n, value in limits(allowed).items()]


def _parents(path: str) -> Iterator[str]:
    parts = path.split("/")[:-1]
    for end in range(1, len(parts) + 1):
        yield "/".join(parts[:end])


@contextlib.contextmanager
def _counted() -> Iterator[None]:
    """Say what helps where an engine has lost count of who uses a volume: itself, started anew."""
    from docker.errors import APIError

    try:
        yield
    except APIError as refused:
        if "active mounts" not in str(refused.explanation):
            raise
        raise OpsctlError(
            f"{refused.explanation}, though no container uses it",
            hint="an engine that was restarted with live-restore has lost count of who uses a "
            "volume in memory: restart it once more (systemctl restart docker), then repeat this",
        ) from refused


@contextlib.contextmanager
def _gone() -> Iterator[None]:
    """Pass over what was removed meanwhile."""
    from docker.errors import NotFound

    with contextlib.suppress(NotFound):
        yield
