"""Orders through FIX: every type, every request, every answer; drop copies equal them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal

import pytest

from apps.core.fix import Received
from apps.venue.lines import Accept, Execution
from tests.integration.venue.market import B_DROP, B_ORD, DROP, ORD, Firm, Market, firm, market
from tests.support.servers import folder

TRANSPORT = (8, 9, 10, 34, 35, 43, 49, 52, 56, 122)


@pytest.fixture(scope="module")
def venue() -> Iterator[Market]:
    with folder() as home, market(home, sites=["a", "b"]) as running:
        yield running


def body(message: Received) -> dict[int, str]:
    return {tag: value for tag, value in message.pairs if tag not in TRANSPORT}


def kinds(reports: list[Received]) -> list[tuple[str, str]]:
    return [(r.get(150), r.get(39)) for r in reports]


async def filled(at: Firm, name: str, **terms: str) -> list[Received]:
    await at.order(name, **terms)
    return await at.told(ORD, name, 2)


def test_every_order_type(venue: Market) -> None:
    async def scenario() -> None:
        async with firm(venue) as at:
            ioc = await filled(at, "ioc")
            assert kinds(ioc) == [("0", "0"), ("F", "2")]
            fill = ioc[1].fields()
            assert (fill[32], fill[14], fill[151]) == ("10", "10", "0")
            assert Decimal("100") < Decimal(fill[31]) < Decimal("100.2")
            assert fill[75] == "20200102"
            assert Decimal(fill[6]) == Decimal(fill[31])

            assert kinds(await filled(at, "market", price="", tif="0")) == [("0", "0"), ("F", "2")]
            far = await filled(at, "far", price="90")
            assert kinds(far) == [("0", "0"), ("4", "4")]
            assert far[1].get(58) == "immediate or cancel"

            assert kinds(await filled(at, "fok", tif="4", qty="900")) == [("0", "0"), ("F", "2")]
            whole = await filled(at, "fok-too-big", tif="4", qty="1001")
            assert kinds(whole) == [("0", "0"), ("4", "4")]

            await at.order("ioc-too-big", qty="5000")
            part = await at.told(ORD, "ioc-too-big", 3)
            assert kinds(part) == [("0", "0"), ("F", "1"), ("4", "4")]
            assert int(part[1].get(32)) + int(part[1].get(151)) == 5000

            await at.order("test-symbol", symbol="ZVZZT", price="10")
            assert kinds(await at.told(ORD, "test-symbol", 2)) == [("0", "0"), ("4", "4")]

    asyncio.run(scenario())


def test_a_day_order_rests_is_replaced_and_canceled(venue: Market) -> None:
    async def scenario() -> None:
        async with firm(venue) as at:
            await at.order("d1", price="95", tif="0", qty="30")
            assert kinds(await at.told(ORD, "d1")) == [("0", "0")]
            assert (await at.status("d1")).get(39) == "0"

            (smaller,) = await at.replace("d2", "d1", qty="20", price="95")
            assert (smaller.get(150), smaller.get(41), smaller.get(151)) == ("5", "d1", "20")
            old = await at.status("d1")
            assert (old.get(11), old.get(41), old.get(38)) == ("d2", "d1", "20")

            (gone,) = await at.cancel("c1", "d2")
            assert (gone.get(150), gone.get(39), gone.get(41)) == ("4", "4", "d2")
            late = (await at.cancel("c2", "d2"))[0]
            assert (late.msg_type, late.get(102), late.get(39)) == ("9", "0", "4")
            unknown = (await at.cancel("c3", "never"))[0]
            assert (unknown.get(102), unknown.get(39), unknown.get(434)) == ("1", "8", "1")

    asyncio.run(scenario())


def test_a_replace_that_crosses_trades(venue: Market) -> None:
    async def scenario() -> None:
        async with firm(venue) as at:
            await at.order("x1", price="95", tif="0")
            await at.told(ORD, "x1")
            await at.replace("x2", "x1", qty="10", price="101")
            assert kinds(await at.told(ORD, "x2", 2)) == [("5", "0"), ("F", "2")]
            refused = (await at.replace("x3", "x2", qty="5", price="101"))[0]
            assert (refused.msg_type, refused.get(434)) == ("9", "2")

    asyncio.run(scenario())


def test_duplicates_are_refused_for_the_whole_firm(venue: Market) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, B_ORD) as at:
            await filled(at, "dup")
            await at.order("dup", session=B_ORD)
            (refused,) = await at.told(B_ORD, "dup")
            assert (refused.get(150), refused.get(39), refused.get(103)) == ("8", "8", "6")
            assert (await at.status("dup", session=B_ORD)).get(39) == "2"
            await at.cancel("dup", "dup")
            again = (await at.told(ORD, "dup", 3))[-1]
            assert (again.msg_type, again.get(102)) == ("9", "6")

    asyncio.run(scenario())
    assert sum(x.cl_ord_id == "dup" for x in venue.lines(Accept)) == 1


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"symbol": "NONE"}, "1"),
        ({"qty": "0"}, "13"),
        ({"qty": "1.5"}, "13"),
        ({"price": "100.00001"}, "99"),
        ({"price": "-1"}, "99"),
        ({"tif": "1"}, "11"),
        ({"side": "5"}, "11"),
    ],
)
def test_bad_orders_are_rejected(venue: Market, terms: dict[str, str], reason: str) -> None:
    name = "bad" + "".join(f"-{k}{v}" for k, v in terms.items())

    async def scenario() -> None:
        async with firm(venue) as at:
            await at.order(name, **terms)
            (refused,) = await at.told(ORD, name)
            assert (refused.get(150), refused.get(39), refused.get(103)) == ("8", "8", reason)
            assert (await at.status(name)).get(39) == "8"

    asyncio.run(scenario())


def test_unknown_order_is_known_to_be_unknown(venue: Market) -> None:
    async def scenario() -> None:
        async with firm(venue) as at:
            answer = await at.status("nobody")
            assert [answer.get(tag) for tag in (150, 39, 103)] == ["I", "8", "5"]

    asyncio.run(scenario())


def test_mass_status_tells_every_order_of_the_day(venue: Market) -> None:
    async def scenario() -> None:
        async with firm(venue) as at:
            await at.order("m1", price="94", tif="0")
            await at.told(ORD, "m1")
            told = await at.mass_status()
            assert [a.get(911) for a in told] == [str(len(told))] * len(told)
            assert {a.get(11): a.get(39) for a in told}["m1"] == "0"
            assert len({a.get(37) for a in told}) == len(told)
            await at.cancel("m2", "m1")

    asyncio.run(scenario())


def test_drop_copies_are_equal_on_every_site(venue: Market) -> None:
    async def scenario() -> None:
        async with firm(venue, ORD, B_ORD, DROP, B_DROP) as at:
            await filled(at, "copy-1")
            await at.order("copy-2", price="95", tif="0")
            await at.told(ORD, "copy-2")
            await at.cancel("copy-3", "copy-2", session=B_ORD)  # another session of the firm
            await at.told(ORD, "copy-3")
            for drop in (DROP, B_DROP):
                await at.told(drop, "copy-3")
                for name in ("copy-1", "copy-2", "copy-3"):
                    own = [body(m) for m in at.reports(ORD, name)]
                    assert [body(m) for m in at.reports(drop, name)] == own != []

    asyncio.run(scenario())


def test_a_drop_copy_session_takes_no_orders(venue: Market) -> None:
    async def scenario() -> None:
        async with firm(venue) as at:
            await at.order("wrong-door", session=DROP)
            await at.until(lambda: bool(at.messages(DROP, "j")), "a refusal")
            (refused,) = at.messages(DROP, "j")
            assert (refused.get(380), refused.get(379)) == ("3", "wrong-door")

    asyncio.run(scenario())


def test_wrong_password_is_refused(venue: Market) -> None:
    async def scenario() -> None:
        async with firm(venue, B_ORD, password="guess", store="intruder", wait=False) as at:
            await at.until(lambda: bool(at.seen), "a logout")
            assert not at.engines[B_ORD].logged_on(B_ORD)

    asyncio.run(scenario())


def traded(venue: Market, name: str) -> None:
    """Have one order filled: each test of the record may be the first of its worker."""

    async def scenario() -> None:
        async with firm(venue) as at:
            await filled(at, name)

    asyncio.run(scenario())


def test_the_record_agrees_with_what_the_firm_was_told(venue: Market) -> None:
    traded(venue, "for-the-record")
    lines = venue.lines(Execution)
    trades: dict[str, list[Execution]] = {}
    for line in lines:
        trades.setdefault(line.trade_id, []).append(line)
    assert trades
    for firm_side, maker_side in trades.values():
        assert (firm_side.maker, maker_side.maker) == (False, True)
        assert (firm_side.qty, firm_side.price) == (maker_side.qty, maker_side.price)
        assert firm_side.side != maker_side.side
    assert len({line.exec_id for line in lines}) == len(lines)


def test_the_record_is_handed_out_from_an_offset(venue: Market) -> None:
    traded(venue, "for-the-offset")
    whole = venue.get("/record")
    assert whole.status_code == 200
    assert venue.get("/record", token="wrong").status_code == 401
    assert venue.get("/record?offset=x").status_code == 400
    tail = venue.get("/record?offset=100").content
    assert len(tail) >= len(whole.content) - 100 > 0
    assert tail.startswith(whole.content[100:])
    assert venue.settings.record.read_bytes().startswith(whole.content)
