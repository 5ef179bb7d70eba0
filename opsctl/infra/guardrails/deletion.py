"""Rules that keep data from going by mistake: protection, backups, versions."""

from __future__ import annotations

from collections.abc import Iterator

from opsctl.infra.guardrails import sources
from opsctl.infra.guardrails.reading import (
    BUCKET,
    DATABASE,
    SECRET_STORE,
    STATEFUL,
    at,
    companions,
    kept,
    truth,
    unknown,
)
from opsctl.infra.guardrails.rule import Facts, Rule, Severity, Wrong
from opsctl.infra.previewed import Preview


def _protected(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    if facts.ephemeral:
        return
    for one in kept(preview, *STATEFUL):
        if not one.protected:
            yield Wrong(one, "holds data, and the stack does not protect it")


def _database(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    if facts.ephemeral:
        return
    for one in kept(preview, DATABASE):
        said = truth(at(one.inputs, "deletionProtection"))
        if not said:
            yield Wrong(one, "AWS would delete it when asked", unknown=said is None)


def _at_once(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    if facts.ephemeral:
        return
    for kind, path, problem in (
        (BUCKET, "forceDestroy", "is deleted with all that it holds (`forceDestroy`)"),
        (DATABASE, "skipFinalSnapshot", "is deleted without a last snapshot"),
    ):
        for one in kept(preview, kind):
            said = truth(at(one.inputs, path))
            if said is not False:
                yield Wrong(one, problem, unknown=said is None)
    for one in kept(preview, SECRET_STORE):
        days = at(one.inputs, "recoveryWindowInDays")
        if days is not None and (unknown(days) or float(days) == 0):
            problem = "is deleted at once, without a recovery window"
            yield Wrong(one, problem, unknown=unknown(days))


def _versions(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    if facts.ephemeral:
        return
    for one in kept(preview, BUCKET):
        found = companions(preview, one, "aws:s3/bucketVersioning:BucketVersioning", "bucket")
        if found is None:
            yield Wrong(one, "it is not known whether it keeps versions", unknown=True)
            continue
        states = [at(each.inputs, "versioningConfiguration.status") for each in found]
        if "Enabled" not in states:
            yield Wrong(one, "keeps no versions", unknown=any(map(unknown, states)))


def _backups(preview: Preview, facts: Facts) -> Iterator[Wrong]:
    if facts.ephemeral:
        return
    for one in kept(preview, DATABASE):
        days = at(one.inputs, "backupRetentionPeriod")
        if at(one.inputs, "replicateSourceDb") is not None:
            continue  # what it copies is backed up where it comes from
        if unknown(days):
            yield Wrong(one, "how long backups are kept is known only after", unknown=True)
        elif not days:
            yield Wrong(one, "keeps no backups")


RULES = (
    Rule(
        "AWS-DEL-001",
        "What holds data is protected by the stack",
        Severity.REFUSE,
        "A renamed resource is a deleted one: the engine would do it without a word.",
        sources.UNSUCCESSFUL,
        "Declare it with the option `protect`.",
        _protected,
    ),
    Rule(
        "AWS-DEL-002",
        "AWS refuses to delete managed databases",
        Severity.REFUSE,
        "A slip in the console, or with another tool, is not stopped by the stack's protection.",
        sources.UNSUCCESSFUL,
        "Set `deletionProtection: true`.",
        _database,
    ),
    Rule(
        "AWS-DEL-003",
        "Nothing that holds data is deleted at once",
        Severity.REFUSE,
        "Where something was deleted by mistake, a snapshot or a window brings it back.",
        sources.BACKUP,
        "Leave `forceDestroy` and `skipFinalSnapshot` out, and a recovery window of days.",
        _at_once,
    ),
    Rule(
        "AWS-DEL-004",
        "Buckets keep versions",
        Severity.REFUSE,
        "What was overwritten or deleted is else gone, and a lock on objects needs versions.",
        sources.BACKUP,
        "Declare a BucketVersioning with status `Enabled`.",
        _versions,
    ),
    Rule(
        "AWS-DEL-005",
        "Managed databases keep backups",
        Severity.REFUSE,
        "Without them the book of record goes back to nothing, not to a second of yesterday.",
        sources.BACKUP,
        "Set `backupRetentionPeriod` to the days that your records need.",
        _backups,
    ),
)
