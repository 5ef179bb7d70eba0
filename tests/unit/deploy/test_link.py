"""The one-time log-in link of the desk."""

from __future__ import annotations

import hashlib
import hmac

from opsctl.deploy.link import login_code, login_link
from opsctl.services.base import Address


def test_the_code_is_signed_and_holds_no_secret() -> None:
    code = login_code("s3cret", 1_700_000_060, "nonce")
    expires, nonce, signature = code.split(".")
    assert (expires, nonce) == ("1700000060", "nonce")
    assert signature == hmac.new(b"s3cret", b"1700000060.nonce", hashlib.sha256).hexdigest()
    assert "s3cret" not in code


def test_the_link_leads_to_the_login() -> None:
    assert login_link(Address(host="127.0.0.1", port=8_080), "1.n.s") == (
        "http://127.0.0.1:8080/login?code=1.n.s"
    )
