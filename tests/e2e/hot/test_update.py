"""A setting is changed and changed back under a stream of orders: the sites go one by one."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

from tests.e2e.conftest import OPSCTL, Deployed
from tests.e2e.updating import ORDERS_PER_S, agreed, change_and_roll_back, other, seen, told
from tests.support import chaos

SET = ("--no-verify", "--set")


def test_a_change_and_its_rollback_lose_no_order(
    intraday: Deployed, record_property: Callable[[str, object], None]
) -> None:
    change_and_roll_back(intraday, record_property)


def test_one_that_is_killed_between_the_steps_is_continued(intraday: Deployed) -> None:
    words = (intraday.name, *SET, "limits.max_order_shares=800000")

    def kill_and_go_on() -> None:
        deploy = subprocess.Popen(
            [OPSCTL, "deploy", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPSCTL_STATE": str(intraday.state)},
        )
        assert deploy.stderr is not None
        steps = (line for line in deploy.stderr if line.startswith("step: "))
        assert next(steps).startswith("step: site ")
        assert next(steps), "the first is done, and the next one begins"
        deploy.send_signal(signal.SIGKILL)
        deploy.communicate(timeout=120)
        assert deploy.returncode == -signal.SIGKILL
        assert seen(intraday).update is not None, "two settings may stand side by side until then"
        done = intraday.json("deploy", *words)
        assert done["steps"][-1]["kind"] == "site"
        assert len([step for step in done["steps"] if step["kind"] == "site"]) == 1

    quiet(intraday, kill_and_go_on)


def test_a_site_that_was_down_is_mended_and_the_other_changed_after_it(intraday: Deployed) -> None:
    target = chaos.accounts_of(intraday.name).target

    def lose_and_deploy() -> None:
        led = seen(intraday).leader
        assert led is not None
        lost = [s.key for s in target.services() if s.site == other(led.site)]
        target.keep_down(lost)
        done = intraday.json("deploy", intraday.name, "--no-verify")
        steps = {step["kind"]: step for step in done["steps"]}
        assert set(steps["missing"]["services"]) == set(lost)
        assert steps["site"]["site"] == led.site
        # On a machine that stalls for longer than the detection time it moves by itself, too.
        assert set(steps) - {"handover"} == {"missing", "site"}

    quiet(intraday, lose_and_deploy)


def test_every_certificate_is_changed_under_orders_and_none_is_lost(intraday: Deployed) -> None:
    tls = intraday.state / "environments" / intraday.name / "secrets/tls"
    before = {path.name: path.read_bytes() for path in tls.glob("*.crt")}

    def rotate() -> None:
        done = intraday.json("env", "rotate", intraday.name)
        assert len(done["runs"]) == 3

    quiet(intraday, rotate)
    after = {path.name: path.read_bytes() for path in tls.glob("*.crt")}
    assert after.keys() == before.keys()
    assert not [name for name in before if before[name] == after[name]]
    assert not intraday.json("deploy", intraday.name, "--no-verify")["changed"]


def quiet(intraday: Deployed, work: Callable[[], None]) -> None:
    """Do something under orders, of which none is lost, and at whose end both sites agree."""
    outcome = chaos.under_orders(intraday.name, work, rate_per_s=ORDERS_PER_S)
    assert outcome.faults == ()
    assert (outcome.lost, outcome.duplicated) == (0, 0)
    after = seen(intraday)
    assert told(after) == agreed(intraday)
    assert after.update is None
