#!/usr/bin/python
"""Makes a server hold the settings of one topic."""

from __future__ import annotations

import contextlib

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.opsctl_box.hold import After, Wish, hold
from ansible.module_utils.opsctl_box.record import held
from ansible.module_utils.opsctl_box.system import Refused, System

DOCUMENTATION = """
module: hold_settings
short_description: Make a server hold the settings of one topic
description:
  - Keeps what each setting was before its first change, writes what differs, reads it back, and
    makes it survive a boot.
  - What the topic wrote once and is not among O(settings) any more is put back as it was.
options:
  topic:
    description: Whose settings these are.
    type: str
    required: true
  settings:
    description: By means, a list of mappings of V(id), V(at), V(want), V(boot), V(compare).
    type: dict
    required: true
  after:
    description: Commands that follow when a file below a path was written.
    type: list
    elements: dict
    default: []
    suboptions:
      under: {description: The path., type: str, required: true}
      run: {description: The command., type: list, elements: str, required: true}
  program:
    description: The text of the program that holds settings of NICs and disks at boot.
    type: str
    default: ""
author: opsctl
"""
EXAMPLES = """
- name: Hold the settings of memory
  hold_settings:
    topic: memory
    settings:
      sysctl: [{id: sysctl.vm.swappiness, at: vm.swappiness, want: "1", boot: false}]
"""
RETURN = """
changes: {description: What was changed., type: list, returned: always}
problems: {description: What could not be., type: list, returned: always}
"""


def main() -> None:
    """Do what the task says."""
    module = AnsibleModule(
        argument_spec={
            "topic": {"type": "str", "required": True},
            "settings": {"type": "dict", "required": True},
            "after": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "under": {"type": "str", "required": True},
                    "run": {"type": "list", "elements": "str", "required": True},
                },
            },
            "program": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    given, system, check = module.params, System(), module.check_mode
    after = [After(one["under"], one["run"]) for one in given["after"]]
    wish = Wish(given["topic"], given["settings"], after, given["program"])
    try:
        with contextlib.nullcontext() if check else held(system):
            done = hold(system, wish, check)
    except Refused as refusal:
        module.fail_json(msg=str(refusal), changed=False, changes=[], problems=[])
    diff = [
        {
            "before_header": f"{one['setting']} ({one['at']})",
            "after_header": f"{one['setting']} ({one['at']})",
            "before": one["was"].rstrip("\n") + "\n",
            "after": one["want"].rstrip("\n") + "\n",
        }
        for one in done.changes
    ]
    result = {"changed": bool(done.changes), "changes": done.changes, "problems": done.problems}
    if module._diff:
        result["diff"] = diff
    if done.problems:
        said = "; ".join(f"{one['setting']}: {one['message']}" for one in done.problems)
        module.fail_json(msg=said, setting=done.problems[0]["setting"], **result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
