from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.health import report
from opsctl.health.managed import Managed, Part
from opsctl.health.probes import Result
from opsctl.health.queries import Alert, ScrapeTarget
from opsctl.health.report import Monitoring
from opsctl.services.base import Address, HttpProbe, Service
from opsctl.targets.base import Running

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
State = Literal["running", "starting", "stopped", "failed"]
STATES: tuple[State, ...] = ("running", "starting", "stopped", "failed")


def service(name: str, site: str = "a") -> Service:
    return Service(
        name=name,
        site=site,
        kind="app",
        purpose="test",
        argv=(name,),
        probe=HttpProbe(at=Address(host="127.0.0.1", port=1), path="/readyz", secret="t"),
    )


def running(name: str, state: State = "running", site: str = "a", detail: str = "") -> Running:
    return Running(
        name=name,
        site=site,
        state=state,
        made_from="0",
        pid=7,
        started_at=NOW - timedelta(seconds=90),
        rss_bytes=1 << 20,
        detail=detail,
    )


OK = Result(ok=True, duration_s=0.01)


def failed(detail: str) -> Result:
    return Result(ok=False, detail=detail, duration_s=0.01)


def test_the_keys_are_the_contract() -> None:
    shown = report.status("daily", [service("data")], [running("data")], NOW, {"data@a"})
    assert shown.model_dump(mode="json") == {
        "environment": "daily",
        "verdict": "healthy",
        "services": [
            {
                "name": "data",
                "site": "a",
                "state": "running",
                "ready": True,
                "uptime_s": 90.0,
                "rss_bytes": 1 << 20,
                "detail": "",
            }
        ],
    }
    probed = report.health("daily", [service("data")], [running("data")], NOW, {}, Monitoring())
    assert set(shown.model_dump()) < set(probed.model_dump())


def test_what_was_never_started_is_stopped() -> None:
    [seen] = report.status("daily", [service("data")], [], NOW, {"data@a"}).services
    assert (seen.state, seen.ready, seen.detail) == ("stopped", False, "not deployed")
    assert (seen.uptime_s, seen.rss_bytes) == (None, None)


def test_what_runs_and_is_not_wanted_is_shown_last() -> None:
    shown = report.status("d", [service("data")], [running("old"), running("data")], NOW, ())
    assert [s.key for s in shown.services] == ["data@a", "old@a"]


@given(
    seen=st.lists(st.tuples(st.sampled_from(STATES), st.booleans()), min_size=1, max_size=8),
)
def test_status_is_healthy_if_and_only_if_everything_runs_and_listens(
    seen: list[tuple[State, bool]],
) -> None:
    names = [f"s{n}" for n in range(len(seen))]
    shown = report.status(
        "d",
        [service(name) for name in names],
        [running(name, state) for name, (state, _) in zip(names, seen, strict=True)],
        NOW,
        {f"{name}@a" for name, (_, listens) in zip(names, seen, strict=True) if listens},
    )
    ready = [state in ("running", "starting") and listens for state, listens in seen]
    assert [s.ready for s in shown.services] == ready
    assert (shown.verdict == "healthy") == all(ready)


@given(oks=st.lists(st.booleans(), min_size=1, max_size=8))
def test_health_is_healthy_if_and_only_if_every_probe_did_its_work(oks: list[bool]) -> None:
    names = [f"s{n}" for n in range(len(oks))]
    probed = {f"{name}@a": OK if ok else failed("no") for name, ok in zip(names, oks, strict=True)}
    services, seen = [service(n) for n in names], [running(n) for n in names]
    shown = report.health("d", services, seen, NOW, probed, Monitoring())
    assert (shown.verdict == "healthy") == all(oks)
    assert [s.ready for s in shown.services] == oks


def test_an_environment_without_services_is_not_healthy() -> None:
    assert report.status("d", [], [], NOW, ()).verdict == "unhealthy"


def test_a_process_that_runs_and_does_no_work_is_not_ready() -> None:
    probed = {"data@a": failed("no close for 30 s")}
    [seen] = report.health(
        "d", [service("data")], [running("data")], NOW, probed, Monitoring()
    ).services
    assert (seen.state, seen.ready, seen.detail) == ("running", False, "no close for 30 s")


def test_why_a_service_failed_is_told_rather_than_that_nothing_listens() -> None:
    seen = running("data", "failed", detail="exited with 1: no price file")
    probed = {"data@a": failed("nothing listens on 127.0.0.1:1")}
    [shown] = report.health("d", [service("data")], [seen], NOW, probed, Monitoring()).services
    assert shown.detail == "exited with 1: no price file"


def test_what_its_target_tells_of_a_service_is_told_beside_what_its_probe_says() -> None:
    short = "was killed for lack of memory 12 s ago; started again 3 times"
    seen = [running("desk", detail=short)]
    told = {
        ok: report.health("x", [service("desk")], seen, NOW, {"desk@a": result}, Monitoring())
        for ok, result in ((True, OK), (False, failed("refused")))
    }
    assert told[True].services[0].detail == short
    assert told[True].verdict == "healthy"
    assert told[False].services[0].detail == f"refused; {short}"


def test_a_clock_that_was_set_back_gives_no_negative_uptime() -> None:
    earlier = NOW - timedelta(days=1)
    [seen] = report.status("d", [service("data")], [running("data")], earlier, ()).services
    assert seen.uptime_s == 0.0


DOWN = ScrapeTarget(service="data@a", instance="127.0.0.1:1", up=False)


def alert(severity: str) -> Alert:
    return Alert(name="Late", severity=severity, service="data@a")


@pytest.mark.parametrize(
    ("monitoring", "verdict"),
    [
        (Monitoring(targets_up=3), "healthy"),
        (Monitoring(targets_down=(DOWN,)), "unhealthy"),
        (Monitoring(alerts_firing=(alert("warning"), alert("info"))), "healthy"),
        (Monitoring(alerts_firing=(alert("warning"), alert("critical"))), "unhealthy"),
        (Monitoring(alerts_firing=(alert(""),)), "unhealthy"),
        (Monitoring(detail="Prometheus does not answer"), "unhealthy"),
    ],
)
def test_what_prometheus_says_counts(monitoring: Monitoring, verdict: str) -> None:
    shown = report.health(
        "d", [service("data")], [running("data")], NOW, {"data@a": OK}, monitoring
    )
    assert shown.verdict == verdict


def test_a_target_that_just_started_may_not_have_been_scraped() -> None:
    young = running("data").model_copy(update={"started_at": NOW - timedelta(seconds=3)})
    down = Monitoring(targets_down=(DOWN,))
    shown = report.health("d", [service("data")], [young], NOW, {"data@a": OK}, down)
    assert shown.verdict == "healthy"
    shown = report.health("d", [service("data")], [young], NOW, {"data@a": failed("no")}, down)
    assert shown.verdict == "unhealthy"


def test_probing_asks_every_service_and_no_service_is_no_work() -> None:
    results = report.probe_all([service("data"), service("desk")], lambda _: "token")
    assert set(results) == {"data@a", "desk@a"}
    assert not any(result.ok for result in results.values())
    assert report.probe_all([], lambda _: "token") == {}


def test_an_environment_without_prometheus_has_nothing_to_say() -> None:
    assert report.monitored([service("data")], lambda _: "") == Monitoring()


def test_managed_parts_count_and_neither_side_hides_the_other() -> None:
    seen = report.health(
        "books", [service("data")], [running("data")], NOW, {"data@a": OK}, Monitoring()
    )

    def of(state: Literal["healthy", "unhealthy", "unknown"]) -> Managed:
        part = Part(kind="key", name="key", region="eu-west-1", id="1", state=state, detail="")
        return Managed(parts=(part,))

    assert report.with_managed(seen, None).verdict == "healthy"
    assert report.with_managed(seen, of("healthy")).verdict == "healthy"
    for bad in (of("unhealthy"), of("unknown"), Managed(detail="no state")):
        both = report.with_managed(seen, bad)
        assert (both.verdict, both.services, both.managed) == ("unhealthy", seen.services, bad)
    hidden = report.with_managed(report.unseen("books", "no way to the host"), of("healthy"))
    assert (hidden.verdict, hidden.services_unknown) == ("unhealthy", "no way to the host")
    assert hidden.managed == of("healthy")
