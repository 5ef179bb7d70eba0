"""Host keys: pinned by the inventory, or at first contact; one that changed is refused.

A run has a known_hosts of its own, made of what the inventory says (`opsctl_host_key`) and, for
the others, of what was pinned. SSH's own files play no part: neither the user's nor the system's.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from opsctl.deploy.files import write_whole
from opsctl.model.value import Value
from opsctl.provision import places, programs
from opsctl.provision.inventory import BoxHost

SCAN_TIMEOUT_S = 15
"""As long as a slow machine takes for its half of a key exchange."""
SCANS = 16
KINDS = ("ed25519", "ecdsa", "rsa")
"""Types of keys, preferred first."""


class HostKey(Value):
    """The public key of a host, and its fingerprint as `ssh-keygen` prints it."""

    key: str
    """`ssh-ed25519 AAAA…`."""
    fingerprint: str


def known(hosts: Iterable[BoxHost]) -> dict[str, str]:
    """Return the key of each host of which one is known, by its place: the inventory's first."""
    pinned = _pinned()
    found = {}
    for host in hosts:
        key = host.host_key or pinned.get(host.place, "")
        if key:
            found[host.place] = key
    return found


def write(path: Path, keys: Mapping[str, str]) -> None:
    """Write the known_hosts of a run."""
    text = "".join(f"{place} {line}\n" for place, key in keys.items() for line in key.splitlines())
    write_whole(path, text)


def offered(hosts: Iterable[BoxHost]) -> dict[str, HostKey | None]:
    """Ask hosts for their keys, all at once; by place, None where one does not answer."""
    wanted = tuple(hosts)
    with ThreadPoolExecutor(max_workers=SCANS) as pool:
        keys = pool.map(_offered, wanted)
        return {host.place: key for host, key in zip(wanted, keys, strict=True)}


def pin(keys: Mapping[str, HostKey]) -> None:
    """Remember keys as those of their hosts; what is pinned already is left as it is."""
    pinned = _pinned()
    for place, key in keys.items():
        pinned.setdefault(place, key.key)
    write(places.known_hosts(), pinned)


def _pinned() -> dict[str, str]:
    try:
        lines = places.known_hosts().read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    found: dict[str, str] = {}
    for line in lines:
        place, _, key = line.partition(" ")
        if key:
            found[place] = f"{found[place]}\n{key}" if place in found else key
    return found


def _offered(host: BoxHost) -> HostKey | None:
    """Return the key of a host: of the type that is preferred, where it has one."""
    for kind in KINDS:
        if key := _scanned(host, kind):
            return HostKey(key=key, fingerprint=fingerprint(key))
    return None


def _scanned(host: BoxHost, kind: str) -> str:
    argv = [str(programs.openssh("ssh-keyscan")), "-T", str(SCAN_TIMEOUT_S), "-t", kind]
    try:
        done = subprocess.run(
            [*argv, "-p", str(host.port), "--", host.address],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=2 * SCAN_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return ""
    lines = (line for line in done.stdout.splitlines() if line and not line.startswith("#"))
    return next((line.partition(" ")[2].strip() for line in lines), "")


def fingerprint(key: str) -> str:
    """Return `SHA256:… (ED25519)` of a public key; the key itself where it is none."""
    done = subprocess.run(
        [programs.openssh("ssh-keygen"), "-l", "-f", "-"],
        input=key + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    words = done.stdout.split()
    return f"{words[1]} {words[-1]}" if done.returncode == 0 and len(words) > 2 else key
