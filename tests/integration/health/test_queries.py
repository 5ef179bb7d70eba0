"""A real Prometheus is read: targets, alerts, rates; with its password and without."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import bcrypt
import pytest

from opsctl.health import queries, report
from opsctl.health.probes import probe
from opsctl.health.queries import Prometheus, PrometheusUnreadable
from opsctl.services.base import Address, HttpProbe, Service
from opsctl.toolchain import programs
from tests.support.process import freeze
from tests.support.servers import Process, folder, free_port, wait_for

PASSWORD = "prometheus-password"

CONFIG = """
global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: data
    static_configs:
      - targets: ["127.0.0.1:{app}"]
        labels: {{service: data, site: a}}
  - job_name: gone
    static_configs:
      - targets: ["127.0.0.1:{gone}"]
"""

RULES = """
groups:
  - name: test
    rules:
      - {alert: TargetDown, expr: "max_over_time(up[1s]) == 0", labels: {severity: critical}}
      - {alert: NeverFires, expr: up == 2, labels: {severity: critical}}
"""


class Counter(BaseHTTPRequestHandler):
    """An app whose one counter grows by ten with every second."""

    began = time.monotonic()

    def do_GET(self) -> None:
        count = 10 * (time.monotonic() - self.began)
        body = f"# TYPE trading_closes_total counter\ntrading_closes_total {count}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        with contextlib.suppress(OSError):  # a scrape that was given up
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@dataclass(frozen=True)
class Running:
    at: Address
    gone: int
    process: Process


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """Run a Prometheus that scrapes one app and one that is not there."""
    with folder() as home, ThreadingHTTPServer(("127.0.0.1", 0), Counter) as app:
        serving = threading.Thread(target=app.serve_forever)
        serving.start()
        port, gone = free_port(), free_port()
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
        (home / "web.yml").write_text(f"basic_auth_users: {{opsctl: '{hashed}'}}\n")
        (home / "rules.yml").write_text(RULES)
        (home / "prometheus.yml").write_text(CONFIG.format(app=app.server_address[1], gone=gone))
        process = Process(
            [
                str(programs.path("prometheus", "prometheus")),
                f"--config.file={home / 'prometheus.yml'}",
                f"--web.config.file={home / 'web.yml'}",
                f"--storage.tsdb.path={home / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            home / "log",
        )
        process.start()
        at = Address(host="127.0.0.1", port=port)

        def scraped() -> bool:
            assert process.alive, process.log()
            try:
                with Prometheus(at, PASSWORD) as prometheus:
                    return bool(prometheus.alerts_firing() and len(prometheus.targets()) == 2)
            except PrometheusUnreadable:
                return False

        try:
            wait_for(scraped, "Prometheus", 30)
            yield Running(at, gone, process)
        finally:
            process.stop()
            app.shutdown()
            serving.join()


def test_targets_and_alerts(running: Running) -> None:
    with Prometheus(running.at, PASSWORD) as prometheus:
        assert {t.service: t.up for t in prometheus.targets()} == {"data@a": True, "gone": False}
        [alert] = prometheus.alerts_firing()
    assert (alert.name, alert.severity, alert.service) == ("TargetDown", "critical", "gone")


def test_rates_of_the_apps_counters(running: Running) -> None:
    with Prometheus(running.at, PASSWORD) as prometheus:

        def settled() -> bool:  # a window that reaches before the first scrape shows less
            return any(5 < rate.per_s < 20 for rate in prometheus.message_rates("20s"))

        wait_for(settled, "a rate of ten a second", 30)
        [rate] = prometheus.message_rates("20s")
    assert (rate.metric, rate.service) == ("trading_closes_total", "data@a")


def test_an_alert_that_ended_while_prometheus_was_killed_fires_no_more(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "FRESH_S", 3)  # rules are evaluated five times a second here
    with Prometheus(running.at, PASSWORD) as prometheus:
        assert prometheus.alerts_firing()
        running.process.kill()
        with ThreadingHTTPServer(("127.0.0.1", running.gone), Counter) as back:
            serving = threading.Thread(target=back.serve_forever)
            serving.start()
            time.sleep(1)  # as far as the rule looks back: it never fires again
            running.process.start()

            def up() -> bool:
                with contextlib.suppress(PrometheusUnreadable):
                    return {t.service: t.up for t in prometheus.targets()} == {
                        "data@a": True,
                        "gone": True,
                    }
                return False

            try:
                wait_for(up, "the target", 30)
                wait_for(lambda: not prometheus.alerts_firing(), "the end of its alert", 60)
                assert prometheus.ask("ALERTS"), "it would be told still"
            finally:
                back.shutdown()
                serving.join()
        wait_for(lambda: bool(prometheus.alerts_firing()), "the alert, since it is gone anew", 30)


def test_a_wrong_password_is_an_error_that_does_not_show_it(running: Running) -> None:
    with (
        Prometheus(running.at, "wrong-password") as prometheus,
        pytest.raises(PrometheusUnreadable) as caught,
    ):
        prometheus.targets()
    assert "401" in caught.value.message
    assert "wrong-password" not in caught.value.message


def test_a_query_that_is_none_is_an_error(running: Running) -> None:
    with (
        Prometheus(running.at, PASSWORD) as prometheus,
        pytest.raises(PrometheusUnreadable, match="refuses a query"),
    ):
        prometheus.ask("up{")


def service(at: Address) -> Service:
    return Service(
        name="prometheus",
        site="a",
        kind="server",
        purpose="monitoring",
        argv=("prometheus",),
        probe=HttpProbe(at=at, path="/-/ready", secret="prometheus", user="opsctl"),
    )


def test_the_monitoring_of_an_environment(running: Running) -> None:
    found = report.monitored([service(running.at)], lambda _: PASSWORD)
    assert (found.targets_up, found.detail) == (1, "")
    assert [t.instance for t in found.targets_down] == [f"127.0.0.1:{running.gone}"]
    assert not found.healthy()


def test_a_stopped_prometheus_is_told_in_time(running: Running) -> None:
    freeze(running.process.pid)
    began = time.monotonic()
    try:
        found = report.monitored([service(running.at)], lambda _: PASSWORD)
    finally:
        os.kill(running.process.pid, signal.SIGCONT)
    assert "does not answer" in found.detail
    assert time.monotonic() - began < 5
    assert not found.healthy()


def test_alertmanager_starts_without_any_file_of_the_system(tmp_path: Path) -> None:
    """Debian's release does not: its templates lie in the system's folder."""
    (tmp_path / "alertmanager.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]")
    port = free_port()
    process = Process(
        [
            str(programs.path("alertmanager", "alertmanager")),
            f"--config.file={tmp_path / 'alertmanager.yml'}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        tmp_path / "log",
    )
    process.start()
    at = Address(host="127.0.0.1", port=port)
    ready = HttpProbe(at=at, path="/-/ready", secret="unused", user="opsctl")
    try:
        wait_for(lambda: probe(ready, lambda _: "").ok or not process.alive, "Alertmanager")
        assert process.alive, process.log()
    finally:
        process.stop()
