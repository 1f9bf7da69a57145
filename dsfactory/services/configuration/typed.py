"""What ConfigurationManager is made of: one way to commit, and to tell what was committed."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from dsfactory.codecs.fields import declared_fields
from dsfactory.engine import forks
from dsfactory.errors import (
    AbsentError,
    ConfigurationError,
    DataStoreError,
    OptionError,
    TransactionError,
)
from dsfactory.factory import DataStoreFactory
from dsfactory.services.configuration import formats, paths
from dsfactory.services.configuration.checked import Checked
from dsfactory.services.configuration.records import AuditEntry, ConfigurationEvent, Note
from dsfactory.services.configuration.rules import Rule
from dsfactory.services.configuration.saved import SavedConfiguration, audit_store
from dsfactory.services.configuration.secret import secret_patterns
from dsfactory.services.configuration.sources import Composed, Sources
from dsfactory.services.configuration.subscribers import Hearer, Listener, Subscribers
from dsfactory.services.configuration.trail import (
    NONE,
    SECRETS,
    Mark,
    Step,
    described,
    mark_of,
    newer,
)
from dsfactory.stores import DOCUMENT

KEPT_VERSIONS = 50
"""Of a configuration that nobody said anything else of."""

T = TypeVar("T")
Edit = Callable[[Any], Any]

log = logging.getLogger("dsfactory.services.configuration")

SOURCES = "sources"
"""The key under which the config store keeps what the sources said when they were last read."""


class TypedConfiguration(SavedConfiguration[T], forks.Restarting):
    """Commits, one at a time, and the events that follow."""

    def __init__(
        self,
        factory: DataStoreFactory,
        schema: type[T],
        *,
        name: str,
        rules: Sequence[Rule],
        keep_versions: int | None,
    ) -> None:
        if isinstance(keep_versions, int) and keep_versions < 2:
            raise OptionError("keep_versions has to be 2 or more.", option="keep_versions")
        self._schema = schema
        self._checked = Checked(schema, rules)
        patterns = secret_patterns(schema)
        options: dict[str, Any] = {}
        if keep_versions is not None or factory.get_registered_store(name) is None:
            options["max_versions"] = keep_versions or KEPT_VERSIONS
        store = factory.create_config_store(name, schema, **options)
        audit = audit_store(factory, name)
        super().__init__(store, audit, patterns)
        known = [list(pattern) for pattern in patterns]
        if audit.get(SECRETS) != known:
            audit.set(SECRETS, known)
        self._lock = threading.RLock()
        self._waiting: list[Edit] = []
        newest = store.history(limit=1, plain=True)
        self._seen: Mark = mark_of(newest[0]) if newest else NONE
        self._own: set[int] = set()
        self._subscribers = Subscribers()
        self._listener: Listener | None = None
        forks.watch(self, owner=True)  # after its stores in a child, which it listens to

    def _use_sources(
        self,
        defaults: T | None,
        files: Sequence[str | os.PathLike[str]],
        prefix: str | None,
        environ: Mapping[str, str] | None,
    ) -> None:
        self._sources = Sources(
            self._schema,
            self._checked,
            defaults=defaults,
            files=files,
            prefix=prefix,
            environ=environ,
        )

    def _current(self) -> T:
        value = self._store.load()
        if value is None:
            raise AbsentError(
                f"Configuration {self.name!r} was deleted. reload() makes it anew; "
                "rollback_to_version() brings it back.",
                store=self.name,
            )
        return value

    # -- committing

    @contextlib.contextmanager
    def _reporting(self) -> Iterator[None]:
        """Tell the subscribers of a failure, and let it go on."""
        try:
            yield
        except DataStoreError as error:
            self._subscribers.tell(
                [ConfigurationEvent("error", self._seen.version, True, error=error)]
            )
            raise

    def _require_savable(self, note: Note) -> None:
        _require_source(note)
        if self._store.in_transaction:
            raise TransactionError(
                f"Configuration {self.name!r}: a save is a transaction by itself. Leave the "
                "one on its store first.",
                store=self.name,
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """One save: what is committed already gets its audit, then what is done here commits."""
        with self._lock:
            try:
                with self._store.transaction():
                    self._trail.complete()
                    yield
            except BaseException:
                self._own.clear()
                raise
            try:
                self._trail.complete()
            except DataStoreError as error:
                # It is saved. Nobody saves over it before its audit is complete.
                log.warning("the audit of %r waits: %s", self.name, type(error).__name__)
            # Before the listening thread can see it: who saves is who tells.
            self._gather()

    def _edit(self, edit: Edit, note: Note, *, save: bool, who: str | None) -> int:
        if not save:
            with self._reporting(), self._lock:
                self._checked.shaped(_all([*self._waiting, edit], self._plain()))
                self._waiting.append(edit)
            return self.version
        version = self._commit(edit, note, who)
        self._announce()
        return version

    def _commit(self, edit: Edit, note: Note, who: str | None) -> int:
        self._require_savable(note)
        with self._reporting(), self._transaction():
            return self._apply(edit, note, who)

    def _apply(self, edit: Edit, note: Note, who: str | None) -> int:
        before = self._checked.plain(self._current())
        version = self._write(before, edit(before), note, who)
        return self.version if version is None else version

    def _write(self, before: Any, after: Any, note: Note, who: str | None) -> int | None:
        """Save *after* if it is another than *before*; return the new version's number."""
        value = self._checked.value(after)
        if next(paths.changes(before, self._checked.plain(value)), None) is None:
            return None
        version = self._store.save(value, who=who, why=note.written())
        self._own.add(version)
        return version

    # -- sources and versions

    def _load_sources(self, note: Note, *, who: str | None = None) -> int:
        made: int | None = None
        if self._sources.some or self._store.load() is None:
            with self._reporting():
                composed = self._sources.compose()
            self._require_savable(note)
            with self._reporting(), self._transaction():
                made = self._take_in(composed, note, who)
        self._announce()
        if made is None:
            self._tell("reloaded")
        return self.version if made is None else made

    def _take_in(self, composed: Composed[T], note: Note, who: str | None) -> int | None:
        current = self._store.load()
        known = self._store.get(SOURCES)
        if current is None:
            before: Any = None
            after = composed.plain
            note = Note("create", "api", note.reason, note.others)
        else:
            base = self._sources.default().plain if known is None else self._checked.plain(known)
            before = self._checked.plain(current)
            after = _patched(before, paths.changes(base, composed.plain))
        places = [steps for steps, _, _, _ in paths.changes(before or {}, after)]
        others = {paths.rendered(at): composed.source(at, note.source) for at in places}
        others = {path: source for path, source in others.items() if source != note.source}
        noted = Note(note.change, note.source, note.reason, others)
        version = self._write(before, after, noted, who)
        if self._sources.some and (known is None or self._checked.plain(known) != composed.plain):
            self._store.set(SOURCES, composed.value, who=who, why="what the sources said")
        return version

    def _roll_back(self, version: int, note: Note, who: str | None) -> int:
        self._require_savable(note)
        with self._reporting(), self._transaction():
            self._checked.require(self._store.version(version))
            made = self._store.rollback(version, who=who, why=note.written())
            self._own.add(made)
        self._announce()
        return made

    def _require_sayable(self) -> None:
        """Raise ConfigurationError when TOML cannot say the configuration."""
        plain = self._plain()
        said = formats.parsed(formats.named("toml").write(plain), "toml", "the export")
        for at, _, old, _ in paths.changes(plain, self._checked.plain(self._checked.shaped(said))):
            raise ConfigurationError(
                f"{paths.rendered(at)}: TOML has no null, and the default is another. Export as "
                "JSON or YAML.",
                field=paths.rendered(at),
                type=type(old).__name__,
                rule="TOML has no null",
            )

    def audit_log(self, limit: int | None = 100) -> list[AuditEntry]:
        """As SavedConfiguration.audit_log; what a killed process left unwritten is written."""
        if not self._store.in_transaction:
            self._trail.complete()
        return super().audit_log(limit)

    # -- events

    def subscribe(self, hearer: Hearer, *events: str) -> Callable[[], None]:
        """Call *hearer* with each ConfigurationEvent from now on; return what ends that.

        *events* narrows to some of "validated", "changed", "reloaded", "rollback" and "error".
        Changes by other processes arrive within milliseconds, on a thread of their own. Events
        come one at a time, in order; what a hearer raises is logged and keeps nobody else from
        hearing. Secrets are masked in events.
        """
        remove = self._subscribers.add(hearer, events)
        with self._lock:
            if self._listener is None:
                self._listen()
        return remove

    def _listen(self) -> None:
        self._listener = Listener(self._store, DOCUMENT, self._overhear, self._listening_failed)

    def _listening_failed(self, error: DataStoreError) -> None:
        self._subscribers.tell(
            [ConfigurationEvent("error", self._seen.version, False, error=error)]
        )

    def _stop_listening(self) -> None:
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def _tell(self, what: str) -> None:
        self._subscribers.tell([ConfigurationEvent(what, self._seen.version, True)])

    def _announce(self) -> None:
        """Tell of every version that was not told yet."""
        with self._lock:
            self._gather()
        self._subscribers.tell()

    def _overhear(self) -> None:
        """Tell of what others saved; what this manager saved is left to the thread that did."""
        with self._lock:
            gathered = self._gather()
        if gathered:
            self._subscribers.tell()

    def _gather(self) -> bool:
        steps = newer(self._store, self._seen)
        if steps:
            self._seen = mark_of(steps[-1].row)
        self._subscribers.note([event for step in steps for event in self._events(step)])
        self._own.clear()
        return bool(steps)

    def _events(self, step: Step) -> Iterator[ConfigurationEvent]:
        entry = described(step.row)
        here = entry.version in self._own
        shown = tuple(self._shown(step.changes()))
        told = ["validated"] if here else []
        told += {"reload": ["reloaded"], "rollback": ["rollback"]}.get(entry.change, [])
        for what in (*told, "changed"):
            yield ConfigurationEvent(what, entry.version, here, shown, entry)

    def after_fork_in_child(self) -> None:
        """Make locks that no thread of the parent holds, and listen again."""
        self._lock = threading.RLock()
        self._subscribers.after_fork()
        if self._listener is not None:
            self._listen()


def _all(edits: Sequence[Edit], plain: Any) -> Any:
    for edit in edits:
        plain = edit(plain)
    return plain


def _patched(plain: Any, changes: Iterator[paths.Change]) -> Any:
    for steps, what, _, new in changes:
        plain = paths.removed(plain, steps) if what == "removed" else paths.put(plain, steps, new)
    return plain


def _require_source(note: Note) -> None:
    known = ("file", "command", "environment", "api")
    if note.source not in known:
        raise ConfigurationError(
            f"A change comes from one of {', '.join(known)}; source says something else.",
            field="source",
            type=type(note.source).__name__,
            rule="known source",
        )


def as_given(value: Any) -> Any:
    """Return a mapping as a dict, whatever its class; all else as it is."""
    return dict(value) if isinstance(value, Mapping) else value


def value_at(value: Any, steps: paths.Steps) -> Any:
    """Return what *value*, a record, dict or list, holds at *steps*."""
    for place, step in enumerate(steps):
        found, value = _part(value, step)
        if not found:
            raise paths.absent(steps[: place + 1])
    return value


def _part(value: Any, step: paths.Step) -> tuple[bool, Any]:
    if isinstance(value, dict):
        named = {str(name): item for name, item in value.items()}
        return str(step) in named, named.get(str(step))
    if isinstance(value, (list, tuple)):
        inside = isinstance(step, int) and -len(value) <= step < len(value)
        return inside, value[step] if inside and isinstance(step, int) else None
    field = (declared_fields(type(value)) or {}).get(str(step))
    if field is None:
        return False, None
    return True, getattr(value, field.attribute)
