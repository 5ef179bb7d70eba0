"""An environment in the cloud as a whole: from its file to trading on its hosts, and back."""

from __future__ import annotations

import re
import signal

from opsctl.images.ssh import CONFIG
from opsctl.infra.whole import KEPT
from tests.support.aws.firm import Firm
from tests.support.cloud_host import EMPTY, cloud_hosts, holds
from tests.support.clouds import AWS, HOSTS
from tests.support.fleet import FakeBox
from tests.support.process import Process, processes, wait_for

APART = "opsctl.provision.apart"
SYSTEMD = "/run/systemd/system"
REDIRECTS = "/proc/sys/net/ipv4/conf/all/send_redirects"


def ansible_of(state: str) -> list[int]:
    """Return the processes of Ansible that change boxes of a state."""
    return processes("ansible-playbook", "provision.yml", state)


def sends_redirects(box: FakeBox) -> bool:
    """Return whether a box's kernel does what its profile forbids it."""
    return box.run("cat", REDIRECTS).strip() == "1"


def test_from_a_file_to_trading_on_hosts_and_back(firm: Firm) -> None:
    # Killed while it waits for a host that does not answer.
    words = ("deploy", "cloud", "--no-verify", "--output", "json")
    process = firm.start(*words)
    address = str(HOSTS[0].ip)
    wait_for(lambda: f"waiting for {address}" in process.log(), "it to wait", timeout_s=240)
    process.kill()
    (instance,) = firm.instances()
    assert instance["PrivateIpAddress"] == address

    with cloud_hosts(HOSTS[:1], taken=True) as (host,):
        firm.variables[CONFIG] = str(host.config)
        box, state = host.box, str(firm.home / "state")

        # What cannot be given a profile, as a container, is not traded on unless one says so.
        box.run("rmdir", SYSTEMD)
        said = firm.run(*words, "--accept-host-keys", code=1).stderr
        assert "systemd does not run here" in said
        assert "--no-provision" in said
        assert holds(host.engine)["containers"] == []
        box.run("mkdir", SYSTEMD)

        # Provisioning is in a process of its own, which stops with this one, asked to or killed.
        for end in (lambda one: one.stop(signal.SIGINT, 60), Process.kill):
            process = firm.start(*words)
            wait_for(lambda: bool(ansible_of(state)), "Ansible to work", timeout_s=120)
            assert processes(APART)
            end(process)
            wait_for(lambda: not ansible_of(state), "Ansible to end", timeout_s=60)
            assert "trading-a: apply" in process.log()
        assert "stopped by SIGINT" in process.log()

        made = firm.json(*words[:-2])
        assert made["infrastructure"]["changes"] == []
        ((name, outcome),) = [(one["name"], one["profile"]) for one in made["hosts"]]
        assert (name, outcome in KEPT) == ("trading-a", True)  # how far those came, only they know
        assert len(made["provisioned"]) == 1
        assert not sends_redirects(box)
        assert made["services"]["changed"]
        (again,) = firm.instances()
        assert again["InstanceId"] == instance["InstanceId"]
        assert firm.json("status", "cloud")["verdict"] == "healthy"
        assert firm.json("health", "cloud")["verdict"] == "healthy"
        assert any("execution" in name for name in holds(host.engine)["containers"])

        # One setting is another: so is what it is of, and nothing besides.
        firm.write_cloud(aws=AWS, limits={"max_orders_per_s": 400})
        planned = firm.json("plan", "cloud")
        assert planned["changes"] == []
        differing = {one["name"] for one in planned["services"]["changes"]}
        assert 0 < len(differing) < made["services"]["services"]
        made = firm.json(*words[:-2])  # a host that trades is left alone
        assert made["infrastructure"]["changes"] == []
        assert {one["name"] for one in made["services"]["changes"]} == differing

        # The runs name one another.
        runs = firm.json("evidence", "list")["lines"]
        (services,) = (one for one in runs if one["run"] == made["services"]["run"])
        assert services["arguments"]["infrastructure"] == made["infrastructure"]["run"]

        # What holds data goes when it is named, and before that nothing is stopped.
        said = firm.run("destroy", "cloud", "--yes", code=1).stderr
        names = re.findall(r"--replace-data (\S+)", said)
        assert firm.json("status", "cloud")["verdict"] == "healthy"
        named = [word for name in names for word in ("--replace-data", name)]
        gone = firm.json("destroy", "cloud", "--yes", *named)
        assert len(gone["stopped"]) == made["services"]["services"]
        assert holds(host.engine) == EMPTY
    assert (firm.instances(), firm.networks()) == ([], [])
