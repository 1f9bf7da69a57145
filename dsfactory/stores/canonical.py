"""Arguments as text: equal text for equal arguments, and for no others. No pickle."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from dsfactory.errors import KeyTypeError

DEEPEST = 50

_PLAIN: Mapping[type[Any], Callable[[Any], str]] = {
    type(None): lambda _: "None",
    bool: repr,
    int: repr,
    float: repr,
    # With its length, so that no text can look like another and a separator.
    str: lambda text: f"{len(text)}'{text}",
    bytes: lambda data: f"b'{data.hex()}'",
    Decimal: lambda number: f"Decimal({number})",
    UUID: lambda identifier: f"UUID({identifier})",
    date: lambda day: f"date({day.isoformat()})",
    datetime: lambda moment: f"datetime({moment.isoformat()},{moment.fold})",
    time: lambda moment: f"time({moment.isoformat()},{moment.fold})",
    timedelta: lambda span: f"timedelta({span.days},{span.seconds},{span.microseconds})",
}


def canonical(value: Any, depth: int = 0) -> str:
    """Return *value* as text; raise KeyTypeError for what has no such form."""
    kind = type(value)
    if depth > DEEPEST:
        raise KeyTypeError(f"An argument is nested deeper than {DEEPEST}; give key=...", type=kind)
    plain = _PLAIN.get(kind)
    if plain is not None:
        return plain(value)
    if kind in (tuple, list):
        inner = ",".join(canonical(item, depth + 1) for item in value)
        return f"({inner})" if kind is tuple else f"[{inner}]"
    if kind in (set, frozenset):
        return "{" + ",".join(sorted(canonical(item, depth + 1) for item in value)) + "}"
    if kind is dict:
        return "{" + ",".join(sorted(_pairs(value.items(), depth))) + ":}"
    return f"{kind.__module__}.{kind.__qualname__}{_parts(value, kind, depth)}"


def _pairs(pairs: Iterable[tuple[Any, Any]], depth: int) -> Iterable[str]:
    return (f"{canonical(key, depth + 1)}:{canonical(item, depth + 1)}" for key, item in pairs)


def _parts(value: Any, kind: type[Any], depth: int) -> str:
    """What tells *value* from others of its class."""
    if hasattr(kind, "__memo_key__"):
        found = value.__memo_key__
        return canonical(found() if callable(found) else found, depth + 1)
    if isinstance(value, Enum):
        return f".{value.name}"
    if isinstance(value, PurePath):
        return canonical(str(value), depth + 1)
    names = _fields(kind)
    if names is None:
        raise KeyTypeError(
            f"An argument of type {kind.__qualname__} has no canonical form to make a key of. Give "
            "memoize() key=..., a function of the arguments, or the class a __memo_key__.",
            type=kind.__qualname__,
        )
    return canonical(tuple(getattr(value, name) for name in names), depth + 1)


def _fields(kind: type[Any]) -> tuple[str, ...] | None:
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    if issubclass(kind, tuple):
        return getattr(kind, "_fields", None)
    return getattr(kind, "__struct_fields__", None)  # msgspec
