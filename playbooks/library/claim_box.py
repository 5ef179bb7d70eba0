#!/usr/bin/python
"""Writes down whose server this is, or that it is nobody's any more."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.opsctl_box import claim
from ansible.module_utils.opsctl_box.record import held
from ansible.module_utils.opsctl_box.system import Refused, System

DOCUMENTATION = """
module: claim_box
short_description: Write down whose server this is
description: A server that is another's is never taken over.
options:
  owner:
    description: Who provisions it, an environment or an inventory; empty for nobody in particular.
    type: str
    required: true
  state:
    description: V(absent) when everything is as it was before.
    choices: [present, absent]
    default: present
    type: str
author: opsctl
"""
EXAMPLES = """
- name: Claim the server
  claim_box:
    owner: production
"""
RETURN = """
owner: {description: Whose it is., type: str, returned: always}
"""


def main() -> None:
    """Do what the task says."""
    module = AnsibleModule(
        argument_spec={
            "owner": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    system, owner = System(), module.params["owner"]
    release = module.params["state"] == "absent"
    try:
        changed = claim.needed(system, owner, release=release)
        if changed and not module.check_mode:
            with held(system):
                claim.write(system, owner, release=release)
    except Refused as refusal:
        module.fail_json(msg=str(refusal), changed=False)
    module.exit_json(changed=changed, owner=owner)


if __name__ == "__main__":
    main()
