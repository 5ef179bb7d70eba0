"""A look at boxes that leaves nothing behind: no evidence, no report, no audit to compare with."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from opsctl.deploy.interrupt import Interruption
from opsctl.model.tiers import LatencyTier
from opsctl.provision import discovering, hostkeys, inventory
from opsctl.provision.choosing import Chosen
from opsctl.provision.playing import become_password
from opsctl.provision.progress import Progress
from opsctl.provision.reading import Read, read
from opsctl.provision.session import BECOME_PASSWORD, Reach, Selection, Session


def look(selection: Selection, reach: Reach, progress: Progress) -> Read:
    """Return boxes as they are, all read by one run of Ansible.

    Raises:
        ToolMissing: Ansible or OpenSSH is not installed.
        Interrupted: a signal came.
    """
    with (
        tempfile.TemporaryDirectory(prefix="opsctl-") as folder,
        become_password(BECOME_PASSWORD, reach.become_password_file) as password,
        Interruption(progress.say) as interruption,
    ):
        session = Session(Path(folder), selection, reach, progress, interruption, password)
        session.begin()
        known = read(session.left, session.run)
        return Read(known.seen, {**session.failures, **known.failures})


def discovered(reach: Reach, names: Sequence[str], progress: Progress) -> discovering.Discovered:
    """Read the boxes of an inventory, those named or all, and return their first declaration.

    Raises:
        UsageError: of the inventory or a name.
        ToolMissing: Ansible or OpenSSH is not installed.
        Interrupted: a signal came.
    """
    there = inventory.read(reach.inventory)
    boxes = {}
    for host in inventory.chosen(there, names, None):
        tier = host.tier or LatencyTier.WEEKLY  # what it is does not depend on what it is for
        boxes[host.name] = (host, Chosen(name=tier.value, tier=tier))
    known = look(Selection(there, boxes), reach, progress)
    keys = hostkeys.known([host for host, _ in boxes.values()])
    seen = {name: one.box for name, one in known.seen.items()}
    return discovering.discovered(there, seen, known.failures, keys)
