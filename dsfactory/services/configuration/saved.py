"""A saved configuration as it can be read without the application's schema, secrets masked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from dsfactory.checks import checked_count
from dsfactory.engine.files import replaced_at_once
from dsfactory.errors import ConfigurationError, KindConflictError, VersionAbsentError
from dsfactory.factory import DataStoreFactory
from dsfactory.services.configuration import formats, paths
from dsfactory.services.configuration.records import AuditEntry, SavedVersion
from dsfactory.services.configuration.secret import BELOW, Pattern, masked, masked_at
from dsfactory.services.configuration.trail import SECRETS, Trail, described
from dsfactory.stores import ConfigStore, CustomStore, Difference

T = TypeVar("T")

ALL_SECRET: Final[tuple[Pattern, ...]] = ((BELOW,),)


def audit_name(name: str) -> str:
    """Return the name of the store that keeps the audit of the configuration *name*."""
    return f"{name}-audit"


def audit_store(factory: DataStoreFactory, name: str) -> CustomStore[Any]:
    """Return the store that keeps the audit of the configuration *name*, made when it is new."""
    return factory.create_custom_store(audit_name(name), features={"compression"})


@contextlib.contextmanager
def _audit_looked_at(factory: DataStoreFactory, name: str) -> Iterator[CustomStore[Any] | None]:
    if factory.get_registered_store(audit_name(name)) is None:
        yield None
        return
    with factory.look(audit_name(name)) as store:
        yield store if isinstance(store, CustomStore) else None


def _noted(audit: CustomStore[Any] | None) -> list[Pattern] | None:
    known = None if audit is None else audit.get(SECRETS)
    return None if known is None else [tuple(pattern) for pattern in known]


def noted_secrets(factory: DataStoreFactory, name: str) -> Sequence[Pattern]:
    """Return where the secrets of the configuration *name* are; empty when nobody noted any."""
    with _audit_looked_at(factory, name) as audit:
        return _noted(audit) or ()


class SavedConfiguration(Generic[T]):
    """The versions and the audit of one configuration. Nothing here shows a secret unasked."""

    def __init__(
        self, store: ConfigStore[T], audit: CustomStore[Any] | None, patterns: Sequence[Pattern]
    ) -> None:
        self._store = store
        self._patterns = tuple(patterns)
        self._trail = Trail(store, audit, self._patterns)

    @classmethod
    @contextlib.contextmanager
    def looked_at(cls, factory: DataStoreFactory, name: str) -> Iterator[SavedConfiguration[Any]]:
        """Lend the configuration *name* for reading; StoreAbsentError when there is none.

        Nothing is made, noted or written. Where the secrets are is known of the manager that saved
        it; without that, all is masked.
        """
        with contextlib.ExitStack() as lent:
            store = lent.enter_context(factory.look(name))
            if not isinstance(store, ConfigStore):
                raise KindConflictError(
                    f"Store {name!r} is a {store.kind} store; a configuration is in a config "
                    "store.",
                    store=name,
                )
            audit = lent.enter_context(_audit_looked_at(factory, name))
            patterns = _noted(audit)
            yield SavedConfiguration(store, audit, ALL_SECRET if patterns is None else patterns)

    @property
    def name(self) -> str:
        """The name of the configuration and of its store."""
        return self._store.name

    @property
    def version(self) -> int:
        """The number of the current version; 0 while nothing was saved."""
        entry = self._store.history(limit=1, plain=True)
        return entry[0].version if entry else 0

    def as_dict(self, version: int | None = None, *, reveal: bool = False) -> dict[str, Any]:
        """Return the configuration as plain values, secrets masked unless *reveal*.

        *version* None is the current one. Raises VersionAbsentError when there is none.
        """
        plain = self._plain(version)
        return plain if reveal else masked(plain, self._patterns)  # type: ignore[no-any-return]

    def _plain(self, version: int | None = None) -> Any:
        rows = self._store.history(limit=1 if version is None else None, plain=True)
        for row in rows:
            if row.value is not None and version in (None, row.version):
                return row.value
        raise VersionAbsentError(
            f"Configuration {self.name!r} has no saved version"
            f"{'' if version is None else f' {version}'}. version_history() lists them.",
            store=self.name,
            version=version,
        )

    def version_history(self, limit: int | None = None) -> list[SavedVersion]:
        """Return the kept versions, newest first."""
        rows = self._store.history(limit=limit, plain=True)
        return [described(row) for row in rows if row.value is not None]

    def diff(self, old: int, new: int) -> list[Difference]:
        """Return where version *new* differs from version *old*, by path; secrets are masked.

        Raises VersionAbsentError, or CorruptValueError when a hash does not match.
        """
        self._store.diff(old, new)  # both are there, and are what was saved
        before, after = self._plain(old), self._plain(new)
        return self._shown(list(paths.changes(before, after)))

    def _shown(self, changes: Sequence[paths.Change]) -> list[Difference]:
        return paths.differences(
            (at, what, masked_at(old, at, self._patterns), masked_at(new, at, self._patterns))
            for at, what, old, new in changes
        )

    def audit_log(self, limit: int | None = 100) -> list[AuditEntry]:
        """Return the newest *limit* entries of the audit, newest first; None: all there are.

        Secrets are masked. Entries outlive the versions that they tell of.
        """
        wanted = None if limit is None else checked_count("limit", limit)
        return self._trail.entries(wanted)

    def export(
        self,
        form: str | None = None,
        path: str | os.PathLike[str] | None = None,
        *,
        reveal: bool = False,
    ) -> str:
        """Return the configuration as "json" (the default), "toml" or "yaml" text.

        With *path* it is written there too, durably and for the user alone; without *form* the
        suffix says the format. Secrets are masked unless *reveal*: an import leaves what is
        masked as it is. TOML has no null: what is null is left out.
        """
        chosen = form or (formats.format_of(Path(path)) if path is not None else "json")
        text = formats.named(chosen).write(self.as_dict(reveal=reveal))
        if path is not None:
            _write(Path(path), text)
        return text


def _write(path: Path, text: str) -> None:
    try:
        with replaced_at_once(path) as scratch:
            scratch.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be written: {error.strerror or type(error).__name__}.",
            file=str(path),
            rule="writable",
        ) from error
