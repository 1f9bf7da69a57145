"""Everything at once and against the grain: real kills, damage to any byte, clocks that jump."""

from __future__ import annotations

import io
import math
import os
import random
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from series_tools import T0, read

import dsfactory as ds
from dsfactory.engine import Settings
from dsfactory.engine.copying import copy_online
from dsfactory.series import blocks, pieces, sql
from dsfactory.series.samples import Samples

ROOT = Path(__file__).resolve().parents[2]
DAY = 86_400_000
Store = ds.MetricsStore[Any]


def run(program: str, *arguments: object, **options: Any) -> subprocess.Popen[str]:
    """Start a Python program of this checkout."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, text=True, **options)


# -- killed from outside

WORKER = """
import sys
import warnings
import dsfactory as ds
from dsfactory.series import engine
engine.JOURNAL_SAMPLES = 400  # so that it seals all the time
root, first = sys.argv[1], int(sys.argv[2])
T0 = 1_700_000_000_000
clock = ds.ManualClock(T0 + 40 * 86_400_000)
factory = ds.DataStoreFactory(root, maintenance="manual", clock=clock)
m = factory.get_store("m")
for n in range(first, first + 100_000):
    at = T0 + n * 1000
    m.record("one", n, at=at)
    m.record_many("many", [float(n)] * 100, at=range(at, at + 1000, 10))
    m.record("old", n, at=T0 - 86_400_000 + n)
    m.flush(durable=True)
    sys.stdout.write(f"{n}\\n")
    sys.stdout.flush()
    if n % 7 == 0:
        m.maintain_series()
    if n % 11 == 0:
        m.maintain()
"""


def test_killed_at_random(tmp_path: Path) -> None:
    """Whenever a process dies, what it acknowledged is there, once, sealed or dropped or not."""
    root = tmp_path / "data"
    rng = random.Random(6)
    first = 0
    options: dict[str, Any] = {"ttl": "40d", "rollups": [("1m", "90d")]}
    clock = ds.ManualClock(T0 + 40 * DAY)
    with ds.DataStoreFactory(root, maintenance="manual", clock=clock) as factory:
        factory.create_metrics_store("m", **options)
    for _ in range(5):
        process = run(WORKER, root, first, stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(rng.randrange(5, 60)):
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines(keepends=True)
        told = max([told, *(int(line) for line in rest if line.endswith("\n"))])
        process.wait()
        process.stdout.close()
        with ds.DataStoreFactory(root, maintenance="manual", clock=clock) as factory:
            store = factory.get_store("m")
            assert isinstance(store, ds.MetricsStore)
            assert store.check() == []
            one = read(store, "one")
            assert one[: told + 1] == [(T0 + n * 1000, float(n)) for n in range(told + 1)]
            assert len(one) in (told + 1, told + 2)
            many = read(store, "many")
            assert many == [
                (T0 + n * 1000 + k, float(n)) for n in range(len(one)) for k in range(0, 1000, 10)
            ]
            assert read(store, "old") == []
            first = len(one)
            counts = store.query_all(
                "many", start=T0, end=T0 + first * 1000, step=60_000, agg="count"
            )
            assert counts[0].values.sum() == len(many)


# -- several processes at once

WRITER = """
import sys
import warnings
import dsfactory as ds
from dsfactory.series import engine
engine.JOURNAL_SAMPLES = 500
root, number = sys.argv[1], sys.argv[2]
T0 = 1_700_000_000_000
with ds.DataStoreFactory(root, maintenance="manual", clock=ds.ManualClock(T0)) as factory:
    m = factory.get_store("m")
    for n in range(200):
        m.record("hits", n, labels={"p": number}, at=T0 + n)
        m.flush()
        if n % 50 == 0:
            m.maintain_series()
"""


def test_query_while_others_record(tmp_path: Path) -> None:
    """A reader sees of each writer a beginning that only grows, and in the end exactly all."""
    with ds.DataStoreFactory(
        tmp_path / "data", maintenance="manual", clock=ds.ManualClock(T0)
    ) as factory:
        store = factory.create_metrics_store("m", ttl=None, busy_timeout_ms=20_000)
        writers = [run(WRITER, factory.root, number) for number in range(3)]
        seen = dict.fromkeys("012", 0)
        while any(writer.poll() is None for writer in writers):
            for number, before in seen.items():
                found = read(store, "hits", {"p": number})
                assert found == [(T0 + n, float(n)) for n in range(len(found))]
                assert len(found) >= before
                seen[number] = len(found)
            total = (
                sum(int(r.values.sum()) for r in counted(store, [])) if any(seen.values()) else 0
            )
            assert total >= sum(seen.values())
        assert [writer.returncode for writer in writers] == [0, 0, 0]
        assert {r.labels["p"]: int(r.values.sum()) for r in counted(store, ["p"])} == dict.fromkeys(
            "012", 200
        )
        assert store.check() == []


def counted(store: Store, by: list[str]) -> list[Any]:
    """How many samples there are, by labels."""
    return store.query_all("hits", start=T0, end=T0 + 1000, step=1000, agg="count", by=by)


# -- damage


def sealed(store: Store) -> tuple[blocks.Block, bytes]:
    """The first block of a series that has three, and its payload."""
    rng = np.random.default_rng(1)
    store.record_many("a", np.round(rng.normal(50, 9, 200), 2), at=T0 + np.arange(200) * 10)
    store.record_many("b", np.arange(100), at=T0 + np.arange(100) * 10)
    store.flush()
    with store._series.reading() as reader:
        (series,) = reader.catalogue.named("a")
        (block,) = reader.blocks(series.id, 0, T0 * 2)
        with store._database.snapshot() as snapshot:
            return block, pieces.read(snapshot, block.piece, block.pieces)


def test_every_byte(store: Store) -> None:
    """A change of any single byte of a block is noticed, named, and costs that block alone."""
    block, payload = sealed(store)
    place = -block.piece if block.piece < 0 else block.piece
    table = "draft" if block.piece < 0 else "piece"
    size = -(-len(payload) // block.pieces)
    put = f"UPDATE {table} SET data = ? WHERE id = ?"  # noqa: S608 -- one of two names
    whole = read(store, "a")
    rng = random.Random(2)
    for at in range(len(payload)):
        changed = bytearray(payload)
        changed[at] ^= 1 << rng.randrange(8)
        number, start = at // size, at // size * size
        with store._database.write() as tx:
            tx.rows(put, (bytes(changed[start : start + size]), place + number))
        with pytest.raises(ds.DamagedBlockError) as caught:
            read(store, "a")
        assert (caught.value.facts["name"], caught.value.facts["first_at"]) == ("a", T0)
        with store._database.write() as tx:
            tx.rows(put, (payload[start : start + size], place + number))
    assert read(store, "a") == whole


@pytest.mark.parametrize("column", ["last_at", "samples", "bytes", "crc", "piece", "pieces"])
def test_every_column(store: Store, column: str) -> None:
    """A block's row that no longer fits its payload is damage as well; check() says so too."""
    sealed(store)
    change = f"UPDATE block SET {column} = {column} + ? WHERE series = 1"  # noqa: S608
    with store._database.write() as tx:
        tx.rows(change, (1,))
    with pytest.raises(ds.DamagedBlockError):
        read(store, "a")
    assert len(read(store, "b")) == 100
    assert any("I12" in str(violation) for violation in store.check())
    file = io.BytesIO()
    assert store.export_samples(file, format="csv", damaged="skip") == 100
    with store._database.write() as tx:
        tx.rows(change, (-1,))


@pytest.mark.parametrize("column", ["numbers", "minimum", "total", "closing", "increase"])
def test_every_figure(store: Store, column: str) -> None:
    """A summary that is of other values is found by check()."""
    sealed(store)
    change = f"UPDATE block SET {column} = {column} + ? WHERE series = 1"  # noqa: S608
    with store._database.write() as tx:
        tx.rows(change, (4,))
    assert store.check() != []
    with store._database.write() as tx:
        tx.rows(change, (-4,))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damage_with_a_right_checksum(data: st.DataObject) -> None:
    """Bytes that somebody changed and signed anew decode to something or raise ValueError."""
    rng = np.random.default_rng(3)
    jittered = Samples(T0 + np.arange(70) * 1000 + rng.integers(0, 9, 70), rng.normal(0, 1, 70))
    block, payload = blocks.encode(1, jittered)
    changed = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del changed[data.draw(st.integers(0, len(changed))) :]
    try:
        found = blocks.decode(block, bytes(changed))
    except ValueError:
        return
    assert len(found.times) == len(found.values) == 70


def test_damage_stays_in_its_series(store: Store) -> None:
    """Recording, sealing, maintenance and export of others go on beside a damaged block."""
    sealed(store)
    with store._database.write() as tx:
        tx.rows("UPDATE block SET crc = crc + 1 WHERE series = 1 AND first_at = ?", (T0,))
    for n in range(300):
        store.record("a", -1, at=T0 + n * 10)
        store.record("b", -1, at=T0 + n * 10)
        store.flush()
    store._series.seal(everything=True)
    store.maintain_series()
    assert read(store, "b") == [(T0 + n * 10, -1.0) for n in range(300)]
    with store._series.reading(damaged="skip") as reader:
        (series,) = reader.catalogue.named("a")
        assert len(reader.samples(series.id, 0, T0 * 2).times) == 300
    with store._database.write() as tx:
        tx.rows("UPDATE block SET crc = crc - 1 WHERE series = 1 AND first_at = ?", (T0,))
    assert read(store, "a") == read(store, "b")


# -- time


def test_clock_that_jumps(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A clock set back loses nothing: the store's time goes on, samples stay in order."""
    store = factory.create_metrics_store("m", ttl="30d")
    for jump in (1000, -5 * DAY, 10, 4 * DAY, -DAY, 2 * DAY):
        clock.advance(jump)
        for _ in range(3):
            clock.advance(1)
            store.record("a", jump)
            store.flush()
        store.maintain_series()
    times = [at for at, _ in read(store, "a")]
    assert times == sorted(times)
    assert len(times) >= 6  # at one millisecond of the store's time the last one wins
    assert store.check() == []


def test_future_and_past(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """Samples of the future are kept; what was past its time when it came stays absent."""
    store = factory.create_metrics_store("m", ttl="1d")
    store.record("a", 1, at=clock.now_ms() + 400 * DAY)
    store.record("a", 2, at=clock.now_ms() - 2 * DAY)
    store.record("a", 3, at=clock.now_ms())
    store._series.seal(everything=True)
    store.maintain_series()
    assert [value for _, value in read(store, "a")] == [3.0, 1.0]
    clock.advance(100 * DAY)
    store.maintain_series()
    assert [value for _, value in read(store, "a")] == [1.0]


# -- limits


def test_many_series(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """At max_series new ones are refused by a typed error; after retention there is room again."""
    store = factory.create_metrics_store("m", ttl="1d", max_series=500)
    store.record_rows(("a", {"n": str(n)}, T0 - DAY // 2, n) for n in range(500))
    store.flush()
    store.record_rows(("a", {"n": str(n)}, T0, n) for n in range(400, 600))
    with pytest.raises(ds.SeriesLimitError, match="500"):
        store.flush()
    assert store.stats().series == 500
    assert len(read(store, "a", {"n": "450"})) == 2
    store._series.seal(everything=True)
    clock.advance(DAY * 2 // 3)
    store.maintain_series()
    assert store.stats().series == 100
    store.record_rows(("a", {"n": str(n)}, None, n) for n in range(1000, 1400))
    store.flush()
    assert store.stats().series == 500


# -- copies, and what was there before


def test_copy_while_recording(factory: ds.DataStoreFactory, tmp_path: Path) -> None:
    """An online copy is one moment of the store, and sound."""
    store = factory.create_metrics_store("m", ttl=None)
    copies = []
    for n in range(6):
        store.record_many("a", [float(n)] * 100, at=range(T0 + n * 100, T0 + n * 100 + 100))
        store.record("b", n, at=T0 + n)
        store.flush()
        copies.append(tmp_path / f"copy-{n}.db")
        copies[-1].touch()
        copy_online(store.path, Settings(), copies[-1])
    for n, path in enumerate(copies):
        with ds.DataStoreFactory(tmp_path / f"of-{n}", maintenance="manual") as other:
            restored = other.create_metrics_store("m", ttl=None)
            restored.close()
            path.replace(restored.path)
            restored = other.create_metrics_store("m", ttl=None)
            assert restored.check() == []
            assert len(read(restored, "a")) == (n + 1) * 100
            assert read(restored, "b") == [(T0 + k, float(k)) for k in range(n + 1)]
            restored.record("b", 99, at=T0 + 99)
            assert len(read(restored, "b")) == n + 2


def test_two_factories(tmp_path: Path) -> None:
    """Two handles in one process record into one store; closing one keeps the other going."""
    root = tmp_path / "data"
    with (
        ds.DataStoreFactory(root, maintenance="manual") as one,
        ds.DataStoreFactory(root, maintenance="manual") as two,
    ):
        a = one.create_metrics_store("m", ttl=None, write_window="1h")
        b = two.create_metrics_store("m", ttl=None)
        a.record("x", 1, at=T0)
        b.record("x", 2, at=T0 + 1)
        one.close()
        assert read(b, "x") == [(T0, 1.0), (T0 + 1, 2.0)]
        with pytest.raises(ds.ClosedError):
            a.record("x", 3)
        assert b.check() == []


INDEXED = ["BLOCKS", "AROUND", "BLOCK_BEFORE", "BLOCK_BEHIND", "BLOCKS_AFTER", "OLDEST_BEFORE"]
INDEXED += ["FIND", "NAMED", "PIECES", "DRAFTS", "JOURNAL_AFTER", "SPAN"]


def test_statements_are_indexed(store: Store) -> None:
    """Whatever a query looks up by series and time is found by a key, not by reading on."""
    for name in INDEXED:
        statement = getattr(sql, name)
        parameters = (0,) * max(n for n in (1, 2, 3) if f"?{n}" in statement)
        plan = store._database.rows(f"EXPLAIN QUERY PLAN {statement}", parameters)
        assert not [line for *_, line in plan if line.startswith("SCAN ")], (name, plan)


def test_fork_during_exchange(factory: ds.DataStoreFactory) -> None:
    """A child forked with samples collected, and while an export is open, writes its own once."""
    store = factory.create_metrics_store("m", ttl=None, write_window="1h")
    store.record_many("a", [1.0] * 100, at=range(T0, T0 + 100))
    store.record("b", 1, at=T0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            store.record("b", 2, at=T0 + 1)
            file = io.BytesIO()
            count = store.export_samples(file, format="csv")
            os._exit(0 if count == 102 else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    store.record("b", 3, at=T0 + 2)
    assert read(store, "b") == [(T0, 1.0), (T0 + 1, 2.0), (T0 + 2, 3.0)]
    assert store.stats().samples == 103


def test_closed_with_samples(tmp_path: Path) -> None:
    """A factory that closes, or whose program ends, commits what every store of it collected."""
    program = """
import sys
import warnings
import dsfactory as ds
factory = ds.DataStoreFactory(sys.argv[1], maintenance="manual")
stores = [factory.create_metrics_store(name, ttl=None, write_window="1h") for name in "ab"]
for n, store in enumerate(stores * 50):
    store.record("x", n, at=n)
    store.counter("hits", labels={"n": str(n)}).inc()
    store.histogram("lag", [1.0]).observe(n)
if len(sys.argv) > 2:
    factory.close()
"""
    for number, more in enumerate((["close"], [])):
        root = tmp_path / str(number)
        assert run(program, root, *more).wait() == 0
        with ds.DataStoreFactory(root, maintenance="manual") as factory:
            for name in "ab":
                store = factory.get_store(name)
                assert isinstance(store, ds.MetricsStore)
                assert len(read(store, "x")) == 50
                assert store.stats().series == 1 + 50 + 4
                assert 'lag_bucket{le="+Inf"} 50\n' in store.exposition()
                assert store.check() == []


HAMMER = """
import sys
import warnings
import threading
import dsfactory as ds
T0 = 1_700_000_000_000
root, process = sys.argv[1], sys.argv[2]
with ds.DataStoreFactory(root, maintenance="manual", clock=ds.ManualClock(T0)) as factory:
    m = factory.get_store("m")
    def work(thread):
        hits = m.counter("hits", labels={"p": process})
        for n in range(2000):
            m.record("x", n, labels={"p": process, "t": str(thread)}, at=T0 + n)
            hits.inc()
            if n % 500 == 0:
                m.maintain_series()
                m.query_all("x", start=T0, end=T0 + 5000, step=1000, by=["p"])
    threads = [threading.Thread(target=work, args=(t,)) for t in range(3)]
    [t.start() for t in threads]
    [t.join() for t in threads]
"""


def test_threads_of_processes(tmp_path: Path) -> None:
    """Threads of several processes record, count and query at once; every count is exact."""
    with ds.DataStoreFactory(
        tmp_path / "data", maintenance="manual", clock=ds.ManualClock(T0)
    ) as factory:
        store = factory.create_metrics_store("m", ttl=None, write_window=5, busy_timeout_ms=20_000)
        running = [run(HAMMER, factory.root, number) for number in range(2)]
        assert [process.wait() for process in running] == [0, 0]
        for process in "01":
            assert read(store, "hits", {"p": process})[-1][1] == 6000
            for thread in "012":
                pairs = read(store, "x", {"p": process, "t": thread})
                assert pairs == [(T0 + n, float(n)) for n in range(2000)]
        assert store.stats().series == 8


BAD_NAMES: list[Any] = ["", "9a", "a-b", "a b", "a\n", "é", "a" * 256, None, 7, b"a"]
BAD_LABELS: list[Any] = [
    {f"l{n}": "x" for n in range(31)},
    {"l": "x" * 1025},
    {"l": "é" * 513},
    {"__name__": "x"},
    {"9": "x"},
    {"": "x"},
    {"l": 1},
    {"l": "\ud800"},
    {"l": "\0"},
    ["l"],
]
BAD_TIMES: list[Any] = [-1, 253_402_300_800_000, 2**63, 2**70, 1.5, "now", True, math.nan]


def test_bad_input(store: Store) -> None:
    """Names, labels and times that are not allowed are refused alike by every way in."""
    cases = [((name, None, T0, 1.0), ds.SeriesNameError) for name in BAD_NAMES]
    cases += [(("a", labels, T0, 1.0), ds.LabelError) for labels in BAD_LABELS]
    cases += [(("a", None, at, 1.0), ds.SampleRefusedError) for at in BAD_TIMES]
    for (name, labels, at, value), error in cases:
        with pytest.raises(error):
            store.record(name, value, labels=labels, at=at)
        with pytest.raises(error):
            store.record_many(name, [value], labels=labels, at=[at])
        with pytest.raises(error):
            store.record_rows([(name, labels, at, value)])
        if at == T0:
            with pytest.raises(error):
                store.counter(name, labels=labels)
    assert store.flush() == 0
    assert store.stats().series == 0


@pytest.mark.parametrize(
    "asked",
    [
        {"step": 0},
        {"step": -1},
        {"step": "1 fortnight"},
        {"end": T0 - 1},
        {"start": -1},
        {"end": 2**70},
        {"agg": "median"},
        {"agg": "quantile(2)"},
        {"by": "route"},
        {"where": ["x"]},
        {"where": ['x=~"("']},
        {"damaged": "maybe"},
        {"step": 1, "end": T0 + 10**12},
    ],
)
def test_bad_questions(store: Store, asked: dict[str, Any]) -> None:
    """What cannot be asked is refused by an error of ours that is a ValueError, at once."""
    store.record("a", 1, at=T0)
    question = {"start": T0, "end": T0 + 1000, "step": 100, **asked}
    with pytest.raises(ds.DataStoreError) as caught:
        store.query("a", **question)
    assert isinstance(caught.value, (ValueError, TypeError)), caught.value
