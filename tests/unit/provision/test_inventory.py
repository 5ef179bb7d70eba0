"""Slips in an inventory are found with their line, and what is right is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.errors import UsageError
from opsctl.model.tiers import LatencyTier
from opsctl.provision import inventory
from opsctl.provision.slips import slips

GOOD = """\
all:
  vars:
    ansible_user: ops
  children:
    hft:
      hosts:
        ny4-1: {ansible_host: 10.1.0.11, ansible_ssh_host_key_policy: x}
        ny4-2:
          ansible_host: 10.1.0.12
          ansible_port: 2222
          opsctl_host_key: ssh-ed25519 AAAA
    weekly:
      hosts:
        office:
"""


def test_a_good_inventory_has_none() -> None:
    assert slips(GOOD) == ()


@pytest.mark.parametrize(
    ("was", "is_now", "line", "said"),
    [
        ("      hosts:\n        ny4-1", "      host:\n        ny4-1", 6, "did you mean hosts?"),
        ("ansible_host: 10.1.0.12", "ansible_hots: 10.1.0.12", 9, "did you mean ansible_host?"),
        ("ansible_user: ops", "ansible_usr: ops", 3, "did you mean ansible_user?"),
        ("  children:", "  childern:", 4, "did you mean children?"),
        ("        ny4-2:\n", "        ny4-1:\n", 8, "ny4-1 is there twice"),
        ("        office:\n", "        office\n", 14, "a colon after a name"),
        ("all:\n", "all\n", 2, "is no YAML"),
        ("    hft:\n", "    hft: [ny4-1\n", 6, "is no YAML"),
    ],
)
def test_a_slip_is_said_with_its_line(was: str, is_now: str, line: int, said: str) -> None:
    assert was in GOOD
    found = slips(GOOD.replace(was, is_now, 1))
    assert [slip.line for slip in found] == [line], found
    assert said in found[0].problem


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_what_is_no_inventory_at_all_is_said(text: str) -> None:
    assert len(slips(text)) == 1


class TestRead:
    """What Ansible's own reader makes of it."""

    def test_hosts_have_their_tier_address_and_port(self, tmp_path: Path) -> None:
        found = inventory.read(_written(tmp_path, GOOD))
        by_name = {host.name: host for host in found.hosts}
        assert set(by_name) == {"ny4-1", "ny4-2", "office"}
        second = by_name["ny4-2"]
        assert (second.tier, second.user) == (LatencyTier.HFT, "ops")
        assert second.place == "[10.1.0.12]:2222"
        assert second.host_key == "ssh-ed25519 AAAA"
        assert by_name["ny4-1"].place == "10.1.0.11"
        assert by_name["office"].tier is LatencyTier.WEEKLY

    def test_a_file_that_is_not_there_leads_to_an_example(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no inventory") as caught:
            inventory.read(tmp_path / "none.yml")
        assert "example.yml" in caught.value.hint

    def test_every_slip_is_said_at_once(self, tmp_path: Path) -> None:
        text = GOOD.replace("ansible_user", "ansible_usr").replace("  hosts:", "  hsots:")
        with pytest.raises(UsageError, match="has 3 faults") as caught:
            inventory.read(_written(tmp_path, text))
        assert "inventory.yml, line 3: ansible_usr" in caught.value.details[0]

    def test_a_box_of_two_tiers_is_refused(self, tmp_path: Path) -> None:
        text = GOOD.replace("        office:\n", "        ny4-1:\n")
        with pytest.raises(UsageError) as caught:
            inventory.read(_written(tmp_path, text))
        assert "ny4-1 is of several tiers: hft, weekly" in caught.value.details[0]

    def test_what_ansible_refuses_is_said_in_its_words(self, tmp_path: Path) -> None:
        path = tmp_path / "inventory.ini"
        path.write_text("[hft\nny4-1\n")
        with pytest.raises(UsageError, match="no inventory that Ansible can read") as caught:
            inventory.read(path)
        assert any("line" in line or "parse" in line for line in caught.value.details)


class TestChosen:
    """Which boxes are meant."""

    @pytest.fixture
    def found(self, tmp_path: Path) -> inventory.Inventory:
        return inventory.read(_written(tmp_path, GOOD))

    def test_all_by_default_and_those_of_a_tier(self, found: inventory.Inventory) -> None:
        assert len(inventory.chosen(found, (), None)) == 3
        hft = inventory.chosen(found, (), LatencyTier.HFT)
        assert [host.name for host in hft] == ["ny4-1", "ny4-2"]

    def test_an_unknown_name_leads_to_the_nearest(self, found: inventory.Inventory) -> None:
        with pytest.raises(UsageError, match="has no box ny41") as caught:
            inventory.chosen(found, ("ny41",), None)
        assert "did you mean ny4-1?" in caught.value.hint

    def test_a_name_of_another_tier_is_refused(self, found: inventory.Inventory) -> None:
        with pytest.raises(UsageError, match="no box of those named has tier daily"):
            inventory.chosen(found, ("office",), LatencyTier.DAILY)


def _written(folder: Path, text: str) -> Path:
    path = folder / "inventory.yml"
    path.write_text(text)
    return path
