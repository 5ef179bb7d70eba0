"""The lines of a run as far as counting needs them are still the lines that are written."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from apps.core.records import JournalRecord
from opsctl.drills.recording import narrow, reading


def tags(kinds: Any) -> dict[str, type[msgspec.Struct]]:
    return {kind.__struct_config__.tag: kind for kind in get_args(kinds)}


EVERY, NARROW = tags(JournalRecord), tags(get_type_hints(narrow.Journaled)["record"])


def test_every_record_of_the_journal_is_known() -> None:
    assert NARROW.keys() == EVERY.keys()


@pytest.mark.parametrize("tag", sorted(EVERY))
def test_what_is_counted_of_a_record_has_the_name_that_it_is_written_under(tag: str) -> None:
    assert set(NARROW[tag].__struct_fields__) <= set(EVERY[tag].__struct_fields__)


@pytest.mark.parametrize(
    ("counted", "whole"),
    [
        (narrow.Venue, reading.VenueLine),
        (narrow.Book, reading.BookRow),
        (narrow.Told, reading.Told),
    ],
)
def test_what_is_counted_of_a_line_has_the_name_that_it_is_written_under(
    counted: type[msgspec.Struct], whole: type[msgspec.Struct]
) -> None:
    assert set(counted.__struct_fields__) <= set(whole.__struct_fields__)
