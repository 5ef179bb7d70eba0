"""A server from rack to trading and back, on a booted machine; each test goes on from the last.

Counted, not timed: under emulation, and beside other tests, times say nothing.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field

import pytest

from opsctl.model.tiers import LatencyTier
from opsctl.provision import latency
from tests.support.guest.operator import TRADING_CPU, Operator

WRITTEN = "/var/lib/opsctl/provision/before.json"
DRIFT = {
    "sysctl.vm.swappiness": "sysctl -qw vm.swappiness=60",
    "sysctl.kernel.numa_balancing": "sysctl -qw kernel.numa_balancing=1",
    "sysctl.net.core.busy_poll": "sysctl -qw net.core.busy_poll=0",
    "sysctl.net.ipv4.tcp_rmem": 'sysctl -qw net.ipv4.tcp_rmem="4096 131072 6291456"',
    "sysfs.transparent_hugepage.enabled": (
        "echo always > /sys/kernel/mm/transparent_hugepage/enabled"
    ),
    "sysfs.workqueue.cpumask": "echo 3 > /sys/devices/virtual/workqueue/cpumask",
    "sysfs.irq.default_smp_affinity": "echo 3 > /proc/irq/default_smp_affinity",
    "sysfs.{virtio}.napi_defer_hard_irqs": "echo 0 > /sys/class/net/{virtio}/napi_defer_hard_irqs",
    "ethtool.{virtio}.feature.gro": "ethtool -K {virtio} gro on",
    "ethtool.{intel}.ring.rx": "ethtool -G {intel} rx 256",
    "ethtool.{intel}.coalesce.rx-usecs": "ethtool -C {intel} rx-usecs 3",
    "irq.{virtio}": (
        "for n in $(cd -P /sys/class/net/{virtio}/device/../msi_irqs; echo *); do "
        "echo 1 > /proc/irq/$n/smp_affinity_list; done"
    ),
    "unit.irqbalance.service": "systemctl -q unmask irqbalance",
    "measured.boot.files": "echo vm.swappiness=60 >> /etc/sysctl.d/99-zz-opsctl-memory.conf",
    "unit.chrony.service": "systemctl stop chrony",
    "limit.trading.memlock": (
        "printf '@trading - memlock 64\\n' > /etc/security/limits.d/99-zz-somebody.conf"
    ),
    "account.user.trading": "gpasswd -a trading adm",
    "file.chrony": "echo port 123 >> /etc/chrony/conf.d/opsctl.conf",
    "sshd.maxauthtries": ("printf 'MaxAuthTries 6\\n' > /etc/ssh/sshd_config.d/00-before.conf"),
    "firewall.inet.opsctl": "nft add rule inet opsctl input tcp dport 23 accept",
}
"""By setting, what somebody does by hand; each of another means, or in another place."""


@dataclass
class Known:
    """What a test tells those after it."""

    fresh: dict[str, str] = field(default_factory=dict)
    """What each setting was before anything was changed."""


@pytest.fixture(scope="module")
def known() -> Known:
    return Known()


def _got(host: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {one["setting"]: one["got"] for one in host["findings"]}


def _amiss(host: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    fine = ("holds", "not_applicable")
    return {
        one[
            "setting"
        ]: f"{one['verdict']}: got {one['got']!r}, want {one['want']!r} {one['detail']}"
        for one in host["findings"]
        if one["verdict"] not in fine
    }


def test_a_fresh_server_is_disturbed_and_audited_as_such(operator: Operator, known: Known) -> None:
    found = operator.run("audit", "host", "--accept-host-keys", code=3)
    known.fresh = _got(found)
    assert len(_amiss(found)) > 60
    for one in found["findings"]:
        assert one["detail"] or one["verdict"] != "not_applicable", one
    figures = latency.judge(operator.measure(), LatencyTier.HFT, "qemu")
    beyond = {one.name for one in figures if one.judgement is latency.Judgement.BEYOND}
    cpu = f"cpu{TRADING_CPU}"
    assert beyond >= {f"{cpu}.ticks", f"{cpu}.switches"}, figures


def test_power_is_lost_while_packages_are_installed_and_the_next_run_heals(
    operator: Operator, known: Known
) -> None:
    server = operator.server
    running = operator.start("provision", "--yes", "--reboot")

    server.ssh("until pgrep -x dpkg; do sleep 0.2; done", timeout_s=600.0)
    assert running.poll() is None, running.communicate()[0]
    server.kill()
    said, _ = running.communicate(timeout=120)
    assert running.returncode == 1, said
    assert "error: guest: " in said, said
    server.start()
    # What was before stays what it was: the second run does not take the first one's for it.
    server.ssh(f"sudo test -s {WRITTEN}")
    found = operator.provision("--reboot")
    assert found["outcome"] == "changed", found
    assert not found["after"]["not_holding"]


def test_everything_that_can_hold_holds_and_nothing_disturbs_a_thread_that_trades(
    operator: Operator, known: Known
) -> None:
    found = operator.audit()
    assert found["verdict"] == "holds"
    assert not _amiss(found)
    figures = latency.judge(operator.measure(), LatencyTier.HFT, "qemu")
    beyond = [one for one in figures if one.judgement is latency.Judgement.BEYOND]
    assert not beyond


def test_a_second_run_changes_nothing(operator: Operator, known: Known) -> None:
    boot = _boot(operator)
    found = operator.provision("--reboot")
    assert found["outcome"] == "unchanged"
    assert (found["changes"], found["tasks"], found["applied"]) == ([], [], [])
    assert _boot(operator) == boot


def test_twenty_settings_that_drift_are_found_and_no_other(
    operator: Operator, known: Known
) -> None:
    nics = operator.server.nics()
    wanted = {setting.format(**nics) for setting in DRIFT}
    assert len(wanted) == 20
    for command in DRIFT.values():
        operator.server.root(
            command.replace("{virtio}", nics["virtio"]).replace("{intel}", nics["intel"])
        )
    found = operator.audit(code=3)
    assert _amiss(found).keys() == wanted, _amiss(found)


def test_provisioning_mends_what_drifted(operator: Operator, known: Known) -> None:
    operator.server.root("rm /etc/security/limits.d/99-zz-somebody.conf")
    operator.server.root("rm /etc/ssh/sshd_config.d/00-before.conf")
    boot = _boot(operator)
    found = operator.provision("--reboot")
    assert found["outcome"] == "changed"
    assert not found["after"]["not_holding"]
    assert _boot(operator) == boot


def test_it_is_rolled_back_to_the_machine_that_it_was(operator: Operator, known: Known) -> None:
    found = operator.provision("--rollback", "--reboot")
    assert found["outcome"] == "rolled_back"
    after = _got(operator.audit(code=3))
    assert {one: after[one] for one in after if after[one] != known.fresh.get(one)} == {}
    with pytest.raises(subprocess.CalledProcessError):
        operator.server.ssh(f"sudo test -e {WRITTEN}")
    left = operator.server.root("find /etc /usr/local -name '*opsctl*'")
    assert left.split() == []


def _boot(operator: Operator) -> str:
    return operator.server.ssh("cat /proc/sys/kernel/random/boot_id").strip()
