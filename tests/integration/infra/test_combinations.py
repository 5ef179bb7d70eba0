"""Four pairs of tiers on AWS for tests, each through a part of its life; what is there read back.

All twelve go through the whole of it in `python -m tests.soak.clouds`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.aws.firm import firm
from tests.support.aws.story import Story
from tests.support.combinations import COMBINATIONS

Step = Callable[[Story], object]
CASES: dict[str, tuple[Step, ...]] = {
    "weekly-warm": (Story.made, Story.as_promised, Story.drifted),
    "daily-cold": (Story.made, Story.as_promised, Story.changed, Story.destroyed),
    "intraday-hot": (Story.made, Story.as_promised, Story.unchanged),
    "hft-cold": (Story.made_in_two, Story.as_promised, Story.destroyed),
}
"""Three regions, an ephemeral one with a managed database, the largest, the cloud's best."""


@pytest.mark.parametrize("name", CASES)
def test_a_combination_is_made_as_promised_and(name: str) -> None:
    with firm() as ours:
        story = Story(ours, COMBINATIONS[name])
        for step in CASES[name]:
            step(story)
