#!/usr/bin/python
"""Ansible's module that measures what disturbs the trading CPUs; see DOCUMENTATION."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.opsctl_read import counting, cpus
from ansible.module_utils.opsctl_read.answers import Unreadable

DOCUMENTATION = r"""
module: measure_box
short_description: Count what disturbs the trading CPUs of a server
description:
  - A thread spins on each CPU named. Counted are its involuntary switches, and the local timer's
    ticks, the interrupts of devices and the calls of other CPUs that come in between.
  - Where rt-tests is installed, cyclictest and hwlatdetect measure as well.
  - Changes nothing, but takes the CPUs for as long; for a server that does not trade at the time.
options:
  cpus: {description: "The CPUs, as a list such as C(2-3,6).", type: str, required: true}
  seconds: {description: How long each of the measurements takes., type: int, default: 5}
author: [opsctl]
"""

EXAMPLES = r"""
- name: Measure two CPUs
  measure_box:
    cpus: "2-3"
"""

RETURN = r"""
cpus:
  description: By CPU what came in, per second, and the share of the time that the thread had.
  type: dict
  returned: always
wake_up:
  description: How late a thread of real-time priority wakes up, in us; none without rt-tests.
  type: dict
  returned: always
stolen_us:
  description: The longest time that hardware took, in us; none where it cannot be measured.
  type: int
  returned: always
lacks:
  description: By figure, why it was not measured.
  type: dict
  returned: always
"""


def main() -> None:
    """Measure, and answer Ansible."""
    module = AnsibleModule(
        {"cpus": {"type": "str", "required": True}, "seconds": {"type": "int", "default": 5}},
        supports_check_mode=True,
    )
    seconds, lacks = module.params["seconds"], {}
    found = {"wake_up": None, "stolen_us": None}
    try:
        wanted = cpus.of_list(module.params["cpus"])
        found["cpus"] = counting.spin(wanted, seconds)
    except (Unreadable, ValueError, KeyError) as error:
        module.fail_json(msg=f"CPUs {module.params['cpus']} cannot be measured: {error}")
    for name, measure in (
        ("wake_up", lambda: counting.wake_up(wanted, seconds)),
        ("stolen_us", lambda: counting.stolen(seconds)),
    ):
        try:
            found[name] = measure()
        except Unreadable as why:
            lacks[name] = str(why)
    module.exit_json(changed=False, lacks=lacks, **found)


if __name__ == "__main__":
    main()
