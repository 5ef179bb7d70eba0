"""Asks each site's execution app to stop by itself, where the journal does not answer."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl.deploy.outcome import SiteStopped
from opsctl.services.base import HttpProbe, Service

if TYPE_CHECKING:
    from opsctl.targets.base import Target

EXECUTION, PATH = "execution", "/stop"
TIMEOUT_S = 3.0


def stop_sites(target: Target, *, by: str, reason: str) -> list[SiteStopped]:
    """Have each site cancel what is open on its order session; return what each did.

    What a site without an answer has open is cancelled by those that answer, as far as the
    venue lets them.
    """
    asked = [service for service in target.services() if service.name == EXECUTION]
    found = [_stop(service, target, by, reason, others=False) for service in asked]
    if all(one.answered for one in found):
        return found
    return [
        _stop(service, target, by, reason, others=True) if one.answered and one.left else one
        for service, one in zip(asked, found, strict=True)
    ]


def _stop(service: Service, target: Target, by: str, reason: str, *, others: bool) -> SiteStopped:
    import httpx

    probe = service.probe
    assert isinstance(probe, HttpProbe)  # noqa: S101 - as every app's
    try:
        token = Path(target.host.secret(probe.secret)).read_text(encoding="utf-8").strip()
        answer = httpx.post(
            f"http://{probe.at.here}{PATH}",
            json={"by": by, "reason": reason, "others": others},
            headers={"Authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        told = answer.json()
    except (httpx.HTTPError, OSError, ValueError) as fault:
        return SiteStopped(site=service.site, answered=False, detail=str(fault) or "no answer")
    if answer.status_code != httpx.codes.OK:
        return SiteStopped(site=service.site, answered=False, detail=str(told.get("detail", "")))
    return SiteStopped(
        site=service.site,
        answered=True,
        detail=told["trouble"],
        **{name: told[name] for name in ("cancelled", "unsent", "left", "in_doubt")},
    )
