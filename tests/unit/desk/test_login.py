"""The gate: who gets in, once, and for how long."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from apps.desk.login import CODE_S, SESSION_S, Gate
from opsctl.deploy.link import login_code

SECRET = "a secret of the desk"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate(SECRET, clock)


def code(expires: float, nonce: str = "nonce", secret: str = SECRET) -> str:
    return login_code(secret, int(expires), nonce)


def test_a_code_of_opsctl_lets_in_once(gate: Gate, clock: Clock) -> None:
    made = code(clock.now + CODE_S)
    assert gate.admit(made)
    assert not gate.admit(made)
    assert gate.admit(code(clock.now + CODE_S, "another"))


def test_a_used_code_stays_used_until_it_expires(gate: Gate, clock: Clock) -> None:
    made = code(clock.now + CODE_S)
    assert gate.admit(made)
    clock.now += CODE_S - 1
    assert gate.admit(code(clock.now + 5, "another"))
    assert not gate.admit(made)


def test_a_code_expires(gate: Gate, clock: Clock) -> None:
    made = code(clock.now + CODE_S)
    clock.now += CODE_S + 1
    assert not gate.admit(made)


def test_a_code_that_lasts_longer_than_a_minute_is_none(gate: Gate, clock: Clock) -> None:
    assert not gate.admit(code(clock.now + CODE_S + 10))


def test_a_code_made_before_the_start_is_refused(clock: Clock) -> None:
    made = code(clock.now + CODE_S)
    assert Gate(SECRET, clock).admit(made)
    clock.now += 2
    assert not Gate(SECRET, clock).admit(made)


@pytest.mark.parametrize(
    "bad",
    [
        "",
        ".",
        "..",
        "1800000030",
        "1800000030.nonce",
        "1800000030.nonce.",
        "1800000030.nonce." + "0" * 64,
        "x.nonce." + "0" * 64,
        "1800000030.nonce.é",
        "9" * 1_000,
    ],
)
def test_what_we_did_not_sign_is_refused(gate: Gate, bad: str) -> None:
    assert not gate.admit(bad)
    assert gate.left_s(bad) is None


def test_another_secret_is_refused(gate: Gate, clock: Clock) -> None:
    assert not gate.admit(code(clock.now + CODE_S, secret="another"))


def test_a_signed_text_that_is_no_code_is_refused(gate: Gate, clock: Clock) -> None:
    for body in ("soon.nonce", f"{int(clock.now) + 30}", f"{int(clock.now) + 30}."):
        signature = hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
        assert not gate.admit(f"{body}.{signature}")


def test_a_cookie_lasts_and_ends(gate: Gate, clock: Clock) -> None:
    cookie = gate.cookie()
    assert gate.left_s(cookie) == pytest.approx(SESSION_S, abs=1)
    clock.now += SESSION_S + 1
    assert gate.left_s(cookie) is None


def test_a_code_is_no_cookie_and_a_cookie_no_code(gate: Gate, clock: Clock) -> None:
    assert gate.left_s(code(clock.now + CODE_S)) is None
    assert not gate.admit(gate.cookie())


def test_a_cookie_survives_a_restart(gate: Gate, clock: Clock) -> None:
    assert Gate(SECRET, clock).left_s(gate.cookie()) is not None
