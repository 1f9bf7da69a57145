"""Numbers as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

NOTHING = "-"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def shown_bytes(count: float | None) -> str:
    """Return 1536 as "1.5 KiB"."""
    if count is None:
        return NOTHING
    unit = 0
    while abs(count) >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{_three_digits(count) if unit else count} {_UNITS[unit]}"


def shown_count(count: float | None) -> str:
    """Return 12345 as "12,345"."""
    return NOTHING if count is None else f"{count:,.0f}"


def counted(count: int, one: str, several: str) -> str:
    """Return "1 entry", "2,000 entries"."""
    return f"{shown_count(count)} {one if count == 1 else several}"


def shown_percent(ratio: float | None) -> str:
    """Return 0.5 as "50%"; only what is really everything is "100%"."""
    if ratio is None:
        return NOTHING
    percent = round(ratio * 100)
    return f"{min(percent, 99) if ratio < 1 else percent}%"


def shown_ratio(ratio: float | None) -> str:
    """Return 2.345 as "2.3x"."""
    return NOTHING if ratio is None else f"{ratio:.1f}x"


# From how many milliseconds on, the unit's milliseconds, its name: "90 s" says more than "1.5 min".
_DURATIONS = (
    (172_800_000, 86_400_000, "d"),
    (7_200_000, 3_600_000, "h"),
    (120_000, 60_000, "min"),
    (1000, 1000, "s"),
    (1, 1, "ms"),
)


def shown_duration(milliseconds: float | None) -> str:
    """Return 1500 as "1.5 s"."""
    if milliseconds is None:
        return NOTHING
    for at_least, size, unit in _DURATIONS:
        if milliseconds >= at_least:
            return f"{_three_digits(milliseconds / size)} {unit}"
    return f"{milliseconds * 1000:.0f} us"


def _three_digits(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 99.95 else f"{number:.1f}"


def shown_moment(milliseconds: int | None) -> str:
    """Return milliseconds since the epoch as the local date and time, to the minute."""
    if milliseconds is None:
        return NOTHING
    moment = datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")


def shown_age(milliseconds: int, now: int) -> str:
    """Return how long before *now* a moment was, as "5 min ago"."""
    age = now - milliseconds
    return "just now" if age < 1000 else f"{shown_duration(age)} ago"
