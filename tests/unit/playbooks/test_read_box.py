"""The reader of servers: what it makes of the words of real kernels and programs."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.module_utils.opsctl_read import (
    answers,
    clock,
    cpus,
    ethtool,
    kernel,
    machine,
    netlink,
    people,
    reading,
    software,
)
from ansible.module_utils.opsctl_read.answers import ABSENT, Answer

from opsctl.model.profile.box import Box, Reading
from opsctl.model.profile.setting import Means

SYSTEMCTL = """\
Names=ssh.service sshd.service
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled

Names=irqbalance.service
LoadState=masked
ActiveState=inactive
SubState=dead
UnitFileState=masked

Names=tuned.service
LoadState=not-found
ActiveState=inactive
SubState=dead
UnitFileState=

Names=fstrim.timer
LoadState=loaded
ActiveState=inactive
SubState=dead
UnitFileState=enabled

Names=cron.service
LoadState=masked
ActiveState=active
SubState=running
UnitFileState=masked

Names=chrony.service chronyd.service
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled
"""

LIMITS = """\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            1024                 1048576              files     
Max locked memory         67108864             67108864             bytes     
Max nice priority         40                   40                   
Max realtime priority     99                   99                   
"""  # noqa: W291 - as the kernel writes it

PMC = """\
sending: GET CURRENT_DATA_SET
\t90e2ba.fffe.20c7f8-0 seq 0 RESPONSE MANAGEMENT CURRENT_DATA_SET
\t\tstepsRemoved     1
\t\toffsetFromMaster -142.0
\t\tmeanPathDelay    9310.0
\t90e2ba.fffe.20c7f8-1 seq 1 RESPONSE MANAGEMENT PORT_DATA_SET
\t\tportIdentity            90e2ba.fffe.20c7f8-1
\t\tportState               SLAVE
"""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ro isolcpus=managed_irq,domain,1 quiet", {"isolcpus": "managed_irq,domain,1", "ro": ""}),
        ("console=tty0 console=ttyS0,115200", {"console": "ttyS0,115200"}),
        ('a="file x +p; y" b=2', {"a": "file x +p; y", "b": "2"}),
        ("root=UUID=0-1", {"root": "UUID=0-1"}),
    ],
)
def test_words_of_a_command_line(line: str, found: dict[str, str]) -> None:
    assert kernel.words_of(line).items() >= found.items()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("always madvise [never]\n", "never"),
        ("[mq-deadline] none\n", "mq-deadline"),
        ("[none]\n", "none"),
        ("4096\n", "4096"),
        ("0\t1\n", "0\t1"),
        ("[a] [b]", "[a] [b]"),
        ("", ""),
    ],
)
def test_of_a_choice_the_chosen_word(text: str, value: str) -> None:
    assert kernel.chosen(text) == value


def test_an_empty_list_of_cpus_is_empty_however_the_kernel_prints_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kernel, "text", lambda path: "  (null)\n")
    at = "/sys/devices/system/cpu/nohz_full"
    assert kernel.sysfs([at]) == {at: Answer("")}


def test_a_key_with_a_dot_in_a_name_is_found_and_tabs_are_spaces(tmp_path: Path) -> None:
    key = tmp_path / "net" / "ipv4" / "conf" / "eth0.100" / "rp_filter"
    key.parent.mkdir(parents=True)
    key.write_text("4096\t131072\t33554432\n")
    at = "net.ipv4.conf.eth0/100.rp_filter"
    assert kernel.sysctl([at], str(tmp_path)) == {at: Answer("4096 131072 33554432")}
    missing = kernel.sysctl(["net.busy_poll"], str(tmp_path))["net.busy_poll"]
    assert missing == Answer(None, "this kernel has no net.busy_poll")


@pytest.mark.parametrize("at", ["/etc/shadow", "/sys/../etc/shadow", "sys/kernel/mm"])
def test_nothing_outside_the_kernel_s_own_trees_is_read_as_such(at: str) -> None:
    assert kernel.sysfs([at])[at] == Answer(None, "it is not a path under /sys or /proc")


def test_a_file_is_read_whole_and_one_that_is_not_there_is_absent(tmp_path: Path) -> None:
    here, gone, pipe = tmp_path / "here", tmp_path / "gone", tmp_path / "pipe"
    here.write_text("a\nb\n")
    os.mkfifo(pipe)
    found = kernel.files([str(here), str(gone), str(pipe)])
    assert found[str(here)] == Answer("a\nb\n")
    assert found[str(gone)] == Answer(ABSENT)
    assert found[str(pipe)].value is None  # and nobody waited for a writer


def test_states_of_units_by_each_of_their_names() -> None:
    found = {name: answer.value for name, answer in software.states(SYSTEMCTL).items()}
    assert found == {
        "ssh.service": "on",
        "sshd.service": "on",
        "irqbalance.service": "off",
        "tuned.service": None,
        "fstrim.timer": "enabled, not running",
        "cron.service": "masked, but running",
        "chrony.service": "enabled, failed",
        "chronyd.service": "enabled, failed",
    }


def test_keywords_of_sshd_with_all_values_of_a_repeated_one() -> None:
    told = "port 22\nPermitRootLogin without-password\nacceptenv LANG\nacceptenv LC_*\n"
    assert software.keywords(told) == {
        "port": "22",
        "permitrootlogin": "without-password",
        "acceptenv": "LANG LC_*",
    }


@pytest.mark.parametrize(
    ("item", "limit"),
    [
        ("memlock", ("65536", "65536")),
        ("nofile", ("1024", "1048576")),
        ("nice", ("-20", "-20")),
        ("rtprio", ("99", "99")),
        ("cpu", ("unlimited", "unlimited")),
    ],
)
def test_limits_of_a_process_in_the_units_of_limits_conf(item: str, limit: people.Limit) -> None:
    assert people.process_limit(LIMITS, item) == limit


def test_limits_of_pam_the_group_before_everybody_and_the_later_line_before() -> None:
    lines = [
        ("a", "@trading - memlock unlimited  # all of it"),
        ("a", "* hard memlock 64"),
        ("a", "# @trading - memlock 1"),
        ("b", "@trading soft nofile 100"),
        ("c", "@trading - nofile 200"),
        ("c", "@others - nofile 7"),
        ("c", "@trading - nice -20"),
        ("c", "* soft core 0"),
    ]
    assert people.configured_limit(lines, "trading", "memlock") == (("unlimited", "unlimited"), "a")
    assert people.configured_limit(lines, "trading", "nofile") == (("200", "200"), "c")
    assert people.configured_limit(lines, "trading", "nice") == (("-20", "-20"), "c")
    assert people.configured_limit(lines, "trading", "core") == (("0", "default"), "c")
    assert people.configured_limit(lines, "trading", "rtprio") is None
    assert people.shown(("1", "2")) == "soft 1 hard 2"


def test_chrony_s_offset_has_the_bound_that_it_is_sure_of() -> None:
    line = (
        "A29FC87B,162.159.200.123,4,1732914000.123456789,-0.000012345,0.000001,0.00002,"
        "-12.3,0.001,0.1,0.010000000,0.000500000,64.2,Normal\n"
    )
    offset, source = clock.tracking(line)
    assert offset == Answer("12.345", "chrony is sure of no more than 5512.3 us")
    assert source == Answer("chrony", "162.159.200.123, stratum 4")


def test_a_clock_that_follows_nothing_has_no_offset() -> None:
    line = "00000000,,0,0.000000000,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n"
    offset, source = clock.tracking(line)
    assert offset == source == Answer(None, "chrony follows no source yet")
    assert clock.tracking("something else")[0].value is None


def test_ptp_s_offset_counts_only_where_a_port_follows_a_grandmaster() -> None:
    assert clock.offset_of(PMC) == (Answer("0.142"), Answer("ptp"))
    assert clock.offset_of(PMC.replace("SLAVE", "LISTENING")) is None
    assert clock.offset_of("") is None


def _number(kind: int, value: int) -> bytes:
    return bytes(netlink.attribute(kind, struct.pack("=I", value)))


def test_rings_and_channels_tell_the_most_that_the_nic_takes() -> None:
    told = dict(netlink.attributes(_number(2, 4096) + _number(5, 512) + _number(6, 256)))
    found = ethtool.numbers(told, ("rx", "rx-mini", "rx-jumbo", "tx"), 6)
    assert found == {"rx": Answer("256", "the NIC takes at most 4096")}


def test_of_coalescing_only_what_the_driver_has() -> None:
    told = dict(netlink.attributes(_number(2, 3) + netlink.attribute(11, b"\1")))
    assert ethtool.coalesce(told) == {"rx-usecs": Answer("3"), "adaptive-rx": Answer("on")}
    assert ethtool.pause(dict(netlink.attributes(netlink.attribute(3, b"\0")))) == {
        "rx": Answer("off")
    }


def _bits(names: dict[str, bool], *, alone: bool) -> bytes:
    each = b"".join(
        netlink.attribute(
            1, netlink.attribute(2, name.encode() + b"\0") + netlink.attribute(3, b"") * value
        )
        for name, value in names.items()
    )
    return bytes(netlink.attribute(1, b"") * alone + netlink.attribute(3, each))


def test_a_feature_is_on_where_one_of_its_parts_is_and_fixed_where_none_can_change() -> None:
    can = _bits(
        {"rx-gro": True, "tx-tcp-segmentation": True, "tx-tcp6-segmentation": True}, alone=False
    )
    told = {
        2: can,
        4: _bits({"rx-gro": True, "tx-tcp6-segmentation": True, "rx-lro": True}, alone=True),
    }
    known = ethtool.features(told)
    assert ethtool.feature(known, "gro") == Answer("on")
    assert ethtool.feature(known, "tso") == Answer("on")
    assert ethtool.feature(known, "tx-tcp-segmentation") == Answer("off")
    assert ethtool.feature(known, "lro") == Answer("on", "fixed by the driver")
    assert ethtool.feature(known, "ntuple") == Answer("off", "fixed by the driver")


def test_lists_of_cpus() -> None:
    assert cpus.of_list("0-1,4") == {0, 1, 4}
    assert cpus.as_list({4, 1, 0}) == "0-1,4"
    assert cpus.as_list(()) == ""


def test_facts_of_recorded_files() -> None:
    release = machine.os_release('ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\n')
    assert (release["ID"], release["VERSION_ID"]) == ("debian", "12")
    config = "CONFIG_NO_HZ_FULL=y\n# CONFIG_PREEMPT_RT is not set\nCONFIG_HZ=250\nCONFIG_X=m\n"
    assert machine.built_with(config, ["CONFIG_NO_HZ_FULL", "CONFIG_PREEMPT_RT", "CONFIG_HZ"]) == {
        "CONFIG_NO_HZ_FULL": "y",
        "CONFIG_HZ": "250",
    }
    assert machine.memory_bytes("MemTotal:        1498012 kB\n") == 1_498_012 * 1024
    assert machine.vendor("processor\t: 0\nvendor_id\t: GenuineIntel\n") == "GenuineIntel"


def test_each_means_has_a_reader_and_this_machine_is_read_by_all_of_them() -> None:
    assert set(reading.READERS) == {means.value for means in Means}
    asks = [
        *(("sysctl", at) for at in ("vm.swappiness", "no.such.key")),
        *(("ethtool", at) for at in ("lo ring rx", "lo feature gro", "nosuch0 ring rx", "lo odd")),
        *((means, "odd at") for means in reading.READERS),
        ("no such means", "x"),
    ]
    found = [Reading.model_validate(each) for each in _known_means(reading.of(asks))]
    by_at = {(each.means, each.at): each for each in found}
    swappiness = by_at[Means.SYSCTL, "vm.swappiness"].value
    assert swappiness == Path("/proc/sys/vm/swappiness").read_text().strip()
    assert by_at[Means.ETHTOOL, "lo feature gro"].value in ("on", "off")
    assert by_at[Means.ETHTOOL, "lo ring rx"].reason == "the driver of lo has no ring"
    assert by_at[Means.ETHTOOL, "nosuch0 ring rx"].reason == "there is no NIC nosuch0"
    for each in found:
        assert each.value is not None or each.reason, each


def _known_means(readings: list[dict[str, str]]) -> list[dict[str, str]]:
    *known, odd = readings
    assert odd["value"] is None
    assert odd["reason"].startswith("means are ")
    return known


def test_this_machine_is_a_box_of_the_model() -> None:
    box = Box.model_validate(reading.facts(["CONFIG_NO_HZ_FULL"]))
    assert len(box.cpus) == len(os.sched_getaffinity(0))
    assert box.kernel == os.uname().release
    assert box.memory_bytes > 0


def test_one_that_fails_spoils_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(ats: list[str]) -> answers.Answers:
        if "bad" in ats:
            raise ValueError("what is that")
        return {at: Answer("fine") for at in ats}

    monkeypatch.setitem(reading.READERS, "sysctl", breaks)
    found = reading.of([("sysctl", "good"), ("sysctl", "bad"), ("sysctl", "other")])
    assert [each["value"] for each in found] == ["fine", None, "fine"]
    assert found[1]["reason"] == "ValueError: what is that"


def test_a_program_that_is_missing_or_hangs_is_a_reason() -> None:
    with pytest.raises(answers.Unreadable, match="no-such-program is not installed"):
        answers.run("no-such-program")
    with pytest.raises(answers.Unreadable, match="sleep did not answer in 0 s"):
        answers.run("sleep", "60", limit_s=0.1)


def test_the_address_that_a_session_came_to_is_told_by_its_ancestors() -> None:

    code = (
        "import sys, os; sys.path.insert(0, sys.argv[1]); import ansible.module_utils as m;"
        "m.__path__.append(sys.argv[2]);"
        "from ansible.module_utils.opsctl_read import devices; print(devices.asked_by(os.getpid()))"
    )
    ours = str(Path(__file__).parents[3] / "playbooks" / "module_utils")
    session = {**os.environ, "SSH_CONNECTION": "192.0.2.9 50000 192.0.2.1 22"}
    # As under sudo: the variable is the session's, and not handed to what runs in it.
    argv = ["sh", "-c", '"$@"; exit $?', "sh", "env", "-u", "SSH_CONNECTION", sys.executable]
    argv += ["-c", code, "", ours]
    done = subprocess.run(argv, env=session, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "192.0.2.1"
