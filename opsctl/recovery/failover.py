"""`failover` and `failback`: look, check, move the order path, leave evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from apps.core.etcd import EtcdError, Unreachable
from apps.core.identity import owner
from apps.core.journal import Journal
from apps.core.sites import Handover
from opsctl import evidence
from opsctl.deploy import identity
from opsctl.deploy.store import store_of
from opsctl.errors import Interrupted, OpsctlError, UsageError
from opsctl.evidence import runs
from opsctl.health.journal import foreign, open_journal
from opsctl.model.environment import WITNESS, Environment
from opsctl.recovery import emergency, healing
from opsctl.recovery.leading import Moved, epoch_of
from opsctl.recovery.look import Look, look_at
from opsctl.recovery.outcome import Failover, Mode, Refusal
from opsctl.recovery.planned import Planned
from opsctl.recovery.prechecks import check, only_one_site, parted, reasons
from opsctl.targets.base import Target

EXIT = {"done": 0, "failed": 1, "refused": 3}
"""Exit codes by verdict."""

Show = Callable[[Failover], None]
Say = Callable[[str], None]


def failover(
    environment: Environment,
    target: Target,
    *,
    to: str,
    mode: Mode,
    by: str,
    show: Show,
    say: Say,
) -> Failover:
    """Move the order path to a site; return what came of it.

    `show` gets the answer before the evidence is written and anchored, `say` the progress.

    Raises:
        UsageError: the environment has no such site.
        Interrupted: Ctrl-C; the message says what became of the request.
    """
    sites = environment.trading_sites
    if len(sites) > 1 and to not in sites:
        why = "the witness only votes" if to == WITNESS else f"{environment.name} has no site {to}"
        raise UsageError(why, hint=f"its sites are {' and '.join(sites)}")
    return _recorded(_Work(environment, target, to, mode, by, say), "failover", show)


def failback(
    environment: Environment, target: Target, *, by: str, show: Show, say: Say
) -> Failover:
    """Hand the order path over to the environment's first site; done where it leads already.

    Raises as `failover` does.
    """
    first = environment.trading_sites[0]
    work = _Work(environment, target, first, "planned", by, say, already_is_done=True)
    return _recorded(work, "failback", show)


def _recorded(work: _Work, command: str, show: Show) -> Failover:
    name = work.environment.name
    with evidence.recorded(
        command=command,
        environment=name,
        identity=identity.known(name),
        arguments={"to": work.to, "mode": work.mode},
    ) as run:
        try:
            result = asyncio.run(work.run(run.id))
        except KeyboardInterrupt as stop:
            raise Interrupted("stopped by Ctrl-C: nothing was asked for yet") from stop
        show(result)
        run.store = store_of(work.target)
        run.result = result.model_dump(mode="json")
        run.exit_code = EXIT[result.verdict]
    return result


@dataclass
class _Work:
    """One command on its way."""

    environment: Environment
    target: Target
    to: str
    mode: Mode
    by: str
    say: Say
    already_is_done: bool = False
    notes: list[str] = field(default_factory=list)
    id: str = ""
    """The run: what it leaves in the journal bears its name."""

    async def run(self, run: str) -> Failover:
        self.id = run
        sites = self.environment.trading_sites
        if len(sites) < 2:
            return self._refused(None, [only_one_site(self.environment.name, sites)])
        async with open_journal(
            self.environment, self.target.services(), self.target.host
        ) as journal:
            try:
                return await self._with(journal)
            except Unreachable as fault:
                why = f"the journal does not answer, so nobody can be made leader: {fault}"
                return self._refused(None, [Refusal(check="quorum", reason=why)])
            except EtcdError as fault:
                raise OpsctlError(
                    f"the journal refused the command: {fault}",
                    hint=f"opsctl health {self.environment.name} shows what is wrong with it",
                ) from fault

    async def _with(self, journal: Journal) -> Failover:
        bears = await owner(journal, patience_s=healing.QUORUM_S)
        mine = identity.known(self.environment.name)
        if bears and mine and bears != mine:
            why = f"the journal is another environment's: {foreign(bears, mine)}"
            return self._refused(None, [Refusal(check="identity", reason=why)])
        healed = await healing.heal(journal, ended=runs.ended)
        if healed:
            self._note(healed)
        found = await look_at(
            journal, self.environment, self.target, self.to, await_beat=self.mode == "planned"
        )
        if found.kill.halt is not None:
            self._note(f"halted by {found.kill.halt.by}: {self.to} will send nothing either")
        against = check(found.overview, found.facts)
        already = [r.reason for r in against if r.check == "already"]
        if self.already_is_done and already and found.facts.beat_clock is not None:
            self.notes.extend(already)
            return self._ended(found, Moved("done", epoch_of(found.overview)))
        if self.mode == "emergency":
            return await self._emergency(journal, found, against)
        return await self._planned(journal, found, reasons(against))

    async def _planned(self, journal: Journal, found: Look, against: Sequence[Refusal]) -> Failover:
        led = found.overview.leader
        if against or led is None:
            return self._refused(found, against)
        asked = Handover(id=self.id, to=self.to, epoch=led.epoch, by=self.by, at_ns=journal.clock())
        moved = await Planned(journal, asked).hand_over(found.overview, self.say)
        if moved.verdict == "refused":
            return self._refused(found, [Refusal(check="leader", reason=moved.detail)])
        return self._ended(found, moved)

    async def _emergency(
        self, journal: Journal, found: Look, against: Sequence[Refusal]
    ) -> Failover:
        forbids, overridden, skipped = parted(against)
        more = {"overridden": tuple(overridden), "skipped": tuple(skipped)}
        if forbids:
            return self._refused(found, forbids, **more)
        after = epoch_of(found.overview) or 0
        self.say(f"naming {self.to} the leader of epoch {after + 1}")
        try:
            moved = await emergency.take(journal, self.to, after)
        except asyncio.CancelledError as stop:
            raise Interrupted(
                f"stopped by Ctrl-C: {self.to} may have been named the leader already",
                hint="the command can be repeated",
            ) from stop
        return self._ended(found, moved, **more)

    def _note(self, text: str) -> None:
        self.notes.append(text)

    def _refused(self, found: Look | None, refusals: Sequence[Refusal], **more: Any) -> Failover:
        moved = Moved("refused", epoch_of(found.overview) if found else None)
        return self._ended(found, moved, refusals=tuple(refusals), **more)

    def _ended(self, found: Look | None, moved: Moved, **more: Any) -> Failover:
        led = found.overview.leader if found else None
        return Failover(
            environment=self.environment.name,
            mode=self.mode,
            from_site=led.site if led else None,
            to_site=self.to,
            from_epoch=led.epoch if led else None,
            epoch=moved.epoch,
            verdict=moved.verdict,
            handover_ms=None if moved.handover_ms is None else round(moved.handover_ms, 1),
            detail=moved.detail,
            notes=tuple(self.notes),
            at=datetime.now(UTC),
            by=self.by,
            **more,
        )
