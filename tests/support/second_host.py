"""A second host: a network namespace with its own engine and sshd, a cable from this one."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker

from tests.support import engine as engines
from tests.support.servers import Process, folder, wait_for

NEAR, FAR = (f"10.218.{os.getpid() % 250}.{end}" for end in (1, 2))
"""Of this host and the other; others for each worker of a test run."""
PORT = 2222


def lacking() -> str:
    """Return why there can be no second host; empty where there can."""
    if why := engines.lacking():
        return why
    for program in ("ip", "nsenter", "/usr/sbin/sshd", "ssh"):
        if shutil.which(program) is None:
            return f"there is no {program}; on Debian: apt-get install openssh-server iproute2"
    return ""


def run(*words: str) -> str:
    """Run a command that must succeed; return what it prints."""
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


class Namespaced(engines.Dockerd):
    """An engine in another network namespace."""

    def __init__(self, home: Path, namespace: str, *options: str) -> None:
        """Prepare it as any other."""
        super().__init__(home, *options)
        self._process.behind(*_within(namespace))


def _within(namespace: str) -> list[str]:
    return ["nsenter", f"--net=/var/run/netns/{namespace}"]


@dataclass
class SecondHost:
    """A running second host."""

    engine: Namespaced
    namespace: str
    ssh: Path
    """A folder with the keys of host and user, the known hosts, and the configuration of ssh."""

    @property
    def address(self) -> str:
        """By which it is reached over ssh."""
        return f"ssh://root@{FAR}:{PORT}{self.engine.socket}"

    @property
    def config(self) -> Path:
        """The configuration of ssh that knows the host."""
        return self.ssh / "config"

    def known(self, key: str) -> None:
        """Make a public key the one that is known of the host; empty: none."""
        text = f"[{FAR}]:{PORT} {key}\n" if key else ""
        (self.ssh / "known_hosts").write_text(text)

    def lose(self) -> None:
        """Kill the engine and everything that it runs, at once; `engine.start` brings it back."""
        with contextlib.closing(docker.DockerClient(base_url=self.engine.address)) as client:
            pids = [one.attrs["State"]["Pid"] for one in client.containers.list()]
        self.engine.kill()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @property
    def host_key(self) -> str:
        """Its public key."""
        return (self.ssh / "host_key.pub").read_text().strip()


def key(path: Path) -> str:
    """Make a key; return its public half."""
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))
    return path.with_name(f"{path.name}.pub").read_text().strip()


@contextlib.contextmanager
def second_host() -> Iterator[SecondHost]:
    """Yield a host that is reached at `FAR` from this namespace; this one is `NEAR` to it."""
    name = f"opsctl-{os.getpid()}"
    with folder() as home, contextlib.ExitStack() as undo:
        run("ip", "netns", "add", name)
        undo.callback(run, "ip", "netns", "delete", name)
        place = home / "engine"
        place.mkdir()
        undo.callback(engines.unmount, place)
        undo.callback(_end, name)
        ends = (f"oa{os.getpid()}", f"ob{os.getpid()}")
        run("ip", "link", "add", ends[0], "type", "veth", "peer", ends[1], "netns", name)
        run("ip", "addr", "add", f"{NEAR}/30", "dev", ends[0])
        run("ip", "link", "set", ends[0], "up")
        run("ip", "-n", name, "addr", "add", f"{FAR}/30", "dev", ends[1])
        for end in ("lo", ends[1]):
            run("ip", "-n", name, "link", "set", end, "up")
        ssh = _sshd(home, name, undo)
        engine = Namespaced(place, name, "--log-level=warn")
        undo.callback(engine.stop)
        engine.start()
        undo.callback(engines.disconnect, engine)
        yield SecondHost(engine, name, ssh)


def _end(namespace: str) -> None:
    """End what is left in a namespace: an engine that was killed leaves its containerd."""

    def pids() -> list[int]:
        return [int(pid) for pid in run("ip", "netns", "pids", namespace).split()]

    for pid in pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not pids(), "the namespace to be empty")


def _sshd(home: Path, namespace: str, undo: contextlib.ExitStack) -> Path:
    ssh = home / "ssh"
    ssh.mkdir(mode=0o700)
    host_key, user = key(ssh / "host_key"), key(ssh / "user_key")
    (ssh / "authorized_keys").write_text(f"{user}\n")
    (ssh / "known_hosts").write_text(f"[{FAR}]:{PORT} {host_key}\n")
    settings = {
        "Port": PORT,
        "ListenAddress": FAR,
        "HostKey": ssh / "host_key",
        "AuthorizedKeysFile": ssh / "authorized_keys",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "UsePAM": "no",
        "PidFile": "none",
    }
    (ssh / "sshd_config").write_text("".join(f"{k} {v}\n" for k, v in settings.items()))
    (ssh / "config").write_text(
        f"IdentityFile {ssh / 'user_key'}\nIdentitiesOnly yes\n"
        f"UserKnownHostsFile {ssh / 'known_hosts'}\nGlobalKnownHostsFile none\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    argv = [*_within(namespace), "/usr/sbin/sshd", "-D", "-e", "-f", str(ssh / "sshd_config")]
    server = Process(argv, ssh / "sshd.log")
    server.start()
    undo.callback(server.stop)
    wait_for(lambda: "Server listening" in (ssh / "sshd.log").read_text(), "sshd")
    return ssh
