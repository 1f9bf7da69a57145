"""Values as JSON, in and out: what JSON has no form for is said by an object of one "$" name.

{"$hex": "00ff"}             bytes
{"$float": "nan"}            nan, inf or -inf
{"$map": [[1, "one"]]}       a mapping with keys that are no text
{"$object": {"$hex": 1}}     an object that would be taken for one of these
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, NoReturn

from dsfactory.errors import UsageError, ValueShapeError, ValueTooDeepError

FORMS = frozenset({"$hex", "$float", "$map", "$object"})


def as_json(value: Any) -> Any:
    """Return *value* made of what JSON has."""
    if isinstance(value, (bytes, bytearray)):
        return {"$hex": bytes(value).hex()}
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": str(value)}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, dict):
        return _object(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueShapeError(
        f"A value of type {type(value).__name__} has no form in JSON. Read it in Python."
    )


def _object(value: dict[Any, Any]) -> dict[str, Any]:
    if not all(isinstance(name, str) for name in value):
        return {"$map": [[as_json(name), as_json(item)] for name, item in value.items()]}
    made = {name: as_json(item) for name, item in value.items()}
    return {"$object": made} if _special(made) else made


def _special(found: dict[str, Any]) -> bool:
    return len(found) == 1 and next(iter(found)) in FORMS


def from_json(found: Any) -> Any:
    """Return the value that as_json() made *found* of; ValueShapeError for a wrong form."""
    if isinstance(found, list):
        return [from_json(item) for item in found]
    if not isinstance(found, dict):
        return found
    if not _special(found):
        return {name: from_json(item) for name, item in found.items()}
    ((form, said),) = found.items()
    try:
        return _FROM[form](said)
    except (ValueError, TypeError, AttributeError) as error:
        if isinstance(error, ValueShapeError):
            raise
        raise ValueShapeError(
            f"{form} does not hold what it should; nothing was written."
        ) from error


def _float(said: str) -> float:
    if said not in ("nan", "inf", "-inf"):
        raise ValueError
    return float(said)


def _map(said: list[Any]) -> dict[Any, Any]:
    return {from_json(name): from_json(item) for name, item in said}


def _escaped(said: dict[str, Any]) -> dict[str, Any]:
    return {name: from_json(item) for name, item in said.items()}


_FROM: dict[str, Any] = {
    "$hex": bytes.fromhex,
    "$float": _float,
    "$map": _map,
    "$object": _escaped,
}


def read(text: str | bytes, what: str) -> Any:
    """Return the value of the JSON *text*; *what* names it in errors, which never quote it.

    A name that comes twice in an object, and NaN, are refused. Raises UsageError for what is no
    JSON, ValueShapeError for wrong forms, and ValueTooDeepError.
    """
    try:
        return from_json(parsed(text))
    except RecursionError:
        raise ValueTooDeepError(f"{what} is nested too deeply; nothing was written.") from None
    except ValueShapeError:
        raise
    except json.JSONDecodeError as error:
        raise UsageError(
            f"{what} is no JSON: {error.msg} at line {error.lineno}, column {error.colno}. Text "
            "needs its quotes: '\"text\"', or --text."
        ) from None
    except ValueError as error:
        reason = "no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise UsageError(f"{what} is no JSON: {reason}.") from None


def parsed(text: str | bytes) -> Any:
    """Return what the JSON *text* says; ValueError for anything else."""
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name comes twice in one object")
    return made


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f'{name} is none; write {{"$float": "nan"}}')
