"""What a store says of itself: exact counts, bytes and latencies, and what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import apsw
import pytest
from contract.common import NO_VALUE, Contract, MakeStore, Store, stranger

import dsfactory as ds


class Steps:
    """Counts the steps of SQLite's virtual machine on every connection that is opened."""

    def __init__(self) -> None:
        self.taken = 0

    def __call__(self, connection: apsw.Connection) -> None:
        connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, self._count)

    def _count(self, event: dict[str, Any]) -> None:
        self.taken += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    def of(self, question: Callable[[], object]) -> int:
        """How many steps *question* takes."""
        question()  # whatever is only done once
        before = self.taken
        question()
        return self.taken - before


class MetricsContract(Contract):
    """get_metrics, reset_metrics and stats."""

    @pytest.fixture
    def steps(self) -> Iterator[Steps]:
        """Watches the connections that the test opens."""
        steps = Steps()
        apsw.connection_hooks.append(steps)
        yield steps
        apsw.connection_hooks.remove(steps)

    def test_metrics_counts(self, store: Store) -> None:
        """Every operation is counted under its name, and every error by its type."""
        for number in range(3):
            store.set("k", number)
        store.get("k")
        for _ in range(2):
            with pytest.raises(ds.ValueShapeError):
                store.set("k", NO_VALUE)
        with pytest.raises(ds.KeyTypeError):
            store.get(None)  # type: ignore[arg-type]
        metrics = store.get_metrics()
        counts = {name: (kept.count, kept.errors) for name, kept in metrics.operations.items()}
        assert counts == {"set": (5, 2), "get": (2, 1)}
        assert metrics.errors == {"ValueShapeError": 2, "KeyTypeError": 1}

    def test_metrics_latencies(self, store: Store) -> None:
        """Quantiles are ordered, none is above the slowest, and the total is at least that."""
        for number in range(50):
            store.get(number)
        kept = store.get_metrics().operations["get"]
        assert 0 < kept.p50_ms <= kept.p95_ms <= kept.p99_ms <= kept.max_ms <= kept.total_ms
        assert kept.total_ms <= 50 * kept.max_ms

    @pytest.mark.parametrize("value", ["ascii", "é\U0001f600", ["é", 1, None], "é" * 20_000])
    def test_metrics_bytes(self, store: Store, value: object) -> None:
        """Bytes are those of the encoded values before compression, exactly."""
        size = len(store._values.codec.encode(value))
        store["a"] = value
        store.set_many({"b": value, "c": value})
        store.batch().set("d", value).commit()
        store.add("e", value)
        store.add("e", value)
        store.setdefault("f", value)
        store.update_with("a", lambda old: old)
        assert store.get_metrics().bytes_written == 7 * size
        store.reset_metrics()
        store["a"]
        store.get("a")
        store.get("absent")
        store.get_many(["a", "b", "absent"])
        metrics = store.get_metrics()
        assert (metrics.bytes_read, metrics.bytes_written) == (4 * size, 0)
        assert (metrics.hits, metrics.misses) == (4, 2)

    def test_metrics_of_get_or_set(self, store: Store) -> None:
        """A value that had to be computed is one miss, one that was there is one hit."""
        store.get_or_set("k", lambda: 1)
        store.get_or_set("k", lambda: 1)
        metrics = store.get_metrics()
        assert (metrics.hits, metrics.misses) == (1, 1)

    def test_metrics_reset(self, store: Store) -> None:
        """A reset begins everything anew."""
        store["k"] = 1
        with pytest.raises(KeyError):
            store["absent"]
        store.get("k")
        store.reset_metrics()
        metrics = store.get_metrics()
        assert metrics.operations == {}
        assert metrics.errors == {}
        assert (metrics.bytes_read, metrics.bytes_written) == (0, 0)
        assert (metrics.hits, metrics.misses, metrics.retries) == (0, 0, 0)

    def test_metrics_retries(self, make_store: MakeStore) -> None:
        """Each further attempt at a write lock that somebody else holds is counted."""
        store = make_store(self.kind, busy_timeout_ms=0, max_retries=2, retry_delay_ms=0)
        store["k"] = 1
        with stranger(store) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(ds.BusyError) as caught:
                store["k"] = 2
            other.execute("ROLLBACK")
        assert isinstance(caught.value, TimeoutError)
        assert store.get_metrics().retries == 2
        store["k"] = 3
        assert store["k"] == 3
        store.reset_metrics()
        assert store.get_metrics().retries == 0

    def test_stats_of_entries(self, store: Store) -> None:
        """Entries and their bytes are exact, and looking costs neither a hit nor a miss."""
        assert store.stats().entries == 0
        assert store.stats().hit_ratio is None
        assert store.stats().compression_ratio is None
        store.update({"a": "é", "b": [1, 2]})
        store["a"] = "longer than before"
        del store["b"]
        encoded = len(store._values.codec.encode("longer than before"))
        stats = store.stats()
        assert (stats.name, stats.kind) == ("under-test", self.kind)
        assert (stats.entries, stats.expired_entries) == (1, 0)
        assert (stats.size_bytes, stats.unpacked_bytes) == (encoded, encoded)
        assert stats.compression_ratio == 1
        assert stats.file_bytes == store.path.stat().st_size
        assert stats.wal_bytes > 0
        assert (stats.hits, stats.misses) == (0, 0)
        store.get("a")
        store.get("absent")
        assert store.stats().hit_ratio == 0.5

    @pytest.mark.parametrize("question", [len, lambda store: store.stats()], ids=["len", "stats"])
    def test_totals_without_reading_entries(
        self, steps: Steps, roomy: Store, question: Callable[[Store], object]
    ) -> None:
        """len and stats cost the same with 10 entries as with 1,000."""
        roomy.set_many({number: number for number in range(10)})
        with_few = steps.of(lambda: question(roomy))
        roomy.set_many({number: number for number in range(1000)})
        with_many = steps.of(lambda: question(roomy))
        assert len(roomy) == 1000
        assert with_many <= 2 * with_few
