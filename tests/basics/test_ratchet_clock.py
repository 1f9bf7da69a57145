"""Clocks: the machine's, the tests', and the store's that never goes back."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.clock import END_OF_TIME, Ratchet, pause, ticks_ns

MOVES = st.lists(st.integers(-10_000, 10_000), max_size=60)
TIMES = st.integers(0, 10**13)


def test_system_clock_in_milliseconds() -> None:
    """The machine's clock answers milliseconds since the epoch."""
    before = time.time_ns() // 1_000_000
    now = ds.SystemClock().now_ms()
    assert before <= now <= time.time_ns() // 1_000_000


def test_manual_clock_moves_when_told() -> None:
    """A manual clock stands still, goes forward, and can be set back."""
    clock = ds.ManualClock(1_000)
    assert [clock.now_ms(), clock.now_ms()] == [1_000, 1_000]
    clock.advance(500)
    assert clock.now_ms() == 1_500
    clock.advance(-1_000)
    assert clock.now_ms() == 500


def test_end_of_time_is_the_calendars() -> None:
    """END_OF_TIME is the last millisecond that datetime can name."""
    last = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
    assert datetime.fromtimestamp(END_OF_TIME // 1000, UTC) == last.replace(microsecond=0)
    assert END_OF_TIME % 1000 == 999


def test_ticks_only_grow() -> None:
    """Ticks measure how long something took, a pause included."""
    before = ticks_ns()
    pause(0)
    assert ticks_ns() >= before


@given(TIMES, TIMES, MOVES)
def test_ratchet_never_goes_back(start: int, floor: int, moves: list[int]) -> None:
    """However the wall clock jumps, no answer is before an earlier one or before the floor."""
    clock = ds.ManualClock(start)
    ratchet = Ratchet(clock, floor)
    last = floor
    for move in moves:
        clock.advance(move)
        now = ratchet.now_ms()
        assert now >= last
        assert now >= clock.now_ms()
        last = now


@given(TIMES, TIMES, MOVES)
def test_ratchet_keeps_the_walls_pace(start: int, floor: int, moves: list[int]) -> None:
    """Between two answers no more time passes than on the wall clock; none when that goes back."""
    clock = ds.ManualClock(start)
    ratchet = Ratchet(clock, floor)
    last = ratchet.now_ms()
    for move in moves:
        clock.advance(move)
        now = ratchet.now_ms()
        assert now - last <= max(0, move)
        last = now


@given(TIMES, MOVES, st.integers(0, 10_000))
def test_ratchet_catches_up(start: int, moves: list[int], further: int) -> None:
    """Once the wall clock is past every answer, the store's time is the wall clock's again."""
    clock = ds.ManualClock(start)
    ratchet = Ratchet(clock)
    last = start
    for move in moves:
        clock.advance(move)
        last = ratchet.now_ms()
    clock.advance(last - clock.now_ms() + further)
    assert ratchet.now_ms() == clock.now_ms()


def test_ratchet_goes_on_while_the_wall_is_behind() -> None:
    """After the wall clock was set back, time goes on from where it was, second for second."""
    clock = ds.ManualClock(100_000)
    ratchet = Ratchet(clock)
    ratchet.now_ms()
    clock.advance(-60_000)
    assert ratchet.now_ms() == 100_000
    clock.advance(5_000)
    assert ratchet.now_ms() == 105_000


@pytest.mark.parametrize(("floor", "expected"), [(5_000, 5_000), (1, 1_000)])
def test_ratchet_raise_to(floor: int, expected: int) -> None:
    """A floor that is raised later holds at once; a lower one changes nothing."""
    ratchet = Ratchet(ds.ManualClock(1_000))
    assert ratchet.now_ms() == 1_000
    ratchet.raise_to(floor)
    assert ratchet.now_ms() == expected


class Unsteady:
    """A clock that ticks with every look, and is set back and forward all the time."""

    def __init__(self) -> None:
        self._looks = 0

    def now_ms(self) -> int:
        """Return a time that is often before the one of the last look."""
        self._looks += 1
        seen = 1_000_000 + self._looks - 50 * (self._looks // 7 % 2)
        time.time_ns()  # a call, as in SystemClock: here others get in between
        return seen


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads that take turns as often as the interpreter can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("other", [Ratchet.now_ms, lambda ratchet: ratchet.raise_to(1)])
def test_ratchet_between_threads(other: Callable[[Ratchet], object]) -> None:
    """What another thread asks of a ratchet, or raises it to, never takes it back."""
    ratchet = Ratchet(Unsteady())
    over = threading.Event()

    def meanwhile() -> None:
        while not over.is_set():
            other(ratchet)

    thread = threading.Thread(target=meanwhile)
    thread.start()
    last = backwards = 0
    for _ in range(150_000):
        now = ratchet.now_ms()
        backwards += now < last
        last = now
    over.set()
    thread.join()
    assert backwards == 0
