"""The uplink of a place: the packets between its network and the app that carries the links.

Sites share no network, so that whatever leaves one passes one interface of the `network` app's
container. There the kernel drops and rejects (rules of that container's own), limits the rate at
both of its ends, and the machine's end is taken down as a cable is pulled. Nothing of it
outlives the container. What was done is read back from the kernel.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from opsctl.errors import OpsctlError
from opsctl.targets.beneath import Uplink

PROGRAMS = {"nsenter": "util-linux", "iptables": "iptables", "ip": "iproute2", "tc": "iproute2"}
"""What is used of this machine, and the Debian package of each."""
CHAIN = "opsctl-drill-"
BURST, LATENCY = "16kb", "400ms"
ANSWER_S = 10.0
Words = tuple[str, ...]


def lacking() -> str:
    """Return which program is missing on this machine; empty where none is."""
    missing = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    return f"apt-get install {' '.join(sorted(missing))} makes it possible" if missing else ""


def rules(state: Uplink) -> tuple[Words, ...]:
    """Return what the chains of a state hold, those of packets to a place before the others; pure.

    Each begins with the hook it is of. A reset that answers is itself let through.
    """
    found: list[Words] = []
    for hook, way in (("OUTPUT", "to"), ("INPUT", "from")):
        if state.reject:
            found += [
                (hook, "-p", "tcp", "--tcp-flags", "RST", "RST", "-j", "RETURN"),
                (hook, "-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"),
            ]
        if state.loss_percent and state.loses in ("both", way):
            share = f"{state.loss_percent / 100:g}"
            found.append(
                (hook, "-m", "statistic", "--mode", "random", "--probability", share, "-j", "DROP")
            )
    return tuple(found)


class Seen(NamedTuple):
    """What the kernel says of a wire."""

    name: str
    """Of the interface in the container."""
    end: str
    """Of the one that this machine has of it."""
    rules: tuple[str, ...]
    """Ours, as `iptables -S` prints them; chains and what leads to them, too."""
    limited: tuple[bool, bool]
    """Whether the rate is limited inside, and at the machine's end."""
    down: bool

    def differs(self, state: Uplink) -> str:
        """Return in what it differs from a state; empty where it does not."""
        held = [line for line in self.rules if line.startswith(f"-A {CHAIN}")]
        if len(held) != len(rules(state)) or (self.rules and not held):
            return f"{len(held)} rules of {len(rules(state))}: {self.rules}"
        if self.limited != (bool(state.kbit_per_s),) * 2:
            return f"limited is {self.limited}"
        return "" if self.down is state.down else f"{self.end} is {'down' if self.down else 'up'}"


@dataclass(frozen=True)
class Wire:
    """One interface of a container, and the end of it that this machine has."""

    pid: int
    """Of the container's first process: the way into its network."""
    address: str

    def set(self, state: Uplink) -> None:
        """Put it into a state; raises `OpsctlError` where it is then seen in another."""
        seen = self.look()
        if seen.down is not state.down:
            _run("ip", "link", "set", seen.end, "down" if state.down else "up")
        wanted = table(seen.name, rules(state), seen.rules)
        if wanted:
            self._inside("iptables-restore", "--noflush", "-w", told=wanted)
        limits = ((self._inside, seen.name), (_run, seen.end))
        for is_limited, (run, device) in zip(seen.limited, limits, strict=True):
            if is_limited and not state.kbit_per_s:
                run("tc", "qdisc", "del", "dev", device, "root")
            if state.kbit_per_s:
                shaped = ("rate", f"{state.kbit_per_s}kbit", "burst", BURST, "latency", LATENCY)
                run("tc", "qdisc", "replace", "dev", device, "root", "tbf", *shaped)
        if wrong := self.look().differs(state):
            raise OpsctlError(f"the uplink at {self.address} is not as it should be: {wrong}")

    def look(self) -> Seen:
        """Return what the kernel says of it."""
        name, index, peer = self._interface()
        end = next(
            (
                each
                for each in json.loads(_run("ip", "-j", "link"))
                if each["ifindex"] == peer and each.get("link_index") == index
            ),
            None,
        )
        if end is None:
            raise OpsctlError(
                "the engine's networks are not in the network namespace of opsctl",
                hint="run opsctl where the engine runs",
            )
        listed = self._inside("iptables", "-w", "-S").splitlines()
        return Seen(
            name=name,
            end=end["ifname"],
            rules=tuple(line for line in listed if f"{CHAIN}{name}-" in line),
            limited=(
                _shaped(self._inside("tc", "-j", "qdisc", "show", "dev", name)),
                _shaped(_run("tc", "-j", "qdisc", "show", "dev", end["ifname"])),
            ),
            down="UP" not in end["flags"],
        )

    def _interface(self) -> tuple[str, int, int]:
        """Return its name and number in the container, and the number of the machine's end."""
        for each in json.loads(self._inside("ip", "-j", "address")):
            if self.address in _addresses(each) and "link_index" in each:
                return str(each["ifname"]), int(each["ifindex"]), int(each["link_index"])
        raise OpsctlError(f"no interface of process {self.pid} has the address {self.address}")

    def _inside(self, *words: str, told: str = "") -> str:
        return _run("nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *words, told=told)


def table(name: str, wanted: tuple[Words, ...], held: Sequence[str]) -> str:
    """Return what iptables-restore is told, so that these rules stand instead of others; pure.

    Empty where none is wanted and none is held.
    """
    hooks = {"OUTPUT": ("-o", f"{CHAIN}{name}-o"), "INPUT": ("-i", f"{CHAIN}{name}-i")}
    lines = []
    for hook, (flag, chain) in hooks.items():
        known = f"-N {chain}" in held
        of_hook = [" ".join(rule[1:]) for rule in wanted if rule[0] == hook]
        leads = f"{hook} {flag} {name} -j {chain}"
        if of_hook or known:
            lines.append(f":{chain} - [0:0]")  # makes it, or empties it
        lines += [f"-A {chain} {rule}" for rule in of_hook]
        if of_hook and f"-A {leads}" not in held:
            lines.append(f"-I {leads}")
        if known and not of_hook:
            lines += [f"-D {leads}"] if f"-A {leads}" in held else []
            lines.append(f"-X {chain}")
    return "\n".join(("*filter", *lines, "COMMIT\n")) if lines else ""


def _shaped(listed: str) -> bool:
    return any(each["kind"] == "tbf" for each in json.loads(listed))


def _addresses(link: dict[str, Any]) -> Iterator[str]:
    return (str(each["local"]) for each in link.get("addr_info", ()) if "local" in each)


def _run(*words: str, told: str = "") -> str:
    done = subprocess.run(
        [shutil.which(words[0]) or words[0], *words[1:]],
        capture_output=True,
        text=True,
        timeout=ANSWER_S,
        check=False,
        input=told,
    )
    if done.returncode != 0:
        raise OpsctlError(f"{' '.join(words)} exited {done.returncode}: {done.stderr.strip()}")
    return done.stdout
