"""How deep a value is nested, counted without recursion."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

from dsfactory.codecs.records import field_names

_CONTAINERS = (dict, list, tuple, set, frozenset)

# Looked up first: most parts of a value are one of these.
_LEAVES = frozenset({type(None), bool, int, float, str, bytes})


def deeper_than(limit: int, value: Any) -> bool:
    """Whether *value* nests more than *limit* containers or records; a loop nests endlessly."""
    level = [value] if _is_container(value) else []
    for _ in range(limit):
        # By identity, so that what is shared is followed once and a loop does not multiply.
        below = {id(part): part for node in level for part in _parts(node) if _is_container(part)}
        level = list(below.values())
        if not level:
            return False
    return bool(level)


def _is_container(value: Any) -> bool:
    if type(value) in _LEAVES:
        return False
    return isinstance(value, _CONTAINERS) or field_names(type(value)) is not None


def _parts(node: Any) -> Iterable[Any]:
    if isinstance(node, dict):
        return chain(node, node.values())  # MessagePack has arrays as keys too
    if isinstance(node, _CONTAINERS):
        return node
    return [getattr(node, name, None) for name in field_names(type(node)) or ()]
