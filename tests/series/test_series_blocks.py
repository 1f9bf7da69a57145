"""Blocks give back what went in, whatever the shape, and say when they are damaged."""

from __future__ import annotations

import math
import re
import tempfile
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from series_tools import T0, alike, blocks_of, found, read

import dsfactory as ds
from dsfactory.engine import Settings, open_connection
from dsfactory.series.blocks import MAX_SAMPLES, Block, decode, encode, require_intact
from dsfactory.series.samples import Samples, ascending, merged

Store = ds.MetricsStore[Any]

TIMES = st.lists(st.integers(0, 253_402_300_799_999), min_size=1, max_size=40, unique=True)
NUMBERS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.integers(-(2**53), 2**53).map(float),
    st.decimals(-1000, 1000, places=2).map(float),
)


def intact(block: Block, payload: bytes) -> bool:
    """Whether *payload* passes for what was sealed for *block*."""
    try:
        require_intact(block[:4], block.bytes, block.crc, payload)
    except ValueError:
        return False
    return True


@st.composite
def series(draw: st.DrawFn) -> Samples:
    """Samples of any shape."""
    times = sorted(draw(TIMES))
    values = draw(st.lists(NUMBERS, min_size=len(times), max_size=len(times)))
    return Samples(np.array(times, np.int64), np.array(values, np.float64))


@given(series())
def test_round_trip(samples: Samples) -> None:
    """Every sample comes back with its exact value."""
    block, payload = encode(7, samples)
    assert intact(block, payload)
    again = decode(block, payload)
    assert again.times.tolist() == samples.times.tolist()
    assert np.array_equal(again.values, samples.values, equal_nan=True)


@given(series())
def test_summary(samples: Samples) -> None:
    """What the row says of the values is what plain Python finds of those that are numbers."""
    block, _ = encode(7, samples)
    numbers = [value for value in samples.values.tolist() if not math.isnan(value)]
    assert (block.samples, block.numbers) == (len(samples.values), len(numbers))
    if not numbers:
        assert set(block[5:12]) == {None}
        return
    assert (block.minimum, block.maximum) == (min(numbers), max(numbers))
    assert (block.opening, block.closing) == (numbers[0], numbers[-1])
    if all(abs(value) < 1e100 for value in numbers):
        mean = math.fsum(numbers) / len(numbers)
        size = max(map(abs, numbers)) * len(numbers) or 1
        increase = math.fsum(b - a if b >= a else b for a, b in pairwise(numbers))
        assert block.total == pytest.approx(math.fsum(numbers), abs=size * 1e-12)
        squares = math.fsum((value - mean) ** 2 for value in numbers)
        assert block.squares == pytest.approx(squares, rel=1e-9, abs=size**2 * 1e-12)
        assert block.increase == pytest.approx(increase, abs=size * 1e-12)


SHAPES = {
    "even": np.arange(4096) * 10_000,
    "jittered": np.arange(4096) * 10_000 + np.random.default_rng(1).integers(-50, 50, 4096),
    "bursts": np.sort(np.random.default_rng(2).choice(10**9, 4096, replace=False)),
    "gap": np.where(np.arange(4096) < 2000, 0, 10**9) + np.arange(4096) * 1000,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_full_blocks(shape: str) -> None:
    """A full block of each shape of times comes back."""
    times = T0 + SHAPES[shape]
    samples = Samples(times, np.round(np.sin(times / 1e6) * 100, 2))
    block, payload = encode(1, samples)
    again = decode(block, payload)
    assert np.array_equal(again.times, times)
    assert np.array_equal(again.values, samples.values)


def test_two_digits_take_little_room() -> None:
    """A two-digit gauge takes at most 1 byte a sample, a counter 0.7, jittered times 0.95."""
    rng = np.random.default_rng(3)
    even = T0 + np.arange(MAX_SAMPLES) * 10_000
    gauge = np.round(20 + 5 * np.sin(np.arange(MAX_SAMPLES) / 500) + rng.normal(0, 0.2, 4096), 2)
    counter = np.cumsum(rng.poisson(30, MAX_SAMPLES)).astype(np.float64)
    assert len(encode(1, Samples(even, gauge))[1]) < MAX_SAMPLES * 1.0
    assert len(encode(1, Samples(even, counter))[1]) < MAX_SAMPLES * 0.7
    jittered = even + rng.integers(-50, 51, MAX_SAMPLES)
    constant = np.zeros(MAX_SAMPLES)
    assert len(encode(1, Samples(jittered, constant))[1]) < MAX_SAMPLES * 0.95


def test_another_place_is_damage() -> None:
    """A payload is good for its own block alone."""
    samples = Samples(np.array([T0]), np.array([1.0]))
    block, payload = encode(1, samples)
    assert not intact(block._replace(series=2), payload)
    assert not intact(block._replace(first_at=T0 - 1), payload)
    assert not intact(block, payload[:-1] + bytes([payload[-1] ^ 1]))


@given(st.binary(max_size=60))
def test_garbage_is_refused(garbage: bytes) -> None:
    """Bytes that are no payload raise ValueError, nothing worse."""
    block = Block(1, 0, 9, 3, 3, *(None,) * 7, len(garbage), 0, 1, 1)
    with pytest.raises(ValueError):
        decode(block, garbage)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 99)), max_size=30),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 99)), max_size=30),
)
def test_merging(older: list[tuple[int, int]], newer: list[tuple[int, int]]) -> None:
    """Merging is what a dict does: by time, the last one wins."""

    def samples(pairs: list[tuple[int, int]]) -> Samples:
        return Samples(
            np.array([t for t, _ in pairs], np.int64), np.array([v for _, v in pairs], np.float64)
        )

    both = merged(ascending(samples(older)), ascending(samples(newer)))
    expected = sorted((dict(older) | dict(newer)).items())
    assert list(zip(both.times.tolist(), both.values.tolist(), strict=True)) == expected


PORTIONS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(1, 120), st.integers(1, 3), st.booleans()),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(PORTIONS)
def test_sealing_in_any_order(portions: list[tuple[int, int, int, bool]]) -> None:
    """Portions in any order, overlapping, sealed at any time, make what a dict makes of them."""
    with (
        tempfile.TemporaryDirectory() as root,
        ds.DataStoreFactory(root, maintenance="manual", clock=ds.ManualClock(T0)) as factory,
    ):
        store = factory.create_metrics_store("m", ttl=None)
        expected: dict[int, float] = {}
        for number, (start, count, step, seal) in enumerate(portions):
            times = [T0 + start + n * step for n in range(count)]
            store.record_many("x", [float(number)] * count, at=times)
            expected |= dict.fromkeys(times, float(number))
            store.flush()
            if seal:
                store._series.seal(everything=True)
        assert read(store, "x") == sorted(expected.items())
        store._series.seal(everything=True)
        assert read(store, "x") == sorted(expected.items())
        assert store.check() == []


def test_small_portions_grow_together(store: Store) -> None:
    """Portions of 100 become full blocks, with few that are not full at the end."""
    for n in range(90):
        store.record_many("x", [float(n)] * 100, at=range(T0 + n * 100, T0 + n * 100 + 100))
        store.flush()
    sizes = blocks_of(store, "x")
    assert sum(sizes) == 9000
    assert sizes.count(MAX_SAMPLES) >= 1
    assert len(sizes) <= 2 + 8


def test_backwards(store: Store) -> None:
    """Portions that come newest first make few blocks as well."""
    for n in reversed(range(40)):
        store.record_many("x", [float(n)] * 500, at=range(T0 + n * 500, T0 + n * 500 + 500))
        store.flush()
    assert len(read(store, "x")) == 20_000
    assert len(blocks_of(store, "x")) <= 14


def test_late_samples_split_a_full_block(store: Store) -> None:
    """Late samples join the block of their time, which becomes two when it was full."""
    times = T0 + np.arange(3 * MAX_SAMPLES) * 10
    store.record_many("x", np.zeros(len(times)), at=times)
    store.flush()
    store.record_many("x", np.ones(70), at=T0 + MAX_SAMPLES * 10 + 5 + np.arange(70) * 10)
    store.record("x", 2, at=T0 + 3)
    store.flush()
    store._series.seal(everything=True)
    sizes = blocks_of(store, "x")
    assert (sum(sizes), len(sizes), sizes[-1]) == (3 * MAX_SAMPLES + 71, 4, MAX_SAMPLES)
    assert sum(value for _, value in read(store, "x")) == 72


def hurt(store: Store, statement: str) -> None:
    """Change a file by hand, and forget what was read of it."""
    connection = open_connection(store.path, Settings(), write=True)
    connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE piece SET data = zeroblob(length(data)) WHERE id = 1",
        "DELETE FROM piece WHERE id = 2",
        "UPDATE piece SET data = substr(data, 2) WHERE id = 1",
        "UPDATE block SET crc = crc + 1 WHERE piece = 1",
    ],
)
def test_damaged_block(store: Store, statement: str) -> None:
    """A damaged block is named by series and time; the rest comes when it is asked for."""
    values = np.random.default_rng(4).normal(0, 1, 2 * MAX_SAMPLES)
    times = T0 + np.arange(2 * MAX_SAMPLES)
    store.record_many("x", values, labels={"host": "a"}, at=times)
    store.flush()
    hurt(store, statement)
    with pytest.raises(ds.DamagedBlockError, match=re.escape('x {"host":"a"}')) as damaged:
        read(store, "x", {"host": "a"})
    assert damaged.value.facts["first_at"] == T0
    assert damaged.value.facts["samples"] == MAX_SAMPLES
    with store._series.reading(damaged="skip") as reader:
        samples = reader.samples(1, 0, T0 * 2)
        assert samples.times.tolist() == times[MAX_SAMPLES:].tolist()
        assert len(reader.damaged) == 1
    assert any("damaged" in str(violation) for violation in store.check())
    # Late samples for it wait in the journal, and nothing else is held up.
    store.record("x", 7, labels={"host": "a"}, at=T0 + 5)
    store.record_many("x", [8.0] * 80, labels={"host": "a"}, at=T0 + 10 + np.arange(80))
    store.record("y", 9, at=T0)
    store.flush()
    store._series.seal(everything=True)
    store._series.seal(everything=True)
    assert read(store, "y") == [(T0, 9.0)]
    with store._series.reading(damaged="skip") as reader:
        late = reader.samples(1, 0, T0 + MAX_SAMPLES)
        assert late.values.tolist() == [7.0] + [8.0] * 80
    hurt(store, "DELETE FROM block WHERE first_at = (SELECT min(first_at) FROM block)")
    store.repair()
    store._series.seal(everything=True)
    assert len(read(store, "x", {"host": "a"})) == MAX_SAMPLES + 81


def test_damaged_journal(store: Store) -> None:
    """A damaged row of the journal is an error; skipped, the blocks are read."""
    store.record_many("x", [1.0] * 100, at=range(T0, T0 + 100))
    store.record("y", 2)
    store.flush()
    hurt(store, "UPDATE journal SET data = zeroblob(length(data))")
    store._series._journal.__init__()  # type: ignore[misc]  # as a process that has not read it
    with pytest.raises(ds.DamagedBlockError, match="journal"):
        read(store, "x")
    store.record("y", 3, at=T0 + 1)
    store.record_many("x", [1.0] * 100, at=range(T0, T0 + 100))
    store.flush()
    store._series.seal(everything=True)
    with store._series.reading(damaged="skip") as reader:
        assert len(reader.samples(1, 0, T0 * 2).times) == 100
        assert found(reader, "y") == [(T0 + 1, 3.0)]
        assert [error.facts["samples"] for error in reader.damaged] == [1]
    assert any("journal" in str(violation) for violation in store.check())
    hurt(store, "DELETE FROM journal")
    assert alike(read(store, "x"), [(T0 + n, 1.0) for n in range(100)])


def test_segments(store: Store) -> None:
    """Segments are blocks where the summary holds, and samples everywhere else."""
    times = T0 + np.arange(3 * MAX_SAMPLES)
    store.record_many("x", np.arange(3 * MAX_SAMPLES) * 1.0, at=times)
    store.flush()
    store.record("x", -1, at=T0 + MAX_SAMPLES + 5)
    store.record("x", -2, at=T0 + 4 * MAX_SAMPLES)
    store.flush()
    with store._series.reading() as reader:
        found = list(reader.segments(1, T0 - 10, T0 * 2))
        assert [type(segment).__name__ for segment in found] == [
            "Block",
            "Samples",
            "Block",
            "Samples",
        ]
        decoded = [reader.decode(s) if isinstance(s, Block) else s for s in found]
        whole = reader.samples(1, T0 - 10, T0 * 2)
        assert np.array_equal(np.concatenate([d.values for d in decoded]), whole.values)
        partly = list(reader.segments(1, T0 + 1, T0 + MAX_SAMPLES))
        assert [len(s.times) for s in partly if isinstance(s, Samples)] == [MAX_SAMPLES - 1]
