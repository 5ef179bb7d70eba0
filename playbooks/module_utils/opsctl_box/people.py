"""Accounts, and the limits of what their processes may take."""

from __future__ import annotations

import grp
import pwd
from typing import Any

from ansible.module_utils.opsctl_box.kernel import FIRST_LINE
from ansible.module_utils.opsctl_box.system import Refused
from ansible.module_utils.opsctl_box.writer import Writer

_SYSTEM_USER = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin")


class Accounts(Writer):
    """`at`: `user NAME` or `group NAME`; `present`, or the groups of a user, in order."""

    means = "account"

    def read(self, ats: list[str]) -> dict[str, str | None]:
        """Return the groups of a user beyond its own, `present` for a group, None for neither."""
        return {at: self._read_one(*at.split()) for at in sorted(ats)}

    def holds(self, at: str, state: str | None, want: str) -> bool:
        """A user who is to be present may be in any groups."""
        return state is not None and (want == "present" or state == want)

    def write(self, wants: dict[str, str]) -> dict[str, str]:
        """Groups come first: users are put into them."""
        return super().write(dict(sorted(wants.items())))

    def write_one(self, at: str, want: str) -> None:
        """Add what is not there; put a user into exactly the groups wanted."""
        kind, name = at.split()
        there = self._read_one(kind, name) is not None
        if kind == "group":
            self.system.must("groupadd", "--system", name)
            return
        if not there:
            shared = self._read_one("group", name) is not None
            own = ("--gid", name) if shared else ("--user-group",)
            kept = tuple(one for one in _SYSTEM_USER if one != "--user-group")
            self.system.must("useradd", *kept, *own, name)
        if want != "present":
            self.system.must("usermod", "--groups", ",".join(want.replace(",", " ").split()), name)

    def restore(self, formers: dict[str, Any]) -> dict[str, str]:
        """Users go first, out of their groups."""
        return super().restore(dict(sorted(formers.items(), reverse=True)))

    def restore_one(self, at: str, former: str | None) -> None:
        """Take away what was not there; nothing that somebody uses."""
        kind, name = at.split()
        if former is None:
            if self._read_one(kind, name) is not None:
                self.system.must("userdel" if kind == "user" else "groupdel", name)
        elif kind == "user":
            self.system.must("usermod", "--groups", former.replace(" ", ","), name)

    def as_before(self, at: str, state: Any, former: Any) -> bool:
        """Compare."""
        return bool(state == former)

    @staticmethod
    def _read_one(kind: str, name: str) -> str | None:
        try:
            if kind == "group":
                grp.getgrnam(name)
                return "present"
            own = pwd.getpwnam(name).pw_gid
        except KeyError:
            return None
        return " ".join(
            sorted(
                one.gr_name for one in grp.getgrall() if name in one.gr_mem and one.gr_gid != own
            )
        )


class Limits(Writer):
    """`at`: `GROUP ITEM`; processes that log in after it was written have it."""

    means = "limit"
    _FILES = "/etc/security/limits.d/90-opsctl-*.conf"

    def read(self, ats: list[str]) -> dict[str, str | None]:
        """Read our own files: others may set other groups."""
        found: dict[str, str | None] = dict.fromkeys(ats)
        for path in self.system.glob(self._FILES):
            for line in (self.system.read(path) or "").splitlines():
                words = line.split()
                if len(words) == 4 and f"{words[0].lstrip('@')} {words[2]}" in found:
                    found[f"{words[0].lstrip('@')} {words[2]}"] = words[3]
        return found

    def write_one(self, at: str, want: str) -> None:
        """The file is all there is; see that it can mean nothing else."""
        if len(at.split()) != 2 or len(want.split()) != 1:
            raise Refused(f"a limit is `GROUP ITEM` and one value, not {at!r} and {want!r}")

    def files(self, topic: str, wants: dict[str, str]) -> dict[str, str]:
        """Soft and hard in one (`-`)."""
        pairs = sorted((*at.split(), want) for at, want in wants.items())
        lines = "".join(f"@{group} - {item} {want}\n" for group, item, want in pairs)
        return (
            {f"/etc/security/limits.d/90-opsctl-{topic}.conf": FIRST_LINE + lines} if wants else {}
        )

    def own_files(self, topic: str) -> list[str]:
        """Find that file."""
        return self.system.glob(f"/etc/security/limits.d/90-opsctl-{topic}.conf")
