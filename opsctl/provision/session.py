"""A run over boxes: which there are, their keys, and running playbooks over those still with us."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from opsctl.deploy.interrupt import Interruption
from opsctl.model.tiers import LatencyTier
from opsctl.provision import choosing, holding, hostkeys, inventory
from opsctl.provision.choosing import Chosen
from opsctl.provision.failing import Failure
from opsctl.provision.inventory import BoxHost, Inventory
from opsctl.provision.playing import Play, Played, play
from opsctl.provision.progress import Progress

FORKS = 10
"""How many boxes Ansible works on at once."""
TASK_TIMEOUT_S = 120
"""Reading a box takes a second or two; one that is so late does not answer any more."""
BECOME_PASSWORD = "OPSCTL_BECOME_PASSWORD"  # noqa: S105 - the name of a variable


@dataclass(frozen=True)
class Reach:
    """How boxes are reached."""

    inventory: Path | None = None
    forks: int = FORKS
    accept_host_keys: bool = False
    become_password_file: Path | None = None


@dataclass(frozen=True)
class Selection:
    """Which boxes, with which profile."""

    inventory: Inventory
    boxes: dict[str, tuple[BoxHost, Chosen]]


def select(
    reach: Reach, names: Sequence[str], tier: LatencyTier | None, profile: str | None
) -> Selection:
    """Return the boxes that were meant; nothing is asked of them yet.

    Raises:
        UsageError: of the inventory, a name, a tier or a profile.
        ToolMissing: Ansible is not installed.
    """
    found = inventory.read(reach.inventory)
    boxes = {
        host.name: (host, choosing.chosen(host, profile))
        for host in inventory.chosen(found, names, tier)
    }
    return Selection(found, boxes)


@dataclass
class Session:
    """Playbooks over the boxes of one run, each in a folder of its own."""

    folder: Path
    selection: Selection
    reach: Reach
    progress: Progress
    interruption: Interruption
    become_password_file: Path | None
    failures: dict[str, Failure] = field(default_factory=dict)
    _played: int = 0

    @property
    def left(self) -> dict[str, tuple[BoxHost, Chosen]]:
        """The boxes that nothing went wrong with."""
        boxes = self.selection.boxes
        return {name: boxes[name] for name in boxes if name not in self.failures}

    def failed(self, failures: Mapping[str, Failure]) -> None:
        """Note what went wrong; the boxes go no further."""
        for name, failure in failures.items():
            self.failures[name] = failure
            self.progress.stage(name, "failed", str(failure))

    def begin(self) -> None:
        """Say what was left unfinished, see to the keys, and begin to read what is left."""
        for name in self.left:
            if told := holding.unfinished(name):
                self.progress.say(told)
        self._know_keys()
        for name in self.left:
            self.progress.stage(name, "read")

    def _know_keys(self) -> None:
        """See to it that the key of each box is known; a box whose key is not goes no further."""
        hosts = [host for host, _ in self.left.values() if host.by_ssh]
        keys = hostkeys.known(hosts)
        strangers = [host for host in hosts if host.place not in keys]
        if strangers:
            self._meet(strangers)
            keys = hostkeys.known(hosts)
        hostkeys.write(self._known_hosts, keys)

    def run(
        self,
        playbook: str,
        variables: Mapping[str, Mapping[str, object]],
        *,
        check: bool = False,
        keep: bool = False,
    ) -> Played:
        """Run a playbook over boxes.

        Raises as `playing.play` does.
        """
        self._played += 1
        wanted = Play(
            playbook=playbook,
            inventory=self.selection.inventory.file,
            variables=variables,
            known_hosts=self._known_hosts,
            forks=self.reach.forks,
            check=check,
            keep=keep,
            become_password_file=self.become_password_file,
            task_timeout_s=0 if keep else TASK_TIMEOUT_S,
        )
        place = self.folder / "ansible" / f"{self._played:02d}-{Path(playbook).stem}"
        return play(wanted, place, self.progress.task, self.interruption)

    @property
    def _known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def _meet(self, strangers: Sequence[BoxHost]) -> None:
        offered = hostkeys.offered(strangers)
        fresh = {}
        for host in strangers:
            key = offered[host.place]
            if key is None:
                self.failed({host.name: _silent(host)})
            elif self.reach.accept_host_keys:
                fresh[host.place] = key
                self.progress.stage(host.name, "keys", f"pinned {key.fingerprint}")
            else:
                self.failed({host.name: _unknown(host, key.fingerprint)})
        if fresh:
            hostkeys.pin(fresh)


def _silent(host: BoxHost) -> Failure:
    return Failure(
        stage="connect",
        message=f"{host.address} port {host.port} does not answer as an SSH server",
        hint="is the box up, and ansible_host and ansible_port right? The other boxes went on",
    )


def _unknown(host: BoxHost, fingerprint: str) -> Failure:
    return Failure(
        stage="keys",
        message=f"the host key of {host.place} is not known; it offers {fingerprint}",
        hint="compare it with the box's console, then --accept-host-keys, "
        "or write opsctl_host_key in the inventory",
    )
