"""Which codec for which format, and the one that does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

from dsfactory.codecs.codec import Codec
from dsfactory.errors import CorruptValueError, OptionError, ValueShapeError

if TYPE_CHECKING:
    from dsfactory.codecs.wires import Wire

T = TypeVar("T")


class RawCodec(Codec[bytes]):
    """Bytes as they are. A bytearray, or a memoryview of bytes, reads back as equal bytes."""

    name = "raw"
    text = False

    def __init__(self, schema: type[bytes] | None = None) -> None:
        """OptionError when *schema* is neither None nor bytes."""
        if schema not in (None, bytes):
            raise OptionError(
                f"the raw codec keeps bytes, not {schema!r}; use json or msgpack for that type",
                codec="raw",
                schema=repr(schema),
            )
        self.schema = schema

    def encode(self, value: bytes) -> bytes:
        """Return *value* as bytes; ValueShapeError for anything that is not bytes."""
        if type(value) is bytes:
            return value
        if isinstance(value, bytes | bytearray | memoryview):
            copy = bytes(value)
            # False for a memoryview of wider items: its bytes are not what it shows.
            if copy == value:
                return copy
        actual = type(value).__name__
        raise ValueShapeError(
            f"$: expected `bytes`, got `{actual}`; nothing was written",
            path="$",
            expected="bytes",
            actual=actual,
            codec="raw",
        )

    def decode(self, encoded: bytes | str) -> bytes:
        """Return *encoded*; CorruptValueError when the store held text or a number."""
        if isinstance(encoded, bytes):
            return encoded
        raise CorruptValueError(
            f"a raw value is stored as `{type(encoded).__name__}`, not as bytes; "
            "write it again or restore a backup",
            codec="raw",
        )


def _json() -> Wire:
    from dsfactory.codecs.wires import JSON

    return JSON


def _msgpack() -> Wire:
    from dsfactory.codecs.wires import MSGPACK

    return MSGPACK


# Functions, because msgspec takes 25 ms to import and a store of raw bytes never needs it.
_WIRES: dict[str, Callable[[], Wire]] = {"json": _json, "msgpack": _msgpack}


def codec_for(name: str, schema: type[T] | None = None) -> Codec[T]:
    """Return the codec of the format *name* for values of the type *schema*.

    *schema* may be a dataclass, msgspec.Struct, TypedDict, NamedTuple, attrs class, pydantic model,
    a built-in type, or a form of typing over these such as ``dict[str, Server]`` or ``X | None``.
    None means plain values: None, bool, int, float, str, list and dict with str keys; MessagePack
    adds bytes and whatever else reads back equal.

    Raises OptionError for an unknown name and for a type that cannot be stored, which it names
    together with the reason.
    """
    if name == "raw":
        return cast("Codec[T]", RawCodec(cast("Any", schema)))
    wire = _WIRES.get(name) if isinstance(name, str) else None
    if wire is None:
        raise OptionError(
            f"no codec {name!r}; choose one of {', '.join(sorted([*_WIRES, 'raw']))}", codec=name
        )
    return _checked(wire(), schema)


def _checked(wire: Wire, schema: type[T] | None) -> Codec[T]:
    from dsfactory.codecs.schemas import examine

    if schema is None:
        from dsfactory.codecs.plain import PlainCodec

        return cast("Codec[T]", PlainCodec(wire))
    traits = examine(schema)
    if traits.pydantic:
        from dsfactory.codecs.models import ModelCodec

        return ModelCodec(wire, schema, traits)
    from dsfactory.codecs.typed import TypedCodec

    return TypedCodec(wire, schema, traits)
