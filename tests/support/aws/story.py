"""What an environment on AWS goes through, step by step: each asserts what must be true then."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.support.aws.firm import Firm
from tests.support.aws.found import Found
from tests.support.aws.promised import Promise, broken
from tests.support.combinations import Combination

INSTANCE = "aws:ec2/instance:Instance"
LOGS = "aws:cloudwatch/logGroup:LogGroup"
UNDO_DAYS = 7


class Story:
    """One environment of a firm, from its file to nothing left."""

    def __init__(self, firm: Firm, one: Combination) -> None:
        """Write its file; nothing of it exists yet."""
        self.firm, self._one = firm, one
        self._promise = Promise(one)
        if one.ephemeral:
            firm.prepare_ci()
        firm.write_combination(one)
        self._before = self._found().counts()
        self.resources = 0
        """How many it has, once it is made."""

    def made(self) -> dict[str, Any]:
        """It is made, in one go, of what was planned; return what the deploy said."""
        planned = self.firm.json("plan", self._one.name)
        _same({one["action"] for one in planned["changes"]}, {"create"})
        done = self._deployed()
        _same(len(done["changes"]), len(planned["changes"]))
        return done

    def made_in_two(self) -> None:
        """Its making fails half-way, by a quota; the next deploy makes the rest, and only that."""
        firm, faults = self.firm, self.firm.faults
        faults.fail("create", INSTANCE, "quota", times=0)
        said = firm.run("deploy", self._one.name, "--only", "infrastructure", code=1).stderr
        assert "ResourceLimitExceeded" in said, said
        first = {(token, name) for _, token, name in faults.calls("create") if token != INSTANCE}
        assert first, "it failed before anything was made"
        faults.clear()
        done = self._deployed()
        again = Counter((token, name) for _, token, name in faults.calls("create"))
        assert not first & again.keys(), f"made twice: {sorted(first & again.keys())}"
        _same(Counter((one["kind"], one["name"]) for one in done["changes"]), again)
        hosts = {host["name"] for host in done["outputs"]["hosts"]["value"]}
        _same({name for token, name in again if token == INSTANCE}, hosts)

    def as_promised(self) -> None:
        """What AWS has is what its tiers promise."""
        found = broken(self._found(), self._one)
        assert not found, "\n".join(found)

    def unchanged(self) -> None:
        """A second preview finds nothing to do."""
        planned = self.firm.json("plan", self._one.name)
        _same(planned["changes"], [])
        _same(planned["guardrails"]["verdict"], "passed")

    def changed(self) -> None:
        """One setting is another: so is what it is of, and nothing besides."""
        firm, name = self.firm, self._one.name
        firm.write_combination(self._one, log_days=90)
        changes = firm.json("plan", name)["changes"]
        _same({(one["action"], one["kind"]) for one in changes}, {("update", LOGS)})
        _same(len(changes), len(self._promise.sites))
        for one in changes:
            (differs,) = one["properties"]
            _same([differs[key] for key in ("path", "old", "new")], ["retentionInDays", 365, 90])
        firm.write_combination(self._one)

    def drifted(self) -> None:
        """What somebody changes by hand is found, and nothing else; so is that it was undone."""
        firm, name = self.firm, self._one.name
        undo = self._by_hand()
        (found,) = firm.json("stack", "drift", name, code=3)["resources"]
        _same(
            (found["type"], [p["path"] for p in found["properties"]]), (LOGS, ["retentionInDays"])
        )
        undo()
        _same(firm.json("stack", "drift", name)["resources"], [])

    def destroyed(self) -> None:
        """What holds data goes when it is named; then AWS has what it had before."""
        firm, name, named = self.firm, self._one.name, list[str]()
        if not self._one.ephemeral:
            said = firm.run("destroy", name, "--yes", code=1).stderr
            named = re.findall(r"--replace-data (\S+)", said)
            assert named, said
        firm.run("destroy", name, "--yes", *(word for n in named for word in ("--replace-data", n)))
        _same(self._found().counts(), self._before)

    def _deployed(self) -> dict[str, Any]:
        words = ("deploy", self._one.name, "--only", "infrastructure")
        found: dict[str, Any] = self.firm.json(*words)
        self.resources = len(found["changes"]) + found["unchanged"]
        _same(found["guardrails"]["verdict"], "passed")
        _same(bool(found["unmet"]), self._one.unmet)
        return found

    def _found(self) -> Found:
        return Found(self.firm.server, self._promise.regions)

    def _by_hand(self) -> Callable[[], None]:
        """Change how long the flows of the last site are kept; return what undoes it."""
        site = self._promise.sites[-1]
        logs = self.firm.server.client("logs", self._promise.place[site])
        groups = logs.describe_log_groups()["logGroups"]
        (group,) = [g["logGroupName"] for g in groups if f"/{site}/" in g["logGroupName"]]
        logs.put_retention_policy(logGroupName=group, retentionInDays=UNDO_DAYS)
        return lambda: logs.put_retention_policy(logGroupName=group, retentionInDays=365)


def _same(found: object, wanted: object) -> None:
    """Assert that something is as wanted, and say what it is otherwise."""
    assert found == wanted, f"found {found!r}, wanted {wanted!r}"
