"""The contract of every codec."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Codec(ABC, Generic[T]):
    """Turns values of one type into bytes and back; what was written reads back equal.

    Codecs hold no state between calls and may be used by several threads at once.

    Attributes:
        name: ``"json"``, ``"msgpack"`` or ``"raw"``.
        text: the encoded bytes are UTF-8 text, which a store may keep as TEXT.
        schema: the type that was asked for, or None for plain values.
    """

    name: str
    text: bool
    schema: type[Any] | None

    @abstractmethod
    def encode(self, value: T) -> bytes:
        """Return *value* as bytes that ``decode`` turns into an equal value.

        Raises ValueShapeError, which names the place inside the value (``$.servers[2].port``) and
        the types but never the value, for what would not read back; ValueTooDeepError for what is
        nested deeper than 500 containers, or contains itself.
        """

    @property
    def again(self) -> Callable[[bytes | str], T]:
        """As decode(), for bytes that decode() has taken: an error is not said in our words."""
        return self.decode

    @abstractmethod
    def decode(self, encoded: bytes | str) -> T:
        """Return the value that was encoded.

        Raises CorruptValueError, without the value in its message, for anything that is not a value
        of this codec's type. An exception that the type's own code raises and that is neither a
        ValueError nor a TypeError passes through.
        """
