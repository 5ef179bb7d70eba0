"""A pair of tiers on AWS for tests, through its whole life; what is there is read back by boto3.

All twelve go through it in `python -m tests.soak.clouds`. The largest of them stands in
`test_managed.py`, where it is held against its promise too.
"""

from __future__ import annotations

from tests.support.aws.firm import firm
from tests.support.aws.story import Story
from tests.support.combinations import COMBINATIONS


def test_a_combination_fails_half_way_is_made_as_promised_and_taken_away() -> None:
    with firm() as ours:
        story = Story(ours, COMBINATIONS["daily-cold"])  # ephemeral, with a managed database
        story.made_in_two()
        story.as_promised()
        story.changed()
        story.destroyed()
