"""Packages of Debian and units of systemd."""

from __future__ import annotations

import re
import time
from typing import Any

from ansible.module_utils.opsctl_box.system import Done, Refused
from ansible.module_utils.opsctl_box.writer import Problems, Writer

_APT = (
    *("apt-get", "--yes", "--quiet", "--no-install-recommends"),
    *("-o", "DPkg::Lock::Timeout=120"),
)
_KEEP = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
_LIMIT_S = 900.0
_ENDS_S = 20.0
"""How long a unit may take to end by a signal."""
_INTERRUPTED = "dpkg --configure -a"
"""What apt says is to be run, where dpkg did not come to its end the last time."""
_STEP = re.compile(r"^(Inst|Remv) (\S+)", re.MULTILINE)


class Packages(Writer):
    """`at`: a package; `installed` or `absent`.

    What comes or goes with a package is kept too, so that a rollback leaves neither behind.
    """

    means = "package"

    def read(self, ats: list[str]) -> dict[str, str]:
        """Ask dpkg once."""
        listed = self.system.run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *ats)
        there = {
            name
            for name, _, now in (one.partition(" ") for one in listed.out.splitlines())
            if now == "installed"
        }
        return {at: "installed" if at in there else "absent" for at in ats}

    def before_writing(self, ats: list[str]) -> dict[str, Any]:
        """Keep each with what will come (`added`) and go (`removed`) together with them."""
        now = self.read(ats)
        missing = [at for at in ats if now[at] == "absent"]
        steps = _STEP.findall(self._found(missing)) if missing else []
        added = sorted(name for what, name in steps if what == "Inst")
        removed = sorted(name for what, name in steps if what == "Remv" and name not in added)
        there = self.read(added) if added else {}
        return {
            at: {
                "was": now[at],
                "added": [one for one in added if there[one] == "absent"],
                "removed": removed,
            }
            if at in missing
            else {"was": now[at], "added": [], "removed": []}
            for at in ats
        }

    def as_before(self, at: str, state: str, former: Any) -> bool:
        """Compare the package itself, and what had gone for it."""
        gone = former["removed"]
        back = all(now == "installed" for now in self.read(gone).values()) if gone else True
        return state == former["was"] and back

    def write(self, wants: dict[str, str]) -> Problems:
        """Install and remove, each in one transaction."""
        installs = sorted(at for at, want in wants.items() if want == "installed")
        removes = sorted(at for at, want in wants.items() if want == "absent")
        said = ""
        if installs:
            self._found(installs)
            said += self._apt("install", *installs)
        if removes:
            said += self._apt("remove", *removes)
        got = self.read(list(wants))
        return {at: f"is {got[at]}: {said}" for at, want in wants.items() if got[at] != want}

    def restore(self, formers: dict[str, Any]) -> Problems:
        """Take away what was added, with its configuration; bring back what went."""
        added = sorted({name for former in formers.values() for name in former["added"]})
        gone = sorted(
            {name for former in formers.values() for name in former["removed"]}
            | {at for at, former in formers.items() if former["was"] == "installed"}
        )
        said = ""
        if gone:
            # One transaction with what must give way to it: two time servers exclude each other.
            said += self._apt("install", *gone, *(f"{name}-" for name in added))
        if added:
            said += self._apt("purge", *added)
        got = self.read(list(formers))
        return {
            at: f"is {got[at]}: {said}"
            for at, former in formers.items()
            if got[at] != former["was"]
        }

    def shown(self, state: Any) -> str:
        """Say whether it is there."""
        return str(state["was"] if isinstance(state, dict) else state)

    def _found(self, packages: list[str]) -> str:
        """Return what apt would do to install them; it looks for them first where it has to."""
        ask = (*_APT, *_KEEP, "--simulate", "install", *packages)
        told = self.system.run(*ask)
        if told.code:
            self.system.run(*_APT, "update", limit_s=_LIMIT_S)
            told = self.system.run(*ask)
        return told.out

    def _apt(self, *what: str) -> str:
        done = self.system.run(*_APT, *_KEEP, *what, limit_s=_LIMIT_S)
        if done.code and _INTERRUPTED in done.err:
            # Power was lost, or somebody killed it, between unpacking and setting up.
            self.system.run("dpkg", "--force-confold", "--configure", "-a", limit_s=_LIMIT_S)
            done = self.system.run(*_APT, *_KEEP, *what, limit_s=_LIMIT_S)
        return done.said if done.code else ""


class Units(Writer):
    """`at`: a unit; `on` (enabled and active) or `off` (masked and not running)."""

    means = "unit"
    _ENABLED = frozenset({"enabled", "static", "alias", "indirect", "generated", "linked"})
    _RUNS = frozenset({"active", "activating", "reloading"})

    def read(self, ats: list[str]) -> dict[str, Any]:
        """Ask systemd once."""
        asked = [name if "." in name else f"{name}.service" for name in ats]
        wanted = "--property=LoadState,ActiveState,UnitFileState"
        blocks = self.system.must("systemctl", "show", wanted, *asked).strip().split("\n\n")
        if len(blocks) != len(ats):
            raise Refused(f"systemd told of {len(blocks)} units of {len(ats)}")
        told = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
        return {
            at: {
                "file": "masked" if one["LoadState"] == "masked" else one["UnitFileState"],
                "runs": one["ActiveState"] in self._RUNS,
            }
            for at, one in zip(ats, told)  # noqa: B905 (strict= is of Python 3.10)
        }

    def holds(self, at: str, state: Any, want: str) -> bool:
        """Compare; a unit that cannot be enabled (`static`) need only run."""
        if want == "off":
            return state["file"] == "masked" and not state["runs"]
        return state["file"] in self._ENABLED and state["runs"]

    def write(self, wants: dict[str, str]) -> Problems:
        """Switch on and off, each in one call."""
        on = sorted(at for at, want in wants.items() if want == "on")
        off = sorted(at for at, want in wants.items() if want == "off")
        said = []
        if off:
            said.append(self.system.run("systemctl", "mask", *off))
            said += self._stop(off)
        if on:
            said.append(self.system.run("systemctl", "unmask", *on))
            said.append(self.system.run("systemctl", "enable", *on))
            said.append(self.system.run("systemctl", "start", *on))
        why = " / ".join(done.said for done in said if done.code)
        got = self.read(list(wants))
        return {
            at: f"wanted {want}, is {self.shown(got[at])}: {why}; see `journalctl -u {at}`"
            for at, want in wants.items()
            if not self.holds(at, got[at], want)
        }

    def restore(self, formers: dict[str, Any]) -> Problems:
        """Give them their former states, each kind of order in one call.

        Unmasking comes first, as a masked unit takes no other order. One that is gone, or goes
        with its package, has no state to be given.
        """
        masked = [at for at, former in formers.items() if former["file"] == "masked"]
        others = {at: former for at, former in formers.items() if at not in masked}
        orders = {
            "unmask": list(others),
            "enable": [at for at, former in others.items() if former["file"] == "enabled"],
            "disable": [at for at, former in others.items() if former["file"] == "disabled"],
            "start": [at for at, former in others.items() if former["runs"]],
            "mask": masked,
        }
        said = [
            self.system.run("systemctl", order, *sorted(units))
            for order, units in orders.items()
            if units
        ]
        said += self._stop([at for at, former in formers.items() if not former["runs"]])
        why = " / ".join(done.said for done in said if done.code)
        got = self.read(list(formers))
        return {
            at: f"was {self.shown(former)}, is {self.shown(got[at])}: {why}"
            for at, former in formers.items()
            if not self.as_before(at, got[at], former)
            and not (got[at]["file"] == former["file"] and former["runs"] and self._ended(at))
        }

    def _ended(self, at: str) -> bool:
        """Return whether a unit ran and ended well by itself.

        irqbalance does where one CPU alone is left to it, as on a small server until the reboot
        that gives the others back.
        """
        said = self.system.run("systemctl", "show", "--property=Result,ExecMainStatus", at).out
        told = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
        return told.get("Result") == "success" and told.get("ExecMainStatus") == "0"

    def _stop(self, units: list[str]) -> list[Done]:
        """Stop units, and wait for it; auditd takes no such order, but the signal to end."""
        if not units:
            return []
        said = [self.system.run("systemctl", "stop", *sorted(units))]
        deaf = [at for at, state in self.read(units).items() if state["runs"]]
        if not deaf:
            return said
        self.system.run("systemctl", "kill", *deaf)
        deadline = time.monotonic() + _ENDS_S
        while time.monotonic() < deadline and any(
            state["runs"] for state in self.read(deaf).values()
        ):
            time.sleep(0.2)
        return said

    def as_before(self, at: str, state: Any, former: Any) -> bool:
        """Compare; a unit that was not there may be, until its package goes, but does not run."""
        return bool(state == former or (not former["file"] and not state["runs"]))

    def shown(self, state: Any) -> str:
        """Say both."""
        return f"{state['file'] or 'not there'}, {'running' if state['runs'] else 'not running'}"
