"""Records: classes whose instances have named fields, whoever made them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

# One row per library: the attribute that marks its classes, and the names of their fields.
_KINDS: tuple[tuple[str, Callable[[Any], tuple[str, ...]]], ...] = (
    ("__struct_fields__", lambda cls: cls.__struct_fields__),
    ("__pydantic_fields__", lambda cls: (*cls.__pydantic_fields__, "__pydantic_extra__")),
    ("__dataclass_fields__", lambda cls: tuple(f.name for f in dataclasses.fields(cls))),
    ("__attrs_attrs__", lambda cls: tuple(a.name for a in cls.__attrs_attrs__)),
)


def field_names(cls: Any) -> tuple[str, ...] | None:
    """Return the names of the fields of instances of *cls*; None when *cls* is no record class."""
    for mark, names in _KINDS:
        if hasattr(cls, mark):
            return names(cls)
    return None


def compares_every_field(cls: type) -> bool:
    """Whether ``==`` between instances of *cls* looks at the class and at all fields.

    False when in doubt: an ``__eq__`` written by hand, a field with ``compare=False``, or an
    ``__eq__`` inherited from a class with fewer fields.
    """
    code = getattr(cls.__eq__, "__code__", None)
    # In C: Struct's, tuple's, or object's, which never says "equal" of two objects.
    if code is None or cls.__eq__.__module__ == "pydantic.main":
        return True
    # dataclasses and attrs compile theirs from text under these names.
    generated = code.co_filename.startswith(("<string>", "<attrs generated"))
    return generated and "__eq__" in vars(cls) and all(_compared(cls))


def _compared(cls: Any) -> Iterator[bool]:
    if dataclasses.is_dataclass(cls):
        yield from (field.compare for field in dataclasses.fields(cls))
    for attribute in getattr(cls, "__attrs_attrs__", ()):
        yield attribute.eq is True and attribute.eq_key is None
