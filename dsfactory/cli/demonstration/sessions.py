"""The state store: readers' sessions, updated by several threads at once. Nothing may be lost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import cycle, islice
from typing import cast

from dsfactory.cli.demonstration.settings import Settings
from dsfactory.cli.demonstration.syntax import Summary
from dsfactory.clock import SystemClock
from dsfactory.factory import DataStoreFactory
from dsfactory.stores import Rollback, StateStore

NAME = "demo-sessions"
READERS = 4
"""Each thread writes to all of them in turn: threads contend for the same records."""
UNDONE = 10
"""Every tenth visit is rolled back."""


@dataclass(frozen=True, slots=True)
class Session:
    """What one reader has read so far."""

    reader: str
    files: int = 0
    lines: int = 0
    last_file: str = ""


Record = Session | int


@dataclass(frozen=True, slots=True)
class SessionsReport:
    """What was asked of the store, and what it says it holds."""

    threads: int
    readers: int
    visits: int
    undone: int
    """Visits whose transaction was rolled back."""
    lines: int
    """Of the files of the visits that were not undone: what has to come out."""
    files_in_sessions: int
    lines_in_sessions: int
    lines_in_counter: int

    @property
    def lost(self) -> int:
        """Visits that were acknowledged and are not there; below zero: there twice."""
        return self.visits - self.undone - self.files_in_sessions

    @property
    def exact(self) -> bool:
        """Whether sessions and counter hold what was written, neither more nor less."""
        return self.lost == 0 and self.lines == self.lines_in_sessions == self.lines_in_counter


def work(
    factory: DataStoreFactory, summaries: Sequence[Summary], settings: Settings
) -> SessionsReport:
    """Let threads read the files in turn, and count what the store holds then."""
    return _Run(factory).work(summaries, settings)


class _Run:
    """The sessions of one run, under a prefix of their own."""

    def __init__(self, factory: DataStoreFactory) -> None:
        self.store: StateStore[Record] = factory.create_state_store(
            NAME, cast("type[Record]", Record)
        )
        self._run = f"run-{SystemClock().now_ms()}-{os.getpid()}"
        self._counter = f"{self._run}/lines"

    def work(self, summaries: Sequence[Summary], settings: Settings) -> SessionsReport:
        """Let the threads read the files in turn, and count what the store holds then."""
        each = settings.updates_per_thread
        visits = list(enumerate(islice(cycle(summaries), settings.threads * each)))
        shares = [visits[first : first + each] for first in range(0, len(visits), each)]
        with ThreadPoolExecutor(settings.threads, thread_name_prefix="demo-reader") as pool:
            undone = sum(pool.map(self._read_all, shares))
        kept = [summary for number, summary in visits if not _is_undone(number)]
        sessions = [s for _, s in self.store.scan(prefix=f"{self._run}/reader-")]
        held = [session for session in sessions if isinstance(session, Session)]
        return SessionsReport(
            threads=settings.threads,
            readers=len(held),
            visits=len(visits),
            undone=undone,
            lines=sum(summary.lines for summary in kept),
            files_in_sessions=sum(session.files for session in held),
            lines_in_sessions=sum(session.lines for session in held),
            lines_in_counter=cast("int", self.store.get(self._counter, 0)),
        )

    def _read_all(self, share: Sequence[tuple[int, Summary]]) -> int:
        """One thread's work; return how many visits it rolled back."""
        undone = 0
        for number, summary in share:
            with self.store.transaction():
                self._read(f"reader-{number % READERS}", summary)
                if _is_undone(number):
                    undone += 1
                    raise Rollback
        return undone

    def _read(self, reader: str, summary: Summary) -> None:
        def onward(old: Record) -> Record:
            session = cast("Session", old)
            return replace(
                session,
                files=session.files + 1,
                lines=session.lines + summary.lines,
                last_file=summary.path,
            )

        # Both or neither; the session's time begins anew with every visit.
        self.store.update_with(f"{self._run}/{reader}", onward, Session(reader), ttl="7d")
        self.store.increment(self._counter, summary.lines, ttl="7d")


def _is_undone(number: int) -> bool:
    return number % UNDONE == UNDONE - 1
