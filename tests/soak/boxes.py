"""Servers of every tier and kernel, and what goes wrong with one: each on a booted guest.

    python -m tests.soak.boxes       (or: --only boot-hangs)

Resumable: a case that passed is a line in docs/evidence/boxes.jsonl and is not run again; the
table stands beside it. Each guest begins from a disk that was booted once, most from one that
bears the hft profile already.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from opsctl.model.tiers import LatencyTier
from opsctl.provision import latency
from tests.bench.__main__ import machine
from tests.soak.recorded import Recorded, made_by
from tests.support.guest import Definition, Guest, guest, lacking
from tests.support.guest.image import Image
from tests.support.guest.operator import Operator
from tests.support.process import wait_for
from tests.support.servers import folder

KEPT = Recorded(Path("docs/evidence/boxes.md"))
WRITTEN = "/var/lib/opsctl/provision/before.json"
RT = Definition(kernel="linux-image-rt-amd64")
POWER_CUTS = range(1, 6)

Told = str
"""What was seen, in a line."""
Disk = Literal["fresh", "hft", "rt"]


class Case(NamedTuple):
    """One thing that is tried."""

    name: str
    says: str
    begins: Disk
    do: Callable[[Operator], Told]


def every_tier(tier: LatencyTier, operator: Operator) -> Told:
    """Provision a tier, twice, and roll it back."""
    operator.profile = tier
    before = values(operator.audit(code=3))
    assert operator.provision("--reboot")["outcome"] == "changed"
    found = operator.audit()
    assert found["verdict"] == "holds"
    again = operator.provision("--reboot")
    assert (again["outcome"], again["tasks"]) == ("unchanged", [])
    assert operator.provision("--rollback", "--reboot")["outcome"] == "rolled_back"
    after = values(operator.audit(code=3))
    assert after == before, {one: (before.get(one), after[one]) for one in after}
    return f"{holding(found)} settings hold, the second run changed nothing, rolled back"


def another_kernel(operator: Operator) -> Told:
    """Provision hft on the kernel with PREEMPT_RT, and count."""
    assert operator.provision("--reboot")["outcome"] == "changed"
    found = operator.audit()
    figures = latency.judge(operator.measure(), LatencyTier.HFT, "qemu")
    beyond = [one for one in figures if one.judgement is latency.Judgement.BEYOND]
    assert not beyond, beyond
    return f"{found['kernel']}: {holding(found)} settings hold, no count beyond its bound"


def another_tier(operator: Operator) -> Told:
    """Make a server of hft one of intraday."""
    operator.profile = LatencyTier.INTRADAY
    assert operator.provision("--reboot")["outcome"] == "changed"
    found = operator.audit()
    words = operator.server.ssh("cat /proc/cmdline").split()
    assert not any(word.startswith(("isolcpus", "nohz_full")) for word in words), words
    return f"{holding(found)} settings of intraday hold; no CPU is isolated any more"


def power_cut(seed: int, operator: Operator) -> Told:
    """Cut the power at some instant of a provisioning, and run it again."""
    after_s = random.Random(seed).uniform(5.0, 150.0)
    running = operator.start("provision", "--yes", "--reboot")
    time.sleep(after_s)
    ended = running.poll() is not None
    operator.server.kill()
    said, _ = running.communicate(timeout=600)
    assert ended or running.returncode == 1, said
    operator.server.start()
    found = operator.provision("--reboot")
    assert not found["after"]["not_holding"], found
    return f"after {after_s:.0f} s of it; the next run: {found['outcome']}, all holds"


def boot_hangs(operator: Operator) -> Told:
    """Give the kernel a command line that it does not come up with."""
    word = "{means: cmdline, topic: kernel, at: init, want: /bin/false, why: a trial}"
    operator.write("hangs", "hft", f"settings:\n  cmdline.init: {word}\n")
    operator.profile = "hangs"
    failure = operator.provision("--reboot", "--reboot-timeout", "240", code=1)["failure"]
    assert failure["stage"] == "reboot", failure
    assert "cut its power" in failure["hint"], failure
    operator.server.kill()
    operator.server.start()
    assert "init=/bin/false" not in operator.server.ssh("cat /proc/cmdline")
    operator.profile = "hft"
    assert not operator.provision("--reboot")["after"]["not_holding"]
    return "reported; a power cycle booted the entry from before; mended by the next run"


def boot_full(operator: Operator) -> Told:
    """Leave no room under /boot."""
    operator.server.root(
        "truncate -s 100M /srv/boot && mkfs.ext4 -q /srv/boot && mount -o loop /srv/boot /mnt "
        "&& cp -a /boot/. /mnt/ && umount /mnt && mount -o loop /srv/boot /boot "
        "&& fallocate -l $(df --output=avail -B1 /boot | tail -1) /boot/filler"
    )
    failure = operator.provision(code=1)["failure"]
    assert "too little room: 0 MiB free in /boot" in failure["message"], failure
    untouched(operator)
    return "refused with the room there is and the room it takes; nothing was changed"


def locked_out(operator: Operator) -> Told:
    """Let the firewall close the port that we come in by."""
    operator.write("locked", "hft", "ssh_port: 2222\n")
    operator.profile = "locked"
    failure = operator.provision(code=1)["failure"]
    assert failure["stage"] == "connect", failure
    operator.server.hang_up()
    wait_for(lambda: reached(operator.server), "the rules to be taken back", 240.0)
    operator.profile = "hft"
    assert not operator.provision("--reboot")["after"]["not_holding"]
    return "not confirmed, so taken back by the server itself; the next run went through"


def no_sudo(operator: Operator) -> Told:
    """Take the right to sudo away."""
    operator.server.root("rm /etc/sudoers.d/ops")
    failure = operator.provision(code=1)["failure"]
    assert "may not sudo" in failure["message"], failure
    return f"{failure['message']}; {failure['hint']}"


def other_distribution(operator: Operator) -> Told:
    """Be another distribution."""
    operator.server.root("sed -i s/^ID=debian/ID=ubuntu/ /etc/os-release")
    failure = operator.provision(code=1)["failure"]
    assert "runs ubuntu 12: Debian 12 is what is supported" in failure["message"], failure
    untouched(operator)
    return str(failure["message"])


def unreachable(operator: Operator) -> Told:
    """Be switched off."""
    operator.server.kill()
    failure = operator.provision(code=1)["failure"]
    assert failure["stage"] == "connect", failure
    return str(failure["message"]).replace(str(operator.server.port), "PORT")


def anothers(operator: Operator) -> Told:
    """Be provisioned for somebody else."""
    inventory = operator.server.inventory
    text = inventory.read_text()
    inventory.write_text(f"{text}          opsctl_owner: equities\n")
    failure = operator.provision(code=1)["failure"]
    assert "not for 'equities'" in failure["message"], failure
    return str(failure["message"])


def refused_by_the_kernel(operator: Operator) -> Told:
    """Want what the kernel does not take."""
    word = "{means: sysctl, topic: memory, at: kernel.ostype, want: other, why: a trial}"
    operator.write("refused", "hft", f"settings:\n  sysctl.kernel.ostype: {word}\n")
    operator.profile = "refused"
    failure = operator.provision(code=1)["failure"]
    assert failure["setting"] == "sysctl.kernel.ostype", failure
    operator.profile = "hft"
    assert operator.audit()["verdict"] == "holds", "it spoiled the other settings"
    return str(failure["message"])


def no_such_nic(operator: Operator) -> Told:
    """Name a NIC that is gone."""
    return _unfit(operator, "trading_nics: [enp9s0]\n", "has no NIC enp9s0")


def no_such_cpu(operator: Operator) -> Told:
    """Name a CPU that does not exist."""
    return _unfit(operator, "layout: {trading: '7'}\n", "7")


def every_cpu(operator: Operator) -> Told:
    """Isolate every CPU."""
    return _unfit(operator, "layout: {trading: 0-1}\n", "housekeeping")


def _unfit(operator: Operator, more: str, said: str) -> Told:
    operator.write("unfit", "hft", more)
    operator.profile = "unfit"
    failure = operator.provision(code=1)["failure"]
    assert failure["stage"] == "profile", failure
    assert said in failure["message"], failure
    return str(failure["message"])


CASES = (
    *(
        Case(f"tier-{tier}", f"{tier}, from rack to trading and back", "fresh", do)
        for tier in LatencyTier
        for do in [partial(every_tier, tier)]
    ),
    Case("kernel-rt", "hft on the kernel with PREEMPT_RT", "rt", another_kernel),
    Case("tier-changes", "a server of hft becomes one of intraday", "hft", another_tier),
    *(
        Case(f"power-cut-{seed}", "power is lost while it is provisioned", "fresh", do)
        for seed in POWER_CUTS
        for do in [partial(power_cut, seed)]
    ),
    Case("boot-hangs", "a command line that does not boot", "hft", boot_hangs),
    Case("boot-full", "no room under /boot", "fresh", boot_full),
    Case("locked-out", "a firewall that closes the port of ssh", "fresh", locked_out),
    Case("no-sudo", "an account that may not sudo", "fresh", no_sudo),
    Case("other-distribution", "another distribution", "fresh", other_distribution),
    Case("unreachable", "a server that is off", "fresh", unreachable),
    Case("anothers", "a server that was provisioned for somebody else", "hft", anothers),
    Case("refused", "a setting that the kernel does not take", "hft", refused_by_the_kernel),
    Case("no-nic", "a profile that names a NIC which is gone", "fresh", no_such_nic),
    Case("no-cpu", "a profile that names a CPU which does not exist", "fresh", no_such_cpu),
    Case("every-cpu", "a profile that isolates every CPU", "fresh", every_cpu),
)


def values(host: Any) -> dict[str, str]:
    """Return what was read of each setting."""
    return {one["setting"]: one["got"] for one in host["findings"]}


def holding(host: Any) -> int:
    """Return how many settings hold."""
    return sum(one["verdict"] == "holds" for one in host["findings"])


def untouched(operator: Operator) -> None:
    """See that nothing was ever changed."""
    operator.server.root(f"test ! -e {WRITTEN}")


def reached(server: Guest) -> bool:
    """Return whether it lets us in anew."""
    try:
        server.ssh("true", timeout_s=20.0)
    except Exception:  # noqa: BLE001 - however it keeps us out
        return False
    return True


@contextmanager
def provisioned_by(server: Guest) -> Iterator[Operator]:
    """Yield somebody who provisions it, and knows nothing of it yet."""
    with folder() as project, folder() as state:
        yield Operator(server, project, state)


class Disks:
    """The disks that guests begin from, each made when it is first asked for."""

    def __init__(self, place: Path) -> None:
        """Keep them in a folder."""
        self._place = place
        self._made: dict[Disk, Image] = {}

    def get(self, disk: Disk) -> Image:
        """Return one: booted once, or provisioned."""
        if disk not in self._made:
            print(f"-- the disk {disk} is made", flush=True)
            begin = self.get("fresh") if disk == "hft" else RT if disk == "rt" else Definition()
            with guest(begin, cpus=2) as server:
                if disk == "hft":
                    with provisioned_by(server) as operator:
                        operator.provision("--reboot")
                server.switch_off()
                self._made[disk] = server.keep(self._place / f"{disk}.qcow2")
        return self._made[disk]


def attempt(case: Case, disks: Disks) -> dict[str, Any]:
    """Try a case once; return what is kept of it."""
    began = time.monotonic()
    with guest(disks.get(case.begins), cpus=2) as server, provisioned_by(server) as operator:
        try:
            seen, verdict = case.do(operator), "passed"
        except AssertionError as error:
            seen, verdict = str(error) or "an assertion failed", "failed"
    took_s = round(time.monotonic() - began)
    return {"case": case.name, "verdict": verdict, "seen": seen, "took_s": took_s}


def page(runs: list[dict[str, Any]]) -> str:
    """Return the evidence page."""
    latest = {run["case"]: run for run in runs}
    lines = [
        "# Servers on booted guests: tiers, kernels, and what goes wrong",
        "",
        "Command: `python -m tests.soak.boxes`.",
        f"Written {datetime.now(UTC):%Y-%m-%d}.",
        f"Machine: {machine()}; guests under QEMU's own translation, two CPUs, Debian 12.",
        made_by(latest.values()),
        "",
        "| case | what | | seen | took |",
        "|---|---|---|---|---|",
    ]
    for case in CASES:
        if run := latest.get(case.name):
            seen = " ".join(str(run["seen"]).split())[:300].replace("|", "/")
            took = f"{run['took_s'] / 60:.1f} min"
            lines.append(f"| {case.name} | {case.says} | {run['verdict']} | {seen} | {took} |")
    if left := [case.name for case in CASES if case.name not in latest]:
        lines += ["", f"Not run yet: {', '.join(left)}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Try what has not passed yet, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("--only", choices=names, action="append", help="these cases alone")
    only = parser.parse_args().only
    if why := lacking():
        sys.exit(why)
    failed = []
    with folder() as place:
        disks = Disks(place)
        for case in CASES:
            done = {run["case"] for run in KEPT.runs() if run["verdict"] == "passed"}
            if case.name in done or (only and case.name not in only):
                continue
            print(f"-- {case.name}: {case.says}", flush=True)
            run = attempt(case, disks)
            print(f"   {run['verdict']} in {run['took_s']} s: {run['seen']}", flush=True)
            KEPT.add(run)
            KEPT.publish(page(KEPT.runs()))
            failed += [case.name] if run["verdict"] == "failed" else []
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
