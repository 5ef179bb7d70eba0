"""Two sites at once, under every promise that a venue may make."""

from __future__ import annotations

import asyncio
from pathlib import Path

from apps.core.fix import Logout
from apps.venue.lines import Accept, Cancel
from tests.integration.venue.market import (
    B_DROP,
    B_MD,
    B_ORD,
    DROP,
    MD,
    ORD,
    SINGLE,
    firm,
    market,
)

SITES = ["a", "b"]
REST = {"price": "95", "tif": "0"}
"""A limit order that stays in the book."""


def test_two_sites_are_served_at_once(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, DROP, MD, B_ORD, B_DROP, B_MD) as at:
            at.subscribe(0, session=MD)
            at.subscribe(0, session=B_MD)
            for session in (MD, B_MD):
                await at.days(0, session=session)

            await at.order("from-a")
            await at.order("from-b", session=B_ORD)
            for name, own, other in (("from-a", ORD, B_ORD), ("from-b", B_ORD, ORD)):
                for session in (own, DROP, B_DROP):
                    reports = await at.told(session, name, 2)
                    assert [m.get(150) for m in reports] == ["0", "F"]
                assert at.reports(other, name) == []
                # The scope is the firm: either session is told of either order.
                assert (await at.status(name, session=other)).get(39) == "2"
            told = await at.mass_status(session=B_ORD)
            assert {m.get(11) for m in told} == {"from-a", "from-b"}

            await at.order("again-a", **REST)
            await at.told(ORD, "again-a")
            await at.order("again-a", session=B_ORD)
            (refused,) = await at.told(B_ORD, "again-a")
            assert (refused.get(39), refused.get(103)) == ("8", "6")

            (gone,) = await at.cancel("cancel-by-b", "again-a", session=B_ORD)
            assert (gone.get(39), gone.get(41)) == ("4", "again-a")
            for session in (ORD, DROP, B_DROP):  # its owner hears of it, too
                await at.told(session, "cancel-by-b")

    with market(tmp_path, sites=SITES) as venue:
        asyncio.run(scenario())


def test_what_a_session_sees_and_holds_is_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, B_ORD, DROP, B_DROP) as at:
            await at.order("x", **REST)
            await at.told(ORD, "x")
            unknown = await at.status("x", session=B_ORD)
            assert [unknown.get(tag) for tag in (150, 39, 103)] == ["I", "8", "5"]
            (nothing,) = await at.mass_status(session=B_ORD)
            assert (nothing.get(911), nothing.get(39)) == ("0", "8")
            assert [m.get(11) for m in await at.mass_status(session=ORD)] == ["x"]

            (refused,) = await at.cancel("cancel-by-b", "x", session=B_ORD)
            assert (refused.msg_type, refused.get(102)) == ("9", "99")
            assert (await at.status("x")).get(39) == "0"

            await at.order("x", session=B_ORD, **REST)  # the same id is another order here
            assert [m.get(39) for m in await at.told(B_ORD, "x")] == ["0"]
            await at.order("x", session=B_ORD, **REST)
            assert (await at.told(B_ORD, "x", 2))[1].get(103) == "6"
            for drop in (DROP, B_DROP):
                assert [m.get(39) for m in await at.told(drop, "x", 3)] == ["0", "0", "8"]
            assert len(await at.mass_status(session=ORD)) == 1

    strict = {"duplicate_check": "session", "status_scope": "session"}
    with market(tmp_path, sites=SITES, cross_session_cancel=False, **strict) as venue:
        asyncio.run(scenario())
        assert [x.session for x in venue.lines(Accept)] == [ORD, B_ORD]


def test_a_venue_without_any_fence(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, B_ORD, DROP, B_DROP) as at:
            for session, count in ((ORD, 1), (ORD, 2), (B_ORD, 1)):
                await at.order("x", session=session, **REST)
                assert [m.get(39) for m in await at.told(session, "x", count)] == ["0"] * count
            for drop in (DROP, B_DROP):
                copies = await at.told(drop, "x", 3)
                assert len({m.get(37) for m in copies}) == 3
            for kind, body in (
                ("H", [(11, "x"), (55, "AAA"), (54, "1"), (790, "asked")]),
                ("AF", [(584, "asked"), (585, "7")]),
            ):
                assert at.send(ORD, kind, body)
            refused = await at.refused("x")
            assert (refused.get(372), refused.get(380)) == ("H", "3")
            assert (await at.refused("asked")).get(372) == "AF"

    profile = {"duplicate_check": "none", "status_request": False}
    with market(tmp_path, sites=SITES, **profile) as venue:
        asyncio.run(scenario())


def test_a_cut_session_loses_its_orders_and_no_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, B_ORD, DROP, B_DROP, store="others") as at:
            await at.order("stays", session=B_ORD, **REST)
            await at.told(B_ORD, "stays")
            async with firm(venue, ORD) as cut:
                await cut.order("goes", **REST)
                await cut.told(ORD, "goes")
            for drop in (DROP, B_DROP):
                new, canceled = await at.told(drop, "goes", 2)
                assert (new.get(39), canceled.get(39)) == ("0", "4")
                assert canceled.get(58) == "session disconnected"
            assert (await at.status("goes", session=B_ORD)).get(39) == "4"
            assert (await at.status("stays", session=B_ORD)).get(39) == "0"

    with market(tmp_path, sites=SITES, on_disconnect="cancel") as venue:
        asyncio.run(scenario())
        assert "goes" in {x.cl_ord_id for x in venue.lines(Cancel)}


def test_one_session_for_all_sites_and_drop_copies_for_each(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, DROP, B_DROP, store="drops") as at:
            async with firm(venue, SINGLE, store="a") as a:
                await a.order("by-a", session=SINGLE, **REST)
                await a.told(SINGLE, "by-a")
            async with firm(venue, SINGLE, store="b", outbound=10_000) as b:
                status = await b.status("by-a", session=SINGLE)
                assert status.get(39) == "0"
                await b.order("by-b", session=SINGLE)
                await b.told(SINGLE, "by-b", 2)
            for drop in (DROP, B_DROP):
                await at.told(drop, "by-a")
                await at.told(drop, "by-b", 2)
        async with firm(venue, ORD, store="no-such-session", wait=False) as stranger:
            await stranger.until(
                lambda: any(isinstance(e, Logout) for e in stranger.seen), "a refusal"
            )
            assert not stranger.engines[ORD].logged_on(ORD)

    with market(tmp_path, sites=SITES, sessions="single") as venue:
        asyncio.run(scenario())
        assert {x.session for x in venue.lines(Accept)} == {SINGLE}


def test_the_throttle_holds_each_session_by_itself(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, B_ORD, DROP) as at:
            for number in range(40):
                await at.order(f"t{number}")
            refused = await at.refused("t39")
            assert (refused.get(372), refused.get(380)) == ("D", "0")
            assert refused.get(58).startswith("throttle: more than 5 requests a second")
            await at.order("other", session=B_ORD)
            await at.told(B_ORD, "other", 2)

    with market(tmp_path, sites=SITES, max_requests_per_s=5) as venue:
        asyncio.run(scenario())
        accepted = [x.cl_ord_id for x in venue.lines(Accept)]
        assert {"t0", "t4", "other"} <= set(accepted)
        assert "t39" not in accepted
        throttled = venue.metric(f'trading_venue_throttled_total{{session="{ORD}"}}')
        assert throttled + len(accepted) == 41
