"""What keeps settings of NICs and disks at boot: a program that stands by itself."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from ansible.module_utils.opsctl_box import devices

SOURCE = Path(devices.__file__)

COALESCE = """\
Coalesce parameters for eth1:
Adaptive RX: on  TX: off
stats-block-usecs:\tn/a

rx-usecs:\t3
rx-frames:\tn/a
tx-usecs:\t3
"""
RINGS = """\
Ring parameters for eth1:
Pre-set maximums:
RX:\t\t4096
RX Mini:\tn/a
TX:\t\t4096
Current hardware settings:
RX:\t\t256
RX Mini:\tn/a
TX:\t\t512
"""
FEATURES = """\
Features for eth1:
rx-checksumming: on [fixed]
tcp-segmentation-offload: off
\ttx-tcp-segmentation: off
generic-receive-offload: on
"""
PAUSE = """\
Pause parameters for eth1:
Autonegotiate:\ton
RX:\t\toff
TX:\t\toff
"""


def test_it_imports_nothing_that_a_server_has_not() -> None:
    tree = ast.parse(SOURCE.read_text())
    names = [
        name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])
        + [one.name for one in node.names if isinstance(node, ast.Import)]
    ]
    assert names
    assert set(names) <= set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("group", "text", "key", "value"),
    [
        ("coalesce", COALESCE, "adaptive-rx", "on"),
        ("coalesce", COALESCE, "adaptive-tx", "off"),
        ("coalesce", COALESCE, "rx-usecs", "3"),
        ("ring", RINGS, "rx", "256"),
        ("ring", RINGS, "tx", "512"),
        ("feature", FEATURES, "gro", "on"),
        ("feature", FEATURES, "tso", "off"),
        ("feature", FEATURES, "tx-tcp-segmentation", "off"),
        ("pause", PAUSE, "autoneg", "on"),
        ("pause", PAUSE, "rx", "off"),
    ],
)
def test_it_reads_ethtool(group: str, text: str, key: str, value: str) -> None:
    assert devices.ethtool_parsed(group, text)[key] == value


@pytest.mark.parametrize(
    ("path", "one", "other", "alike"),
    [
        ("/sys/class/net/eth1/queues/rx-0/rps_cpus", "00000000,00000003", "3", True),
        ("/sys/class/net/eth1/queues/rx-0/rps_cpus", "10", "16", False),
        ("/proc/irq/9/smp_affinity_list", "0-2", "0,1,2", True),
        ("/sys/block/vda/queue/scheduler", "none", "none", True),
        ("/proc/irq/default_smp_affinity", "f", "nonsense", False),
    ],
)
def test_cpus_are_the_same_however_written(path: str, one: str, other: str, alike: bool) -> None:
    assert devices.same(path, one, other) is alike


def test_interrupts_are_those_of_the_device_on_the_bus(tmp_path: Path) -> None:
    bus = tmp_path / "sys/devices/pci0000:00/0000:00:05.0"
    (bus / "virtio2/net/eth1").mkdir(parents=True)
    (bus / "msi_irqs").mkdir()
    for number in ("31", "9", "30"):
        (bus / "msi_irqs" / number).write_text("msix\n")
    for number in ("30", "9"):  # the third was given up
        (tmp_path / "proc/irq" / number).mkdir(parents=True)
        (tmp_path / "proc/irq" / number / "smp_affinity_list").write_text("0-3\n")
    (bus / "virtio2/net/eth1/device").symlink_to(bus / "virtio2")
    (tmp_path / "sys/class/net").mkdir(parents=True)
    (tmp_path / "sys/class/net/eth1").symlink_to(bus / "virtio2/net/eth1")

    root = str(tmp_path)
    assert devices.interrupts("eth1", root) == ["9", "30"]
    assert devices.irq_write("eth1", {"9": "0"}, root) == []
    assert devices.irq_read("eth1", root) == {"9": "0", "30": "0-3"}
    assert devices.interrupts("eth9", root) == []
