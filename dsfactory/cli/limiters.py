"""What the commands about rate limiters share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dsfactory.cli.opening import required_record
from dsfactory.factory import DataStoreFactory
from dsfactory.services import RateLimiter
from dsfactory.services.limits import SavedLimits

if TYPE_CHECKING:
    from dsfactory.services.limits import Limits

F = TypeVar("F", bound=Callable[..., Any])


def name_option(function: F) -> F:
    """Give a command ``--name``, as *name*."""
    return click.option(
        "--name", default="rate-limits", show_default=True, help="The store of the limiter."
    )(function)


def existing_limiter(factory: DataStoreFactory, name: str) -> RateLimiter:
    """Return the limiter of the store *name*; AbsentError when there is no such store."""
    required_record(factory, name)
    return RateLimiter(factory, name=name)


@contextlib.contextmanager
def saved_limits(factory: DataStoreFactory, name: str) -> Iterator[SavedLimits]:
    """Lend the limiter of the store *name* for looking, which leaves no trace."""
    required_record(factory, name)
    with SavedLimits.looked_at(factory, name) as limits:
        yield limits


def limit_facts(limits: Limits) -> Iterator[tuple[str, str]]:
    """Return what *limits* say, a pair a line."""
    for name in ("per_minute", "per_hour", "per_day", "burst"):
        value = getattr(limits, name)
        if value is not None:
            yield name.replace("_", " "), f"{value:,}"
    yield "safety margin", f"{limits.safety_margin:g}"
    yield "algorithm", limits.algorithm
    yield "time zone", limits.timezone
