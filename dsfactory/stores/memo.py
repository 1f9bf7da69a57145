"""Functions that remember: a decorator over get_or_set, with keys made of the arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import update_wrapper
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from dsfactory.errors import OptionError, OptionTypeError
from dsfactory.stores.canonical import canonical

if TYPE_CHECKING:
    from dsfactory.stores.computing import ComputingStore, Wish

P = ParamSpec("P")
R = TypeVar("R")

LONGEST_NAME = 200
LONGEST_READABLE = 700
"""Bytes of arguments that stand in the key as they are; longer ones are hashed."""


class Memo(Generic[P, R]):
    """A function whose results a store keeps."""

    __wrapped__: Callable[P, R]

    def __init__(
        self,
        store: ComputingStore[Any],
        function: Callable[P, R],
        wish: Wish,
        *,
        name: str,
        key: Callable[..., Any] | None,
    ) -> None:
        update_wrapper(self, function)
        self._store = store
        self._function = function
        self._wish = wish
        self._name = name
        self._key = key
        self._signature = inspect.signature(function)
        self._names = _simple_names(self._signature)
        self._bound: tuple[Any, ...] = ()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what the store has for these arguments; compute and keep it when absent."""
        wish = self._wish._replace(key=self.key_for(*args, **kwargs))
        call: Callable[..., R] = self._function
        result: R = self._store._memoized(wish, lambda: call(*self._bound, *args, **kwargs))
        return result

    def key_for(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the key under which the store keeps the result for these arguments."""
        if self._key is not None:
            text = canonical(self._key(*self._bound, *args, **kwargs))
        else:
            text = canonical(self._named(*self._bound, *args, **kwargs))
        encoded = text.encode(errors="surrogatepass")
        if len(encoded) > LONGEST_READABLE or not text.isprintable():
            text = "#" + blake2b(encoded, digest_size=20).hexdigest()
        return f"{self._name}({text})"

    def _named(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The arguments by the names of their parameters, defaults filled in."""
        if self._names is not None and not kwargs and len(args) == len(self._names):
            return dict(zip(self._names, args, strict=True))
        given = self._signature.bind(*args, **kwargs)
        given.apply_defaults()
        return dict(given.arguments)

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Delete the result for these arguments; return whether there was one."""
        return self._store.delete(self.key_for(*args, **kwargs))

    def forget_all(self) -> int:
        """Delete every result of this function; return how many there were."""
        return self._store.delete_many(
            [key for key, _ in self._store.scan(prefix=f"{self._name}(")]
        )

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Memo[P, R]:
        """Return the method of *instance*, which then counts as the first argument."""
        if instance is None:
            return self
        bound = type(self)(self._store, self._function, self._wish, name=self._name, key=self._key)
        bound._bound = (instance,)
        return bound


class AwaitedMemo(Memo[P, R]):
    """The same for a coroutine function: calling it gives an awaitable."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return an awaitable of what the store has, or of what is computed and kept."""
        wish = self._wish._replace(key=self.key_for(*args, **kwargs))
        call: Callable[..., Any] = self._function
        waiting: Any = self._store._computed_by_await(
            wish, lambda: call(*self._bound, *args, **kwargs)
        )
        return waiting  # type: ignore[no-any-return]


def memo_of(
    store: ComputingStore[Any],
    function: Callable[P, R],
    wish: Wish,
    *,
    name: str | None,
    key: Callable[..., Any] | None,
) -> Memo[P, R]:
    """Return *function* with a memory in *store*."""
    if not callable(function):
        raise OptionTypeError("memoize() decorates functions: use it as @store.memoize().")
    if name is None:
        name = f"{function.__module__}.{function.__qualname__}"
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= LONGEST_NAME:
        raise OptionError(
            f"The name of a memoized function has to be printable text of 1 to {LONGEST_NAME} "
            "characters; give name=...",
            option="name",
        )
    kind = AwaitedMemo if inspect.iscoroutinefunction(function) else Memo
    return kind(store, function, wish, name=name, key=key)


def _simple_names(signature: inspect.Signature) -> tuple[str, ...] | None:
    """The parameters, if arguments that are given by place are theirs one by one."""
    parameters = signature.parameters.values()
    if any(p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters):
        return None
    return tuple(p.name for p in parameters)
