"""What the engine's failures mean: the resource, the cause, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from opsctl.errors import OpsctlError, ToolMissing
from opsctl.infra.previewed import Resource
from opsctl.infra.steps import Fault, name_of
from opsctl.infra.workspace import Workspace

_VERBS = {
    "create": "made",
    "update": "changed",
    "replace": "replaced",
    "delete": "deleted",
    "read": "read",
    "same": "kept",
}
_NOISE = re.compile(
    r"^(error: |warning: )?(update failed|preview failed|Resource monitor has terminated.*)?$"
    # The SDK's trace of a resource that failed, while others went on.
    r"|^(python inline source runtime error|an unhandled error occurred): .*failed to register"
)
_PROTECTED = re.compile(r"(because it is|marked for) protect")
LINES = 12


class InfrastructureFailed(OpsctlError):
    """The engine could not do it: the message names the resource and the cause."""


class _Known(NamedTuple):
    pattern: re.Pattern[str]
    message: str
    hint: str


def _known(pattern: str, message: str, hint: str) -> _Known:
    return _Known(re.compile(pattern, re.IGNORECASE | re.DOTALL), message, hint)


_KNOWN = (
    _known(
        r"incorrect passphrase|passphrase must be set|failed to decrypt",
        "the passphrase does not open the stack of {environment}",
        "put the right one into {passphrase}, or name its file in PULUMI_CONFIG_PASSPHRASE_FILE",
    ),
    _known(
        r"(?:no resource plugin|could not find (?:latest|plugin).*?) ?'?(?:pulumi-resource-)?"
        r"(?P<plugin>[a-z][a-z-]*)",
        "the engine lacks the plugin of the provider",
        "install it: PULUMI_HOME={home} pulumi plugin install resource NAME, or put its "
        "`pulumi-resource-NAME` on PATH",
    ),
    _known(
        r"snapshot integrity|failed to load checkpoint|unmarshal.*checkpoint|invalid character|"
        r"unexpected end of JSON|could not deserialize|failed to load snapshot|"
        r"unsupported deployment version|validating deployment",
        "the state of the stack of {environment} is corrupt; nothing was changed",
        "opsctl stack repair {environment} mends what can be; else import what was exported: "
        "opsctl stack import {environment} FILE",
    ),
    _known(
        r"connection refused|no such host|dial tcp|i/o timeout|NoSuchBucket|AccessDenied|"
        r"InvalidAccessKeyId|SignatureDoesNotMatch|no EC2 IMDS role|ExpiredToken|"
        r"unable to open bucket|blob \(code=|get credentials",
        "the state of {environment} cannot be reached at {backend}; nothing was changed",
        "see that the bucket exists and that AWS credentials for it are in the environment of "
        "this command; then run it again",
    ),
)


def explained(
    text: str,
    workspace: Workspace,
    *,
    home: str = "",
    faults: Sequence[Fault] = (),
    failed: Sequence[Resource] = (),
) -> OpsctlError:
    """Return the error for a reader of what the engine printed, and of what it told on its way."""
    if held := sorted({name_of(f.urn) for f in faults if f.urn and _PROTECTED.search(f.message)}):
        return InfrastructureFailed(
            f"{workspace.environment} holds data that would be replaced or deleted",
            hint=f"if you mean it: {' '.join(f'--replace-data {name}' for name in held)}",
            details=held,
        )
    told = [_line(fault) for fault in faults if not _NOISE.match(fault.message)]
    for resource in failed:
        cause = next((f.message for f in faults if f.urn == resource.urn), "no cause was given")
        verb = _VERBS[resource.action.value]
        return InfrastructureFailed(
            f"{resource.name} ({resource.type}) cannot be {verb}: {_first(cause)}",
            hint="mend the cause and run the same command again: what was made is kept in the "
            "state, and only the rest is done",
            details=told[:LINES],
        )
    said = "\n".join([*told, text])
    for known in _KNOWN:
        if known.pattern.search(said):
            words = {
                "environment": workspace.environment,
                "passphrase": workspace.passphrase,
                "backend": workspace.url.partition("?")[0],
                "home": home,
            }
            kind = ToolMissing if "plugin" in known.message else InfrastructureFailed
            return kind(
                known.message.format(**words),
                hint=known.hint.format(**words),
                details=_lines(said),
            )
    return InfrastructureFailed(
        f"the engine failed for {workspace.environment}: {_first(_cause(told, text))}",
        hint="the cause is in the lines above; what was made is kept in the state",
        details=_lines(said),
    )


def _line(fault: Fault) -> str:
    return f"{name_of(fault.urn)}: {fault.message}" if fault.urn else fault.message


def _first(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "").removeprefix(
        "error: "
    )


def _cause(told: Sequence[str], text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip().startswith("error: ")]
    return told[0] if told else "\n".join(lines) or text


def _lines(text: str) -> list[str]:
    kept = [line.rstrip() for line in text.splitlines()]
    return [line for line in kept if line and not _NOISE.match(line.strip())][-LINES:]
