"""Upgrading everything: each file by itself, the registry too, twice, and by two at once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from upgrade_tools import HEAD, after_base, changed, contents, target_of

import dsfactory as ds
from dsfactory.engine import Connection
from dsfactory.model import Kind
from dsfactory.profiles import PROFILES
from dsfactory.upgrade import upgrade_file
from dsfactory.upgrade.snapshots import KEPT, Snapshot, snapshots, superseded

KINDS = [str(kind) for kind in Kind]


@pytest.fixture
def all_behind(factory: ds.DataStoreFactory) -> ds.DataStoreFactory:
    """A store of each kind, all at the base."""
    factory.create_config_store("config", validator=lambda _: True)["k"] = 1
    for kind in KINDS[1:]:
        getattr(factory, f"create_{kind}_store")(kind)["k"] = 1
    for kind in KINDS:
        factory.get_store(kind).close()
        (report,) = factory.upgrade(kind, to=f"{kind}_0001", down=True)
        assert report.error is None
    return factory


def test_all(all_behind: ds.DataStoreFactory) -> None:
    """Every store has its report, and the registry the first; a second run finds all at head."""
    reports = all_behind.upgrade()
    assert [report.name for report in reports] == ["registry", *sorted(KINDS)]
    assert [report.error for report in reports] == [None] * 6
    assert reports[0].steps == ()
    assert [report.steps for report in reports[1:]] == list(map(after_base, sorted(KINDS)))
    again = all_behind.upgrade()
    assert [(report.steps, report.snapshot) for report in again] == [((), None)] * 6
    assert all_behind.get_store("cache")["k"] == 1


def test_one_fails(all_behind: ds.DataStoreFactory) -> None:
    """A store that cannot be upgraded hinders no other; mended, a second run goes on with it."""
    path = all_behind.root / "stores" / "config.db"
    changed(path, "CREATE TABLE lease (a)")
    before = contents(path)
    errors = {report.name: report.error for report in all_behind.upgrade()}
    assert "table lease already exists" in str(errors.pop("config"))
    assert set(errors.values()) == {None}
    assert contents(path) == before
    changed(path, "DROP TABLE lease")
    steps = {report.name: report.steps for report in all_behind.upgrade()}
    assert steps.pop("config") == after_base("config")
    assert set(steps.values()) == {()}


def test_all_down(factory: ds.DataStoreFactory) -> None:
    """Going down the registry comes last, and to a revision of one kind goes only that kind."""
    factory.create_state_store("s").close()
    reports = factory.upgrade(to="registry_0001", down=True)
    assert [(report.name, report.error is None) for report in reports] == [
        ("s", False),
        ("registry", True),
    ]
    assert "no revision 'registry_0001'" in str(reports[0].error)
    (report, _) = factory.upgrade()
    assert report.steps == after_base("registry")


def test_open_store_at_head(factory: ds.DataStoreFactory) -> None:
    """Stores in use are at head and stay in use."""
    store = factory.create_state_store("s")
    assert [report.steps for report in factory.upgrade()] == [(), ()]
    store["k"] = 1


def test_progress_of_all(all_behind: ds.DataStoreFactory) -> None:
    """Progress ends full for each file that was upgraded."""
    told: list[tuple[int, int]] = []
    all_behind.upgrade(progress=lambda done, total: told.append((done, total)))
    full = [pair for pair in told if pair[0] == pair[1]]
    assert len(full) >= len(KINDS)


def test_two_processes_at_once(factory: ds.DataStoreFactory, behind_path: Path) -> None:
    """Of two processes that open a store at once, one upgrades it and both read it."""
    folder = target_of(factory, "s").snapshots
    before = len(list(folder.iterdir()))
    here, there = os.pipe()

    def open_and_read() -> None:
        os.close(there)
        os.read(here, 1)  # both begin when the parent closes its end
        with ds.DataStoreFactory(factory.root, maintenance="manual") as mine:
            os._exit(0 if mine.get_store("s")["k7"] == {"n": 7} else 2)

    children = [forked(open_and_read) for _ in range(2)]
    os.close(there)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    os.close(here)
    assert codes == [0, 0]
    assert len(list(folder.iterdir())) == before + 1


def forked(work: Callable[[], None]) -> int:
    """Begin *work* in a child; return its process id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    return child


def test_waiting_for_the_other(factory: ds.DataStoreFactory, behind_path: Path) -> None:
    """Whoever waited for the lock while another upgraded finds nothing left to do, or to copy."""
    target = target_of(factory, "s")
    copies = sorted(target.snapshots.iterdir())

    def overtaken(connection: Connection) -> None:
        assert upgrade_file(target).steps == after_base("state")
        target.prepare(connection)

    report = upgrade_file(target._replace(prepare=overtaken, patience_ms=10))
    assert (report.steps, report.snapshot) == ((), None)
    assert len(list(target.snapshots.iterdir())) == len(copies) + 1


def test_adopted_old_file(factory: ds.DataStoreFactory, behind_path: Path) -> None:
    """A store of an earlier revision whose registry was lost is adopted and upgraded."""
    factory.unregister_store("s")
    store = factory.create_state_store("s")
    assert store["k3"] == {"n": 3}
    record = factory.get_registered_store("s")
    assert record is not None
    assert record.revision == PROFILES[Kind.STATE].revision


class TestCopies:
    """Which copies from before an upgrade are kept."""

    def test_newest_of_each_revision(self) -> None:
        """The newest copy of each of the newest few revisions stays."""
        revisions = ["a", "b", "b", "c", "d", "d", "d"]
        copies = [Snapshot(n, r, Path(f"{n}-{r}")) for n, r in enumerate(revisions)]
        gone = superseded(copies)
        kept = [(copy.number, copy.revision) for copy in copies if copy not in gone]
        assert kept == [(2, "b"), (3, "c"), (6, "d")]
        assert len(kept) == KEPT

    def test_names_within_names(self, factory: ds.DataStoreFactory) -> None:
        """Copies of "a" are told from those of "a-b" and of a store called like a copy."""
        names = ["a", "a-b", "a-state_0001", "registry"]
        for name in names:
            factory.create_state_store(name).close()
            upgrade_file(target_of(factory, name), to="state_0001", down=True)
            upgrade_file(target_of(factory, name))
        for name in names:
            target = target_of(factory, name)
            found = sorted(snapshots(target.snapshots, target))
            assert [(copy.number, copy.revision) for copy in found] == [
                (1, HEAD),
                (2, "state_0001"),
            ]

    @pytest.mark.usefixtures("store_path")
    def test_clock_stands_still(self, factory: ds.DataStoreFactory) -> None:
        """Copies made at the same moment do not overwrite each other or keep an old state."""
        for n in range(3):
            with factory.get_store("s") as store:
                store["round"] = n
            down = upgrade_file(target_of(factory, "s"), to="state_0001", down=True)
            up = upgrade_file(target_of(factory, "s"))
            for copy in (down.snapshot, up.snapshot):
                assert copy is not None
                (said,) = [row for row in contents(copy)["entry"] if row[1] == "round"]
                assert str(n) in said
