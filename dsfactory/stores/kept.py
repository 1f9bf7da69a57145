"""What the hot tier keeps, and how it stays true when others commit.

Entries are kept under one token of the WAL-index (engine/watch.py) and are true for as long as it
is the same. When somebody else has committed, notices (engine/notices.py) say what he changed:
that is forgotten, and the rest is kept under the token of now. Without a notice all is forgotten.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from dsfactory.clock import ticks_ns
from dsfactory.engine.forks import Restarting
from dsfactory.engine.notices import Notices
from dsfactory.engine.watch import NO_SIGHT, Sight, Token, Watch, commit_of, words_of
from dsfactory.model import Key
from dsfactory.stores.monitor import Held

T = TypeVar("T")

PATIENCE_NS = 50_000_000
"""How long a notice is waited for: whoever commits may be stopped before he tells."""


class Table:
    """What was read under one token, in two generations: who is not asked for goes with the old."""

    __slots__ = ("_commit", "header", "old", "room", "sight", "token", "words", "young")

    def __init__(self, sight: Sight, token: Token, room: int) -> None:
        self.sight = sight
        self.token = token
        self.words = sight.words
        self.header = words_of(token)
        """What these words were."""
        self.young: dict[Key, Held] = {}
        self.old: dict[Key, Held] = {}
        self.room = room
        """Bytes that still go into the young generation."""
        self._commit = b""

    @property
    def filled(self) -> bool:
        """Whether anything is kept."""
        return bool(self.young or self.old)

    @property
    def commit(self) -> bytes:
        """What names the commit; notices may have led to one that was not the last any more."""
        if not self._commit and isinstance(self.token, bytes):
            self._commit = commit_of(self.token)
        return self._commit

    def under(self, token: Token, header: memoryview[int] | None, commit: bytes = b"") -> Table:
        """Return the same entries under another token, whose words are *header*.

        Without a token it is that *commit*, of which nothing else is known.
        """
        table = Table.__new__(Table)  # with every commit: __init__ would make dicts to drop
        table.sight, table.words, table.room = self.sight, self.words, self.room
        table.token, table.header, table._commit = token, header, commit
        table.young, table.old = self.young, self.old
        return table


NOTHING = Table(NO_SIGHT, b"", 0)


class KeptEntries(Restarting):
    """The table of one open store, and the lock under which it changes."""

    def __init__(self, watch: Watch, notices: Notices, *, entries: int, size: int) -> None:
        """Keep at most *entries* of *size* encoded bytes together; 0 of either keeps nothing."""
        self._watch = watch
        self._notices = notices
        # Half for each generation.
        self._entries = (entries + 1) // 2 if size else 0
        self._single = entries == 1
        self.off = not self._entries
        self._size = size // 2
        self.table = NOTHING
        self.waiting: Callable[[Key], object] | None = None
        """Whether a key is set here, and not in the file yet."""
        self.writer = 0
        """The thread that has a transaction open; 0 for none."""
        self._lock = threading.Lock()
        self._waits_since = 0

    # -- what is kept

    def find(self, table: Table, key: Key) -> Held | None:
        """Return what *table* holds for *key*, expired or not; None when it cannot tell."""
        held = table.young.get(key)
        if held is None:
            held = table.old.get(key)
            if held is not None:
                self.keep(table, held)
        return held

    def keep(self, table: Table, held: Held) -> None:
        """Keep what was read after *table* was current; nothing when it is not any more."""
        with self._lock:
            if self.table is table:
                self._put(table, held)

    def give_up(self, key: Key, put: Callable[[T], object], new: T) -> None:
        """Keep nothing for *key* from the moment on in which *put* lets what is *new* wait.

        Not before, or what is in the file would be kept again; not after, or somebody who saw
        what is new could still be told the old.
        """
        with self._lock:
            self.table.young.pop(key, None)
            self.table.old.pop(key, None)
            put(new)

    def _put(self, table: Table, held: Held) -> None:
        size = held[4]
        if size > self._size or self.off:
            return
        if self.waiting is not None and self.waiting(held[3]):
            return  # for what give_up() has given up
        if len(table.young) >= self._entries or table.room < size:
            table.old = {} if self._single else table.young
            table.young = {}
            table.room = self._size
        table.room -= size
        table.young[held[3]] = held

    # -- when somebody has committed

    def followed(self, table: Table, token: Token) -> Table | None:
        """Forget what others have changed; everything, where nobody tells what that is.

        Who has committed tells it a moment later: until then nothing is known, nor forgotten, and
        this is None.
        """
        commit = table.commit
        if not commit or not isinstance(token, bytes) or not token or not table.filled:
            return self._renewed()
        if self.writer:
            return None
        now = ticks_ns()
        self._notices.listen(now)
        here = commit_of(token)
        reached, keys = self._notices.follow(commit, here)
        if keys is None:
            self._waits_since = 0
            return self._renewed()
        if reached == commit != here:
            return None if self._worth_waiting(now) else self._renewed()
        self._waits_since = 0
        return self._led_on(table, keys, token if reached == here else b"", reached)

    def _worth_waiting(self, now: int) -> bool:
        if not self._waits_since:
            self._waits_since = now
        if 0 <= now - self._waits_since < PATIENCE_NS:
            return True
        self._waits_since = 0
        return False

    def _led_on(self, table: Table, keys: list[Key], token: bytes, reached: bytes) -> Table | None:
        with self._lock:
            if self.table is not table:
                return None
            young, old = table.young, table.old
            # In place, as in HotTier._carry_on().
            for key in keys:
                young.pop(key, None)
                old.pop(key, None)
            self.table = table = table.under(token, words_of(token), reached)
        return table if token else None

    def _renewed(self) -> Table | None:
        sight = None if self.off else self._watch.sight()
        if sight is None:
            return None
        with self._lock:
            # A commit of ours that is under way will say itself what it changed.
            token = b"" if self.writer else sight.token()
            if not token:
                return None
            self.table = table = Table(sight, token, self._size)
        return table

    # -- the end, and forks

    def detach(self) -> None:
        """Answer nothing any more; release() follows when the connections are closed."""
        self.table = NOTHING
        self._watch.end()

    def release(self) -> None:
        """Give the mapping back, and the notices."""
        self._watch.release()
        self._notices.close()

    def wipe(self) -> None:
        """Leave no key where others look for what was changed."""
        self._notices.wipe()

    def after_fork_in_child(self) -> None:
        """Begin anew: the parent's threads may have been in the middle of something."""
        self._lock = threading.Lock()
        self.table = NOTHING
        self.writer = 0
