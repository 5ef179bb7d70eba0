"""What docs/strategy.md shows is run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from apps.strategy import metrics
from apps.strategy.api import Strategy
from apps.strategy.momentum import Momentum

PAGE = (Path(__file__).parents[3] / "docs" / "strategy.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_examples_run_and_trade(capsys: pytest.CaptureFixture[str]) -> None:
    example, trial = BLOCKS
    assert len(example.strip().splitlines()) <= 32
    scope: dict[str, object] = {"__name__": "example"}
    exec(compile(example, "docs/strategy.md", "exec"), scope)  # noqa: S102 - it is what we test
    strategy = scope["Calm"]
    assert isinstance(strategy, type)
    assert issubclass(strategy, Strategy)
    exec(compile(trial, "docs/strategy.md", "exec"), scope)  # noqa: S102
    found = re.search(r"Decimal\('([\d.]+)'\)\) (\d+) (\d+)", capsys.readouterr().out)
    assert found
    equity, decisions, traded = map(float, found.groups())
    assert 500_000 < equity < 2_000_000
    assert decisions > 500
    assert traded > 1_000_000


def test_every_parameter_of_momentum_stands_there_with_its_default() -> None:
    for field in msgspec.structs.fields(Momentum.Parameters):
        row = next(line for line in PAGE.splitlines() if f"`{field.name}`" in line and "|" in line)
        assert str(field.default) in row


def test_every_metric_stands_there() -> None:
    names = re.findall(r'"(trading_\w+)"', Path(metrics.__file__).read_text())
    assert names
    assert [name for name in names if name not in PAGE] == []
