"""The config store: the contract of all kinds, and validated values without expiry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from contract.common import Store, nothing_written
from contract.expiry_contract import TTL_OPERATIONS
from contract.store_contract import StoreContract

import dsfactory as ds


@dataclass
class Settings:
    """The configuration of some application."""

    name: str
    port: int = 80
    hosts: list[str] = field(default_factory=list)


class TestConfigStore(StoreContract):
    """What every kind promises, and what only this one does."""

    kind = "config"

    @pytest.mark.parametrize("operation", TTL_OPERATIONS.values(), ids=TTL_OPERATIONS)
    @pytest.mark.parametrize("ttl", [1000, "never"])
    def test_ttl_of_config(
        self, store: Store, operation: Callable[[Store, Any], object], ttl: object
    ) -> None:
        """Settings do not expire: whoever gives a ttl hears that the feature is missing."""
        store["k"] = 1
        with nothing_written(store), pytest.raises(ds.FeatureError, match="expiry"):
            operation(store, ttl)

    @pytest.mark.parametrize("key", [True, None, "\ud800", 2**63])
    def test_key_of_history(self, store: ds.ConfigStore[Any], key: Any) -> None:
        """The operations on the history refuse the keys that all others refuse."""
        store.save(1)
        with nothing_written(store):
            for use in (
                lambda: store.history(key),
                lambda: store.version(1, key),
                lambda: store.diff(1, 1, key),
                lambda: store.rollback(1, key),
            ):
                with pytest.raises(ds.KeyRefusedError):
                    use()

    @pytest.mark.parametrize("use", ["history", "version", "diff", "rollback"])
    def test_history_after_close(self, store: ds.ConfigStore[Any], use: str) -> None:
        """The operations on the history of a closed store say that it is closed."""
        store.save(1)
        store.close()
        versions = {"history": (), "diff": (1, 1)}.get(use, (1,))
        with pytest.raises(ds.ClosedError):
            getattr(store, use)(*versions)

    def test_typed_document(self, factory: ds.DataStoreFactory) -> None:
        """Values are of the schema's type, and come back as such."""
        store = factory.create_config_store("typed", Settings)
        assert store.save(Settings("a")) == 1
        assert store.load() == Settings("a", 80, [])
        store.update_with("document", lambda old: Settings(old.name, 81, [*old.hosts, "h"]))
        assert store.load() == Settings("a", 81, ["h"])
        assert [version.value for version in store.history()] == [
            Settings("a", 81, ["h"]),
            Settings("a", 80, []),
        ]

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            (Settings("a", port="80"), r"\$\.port"),  # type: ignore[arg-type]
            (Settings("a", hosts=["h", 1]), r"\$\.hosts\[1\]"),  # type: ignore[list-item]
            ({"name": "a"}, r"\$"),
        ],
    )
    def test_value_of_wrong_shape(
        self, factory: ds.DataStoreFactory, value: Any, path: str
    ) -> None:
        """What is not of the type is refused before the write, naming the place inside of it."""
        store = factory.create_config_store("typed", Settings)
        with nothing_written(store), pytest.raises(ds.ValueShapeError, match=path):
            store.save(value)

    def test_config_without_validation(self, factory: ds.DataStoreFactory) -> None:
        """A config store needs a schema or a validator."""
        with pytest.raises(ds.OptionError, match="schema or a validator"):
            factory.create_config_store("none")
        assert factory.get_registered_stores() == []
