"""What the kernel is told of an uplink's state."""

from __future__ import annotations

from opsctl.targets.beneath import Uplink
from opsctl.targets.docker.faults.uplink import rules, table


def test_an_uplink_that_is_whole_or_only_slow_has_no_rules() -> None:
    assert rules(Uplink()) == rules(Uplink(down=True, kbit_per_s=100)) == ()


def test_packets_are_lost_each_way_or_one_way() -> None:
    drop = ("-m", "statistic", "--mode", "random", "--probability", "0.07", "-j", "DROP")
    assert rules(Uplink(loss_percent=7)) == (("OUTPUT", *drop), ("INPUT", *drop))
    assert rules(Uplink(loss_percent=7, loses="to")) == (("OUTPUT", *drop),)
    assert rules(Uplink(loss_percent=7, loses="from")) == (("INPUT", *drop),)


def test_the_reset_that_rejects_is_not_rejected_itself() -> None:
    targets = [(rule[0], rule[rule.index("-j") + 1]) for rule in rules(Uplink(reject=True))]
    assert targets == [
        ("OUTPUT", "RETURN"),
        ("OUTPUT", "REJECT"),
        ("INPUT", "RETURN"),
        ("INPUT", "REJECT"),
    ]


def test_rules_are_made_replaced_and_taken_away() -> None:
    assert table("eth1", (), ()) == ""
    made = table("eth1", rules(Uplink(loss_percent=7, loses="to")), ())
    drop = "-m statistic --mode random --probability 0.07 -j DROP"
    assert made.splitlines() == [
        "*filter",
        ":opsctl-drill-eth1-o - [0:0]",
        f"-A opsctl-drill-eth1-o {drop}",
        "-I OUTPUT -o eth1 -j opsctl-drill-eth1-o",
        "COMMIT",
    ]
    held = (
        "-N opsctl-drill-eth1-o",
        "-A OUTPUT -o eth1 -j opsctl-drill-eth1-o",
        f"-A opsctl-drill-eth1-o {drop}",
    )
    again = table("eth1", rules(Uplink(loss_percent=7, loses="to")), held)
    assert "-I OUTPUT" not in again
    assert table("eth1", (), held).splitlines() == [
        "*filter",
        ":opsctl-drill-eth1-o - [0:0]",
        "-D OUTPUT -o eth1 -j opsctl-drill-eth1-o",
        "-X opsctl-drill-eth1-o",
        "COMMIT",
    ]
    orphaned = table("eth1", (), held[:1])
    assert "-D OUTPUT" not in orphaned
    assert "-X opsctl-drill-eth1-o" in orphaned
