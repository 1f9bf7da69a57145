"""The figures as a picture: an SVG written by hand, readable without anything else.

Above, how many times the first subject's each one takes, a row for each group; below, how cost
grows with the number of entries and of processes. All axes of figures are logarithmic.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import cycle
from typing import NamedTuple
from xml.sax.saxutils import escape

from peers.report import Row, rows
from peers.rounds import Group

WIDTH, MARGIN, LABELS = 960, 24, 230
ROW, PANEL = 20, 260
COLOURS = (
    *("#0b6e4f", "#444444", "#c8553d", "#2f6db5", "#8a4fbf", "#b08900", "#d17fb0", "#5aa9a3"),
    *("#7fb069", "#9c6644", "#e0a96d", "#6c7a89", "#a11d5d", "#b4b8ab", "#1f2f5c"),
)
GROWING = ("growth, get", "growth, set", "mixed 90/10")
STYLE = "text{font:12px sans-serif;fill:#222}.title{font-weight:bold}.small{font-size:10px}"


class Axis(NamedTuple):
    """A logarithmic scale from *low* to *high*, drawn between two places."""

    low: float
    high: float
    start: float
    end: float

    def at(self, figure: float) -> float:
        """Return where *figure* stands."""
        part = math.log(figure / self.low) / math.log(self.high / self.low)
        return round(self.start + part * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Return the powers of ten on the scale."""
        powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
        return [10.0**power for power in powers]


def axis(figures: Iterable[float], start: float, end: float) -> Axis:
    """Return a scale with all *figures* on it, a little wider than they are."""
    known = list(figures)
    return Axis(min(known) / 1.3, max(known) * 1.3, start, end)


def svg(groups: Iterable[Group]) -> str:
    """Return the picture of all groups."""
    found = list(rows(groups))
    names = list({row.subject: None for row in found})
    colours = dict(zip(names, cycle(COLOURS), strict=False))
    blocks = by_group([row for row in found if row.measure not in GROWING])
    body, top = list(legend(colours)), MARGIN + ROW * (1 + (len(colours) + 3) // 4)
    if blocks:
        body += ratios(blocks, colours, top)
        top += ROW * (len(blocks) + 4)
    for measure in GROWING:
        lines = [row for row in found if row.measure == measure]
        if len({row.case for row in lines}) > 1:
            body += curves(measure, lines, colours, top)
            top += PANEL
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top}" '
        f'viewBox="0 0 {WIDTH} {top}"><style>{STYLE}</style>'
        f'<rect width="{WIDTH}" height="{top}" fill="white"/>'
    )
    return "\n".join([head, *body, "</svg>\n"])


def by_group(found: Iterable[Row]) -> dict[str, list[Row]]:
    """Return rows by the title of their group."""
    blocks: dict[str, list[Row]] = {}
    for row in found:
        blocks.setdefault(f"{row.measure} {row.case}".strip(), []).append(row)
    return blocks


def legend(colours: dict[str, str]) -> Iterator[str]:
    """Draw whose colour is which, four to a line."""
    for n, (name, colour) in enumerate(colours.items()):
        x, y = MARGIN + n % 4 * (WIDTH // 4), MARGIN + ROW * (n // 4)
        yield f'<circle cx="{x}" cy="{y - 4}" r="5" fill="{colour}"/>'
        yield text(x + 10, y, name)


def ratios(blocks: dict[str, list[Row]], colours: dict[str, str], top: float) -> Iterator[str]:
    """Draw a row of dots for each group, with the spread of the rounds."""
    shown = [row for block in blocks.values() for row in block]
    ends = [end for row in shown for end in (row.lowest, row.highest)]
    scale = axis([*ends, 1.0], LABELS + MARGIN, WIDTH - MARGIN)
    bottom = top + ROW * (len(blocks) + 1)
    yield text(MARGIN, top, "times the first of each row; right is slower or larger", "title")
    for tick in scale.ticks():
        yield line((scale.at(tick), top + 8), (scale.at(tick), bottom), "#dddddd")
        yield text(scale.at(tick) - 6, bottom + 14, f"{tick:g}", "small")
    for n, (title, block) in enumerate(blocks.items()):
        y = top + ROW * (n + 1) + 4
        yield text(MARGIN, y + 4, title)
        for row in reversed(block):  # the first one's dot is on top
            colour = colours[row.subject]
            yield line((scale.at(row.lowest), y), (scale.at(row.highest), y), colour)
            yield dot(scale.at(row.ratio), y, colour, f"{row.subject}: {row.ratio:.2f}")


def curves(measure: str, found: list[Row], colours: dict[str, str], top: float) -> Iterator[str]:
    """Draw a line for each subject, over the numbers that begin the cases."""
    height = axis((row.figure for row in found), top + PANEL - 50, top + 16)
    across = axis((count(row) for row in found), LABELS, WIDTH - 2 * MARGIN)
    yield text(MARGIN, top, f"{measure}: us an operation", "title")
    for case in {row.case: row for row in found}.values():
        x = across.at(count(case))
        yield line((x, top + 16), (x, top + PANEL - 50), "#dddddd")
        yield text(x - 34, top + PANEL - 34, case.case, "small")
    for tick in height.ticks():
        yield line((LABELS, height.at(tick)), (WIDTH - MARGIN, height.at(tick)), "#dddddd")
        yield text(LABELS - 40, height.at(tick) + 4, f"{tick:g}", "small")
    for name in {row.subject: None for row in found}:
        mine = [row for row in found if row.subject == name]
        places = [(across.at(count(row)), height.at(row.figure)) for row in mine]
        joined = " ".join(f"{x},{y}" for x, y in places)
        yield f'<polyline points="{joined}" fill="none" stroke="{colours[name]}"/>'
        for (x, y), row in zip(places, mine, strict=True):
            yield dot(x, y, colours[name], f"{name}: {row.figure:.2f} us")


def count(row: Row) -> float:
    """Return the number that the case of *row* begins with."""
    return float(row.case.split()[0].replace(",", ""))


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """Return *words* from a place on."""
    look = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}"{look}>{escape(words)}</text>'


def line(start: tuple[float, float], end: tuple[float, float], colour: str) -> str:
    """Return a line between two places."""
    (x1, y1), (x2, y2) = start, end
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}"/>'


def dot(x: float, y: float, colour: str, words: str) -> str:
    """Return a dot that says *words* when it is pointed at."""
    title = f"<title>{escape(words)}</title>"
    return f'<circle cx="{x}" cy="{y}" r="4" fill="{colour}">{title}</circle>'
