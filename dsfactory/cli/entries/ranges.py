"""A stretch of keys: the options of ls and scan, and the page that comes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import click

from dsfactory.cli.entries.keys import KEY, shown
from dsfactory.model import Entry, Key
from dsfactory.stores import DataStore

F = TypeVar("F", bound=Callable[..., Any])
PAGE = 100


class Range(NamedTuple):
    """Which keys, and how many of them; None is no bound."""

    prefix: str | bytes | None
    start: Key | None
    end: Key | None
    limit: int | None

    def page(self, store: DataStore[Any]) -> tuple[list[Entry[Any]], Key | None]:
        """Return the entries, and the key that comes after them when there are more."""
        found: Iterator[Entry[Any]] = store.entries(
            prefix=self.prefix, start=self.start, end=self.end
        )
        page = list(found if self.limit is None else islice(found, self.limit))
        following = None if self.limit is None else next(found, None)
        return page, None if following is None else following.key


def range_options(function: F) -> F:
    """Give a command --prefix, --start, --end, --limit and --all, as *span*."""

    def with_range(*, prefix: Key | None, start: Key | None, end: Key | None, **rest: Any) -> Any:
        limit, everything = rest.pop("limit"), rest.pop("everything")
        if isinstance(prefix, int):
            raise click.UsageError("--prefix has to be text or hex:...")
        if everything and limit is not None:
            raise click.UsageError("Give --limit or --all.")
        count = None if everything else limit or PAGE
        return function(span=Range(prefix, start, end, count), **rest)

    with_range.__doc__ = function.__doc__
    with_range.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    for option in (
        click.option("--all", "everything", is_flag=True, help="However many there are."),
        click.option(
            "--limit", type=click.IntRange(min=1), metavar="N", help=f"At most so many; {PAGE}."
        ),
        click.option("--end", type=KEY, metavar="KEY", help="Up to this key, without it."),
        click.option("--start", type=KEY, metavar="KEY", help="From this key on."),
        click.option("--prefix", type=KEY, metavar="KEY", help="Keys that begin so."),
    ):
        with_range = option(with_range)
    return with_range  # type: ignore[return-value]  # called by click only


def say_more(following: Key | None) -> None:
    """Say on standard error that there are more, and where to go on."""
    if following is not None:
        click.echo(f"there are more: --start {shown(following)!r}, or --all", err=True)
