"""Changes as they happen, made by any process: the WAL-index says when, the entries say what."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Protocol, TypeVar

from dsfactory.clock import pause, ticks_ns
from dsfactory.durations import Duration, duration_ms
from dsfactory.engine import Database
from dsfactory.engine.notices import SWEPT, Notices
from dsfactory.engine.watch import Sight, Token, Watch, commit_of
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

NOTICE_POLLS = 4
"""Looks at the header before a notice that has not come is given up."""

LOOK_UP = 8
"""What looking up one key costs, in keys that are compared in passing."""

Range = tuple[Key, Key | None]


class Look(Protocol):
    """Finds out what has changed since it was called last."""

    def __call__(self, token: Token) -> list[Change] | None:
        """Return a Change for each key that changed; *token* is from before this call.

        None when it is worth while to ask again in a moment.
        """
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

        What changed is found in the history, where the store has one, and elsewhere by the notices
        of those who commit through us. After a commit of another program, of many keys at once,
        or a sweep, all watched keys are compared, about 1 us each.
        """
        limit = None if timeout is None else duration_ms(timeout, "timeout")
        watched = key_range(prefix)
        if self._history:
            return _Changes(self._watch, None, self._historical(watched), limit)
        look = _Compared(self._database, self._notices, watched)
        return _Changes(self._watch, self._notices, look, limit)

    def _historical(self, watched: Range) -> Look:
        ((seen,),) = self._database.committed_rows(sql.LAST_CHANGE)

        def look(token: Token) -> list[Change]:
            del token  # the history says what is new
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


class _Compared:
    """Compares versions: of the keys that notices name, or of all that are watched."""

    def __init__(self, database: Database, notices: Notices, watched: Range) -> None:
        self._database = database
        self._notices = notices
        self._watched = watched
        self._versions: dict[Key, int] = dict(database.committed_rows(sql.VERSIONS, watched))
        self._commit = b""
        self._waits = 0

    def __call__(self, token: Token) -> list[Change] | None:
        here = commit_of(token) if isinstance(token, bytes) else b""
        keys: list[Key] | None = None
        if self._commit and here:
            reached, keys = self._notices.follow(self._commit, here)
            if keys is not None and reached != here:
                self._waits += 1
                if self._waits < NOTICE_POLLS:
                    return None
                keys = None
        self._commit, self._waits = here, 0
        if keys is None or SWEPT in keys or len(keys) * LOOK_UP > len(self._versions):
            return self._all()
        return [change for key in dict.fromkeys(keys) for change in self._one(key)]

    def _all(self) -> list[Change]:
        before = self._versions
        after: dict[Key, int] = dict(self._database.committed_rows(sql.VERSIONS, self._watched))
        self._versions = after
        changes = [Change(key, "delete", None) for key in before.keys() - after.keys()]
        changed = after.items() - before.items()
        changes.extend(Change(key, "set", version) for key, version in changed)
        return changes

    def _one(self, key: Key) -> Iterator[Change]:
        rows = self._database.committed_rows(sql.VERSION_WITHIN, (*self._watched, key))
        if not rows:
            if self._versions.pop(key, None) is not None:
                yield Change(key, "delete", None)
        elif self._versions.get(key) != rows[0][1]:
            self._versions[key] = rows[0][1]
            yield Change(key, "set", rows[0][1])


class _Changes(Iterator[Change]):
    def __init__(
        self, watch: Watch, notices: Notices | None, look: Look, limit_ms: int | None
    ) -> None:
        self._watch = watch
        self._notices = notices
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
            certain = self._over or self._find()
            if self._found:
                break
            if not certain:
                pause(self._rest_s)
                continue
            waited_ms = (ticks_ns() - started) / 1e6
            self._over |= self._limit_ms is not None and waited_ms >= self._limit_ms
            if self._over:
                raise StopIteration
            pause(self._rest_s)
        return self._found.popleft()

    def _find(self) -> bool:
        """Look for changes; return whether all that there are were found."""
        self._rest_s = POLL_S
        if self._notices is not None:
            self._notices.listen(ticks_ns())
        sight = self._watch.sight()
        token: Token = b""
        if sight is not None:
            sight.require_index()
            self._polls += 1
            if self._polls % POLLS_A_FILE == 0:
                sight.require_file()
            token = sight.token()
        # The token is from before the look: what is committed after it changes the token again.
        if token and token == self._token and sight is self._sight:
            return True
        started = ticks_ns()
        found = self._look(token)
        if found is None:
            return False
        self._sight, self._token = sight, token
        self._found.extend(found)
        self._rest_s = max(POLL_S, LOOK_SHARE * (ticks_ns() - started) / 1e9)
        return True
