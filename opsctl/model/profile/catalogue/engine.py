"""Docker Engine, and the CPUs that its containers may use.

The engine has no default of CPUs for its containers, so they get a slice of their own that has
one. A container that trades is started with its own `--cgroup-parent` and `--cpuset-cpus`.
"""

from __future__ import annotations

from opsctl.model.profile.catalogue import sources
from opsctl.model.profile.catalogue.making import every, hft, made
from opsctl.model.profile.setting import Means, Topic
from opsctl.model.tiers import LatencyTier

_SLICE = """\
# Written by opsctl.
[Unit]
Description=Containers that do not trade

[Slice]
AllowedCPUs={housekeeping}
"""
_DROP_IN = """\
# Written by opsctl.
[Service]
CPUAffinity={housekeeping}
"""
_PLAIN = """\
{
  "live-restore": true,
  "log-driver": "local"
}
"""
_CONTAINED = """\
{
  "cgroup-parent": "containers.slice",
  "exec-opts": ["native.cgroupdriver=systemd"],
  "live-restore": true,
  "log-driver": "local"
}
"""

SETTINGS = (
    made(
        Topic.ENGINE,
        Means.PACKAGE,
        "docker.io",
        every("installed"),
        "What an environment runs on its own servers, it runs in containers.",
        sources.DOCKER,
    ),
    made(
        Topic.ENGINE,
        Means.FILE,
        "/etc/systemd/system/containers.slice",
        hft(_SLICE),
        "Containers keep to housekeeping CPUs, whatever they ask the scheduler for.",
        sources.SYSTEMD_CGROUP,
        name="containers.slice",
    ),
    made(
        Topic.ENGINE,
        Means.FILE,
        "/etc/systemd/system/docker.service.d/opsctl.conf",
        hft(_DROP_IN),
        "So does the engine itself, with what it starts to set containers up.",
        sources.SYSTEMD_CGROUP,
        name="docker.service",
    ),
    made(
        Topic.ENGINE,
        Means.FILE,
        "/etc/docker/daemon.json",
        {**every(_PLAIN), LatencyTier.HFT: _CONTAINED},
        "Containers outlive a restart of the engine, their logs rotate by themselves, and in hft "
        "they belong to that slice.",
        sources.DOCKER,
        name="daemon.json",
    ),
    made(
        Topic.ENGINE,
        Means.UNIT,
        "docker.service",
        every("on"),
        "It runs, now and after a boot.",
        sources.DOCKER,
    ),
)
