"""Meeting the hosts of an environment: each answers, is the one that it was, has its engine.

The key of a host is learned once, for that very machine: who comes through Session Manager has
been told by AWS which instance is at the other end; else somebody has to say that it is right.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import ValidationError

from opsctl.deploy.files import remove, write_whole
from opsctl.errors import OpsctlError
from opsctl.images import ssh
from opsctl.images.engine import connect
from opsctl.infra.hosts import Host
from opsctl.infra.workspace import FOLDER
from opsctl.model.value import Value
from opsctl.provision.hostkeys import fingerprint
from opsctl.state import environment_folder

Say = Callable[[str], None]
WITHIN_S = 900.0
"""A host boots, takes its volume and installs its engine in two to five minutes."""
LETS_IN_S = 90.0
"""A host that answers has been told whom to let in well before."""
STARTS_S = 60.0
"""A server of one's own was reached a moment ago: its engine may be starting."""
AGAIN_S = 3.0


class Register(Value):
    """The public keys of the machines that were met, by what tells each from others."""

    hosts: dict[str, str] = {}

    def put(self, host: Host, key: str) -> Register:
        """Return the register with the key of a host."""
        return Register(hosts={**self.hosts, host.same: key})


def register(environment: str) -> Register:
    """Return the hosts of an environment that were met."""
    path = _path(environment)
    try:
        return Register.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Register()
    except (ValidationError, ValueError) as fault:
        raise OpsctlError(
            f"{path} is damaged: {str(fault).splitlines()[0]}",
            hint="remove it: the hosts are met anew then, and their keys compared once more",
        ) from fault


def forget(environment: str) -> None:
    """Forget the hosts of an environment: they are gone."""
    remove(_path(environment))


def _path(environment: str) -> Path:
    return environment_folder(environment) / FOLDER / "hosts.json"


def keys(hosts: tuple[Host, ...], known: Register) -> dict[str, str]:
    """Return the key of each host that was met, by name."""
    return {host.name: known.hosts[host.same] for host in hosts if host.same in known.hosts}


def meet(
    environment: str,
    hosts: tuple[Host, ...],
    say: Say,
    *,
    accept: bool,
    within_s: float = WITHIN_S,
) -> Register:
    """Wait until each new host answers, and learn its key; return all that were met.

    Raises:
        OpsctlError: a host does not answer in time, or its key is new and nobody accepts it.
    """
    known = register(environment)
    strangers = []
    for host in (one for one in hosts if one.same not in known.hosts):
        key = _await_key(host, say, within_s)
        if not accept and not host.through:
            strangers.append(f"{host.name} ({host.address}) offers {fingerprint(key)}")
            continue
        say(f"{host.name}: its key is {fingerprint(key)}")
        known = known.put(host, key)
        write_whole(_path(environment), known.model_dump_json(indent=2))
    if strangers:
        raise OpsctlError(
            f"{environment} has hosts whose keys are not known here; nothing was done on them",
            details=strangers,
            hint="compare them with what the hosts' consoles show, then: "
            f"opsctl deploy {environment} --accept-host-keys",
        )
    return known


def await_engine(host: Host, key: str, say: Say, within_s: float | None = None) -> None:
    """Wait until the Docker Engine of a host answers this user.

    Unless `within_s` says how long, as long as one of its kind may take.

    Raises:
        OpsctlError: it does not in time, or the host lets this user not in, or is another.
    """
    if within_s is None:
        within_s = STARTS_S if host.own else WITHIN_S
    began, told = time.monotonic(), ""
    while True:
        try:
            connect(host.engine, host.way(key)).client.close()
        except OpsctlError as fault:
            late = time.monotonic() - began
            changed = isinstance(fault, ssh.KeysRefused) and "is not the one" in fault.message
            let = LETS_IN_S if isinstance(fault, ssh.KeysRefused) else within_s
            if changed or late > min(let, within_s):
                raise _not_ready(host, fault) from fault
            if fault.message != told:
                say(f"{host.name}: waiting: {fault.message}")
                told = fault.message
            time.sleep(AGAIN_S)  # a host that boots tells nobody when it will answer
        else:
            return


def _not_ready(host: Host, fault: OpsctlError) -> OpsctlError:
    first = "what its first start came to: on the host, less /var/log/cloud-init-output.log; "
    return OpsctlError(
        f"{host.name} is not ready: {fault.message}",
        hint=f"{fault.hint}; {'' if host.own else first}then deploy again",
    )


def _await_key(host: Host, say: Say, within_s: float) -> str:
    began, told = time.monotonic(), ""
    while True:
        key, said = offered(host)
        if key:
            return key
        if time.monotonic() - began > within_s:
            raise OpsctlError(
                f"{host.name} ({host.address}) does not answer as an SSH server: {said}",
                hint="look at its console, and whether this machine reaches its address "
                "(trading:aws.operators), or at its agent of Session Manager; then deploy again",
            )
        if said != told:
            say(f"{host.name}: waiting for {host.address} to answer: {said}")
            told = said
        time.sleep(AGAIN_S)  # as above


def offered(host: Host) -> tuple[str, str]:
    """Ask a host for its key without logging in; return it, or why there is none."""
    with tempfile.TemporaryDirectory(prefix="opsctl-") as folder:
        known = Path(folder) / "known_hosts"
        argv = tuple(_asking(host, known, os.environ.get(ssh.CONFIG)))
        try:
            done = subprocess.run(
                argv,
                capture_output=True,
                text=True,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=3 * ssh.CONNECT_S,
                env={**os.environ, "LC_ALL": "C"},
            )
        except FileNotFoundError as error:
            raise OpsctlError(
                "this machine has no ssh",
                hint="install it (Debian: apt-get install openssh-client)",
            ) from error
        except subprocess.TimeoutExpired:
            return "", "no answer"
        text = known.read_text(encoding="ascii") if known.exists() else ""
    found = next((line.partition(" ")[2].strip() for line in text.splitlines()), "")
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    return found, said[-1] if said else "ssh ended without a word"


def _asking(host: Host, known: Path, config: str | None) -> Iterator[str]:
    options = {
        **ssh.ways(host.way(""), known),
        "BatchMode": "yes",
        "ConnectTimeout": str(ssh.CONNECT_S),
        "ControlPath": "none",
        "GlobalKnownHostsFile": os.devnull,
        "HashKnownHosts": "no",
        "HostKeyAlias": ssh.KNOWN_AS,
        "PreferredAuthentications": "none",
        "StrictHostKeyChecking": "accept-new",
        "UpdateHostKeys": "no",
        "UserKnownHostsFile": str(known),
    }
    yield "ssh"
    yield from ("-F", config) if config else ()
    for name, value in options.items():
        yield from ("-o", f"{name}={value}")
    yield from ("-l", host.user, "--", host.address, "true")
