"""What may go, and what goes: what the rules find, and what they let through."""

from __future__ import annotations

from datetime import date

from opsctl.infra.previewed import UNKNOWN, Action
from tests.support.previews import ENVIRONMENT
from tests.unit.infra.guardrails.case import GONE, Case, of

FIRES = [
    *(
        Case("AWS-DEL-001", name, update={name: {"protected": False}})
        for name in ("data-a", "backups", "books", "key", "secret", "zone")
    ),
    of("AWS-DEL-002", "books", "deletionProtection", False),
    of("AWS-DEL-002", "books", "deletionProtection", None),
    of("AWS-DEL-002", "books", "deletionProtection", UNKNOWN, unknown=True),
    of("AWS-DEL-003", "backups", "forceDestroy", True),
    of("AWS-DEL-003", "backups", "forceDestroy", UNKNOWN, unknown=True),
    of("AWS-DEL-003", "books", "skipFinalSnapshot", True),
    of("AWS-DEL-003", "secret", "recoveryWindowInDays", 0.0),
    of("AWS-DEL-003", "secret", "recoveryWindowInDays", UNKNOWN, unknown=True),
    Case("AWS-DEL-004", "backups", drop=("backups-versions",)),
    Case(
        "AWS-DEL-004",
        "backups",
        {"backups-versions": {"versioningConfiguration.status": "Suspended"}},
    ),
    Case(
        "AWS-DEL-004",
        "backups",
        {"backups-versions": {"versioningConfiguration": UNKNOWN}},
        unknown=True,
    ),
    of("AWS-DEL-005", "books", "backupRetentionPeriod", 0),
    of("AWS-DEL-005", "books", "backupRetentionPeriod", None),
    of("AWS-DEL-005", "books", "backupRetentionPeriod", UNKNOWN, unknown=True),
    Case(
        "AWS-CHG-001",
        ENVIRONMENT,
        update=dict.fromkeys(("logs", "alarms", "budget"), GONE),
        facts={"max_deletions": 2},
    ),
    Case("AWS-CHG-002", "data-a", update={"data-a": {"action": Action.REPLACE}}),
    Case("AWS-CHG-002", "books", update={"books": GONE}),
    Case(
        "AWS-CHG-002",
        "data-a",
        update={name: {"action": Action.REPLACE} for name in ("data-a", "data-b")},
        facts={"replace_data": ("data-b",)},
    ),
]

HOLDS = {
    "what is protected in an ephemeral environment": Case(
        "AWS-DEL-001",
        "data-a",
        update={"data-a": {"protected": False}},
        facts={"ephemeral": True, "expires": date(2026, 3, 2)},
    ),
    "data that may go, as the command line says": Case(
        "AWS-CHG-002",
        "data-a",
        update={"data-a": {"action": Action.REPLACE}},
        facts={"replace_data": ("data-a",)},
    ),
    "as many deletions as may be": Case(
        "AWS-CHG-001",
        ENVIRONMENT,
        update={"logs": GONE, "alarms": GONE},
        facts={"max_deletions": 2},
    ),
    "a replica is backed up where it comes from": Case(
        "AWS-DEL-005",
        "books",
        {"books": {"replicateSourceDb": "arn", "backupRetentionPeriod": None}},
    ),
}
