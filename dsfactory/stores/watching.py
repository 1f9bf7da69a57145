"""Changes as they happen, made by any process: the WAL-index says when, the entries say what."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol, TypeVar

from dsfactory.clock import pause, ticks_ns
from dsfactory.durations import Duration, duration_ms
from dsfactory.engine import Database
from dsfactory.engine.watch import Sight, Token, Watch
from dsfactory.model import Change, Key
from dsfactory.stores import sql
from dsfactory.stores.reading import ReadingStore, key_range

T = TypeVar("T")

POLL_S = 0.003
"""Between two looks at the header: less than 5 ms of latency for about one percent of a processor
(scripts/bench/watch)."""

POLLS_A_FILE = 32
"""Looks at the header for each at the file: deleted or replaced, it is found out in 100 ms."""

LOOK_SHARE = 4
"""A look at the entries is followed by a pause of as many times its length: 20 % of one processor
at most, however large the store is and however often it changes."""

Range = tuple[Key, Key | None]


class Look(Protocol):
    """Finds out what has changed since it was called last."""

    def __call__(self) -> list[Change]:
        """Return a Change for each key that changed."""
        ...


class WatchingStore(ReadingStore[T]):
    """watch()."""

    def watch(
        self, prefix: str | bytes | None = None, timeout: Duration | None = None
    ) -> Iterator[Change]:
        """Iterate over the changes that any process commits from now on, waiting for them.

        Whoever iterates sees, after every change of a key, a Change of that key; several changes
        of one key may come as one, with what the last did, and a key that was not there before and
        was set and deleted in between need not come at all. An entry that expires is no change; it
        comes as a delete when it is swept. The order between keys is not told.

        *prefix* narrows to keys that begin so. The iteration ends when nothing has changed for
        *timeout*; None waits for ever. Closing the store ends it with ClosedError.

        What changed is found in the history, where the store has one. Elsewhere all watched keys
        are compared, about 1 us each: choose a prefix in a store of many thousand entries.
        """
        limit = None if timeout is None else duration_ms(timeout, "timeout")
        watched = key_range(prefix)
        look = self._historical(watched) if self._history else self._compared(watched)
        return _Changes(self._database, self._watch, look, limit)

    def _historical(self, watched: Range) -> Look:
        ((seen,),) = self._database.committed_rows(sql.LAST_CHANGE)

        def look() -> list[Change]:
            nonlocal seen
            changes = []
            for seq, key, change, version in self._database.committed_rows(
                sql.CHANGES, (seen, *watched)
            ):
                seen = seq
                deleted = change == "delete"
                what = "delete" if deleted else "set"
                changes.append(Change(key, what, None if deleted else version))
            return changes

        return look

    def _compared(self, watched: Range) -> Look:
        before: dict[Key, int] = dict(self._database.committed_rows(sql.VERSIONS, watched))

        def look() -> list[Change]:
            nonlocal before
            after: dict[Key, int] = dict(self._database.committed_rows(sql.VERSIONS, watched))
            changes = [Change(key, "delete", None) for key in before.keys() - after.keys()]
            changed = after.items() - before.items()
            changes.extend(Change(key, "set", version) for key, version in changed)
            before = after
            return changes

        return look


class _Changes(Iterator[Change]):
    def __init__(self, database: Database, watch: Watch, look: Look, limit_ms: int | None) -> None:
        self._database = database
        self._watch = watch
        self._look = look
        self._limit_ms = limit_ms
        self._found: deque[Change] = deque()
        self._sight: Sight | None = None
        self._token: Token = b""
        self._rest_s = POLL_S
        self._over = False
        self._polls = 0

    def __next__(self) -> Change:
        """Wait for the next change."""
        started = ticks_ns()
        while not self._found:
            if not self._over:
                self._find()
            if self._found:
                break
            waited_ms = (ticks_ns() - started) / 1e6
            self._over |= self._limit_ms is not None and waited_ms >= self._limit_ms
            if self._over:
                raise StopIteration
            pause(self._rest_s)
        return self._found.popleft()

    def _find(self) -> None:
        self._rest_s = POLL_S
        sight = self._watch.sight()
        token: Token = b""
        if sight is not None:
            sight.require_index()
            self._polls += 1
            if self._polls % POLLS_A_FILE == 0:
                sight.require_file()
            token = sight.token()
        # Before the look: what is committed after it changes the token again.
        if token and token == self._token and sight is self._sight:
            return
        self._sight, self._token = sight, token
        started = ticks_ns()
        self._found.extend(self._look())
        self._rest_s = max(POLL_S, LOOK_SHARE * (ticks_ns() - started) / 1e9)
