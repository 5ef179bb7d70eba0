"""One run of a drill: steady state, orders, the fault, its end, and what became of it all."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import psycopg

from apps.core.etcd import EtcdError
from apps.core.fix import Purpose, comp_id
from apps.core.journal import Gap, Leadership
from opsctl import evidence
from opsctl.deploy import identity
from opsctl.deploy.store import store_of
from opsctl.drills import measurement, underway
from opsctl.drills.accounts import Accounts
from opsctl.drills.faults import Faults
from opsctl.drills.outcome import Drilled, Goal, Measured, Moment, Objective, Verdict
from opsctl.drills.reconciliation import Reconciled, journaled, reconcile
from opsctl.drills.report import write
from opsctl.drills.scenario import Freeze, HandOver, Kill, Lose, Part, Scenario
from opsctl.drills.steady import unsteady
from opsctl.drills.task import Bus, Task
from opsctl.drills.traffic import Traffic
from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError
from opsctl.evidence.runs import who
from opsctl.health.checks import failure_domains
from opsctl.model.environment import Environment
from opsctl.model.feasibility import rehearsal
from opsctl.targets.base import Target

STEADY_S = 60.0
"""How long an environment may take to be steady before a drill, and after it."""
FLOW_S = 20.0
"""How long the first acknowledgements may take."""
CALM_S = 1.5
"""Undisturbed orders before the fault, and after its end."""
SETTLE_S = 30.0
"""How long the accounts may take to agree."""
POLL_S = 0.1
ASKED = 3
"""How often a handover is asked for at most."""

Say = Callable[[str], None]


class Blocked(Exception):
    """The drill was not begun: the steady state that it supposes is not there."""


class Mover(Protocol):
    """Moves leadership, as `opsctl failover` does; raises `OpsctlError` where it cannot."""

    def __call__(self, to: str) -> None:
        """Hand the order path over to a site."""
        ...


@dataclass
class Run:
    """One run, from its prechecks to its report."""

    environment: Environment
    target: Target
    scenario: Scenario
    rate_per_s: float
    say: Say
    move: Mover
    folder: Path
    id: str
    _timeline: list[tuple[int, str]] = field(default_factory=list)
    _fault_ns: int = 0
    _findings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Name what is worked with."""
        self._accounts = Accounts(self.environment, self.target)
        self._faults = Faults(self.environment, self.target)
        self._standing = Underway(run=self.id, scenario=self.scenario.name)
        self._former: Leadership | None = None
        self._new: Leadership | None = None

    def whole(self) -> Drilled:
        """Drill, roll back, reconcile, report; a drill that cannot begin is `blocked`."""
        try:
            former = self._precheck()
        except Blocked as why:
            return self._reported(self._made("blocked", findings=[str(why)]))
        tail = self._tail()
        self._former = former
        interrupted = False
        window_ns = 0
        client = Traffic(self._task(), self.folder)
        try:
            with client:
                self._flow(client)
                self._former = leads = self._prepared(former)
                self._strike(leads)
                self._recover(client, leads)
                window_ns = time.time_ns()
        except KeyboardInterrupt:
            interrupted = True
            self._findings.append("stopped by Ctrl-C before its end")
        except Blocked as why:
            self._roll_back(former)
            return self._reported(self._made("blocked", findings=[str(why)]))
        except OpsctlError as fault:
            self._findings.append(f"{fault.message}")
        rolled_back = self._roll_back(former)
        reconciled = self._reconcile(client, tail)
        measured = self._measured(client, reconciled, window_ns or time.time_ns())
        return self._reported(
            self._judged(measured, reconciled, rolled_back=rolled_back, interrupted=interrupted)
        )

    # Before

    def _precheck(self) -> Leadership:
        self._say("looking for a steady state")
        if len(self.environment.trading_sites) < 2:
            raise Blocked(
                f"{self.environment.name} has one site: nothing can take over; "
                "trading:dr: hot gives it a second one"
            )
        why = unsteady(self._accounts, STEADY_S)
        if why:
            raise Blocked(f"the environment is not steady: {'; '.join(why)}")
        leader = self._accounts.overview().leader
        if leader is None:
            raise Blocked("no site leads the order path")
        return leader

    def _tail(self) -> int:
        return self._accounts.overview().tail

    def _task(self) -> Task:
        buses = tuple(
            Bus(site, host, port, password)
            for site, (host, port, password) in self._accounts.buses().items()
        )
        return Task(f"drill{uuid.uuid4().hex[:6]}", buses, self.rate_per_s)

    def _flow(self, client: Traffic) -> None:
        self._say(f"keeping {self.rate_per_s:g} orders a second coming")
        if not _soon(lambda: client.acknowledged() >= 20, FLOW_S):
            raise Blocked("no stream of orders came to flow: is the kill switch on?")
        time.sleep(CALM_S)

    # The fault

    def _strike(self, former: Leadership) -> None:
        fault = self.scenario.fault
        other = next(s for s in self.environment.trading_sites if s != former.site)
        sites = {"leader": former.site, "follower": other}
        match fault:
            case Kill():
                keys = self._faults.of_site(sites[fault.site], fault.services)
                self._blow(f"SIGKILL of {', '.join(keys)}", lambda: self._faults.kill(keys))
            case Freeze():
                keys = self._faults.of_site(sites[fault.site], fault.services)
                self._note(frozen=keys)
                self._blow(f"SIGSTOP of {', '.join(keys)}", lambda: self._faults.freeze(keys))
            case Lose():
                keys = self._faults.of_site(sites[fault.site])
                self._note(down=keys)
                self._blow(
                    f"SIGKILL of all {len(keys)} processes of site {sites[fault.site]}",
                    lambda: self._faults.lose(keys),
                )
            case Part():
                names = self._faults.between_sites()
                self._note(cut=names)
                self._blow(f"{len(names)} links are cut", lambda: self._faults.cut(names))
            case HandOver():
                self._blow(f"handing over to {other}", lambda: self._move(other))

    def _move(self, to: str) -> None:
        """Hand over; what was refused is asked again, as a person would, and shown."""
        for left in range(ASKED, 0, -1):
            try:
                self.move(to)
            except OpsctlError as refused:
                if left == 1:
                    raise
                self._say(f"{refused.message}: asking again")
                time.sleep(POLL_S)
            else:
                return

    def _prepared(self, former: Leadership) -> Leadership:
        """Move the journal's leading member where the fault wants it; return who leads then.

        The store elects for that, and a leader that cannot write meanwhile may be succeeded.
        """
        from opsctl.drills.members import lead

        if not isinstance(self.scenario.fault, Lose) or not self.scenario.fault.etcd_leader:
            return former
        self._say(lead(self.environment, self.target, former.site))
        time.sleep(CALM_S)
        leader = self._accounts.overview().leader or former
        if leader.site != former.site:
            raise Blocked(f"{leader.site} took over when the journal's leading member was moved")
        return leader

    def _note(self, **faults: tuple[str, ...]) -> None:
        self._standing = self._standing.model_copy(update=faults)
        underway.note(self.environment.name, self._standing)

    def _blow(self, what: str, blow: Callable[[], None]) -> None:
        self._say(what)
        self._fault_ns = time.time_ns()
        self._timeline[-1] = (self._fault_ns, what)
        blow()

    def _recover(self, client: Traffic, former: Leadership) -> None:
        """Wait for what must happen, hold the fault as long as asked, lift it, and stay calm."""
        began = time.monotonic()
        objective_s = self.environment.recovery.rto_s
        if self.scenario.takes_over and not _soon(lambda: self._succeeded(former), objective_s):
            self._findings.append(f"nobody took over within {objective_s:g} s")
        before = client.acknowledged()
        if not _soon(lambda: client.acknowledged() > before, objective_s):
            self._findings.append(f"no order was acknowledged within {objective_s:g} s")
        hold_s = getattr(self.scenario.fault, "hold_s", 0.0)
        time.sleep(max(0.0, hold_s - (time.monotonic() - began)))
        if hold_s:
            self._lift()
        time.sleep(CALM_S)

    def _succeeded(self, former: Leadership) -> bool:
        with contextlib.suppress(EtcdError):
            leader = self._accounts.overview().leader
            if leader is not None and leader.epoch > former.epoch:
                self._new = self._new or leader
                self._timeline.append((leader.at_ns, f"{leader.site} leads epoch {leader.epoch}"))
                return True
        return False

    def _lift(self) -> None:
        self._say("the fault is lifted")
        self._faults.lift(self._standing)

    # After

    def _roll_back(self, former: Leadership) -> bool:
        """Lift everything, wait for the steady state, give leadership back; return whether."""
        self._say("rolling back")
        try:
            self._faults.lift(self._standing)
            if why := unsteady(self._accounts, STEADY_S):
                self._findings.append(f"not steady after the rollback: {'; '.join(why)}")
                return False
            underway.clear(self.environment.name)
            leader = self._accounts.overview().leader
            if leader is not None and leader.site != former.site:
                self._move(former.site)
                self._say(f"{former.site} leads again")
        except (OpsctlError, EtcdError) as fault:
            said = fault.message if isinstance(fault, OpsctlError) else str(fault)
            self._findings.append(f"the rollback did not succeed: {said}")
            return False
        return True

    def _reconcile(self, client: Traffic, tail: int) -> Reconciled | None:
        """Compare the accounts until they agree, or their time is over."""
        self._say("reconciling client, journal, books and venue")
        deadline = time.monotonic() + SETTLE_S
        found: Reconciled | None = None
        while True:
            try:
                found = reconcile(
                    acknowledged=client.orders(),
                    journal=journaled(self._accounts.records(tail)),
                    books=self._accounts.books(),
                    venue=self._accounts.venue(),
                )
            except (EtcdError, Gap, psycopg.Error, OSError) as fault:
                if time.monotonic() > deadline:
                    self._findings.append(f"an account could not be read: {fault}")
            if (found is not None and found.clean) or time.monotonic() > deadline:
                return found
            time.sleep(0.5)  # the replay goes on trading: look until one instant agrees

    def _measured(self, client: Traffic, reconciled: Reconciled | None, window_ns: int) -> Measured:
        acknowledged = client.lines()
        accepted = [a for a in self._accounts.venue().accepted if a.order.startswith(client.name)]
        rto_ms = detection_ms = takeover_ms = None
        if self._fault_ns and self._new is not None and self._former is not None:
            single = self.environment.venue.sessions == "single"
            former, successor = (
                comp_id(led.site, Purpose.ORDERS, single=single)
                for led in (self._former, self._new)
            )
            # On one session for all, only the time tells whose order it was.
            since_ns = self._new.at_ns if single else self._fault_ns
            found = measurement.takeover(accepted, former, successor, since_ns)
            detection_ms = measurement.ms(self._fault_ns, self._new.at_ns)
            if found is not None:
                rto_ms = measurement.ms(*found)
                takeover_ms = measurement.ms(self._new.at_ns, found[1])
                self._timeline.append((found[0], "last acceptance on the former session"))
                self._timeline.append((found[1], "first acceptance on the successor's session"))
        elif self._fault_ns and not self.scenario.takes_over:
            moments = [a.at_ns for a in accepted]
            rto_ms = measurement.longest_gap_ms(moments, self._fault_ns, window_ns)
        return Measured(
            detection_ms=detection_ms,
            takeover_ms=takeover_ms,
            rto_ms=rto_ms,
            acknowledgement_gap_ms=measurement.longest_gap_ms(
                [line.at_ns for line in acknowledged], self._fault_ns, window_ns
            )
            if self._fault_ns
            else None,
            orders_submitted=client.submitted(),
            orders_acknowledged=len(acknowledged),
            orders_lost=len({line.split(":")[0] for line in reconciled.lost}) if reconciled else 0,
            orders_duplicated=len(reconciled.duplicated) if reconciled else 0,
            positions_reconciled=not reconciled.positions if reconciled else None,
            open_orders_reconciled=not reconciled.open_orders if reconciled else None,
        )

    def _judged(
        self,
        measured: Measured,
        reconciled: Reconciled | None,
        *,
        rolled_back: bool,
        interrupted: bool,
    ) -> Drilled:
        objective_ms = self.environment.recovery.rto_s * 1_000
        met = None if measured.rto_ms is None else measured.rto_ms <= self.scenario.goal.rto_ms
        failed = list(self._findings)
        if not interrupted and measured.rto_ms is None:
            failed.append("no recovery time could be measured")
        if measured.rto_ms is not None and measured.rto_ms > objective_ms:
            failed.append(f"RTO {measured.rto_ms:g} ms is beyond the objective")
        if reconciled is None or not reconciled.clean:
            failed.append("the accounts do not agree")
        notes = []
        if met is False:
            goal_ms = self.scenario.goal.rto_ms
            notes.append(f"the goal was missed: {measured.rto_ms:g} ms, goal {goal_ms:g} ms")
        verdict: Verdict = "passed"
        if interrupted:
            verdict = "interrupted"
        elif failed or not rolled_back:
            verdict = "failed"
        made = self._made(verdict, measured=measured, met=met, findings=[*failed, *notes])
        return made.model_copy(update={"reconciliation": reconciled, "rolled_back": rolled_back})

    def _made(
        self,
        verdict: Verdict,
        *,
        findings: list[str],
        measured: Measured | None = None,
        met: bool | None = None,
    ) -> Drilled:
        promise = self.environment.recovery
        domains = failure_domains(self.environment, self.target.services())
        return Drilled(
            id=self.id,
            scenario=self.scenario.name,
            title=self.scenario.title,
            environment=self.environment.name,
            verdict=verdict,
            hypothesis=self.scenario.hypothesis,
            parameters=self.scenario.parameters,
            objective=Objective(rto_s=promise.rto_s, rpo_orders=promise.rpo_orders or 0),
            goal=Goal(rto_ms=self.scenario.goal.rto_ms, met=met),
            measured=measured or Measured(),
            failure_domains=domains.detail,
            rehearsal=rehearsal(self.environment),
            leader_before=self._former.site if self._former else "",
            leader_after=self._new.site if self._new else "",
            timeline=tuple(
                Moment(
                    at=datetime.fromtimestamp(at / 1e9, UTC),
                    ms=measurement.ms(self._fault_ns or at, at),
                    what=what,
                )
                for at, what in sorted(self._timeline)
            ),
            findings=tuple(findings),
        )

    def _reported(self, found: Drilled) -> Drilled:
        return write(found, self.folder)

    def _say(self, text: str) -> None:
        self._timeline.append((time.time_ns(), text))
        self.say(text)


def _soon(condition: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(POLL_S)
    return condition()


def recorded(
    environment: Environment,
    target: Target,
    scenario: Scenario,
    *,
    rate_per_s: float,
    say: Say,
    move: Mover,
) -> Drilled:
    """Run a drill once, and leave its line in the evidence log."""
    with evidence.recorded(
        command="drill",
        environment=environment.name,
        identity=identity.known(environment.name),
        arguments={"scenario": scenario.name, **scenario.parameters, "by": who()},
    ) as run:
        found = Run(
            environment, target, scenario, rate_per_s, say, move, run.folder, run.id
        ).whole()
        run.store = store_of(target)
        run.result = json.loads(found.model_dump_json(exclude={"timeline"}))
        run.exit_code = 0 if found.verdict == "passed" else 3
    return found
