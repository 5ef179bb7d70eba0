"""Racks and servers of an environment: what is taken, what is refused, and with which line."""

from __future__ import annotations

import pytest

from opsctl.model.documents import parse
from opsctl.model.feasibility import failure_domains, rehearsal
from opsctl.model.files import Assembled, assemble

FILE = """\
config:
  trading:format: 1
  trading:tier: intraday
  trading:dr: hot
  trading:target: docker
  trading:infrastructure: onprem
  trading:onprem:
    owner: platform
    user: ops
    racks:
      ny4: {site: a, place: NY4}
      ld4: {site: b, place: LD4}
      office: {site: witness}
    servers:
      ny4-1: {rack: ny4, address: 10.1.0.11, host_key: ssh-ed25519 AAAAC3Nza ops@here}
      ny4-2: {rack: ny4, address: 10.1.0.12, role: spare, profile: hft, nics: [eth1]}
      ld4-1: {rack: ld4, address: ld4-1.example.com}
      office-1: {rack: office, address: 10.3.0.11, port: 2222}
"""


def assembled(text: str) -> Assembled:
    return assemble("rack", [parse("rack", text)])


def test_racks_of_three_sites_are_taken() -> None:
    found = assembled(FILE)
    assert found.faults == ()
    assert found.environment is not None
    assert failure_domains(found.environment) == ("NY4", "LD4")
    assert rehearsal(found.environment) == ""
    assert found.origins["onprem.servers.ny4-1.address"].line == 15


def test_two_sites_in_one_place_rehearse() -> None:
    environment = assembled(FILE.replace("place: LD4", "place: NY4")).environment
    assert environment is not None
    assert "sites a and b share NY4: dr hot is rehearsed here" in rehearsal(environment)


def test_a_site_is_where_its_server_stands() -> None:
    more = "      ld4: {site: b, place: LD4}\n"
    text = FILE.replace(more, f"      store: {{site: b, place: NY4}}\n{more}")
    spare = "      store-1: {rack: store, address: 10.4.0.11, role: spare}\n"
    text = text.replace("    servers:\n", f"    servers:\n{spare}")
    environment = assembled(text).environment
    assert environment is not None
    assert failure_domains(environment) == ("NY4", "LD4")


def test_a_witness_beside_two_sites_that_rehearse_is_taken() -> None:
    text = FILE.replace("place: LD4", "place: NY4").replace("witness}", "witness, place: NY4}")
    assert assembled(text).faults == ()


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "witness}",
            "witness, place: LD4}",
            "onprem.racks: site witness stands where site b does, in LD4, which would take the",
        ),
        ("    owner: platform\n", "", "onprem.owner: who answers for it?"),
        ("rack: ld4,", "rack: ld5,", "servers.ld4-1.rack: there is no rack ld5: did you mean ld4?"),
        ("site: witness", "site: b", "servers: site witness has no server to run on"),
        (", role: spare", "", "servers.ny4-2.rack: site a runs on ny4-1 already"),
        ("role: spare", "role: witness", "servers.ny4-2.role: its rack ny4 is of site a"),
        ("10.1.0.12", "10.1.0.11", "servers.ny4-2.address: is that of ny4-1 too"),
        ("10.1.0.12", "10.1.0.300", "servers.ny4-2.address: must be an IPv4 address or a name"),
        ("10.1.0.12", "-oProxyCommand=x", "servers.ny4-2.address: must match"),
        ("ssh-ed25519 AAAAC3Nza ops@here", "'-----BEGIN PRIVATE KEY-----'", "is a private key"),
        ("trading:dr: hot", "trading:dr: cold", "racks.ld4.site: is no site of this environment"),
        ("target: docker", "target: local", "target: services run in containers"),
        (": onprem\n", ": none\n", "trading:onprem: is of no use without"),
        (
            "    racks:",
            "    raks: {}\n    racks:",
            "onprem.raks: is no setting: did you mean racks?",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(before: str, after: str, said: str) -> None:
    assert before in FILE
    found = assembled(FILE.replace(before, after, 1))
    told = [str(fault) for fault in found.faults if said in str(fault)]
    assert told, found.faults
    assert ", line " in told[0] or said.startswith(("servers: ", "onprem.owner"))


def test_without_servers_it_says_where_to_get_them() -> None:
    found = assembled(FILE[: FILE.index("  trading:onprem")])
    assert [fault.path for fault in found.faults] == ["trading:onprem.servers"]
    assert "opsctl stack discover" in found.faults[0].problem
