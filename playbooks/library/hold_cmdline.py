#!/usr/bin/python
"""Has the kernel's command line hold words at the next boot."""

from __future__ import annotations

import contextlib

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.opsctl_box import cmdline
from ansible.module_utils.opsctl_box.record import Record, held
from ansible.module_utils.opsctl_box.system import Refused, System

DOCUMENTATION = """
module: hold_cmdline
short_description: Have the kernel's command line hold words at the next boot
description:
  - Writes GRUB's settings and menu, verifies the entry that will boot, keeps the one from before
    to fall back to, and boots the new one once; it is saved by a boot that has every word.
options:
  settings:
    description: A list of mappings of V(at) and V(want); an empty one takes all words of ours back.
    type: list
    elements: dict
    required: true
author: opsctl
"""
EXAMPLES = """
- name: Have a CPU without ticks
  hold_cmdline:
    settings: [{at: nohz_full, want: "1"}]
"""
RETURN = """
reboot_for: {description: Words and files that need a reboot., type: list, returned: always}
kernel: {description: The running kernel., type: str, returned: always}
entry: {description: The entry that boots., type: str, returned: always}
changes: {description: What was changed., type: list, returned: always}
"""


def main() -> None:
    """Do what the task says."""
    module = AnsibleModule(
        argument_spec={"settings": {"type": "list", "elements": "dict", "required": True}},
        supports_check_mode=True,
    )
    system, check = System(), module.check_mode
    words = cmdline.words_of(module.params["settings"])
    try:
        with contextlib.nullcontext() if check else held(system):
            booted = cmdline.hold(system, words, check)
            files = Record(system).reboot_for()
    except Refused as refusal:
        module.fail_json(msg=str(refusal), setting="cmdline", changed=False)
    result = {**booted._asdict(), "reboot_for": booted.reboot_for + files}
    if module._diff:
        result["diff"] = [
            {
                "before_header": one["at"],
                "after_header": one["at"],
                "before": one["was"] + "\n",
                "after": one["want"] + "\n",
            }
            for one in booted.changes
        ]
    module.exit_json(changed=bool(booted.changes), **result)


if __name__ == "__main__":
    main()
