#!/usr/bin/python
"""Ansible's module that reads a server; see DOCUMENTATION."""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.opsctl_box import claim
from ansible.module_utils.opsctl_box.system import Refused, System
from ansible.module_utils.opsctl_read import reading

DOCUMENTATION = r"""
module: read_box
short_description: Read what a server is and how it is set
description:
  - Reads settings back from the running kernel, its programs and its files. Changes nothing.
  - What is not there, or may not be read, has no value and a reason; it never fails the rest.
  - A file, a package, an account, a limit or a table of rules that is not there is V(absent).
  - Root reads everything. Another account cannot read the rules of the firewall, the keys that
    sshd has to have, and which interrupts the kernel manages itself.
options:
  asks:
    description: What to read, each with its means and where it lives, as C(opsctl) names them.
    type: list
    elements: dict
    default: []
    suboptions:
      means: {description: How it is read., type: str, required: true}
      at: {description: Where it lives., type: str, required: true}
  options:
    description: Options of the kernel's build that are of interest, such as C(CONFIG_NO_HZ_FULL).
    type: list
    elements: str
    default: []
author: [opsctl]
"""

EXAMPLES = r"""
- name: Read two settings
  read_box:
    asks:
      - {means: sysctl, at: vm.swappiness}
      - {means: ethtool, at: eth1 ring rx}
  register: read
"""

RETURN = r"""
box:
  description: What the server is, and in C(owner) whose.
  type: dict
  returned: always
readings:
  description: For each ask, in its order, C(means), C(at), C(value) (or none) and C(reason).
  type: list
  returned: always
took_s:
  description: How long the reading took on the server, in seconds.
  type: float
  returned: always
"""


def main() -> None:
    """Read, and answer Ansible."""
    ask = {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "means": {"type": "str", "required": True},
            "at": {"type": "str", "required": True},
        },
    }
    options = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule({"asks": ask, "options": options}, supports_check_mode=True)
    begun = time.monotonic()
    box = {**reading.facts(module.params["options"]), "owner": _owner()}
    readings = reading.of([(one["means"], one["at"]) for one in module.params["asks"]])
    took_s = round(time.monotonic() - begun, 3)
    module.exit_json(changed=False, box=box, readings=readings, took_s=took_s)


def _owner() -> str:
    """Return whose it is, as its claim says; empty where it is nobody's."""
    try:
        owner = claim.owner(System())
    except Refused as refusal:
        return str(refusal)
    return "" if owner is None else owner or "nobody in particular"


if __name__ == "__main__":
    main()
