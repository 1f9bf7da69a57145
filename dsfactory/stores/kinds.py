"""The five kinds of store. What sets them apart is mostly data: see options.py and profiles/."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from dsfactory.model import Kind
from dsfactory.stores.metrics import MetricsStore
from dsfactory.stores.store import DataStore
from dsfactory.stores.versions import VersionedStore

T = TypeVar("T")


class ConfigStore(VersionedStore[T]):
    """Validated settings: every save is a version that can be read, compared and restored."""


class CacheStore(DataStore[T]):
    """Values that may be thrown away: bounded, the least recently used going first."""


class StateStore(DataStore[T]):
    """Service state that must not be lost: acknowledged means on disk."""


class CustomStore(VersionedStore[T]):
    """A store of the features that the application chose."""


CLASSES: Mapping[Kind, type[DataStore[Any]]] = {
    Kind.CONFIG: ConfigStore,
    Kind.METRICS: MetricsStore,
    Kind.CACHE: CacheStore,
    Kind.STATE: StateStore,
    Kind.CUSTOM: CustomStore,
}
