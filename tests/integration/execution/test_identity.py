"""Two deployments claim one journal: the second takes no part, in any role."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from apps.core import etcd as store
from apps.core.candidacy import Known, challenge
from apps.core.identity import Foreign, claim, owner
from apps.core.journal import Journal
from apps.core.records import EpochTaken
from apps.core.settings import ExecutionSettings, ProjectorSettings
from tests.integration.execution.platform import Platform, app, level, platform, records
from tests.support.servers import Process, free_port, wait_for

MINE, OTHER = "1d6c9bb0-5c61-4e3c-9a5d-0a5d3f6f8a01", "b7a3f0de-90f4-4b5f-8f0e-3d2b1c0a9f02"


def _claim(running: Platform, identity: str) -> str:
    """Claim the journal as an environment; return whose it is then."""

    async def go() -> str:
        async with running.journal() as journal:
            journal.identity = identity
            with contextlib.suppress(Foreign):
                await claim(journal)
            return await owner(journal)

    return asyncio.run(go())


def _second(running: Platform, **settings: object) -> Process:
    """Return the execution app of a second deployment that was given the same journal."""
    port = free_port()
    running.ports["second"] = port
    other = {
        "journal_identity": OTHER,
        "http_port": port,
        "fix_store": running.home / "second-store",
        "journal_archive": running.home / "second-archive",
    }
    kept = running.settings.model_dump()
    made = ExecutionSettings.of(**kept | other | settings)
    process = app(running.home, "second", "apps.execution", made)
    running.processes["second"] = process
    return process


def _epochs(running: Platform) -> int:
    return sum(isinstance(r, EpochTaken) for r in asyncio.run(records(running)))


@pytest.mark.parametrize("sites", [[], ["a", "b"]], ids=["alone", "of two sites"])
def test_a_second_deployment_on_one_journal_takes_no_epoch_and_says_why(sites: list[str]) -> None:
    with platform(journal_identity=MINE) as running:
        running.start("venue")
        running.start("execution")
        running.until_ready("execution")
        more = {"sites": sites, "peer_port": free_port(), "peers": {"b": "127.0.0.1:9"}}
        second = _second(running, **more if sites else {})
        second.start()
        try:
            wait_for(lambda: "belongs to" in running.ready("second"), "the refusal")
            assert running.ready("second") == (
                f"refused: the journal belongs to environment {MINE}; this one is {OTHER}"
            )
            assert running.metric('trading_stands_aside{why="identity"}', "second") == 1
            assert '"kind": "foreign_journal"' in second.log()
            # The leader dies; the other environment still does not take what is not its own.
            running.processes["execution"].kill()
            wait_for(lambda: running.metric("process_cpu_seconds_total", "second") > 0, "it lives")
            assert _epochs(running) == 1
            running.start("execution")
            running.until_ready("execution")
            assert _epochs(running) == 2
            assert "belongs to" in running.ready("second")
            assert asyncio.run(_presences(running)) == []
        finally:
            second.stop()


async def _presences(running: Platform) -> list[str]:
    async with running.journal() as journal:
        found = await journal.store.scan(journal.key("site/"), journal.key("site0"))
        return [pair.key for pair in found]


def test_a_journal_without_an_identity_is_adopted_by_the_first_and_only_once() -> None:
    with platform() as running:
        running.start("venue")
        running.start("execution")  # as an older release: it names no identity
        running.until_ready("execution")
        assert _claim(running, "") == ""
        running.processes["execution"].stop()
        second = _second(running)
        second.start()
        try:
            running.until_ready("second")
            assert _epochs(running) == 2
            assert _claim(running, MINE) == OTHER
            assert _claim(running, OTHER) == OTHER
        finally:
            second.stop()


def test_of_two_that_claim_at_once_one_gets_the_journal() -> None:
    async def go(running: Platform) -> None:
        journals = [Journal.of(running.settings) for _ in range(4)]
        for number, journal in enumerate(journals):
            journal.identity = f"environment-{number}"
        try:
            came = await asyncio.gather(*map(claim, journals), return_exceptions=True)
            assert sorted(type(one).__name__ for one in came) == ["Foreign"] * 3 + ["NoneType"]
            winner = f"environment-{came.index(None)}"
            assert await owner(journals[0]) == winner
        finally:
            for journal in journals:
                await journal.close()

    with platform() as running:
        asyncio.run(go(running))


def test_an_election_is_refused_where_the_identity_changed_since_it_was_asked() -> None:
    async def go(running: Platform) -> None:
        async with running.journal() as journal:
            journal.store.deadline_s = 5.0  # a busy machine; nothing here is about time
            journal.identity = MINE
            await claim(journal)
            put = store.put(journal.key("identity"), OTHER.encode())
            await journal.store.attempt([], [put], [])
            known = Known(leader=None, leader_mod=0, beat_mod=0, tail_mod=0, index=0)
            assert await challenge(journal, known, owner="a/1", site="a") is None
            put = store.put(journal.key("identity"), MINE.encode())
            await journal.store.attempt([], [put], [])
            assert await challenge(journal, known, owner="a/1", site="a") is not None

    with platform() as running:
        asyncio.run(go(running))


def test_the_books_of_another_environment_are_not_written() -> None:
    with platform(books=True, journal_identity=MINE) as running:
        running.start("venue")
        running.start("execution")
        running.until_ready("execution")
        assert running.postgres is not None
        settings = ProjectorSettings.of(
            **running.settings.model_dump(include=set(ProjectorSettings.model_fields))
            | {
                "service": "projector",
                "http_port": running.ports["projector"],
                "db_host": "127.0.0.1",
                "db_port": running.postgres.port,
                "db_password_file": running.postgres.password_file,
                "journal_identity": OTHER,
            }
        )
        foreign = app(running.home, "foreign-projector", "apps.execution.projector", settings)
        foreign.start()
        try:
            wait_for(lambda: "belongs to" in running.ready("projector"), "the refusal")
        finally:
            foreign.stop()
        own = settings.model_copy(update={"journal_identity": MINE})
        rightful = app(running.home, "projector", "apps.execution.projector", own)
        running.processes["projector"] = rightful
        rightful.start()
        try:
            asyncio.run(level(running))
        finally:
            rightful.stop()
