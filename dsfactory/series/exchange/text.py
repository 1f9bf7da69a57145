"""Prometheus' text exposition format 0.0.4 and OpenMetrics 1.0, written.

https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/. In 0.0.4 times are milliseconds, and UNIT is
a comment like any other, which our parser reads. In OpenMetrics times are seconds; what does not
follow its rules for names (counters end with _total, units end the name) is left unsaid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dsfactory.series.exchange.outlet import Chosen, Family, base_of
from dsfactory.series.names import Identity

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of 0.0.4."""

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
"""The content type of OpenMetrics."""

END = "# EOF\n"


def written(chosen: Chosen, families: list[Family], *, openmetrics: bool) -> Iterator[str]:
    """Yield the text of all samples, each with its time, a portion of a series at a time."""
    stamp = seconds if openmetrics else str
    for family in families:
        yield header(family, "", openmetrics=openmetrics)
        for series in chosen.of(family):
            before = key(series.identity)
            for times, values in chosen.portions(series):
                pairs = zip(times.tolist(), values.tolist(), strict=True)
                yield "".join(f"{before} {number(v)} {stamp(t)}\n" for t, v in pairs)
    if openmetrics:
        yield END


def newest(
    chosen: Chosen, families: list[Family], helps: Mapping[str, str], *, openmetrics: bool
) -> Iterator[str]:
    """Yield the text of the last sample of each series, without its time: what is so now."""
    last = Newest(chosen)
    for family in families:
        lines = [
            f"{key(identity)} {number(value)}\n"
            for identity, value in sorted(last.of(family), key=lambda found: _order(found[0]))
        ]
        if lines:
            yield header(family, helps.get(family.name, ""), openmetrics=openmetrics)
            yield "".join(lines)
    if openmetrics:
        yield END


class Newest:
    """The last samples of series, without a look at those before them."""

    def __init__(self, chosen: Chosen) -> None:
        self._chosen = chosen
        # As a whole, once: a look for each series would go through all of it each time.
        self._recent = dict(chosen.reader.journal.by_series())

    def of(self, family: Family) -> Iterator[tuple[Identity, float]]:
        """Yield each series of *family* that has samples in the interval, and the last value."""
        for series in self._chosen.of(family):
            value = self._last(series.id)
            if value is not None:
                yield series.identity, value

    def _last(self, series: int) -> float | None:
        start, end = self._chosen.start, self._chosen.end
        at, value = -1, None
        recent = self._recent.get(series)
        if recent is not None:
            recent = recent.between(start, end)
            if len(recent.times):
                at, value = int(recent.times[-1]), float(recent.values[-1])
        sealed = self._chosen.reader.last_sealed(series, max(start, at + 1), end)
        return value if sealed is None else sealed


def _order(who: Identity) -> tuple[object, ...]:
    """Histograms by their labels, then buckets ascending, the sum, the count."""
    labels = dict(who.labels)
    bound = labels.pop("le", None)
    base = base_of(who.name)
    try:
        edge = float(bound) if bound is not None else float("inf")
    except ValueError:
        edge = float("inf")
    rest = tuple(labels.items())
    place = 0 if who.name.endswith("_bucket") else 1 if who.name.endswith("_sum") else 2
    return (rest, place, edge, who.name) if base else (rest, 0, edge, who.name)


def header(family: Family, explained: str, *, openmetrics: bool) -> str:
    """Return the lines that describe *family*."""
    name, kind, unit, _ = family
    if openmetrics and kind == "counter":
        if name.endswith("_total") and len(name) > len("_total"):
            name = name.removesuffix("_total")
        else:
            kind = ""
    if openmetrics and not (unit and name.endswith(f"_{unit}")):
        unit = ""
    said = [f"# HELP {name} {_escaped(explained)}\n"] if explained else []
    said.append(f"# TYPE {name} {kind or ('unknown' if openmetrics else 'untyped')}\n")
    if unit:
        said.append(f"# UNIT {name} {_escaped(unit)}\n")
    return "".join(said)


def _escaped(words: str) -> str:
    return words.replace("\\", r"\\").replace("\n", r"\n")


def key(who: Identity) -> str:
    """Return a series as both formats write it."""
    if not who.labels:
        return who.name
    inside = ",".join(f'{name}="{_quoted(value)}"' for name, value in who.labels)
    return f"{who.name}{{{inside}}}"


def _quoted(value: str) -> str:
    return _escaped(value).replace('"', r"\"")


def number(value: float) -> str:
    """Return *value* so that it reads back as the same float."""
    text = repr(value)
    return _SPECIAL.get(text) or text.removesuffix(".0")


_SPECIAL = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}


def seconds(at: int) -> str:
    """Return milliseconds as seconds."""
    whole, rest = divmod(at, 1000)
    return f"{whole}.{rest:03d}" if rest else str(whole)
