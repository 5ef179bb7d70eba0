"""A firm's own profile: read strictly, every fault told at once with its place."""

from __future__ import annotations

import pytest

from opsctl.model.profile.firewall import Allowed
from opsctl.model.profile.own import Own, read
from opsctl.model.profile.unfit import Unfit
from opsctl.model.tiers import LatencyTier

SOUND = """\
format: 1
extends: hft
mitigations: off
trading_nics: [ens1f0, ens1f1]
time: ptp
time_servers: [10.1.1.1]
management_sources: [10.0.0.0/8]
ssh_port: 2222
allow:
- {port: 7400, sources: [10.2.0.0/16]}
- {port: 31001, protocol: udp, nics: [ens1f0]}
layout:
  trading: [4, 5, 6]
  interrupts: 2
settings:
  sysctl.vm.swappiness: {want: 1, why: a page of swap is better than an end}
  ethtool.{nic}.ring.rx: {want: 4096, why: measured}
  file.sfc: {want: "options sfc x=1\\n", why: ours, topic: nic, means: file, at: /etc/modprobe.d/x}
off:
  unit.fstrim.timer: the array discards by itself
"""


def faults(text: str, name: str = "ours") -> list[str]:
    with pytest.raises(Unfit) as error:
        read(name, text)
    return [str(fault) for fault in error.value.faults]


def test_a_sound_file_is_a_value() -> None:
    found = read("ours", SOUND)
    assert (found.extends, found.mitigations, found.time) == (LatencyTier.HFT, "off", "ptp")
    assert (found.layout.trading, found.layout.interrupts) == ("4-6", "2")
    assert found.settings["ethtool.{nic}.ring.rx"].want == "4096"
    assert found.allow[0] == Allowed(port=7400, sources=("10.2.0.0/16",))
    assert read("ours", "extends: weekly\n") == Own(extends=LatencyTier.WEEKLY)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("exends: hft", "exends: is no setting: did you mean extends?"),
        ("extends: hfd", "extends: must be one of hft, intraday, daily, weekly, not 'hfd'"),
        ("trading_nics: eth1", "trading_nics: must be a list"),
        ("trading_nics: ['eth1; reboot']", "trading_nics.0: must match"),
        ("mitigations: maybe", "mitigations: must be one of auto, off, not 'maybe'"),
        ("management_sources: [10.0.0.1/8]", "management_sources.0: must be a network such as"),
        ("management_sources: ['::/0']", "management_sources.0: must be an IPv4 network"),
        ("allow: [{port: 70000}]", "allow.0.port: must be <= 65535, not 70000"),
        ("allow: [{port: 1, protocol: sctp}]", "allow.0.protocol: must be one of tcp, udp"),
        ("time_servers: ['a b']", "time_servers.0: must match"),
        ("layout: {trading: two, cores: 3}", "layout.cores: is no setting"),
        ("layout: {trading: 3-}", "layout.trading: must be a list of CPUs such as 2-5,7"),
        (
            "settings: {unit.fstrim.timer: {want: enabled, why: x}}",
            "settings.unit.fstrim.timer.want: of unit must be on or off",
        ),
        (
            "settings: {mine: {want: '1', why: x, means: sysfs, at: /sys/../etc/x, topic: cpu}}",
            "settings.mine.at: of sysfs must be a path under /sys or /proc",
        ),
        (
            "settings: {sysctl.vm.swapiness: {want: 1, why: x}}",
            (
                "settings.sysctl.vm.swapiness: is no setting of the catalogue: "
                "did you mean sysctl.vm.swappiness?"
            ),
        ),
        ("settings: {sysctl.vm.swappiness: {want: 1}}", "settings.sysctl.vm.swappiness.why: is"),
        (
            "settings: {sysctl.vm.swappiness: {want: on, why: x}}",
            "",
        ),
        (
            "settings: {sysctl.vm.swappiness: {want: true, why: x}}",
            "settings.sysctl.vm.swappiness.want: must be text: quote on, off",
        ),
        (
            "settings: {sysctl.vm.swappiness: {want: 1, why: x, at: vm.x}}",
            "settings.sysctl.vm.swappiness.at: is the catalogue's",
        ),
        (
            "settings: {sysctl.mine: {want: 1, why: x, means: sysctl}}",
            "settings.sysctl.mine.topic: is required of a setting of the firm's own",
        ),
        (
            "settings: {mine: {want: '{tradin}', why: x, means: file, at: /x, topic: cpu}}",
            "settings.mine.want: {tradin} stands for nothing: known are",
        ),
        (
            "settings: {mine: {want: '{nic}', why: x, means: file, at: /x, topic: cpu}}",
            "settings.mine.want: {nic} stands for nothing",
        ),
        ("off: {unit.fstrim.tmer: x}", "off.unit.fstrim.tmer: is no setting of the catalogue"),
        ("off: {unit.fstrim.timer: ''}", "off.unit.fstrim.timer: must have at least 1 characters"),
        (
            "off: {package.unattended-upgrades: x}",
            "off.package.unattended-upgrades: is no setting of hft",
        ),
        ("format: 2", "format: must be one of 1, not 2"),
    ],
)
def test_a_fault_is_told_with_its_path_and_what_would_be_right(line: str, said: str) -> None:
    text = line if line.startswith(("exends", "extends")) else f"extends: hft\n{line}"
    if not said:
        read("ours", text)
        return
    assert any(fault.startswith(said) for fault in faults(text)), faults(text)


def test_every_fault_is_told_at_once_with_its_line() -> None:
    assert faults("extends: hft\ntime: sundial\nssh_port: 0\n") == [
        ("time: must be one of chrony, ptp, not 'sundial' (site/profiles/ours.yaml, line 2)"),
        "ssh_port: must be >= 1, not 0 (site/profiles/ours.yaml, line 3)",
    ]
    assert "is both set and off: keep one" in "".join(
        faults(
            "extends: hft\nsettings: {unit.fstrim.timer: {want: 'on', why: x}}\n"
            "off: {unit.fstrim.timer: x}\n"
        )
    )


@pytest.mark.parametrize("text", ["- a", "x: [", "extends: hft\nextends: daily\n"])
def test_what_is_no_profile_at_all_is_refused(text: str) -> None:
    assert faults(text)


@pytest.mark.parametrize("name", ["hft", "Ours", "../x", ""])
def test_a_name_that_is_a_tiers_or_no_name_is_refused(name: str) -> None:
    assert "is no name for a profile" in faults("extends: hft", name)[0]
