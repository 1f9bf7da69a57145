"""The values that everybody stores: the same records, encoded and decoded by the same codec."""

from __future__ import annotations

import random

import msgspec

SIZES = {"100 B": 100, "1 KB": 1024, "20 KB": 20 * 1024}
TTL_S = 365 * 86_400
"""As long as a cache keeps entries by default; who knows of expiry gets the same."""


class Record(msgspec.Struct):
    """What applications keep: a few fields, and a text that makes up the size."""

    user: str
    roles: list[str]
    opened_at: int
    requests: int
    text: str


encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(Record).decode

# Hexadecimal digits of a fixed seed: no compression, of whomever, makes much of them.
_POOL = random.Random(1).randbytes(32 * 1024).hex()


def record(number: int, size_bytes: int) -> Record:
    """Return the record *number*, which takes about *size_bytes* when it is encoded."""
    made = Record(f"user-{number:08d}", ["reader"], 1_700_000_000_000 + number, number & 127, "")
    missing = max(0, size_bytes - len(encode(made)) - (2 if size_bytes > 256 else 1))
    start = number * 61 % (len(_POOL) - missing)
    made.text = _POOL[start : start + missing]
    return made


def key(number: int) -> str:
    """Return the key of the record *number*."""
    return f"key:{number:08d}"


def records(count: int, size_bytes: int, *, first: int = 0) -> dict[str, Record]:
    """Return *count* records under their keys."""
    return {key(n): record(n, size_bytes) for n in range(first, first + count)}
