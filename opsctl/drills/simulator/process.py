"""A site's execution app in a simulated world: the production code, on other stuff."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from apps.core import clock
from apps.core.bus import Bus
from apps.core.fix import Engine
from apps.core.journal import Journal
from apps.core.messages import Decision, Portfolio
from apps.core.settings import ExecutionSettings
from apps.execution.app import Execution
from apps.execution.events import Decided
from apps.execution.feeds import SILENT_S, Feeds
from apps.execution.gateway import Gateway
from apps.execution.place import Place
from apps.execution.risk import Market
from apps.execution.teller import Teller, Told
from opsctl.drills.simulator.engine import VirtualEngine
from opsctl.drills.simulator.store import Client
from opsctl.drills.simulator.venue import VirtualVenue
from opsctl.drills.simulator.world import Loop, World

LOOK_S = 0.25
"""How often a bus that is silent answers."""


class SiteBus:
    """What outlives a site's process: what lies on its bus, and its FIX engine's store."""

    def __init__(self) -> None:
        """Begin empty."""
        self.decisions: list[Decision] = []
        self.market = Market()
        self.told: list[Told] = []
        self.fix_numbers: dict[str, int] = {}
        self.changed: list[Callable[[], None]] = []

    def put(self, decision: Decision) -> None:
        """Take a decision."""
        self.decisions.append(decision)
        self.ring()

    def move(self, market: Market) -> None:
        """Take a day's prices."""
        self.market = market
        self.ring()

    def ring(self) -> None:
        """Tell the reader."""
        for changed in self.changed:
            changed()


class VirtualFeeds:
    """Reads a site's bus, as `apps.execution.feeds.Feeds` does."""

    def __init__(self, bus: SiteBus, put: Callable[[Decided], None], loop: Loop) -> None:
        """Prepare."""
        self.market = bus.market
        self.heard = 0.0
        self._bus, self._put, self._loop = bus, put, loop

    @property
    def silent(self) -> bool:
        """Whether the bus has not answered for too long."""
        return clock.monotonic() - self.heard > SILENT_S

    async def run(self, source: str, room: Callable[[], bool]) -> None:
        """Read decisions after an id, for ever."""
        at = int(source.partition("-")[0])
        rung = asyncio.Event()
        self._bus.changed = [lambda: self._loop.inside(rung.set)]
        while True:
            self.heard = clock.monotonic()
            self.market = self._bus.market
            while at < len(self._bus.decisions) and room():
                decision = self._bus.decisions[at]
                at += 1
                self._put(Decided(f"{at}-0", decision, self._loop.utc_ns()))
            rung.clear()
            try:
                async with asyncio.timeout(LOOK_S):
                    await rung.wait()
            except TimeoutError:
                pass


class VirtualTeller:
    """Tells a site's bus, which never fails."""

    def __init__(self, bus: SiteBus) -> None:
        """Prepare."""
        self._bus = bus

    def tell(self, messages: Sequence[Told], portfolio: Portfolio) -> None:
        """Put messages on the bus."""
        self._bus.told += messages

    async def run(self) -> None:
        """Do nothing more, for ever."""
        await asyncio.Event().wait()

    async def last_index(self) -> int:
        """Return the journal index of the newest message."""
        return max((message.index for message in self._bus.told[-1:]), default=0)


class Simulated(Execution):
    """The app without its operations endpoint, its files and its sockets."""

    def __init__(
        self,
        settings: ExecutionSettings,
        world: World,
        venue: VirtualVenue,
        loop: Loop,
        bus: SiteBus,
        number: int,
        links: Callable[[Callable[[str, bool], None]], None],
    ) -> None:
        """Keep the world; `links` takes whoever is told of the links to the other sites."""
        super().__init__(settings)
        self.world, self.venue, self.loop = world, venue, loop
        self.bus, self.number = bus, number
        self.links = links
        self.place: Place | None = None
        self.engine: VirtualEngine | None = None

    async def trade(self, client: Client) -> None:
        """Run for ever."""
        journal = Journal.on(self.settings.environment, cast("Any", client), self.loop.utc_ns)
        await self._trade(journal, cast("Bus", None))

    def _place(self, journal: Journal, bus: Bus) -> Place:
        self.place = Place(
            self.settings,
            f"{self.settings.site}/{self.number}",
            journal,
            cast("Teller", VirtualTeller(self.bus)),
            self.loop.utc_ns,
        )
        return self.place

    def _furnish(self, place: Place) -> None:
        place.feeds = cast("Feeds", VirtualFeeds(self.bus, place.put, self.loop))

        def engine(**given: Any) -> VirtualEngine:
            self.engine = VirtualEngine(
                self.venue, self.loop, numbers=self.bus.fix_numbers, **given
            )
            return self.engine

        place.gateway = Gateway(
            self.settings, place.put, self.loop.utc_ns, cast("type[Engine]", engine)
        )

    async def _mind_clock(self, place: Place) -> None:
        """Do nothing: the world has one clock, and its engine dials by that."""

    async def _keep_links(self, changed: Callable[[str, bool], None]) -> None:
        self.links(changed)
        await asyncio.Event().wait()

    @property
    def role(self) -> Any:
        """What it is now."""
        return self._role


def settings_of(site: str, folder: Path, plan: Any) -> ExecutionSettings:
    """Return the settings of a site; its files are in a folder that is never written."""
    token = folder / "secret"
    nowhere = "127.0.0.1:9"
    others = {other: nowhere for other in ("a", "b") if other != site}
    return ExecutionSettings.of(
        environment="simulated",
        site=site,
        service="execution",
        http_port=9,
        http_token_file=token,
        bus_port=9,
        bus_password_file=token,
        journal_endpoints=[nowhere],
        journal_ca_file=token,
        journal_cert_file=token,
        journal_key_file=token,
        fix_port=9,
        fix_store=folder,
        fix_password_file=token,
        sites=["a", "b"],
        peer_port=9,
        peers=others,
        duplicate_check=plan.duplicate_check,
        status_request=plan.status_request,
        status_scope=plan.status_scope,
        cross_session_cancel=plan.cross_session_cancel,
        takeover="manual" if plan.manual else "automatic",
        on_disconnect="cancel" if plan.cancel_on_disconnect else "keep",
        price_collar_bps=500,
        max_position_notional_usd=1_000,
        max_gross_notional_usd=2_400,
        max_order_notional_usd=600,
        capital_usd=10_000,
    )
