"""Stores opened for looking, which leaves no trace, and for writing."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from dsfactory.cli.entries.masks import Masks
from dsfactory.cli.opening import existing_factory, required_record
from dsfactory.errors import DataStoreError, FeatureError, OptionError, UsageError
from dsfactory.factory import DataStoreFactory
from dsfactory.model import Kind, StoreRecord
from dsfactory.stores import DataStore
from dsfactory.stores.versions import VersionedStore

F = TypeVar("F", bound=Callable[..., Any])


@contextlib.contextmanager
def looking_at(root: Path | None, name: str) -> Iterator[DataStore[Any]]:
    """Lend the store *name* for reading: nothing is upgraded, mended, noted or written."""
    with existing_factory(root) as factory:
        required_record(factory, name)
        with factory.look(name) as store:
            yield store


@contextlib.contextmanager
def showing(
    root: Path | None, name: str, *, reveal: bool
) -> Iterator[tuple[DataStore[Any], Masks | None]]:
    """As looking_at(), and with what hides its secrets; None with *reveal*."""
    with existing_factory(root) as factory:
        record = required_record(factory, name)
        masks = None if reveal else Masks(_secrets_of(factory, record))
        with factory.look(name) as store:
            yield store, masks


def _secrets_of(factory: DataStoreFactory, record: StoreRecord) -> Sequence[tuple[str, ...]]:
    if record.kind is not Kind.CONFIG:
        return ()
    from dsfactory.services.configuration.saved import noted_secrets

    return noted_secrets(factory, record.name)


@contextlib.contextmanager
def writing_to(
    root: Path | None, name: str, schema: str | None, *, unchecked: bool
) -> Iterator[DataStore[Any]]:
    """Lend the store *name* for writing, with the type *schema* (MODULE:NAME).

    Raises UsageError for a store of a type when neither that nor *unchecked* is given: what an
    application refuses to read must not come in unnoticed.
    """
    with existing_factory(root) as factory:
        record = required_record(factory, name)
        if schema is None and record.schema is not None and not unchecked:
            raise _needs_type(record)
        yield _opened(factory, name, schema)


def _opened(factory: DataStoreFactory, name: str, schema: str | None) -> DataStore[Any]:
    if schema is None:
        return factory.get_store(name)
    return factory.get_store(name, imported(schema, "type"))


def _needs_type(record: StoreRecord) -> UsageError:
    said = (record.schema or "").rpartition(".")
    like = f"{said[0]}:{said[2]}" if said[0] and "[" not in (record.schema or "") else "MODULE:NAME"
    return UsageError(
        f"Store {record.name!r} has values of the type {record.schema}. Say --type {like}, so that "
        "they are checked, or --unchecked."
    )


def imported(schema: str, option: str) -> Any:
    """Return what *option* names as MODULE:NAME, from the working directory too; OptionError."""
    module, colon, name = schema.partition(":")
    if not (module and colon and name):
        raise OptionError(f"--{option} {schema!r} has to be MODULE:NAME.", option=option)
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:
        raise OptionError(
            f"--{option} {schema!r} cannot be imported: {type(error).__name__}: {error}. Run this "
            "where the application's modules can be found.",
            option=option,
        ) from error
    finally:
        sys.path.remove(str(Path.cwd()))
    return found


def versioned(store: DataStore[Any]) -> VersionedStore[Any]:
    """Return *store* if it has a history; else raise FeatureError."""
    if not isinstance(store, VersionedStore) or "history" not in store.options.features:
        raise FeatureError(
            f"Store {store.name!r} keeps no history. Config stores do, and custom stores made with "
            "that feature.",
            store=store.name,
        )
    return store


def type_options(function: F) -> F:
    """Give a command ``--type`` and ``--unchecked``, as *schema* and *unchecked*."""
    function = click.option(
        "--unchecked", is_flag=True, help="Write although the store's type cannot check it."
    )(function)
    return click.option(
        "--type", "schema", metavar="MODULE:NAME", help="Check values by this type."
    )(function)


def reveal_option(function: F) -> F:
    """Give a command ``--reveal``."""
    return click.option(
        "--reveal", is_flag=True, help="Show what fields like password, token or secret hold."
    )(function)


def store_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of stores that begin so, for the shell's completion; [] when in doubt."""
    try:
        with existing_factory(context.params.get("root")) as factory:
            names = [record.name for record in factory.get_registered_stores()]
    except (DataStoreError, OSError):
        return []
    return [name for name in names if name.startswith(incomplete)]


def store_argument(function: F) -> F:
    """Give a command ``NAME``, completed by the shell."""
    return click.argument("name", shell_complete=store_names)(function)
