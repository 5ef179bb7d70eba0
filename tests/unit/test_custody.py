"""This machine's copy of an environment, and the state that lies with the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl import custody, evidence
from opsctl.custody import Holder, State
from opsctl.deploy import lock
from opsctl.deploy.forgetting import forget
from opsctl.errors import Locked, OpsctlError, UsageError
from opsctl.state import environment_folder

NAME, ME, OTHER = "daily", "uuid-of-mine", "uuid-of-another"
AT = datetime(2026, 11, 29, tzinfo=UTC)
SOMEONE = Holder(pid=7, host="desk2", user="ann", since=AT, command="opsctl deploy daily")


@dataclass
class FakeBackend:
    """A backend of this process; `DockerBackend` is tested on a real engine in tests/e2e."""

    files: dict[str, str] | None = None
    by: Holder | None = None
    identities: frozenset[str] = frozenset()
    written: list[dict[str, str] | None] = field(default_factory=list)
    where: str = "the engine"

    @property
    def state(self) -> State | None:
        if self.files is None:
            return None
        return State(counter=len(self.written), at=AT, by="ann on desk2", files=self.files)

    def read(self) -> State | None:
        return self.state

    def holder(self) -> Holder | None:
        return self.by

    def left(self) -> frozenset[str]:
        return self.identities

    def acquire(self, me: Holder) -> FakeBackend:
        if self.by is not None:
            raise self.by.refusal(NAME, elsewhere=self.where)
        self.by = me
        return self

    def put(self, files: Mapping[str, str]) -> None:
        self.files = without_heads(files)
        self.written.append(self.files)

    def check(self) -> None:
        pass

    def drop(self) -> None:
        self.files = None
        self.written.append(None)

    def release(self) -> None:
        self.by = None


def write(name: str, text: str) -> None:
    path = environment_folder(NAME) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def copy() -> dict[str, str]:
    return without_heads(custody.collect(NAME))


def without_heads(files: Mapping[str, str]) -> dict[str, str]:
    """Leave out what is said of the evidence: it is tested by itself."""
    return {path: text for path, text in files.items() if path != "evidence.json"}


def known(identity: str = ME, **more: str) -> dict[str, str]:
    return {"identity": f"{identity}\n", **more}


def test_the_copy_is_made_equal_and_what_is_written_is_brought_back(state: Path) -> None:
    backend = FakeBackend(known(**{"secrets/bus": "s", "drill.json": "{}"}))
    with lock.held(NAME, "opsctl deploy daily", backend):
        assert copy() == backend.files
        assert (environment_folder(NAME) / "secrets/bus").stat().st_mode & 0o777 == 0o600
        (environment_folder(NAME) / "drill.json").unlink()
        write("applied.json", "1")
        custody.keep(NAME)
        assert backend.files == known(**{"secrets/bus": "s", "applied.json": "1"})
        write("applied.json", "2")
    assert backend.files == known(**{"secrets/bus": "s", "applied.json": "2"})
    assert backend.by is None


def test_what_another_machine_has_done_replaces_the_copy(state: Path) -> None:
    backend = FakeBackend(known(**{"in_progress.json": "1", "secrets/tls/ca.key": "k"}))
    custody.refresh(NAME, backend, lock.idle(NAME))
    backend.files = known(**{"applied.json": "2"})
    custody.refresh(NAME, backend, lock.idle(NAME))
    assert copy() == backend.files
    assert not (environment_folder(NAME) / "secrets").exists()
    assert backend.written == []


def test_what_another_machine_has_destroyed_is_forgotten(state: Path) -> None:
    backend = FakeBackend(known(**{"applied.json": "1"}))
    custody.refresh(NAME, backend, lock.idle(NAME))
    backend.files = None
    custody.refresh(NAME, backend, lock.idle(NAME))
    assert copy() == {}


def test_what_declares_the_hosts_is_neither_theirs_nor_gone_with_them(state: Path) -> None:
    stack = "infrastructure/state/daily.json"
    write(stack, "{}")
    backend = FakeBackend(known(**{"applied.json": "1"}))
    with lock.held(NAME, "opsctl deploy daily", backend):
        write("applied.json", "2")
    assert backend.files == known(**{"applied.json": "2"})
    backend.files = None
    custody.refresh(NAME, backend, lock.idle(NAME))
    assert copy() == {}
    assert (environment_folder(NAME) / stack).read_text() == "{}"


def test_a_copy_whose_state_was_never_written_is_kept_where_its_own_is_there(state: Path) -> None:
    mine = known(**{"secrets/bus": "s"})
    backend = FakeBackend(mine)
    custody.refresh(NAME, backend, lock.idle(NAME))
    backend.files, backend.identities = None, frozenset({ME})
    with lock.held(NAME, "opsctl deploy daily", backend):
        assert copy() == mine
    assert backend.files == mine


def test_what_is_left_without_a_state_can_be_named(state: Path) -> None:
    backend = FakeBackend(None, identities=frozenset({OTHER}))
    custody.refresh(NAME, backend, lock.idle(NAME))
    assert copy() == known(OTHER)
    with lock.held(NAME, "opsctl deploy daily", backend):
        assert copy() == known(OTHER)  # and it is refused: nothing can be gone on with
    assert backend.files is None
    assert copy() == {}


@pytest.mark.parametrize("files", [known(OTHER), None])
def test_another_environment_of_the_name_is_refused(
    state: Path, files: dict[str, str] | None
) -> None:
    backend = FakeBackend(known())
    custody.refresh(NAME, backend, lock.idle(NAME))
    backend.files, backend.identities = files, frozenset({OTHER})
    with pytest.raises(OpsctlError, match="is another environment") as refused:
        custody.refresh(NAME, backend, lock.idle(NAME))
    assert OTHER in refused.value.message
    assert "opsctl env forget daily" in refused.value.hint
    with pytest.raises(OpsctlError), lock.held(NAME, "opsctl destroy daily", backend):
        pytest.fail("it was taken over")
    assert copy() == known()
    assert backend.written == []
    assert backend.by is None


def test_an_environment_of_this_machine_is_never_taken_for_a_copy(state: Path) -> None:
    write("identity", f"{ME}\n")
    write("data/postgres@a/base", "precious")
    backend = FakeBackend(None)
    custody.refresh(NAME, backend, lock.idle(NAME))
    with (
        pytest.raises(OpsctlError, match="lives on this machine"),
        lock.held(NAME, "opsctl deploy daily", backend),
    ):
        pytest.fail("it was taken over")
    assert "data/postgres@a/base" in copy()


def test_what_is_destroyed_leaves_no_state(state: Path) -> None:
    backend = FakeBackend(known())
    with lock.held(NAME, "opsctl destroy daily", backend):
        (environment_folder(NAME) / "identity").unlink()
    assert backend.written == [None]


def test_a_failed_command_brings_back_what_it_wrote(state: Path) -> None:
    backend = FakeBackend(known())

    def fails() -> None:
        with lock.held(NAME, "opsctl deploy daily", backend):
            write("in_progress.json", "1")
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fails()
    assert backend.files == known(**{"in_progress.json": "1"})


def test_a_copy_can_be_forgotten_and_what_lives_here_cannot(state: Path) -> None:
    assert forget(NAME).identity == ""
    custody.refresh(NAME, FakeBackend(known(**{"secrets/bus": "s"})), lock.idle(NAME))
    assert forget(NAME).identity == ME
    assert copy() == {}
    write("identity", f"{ME}\n")
    with pytest.raises(UsageError, match="lives on this machine"):
        forget(NAME)
    assert copy() == known()


def test_a_held_environment_is_refused_and_not_taken_over(state: Path) -> None:
    backend = FakeBackend(known(), by=SOMEONE)
    with pytest.raises(Locked) as refused, lock.held(NAME, "opsctl destroy daily", backend):
        pytest.fail("two held it")
    assert refused.value.message == (
        "daily is held by `opsctl deploy daily` (pid 7 of ann on desk2) "
        "since 2026-11-29T00:00:00Z by a lock in the engine"
    )
    assert "`kill 7` on desk2" in refused.value.hint
    custody.refresh(NAME, backend, lock.idle(NAME))
    assert custody.held_by_another(NAME)
    backend.by = None
    custody.refresh(NAME, backend, lock.idle(NAME))
    assert not custody.held_by_another(NAME)


def test_a_copy_that_another_process_here_works_on_is_left_alone(state: Path) -> None:
    backend = FakeBackend(known())
    with lock.held(NAME, "opsctl deploy daily", backend):
        write("drill.json", "ahead")
        custody.refresh(NAME, backend, lock.idle(NAME))
        assert copy() == known(**{"drill.json": "ahead"})


def test_the_environment_keeps_the_head_of_the_evidence(state: Path) -> None:
    backend = FakeBackend(known())
    with evidence.recorded(command="deploy", environment=NAME):
        pass
    with lock.held(NAME, "opsctl deploy daily", backend):
        pass
    (head,) = evidence.kept(environment_folder(NAME))
    assert head.index == 0
    assert custody.forks(NAME) == ()
    evidence.log().lines.write_text("")
    with evidence.recorded(command="deploy", environment=NAME):
        pass
    assert custody.forks(NAME) == ()  # it is another log
