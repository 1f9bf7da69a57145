"""Values of a type made of plain ones, and of the text of an environment variable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import msgspec

from dsfactory.codecs.formats import codec_for
from dsfactory.codecs.records import field_names

if TYPE_CHECKING:
    from dsfactory.codecs.checked import CheckedCodec

T = TypeVar("T")

_SPELT = {"yes": True, "on": True, "no": False, "off": False}
"""What people write of a flag beside true, false, 1 and 0."""


class Conversion(Generic[T]):
    """Between values of one type and plain ones: None, bool, int, float, str, list, dict."""

    def __init__(self, schema: type[T]) -> None:
        """Raise OptionError for a type that cannot be stored."""
        codec = codec_for("json", schema)
        self._codec: CheckedCodec[T] = cast("CheckedCodec[T]", codec)  # all but raw ones are

    def value(self, plain: Any) -> T:
        """Return the value that *plain* says; raise ValueShapeError when it is none of the type.

        Dates, times and UUIDs may stand for their text. Names that the type does not know are
        passed over where it does not forbid them. Fields that *plain* lacks are set to their
        defaults, so that plain() says them as well.
        """
        return _settled(self._codec.value_of(plain_of(plain)))

    def plain(self, value: T) -> Any:
        """Return *value* as it is stored; raise ValueShapeError when it is not of the type."""
        return msgspec.json.decode(self._codec.encode(value))


def _settled(value: T) -> T:
    """Return *value* with every default in the instance.

    msgspec leaves those of dataclasses and attrs classes to the class, and writes what the
    instance has: a stored default would be another one when the class changes.
    """
    todo: list[Any] = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            todo.extend(part.values())
        elif isinstance(part, (list, tuple, set, frozenset)):
            todo.extend(part)
        else:
            todo.extend(_fields_settled(part))
    return value


def _fields_settled(part: object) -> list[Any]:
    """Return the values of a record's fields, which it has itself from now on."""
    found = {name: getattr(part, name, None) for name in field_names(type(part)) or ()}
    own = getattr(part, "__dict__", None)
    if isinstance(own, dict):
        for name, value in found.items():
            if hasattr(part, name):
                own.setdefault(name, value)
    return [*found.values()]


def plain_of(value: Any) -> Any:
    """Return *value*, records inside of it too, as plain values; TypeError when it has no form."""
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_of_model)


def _of_model(value: Any) -> Any:
    if hasattr(type(value), "__pydantic_fields__"):
        return value.model_dump(mode="json", by_alias=False, round_trip=True, warnings=False)
    raise TypeError(f"a {type(value).__name__} has no plain form")


def spelt(text: str, annotation: Any) -> Any:
    """Return the plain value that *text* spells for a place of the type *annotation*.

    Numbers, flags (true, yes, on, 1 and their opposites) and null as such, lists and objects as
    JSON, all else as text. What fits nothing stays text, for validation to refuse.
    """
    for candidate in _candidates(text):
        try:
            return plain_of(msgspec.convert(candidate, annotation, strict=False))
        except (msgspec.MsgspecError, TypeError, ValueError):
            continue
    return text


def _candidates(text: str) -> list[Any]:
    found: list[Any] = [text]
    if text.lstrip()[:1] in ("[", "{"):
        try:
            found.append(msgspec.json.decode(text))
        except msgspec.MsgspecError:
            return found
    if text.lower() in _SPELT:
        found.append(_SPELT[text.lower()])
    return found
