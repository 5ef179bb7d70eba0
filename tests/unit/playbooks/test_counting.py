"""What disturbs a thread that spins, as the kernel and rt-tests tell it."""

from __future__ import annotations

import os

import pytest
from ansible.module_utils.opsctl_read import counting
from ansible.module_utils.opsctl_read.answers import Unreadable

from opsctl.provision.latency import Measured

INTERRUPTS = """\
            CPU0       CPU2
   0:        118          0   IO-APIC   2-edge      timer
  26:         15          7   PCI-MSI 524289-edge      virtio0-input.0
 NMI:          0          0   Non-maskable interrupts
 LOC:      10204        151   Local timer interrupts
 RES:         40         11   Rescheduling interrupts
 CAL:        900         20   Function call interrupts
 TLB:          3          1   TLB shootdowns
 ERR:          0
"""

CYCLICTEST = """\
# /dev/cpu_dma_latency set to 0us
T: 0 ( 1204) P:80 I:1000 C:   4998 Min:      2 Act:    3 Avg:    4 Max:      12
T: 1 ( 1205) P:80 I:1500 C:   3332 Min:      1 Act:    5 Avg:    6 Max:      48
"""

HWLAT = """\
hwlatdetect:  test duration 5 seconds
   detector: tracer
   parameters:
        Latency threshold: 10us
        Sample window:     1000000us

Starting test
test finished
Max Latency: {}
Samples recorded: 1
"""


def test_the_table_of_interrupts_by_cpu_which_need_not_be_all() -> None:
    assert counting.interrupts(INTERRUPTS) == {
        0: {"ticks": 10204, "interrupts": 133, "calls": 943},
        2: {"ticks": 151, "interrupts": 7, "calls": 32},
    }


def test_the_worst_of_the_threads_of_cyclictest() -> None:
    assert counting.cyclictest(CYCLICTEST) == {
        "samples": 8330,
        "min_us": 1,
        "avg_us": 6,
        "max_us": 48,
    }
    assert counting.cyclictest("Unable to change scheduling policy!\n") == {}


def test_what_hardware_took() -> None:
    assert counting.hwlatdetect(HWLAT.format("Below threshold")) == 0
    assert counting.hwlatdetect(HWLAT.format("143us")) == 143
    assert counting.hwlatdetect("Error: hwlat tracer not available") is None


def test_a_thread_is_counted_on_a_real_cpu() -> None:
    cpu = min(os.sched_getaffinity(0))
    found = counting.spin([cpu], 0.3)
    measured = Measured.model_validate({"cpus": found})
    counted = measured.cpus[cpu]
    assert 0 < counted.share <= 1.05
    assert counted.ticks > 0  # this machine isolates no CPU
    assert counted.gap_us > 0


def test_a_cpu_that_is_not_there_cannot_be_measured() -> None:
    with pytest.raises((Unreadable, KeyError)):
        counting.spin([4095], 0.1)
