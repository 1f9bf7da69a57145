"""msgspec's and pydantic's error messages, cleaned of the values that some of them quote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeGuard

import msgspec

from dsfactory.codecs.faults import Fault, step

if TYPE_CHECKING:
    from pydantic import ValidationError

_AT = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`(?P<path>.*)`)?", re.DOTALL)
_TYPES = re.compile(r"Expected `(?P<expected>[^`]*)`(?:, got `(?P<actual>[^`]*)`)?")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `\w{1,40}`")

# Beginnings of msgspec 0.20-0.22 messages that quote nothing but types and declared names.
_CLEAN = (
    "Expected `",
    "Object missing required field",
    "Invalid RFC3339",
    "Invalid ISO8601",
    "Invalid UUID",
    "Invalid decimal",
    "Invalid base64",
    "Input data was truncated",
    "JSON is malformed",
    "MessagePack data is malformed",
    "Number out of range",
    "Integer value out of range",
)

# Beginnings of those that quote the value, and what is said instead.
_QUOTING = (
    ("Invalid enum value", "not one of the allowed values"),
    ("Invalid value", "not one of the known tags"),
    ("Object contains unknown field", "an unknown field"),
)


def from_msgspec(error: Exception) -> Fault:
    """Return what msgspec found, with its path, or ``$`` where it gives none."""
    if not isinstance(error, msgspec.MsgspecError):
        return Fault("$", _foreign(error))
    match = _AT.fullmatch(str(error))
    if error.__cause__ is not None or match is None:
        # Raised by a __post_init__ or a validator: the text is its author's and may quote anything.
        return Fault(_path_of(match), _own_validation(error.__cause__ or error))
    types = _TYPES.match(match["what"])
    return Fault(
        _path_of(match),
        _cleaned(match["what"]),
        expected=types and types["expected"],
        actual=types and types["actual"],
    )


def _path_of(match: re.Match[str] | None) -> str:
    return (match and match["path"]) or "$"


def _own_validation(cause: BaseException) -> str:
    return f"the type's own validation refused it with {type(cause).__name__}"


def _cleaned(what: str) -> str:
    if what.startswith(_CLEAN) or _UNKNOWN_FIELD.fullmatch(what):
        return what[0].lower() + what[1:] if what[1].islower() else what
    for beginning, instead in _QUOTING:
        if what.startswith(beginning):
            return instead
    return "does not validate"


def _foreign(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "text that is not UTF-8"
    if isinstance(error, TypeError):
        return "not of a form that this codec takes"
    return "not decodable"


def from_pydantic(error: Exception) -> Fault:
    """Return the first of pydantic's errors: its path and its code, such as ``int_type``."""
    if not _is_validation(error):
        return from_msgspec(error)
    first = _first(error)
    path = "$" + "".join(f"[{at}]" if isinstance(at, int) else step(at) for at in first["loc"])
    code, actual = first["type"], type(first.get("input")).__name__
    # The message of a custom error may quote the value; the code cannot.
    reason = f"pydantic refused this `{actual}` with `{code}`"
    if code.endswith("_type"):
        return Fault(path, reason, expected=code.removesuffix("_type"), actual=actual)
    return Fault(path, reason)


def _is_validation(error: Exception) -> TypeGuard[ValidationError]:
    # By name, because importing pydantic is left to those who use it.
    return type(error).__name__ == "ValidationError" and hasattr(error, "errors")


def _first(error: ValidationError) -> Any:
    return error.errors(include_url=False, include_context=False)[0]
