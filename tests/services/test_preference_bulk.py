"""Bulk operations: progress, failures, leases, restarts, two processes and SIGKILL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from services.preference_samples import LEASE_MS, START, Manager, opened

import dsfactory as ds
from dsfactory.services.preferences import BulkFailure, BulkItem, BulkProgress, Daily

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture
def manager(factory: ds.DataStoreFactory) -> Manager:
    """A manager whose clock is the test's."""
    return opened(factory)


def failing_on(*commands: str) -> object:
    """An executor that raises for some commands."""

    def execute(item: BulkItem) -> None:
        if item.command in commands:
            raise LookupError(item.command)

    return execute


def test_bulk_goes_past_failures(manager: Manager) -> None:
    """Every command is tried in order; failures are kept by the type of their error."""
    bulk = manager.start_bulk("ada", ["a", "b", "c", "d"], name="letters")
    assert (bulk.state, bulk.total, bulk.done) == ("waiting", 4, 0)
    seen: list[BulkProgress] = []
    end = manager.run_bulk("ada", bulk.id, failing_on("b", "d"), progress=seen.append)
    assert [(p.done, p.failed) for p in seen] == [(1, 0), (2, 1), (3, 1), (4, 2)]
    assert end == seen[-1] == manager.bulk("ada", bulk.id)
    assert end.state == "done"
    assert manager.bulk_failures("ada", bulk.id) == [
        BulkFailure(1, "b", "LookupError"),
        BulkFailure(3, "d", "LookupError"),
    ]
    assert manager.bulks(unfinished=True) == []


def test_bulk_that_is_done_does_nothing_again(manager: Manager) -> None:
    """Running it once more calls nobody."""
    bulk = manager.start_bulk("ada", ["a"])
    ran: list[BulkItem] = []
    first = manager.run_bulk("ada", bulk.id, ran.append)
    assert manager.run_bulk("ada", bulk.id, ran.append) == first
    assert len(ran) == 1


def test_interrupted_bulk_goes_on(manager: Manager) -> None:
    """KeyboardInterrupt gives the lease back; the next call begins with the same command."""
    bulk = manager.start_bulk("ada", ["a", "b", "c"])
    ran: list[str] = []

    def execute(item: BulkItem) -> None:
        ran.append(item.command)
        if ran == ["a", "b"]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        manager.run_bulk("ada", bulk.id, execute)
    assert [b.id for b in manager.bulks(unfinished=True)] == [bulk.id]
    assert manager.run_bulk("ada", bulk.id, execute).done == 3
    assert ran == ["a", "b", "b", "c"]


def test_bulk_is_run_by_one_at_a_time(manager: Manager, clock: ds.ManualClock) -> None:
    """A second runner is refused while the lease holds; each command begins it anew."""
    bulk = manager.start_bulk("ada", ["a", "b"])

    def execute(item: BulkItem) -> None:
        clock.advance(LEASE_MS - 1)
        with pytest.raises(ds.BusyError, match="lease"):
            manager.run_bulk("ada", bulk.id, execute)

    assert manager.run_bulk("ada", bulk.id, execute).failed == 0


def test_bulk_taken_over_is_left(manager: Manager, clock: ds.ManualClock) -> None:
    """Who outlives the lease stops: the one who took over counts every command once."""
    bulk = manager.start_bulk("ada", ["a", "b", "c"])
    second: list[str] = []
    first: list[str] = []

    def too_long(item: BulkItem) -> None:
        first.append(item.command)
        clock.advance(LEASE_MS + 1)
        manager.run_bulk("ada", bulk.id, lambda i: second.append(i.command))

    assert manager.run_bulk("ada", bulk.id, too_long).done == 3
    assert (first, second) == (["a"], ["a", "b", "c"])


def test_bulk_taken_over_and_given_back_is_left(manager: Manager, clock: ds.ManualClock) -> None:
    """Whose lease has ended does not go on without one when the next holder gave up, too."""
    bulk = manager.start_bulk("ada", ["a", "b"])
    ran: list[str] = []

    def give_up(_item: BulkItem) -> None:
        raise KeyboardInterrupt

    def slow(item: BulkItem) -> None:
        ran.append(item.command)
        if len(ran) == 1:
            clock.advance(LEASE_MS + 1)
            with pytest.raises(KeyboardInterrupt):
                manager.run_bulk("ada", bulk.id, give_up)

    assert manager.run_bulk("ada", bulk.id, slow).done == 0
    assert ran == ["a"]
    assert manager.run_bulk("ada", bulk.id, slow).state == "done"


def test_cancelled_bulk_stops(manager: Manager) -> None:
    """No further command begins; what was done stays done."""
    bulk = manager.start_bulk("ada", ["a", "b", "c"])
    end = manager.run_bulk("ada", bulk.id, lambda i: manager.cancel_bulk(i.user, i.id))
    assert (end.state, end.finished) == ("cancelled", True)
    assert manager.run_bulk("ada", bulk.id, print) == end
    assert manager.cancel_bulk("ada", bulk.id) == end


def test_finished_bulk_is_kept_for_a_while(manager: Manager, clock: ds.ManualClock) -> None:
    """After thirty days nothing of it is left; another user's operation is not one's own."""
    bulk = manager.start_bulk("ada", ["a"])
    manager.run_bulk("ada", bulk.id, failing_on("a"))
    with pytest.raises(ds.AbsentError):
        manager.bulk("bob", bulk.id)
    clock.advance(30 * 86_400_000)
    with pytest.raises(ds.AbsentError):
        manager.bulk("ada", bulk.id)
    assert manager.bulk_failures("ada", bulk.id) == []


def test_unknown_bulk(manager: Manager) -> None:
    """Running or cancelling what is not there raises AbsentError."""
    for call in (
        lambda: manager.run_bulk("ada", "x", print),
        lambda: manager.cancel_bulk("a", "x"),
    ):
        with pytest.raises(ds.AbsentError):
            call()


# -- processes


@contextmanager
def worker(root: Path, now: int, what: str, *rest: str) -> Iterator[subprocess.Popen[str]]:
    """A process that says each command before it has run, and goes on when told."""
    arguments = [str(root), str(now), what, *(rest or ("-", "-"))]
    script = TESTS / "services" / "preference_samples.py"
    with subprocess.Popen(
        [sys.executable, script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def heard(process: subprocess.Popen[str]) -> str:
    """The next line that the process says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def told(process: subprocess.Popen[str], word: str) -> None:
    """Let the process go on, or die in the middle."""
    assert process.stdin is not None
    process.stdin.write(f"{word}\n")
    process.stdin.flush()


def test_killed_in_the_middle_of_run_due(tmp_path: Path) -> None:
    """While the lease of the dead holds nobody runs its firing; then exactly one does."""
    clock = ds.ManualClock(START)
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        manager = opened(factory)
        manager.schedule("ada", "report", Daily("23:00"))
        clock.advance(3_600_000)
        with worker(tmp_path, clock.now_ms(), "due") as first:
            assert heard(first) == "report 1"
            assert manager.due() == []
            with worker(tmp_path, clock.now_ms(), "due") as second:
                assert heard(second) == "ran 0 lost 0"
            told(first, "die")
            assert first.wait() == -9
        clock.advance(LEASE_MS - 1)
        assert manager.due() == []
        clock.advance(1)
        assert [firing.attempt for firing in manager.due()] == [2]
        with worker(tmp_path, clock.now_ms(), "due") as third:
            assert heard(third) == "report 2"
            told(third, "go")
            assert heard(third) == "ran 1 lost 0"
        assert manager.due() == []
        assert manager.scheduled("ada")[0].runs == 1
        assert factory.get_store(manager.store_name).check() == []


def test_killed_in_the_middle_of_a_bulk(tmp_path: Path) -> None:
    """What was counted is not run again, what was not is; the end is the same."""
    clock = ds.ManualClock(START)
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        manager = opened(factory)
        bulk = manager.start_bulk("ada", ["a", "b", "c"])
        with worker(tmp_path, START, "bulk", "ada", bulk.id) as first:
            assert heard(first) == "a 0"
            told(first, "go")
            assert heard(first) == "b 1"
            told(first, "die")
            assert first.wait() == -9
        (left,) = manager.bulks(unfinished=True)
        assert (left.state, left.done) == ("running", 1)
        with pytest.raises(ds.BusyError):
            manager.run_bulk("ada", bulk.id, print)
        clock.advance(LEASE_MS)
        with worker(tmp_path, clock.now_ms(), "bulk", "ada", bulk.id) as second:
            for line in ("b 1", "c 2"):
                assert heard(second) == line
                told(second, "go")
            assert heard(second) == "done 3 failed 0"
        assert manager.bulk("ada", bulk.id).state == "done"
        assert factory.get_store(manager.store_name).check() == []


def test_processes_share_what_is_due(tmp_path: Path) -> None:
    """Two processes at once run every firing once, none of them twice."""
    clock = ds.ManualClock(START)
    with ds.DataStoreFactory(tmp_path, maintenance="manual", clock=clock) as factory:
        manager = opened(factory)
        for number in range(20):
            manager.schedule(f"user{number}", f"report{number}", Daily("23:00"))
        later = START + 3_600_000
        with worker(tmp_path, later, "due") as first, worker(tmp_path, later, "due") as second:
            said = []
            for process in (first, second):
                assert process.stdin is not None
                process.stdin.write("go\n" * 20)
                process.stdin.flush()
            for process in (first, second):
                said += process.communicate()[0].split("\n")
        ran = sorted(line for line in said if line.startswith("report"))
        assert ran == sorted(f"report{number} 1" for number in range(20))
        assert manager.totals().runs == 20
