"""Which entry goes when a store is full: one row a policy.

All policies keep their order in access.seq, which is indexed, and give new entries the highest
number (a trigger does): the next to go is found, and a use is written, by looking at the ends of
ranges. Whatever order one policy left is a valid beginning for every other.

fifo    seq is the order of insertion.
lru     seq is the order of the last use.
lfu     seq is the number of uses, and below that the order among entries used as often.
sieve   seq is the order of insertion; what the hand has passed lies a lap of 2^32 lower. Zhang,
        Yang, Yue, Vigfusson, Rashmi: SIEVE is Simpler than LRU, NSDI 2024.
s3fifo  seq is the order in the small queue, from 2^62 on, or in the main queue, below. Yang,
        Zhang, Qiu, Yue, Rashmi: FIFO Queues are All You Need for Cache Eviction, SOSP 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from dsfactory.engine import Transaction
from dsfactory.model import Key
from dsfactory.stores import sql
from dsfactory.stores.touches import Touches

LAP = 1 << 32
SMALL = 1 << 62
FARTHEST = 1 << 30
"""Laps and places that sieve may use up before the order is numbered anew."""

SMALL_SHARE = 10
"""The small queue of s3fifo is for a tenth of the entries (SOSP 2023, section 4.1)."""

ENOUGH_USES = 2
"""Uses in the small queue that lead into the main one (the same, algorithm 1: freq > 1)."""


class Candidate(NamedTuple):
    """An entry that may go."""

    entry_id: int
    size_bytes: int
    key: Key
    uses: int
    seq: int


class Ghosts:
    """Keys that s3fifo evicted from its small queue, for as long as a main queue's worth of others.

    Kept by each process for itself, as hashes in two generations: about 100 bytes a key.
    """

    def __init__(self) -> None:
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._count = 0

    def add(self, key: Key, capacity: int) -> None:
        """Remember *key* until *capacity* others have come."""
        if len(self._young) >= capacity:
            self._old, self._young = self._young, {}
        self._count += 1
        self._young[hash(key)] = self._count + capacity

    def take(self, key: Key) -> bool:
        """Forget *key*; return whether it was remembered."""
        mark = hash(key)
        until = self._young.pop(mark, 0) or self._old.pop(mark, 0)
        return until > self._count


class Turn:
    """One search for an entry to evict, in a transaction."""

    __slots__ = ("_keep", "_touches", "_write", "capacity", "ghosts", "tx")

    def __init__(self, tx: Transaction, policy: Policy, queues: Queues, keep: Key | None) -> None:
        self.tx = tx
        self.capacity = queues.capacity
        self.ghosts = queues.ghosts
        self._touches = queues.touches
        self._write = policy.used
        self._keep = keep

    def candidate(self, statement: str) -> Candidate | None:
        """Return the first entry that *statement* finds, all its uses known; None without any."""
        while True:
            rows = self.tx.rows(statement, (self._keep,))
            if not rows:
                return None
            found = Candidate(*rows[0])
            if self._write is None or found.key not in self._touches:
                return found
            self._touches.flush(self.tx, self._write)


class Queues:
    """What a store keeps in memory for its policy."""

    def __init__(self, capacity: int | None) -> None:
        self.capacity = capacity
        self.touches = Touches()
        self.ghosts = Ghosts()


class Policy(NamedTuple):
    """How entries are ordered, and which goes first."""

    name: str
    used: str | None
    """Writes a use; None where uses do not matter."""
    choose: Callable[[Turn], Candidate | None] | None
    """The next to go; None where nothing does."""
    place: Callable[[Transaction, int | None, Queues], None] | None = None
    """Puts entries in their place that were inserted after a seq; None where that is the end."""
    insert_is_use: bool = False
    """Whether a new entry comes after all that were used before, written or not."""


def _oldest(turn: Turn) -> Candidate | None:
    return turn.candidate(sql.OLDEST)


def _at_hand(turn: Turn) -> Candidate | None:
    while True:
        found = turn.candidate(sql.AT_HAND) or turn.candidate(sql.OLDEST)
        if found is None:
            return None
        if not -FARTHEST * LAP < found.seq < LAP or found.seq % LAP > LAP - FARTHEST:
            turn.tx.run(sql.RENUMBER)
        elif not found.uses:
            return found
        else:
            turn.tx.run(sql.PASSED, (found.entry_id,))


def _from_queues(turn: Turn) -> Candidate | None:
    ((small, entries),) = turn.tx.rows(sql.SPANS)
    capacity = turn.capacity or entries
    share = max(1, capacity // SMALL_SHARE)
    if small >= share:
        while found := turn.candidate(sql.SMALL_TAIL):
            if found.uses < ENOUGH_USES:
                turn.ghosts.add(found.key, capacity - share)
                return found
            turn.tx.run(sql.INTO_MAIN, (found.entry_id, 0))
            small -= 1
            if entries - small > capacity - share:
                break
    return _from_main(turn) or turn.candidate(sql.OLDEST)


def _from_main(turn: Turn) -> Candidate | None:
    while (found := turn.candidate(sql.MAIN_TAIL)) and found.uses:
        turn.tx.run(sql.INTO_MAIN, (found.entry_id, min(found.uses, 3) - 1))
    return found


def _once_used(tx: Transaction, last: int | None, _queues: Queues) -> None:
    new = tx.rows(sql.NEW_SINCE, (-1 if last is None else last,))
    if last is not None and last >= SMALL:  # left by s3fifo: more than any number of uses
        tx.run(sql.RENUMBER)
    tx.many(sql.USED_ONCE, [(entry_id,) for entry_id, _ in new])


def _queued(tx: Transaction, last: int | None, queues: Queues) -> None:
    if last is None or last < SMALL:
        last = last or 0
        tx.run(sql.INTO_SMALL, (last,))
        last = SMALL
    for entry_id, key in tx.rows(sql.NEW_SINCE, (last,)):
        if queues.ghosts.take(key):
            tx.run(sql.INTO_MAIN, (entry_id, 0))


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("lru", sql.USED_LAST, _oldest, insert_is_use=True),
        Policy("fifo", None, _oldest),
        Policy("lfu", sql.USED_OFTEN, _oldest, _once_used),
        Policy("sieve", sql.VISITED, _at_hand),
        Policy("s3fifo", sql.USED_AGAIN, _from_queues, _queued),
        Policy("none", None, None),
    )
}
