"""When a line of a log was written, in the form that its server writes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?(?: UTC|Z)")
_LOGFMT = re.compile(r"^ts=(\S+)")
_VALKEY = re.compile(r"^\d+:[A-Z] (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3}) ")
_GLOG = re.compile(r"^[IWEF](\d{4} \d\d:\d\d:\d\d\.\d{6}) ")


def written_at(line: str) -> datetime | None:
    """Return the time that a line carries, None where it carries none.

    JSON (`at` of our apps, `ts` of etcd), logfmt (Prometheus, Alertmanager), PostgreSQL,
    Valkey, and glog (SeaweedFS; it names no year, so the latest that is not in the future).
    """
    if line.startswith("{"):
        return _of_json(line)
    if (found := _LOGFMT.match(line)) and (iso := _ISO.match(found[1])):
        return _iso(iso)
    if iso := _ISO.match(line):
        return _iso(iso)
    if found := _VALKEY.match(line):
        return _parsed(found[1], "%d %b %Y %H:%M:%S.%f")
    if found := _GLOG.match(line):
        now = datetime.now(UTC)
        at = _parsed(f"{now.year} {found[1]}", "%Y %m%d %H:%M:%S.%f")
        if at is not None and at > now:
            return _parsed(f"{now.year - 1} {found[1]}", "%Y %m%d %H:%M:%S.%f")
        return at
    return None


def _of_json(line: str) -> datetime | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    text = record.get("at", record.get("ts")) if isinstance(record, dict) else None
    iso = _ISO.match(text) if isinstance(text, str) else None
    return _iso(iso) if iso else None


def _iso(found: re.Match[str]) -> datetime | None:
    fraction = (found[3] or ".0")[:7]
    return _parsed(f"{found[1]} {found[2]}{fraction}", "%Y-%m-%d %H:%M:%S.%f")


def _parsed(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, form).replace(tzinfo=UTC)
    except ValueError:
        return None
