"""The table of the firewall, as nft itself lists it."""

from __future__ import annotations

from opsctl.model.profile.firewall import Allowed, rules


def test_inbound_is_dropped_but_ssh_from_management_and_what_is_allowed() -> None:
    assert rules(
        ["eth0"],
        ["10.0.0.0/8", "192.168.1.1"],
        [
            Allowed(port=7400, sources=("10.2.0.0/16",)),
            Allowed(port=31001, protocol="udp", nics=("eth2", "eth1")),
        ],
        2222,
    ) == (
        "table inet opsctl {\n"
        "\tchain input {\n"
        "\t\ttype filter hook input priority filter; policy drop;\n"
        '\t\tiifname "lo" accept\n'
        "\t\tct state established,related accept\n"
        "\t\tct state invalid drop\n"
        "\t\tmeta l4proto { icmp, ipv6-icmp } accept\n"
        '\t\tiifname "eth0" ip saddr { 10.0.0.0/8, 192.168.1.1 } tcp dport 2222 accept\n'
        "\t\tip saddr 10.2.0.0/16 tcp dport 7400 accept\n"
        '\t\tiifname { "eth1", "eth2" } udp dport 31001 accept\n'
        "\t}\n"
        "}\n"
    )


def test_without_a_known_way_of_management_ssh_is_open() -> None:
    assert "\t\ttcp dport 22 accept\n" in rules([])
    assert '\t\tiifname { "eth0", "eth3" } tcp dport 22 accept\n' in rules(["eth3", "eth0"])


def test_networks_that_touch_are_merged_and_addresses_are_not() -> None:
    assert "ip saddr { 10.0.0.1, 10.0.0.2 } tcp" in rules([], ["10.0.0.2", "10.0.0.1"])
    assert "ip saddr 10.0.0.0/23 tcp" in rules([], ["10.0.1.0/24", "10.0.0.0/24"])
    assert "ip saddr 10.0.1.0-10.0.2.255 tcp" in rules([], ["10.0.1.0/24", "10.0.2.0/24"])
    assert "ip saddr 10.0.0.0/8 tcp" in rules([], ["10.0.0.0/8", "10.9.9.9"])


def test_a_network_of_one_is_written_as_nft_lists_it() -> None:
    assert Allowed(port=1, sources=("10.0.0.1/32",)).sources == ("10.0.0.1",)
