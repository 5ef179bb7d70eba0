"""The venue's throttle: how many requests a second a session may make."""

from __future__ import annotations

from collections import defaultdict, deque

_SECOND_NS = 1_000_000_000


class Throttle:
    """Counts what a session was let through within the last second; 0 is no limit."""

    def __init__(self, max_requests_per_s: int) -> None:
        """Begin with every session's full allowance."""
        self.max_requests_per_s = max_requests_per_s
        self._admitted: defaultdict[str, deque[int]] = defaultdict(deque)

    def admit(self, session: str, at_ns: int) -> bool:
        """Return whether a request may pass at a time; one that may not counts for nothing."""
        if not self.max_requests_per_s:
            return True
        admitted = self._admitted[session]
        while admitted and at_ns - admitted[0] >= _SECOND_NS:
            admitted.popleft()
        if len(admitted) >= self.max_requests_per_s:
            return False
        admitted.append(at_ns)
        return True
