"""docs/data.md is true where it can be held against the code."""

from __future__ import annotations

import re
from pathlib import Path

from apps.core.settings import DataSettings
from apps.data import metrics, publisher, recorder
from apps.data.normalize import Reason

PAGE = (Path(__file__).parents[3] / "docs" / "data.md").read_text()


def test_every_reason_stands_there_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)
    assert set(rows) == {reason.value for reason in Reason}


def test_every_metric_stands_there() -> None:
    names = re.findall(r'"(trading_\w+)"', Path(metrics.__file__).read_text())
    assert names
    assert [name for name in names if name not in PAGE] == []


def test_the_bounds_are_those_of_the_code() -> None:
    assert recorder.BUFFER == publisher.BUFFER == 5_000
    assert f"up to {recorder.BUFFER:,}" in PAGE
    assert f"the last {publisher.RECENT} live days" in PAGE
    assert DataSettings.model_fields["outlier_bound"].default * 100 == 60
