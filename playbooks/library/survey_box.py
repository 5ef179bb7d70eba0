#!/usr/bin/python
"""Reads what has to be known before a server is touched. Changes nothing."""

from __future__ import annotations

import os
import shutil
import sys

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.opsctl_box import claim, trading
from ansible.module_utils.opsctl_box.record import Record
from ansible.module_utils.opsctl_box.system import Refused, System

DOCUMENTATION = """
module: survey_box
short_description: Read what has to be known before a server is touched
description: Changes nothing.
options: {}
author: opsctl
"""
EXAMPLES = """
- name: Survey the server
  survey_box:
"""
RETURN = """
survey: {description: What was found., type: dict, returned: always}
"""


def main() -> None:
    """Do what the task says."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    system = System()
    named = dict(
        line.split("=", 1)
        for line in (system.read("/etc/os-release") or "").splitlines()
        if "=" in line
    )
    root = os.geteuid() == 0
    try:
        record = Record(system) if root else None
    except Refused as refusal:
        module.fail_json(msg=str(refusal))
    survey = {
        "distribution": named.get("ID", "").strip('"'),
        "version": named.get("VERSION_ID", "").strip('"'),
        "python": ".".join(map(str, sys.version_info[:3])),
        "root": root,
        "systemd": system.at("/run/systemd/system").is_dir(),
        "bootloader": "grub" if system.at("/boot/grub/grub.cfg").exists() else "",
        "boot_free_bytes": shutil.disk_usage("/boot").free,
        "root_free_bytes": shutil.disk_usage("/var").free,
        "owner": claim.owner(system) if root else "",
        "trading": trading.found(system),
        "written": record.left() if record else [],
        "topics": record.topics() if record else [],
    }
    module.exit_json(changed=False, survey=survey)


if __name__ == "__main__":
    main()
