"""The one-time log-in link of the desk.

What appears in a process list or a browser's history is a code that works once and for a
minute; the secret behind it stays in its file.
"""

from __future__ import annotations

import hashlib
import hmac

from opsctl.services.base import Address

VALID_S = 60


def login_code(secret: str, expires_unix: int, nonce: str) -> str:
    """Return the code `EXPIRES.NONCE.HMAC` that the desk accepts once until it expires."""
    content = f"{expires_unix}.{nonce}"
    signature = hmac.new(secret.encode(), content.encode(), hashlib.sha256).hexdigest()
    return f"{content}.{signature}"


def login_link(at: Address, code: str) -> str:
    """Return the address that logs a browser in."""
    return f"http://{at}/login?code={code}"
