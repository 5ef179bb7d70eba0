"""What speaks against a handover: decided from what was seen, without asking anybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from apps.core.sites import Overview, Presence
from apps.core.terms import Terms
from opsctl.recovery.outcome import Check, Refusal

STALE_NS = 2_000_000_000
"""A presence, rewritten a few times a second, that old says that its process does not work."""
MOST_BEHIND = 200
"""Records that a follower may lack: a few milliseconds of replay."""
MOST_APART_NS = 100_000_000
"""How far the clocks of two sites may differ."""

HARMFUL: frozenset[Check] = frozenset({"sites", "quorum", "identity", "already", "presence"})
"""What even an emergency does not go past: nothing would be won, or nobody would lead."""


@dataclass(frozen=True)
class Bounds:
    """Between what a site's clock is ahead of ours.

    Known when a value that the site stamps was seen to change between two looks: it was
    written between them.
    """

    least_ns: int
    most_ns: int

    def apart(self, other: Bounds) -> int:
        """Return by how many nanoseconds the two clocks differ at least."""
        return max(0, self.least_ns - other.most_ns, other.least_ns - self.most_ns)


@dataclass(frozen=True)
class Facts:
    """What an overview does not say.

    `tail` is the journal's end as the look began; the presence in the overview is newer, so
    that a busy journal makes no follower seem behind. `clocks` has the sites whose presence
    was rewritten meanwhile, `beat_clock` the leader's by its heartbeat. `members` says for
    every site with a journal member why that does not answer, empty where it does.
    """

    environment: str
    sites: tuple[str, ...]
    witnesses: tuple[str, ...]
    to: str
    tail: int
    now_ns: int
    clocks: Mapping[str, Bounds] = field(default_factory=dict)
    beat_clock: Bounds | None = None
    beat_awaited: bool = True
    members: Mapping[str, str] = field(default_factory=dict)


def check(seen: Overview, facts: Facts) -> list[Refusal]:
    """Return everything that speaks against handing over to `facts.to`, or cannot be known."""
    if len(facts.sites) < 2:
        return [only_one_site(facts.environment, facts.sites)]
    successor = seen.presences.get(facts.to)
    return [
        *_leader(seen, facts, successor),
        *_successor(facts, successor),
        *_clock(facts, successor),
        *_members(facts),
        *_alike(seen, successor),
        *_handover(seen),
    ]


def only_one_site(environment: str, sites: Sequence[str]) -> Refusal:
    """Return the refusal of an environment that has no second site."""
    only = ", ".join(sites)
    return Refusal(
        check="sites",
        reason=f"{environment} has one site, {only}: nothing can take over. "
        "trading:dr: hot or warm gives it a second one",
    )


def reasons(refusals: Sequence[Refusal]) -> list[Refusal]:
    """Return why a planned handover is refused, without what merely follows from a silence."""
    silent = any(r.checked and r.check in ("leader", "presence") for r in refusals)
    return [r for r in refusals if r.checked or not silent]


def parted(refusals: Sequence[Refusal]) -> tuple[list[Refusal], list[Refusal], list[Refusal]]:
    """Part what speaks against an emergency: what forbids it, is gone past, is not known."""
    forbids = [r for r in refusals if r.check in HARMFUL]
    others = [r for r in refusals if r.check not in HARMFUL]
    return forbids, [r for r in others if r.checked], [r for r in others if not r.checked]


def _leader(seen: Overview, facts: Facts, successor: Presence | None) -> Iterator[Refusal]:
    led = seen.leader
    if led is None:
        yield Refusal(check="leader", reason="nobody leads: there is no epoch to hand over")
        return
    if led.site == facts.to and (successor is None or successor.owner == led.owner):
        why = f"{facts.to} leads already, in epoch {led.epoch}"
        yield Refusal(check="already", reason=why)
    elif led.site == facts.to:
        # Its app was started anew: an emergency may name the new process.
        why = f"a former process of {facts.to} holds epoch {led.epoch}: it cannot hand over"
        yield Refusal(check="leader", reason=why)
    if facts.beat_clock is None and not facts.beat_awaited:
        yield _unknown("leader", f"nobody waited for a heartbeat of {led.site}")
    elif facts.beat_clock is None:
        yield Refusal(
            check="leader",
            reason=f"{led.site} leads epoch {led.epoch} and sends no heartbeat, so it would "
            "not answer",
        )


def _successor(facts: Facts, successor: Presence | None) -> Iterator[Refusal]:
    to = facts.to
    if successor is None:
        never = f"the execution app of {to} was never seen"
        yield Refusal(check="presence", reason=never)
        unknown: tuple[Check, ...] = ("session", "fault", "behind")
        yield from (_unknown(check, never) for check in unknown)
        return
    if to not in facts.clocks:
        age_s = (facts.now_ns - successor.at_ns) / 1e9
        yield Refusal(
            check="presence",
            reason=f"the execution app of {to} is silent: what it said last is {age_s:.1f} s old",
        )
    if not successor.session_up:
        yield Refusal(check="session", reason=f"the order session of {to} is not logged on")
    if successor.fault:
        yield Refusal(check="fault", reason=f"{to} could not lead: {successor.fault}")
    behind = facts.tail - successor.index
    if behind > MOST_BEHIND:
        yield Refusal(
            check="behind",
            reason=f"{to} is {behind} records behind the journal's end (at most {MOST_BEHIND})",
        )


def _clock(facts: Facts, successor: Presence | None) -> Iterator[Refusal]:
    theirs = facts.clocks.get(facts.to)
    if facts.beat_clock is None:
        yield _unknown("clock", "no heartbeat of the leader tells its clock")
    elif successor is None or theirs is None:
        yield _unknown("clock", f"nothing that {facts.to} wrote tells its clock")
    elif (apart_ns := facts.beat_clock.apart(theirs)) > MOST_APART_NS:
        yield Refusal(
            check="clock",
            reason=f"the clocks of the leader and of {facts.to} differ by at least "
            f"{apart_ns / 1e6:.0f} ms (at most {MOST_APART_NS // 1_000_000})",
        )


def _members(facts: Facts) -> Iterator[Refusal]:
    for site in (*facts.sites, *facts.witnesses):
        why = facts.members.get(site, "the environment has none there")
        if why:
            yield Refusal(
                check="members",
                reason=f"the journal's member of {site} does not answer ({why}): the journal "
                "would not survive the loss of another",
            )


def _alike(seen: Overview, successor: Presence | None) -> Iterator[Refusal]:
    leading = seen.presences.get(seen.leader.site) if seen.leader else None
    if leading is None or successor is None:
        why = "both sites must have said what they run"
        yield _unknown("settings", why)
        yield _unknown("release", why)
        return
    if seen.update is not None and seen.update.names(_terms(leading), _terms(successor)):
        return
    if leading.settings != successor.settings:
        yield Refusal(
            check="settings",
            reason=f"the settings differ: {leading.site} has {leading.settings[:12]}, "
            f"{successor.site} has {successor.settings[:12]}",
        )
    if leading.release != successor.release:
        yield Refusal(
            check="release",
            reason=f"the releases differ: {leading.site} runs {leading.release}, "
            f"{successor.site} runs {successor.release}",
        )


def _terms(site: Presence) -> Terms:
    return Terms(release=site.release, settings=site.settings)


def _handover(seen: Overview) -> Iterator[Refusal]:
    if seen.handover is not None:
        yield Refusal(
            check="handover",
            reason=f"another handover to {seen.handover.to} is under way, asked for by "
            f"{seen.handover.by}",
        )


def _unknown(check: Check, why: str) -> Refusal:
    return Refusal(check=check, reason=why, checked=False)
