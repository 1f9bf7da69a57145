"""Settings out of environment variables: a prefix, then names nested by a double underscore."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from dsfactory.codecs.conversion import spelt
from dsfactory.codecs.fields import declared_fields
from dsfactory.errors import ConfigurationError, shown
from dsfactory.services.configuration import paths

NESTED = "__"


class Place(NamedTuple):
    """Where a variable's value goes, and of what type it has to be there."""

    steps: paths.Steps
    annotation: Any


def read_environment(schema: Any, prefix: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that the variables with *prefix* name, coerced by *schema*.

    ``APP_SERVER__PORT`` is server.port with the prefix "APP" or "APP_"; names are found whatever
    their case. Raises ConfigurationError for a variable that names no setting.
    """
    start = prefix.rstrip("_") + "_"
    if start == "_":
        raise ConfigurationError(
            "env_prefix has to have a letter or digit: every variable would be a setting.",
            field="env_prefix",
            type="str",
            rule="a prefix",
        )
    plain: dict[str, Any] = {}
    for variable in sorted(environ):
        if variable.startswith(start) and variable != start:
            names = variable[len(start) :].lstrip("_").split(NESTED)
            place = _place(schema, names, variable)
            plain = paths.put(plain, place.steps, spelt(environ[variable], place.annotation))
    return plain


def _place(schema: Any, names: list[str], variable: str) -> Place:
    place = Place((), schema)
    for name in names:
        below = next(_below(place, name), None)
        if below is None:
            raise ConfigurationError(
                f"The environment variable {shown(variable)} names no setting: "
                f"{paths.rendered(place.steps)} has no {name.lower()!r}. Correct or unset it; "
                "lists and what is in them are given as JSON, whole.",
                field=paths.rendered((*place.steps, name.lower())),
                variable=variable,
                rule="known setting",
            )
        place = below
    return place


def spelt_at(schema: Any, steps: paths.Steps, text: str) -> Any:
    """Return the plain value that *text* spells for the setting at *steps*."""
    place: Place | None = Place((), schema)
    for step in steps:
        if place is not None:
            place = next(_below(place, step) if isinstance(step, str) else _items(place), None)
    return text if place is None else spelt(text, place.annotation)


def _items(place: Place) -> Iterator[Place]:
    for annotation in _alternatives(place.annotation):
        for argument in typing.get_args(annotation)[:1]:
            yield Place((*place.steps, 0), argument)


def _below(place: Place, name: str) -> Iterator[Place]:
    for annotation in _alternatives(place.annotation):
        fields = declared_fields(annotation)
        for field, declared in (fields or {}).items():
            if field.lower() == name.lower():
                yield Place((*place.steps, field), declared.annotation)
        if typing.get_origin(annotation) is dict and name:
            yield Place((*place.steps, name.lower()), typing.get_args(annotation)[1])
        elif annotation in (dict, Any) and name:
            yield Place((*place.steps, name.lower()), Any)


def _alternatives(annotation: Any) -> Iterator[Any]:
    """The members of a union, without what ``Annotated`` says of them."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _alternatives(typing.get_args(annotation)[0])
    elif origin is typing.Union or isinstance(annotation, types.UnionType):
        for member in typing.get_args(annotation):
            yield from _alternatives(member)
    else:
        yield annotation
