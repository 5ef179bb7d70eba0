"""What Prometheus says: which targets are up, how fast messages flow, which alerts fire."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

from opsctl.errors import ObjectiveMissed
from opsctl.model.value import Value
from opsctl.services.base import Address
from opsctl.services.prometheus import SCRAPE_INTERVAL_S

if TYPE_CHECKING:
    from collections.abc import Mapping

USER = "opsctl"
TIMEOUT_S = 2.0
FRESH_S = 3 * SCRAPE_INTERVAL_S
"""An alert that fires is written at every evaluation of the rules."""
RATES = '{__name__=~"trading_.+_total"}'


class ScrapeTarget(Value):
    """A target that Prometheus scrapes; `service` is the key of its service."""

    service: str
    instance: str
    up: bool


class Alert(Value):
    """An alert that is firing."""

    name: str
    severity: str
    service: str


class Rate(Value):
    """How often a counter of a service grew, per second, over the last minute."""

    metric: str
    service: str
    per_s: Decimal


class PrometheusUnreadable(ObjectiveMissed):
    """Prometheus does not answer its queries."""


class Prometheus:
    """A Prometheus read through its query interface."""

    def __init__(self, at: Address, password: str, *, timeout_s: float = TIMEOUT_S) -> None:
        """Keep where it is; nothing is asked yet."""
        from prometheus_api_client import PrometheusConnect
        from urllib3.util.retry import Retry

        self._at = at
        self._client = PrometheusConnect(
            url=f"http://{at.here}", auth=(USER, password), retry=Retry(total=0), timeout=timeout_s
        )

    def __enter__(self) -> Self:
        """Return this reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self._client.close()

    def targets(self) -> tuple[ScrapeTarget, ...]:
        """Return every target that is scraped, and whether its last scrape succeeded."""
        return tuple(
            ScrapeTarget(service=_service(labels), instance=labels.get("instance", ""), up=n == 1)
            for labels, n in self.ask("up")
        )

    def alerts_firing(self) -> tuple[Alert, ...]:
        """Return the alerts that fire now.

        A Prometheus that was killed while one fired tells of it for five minutes after its next
        start, whatever became of it: only what was written lately counts.
        """
        firing = 'ALERTS{alertstate="firing"}'
        return tuple(
            Alert(
                name=labels.get("alertname", ""),
                severity=labels.get("severity", ""),
                service=_service(labels),
            )
            for labels, _ in self.ask(f"{firing} and time() - timestamp({firing}) < {FRESH_S}")
        )

    def message_rates(self, window: str = "1m") -> tuple[Rate, ...]:
        """Return how fast each counter of the apps grows."""
        query = f'label_replace({RATES}, "metric", "$1", "__name__", "(.+)")'
        found = self.ask(f"sum by (metric, job, service, site) (rate(({query})[{window}:5s]))")
        return tuple(
            Rate(metric=labels.get("metric", ""), service=_service(labels), per_s=n)
            for labels, n in found
            if n.is_finite()
        )

    def ask(self, query: str) -> list[tuple[Mapping[str, str], Decimal]]:
        """Return the labels and the value of every series of an instant query.

        Raises `PrometheusUnreadable`.
        """
        from prometheus_api_client import PrometheusApiClientException
        from requests.exceptions import RequestException

        try:
            found: list[dict[str, Any]] = self._client.custom_query(query)
        except PrometheusApiClientException as error:
            raise PrometheusUnreadable(
                f"Prometheus on {self._at} refuses a query: {error}", hint="opsctl logs prometheus"
            ) from error
        except (RequestException, ValueError, KeyError) as error:
            raise PrometheusUnreadable(
                f"Prometheus on {self._at} does not answer: {type(error).__name__}",
                hint="opsctl status shows whether it runs, opsctl logs prometheus why not",
            ) from error
        return [(series["metric"], Decimal(series["value"][1])) for series in found]


def _service(labels: Mapping[str, str]) -> str:
    """Return the service's key where the labels have it, else the job."""
    name, site = labels.get("service") or labels.get("job", ""), labels.get("site", "")
    return f"{name}@{site}" if site and "@" not in name else name
