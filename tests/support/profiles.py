"""Writes the generated part of docs/profiles.md from the catalogue of settings.

python -m tests.support.profiles --write
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from opsctl.model.profile.catalogue import SETTINGS
from opsctl.model.profile.catalogue.making import READ_BACK, UNDO
from opsctl.model.profile.layout import TAKES
from opsctl.model.profile.setting import Compare, Means, Need, NeedKind, Setting, Topic
from opsctl.model.tiers import LatencyTier
from tests.support import generated

PAGE = generated.DOCS / "profiles.md"
MARK = "<!-- From here on written by `make docs` from opsctl/model/profile/catalogue. -->\n"
_TITLES = {
    Topic.KERNEL: "The kernel's command line",
    Topic.CPU: "CPUs",
    Topic.MEMORY: "Memory",
    Topic.INTERRUPTS: "Interrupts",
    Topic.NIC: "Trading NICs",
    Topic.SOCKETS: "Sockets",
    Topic.STORAGE: "Storage",
    Topic.CLOCK: "Clock",
    Topic.LIMITS: "Limits",
    Topic.SERVICES: "Services",
    Topic.SECURITY: "Security",
    Topic.ENGINE: "Docker Engine",
}
_COMPARED = {Compare.AT_MOST: "at most ", Compare.AT_LEAST: "at least ", Compare.WITHIN: "within "}
_NEEDS = {
    NeedKind.BARE_METAL: "bare metal",
    NeedKind.KERNEL_OPTION: "`{at}`",
    NeedKind.DRIVER: "driver {at}",
    NeedKind.VENDOR: "a processor of {at}",
    NeedKind.READABLE: "that it is there",
    NeedKind.HARDWARE_CLOCK: "a NIC with a clock of its own",
    NeedKind.SEVERAL_QUEUES: "several queues",
    NeedKind.CHOSEN: "`{at}` in the firm's profile",
}


def page(current: str) -> str:
    """Return the page: its head as a person wrote it, and what the catalogue says."""
    return generated.below(MARK, current, _generated())


def _generated() -> Iterator[str]:
    counts = ", ".join(
        f"{sum(tier in setting.want for setting in SETTINGS)} by `{tier}`" for tier in LatencyTier
    )
    yield from ("", "## What each tier takes", "", "| tier | cores | memory |", "|---|---|---|")
    for tier, takes in TAKES.items():
        yield f"| `{tier}` | {takes.cores} | {takes.memory_bytes >> 20} MiB |"
    yield from ("", "## Every setting", "", f"{len(SETTINGS)} settings: {counts}.")
    for topic in Topic:
        of_topic = [setting for setting in SETTINGS if setting.topic is topic]
        yield from ("", f"### {_TITLES[topic]}", "")
        yield from _table(of_topic)
        yield from _contents(of_topic)
    yield from ("", "## How each kind is read back and undone", "")
    yield from ("| kind | read back | undone |", "|---|---|---|")
    for means in Means:
        yield f"| `{means}` | {READ_BACK[means]} | {UNDO[means]} |"


def _table(settings: Sequence[Setting]) -> Iterator[str]:
    tiers = [tier for tier in LatencyTier if any(tier in setting.want for setting in settings)]
    yield "| setting | " + " | ".join(f"`{tier}`" for tier in tiers) + " | why | needs |"
    yield "|---" * (len(tiers) + 3) + "|"
    for setting in settings:
        named = f"`{setting.id}`" + (" (after a reboot)" if setting.boot else "")
        if setting.id != f"{setting.means}.{setting.at.replace(' ', '.')}":
            named += f"<br>`{setting.at}`"
        cells = [_wanted(setting, tier) for tier in tiers]
        title, _, address = setting.source.rpartition(": ")
        why = f"{_cell(setting.why)} [{_cell(title)}]({address})"
        yield f"| {named} | {' | '.join(cells)} | {why} | {_needs(setting.needs)} |"


def _wanted(setting: Setting, tier: LatencyTier) -> str:
    want = setting.want.get(tier)
    if want is None:
        return ""
    if "\n" in want or want == "{firewall}":
        return "below"
    return _COMPARED.get(setting.compare, "") + (f"`{_cell(want)}`" if want else "the bare word")


def _contents(settings: Sequence[Setting]) -> Iterator[str]:
    """Yield what is too long for a cell; once where tiers want the same."""
    for setting in settings:
        tiers: dict[str, list[str]] = {}
        for tier, want in setting.want.items():
            if "\n" in want:
                tiers.setdefault(want, []).append(f"`{tier}`")
        for want, names in tiers.items():
            heading = f"`{setting.id}` in {', '.join(names)}:"
            yield from ("", heading, "", "```", *want.rstrip().splitlines(), "```")


def _needs(needs: Sequence[Need]) -> str:
    return _cell(", ".join(_NEEDS[need.kind].format(at=need.at) for need in needs))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(generated.main(PAGE, page))
