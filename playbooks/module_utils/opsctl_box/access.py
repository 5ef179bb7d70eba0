"""How the server is reached: sshd and the firewall.

A mistake here locks everybody out, so each is checked by its own program before it is loaded,
and then stands on trial (`trial`): if nobody comes in anew and confirms it, it is taken back.
"""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.opsctl_box import trial
from ansible.module_utils.opsctl_box.kernel import FIRST_LINE
from ansible.module_utils.opsctl_box.system import Refused
from ansible.module_utils.opsctl_box.writer import Problems, Writer
from ansible.module_utils.opsctl_read import software

SSHD_FILE = "/etc/ssh/sshd_config.d/00-opsctl.conf"
"""First in order: of a keyword said twice, sshd takes the first."""
FIREWALL_FILE = "/etc/opsctl/firewall.nft"
FIREWALL_UNIT = "opsctl-firewall.service"
FIREWALL_UNIT_FILE = f"/etc/systemd/system/{FIREWALL_UNIT}"
FIREWALL_UNIT_TEXT = f"""\
# Written by opsctl provision.
[Unit]
Description=Firewall of a trading server
DefaultDependencies=no
After=local-fs.target systemd-modules-load.service nftables.service {trial.UNIT}
PartOf=nftables.service
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
ConditionPathExists={FIREWALL_FILE}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f {FIREWALL_FILE}

[Install]
WantedBy=sysinit.target
"""


class Sshd(Writer):
    """`at`: a keyword in lower case; as the running configuration has it."""

    means = "sshd"

    def read(self, ats: list[str]) -> dict[str, str | None]:
        """Ask `sshd -T`; of a keyword said several times, all its values."""
        found = software.keywords(self.system.must("sshd", "-T"))
        return {at: found.get(at) for at in ats}

    def holds(self, at: str, state: str | None, want: str) -> bool:
        """Compare; sshd prints some words in another case, and lists by commas."""
        return state is not None and _words(state) == _words(want)

    def before_writing(self, ats: list[str]) -> dict[str, None]:
        """There is nothing to keep: what is said elsewhere holds again without our file."""
        return dict.fromkeys(ats)

    def as_before(self, at: str, state: Any, former: Any) -> bool:
        """Return whether our file is silent about it."""
        ours = (self.system.read(SSHD_FILE) or "").lower().splitlines()
        return not any(line.split(" ")[0] == at for line in ours)

    def write(self, wants: dict[str, str]) -> Problems:
        """Say them in our file, which says the others still; load it when sshd agrees."""
        self._say({**self._said(), **wants})
        got = self.read(list(wants))
        return {
            at: f"wanted {want!r}, sshd has {got[at]!r}: another file of its own says so first"
            for at, want in wants.items()
            if not self.holds(at, got[at], want)
        }

    def restore(self, formers: dict[str, Any]) -> Problems:
        """Say them no more."""
        self._say({at: want for at, want in self._said().items() if at not in formers})
        return {}

    def _said(self) -> dict[str, str]:
        lines = (self.system.read(SSHD_FILE) or "").splitlines()
        pairs = (line.partition(" ") for line in lines if line and not line.startswith("#"))
        return {keyword: value for keyword, _, value in pairs}

    def _say(self, wants: dict[str, str]) -> None:
        former = self.system.read(SSHD_FILE)
        _refuse_lockout(wants)
        trial.begin(self.system, {SSHD_FILE: former}, [["systemctl", "reload", "ssh.service"]])
        if wants:
            lines = "".join(f"{at} {want}\n" for at, want in sorted(wants.items()))
            self.system.write(SSHD_FILE, FIRST_LINE + lines)
        else:
            self.system.remove(SSHD_FILE)
        checked = self.system.run("sshd", "-t")
        if checked.code:
            if former is None:
                self.system.remove(SSHD_FILE)
            else:
                self.system.write(SSHD_FILE, former)
            raise Refused(f"sshd does not take it, so it was not loaded: {checked.said}")
        self.system.must("systemctl", "reload", "ssh.service")


class Firewall(Writer):
    """`at`: `FAMILY TABLE`; the rules as nft lists them, without counters and handles."""

    means = "firewall"
    file_mode = 0o600

    def read(self, ats: list[str]) -> dict[str, str | None]:
        """List each table."""
        return {at: self._listed(at) for at in ats}

    def holds(self, at: str, state: str | None, want: str) -> bool:
        """Compare with what nft makes of the wanted rules, in a network of their own."""
        return state is not None and state.split() == self._normal(at, want).split()

    def write(self, wants: dict[str, str]) -> Problems:
        """Check the rules, load them on trial, and keep them for the next boot."""
        problems = {}
        if len(wants) > 1:
            raise Refused(f"one table of nft holds all rules, not {', '.join(sorted(wants))}")
        for at, want in wants.items():
            text = _rules(at, want)
            checked = self.system.run("nft", "-c", "-f", "-", given=text)
            if checked.code:
                problems[at] = f"nft does not take the rules, so none was loaded: {checked.said}"
                continue
            former = self._listed(at)
            undo = _rules(at, former or "")
            trial.begin(
                self.system,
                {FIREWALL_FILE: self.system.read(FIREWALL_FILE)},
                [["nft", "-f", trial.keep(self.system, "firewall.nft", undo)]],
            )
            self.system.write(FIREWALL_FILE, FIRST_LINE + text, self.file_mode)
            self.system.must("nft", "-f", FIREWALL_FILE)
        return problems

    def files(self, topic: str, wants: dict[str, str]) -> dict[str, str]:
        """The rules that the unit loads at boot."""
        text = "".join(_rules(at, want) for at, want in wants.items())
        return {FIREWALL_FILE: FIRST_LINE + text} if wants else {}

    def restore_one(self, at: str, former: str | None) -> None:
        """Give the table its former rules, or take it away."""
        self.system.must("nft", "-f", "-", given=_rules(at, former or ""))
        self.system.remove(FIREWALL_FILE)

    def as_before(self, at: str, state: Any, former: Any) -> bool:
        """Compare; none is a state as well."""
        return bool(state == former) and not self.system.at(FIREWALL_FILE).exists()

    def _listed(self, at: str) -> str | None:
        done = self.system.run("nft", "--stateless", "list", "table", *at.split())
        return None if done.code else done.out

    def _normal(self, at: str, want: str) -> str:
        """Return the rules in nft's own words: it orders and names some differently."""
        line = 'nft -f - && nft --stateless list table "$1" "$2"'
        done = self.system.run(
            *("unshare", "--net", "--", "sh", "-c", line, "sh", *at.split()), given=want
        )
        if done.code:
            raise Refused(f"nft does not take the rules of {at}: {done.said}")
        return done.out


def _rules(at: str, want: str) -> str:
    """Return rules that take the place of the table's, all at once."""
    return f"table {at}\ndelete table {at}\n{want.strip()}\n"


def _words(text: str) -> list[str]:
    return text.lower().replace(",", " ").split()


def _refuse_lockout(wants: dict[str, str]) -> None:
    """Refuse what would keep out the very user who provisions. Raises `Refused`."""
    user = os.environ.get("SUDO_USER") or "root"
    if user == "root" and wants.get("permitrootlogin") == "no":
        raise Refused(
            "permitrootlogin no would lock out root, who provisions this server: give the "
            "inventory an `ansible_user` of your own that may use sudo"
        )
    if (allowed := wants.get("allowusers")) and user not in allowed.split():
        raise Refused(f"allowusers {allowed} would lock out {user}, who provisions this server")
