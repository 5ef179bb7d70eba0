"""What an audit finds: what a server is to hold against what was read of it; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from opsctl.model.profile import cpus
from opsctl.model.profile.box import Reading
from opsctl.model.profile.profile import Finding, Profile, Verdict, Wanted
from opsctl.model.profile.resolve import CMDLINE_FILE
from opsctl.model.profile.setting import Compare, Means
from opsctl.model.value import Value

NO_UNIT = "no unit of this name"
"""How the reason of a reading begins where systemd knows no such unit."""
_WORST = (Verdict.DRIFTED, Verdict.UNREADABLE, Verdict.REBOOT)
_ON = frozenset({"on", "yes", "true", "enabled", "y"})
_OFF = frozenset({"off", "no", "false", "disabled", "n"})
_SWITCHES = frozenset({Means.ETHTOOL, Means.SSHD})
"""What says on or off in several ways. A unit does not: `on` is enabled and active."""

Answers = Mapping[tuple[Means, str], Reading]


class Change(Value):
    """What became of a setting between two audits; a verdict is None where it was not judged."""

    setting: str
    before: Verdict | None
    after: Verdict | None
    got_before: str = ""
    got_after: str = ""


def judge(profile: Profile, readings: Iterable[Reading]) -> tuple[Finding, ...]:
    """Return a finding for each setting of a profile, in its order.

    A setting that takes a reboot is `reboot` where it was written and does not hold: a word of
    the command line that stands in the file for the next boot, or what follows from such words
    while any of them waits. Readings answer `resolve.asks`, which asks for that file.
    """
    answers: Answers = {(each.means, each.at): each for each in readings}
    written = _words_written(answers)
    waits = any(
        _waits(wanted, written) and not _holds_now(wanted, answers)
        for wanted in profile.settings
        if wanted.means is Means.CMDLINE and not wanted.lacks
    )
    return tuple(_judged(wanted, answers, written, waits) for wanted in profile.settings)


def verdict(findings: Iterable[Finding]) -> Verdict:
    """Return that of a server: the worst of its findings.

    Drift is worse than what could not be read, and that is worse than a reboot that is due.
    """
    found = {finding.verdict for finding in findings}
    return next((each for each in _WORST if each in found), Verdict.HOLDS)


def drift(before: Sequence[Finding], after: Sequence[Finding]) -> tuple[Change, ...]:
    """Return what changed between two audits: verdicts, and values that were read."""
    old = {finding.setting: finding for finding in before}
    new = {finding.setting: finding for finding in after}
    changes = []
    for setting in dict.fromkeys((*old, *new)):
        was, now = old.get(setting), new.get(setting)
        same_value = was and now and (was.got == now.got or _varies(was, now))
        if was and now and was.verdict is now.verdict and same_value:
            continue
        changes.append(
            Change(
                setting=setting,
                before=was.verdict if was else None,
                after=now.verdict if now else None,
                got_before=was.got if was else "",
                got_after=now.got if now else "",
            )
        )
    return tuple(changes)


def _varies(was: Finding, now: Finding) -> bool:
    """Whether a figure is measured, and differs each time while it holds."""
    return was.setting.startswith(f"{Means.MEASURED}.clock") and was.want == now.want


def _judged(wanted: Wanted, answers: Answers, written: Sequence[str], waits: bool) -> Finding:
    reading = answers.get((wanted.means, wanted.at))
    got = (reading.value or "") if reading else ""

    def finding(found: Verdict, detail: str = "") -> Finding:
        return Finding(setting=wanted.id, want=wanted.want, got=got, verdict=found, detail=detail)

    if wanted.lacks:
        return finding(Verdict.NOT_APPLICABLE, wanted.lacks)
    holds = False
    reason = (reading.reason if reading else "it was not read") or "it could not be read"
    if reading is not None and reading.value is not None:
        try:
            holds = _compared(wanted, reading.value)
            reason = ""
        except ValueError as error:
            reason = str(error)
    if holds:
        return finding(Verdict.HOLDS)
    absent = reading is not None and _is_absent(reading)
    if wanted.boot and (
        _waits(wanted, written) if wanted.means is Means.CMDLINE else waits and not reason
    ):
        return finding(Verdict.REBOOT, "it is written, and holds after a reboot")
    if reason and not absent:
        return finding(Verdict.UNREADABLE, reason)
    return finding(Verdict.DRIFTED, reason if absent else "")


def _is_absent(reading: Reading) -> bool:
    """Whether it was read that there is none: no word on the command line, no such unit."""
    return reading.value is None and (
        reading.means is Means.CMDLINE
        or (reading.means is Means.UNIT and reading.reason.startswith(NO_UNIT))
    )


def _words_written(answers: Answers) -> tuple[str, ...]:
    """Return the words of the command line of the next boot, as the file of opsctl has them."""
    reading = answers.get((Means.FILE, CMDLINE_FILE))
    text = (reading.value or "") if reading else ""
    lines = (line for line in text.splitlines() if line.startswith("GRUB_CMDLINE_LINUX"))
    return tuple(
        word.removeprefix('"')
        for line in lines
        for word in line.partition("=")[2].replace("'", '"').strip().strip('"').split()
    )


def _waits(wanted: Wanted, written: Sequence[str]) -> bool:
    word = f"{wanted.at}={wanted.want}" if wanted.want else wanted.at
    return word in written


def _holds_now(wanted: Wanted, answers: Answers) -> bool:
    reading = answers.get((wanted.means, wanted.at))
    if reading is None or reading.value is None:
        return False
    try:
        return _compared(wanted, reading.value)
    except ValueError:
        return False


def _compared(wanted: Wanted, got: str) -> bool:
    """Return whether what was read fulfils what is wanted; ValueError where it is no such value."""
    match wanted.compare:
        case Compare.CPUS:
            return cpus.of(wanted.at, got) == cpus.of(wanted.at, wanted.want)
        case Compare.WITHIN:
            return cpus.of(wanted.at, got) <= cpus.of(wanted.at, wanted.want)
        case Compare.AT_MOST:
            return abs(_number(got)) <= _number(wanted.want)
        case Compare.AT_LEAST:
            return _number(got) >= _number(wanted.want)
        case Compare.EQUAL:
            form = _FORMS.get(wanted.means, _spaces)
            return form(got) == form(wanted.want)


def _number(text: str) -> Decimal:
    try:
        return Decimal(text.split()[0])
    except (InvalidOperation, IndexError) as error:
        raise ValueError(f"is no number: {text!r}") from error


def _spaces(text: str) -> str:
    """Tabs, and how many spaces, are how the kernel writes, not what holds."""
    return " ".join(text.split())


def _lines(text: str) -> str:
    """Of a file every character counts, but spaces and newlines at the ends of lines."""
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines())


def _switch(text: str) -> str:
    word = _spaces(text).lower()
    return "on" if word in _ON else "off" if word in _OFF else word


def _groups(text: str) -> str:
    """Groups of an account, separated by commas or spaces: their order says nothing."""
    return " ".join(sorted(text.replace(",", " ").split()))


_FORMS: dict[Means, Callable[[str], str]] = {
    **dict.fromkeys(_SWITCHES, _switch),
    Means.FILE: _lines,
    Means.FIREWALL: lambda text: "\n".join(
        _spaces(line) for line in text.split("\n") if line.strip()
    ),
    Means.ACCOUNT: _groups,
}
