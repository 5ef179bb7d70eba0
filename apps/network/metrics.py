"""What the links carried, read when Prometheus asks: the path of a byte only adds to an int."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from apps.network.connection import Link


class Links(Collector):
    """The links as Prometheus sees them."""

    def __init__(self, links: Mapping[str, Link]) -> None:
        """Keep the links."""
        self._links = links

    def collect(self) -> Iterable[Metric]:
        """Yield one family a figure."""
        carried = CounterMetricFamily(
            "trading_network_carried_bytes", "Bytes carried.", labels=["link", "way"]
        )
        dropped = CounterMetricFamily(
            "trading_network_dropped_bytes", "Bytes swallowed.", labels=["link", "way"]
        )
        opened = CounterMetricFamily(
            "trading_network_opened", "Connections taken in.", labels=["link"]
        )
        refused = CounterMetricFamily(
            "trading_network_refused",
            "Connections broken at once: the link is cut, or its far end does not answer.",
            labels=["link"],
        )
        now = GaugeMetricFamily("trading_network_connections", "Open now.", labels=["link"])
        cut = GaugeMetricFamily("trading_network_cut", "Whether it is cut.", labels=["link"])
        delay = GaugeMetricFamily(
            "trading_network_delay_seconds", "How long it holds bytes back.", labels=["link"]
        )
        rate = GaugeMetricFamily(
            "trading_network_bytes_per_second",
            "What it lets through at most; 0: all that comes.",
            labels=["link"],
        )
        for name, link in self._links.items():
            for way, counts in link.counts.items():
                carried.add_metric([name, way], counts.carried_bytes)
                dropped.add_metric([name, way], counts.dropped_bytes)
            opened.add_metric([name], link.opened)
            refused.add_metric([name], link.refused)
            now.add_metric([name], len(link.connections))
            cut.add_metric([name], link.faults.cut)
            delay.add_metric([name], link.faults.delay_ms / 1_000)
            rate.add_metric([name], link.faults.bytes_per_s)
        yield from (carried, dropped, opened, refused, now, cut, delay, rate)
