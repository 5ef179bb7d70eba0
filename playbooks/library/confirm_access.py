#!/usr/bin/python
"""Ends the trial of a change of sshd or of the firewall: whoever runs this has come in."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.opsctl_box import trial
from ansible.module_utils.opsctl_box.system import System

DOCUMENTATION = """
module: confirm_access
short_description: End the trial of a change of how the server is reached
description: To be run over a new connection only.
options: {}
author: opsctl
"""
EXAMPLES = """
- name: Confirm that the server can be reached
  confirm_access:
"""
RETURN = """
confirmed: {description: Whether something was on trial., type: bool, returned: always}
"""


def main() -> None:
    """Do what the task says."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    system = System()
    confirmed = trial.runs(system)
    if not module.check_mode:
        trial.confirm(system)
    # What was changed was told by the task that changed it.
    module.exit_json(changed=False, confirmed=confirmed)


if __name__ == "__main__":
    main()
