"""Backups for tests of what is kept, the table of cases, and a second, naive implementation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from dsfactory.backup import RetentionPolicy
from dsfactory.model import Backup

TABLE = Path(__file__).with_name("retention_cases.txt")
NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp() * 1000)
_ROW = re.compile(r"(\S+)  (\S+ \S+)(?:  ([a-z]\S*))?\s+(=>|-) (.*)")


def a_backup(backup_id: str, created_at: int, **known: Any) -> Backup:
    """A backup of which only what matters here is of interest."""
    plain: dict[str, Any] = {"store": "s", "reason": "manual", "sha256": "", "revision": 1}
    return Backup(id=backup_id, created_at=created_at, **{"size_bytes": 100, **plain, **known})


class Case(NamedTuple):
    """One case of the table."""

    title: str
    now: int
    policy: RetentionPolicy
    backups: list[Backup]
    kept: dict[str, str]
    removed: dict[str, str]


def cases() -> Iterator[Case]:
    """The table, case by case."""
    for block in TABLE.read_text().split("\n## ")[1:]:
        title, *lines = block.splitlines()
        case = Case(title, NOON, RetentionPolicy(), [], {}, {})
        for line in filter(None, lines):
            case = _with(case, line)
        yield case


def _with(case: Case, line: str) -> Case:
    word, _, rest = line.partition(" ")
    if word == "now":
        return case._replace(now=_moment(rest))
    if word == "policy":
        return case._replace(policy=RetentionPolicy(**json.loads(rest)))
    row = _ROW.fullmatch(line)
    assert row, line
    backup_id, moment, marks, verdict, why = row.groups()
    created_at = _moment(moment)
    case.backups.append(a_backup(backup_id, created_at, **_marks(marks, created_at)))
    (case.kept if verdict == "=>" else case.removed)[backup_id] = why
    return case


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp() * 1000)


def _marks(text: str | None, at: int) -> dict[str, Any]:
    plain: dict[str, tuple[str, Any]] = {
        "pinned": ("pinned", True),
        "restoring": ("restoring", True),
        "followed": ("followed", True),
        "verified": ("verified_at", at),
        "damaged": ("damaged_at", at),
    }
    name, _, value = (text or "").partition("=")
    if value:
        told: dict[str, Any] = {"tags": tuple(value.split("+")), "base": value}
        return {"size_bytes": int(value)} if name == "size" else {name: told[name]}
    return dict(plain[mark] for mark in name.split("+") if mark)


UNITS = {
    "hourly": "%Y%m%d%H",
    "daily": "%Y%m%d",
    "weekly": "%G%V",
    "monthly": "%Y%m",
    "yearly": "%Y",
}


def naively_chosen(backups: Sequence[Backup], policy: RetentionPolicy, zone: Any) -> set[str]:
    """What keep rules choose of whole backups that are not dated in the future, done slowly."""
    ordered = sorted(backups, key=lambda b: (b.created_at, b.id), reverse=True)
    if not policy.has_rules:
        return {b.id for b in ordered}
    chosen = {b.id for b in ordered for tags in policy.keep_tags if set(tags) <= set(b.tags)}
    for rule, count in policy.counts.items():
        seen: set[str] = set()
        left = count
        for backup in ordered:
            bucket = backup.id if rule == "last" else _bucket(backup, UNITS[rule], zone)
            if left and (bucket not in seen or backup is ordered[-1]):
                chosen.add(backup.id)
                left -= 1
            seen.add(bucket)
    for rule, span in policy.spans.items():
        young = [b for b in ordered if b.created_at > ordered[0].created_at - span]
        for backup in young:
            bucket = backup.id if rule == "last" else _bucket(backup, UNITS[rule], zone)
            same = [
                b
                for b in young
                if (b.id if rule == "last" else _bucket(b, UNITS[rule], zone)) == bucket
            ]
            if backup is same[0] or backup is ordered[-1]:
                chosen.add(backup.id)
    return chosen


def _bucket(backup: Backup, form: str, zone: Any) -> str:
    return datetime.fromtimestamp(backup.created_at / 1000, tz=zone).strftime(form)
