"""duration_ms: what callers may write, and what is refused."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsfactory.clock import END_OF_TIME
from dsfactory.durations import duration_ms
from dsfactory.errors import OptionError, OptionTypeError

NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        (1, 1),
        (30_000, 30_000),
        (END_OF_TIME, END_OF_TIME),
        ("1ms", 1),
        ("500ms", 500),
        ("90s", 90_000),
        ("15m", 900_000),
        ("12h", 43_200_000),
        ("30d", 2_592_000_000),
        ("2w", 1_209_600_000),
        ("007d", 7 * 86_400_000),
        (" 30 d ", 2_592_000_000),
        (timedelta(hours=1), 3_600_000),
        (timedelta(milliseconds=1), 1),
        (timedelta(microseconds=1), 1),
        (timedelta(milliseconds=1, microseconds=1), 2),
    ],
)
def test_duration_allowed(written: Any, milliseconds: int) -> None:
    """Ints are milliseconds, texts carry a unit, and fractions of a millisecond round up."""
    assert duration_ms(written) == milliseconds


@pytest.mark.parametrize(
    "written",
    [
        0,
        -1,
        END_OF_TIME + 1,
        "0s",
        "999999999999999w",
        timedelta(0),
        timedelta(microseconds=-1),
        timedelta(days=-1),
        timedelta.max,
    ],
)
def test_duration_out_of_range(written: Any) -> None:
    """Zero, negative durations and those longer than the calendar are refused."""
    with pytest.raises(OptionError, match=r"ttl.*out of range.*allowed") as refused:
        duration_ms(written, "ttl")
    assert refused.value.facts["option"] == "ttl"
    assert repr(written) in str(refused.value)


@pytest.mark.parametrize(
    "written",
    ["", "d", "30", "1.5h", "-1d", "+1d", "30D", "1d 2h", "1 month", "1e3s", "٣s", "9" * 16 + "s"],
)
def test_duration_unreadable(written: str) -> None:
    """Text that is no whole number with one of the units is refused, and so are other digits."""
    with pytest.raises(OptionError, match="no duration; allowed") as refused:
        duration_ms(written, "ttl")
    assert not isinstance(refused.value, OptionTypeError)


@pytest.mark.parametrize(
    "written", [None, True, False, 1.0, 0.5, NAN, INFINITE, -INFINITE, b"1d", [1], object()]
)
def test_duration_of_wrong_type(written: Any) -> None:
    """Anything but int, text and timedelta is refused by type: bool and float as well."""
    with pytest.raises(OptionTypeError, match="allowed"):
        duration_ms(written)


def test_duration_message_of_long_text() -> None:
    """A long text is cut in the message."""
    with pytest.raises(OptionError) as refused:
        duration_ms("x" * 5_000)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize("written", [10**5_000, -(10**5_000)], ids=["huge", "hugely negative"])
def test_duration_beyond_printing(written: int) -> None:
    """An int with more digits than Python prints gets the same typed error."""
    with pytest.raises(OptionError, match="out of range"):
        duration_ms(written, "ttl")


@pytest.mark.parametrize("written", [END_OF_TIME + 1, "520000w", timedelta(days=4_000_000)])
def test_duration_too_long_says_the_limit(written: Any) -> None:
    """A duration over the limit is told that there is one."""
    with pytest.raises(OptionError, match="year 9999"):
        duration_ms(written)


@given(st.integers(1, 10**5), st.sampled_from(["ms", "s", "m", "h", "d", "w"]))
def test_duration_text_equals_timedelta(number: int, unit: str) -> None:
    """A text means what the timedelta of the same words means."""
    words = {"ms": "milliseconds", "s": "seconds", "m": "minutes"}
    words |= {"h": "hours", "d": "days", "w": "weeks"}
    assert duration_ms(f"{number}{unit}") == duration_ms(timedelta(**{words[unit]: number}))


@given(st.one_of(st.text(), st.integers(), st.floats(), st.timedeltas(), st.none()))
def test_duration_total(written: Any) -> None:
    """Whatever is given: a duration within the calendar, or OptionError."""
    with contextlib.suppress(OptionError):
        assert 0 < duration_ms(written) <= END_OF_TIME
