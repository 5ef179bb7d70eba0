"""The life of an environment that ends: deployed, verified, used, taken away."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from opsctl.deploy import identity, records
from opsctl.deploy.change import since
from opsctl.deploy.means import Means
from opsctl.deploy.outcome import Deployed
from opsctl.deploy.pipeline import Pipeline
from opsctl.deploy.progress import Progress
from opsctl.ephemeral import cloud, command
from opsctl.ephemeral.cancelling import Cancellation, Cancelled
from opsctl.ephemeral.outcome import CANCELLED, EXPIRED, Step, Up, Verdict
from opsctl.ephemeral.removing import remove
from opsctl.errors import Interrupted, Locked, OpsctlError, UsageError
from opsctl.health.latency import ENOUGH, in_words
from opsctl.health.verify import Verification
from opsctl.infra import applying, ending
from opsctl.infra.whole import KEPT
from opsctl.infra.whole import Deployed as WholeDeployed
from opsctl.model.environment import Environment
from opsctl.model.ephemeral import shown
from opsctl.targets.base import Event, Plan

PROBES = ENOUGH[0.99]
"""So many that a summary has a p99: two seconds more than after a deploy."""


@dataclass(frozen=True)
class Asked:
    """What is asked for: the environment, what runs in it, and whether it then stays up."""

    environment: Environment
    base: str
    command: tuple[str, ...] = ()
    verify: bool = True
    keep: bool = False
    accept_host_keys: bool = False
    """Whether hosts that are made now are believed to be who they say."""
    output: int | None = None
    """The descriptor that the command prints on; None: our standard output."""


class Timed:
    """Passes progress on, and keeps how long each stage took."""

    def __init__(self, progress: Progress) -> None:
        """Pass it on to `progress`."""
        self._progress = progress
        self.took_s: dict[str, float] = {}

    def say(self, text: str) -> None:
        """Pass a remark on."""
        self._progress.say(text)

    def planned(self, plan: Plan) -> None:
        """Pass a plan on."""
        self._progress.planned(plan)

    def event(self, event: Event) -> None:
        """Pass an event on."""
        self._progress.event(event)

    def stage(self, name: str, duration_s: float) -> None:
        """Pass the end of a stage on, and keep it."""
        self.took_s[name] = duration_s
        self._progress.stage(name, duration_s)


def live(asked: Asked, means: Means, progress: Progress) -> Up:
    """Make an environment, use it and take it away; return what became of it.

    It is taken away however that ends: by a step that failed, a signal, or its time.

    Raises:
        UsageError: it was refused before anything was made, because the name is taken.
        Locked: another opsctl works on that name.
    """
    with Cancellation(progress.say) as cancellation:
        return _Life(asked, means, Timed(progress), cancellation).through()


@dataclass
class _Life:
    asked: Asked
    means: Means
    progress: Timed
    cancellation: Cancellation
    steps: list[Step] = field(default_factory=list)
    verification: Verification | None = None
    fault: OpsctlError | None = None
    held: bool = True
    """Whether what was made in a cloud keeps to guardrails and profile."""
    began: float = field(default_factory=time.monotonic)

    def through(self) -> Up:
        self._deploy()
        me = identity.known(self.asked.environment.name)
        verdict, code = self._verdict()
        if code == 0 and self.asked.command:
            verdict, code = self._use()
        if code == 0 and self.cancellation.by is not None:
            verdict, code = self._verdict()
        left = code == 0 and self.asked.keep
        if not left:
            left = not self._take_away()
            if left and code == 0:
                verdict, code = "failed", 1
        return self._outcome(verdict, code, me, left=left)

    def _deploy(self) -> None:
        """Deploy and verify; what is refused because it is not ours is raised."""
        began = time.monotonic()
        done: Deployed | None = None
        try:
            done = self._made()
        except Cancelled:
            pass
        except KeyboardInterrupt:
            self.cancellation.note(2)
        except Interrupted as stop:
            self.cancellation.note(stop.signal)
        except (OpsctlError, OSError) as fault:
            if isinstance(fault, UsageError | Locked) and not self._ours():
                raise
            self.fault = fault if isinstance(fault, OpsctlError) else OpsctlError(str(fault))
        took = since(began) - sum(step.duration_s for step in self.steps)
        verifying = self.progress.took_s.get("verify", 0.0)
        if done is None:
            why = self.fault.message if self.fault else "cancelled"
            self._note("deploy", "failed", took, why, run=self._run())
            return
        self._note("deploy", "passed", took - verifying, f"{done.services} services", run=done.run)
        if done.verification is not None:
            self.verification = done.verification
            found = done.verification.verdict
            self._note("verify", found, verifying, said(done.verification), run=done.run)

    def _made(self) -> Deployed:
        of = self.asked
        arguments = {"by": "env up", "base": of.base, "verify": of.verify}
        if of.environment.infrastructure == "none":
            pipeline = Pipeline(self.means, self.progress)
            return pipeline.deploy(of.environment, arguments=arguments, verify=of.verify)
        with self.cancellation.ending():
            whole = cloud.deploy(
                of.environment,
                self.means,
                self.progress,
                arguments=arguments,
                verify=of.verify,
                accept_host_keys=of.accept_host_keys,
            )
        self._infrastructure(whole)
        return whole.services

    def _infrastructure(self, whole: WholeDeployed) -> None:
        made = whole.infrastructure
        faults = [f"{one.rule} {one.resource}" for one in made.guardrails.findings if one.stands]
        kept = applying.exit_code(made) == 0
        off = [one.name for one in whole.hosts if one.profile not in ("", *KEPT)]
        self.held = kept and not off
        said = [
            f"{len(made.changes)} resources, {len(whole.hosts)} hosts",
            *([] if kept else [f"against guardrails: {', '.join(faults)}"]),
            *([f"without their profile: {', '.join(off)}"] if off else []),
        ]
        verdict = "passed" if self.held else "failed"
        self._note("infrastructure", verdict, made.duration_s, "; ".join(said), run=made.run)

    def _ours(self) -> bool:
        """Return whether what bears the name is the environment that this is about."""
        name = self.asked.environment.name
        standing = ending.noted(name) or records.environment(name)
        return standing is not None and standing.ephemeral == self.asked.environment.ephemeral

    def _run(self) -> str | None:
        found = records.in_progress(self.asked.environment.name)
        return found.run if found else None

    def _verdict(self) -> tuple[Verdict, int]:
        if self.cancellation.by is not None:
            return "cancelled", CANCELLED + self.cancellation.by
        if self.fault is not None:
            return "failed", self.fault.exit_code
        missed = self.verification is not None and self.verification.verdict != "passed"
        if missed or not self.held:
            return "missed", 3
        return "passed", 0

    def _use(self) -> tuple[Verdict, int]:
        of = self.asked.environment
        target = self.means.open_target(records.environment(of.name) or of)
        told = command.variables(of, target.services(), target)
        began = time.monotonic()
        try:
            ran = command.run(
                self.asked.command,
                told,
                until=of.ephemeral.until or datetime.now(UTC),
                cancellation=self.cancellation,
                output=self.asked.output,
            )
        except UsageError as fault:
            self.fault = fault
            self._note("command", "failed", since(began), fault.message)
            return "failed", fault.exit_code
        took = since(began)
        if ran.ended_by == "signal":
            self._note("command", "failed", took, "cancelled")
            return self._verdict()
        if ran.ended_by == "time":
            end = shown(of.ephemeral.until or datetime.now(UTC))
            self._note(
                "command", "failed", took, f"ended: the environment's time was over at {end}"
            )
            return "expired", EXPIRED
        self._note(
            "command", "failed" if ran.exit_code else "passed", took, f"exit {ran.exit_code}"
        )
        return ("failed" if ran.exit_code else "passed"), ran.exit_code

    def _take_away(self) -> bool:
        """Take the environment away; return whether it is gone."""
        began = time.monotonic()

        def away() -> str | None:
            return remove(self.asked.environment, self.means, self.progress, why="env up has ended")

        try:
            # In a thread of its own, in which nothing takes the signals over: they are noted here.
            with ThreadPoolExecutor(1, "take-away") as apart:
                run = apart.submit(away).result()
        except (OpsctlError, OSError) as fault:
            self.fault = self.fault or (
                fault if isinstance(fault, OpsctlError) else OpsctlError(str(fault))
            )
            self._note("take away", "failed", since(began), str(fault))
            return False
        self._note("take away", "passed", since(began), "nothing is left", run=run)
        return True

    def _note(
        self, name: str, verdict: str, took_s: float, detail: str, *, run: str | None = None
    ) -> None:
        made = {"name": name, "verdict": verdict, "duration_s": round(took_s, 3)}
        self.steps.append(Step.model_validate({**made, "detail": detail, "run": run}))

    def _outcome(self, verdict: Verdict, code: int, me: str | None, *, left: bool) -> Up:
        of, fault = self.asked.environment, self.fault
        return Up(
            environment=of.name,
            identity=me,
            base=self.asked.base,
            owner=of.ephemeral.owner,
            expires=of.ephemeral.until or datetime.now(UTC),
            target=of.target,
            tier=of.tier,
            dr=of.dr,
            verdict=verdict,
            exit_code=code,
            duration_s=since(self.began),
            steps=tuple(self.steps),
            verification=self.verification,
            command=self.asked.command,
            left=left,
            error=fault.message if fault else "",
            hint=fault.hint if fault else "",
            details=fault.details if fault else (),
        )


def said(found: Verification) -> str:
    """Return the figures of a verification against the tier's budget, in a line."""
    whole = found.latency
    figures = {"p50": whole.p50_us, "p99": whole.p99_us}
    parts = ", ".join(f"{name} {in_words(us)}" for name, us in figures.items() if us is not None)
    return f"tick to order {parts or 'not measured'} (budget {in_words(whole.budget_us)})"
