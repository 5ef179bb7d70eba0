"""An environment in the cloud as a whole: from its file to trading on its hosts, and back."""

from __future__ import annotations

import re
from pathlib import Path

from opsctl.images.ssh import CONFIG
from tests.e2e.cloud.conftest import AWS, NETWORK
from tests.support.aws.firm import OPSCTL, Firm
from tests.support.cloud_host import cloud_host
from tests.support.process import Process, wait_for


def test_from_a_file_to_trading_on_hosts_and_back(firm: Firm, tmp_path: Path) -> None:
    # Killed while it waits for a host that does not answer.
    words = ("deploy", "cloud", "--no-verify", "--output", "json")
    argv = ["env", "--chdir", str(firm.home), OPSCTL, *words]
    process = Process(argv, tmp_path / "log", env=firm.environment)
    process.start()
    address = str(NETWORK[10])
    wait_for(lambda: f"waiting for {address}" in process.log(), "it to wait", timeout_s=240)
    process.kill()
    (instance,) = firm.instances()
    assert instance["PrivateIpAddress"] == address

    with cloud_host(address) as host:
        firm.variables[CONFIG] = str(host.config)

        # It is a container: what cannot be given a profile is not traded on unless one says so.
        said = firm.run(*words, "--accept-host-keys", code=1).stderr
        assert "systemd does not run here" in said
        assert "--no-provision" in said
        assert host.holds()["containers"] == []

        made = firm.json(*words[:-2], "--no-provision")
        assert made["infrastructure"]["changes"] == []
        assert [(one["name"], one["profile"]) for one in made["hosts"]] == [("trading-a", "")]
        assert made["services"]["changed"]
        (again,) = firm.instances()
        assert again["InstanceId"] == instance["InstanceId"]
        assert firm.json("status", "cloud")["verdict"] == "healthy"
        assert firm.json("health", "cloud")["verdict"] == "healthy"
        assert any("execution" in name for name in host.holds()["containers"])

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
        assert host.holds() == {"containers": [], "volumes": [], "networks": []}
    assert (firm.instances(), firm.networks()) == ([], [])
