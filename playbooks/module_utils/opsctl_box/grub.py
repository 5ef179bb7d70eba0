"""Reads and writes GRUB's files as text: which entries there are, and what each boots. Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

BEFORE_ID = "opsctl-before"
_HEAD = re.compile(r"^\s*(menuentry|submenu)\s+(?:'([^']*)'|\"([^\"]*)\")(.*)\{\s*$")
_ID = re.compile(r"(?:\$menuentry_id_option|--id)\s+(?:'([^']+)'|\"([^\"]+)\"|(\S+))")
_SAFE = re.compile(r"[A-Za-z0-9_.,:=/+@%*!~^()\[\]-]+")


class Entry(NamedTuple):
    """One entry of the menu."""

    id: str
    """As `grub-set-default` takes it: within a submenu `SUBMENU>ENTRY`."""
    title: str
    body: tuple[str, ...]
    kernel: str
    """The path of the kernel, as GRUB sees it."""
    words: tuple[str, ...]
    """The kernel's command line."""
    initrd: str


def entries(text: str) -> list[Entry]:
    """Return the entries of a grub.cfg that boot Linux, in order."""
    found = []
    stack: list[tuple[str, str]] = []
    body: list[str] = []
    for line in text.splitlines():
        if head := _HEAD.match(line):
            title = head[2] if head[2] is not None else head[3]
            named = _ID.search(head[4])
            name = next(filter(None, named.groups())) if named else title
            stack.append((head[1], name))
            body = []
            heading = title
        elif line.rstrip().endswith("{"):
            stack.append(("", ""))
        elif line.strip() == "}" and stack:
            kind, _ = stack[-1]
            if kind == "menuentry":
                path = ">".join(name for what, name in stack if what)
                found += _linux(path, heading, body)
            stack.pop()
        elif stack and stack[-1][0] == "menuentry":
            body.append(line)
    return found


def of_kernel(found: list[Entry], release: str) -> Entry | None:
    """Return the entry that boots a kernel and always will.

    The first entry of Debian's menu boots the newest kernel, whichever that is at the time.
    """
    fitting = [
        one
        for one in found
        if one.kernel.endswith(f"vmlinuz-{release}")
        and "single" not in one.words
        and one.id != BEFORE_ID
    ]
    named = [one for one in fitting if release in one.id]
    return next(iter(named or fitting), None)


def settings(words: list[str]) -> str:
    """Return the file for /etc/default/grub.d. Raises `ValueError` for a word that is none."""
    for word in words:
        if not _SAFE.fullmatch(word):
            raise ValueError(f"{word!r} cannot stand on a kernel's command line")
    return (
        "# Written by opsctl provision; your changes here are lost at its next run.\n"
        "# The entry to boot is the one saved: first on trial, then for good once it came up.\n"
        "GRUB_DEFAULT=saved\n"
        f'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT {" ".join(words)}"\n'
    )


def fallback(entry: Entry, words: list[str]) -> str:
    """Return the script for /etc/grub.d that adds an entry as it was before, without `words`."""
    kept = [word for word in entry.words if word not in words]
    body = [
        re.sub(r"^(\s*linux\S*\s+\S+).*$", lambda line: " ".join((line[1], *kept)), line)
        for line in entry.body
    ]
    return "\n".join(
        (
            "#!/bin/sh",
            "# Written by opsctl provision: what this server booted before, to fall back to.",
            "cat <<'OPSCTL'",
            f"menuentry 'Before opsctl: {entry.title}' --id {BEFORE_ID} {{",
            *body,
            "}",
            "OPSCTL",
            "",
        )
    )


def environment(text: str) -> dict[str, str]:
    """Read what `grub-editenv list` prints."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value for name, _, value in pairs}


def _linux(path: str, title: str, body: list[str]) -> list[Entry]:
    kernel, words, initrd = "", (), ""
    for line in body:
        parts = line.split()
        if len(parts) > 1 and parts[0] in ("linux", "linux16", "linuxefi"):
            kernel, words = parts[1], tuple(parts[2:])
        elif len(parts) > 1 and parts[0] in ("initrd", "initrd16", "initrdefi"):
            initrd = parts[-1]
    return [Entry(path, title, tuple(body), kernel, words, initrd)] if kernel else []
