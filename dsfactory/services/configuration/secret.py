"""Which settings are secret, said by annotation, and values without them."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from dsfactory.codecs.fields import declared_fields

C = TypeVar("C", bound=type)

MASK: Final = "***"
"""What stands for a secret. Given back by an import, it means: as it was."""

ANY, BELOW = "*", "**"
Pattern = tuple[str, ...]
"""Names from the top down; "*" is any item or key, "**" everything from there on."""


class Secret:
    """Marks a setting as secret: ``password: Annotated[str, Secret()]``.

    Works in dataclasses, Structs, TypedDicts, attrs and pydantic classes, in fields, list items
    and dict values. A secret is stored as it is and returned by get(); audit, export, diff,
    events and repr show a mask.
    """

    def __repr__(self) -> str:
        return "Secret()"


def secret_patterns(schema: Any) -> tuple[Pattern, ...]:
    """Return where in values of *schema* there are secrets."""
    found = tuple(dict.fromkeys(_patterns(schema, ())))
    # Types inside of themselves are masked below for the sake of secrets; without any, nothing is.
    return found if any(pattern[-1:] != (BELOW,) for pattern in found) else ()


def _patterns(annotation: Any, above: tuple[Any, ...]) -> Iterator[Pattern]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        if any(mark is Secret or isinstance(mark, Secret) for mark in annotation.__metadata__):
            yield ()
        else:
            yield from _patterns(typing.get_args(annotation)[0], above)
        return
    annotation = getattr(annotation, "__supertype__", annotation)  # NewType
    cls = origin or annotation
    if cls in above:
        # A type inside of itself: below its second appearance all of it is masked.
        yield (BELOW,)
        return
    fields = declared_fields(cls)
    if fields is not None:
        for name, field in fields.items():
            yield from _deeper(name, _patterns(field.annotation, (*above, cls)))
        return
    union = origin is typing.Union or isinstance(annotation, types.UnionType)
    for argument in typing.get_args(annotation):
        inner = _patterns(argument, above)
        yield from inner if union else _deeper(ANY, inner)


def _deeper(step: str, patterns: Iterator[Pattern]) -> Iterator[Pattern]:
    return ((step, *pattern) for pattern in patterns)


def masked(plain: Any, patterns: Sequence[Pattern], mask: str = MASK) -> Any:
    """Return *plain* with every secret replaced by *mask*; None stays, it says "not set"."""
    if plain is None or not patterns:
        return plain
    if any(pattern[:1] in ((), (BELOW,)) for pattern in patterns):
        return mask
    if isinstance(plain, dict):
        return {name: masked(item, _under(name, patterns), mask) for name, item in plain.items()}
    if isinstance(plain, list):
        inside = _under(ANY, patterns)
        return [masked(item, inside, mask) for item in plain]
    return plain


def masked_at(
    plain: Any, steps: Sequence[object], patterns: Sequence[Pattern], mask: str = MASK
) -> Any:
    """Return *plain*, which stands at *steps*, without its secrets."""
    for step in steps:
        if any(pattern[:1] in ((), (BELOW,)) for pattern in patterns):
            break
        patterns = _under(str(step) if isinstance(step, str) else ANY, patterns)
    return masked(plain, patterns, mask)


def unmasked(plain: Any, current: Any, patterns: Sequence[Pattern]) -> Any:
    """Return *plain* with the current value wherever the mask stands for a secret."""
    if not patterns:
        return plain
    if any(pattern[:1] in ((), (BELOW,)) for pattern in patterns):
        return current if plain == MASK else plain
    if isinstance(plain, dict):
        known = current if isinstance(current, dict) else {}
        return {
            name: unmasked(item, known.get(name), _under(name, patterns))
            for name, item in plain.items()
        }
    if isinstance(plain, list):
        inside = _under(ANY, patterns)
        old = current if isinstance(current, list) else []
        old = [*old, *[None] * (len(plain) - len(old))]
        return [unmasked(item, was, inside) for item, was in zip(plain, old, strict=False)]
    return plain


def _under(step: str, patterns: Sequence[Pattern]) -> list[Pattern]:
    return [pattern[1:] for pattern in patterns if pattern[0] in (step, ANY)]


def masking(cls: C) -> C:
    """Class decorator for a schema: its repr and str show the mask instead of secrets."""

    def shown(self: Any) -> str:
        # Asked now: a decorator above this one may make the class a record only afterwards.
        return _record(self, secret_patterns(type(self)))

    cls.__repr__ = cls.__str__ = shown  # type: ignore[method-assign,assignment]
    return cls


def _record(value: Any, patterns: Sequence[Pattern]) -> str:
    parts = (
        f"{field.attribute}={_shown(getattr(value, field.attribute), _under(name, patterns))}"
        for name, field in (declared_fields(type(value)) or {}).items()
    )
    return f"{type(value).__name__}({', '.join(parts)})"


def _shown(value: Any, patterns: Sequence[Pattern]) -> str:
    """As repr() says it, but the mask wherever a pattern leads."""
    if value is None or not patterns:
        return repr(value)
    if any(pattern[:1] in ((), (BELOW,)) for pattern in patterns):
        return MASK
    if declared_fields(type(value)) is not None:
        return _record(value, patterns)
    if isinstance(value, dict):
        items = (f"{name!r}: {_shown(v, _under(str(name), patterns))}" for name, v in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, (list, tuple, set, frozenset)):
        inside = _under(ANY, patterns)
        return f"[{', '.join(_shown(item, inside) for item in value)}]"
    return repr(value)
