"""One run of a drill: steady state, orders, the fault, its end, and what became of it all."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from apps.core.etcd import EtcdError
from opsctl import evidence
from opsctl.deploy import identity
from opsctl.deploy.store import store_of
from opsctl.drills import guards
from opsctl.drills.accounts import Accounts, Since
from opsctl.drills.begin import Blocked, flow, placed, precheck, stand
from opsctl.drills.comparing import compared
from opsctl.drills.judging import judge
from opsctl.drills.measuring import measure, opened
from opsctl.drills.outcome import Drilled, Goal, Measured, Objective, Verdict
from opsctl.drills.recording.files import Window
from opsctl.drills.recording.writing import Recording, led
from opsctl.drills.report import reported
from opsctl.drills.scenario import Scenario
from opsctl.drills.stopping import Stopped, Watch, reasons, unusable
from opsctl.drills.striking import Mover, Striking
from opsctl.drills.succession import Succession
from opsctl.drills.task import Bus, Task
from opsctl.drills.timeline import Say, Timeline
from opsctl.drills.traffic import Traffic
from opsctl.drills.underway import Underway
from opsctl.errors import OpsctlError
from opsctl.evidence.runs import who
from opsctl.health.checks import failure_domains
from opsctl.model.environment import Environment
from opsctl.model.feasibility import rehearsal
from opsctl.targets.base import Target

ORDER_S = 2.0
"""What an order may take that makes another site lead: a look at every place, and the epoch."""


@dataclass
class Run:
    """One run, from its prechecks to its report."""

    environment: Environment
    target: Target
    scenario: Scenario
    say: Say
    move: Mover
    folder: Path
    id: str
    refused: str = ""
    """Why it may not begin, where that is known already."""
    findings: list[str] = field(default_factory=list)
    outcome: Drilled | None = None
    """What it came to, once that is known; it may not be recorded yet."""
    _notes: list[str] = field(default_factory=list)
    _succession: Succession | None = None

    def __post_init__(self) -> None:
        """Name what is worked with."""
        self._told = Timeline(self.say)
        self._accounts = Accounts(self.environment, self.target)
        self._recording = Recording(
            self.folder, self.environment, identity.known(self.environment.name)
        )
        standing = Underway(run=self.id, scenario=self.scenario.name)
        self._striking = Striking(self._accounts, standing, self.move, self._told)

    def whole(self) -> Drilled:
        """Drill, roll back, reconcile, report; a drill that cannot begin is `blocked`."""
        told, accounts = self._told, self._accounts
        began = datetime.now(UTC)
        self._recording.begin(self.scenario)
        told.say("looking for a steady state")
        try:
            self._guard()
            former = precheck(accounts)
            since = stand(accounts)
        except Blocked as why:
            return self._reported("blocked", [str(why)])
        self._succession = Succession(accounts, former, told)
        interrupted = False
        window_ns = 0
        client = Traffic(self._task(), self.folder)
        try:
            with client, Watch(reasons(self.scenario.stop, client, accounts, since.tail, told)):
                self._through(client)
                window_ns = time.time_ns()
        except Stopped as why:
            told.say(f"stopped: {why}")
            self.findings.append(f"stopped before its end: {why}")
        except KeyboardInterrupt:
            interrupted = True
            self.findings.append("stopped by Ctrl-C before its end")
        except Blocked as why:
            self._roll_back(former.site)
            return self._reported("blocked", [str(why)])
        except (OpsctlError, EtcdError, OSError) as fault:
            self.findings.append(fault.message if isinstance(fault, OpsctlError) else str(fault))
        except BaseException:
            self._roll_back(former.site)
            raise
        if why_not := self._roll_back(former.site):
            self.findings.append(why_not)
        guards.release(self.folder, but_bytes=guards.LAST_BYTES)
        told.say("reconciling client, journal, books, drop copies and venue")
        reconciled, unread = compared(accounts, client, since)
        venue = accounts.venue(since).read()
        if self.scenario.opens_nothing:
            self.findings += opened(client, venue, told)
        window = self._window(client, since, window_ns or time.time_ns())
        measured = measure(
            window=window, client=client, venue=venue, reconciled=reconciled, told=told
        )
        self._recording.accounts(accounts, since, window, began)
        verdict, goal, findings = judge(
            measured,
            reconciled,
            objective_ms=self.environment.recovery.rto_s * 1_000,
            goal_ms=self._goal_ms,
            findings=[*self.findings, *unread, *self._unkept()],
            notes=self._notes,
            rolled_back=not why_not,
            interrupted=interrupted,
        )
        return self._reported(
            verdict,
            findings,
            measured=measured,
            goal=goal,
            reconciliation=reconciled,
            rolled_back=not why_not,
        )

    @property
    def _goal_ms(self) -> float:
        """What is ours to reach; an operator's time, and the order's own, come on top of it."""
        waits_s = self.scenario.waits_s(self.environment.recovery)
        return self.scenario.goal.rto_ms + (waits_s and (waits_s + ORDER_S) * 1_000)

    def _unkept(self) -> list[str]:
        if not self._recording.full:
            return []
        lacks = ", ".join(self._recording.full)
        return [f"the recorded run lacks {lacks}: free the disk of {self.folder}, and drill again"]

    def _roll_back(self, to: str) -> str:
        make_room = partial(guards.release, self.folder, but_bytes=guards.LAST_BYTES)
        return self._striking.roll_back(to, make_room)

    def _guard(self) -> None:
        """Look at what forbids a drill, whatever the state of the environment; raises `Blocked`."""
        why = (
            self.refused
            or guards.refusal(self.environment, self.folder, datetime.now(UTC))
            or unusable(self.scenario.stop, self._accounts)
        )
        if why:
            raise Blocked(why)
        guards.reserve(self.folder)

    def _through(self, client: Traffic) -> None:
        """Let orders flow, strike, and wait for the end of it."""
        succession = self._succession
        assert succession is not None  # noqa: S101 - made before the client starts
        self._told.say(f"keeping {self.scenario.load.rate_per_s:g} orders a second coming")
        flow(client)
        former = placed(self.scenario, self._accounts, succession.former, self._told)
        if former.epoch != succession.former.epoch:
            self._notes.append(f"epoch {former.epoch} began before the fault, at {former.site}")
        succession.former = former
        self._striking.prepare(self.scenario, former, client.acknowledged)
        self._striking.strike()
        for missing in succession.await_end(self.scenario, client, self._striking):
            self.findings.append(missing)

    def _task(self) -> Task:
        buses = tuple(
            Bus(site, host, port, password)
            for site, (host, port, password) in self._accounts.buses().items()
        )
        return Task(f"drill{uuid.uuid4().hex[:6]}", buses, self.scenario.load)

    def _reported(
        self,
        verdict: Verdict,
        findings: Sequence[str],
        *,
        measured: Measured | None = None,
        goal: Goal | None = None,
        **found: object,
    ) -> Drilled:
        promise, goal_ms = self.environment.recovery, self._goal_ms
        succession = self._succession
        successor = succession.successor if succession else None
        self.outcome = Drilled.model_validate(
            {
                "id": self.id,
                "scenario": self.scenario.name,
                "title": self.scenario.title,
                "environment": self.environment.name,
                "verdict": verdict,
                "hypothesis": self.scenario.hypothesis,
                "parameters": self.scenario.parameters,
                "objective": Objective(rto_s=promise.rto_s, rpo_orders=promise.rpo_orders or 0),
                "goal": goal or Goal(rto_ms=goal_ms),
                "measured": measured or Measured(),
                "failure_domains": failure_domains(self.environment, self.target.services()).detail,
                "rehearsal": rehearsal(self.environment),
                "leader_before": succession.former.site if succession else "",
                "leader_after": successor.site if successor else "",
                "timeline": self._told.moments(),
                "findings": tuple(findings),
                **found,
            }
        )
        return reported(self._recording, self._told, self.outcome)

    def _window(self, client: Traffic, since: Since, ended_ns: int) -> Window:
        succession = self._succession
        assert succession is not None  # noqa: S101 - made before the client starts
        single = self.environment.venue.sessions == "single"
        return Window(
            client=client.name,
            recovery=self.scenario.recovery,
            single_session=single,
            journal_after=since.tail,
            fault_ns=self._told.fault_ns,
            lifted_ns=self._told.lifted_ns,
            ended_ns=ended_ns,
            former=led(succession.former, single=single),
            successor=led(succession.successor, single=single),
        )


def _facts(found: Drilled) -> dict[str, object]:
    plain: dict[str, object] = json.loads(found.model_dump_json(exclude={"timeline"}))
    return plain


def _unrecorded(made: Run, run: evidence.Run, fault: OSError) -> OpsctlError:
    """Return what is said of a drill whose record cannot be written; its line has the verdict.

    That is `failed`, whatever was measured: nobody can check it.
    """
    free = f"free the disk of {run.folder}, and drill again"
    found = made.outcome
    if found is None:
        return OpsctlError(
            f"the drill cannot be recorded: {fault}", hint=free, details=tuple(made.findings)
        )
    verdict = "failed" if found.verdict == "passed" else found.verdict
    said = f"the drill cannot be recorded: {fault}"
    kept = found.model_copy(update={"verdict": verdict, "findings": (*found.findings, said)})
    run.result = _facts(kept)
    back = "is rolled back" if found.rolled_back else "is NOT rolled back"
    return OpsctlError(
        f"the drill {back}, but cannot be recorded ({fault}): its verdict is {verdict}",
        hint=free,
        details=found.findings,
    )


def recorded(
    environment: Environment,
    target: Target,
    scenario: Scenario,
    *,
    say: Say,
    move: Mover,
    refused: str = "",
) -> Drilled:
    """Run a drill once, or say why it is refused; its line goes to the evidence log."""
    with evidence.recorded(
        command="drill",
        environment=environment.name,
        identity=identity.known(environment.name),
        arguments={"scenario": scenario.name, **scenario.parameters, "by": who()},
    ) as run:
        made = Run(environment, target, scenario, say, move, run.folder, run.id, refused)
        try:
            found = made.whole()
        except OSError as fault:
            raise _unrecorded(made, run, fault) from fault
        finally:
            guards.release(run.folder)
        run.store = store_of(target)
        run.result = _facts(found)
        run.exit_code = 0 if found.verdict == "passed" else 3
    return found
