"""The fields of a record class as its author declared them, annotations included."""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from typing import Any, NamedTuple

from dsfactory.codecs.records import field_names


class Declared(NamedTuple):
    """One field of a record class."""

    attribute: str
    """What an instance has it as; of a TypedDict, the key."""
    annotation: Any
    """With whatever ``Annotated`` says of it."""


def declared_fields(cls: Any) -> Mapping[str, Declared] | None:
    """Return the fields of *cls* by the names under which they are stored; None of no record.

    Records are dataclasses, Structs, TypedDicts, attrs and pydantic classes.
    """
    cls = typing.get_origin(cls) or cls
    return _declared(cls) if isinstance(cls, type) else None


@functools.lru_cache(maxsize=256)
def _declared(cls: Any) -> Mapping[str, Declared] | None:
    if typing.is_typeddict(cls):
        return {name: Declared(name, hint) for name, hint in _hints(cls).items()}
    names = field_names(cls)
    if names is None:
        return None
    hints = _hints(cls)
    # A Struct may store its fields under other names.
    stored = getattr(cls, "__struct_encode_fields__", names)
    pairs = zip(stored, names, strict=True)
    return {
        name: Declared(attribute, hints[attribute])
        for name, attribute in pairs
        if attribute in hints
    }


def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls, include_extras=True)
