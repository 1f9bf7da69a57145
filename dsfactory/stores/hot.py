"""The hot tier: entries that were read lately, in memory, true for as long as nobody commits.

What is kept was read under one token of the WAL-index (engine/watch.py) and is handed out while
that token is the same. Values that cannot change are kept decoded, others encoded: no two callers
get the same mutable object. Nothing here locks or writes on the way of a read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from threading import get_ident
from typing import Any, TypeVar

from dsfactory.clock import END_OF_TIME, NS_PER_MS, wall_ns
from dsfactory.engine import Transaction, forks
from dsfactory.engine.forks import Restarting
from dsfactory.engine.watch import NO_SIGHT, Sight, Token, Watch, follows, words_of
from dsfactory.model import Key
from dsfactory.stores.monitor import Held

T = TypeVar("T")

UNKNOWN: Any = object()
"""The answer of a table that cannot tell: look into the file."""

EXACT = frozenset({str, int, bytes})
"""True and 1.0 would be found under 1."""

LOOK_NS = 50_000
"""How long a mapping is read before it is looked at again: at 1 us, that a file was cut costs 1 %
of the reads to find out. SQLite has the same file mapped and never looks."""

LOOK_AT_FILE_NS = NS_PER_MS

FOREVER = (END_OF_TIME + 1) * NS_PER_MS
"""When entries expire that do not."""


class Table:
    """What was read under one token, in two generations: who is not asked for goes with the old."""

    __slots__ = ("header", "old", "room", "sight", "token", "words", "young")

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

    def under(self, token: Token) -> Table:
        """Return the same entries under another token."""
        table = Table(self.sight, token, self.room)
        table.young, table.old = self.young, self.old
        return table


_NOTHING = Table(NO_SIGHT, b"", 0)


class HotTier(Restarting):
    """The table of one open store."""

    def __init__(
        self, watch: Watch, now: Callable[[], int], *, entries: int, size: int, sure: bool
    ) -> None:
        """Keep at most *entries* of *size* encoded bytes together; 0 of either keeps nothing.

        *now* is the store's time. *sure* looks at the file at every read, for clocks that do not
        tell how time passes.
        """
        self._watch = watch
        self._now = now
        # Half for each generation.
        self._entries = (entries + 1) // 2 if size else 0
        self._single = entries == 1
        self.off = not self._entries
        self._size = size // 2
        self.table = _NOTHING
        self._sure = sure
        self._slow = False
        self.looked_at = self._looked_at_file = self.due = 0
        self.looked = False
        """Set with every look at the file: time to count what was only noted."""
        self.waiting: Callable[[Key], object] | None = None
        """Whether a key is set here, and not in the file yet."""
        self._lock = threading.Lock()
        self.writer = 0
        """The thread that has a transaction open; 0 for none."""
        self._begun: Table | None = None
        self._changes: dict[Key, Held | None] = {}
        self._known = False
        self._base = 0
        forks.watch(self)

    # -- reading

    def reader(
        self, note: Callable[[Held], None], touch: Callable[[Key], None] | None
    ) -> Callable[[Key], Any]:
        """Return a function of a key: its live value or UNKNOWN; *note* and *touch* hear of hits.

        The quick way, for what was read before. It never says that a key is absent. A function
        of its own, so that nothing it needs has to be looked up.
        """
        exact, wall_clock, tier = EXACT, wall_ns, self

        def read(key: Key) -> Any:
            if type(key) not in exact:
                return UNKNOWN
            table = tier.table
            held = table.young.get(key)
            if held is None:
                return UNKNOWN
            expires_ns, thaw, value, _, _ = held
            wall = wall_clock()
            # The header is read after the entry: see _carry_on().
            if (
                tier.looked_at <= wall < tier.due
                and wall < expires_ns
                and table.words == table.header
                and not (tier.writer and tier.writer == get_ident())
            ):
                if thaw is not None:
                    try:
                        value = thaw(value)
                    except (ValueError, RecursionError):
                        return UNKNOWN  # too deep for this stack: told on the other way
                note(held)
                if touch is not None:
                    touch(key)
                return value
            return UNKNOWN

        return read

    def has(self, key: Any) -> bool:
        """Whether *key* certainly has a live entry; False says nothing."""
        table = self.table
        held = table.young.get(key) if type(key) in EXACT else None
        if held is None or not self.looked_at <= (wall := wall_ns()) < self.due:
            return False
        return (
            table.sight.token() == table.token
            and wall < held[0]
            and not (self.writer and self.writer == get_ident())
        )

    def current(self) -> Table | None:
        """Return what is known at this moment; None when nothing read now may be kept.

        Raises FileMissingError when the file under us was deleted, cut or replaced.
        """
        wall, table = wall_ns(), self.table
        if not self.looked_at <= wall < self.due:
            self._look(table.sight, wall)
        token = table.sight.token()
        if not token or token != table.token:
            table = self._renewed() or _NOTHING
        return None if self.off or table is _NOTHING else table

    def _look(self, sight: Sight, wall: int) -> None:
        """Look whether what is watched is still there, before it is read."""
        sight.require_index()
        if self._sure or not 0 <= wall - self._looked_at_file < LOOK_AT_FILE_NS:
            sight.require_file()
            self._looked_at_file = wall
            self.looked = True
        # A store whose time is ahead of the clock, which was set back, asks its own time.
        behind = wall < self._now() * NS_PER_MS
        self.looked_at = wall
        self.due = 0 if self._sure or self._slow or behind else wall + LOOK_NS

    def _renewed(self) -> Table | None:
        sight = self._watch.sight()
        if sight is None:
            return None
        with self._lock:
            # A commit of ours that is under way will say itself what it changed.
            token = b"" if self.writer else sight.token()
            if not token:
                return None
            self.table = table = Table(sight, token, self._size)
        return table

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

    def slow_down(self) -> None:
        """Let every read take the way on which it is measured alone."""
        self._slow = True
        self.due = 0

    # -- our own commits: the table stays when nobody else can have committed in between

    def begun(self, transaction: Transaction) -> None:
        """Note the state that *transaction* changes; this thread has the write lock."""
        table, self._begun = self.table, None
        if table.young or table.old:
            if table.words == table.header:
                self._begun = table
                self._changes.clear()
                self._known = True
                self._base = transaction.cursor.connection.total_changes()
            else:
                self.table = Table(table.sight, b"", 0)
        self.writer = get_ident()

    def alone(self, foreseen: tuple[Key, Held | None]) -> None:
        """Note the state that one statement will change, and what the one entry holds then.

        No lock is needed: whoever commits between this look and the statement makes two changes
        of one, and the table is not kept.
        """
        self.writer = get_ident()
        table = self.table
        self._begun = None
        if table.words == table.header:
            self._begun = table
        elif table.young or table.old:
            self.table = Table(table.sight, b"", 0)
        self._changes = dict((foreseen,))
        self._known = True

    def expect(self, transaction: Transaction) -> None:
        """Say that wrote() will tell what is changed from here on."""
        if self._begun is not None and self._changed_by(transaction) != transaction.told:
            self._known = False

    def _changed_by(self, transaction: Transaction) -> int:
        """Count the rows that were changed since the begin; what is undone still counts."""
        return transaction.cursor.connection.total_changes() - self._base

    def wrote(self, transaction: Transaction, *keys: Key, held: Held | None = None) -> None:
        """Say that nothing but *keys* was changed since expect(), and what the last now holds.

        Rows that change and are not told so empty the table at the commit: to forget this call
        costs time, never truth.
        """
        if self._begun is None:
            return
        # A savepoint may take a write back: that the key was touched is all that is certain.
        alone = not self._changes and not transaction.nested
        self._changes = dict.fromkeys((*self._changes, *keys))
        if alone and held is not None:
            self._changes[held[3]] = held
        transaction.told = self._changed_by(transaction)

    def committing(self, transaction: Transaction) -> None:
        """Take the last look; what is written from here to the commit changes no entry."""
        self.expect(transaction)

    def ended(self, *, committed: bool) -> None:
        """Keep the table if ours was the only commit. No thread of ours has begun another."""
        begun, self._begun = self._begun, None
        if committed and begun is not None:
            self._carry_on(begun)
        self.writer = 0

    def _carry_on(self, begun: Table) -> None:
        token = begun.sight.token()
        with self._lock:
            if self.table is not begun or token == begun.token:
                return
            table = begun.under(token)
            if not (self._known and follows(table.header, begun.header)):
                self.table = Table(begun.sight, b"", 0)
                return
            # In place: whoever still holds the earlier table has the entry before it compares
            # the header, which is another one already.
            for key, held in self._changes.items():
                begun.young.pop(key, None)
                begun.old.pop(key, None)
                if held is not None:
                    self._put(table, held)
            self.table = table

    # -- the end, and forks

    def detach(self) -> None:
        """Answer nothing any more; release() follows when the connections are closed."""
        self.table = _NOTHING
        self._watch.end()

    def release(self) -> None:
        """Give the mapping back."""
        self._watch.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: the parent's threads may have been in the middle of something."""
        self._lock = threading.Lock()
        self.table = _NOTHING
        self._begun = None
        self.writer = 0
