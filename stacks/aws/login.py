"""Who logs in to hosts, and what a host does when it is started first. Pure.

A host comes up with its volume under its Docker Engine and lets in who deploys on it; all
else is said by its profile, which is applied over that log-in.
"""

from __future__ import annotations

import json
import shlex
from typing import Literal

from opsctl.model.aws import AwsSettings
from opsctl.model.value import Value

SSH_PORT = 22
FIRST = "/usr/local/sbin/opsctl-first-start"
AGENT = (
    "https://s3.{region}.amazonaws.com/amazon-ssm-{region}/latest/debian_amd64/amazon-ssm-agent.deb"
)
"""Where AWS has the agent of Session Manager, in each region: Debian's images lack it."""

VOLUME = """\
# The volume that holds data is the one that this host did not boot from.
volume() {
  for disk in $BY_ID/nvme-Amazon_Elastic_Block_Store_vol*; do
    case $disk in *-part*) continue ;; esac
    if [ -b "$disk" ] && [ ! -e "$disk-part1" ]; then echo "$disk"; return 0; fi
  done
  return 1
}
tries=0
until disk=$(volume); do  # it is attached once this host runs
  tries=$((tries + 1))
  if [ "$tries" -gt 300 ]; then echo 'the volume of the data is not attached' >&2; exit 1; fi
  sleep 2
done
found=0; blkid -p "$disk" || found=$?
case $found in
  0) ;;  # a host that took another's place: the data stays
  2) mkfs.ext4 -q "$disk" ;;
  *) echo "$disk cannot be read" >&2; exit 1 ;;
esac
id=$(blkid -p -o value -s UUID "$disk")
"""
"""Finds `disk`, makes it a file system where it has none, and says its `id`."""

ENGINE = """\
systemctl stop docker.socket docker.service 2>/dev/null || :
mkdir -p /var/lib/docker
if ! grep -q "^UUID=$id " /etc/fstab; then
  # Without its volume the engine does not start: data would go where nothing keeps it.
  options=defaults,nofail,x-systemd.required-by=docker.service,x-systemd.before=docker.service
  echo "UUID=$id /var/lib/docker ext4 $options 0 2" >>/etc/fstab
fi
systemctl daemon-reload
mountpoint -q /var/lib/docker || mount /var/lib/docker
export DEBIAN_FRONTEND=noninteractive
if ! command -v dockerd >/dev/null; then
  wait='DPkg::Lock::Timeout=600'  # for what else installs in a first minute
  apt-get -qq -o "$wait" update
  apt-get -qq -o "$wait" install --yes docker.io
fi
systemctl start docker.service
"""


class Login(Value):
    """Who logs in to the hosts of an environment, and how they come there."""

    user: str
    keys: tuple[str, ...] = ()
    """Public keys, as `authorized_keys` has them."""
    by: Literal["address", "session-manager"]

    def first(self, region: str) -> str:
        """Return what cloud-init is told: the keys, and what to do when a host starts first."""
        words = ["#!/bin/sh", "# What this host does when it is started first.", "set -eux"]
        if self.by == "session-manager":  # before all else: it is how somebody comes to look
            words.append(f"systemctl cat amazon-ssm-agent.service || {_agent(region)}")
        words.append(f"BY_ID=/dev/disk/by-id\n{VOLUME}{ENGINE}")
        words.append(f"usermod --append --groups docker {shlex.quote(self.user)}")
        config = {
            "ssh_authorized_keys": list(self.keys),
            "write_files": [
                {"path": FIRST, "permissions": "0755", "content": "\n".join(words) + "\n"}
            ],
            "runcmd": [[FIRST]],
        }
        return f"#cloud-config\n{json.dumps(config, indent=1)}\n"


def login(settings: AwsSettings) -> Login:
    """Return who logs in, by what an environment says."""
    by: Literal["address", "session-manager"] = (
        "address" if settings.operators else "session-manager"
    )
    return Login(user=settings.user, keys=settings.ssh_keys, by=by)


def _agent(region: str) -> str:
    fetch = "import sys, urllib.request as r; r.urlretrieve(*sys.argv[1:])"
    package = "/var/cache/amazon-ssm-agent.deb"
    words = ("python3", "-c", fetch, AGENT.format(region=region), package)
    return f"{{ {shlex.join(words)} && dpkg -i {package}; }}"
