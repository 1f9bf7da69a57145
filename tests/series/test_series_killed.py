"""Killed before any statement of a flush, a sealing or a retention: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import numpy as np
import pytest
from series_tools import T0, Pairs, read

import dsfactory as ds
from dsfactory.engine import Connection

DAY = 86_400_000
Store = ds.MetricsStore[Any]
Work = Callable[[Store], None]


class Fatal:
    """Counts the statements of a store's writer; kills the process before the n-th."""

    def __init__(self, store: Store, number: int = 0) -> None:
        self.count = 0
        self._number = number
        prepare = store._database._prepare

        def traced(connection: Connection) -> None:
            if prepare is not None:
                prepare(connection)
            connection.trace_v2(apsw.SQLITE_TRACE_STMT, self._statement)

        store._database._prepare = traced

    def _statement(self, _event: object) -> None:
        self.count += 1
        if self.count == self._number:
            os.kill(os.getpid(), signal.SIGKILL)


class Course:
    """A store's file, kept aside, and something done to it again and again."""

    def __init__(self, root: Path, prepare: Work, work: Work, **options: Any) -> None:
        self.root, self.work, self.options = root, work, options
        with self._factory() as factory:
            prepare(factory.create_metrics_store("m", **options))
        self.path = root / "stores" / "m.db"
        self.aside = root / "aside.db"
        shutil.copyfile(self.path, self.aside)

    def _factory(self) -> ds.DataStoreFactory:
        return ds.DataStoreFactory(self.root, maintenance="manual", clock=ds.ManualClock(T0))

    def _restore(self) -> None:
        for suffix in ("-wal", "-shm"):
            Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        shutil.copyfile(self.aside, self.path)

    def statements(self) -> int:
        """How many statements the work takes."""
        with self._factory() as factory:
            store = factory.create_metrics_store("m")
            fatal = Fatal(store)
            self.work(store)
            return fatal.count

    def killed(self, number: int, contents: Callable[[Store], Any]) -> tuple[Any, Any, int]:
        """Contents after a death before that statement, after doing it again, and what was told.

        The child tells through a pipe how many of its steps were acknowledged.
        """
        self._restore()
        here, there = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            self._die(number, there)
        os.close(there)
        with os.fdopen(here) as pipe:
            acknowledged = len(pipe.read())
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, number
        with self._factory() as factory:
            store = factory.create_metrics_store("m")
            after = contents(store)
            assert store.check() == [], number
            self.work(store)
            assert store.check() == [], number
            return after, contents(store), acknowledged

    def _die(self, number: int, there: int) -> None:
        try:
            os.environ["ACKNOWLEDGE"] = str(there)
            store = self._factory().create_metrics_store("m")
            Fatal(store, number)
            self.work(store)
        finally:
            os._exit(0)


def acknowledge() -> None:
    """Tell the parent that a step was acknowledged."""
    if "ACKNOWLEDGE" in os.environ:
        os.write(int(os.environ["ACKNOWLEDGE"]), b".")


def everything(store: Store) -> dict[str, Pairs]:
    """Every sample of every series."""
    with store._series.reading() as reader:
        names = [(s.name, s.labels) for s in reader.catalogue.all()]
    return {f"{name}{json.dumps(labels)}": read(store, name, labels) for name, labels in names}


def every(count: int, most: int) -> range:
    """At most so many numbers from 1 to *count*, evenly."""
    return range(1, count + 1, max(1, count // most))


def test_durable_steps(tmp_path: Path) -> None:
    """What was acknowledged as durable is there, all of the rest of a flush or nothing."""

    def prepare(store: Store) -> None:
        store.record("x", -1, at=T0 - 1)

    def work(store: Store) -> None:
        for step in range(4):
            store.record("x", step, at=T0 + step)
            store.record("y", step, labels={"n": str(step)}, at=T0)
            store.record_many(
                "z", [float(step)] * 100, at=range(T0 + step * 50, T0 + step * 50 + 100)
            )
            store.flush(durable=True)
            acknowledge()

    course = Course(tmp_path, prepare, work, ttl=None)
    states = []
    with ds.DataStoreFactory(tmp_path / "model", maintenance="manual") as factory:
        model = factory.create_metrics_store("m", ttl=None)
        prepare(model)
        states.append(everything(model))
        for step in range(4):
            model.record("x", step, at=T0 + step)
            model.record("y", step, labels={"n": str(step)}, at=T0)
            times = range(T0 + step * 50, T0 + step * 50 + 100)
            model.record_many("z", [float(step)] * 100, at=times)
            states.append(everything(model))
    count = course.statements()
    assert count > 40
    for number in every(count, 20):
        after, again, acknowledged = course.killed(number, everything)
        assert after in states[acknowledged : acknowledged + 2], number
        assert again == states[-1], number


@pytest.mark.parametrize("mixed", [False, True])
def test_sealing(tmp_path: Path, mixed: bool) -> None:
    """Sealing changes nothing that a reader sees, wherever it ends."""

    def prepare(store: Store) -> None:
        for name in ("a", "b", "c"):
            store.record_many(name, np.arange(5000) / 7, at=T0 + np.arange(5000) * 10)
        store.flush()
        for n in range(40):
            store.record_rows((name, None, T0 + 49_000 + n * 60, -n) for name in ("a", "b", "d"))
            store.flush()
        if mixed:  # the same times again, so that the last one has to win
            store.record_many("a", [9.0] * 100, at=T0 + 49_000 + np.arange(100) * 60)
            store.flush()

    def work(store: Store) -> None:
        store._series.seal(everything=True)

    course = Course(tmp_path, prepare, work, ttl=None)
    course._restore()
    with course._factory() as factory:
        expected = everything(factory.create_metrics_store("m"))
    count = course.statements()
    assert count > 20
    for number in every(count, 24):
        after, again, _ = course.killed(number, everything)
        assert after == again == expected, number


def test_retention(tmp_path: Path) -> None:
    """Retention drops whole blocks or leaves them whole, and never a live sample."""

    def prepare(store: Store) -> None:
        times = T0 - 10 * DAY + np.arange(86_400) * 10_000
        for name in ("a", "b"):
            store.record_many(name, np.arange(86_400) % 50, at=times)
        store.record("gone", 1, at=T0 - 9 * DAY)
        store.flush()
        store._series.seal(everything=True)

    def work(store: Store) -> None:
        store.maintain_series()
        store.maintain()

    def live(store: Store) -> tuple[Pairs, Pairs]:
        return read(store, "a"), read(store, "b")

    course = Course(tmp_path, prepare, work, ttl="5d")
    course._restore()
    with course._factory() as factory:
        expected = live(factory.create_metrics_store("m"))
    count = course.statements()
    assert len(expected[0]) == 43_200
    for number in every(count, 10):
        after, again, _ = course.killed(number, live)
        assert after == again == expected, number
