"""What `pulumi preview` and `pulumi up` run from a project's root: a stack is an environment."""

from __future__ import annotations

import pulumi

from opsctl.environments import load
from opsctl.infra import program

program(load(pulumi.get_stack()).environment).program()
