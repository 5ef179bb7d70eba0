"""libfaketime: where its library lies, and the variables by which a process sees another time."""

from __future__ import annotations

from pathlib import Path

from opsctl.toolchain import programs as toolchain

PROGRAM, BINARY = "libfaketime", "faketime"
LIBRARY = "libfaketimeMT.so.1"


def lacking() -> str:
    """Return what to install; empty where the library is there."""
    found = toolchain.locate(PROGRAM)
    there = found is not None and library(found.binaries[BINARY])
    return "" if there else f"opsctl toolchain install {PROGRAM} makes it possible"


def library(binary: Path) -> Path | None:
    """Return the library that lies beside the program `faketime`; None where there is none."""
    lib = binary.resolve().parent.parent / "lib"
    return next(iter(sorted(lib.glob(f"*/faketime/{LIBRARY}"))), None)


def variables(preload: str, shift_s: float) -> dict[str, str]:
    """Return what a process is started with; its monotonic clock and its files' times stay true."""
    return {
        "LD_PRELOAD": preload,
        "FAKETIME": f"{shift_s:+g}",
        "DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
