"""A look at boxes that leaves nothing behind: no evidence, no report, no audit to compare with."""

from __future__ import annotations

import tempfile
from pathlib import Path

from opsctl.deploy.interrupt import Interruption
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
