#!/usr/bin/python
"""Ansible's module that reads and measures links and floating addresses; see DOCUMENTATION."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.opsctl_box import claim, devices
from ansible.module_utils.opsctl_box.record import Record
from ansible.module_utils.opsctl_box.system import Refused, System
from ansible.module_utils.opsctl_read.pinging import pinged

DOCUMENTATION = r"""
module: read_links
short_description: Read and measure the links and floating addresses of a server
description:
  - Of a link what its interface has, whether there is a carrier, what a packet takes to the other
    end and back, and whether one of the full size does.
  - Of a floating address whether this server holds it, and who else answers for it (ARP).
  - Changes nothing.
options:
  links:
    description: The ends of links that are here.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: What it is called., type: str, required: true}
      interface: {description: Which interface., type: str, required: true}
      source: {description: Its address., type: str, required: true}
      peer: {description: The other end; empty if it answers none., type: str, required: true}
      mtu: {description: Bytes of the largest packet., type: int, required: true}
  addresses:
    description: The addresses that this server may hold.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: What it is called., type: str, required: true}
      interface: {description: Which interface., type: str, required: true}
      address: {description: The address., type: str, required: true}
author: [opsctl]
"""

EXAMPLES = r"""
- name: Read one link
  read_links:
    links: [{name: between, interface: eth1, source: 10.9.0.0, peer: 10.9.0.1, mtu: 9000}]
"""

RETURN = r"""
wires:
  description:
    - C(owner), whose the server is; C(links) and C(addresses), by name what was read of each;
      C(topics), what wrote something here: C(link-NAME), C(address-NAME).
  type: dict
  returned: always
"""


def main() -> None:
    """Read, and answer Ansible."""
    text = {"type": "str", "required": True}
    link = {"name": text, "interface": text, "source": text, "peer": text}
    link["mtu"] = {"type": "int", "required": True}
    address = {"name": text, "interface": text, "address": text}
    lists = {"type": "list", "elements": "dict", "default": []}
    module = AnsibleModule(
        {"links": {**lists, "options": link}, "addresses": {**lists, "options": address}},
        supports_check_mode=True,
    )
    system = System()
    try:
        found = {
            "owner": claim.owner(system) or "",
            "topics": Record(system).topics(),
            "links": {one["name"]: _link(system, one) for one in module.params["links"]},
            "addresses": {one["name"]: _address(system, one) for one in module.params["addresses"]},
        }
    except Refused as refusal:
        module.fail_json(msg=str(refusal))
    module.exit_json(changed=False, wires=found)


def _link(system: System, one: dict) -> dict:
    nic = one["interface"]
    state = devices.link_read(nic, system.run)
    found = {"state": state, "carrier": devices.carrier(nic), "pings": None}
    has = {has.partition("/")[0] for has in state["addresses"]} if state else set()
    if found["carrier"] and one["peer"] and one["source"] in has:
        found["pings"] = pinged(nic, one["source"], one["peer"], one["mtu"])
    return found


def _address(system: System, one: dict) -> dict:
    nic, address = one["interface"], one["address"]
    held = devices.address_read(nic, address, system.run) is not None
    others = devices.holders(nic, address) if devices.carrier(nic) else []
    own = [(system.read(path) or "").strip() for path in system.glob("/sys/class/net/*/address")]
    return {"held": held, "others": others, "macs": own}


if __name__ == "__main__":
    main()
