"""Prometheus' text exposition format 0.0.4 and OpenMetrics 1.0, read strictly."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import IO, Any

from dsfactory.errors import UsageError
from dsfactory.series.exchange.intake import Intake, Place, number, whole, within
from dsfactory.series.exchange.outlet import base_of
from dsfactory.series.exchange.ports import REFUSALS, Line, lines, refused
from dsfactory.series.names import checked_name, identity

# A label's value ends at the first quotation mark without a backslash before it.
_SAMPLE = re.compile(
    r"""([^\s{"]+)(?:[ \t]*\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}[ \t]*|[ \t]+)([^\s#]+)"""
    r"""(?:[ \t]+([^\s#]+))?[ \t]*(\#[ ].*)?""",
    re.DOTALL,
)
_LABEL = re.compile(
    r"""[ \t]*([^\s="{},]+)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(,|$)""", re.DOTALL
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"\\": "\\", '"': '"', "n": "\n"}
_SECONDS = re.compile(r"(\d{1,15})(?:\.(\d{1,9}))?", re.ASCII)

# What each format calls its types, and what we keep of them.
PROMETHEUS = {"counter": "counter", "gauge": "gauge", "histogram": "histogram"}
PROMETHEUS |= dict.fromkeys(("summary", "untyped"), "unknown")
OPENMETRICS = {"counter": "counter", "gauge": "gauge", "histogram": "histogram"}
OPENMETRICS |= dict.fromkeys(
    ("summary", "unknown", "info", "stateset", "gaugehistogram"), "unknown"
)


class Parser:
    """Reads one text; OpenMetrics differs in its types, its times and its end."""

    def __init__(self, intake: Intake, *, openmetrics: bool) -> None:
        self._intake = intake
        self._openmetrics = openmetrics
        self._words = OPENMETRICS if openmetrics else PROMETHEUS
        self._time: Callable[[str], int] = _seconds if openmetrics else whole
        self._types: dict[str, str] = {}
        self._units: dict[str, str] = {}
        self._begun: set[str] = set()
        self._ended = False

    def read(self, file: IO[Any]) -> None:
        """Take every sample; SampleFormatError names the line that is none."""
        number_of_lines = 0
        for line in lines(file):
            number_of_lines = line.number
            try:
                self._line(line)
            except REFUSALS as error:
                raise refused(line.number, error.message) from error
        if self._openmetrics and not self._ended:
            raise refused(number_of_lines + 1, "# EOF is missing: the text was cut short")

    def _line(self, line: Line) -> None:
        text = line.text
        if self._ended:
            raise UsageError("nothing may follow # EOF")
        if self._again(text):
            return
        if text[:1] == "#" or (not self._openmetrics and text.lstrip(" \t")[:1] == "#"):
            self._comment(text)
        elif text.strip(" \t"):
            self._sample(text)
        elif self._openmetrics:
            raise UsageError("an empty line is not allowed in OpenMetrics")

    # -- comments

    def _comment(self, text: str) -> None:
        words = text.lstrip(" \t").split(None, 3) if not self._openmetrics else text.split(" ", 3)
        word = words[1] if len(words) > 1 and words[0] == "#" else ""
        if word in ("TYPE", "UNIT", "HELP"):
            self._describe(word, words[2:])
        elif self._openmetrics:
            if text != "# EOF":
                raise UsageError("it is no TYPE, UNIT, HELP or EOF")
            self._ended = True

    def _describe(self, word: str, rest: list[str]) -> None:
        if not rest:
            raise UsageError(f"its {word} names no metric")
        name = checked_name(rest[0])
        said = rest[1] if len(rest) > 1 else ""
        if word == "HELP":
            return
        known = self._types if word == "TYPE" else self._units
        if name in known:
            raise UsageError(f"it is the second {word} of {name}")
        if name in self._begun:
            raise UsageError(f"the {word} of {name} has to stand before its samples")
        if word == "UNIT":
            self._units[name] = _unescaped(said)
        elif said.strip() in self._words:
            self._types[name] = self._words[said.strip()]
        else:
            raise UsageError(f"its type {said[:40]!r} is not among {', '.join(self._words)}")

    # -- samples

    def _again(self, text: str) -> bool:
        """Take a line that has before its number and time what one before it had; else say no.

        So most lines of a long text are taken without being parsed.
        """
        words = text.rsplit(" ", 2)
        place = self._intake.known(words[0])
        if place is None or len(words) < 3:
            return False
        try:
            moment, figure = self._time(words[2]), number(words[1])
        except REFUSALS:
            return False  # a{x="1"} 5 may also be written a {x="1"} 5
        self._intake.add(place, moment, figure)
        return True

    def _sample(self, text: str) -> None:
        found = _SAMPLE.fullmatch(text if self._openmetrics else text.strip(" \t"))
        if found is None:
            raise UsageError('it is no sample: NAME{LABEL="VALUE",...} NUMBER [TIME]')
        name, labels, value, at, exemplar = found.groups()
        if exemplar is not None and not self._openmetrics:
            raise UsageError("a sample is not followed by a comment here")
        moment, figure = self._intake.now if at is None else self._time(at), number(value)
        before, *rest = text.rsplit(" ", 2)
        key = before if rest == [value, at] else (name, labels)
        place = self._intake.known(key) or self._place(key, name, labels)
        self._intake.add(place, moment, figure)

    def _place(self, key: object, name: str, labels: str | None) -> Place:
        who = identity(name, dict(_labels(labels)) if labels is not None else None)
        family, kind = self._family(name)
        self._begun.add(family)
        unit = self._units.get(family, "")
        if kind == "histogram" and not name.endswith("_sum"):
            unit = ""  # buckets and counts count
        return self._intake.place(key, who, kind, unit)

    def _family(self, name: str) -> tuple[str, str]:
        """Return the family of the metric, and the type of its samples."""
        kind = self._types.get(name)
        base = base_of(name)
        if self._openmetrics and name.endswith("_total"):
            total = name.removesuffix("_total")
            if self._types.get(total) == "counter":
                return total, "counter"
        if base is not None and kind is None and self._types.get(base) == "histogram":
            return base, "histogram"
        # A name without an ending is not what a histogram or a counter of OpenMetrics consists of.
        bare = kind == "histogram" or (self._openmetrics and kind == "counter")
        return name, "unknown" if bare or kind is None else kind


def _labels(inside: str) -> Iterator[tuple[str, str]]:
    seen = set()
    start = 0
    while inside[start:].strip(" \t"):
        found = _LABEL.match(inside, start)
        if found is None:
            raise UsageError('its labels are not of the form NAME="VALUE",...')
        name, value, _ = found.groups()
        if name in seen:
            raise UsageError(f"its label {name[:40]} is there twice")
        seen.add(name)
        yield name, _unescaped(value)
        start = found.end()


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    return _ESCAPE.sub(_character, value)


def _character(escape: re.Match[str]) -> str:
    if escape[1] not in _ESCAPED:
        raise UsageError(f"it has an unknown escape, \\{escape[1]}")
    return _ESCAPED[escape[1]]


def _seconds(text: str) -> int:
    """Return seconds as milliseconds; what is finer is cut off."""
    found = _SECONDS.fullmatch(text)
    if found is None:
        raise UsageError("its time is no number of seconds since 1970")
    return within(int(found[1]) * 1000 + int((found[2] or "0")[:3].ljust(3, "0")))
