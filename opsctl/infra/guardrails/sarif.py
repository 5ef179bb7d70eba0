"""SARIF 2.1.0: findings as code hosts and CI show them beside the file that they come from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

from opsctl.infra.guardrails.catalogue import RULES
from opsctl.infra.guardrails.judging import Finding, Judged
from opsctl.infra.guardrails.rule import Rule, Severity

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVEL = {Severity.REFUSE: "error", Severity.WARN: "warning"}


def sarif(judged: Judged, file: str, line: int = 1, version: str = "") -> dict[str, Any]:
    """Return a SARIF log of one run.

    `file`: the environment file, relative to the repository, that declares what was judged;
    `line`: where in it `trading:aws` is, as code hosts show nothing without a place.
    """
    driver: dict[str, Any] = {
        "name": "opsctl guardrails",
        "rules": [_rule(rule) for rule in RULES],
    }
    if version:
        driver["version"] = version
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": f"opsctl/guardrails/{judged.environment}"},
                "columnKind": "unicodeCodePoints",
                "results": _results(judged.findings, file, line),
            }
        ],
    }


def _rule(rule: Rule) -> dict[str, Any]:
    title, _, address = rule.source.rpartition(": ")
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"{rule.comply} Source: {title}."},
        "helpUri": address,
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
    }


def _results(findings: Sequence[Finding], file: str, line: int) -> list[dict[str, Any]]:
    index = {rule.id: number for number, rule in enumerate(RULES)}
    seen: Counter[str] = Counter()
    results = []
    for one in findings:
        same = f"{one.rule}\n{one.urn or one.resource}"
        # The second of a kind on one resource, such as its second volume, is another result.
        fingerprint = hashlib.sha256(f"{same}\n{seen[same]}".encode()).hexdigest()
        seen[same] += 1
        result = _result(one, file, line)
        # GitHub goes by the second, and else takes all that is of one line for one alert.
        prints = {"opsctl/v1": fingerprint, "primaryLocationLineHash": f"{fingerprint[:16]}:1"}
        result |= {"ruleIndex": index[one.rule], "partialFingerprints": prints}
        results.append(result)
    return results


def _result(one: Finding, file: str, line: int) -> dict[str, Any]:
    # SARIF's word for what cannot be decided yet is `open`, and then there is no level.
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "kind": "open" if one.unknown else "fail",
        "level": "none" if one.unknown else _LEVEL[one.severity],
        "message": {"text": f"{one.resource}: {one.problem}. {one.comply}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": file},
                    "region": {"startLine": line},
                },
                "logicalLocations": [
                    {
                        "name": one.resource,
                        "fullyQualifiedName": one.urn or one.resource,
                        "kind": "resource",
                    }
                ],
            }
        ],
    }
    if one.waived:
        said = one.waived
        result["suppressions"] = [
            {
                "kind": "external",
                "status": "accepted",
                "justification": f"{said.reason} ({said.owner}, until {said.expires})",
            }
        ]
    return result
