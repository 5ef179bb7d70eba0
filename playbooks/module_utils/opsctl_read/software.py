"""Units, packages, the ssh server's configuration and the firewall's rules, each asked for once."""

from __future__ import annotations

from collections.abc import Iterable

from ansible.module_utils.opsctl_read.answers import ABSENT, Answer, Answers, Unreadable, run

_PROPERTIES = "Names,LoadState,ActiveState,SubState,UnitFileState"
_STARTS = frozenset({"enabled", "enabled-runtime", "static", "alias", "indirect", "generated"})
_RUNS = frozenset({"active", "activating", "reloading"})


def units(ats: Iterable[str]) -> Answers:
    """Read whether units are `on` (enabled and active), `off` (masked, not running) or between."""
    wanted = list(ats)
    ended = run("systemctl", "show", f"--property={_PROPERTIES}", "--", *wanted)
    found = states(ended.out)
    if not found:
        raise Unreadable(f"systemd does not answer: {ended.said}")
    missing = Answer(None, "systemd does not know a unit of this name")
    return {at: found.get(at, missing) for at in wanted}


def states(shown: str) -> Answers:
    """Return the state of each unit, by each of its names, of what `systemctl show` prints."""
    found = {}
    for block in shown.split("\n\n"):
        told = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        for name in told.get("Names", "").split():
            found[name] = state(told)
    return found


def state(told: dict[str, str]) -> Answer:
    """Return a unit's state."""
    runs, file = told["ActiveState"] in _RUNS, told.get("UnitFileState", "")
    if told["LoadState"] == "masked":
        return Answer("masked, but running" if runs else "off")
    if told["LoadState"] == "not-found":
        return Answer(None, "no unit of this name is installed")
    if runs and file in _STARTS:
        return Answer("on")
    what = told["ActiveState"] if runs or told["ActiveState"] == "failed" else "not running"
    return Answer(f"{file or told['LoadState']}, {what}")


def packages(ats: Iterable[str]) -> Answers:
    """Read whether packages are `installed`; one whose configuration alone is left is absent."""
    wanted = list(ats)
    ended = run("dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\\n", *wanted)
    told = dict(line.split(" ", 1) for line in ended.out.splitlines() if " " in line)
    if ended.code not in (0, 1):
        raise Unreadable(f"dpkg-query: {ended.said}")
    answers = {}
    for at in wanted:
        status = told.get(at, "not-installed")
        gone = status in ("not-installed", "config-files")
        answers[at] = Answer(ABSENT if gone else status)
    return answers


def sshd(ats: Iterable[str]) -> Answers:
    """Read keywords as the server's configuration has them; of a repeated one all its values.

    The server is asked what its files mean, with what they include and its defaults.
    """
    ended = run("sshd", "-T")
    if ended.code != 0:
        raise Unreadable(f"sshd -T: {ended.said}")
    found = keywords(ended.out)
    missing = Answer(None, "this version of sshd has no such keyword")
    return {at: Answer(found[at]) if at in found else missing for at in ats}


def keywords(told: str) -> dict[str, str]:
    """Return the values by keyword of what `sshd -T` prints."""
    found: dict[str, list[str]] = {}
    for line in told.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword.lower(), []).append(value.strip())
    return {keyword: " ".join(values) for keyword, values in found.items()}


def firewall(ats: Iterable[str]) -> Answers:
    """Read tables of rules, `FAMILY TABLE`, without counters and handles."""
    answers = {}
    for at in ats:
        ended = run("nft", "--stateless", "list", "table", *at.split())
        if ended.code == 0:
            answers[at] = Answer(ended.out.strip())
        elif "No such file or directory" in ended.err:
            answers[at] = Answer(ABSENT)
        else:
            answers[at] = Answer(
                None, f"nft: {ended.err.splitlines()[0] if ended.err else ended.said}"
            )
    return answers
