"""What each CPU of a server is for, from its topology or as a person wants it; pure.

CPU 0 and its SMT sibling are housekeeping whatever else: the kernel's own work lands there.
A sibling of a trading CPU is isolated with it and stays idle: whatever ran there would share
the core's caches and execution units. It is not taken offline, for then the next look at the
server would find another topology, and compute another layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pydantic import Field

from opsctl.model.faults import Fault
from opsctl.model.profile import cpus
from opsctl.model.profile.box import Box, Nic
from opsctl.model.profile.profile import Layout
from opsctl.model.profile.unfit import Unfit
from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value

GIB = 1 << 30
ORDER_PATH_THREADS = 4
"""Trading CPUs by default, where the server has them: data, bus, strategy and execution are the
order path of a site, and each spins on a core of its own. More would only be taken from others."""
ISOLATING = frozenset({LatencyTier.HFT})
"""Tiers that keep everything else away from the CPUs that trade."""
STEERING = frozenset({LatencyTier.HFT, LatencyTier.INTRADAY})
"""Tiers that say which CPUs serve the interrupts of the trading NICs."""


class Takes(Value):
    """The least that a tier takes."""

    cores: int
    memory_bytes: int


TAKES: dict[LatencyTier, Takes] = {
    # One core for everything else, one that trades.
    LatencyTier.HFT: Takes(cores=2, memory_bytes=1 * GIB),
    LatencyTier.INTRADAY: Takes(cores=1, memory_bytes=1 * GIB),
    LatencyTier.DAILY: Takes(cores=1, memory_bytes=GIB // 2),
    LatencyTier.WEEKLY: Takes(cores=1, memory_bytes=GIB // 2),
}


class Wish(Value):
    """A layout as a person wants it, as lists of CPUs; what is empty is computed."""

    housekeeping: str = ""
    interrupts: str = ""
    trading: str = ""
    threads: int | None = Field(None, ge=1, le=cpus.HIGHEST)
    """How many trading CPUs, where they are not named."""


class Core(NamedTuple):
    """A core: its logical CPUs, the lowest first, and its NUMA node."""

    cpus: tuple[int, ...]
    node: int


def layout(
    box: Box, tier: LatencyTier, wish: Wish | None = None, nics: Sequence[Nic] = ()
) -> Layout:
    """Return what each CPU of a server is for in a tier.

    `nics` are those that carry trading: what serves and uses them is near them.

    Raises:
        Unfit: the server is too small for the tier, or what is wished cannot be had.
    """
    wish = wish or Wish()
    cores = _cores(box)
    faults = [*_too_small(box, cores, tier)]
    if not faults:
        faults += _faults_of(wish, box, cores, tier)
    if faults:
        raise Unfit(faults)
    if tier not in ISOLATING:
        return _shared(box, tier, wish, nics)
    return _isolated(cores, wish, nics)


def _cores(box: Box) -> tuple[Core, ...]:
    found: dict[tuple[int, int], list[int]] = {}
    nodes: dict[tuple[int, int], int] = {}
    for cpu in sorted(box.cpus, key=lambda each: each.cpu):
        found.setdefault((cpu.socket, cpu.core), []).append(cpu.cpu)
        nodes.setdefault((cpu.socket, cpu.core), cpu.node)
    return tuple(Core(tuple(each), nodes[at]) for at, each in found.items())


def _too_small(box: Box, cores: Sequence[Core], tier: LatencyTier) -> Iterator[Fault]:
    takes = TAKES[tier]
    if len(cores) < takes.cores:
        has = f"{len(box.cpus)} CPUs on {len(cores)} core" + ("s" if len(cores) != 1 else "")
        yield Fault(
            path="cpus",
            problem=f"tier {tier} takes {takes.cores} cores, one that trades and one for all else; "
            f"{box.hostname} has {has}",
        )
    if box.memory_bytes < takes.memory_bytes * 0.9:  # the kernel keeps some of what is built in
        yield Fault(
            path="memory",
            problem=f"tier {tier} takes {takes.memory_bytes // (1 << 20)} MiB of memory, "
            f"{box.hostname} has {box.memory_bytes // (1 << 20)} MiB",
        )


def _faults_of(wish: Wish, box: Box, cores: Sequence[Core], tier: LatencyTier) -> Iterator[Fault]:
    sets: dict[str, frozenset[int]] = {}
    here = frozenset(cpu.cpu for cpu in box.cpus)
    for name in ("housekeeping", "interrupts", "trading"):
        try:
            sets[name] = cpus.of_list(getattr(wish, name))
        except ValueError as error:
            yield _fault(name, str(error))
            continue
        if missing := sets[name] - here:
            has = cpus.listed(here)
            yield _fault(name, f"CPUs {cpus.listed(missing)} do not exist: there are {has}")
    if len(sets) < 3 or any(found - here for found in sets.values()):
        return
    if tier not in ISOLATING and (sets["trading"] or wish.threads):
        at = "trading" if sets["trading"] else "threads"
        yield _fault(at, f"tier {tier} isolates no CPUs: leave it out, or extend hft")
        return
    yield from _faults_of_sets(sets, here, cores)
    if wish.threads and sets["trading"] and len(sets["trading"]) != wish.threads:
        yield _fault("threads", f"is {wish.threads}, and trading names {len(sets['trading'])}")
    elif wish.threads and wish.threads > len(cores) - 1:
        yield _fault(
            "threads", f"{wish.threads} take as many cores beside CPU 0's: {len(cores) - 1} are"
        )


def _faults_of_sets(
    sets: dict[str, frozenset[int]], here: frozenset[int], cores: Sequence[Core]
) -> Iterator[Fault]:
    trading = sets["trading"]
    idle = _siblings(trading, cores)
    if here <= trading:
        yield _fault("trading", "isolates every CPU: the kernel and its services need at least one")
    elif taken := trading & set(cores[0].cpus):
        yield _fault(
            "trading",
            f"CPU {min(taken)} is of the first core, which is for housekeeping always",
        )
    for core in cores:
        if len(both := trading & set(core.cpus)) > 1:
            yield _fault(
                "trading",
                f"CPUs {cpus.listed(both)} are siblings of one core: only one of them may trade",
            )
    for name in ("housekeeping", "interrupts"):
        if shared := sets[name] & trading:
            yield _fault(name, f"CPUs {cpus.listed(shared)} trade, and are for nothing else")
        if shared := sets[name] & (idle - trading):
            yield _fault(
                name,
                f"CPUs {cpus.listed(shared)} are SMT siblings of trading CPUs, and stay idle",
            )
    if sets["housekeeping"]:
        rest = here - trading - idle - sets["interrupts"] - sets["housekeeping"]
        if trading and sets["interrupts"] and rest:
            yield _fault("housekeeping", f"CPUs {cpus.listed(rest)} are in no set: name them here")


def _siblings(trading: frozenset[int], cores: Sequence[Core]) -> frozenset[int]:
    found = {cpu for core in cores if trading & set(core.cpus) for cpu in core.cpus}
    return frozenset(found - trading)


def _shared(box: Box, tier: LatencyTier, wish: Wish, nics: Sequence[Nic]) -> Layout:
    """Return the layout of a tier that isolates nothing: everything may run everywhere."""
    every = tuple(sorted(cpu.cpu for cpu in box.cpus))
    nodes = {nic.node for nic in nics if nic.node >= 0}
    near = tuple(cpu.cpu for cpu in box.cpus if cpu.node in nodes) if tier in STEERING else ()
    return Layout(
        housekeeping=_sorted(wish.housekeeping) or every,
        interrupts=_sorted(wish.interrupts) or tuple(sorted(near)) or every,
        trading=(),
    )


def _isolated(cores: Sequence[Core], wish: Wish, nics: Sequence[Nic]) -> Layout:
    first, others = cores[0], _by_nearness(cores[1:], nics)
    named = {name: set(_sorted(getattr(wish, name))) for name in ("trading", "interrupts")}
    kept = set(_sorted(wish.housekeeping))
    if named["trading"]:
        traders = [core for core in others if named["trading"] & set(core.cpus)]
        free = [core for core in others if core not in traders and not kept & set(core.cpus)]
        serving = free[: _serving(len(others), nics)]
    else:
        free = [c for c in others if not (named["interrupts"] | kept) & set(c.cpus)]
        count = wish.threads or ORDER_PATH_THREADS
        # The last core is rather traded on than left to interrupts, which housekeeping can serve.
        spare = 0 if named["interrupts"] or len(free) <= (wish.threads or 1) else 1
        spare = max(spare, min(_serving(len(free), nics), len(free) - count)) if spare else 0
        serving, traders = free[:spare], free[spare : spare + count]
    trading = named["trading"] or {core.cpus[0] for core in traders}
    if not trading or (wish.threads and len(trading) < wish.threads):
        raise Unfit([_fault("trading", "no core is left to trade on: name fewer for the rest")])
    idle = _siblings(frozenset(trading), cores)
    interrupts = named["interrupts"] or {cpu for core in serving for cpu in core.cpus}
    every = {cpu for core in cores for cpu in core.cpus}
    housekeeping = kept or every - trading - idle - interrupts or set(first.cpus)
    return Layout(
        # What a person left over is housekeeping too: no CPU is for nothing by oversight.
        housekeeping=tuple(sorted(housekeeping | (every - trading - idle - interrupts))),
        interrupts=tuple(sorted(interrupts or housekeeping)),
        trading=tuple(sorted(trading)),
        idle=tuple(sorted(idle)),
    )


def _serving(free: int, nics: Sequence[Nic]) -> int:
    """Return how many cores serve interrupts: one, and one for each NIC where there are many."""
    return max(1, min(len(nics), free // 4))


def _by_nearness(cores: Sequence[Core], nics: Sequence[Nic]) -> list[Core]:
    """Return cores in the order in which they are given to interrupts and trading.

    Those on the NUMA node of the trading NICs come first; where none is known, those of the
    node that has most of them, so that what belongs together stays on one.
    """
    known = [nic.node for nic in nics if nic.node >= 0] or [core.node for core in cores]
    near = min(set(known), key=lambda node: (-known.count(node), node), default=0)
    return sorted(cores, key=lambda core: (core.node != near, core.node, core.cpus[0]))


def _sorted(text: str) -> tuple[int, ...]:
    return tuple(sorted(cpus.of_list(text)))


def _fault(field: str, problem: str) -> Fault:
    return Fault(path=f"layout.{field}", problem=problem)
