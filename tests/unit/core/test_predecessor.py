"""A release reads what its predecessor wrote, and writes what its predecessor reads.

`golden/batch-v1.json` was written by release 0.1.0, a record of each kind. It stays as it is; a
release that adds to the forms adds a file of its own. msgspec ignores what it does not know, so
a predecessor reads what has all that it wrote itself, in the same place and form.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apps.core.journal import Beat, Halt, Leadership
from apps.core.records import Batch, decode_batch, encode_batch
from apps.core.sites import Handover, Presence
from tests.unit.core.test_journal_records import EVERY

BATCH = Path(__file__).parent / "golden" / "batch-v1.json"
KEYS: dict[type[msgspec.Struct], str] = {
    Leadership: '{"epoch":3,"owner":"a/1","site":"a","at_ns":5,"v":1}',
    Beat: '{"epoch":3,"owner":"a/1","progress":9,"kill_seen":4,"at_ns":5,"v":1}',
    Halt: '{"at_ns":5,"by":"alice","reason":"runaway","v":1}',
    Handover: '{"id":"r","to":"b","epoch":3,"by":"alice","at_ns":5,"refused":"","v":1}',
    Presence: '{"site":"b","owner":"b/1","role":"follower","epoch":3,"index":7,"session_up":true,'
    '"market_seq":2,"intents":"1-0","inbound":{"OPS-B-ORD":4},"divergences":0,'
    '"settings":"5e77","release":"0.1.0","fault":"","at_ns":5,"v":1}',
}
"""What the keys beside the records held, as release 0.1.0 wrote them."""


def _holds(now: Any, then: Any) -> bool:
    """Whether everything that was said then is said now, in the same form."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(
            key in now and _holds(now[key], value) for key, value in then.items()
        )
    if isinstance(then, list):
        return len(now) == len(then) and all(map(_holds, now, then))
    return bool(now == then) and type(now) is type(then)


def test_the_predecessors_records_are_read() -> None:
    assert decode_batch(BATCH.read_bytes()) == Batch(first=7, epoch=1, writer="o", records=EVERY)


def test_the_predecessor_finds_all_that_it_knows_in_our_records() -> None:
    written = encode_batch(Batch(first=7, epoch=1, writer="o", records=EVERY))
    assert _holds(json.loads(written), json.loads(BATCH.read_bytes()))


@pytest.mark.parametrize("kind", KEYS, ids=lambda kind: kind.__name__)
def test_the_keys_beside_the_records_go_both_ways(kind: type[msgspec.Struct]) -> None:
    read = msgspec.json.decode(KEYS[kind], type=kind)
    assert _holds(json.loads(msgspec.json.encode(read)), json.loads(KEYS[kind]))
    later = json.loads(KEYS[kind]) | {"not yet invented": {"by": "a later release"}}
    assert msgspec.json.decode(json.dumps(later).encode(), type=kind) == read


def test_a_leader_that_tells_no_terms_is_one_of_the_release_before() -> None:
    led = msgspec.json.decode(KEYS[Leadership], type=Leadership)
    assert (led.release, led.settings) == ("", "")
