"""What the commands about numeric series share: which store, which series, which times."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

from dsfactory.cli.opening import existing_factory, required_record
from dsfactory.clock import SystemClock
from dsfactory.durations import duration_ms
from dsfactory.errors import FeatureError, OptionError
from dsfactory.factory import DataStoreFactory
from dsfactory.stores import DataStore, MetricsStore

HOUR_MS = 3_600_000
MAX_DIGITS = 20
"""Of a time in milliseconds: more than any has, fewer than Python refuses."""


class Interval(NamedTuple):
    """What --start and --end say, in milliseconds; None where one was not given."""

    start: int | None
    end: int | None
    now: int


F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("prometheus", "openmetrics", "csv", "jsonl", "arrow", "parquet")
"""Those of the exchange; written down again so that help imports no numpy. A test compares."""


def metrics_store(factory: DataStoreFactory, name: str) -> MetricsStore[Any]:
    """Return the metrics store *name*; FeatureError when it is of another kind."""
    required_record(factory, name)
    return _of_metrics(factory.get_store(name))


@contextlib.contextmanager
def looking_at_metrics(root: Path | None, name: str) -> Iterator[MetricsStore[Any]]:
    """Lend the metrics store *name* for reading, which leaves no trace."""
    with existing_factory(root) as factory:
        required_record(factory, name)
        with factory.look(name) as store:
            yield _of_metrics(store)


def _of_metrics(store: DataStore[Any]) -> MetricsStore[Any]:
    if not isinstance(store, MetricsStore):
        raise FeatureError(
            f"{store.name} is a {store.kind} store; only metrics stores hold series.",
            store=store.name,
        )
    return store


def moment(text: str | None, now: int) -> int | None:
    """Return what *text* says in milliseconds since the epoch; None says nothing.

    "now", how long ago ("6h"), milliseconds (13 digits), or ISO 8601 in local time unless it has
    a zone. Raises OptionError for anything else.
    """
    if text is None:
        return None
    if text == "now":
        return now
    if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS:
        return int(text)
    if text[:1].isdigit() and text[-1].isalpha() and "-" not in text:
        return now - duration_ms(text, "time")
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):  # the latter in local time at either end of the calendar
        raise OptionError(
            f"{text!r} is no time; allowed: now, how long ago (6h, 7d), 2026-01-31, "
            "2026-01-31T08:00, or milliseconds since 1970.",
            option="time",
        ) from None
    return (found - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def present() -> int:
    """Return the machine's time."""
    return SystemClock().now_ms()


def label_option(function: F) -> F:
    """Give a command ``--label``, as *labels*: the matchers of a query."""
    return click.option(
        "--label",
        "-l",
        "labels",
        multiple=True,
        metavar="MATCHER",
        help="Only these series: route=/x, or !=, =~, !~; may be repeated.",
    )(function)


def interval_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--start`` and ``--end``, as *interval*."""

    @wraps(function)
    def with_interval(*, start: str | None, end: str | None, **others: Any) -> Any:
        now = present()
        return function(interval=Interval(moment(start, now), moment(end, now), now), **others)

    from_then = click.option("--start", metavar="TIME", help="From then on: 6h (ago), 2026-01-31.")
    before = click.option("--end", metavar="TIME", help="Before then: now, 1h (ago), 2026-01-31.")
    return from_then(before(with_interval))


def skip_option(function: F) -> F:
    """Give a command ``--skip-damaged``, as *damaged*: "skip" or "raise"."""
    return click.option(
        "--skip-damaged",
        "damaged",
        flag_value="skip",
        default="raise",
        help="Leave damaged blocks out instead of failing.",
    )(function)
