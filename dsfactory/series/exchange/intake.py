"""What is imported, on its way into the store: gathered by series, handed over as columns."""

from __future__ import annotations

import math
from typing import NamedTuple

from numpy.typing import ArrayLike

from dsfactory.clock import END_OF_TIME
from dsfactory.errors import SampleRefusedError, UsageError
from dsfactory.series.engine import SeriesEngine
from dsfactory.series.names import TYPES, Identity

AT_ONCE = 65_536
"""Rows that are gathered before they are handed over: some 10 MB."""


class Place(NamedTuple):
    """A series that rows belong to, and those that were gathered: times and values."""

    who: Identity
    times: list[int]
    values: list[float]


class Intake:
    """Takes columns, or rows that it makes columns of."""

    def __init__(self, engine: SeriesEngine) -> None:
        self.now = engine.now_ms()
        """The time of samples that come without one."""
        self.count = 0
        self._engine = engine
        self._known: dict[object, Place] = {}
        self._places: dict[Identity, Place] = {}
        self._gathered = 0

    def columns(
        self, who: Identity, values: ArrayLike, times: ArrayLike, *, kind: str, unit: str
    ) -> None:
        """Take samples of one series."""
        self.count += self._engine.record_columns(who, values, times, kind=kind, unit=unit)

    def known(self, key: object) -> Place | None:
        """Return the place that place() gave for *key*; None when it has to be asked for anew."""
        return self._known.get(key)

    def place(self, key: object, who: Identity, kind: str, unit: str) -> Place:
        """Return where to gather rows of a series; *key* is whatever names it in the source.

        Two keys of one series have one place, so that the row that comes last wins. Raises
        SeriesConflictError when the series has another type or unit.
        """
        self._engine.pot(who, kind=kind, unit=unit)
        found = self._known[key] = self._places.setdefault(who, Place(who, [], []))
        return found

    def add(self, place: Place, at: int, value: float) -> None:
        """Gather one sample; its time and value are checked already."""
        place.times.append(at)
        place.values.append(value)
        self._gathered += 1
        if self._gathered >= AT_ONCE:
            self.spill()

    def spill(self) -> None:
        """Hand over what was gathered, of each series in the order of arrival."""
        places, self._places, self._known, self._gathered = self._places, {}, {}, 0
        for who, times, values in places.values():
            if times:
                self.count += self._engine.record_columns(who, values, times)


def number(text: str) -> float:
    """Return the number nearest to *text*: decimal, or nan, inf, infinity in any case, signed.

    Raises SampleRefusedError for anything else, and for what is too large for a float.
    """
    try:
        found = float(text)
    except ValueError:
        found = None
    # Python also reads "1_000" and digits of other scripts.
    if found is None or "_" in text or not text.isascii() or text != text.strip():
        raise SampleRefusedError("its value is no number")
    if math.isinf(found) and text.lstrip("+-")[:1] not in "iI":
        raise SampleRefusedError("its value is too large for a 64-bit float")
    return found


def whole(text: str) -> int:
    """Return the milliseconds that *text* says; SampleRefusedError for anything else."""
    digits = text.removeprefix("-")
    if not (digits.isdigit() and text.isascii() and len(text) <= 20):
        raise SampleRefusedError("its time is no whole number of milliseconds")
    return within(int(text))


def within(at: int) -> int:
    """Return *at*, when it lies in 1970 to 9999."""
    if not 0 <= at <= END_OF_TIME:
        raise SampleRefusedError("its time lies outside 1970 to 9999")
    return at


def checked_kind(kind: str) -> str:
    """Return *kind* when a series may be of it; "" is unknown."""
    if kind and kind not in TYPES:
        raise UsageError(f"its type {kind[:40]!r} is not among {', '.join(TYPES)}")
    return kind or "unknown"
