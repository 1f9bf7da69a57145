"""Which series a query means: exact labels, and matchers as Prometheus has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from dsfactory.errors import QueryError, shown
from dsfactory.series.catalogue import Series
from dsfactory.series.names import checked_labels

Where = Sequence[str | tuple[str, str, str]]
"""Matchers: 'code=~"5.."', or ("code", "=~", "5..")."""

MAX_PATTERN = 512
MAX_REPEATS = 4
"""Python's re tries ways out: n of them take up to length**n steps on a label of 1,024 bytes."""

_ALLOWED = """text such as 'code=~"5.."' or a triple ("code", "=~", "5..") with =, !=, =~ or !~"""
_TEXT = re.compile(r'\s*([A-Za-z_]\w{0,127})\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"]*))\s*')
_ESCAPED = re.compile(r'\\(["\\n])')
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]|\(\?:|\(\?|[*+?]|\{\d*,?\d*\}|[()]|.", re.S)
_UNBOUNDED = re.compile(r"[*+]|\{\d*,\}")


class Matcher(NamedTuple):
    """What one label has to be; a label that a series lacks is empty."""

    label: str
    accepts: Callable[[str], bool]


def matchers(labels: Mapping[str, str] | None, where: Where) -> list[Matcher]:
    """Return what *labels* (exact) and *where* ask for; LabelError or QueryError if refused."""
    checked_labels(labels)
    found = [Matcher(name, value.__eq__) for name, value in (labels or {}).items()]
    if isinstance(where, str) or not isinstance(where, Iterable):
        raise QueryError(f"where={shown(where)} is not allowed; allowed: a list of {_ALLOWED}.")
    return found + [_matcher(one) for one in where]


def matching(series: Iterable[Series], asked: Sequence[Matcher]) -> list[Series]:
    """Return those *series* that every matcher accepts."""
    if not asked:
        return list(series)
    verdicts: list[dict[str, bool]] = [{} for _ in asked]  # of many series, few values
    found = []
    for one in series:
        labels = one.labels
        for (label, accepts), known in zip(asked, verdicts, strict=True):
            value = labels.get(label, "")
            if value not in known:
                known[value] = accepts(value)
            if not known[value]:
                break
        else:
            found.append(one)
    return found


def _matcher(given: object) -> Matcher:
    label, operator, value = _parts(given)
    if operator == "=":
        return Matcher(label, value.__eq__)
    if operator == "!=":
        return Matcher(label, value.__ne__)
    pattern = _compiled(value)
    if operator == "=~":
        return Matcher(label, lambda text: pattern.fullmatch(text) is not None)
    return Matcher(label, lambda text: pattern.fullmatch(text) is None)


def _parts(given: object) -> tuple[str, str, str]:
    if isinstance(given, str):
        match = _TEXT.fullmatch(given)
        if match is not None:
            label, operator, quoted, bare = match.groups()
            if quoted is None:
                return label, operator, bare.strip()
            return label, operator, _ESCAPED.sub(_unescaped, quoted)
    elif isinstance(given, tuple) and len(given) == 3:
        label, operator, value = given
        if all(isinstance(g, str) for g in given) and operator in ("=", "!=", "=~", "!~"):
            return label, operator, value
    raise QueryError(f"The matcher {shown(given)} is not allowed; allowed: {_ALLOWED}.")


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _compiled(pattern: str) -> re.Pattern[str]:
    if len(pattern) > MAX_PATTERN:
        raise QueryError(
            f"A pattern of {len(pattern)} characters is too long; allowed: {MAX_PATTERN}.",
            limit=MAX_PATTERN,
        )
    refusal = _too_hard(pattern)
    if refusal:
        raise QueryError(f"The pattern {shown(pattern)} is not allowed: {refusal}.")
    try:
        return re.compile(pattern, re.S)
    except (re.error, OverflowError) as error:
        raise QueryError(f"The pattern {shown(pattern)} cannot be read: {error}.") from error


def _too_hard(pattern: str) -> str | None:
    """Return why *pattern* could take for ever, or is none that Prometheus would take as well."""
    inside = [False]  # of each open group: does it hold a repetition?
    repeats, closed = 0, False
    for part in _TOKEN.findall(pattern):
        if part == "(?" or (part[0] == "\\" and part[1:].isdigit()):
            return "groups that look around or back"
        if part in ("(", "(?:"):
            inside.append(False)
        repeat = part in ("*", "+") or part[0] == "{"
        if repeat and closed:
            return "a repeated group that repeats something or chooses"
        if repeat:
            inside[-1] = True
            repeats += _UNBOUNDED.fullmatch(part) is not None
        elif part == "|":
            inside[-1] = inside[-1] or len(inside) > 1
        closed = False
        if part == ")" and len(inside) > 1:
            closed = inside.pop()
            inside[-1] = inside[-1] or closed
    return f"more than {MAX_REPEATS} of * and +" if repeats > MAX_REPEATS else None
