"""`opsctl logs`: which services, since when, which lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.cli.logs import chosen, matcher, moment
from opsctl.errors import UsageError
from tests.unit.cli.conftest import Opsctl
from tests.unit.deploy.fake import FakeTarget

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
KEYS = ("bus@a", "execution@a", "execution@b", "venue@market")


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        ((), ()),
        (("bus",), ("bus@a",)),
        (("execution",), ("execution@a", "execution@b")),
        (("execution@b", "bus"), ("execution@b", "bus@a")),
        (("bus", "bus@a"), ("bus@a",)),
    ],
)
def test_a_service_is_meant_on_every_site(names: tuple[str, ...], keys: tuple[str, ...]) -> None:
    assert chosen(names, KEYS) == keys


def test_an_unknown_service_lists_those_that_exist() -> None:
    with pytest.raises(UsageError, match="'exec'") as refused:
        chosen(["exec"], KEYS)
    assert refused.value.hint == "there are bus, execution, venue"


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("5m", NOW - timedelta(minutes=5)),
        ("2h", NOW - timedelta(hours=2)),
        ("1d", NOW - timedelta(days=1)),
        ("2026-01-31T11:00:00Z", NOW - timedelta(hours=1)),
        ("2026-01-31T13:00:00+01:00", NOW),
        ("2026-01-31T11:00", NOW - timedelta(hours=1)),
    ],
)
def test_since_is_an_age_or_a_moment(since: str, expected: datetime) -> None:
    assert moment(since, NOW) == expected


@given(st.text(max_size=12) | st.from_regex(r"[0-9]{1,18}[smhd]", fullmatch=True))
def test_any_other_since_is_refused_with_an_example(since: str) -> None:
    hints: list[str] = []
    try:
        assert moment(since, NOW).tzinfo is not None
    except UsageError as refused:
        hints.append(refused.hint)
    assert all("5m" in hint for hint in hints)


def test_a_faulty_expression_is_refused() -> None:
    with pytest.raises(UsageError, match="no regular expression"):
        matcher("(")


@pytest.fixture
def _logged(opsctl: Opsctl, target: FakeTarget) -> None:
    assert opsctl("deploy", "daily", "--no-verify").code == 0
    target.log = {"bus@a": ["one", "two [bold]"], "data@a": ["one of data"]}


@pytest.mark.usefixtures("_logged")
class TestShown:
    """What is printed."""

    def test_all_lines_with_their_service(self, opsctl: Opsctl) -> None:
        lines = [line.split(maxsplit=1) for line in opsctl("logs", "daily").out.splitlines()]
        assert lines == [["bus@a", "one"], ["bus@a", "two [bold]"], ["data@a", "one of data"]]

    def test_of_one_service_that_match(self, opsctl: Opsctl) -> None:
        done = opsctl("logs", "daily", "bus", "--grep", "^one$")
        assert done.out.split() == ["bus@a", "one"]

    def test_by_tier_every_word_is_a_service(self, opsctl: Opsctl) -> None:
        assert opsctl("logs", "--tier", "daily", "data").out.split()[0] == "data@a"

    def test_as_json_one_object_a_line(self, opsctl: Opsctl) -> None:
        done = opsctl("logs", "daily", "data", "--output", "json")
        assert [json.loads(line) for line in done.out.splitlines()] == [
            {"service": "data@a", "at": None, "text": "one of data"}
        ]

    def test_long_lines_are_not_folded(self, opsctl: Opsctl, target: FakeTarget) -> None:
        target.log = {"bus@a": ["x" * 500]}
        assert "x" * 500 in opsctl("logs", "daily").out

    def test_on_a_terminal_no_text_is_taken_for_markup(
        self, opsctl: Opsctl, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        assert "two [bold]" in opsctl("logs", "daily", "bus").out
