"""Several changes collected first and written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from dsfactory.durations import Duration
from dsfactory.engine import Transaction
from dsfactory.errors import TransactionError
from dsfactory.keys import checked_key
from dsfactory.model import Key

if TYPE_CHECKING:
    from dsfactory.stores.store import DataStore

T = TypeVar("T")
Step = Callable[[Transaction], object]


class Batch(Generic[T]):
    """Changes that are written together or not at all. Usable as a context manager.

    Keys and values are checked when they are added, and a value is taken as it is then.
    """

    def __init__(self, store: DataStore[T]) -> None:
        self._store = store
        self._steps: list[Step] = []
        self._bytes = 0
        self._over = False

    def set(
        self, key: Key, value: T, *, ttl: Duration | None = None, tags: Iterable[str] = ()
    ) -> Self:
        """Add a set; see DataStore.set."""
        self._require_open()
        store, key = self._store, checked_key(key)
        new = store._values.encode(key, value)
        chosen = store._checked_tags(tags)

        def step(tx: Transaction) -> None:
            store._put(tx, key, new, store._expiry(ttl, tx.now))
            store._tag(tx, key, chosen)

        self._steps.append(step)
        self._bytes += new.size
        return self

    def delete(self, key: Key) -> Self:
        """Add a delete; an absent key is no error."""
        self._require_open()
        key = checked_key(key)
        store = self._store
        self._steps.append(lambda tx: store._erase(tx, key))
        return self

    def commit(self) -> int:
        """Write everything in one transaction; return the number of changes."""
        self._require_open()
        self._over = True
        self._store._apply(self._steps, self._bytes)
        return len(self._steps)

    def rollback(self) -> None:
        """Forget everything."""
        self._require_open()
        self._over = True
        self._steps.clear()

    def __len__(self) -> int:
        return len(self._steps)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._over:
            (self.commit if error is None else self.rollback)()

    def _require_open(self) -> None:
        if self._over:
            raise TransactionError("This batch was committed or rolled back. Begin another.")
