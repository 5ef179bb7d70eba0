"""What brings settings back after a boot that no file of the distribution does: our own units.

A topic that has settings of devices gives the program that they start; one that has none leaves
those units alone.
"""

from __future__ import annotations

from ansible.module_utils.opsctl_box import access, devices, nics
from ansible.module_utils.opsctl_box.system import System


def wanted(system: System, program: str) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Return the units that are enabled, and the files, that must be there: by whose they are."""
    firewall = system.at(access.FIREWALL_FILE).exists()
    unit = {access.FIREWALL_UNIT_FILE: access.FIREWALL_UNIT_TEXT}
    found = {"firewall": ([access.FIREWALL_UNIT], unit) if firewall else ([], {})}
    if program:
        names = _devices(system)
        files = {nics.PROGRAM: program, **nics.UNITS} if names else {}
        found["devices"] = (nics.units(system, names), files)
    return found


def differs(system: System, program: str) -> list[str]:
    """Return what of the units, and of the program that they start, is not as it must be."""
    units, files = _all(system, program)
    found = [path for path, content in files.items() if system.read(path) != content]
    found += sorted(set(units) ^ set(_enabled(system, program)))
    return found + [path for path in _stale(program, files) if system.at(path).exists()]


def settle(system: System, program: str) -> None:
    """Make them so. Raises `Refused`."""
    units, files = _all(system, program)
    there = _enabled(system, program)
    gone = sorted(set(there) - set(units))
    if gone:
        system.must("systemctl", "disable", *gone)
    for path, content in files.items():
        if system.read(path) != content:
            system.write(path, content, 0o755 if path == nics.PROGRAM else 0o644)
    for path in _stale(program, files):
        system.remove(path)
    system.must("systemctl", "daemon-reload")
    new = sorted(set(units) - set(there))
    if new:
        system.must("systemctl", "enable", *new)


def _all(system: System, program: str) -> tuple[list[str], dict[str, str]]:
    units: list[str] = []
    files: dict[str, str] = {}
    for of_units, of_files in wanted(system, program).values():
        units += of_units
        files.update(of_files)
    return units, files


def _stale(program: str, files: dict[str, str]) -> list[str]:
    known = [access.FIREWALL_UNIT_FILE, *((nics.PROGRAM, *nics.UNITS) if program else ())]
    return [path for path in known if path not in files]


def _devices(system: System) -> set[str]:
    return {path.split("/")[-2] for path in system.glob(f"{devices.FOLDER}/*/*.json")}


def _enabled(system: System, program: str) -> list[str]:
    names = ["opsctl-nic@*", "opsctl-disk@*"] if program else []
    links = [
        path
        for name in (*names, access.FIREWALL_UNIT)
        for path in system.glob(f"/etc/systemd/system/*.wants/{name}")
    ]
    return sorted({path.rsplit("/", 1)[1] for path in links})
