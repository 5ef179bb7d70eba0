"""An environment with infrastructure as a whole: what is refused first, and who is provisioned."""

from __future__ import annotations

import pytest

from opsctl.errors import UsageError
from opsctl.infra import whole
from opsctl.infra.hosts import Host, placed
from opsctl.model.books import BooksAt
from opsctl.model.environment import Environment
from opsctl.model.onprem import OnpremSettings
from opsctl.model.tiers import DrTier

KEY = f"ssh-ed25519 {'A' * 68}"
SITES = ("a", "b", "witness")
HOSTS = tuple(
    Host.model_validate(
        {
            "name": name,
            "site": name[-1],
            "role": "trading",
            "address": address,
            "user": "admin",
            "instance": f"i-{name}",
        }
    )
    for name, address in (("trading-a", "10.64.0.10"), ("trading-b", "10.64.4.10"))
)


def environment(dr: DrTier = DrTier.COLD, **aws: object) -> Environment:
    return Environment.model_validate(
        {
            "name": "books",
            "tier": "daily",
            "dr": dr,
            "target": "docker",
            "infrastructure": "aws",
            "aws": {"account": "123456789012", "owner": "x", "region": "eu-central-1", **aws},
        }
    )


def rack(address: str) -> Environment:
    servers = {
        "ny4-1": {"rack": "ny4", "address": address},
        "ld4-1": {"rack": "ld4", "address": "10.2.0.11"},
        "office-1": {"rack": "office", "address": "10.3.0.11"},
    }
    racks = {
        name: {"site": site} for name, site in zip(("ny4", "ld4", "office"), SITES, strict=True)
    }
    return environment(DrTier.HOT).model_copy(
        update={
            "infrastructure": "onprem",
            "onprem": OnpremSettings.model_validate(
                {"owner": "x", "racks": racks, "servers": servers}
            ),
        }
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (environment(ssh_keys=[KEY], database={"kind": "rds"}), "has a managed database"),
        (environment(), "nobody could log in to the hosts of books"),
        (environment(ssh_keys=[KEY], profile="ours"), "there is no profile ours"),
        (rack("ny4-1.example.com"), "ny4-1 is named ny4-1.example.com, and other servers"),
    ],
)
def test_what_cannot_run_on_hosts_is_refused_before_there_are_any(
    given: Environment, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        whole.refuse(given)
    assert message in caught.value.message
    if "profile" not in message:
        assert "opsctl deploy books --only infrastructure" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "asked",
    [
        whole.Asked(accept_host_keys=True),
        whole.Asked(provision=False),
        whole.Asked(reboot=True),
    ],
)
def test_what_is_of_hosts_in_a_cloud_is_refused_of_a_rack(asked: whole.Asked) -> None:
    with pytest.raises(UsageError, match="are of hosts in a cloud"):
        whole.refuse_of_cloud(rack("10.1.0.11"), asked)
    whole.refuse_of_cloud(rack("10.1.0.11"), whole.Asked())
    whole.refuse_of_cloud(environment(), asked)


def test_a_managed_database_is_used_where_the_file_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/no-engine.sock")
    pem = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n"
    at = BooksAt.model_validate({"host": "books.eu-central-1.rds.amazonaws.com", "ca": pem})
    declared = environment(ssh_keys=[KEY], database={"kind": "rds"})
    with pytest.raises(UsageError, match="the images of books are not here"):  # which comes after
        whole.refuse(declared.model_copy(update={"books": {"a": at}}))


def test_without_images_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/no-engine.sock")
    with pytest.raises(UsageError) as caught:
        whole.refuse(environment(ssh_keys=[KEY]))
    assert "the images of books are not here" in caught.value.message
    assert "opsctl images build" in (caught.value.hint or "")


def test_new_hosts_are_provisioned_together_and_others_by_your_word_one_by_one() -> None:
    keys = {"trading-a": KEY, "trading-b": KEY}
    here = placed(environment(DrTier.HOT), HOSTS, keys)
    new = (("trading-a", "trading-b"), False)
    assert whole.rounds(HOSTS, here, None, reboot=False) == (new,)
    assert whole.rounds(HOSTS, here, None, reboot=True) == (new,)
    a, b = (("trading-a",), True), (("trading-b",), True)
    assert whole.rounds(HOSTS, here, here, reboot=False) == ()
    assert whole.rounds(HOSTS, here, here, reboot=True) == (a, b)
    # What took its place is another machine.
    another = placed(environment(DrTier.HOT), HOSTS, keys | {"trading-b": f"{KEY}A"})
    (left,) = whole.rounds(HOSTS, another, here, reboot=False)
    assert left == (("trading-b",), False)
