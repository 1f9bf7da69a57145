"""What a subject of the comparison is, and what it looks like once it is open."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from peers.records import Record


class Wanted(NamedTuple):
    """How a subject is to be opened."""

    synced: bool = False
    """Each commit is on disk when it returns."""
    limit: int | None = None
    """How many entries of 100 bytes it may hold; each further one evicts another."""


USUAL = Wanted()


@dataclass(slots=True)
class Side:
    """An open subject: calls as an application would make them, nothing in between."""

    get: Callable[[str], Record | None]
    set: Callable[[str, Record], object]
    set_many: Callable[[Mapping[str, Record]], object]
    delete_many: Callable[[list[str]], object]
    close: Callable[[], object]
    flush: Callable[[], object] = lambda: None
    inside: Any = None
    """The object itself, for what one measure asks of one subject."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One row of the comparison."""

    name: str
    module: str
    open: Callable[[Path, Wanted], Side]
    durability: str
    durability_synced: str | None = None
    """None: it cannot put every commit on disk."""
    cold: str = ""
    """A program that imports it, opens what is at *place* and gets one value."""

    def available(self) -> bool:
        """Whether this Python has it."""
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:  # the package of a submodule
            return False

    def durable(self, wanted: Wanted) -> str:
        """Return what is said of its durability in the report."""
        return (self.durability_synced or "") if wanted.synced else self.durability
