from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.model.documents import NODES, parse


def test_values_are_read_as_pulumi_reads_them() -> None:
    text = """\
config:
  aws:region: eu-west-1
  trading:a: yes
  trading:b: true
  trading:c: 10.50
  trading:d: 12
  trading:e: 2010-01-04
  trading:f: "12"
  trading:g: 10:30
"""
    document = parse("x", text)
    assert document.faults == ()
    assert document.config == {
        "aws:region": "eu-west-1",
        "trading:a": "yes",
        "trading:b": True,
        "trading:c": Decimal("10.50"),
        "trading:d": 12,
        "trading:e": date(2010, 1, 4),
        "trading:f": "12",
        "trading:g": "10:30",
    }
    assert document.line(("trading:e",)) == 7


def test_line_of_a_nested_value_and_of_one_that_is_not_there() -> None:
    document = parse("x", "config:\n  trading:limits:\n    max_order_shares: 5\n")
    assert document.line(("trading:limits", "max_order_shares")) == 3
    assert document.line(("trading:limits", "other")) == 2
    assert document.line(("trading:tier",)) is None


def test_empty_files_have_no_settings() -> None:
    for text in ("", "# nothing\n", "config:\n", "encryptionsalt: v1:abc\n"):
        assert parse("x", text) == parse("x", "config: {}\n").model_copy(update={"lines": {}})


def test_a_key_given_twice_is_a_fault_with_both_lines() -> None:
    document = parse("x", "config:\n  trading:tier: daily\n  trading:tier: weekly\n")
    (fault,) = document.faults
    assert str(fault) == (
        "trading:tier: is given twice, first on line 2: keep one (Pulumi.x.yaml, line 3)"
    )


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("config:\n  a: [1\n", "is no YAML", 3),
        ("config:\n\ta: 1\n", "is no YAML", 2),
        ("- a\n", "must be a mapping", 1),
        ("config: 5\n", "`config:` must be a mapping", 1),
        ("config:\n  trading:tier: !!python/name:os.system x\n", "has no meaning", 2),
        ("config:\n  ? [a]\n  : 1\n", "a key must be text", 2),
        ("config: &a\n  trading:x: *a\n", "nested too deeply", None),
        ("config:\n  a: " + "[" * 2000 + "\n", "nested too deeply", None),
        ("a: 1\n---\nb: 2\n", "is no YAML", 2),
        ("config: \x07\n", "is no YAML", None),
    ],
)
def test_what_cannot_be_read_is_one_fault_with_its_line(
    text: str, problem: str, line: int | None
) -> None:
    document = parse("x", text)
    assert document.config == {}
    (fault,) = document.faults
    assert problem in fault.problem
    assert line is None or fault.line == line


def test_anchors_that_unfold_without_end_are_refused() -> None:
    rows = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    document = parse("x", "\n".join(["a0: &a0 [x, x]", *rows]) + "\n")
    assert f"more than {NODES} values" in document.faults[0].problem


@given(st.text(max_size=200))
def test_any_text_is_read_or_is_a_fault(text: str) -> None:
    document = parse("x", "config:\n" + text)
    assert document.faults or isinstance(document.config, dict)
