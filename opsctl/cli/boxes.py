"""What `provision` and `audit host` share: which boxes are meant, and how far each is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from opsctl.cli.common import progress, say
from opsctl.model.tiers import LatencyTier

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from opsctl.provision.failing import Failure
    from opsctl.provision.session import Reach

HostsArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Boxes by their names in the inventory; all without.", metavar="HOST"),
]
InventoryOption = Annotated[
    Path | None,
    typer.Option(
        "--inventory",
        "-i",
        help="The inventory in YAML; site/inventory.yml without.",
        metavar="FILE",
    ),
]
LimitOption = Annotated[
    list[str] | None,
    typer.Option("--limit", "-l", help="Only this box; may be repeated.", metavar="HOST"),
]
ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        help="Another profile than the tier's: a NAME of site/profiles.",
        metavar="NAME",
    ),
]
ForksOption = Annotated[
    int, typer.Option("--forks", "-f", min=1, max=500, help="How many boxes at once.")
]
AcceptOption = Annotated[
    bool,
    typer.Option(
        "--accept-host-keys", help="Pin the keys of boxes met for the first time, and show them."
    ),
]
PasswordOption = Annotated[
    Path | None,
    typer.Option(
        "--become-password-file",
        exists=True,
        dir_okay=False,
        help="A file with the password for sudo; else $OPSCTL_BECOME_PASSWORD, else none.",
        metavar="FILE",
    ),
]
BoxTierOption = Annotated[
    LatencyTier | None,
    typer.Option("--tier", help="Only boxes of this latency tier: of the group of its name."),
]
FORKS = 10
_WIDEST = 60
"""Characters of a value that a table shows; --output json has all."""

_STYLES = {
    "holds": "green",
    "unchanged": "green",
    "changed": "green",
    "planned": "green",
    "rolled_back": "green",
    "drifted": "red",
    "failed": "red",
    "reboot": "yellow",
    "reboot_pending": "yellow",
    "unreadable": "yellow",
    "not_applicable": "dim",
    "within": "green",
    "beyond": "red",
    "not_judged": "dim",
    "not_measured": "yellow",
}


def reach(
    inventory: Path | None, forks: int, accept_host_keys: bool, become_password_file: Path | None
) -> Reach:
    """Return how boxes are reached, by what was given."""
    from opsctl.provision.session import Reach

    return Reach(
        inventory=inventory,
        forks=forks,
        accept_host_keys=accept_host_keys,
        become_password_file=become_password_file,
    )


def styled(word: str) -> Text:
    """Return a verdict or an outcome in its colour."""
    return Text(word.replace("_", " "), _STYLES.get(word, ""))


def brief(value: str) -> Text:
    """Return a value in one line: of a file or a firewall its first line, and how many more."""
    lines = [line.strip() for line in value.splitlines() if line.strip()]
    first = lines[0] if lines else ""
    more = f" … {len(lines) - 1} more lines" if len(lines) > 1 else ""
    return Text(f"{first[:_WIDEST]}{'…' if len(first) > _WIDEST else ''}{more}")


def explained(host: str, failure: Failure) -> None:
    """Say what went wrong on a box, and what to do."""
    progress.print(Text(f"error: {host}: {failure}", "red"), soft_wrap=True)
    progress.print(Text(f"  hint: {failure.hint}"), soft_wrap=True)


class Shown:
    """Shows how far each box is: a live table on a terminal, else a line for each stage."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._rows: dict[str, tuple[str, str, float]] = {}
        self._live = Live(
            console=progress, transient=True, get_renderable=self._table, refresh_per_second=4
        )
        self._terminal = progress.is_terminal

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Show no more."""
        self.pause()

    def pause(self) -> None:
        """Leave the terminal to a question; the next stage shows the table again."""
        if self._live.is_started:
            self._live.stop()

    def say(self, text: str) -> None:
        """Show a remark."""
        say(text)

    def stage(self, host: str, stage: str, detail: str = "") -> None:
        """Show that a box has come to a stage."""
        self._rows[host] = (stage, detail, time.monotonic())
        if self._terminal:
            if not self._live.is_started:
                self._live.start()
            return
        say(f"{host}: {stage}{f'  {detail}' if detail else ''}")

    def task(self, host: str, task: str) -> None:
        """Show what is done on a box now; without a terminal that is in the run's folder."""
        stage, _, since = self._rows.get(host, ("", "", time.monotonic()))
        self._rows[host] = (stage, task, since)

    def _table(self) -> Table:
        shown = Table(box=None, show_header=False, pad_edge=False)
        now = time.monotonic()
        for host, (stage, detail, since) in list(self._rows.items())[-40:]:
            shown.add_row(host, styled(stage), f"{now - since:4.0f} s", Text(detail, "dim"))
        return shown
