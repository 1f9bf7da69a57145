"""Plain settings made into the application's type, or refused by name, type and rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, TypeVar

from dsfactory.codecs.conversion import Conversion, plain_of
from dsfactory.codecs.fields import declared_fields
from dsfactory.errors import ConfigurationError, ValueRefusedError
from dsfactory.services.configuration import paths
from dsfactory.services.configuration.rules import Rule, require, rules_of

T = TypeVar("T")


class Checked(Generic[T]):
    """Turns plain settings into values of a schema and back."""

    def __init__(self, schema: type[T], rules: Sequence[Rule] = ()) -> None:
        self._conversion = Conversion(schema)
        self._rules = rules_of(schema, rules)

    def value(self, plain: Any) -> T:
        """Return what *plain* says, its types, names and rules checked."""
        value = self.shaped(plain)
        self.require(value)
        return value

    def shaped(self, plain: Any) -> T:
        """Return what *plain* says, its types and names checked, cross-field rules not yet."""
        try:
            value = self._conversion.value(plain)
        except ValueRefusedError as error:
            raise _refused(plain, error) from None
        for steps, found in _unknown(plain, value, ()):
            raise ConfigurationError(
                f"{paths.rendered(steps)} ({type(found).__name__}): there is no such setting; "
                "nothing was written. Correct the name.",
                field=paths.rendered(steps),
                type=type(found).__name__,
                rule="known setting",
            )
        return value

    def plain(self, value: T) -> Any:
        """Return *value* as it is stored; ConfigurationError when it is not of the schema."""
        try:
            return self._conversion.plain(value)
        except ValueRefusedError as error:
            raise _refused(value, error) from None

    def require(self, value: T) -> None:
        """Raise ConfigurationError for a rule that *value* breaks."""
        require(self._rules, value, self.plain(value))


def plain_argument(value: Any, path: str) -> Any:
    """Return *value*, which a caller gave for *path*, as plain values."""
    try:
        return plain_of(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise ConfigurationError(
            f"{path}: a {type(value).__name__} cannot be stored; nothing was written.",
            field=path,
            type=type(value).__name__,
            rule="storable",
        ) from None


def _refused(plain: Any, error: ValueRefusedError) -> ConfigurationError:
    path = str(error.facts.get("path", "$"))
    # Python's names where the place is known, not the format's (`null`, `object`).
    actual = _type_at(plain, path) or error.facts.get("actual")
    given = f" ({actual})" if actual else ""
    rule = error.message.partition("; nothing was written")[0].removeprefix(f"{path}: ")
    return ConfigurationError(
        f"{path}{given}: {rule}; nothing was written.", field=path, type=actual, rule=rule
    )


def _type_at(plain: Any, path: str) -> str | None:
    try:
        return type(paths.found(plain, paths.steps_of(path))).__name__
    except ConfigurationError:  # below a dict's key or a list's item: msgspec writes [...]
        return None


def _unknown(plain: Any, value: Any, place: paths.Steps) -> Iterator[tuple[paths.Steps, Any]]:
    """Where *plain* has names that did not become a part of *value*."""
    if isinstance(plain, dict):
        yield from _unknown_names(plain, value, place)
    elif isinstance(plain, (list, tuple)) and isinstance(value, (list, tuple)):
        for index, (item, made) in enumerate(zip(plain, value, strict=False)):
            yield from _unknown(item, made, (*place, index))


def _unknown_names(
    plain: dict[Any, Any], value: Any, place: paths.Steps
) -> Iterator[tuple[paths.Steps, Any]]:
    if isinstance(value, dict):
        parts = {str(name): item for name, item in value.items()}
        known = parts if all(isinstance(name, str) for name in value) else None
    else:
        fields = declared_fields(type(value))
        if fields is None:
            return
        extra = getattr(value, "__pydantic_extra__", None) or {}
        tag = getattr(getattr(value, "__struct_config__", None), "tag_field", None)
        parts = {name: getattr(value, field.attribute) for name, field in fields.items()}
        known = {**parts, **extra, **({tag: None} if tag else {})}
    for name, item in plain.items():
        if known is not None and name not in known:
            yield (*place, str(name)), item
        elif str(name) in parts:
            yield from _unknown(item, parts[str(name)], (*place, str(name)))
