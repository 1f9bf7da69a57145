"""Entries as lines of JSON: a head, a line for each entry, and an end that tells a whole file.

    {"dsfactory": 1, "store": "sessions", "kind": "state", "codec": "json", "exported_at": ...}
    {"key": "s1", "value": {...}, "version": 3, "created_at": ..., "updated_at": ...,
     "expires_at": null, "tags": ["vip"]}
    {"end": true, "entries": 1}

Each on one line. Keys as in keys.py, values as in values.py, times in milliseconds since the
epoch. Of an entry only "key" and "value" are required; "ttl" may stand in the place of
"expires_at". Lines written by hand need neither head nor end.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from dsfactory.checks import LARGEST_COUNT
from dsfactory.cli.entries import masks, values
from dsfactory.cli.entries.keys import key_of, shown
from dsfactory.durations import duration_ms
from dsfactory.errors import DataStoreError, UsageError
from dsfactory.model import Entry
from dsfactory.stores import DataStore

FORMAT = 1
LONGEST_LINE = 2**30
"""No value has a gigabyte; whatever is longer is no file of ours."""

FIELDS = frozenset(
    {"key", "value", "version", "created_at", "updated_at", "expires_at", "ttl", "tags"}
)


def head(store: DataStore[Any], now: int) -> bytes:
    """Return the first line of an export."""
    facts = {"store": store.name, "kind": store.kind, "codec": store.options.codec}
    return _line({"dsfactory": FORMAT, **facts, "exported_at": now})


def end(entries: int) -> bytes:
    """Return the last line of an export."""
    return _line({"end": True, "entries": entries})


def line_of(entry: Entry[Any]) -> bytes:
    """Return the line of one entry."""
    return _line(
        {
            "key": shown(entry.key),
            "value": values.as_json(entry.value),
            "version": entry.version,
            "created_at": entry.created_at,
            "updated_at": entry.updated_at,
            "expires_at": entry.expires_at,
            "tags": entry.tags,
        }
    )


def _line(said: dict[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def entries_of(
    file: BinaryIO, now: int, default_ttl: int | None
) -> Iterator[tuple[int, Entry[Any]]]:
    """Yield each entry of *file* with its bytes, in order.

    Raises UsageError naming the line for what is no line of such a file, and at the end of one
    that has a head when the end is missing or counts otherwise.
    """
    headed, ended, count = False, False, 0
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        said = _read(line, number)
        if ended:
            raise _wrong(number, "something comes after the end")
        if "dsfactory" in said:
            headed = _checked_head(said, number)
        elif "end" in said:
            ended = _checked_end(said, number, count)
        else:
            count += 1
            yield len(line), _entry(said, number, now, default_ttl)
    if headed and not ended:
        raise UsageError(
            f"The file was cut short: it has {count} entries and no end. Export it again.",
            entries=count,
        )


def _lines(file: BinaryIO) -> Iterable[bytes]:
    while line := file.readline(LONGEST_LINE):
        yield line


def _read(line: bytes, number: int) -> dict[str, Any]:
    try:
        said = values.parsed(line)
    except RecursionError:
        raise _wrong(number, "it is nested too deeply") from None
    except ValueError:
        raise _wrong(number, "it is no JSON") from None
    if not isinstance(said, dict):
        raise _wrong(number, "it is no object")
    return said


def _checked_head(said: dict[str, Any], number: int) -> bool:
    if number != 1:
        raise _wrong(number, "a head stands in the middle")
    if said["dsfactory"] != FORMAT:
        raise _wrong(number, f"its format is not {FORMAT}: upgrade dsfactory")
    return True


def _checked_end(said: dict[str, Any], number: int, count: int) -> bool:
    if said.get("entries") != count:
        raise _wrong(number, f"the end does not count {count} entries: lines are missing")
    return True


def _entry(said: dict[str, Any], number: int, now: int, default_ttl: int | None) -> Entry[Any]:
    unknown = sorted(set(said) - FIELDS)
    if unknown or not {"key", "value"} <= set(said):
        reason = f"unknown: {unknown[0]!r}" if unknown else '"key" and "value" are required'
        raise _wrong(number, reason)
    try:
        key = key_of(said["key"]) if isinstance(said["key"], str) else None
        value = values.from_json(said["value"])
        masks.refuse_mask(value, "It")
        expires_at = _expiry(said, now, default_ttl)
    except DataStoreError as error:
        error.message = f"Line {number}: {error.message}"
        raise
    tags = said.get("tags", [])
    whole = isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
    if key is None or not whole:
        raise _wrong(number, '"key" has to be text and "tags" a list of texts')
    return Entry(
        key=key,
        value=value,
        version=_count(said, "version", number, 1),
        created_at=_count(said, "created_at", number, now),
        updated_at=_count(said, "updated_at", number, now),
        expires_at=expires_at
        if expires_at is None
        else _count({"expires_at": expires_at}, "expires_at", number, 0),
        size_bytes=0,
        compressed=False,
        tags=tuple(tags),
    )


def _expiry(said: dict[str, Any], now: int, default_ttl: int | None) -> Any:
    if "expires_at" in said:
        return said["expires_at"]
    if said.get("ttl") == "never":
        return None
    ttl = duration_ms(said["ttl"], "ttl") if "ttl" in said else default_ttl
    return None if ttl is None else now + ttl


def _count(said: dict[str, Any], name: str, number: int, default: int) -> int:
    value = said.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST_COUNT:
        raise _wrong(number, f'"{name}" has to be an integer of at least 0')
    return max(value, 1) if name == "version" else value


def _wrong(number: int, reason: str) -> UsageError:
    return UsageError(f"Line {number} cannot be imported: {reason}.", line=number)
