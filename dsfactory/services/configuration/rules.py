"""Rules between fields, which types cannot say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dsfactory.errors import ConfigurationError
from dsfactory.services.configuration import paths


@dataclass(frozen=True, slots=True)
class Rule:
    """What has to hold between settings.

    ``Rule("admin_port is another than port", lambda c: c.port != c.admin_port, "port",
    "admin_port")``. A schema may carry its own in ``__rules__``, a ClassVar of a tuple of Rules.
    """

    text: str
    """The rule as a sentence about names, never about values: errors quote it."""
    holds: Callable[[Any], object]
    """Given the configuration: a false answer, ValueError or TypeError breaks the rule."""
    fields: tuple[str, ...]
    """The paths that it is about."""

    def __init__(self, text: str, holds: Callable[[Any], object], *fields: str) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "holds", holds)
        object.__setattr__(self, "fields", fields)


def rules_of(schema: Any, more: Sequence[Rule]) -> tuple[Rule, ...]:
    """Return the rules that *schema* carries, and *more*."""
    return (*getattr(schema, "__rules__", ()), *more)


def require(rules: Sequence[Rule], value: Any, plain: Any) -> None:
    """Raise ConfigurationError for the first rule that *value* breaks.

    The error names the fields, the types of what they hold, and the rule.
    """
    for rule in rules:
        if not _holds(rule, value):
            raise _broken(rule, plain)


def _holds(rule: Rule, value: Any) -> bool:
    try:
        return bool(rule.holds(value))
    except (ValueError, TypeError):
        return False


def _broken(rule: Rule, plain: Any) -> ConfigurationError:
    named = [paths.steps_of(field) for field in rule.fields]
    types = [_kind(plain, steps) for steps in named]
    where = ", ".join(
        f"{paths.rendered(steps)} ({kind})" for steps, kind in zip(named, types, strict=True)
    )
    return ConfigurationError(
        f"{where or '$'}: {rule.text}; this does not hold, nothing was written. Change one of "
        "them.",
        field=paths.rendered(named[0]) if named else "$",
        fields=tuple(paths.rendered(steps) for steps in named),
        type=", ".join(types),
        rule=rule.text,
    )


def _kind(plain: Any, steps: paths.Steps) -> str:
    try:
        return type(paths.found(plain, steps)).__name__
    except ConfigurationError:
        return "absent"  # a Struct may leave its defaults out
