"""What a keeper runs: it fills what services hold in memory, and owns nothing else.

Services run as an account that can read neither the volume in which an environment's secrets
outlive a restart of the machine, nor what other services hold. So each place has one container
that runs as root, without a network and almost without rights: it copies each service's
configuration and secrets from the volume into that service's volume in memory, at its start and
whenever it is told (SIGHUP), makes the folders of data the account's, and waits.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

VAULT, HELD, DATA, WANTED = "/vault", "/held", "/data", ".wanted"


def fill(user: int) -> None:
    """Make what services hold equal to what the volume has for them."""
    for source in Path(VAULT).iterdir():
        target = Path(HELD) / source.name
        wanted = set((source / WANTED).read_text(encoding="utf-8").splitlines())
        prune(source, wanted | {WANTED})
        if target.is_dir():
            copy(source, target, wanted, user)
    for folder in Path(DATA).iterdir():
        os.chown(folder, user, user)
        folder.chmod(0o700)


def prune(root: Path, wanted: set[str]) -> None:
    """Remove the files that are not wanted."""
    for path in [p for p in root.rglob("*") if not p.is_dir()]:
        if str(path.relative_to(root)) not in wanted:
            path.unlink()


def copy(source: Path, target: Path, wanted: set[str], user: int) -> None:
    """Copy files for an account to read, each whole or not at all."""
    prune(target, wanted)
    for name in wanted:
        new = target / name
        draft = new.with_name(f"{new.name}.draft")
        new.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, draft)
        os.chown(draft, user, user)
        draft.chmod(0o400)
        draft.rename(new)
    for folder in (target, *(p for p in target.rglob("*") if p.is_dir())):
        os.chown(folder, user, user)
        folder.chmod(0o500)


def main(user: int) -> None:
    """Fill, and wait to be told to fill again or to end."""
    told = {signal.SIGHUP, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, told)
    while True:
        fill(user)
        print("filled", flush=True)
        if signal.sigwait(told) == signal.SIGTERM:
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))
