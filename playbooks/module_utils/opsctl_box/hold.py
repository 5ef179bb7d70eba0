"""Makes a server hold the settings of one topic: no others, no more than differs, and for good.

A topic's settings are a desired state. What it wrote once and is not wanted any more is put back
to what it was; a rollback is nothing but a run that wants nothing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ansible.module_utils.opsctl_box import boot
from ansible.module_utils.opsctl_box.access import Firewall, Sshd
from ansible.module_utils.opsctl_box.files import Files
from ansible.module_utils.opsctl_box.kernel import KernelFiles, Sysctls
from ansible.module_utils.opsctl_box.links import Addresses, Links
from ansible.module_utils.opsctl_box.nics import Ethtool, Interrupts
from ansible.module_utils.opsctl_box.people import Accounts, Limits
from ansible.module_utils.opsctl_box.record import Record
from ansible.module_utils.opsctl_box.software import Packages, Units
from ansible.module_utils.opsctl_box.system import Refused, System
from ansible.module_utils.opsctl_box.writer import Writer

WRITERS: tuple[type[Writer], ...] = (
    Packages,
    Accounts,
    Limits,
    Files,
    Sysctls,
    KernelFiles,
    Ethtool,
    Interrupts,
    Links,
    Addresses,
    Units,
    Sshd,
    Firewall,
)
"""In the order of writing: a file needs its package, a unit its file, and access comes last.
What is put back goes the other way."""

_NO_SUCH_UNIT = 5
"""How systemctl ends for a unit that has gone with its package: there is nothing to restart."""


class After(NamedTuple):
    """What must follow when a file below a path has been written."""

    under: str
    run: list[str]


class Wish(NamedTuple):
    """What a topic is to hold."""

    topic: str
    settings: dict[str, list[dict[str, Any]]]
    """By means; each with `id`, `at`, `want`, and where they are `boot` and `compare`."""
    after: list[After]
    program: str
    """The text of `devices.py`, to be started at boot; empty where no device has settings."""


class Held:
    """What a run found and did."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.changes: list[dict[str, str]] = []
        self.problems: list[dict[str, str]] = []

    def change(self, setting: str, at: str, was: str, want: str) -> None:
        """Note a change, made or to be made."""
        self.changes.append({"setting": setting, "at": at, "was": was, "want": want})

    def fail(self, setting: str, at: str, message: str) -> None:
        """Note why a setting does not hold."""
        self.problems.append({"setting": setting, "at": at, "message": message})


class _Means:
    """One means of the topic: its writer, what is wanted, and what was before."""

    def __init__(self, writer: Writer, wanted: list[dict[str, Any]]) -> None:
        self.writer = writer
        self.wanted = {one["at"]: one for one in wanted}
        self.wants = {one["at"]: str(one["want"]) for one in wanted}

    @property
    def name(self) -> str:
        return self.writer.means

    def holds(self, at: str, state: Any) -> bool:
        """Return whether it holds; a bound is held by whatever lies within."""
        want, compare = self.wants[at], self.wanted[at].get("compare", "equal")
        if compare in ("at_most", "at_least"):
            try:
                got = int(state)
            except (TypeError, ValueError):
                return False
            return got <= int(want) if compare == "at_most" else got >= int(want)
        try:
            return self.writer.holds(at, state, want)
        except Refused:  # what is wanted is no such value: writing it says why
            return False


def hold(system: System, wish: Wish, check: bool) -> Held:
    """Make it so, or with `check` only say what would change.

    One setting that is refused spoils none of the others; it is among the problems. Raises
    `Refused` where nothing can be done at all.
    """
    record, done = Record(system), Held()
    unknown = set(wish.settings) - {one.means for one in WRITERS} - {"cmdline", "measured"}
    if unknown:
        raise Refused(
            f"no means is called {', '.join(sorted(unknown))}; is opsctl newer than this?"
        )
    kinds = [_Means(writer(system), wish.settings.get(writer.means, [])) for writer in WRITERS]
    if not check:
        _keep(record, wish.topic, kinds)
    for kind in reversed(kinds):
        _put_back(record, wish, kind, done, check)
    for kind in kinds:
        if kind.name == Units.means and not check:
            _pay(system, record, done)
        _make(record, wish, kind, done, check)
    if not check or not done.changes:
        _units_at_boot(record, system, wish, done, check)
    return done


def _keep(record: Record, topic: str, kinds: list[_Means]) -> None:
    """Keep what is before the first change of any: a package brings units and files along."""
    for kind in kinds:
        record.move(topic, kind.name, list(kind.wants))
        new = [at for at in kind.wants if at not in record.of(topic, kind.name)]
        if new:
            record.keep(topic, kind.name, kind.writer.before_writing(new))


def _put_back(record: Record, wish: Wish, kind: _Means, done: Held, check: bool) -> None:
    """Put back what the topic wrote once and is not wanted any more."""
    kept = record.of(wish.topic, kind.name)
    formers = {at: former for at, former in kept.items() if at not in kind.wants}
    if not formers:
        return
    writer = kind.writer
    states = writer.read(list(formers))
    differ = {
        at: former for at, former in formers.items() if not writer.as_before(at, states[at], former)
    }
    for at, former in differ.items():
        done.change(f"{kind.name} {at}", at, writer.shown(states[at]), _former(writer, former))
    if check:
        return
    _owe(record, wish, kind.name, list(differ), {})
    problems = _attempt(writer.restore, differ)
    for at, message in problems.items():
        done.fail(f"{kind.name} {at}", at, f"cannot be put back: {message}")
    if not kind.wants:
        _files(record, wish, kind, {}, done, check)
    record.forget(kind.name, [at for at in formers if at not in problems])


def _make(record: Record, wish: Wish, kind: _Means, done: Held, check: bool) -> None:
    """Write what differs, and what makes the rest survive a boot."""
    writer, wants = kind.writer, kind.wants
    if not wants:
        _files(record, wish, kind, {}, done, check)
        return
    states = writer.read(list(wants))
    differ = {at: want for at, want in wants.items() if not kind.holds(at, states[at])}
    for at, want in differ.items():
        done.change(kind.wanted[at]["id"], at, writer.shown(states[at]), want)
    problems: dict[str, str] = {}
    if not check and differ:
        _owe(record, wish, kind.name, list(differ), kind.wanted)
        problems = _attempt(writer.write, differ)
        for at, message in problems.items():
            done.fail(kind.wanted[at]["id"], at, message)
    hold = {at: one for at, one in wants.items() if at not in problems}
    _files(record, wish, kind, hold, done, check)


def _attempt(do: Any, values: dict[str, Any]) -> dict[str, str]:
    """Do it; where that is refused as a whole, each has the same problem."""
    try:
        return dict(do(values)) if values else {}
    except Refused as refusal:
        return dict.fromkeys(values, str(refusal))


def _files(
    record: Record, wish: Wish, kind: _Means, wants: dict[str, str], done: Held, check: bool
) -> None:
    """Have exactly the files that make these hold after a boot."""
    writer = kind.writer
    wanted = writer.files(wish.topic, wants)
    for path in set(writer.own_files(wish.topic)) - set(wanted):
        done.change(f"{kind.name} at boot", path, writer.system.read(path) or "", "(none)")
        if not check:
            writer.system.remove(path)
    for path, content in wanted.items():
        now = writer.system.read(path)
        if now != content:
            done.change(f"{kind.name} at boot", path, now or "(none)", content)
            if not check:
                writer.system.write(path, content, writer.file_mode)
    if not check:
        record.for_boot(f"{wish.topic} {kind.name}", wanted)


def _owe(
    record: Record, wish: Wish, means: str, ats: list[str], wanted: dict[str, dict[str, Any]]
) -> None:
    """Note, before files are written, what must follow: a run that is cut off leaves the note."""
    for at in ats:
        if means == Files.means:
            for after in wish.after:
                if at.startswith(after.under):
                    record.owe(list(after.run), at)
        if wanted.get(at, {}).get("boot"):
            record.owe(None, at)


def _pay(system: System, record: Record, done: Held) -> None:
    for run in record.owed():
        ended = system.run(*run)
        if ended.code and (run[0], ended.code) != ("systemctl", _NO_SUCH_UNIT):
            done.fail(" ".join(run), run[-1], ended.said)
        else:
            record.paid(run)


def _units_at_boot(record: Record, system: System, wish: Wish, done: Held, check: bool) -> None:
    for what in boot.differs(system, wish.program):
        done.change("units at boot", what, "differs", "as given")
        if not check:
            boot.settle(system, wish.program)
            break
    if not check:
        for owner, (units, files) in boot.wanted(system, wish.program).items():
            record.for_boot(owner, files, units)


def _former(writer: Writer, former: Any) -> str:
    if isinstance(former, dict) and "content" in former:
        return "(none)" if former["content"] is None else "(its former content)"
    return writer.shown(former)
