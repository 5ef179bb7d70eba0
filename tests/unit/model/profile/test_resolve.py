"""From the catalogue, a server and the firm's profile to what the server is to hold."""

from __future__ import annotations

from typing import Any

import pytest

from opsctl.model.profile.box import Box, Disk, Reading
from opsctl.model.profile.judge import judge, verdict
from opsctl.model.profile.layout import Wish
from opsctl.model.profile.own import Own
from opsctl.model.profile.profile import Profile, Verdict, Wanted
from opsctl.model.profile.resolve import CMDLINE_FILE, asks, options, profile_for, settings
from opsctl.model.profile.setting import Compare, Means, Topic
from opsctl.model.profile.unfit import Unfit
from opsctl.model.tiers import LatencyTier
from tests.support.boxes import box, cpus, nic

HFT, DAILY = LatencyTier.HFT, LatencyTier.DAILY


def own(**said: Any) -> Own:
    return Own.model_validate({"extends": "hft", **said})


def by_id(profile: Profile) -> dict[str, Wanted]:
    return {wanted.id: wanted for wanted in profile.settings}


def test_the_cpus_of_the_layout_are_put_in() -> None:
    found = by_id(profile_for(box(), HFT))
    assert found["cmdline.isolcpus"].want == "managed_irq,domain,2-3"
    assert found["cmdline.irqaffinity"].want == "0"
    assert found["irq.eth1"].want == "1"
    assert found["irq.other.eth0"].want == "0"
    assert found["sysfs.workqueue.cpumask"].want == "1"
    assert found["sysfs.cpu3.resume_latency"].at.endswith("/cpu3/power/pm_qos_resume_latency_us")
    assert "sysfs.cpu1.resume_latency" not in found
    assert found["sysfs.cpu1.governor"].want == "performance"


def test_siblings_of_trading_cpus_are_isolated_too() -> None:
    found = by_id(profile_for(box(cpus=cpus(3, threads=2)), HFT))
    assert found["cmdline.isolcpus"].want == "managed_irq,domain,2,5"
    assert "sysfs.cpu5.resume_latency" in found


def test_a_nic_of_management_is_never_tuned() -> None:
    found = profile_for(box(), HFT).settings
    tuned = {w.id for w in found if w.topic is Topic.NIC and "eth0" in w.at}
    assert tuned == set()
    assert any("eth1" in w.at for w in found if w.topic is Topic.NIC)


def test_what_is_not_about_speed_is_wanted_of_every_nic() -> None:
    found = by_id(profile_for(box(), DAILY))
    for name in ("all", "default", "eth0", "eth1"):
        for direction in ("accept", "send"):
            assert found[f"sysctl.net.ipv4.conf.{name}.{direction}_redirects"].want == "0"


def test_there_is_a_queue_for_each_cpu_that_serves_and_the_answer_stays() -> None:
    first = box(cpus=cpus(16), nics=(nic("a"), nic("b"), nic("m", management=True)))
    wanted = by_id(profile_for(first, HFT))
    assert wanted["ethtool.a.channels.combined"].want == "2"
    assert wanted["sysfs.a.tx-0.xps"].want == "28"  # CPUs 3 and 5 of 3 to 6
    assert wanted["sysfs.a.tx-1.xps"].want == "50"
    applied = first.model_copy(
        update={"nics": (nic("a", queues=2), nic("b", queues=2), nic("m", management=True))}
    )
    assert profile_for(applied, HFT).digest() == profile_for(first, HFT).digest()


def test_a_nic_is_not_asked_for_more_queues_than_it_has() -> None:
    few = box(cpus=cpus(16), nics=(nic("a", queues=1), nic("b", queues=8)))
    wanted = by_id(profile_for(few, HFT))
    assert wanted["ethtool.a.channels.combined"].want == "1"
    assert wanted["ethtool.b.channels.combined"].want == "2"
    assert "sysfs.a.rx-1.rps" not in wanted
    assert "sysfs.b.rx-1.rps" in wanted


@pytest.mark.parametrize(
    ("memory_mib", "pages"), [(1024, 64), (1430, 64), (15_900, 512), (64_100, 2048)]
)
def test_huge_pages_take_about_an_eighth_of_the_memory(memory_mib: int, pages: int) -> None:
    wanted = by_id(profile_for(box(memory_bytes=memory_mib << 20), HFT))
    assert wanted["cmdline.hugepages"].want == str(pages)
    assert wanted["measured.hugepages"].want == str(pages)


@pytest.mark.parametrize(
    ("changes", "setting", "reason"),
    [
        ({"virtual": "kvm"}, "cmdline.tsc", "is for bare metal: this is a virtual machine (kvm)"),
        (
            {"kernel_options": {"CONFIG_NO_HZ_FULL": "n"}},
            "cmdline.nohz_full",
            "the kernel 6.1.0-31-amd64 is built without CONFIG_NO_HZ_FULL",
        ),
        (
            {"vendor": "AuthenticAMD"},
            "cmdline.intel_idle.max_cstate",
            "is for processors of GenuineIntel: this is AuthenticAMD",
        ),
        ({"bootloader": ""}, "cmdline.isolcpus", "the boot loader is not GRUB"),
        (
            {"disks": (Disk(name="sda", driver="sd", rotational=True),)},
            "sysfs.sda.scheduler",
            "is for nvme, virtio_blk: the driver is sd",
        ),
        ({"nics": (nic("eth1", queues=1),)}, "sysfs.eth1.tx-0.xps", "several queues"),
        (
            {"nics": (nic("eth0", management=True),)},
            "ethtool.{nic}.feature.gro",
            "the server has no NIC for trading",
        ),
        ({}, "unit.ptp4l.service", "the profile says `time: chrony`"),
    ],
)
def test_what_a_server_lacks_is_said_with_the_reason(
    changes: dict[str, Any], setting: str, reason: str
) -> None:
    assert reason in by_id(profile_for(box(**changes), HFT))[setting].lacks


def test_what_could_not_be_read_is_lacking_where_it_must_be_there() -> None:
    def lacks(*readings: Reading) -> str:
        return by_id(profile_for(box(), HFT, readings=readings))["sysctl.net.core.busy_poll"].lacks

    there = Reading(means=Means.SYSCTL, at="net.core.busy_poll", value="0")
    assert lacks(there) == ""
    assert lacks() == ""  # nobody looked
    gone = there.model_copy(update={"value": None, "reason": "this kernel has no such key"})
    assert lacks(gone) == "this kernel has no such key"


def test_what_the_driver_has_fixed_is_lacking_unless_it_is_what_is_wanted() -> None:
    def lacks(value: str, reason: str) -> str:
        at = "eth1 feature lro"
        answer = Reading(means=Means.ETHTOOL, at=at, value=value, reason=reason)
        return by_id(profile_for(box(), HFT, readings=(answer,)))["ethtool.eth1.feature.lro"].lacks

    assert lacks("on", "fixed by the driver") == "on is fixed by the driver"
    assert lacks("off", "fixed by the driver") == ""
    assert lacks("on", "") == ""


def test_a_ring_is_as_deep_as_it_is_wanted_or_as_the_nic_takes() -> None:
    def want(most: int) -> str:
        answer = Reading(
            means=Means.ETHTOOL,
            at="eth1 ring rx",
            value="128",
            reason=f"the NIC takes at most {most}",
        )
        return by_id(profile_for(box(), HFT, readings=(answer,)))["ethtool.eth1.ring.rx"].want

    assert (want(256), want(4096)) == ("256", "1024")


def test_what_is_installed_only_by_provisioning_is_not_lacking_before() -> None:
    gone = Reading(means=Means.UNIT, at="chrony.service", value=None, reason="no such unit")
    assert by_id(profile_for(box(), HFT, readings=(gone,)))["unit.chrony.service"].lacks == ""


@pytest.mark.parametrize("tier", LatencyTier)
def test_no_place_is_wanted_in_two_ways(tier: LatencyTier) -> None:
    clocked = box(nics=(nic("eth0", management=True), nic("eth1", hardware_clock=True)))
    for time in ("chrony", "ptp"):
        profile = profile_for(clocked, tier, own=own(extends=tier, time=time))
        places = [(w.means, w.at) for w in profile.settings if not w.lacks]
        assert len(places) == len(set(places))
        ids = [w.id for w in profile.settings]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("tier", LatencyTier)
@pytest.mark.parametrize(
    "machine",
    [
        box(cpus=cpus(2), memory_bytes=(1 << 30) + 12345),
        box(cpus=cpus(16, threads=2, sockets=2), nics=(nic("a", node=1), nic("b", node=1))),
        box(virtual="qemu", nics=(nic("m", management=True), nic("a", driver="virtio_net"))),
    ],
    ids=["small", "large", "virtual"],
)
def test_what_has_been_applied_is_wanted_again_and_holds(machine: Box, tier: LatencyTier) -> None:
    first = profile_for(machine, tier)
    want = {(w.means, w.at): w.want for w in first.settings if not w.lacks}
    applied = machine.model_copy(
        update={
            # A kernel with huge pages tells a few pages less, a NIC the queues that it now has.
            "memory_bytes": machine.memory_bytes - 4096,
            "nics": tuple(
                one.model_copy(
                    update={
                        "queues": int(
                            want.get((Means.ETHTOOL, f"{one.name} channels combined"), one.queues)
                        )
                    }
                )
                for one in machine.nics
            ),
        }
    )
    read = [
        Reading(means=ask.means, at=ask.at, value=want.get((ask.means, ask.at), "absent"))
        for ask in asks(applied, tier)
    ]
    again = profile_for(applied, tier, readings=read)
    assert again == first
    assert again.digest() == first.digest()
    assert verdict(judge(again, read)) is Verdict.HOLDS


def test_slower_tiers_take_no_reboot_and_leave_the_cpus_alone() -> None:
    profile = profile_for(box(), DAILY)
    assert not any(wanted.boot for wanted in profile.settings)
    assert profile.layout.trading == ()
    assert {w.topic for w in profile.settings} == {
        *(Topic.CLOCK, Topic.LIMITS, Topic.SERVICES, Topic.SECURITY, Topic.ENGINE)
    }


def test_another_distribution_or_architecture_is_refused_by_name() -> None:
    with pytest.raises(Unfit) as error:
        profile_for(box(distribution="ubuntu", version="24.04", architecture="aarch64"), HFT)
    assert [str(fault) for fault in error.value.faults] == [
        "distribution: box1 runs ubuntu 24.04: Debian 12 is what is supported and tested",
        "architecture: box1 is aarch64: x86_64 is supported",
    ]
    with pytest.raises(Unfit, match="runs debian 11"):
        asks(box(version="11"), HFT)


def test_a_firm_changes_and_drops_settings_and_adds_its_own() -> None:
    firm = own(
        settings={
            "sysctl.vm.swappiness": {"want": 10, "why": "ours"},
            "sysctl.net.core.optmem_max": {
                "want": "131072",
                "why": "ours",
                "topic": "sockets",
                "means": "sysctl",
                "at": "net.core.optmem_max",
                "compare": "at_least",
            },
            "cmdline.idle": {
                "want": "poll",
                "why": "ours",
                "topic": "kernel",
                "means": "cmdline",
                "at": "idle",
            },
            "sysctl.net.core.rmem_max": {"want": "1", "why": "ours", "compare": "equal"},
        },
        off={"unit.fstrim.timer": "the array discards by itself"},
        mitigations="off",
        time_servers=["10.0.0.1", "time.example.com"],
    )
    profile = profile_for(box(), HFT, own=firm, name="ours")
    found = by_id(profile)
    assert (profile.name, profile.tier) == ("ours", HFT)
    assert found["sysctl.vm.swappiness"].want == "10"
    assert found["sysctl.net.core.optmem_max"].want == "131072"
    assert found["sysctl.net.core.optmem_max"].compare is Compare.AT_LEAST
    assert found["sysctl.net.core.rmem_max"].compare is Compare.EQUAL
    assert (found["cmdline.idle"].boot, found["sysctl.net.core.optmem_max"].boot) == (True, False)
    assert "unit.fstrim.timer" not in found
    assert found["cmdline.mitigations"].want == "off"
    assert "server 10.0.0.1 iburst\nserver time.example.com iburst\n" in found["file.chrony"].want
    assert "pool" not in found["file.chrony"].want
    plain = profile_for(box(), HFT)
    assert "\npool 2.debian.pool.ntp.org iburst\n" in by_id(plain)["file.chrony"].want
    assert profile.digest() != plain.digest()


def test_a_firm_wants_of_a_slow_tier_what_only_a_fast_one_does() -> None:
    firm = own(extends="daily", settings={"sysctl.vm.swappiness": {"want": "1", "why": "ours"}})
    assert by_id(profile_for(box(), DAILY, own=firm))["sysctl.vm.swappiness"].want == "1"
    assert "sysctl.vm.swappiness" not in {each.id for each in settings(DAILY)}


def test_the_layout_of_a_firm_is_taken_and_one_given_now_goes_before_it() -> None:
    firm = own(layout={"trading": "3"})
    assert profile_for(box(), HFT, own=firm).layout.trading == (3,)
    assert profile_for(box(), HFT, own=firm, wish=Wish(trading="2")).layout.trading == (2,)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"trading_nics": ["eth9"]}, "trading_nics.0: box1 has no NIC eth9: it has eth1"),
        ({"trading_nics": ["eth0"]}, "trading_nics.0: eth0 is how box1 is reached: never tuned"),
        ({"time": "ptp"}, "time: ptp takes a trading NIC with a clock of its own, box1 has none"),
    ],
)
def test_what_does_not_fit_the_server_is_refused(said: dict[str, Any], fault: str) -> None:
    with pytest.raises(Unfit) as error:
        profile_for(box(), HFT, own=own(**said))
    assert str(error.value) == fault


def test_ptp_keeps_the_clock_where_it_is_chosen_and_chrony_does_not() -> None:
    three = (nic("eth1"), nic("eth2", hardware_clock=True), nic("eth3", hardware_clock=True))
    found = by_id(profile_for(box(nics=three), HFT, own=own(time="ptp")))
    for name in ("ptp4l", "phc2sys"):
        unit = found[f"unit.{name}.service"]
        assert (unit.at, unit.lacks) == (f"{name}@eth2.service", "")
    assert found["unit.chrony.service.ptp"].want == "off"
    assert found["unit.chrony.service"].lacks == "the profile says `time: ptp`"


def test_what_has_to_be_read_is_what_applies_and_what_waits_for_a_reboot() -> None:
    found = [(ask.means, ask.at) for ask in asks(box(virtual="kvm"), HFT)]
    assert len(found) == len(set(found))
    assert (Means.SYSCTL, "vm.swappiness") in found
    assert (Means.CMDLINE, "isolcpus") in found
    assert (Means.CMDLINE, "tsc") not in found
    assert found[-1] == (Means.FILE, CMDLINE_FILE)
    assert (Means.FILE, CMDLINE_FILE) not in [(a.means, a.at) for a in asks(box(), DAILY)]


def test_the_options_of_the_kernel_to_be_read_are_named() -> None:
    assert "CONFIG_NO_HZ_FULL" in options()
    assert list(options()) == sorted(set(options()))
