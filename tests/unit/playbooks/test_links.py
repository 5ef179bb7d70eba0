"""Interfaces as ends of links and holders of addresses: what is read, written, and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.opsctl_box import devices, links
from ansible.module_utils.opsctl_box.system import Done, Refused, System
from ansible.module_utils.opsctl_read.pinging import _sum

END: dict[str, Any] = {
    "up": True,
    "mtu": 9000,
    "addresses": ["10.9.0.0/31"],
    "routes": ["10.20.0.0/16 via 10.9.0.1"],
}
DOWN: dict[str, Any] = {"up": False, "mtu": 1500, "addresses": [], "routes": []}


class FakeIp:
    """`ip` of a server with one interface, eth1: what it has is changed by what it is told."""

    def __init__(self, **has: Any) -> None:
        self.has = {
            key: list(v) if isinstance(v, list) else v for key, v in {**DOWN, **has}.items()
        }
        self.told: list[str] = []

    def __call__(self, *argv: str, **_: Any) -> Done:
        words = [word for word in argv[1:] if word not in ("-json", "-4")]
        nic = words[words.index("dev") + 1] if "dev" in words else ""
        if nic != "eth1":
            return Done(1, "", f'Device "{nic}" does not exist.')
        if words[1] == "show":
            return Done(0, json.dumps(self._shown(words[0])), "")
        self.told.append(" ".join(words))
        return self._changed(words)

    def _shown(self, what: str) -> list[dict[str, Any]]:
        if what == "route":
            kernel = {"dst": "10.9.0.0/31", "protocol": "kernel", "scope": "link"}
            routes = (one.split() for one in self.has["routes"])
            return [
                kernel,
                *({"dst": one[0].removesuffix("/32"), "gateway": one[2]} for one in routes),
            ]
        inet = [one.split("/") for one in self.has["addresses"]]
        info = [{"family": "inet", "local": a, "prefixlen": int(p)} for a, p in inet]
        info.append({"family": "inet6", "local": "fe80::1", "prefixlen": 64})
        flags = ["BROADCAST", *(["UP"] if self.has["up"] else [])]
        return [{"ifname": "eth1", "flags": flags, "mtu": self.has["mtu"], "addr_info": info}]

    def _changed(self, words: list[str]) -> Done:
        match words:
            case ["link", "set", _, _, "mtu", mtu]:
                self.has["mtu"] = int(mtu)
            case ["link", "set", _, _, state]:
                self.has["up"] = state == "up"
            case ["addr", "add", one, *_]:
                self.has["addresses"].append(one)
            case ["addr", "del", one, *_]:
                self.has["addresses"].remove(one)
                self.has["routes"] = []  # as the kernel has it
            case ["route", "replace", *route, _, _, _, _]:
                self.has["routes"].append(" ".join(route))
            case ["route", "del", *route, _, _]:
                self.has["routes"].remove(" ".join(route))
        return Done(0, "", "")


@pytest.fixture
def server(root: Path) -> System:
    (root / "sys/class/net/eth1").mkdir(parents=True)
    (root / "sys/class/net/eth1/ifindex").write_text("7\n")
    return System(str(root))


@pytest.mark.parametrize(
    ("has", "told"),
    [
        (
            {},
            [
                "link set dev eth1 mtu 9000",
                "addr add 10.9.0.0/31 dev eth1",
                "link set dev eth1 up",
                "route replace 10.20.0.0/16 via 10.9.0.1 dev eth1 proto static",
            ],
        ),
        (END, []),
        ({**END, "mtu": 1500}, ["link set dev eth1 mtu 9000"]),
        (
            {**END, "addresses": ["10.9.0.4/31"]},
            [
                "addr del 10.9.0.4/31 dev eth1",
                "addr add 10.9.0.0/31 dev eth1",
                "route replace 10.20.0.0/16 via 10.9.0.1 dev eth1 proto static",
            ],
        ),
        (
            {**END, "routes": [*END["routes"], "10.99.0.1/32 via 10.9.0.1"]},
            ["route del 10.99.0.1/32 via 10.9.0.1 dev eth1"],
        ),
    ],
)
def test_what_differs_is_told_and_nothing_else(has: dict[str, Any], told: list[str]) -> None:
    ip = FakeIp(**has)
    assert devices.link_write("eth1", END, ip) == []
    assert ip.told == told
    assert devices.link_read("eth1", ip) == END


def test_what_was_before_comes_back(server: System, monkeypatch: pytest.MonkeyPatch) -> None:
    ip = FakeIp()
    monkeypatch.setattr(server, "run", ip)
    writer = links.Links(server)
    former = writer.before_writing(["eth1"])
    assert former == {"eth1": DOWN}
    assert writer.write({"eth1": json.dumps(END)}) == {}
    assert writer.holds("eth1", writer.read(["eth1"])["eth1"], json.dumps(END))
    assert writer.restore(former) == {}
    assert ip.has == DOWN


def test_an_interface_that_is_not_there_is_refused(
    server: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "run", FakeIp())
    with pytest.raises(Refused, match="there is no eth7 on this server: it has eth1"):
        links.Links(server).before_writing(["eth7"])


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("etc/network/interfaces", "auto eth1\niface eth1 inet dhcp\n", "ifupdown"),
        ("etc/network/interfaces.d/md", "  iface eth1 inet static\n", "interfaces.d/md"),
        (
            "run/systemd/netif/links/7",
            "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/10-md.network\n",
            r"systemd-networkd \(/etc/systemd/network/10-md.network\)",
        ),
    ],
)
def test_an_interface_that_something_else_sets_is_refused(
    server: System, root: Path, monkeypatch: pytest.MonkeyPatch, file: str, text: str, said: str
) -> None:
    monkeypatch.setattr(server, "run", FakeIp())
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(text.replace("eth1", "eth10"))
    if "etc/network" in file:
        assert links.setter(server, "eth1") == ""
    (root / file).write_text(text)
    with pytest.raises(Refused, match=f"eth1 is set by .*{said}"):
        links.Links(server).before_writing(["eth1"])


def test_one_that_networkd_leaves_alone_is_taken(server: System, root: Path) -> None:
    (root / "run/systemd/netif/links").mkdir(parents=True)
    (root / "run/systemd/netif/links/7").write_text("ADMIN_STATE=unmanaged\n")
    assert links.setter(server, "eth1") == ""


def test_ssh_and_the_way_back_to_it_are_left_alone(
    server: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "run", FakeIp())
    monkeypatch.setattr(links, "session", lambda _: ("10.20.7.1", "10.1.0.11"))
    monkeypatch.setattr(links, "management", lambda to: {"eth1"} if to == "10.1.0.11" else set())
    with pytest.raises(Refused, match="SSH comes in by eth1"):
        links.Links(server).before_writing(["eth1"])
    monkeypatch.setattr(links, "management", lambda _: set())
    said = links.Links(server).write({"eth1": json.dumps(END)})["eth1"]
    assert "the route to 10.20.0.0/16 would have the answers to 10.20.7.1" in said
    (told,) = links.Addresses(server).write({"eth1 10.1.0.11": "absent"}).values()
    assert "SSH comes in by 10.1.0.11" in told


def test_an_address_is_of_a_network_of_its_interface() -> None:
    has = {"addresses": ["10.1.0.11/24", "10.1.0.100/32"]}
    links.refuse_stranger("eth0", "10.1.0.200", has)
    with pytest.raises(Refused, match=r"10.2.0.1 is in no network of eth0 \(10.1.0.0/24\)"):
        links.refuse_stranger("eth0", "10.2.0.1", has)
    with pytest.raises(Refused, match="it has none"):
        links.refuse_stranger("eth0", "10.1.0.100", {"addresses": ["10.1.0.100/32"]})


def test_only_who_holds_an_address_takes_it_at_boot(server: System) -> None:
    writer = links.Addresses(server)
    files = writer.files("address-desk", {"eth0 10.1.0.100": "held", "eth1 10.1.0.101": "absent"})
    assert list(files) == ["/etc/opsctl/devices/eth0/address-desk.address.json"]


def test_a_request_of_arp_is_as_the_standard_has_it() -> None:
    packet = devices._arp(bytes.fromhex("525400000002"), "0.0.0.0", "10.1.0.100")
    assert packet.hex(" ") == (
        "ff ff ff ff ff ff 52 54 00 00 00 02 08 06 00 01 08 00 06 04 00 01 "
        "52 54 00 00 00 02 00 00 00 00 00 00 00 00 00 00 0a 01 00 64"
    )


def test_a_checksum_is_as_the_standard_has_it() -> None:
    # RFC 1071, section 3: its sum is ddf2.
    assert _sum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
