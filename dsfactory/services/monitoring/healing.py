"""What a monitor may do by itself about an alert: named, logged, and each to be switched off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dsfactory.errors import DataStoreError
from dsfactory.model import Event

if TYPE_CHECKING:
    from logging import Logger

    from dsfactory.factory import DataStoreFactory
    from dsfactory.stores import DataStore

Opener = Callable[[], object]


def _checkpoint(store: DataStore[Any], _opener: Opener | None) -> str:
    pages, _ = store.maintain()
    return f"{pages} pages of the log copied back"


def _sweep(store: DataStore[Any], _opener: Opener | None) -> str:
    return f"{store.expire()} expired entries deleted"


def _vacuum(store: DataStore[Any], _opener: Opener | None) -> str:
    _, pages = store.maintain()
    return f"{pages} free pages given back"


def _reopen(store: DataStore[Any], opener: Opener | None) -> str:
    store.close()  # the factory forgets it, so that asking for the store opens the file anew
    if opener is None:
        return "the failed handle was let go: the next get_store() opens the file anew"
    opener()
    return "opened anew by the application's opener"


RUN: Mapping[str, Callable[[DataStore[Any], Opener | None], str]] = {
    "checkpoint": _checkpoint,
    "sweep": _sweep,
    "vacuum": _vacuum,
    "reopen": _reopen,
}
"""By the names of ACTIONS. Each returns what it did, in words."""


class Healer:
    """Runs actions on the stores that this process has open."""

    def __init__(self, factory: DataStoreFactory) -> None:
        self._factory = factory
        self.openers: dict[str, Opener] = {}

    def run(self, action: str, name: str, now: int) -> Event | None:
        """Do *action* to the store *name*; return what became of it, None if it is closed now."""
        store = next((s for s in self._factory.open_stores() if s.name == name), None)
        if store is None:
            return None
        try:
            detail = RUN[action](store, self.openers.get(name))
        except DataStoreError as error:
            _log().warning("self-healing: %s of store %s failed: %s", action, name, error)
            return Event(now, name, f"{action} failed", str(error))
        except Exception as error:  # noqa: BLE001 -- the application's opener: logged, tried again
            _log().exception("self-healing: %s of store %s failed", action, name)
            return Event(now, name, f"{action} failed", type(error).__name__)
        _log().info("self-healing: %s of store %s: %s", action, name, detail)
        return Event(now, name, action, detail)


def _log() -> Logger:
    import logging  # 3 ms at the start, for what hardly ever happens

    return logging.getLogger("dsfactory.services.monitoring")
