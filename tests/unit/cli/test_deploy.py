"""`opsctl deploy`: flags, what is shown where, exit codes, the guard of live environments."""

from __future__ import annotations

import pytest

from opsctl.deploy import records
from opsctl.deploy.lock import held
from tests.unit.cli.conftest import DAILY, Opsctl
from tests.unit.deploy.fake import FAILS, FakeTarget, means, service

LIVE = DAILY + "  trading:live: true\n"


def test_progress_goes_to_stderr_and_the_result_to_stdout(
    opsctl: Opsctl, target: FakeTarget
) -> None:
    done = opsctl("deploy", "--tier", "daily", "--no-verify")
    assert done.code == 0
    assert "plan start" in done.err
    ready = [line for line in done.err.splitlines() if line.startswith("ready")]
    assert [line.split()[1] for line in ready] == ["bus@a", "data@a"]
    assert all(line.rstrip().endswith(" s") for line in ready), "each with its seconds"
    assert "2 healthy" in done.out
    assert "opsctl open daily" in done.out


def test_the_json_result_stands_alone_on_stdout(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl("deploy", "daily", "--output", "json")
    assert done.code == 0
    assert done.json["changed"]
    assert [c["name"] for c in done.json["changes"]] == ["bus@a", "data@a"]
    assert done.json["verification"]["verdict"] == "passed"
    applied = records.applied("daily")
    assert applied is not None
    assert done.json["run"] == applied.run


def test_flags_reach_the_environment(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl(
        *("deploy", "daily", "--no-verify", "--set", "trading:replay.day_s=0.5"),
        *("--set", "limits.max_order_shares=7"),
    )
    assert done.code == 0
    applied = records.applied("daily")
    assert applied is not None
    assert str(applied.environment.replay.day_s) == "0.5"
    assert applied.environment.limits.max_order_shares == 7


def test_a_missed_tier_exits_3(
    opsctl: Opsctl, target: FakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opsctl.deploy.means.means", lambda: means(target, verdict="failed"))
    done = opsctl("deploy", "daily")
    assert done.code == 3
    assert "failed: tick to order p50 50 ms, p99 99 ms" in done.out
    assert "monitoring: Prometheus scrapes 9 services" in done.out
    assert opsctl("deploy", "daily", "--no-verify").code == 0


def test_a_failed_deploy_exits_1_with_the_end_of_the_log(
    opsctl: Opsctl, target: FakeTarget
) -> None:
    target.wanted = (service("bus"), service("data", last=FAILS))
    done = opsctl("deploy", "daily")
    assert (done.code, done.out) == (1, "")
    assert "error: data@a exited with 1" in done.err
    assert "  cannot work like this" in done.err


def test_the_second_is_told_who_holds_the_lock(opsctl: Opsctl, target: FakeTarget) -> None:
    with held("daily", "opsctl destroy daily"):
        done = opsctl("deploy", "daily")
    assert done.code == 1
    assert "held by `opsctl destroy daily`" in done.err


@pytest.mark.parametrize(
    ("words", "typed", "code"),
    [
        ((), None, 2),
        (("--yes",), None, 2),
        (("--live",), None, 2),
        (("--live", "--yes"), None, 0),
        (("--live",), "daily\n", 0),
        (("--live",), "weekly\n", 2),
        ((), "daily\n", 2),
    ],
)
@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_a_live_environment_takes_the_flag_and_its_name(
    opsctl: Opsctl,
    target: FakeTarget,
    command: str,
    words: tuple[str, ...],
    typed: str | None,
    code: int,
) -> None:
    opsctl.write("Pulumi.daily.yaml", LIVE)
    if command == "destroy":
        assert opsctl("deploy", "daily", "--no-verify", "--live", "--yes").code == 0
    before = list(target.running)
    done = opsctl(command, "daily", *words, *(["--no-verify"] * (command == "deploy")), typed=typed)
    assert done.code == code, done.err
    assert (list(target.running) == before) == (code != 0)


def test_what_runs_live_is_guarded_whatever_the_file_says_now(
    opsctl: Opsctl, target: FakeTarget
) -> None:
    opsctl.write("Pulumi.daily.yaml", LIVE)
    opsctl("deploy", "daily", "--no-verify", "--live", "--yes")
    opsctl.write("Pulumi.daily.yaml", DAILY)
    for command in ("deploy", "destroy", "rollback"):
        done = opsctl(command, "daily", "--yes")
        assert (done.code, "is live" in done.err) == (2, True)
