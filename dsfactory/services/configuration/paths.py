"""Places inside a configuration: their text, and reading and changing plain values there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from dsfactory.errors import ConfigurationError, shown
from dsfactory.stores import Difference

Step = str | int
Steps = tuple[Step, ...]

_ROOT = re.compile(r"\$(?=[.\[]|$)")
_STEP = re.compile(r'\.?([^.\[\]"$\s][^.\[\]"]*)|\[(-?\d+)\]|\[("(?:[^"\\]|\\.)*")\]')
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_NOTHING = object()


def steps_of(path: str) -> Steps:
    """Return the steps of ``server.port``, ``$.servers[0]`` or ``labels["a.b"]``.

    Raises ConfigurationError for what is no path; ``$`` and the empty text are the whole.
    """
    if not isinstance(path, str):
        raise ConfigurationError(
            f"A path has to be text such as 'server.port', not {type(path).__name__}.", rule="path"
        )
    root = _ROOT.match(path)
    steps: list[Step] = []
    at = root.end() if root else 0
    while at < len(path):
        match = _STEP.match(path, at)
        first = not steps and not root
        # A dot stands between names, and nowhere else.
        if match is None or (match[1] is not None and (path[at] == ".") == first):
            raise _no_path(path)
        steps.append(_step_of(path, match))
        at = match.end()
    return tuple(steps)


def _step_of(path: str, match: re.Match[str]) -> Step:
    name, index, quoted = match.groups()
    if name is not None:
        return str(name)
    try:
        return int(index) if index else str(json.loads(quoted))
    except ValueError:  # an escape that JSON does not have; more digits than Python reads
        raise _no_path(path) from None


def _no_path(path: str) -> ConfigurationError:
    return ConfigurationError(
        f'{shown(path)} is no path; write it as server.port, servers[0] or labels["a.b"].',
        field=path,
        rule="path",
    )


def rendered(steps: Steps) -> str:
    """Return *steps* as text that steps_of() reads back; ``$`` is the whole."""
    return "$" + "".join(map(_rendered, steps))


def _rendered(step: Step) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if _PLAIN_NAME.fullmatch(step) else f"[{json.dumps(step)}]"


def found(plain: Any, steps: Steps) -> Any:
    """Return what stands at *steps* of *plain*; raise ConfigurationError when nothing does."""
    for place, step in enumerate(steps):
        plain = _below(plain, step)
        if plain is _NOTHING:
            raise absent(steps[: place + 1])
    return plain


def absent(steps: Steps) -> ConfigurationError:
    """Return the error for a place that is not there."""
    path = rendered(steps)
    return ConfigurationError(
        f"{path}: there is no such setting. Look at the schema for its name.",
        field=path,
        rule="known setting",
    )


def _below(plain: Any, step: Step) -> Any:
    if isinstance(plain, dict):
        return plain.get(str(step), _NOTHING)
    if isinstance(plain, list) and isinstance(step, int) and -len(plain) <= step < len(plain):
        return plain[step]
    return _NOTHING


def put(plain: Any, steps: Steps, value: Any) -> Any:
    """Return *plain* with *value* at *steps*; objects on the way are made, lists never longer."""
    return _put(plain, steps, 0, value)


def _put(plain: Any, steps: Steps, place: int, value: Any) -> Any:
    if place == len(steps):
        return value
    step = steps[place]
    if isinstance(plain, list):
        old = _below(plain, step)
        if old is _NOTHING or not isinstance(step, int):
            raise absent(steps[: place + 1])
        copy = list(plain)
        copy[step] = _put(old, steps, place + 1, value)
        return copy
    before = plain if isinstance(plain, dict) else {}
    return {**before, str(step): _put(before.get(str(step)), steps, place + 1, value)}


def removed(plain: Any, steps: Steps) -> Any:
    """Return *plain* without what stands at *steps*, if anything does."""
    if not steps:
        return {}
    old = _below(plain, steps[0])
    if old is _NOTHING:
        return plain
    if len(steps) > 1:
        return put(plain, steps[:1], removed(old, steps[1:]))
    if isinstance(plain, list):
        gone = int(steps[0]) % len(plain)
        return [*plain[:gone], *plain[gone + 1 :]]
    return {name: item for name, item in plain.items() if name != str(steps[0])}


def merged(base: Any, over: Any) -> Any:
    """Return *base* with *over* on top: objects are merged, everything else replaced whole."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{name: merged(base.get(name), item) for name, item in over.items()}}
    return over


Change = tuple[Steps, str, Any, Any]
"""Where, "added", "removed" or "changed", what was there and what is there now."""


def changes(old: Any, new: Any, place: Steps = ()) -> Iterator[Change]:
    """Yield where *new* differs from *old*: objects by name, each leaf that came or went.

    A list differs as a whole: an item that was put in front changes no other item's meaning.
    """
    if old is _NOTHING:
        yield from ((at, "added", None, leaf) for at, leaf in leaves(new, place))
    elif new is _NOTHING:
        yield from ((at, "removed", leaf, None) for at, leaf in leaves(old, place))
    elif isinstance(old, dict) and isinstance(new, dict):
        for name in {**old, **new}:
            before, after = old.get(name, _NOTHING), new.get(name, _NOTHING)
            yield from changes(before, after, (*place, name))
    elif not _same(old, new):
        yield place, "changed", old, new


def _same(old: Any, new: Any) -> bool:
    # As JSON tells them apart: True is not 1, 1 is not 1.0, also inside of lists.
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def leaves(plain: Any, place: Steps = ()) -> Iterator[tuple[Steps, Any]]:
    """Yield every place of *plain* that is no object with something in it."""
    if isinstance(plain, dict) and plain:
        for name, item in plain.items():
            yield from leaves(item, (*place, name))
    else:
        yield place, plain


def differences(found_changes: Iterator[Change]) -> list[Difference]:
    """Return changes as records, sorted by path."""
    made = [Difference(rendered(at), what, old, new) for at, what, old, new in found_changes]
    return sorted(made, key=lambda difference: difference.path)
