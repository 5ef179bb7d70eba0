"""The contract of an app: what a firm's own program must keep to be run in place of ours.

Checked on the running process: its endpoint answers with the token and refuses without,
its log is JSON that says who speaks; and on the program: `--describe` prints a JSON schema
that accepts the settings with which it runs. How it drains is not tried: it would stop.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opsctl.services.base import HttpProbe, Service

PREFIX = "TRADING_"
PATHS = ("/livez", "/readyz", "/metrics")
LOG_LINES = 20
SAID = ("environment", "site", "service")
DESCRIBE_S = 60.0
HTTP_S = 3.0


def endpoint(service: Service, token: str) -> Iterator[str]:
    """Yield what is wrong with the operations endpoint of an app."""
    import httpx

    if not isinstance(service.probe, HttpProbe):
        yield "has no operations endpoint"
        return
    with httpx.Client(
        base_url=f"http://{service.probe.at.here}",
        timeout=HTTP_S,
        trust_env=False,
        verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # no CA bundle is read for plain http
    ) as client:
        for path in PATHS:
            for given, want in ((token, True), ("", False), (f"{token}x", False)):
                headers = {"Authorization": f"Bearer {given}"} if given else {}
                try:
                    answer = client.get(path, headers=headers)
                except httpx.HTTPError as fault:
                    yield f"{path}: {fault or type(fault).__name__}"
                    break
                if want and answer.status_code != httpx.codes.OK:
                    yield f"{path} answers {answer.status_code}: {answer.text[:120]}".rstrip(": ")
                elif want and path == "/metrics" and "# TYPE " not in answer.text:
                    yield "/metrics is not in the format of Prometheus"
                elif not want and answer.status_code != httpx.codes.UNAUTHORIZED:
                    how = "a wrong token" if given else "no token"
                    yield f"{path} answers {answer.status_code} to {how}, not 401"


def log(service: Service, lines: Sequence[str], environment: str) -> Iterator[str]:
    """Yield what is wrong with the end of an app's log."""
    expected = {"environment": environment, "site": service.site, "service": service.name}
    if not lines:
        yield "has logged nothing"
    for line in lines:
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            yield f"logs a line that is no JSON object: {line[:80]}"
            return
        wrong = [key for key in SAID if said.get(key) != expected[key]]
        if wrong:
            yield f"logs a line with another {', '.join(wrong)}: {line[:120]}"
            return


def described(service: Service) -> Iterator[str]:
    """Yield what is wrong with `--describe`, run on this machine with the service's command."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    try:
        ran = subprocess.run(
            [*service.argv, "--describe"],
            capture_output=True,
            text=True,
            check=False,
            timeout=DESCRIBE_S,
            stdin=subprocess.DEVNULL,
            env=clean,
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        yield f"--describe cannot be run: {fault}"
        return
    if ran.returncode != 0:
        last = (ran.stderr.strip().splitlines() or ["no reason given"])[-1]
        yield f"--describe exits {ran.returncode}: {last}"
        return
    try:
        schema = json.loads(ran.stdout)
    except ValueError as fault:
        yield f"--describe prints no JSON: {fault}"
        return
    yield from accepts(schema, service.environment)


def accepts(schema: Any, variables: Mapping[str, str]) -> Iterator[str]:
    """Yield what a described schema has against the variables that an app runs with."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if not isinstance(schema, dict) or schema.get("type") != "object":
        yield "--describe prints no JSON schema of an object"
        return
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as fault:
        yield f"--describe prints a schema that is none: {fault.message}"
        return
    known: dict[str, Any] = schema.get("properties", {})
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in variables.items()
        if name.startswith(PREFIX)
    }
    unknown = sorted(given.keys() - known.keys())
    if unknown:
        yield f"--describe does not know {', '.join(unknown)}"
    values = {
        name: _value(text, Draft202012Validator({**known[name], "$defs": schema.get("$defs", {})}))
        for name, text in given.items()
        if name in known
    }
    for refused in Draft202012Validator(schema).iter_errors(values):
        where = ".".join(str(part) for part in refused.absolute_path)
        yield f"--describe refuses the running settings: {where}: {refused.message}"


def _value(text: str, fits: Any) -> Any:
    """Return the value that a variable stands for: its text, else the JSON that it holds."""
    if fits.is_valid(text):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
