"""`opsctl rollback`: back to what an earlier run had deployed."""

from __future__ import annotations

from tests.unit.cli.conftest import Opsctl
from tests.unit.deploy.fake import FakeTarget, service


def _deploy(opsctl: Opsctl, target: FakeTarget, word: str) -> str:
    target.wanted = (service("data", last=word),)
    return str(opsctl("deploy", "daily", "--no-verify", "-o", "json").json["run"])


def test_it_goes_to_the_one_before(opsctl: Opsctl, target: FakeTarget) -> None:
    first = _deploy(opsctl, target, "one")
    _deploy(opsctl, target, "two")
    done = opsctl("rollback", "daily", "--output", "json")
    assert done.code == 0
    assert done.json["restores"] == first
    assert target.running["data@a"].made_from == service("data", last="one").digest()


def test_it_goes_to_a_named_run_without_the_file(opsctl: Opsctl, target: FakeTarget) -> None:
    first = _deploy(opsctl, target, "one")
    _deploy(opsctl, target, "two")
    _deploy(opsctl, target, "three")
    (opsctl.project / "Pulumi.daily.yaml").unlink()
    done = opsctl("rollback", "daily", "--to", first, "--no-verify")
    assert done.code == 0
    assert first in done.out


def test_an_unknown_run_lists_those_that_exist(opsctl: Opsctl, target: FakeTarget) -> None:
    first = _deploy(opsctl, target, "one")
    _deploy(opsctl, target, "two")
    done = opsctl("rollback", "daily", "--to", "yesterday")
    assert done.code == 2
    assert first in done.err


def test_without_a_deployment_it_says_so(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl("rollback", "daily")
    assert (done.code, "daily is not deployed" in done.err) == (2, True)
