"""Values that may be handed to several callers, because none of them can change it."""

from __future__ import annotations

import datetime
import enum
import functools
from dataclasses import fields, is_dataclass
from typing import Any

# By their exact type: a subclass may have attributes.
_SCALARS = frozenset(
    {
        type(None),
        bool,
        int,
        float,
        str,
        bytes,
        datetime.date,
        datetime.time,
        datetime.datetime,
        datetime.timedelta,
    }
)
_CONTAINERS = frozenset({tuple, frozenset})
_NAMED = frozenset({("decimal", "Decimal"), ("uuid", "UUID")})  # 3 ms to import


def is_unchangeable(value: Any) -> bool:
    """Whether *value* and everything in it stays as it is; False in doubt.

    True for scalars, tuples, frozensets, members of enums, frozen dataclasses and frozen Structs
    of such. What object.__setattr__ does to a frozen one is on whoever calls it.
    """
    kind: Any = type(value)
    if kind in _SCALARS:
        return True
    if kind in _CONTAINERS:
        return all(map(is_unchangeable, value))
    names = _fixed_fields(kind)
    return names is not None and all(is_unchangeable(getattr(value, name)) for name in names)


@functools.lru_cache(maxsize=256)
def _fixed_fields(kind: Any) -> tuple[str, ...] | None:
    """The names of what a value of *kind* holds for good; None when it can be changed itself."""
    if issubclass(kind, enum.Enum) or (kind.__module__, kind.__qualname__) in _NAMED:
        return ()
    if is_dataclass(kind):
        names = tuple(field.name for field in fields(kind))
        parameters = vars(kind).get("__dataclass_params__")
        return names if parameters is not None and parameters.frozen else None
    names = getattr(kind, "__struct_fields__", ())
    return names if names and kind.__struct_config__.frozen else None
