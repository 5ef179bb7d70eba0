"""Faults planted in the production code, to prove that the simulator finds such faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import msgspec

from apps.core import candidacy, etcd, leader
from apps.core.journal import KillView, Leadership
from apps.core.records import Batch, encode_batch
from apps.execution import decide, doubt, oms, risk, settle
from apps.execution.actions import Send
from apps.execution.election import Election
from apps.execution.events import Reported
from apps.execution.following import Following
from apps.execution.gateway import Gateway
from apps.execution.order import End
from apps.execution.sequencer import Sequencer
from apps.execution.standby import Standby

Patches = list[Any]
MUTATIONS: dict[str, Callable[[], Patches]] = {}


def mutation(make: Callable[[], Patches]) -> Callable[[], Patches]:
    """Register a mutation under its name."""
    MUTATIONS[make.__name__] = make
    return make


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Plant a fault for the duration of a `with`."""
    with ExitStack() as stack:
        for patch in MUTATIONS[name]():
            stack.enter_context(patch)
        yield


@mutation
def send_before_append() -> Patches:
    """Orders leave as they are decided; the append comes after."""
    real = Sequencer._commit

    async def commit(self: Any, events: Any) -> None:
        fork = self.state.fork()
        stepped = decide.step(fork, events, self._context())
        gateway = self._perform.__self__._place.gateway
        for action in stepped.actions:
            if isinstance(action, Send) and not action.again:
                gateway.enter(fork.orders[action.order])
        await real(self, events)

    return [mock.patch.object(Sequencer, "_commit", commit)]


@mutation
def no_epoch_check() -> Patches:
    """Appends compare the tail and the kill switch, and not who leads."""

    async def transact(self: Any, batch: Batch, raw: bytes, kill: KillView) -> Any:
        journal = self.journal
        tail = journal.key("tail")
        before = str(batch.first - 1).encode()
        at_tail = etcd.value_is(tail, before) if batch.first > 1 else etcd.mod_is(tail, 0)
        return await self._store.attempt(
            [at_tail, etcd.mod_is(journal.key("kill"), kill.mod)],
            [
                etcd.put(journal.batch_key(batch.first), raw),
                etcd.put(tail, str(batch.last).encode()),
            ],
            self._questions(batch.first),
        )

    return [
        mock.patch.object(leader.Leader, "_transact", transact),
        mock.patch.object(leader.Leader, "_still_mine", return_value=None),
    ]


@mutation
def settle_by_reentry_without_a_fence() -> Patches:
    """What the venue does not know is entered again, whatever the venue promises."""
    again = settle.Answered(step="reenter", reason="mutated")
    return [mock.patch.object(settle, "unknown", return_value=again)]


@mutation
def unknown_taken_for_absence() -> Patches:
    """What the venue does not know will never be there."""
    gone = settle.Answered(step="decline", reason="mutated")
    return [mock.patch.object(settle, "unknown", return_value=gone)]


@mutation
def exec_ids_forgotten() -> Patches:
    """An execution that is told twice is booked twice."""
    real = oms.report

    def report(order: Any, seen: Any) -> Any:
        return real(msgspec.structs.replace(order, booked=frozenset()), seen)

    return [mock.patch.object(oms, "report", report)]


@mutation
def challenge_without_majority() -> Patches:
    """A challenge that was not answered counts as won."""
    real = candidacy.challenge

    async def challenge(journal: Any, known: Any, *, owner: str, site: str) -> Any:
        try:
            return await real(journal, known, owner=owner, site=site)
        except etcd.OutcomeUnknown:
            epoch = known.leader.epoch + 1 if known.leader else 1
            mine = Leadership(epoch=epoch, owner=owner, site=site, at_ns=0)
            kill = KillView(mod=0, seen=0, halt=None)
            made = leader.Leader(journal, mine, known.leader_mod, known.index, kill)
            return candidacy.Won(leader=made, batches=())

    return [mock.patch.object(candidacy, "challenge", challenge)]


@mutation
def a_symbol_in_doubt_is_traded() -> Patches:
    """Doubt reserves exposure and blocks nothing."""
    real = decide._Deciding._view

    def view(self: Any, without: str = "") -> Any:
        return msgspec.structs.replace(real(self, without), doubted={})

    return [mock.patch.object(decide._Deciding, "_view", view)]


@mutation
def unjournaled_reports_dropped_at_takeover() -> Patches:
    """A successor forgets the reports that its predecessor had not journaled."""
    real = Standby.takeover

    def takeover(self: Standby) -> Any:
        return [event for event in real(self) if not isinstance(event, Reported)]

    return [mock.patch.object(Standby, "takeover", takeover)]


@mutation
def append_repeated_after_an_unknown_outcome() -> Patches:
    """An append without an answer is made again behind whatever is there now."""
    real = leader.Leader.append

    async def append(self: Any, records: Any, kill: KillView) -> int:
        while True:
            batch = Batch(
                first=self.tail + 1,
                epoch=self.mine.epoch,
                writer=self.mine.owner,
                records=tuple(records),
            )
            try:
                answer = await self._transact(batch, encode_batch(batch), kill)
            except etcd.OutcomeUnknown:
                self.tail = await self.journal.tail()
                continue
            if answer.succeeded:
                self._confirm(self.confirmed)
                self.tail = batch.last
                return batch.last
            return int(await real(self, records, kill))

    return [mock.patch.object(leader.Leader, "append", append)]


@mutation
def kill_switch_not_compared() -> Patches:
    """Appends do not compare the kill switch, nor does the gateway look at it."""
    real = Gateway.withholds

    def withholds(self: Any, order: Any, *, market_seq: int) -> str:
        why = real(self, order, market_seq=market_seq)
        return "" if why.startswith("halted") else why

    return [
        mock.patch.object(Gateway, "withholds", withholds),
        mock.patch.object(doubt, "_halted", return_value=""),
    ]


@mutation
def duplicate_rejection_taken_for_rejection() -> Patches:
    """An order that the venue refuses as a duplicate counts as refused, and not as there."""
    real = oms.report

    def report(order: Any, seen: Any) -> Any:
        if oms.answer(seen) is oms.Answer.DUPLICATE and not order.settled:
            return oms.Step(order=msgspec.structs.replace(order, end=End.REJECTED, doubt=False))
        return real(order, seen)

    return [mock.patch.object(oms, "report", report)]


@mutation
def replay_not_to_the_elections_revision() -> Patches:
    """A successor trades on what its stream has brought so far."""
    real = candidacy._won
    lead = Following.until_leading

    async def won(*given: Any) -> Any:
        return msgspec.structs.replace(await real(*given), batches=())

    async def until_leading(self: Any) -> Any:
        won = await lead(self)
        self.state.index = won.leader.tail
        return won

    return [
        mock.patch.object(candidacy, "_won", won),
        mock.patch.object(Following, "until_leading", until_leading),
    ]


@mutation
def inbound_numbers_from_the_engines_store() -> Patches:
    """What the engine has handed over counts as journaled."""

    def open_(self: Any, inbound: Any) -> None:
        self._engine.start()

    return [mock.patch.object(Gateway, "open", open_)]


@mutation
def reentry_after_the_kill_switch() -> Patches:
    """What was decided before a halt is entered again during it."""
    real = Gateway.withholds

    def refusal(self: Any, order: Any) -> str:
        view = msgspec.structs.replace(self._view(without=order.id), doubted={}, halt="")
        return risk.recheck(order.intent, view, self.context.limits)

    def withholds(self: Any, order: Any, *, market_seq: int) -> str:
        why = real(self, order, market_seq=market_seq)
        return "" if why.startswith("halted") and order.sent > 1 else why

    return [
        mock.patch.object(decide._Deciding, "_refusal", refusal),
        mock.patch.object(Gateway, "withholds", withholds),
    ]


# Faults that the simulator has found in this code, planted again


@mutation
def events_of_a_deposed_leader_dropped() -> Patches:
    """What a leader was appending as it was deposed is forgotten, reports included."""
    return [mock.patch.object(Sequencer, "_return", return_value=None)]


@mutation
def the_engines_number_where_none_is_journaled() -> Patches:
    """A session of which nothing was journaled goes on by the engine's own number."""

    def open_(self: Any, inbound: Any) -> None:
        for session in self._own:
            if session in inbound:
                self._engine.expect(session, inbound[session] + 1)
        self._engine.start()

    return [mock.patch.object(Gateway, "open", open_)]


@mutation
def leadership_is_taken_unasked() -> Patches:
    """A site challenges a silent leader although only an order moves leadership."""
    always = property(lambda _: True)
    return [mock.patch.object(Election, "may_challenge", always)]


@mutation
def one_session_is_proof_for_another() -> Patches:
    """An order that left on two sessions is absent as soon as its first one was cut."""
    real = oms.in_doubt

    def in_doubt(order: Any, *, cut: str) -> Any:
        after = real(order, cut=cut)
        return msgspec.structs.replace(after, stranded=after.stranded or cut == order.session)

    return [mock.patch.object(oms, "in_doubt", in_doubt)]


@mutation
def a_withheld_entry_may_still_arrive() -> Patches:
    """What the gateway kept back counts as on its way, and is held in doubt for good."""

    def without_last(order: Any, session: str) -> Any:
        return msgspec.structs.replace(order, sent=max(order.sent - 1, 0))

    return [mock.patch.object(oms, "_without_last", without_last)]
