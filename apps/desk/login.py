"""Log-in: a link that works once and for a minute, then a signed cookie.

`opsctl open` makes the code from the environment's desk secret:

    CODE = f"{expires_unix}.{nonce}.{hmac_sha256_hex(secret, f'{expires_unix}.{nonce}')}"

A used code is remembered until it expires, and one made before this process started is
refused, so that a restart forgets nothing that matters.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

CODE_S = 60
SESSION_S = 12 * 3_600
LONGEST = 256

Seconds = Callable[[], float]
"""Returns the time in seconds since the epoch."""


class Gate:
    """Lets in who holds a fresh code, and afterwards who holds the cookie."""

    def __init__(self, secret: str, now: Seconds) -> None:
        """Guard with a secret; `now` is the wall clock."""
        self._secret = secret.encode()
        self._now = now
        self._started = int(now())
        self._used: dict[str, int] = {}

    def admit(self, code: str) -> bool:
        """Return whether a code is genuine, fresh and unused; it is used from now on."""
        opened = self._open(code, "")
        if opened is None:
            return False
        expires, nonce = opened
        now = self._now()
        if not now <= expires <= now + CODE_S + 1 or expires - CODE_S < self._started:
            return False
        self._used = {n: until for n, until in self._used.items() if until >= now}
        if nonce in self._used:
            return False
        self._used[nonce] = expires
        return True

    def cookie(self) -> str:
        """Return a new session's cookie."""
        body = f"{int(self._now()) + SESSION_S}.{secrets.token_urlsafe(18)}"
        return f"{body}.{self._sign('session ' + body)}"

    def left_s(self, cookie: str) -> float | None:
        """Return the seconds that a cookie of ours still lasts; None for any other."""
        opened = self._open(cookie, "session ")
        left = opened[0] - self._now() if opened else 0.0
        return left if left > 0 else None

    def _open(self, signed: str, purpose: str) -> tuple[int, str] | None:
        """Return expiry and nonce of what we signed for a purpose; None for anything else."""
        if len(signed) > LONGEST or not signed.isascii():
            return None
        body, _, signature = signed.rpartition(".")
        if not hmac.compare_digest(signature, self._sign(purpose + body)):
            return None
        expires, _, nonce = body.partition(".")
        return (int(expires), nonce) if expires.isdecimal() and nonce else None

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()
