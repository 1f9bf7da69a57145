"""Values without a schema: what the format can say by itself."""

from __future__ import annotations

from typing import Any

from dsfactory.codecs.checked import CheckedCodec
from dsfactory.codecs.traits import ANYTHING
from dsfactory.codecs.wires import Wire


class PlainCodec(CheckedCodec[Any]):
    """Plain values: None, bool, int, float, str, list, dict; with MessagePack bytes and some more.

    A tuple reads back as a list, an OrderedDict as a dict, an IntEnum as an int: equal, but of the
    base type. What would not read back equal is refused (a set, a date, an int as a JSON key).
    """

    mismatch = "this `{actual}` would read back as `{expected}`"

    def __init__(self, wire: Wire) -> None:
        """Take values that *wire* can say."""
        super().__init__(wire, None, ANYTHING)
        self._sure = wire.sure
