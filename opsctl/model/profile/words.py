"""The words that a template of the catalogue may hold, and what they stand for on one server."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from opsctl.model.profile import cpus
from opsctl.model.profile.box import Box, Nic
from opsctl.model.profile.profile import Layout

_WORD = re.compile(r"\{([a-z_]+)\}")
"""Braces around anything else (JSON, rules of nft) are no template."""
_HUGE_PAGE = 2 << 20
_HUGE_SHARE = 8

OF_CPUS = frozenset(
    f"{name}{form}"
    for name in ("housekeeping", "interrupts", "trading", "isolated")
    for form in ("", "_mask")
)
OF_BOX = OF_CPUS | {"hugepages", "clock_nic"}
OF_FIRM = frozenset({"mitigations", "firewall", "time_servers"})
"""What the firm's own profile says, or its defaults."""
OF_EACH = frozenset({"nic", "queue", "queues", "queue_mask", "disk", "cpu"})
KNOWN = OF_BOX | OF_FIRM | OF_EACH


def in_(template: str) -> frozenset[str]:
    """Return the words of a template."""
    return frozenset(_WORD.findall(template))


def expand(template: str, words: Mapping[str, str]) -> str:
    """Return a template with its words put in; KeyError for one that is not there."""
    return _WORD.sub(lambda match: words[match[1]], template)


def of_box(box: Box, layout: Layout, nics: Sequence[Nic]) -> dict[str, str]:
    """Return the words that a server, its layout and its trading NICs determine.

    `clock_nic` is the first of them that has a clock of its own; where none has, what needs
    one is not applicable.
    """
    clock = next((nic.name for nic in nics if nic.hardware_clock), "none")
    found = {"hugepages": str(_huge_pages(box.memory_bytes)), "clock_nic": clock}
    for name in ("housekeeping", "interrupts", "trading", "isolated"):
        chosen = getattr(layout, name)
        found[name], found[f"{name}_mask"] = cpus.listed(chosen), cpus.mask(chosen)
    return found


def queues(nic: Nic, layout: Layout) -> int:
    """Return the queues that a trading NIC is to have: one for each CPU that serves it.

    Never more than it has, so that the answer stays the same once it has been applied.
    """
    return max(1, min(nic.queues, len(layout.interrupts)))


def queue_mask(queue: int, count: int, trading: Sequence[int]) -> str:
    """Return the trading CPUs that send by a queue, dealt out in turn."""
    return cpus.mask(cpu for at, cpu in enumerate(trading) if at % count == queue)


def _huge_pages(memory_bytes: int) -> int:
    """Return about an eighth of the memory in pages of 2 MiB, as a power of two.

    The kernel tells some pages more or less after each boot; the power of two is the same.
    """
    pages = memory_bytes // _HUGE_SHARE // _HUGE_PAGE
    return 1 << (pages.bit_length() - 1) if pages else 0
