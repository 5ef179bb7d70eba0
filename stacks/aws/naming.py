"""How what an environment has in an account is called. Pure."""

from __future__ import annotations

EPHEMERAL = "eph-"
"""What every name of an ephemeral environment begins with; the role of CI is held to it."""
PATH = "/opsctl/"
"""Of our roles and profiles."""
EPHEMERAL_TAG = ("ephemeral", "true")
"""The tag of everything of one that ends; the role of CI is held to it as well."""
MANAGED = ("managed-by", "opsctl")
MADE_BY = "made-by"
"""The tag that says who has made one by `env up`: a job of CI, or a person."""
SHARED = "shared"
"""The site in the tags of what belongs to no single one."""


def slug_of(environment: str, *, ephemeral: bool) -> str:
    """Return what the names of an environment begin with."""
    return f"{EPHEMERAL}{environment}" if ephemeral else environment
