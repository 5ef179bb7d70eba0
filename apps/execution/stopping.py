"""Stopping a site that cannot reach the journal: cancels, and a halt that is journaled later.

The one thing that leaves unjournaled is an OrderCancelRequest: it can only take exposure away,
its ClOrdID is the one that a journaled cancel would bear, and a second copy is refused as a
duplicate. What the venue answers waits with all other reports until it can be journaled, or is
resent where the process ends before. docs/adr/0008-cancels-without-a-quorum.md.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable

import msgspec
import structlog

from apps.core.etcd import EtcdError
from apps.core.journal import Halt, KillView
from apps.core.records import ReportSeen
from apps.execution import metrics, oms
from apps.execution.apply import apply
from apps.execution.gateway import Gateway
from apps.execution.halt_note import HaltNote
from apps.execution.order import End, Order
from apps.execution.place import Place
from apps.execution.state import State

log = structlog.get_logger()

AGAIN_S = 0.2
"""How soon the halt is tried again at the journal."""
LOOK_S = 1.0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request to stop; with `others`, orders of other sites' sessions are cancelled, too."""

    by: str
    reason: str = ""
    others: bool = False


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """What was done: ids of orders, and the journal's trouble.

    `cancelled`: a cancel was written to the session. `unsent`: it could not be. `left`: open on
    a session that is not this site's to cancel on. `in_doubt`: nobody knows whether the venue
    has them; they are asked for once the journal is back.
    """

    site: str
    cancelled: tuple[str, ...]
    unsent: tuple[str, ...]
    left: tuple[str, ...]
    in_doubt: tuple[str, ...]
    trouble: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to cancel: order -> ClOrdID; and what not."""

    cancels: dict[str, str]
    left: tuple[str, ...]
    in_doubt: tuple[str, ...]


def foreseen(state: State, reports: Iterable[ReportSeen]) -> State:
    """Return the state as it will be once the reports that wait are journaled."""
    ahead = state.fork()
    for report in reports:
        apply(ahead, report)
    return ahead


def plan(state: State, may: Callable[[Order], bool]) -> Plan:
    """Return the cancels of what the venue is known to have and `may` be cancelled from here."""
    opened = [o for o in state.open_orders() if not o.settled and o.end is End.NONE]
    known = [order for order in opened if order.exists]
    return Plan(
        cancels={order.id: oms.next_cancel(order) for order in known if may(order)},
        left=tuple(order.id for order in known if not may(order)),
        in_doubt=tuple(order.id for order in opened if not order.exists),
    )


class Stopping:
    """Stops one site; a halt asked for here keeps orders in until the journal has it.

    It is kept on disk until then, so that a process that is started anew obeys it, too.
    """

    def __init__(self, place: Place, saw: Callable[[KillView], None]) -> None:
        """Prepare; `saw` is told of the kill switch once the halt is in the journal."""
        self._place = place
        self._saw = saw
        self._note = HaltNote(place.settings.halt_note)
        self._journaling: asyncio.Task[None] | None = None

    async def recall(self) -> None:
        """Let no order leave where a former process of this site was asked to stop."""
        halt = self._note.read()
        if halt is None:
            return
        with contextlib.suppress(EtcdError):
            if await self._lifted(halt):
                self._note.drop()
                return
        log.warning("halted by a request to a former process", by=halt.by, reason=halt.reason)
        self._hold(halt)

    def stop(self, asked: Asked, ahead: State, trouble: str) -> Stopped:
        """Let no order leave from here on, and cancel what is open in the state `ahead`."""
        place, gateway = self._place, self._place.gateway
        halt = Halt(at_ns=place.utc_ns(), by=asked.by, reason=asked.reason)
        self._hold(halt)
        wanted = plan(ahead, lambda order: _may(gateway, order, others=asked.others))
        sent = {o for o, c in wanted.cancels.items() if gateway.cancel(ahead.orders[o], c)}
        metrics.UNJOURNALED_CANCELS.inc(len(sent))
        if unkept := self._note.keep(halt):
            trouble = f"{trouble}; {unkept}: a restart of this site forgets it"
        done = Stopped(
            site=place.site,
            cancelled=tuple(order for order in wanted.cancels if order in sent),
            unsent=tuple(order for order in wanted.cancels if order not in sent),
            left=wanted.left,
            in_doubt=wanted.in_doubt,
            trouble=trouble,
        )
        log.error("stopped without the journal", by=asked.by, **msgspec.structs.asdict(done))
        return done

    def _hold(self, halt: Halt) -> None:
        self._place.gateway.stopped = halt
        if self._journaling is None:
            self._journaling = asyncio.create_task(self._journal())

    async def _journal(self) -> None:
        """Write the kill switch as soon as the journal takes it; then it alone says what holds."""
        journal, gateway = self._place.journal, self._place.gateway
        while (halt := gateway.stopped) is not None:  # the last one that was asked for
            try:
                if not await self._lifted(halt):
                    await journal.halt(by=halt.by, reason=halt.reason)
                view = await journal.kill_switch(patience_s=LOOK_S)
            except EtcdError:
                await asyncio.sleep(AGAIN_S)
                continue
            self._saw(view)
            self._note.drop()
            gateway.stopped = None
            what = "the halt is in the journal" if view.halted else "trading was resumed since"
            log.warning(what, by=halt.by)
        self._journaling = None

    async def _lifted(self, halt: Halt) -> bool:
        """Whether trading was resumed after a halt, while this site could not hear of it."""
        resumed = await self._place.journal.resumed(patience_s=LOOK_S)
        return resumed is not None and resumed.at_ns > halt.at_ns


def _may(gateway: Gateway, order: Order, *, others: bool) -> bool:
    own = order.session == gateway.session or order.sent > 1
    return own or (others and gateway.may_cancel(order))
