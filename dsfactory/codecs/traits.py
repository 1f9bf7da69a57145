"""What is known of the values of a type."""

from __future__ import annotations

from typing import Any, NamedTuple


class Traits(NamedTuple):
    """How values of a type are checked."""

    pydantic: bool  # pydantic validates it, not msgspec
    trusts_equality: bool  # == sees everything; else the slow comparison is always made
    open_ended: bool  # may nest without end: it refers to itself, or holds Any


ANYTHING = Traits(pydantic=False, trusts_equality=True, open_ended=True)


def type_name(schema: Any) -> str:
    """Return *schema* as its author would write it."""
    return schema.__qualname__ if isinstance(schema, type) else str(schema).removeprefix("typing.")
