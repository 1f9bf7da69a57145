"""The hot tier: entries that were read lately, in memory, true whoever commits.

What is kept (kept.py) is handed out while the WAL-index says that nobody has committed since, and
goes on to the next commit when it is known what that changed: because it is ours, or by its notice.
Values that cannot change are kept decoded, others encoded: no two callers get the same mutable
object. Nothing here locks or writes on the way of a read.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from typing import Any

from dsfactory.clock import END_OF_TIME, NS_PER_MS, wall_ns
from dsfactory.engine import Transaction, forks
from dsfactory.engine.notices import SWEPT, Notices, written
from dsfactory.engine.watch import (
    Sight,
    Token,
    Watch,
    change_of,
    commit_of,
    commits_before,
    follows,
    words_of,
)
from dsfactory.model import Key
from dsfactory.stores.kept import NOTHING, KeptEntries, Table
from dsfactory.stores.monitor import Held

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


class HotTier(KeptEntries):
    """The table of one open store."""

    def __init__(
        self,
        watch: Watch,
        notices: Notices,
        now: Callable[[], int],
        *,
        entries: int,
        size: int,
        sure: bool,
    ) -> None:
        """Keep at most *entries* of *size* encoded bytes together; 0 of either keeps nothing.

        *now* is the store's time. *sure* looks at the file at every read, for clocks that do not
        tell how time passes.
        """
        super().__init__(watch, notices, entries=entries, size=size)
        self._now = now
        self._sure = sure
        self._slow = False
        self.looked_at = self._looked_at_file = self.due = 0
        self.looked = False
        """Set with every look at the file: time to count what was only noted."""
        self._begun: Table | None = None
        self._before: Token = b""
        """What was committed when our transaction began, when others want to know of it."""
        self._changes: dict[Key, Held | None] = {}
        self._known = False
        self._base = 0
        self._watched = False
        self._notice: bytes | None = None
        self.telling = False
        forks.watch(self)

    # -- reading

    def reader(
        self, note: Callable[[Held], None], touch: Callable[[Key], None] | None
    ) -> Callable[[Key], Any]:
        """Return a function of a key: its live value or UNKNOWN; *note* and *touch* hear of hits.

        The quick way, for what was read before. It never says that a key is absent. A function
        of its own, so that nothing it needs has to be looked up.
        """
        if self.off:
            return lambda _key: UNKNOWN
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
            table.words == table.header
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
            return self.followed(table, token)
        return None if self.off or table is NOTHING else table

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

    def slow_down(self) -> None:
        """Let every read take the way on which it is measured alone."""
        self._slow = True
        self.due = 0

    # -- our own commits: the table stays when nobody else can have committed in between

    def now_and_then(self, now_ns: int) -> None:
        """Ask whether anybody listens for what is changed here."""
        self.telling = self._notices.wanted(now_ns)

    def begun(self, transaction: Transaction) -> None:
        """Note the state that *transaction* changes; this thread has the write lock."""
        self._stand()
        if self._begun is not None and not self._begun.filled:
            self._begun = None  # nothing to keep
        self._watched = self._begun is not None or bool(self._before)
        if self._watched:
            self._changes.clear()
            self._known = True
            self._base = transaction.cursor.connection.total_changes()

    def alone(self, foreseen: tuple[Key, Held | None]) -> None:
        """Note the state that one statement will change, and what the one entry holds then.

        No lock is needed: whoever commits between this look and the statement makes two changes
        of one, and the table is not kept.
        """
        self._stand()
        self._changes = {foreseen[0]: foreseen[1]}
        self._known = True
        if self._before:
            self._notice = written(self._changes)

    def _stand(self) -> None:
        """Look at what is committed; a table that is older is dropped, or left to the notices."""
        self.writer = get_ident()
        table = self.table
        self._begun, self._before = None, b""
        if table.words == table.header:
            self._begun = table
            if self.telling:
                self._before = table.token
        elif self.telling:
            sight = self._watch.sight()
            self._before = b"" if sight is None else sight.token()
        elif table.filled:
            self.table = Table(table.sight, b"", 0)

    def expect(self, transaction: Transaction) -> None:
        """Say that wrote() will tell what is changed from here on."""
        if self._watched and self._changed_by(transaction) != transaction.told:
            self._known = False

    def _changed_by(self, transaction: Transaction) -> int:
        """Count the rows that were changed since the begin; what is undone still counts."""
        return transaction.cursor.connection.total_changes() - self._base

    def wrote(self, transaction: Transaction, *keys: Key, held: Held | None = None) -> None:
        """Say that nothing but *keys* was changed since expect(), and what the last now holds.

        Rows that change and are not told so empty the table at the commit: to forget this call
        costs time, never truth.
        """
        if not self._watched:
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
        if self._before:
            keys = (*self._changes, SWEPT) if transaction.swept else self._changes
            self._notice = written(keys) if self._known else None

    def committed(self, frame: int) -> None:
        """Keep the table if ours was the only commit, and tell what it changed."""
        begun, before = self._begun, self._before
        if begun is None and not before:
            return
        sight = self._watch.sight() if begun is None else begun.sight
        token = b"" if sight is None else sight.token()
        told = isinstance(before, bytes) and before and self._tell(before, token, frame)
        if begun is not None:
            self._begun = None
            self._carry_on(begun, token, told=bool(told))

    def ended(self) -> None:
        """Let other threads make tables again."""
        self._begun, self._before = None, b""
        self.writer = 0

    def _tell(self, before: bytes, after: Token, frame: int) -> bool:
        """Tell what was changed; return whether that, or nothing, has to be known."""
        if after == before:
            return True
        names: tuple[bytes, bytes] | None = None
        if isinstance(after, bytes) and after:
            names = commit_of(before), commit_of(after)
            if change_of(names[1]) - change_of(names[0]) & 0xFFFFFFFF != 1:
                # Others have committed as well, before us or after us.
                names = commits_before(self._watch.path, before, frame)
        if names is not None:
            self._notices.tell(*names, self._notice)
        return names is not None

    def _carry_on(self, begun: Table, token: Token, *, told: bool) -> None:
        header = words_of(token)
        with self._lock:
            if self.table is not begun or token == begun.token:
                return
            if not (self._known and follows(header, begun.header)):
                if not told:  # else it goes on by our own notice, as the others' do
                    self.table = Table(begun.sight, b"", 0)
                return
            table, young, old = begun.under(token, header), begun.young, begun.old
            # In place: whoever still holds the earlier table has the entry before it compares
            # the header, which is another one already.
            for key, held in self._changes.items():
                young.pop(key, None)
                if old:
                    old.pop(key, None)
                if held is not None:
                    self._put(table, held)
            self.table = table

    # -- forks

    def after_fork_in_child(self) -> None:
        """Begin anew: the parent's threads may have been in the middle of something."""
        super().after_fork_in_child()
        self._begun, self._before = None, b""
