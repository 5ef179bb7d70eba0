from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.toolchain import commands


def test_lines_are_handed_on_and_the_last_ones_returned() -> None:
    seen: list[str] = []
    code = "for n in range(30): print('line', n)"
    last = commands.run([sys.executable, "-c", code], line=seen.append)
    assert seen == [f"line {n}" for n in range(30)]
    assert last == tuple(seen[-commands.LAST_LINES :])


def test_a_failure_carries_the_exit_code_and_the_last_lines() -> None:
    code = "import sys; print('one'); print('two', file=sys.stderr); sys.exit(7)"
    with pytest.raises(commands.CommandFailed) as caught:
        commands.run([sys.executable, "-c", code])
    assert "exited with 7" in caught.value.message
    assert set(caught.value.details) == {"one", "two"}


def test_a_tool_that_is_not_there_is_a_failure_too() -> None:
    with pytest.raises(commands.CommandFailed, match="cannot be started"):
        commands.run(["/nonexistent/tool"])


word = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.%", min_size=1)


@given(user=word, password=word, host=word)
def test_credentials_in_addresses_never_show(user: str, password: str, host: str) -> None:
    text = f"Looking in indexes: https://{user}:{password}@{host}/simple, file:///srv"
    assert commands.redacted(text) == f"Looking in indexes: https://***@{host}/simple, file:///srv"
