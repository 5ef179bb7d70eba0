"""What an audit finds: what is wanted against what was read."""

from __future__ import annotations

import pytest

from opsctl.model.profile.box import Reading
from opsctl.model.profile.judge import Change, drift, judge, verdict
from opsctl.model.profile.profile import Finding, Layout, Profile, Verdict, Wanted
from opsctl.model.profile.resolve import CMDLINE_FILE, asks, profile_for
from opsctl.model.profile.setting import Compare, Means, Topic
from opsctl.model.tiers import LatencyTier
from tests.support.boxes import box

HOLDS, DRIFTED, REBOOT = Verdict.HOLDS, Verdict.DRIFTED, Verdict.REBOOT
UNREADABLE, NOT_APPLICABLE = Verdict.UNREADABLE, Verdict.NOT_APPLICABLE


def wanted(means: Means, at: str, want: str, compare: Compare = Compare.EQUAL) -> Wanted:
    return Wanted(
        id=f"{means}.{at}",
        topic=Topic.KERNEL,
        means=means,
        at=at,
        want=want,
        compare=compare,
        boot=means is Means.CMDLINE,
    )


def of(*settings: Wanted) -> Profile:
    layout = Layout(housekeeping=(0,), interrupts=(0,), trading=(1,))
    return Profile(name="x", tier=LatencyTier.HFT, layout=layout, settings=settings)


def read(means: Means, at: str, value: str | None, reason: str = "") -> Reading:
    return Reading(means=means, at=at, value=value, reason=reason)


def written(text: str | None) -> Reading:
    return read(Means.FILE, CMDLINE_FILE, text)


@pytest.mark.parametrize(
    ("means", "at", "compare", "want", "got", "verdict"),
    [
        (Means.SYSCTL, "vm.swappiness", Compare.EQUAL, "0", "0", HOLDS),
        (Means.SYSCTL, "vm.swappiness", Compare.EQUAL, "0", "60", DRIFTED),
        (Means.SYSCTL, "tcp_rmem", Compare.EQUAL, "4096 87380 1", "4096\t87380\t1\n", HOLDS),
        (Means.SYSCTL, "tcp_rmem", Compare.EQUAL, "4096 87380 1", "4096\t87380\t2", DRIFTED),
        (Means.SYSCTL, "rmem_max", Compare.AT_LEAST, "100", "200", HOLDS),
        (Means.SYSCTL, "rmem_max", Compare.AT_LEAST, "100", "99", DRIFTED),
        (Means.MEASURED, "clock offset_us", Compare.AT_MOST, "100", "-99.5", HOLDS),
        (Means.MEASURED, "clock offset_us", Compare.AT_MOST, "100", "-100.5", DRIFTED),
        (Means.MEASURED, "clock offset_us", Compare.AT_MOST, "100", "far", UNREADABLE),
        (Means.IRQ, "eth1", Compare.WITHIN, "0-1", "1", HOLDS),
        (Means.IRQ, "eth1", Compare.WITHIN, "0-1", "", HOLDS),
        (Means.IRQ, "eth1", Compare.WITHIN, "0-1", "1-2", DRIFTED),
        (Means.IRQ, "eth1", Compare.WITHIN, "0-1", "some", UNREADABLE),
        (Means.SYSFS, "/x/cpumask", Compare.CPUS, "3", "00000000,00000003", HOLDS),
        (Means.SYSFS, "/x/cpumask", Compare.CPUS, "3", "f", DRIFTED),
        (Means.SYSFS, "/x/cpus", Compare.CPUS, "0-1,4", "0,1,4", HOLDS),
        (Means.SYSFS, "/x/cpus", Compare.CPUS, "10", "4", DRIFTED),
        (Means.ETHTOOL, "eth1 feature gro", Compare.EQUAL, "off", "off", HOLDS),
        (Means.ETHTOOL, "eth1 feature gro", Compare.EQUAL, "off", "on", DRIFTED),
        (Means.SSHD, "x11forwarding", Compare.EQUAL, "no", "off", HOLDS),
        (Means.UNIT, "a.service", Compare.EQUAL, "on", "enabled", DRIFTED),
        (Means.FILE, "/etc/x", Compare.EQUAL, "a\nb\n", "a\nb", HOLDS),
        (Means.FILE, "/etc/x", Compare.EQUAL, "a\nb\n", "a\n b\n", DRIFTED),
        (Means.FIREWALL, "inet x", Compare.EQUAL, "a {\n\tb\n}", "a {\n  b\n\n}\n", HOLDS),
        (Means.FIREWALL, "inet x", Compare.EQUAL, "a {\n\tb\n}", "a {\n}\n", DRIFTED),
        (Means.ACCOUNT, "user x", Compare.EQUAL, "a,b", "b a", HOLDS),
    ],
)
def test_what_was_read_is_compared_as_what_it_is(
    means: Means, at: str, compare: Compare, want: str, got: str, verdict: Verdict
) -> None:
    (finding,) = judge(of(wanted(means, at, want, compare)), [read(means, at, got)])
    assert finding.verdict is verdict
    assert (finding.setting, finding.want, finding.got) == (f"{means}.{at}", want, got)


def test_what_could_not_be_read_is_known_by_nobody() -> None:
    profile = of(wanted(Means.SYSCTL, "a", "0"), wanted(Means.SYSCTL, "b", "0"))
    refused, forgotten = judge(profile, [read(Means.SYSCTL, "a", None, "permission denied")])
    assert (refused.verdict, refused.detail) == (UNREADABLE, "permission denied")
    assert (forgotten.verdict, forgotten.detail) == (UNREADABLE, "it was not read")


def test_a_unit_that_is_not_installed_is_known_not_to_run() -> None:
    unit = wanted(Means.UNIT, "chrony.service", "on")
    gone = read(Means.UNIT, unit.at, None, "no unit of this name is installed")
    (finding,) = judge(of(unit), [gone])
    assert (finding.verdict, finding.detail) == (DRIFTED, "no unit of this name is installed")
    silent = gone.model_copy(update={"reason": "systemd does not answer"})
    assert judge(of(unit), [silent])[0].verdict is UNREADABLE


def test_what_is_lacking_is_not_applicable_whatever_was_read() -> None:
    lacking = wanted(Means.SYSCTL, "a", "0").model_copy(update={"lacks": "no such key"})
    (finding,) = judge(of(lacking), [read(Means.SYSCTL, "a", "1")])
    assert (finding.verdict, finding.detail) == (NOT_APPLICABLE, "no such key")


@pytest.mark.parametrize(
    ("now", "file", "verdict"),
    [
        ("2-3", None, HOLDS),
        (None, 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT a nohz_full=2-3"', REBOOT),
        ("1", "GRUB_CMDLINE_LINUX='nohz_full=2-3 b'", REBOOT),
        (None, 'GRUB_CMDLINE_LINUX="nohz_full=1-3"', DRIFTED),
        (None, 'GRUB_DEFAULT="nohz_full=2-3"', DRIFTED),
        (None, '# GRUB_CMDLINE_LINUX="nohz_full=2-3"', DRIFTED),
        (None, None, DRIFTED),
        ("1", None, DRIFTED),
    ],
)
def test_a_word_that_is_written_and_not_there_waits_for_a_reboot(
    now: str | None, file: str | None, verdict: Verdict
) -> None:
    profile = of(wanted(Means.CMDLINE, "nohz_full", "2-3"))
    (finding,) = judge(profile, [read(Means.CMDLINE, "nohz_full", now), written(file)])
    assert finding.verdict is verdict


def test_a_word_without_a_value_is_there_or_is_not() -> None:
    profile = of(wanted(Means.CMDLINE, "nosoftlockup", ""))
    assert judge(profile, [read(Means.CMDLINE, "nosoftlockup", "")])[0].verdict is HOLDS
    assert judge(profile, [read(Means.CMDLINE, "nosoftlockup", None)])[0].verdict is DRIFTED


def test_what_follows_from_the_command_line_waits_as_long_as_a_word_of_it_does() -> None:
    told = wanted(Means.MEASURED, "/sys/devices/system/cpu/nohz_full", "2-3", Compare.CPUS)
    profile = of(wanted(Means.CMDLINE, "nohz_full", "2-3"), told.model_copy(update={"boot": True}))
    file = written('GRUB_CMDLINE_LINUX_DEFAULT="nohz_full=2-3"')
    none = read(Means.MEASURED, told.at, "(null)")
    before = judge(profile, [read(Means.CMDLINE, "nohz_full", None), none, file])
    assert [finding.verdict for finding in before] == [REBOOT, REBOOT]
    # The word is there, and the kernel did not do what it says: no reboot will help.
    after = judge(profile, [read(Means.CMDLINE, "nohz_full", "2-3"), none, file])
    assert [finding.verdict for finding in after] == [HOLDS, DRIFTED]


def test_a_server_is_as_good_as_its_worst_setting() -> None:
    def of_verdicts(*found: Verdict) -> Verdict:
        return verdict(Finding(setting="a", want="", got="", verdict=each) for each in found)

    assert of_verdicts(HOLDS, NOT_APPLICABLE) is HOLDS
    assert of_verdicts(HOLDS, REBOOT) is REBOOT
    assert of_verdicts(REBOOT, UNREADABLE) is UNREADABLE
    assert of_verdicts(UNREADABLE, DRIFTED, REBOOT) is DRIFTED


def test_a_box_that_was_read_as_it_should_be_holds_everything() -> None:
    profile = profile_for(box(), LatencyTier.HFT)
    want = {(w.means, w.at): w.want for w in profile.settings if not w.lacks}
    answers = [read(a.means, a.at, want.get((a.means, a.at))) for a in asks(box(), profile.tier)]
    findings = judge(profile, answers)
    assert {finding.verdict for finding in findings} == {HOLDS, NOT_APPLICABLE}


def test_whatever_is_changed_by_hand_is_found_and_nothing_else() -> None:
    profile = profile_for(box(), LatencyTier.HFT)
    want = {(w.means, w.at): w for w in profile.settings if not w.lacks}
    answers = {place: read(*place, wanted.want) for place, wanted in want.items()}
    for place, wanted in want.items():
        found = judge(profile, {**answers, place: read(*place, "by hand")}.values())
        worse = [f.setting for f in found if f.verdict not in (HOLDS, NOT_APPLICABLE)]
        assert worse == [wanted.id]


def test_what_changed_between_two_audits_is_told() -> None:
    def finding(name: str, got: str, found: Verdict) -> Finding:
        return Finding(setting=name, want="0", got=got, verdict=found)

    before = [
        finding("same", "0", HOLDS),
        finding("drifts", "0", HOLDS),
        finding("goes", "0", HOLDS),
        finding("moves", "1", DRIFTED),
        finding("measured.clock.offset_us", "3", HOLDS),
    ]
    after = [
        finding("same", "0", HOLDS),
        finding("drifts", "5", DRIFTED),
        finding("moves", "2", DRIFTED),
        finding("measured.clock.offset_us", "4", HOLDS),
        finding("comes", "0", HOLDS),
    ]
    assert drift(before, after) == (
        Change(setting="drifts", before=HOLDS, after=DRIFTED, got_before="0", got_after="5"),
        Change(setting="goes", before=HOLDS, after=None, got_before="0"),
        Change(setting="moves", before=DRIFTED, after=DRIFTED, got_before="1", got_after="2"),
        Change(setting="comes", before=None, after=HOLDS, got_after="0"),
    )
    assert drift(before, before) == ()
