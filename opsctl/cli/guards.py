"""What is asked before a change: the name of a live environment, or a yes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from opsctl.errors import UsageError
from opsctl.model.environment import Environment

LiveOption = Annotated[
    bool, typer.Option("--live", help="Act on an environment with `trading:live: true`.")
]


def guard_live(action: str, *environments: Environment | None, live: bool, yes: bool) -> None:
    """Return where nothing live is touched, or the user means it.

    A live environment takes `--live`, and its name typed on a terminal; without one,
    `--yes` besides.

    Raises:
        UsageError: the user has not said so.
    """
    touched = next((e for e in environments if e is not None and e.live), None)
    if touched is None:
        return
    if not live:
        raise UsageError(
            f"{touched.name} is live: it trades real money",
            hint=f"if you mean it: opsctl {action} {touched.name} --live",
        )
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(
            f"{touched.name} is live, and there is no terminal to ask on",
            hint=f"if you mean it: opsctl {action} {touched.name} --live --yes",
        )
    typed = typer.prompt(f"{action} of a live environment: type its name", err=True)
    if typed != touched.name:
        raise UsageError(
            f"{typed!r} is not {touched.name}: nothing was changed", hint="type the name exactly"
        )


def ask(question: str, *, yes: bool) -> None:
    """Return where the answer is yes: by `--yes`, or asked on a terminal.

    Raises:
        UsageError: it is no, or there is no terminal to ask on.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask on", hint="add --yes to mean it")
    if not typer.confirm(question, err=True):
        raise UsageError("nothing was changed", hint="the answer was no")
