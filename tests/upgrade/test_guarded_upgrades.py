"""An upgrade that fails: a typed error with all there is to know, and the file as before."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from upgrade_tools import (
    HEAD,
    after_base,
    changed,
    contents,
    in_child,
    next_revision,
    step,
    target_of,
    with_step,
)

import dsfactory as ds
from dsfactory.errors import DataStoreError
from dsfactory.upgrade import Target, dry_run, pending, upgrade_file
from dsfactory.upgrade.scripts import Lineage, lineage_of

NEXT = next_revision("state")
ORPHAN = (
    'op.execute("CREATE TABLE line (id INTEGER PRIMARY KEY, entry_id INTEGER '
    'REFERENCES entry (id))"); op.execute("INSERT INTO line VALUES (1, 999)")'
)
FILL = 'op.execute("CREATE TABLE big (a)"); op.execute("INSERT INTO big VALUES (randomblob({}))")'
LATE_TRIGGER = (
    'op.execute("CREATE TRIGGER late AFTER INSERT ON entry BEGIN '
    'INSERT INTO nowhere VALUES (1); END")'
)


def refused(
    path: Path, match: str, family: type[DataStoreError], work: Callable[[], object]
) -> DataStoreError:
    """Return the error with which *work* is refused; the file at *path* is what it was."""
    before = contents(path)
    with pytest.raises(family, match=match) as caught:
        work()
    assert contents(path) == before
    return caught.value


FAULTS = {
    "raises": (
        'op.execute("CREATE TABLE half (a)"); raise RuntimeError("no more")',
        r"RuntimeError: no more.*at 'CREATE TABLE half",
    ),
    "bad-sql": ('op.execute("ALTER TABLE nowhere ADD COLUMN a")', r"no such table.*ALTER TABLE"),
    "constraint": (
        'op.execute("INSERT INTO meta SELECT * FROM meta")',
        r"UNIQUE constraint failed.*INSERT INTO meta",
    ),
    "rows-lost": ("op.execute(\"DELETE FROM entry WHERE key < 'k2'\")", r"had 50 rows and has"),
    "table-lost": ('op.execute("DROP TABLE tag")', "table tag is gone with 1 rows"),
    "invariant": ('op.execute("UPDATE meta SET entries = 7")', r"I1 meta\.entries.*says 7"),
    "orphan": (ORPHAN, r"1 rows refer to a missing row \(line -> entry\)"),
    "broken-trigger": (LATE_TRIGGER, r"error in trigger late: no such table: main\.nowhere"),
}


@pytest.mark.parametrize(("body", "match"), FAULTS.values(), ids=FAULTS)
def test_failing_step(
    factory: ds.DataStoreFactory, store_path: Path, tmp_path: Path, body: str, match: str
) -> None:
    """A step that raises or leaves something broken is undone; the error names all there is."""
    target = target_of(factory, "s", migrations=with_step(tmp_path, body))
    error = refused(store_path, match, ds.UpgradeFailedError, lambda: upgrade_file(target))
    assert error.facts["revision"] == NEXT
    assert error.facts["store"] == "s"
    assert "file is unchanged" in str(error.message)
    copy = Path(error.facts["snapshot"])
    assert contents(copy) == contents(store_path)
    assert str(copy) in error.message


def test_statement_is_named(factory: ds.DataStoreFactory, store_path: Path, tmp_path: Path) -> None:
    """The statement in the error is the failing step's own, not that of a step before."""
    root = with_step(tmp_path, "raise ValueError('at once')")
    target = target_of(factory, "s", migrations=root)
    upgrade_file(target, to="state_0001", down=True)
    with pytest.raises(ds.UpgradeFailedError, match="ValueError: at once") as caught:
        upgrade_file(target)
    assert (caught.value.facts["revision"], caught.value.facts["statement"]) == (NEXT, None)
    upgrade_file(target_of(factory, "s"))


def test_no_values_in_errors(
    factory: ds.DataStoreFactory, store_path: Path, tmp_path: Path
) -> None:
    """An error of SQLAlchemy's is told without the parameters: they are stored values."""
    body = 'op.get_bind().execute(sa.text("SELECT :a"), {"a": object(), "secret": "hush"})'
    target = target_of(factory, "s", migrations=with_step(tmp_path, body))
    error = refused(store_path, "failed", ds.UpgradeFailedError, lambda: upgrade_file(target))
    assert "hush" not in error.message


def test_declared_rows(factory: ds.DataStoreFactory, store_path: Path, tmp_path: Path) -> None:
    """A step that says so may change the number of rows."""
    body = "op.execute(\"INSERT INTO lease VALUES ('a', 'b', 1)\")"
    root = with_step(tmp_path, body, more='changes_rows = ("lease",)')
    report = upgrade_file(target_of(factory, "s", migrations=root))
    assert report.steps == (NEXT,)
    assert contents(store_path)["lease"] == [("a", "b", 1)]
    with pytest.raises(ds.NewerSchemaError, match="written by dsfactory"):
        factory.get_store("s")
    upgrade_file(target_of(factory, "s", migrations=root), to=HEAD, down=True)


def test_damage_from_before(factory: ds.DataStoreFactory, behind_path: Path) -> None:
    """What was broken before the upgrade does not bar the way out of the old revision."""
    changed(
        behind_path,
        "UPDATE meta SET entries = entries + 1",
        "CREATE TABLE line (id INTEGER PRIMARY KEY, entry_id INTEGER REFERENCES entry (id))",
        "INSERT INTO line VALUES (1, 999)",
    )
    assert upgrade_file(target_of(factory, "s")).error is None
    assert "I1" in str(factory.get_store("s").check()[0])
    factory.get_store("s").close()
    changed(behind_path, "UPDATE meta SET entries = entries - 1")


def test_down_with_rows(factory: ds.DataStoreFactory, store_path: Path) -> None:
    """The way down may drop what only the newer revision can hold; the copy still has it."""
    changed(store_path, "INSERT INTO lease VALUES ('a', 'b', 1)")
    report = upgrade_file(target_of(factory, "s"), to="state_0001", down=True)
    assert report.snapshot is not None
    assert contents(report.snapshot)["lease"] == [("a", "b", 1)]


def test_damaged_file(factory: ds.DataStoreFactory, behind_path: Path) -> None:
    """A damaged file is not upgraded: no sound copy can be made of it."""
    whole = behind_path.read_bytes()
    middle = len(whole) // 2
    behind_path.write_bytes(whole[:middle] + b"damage" + whole[middle + 6 :])
    with pytest.raises(ds.UpgradeFailedError, match=r"no copy could be made .*Corrupt"):
        upgrade_file(target_of(factory, "s"))
    behind_path.write_bytes(b"SQLite format 3\0" + bytes(4096))
    with pytest.raises((ds.CorruptError, ds.ForeignFileError)):
        pending(target_of(factory, "s"))
    behind_path.write_bytes(whole)


ALTERATIONS = {
    "column": ("ALTER TABLE entry ADD COLUMN mine TEXT", r"entry is altered"),
    "trigger": ("DROP TRIGGER entry_delete_tags", r"entry_delete_tags is missing"),
    "in-the-way": ("CREATE TABLE lease (a)", r"table lease already exists.*CREATE TABLE lease"),
}


@pytest.mark.parametrize(("statement", "match"), ALTERATIONS.values(), ids=ALTERATIONS)
def test_hand_altered(
    factory: ds.DataStoreFactory, behind_path: Path, statement: str, match: str
) -> None:
    """A file that somebody altered by hand is not upgraded to something that is not head."""
    before = contents(behind_path)
    changed(behind_path, statement)
    error = refused(
        behind_path, match, ds.UpgradeFailedError, lambda: upgrade_file(target_of(factory, "s"))
    )
    assert contents(Path(error.facts["snapshot"])) != before
    restored(behind_path, before)


def restored(path: Path, before: Any) -> None:
    """Take an alteration back."""
    undo = {
        "lease": "DROP TABLE IF EXISTS lease",
        "entry": "ALTER TABLE entry DROP COLUMN mine",
        "trigger": next(sql for _, name, _, sql in before["schema"] if name == "entry_delete_tags"),
    }
    names = {name: sql for _, name, _, sql in contents(path)["schema"]}
    if "lease" in names:
        changed(path, undo["lease"])
    if "mine" in names["entry"]:
        changed(path, undo["entry"])
    if "entry_delete_tags" not in names:
        changed(path, undo["trigger"])


REVISIONS = {
    "unknown": (
        "UPDATE alembic_version SET version_num = 'state_gone'",
        r"'state_gone', which the migrations of state do not have",
    ),
    "another-kind": (
        "UPDATE alembic_version SET version_num = 'cache_0001'",
        r"'cache_0001', which the migrations of state do not have",
    ),
    "missing": ("DELETE FROM alembic_version", r"says 1 in its header and nothing in alembic"),
    "header": ("PRAGMA user_version = 0", r"says 0 in its header and state_0001"),
    "two": ("INSERT INTO alembic_version VALUES ('state_two')", r"holds 2 revisions"),
}


@pytest.mark.parametrize(("statement", "match"), REVISIONS.values(), ids=REVISIONS)
def test_unclear_revision(
    factory: ds.DataStoreFactory, behind_path: Path, statement: str, match: str
) -> None:
    """A file that does not say clearly where it stands is left alone."""
    changed(behind_path, statement)
    refused(behind_path, match, ds.LineageError, lambda: upgrade_file(target_of(factory, "s")))
    changed(
        behind_path,
        "DELETE FROM alembic_version",
        "INSERT INTO alembic_version VALUES ('state_0001')",
        "PRAGMA user_version = 1",
    )


def test_newer_file(factory: ds.DataStoreFactory, store_path: Path) -> None:
    """A file of a newer release is refused naming the release that wrote it."""
    changed(
        store_path,
        "PRAGMA user_version = 99",
        "UPDATE alembic_version SET version_num = 'state_0099'",
        "UPDATE meta SET release = '9.9.9'",
    )
    refused(
        store_path,
        r"revision 99, written by dsfactory 9\.9\.9",
        ds.NewerSchemaError,
        lambda: upgrade_file(target_of(factory, "s")),
    )
    with pytest.raises(ds.NewerSchemaError, match=r"9\.9\.9"):
        factory.get_store("s")
    changed(
        store_path,
        f"PRAGMA user_version = {int(HEAD[-4:])}",
        f"UPDATE alembic_version SET version_num = '{HEAD}'",  # noqa: S608
    )


@pytest.mark.parametrize(
    ("application_id", "family"), [(1, ds.ForeignFileError), (0x6473666B, ds.KindConflictError)]
)
def test_not_ours(
    factory: ds.DataStoreFactory,
    store_path: Path,
    application_id: int,
    family: type[DataStoreError],
) -> None:
    """A file of another application or kind is refused before anything is made in it."""
    changed(store_path, f"PRAGMA application_id = {application_id}")
    refused(
        store_path,
        "Move it away|Open it as that",
        family,
        lambda: upgrade_file(target_of(factory, "s")),
    )
    changed(store_path, f"PRAGMA application_id = {0x64736673}")


def test_two_heads(factory: ds.DataStoreFactory, store_path: Path, tmp_path: Path) -> None:
    """Migrations with two heads are refused, and both are named."""
    root = with_step(tmp_path, "pass")
    step(root / "versions" / "state", "state_0009", lineage_of("state").head(), "pass")
    refused(
        store_path,
        "2 heads .*state_0009.*allowed: one",
        ds.LineageError,
        lambda: upgrade_file(target_of(factory, "s", migrations=root)),
    )


def test_missing_revision(factory: ds.DataStoreFactory, store_path: Path, tmp_path: Path) -> None:
    """Migrations in which a revision is missing are refused, and it is named."""
    root = with_step(tmp_path, "pass")
    step(root / "versions" / "state", "state_0009", "state_0008", "pass")
    refused(
        store_path,
        "cannot be read .*state_0008",
        ds.LineageError,
        lambda: upgrade_file(target_of(factory, "s", migrations=root)),
    )


def test_unreadable_revision(
    factory: ds.DataStoreFactory, store_path: Path, tmp_path: Path
) -> None:
    """A revision that cannot be imported is refused with its own error."""
    root = with_step(tmp_path, "pass", more="import no_such_module")
    refused(
        store_path,
        "ModuleNotFoundError.*no_such_module",
        ds.LineageError,
        lambda: upgrade_file(target_of(factory, "s", migrations=root)),
    )


@pytest.mark.parametrize("to", ["state_0077", "cache_0001", "state", ""])
def test_unknown_goal(factory: ds.DataStoreFactory, store_path: Path, to: str) -> None:
    """A goal that is no revision of the kind is refused with those that there are."""
    refused(
        store_path,
        ", ".join(("there are: state_0001", *after_base("state"))),
        ds.LineageError,
        lambda: upgrade_file(target_of(factory, "s"), to=to),
    )


def test_down_to_what_is_ahead(factory: ds.DataStoreFactory, behind_path: Path) -> None:
    """Going down to a revision that is ahead is refused; going up to one behind does nothing."""
    target = target_of(factory, "s")
    refused(
        behind_path,
        f"{HEAD} is not behind it",
        ds.LineageError,
        lambda: upgrade_file(target, to=HEAD, down=True),
    )
    upgrade_file(target)
    assert upgrade_file(target, to="state_0001").steps == ()


def test_below_the_base(factory: ds.DataStoreFactory, behind_path: Path) -> None:
    """There is nothing before the base: the way down stops there with an error."""
    refused(
        behind_path,
        "state_0001 failed .*delete the file",
        ds.UpgradeFailedError,
        lambda: upgrade_file(target_of(factory, "s"), to="base", down=True),
    )


def test_locked_file(factory: ds.DataStoreFactory, behind_path: Path) -> None:
    """A write lock that stays with somebody else is a BusyError, and nothing is copied."""
    target = target_of(factory, "s", patience_ms=0)
    holder = factory_lock(behind_path)
    with pytest.raises(ds.BusyError):
        upgrade_file(target)
    holder.close()
    assert pending(target) == after_base("state")


def factory_lock(path: Path) -> Any:
    """Hold the write lock of a file."""
    from dsfactory.engine import Settings, open_connection

    connection = open_connection(path, Settings(page_checksums=True), write=True)
    connection.execute("BEGIN IMMEDIATE")
    return connection


def test_no_room_for_copy(factory: ds.DataStoreFactory, behind_path: Path, tmp_path: Path) -> None:
    """Without a copy from before there is no upgrade, and no trying either."""
    blocker = tmp_path / "a-file"
    blocker.touch()
    for work in (upgrade_file, dry_run):
        refused(
            behind_path,
            "no copy could be made in .*a-file",
            ds.UpgradeFailedError,
            lambda work=work: work(target_of(factory, "s", snapshots=blocker)),
        )


class TestFullDisk:
    """On a disk that fills up."""

    @pytest.fixture
    def full(self, small_disk: Path) -> Iterator[ds.DataStoreFactory]:
        """A factory on the small disk, with a state store of 2 MB."""
        with ds.DataStoreFactory(small_disk / "data", maintenance="manual") as factory:
            with factory.create_state_store("s", compression=False) as store:
                store["k"] = "x" * 2_000_000
            yield factory
            assert factory.get_store("s")["k"] == "x" * 2_000_000
            assert factory.get_store("s").check() == []

    def refused(self, factory: ds.DataStoreFactory, root: Path, match: str) -> dict[str, Any]:
        """The upgrade finds the disk full; return the facts."""
        target = target_of(factory, "s", migrations=root)
        error = refused(target.path, match, ds.UpgradeFailedError, lambda: upgrade_file(target))
        assert contents(Path(error.facts["snapshot"])) == contents(target.path)
        return dict(error.facts)

    @pytest.mark.parametrize(
        ("megabytes", "where"), [(30, "INSERT INTO big"), (7, "COMMIT")], ids=["step", "commit"]
    )
    def test_full_while_running(
        self, full: ds.DataStoreFactory, tmp_path: Path, megabytes: int, where: str
    ) -> None:
        """A disk that is full in a step, or only at the commit, undoes everything."""
        (full.root / "filler").write_bytes(bytes(4_000_000))
        body = FILL.format(megabytes * 1_000_000)
        facts = self.refused(full, with_step(tmp_path, body), "DiskFullError.*unchanged")
        assert facts["statement"].startswith(where)
        assert facts["revision"] == NEXT

    def test_full_while_copying(self, full: ds.DataStoreFactory, tmp_path: Path) -> None:
        """A disk too full for the copy is found out before anything is changed."""
        target = target_of(full, "s", migrations=with_step(tmp_path, "pass"))
        filler = full.root / "filler"
        filler.write_bytes(bytes(9_000_000))
        refused(
            target.path,
            "no copy could be made.*DiskFull",
            ds.UpgradeFailedError,
            lambda: upgrade_file(target),
        )
        filler.unlink()
        assert not list(target.snapshots.iterdir())


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A directory that everybody reaches, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_read_only_file(open_root: Path) -> None:
    """A file that may not be written is refused as such, before it is copied."""
    with ds.DataStoreFactory(open_root, maintenance="manual") as factory:
        path = factory.create_state_store("s", page_checksums=False).path
        factory.get_store("s").close()
        target = target_of(factory, "s")
    upgrade_file(target, to="state_0001", down=True)
    for folder in (path.parent, target.snapshots.parent, target.snapshots):
        folder.chmod(0o777)
    path.chmod(0o444)
    name, text = in_child(lambda: upgrade_file(target), as_nobody=True)
    assert (name, str(path) in text) == ("ReadOnlyError", True), text
    assert len(list(target.snapshots.iterdir())) == 1
    path.chmod(0o600)
    assert upgrade_file(target).steps == after_base("state")


def test_gone_file(factory: ds.DataStoreFactory, behind_path: Path) -> None:
    """A file that is gone is named, and not made anew."""
    target = target_of(factory, "s")
    moved = behind_path.rename(behind_path.with_suffix(".moved"))
    with pytest.raises(ds.FileMissingError, match="is gone"):
        upgrade_file(target)
    assert not behind_path.exists()
    moved.rename(behind_path)


def test_dry_run(factory: ds.DataStoreFactory, behind_path: Path) -> None:
    """A dry run tells every statement and leaves the file and its directory as they were."""
    target: Target = target_of(factory, "s")
    before = contents(behind_path)
    copies = sorted(target.snapshots.iterdir())
    statements = dry_run(target)
    assert statements[0].startswith("CREATE TABLE lease")
    assert statements[-3].startswith("UPDATE alembic_version SET version_num=")
    assert statements[-2] == "PRAGMA user_version = 2"
    assert statements[-1].endswith(f"release = '{ds.__version__}'")
    assert HEAD in statements[-3]
    assert dry_run(target, to="state_0001") == ()
    assert contents(behind_path) == before
    assert sorted(target.snapshots.iterdir()) == copies


def test_dry_run_of_a_bad_step(
    factory: ds.DataStoreFactory, store_path: Path, tmp_path: Path
) -> None:
    """A dry run raises what the upgrade would raise, and names no copy."""
    target = target_of(factory, "s", migrations=with_step(tmp_path, "raise ValueError('no')"))
    error = refused(store_path, "ValueError: no", ds.UpgradeFailedError, lambda: dry_run(target))
    assert error.facts["snapshot"] is None


def test_lineage_without_revisions(tmp_path: Path) -> None:
    """A lineage without revisions has no head, and nothing to reach."""
    (tmp_path / "versions" / "state").mkdir(parents=True)
    empty: Lineage = lineage_of("state", tmp_path)
    assert (empty.head(), empty.revisions(), empty.reaching(None)) == (None, [], [])
