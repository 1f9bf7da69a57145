"""Points as text and as SVG."""

from __future__ import annotations

from html import escape

from dsfactory.series.arrays import np
from dsfactory.series.samples import Times, Values

_BARS = "▁▂▃▄▅▆▇█"
_MARGIN, _LINE = 8, 16
_STYLE = "font:11px sans-serif;fill:#666"


def sparkline(values: Values, width: int) -> str:
    """Return *values* as bars, averaged where there are more than *width*; a gap is a space."""
    shrunk = _shrunk(values, max(1, width))
    low, high = _range(shrunk)
    if high == low:
        levels = np.full(len(shrunk), 3)
    else:
        # Halves: the difference of two floats may be infinite.
        part = (shrunk / 2 - low / 2) / (high / 2 - low / 2)
        levels = np.nan_to_num(np.clip(part, 0, 1) * (len(_BARS) - 1) + 0.5).astype(np.int64)
    return "".join(
        " " if gap else _BARS[level]
        for gap, level in zip(np.isnan(shrunk).tolist(), levels.tolist(), strict=True)
    )


def plot(values: Values, width: int, unit: str) -> str:
    """Return the sparkline with the smallest and the largest value before and behind it."""
    low, high = _range(values)
    if np.isnan(low):
        return "no points"
    return f"{low:.6g} {sparkline(values, width)} {high:.6g}{' ' + unit if unit else ''}"


def _range(values: Values) -> tuple[float, float]:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (np.nan, np.nan)


def _shrunk(values: Values, width: int) -> Values:
    if len(values) <= width:
        return values
    starts = np.arange(width) * len(values) // width
    there = ~np.isnan(values)
    counts = np.add.reduceat(there.astype(np.int64), starts)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        return np.add.reduceat(np.where(there, values, 0.0), starts) / counts


def svg(times: Times, values: Values, size: tuple[int, int], title: str) -> str:
    """Return a picture of the points: a line that NaN and infinities interrupt."""
    width, height = size
    low, high = _range(values)
    body = "".join(
        f'<polyline fill="none" stroke="#2a6fbb" stroke-width="1.5" points="{line}"/>'
        for line in _lines(times, values, size)
    )
    scale = "no points" if np.isnan(low) else f"{low:.6g} to {high:.6g}"
    span = ""
    if len(times):
        begin, end = np.datetime64(int(times[0]), "ms"), np.datetime64(int(times[-1]), "ms")
        span = f"{str(begin)[:16]} to {str(end)[:16]} UTC"
    bottom = height - _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img"><title>{escape(title)}</title>'
        f'<rect width="{width}" height="{height}" fill="#fff"/>{body}'
        f'<text x="{_MARGIN}" y="{_LINE}" style="{_STYLE}">{escape(title)}</text>'
        f'<text x="{_MARGIN}" y="{bottom}" style="{_STYLE}">{span}</text>'
        f'<text x="{width - _MARGIN}" y="{bottom}" text-anchor="end" style="{_STYLE}">{scale}'
        "</text></svg>"
    )


def _lines(times: Times, values: Values, size: tuple[int, int]) -> list[str]:
    """Return the coordinates of each run of finite points."""
    there = np.isfinite(values)
    if not there.any():
        return []
    low, high = _range(values)
    span = max(int(times[-1] - times[0]), 1)
    width, height = size[0] - 2 * _MARGIN, size[1] - 2 * _MARGIN - 2 * _LINE
    across = _MARGIN + (times - times[0]) / span * width
    scaled = np.full(len(values), 0.5)
    if high > low:
        scaled = (values / 2 - low / 2) / (high / 2 - low / 2)
    down = _MARGIN + _LINE + (1 - scaled) * height
    runs = np.split(np.arange(len(values)), np.flatnonzero(np.diff(there)) + 1)
    return [_points(across[run], down[run]) for run in runs if there[run[0]]]


def _points(across: Values, down: Values) -> str:
    pairs = [f"{x:.1f},{y:.1f}" for x, y in zip(across.tolist(), down.tolist(), strict=True)]
    return " ".join(pairs * 2 if len(pairs) == 1 else pairs)
