"""Values of a type that msgspec validates."""

from __future__ import annotations

from typing import TypeVar

from dsfactory.codecs.checked import CheckedCodec
from dsfactory.codecs.traits import Traits
from dsfactory.codecs.wires import Wire

T = TypeVar("T")


class TypedCodec(CheckedCodec[T]):
    """Values of a dataclass, Struct, TypedDict, attrs class, or a form over built-in types.

    Both ways validate. The value is an instance of the type itself, not of a subclass. A tuple
    where the type says list, or Any, reads back as a list. Attributes that are not fields are not
    stored. msgspec leaves out the fields of attrs classes whose names begin with an underscore: one
    that does not hold its default is refused.
    """

    def __init__(self, wire: Wire, schema: type[T], traits: Traits) -> None:
        """Take a type that ``examine`` let through."""
        super().__init__(wire, schema, traits)
        self._read = wire.decoder_for(schema)
