"""Sets of CPUs as the kernel writes them: lists (`0-1,4`) and hexadecimal masks (`ff,0000000f`)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath

HIGHEST = 8191
"""No kernel of Debian counts further; a list that names more cannot be meant."""
_WORD_BITS = 32
_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_MASK = re.compile(r"(?:0x)?[0-9a-fA-F]+(?:,[0-9a-fA-F]{1,8})*")
_MASK_FILES = frozenset({"rps_cpus", "xps_cpus", "smp_affinity", "default_smp_affinity", "cpumask"})


def listed(cpus: Iterable[int]) -> str:
    """Return CPUs as a list: `0-1,4`; empty for none."""
    ranges: list[tuple[int, int]] = []
    for cpu in sorted(set(cpus)):
        if ranges and ranges[-1][1] == cpu - 1:
            ranges[-1] = (ranges[-1][0], cpu)
        else:
            ranges.append((cpu, cpu))
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ranges)


def of_list(text: str) -> frozenset[int]:
    """Return the CPUs of a list; ValueError says what it should be."""
    found: set[int] = set()
    for part in text.strip().split(",") if text.strip() else ():
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, -1)
        if match is None or first > last or last > HIGHEST:
            raise ValueError(f"must be a list of CPUs such as 2-5,7, not {text!r}")
        found.update(range(first, last + 1))
    return frozenset(found)


def mask(cpus: Iterable[int]) -> str:
    """Return CPUs as a mask, in groups of 32 bits as the kernel takes it: `1,00000000`."""
    bits = sum(1 << cpu for cpu in set(cpus))
    groups = [bits & 0xFFFFFFFF]
    while bits := bits >> _WORD_BITS:
        groups.append(bits & 0xFFFFFFFF)
    highest, *others = reversed(groups)
    return ",".join((f"{highest:x}", *(f"{group:08x}" for group in others)))


def of_mask(text: str) -> frozenset[int]:
    """Return the CPUs of a mask; ValueError says what it should be."""
    if not _MASK.fullmatch(text.strip()):
        raise ValueError(f"must be a hexadecimal mask of CPUs such as ff,0000000f, not {text!r}")
    first, *others = text.strip().removeprefix("0x").split(",")
    bits = int(first + "".join(group.zfill(8) for group in others), 16)
    return frozenset(cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1)


def is_mask(at: str) -> bool:
    """Return whether what lives there is a mask and no list: the name of its file says it."""
    return PurePosixPath(at).name in _MASK_FILES


def of(at: str, text: str) -> frozenset[int]:
    """Return the CPUs that were read at a place; ValueError where it is neither."""
    if text.strip() == "(null)":  # how the kernel writes a mask that it never made
        return frozenset()
    return of_mask(text) if is_mask(at) else of_list(text)
