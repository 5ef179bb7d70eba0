"""Whether what provisioning wrote for the next boot lies there still as it was written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ansible.module_utils.opsctl_read.answers import Answer, unreadable

KEPT = "/var/lib/opsctl/provision/boot.json"
"""Written by `opsctl_box.record`: by owner, the digest of each file; empty for what only exists."""


def files(root: str = "") -> Answer:
    """Return `as written`, or what is not, a semicolon between."""
    try:
        kept = json.loads(Path(root + KEPT).read_text(encoding="utf-8"))
        paths = {path: digest for of in kept.values() for path, digest in of.items()}
        wrong = [said for each in paths.items() if (said := _wrong(root, *each))]
        return Answer("; ".join(wrong) or "as written")
    except FileNotFoundError:
        return Answer(None, "nothing was written here for the next boot")
    except OSError as error:
        return unreadable(error)
    except ValueError:
        return Answer(None, f"{KEPT} is damaged: provision the server again")


def _wrong(root: str, path: str, digest: str) -> str:
    if not digest:
        found = any(Path(root or "/").glob(path.lstrip("/")))
        return "" if found else f"{path.rsplit('/', 1)[1]} is not enabled"
    try:
        now = hashlib.sha256(Path(root + path).read_bytes()).hexdigest()
    except FileNotFoundError:
        return f"{path} is gone"
    return "" if now == digest else f"{path} was changed"
