"""ConfigurationManager: an application's settings, typed, versioned, audited and watched."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from dsfactory.errors import ConfigurationError
from dsfactory.factory import DataStoreFactory
from dsfactory.services.configuration import formats, paths
from dsfactory.services.configuration.checked import plain_argument
from dsfactory.services.configuration.environment import spelt_at
from dsfactory.services.configuration.records import Note
from dsfactory.services.configuration.rules import Rule
from dsfactory.services.configuration.secret import unmasked
from dsfactory.services.configuration.typed import TypedConfiguration, as_given, value_at

T = TypeVar("T")

_REQUIRED: Any = object()


class ConfigurationManager(TypedConfiguration[T]):
    """Typed settings in a config store, their audit in a custom store.

    Every save is one transaction: the document, its version, who, when, why and whence. Nothing
    is cached: each read sees what any process committed last. Thread- and process-safe.
    """

    def __init__(
        self,
        factory: DataStoreFactory,
        schema: type[T],
        *,
        name: str = "configuration",
        defaults: T | None = None,
        files: Sequence[str | os.PathLike[str]] = (),
        env_prefix: str | None = None,
        environ: Mapping[str, str] | None = None,
        rules: Sequence[Rule] = (),
        keep_versions: int | None = None,
    ) -> None:
        """Open the configuration *name*, made of its sources when it is new.

        The sources: *defaults* (or those of *schema*), under *files* (TOML, JSON, YAML; later
        ones win), under the variables of *environ* (os.environ) that begin with *env_prefix*.
        What changed in them since they were last read is saved as a reload would; all processes
        of an application have to name the same sources. *rules* and the schema's own
        ``__rules__`` hold at every save. *keep_versions* (2 or more) is how many are kept, from
        then on; None: as many as before, 50 of a new configuration.

        Raises ConfigurationError, naming field, type and rule, for what a source says amiss.
        """
        super().__init__(factory, schema, name=name, rules=rules, keep_versions=keep_versions)
        self._use_sources(defaults, files, env_prefix, environ)
        self._load_sources(Note("reload", self._sources.usual, "opened"))

    # -- reading

    @property
    def config(self) -> T:
        """The current configuration: a copy of the caller's own, to be changed and saved."""
        return self._current()

    def get(self, path: str = "$", default: Any = _REQUIRED) -> Any:
        """Return the setting at *path*, such as "server.port" or 'labels["a.b"]'; secrets too.

        A place that is not there gives *default*, or raises ConfigurationError without one; so
        does a text that is no path, whatever the default.
        """
        steps = paths.steps_of(path)
        try:
            return value_at(self._current(), steps)
        except ConfigurationError:
            if default is _REQUIRED:
                raise
            return default

    def get_section(self, name: str) -> Any:
        """Return a section (a record or dict) as its own type; ConfigurationError if it is none."""
        section = self.get(name)
        if not isinstance(plain_argument(section, name), dict):
            raise ConfigurationError(
                f"{name} ({type(section).__name__}) is a setting, no section; use get().",
                field=name,
                type=type(section).__name__,
                rule="section",
            )
        return section

    def sections(self) -> list[str]:
        """Return the names of the sections at the top, in the schema's order."""
        return [name for name, part in self._plain().items() if isinstance(part, dict)]

    # -- changing

    def update(
        self,
        changes: str | Mapping[str, Any],
        value: Any = _REQUIRED,
        *,
        save: bool = True,
        who: str | None = None,
        reason: str | None = None,
        source: str = "api",
    ) -> int:
        """Change one setting, ``update("server.port", 80)``, or several by a mapping.

        A mapping's names are paths; what they give is merged into sections. All of it is saved
        in one version, or nothing. With ``save=False`` it is kept for save(), of this manager
        alone; get() does not see it. Returns the number of the current version.

        Raises ConfigurationError for an unknown name, a wrong type or a broken rule.
        """
        pairs = _pairs(changes, value)
        edits = [(steps, plain_argument(given, paths.rendered(steps))) for steps, given in pairs]
        replacing = isinstance(changes, str)

        def edit(plain: Any) -> Any:
            for steps, given in edits:
                plain = paths.put(plain, steps, given) if replacing else _over(plain, steps, given)
            return plain

        return self._edit(edit, Note("update", source, reason), save=save, who=who)

    def update_section(
        self,
        name: str,
        changes: Mapping[str, Any],
        *,
        save: bool = True,
        who: str | None = None,
        reason: str | None = None,
        source: str = "api",
    ) -> int:
        """Merge *changes* into the section *name*; as update() in all else."""
        self.get_section(name)
        steps = paths.steps_of(name)
        given = plain_argument(as_given(changes), name)
        note = Note("update", source, reason)
        return self._edit(lambda plain: _over(plain, steps, given), note, save=save, who=who)

    def remove(
        self,
        path: str,
        *,
        save: bool = True,
        who: str | None = None,
        reason: str | None = None,
        source: str = "api",
    ) -> int:
        """Bring a setting back to the schema's default, or take a key out of a dict.

        Raises ConfigurationError when it is not there, or has no default.
        """
        steps = paths.steps_of(path)
        paths.found(self._plain(), steps)
        note = Note("update", source, reason)
        return self._edit(lambda plain: paths.removed(plain, steps), note, save=save, who=who)

    def save(
        self,
        config: T | None = None,
        *,
        who: str | None = None,
        reason: str | None = None,
        source: str = "api",
    ) -> int:
        """Save *config* whole, then the updates that wait; return the current version's number.

        Updates that wait are applied to what is current at that moment, so that nothing that
        others saved meanwhile is lost. What changes nothing makes no version. A failure leaves
        the updates waiting, unless discard() drops them.
        """
        whole = None if config is None else self._checked.plain(config)
        note = Note("update", source, reason)
        self._require_savable(note)
        with self._reporting(), self._lock:  # who hears of a failure may ask the manager
            waiting = [*self._waiting]
            with self._transaction():
                version = self._apply(lambda plain: _applied(waiting, plain, whole), note, who)
            del self._waiting[: len(waiting)]
        self._announce()
        return version

    def pending(self) -> int:
        """Return how many updates wait for save()."""
        return len(self._waiting)

    def discard(self) -> None:
        """Drop the updates that wait for save()."""
        with self._lock:
            self._waiting.clear()

    def validate(self, config: T) -> None:
        """Raise ConfigurationError when *config* breaks its types or a rule; writes nothing."""
        with self._reporting():
            self._checked.value(self._checked.plain(config))
        self._tell("validated")

    def spelt(self, path: str, text: str) -> Any:
        """Return the value that *text* spells for the setting at *path*, as in the environment."""
        return spelt_at(self._schema, paths.steps_of(path), text)

    # -- sources, versions

    def reload(self, *, who: str | None = None, reason: str | None = None) -> int:
        """Read files and environment again, and save what changed in them since the last time.

        A key that went from a file goes back to what is below: an earlier file, the default. What
        was updated here stays, unless the sources changed it as well. Returns the version's
        number; the event "reloaded" tells the differences. Raises ConfigurationError for what is
        amiss; everything stays as it was then.
        """
        return self._load_sources(Note("reload", self._sources.usual, reason), who=who)

    def rollback_to_version(
        self,
        version: int,
        *,
        who: str | None = None,
        reason: str | None = None,
        source: str = "api",
    ) -> int:
        """Make the configuration of *version* the current one, as a new version; return that.

        Its hash is checked, and today's types and rules have to accept it. Raises
        VersionAbsentError, CorruptValueError or ConfigurationError.
        """
        return self._roll_back(version, Note("rollback", source, reason), who)

    def export(
        self,
        form: str | None = None,
        path: str | os.PathLike[str] | None = None,
        *,
        reveal: bool = False,
    ) -> str:
        """Return the configuration as text; see SavedConfiguration.export.

        Raises ConfigurationError when TOML, which has no null, would lose a setting.
        """
        chosen = form or (formats.format_of(Path(path)) if path is not None else "json")
        if chosen == "toml":
            self._require_sayable()
        return super().export(chosen, path, reveal=reveal)

    def import_(
        self,
        content: str | os.PathLike[str],
        form: str | None = None,
        *,
        merge: bool = False,
        who: str | None = None,
        reason: str | None = None,
        source: str = "file",
    ) -> int:
        """Save what a file (a Path) or a text in the format *form* says; return the version.

        What it does not name goes to its default, or stays with *merge*. A masked secret stays as
        it is. Raises ConfigurationError; nothing is written then.
        """
        with self._reporting():
            if isinstance(content, os.PathLike):
                plain = formats.read_file(Path(content))
            else:
                plain = formats.parsed(content, form or "json", "the text")
            plain = plain_argument(plain, "$")

        def imported(current: Any) -> Any:
            known = unmasked(plain, current, self._patterns)
            return paths.merged(current, known) if merge else known

        return self._edit(imported, Note("update", source, reason), save=True, who=who)

    # -- the end

    def close(self) -> None:
        """Stop listening for other processes; the stores stay open, as the factory's."""
        self._stop_listening()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        try:
            return f"<ConfigurationManager {self.name!r} v{self.version} {self.as_dict()}>"
        except Exception as error:  # noqa: BLE001 - a repr has to say something, also of a closed one
            return f"<ConfigurationManager {self.name!r}: {type(error).__name__}>"


Edit = Callable[[Any], Any]


def _applied(waiting: Sequence[Edit], plain: Any, whole: Any) -> Any:
    plain = plain if whole is None else whole
    for edit in waiting:
        plain = edit(plain)
    return plain


def _over(plain: Any, steps: paths.Steps, given: Any) -> Any:
    if isinstance(given, dict):
        with contextlib.suppress(ConfigurationError):  # nothing there yet
            given = paths.merged(paths.found(plain, steps), given)
    return paths.put(plain, steps, given)


def _pairs(changes: str | Mapping[str, Any], value: Any) -> list[tuple[paths.Steps, Any]]:
    if isinstance(changes, str):
        if value is _REQUIRED:
            raise ConfigurationError(
                f"{changes}: update() needs the value as well.", field=changes, rule="value"
            )
        return [(paths.steps_of(changes), value)]
    if not isinstance(changes, Mapping) or value is not _REQUIRED:
        raise ConfigurationError(
            f"update() takes a path and a value, or a mapping, not a {type(changes).__name__}.",
            type=type(changes).__name__,
            rule="path or mapping",
        )
    return [(paths.steps_of(path), as_given(given)) for path, given in changes.items()]
