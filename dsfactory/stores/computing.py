"""Values that are computed when they are absent: by one caller of all threads and processes."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from dsfactory.clock import pause
from dsfactory.durations import Duration, duration_ms
from dsfactory.errors import BusyError, StorageError
from dsfactory.keys import checked_key
from dsfactory.model import Key
from dsfactory.stores import sql
from dsfactory.stores.flights import Lease
from dsfactory.stores.monitor import measured
from dsfactory.stores.writing import WritingStore

if TYPE_CHECKING:
    from dsfactory.stores.memo import Memo

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")

SHORTEST_PAUSE_S = 0.001
LONGEST_PAUSE_S = 0.02
"""How often one that waits for another process looks: 10 us of work each time."""

_ABSENT: Any = object()


class Wish(NamedTuple):
    """A value that is wanted, and how it is to be kept once computed."""

    key: Key
    ttl: Duration | None
    tags: tuple[str, ...]
    lease_ms: int
    ahead_ms: int | None


class ComputingStore(WritingStore[T]):
    """get_or_set() and memoize()."""

    @measured
    def get_or_set(
        self,
        key: Key,
        fn: Callable[[], T],
        ttl: Duration | None = None,
        *,
        tags: Iterable[str] = (),
        lease: Duration = "60s",
        refresh_ahead: Duration | None = None,
    ) -> T:
        """Return the live value; when absent, write what *fn* returns and return that.

        Of the threads and processes that ask for an absent key at once, one computes and the
        others wait. When *fn* raises, its caller gets the exception and the next one computes;
        so it does when the computing process has died, or has taken longer than *lease*. *fn*
        runs outside of any transaction, but for the caller's own: there, nobody is waited for.

        With *refresh_ahead*, one caller computes the value anew when it has less than that to
        live, and the others go on with the old one. (Vattani, Chierichetti, Lowenstein, Optimal
        Probabilistic Cache Stampede Prevention, VLDB 2015, do this by chance, for want of a lease.)
        """
        wish = self._wish(checked_key(key), ttl, tags, lease=lease, refresh_ahead=refresh_ahead)
        return self._fulfilled(wish, fn)

    @measured
    def _memoized(self, wish: Wish, fn: Callable[[], Any]) -> Any:
        """As get_or_set(), for a call of a function."""
        return self._fulfilled(wish, fn)

    def _fulfilled(self, wish: Wish, fn: Callable[[], T]) -> T:
        value, due = self._look(wish)
        if value is _ABSENT:
            value = self._waited_for(wish, fn)
        elif due:
            claim = Lease(self._database, wish.key, wish.lease_ms)
            if claim.take(self._now()):
                value = self._computed(wish, fn, claim)
        return value  # type: ignore[no-any-return]

    def memoize(
        self,
        ttl: Duration | None = None,
        *,
        name: str | None = None,
        key: Callable[..., Any] | None = None,
        tags: Iterable[str] = (),
        lease: Duration = "60s",
        refresh_ahead: Duration | None = None,
    ) -> Callable[[Callable[P, R]], Memo[P, R]]:
        """Return a decorator that keeps a function's results in this store, as get_or_set() does.

        Results are found by the function's *name* (module and qualified name) and its arguments:
        None, bool, int, float, str, bytes, date and time, Decimal, UUID, Enum members, dataclass
        and msgspec instances, named tuples, and tuples, lists, sets and dicts of these; values
        of different types differ (1, 1.0, True). Other arguments raise KeyTypeError, unless
        their class has ``__memo_key__``, an attribute of such values, or *key* makes such a value
        of the arguments. That goes for ``self`` as well. ``async def`` is awaited.

        The decorated function has ``forget(*args, **kwargs)``, ``forget_all()``, ``key_for(*args,
        **kwargs)`` and ``__wrapped__``.
        """
        from dsfactory.stores.memo import memo_of

        wish = self._wish("", ttl, tags, lease=lease, refresh_ahead=refresh_ahead)
        return lambda function: memo_of(self, function, wish, name=name, key=key)

    def _wish(
        self,
        key: Key,
        ttl: Duration | None,
        tags: Iterable[str],
        *,
        lease: Duration,
        refresh_ahead: Duration | None,
    ) -> Wish:
        ahead = None if refresh_ahead is None else duration_ms(refresh_ahead, "refresh_ahead")
        chosen = self._checked_tags(tags) if tags else ()
        if ttl is not None:
            self._expiry(ttl, self._now())  # refused before anything is computed
        return Wish(key, ttl, chosen, duration_ms(lease, "lease"), ahead)

    def _look(self, wish: Wish) -> tuple[Any, bool]:
        """Return the value, or _ABSENT, and whether it should be computed ahead of its end."""
        value = self._get(wish.key, _ABSENT)
        if value is _ABSENT or wish.ahead_ms is None or self.in_transaction:
            return value, False
        now = self._now()
        ends = self._database.rows(sql.EXPIRES_AT, (wish.key, now))
        return value, not ends or (ends[0][0] is not None and ends[0][0] - now < wish.ahead_ms)

    def _waited_for(self, wish: Wish, fn: Callable[[], T]) -> T:
        if self.in_transaction:
            # Whoever computes would wait for our write lock, and we for them.
            return self._kept(wish, fn(), None)
        with self._flights.alone(wish.key) as outermost:
            if not outermost:
                return self._kept(wish, fn(), None)
            claim = Lease(self._database, wish.key, wish.lease_ms)
            pause_s = SHORTEST_PAUSE_S
            while (value := self._now_there(wish.key)) is _ABSENT:
                if claim.take(self._now()):
                    return self._computed(wish, fn, claim, unless_there=True)
                pause(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            return value  # type: ignore[no-any-return]

    def _now_there(self, key: Key) -> Any:
        """The value that somebody computed while we waited, or _ABSENT; no lookup is counted."""
        rows = self._database.rows(sql.LIVE, (key, self._now()))
        return self._values.decode(*rows[0]) if rows else _ABSENT

    def _computed(
        self, wish: Wish, fn: Callable[[], T], claim: Lease, *, unless_there: bool = False
    ) -> T:
        with self._given_back(claim):
            if unless_there and (value := self._now_there(wish.key)) is not _ABSENT:
                claim.drop()
                return value  # type: ignore[no-any-return]
            return self._kept(wish, fn(), claim)

    async def _computed_by_await(self, wish: Wish, fn: Callable[[], Awaitable[Any]]) -> Any:
        """As get_or_set(), for a coroutine function: waiting leaves the event loop free."""
        import asyncio

        value, due = self._look(wish)
        claim = Lease(self._database, wish.key, wish.lease_ms)
        pause_s = SHORTEST_PAUSE_S
        while value is _ABSENT or due:
            if await self._taken(claim):
                return await self._awaited(wish, fn, claim, unless_there=not due)
            if due:
                break
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            value = self._now_there(wish.key)
        return value

    async def _awaited(
        self, wish: Wish, fn: Callable[[], Awaitable[Any]], claim: Lease, *, unless_there: bool
    ) -> Any:
        import asyncio

        with self._given_back(claim):
            if unless_there and (value := self._now_there(wish.key)) is not _ABSENT:
                await asyncio.to_thread(claim.drop)
                return value
            return await asyncio.to_thread(self._kept, wish, await fn(), claim)

    async def _taken(self, claim: Lease) -> bool:
        import asyncio

        taking = asyncio.ensure_future(asyncio.to_thread(claim.take, self._now()))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            if await taking:  # a thread cannot be cancelled: what it took has to go back
                claim.drop()
            raise

    def _kept(self, wish: Wish, value: T, claim: Lease | None) -> T:
        """Write *value* and give the lease back, in one transaction."""
        with self._database.write() as tx:
            self._set(wish.key, value, wish.ttl, wish.tags, None)
            if claim is not None:
                claim.drop_with(tx)
        return value

    @contextlib.contextmanager
    def _given_back(self, claim: Lease) -> Any:
        try:
            yield
        except BaseException:
            # What went wrong matters more; a lease that stays ends by itself.
            with contextlib.suppress(BusyError, StorageError):
                claim.drop()
            raise
