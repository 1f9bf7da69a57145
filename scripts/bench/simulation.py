"""Eviction policies in memory, straight from their papers: what the store's are checked against.

Nothing here knows dsfactory. Each class has ``access(key) -> bool``: whether the key was there; an
absent key is inserted. All entries have the same size.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable


class Fifo:
    """The oldest goes."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.kept: OrderedDict[Hashable, None] = OrderedDict()

    def access(self, key: Hashable) -> bool:
        """Use *key*."""
        if key in self.kept:
            return True
        if len(self.kept) == self.size:
            self.kept.popitem(last=False)
        self.kept[key] = None
        return False


class Lru(Fifo):
    """The least recently used goes."""

    def access(self, key: Hashable) -> bool:
        """Use *key*."""
        hit = super().access(key)
        self.kept.move_to_end(key)
        return hit


class Lfu:
    """The least often used goes; among equals, the least recently used."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.uses: dict[Hashable, int] = {}
        self.by_uses: dict[int, OrderedDict[Hashable, None]] = {}
        self.least = 1

    def access(self, key: Hashable) -> bool:
        """Use *key*."""
        hit = key in self.uses
        if hit:
            self._leave(key)
        elif len(self.uses) == self.size:
            while not self.by_uses.get(self.least):
                self.least += 1
            victim, _ = self.by_uses[self.least].popitem(last=False)
            del self.uses[victim]
        self.uses[key] = self.uses.get(key, 0) + 1
        self.by_uses.setdefault(self.uses[key], OrderedDict())[key] = None
        self.least = min(self.least, self.uses[key])
        return hit

    def _leave(self, key: Hashable) -> None:
        del self.by_uses[self.uses[key]][key]


class Node:
    """An entry in SIEVE's queue."""

    __slots__ = ("key", "newer", "older", "visited")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.visited = False
        self.newer: Node | None = None
        self.older: Node | None = None


class Sieve:
    """Zhang et al., SIEVE is Simpler than LRU, NSDI 2024, algorithm 1."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.nodes: dict[Hashable, Node] = {}
        self.head: Node | None = None
        self.tail: Node | None = None
        self.hand: Node | None = None

    def access(self, key: Hashable) -> bool:
        """Use *key*."""
        if key in self.nodes:
            self.nodes[key].visited = True
            return True
        if len(self.nodes) == self.size:
            self._evict()
        node = self.nodes[key] = Node(key)
        node.older = self.head
        if self.head is not None:
            self.head.newer = node
        self.head = node
        if self.tail is None:
            self.tail = node
        return False

    def _evict(self) -> None:
        node = self.hand or self.tail or Node(None)
        while node.visited:
            node.visited = False
            node = node.newer or self.tail or node
        self.hand = node.newer
        del self.nodes[node.key]
        if node.newer is not None:
            node.newer.older = node.older
        else:
            self.head = node.older
        if node.older is not None:
            node.older.newer = node.newer
        else:
            self.tail = node.newer


class S3Fifo:
    """Yang et al., FIFO Queues are All You Need for Cache Eviction, SOSP 2023, algorithm 1.

    The small queue has a tenth of the entries. A ghost lasts until as many keys as the main queue
    has entries became ghosts after it (section 4.2: told by their time of insertion).
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.small_size = max(1, size // 10)
        self.main_size = size - self.small_size
        self.small: deque[Hashable] = deque()
        self.main: deque[Hashable] = deque()
        self.freq: dict[Hashable, int] = {}
        self.ghosts: dict[Hashable, int] = {}
        self.time = 0

    def access(self, key: Hashable) -> bool:
        """Use *key*."""
        if key in self.freq:
            self.freq[key] = min(self.freq[key] + 1, 3)
            return True
        while len(self.freq) >= self.size:
            self._evict()
        became_ghost = self.ghosts.pop(key, None)
        if became_ghost is not None and self.time - became_ghost < self.main_size:
            self.main.append(key)
        else:
            self.small.append(key)
        self.freq[key] = 0
        return False

    def _evict(self) -> None:
        if len(self.small) >= self.small_size:
            self._evict_small()
        else:
            self._evict_main()

    def _evict_small(self) -> None:
        evicted = False
        while not evicted and self.small:
            key = self.small.popleft()
            if self.freq[key] > 1:
                self.freq[key] = 0
                self.main.append(key)
                if len(self.main) > self.main_size:
                    self._evict_main()
                    evicted = True
            else:
                self.time += 1
                self.ghosts[key] = self.time
                del self.freq[key]
                evicted = True

    def _evict_main(self) -> None:
        while self.main:
            key = self.main.popleft()
            if self.freq[key] > 0:
                self.freq[key] -= 1
                self.main.append(key)
            else:
                del self.freq[key]
                return


SIMULATIONS = {"fifo": Fifo, "lru": Lru, "lfu": Lfu, "sieve": Sieve, "s3fifo": S3Fifo}
