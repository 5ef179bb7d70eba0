"""Whose the servers of a stack are: a UUID that is made with the stack and lies in its state.

So it goes wherever the state goes, and is the same for every operator and CI; an environment
that is destroyed and made anew under its name is another one.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider


class Claims(ResourceProvider):
    """Makes a claim, and changes none."""

    serialize_as_secret_always = False

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make a new one."""
        identity = str(uuid4())
        return CreateResult(
            id_=identity, outs={**props, "owner": f"{props['environment']} {identity}"}
        )

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Leave it as it is, whatever is declared."""
        return DiffResult(changes=False)


class Claim(Resource, module="onprem", name="Claim"):
    """What is written on every server of a stack: `NAME UUID`."""

    owner: pulumi.Output[str]

    def __init__(
        self, name: str, environment: str, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the claim of an environment."""
        super().__init__(Claims(), name, {"environment": environment, "owner": None}, opts)
