"""Checks the licence of every installed package against the list that we accept.

python -m tests.support.licences
"""

from __future__ import annotations

import importlib.metadata
import re
import sys

ACCEPTED = (
    r"apache",
    r"\bbsd\b|bsd-[023]-clause|0bsd",
    r"\bmit\b|mit-0|mit-cmu",
    r"\bisc\b|iscl",
    r"mpl[- ]2|mozilla public license 2",
    r"\bpsf\b|python software foundation|psf-2\.0|python-2\.0",
    r"postgresql",
    r"unlicense|cc0|public domain",
    r"zlib",
    r"hpnd|historical permission",
)
"""Licences that ask for a notice at most."""

NAMED: dict[str, str] = {
    "ansible": "GPL-3.0: run as a program of its own, never imported",
    "ansible-core": "GPL-3.0: run as a program of its own, never imported",
    "ansible-lint": "GPL-3.0: a developer's tool, never imported",
    "quickfix": "The QuickFIX Software License 1.0 (BSD style, with the notice in NOTICE)",
    "psycopg": "LGPL-3.0: used as an unmodified library, replaceable by its user",
    "psycopg-binary": "LGPL-3.0: used as an unmodified library, replaceable by its user",
    "supervisor": "BSD-derived (Repoze Public License)",
    "yamllint": "GPL-3.0: a developer's tool, never imported",
}
"""Packages outside the list that we looked at one by one, and why each is acceptable."""


def licence(package: importlib.metadata.Distribution) -> str:
    """Return what a package says of its licence: expression, classifiers, or its own words."""
    meta = package.metadata
    classifiers = [c for c in meta.get_all("Classifier", []) if c.startswith("License ::")]
    expression = meta.get_all("License-Expression", [])
    words = [text[:200] for text in meta.get_all("License", [])]
    return " | ".join([*expression, *classifiers, *words])


def refused() -> dict[str, str]:
    """Return the installed packages whose licence is not accepted, and what each says."""
    found: dict[str, str] = {}
    for package in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()
        words = licence(package)
        if name in NAMED or name == "opsctl":
            continue
        if not any(re.search(pattern, words, re.IGNORECASE) for pattern in ACCEPTED):
            found[name] = words
    return found


def main() -> int:
    """Print what is not accepted; return the exit code."""
    faults = refused()
    for name, words in sorted(faults.items()):
        print(f"licence not on the allow-list: {name}: {words.strip(' |') or 'none stated'}")
    if faults:
        print("look at it, then add it to tests/support/licences.py with the reason, or drop it")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
