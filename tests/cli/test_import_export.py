"""export and import: entries as lines of JSON, there and back."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys

import pytest

import dsfactory as ds

COLUMNS = ("value", "version", "created_at", "updated_at", "expires_at", "tags")


def opened(root):
    return ds.DataStoreFactory(root, maintenance="manual")


def everything(root, name):
    with opened(root) as factory:
        return {
            entry.key: tuple(getattr(entry, column) for column in COLUMNS)
            for entry in factory.get_store(name).entries()
        }


@pytest.fixture
def full(root):
    """A state store with all types of key, an expiry, tags and versions, and an empty one."""
    with opened(root) as factory:
        store = factory.get_store("sessions")
        for number in range(3):
            store.set("user:1", {"n": number, "token": "t"}, ttl="1h", tags=["vip", "a"])
        store.update({5: 1.5, b"\xff": None, "json\n": "ü"})
        factory.create_state_store("copy")
    return root


def test_round_trip(run, full, tmp_path):
    """Keys, values, versions, times, expiry and tags are the same in the other store."""
    file = tmp_path / "out.jsonl"
    assert run("export", "sessions", "-o", file, "--root", full).exit_code == 0
    ran = run("import", "copy", file, "--root", full, "--json")
    assert (ran.exit_code, ran.json["written"]) == (0, 5)
    assert everything(full, "copy") == everything(full, "sessions")


def test_again_changes_nothing(run, full, tmp_path):
    """A second run passes over what is there already: the way on after a crash."""
    file = tmp_path / "out.jsonl"
    run("export", "sessions", "-o", file, "--root", full)
    run("import", "copy", file, "--root", full)
    before = everything(full, "copy")
    assert run("import", "copy", file, "--root", full, "--json").json["unchanged"] == 5
    assert everything(full, "copy") == before


def test_history_is_at_the_same_version(run, root, tmp_path):
    """In a store with a history the imported version stands in it, and can be rolled back to."""
    run("init", "--store", "app:config", "--store", "other:config", "--root", root)
    for port in (1, 2):
        run("set", "app", "document", f'{{"port": {port}}}', "--root", root)
    file = tmp_path / "app.jsonl"
    run("export", "app", "-o", file, "--root", root)
    run("import", "other", file, "--why", "moved", "--root", root)
    (version,) = run("history", "other", "--root", root, "--json").json["versions"]
    assert (version["version"], version["why"]) == (2, "moved")
    assert run("rollback", "other", "2", "--root", root).exit_code == 0


def test_version_never_goes_back(run, full, tmp_path):
    """Over an entry with a higher version the import goes on from there."""
    file = tmp_path / "out.jsonl"
    run("export", "sessions", "-o", file, "--root", full)
    for number in range(7):
        run("set", "copy", "user:1", str(number), "--root", full)
    run("import", "copy", file, "--root", full)
    value, version, *_ = everything(full, "copy")["user:1"]
    assert (value["n"], version) == (2, 8)


def test_keep(run, full, tmp_path):
    """With --keep a live entry that is there stays."""
    file = tmp_path / "out.jsonl"
    run("export", "sessions", "-o", file, "--root", full)
    run("set", "copy", "user:1", '"mine"', "--root", full)
    ran = run("import", "copy", file, "--keep", "--root", full, "--json").json
    assert (ran["kept"], ran["written"]) == (1, 4)
    assert everything(full, "copy")["user:1"][0] == "mine"


def test_lines_by_hand(run, full):
    """Lines need only key and value; a ttl may be said; expired ones are passed over."""
    text = '{"key":"a","value":1}\n\n{"key":"int:2","value":2,"ttl":"1h"}\n'
    text += '{"key":"old","value":1,"expires_at":5}\n'
    line = [sys.executable, "-m", "dsfactory", "import", "copy", "--json", "--root", str(full)]
    ran = subprocess.run(line, input=text, text=True, capture_output=True, check=False)
    said = json.loads(ran.stdout)
    assert (ran.returncode, said["written"], said["expired"]) == (0, 2, 1)
    assert everything(full, "copy")[2][4] is not None


WRONG = {
    "no JSON": (b'{"key": "a"', 2),
    "no object": (b"[]", 2),
    "no value": (b'{"key":"a"}', 2),
    "unknown": (b'{"key":"a","value":1,"x":1}', 2),
    "key": (b'{"key":5,"value":1}', 2),
    "tags": (b'{"key":"a","value":1,"tags":"vip"}', 2),
    "version": (b'{"key":"a","value":1,"version":-1}', 2),
    "expiry": (b'{"key":"a","value":1,"expires_at":"soon"}', 2),
    "ttl": (b'{"key":"a","value":1,"ttl":"soon"}', 2),
    "form": (b'{"key":"a","value":{"$hex":"0"}}', 3),
    "mask": (b'{"key":"a","value":{"token":"(masked)"}}', 2),
    "format": (b'{"dsfactory":9}', 2),
    "bytes": (b"\xff\xfe", 2),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_line(run, full, tmp_path, wrong):
    """A wrong line is named by its number before anything is written; values are not quoted."""
    line, code = WRONG[wrong]
    file = tmp_path / "in.jsonl"
    file.write_bytes(b'{"key":"before","value":1}\n' * (wrong != "format") + line + b"\n")
    ran = run("import", "copy", file, "--root", full)
    assert ran.exit_code == code
    assert "Line " in ran.stderr
    assert everything(full, "copy") == {}


def test_file_cut_short(run, full, tmp_path):
    """A file without its end, or with lines missing, is refused before anything is written."""
    file = tmp_path / "out.jsonl"
    run("export", "sessions", "-o", file, "--root", full)
    lines = file.read_bytes().splitlines(keepends=True)
    for kept in (lines[:-1], lines[:2] + lines[3:], [*lines, lines[1]]):
        file.write_bytes(b"".join(kept))
        assert run("import", "copy", file, "--root", full).exit_code == 2
    assert everything(full, "copy") == {}
    assert run("import", "copy", file, "--dry-run", "--root", full).exit_code == 2


def test_missing_input(run, full, tmp_path):
    """A file that is not there is the user's mistake: no traceback."""
    ran = run("import", "copy", tmp_path / "nosuch", "--root", full)
    assert ran.exit_code == ds.StorageError.exit_code
    assert "Traceback" not in ran.stderr


def test_dry_run(run, full, tmp_path):
    """A dry run reads the file and writes nothing."""
    file = tmp_path / "out.jsonl"
    run("export", "sessions", "-o", file, "--root", full)
    assert run("import", "copy", file, "--dry-run", "--root", full, "--json").json["read"] == 5
    assert everything(full, "copy") == {}


def test_atomic(run, full):
    """With --atomic a failure in the last batch undoes the first; without, that one stays."""
    good = "".join(f'{{"key":"int:{n}","value":{n}}}\n' for n in range(1000))
    text = good + '{"key":"bad"}\n'
    line = [sys.executable, "-m", "dsfactory", "import", "copy", "--root", str(full)]
    ran = subprocess.run([*line, "--atomic"], input=text, text=True, capture_output=True)
    assert (ran.returncode, everything(full, "copy")) == (2, {})
    ran = subprocess.run(line, input=text, text=True, capture_output=True)
    assert (ran.returncode, len(everything(full, "copy"))) == (2, 1000)
    assert "1,000 entries before are imported" in ran.stderr


def test_killed_and_run_again(run, full, tmp_path):
    """An import that is killed leaves whole batches, and the next run does the rest."""
    text = "".join(f'{{"key":"int:{n}","value":{n},"version":3}}\n' for n in range(4000))
    line = [sys.executable, "-m", "dsfactory", "import", "copy", "--root", str(full)]
    process = subprocess.Popen(line, stdin=subprocess.PIPE)
    # Not to its end: the import waits for more when it is killed.
    process.stdin.write(text[: len(text) // 2].encode())
    process.stdin.flush()
    with opened(full) as factory:
        store = factory.get_store("copy")
        while not store:
            next(store.watch(timeout="100ms"), None)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdin.close()
    there = len(everything(full, "copy"))
    assert there > 0
    assert there % 1000 == 0
    file = tmp_path / "in.jsonl"
    file.write_text(text)
    ran = run("import", "copy", file, "--root", full, "--json").json
    assert (ran["unchanged"], ran["written"]) == (there, 4000 - there)
    assert {row[1] for row in everything(full, "copy").values()} == {3}


def test_file_is_private_and_whole(run, full, tmp_path):
    """An export is 0600, replaces nothing unasked, and leaves nothing half-made."""
    file = tmp_path / "out.jsonl"
    ran = run("export", "sessions", "-o", file, "--root", full, "--json")
    assert ran.json["entries"] == 5
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("export", "sessions", "-o", file, "--root", full).exit_code == 5
    assert run("export", "sessions", "-o", file, "--force", "--root", full).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out.jsonl"]


def test_export_to_standard_output(run, full):
    """Lines go to standard output, the report to standard error; a prefix narrows them."""
    ran = run("export", "sessions", "--prefix", "user:", "--root", full)
    head, entry, end = map(json.loads, ran.stdout.splitlines())
    assert (head["store"], entry["key"], end["entries"]) == ("sessions", "user:1", 1)
    assert "1 entry of sessions exported" in ran.stderr
    assert run("export", "sessions", "--json", "--root", full).exit_code == 2
    assert run("export", "sessions", "--prefix", "int:1", "--root", full).exit_code == 2


def test_features_that_lack(run, full, tmp_path):
    """Tags and expiry that the store cannot keep are refused, not dropped."""
    run("init", "--store", "bare:custom", "--option", "bare.features=[]", "--root", full)
    file = tmp_path / "out.jsonl"
    run("export", "sessions", "-o", file, "--root", full)
    ran = run("import", "bare", file, "--root", full)
    assert ran.exit_code == ds.FeatureError.exit_code
    assert everything(full, "bare") == {}


def test_progress_on_a_terminal(run, full, tmp_path, monkeypatch):
    """On a terminal a bar on standard error follows the file."""
    file = tmp_path / "out.jsonl"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "exporting" in run("export", "sessions", "-o", file, "--root", full).stderr
    assert "importing" in run("import", "copy", file, "--root", full).stderr
