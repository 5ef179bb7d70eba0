"""`opsctl plan`: what deploy would change."""

from __future__ import annotations

from tests.unit.cli.conftest import DAILY, Opsctl
from tests.unit.deploy.fake import FakeTarget, service


def test_the_json_is_the_contract(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl("plan", "daily", "--output", "json")
    assert done.code == 0
    assert done.json == {
        "environment": "daily",
        "changes": [
            {"action": "start", "kind": "app", "name": "bus@a", "reason": "not running yet"},
            {"action": "start", "kind": "app", "name": "data@a", "reason": "not running yet"},
        ],
        "steps": [
            {
                "kind": "everything",
                "site": "",
                "services": ["bus@a", "data@a"],
                "reason": "one site trades",
            }
        ],
    }
    assert target.applied == []


def test_where_two_sites_trade_it_shows_the_steps(opsctl: Opsctl, target: FakeTarget) -> None:
    opsctl.write("Pulumi.hot.yaml", DAILY.replace("cold", "hot"))
    done = opsctl("plan", "hot")
    assert done.code == 0
    assert "everything" in done.out
    assert "nobody leads" in done.out


def test_the_table_names_action_service_and_reason(opsctl: Opsctl, target: FakeTarget) -> None:
    opsctl("deploy", "daily", "--no-verify")
    target.wanted = (target.wanted[0], service("data", last="otherwise"))
    done = opsctl("plan", "--tier", "daily")
    assert done.code == 0
    for word in ("restart", "data@a", "its settings changed"):
        assert word in done.out
    assert "bus@a" not in done.out


def test_nothing_to_change_is_said(opsctl: Opsctl, target: FakeTarget) -> None:
    opsctl("deploy", "daily", "--no-verify")
    done = opsctl("plan", "daily")
    assert (done.code, done.out.strip()) == (0, "daily: nothing to change")


def test_a_set_that_is_no_pair_is_refused(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl("plan", "daily", "--set", "trading:replay.day_s")
    assert done.code == 2
    assert "is no KEY=VALUE" in done.err


def test_a_set_of_an_unknown_key_is_refused(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl("plan", "daily", "--set", "trading:replai.day_s=1")
    assert done.code == 2
    assert "replai" in done.err


def test_a_compose_file_is_refused_where_no_containers_run(opsctl: Opsctl) -> None:
    done = opsctl("plan", "daily", "--output", "compose")
    assert done.code == 2
    assert "runs on target local" in done.err
    assert "--target docker --output compose" in done.err
    assert done.out == ""
