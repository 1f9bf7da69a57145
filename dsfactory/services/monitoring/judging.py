"""What is too much, since when, and who has been told: one document, shared by all processes.

Pure: settings, findings and what stood before go in; what stands now, alerts and actions come
out. The monitor does it within one transaction of its store, so that of several processes one
raises an alert.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dsfactory.services.monitoring.readings import Alert, Snapshot, StoreReading
from dsfactory.services.monitoring.settings import ACTIONS, MIB, RULES, Settings

FREE_LEAST = 16 * MIB
"""In a smaller file free pages are no waste worth an action."""

OF_FILES = frozenset({"wal", "expired", "free"})
OF_STORES = OF_FILES | {"unhealthy", "failed", "backup", "store_errors", "save", "load"}
"""Rules about what a store's file says, and about stores at all."""

RAISED = "raised"
CLEARED = "cleared"


class Finding(NamedTuple):
    """One value to be judged; None: there is nothing to judge."""

    rule: str
    subject: str
    value: float | None
    own: bool = False
    """Whether it is about this process, not about what all of them see."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the document holds. *told* and *healed*: when, by what it was about."""

    at: int = 0
    standing: Mapping[str, Alert] = field(default_factory=dict)
    told: Mapping[str, int] = field(default_factory=dict)
    healed: Mapping[str, int] = field(default_factory=dict)


class Verdict(NamedTuple):
    """What came of one judgement."""

    kept: Kept
    news: tuple[Alert, ...]
    """To be told: raised and cleared."""
    actions: tuple[tuple[str, str], ...]
    """To be done: action and store."""


def findings(snapshot: Snapshot, settings: Settings) -> Iterator[Finding]:
    """Yield everything about *snapshot* that there is a rule for."""
    process, requests = snapshot.process, snapshot.requests
    enough = requests.count >= settings.least
    yield Finding("memory", "", process.memory_bytes, own=True)
    yield Finding("disk", "", process.disk_used)
    yield Finding("errors", "", requests.error_rate if enough else None)
    yield Finding("p95", "", requests.p95_s if enough else None)
    for store in snapshot.stores:
        yield from _of_store(store, settings)
    for probe in snapshot.probes:
        yield Finding("probe", probe.name, float(not probe.ok), own=True)


def _of_store(store: StoreReading, settings: Settings) -> Iterator[Finding]:
    yield Finding("unhealthy", store.name, float(store.sick))
    yield Finding("backup", store.name, store.backups_late)
    yield Finding("wal", store.name, store.wal_bytes)
    yield Finding("expired", store.name, store.expired_entries)
    yield Finding("free", store.name, _free(store))
    yield Finding("failed", store.name, float(store.failed), own=True)
    done = store.operations
    if done is not None:
        enough = done.count >= settings.least
        rate = done.error_rate if enough else None
        yield Finding("store_errors", store.name, rate, own=True)
        yield Finding("save", store.name, done.save_s, own=True)
        yield Finding("load", store.name, done.load_s, own=True)


def _free(store: StoreReading) -> float | None:
    if store.free_bytes is None or not store.file_bytes or store.file_bytes < FREE_LEAST:
        return None
    return store.free_bytes / store.file_bytes


def judge(kept: Kept, snapshot: Snapshot, settings: Settings, living: Iterable[str]) -> Verdict:
    """Return what stands after *snapshot*, what has to be told of it and done about it."""
    place, now = snapshot.place, snapshot.at
    found = {_key(one, place): one for one in findings(snapshot, settings)}
    others = set(living) - {place}
    standing = {
        key: alert
        for key, alert in kept.standing.items()
        if alert.process in others or _unasked(alert, snapshot, settings)
    }
    cleared = [
        dataclasses.replace(alert, at=now, state=CLEARED)
        for key, alert in kept.standing.items()
        if key not in standing and not (key in found and _bad(found[key], settings, stood=True))
    ]
    told = {key: at for key, at in kept.told.items() if _recent(at, now, settings)}
    for key, one in found.items():
        before = kept.standing.get(key)
        if _bad(one, settings, stood=before is not None):
            # Later than what was told lately, also within the same millisecond: this was not.
            since = max(now, told.get(key, -1) + 1)
            standing[key] = before or _alert(one, place, since, settings)
    news = []
    for key, alert in standing.items():
        # Not told yet: it is new, or came back within the cooldown of the last time.
        if key in found and kept.told.get(key, -1) < alert.at and key not in told:
            news.append(alert)
            told[key] = now
        elif key in kept.told:
            told.setdefault(key, kept.told[key])
    heard = [alert for alert in cleared if kept.told.get(_key_of(alert), -1) >= _since(kept, alert)]
    healed, actions = _actions(kept, standing, settings, snapshot)
    return Verdict(Kept(now, standing, told, healed), (*news, *heard), actions)


def _unasked(alert: Alert, snapshot: Snapshot, settings: Settings) -> bool:
    """Whether nothing can be said of what it is about, so that it stands as it did."""
    if alert.rule not in OF_STORES or settings.limits[alert.rule] is None:
        return False
    if not snapshot.stores:
        return True  # the registry could not be read: the monitor's own store is always there
    return alert.rule in OF_FILES and any(
        store.name == alert.subject and store.file_bytes is None for store in snapshot.stores
    )


def _since(kept: Kept, alert: Alert) -> int:
    return kept.standing[_key_of(alert)].at


def _bad(finding: Finding, settings: Settings, *, stood: bool) -> bool:
    limit = settings.limits[finding.rule]
    if limit is None or finding.value is None:
        return False
    return finding.value > (limit * settings.clear_at if stood else limit)


def _recent(at: int, now: int, settings: Settings) -> bool:
    return 0 <= now - at < settings.cooldown


def _key(finding: Finding, place: str) -> str:
    return f"{finding.rule}:{finding.subject}@{place if finding.own else ''}"


def _key_of(alert: Alert) -> str:
    return f"{alert.rule}:{alert.subject}@{alert.process or ''}"


def _alert(finding: Finding, place: str, now: int, settings: Settings) -> Alert:
    value, limit = finding.value or 0.0, settings.limits[finding.rule] or 0.0
    said = RULES[finding.rule].said.format(value=value, limit=limit)
    return Alert(
        at=now,
        state=RAISED,
        rule=finding.rule,
        subject=finding.subject,
        process=place if finding.own else None,
        value=value,
        limit=limit,
        detail=f"{finding.subject}: {said}" if finding.subject else said,
    )


def _actions(
    kept: Kept, standing: Mapping[str, Alert], settings: Settings, snapshot: Snapshot
) -> tuple[dict[str, int], tuple[tuple[str, str], ...]]:
    now = snapshot.at
    healed = {key: at for key, at in kept.healed.items() if _recent(at, now, settings)}
    # A store that this process has not open is for those that have, and for maintenance.
    here = {store.name for store in snapshot.stores if store.operations is not None}
    chosen = []
    for action, rule in ACTIONS.items():
        for alert in standing.values():
            key = f"{action}:{alert.subject}"
            mine = alert.process in (None, snapshot.place) and alert.subject in here
            if alert.rule == rule and mine and settings.healing[action] and key not in healed:
                healed[key] = now
                chosen.append((action, alert.subject))
    return healed, tuple(chosen)


def to_record(kept: Kept) -> dict[str, Any]:
    """Return *kept* as plain values."""
    standing = {key: dataclasses.asdict(alert) for key, alert in kept.standing.items()}
    return {
        "at": kept.at,
        "standing": standing,
        "told": dict(kept.told),
        "healed": dict(kept.healed),
    }


def from_record(record: Mapping[str, Any] | None) -> Kept:
    """Return what the document says; rules of other releases are passed over."""
    if record is None:
        return Kept()
    standing = {
        key: Alert(**alert) for key, alert in record["standing"].items() if alert["rule"] in RULES
    }
    return Kept(record["at"], standing, record["told"], record["healed"])
