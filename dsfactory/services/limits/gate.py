"""A limit around work: a decorator and a context manager, for functions and for coroutines."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from dsfactory.errors import OptionTypeError

if TYPE_CHECKING:
    from dsfactory.services.limits.deciding import Decision
    from dsfactory.services.limits.limiter import RateLimiter

P = ParamSpec("P")
R = TypeVar("R")


class Gate:
    """Takes permits on the way in, every time."""

    def __init__(
        self,
        limiter: RateLimiter,
        key: str | Callable[..., str],
        cost: int,
        waiting_ms: int | None,
    ) -> None:
        self._limiter = limiter
        self._key = key
        self._cost = cost
        self._waiting_ms = waiting_ms

    def _pass(self, key: str) -> Decision:
        if self._waiting_ms is None:
            return self._limiter.require(key, self._cost)
        return self._limiter.wait(key, self._cost, timeout=self._waiting_ms)

    async def _pass_async(self, key: str) -> Decision:
        if self._waiting_ms is None:
            return await asyncio.to_thread(self._limiter.require, key, self._cost)
        return await self._limiter.wait_async(key, self._cost, timeout=self._waiting_ms)

    def _fixed_key(self) -> str:
        if not isinstance(self._key, str):
            raise OptionTypeError("A block has no arguments: its key has to be text.", option="key")
        return self._key

    def __enter__(self) -> Decision:
        return self._pass(self._fixed_key())

    def __exit__(self, *_error: object) -> None:
        pass

    async def __aenter__(self) -> Decision:
        return await self._pass_async(self._fixed_key())

    async def __aexit__(self, *_error: object) -> None:
        pass

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return *function* behind this gate; a key that is a function gets the arguments.

        A generator's permits are taken when it is made. Raises OptionTypeError for an async
        generator, which is made where nothing can be awaited.
        """
        if inspect.isasyncgenfunction(function):
            raise OptionTypeError(
                "An async generator cannot be limited from outside. Take the permits in it: "
                "`async with limiter.limited(key):`.",
                option="function",
            )
        chosen = self._key

        def key_of(*args: Any, **kwargs: Any) -> str:
            return chosen(*args, **kwargs) if callable(chosen) else chosen

        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def later(*args: P.args, **kwargs: P.kwargs) -> Any:
                await self._pass_async(key_of(*args, **kwargs))
                return await function(*args, **kwargs)

            return later  # type: ignore[return-value]  # a coroutine function for one

        @functools.wraps(function)
        def now(*args: P.args, **kwargs: P.kwargs) -> R:
            self._pass(key_of(*args, **kwargs))
            return function(*args, **kwargs)

        return now
