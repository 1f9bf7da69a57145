"""What a codec has to know of a type before it takes it."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

from msgspec import inspect

from dsfactory.codecs.records import compares_every_field, field_names
from dsfactory.codecs.traits import Traits, type_name
from dsfactory.errors import OptionError


def examine(schema: Any) -> Traits:
    """Return the traits of *schema*; OptionError when it holds a type that cannot be stored."""
    try:
        classes = [part for part in _reachable(schema) if isinstance(part, type)]
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise _refusal(schema, f"its annotations cannot be resolved: {error}") from error
    trusts_equality = all(compares_every_field(part) for part in classes if field_names(part))
    if any(hasattr(part, "__pydantic_validator__") for part in classes):
        # Its parser has a limit of its own, the same in every stack.
        return Traits(pydantic=True, trusts_equality=trusts_equality, open_ended=False)
    try:
        form = inspect.type_info(schema)
    except (TypeError, NameError) as error:
        raise _refusal(schema, str(error)) from error
    open_ended = _open_ended(form, schema, "", frozenset())
    return Traits(pydantic=False, trusts_equality=trusts_equality, open_ended=open_ended)


def _reachable(schema: Any) -> Iterator[Any]:
    """Everything that *schema* mentions: arguments of generics, types of fields, itself."""
    seen: set[int] = set()
    todo = [schema]
    while todo:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        todo.extend(typing.get_args(part))
        todo.append(typing.get_origin(part))
        if isinstance(part, type):
            todo.extend(_field_types(part))


def _field_types(cls: Any) -> list[Any]:
    fields = getattr(cls, "__pydantic_fields__", None)
    if fields is not None:
        return [field.annotation for field in fields.values()]
    if field_names(cls) is None and not typing.is_typeddict(cls) and not hasattr(cls, "_fields"):
        return []
    return list(typing.get_type_hints(cls, include_extras=True).values())


def _open_ended(form: inspect.Type, schema: Any, place: str, above: frozenset[int]) -> bool:
    """Whether *form* nests without end; OptionError when it holds a type of nobody's."""
    if isinstance(form, inspect.CustomType | inspect.RawType):
        return _refuse_unless_object(form, schema, place)
    if isinstance(form, inspect.AnyType) or id(form) in above:
        return True
    above |= {id(form)}
    found = [_open_ended(part, schema, place + step, above) for step, part in _parts(form)]
    return any(found)


def _refuse_unless_object(form: Any, schema: Any, place: str) -> bool:
    cls = getattr(form, "cls", None)
    if cls is object:
        return True  # the same as Any
    what = type_name(cls) if cls is not None else "msgspec.Raw"
    where = f" (in {place.lstrip('.')})" if place else ""
    raise _refusal(schema, f"{what}{where} is no type that msgspec or pydantic represents")


def _parts(form: inspect.Type) -> Iterator[tuple[str, inspect.Type]]:
    for name in form.__struct_fields__:
        part = getattr(form, name)
        for item in part if isinstance(part, tuple) else (part,):
            if isinstance(item, inspect.Field):
                yield f".{item.name}", item.type
            elif isinstance(item, inspect.Type):
                yield "", item


def _refusal(schema: Any, reason: str) -> OptionError:
    name = type_name(schema)
    return OptionError(f"values of the type {name} cannot be stored: {reason}", schema=name)
