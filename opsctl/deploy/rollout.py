"""In which steps a change is made, so that a hot environment trades meanwhile: pure.

The site that follows comes first, then the order path is handed to it, then the other site;
the journal's members are changed one at a time. What nobody leads yet, or what both sites
must change in the same instant, is changed all at once, and the one step says why.

The steps are decided anew after each one, from what runs and who leads then: so a deploy that
was killed between two of them is continued by the next, which has nothing to remember.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from opsctl.model.environment import Environment
from opsctl.model.value import Value
from opsctl.services.base import JournalProbe, Service
from opsctl.targets.base import Action, Change, Plan, Running

Kind = Literal["everything", "missing", "shared", "journal", "site", "handover", "unwanted"]


class Step(Value):
    """One step: the services of one place that are changed together, or a handover.

    `everything`: all at once. `missing`: what does not run is started. `shared`: what stands
    outside of the sites. `journal`: one member of the journal. `site`: the services of a site.
    `handover`: the order path goes to `site`. `unwanted`: what nothing asks for any more stops.
    """

    kind: Kind
    site: str = ""
    """The place; empty where it is several."""
    services: tuple[str, ...] = ()
    reason: str


class Planned(Plan):
    """What a deploy would change, and in which steps."""

    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Led:
    """The site whose heartbeats come; `fault` is why no order leaves it, empty where one does."""

    site: str
    fault: str = ""


@dataclass(frozen=True)
class Goal:
    """What a change leads to.

    `former` is the environment as it was deployed before; `at_once` says that who asks
    accepts that trading stops.
    """

    environment: Environment
    services: tuple[Service, ...]
    former: Environment | None = None
    at_once: bool = False


def rollout(
    goal: Goal, changes: Sequence[Change], running: Sequence[Running], led: Led | None
) -> tuple[Step, ...]:
    """Return the steps that are left to make these changes; none where there is nothing to do."""
    if not changes:
        return ()
    if why := together(goal, running, led):
        return (Step(kind="everything", services=_names(changes), reason=why),)
    assert led is not None  # noqa: S101 - or it is done together
    return tuple(_steps(goal, changes, led))


def together(goal: Goal, running: Sequence[Running], led: Led | None) -> str:
    """Return why everything is changed at once; empty where it is rolled."""
    environment, former = goal.environment, goal.former
    if len(environment.trading_sites) < 2:
        return "one site trades"
    if goal.at_once:
        return "asked for: trading stops until a site leads again"
    if led is None:
        return "nobody leads the order path, so no order waits for it"
    if former is not None and former.venue != environment.venue:
        return (
            "the venue's profile changes, and a site that takes the former one for granted could "
            "double an order: trading stops until a site leads again"
        )
    if running and not any(seen.made_from for seen in running):
        return "nothing says what the services were started from: all of them start anew"
    return ""


def _steps(goal: Goal, changes: Sequence[Change], led: Led) -> Iterator[Step]:
    environment = goal.environment
    services = {service.key: service for service in goal.services}
    missing = [c for c in changes if c.action is Action.START]
    unwanted = [c for c in changes if c.action is Action.STOP]
    left = [services[c.name] for c in changes if c.action is Action.RESTART]
    if missing:
        reason = "what does not run is started first: it can harm nobody"
        yield Step(kind="missing", services=_names(missing), reason=reason)
    trading = environment.trading_sites
    shared = [s for s in left if s.site not in environment.sites]
    if shared:
        reason = "both sites use it: trading stops until it is ready and the sessions are up"
        yield Step(kind="shared", site="", services=_keys(shared), reason=reason)
    for place in environment.sites:
        if place not in trading:
            reason = f"{place} only votes; the members of the sites keep the quorum"
            yield from _of_place(place, left, reason)
    followers = [site for site in trading if site != led.site]
    for site in followers:
        yield from _of_place(site, left, f"{site} follows while {led.site} trades")
    last = [s for s in left if s.site == led.site]
    reason = f"nothing of it is on the order path of {led.site}, which goes on trading"
    if any(not s.background for s in last):
        if led.fault:
            reason = f"no order leaves {led.site} as it is: {led.fault}"
        else:
            to = followers[0]
            why = f"{led.site} is next: {to} takes over by a planned handover"
            yield Step(kind="handover", site=to, reason=why)
            reason = f"{led.site} follows while {to} trades"
    yield from _of_place(led.site, left, reason)
    if unwanted:
        reason = "nothing asks for it any more, now that all else is changed"
        yield Step(kind="unwanted", services=_names(unwanted), reason=reason)


def _of_place(place: str, left: Sequence[Service], reason: str) -> Iterator[Step]:
    """Yield the steps of one place: its member of the journal by itself, then the others."""
    here = [s for s in left if s.site == place]
    members = [s for s in here if isinstance(s.probe, JournalProbe)]
    others = [s for s in here if s not in members]
    for member in members:
        why = "one member at a time keeps the journal's quorum"
        yield Step(kind="journal", site=place, services=(member.key,), reason=why)
    if others:
        yield Step(kind="site", site=place, services=_keys(others), reason=reason)


def _names(changes: Sequence[Change]) -> tuple[str, ...]:
    return tuple(change.name for change in changes)


def _keys(services: Sequence[Service]) -> tuple[str, ...]:
    return tuple(service.key for service in services)
