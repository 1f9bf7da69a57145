"""Where in a value the fault is: walks that run only after something went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NamedTuple

from msgspec import UNSET, MsgspecError

from dsfactory.codecs.records import field_names

# A place inside a value, as a chain towards the root; made into text only for a message.
Place = tuple["Place", str] | None

# A part of the original, the same part read back, and where that is.
_Pair = tuple[Any, Any, Place]

# Longer dictionary keys are cut in messages: a path is for finding the place, not for the data.
_KEY_SHOWN = 40

_UNSET = object()


class _Lost:
    """Stands for the value under a key that was not found again."""

    def __init__(self, key: object) -> None:
        text = isinstance(key, str)
        self.reason = (
            "the type has no such key, it would be lost"
            if text
            else f"a key of type `{type(key).__name__}` would not read back"
        )


class Fault(NamedTuple):
    """One place that would not read back, and why. Names types, never values."""

    path: str
    reason: str
    expected: str | None = None
    actual: str | None = None


def difference(original: Any, back: Any, mismatch: str) -> Fault | None:
    """Return the first place where *back*, which was decoded, is not what *original* holds.

    None when they agree. Allowed differences: a tuple comes back as a list where the type does not
    say tuple; NaN agrees with NaN; an aware datetime comes back as the same instant. *mismatch* is
    the sentence for two types, with ``{expected}`` and ``{actual}``.
    """
    todo: list[_Pair] = [(original, back, None)]
    while todo:
        original, back, place = todo.pop()
        pairs = _pairs(original, back, place)
        if pairs is not None:
            todo.extend(reversed(list(pairs)))
        elif not _agree(original, back):
            return _disagreement(original, back, place, mismatch)
    return None


def _pairs(original: Any, back: Any, place: Place) -> Iterable[_Pair] | None:
    """What lies below two containers of one shape; None when they are to be compared themselves."""
    names = field_names(type(back))
    if names is not None and type(original) is type(back):
        return (
            (getattr(original, name, _UNSET), getattr(back, name, _UNSET), _field(name, place))
            for name in names
        )
    if isinstance(back, dict) and isinstance(original, dict):
        return (
            (value, back[key] if key in back else _Lost(key), (place, step(key)))
            for key, value in original.items()
        )
    if _same_sequence(original, back):
        both = zip(original, back, strict=True)
        return ((*pair, (place, f"[{index}]")) for index, pair in enumerate(both))
    return None


def _field(name: str, place: Place) -> Place:
    # What pydantic keeps beside the declared fields looks like fields from outside.
    return place if name == "__pydantic_extra__" else (place, f".{name}")


def _same_sequence(original: Any, back: Any) -> bool:
    if isinstance(back, tuple):
        allowed = isinstance(original, tuple)
    else:
        # A named tuple is a record: as a list it would lose its names.
        allowed = isinstance(original, list) or (
            isinstance(original, tuple) and not hasattr(original, "_fields")
        )
    return allowed and isinstance(back, list | tuple) and len(original) == len(back)


def _agree(original: Any, back: Any) -> bool:
    if original is back:
        return True
    if field_names(type(back)) is not None:
        # Not their own __eq__: it may be generous, and the class that was written has to come back.
        return type(original) is type(back)
    if _aware(original) and _aware(back):
        # == says "different" of an hour that daylight saving repeats (PEP 495).
        return bool(original.astimezone(UTC) == back.astimezone(UTC))
    if type(original) is type(back) and original != original and back != back:  # noqa: PLR0124 NaN
        return True
    return bool(original == back)


def _aware(value: Any) -> bool:
    return isinstance(value, datetime) and value.utcoffset() is not None


def _disagreement(original: Any, back: Any, place: Place, mismatch: str) -> Fault:
    actual, expected = type(original).__name__, type(back).__name__
    if isinstance(back, _Lost):
        return Fault(render(place), back.reason, actual=actual)
    if actual == expected:
        return Fault(render(place), f"this `{actual}` would not read back equal", actual=actual)
    reason = mismatch.format(expected=expected, actual=actual)
    return Fault(render(place), reason, expected, actual)


def unencodable(value: Any, probe: Callable[[Any], object], *, only_finite: bool) -> Fault | None:
    """Return the first leaf or key of *value* for which *probe*, an encoder, raises; else None.

    With *only_finite* a NaN or an infinity is such a leaf as well.
    """
    todo: list[tuple[Any, Place]] = [(value, None)]
    seen: set[int] = set()  # records may refer back to their parent in fields that are not encoded
    while todo:
        leaf, place = todo.pop()
        below = _below(leaf, place, probe)
        if below is None:
            reason = _leaf_reason(leaf, probe, only_finite=only_finite)
            if reason is not None:
                actual = type(leaf).__name__
                return Fault(render(place), f"this `{actual}` {reason}", actual=actual)
        elif isinstance(below, Fault):
            return below
        elif id(leaf) not in seen:
            seen.add(id(leaf))
            todo.extend(reversed(below))
    return None


def _below(
    value: Any, place: Place, probe: Callable[[Any], object]
) -> list[tuple[Any, Place]] | Fault | None:
    """The parts of a container, or what is wrong with one of its keys; None for a leaf."""
    if isinstance(value, dict):
        for key in value:
            reason = _leaf_reason({key: None}, probe, only_finite=False)
            if reason is not None:
                actual = type(key).__name__
                where = render((place, step(key)))
                return Fault(where, f"a key of type `{actual}` {reason}", actual=actual)
        return [(part, (place, step(key))) for key, part in value.items()]
    if isinstance(value, list | tuple | set | frozenset):
        return [(part, (place, f"[{index}]")) for index, part in enumerate(value)]
    names = field_names(type(value))
    if names is None:
        return None
    fields = ((getattr(value, name, None), _field(name, place)) for name in names)
    return [(part, below) for part, below in fields if part is not UNSET]  # left out, not encoded


def _leaf_reason(leaf: Any, probe: Callable[[Any], object], *, only_finite: bool) -> str | None:
    if only_finite and isinstance(leaf, float) and not isfinite(leaf):
        return "is not finite, for which JSON has no form"
    try:
        probe(leaf)
    except UnicodeEncodeError:
        return "has a lone surrogate, which UTF-8 cannot hold"
    except UnicodeDecodeError:
        return "is not UTF-8, as which pydantic writes it"
    except (OverflowError, TypeError, ValueError, MsgspecError):
        # Subclasses of int have no form at all, whatever their size.
        return "is too large for this format" if type(leaf) is int else "has no form in this format"
    return None


def step(key: object) -> str:
    """Return the step of a path that leads to *key* of a dict; only text is shown, and cut."""
    if not isinstance(key, str):
        return "[...]"
    if key.isidentifier() and len(key) <= _KEY_SHOWN:
        return f".{key}"
    return f"[{key[:_KEY_SHOWN]!a}]"


def render(place: Place) -> str:
    """Return *place* as text, ``$`` being the value itself."""
    steps: list[str] = []
    while place is not None:
        place, name = place
        steps.append(name)
    return "$" + "".join(reversed(steps))
