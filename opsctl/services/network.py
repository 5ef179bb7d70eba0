"""The network between the places of an environment, as a process that a drill can disturb."""

from __future__ import annotations

from apps.core.settings import NetworkSettings
from opsctl.model.environment import Environment
from opsctl.model.topology import links
from opsctl.services import app
from opsctl.services.base import Host, Service
from opsctl.services.links import NETWORK, asked, far_end, near_end, port_name

NAME = NETWORK


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return the app that carries every link."""
    carried = links(environment)
    return app.service(
        NetworkSettings,
        environment,
        site,
        host,
        name=NAME,
        module="apps.network",
        purpose="every link between sites and to the venue; a drill cuts, drops and delays them",
        wiring={
            "links": {
                link.name: {
                    "listen": str(near_end(link, host)),
                    "to": str(far_end(link, host)),
                    "asked": asked(link),
                }
                for link in carried
            }
        },
        ports={port_name(link): near_end(link, host).port for link in carried},
    )
