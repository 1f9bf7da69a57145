"""Bad options and types: a typed error, and neither a file nor a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from factory_traces import create, traces

import dsfactory as ds
from dsfactory.model import Kind

NAN, INFINITE = float("nan"), float("inf")
DAY = 86_400_000

EVERYWHERE: list[tuple[str, Any]] = [
    ("max_retries", -1),
    ("max_retries", True),
    ("max_retries", 1.5),
    ("max_retries", None),
    ("retry_delay_ms", -1),
    ("retry_delay_ms", NAN),
    ("busy_timeout_ms", INFINITE),
    ("max_entries", 0),
    ("max_entries", -5),
    ("max_entries", "10"),
    ("max_entries", False),
    ("max_bytes", 0),
    ("max_value_bytes", 2**31),
    ("max_versions", 0),
    ("compression", 1),
    ("compression", "yes"),
    ("compression_threshold", -1),
    ("auto_cleanup", None),
    ("codec", "pickle"),
    ("codec", None),
    ("synchronous", "OFF"),
    ("page_checksums", 1),
    ("ttl", 0),
    ("ttl", -1),
    ("ttl", NAN),
    ("ttl", INFINITE),
    ("ttl", True),
    ("ttl", "soon"),
    ("ttl", "-1d"),
    ("ttl", 10**15),
    ("max_backups", 0),
    ("backup_retention", "0d"),
    ("backup_compression", 0),
]


@pytest.mark.parametrize("kind", Kind)
def test_refused_for_every_kind(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """Each bad value is refused by option, value and what is allowed; nothing is written."""
    for option, value in EVERYWHERE:
        with pytest.raises(ds.OptionError, match="allowed") as refused:
            create(factory, kind, **{option: value})
        assert option in str(refused.value)
        assert repr(value) in str(refused.value)
    assert traces(factory) == ([], [])


@pytest.mark.parametrize("kind", Kind)
def test_unknown_override(factory: ds.DataStoreFactory, kind: Kind) -> None:
    """A misspelt option is refused and listed against the real ones."""
    with pytest.raises(ds.OptionError, match=r"'max_entrys'.*allowed.*max_entries"):
        create(factory, kind, max_entrys=5)
    assert traces(factory) == ([], [])


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("cache", {"features": {"history"}}, "features is for custom stores"),
        ("state", {"features": ()}, "features is for custom stores"),
        ("custom", {"features": {"lru"}}, "lru.*access, compression, expiry, history, tags"),
        ("custom", {"features": "expiry"}, "features='expiry'.*a set out of"),
        ("config", {"ttl": DAY}, "ttl needs the feature 'expiry'"),
        ("custom", {"features": {"tags"}, "ttl": "1d"}, "ttl needs the feature 'expiry'"),
        ("cache", {"max_versions": 3}, "max_versions needs the feature 'history'"),
        ("state", {"codec": "raw", "schema": dict}, "raw codec keeps bytes"),
        ("state", {"schema": Path}, "Path.*cannot be stored"),
        ("state", {"schema": 5}, "cannot be stored"),
    ],
)
def test_combination_without_sense(
    factory: ds.DataStoreFactory, kind: str, options: dict[str, Any], words: str
) -> None:
    """Options and types that do not fit the kind or each other are refused before any write."""
    with pytest.raises(ds.OptionError, match=words):
        create(factory, kind, **options)
    assert traces(factory) == ([], [])


@pytest.mark.parametrize("validator", [5, "int", object()])
def test_validator_of_wrong_type(factory: ds.DataStoreFactory, validator: Any) -> None:
    """A validator that cannot be called is refused before there is a file."""
    with pytest.raises(ds.OptionTypeError, match="has to be a function"):
        factory.create_state_store("x", validator=validator)
    assert traces(factory) == ([], [])


def test_config_store_unvalidated(factory: ds.DataStoreFactory) -> None:
    """A config store without schema and validator is refused."""
    with pytest.raises(ds.OptionError, match="'app' needs a schema or a validator"):
        factory.create_config_store("app")
    assert traces(factory) == ([], [])


def test_no_retries(factory: ds.DataStoreFactory) -> None:
    """max_retries=0 is allowed: one attempt."""
    store = create(factory, "state", max_retries=0, retry_delay_ms=0, busy_timeout_ms=0)
    store["a"] = 1
    assert store.options.max_retries == 0


def test_refused_override_of_existing_store(factory: ds.DataStoreFactory) -> None:
    """A bad option for a store that exists changes nothing of what is recorded."""
    create(factory, "cache", max_entries=5).close()
    for options in ({"max_entries": 0}, {"max_versions": 3}, {"nonsense": 1}):
        with pytest.raises(ds.OptionError):
            create(factory, "cache", **options)
    assert factory.get_store("x").options.max_entries == 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"maintenance": "sometimes"}, "maintenance='sometimes'.*allowed: 'auto', 'manual'"),
        ({"maintenance": None}, "maintenance=None.*allowed"),
        ({"maintenance_interval": 0}, "maintenance_interval=0.*allowed"),
        ({"maintenance_interval": -1}, "maintenance_interval=-1.*allowed"),
        ({"maintenance_interval": NAN}, "maintenance_interval=nan.*allowed"),
        ({"maintenance_interval": "often"}, "maintenance_interval='often'.*allowed"),
    ],
)
def test_factory_option_refused(root: Path, options: dict[str, Any], words: str) -> None:
    """A factory's own bad options are refused before its directory is made."""
    with pytest.raises(ds.OptionError, match=words):
        ds.DataStoreFactory(root, **options)
    assert not root.exists()
