from __future__ import annotations

import pytest

from apps.execution.settle import MAX_ENTRIES, Fence, unknown

NONE = Fence(duplicate=False, session_down=False)
DUPLICATE = Fence(duplicate=True, session_down=False)
DOWN = Fence(duplicate=False, session_down=True)
BOTH = Fence(duplicate=True, session_down=True)


@pytest.mark.parametrize(
    ("fence", "entries", "expired", "refusal", "step"),
    [
        (DUPLICATE, 1, False, "", "reenter"),
        (BOTH, 1, False, "", "reenter"),
        (BOTH, MAX_ENTRIES - 1, False, "", "reenter"),
        # Re-entry declined: absent only if the session that it may have left on is gone.
        (BOTH, 1, True, "", "decline"),
        (BOTH, 1, False, "halted by alice", "decline"),
        (BOTH, MAX_ENTRIES, False, "", "decline"),
        (DUPLICATE, 1, True, "", "hold"),
        (DUPLICATE, 1, False, "halted by alice", "hold"),
        (DUPLICATE, MAX_ENTRIES, False, "", "hold"),
        # Without a duplicate fence nothing is ever entered again.
        (DOWN, 1, False, "", "decline"),
        (NONE, 1, False, "", "hold"),
        (NONE, 1, True, "halted", "hold"),
    ],
)
def test_what_follows_when_the_venue_does_not_know_an_order(
    fence: Fence, entries: int, expired: bool, refusal: str, step: str
) -> None:
    answered = unknown(fence=fence, entries=entries, expired=expired, refusal=refusal)
    assert answered.step == step
    if refusal and not expired and step != "reenter":
        assert refusal in answered.reason
