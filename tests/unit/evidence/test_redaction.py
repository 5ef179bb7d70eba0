from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.evidence.redaction import scrubbed, without_secrets
from opsctl.model.environment import Replay

SECRET = "hunter2"


@pytest.mark.parametrize(
    "value",
    [
        {"password": SECRET},
        {"settings": {"API_KEY": SECRET, "http-token": [SECRET]}},
        {"argv": ["psql", "--password", SECRET, f"--token={SECRET}"]},
        [f"https://user:{SECRET}@host/path"],
        {"note": f"dsn: host=x password={SECRET} dbname=y"},
        (f"SECRET = '{SECRET} and more'",),
        {"fix": {"Passphrase": SECRET}},
    ],
)
def test_secrets_are_not_written(value: object) -> None:
    kept = json.dumps(without_secrets(value))
    assert SECRET not in kept
    assert "***" in kept


def test_what_is_no_secret_stays_as_it_is() -> None:
    value = {
        "verify": True,
        "set": ["replay.day_s=0", "limits.max_order_shares=5"],
        "ratio": 0.5,
        "none": None,
        "text": "https://host/path",
        "password": None,
    }
    assert without_secrets(value) == value


def test_values_of_python_become_json() -> None:
    value = {
        "replay": Replay(),
        "price": Decimal("1.10"),
        "day": date(2026, 1, 2),
        "path": Path("/x"),
        "set": {1},
        "nan": float("nan"),
        3: "three",
    }
    assert without_secrets(value) == {
        "replay": Replay().model_dump(mode="json"),
        "price": "1.10",
        "day": "2026-01-02",
        "path": "/x",
        "set": [1],
        "nan": "nan",
        "3": "three",
    }


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
        max_leaves=10,
    )
)
def test_any_value_becomes_json_and_stays_so(value: object) -> None:
    once = without_secrets(value)
    assert without_secrets(json.loads(json.dumps(once, allow_nan=False))) == once


def test_scrubbed_keeps_the_rest_of_a_text() -> None:
    assert scrubbed("cannot reach postgresql://u:p@h:5432/db") == (
        "cannot reach postgresql://***@h:5432/db"
    )
