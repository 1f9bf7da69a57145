"""JSON lines as VictoriaMetrics exports and imports them: a line is a run of samples of one series.

{"metric": {"__name__": "cpu", "core": "1"}, "values": [3.5], "timestamps": [1700000000000]}

We add "type" and "unit" where they are known. What JSON has no number for is "NaN", "Infinity" and
"-Infinity"; null is read as NaN. https://docs.victoriametrics.com/#json-line-format
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import IO, Any, NoReturn

from dsfactory.errors import DataStoreError, UsageError
from dsfactory.series.catalogue import Series
from dsfactory.series.exchange.intake import Intake, checked_kind
from dsfactory.series.exchange.outlet import Chosen
from dsfactory.series.exchange.ports import REFUSALS, lines, refused
from dsfactory.series.names import identity

_FIELDS = {"metric", "values", "timestamps", "type", "unit"}
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf, None: math.nan}


def written(chosen: Chosen) -> Iterator[str]:
    """Yield the lines, each of at most a block's samples."""
    for series, portions in chosen.all():
        for times, values in portions:
            found: list[Any] = values.tolist()
            if not math.isfinite(sum(found)):
                found = [value if math.isfinite(value) else _word(value) for value in found]
            yield _line(series, found, times.tolist())


def _line(series: Series, values: list[Any], times: list[int]) -> str:
    said: dict[str, Any] = {"metric": {"__name__": series.name, **series.labels}}
    if series.type != "unknown":
        said["type"] = series.type
    if series.unit:
        said["unit"] = series.unit
    said |= {"values": values, "timestamps": times}
    text = json.dumps(said, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{text}\n"


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def read(file: IO[Any], intake: Intake) -> None:
    """Take every line; SampleFormatError names the one that is none."""
    for line in lines(file):
        try:
            if line.text.strip():
                _take(line.text, intake)
        except REFUSALS as error:
            raise refused(line.number, error.message) from error


def _take(text: str, intake: Intake) -> None:
    said = _object(text, "it")
    if set(said) - _FIELDS or not {"metric", "values", "timestamps"} <= set(said):
        raise UsageError("it has to have metric, values and timestamps; type and unit may follow")
    metric, values, times = said["metric"], said["values"], said["timestamps"]
    if not isinstance(metric, dict) or not isinstance(values, list) or not isinstance(times, list):
        raise UsageError("metric has to be an object, values and timestamps have to be arrays")
    name = metric.pop("__name__", None)
    kind, unit = said.get("type", ""), said.get("unit", "")
    if not isinstance(kind, str) or not isinstance(unit, str):
        raise UsageError("type and unit have to be text")
    numbers: list[Any] = [
        _WORDS.get(v, v) if v is None or isinstance(v, str) else v for v in values
    ]
    intake.columns(identity(name, metric), numbers, times, kind=checked_kind(kind), unit=unit)


def _object(text: str, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_constant=_no_number, parse_float=_float)
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataStoreError):
            raise
        raise UsageError(f"{what} is no JSON") from error
    if not isinstance(found, dict):
        raise UsageError(f"{what} is no JSON object")
    return found


def _no_number(word: str) -> NoReturn:
    raise UsageError(f'JSON has no {word}; write "{word}"')


def _float(text: str) -> float:
    found = float(text)
    if math.isinf(found):
        raise UsageError("a number is too large for a 64-bit float")
    return found


def labels_of(text: str) -> dict[str, str]:
    """Return the labels that *text*, a JSON object or nothing, says; else raise UsageError."""
    return _object(text, "the object of labels") if text else {}
