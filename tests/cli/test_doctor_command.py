"""doctor: each question, and what makes it complain."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from schema_files import file_of, put_back, run_sql

import dsfactory as ds
from dsfactory.cli.doctoring import files, host
from dsfactory.cli.doctoring.finding import GOOD, MEND, NOTE
from dsfactory.clock import SystemClock
from dsfactory.engine.wal import LARGE_BYTES


def doctor(root, *arguments):
    """In a process of its own: pytest's may have a second SQLite library."""
    line = [sys.executable, "-m", "dsfactory", "doctor", "--root", str(root), *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def verdicts(root):
    """What doctor says, by check and subject."""
    ran = doctor(root, "--json")
    said = json.loads(ran.stdout)
    assert said["well"] == (ran.returncode == 0)
    return {(one["check"], one["subject"]): one for one in said["checks"]}


def one(findings):
    (found,) = findings
    return found


def test_well(root):
    """Where all is well it exits with 0, and every question has its row."""
    ran = doctor(root)
    assert (ran.returncode, ran.stderr) == (0, "")
    for check in (
        "SQLite",
        "second SQLite library",
        "file system",
        "permissions",
        "disk space",
        "log",
        "backups",
        "schema",
        "leftovers",
    ):
        assert check in ran.stdout


def test_missing_and_damaged(root):
    """A missing file, a damaged one and an old one are told apart, each with what to do."""
    whole = file_of(root, "counts").read_bytes()
    put_back(root, "thumbs")
    file_of(root, "sessions").rename(root / "kept")
    file_of(root, "counts").write_bytes(b"no database at all" * 500)
    found = verdicts(root)
    assert "dsfactory upgrade thumbs" in found["schema", "thumbs"]["todo"]
    assert "restore sessions" in found["schema", "sessions"]["todo"]
    assert found["schema", "counts"]["verdict"] == MEND
    assert not file_of(root, "sessions").exists()
    assert doctor(root).returncode == 1
    (root / "kept").rename(file_of(root, "sessions"))
    file_of(root, "counts").write_bytes(whole)


def test_other_file(root):
    """A file of another kind in a store's place is not taken for it."""
    mine, other = file_of(root, "counts"), file_of(root, "thumbs")
    whole = mine.read_bytes()
    mine.write_bytes(other.read_bytes())
    assert "cache" in verdicts(root)["schema", "counts"]["found"]
    mine.write_bytes(whole)


def test_newer_file(root):
    """A file of a later release asks for a later dsfactory."""
    ((now,),) = run_sql(file_of(root, "counts"), "PRAGMA user_version")
    run_sql(file_of(root, "counts"), "PRAGMA user_version=999")
    assert verdicts(root)["schema", "counts"]["todo"] == "upgrade dsfactory"
    run_sql(file_of(root, "counts"), f"PRAGMA user_version={now}")


def test_damaged_registry(root):
    """Without a registry the machine is examined all the same; it exits with 1, not with 9."""
    whole = (root / "metadata.db").read_bytes()
    (root / "metadata.db").write_bytes(b"no database at all" * 500)
    found = verdicts(root)
    assert found["registry", "metadata.db"]["verdict"] == MEND
    assert ("file system", str(root)) in found
    (root / "metadata.db").write_bytes(whole)


def test_registry_behind(root):
    """A registry of an earlier release is to be upgraded."""
    put_back(root, "registry")
    assert verdicts(root)["registry", "metadata.db"]["todo"] == "dsfactory upgrade registry"


def test_absent_directory(run, tmp_path):
    """A mistyped --root is no patient: exit code 4, and no directory."""
    assert run("doctor", "--root", tmp_path / "typo").exit_code == 4
    assert not (tmp_path / "typo").exists()


def test_readable_by_others(root):
    """A file that others may read is named with the command that mends it."""
    file_of(root, "counts").chmod(0o644)
    found = verdicts(root)["permissions", str(file_of(root, "counts"))]
    assert (found["verdict"], found["todo"]) == (MEND, f"chmod go-rwx '{file_of(root, 'counts')}'")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everything")
def test_not_writable(root):
    """A file that this user cannot write is named."""
    file_of(root, "counts").chmod(0o400)
    assert one(host.permissions(root, [file_of(root, "counts")])).verdict == MEND
    file_of(root, "counts").chmod(0o600)


def test_second_library(root):
    """A program that has a store open and sqlite3 loaded beside apsw is named with its pid."""
    code = "import sqlite3, sys, dsfactory as ds\n"
    code += "f = ds.DataStoreFactory(sys.argv[1], maintenance='manual')\n"
    code += "f.get_store('sessions').get('x'); print(flush=True); sys.stdin.read()"
    line = [sys.executable, "-c", code, str(root)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        guilty = [
            found
            for (check, subject), found in verdicts(root).items()
            if check == "second SQLite library" and f"({process.pid})" in subject
        ]
        process.stdin.close()
    if not any("sqlite3" in path for path in _mapped()):
        pytest.skip("this Python has sqlite3 built in")
    assert [found["verdict"] for found in guilty] == [NOTE]
    assert "commits would be lost" in guilty[0]["todo"]


def _mapped():
    code = "import sqlite3; print(open('/proc/self/maps').read())"
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    ).stdout.split()


def test_network_file_system(tmp_path):
    """A network file system is no place for stores; a memory one is worth knowing."""
    (tmp_path / "self").mkdir()
    mounts = tmp_path / "self" / "mounts"
    for kind, verdict in (("nfs4", MEND), ("fuse.sshfs", MEND), ("tmpfs", NOTE), ("ext4", GOOD)):
        mounts.write_text(f"/dev/a / ext4 rw 0 0\nhost:/x {tmp_path} {kind} rw 0 0\n")
        assert one(host.file_system(tmp_path / "data", tmp_path)).verdict == verdict
    assert one(host.file_system(tmp_path, tmp_path / "nosuch")).verdict == NOTE


def test_disk_space(tmp_path):
    """Less than twice the largest store is too little."""
    assert one(host.disk_space(tmp_path, {"a": 2**60})).verdict == MEND
    assert one(host.disk_space(tmp_path, {})).verdict in (GOOD, MEND)


def test_large_log(root):
    """A log over 16 MiB that nobody reads wants maintenance."""
    path = root / "stores" / "x.db"
    with (root / "stores" / "x.db-wal").open("wb") as log:
        log.truncate(LARGE_BYTES + 1)
    assert one(files.log("x", path)).todo == "dsfactory maintain"
    (root / "stores" / "x.db-wal").unlink()


def test_pinned_log(root):
    """A reader that keeps a log over 16 MiB is named."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        store = factory.get_store("thumbs")
        reading = store.entries()
        next(reading)
        for number in range(6):
            store.set(number, os.urandom(4_000_000))
        found = one(files.log("thumbs", store.path))
        assert (found.check, found.verdict) == ("pinned log", MEND)
        assert f"({os.getpid()})" in found.found
        reading.close()


def test_backups(root):
    """A store that must not be lost wants a backup after a week; a cache does not."""
    now = SystemClock().now_ms()
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        lasting, cache = map(factory.get_registered_store, ("sessions", "thumbs"))
        assert one(files.backups(lasting, [], now)).verdict == GOOD
        late = now + files.WITHOUT_MS + 1
        assert "backup create sessions" in one(files.backups(lasting, [], late)).todo
        assert one(files.backups(cache, [], late)).verdict == GOOD
        kept = factory.backup("sessions")
        assert one(files.backups(lasting, [kept], late - 60_000)).verdict == GOOD


def test_overdue_backup(root):
    """A store with backup_every whose backups stopped is overdue."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        factory.create_state_store("hourly", backup_every="1h")
        record = factory.get_registered_store("hourly")
        found = one(files.backups(record, [], record.created_at + 3 * 3_600_000))
    assert (found.verdict, "run --due" in found.todo) == (MEND, True)


def test_leftovers(root):
    """Half-made files of the dead, files of no store, and what restores put aside."""
    now = SystemClock().now_ms()
    known = [file_of(root, name) for name in ("sessions", "counts", "thumbs")]
    assert one(files.leftovers(root, known, now)).verdict == GOOD
    (root / "stores" / ".x.db.00.unfinished").touch()
    assert one(files.leftovers(root, known, now)).verdict == GOOD  # somebody may be at it
    assert one(files.leftovers(root, known, now + 7_200_000)).todo == "dsfactory maintain"
    (root / "stores" / ".x.db.00.unfinished").unlink()
    (root / "stores" / "stray.db").touch()
    assert one(files.leftovers(root, known, now)).subject == "stray.db"
    (root / "quarantine").mkdir()
    (root / "quarantine" / "old.db").touch()
    assert len(list(files.leftovers(root, known, now))) == 2
