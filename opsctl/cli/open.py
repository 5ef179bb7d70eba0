"""`opsctl open`: the dashboard."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import threading
import time
import webbrowser
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from opsctl.cli.common import EnvironmentArgument, Output, OutputOption, TierOption, emit, progress
from opsctl.errors import OpsctlError

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

DESK = "desk"


@app.command(epilog="Example: [bold]opsctl open daily[/bold]")
def open_(
    environment: EnvironmentArgument = None,
    tier: TierOption = None,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the address; start no browser.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Open the dashboard.

    By a link that logs in once and within a minute; printed where there is no display. Of a
    site on another host it leads there until ^C.
    """
    from opsctl.cli.selection import deployed
    from opsctl.deploy.link import VALID_S, login_code, login_link
    from opsctl.deploy.outcome import Link
    from opsctl.health.probes import reachable
    from opsctl.targets import open_target

    found = deployed(environment, tier, "open")
    target = open_target(found)
    desks = [target.host.address(DESK, site, "http") for site in found.trading_sites]
    at = next(filter(reachable, desks), None)
    if at is None:
        at = desks[0]
        raise OpsctlError(
            f"the dashboard of {found.name} does not listen on {at}",
            hint=f"opsctl status {found.name} shows what runs; opsctl deploy {found.name} cures it",
        )
    if at.here.port != at.port:
        raise OpsctlError(
            f"port {at.port} of this machine is taken, and the dashboard answers under no other",
            hint="end what listens there: another `opsctl open`, it may be",
        )
    secret = Path(target.host.secret(DESK)).read_text(encoding="utf-8").strip()
    expires = int(time.time()) + VALID_S
    code = login_code(secret, expires, secrets.token_urlsafe(12))
    link = Link(
        environment=found.name,
        address=login_link(at.here, code),
        expires=datetime.fromtimestamp(expires, UTC),
    )
    if not only_print and output is Output.TABLE and _shown_in_a_browser(link.address):
        progress.print(f"opened the dashboard of {found.name} in a browser", markup=False)
    elif output is Output.JSON:
        emit(link, output, lambda: "")
    else:
        print(link.address, flush=True)
        progress.print("works once, within a minute", markup=False)
    if at.via is not None:  # on another machine: what leads there ends with this command
        progress.print("leads to another host until ^C", markup=False)
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def _shown_in_a_browser(address: str) -> bool:
    """Return whether a browser with a display took the address."""
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    try:
        return webbrowser.get().open(address)
    except webbrowser.Error:
        return False
