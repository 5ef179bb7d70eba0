"""Links and floating addresses of an environment: what is taken, and what is refused where."""

from __future__ import annotations

import pytest

from opsctl.model.documents import parse
from opsctl.model.files import Assembled, assemble

FILE = """\
config:
  trading:format: 1
  trading:tier: intraday
  trading:dr: cold
  trading:target: docker
  trading:infrastructure: onprem
  trading:onprem:
    owner: platform
    racks:
      ny4: {site: a}
    servers:
      ny4-1: {rack: ny4, address: 10.1.0.11}
      ny4-2: {rack: ny4, address: 10.1.0.12, role: spare}
    links:
      between:
        use: inter-site
        ends:
          ny4-1: {interface: eth1, address: 10.9.0.0/31, routes: [10.20.0.0/16]}
          ny4-2: {interface: eth1, address: 10.9.0.1/31}
        mtu: 9000
      nasdaq:
        use: market-data
        ends:
          ny4-1: {interface: eth2, address: 192.0.2.2/29, routes: [198.51.100.0/24]}
        port: {address: 192.0.2.1, name: 7/12, answers: false}
    addresses:
      desk: {address: 10.1.0.100, holder: ny4-1, interfaces: {ny4-1: eth0, ny4-2: eth3}}
"""


def assembled(text: str) -> Assembled:
    return assemble("rack", [parse("rack", text)])


def test_links_and_addresses_are_taken() -> None:
    found = assembled(FILE)
    assert found.faults == ()
    assert found.environment is not None
    said = found.environment.onprem
    assert said.links["between"].peer("ny4-2") == "10.9.0.0"
    assert said.links["nasdaq"].peer("ny4-1") == "192.0.2.1"
    assert said.links["nasdaq"].mtu == 1500
    assert said.addresses["desk"].interfaces == {"ny4-1": "eth0", "ny4-2": "eth3"}


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "          ny4-2: {int",
            "          ny4-3: {int",
            "ends.ny4-3: there is no server",
        ),
        ("eth2, ", "eth1, ", "nasdaq.ends.ny4-1.interface: eth1 of ny4-1 is of link between too"),
        ("eth2, ", "br-ex, ", "nasdaq.ends.ny4-1.interface: must match"),
        ("192.0.2.2/29", "192.0.2.2/28", "a link is point to point"),
        ("192.0.2.2/29", "192.0.2.7/29", "no host has the first or last address"),
        ("192.0.2.2/29", "192.0.2.256/29", "must be an address with its prefix"),
        ("10.9.0.1/31", "10.9.0.2/31", "ends.ny4-2.address: must be another address of the netw"),
        ("10.9.0.1/31", "10.9.0.0/31", "ends.ny4-2.address: must be another address of the netw"),
        ("10.9.0.0/31", "10.9.0.2/29", "ends.ny4-2.address: must be another address of the netw"),
        ("{address: 192.0.2.1,", "{address: 192.0.2.9,", "port.address: must be another address"),
        ("mtu: 9000", "mtu: 10000", "between.mtu: must be <= 9216"),
        ("mtu: 9000", "mtu: 9000\n        within_us: 0", "between.within_us: must be >= 1"),
        ("[10.20.0.0/16]", "[0.0.0.0/0]", "a default route would take SSH along"),
        ("[10.20.0.0/16]", "[10.20.0.1/16]", "must be a network"),
        ("[10.20.0.0/16]", "[10.9.0.0/16]", "overlaps the link's own network 10.9.0.0/31"),
        ("[10.20.0.0/16]", "[198.51.100.0/24]", "198.51.100.0/24 is reached over link between al"),
        ("        port: {", "        prt: {", "nasdaq.prt: is no setting: did you mean port?"),
        (
            "192.0.2.2/29",
            "10.9.0.2/29",
            "nasdaq: its network 10.9.0.0/29 overlaps 10.9.0.0/31",
        ),
        ("10.1.0.12,", "10.9.0.1,", "between: its network 10.9.0.0/31 has 10.9.0.1, by which SSH"),
        ("holder: ny4-1", "holder: ny4-9", "addresses.desk.holder: there is no server ny4-9"),
        ("ny4-2: eth3", "ny4-9: eth3", "addresses.desk.interfaces.ny4-9: there is no server ny4-9"),
        ("ny4-1: eth0", "ny4-1: eth1", "addresses.desk.interfaces.ny4-1: eth1 is of link between"),
        (", ny4-2: eth3", "", "addresses.desk.interfaces: names the servers that may hold it"),
        ("10.1.0.100", "10.1.0.12", "addresses.desk.address: is that of ny4-2 itself"),
        ("10.1.0.100", "192.0.2.3", "addresses.desk.address: lies in the network of link nasdaq"),
        ("10.1.0.100", "10.1.0.100/24", "addresses.desk.address: must be an IPv4 address"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(before: str, after: str, said: str) -> None:
    assert before in FILE
    found = assembled(FILE.replace(before, after, 1))
    told = [str(fault) for fault in found.faults if said in str(fault)]
    assert told, found.faults
    assert ", line " in told[0]


def test_a_link_has_two_ends() -> None:
    line = "          ny4-2: {interface: eth1, address: 10.9.0.1/31}\n"
    found = assembled(FILE.replace(line, ""))
    assert any("has two ends" in str(fault) for fault in found.faults), found.faults
    three = "        mtu: 9000\n        port: {address: 10.9.0.1}\n"
    found = assembled(FILE.replace("        mtu: 9000\n", three))
    assert any("has two ends" in str(fault) for fault in found.faults), found.faults
