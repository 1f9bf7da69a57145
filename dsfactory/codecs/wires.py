"""The two formats that msgspec speaks, as rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from dsfactory.codecs.depth import deeper_than

# Python 3.11 gives msgspec's decoder what the caller's stack leaves of 1,000 levels; half of it is
# kept for callers, so that what one thread wrote in a shallow stack another reads in a deep one.
MAX_DEPTH = 500

# Scalars that read back without being looked at. str is one because encoding it fails on the only
# thing that UTF-8 cannot hold; int and float are not: their extremes differ between the formats.
_SURE = frozenset({type(None), bool, str})

# MessagePack: fixmap and fixarray, then array 16/32 and map 16/32.
_OPENING = bytes(range(0x80, 0xA0)) + b"\xdc\xdd\xde\xdf"
_NOT_OPENING = bytes(sorted(set(range(256)) - set(_OPENING)))


class Wire(NamedTuple):
    """One format: how it is written and read, and what it cannot say."""

    name: str
    text: bool
    sure: frozenset[type]
    only_finite: bool  # NaN and the infinities have no form, msgspec writes null
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes | str], Any]
    decoder_for: Callable[[Any], Callable[[bytes | str], Any]]
    openings: Callable[[bytes], int]  # at least the number of containers in it, computed in C

    def too_deep(self, encoded: bytes, value: Any) -> bool:
        """Whether *value*, read back from *encoded*, nests more than MAX_DEPTH containers."""
        # No value is deeper than it has containers: almost every value is done after this line.
        if len(encoded) <= MAX_DEPTH or self.openings(encoded) <= MAX_DEPTH:
            return False
        return deeper_than(MAX_DEPTH, value)


def _json_openings(encoded: bytes) -> int:
    return encoded.count(b"[") + encoded.count(b"{")


def _msgpack_openings(encoded: bytes) -> int:
    return len(encoded.translate(None, _NOT_OPENING))


def _json_decoder(schema: Any) -> Callable[[bytes | str], Any]:
    return msgspec.json.Decoder(schema).decode


def _msgpack_decoder(schema: Any) -> Callable[[bytes | str], Any]:
    decode: Callable[[Any], Any] = msgspec.msgpack.Decoder(schema).decode
    return decode


JSON = Wire(
    name="json",
    text=True,
    sure=_SURE,
    only_finite=True,
    encode=msgspec.json.Encoder().encode,
    decode=_json_decoder(Any),
    decoder_for=_json_decoder,
    openings=_json_openings,
)
MSGPACK = Wire(
    name="msgpack",
    text=False,
    sure=_SURE | {bytes},
    only_finite=False,
    encode=msgspec.msgpack.Encoder().encode,
    decode=_msgpack_decoder(Any),
    decoder_for=_msgpack_decoder,
    openings=_msgpack_openings,
)
