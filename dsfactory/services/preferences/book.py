"""What every part of the manager stands on: the store, its keys, the clock, the boundary."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from dsfactory.clock import END_OF_TIME
from dsfactory.factory import DataStoreFactory
from dsfactory.services.preferences.rules import checked_name, refused
from dsfactory.services.preferences.zones import as_ms
from dsfactory.stores import StateStore

log = logging.getLogger("dsfactory.services")

Row = dict[str, Any]
Task = TypeVar("Task")

Moment = int | datetime
"""Milliseconds since the epoch, or a datetime with a time zone."""


class Book:
    """The rows of all users in one state store, each under "area/user/rest"."""

    def __init__(self, factory: DataStoreFactory, name: str) -> None:
        self._store: StateStore[Any] = factory.create_state_store(name)
        self._clock = factory.clock

    @property
    def store_name(self) -> str:
        """The name of the state store that everything is in."""
        return self._store.name

    def _now(self) -> int:
        return self._clock.now_ms()

    def _row(self, key: str) -> Row:
        """The row under *key*; an empty one, to be filled and written, when there is none."""
        return self._store.get(key) or {}


def key_of(area: str, user: object, rest: str = "") -> str:
    """Return the key of a user's row, or the prefix of all of the area; refuses bad users."""
    return f"{area}/{quoted(checked_name('user', user))}/{rest}"


def quoted(part: str) -> str:
    """Return *part* without a slash, so that no two users share a prefix."""
    return part.replace("%", "%25").replace("/", "%2F")


def unquoted(part: str) -> str:
    """Return what quoted() was given."""
    return part.replace("%2F", "/").replace("%25", "%")


def moment_ms(moment: object) -> int:
    """Return *moment* in milliseconds since the epoch; refuses a datetime without a zone."""
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        moment = as_ms(moment.astimezone(UTC))
    if type(moment) is not int or not 0 <= moment <= END_OF_TIME:
        rule = "milliseconds since the epoch, or a datetime with a time zone"
        raise refused("now", moment, rule)
    return moment


def error_of(executor: Callable[[Task], object], task: Task, place: str) -> str | None:
    """Run *executor* on *task*; return the type of what it raised, None when all went well.

    What it raised is logged by its type alone: its text may hold what the user typed.
    """
    try:
        executor(task)
    except Exception as error:  # noqa: BLE001 -- the application's code: one failure stops nothing
        kind = type(error).__name__
        log.warning("%s failed: %s", place, kind)
        return kind
    return None
