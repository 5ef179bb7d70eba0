"""What became of an environment as JUnit XML: each step a case, and each check. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from opsctl.ephemeral.outcome import Up

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class _Case:
    group: str
    name: str
    took_s: float
    failure: str = ""
    skipped: str = ""
    output: str = ""


def xml(found: Up) -> str:
    """Return the document."""
    cases = list(_cases(found))
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(bool(case.failure) for case in cases)),
        "errors": "0",
        "skipped": str(sum(bool(case.skipped) for case in cases)),
        "time": f"{found.duration_s:.3f}",
    }
    root = Element("testsuites", {"name": "opsctl env up", **counts})
    suite = SubElement(root, "testsuite", {"name": found.environment, **counts})
    properties = SubElement(suite, "properties")
    for name in ("base", "owner", "target", "tier", "dr", "verdict"):
        value = _clean(str(getattr(found, name)))
        SubElement(properties, "property", {"name": name, "value": value})
    for case in cases:
        named = {"classname": f"{found.environment}.{case.group}", "name": _clean(case.name)}
        made = SubElement(suite, "testcase", {**named, "time": f"{case.took_s:.3f}"})
        if case.failure:
            message = _clean(case.failure)
            SubElement(made, "failure", {"message": message}).text = _clean(case.output) or message
        elif case.skipped:
            SubElement(made, "skipped", {"message": _clean(case.skipped)})
        elif case.output:
            SubElement(made, "system-out").text = _clean(case.output)
    indent(root)
    return tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(found: Up) -> list[_Case]:
    made = []
    for step in found.steps:
        failed = step.verdict == "failed"
        why = found.error if failed and found.error else step.detail
        more = "\n".join([why, *found.details]) if failed else step.detail
        skipped = step.detail if step.verdict == "skipped" else ""
        made.append(_Case("step", step.name, step.duration_s, why if failed else "", skipped, more))
    checks = found.verification.checks if found.verification else ()
    for check in checks:
        failure = check.detail if check.verdict == "failed" else ""
        made.append(_Case("check", check.name, 0.0, failure, output=check.detail))
    return made


def _clean(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return _NOT_XML.sub("\ufffd", text)
