"""Accounts, and the limits of what their processes may take."""

from __future__ import annotations

import grp
import pwd
from typing import Any

from ansible.module_utils.opsctl_box.kernel import FIRST_LINE
from ansible.module_utils.opsctl_box.system import Refused
from ansible.module_utils.opsctl_box.writer import Writer

_SYSTEM_USER = ("--system", "--no-create-home", "--shell", "/usr/sbin/nologin")


class Accounts(Writer):
    """`at`: `user NAME` or `group NAME`; `present`, or all groups of a user, its own among them."""

    means = "account"

    def read(self, ats: list[str]) -> dict[str, str | None]:
        """Return the groups of a user, its own first; `present` for a group; None for neither."""
        return {at: self._read_one(*at.split()) for at in ats}

    def holds(self, at: str, state: str | None, want: str) -> bool:
        """A user who is to be present may be in any groups."""
        return state is not None and (want == "present" or _groups(state) == _groups(want))

    def write(self, wants: dict[str, str]) -> dict[str, str]:
        """Groups come first: users are put into them."""
        return super().write(dict(sorted(wants.items())))

    def write_one(self, at: str, want: str) -> None:
        """Add what is not there; put a user into exactly the groups wanted."""
        kind, name = at.split()
        if kind == "group":
            self.system.must("groupadd", "--system", name)
            return
        if self._read_one(kind, name) is None:
            shared = self._read_one("group", name) is not None
            own = ("--gid", name) if shared else ("--user-group",)
            self.system.must("useradd", *_SYSTEM_USER, *own, name)
        if want != "present":
            self._put_into(name, _groups(want))

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
            self._put_into(name, _groups(former))

    def as_before(self, at: str, state: Any, former: Any) -> bool:
        """Compare."""
        return bool(state == former)

    def _put_into(self, user: str, groups: set[str]) -> None:
        own = (self._read_one("user", user) or user).split(",")[0]
        self.system.must("usermod", "--groups", ",".join(sorted(groups - {own})), user)

    @staticmethod
    def _read_one(kind: str, name: str) -> str | None:
        try:
            if kind == "group":
                grp.getgrnam(name)
                return "present"
            first = pwd.getpwnam(name).pw_gid
        except KeyError:
            return None
        own = next((one.gr_name for one in grp.getgrall() if one.gr_gid == first), str(first))
        others = (one.gr_name for one in grp.getgrall() if name in one.gr_mem)
        return ",".join([own, *sorted(one for one in others if one != own)])


def _groups(text: str) -> set[str]:
    return set(text.replace(",", " ").split())


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
