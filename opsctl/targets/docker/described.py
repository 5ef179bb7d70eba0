"""Images of a firm's own, asked by `--describe` whether they take their settings, before a deploy.

The image runs for that moment as it would run, and without a network, data or secrets.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from opsctl.errors import UsageError
from opsctl.health.contract import DESCRIBE_S, accepts
from opsctl.images.definition import USER
from opsctl.images.engine import Engine, errors
from opsctl.services.base import Service
from opsctl.targets.docker import naming

LAST_LINES = 3


def refuse_broken(engine: Engine, environment: str, services: Sequence[Service]) -> None:
    """Raise `UsageError` with everything that images of the firm's own have against the contract.

    An image of ours keeps it: a test of ours says so. One that an engine does not hold yet is
    not asked.
    """
    wrong = []
    for service in services:
        if service.kind == "app" and not service.argv and engine.find(service.image) is not None:
            wrong += [f"{service.key}: {fault}" for fault in _faults(engine, environment, service)]
    if wrong:
        raise UsageError(
            f"{len(wrong)} faults of images that trading:images.use names: they do not keep the "
            "contract of an app",
            details=tuple(wrong),
            hint="an app prints the JSON schema of its settings by `--describe`, and takes them "
            "as TRADING_* variables",
        )


def _faults(engine: Engine, environment: str, service: Service) -> Iterator[str]:
    status, out, err = _ran(engine, environment, service)
    if status is None:
        yield f"--describe did not end within {DESCRIBE_S:.0f} s"
    elif status != 0:
        said = "; ".join(err.strip().splitlines()[-LAST_LINES:]) or "no reason given"
        yield f"--describe exits {status}: {said}"
    else:
        try:
            schema = json.loads(out)
        except ValueError as fault:
            yield f"--describe prints no JSON: {fault}"
            return
        yield from accepts(schema, service.environment)


def _ran(engine: Engine, environment: str, service: Service) -> tuple[int | None, str, str]:
    """Return exit status (None where it did not end), output and errors of `--describe`."""
    import requests
    from docker.errors import APIError

    api: Any = engine.client.api
    with errors(engine.address):
        try:
            config = api.inspect_image(service.image)["Config"]
            made = api.create_container(
                service.image,
                command=[*(config["Cmd"] or ()), "--describe"],
                user=USER,
                labels={naming.ENVIRONMENT: environment, naming.ROLE: naming.READER},
                healthcheck={"Test": ["NONE"]},
                host_config=api.create_host_config(
                    read_only=True,
                    network_mode="none",
                    cap_drop=["ALL"],
                    security_opt=["no-new-privileges"],
                    log_config={"Type": "json-file", "Config": {}},
                ),
            )["Id"]
        except APIError as error:
            return 127, "", str(error.explanation)
        try:
            api.start(made)
            status = int(api.wait(made, timeout=DESCRIBE_S)["StatusCode"])
            out, err = (
                api.logs(made, stdout=which == "out", stderr=which == "err").decode(
                    errors="replace"
                )
                for which in ("out", "err")
            )
        except APIError as error:  # it has no such program
            return 127, "", str(error.explanation)
        except requests.RequestException:
            return None, "", ""
        finally:
            with contextlib.suppress(APIError):
                api.remove_container(made, force=True)
    return status, out, err
