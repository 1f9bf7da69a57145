"""What was recorded and is not committed yet: kept in memory for a stated window, and no longer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import NamedTuple

from dsfactory.errors import ClosedError
from dsfactory.series.arrays import np
from dsfactory.series.names import Identity, identity
from dsfactory.series.samples import Samples, concatenated

MAX_PENDING = 500_000
"""Samples: 50 MB when they came one by one, 8 MB as arrays. Then recording waits for a commit."""

MAX_POTS = 300_000
"""Series that are remembered between flushes, at about 500 bytes each."""


class Pot:
    """The pending samples of one series, and what is known of its row."""

    __slots__ = ("flat", "generation", "id", "identity", "parts", "type", "unit", "waits")

    def __init__(self, who: Identity) -> None:
        self.identity = who
        self.id = 0
        """0 before it was looked up."""
        self.generation = -1
        """Of the catalogue, when it was looked up."""
        self.type = "unknown"
        self.unit = ""
        self.flat: list[float] = []
        """Time and value in turn: one append for both, which threads cannot tear apart."""
        self.parts: list[Samples] = []
        """What came before *flat*, as arrays."""
        self.waits = False


class Taken(NamedTuple):
    """The pending samples of one series, out of the pot."""

    pot: Pot
    parts: list[Samples]
    flat: list[float]

    @property
    def size(self) -> int:
        """How many samples there are."""
        return len(self.flat) // 2 + sum(len(part.times) for part in self.parts)

    def samples(self) -> Samples:
        """Return them in the order of recording."""
        return concatenated([*self.parts, as_samples(self.flat)] if self.flat else self.parts)


def as_samples(flat: list[float]) -> Samples:
    """Return times and values that stand in turn as arrays: milliseconds fit a float exactly."""
    pairs = np.array(flat, np.float64).reshape(-1, 2)
    return Samples(pairs[:, 0].astype(np.int64), np.ascontiguousarray(pairs[:, 1]))


class Collector:
    """The pots of one store."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._closed = False
        self.pending = 0
        self.by_key: dict[object, Pot] = {}
        """By the name, or by (name, *labels.items()) in the order of whoever recorded."""
        self._by_identity: dict[Identity, Pot] = {}
        self._waiting: list[Pot] = []
        self._lock = threading.Lock()

    def begin_anew(self) -> None:
        """In a forked child: what waits is the parent's to commit."""
        self._lock = threading.Lock()
        self.pending = 0
        for pot in [*self._waiting, *self._by_identity.values()]:
            pot.parts, pot.flat, pot.waits = [], [], False
        self._waiting = []

    def pot(self, name: object, labels: Mapping[str, str] | None) -> Pot:
        """Return the pot of a series; what it may not be called raises."""
        who = identity(name, labels)
        with self._lock:
            pot = self._by_identity.get(who)
            if pot is None:
                if len(self._by_identity) >= MAX_POTS:
                    self._forget()
                pot = self._by_identity[who] = Pot(who)
            if len(self.by_key) >= 2 * MAX_POTS:
                self.by_key.clear()
            self.by_key[(who.name, *labels.items()) if labels else who.name] = pot
        return pot

    def _forget(self) -> None:
        self.by_key.clear()
        self._by_identity = {pot.identity: pot for pot in self._waiting}

    def add(self, pot: Pot, at: int, value: float) -> bool:
        """Take one sample; return whether it is the first that waits."""
        with self._lock:
            if self._closed:
                raise self._refusal()
            pot.flat += (at, value)
            if not pot.waits:
                pot.waits = True
                self._waiting.append(pot)
            self.pending += 1
            return self.pending == 1

    def add_all(self, found: Mapping[Pot, list[float]]) -> bool:
        """Take the samples of several series; return whether they are the first that wait."""
        with self._lock:
            if self._closed:
                raise self._refusal()
            before = self.pending
            for pot, flat in found.items():
                pot.flat += flat
                self.pending += len(flat) // 2
                self._wait(pot)
            return before == 0 and self.pending > 0

    def add_part(self, pot: Pot, samples: Samples) -> bool:
        """Take arrays of one series; return whether they are the first that wait."""
        with self._lock:
            if self._closed:
                raise self._refusal()
            if pot.flat:
                pot.parts.append(as_samples(pot.flat))
                pot.flat = []
            pot.parts.append(samples)
            self._wait(pot)
            before = self.pending
            self.pending += len(samples.times)
            return before == 0 and self.pending > 0

    def _wait(self, pot: Pot) -> None:
        if not pot.waits:
            pot.waits = True
            self._waiting.append(pot)

    def _refusal(self) -> ClosedError:
        return ClosedError(f"The store {self._name!r} is closed. Open it again.")

    def take(self, *, last: bool = False) -> list[Taken]:
        """Empty all pots into the hands of whoever commits; with *last*, nothing is taken after."""
        with self._lock:
            self._closed = self._closed or last
            waiting, self._waiting = self._waiting, []
            self.pending = 0
            taken = [Taken(pot, pot.parts, pot.flat) for pot in waiting]
            for pot in waiting:
                pot.parts, pot.flat, pot.waits = [], [], False
            return taken

    def give_back(self, taken: list[Taken]) -> None:
        """Put back what could not be committed, before what came since."""
        with self._lock:
            for portion in taken:
                pot, parts, flat = portion
                pot.parts = [*parts, *([as_samples(flat)] if flat else ()), *pot.parts]
                self.pending += portion.size
                self._wait(pot)
