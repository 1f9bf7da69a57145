"""Histories as text for other programs."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Sequence

from dsfactory.services.monitoring.histories import Track
from dsfactory.services.monitoring.readings import Alert, Snapshot

FORMATS = ("json", "csv")
HEADER = ("at", "name", "unit", "store", "process", "value")


def as_json(now: Snapshot, alerts: Sequence[Alert], tracks: Sequence[Track]) -> str:
    """Return one JSON object: current, alerts and series."""
    document = {
        "current": dataclasses.asdict(now),
        "alerts": [dataclasses.asdict(alert) for alert in alerts],
        "series": [dataclasses.asdict(track) for track in tracks],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def as_csv(tracks: Sequence[Track]) -> str:
    """Return a line a point, after a header; lines end as RFC 4180 says."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for track in tracks:
        labels = (track.labels.get("store", ""), track.labels.get("process", ""))
        for at, value in zip(track.timestamps, track.values, strict=True):
            writer.writerow((at, track.name, track.unit, *labels, value))
    return text.getvalue()
