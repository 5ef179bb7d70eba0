from __future__ import annotations

from datetime import UTC, datetime

import pytest

from opsctl.targets.local.log_time import written_at

AT = datetime(2026, 11, 23, 21, 44, 6, 890_000, UTC)


@pytest.mark.parametrize(
    "line",
    [
        '{"event": "started", "at": "2026-11-23T21:44:06.890000Z"}',
        '{"level":"warn","ts":"2026-11-23T21:44:06.890Z","msg":"slow"}',
        "ts=2026-11-23T21:44:06.890Z caller=main.go:1 level=warn",
        "2026-11-23 21:44:06.890 UTC [1653] LOG:  starting",
        "123:M 23 Nov 2026 21:44:06.890 * Ready to accept connections",
    ],
)
def test_the_time_of_a_line_is_found_in_the_form_of_its_server(line: str) -> None:
    assert written_at(line) == AT


def test_a_line_without_a_year_is_of_the_last_twelve_months() -> None:
    now = datetime.now(UTC)
    at = written_at(f"I{now:%m%d %H:%M:%S.%f} server.go:1 started")
    assert at == now
    tomorrow = written_at("W1231 23:59:59.999999 server.go:1 late")
    assert tomorrow is not None
    assert tomorrow <= datetime.now(UTC)


@pytest.mark.parametrize(
    "line", ["", "Traceback (most recent call last):", '{"at": 3}', "{", "ts=yesterday x=1", "[1]"]
)
def test_a_line_without_a_time_has_none(line: str) -> None:
    assert written_at(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "ts=2026-13-45T21:44:06Z x=1",
        "2026-02-30 21:44:06.890 UTC [1] x",
        "I9999 99:99:99.999999 x",
        "1:M 99 Nov 2026 21:44:06.890 * x",
    ],
)
def test_a_time_that_never_was_is_none(line: str) -> None:
    assert written_at(line) is None
