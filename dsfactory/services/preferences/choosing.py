"""Typed preferences: what a user chose in a scope, the schema's defaults for all the rest."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar

from dsfactory.codecs import codec_for
from dsfactory.codecs.conversion import Conversion
from dsfactory.codecs.fields import Declared, declared_fields
from dsfactory.codecs.records import field_names
from dsfactory.errors import DataStoreError, OptionError, PreferenceError, ValueRefusedError, shown
from dsfactory.services.preferences.book import Book, Row, key_of, quoted, unquoted
from dsfactory.services.preferences.rules import checked_name, refused

P = TypeVar("P")

DEFAULT_SCOPE = "default"
"""The scope of whoever names none."""

AREA = "preference"


class Form(Generic[P]):
    """A record class as a set of named preferences with defaults."""

    def __init__(self, schema: type[P]) -> None:
        if not isinstance(schema, type) or field_names(schema) is None:
            raise OptionError(
                f"schema={shown(schema)} is no dataclass, Struct, attrs or pydantic class; "
                "preferences are the fields of one.",
                option="schema",
            )
        fields = _chosen_by_callers(schema)
        self._schema: Any = schema
        self._codec = codec_for("json", schema)
        self.names = tuple(fields)
        self._hints = {name: field.annotation for name, field in fields.items()}
        try:
            Conversion(schema).value({})
        except ValueRefusedError as error:
            raise OptionError(
                f"{schema.__name__}: {_said(error)}. Every preference needs a default.",
                option="schema",
            ) from None

    def read(self, row: Row) -> P:
        """Return the preferences; names that the schema has no more are left out."""
        known = {name: value for name, value in row.items() if name in self.names}
        return self._codec.decode(json.dumps(known))

    def require_known(self, names: Iterable[object]) -> None:
        """Refuse a name that the schema does not have."""
        for name in names:
            if name not in self.names:
                raise refused(shown(name), name, f"a name of {', '.join(self.names)}")

    def changed(self, row: Row, changes: Mapping[str, object]) -> Row:
        """Return *row* with *changes*, as plain values; refuses what the schema does not allow."""
        self.require_known(changes)
        try:
            new = _replaced(self.read(row), changes)
        except DataStoreError:
            raise
        except (TypeError, ValueError) as error:
            # The schema's own check across fields; its text is the application's.
            field = ", ".join(changes)
            raise refused(field, error, f"what {self._schema.__name__} itself accepts") from error
        try:
            plain = json.loads(self._codec.encode(new))
        except ValueRefusedError as error:
            raise self._explained(error, changes) from None
        return {name: plain[name] for name in self.names if name in row or name in changes}

    def _explained(
        self, error: ValueRefusedError, changes: Mapping[str, object]
    ) -> PreferenceError:
        """Say of which preference the codec speaks, and what its annotation allows."""
        path = str(error.facts.get("path", "")).removeprefix("$.")
        name = path.split(".")[0].split("[")[0]
        if name not in changes:
            path, name = ", ".join(changes), next(iter(changes))
        rule = inspect.formatannotation(self._hints[name])
        if hasattr(self._schema, "__pydantic_fields__"):
            # Its annotations do not say all of its rules.
            rule += f" ({_said(error).partition(': ')[2]})"
        kind = None if path == name else error.facts.get("actual")
        return refused(path, changes[name], rule, kind)


def _said(error: ValueRefusedError) -> str:
    return error.message.partition("; nothing was written")[0]


def _chosen_by_callers(schema: Any) -> dict[str, Declared]:
    """The fields of *schema* that a caller may give; OptionError for one stored by another name."""
    left_out = {
        field.name
        for field in getattr(schema, "__dataclass_fields__", {}).values()
        if not field.init
    }
    fields = declared_fields(schema) or {}
    for name, field in fields.items():
        if name != field.attribute:
            raise OptionError(
                f"{schema.__name__}.{field.attribute} is stored as {name!r}; preferences have one "
                "name.",
                option="schema",
            )
    return {name: field for name, field in fields.items() if name not in left_out}


def _replaced(value: P, changes: Mapping[str, Any]) -> P:
    """Return *value* with *changes*; what its class itself checks, it checks now or when stored."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(value, **changes)
    copied = getattr(value, "model_copy", None)
    if copied is not None:  # pydantic; its constructor would want aliases
        made: P = copied(update=changes)
        return made
    kept = {name: getattr(value, name) for name in field_names(type(value)) or ()}
    return type(value)(**{**kept, **changes})


class Choosing(Book, Generic[P]):
    """Preferences by user and scope."""

    _form: Form[P]

    def get(self, user: str, *, scope: str = DEFAULT_SCOPE) -> P:
        """Return the user's preferences in *scope*; defaults stand for what was not chosen.

        Of an unknown user or scope all are defaults. A stored choice that the schema allows no
        more raises CorruptValueError, which names it: reset() it.
        """
        return self._form.read(self._row(_key(user, scope)))

    def set(self, user: str, name: str, value: object, *, scope: str = DEFAULT_SCOPE) -> P:
        """Choose one preference; return all of them. As update()."""
        return self.update(user, {name: value}, scope=scope)

    def update(self, user: str, changes: Mapping[str, object], *, scope: str = DEFAULT_SCOPE) -> P:
        """Choose several preferences, all or none; return all of the scope.

        An unknown name, a value of another type and one that the schema refuses raise
        PreferenceError with the field, the value's type and the rule.
        """
        key = _key(user, scope)
        if not isinstance(changes, Mapping):
            raise refused("changes", changes, "a mapping of names to values")
        with self._store.transaction():
            row = self._form.changed(self._row(key), changes)
            if row:
                self._store[key] = row
        return self._form.read(row)

    def reset(self, user: str, *names: str, scope: str = DEFAULT_SCOPE) -> P:
        """Go back to the defaults of *names*, or of all; return the preferences."""
        key = _key(user, scope)
        self._form.require_known(names)
        with self._store.transaction():
            row = self._row(key)
            row = {name: row[name] for name in row if names and name not in names}
            if row:
                self._store[key] = row
            else:
                self._store.delete(key)
        return self._form.read(row)

    def chosen(self, user: str, *, scope: str = DEFAULT_SCOPE) -> dict[str, Any]:
        """Return what the user chose in *scope*, without the defaults, by name."""
        row = self._row(_key(user, scope))
        whole = self._form.read(row)
        return {name: getattr(whole, name) for name in self._form.names if name in row}

    def scopes(self, user: str) -> list[str]:
        """Return the scopes in which the user chose anything, in their order."""
        return list(self._chosen_counts(user))

    def _chosen_counts(self, user: str) -> dict[str, int]:
        prefix = key_of(AREA, user)
        return {
            unquoted(str(key).removeprefix(prefix)): sum(name in self._form.names for name in row)
            for key, row in self._store.scan(prefix=prefix)
        }


def _key(user: str, scope: str) -> str:
    return key_of(AREA, user, quoted(checked_name("scope", scope)))
