"""The value of an environment that ends: another one's settings under a name of its own."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Mapping
from datetime import UTC, datetime

from opsctl.environments import known, project
from opsctl.errors import UsageError
from opsctl.model.environment import Environment, TargetName
from opsctl.model.ephemeral import OWNER_LETTERS, ends, written
from opsctl.model.files import assemble


def made(
    name: str, *, base: str, owner: str, lasting: str, overrides: Mapping[str, str], now: datetime
) -> Environment:
    """Return the environment; no file of it is written anywhere.

    Raises:
        UsageError: the name is no name or a file's, the time to live is none, or what it
            comes to is faulty.
    """
    here = project()
    known(here, base)
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise UsageError(
            f"{name!r} can name no environment",
            hint="a letter, then letters, digits and -, at most 31, all small: pr-123",
        )
    if name in here.names:
        raise UsageError(
            f"the name {name} is taken, by {here.file(name)}",
            hint="choose another one: what is made by `env up` has no file",
        )
    try:
        end = ends(lasting, now)
    except ValueError as fault:
        raise UsageError(f"--ttl {lasting} {fault}", hint="such as --ttl 2h") from fault
    flags = {**overrides, "ephemeral.owner": owner, "ephemeral.expires": written(end)}
    if flags.get("infrastructure") == "aws":
        flags = {"target": TargetName.DOCKER.value, **flags}  # no other runs on hosts of a stack
    assembled = assemble(name, here.chain(base), flags)
    if assembled.environment is not None and assembled.environment.infrastructure == "aws":
        assembled = assemble(name, here.chain(base), {**flags, **_unprotected(end)})
    if assembled.environment is None:
        raise UsageError(
            f"environment {name}, made from {base}, would be faulty",
            details=[str(fault) for fault in assembled.faults],
            hint=f"correct the options, or {here.file(base)}",
        )
    if assembled.environment.infrastructure == "onprem":
        raise UsageError(
            f"{base} declares racks (trading:infrastructure: onprem), and nobody's servers are "
            "made for a job and taken away again",
            hint="make it from one without infrastructure, or from one on aws",
        )
    return assembled.environment


def _unprotected(end: datetime) -> dict[str, str]:
    """Return the settings by which nothing in a cloud is protected: it is to be gone by a day.

    Who may make such environments is declared by one that stays.
    """
    day = end.astimezone(UTC).date().isoformat()
    return {"aws.ephemeral": "true", "aws.expires": day, "aws.ci.repository": ""}


def owner(variables: Mapping[str, str] = os.environ) -> str:
    """Return whose an environment is: the job of CI that this runs in, else user and machine."""
    repository, run = variables.get("GITHUB_REPOSITORY"), variables.get("GITHUB_RUN_ID")
    if repository and run:
        found = f"{repository} run {run} attempt {variables.get('GITHUB_RUN_ATTEMPT', '1')}"
    else:
        found = f"{getpass.getuser()}@{socket.gethostname()}"
    return re.sub(r"[^A-Za-z0-9 _.:/=+@#-]", "-", found)[-OWNER_LETTERS:]
