"""How results are shown."""

from __future__ import annotations

import pytest
from pydantic import BaseModel
from rich.table import Table

from opsctl.cli.common import Output, emit

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:books"


class Result(BaseModel):
    """A result of no values."""


def test_a_name_of_the_cloud_is_printed_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")

    def table() -> Table:
        shown = Table("output", "value", width=100)
        shown.add_row("secret", ARN)
        return shown

    emit(Result(), Output.TABLE, table)
    assert ARN in capsys.readouterr().out
