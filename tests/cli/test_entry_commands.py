"""get, set, del, ls and scan: entries on the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest
from schema_files import file_of, put_back, run_sql, user_version

import dsfactory as ds
from dsfactory.cli.entries import masks

TIME_OF_NOTE = "SELECT accessed_at FROM store WHERE name = 'sessions'"


def opened(root):
    return ds.DataStoreFactory(root, maintenance="manual")


@pytest.fixture
def filled(root):
    """The same directory, with keys of all three types and nested secrets."""
    with opened(root) as factory:
        sessions = factory.get_store("sessions")
        sessions.clear()
        sessions.set("user:1", {"name": "ada", "api_key": "s3cret", "n": 1}, ttl="1h", tags=["vip"])
        sessions[5] = [1, 2]
        sessions[b"\x00\xff"] = "bytes"
    return root


def test_set_and_get(run, root):
    """A value goes in and comes out as JSON; the version is told."""
    first = run("set", "sessions", "k", '{"a": [1, null, "x"]}', "--root", root)
    assert (first.exit_code, first.stdout) == (0, "k is at version 1\n")
    assert run("set", "sessions", "k", '{"a": 2}', "--root", root, "--json").json["version"] == 2
    assert run("get", "sessions", "k", "--root", root).json == {"a": 2}


@pytest.mark.parametrize("written", ["int:5", "hex:00ff", "text:int:5", 'json:"a\\nb"', "plain"])
def test_keys_go_in_and_out(run, root, written):
    """Every notation of a key is listed as it was given."""
    assert run("set", "thumbs", written, "1", "--root", root).exit_code == 0
    assert written in run("ls", "thumbs", "--root", root, "--json").json["keys"]
    assert run("get", "thumbs", written, "--root", root).json == 1
    assert run("del", "thumbs", written, "--root", root).exit_code == 0


def test_key_of_each_type(run, filled):
    """Text, integers and bytes are found each under its own notation."""
    for written, value in (("int:5", [1, 2]), ("hex:00ff", "bytes")):
        assert run("get", "sessions", written, "--root", filled).json == value
    assert run("get", "sessions", "5", "--root", filled).exit_code == 4


@pytest.mark.parametrize("key", ["int:x", "hex:0", "json:5", "int:99999999999999999999"])
def test_key_that_is_none(run, root, key):
    """A key that cannot be read is a wrong use, and is named."""
    ran = run("get", "sessions", key, "--root", root)
    assert ran.exit_code == 2
    assert "Traceback" not in ran.stderr


def test_get_whole_entry(run, filled):
    """Programs get the bookkeeping as well."""
    got = run("get", "sessions", "user:1", "--root", filled, "--json").json
    assert (got["key"], got["tags"]) == ("user:1", ["vip"])
    assert got["version"] > 0
    assert got["expires_at"] == got["updated_at"] + 3_600_000


def test_get_masks_secrets(run, filled):
    """What a field with the name of a secret holds is shown only with --reveal."""
    hidden = run("get", "sessions", "user:1", "--root", filled)
    assert "s3cret" not in hidden.stdout
    assert hidden.json["api_key"] == "(masked)"
    shown = run("get", "sessions", "user:1", "--root", filled, "--reveal")
    assert shown.json["api_key"] == "s3cret"


def test_mask_is_not_written(run, filled):
    """What get printed with a mask cannot be set: the secret stays."""
    masked = run("get", "sessions", "user:1", "--root", filled).stdout
    ran = run("set", "sessions", "user:1", masked, "--root", filled)
    assert ran.exit_code == 2
    assert "--reveal" in ran.stderr
    with opened(filled) as factory:
        assert factory.get_store("sessions")["user:1"]["api_key"] == "s3cret"


def test_key_of_a_secret(run, root):
    """A value whose key has the name of a secret is masked as a whole, and not written over."""
    run("set", "sessions", "smtp-password", '"s3cret"', "--root", root)
    assert "s3cret" not in run("scan", "sessions", "--root", root).stdout
    assert run("get", "sessions", "smtp-password", "--root", root).json == "(masked)"
    assert run("set", "sessions", "smtp-password", '"(masked)"', "--root", root).exit_code == 2
    shown = run("get", "sessions", "smtp-password", "--reveal", "--root", root)
    assert shown.json == "s3cret"


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("apiKey", True),
        ("API_KEY", True),
        ("db_password", True),
        ("accessKeyId", True),
        ("token", True),
        ("author", False),
        ("passport", False),
        ("key", False),
        ("compass", False),
    ],
)
def test_names_of_secrets(name, secret):
    """A name is taken word by word: a part of a word is no word."""
    assert masks.is_secret(name) is secret


def test_get_raw(run, root):
    """Text and bytes come as they are, for pipes; anything else is refused."""
    run("set", "sessions", "t", "no json", "--text", "--root", root)
    run("set", "thumbs", "b", '{"$hex": "6162"}', "--root", root)
    assert run("get", "sessions", "t", "--raw", "--root", root).stdout == "no json"
    assert run("get", "thumbs", "b", "--raw", "--root", root).stdout == "ab"
    assert run("get", "thumbs", "int:1", "--raw", "--root", root).exit_code == 2


def test_get_absent(run, root):
    """An absent key exits with 4 and prints nothing on standard output."""
    ran = run("get", "sessions", "nosuch", "--root", root)
    assert (ran.exit_code, ran.stdout) == (ds.KeyAbsentError.exit_code, "")


def test_values_that_json_lacks(run, root):
    """Bytes, nan and mappings with other keys go in and out of a MessagePack store."""
    for value in (
        '{"$hex":"00"}',
        '{"$float":"nan"}',
        '{"$map":[[1,2]]}',
        '{"$object":{"$hex":1}}',
    ):
        assert run("set", "thumbs", "v", value, "--root", root).exit_code == 0
        shown = run("get", "thumbs", "v", "--root", root).stdout
        assert "".join(shown.split()) == value


@pytest.mark.parametrize(
    ("value", "code"),
    [("{", 2), ("NaN", 2), ('{"a":1,"a":2}', 2), ('{"$hex":"0"}', 3), ("[" * 5000, 3)],
)
def test_set_refuses(run, root, value, code):
    """What is no JSON, or no value, is refused without being quoted."""
    ran = run("set", "sessions", "k", value, "--root", root)
    assert ran.exit_code == code
    assert ran.stderr.startswith("dsfactory: ")
    assert len(ran.stderr) < 300


def test_set_from_standard_input(root):
    """Without a value it is read from standard input, in a process of its own."""
    line = [sys.executable, "-m", "dsfactory", "set", "sessions", "k", "--root", str(root)]
    ran = subprocess.run(line, input=b'{"a": 1}', capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    with opened(root) as factory:
        assert factory.get_store("sessions")["k"] == {"a": 1}


def test_set_if_version(run, root):
    """Compare and set: a wrong version exits with 5 and changes nothing."""
    assert run("set", "sessions", "k", "1", "--if-version", "0", "--root", root).exit_code == 0
    ran = run("set", "sessions", "k", "2", "--if-version", "0", "--root", root)
    assert ran.exit_code == ds.ConflictError.exit_code
    assert run("get", "sessions", "k", "--root", root).json == 1


def test_set_in_a_store_of_a_type(run, root, tmp_path, monkeypatch):
    """A store of a type wants to be checked by it, or to be told that it need not be."""
    ran = run("set", "counts", "k", '{"a": "no number"}', "--root", root)
    assert ran.exit_code == 2
    assert "dict[str, int]" in ran.stderr
    (tmp_path / "count_types.py").write_text("Counts = dict[str, int]\n")
    monkeypatch.chdir(tmp_path)
    typed = ["--type", "count_types:Counts", "--root", root]
    assert run("set", "counts", "k", '{"a": "no number"}', *typed).exit_code == 3
    assert run("set", "counts", "k", '{"a": 1}', *typed).exit_code == 0
    assert run("set", "counts", "k", '{"a": 2}', "--unchecked", "--root", root).exit_code == 0
    assert run("set", "counts", "k", "{}", "--type", "nosuch:T", "--root", root).exit_code == 2


def test_del(run, filled):
    """Deleted keys are gone; an absent one exits with 4 and hinders no other."""
    ran = run("del", "sessions", "int:5", "nosuch", "--root", filled, "--json")
    assert ran.exit_code == 4
    assert (ran.json["deleted"], ran.json["absent"]) == (["int:5"], ["nosuch"])
    assert run("get", "sessions", "int:5", "--root", filled).exit_code == 4


def test_del_prefix(run, filled):
    """A prefix deletes all that begins so; where nobody can be asked, only with --yes."""
    assert run("del", "sessions", "--prefix", "user:", "--root", filled).exit_code == 2
    assert run("get", "sessions", "user:1", "--root", filled).exit_code == 0
    assert run("del", "sessions", "--prefix", "user:", "--yes", "--root", filled).exit_code == 0
    assert run("ls", "sessions", "--root", filled).stdout == "int:5\nhex:00ff\n"
    assert run("del", "sessions", "--root", filled).exit_code == 2
    assert run("del", "sessions", "--prefix", "int:1", "--root", filled).exit_code == 2


def test_ls(run, filled):
    """Keys come in their order, a line each, and no value with them, not even with --long."""
    assert run("ls", "sessions", "--root", filled).stdout == "int:5\nuser:1\nhex:00ff\n"
    shown = run("ls", "sessions", "--long", "--root", filled).stdout
    assert "vip" in shown
    assert "ada" not in shown
    assert "ada" not in run("ls", "sessions", "-l", "--root", filled, "--json").stdout


def test_pages(run, filled):
    """A limit says where to go on, and going on there gives the rest."""
    first = run("ls", "sessions", "--limit", "2", "--root", filled, "--json").json
    assert (first["keys"], first["next"]) == (["int:5", "user:1"], "hex:00ff")
    rest = run("ls", "sessions", "--start", first["next"], "--root", filled, "--json").json
    assert (rest["keys"], rest["next"]) == (["hex:00ff"], None)
    assert "--start" in run("scan", "sessions", "--limit", "1", "--root", filled).stderr
    assert run("ls", "sessions", "--limit", "1", "--all", "--root", filled).exit_code == 2


def test_scan(run, filled):
    """Keys with values, masked; bounds narrow them."""
    shown = run("scan", "sessions", "--root", filled).stdout
    assert "ada" in shown
    assert "s3cret" not in shown
    narrowed = run("scan", "sessions", "--prefix", "user:", "--root", filled, "--json").json
    assert [entry["key"] for entry in narrowed["entries"]] == ["user:1"]
    before = run("scan", "sessions", "--end", "a", "--root", filled, "--json", "--reveal").json
    assert [entry["value"] for entry in before["entries"]] == [[1, 2]]


LOOKING = (
    ["get", "sessions", "user:1"],
    ["ls", "sessions", "-l"],
    ["scan", "sessions"],
    ["export", "sessions"],
    ["shell", "sessions", "SELECT count(*) FROM entries"],
    ["show", "sessions"],
    ["stats"],
    ["doctor"],
)


@pytest.mark.parametrize("command", LOOKING, ids=lambda command: command[0])
def test_looking_changes_nothing(run, filled, command):
    """C1: a look leaves every file as it is to the byte: no note, no clock, no order of use."""
    past = "UPDATE store SET accessed_at = 1"
    run_sql(filled / "metadata.db", past)
    run_sql(file_of(filled, "sessions"), "UPDATE entry SET expires_at = 9 WHERE key = 5")
    before = {path: path.read_bytes() for path in filled.rglob("*.db")}
    run(*command, "--root", filled)
    assert {path: path.read_bytes() for path in filled.rglob("*.db")} == before
    logs = [path for path in filled.rglob("*-wal") if path.stat().st_size]
    assert logs == []
    run_sql(file_of(filled, "sessions"), "UPDATE entry SET expires_at = NULL WHERE key = 5")


ONE = (
    ["get", "X", "k"],
    ["set", "X", "k", "1"],
    ["del", "X", "k"],
    ["ls", "X"],
    ["scan", "X"],
    ["history", "X"],
    ["diff", "X", "1", "2"],
    ["rollback", "X", "1"],
    ["export", "X"],
    ["import", "X", "-"],
    ["shell", "X", "SELECT 1"],
)


@pytest.mark.parametrize("command", ONE, ids=lambda command: command[0])
def test_unknown_store(run, root, command):
    """An unknown store exits with 4, names those that there are, and makes no file."""
    ran = run(*["nosuch" if word == "X" else word for word in command], "--root", root)
    assert ran.exit_code == ds.StoreAbsentError.exit_code
    assert "counts, sessions, thumbs" in ran.stderr
    assert not file_of(root, "nosuch").exists()


@pytest.mark.parametrize("command", ONE, ids=lambda command: command[0])
def test_missing_file(run, root, command):
    """A store whose file is gone exits with 8, in one line, and the file is not made anew."""
    file_of(root, "sessions").unlink()
    ran = run(*["sessions" if word == "X" else word for word in command], "--root", root)
    assert ran.exit_code == ds.FileMissingError.exit_code
    assert ran.stderr.count("\n") == 1
    assert not file_of(root, "sessions").exists()


@pytest.mark.parametrize("command", ONE, ids=lambda command: command[0])
def test_damaged_file(run, root, command):
    """A file that is no database exits with 9 and stays as it is."""
    path = file_of(root, "sessions")
    whole = path.read_bytes()
    path.write_bytes(b"no database at all" * 500)
    ran = run(*["sessions" if word == "X" else word for word in command], "--root", root)
    assert ran.exit_code == ds.ForeignFileError.exit_code
    assert "Traceback" not in ran.stderr
    assert path.read_bytes().startswith(b"no database")
    path.write_bytes(whole)


@pytest.mark.parametrize("command", ["get", "ls", "scan"])
def test_earlier_schema(run, root, command):
    """A store of an earlier release is refused, not upgraded."""
    put_back(root, "sessions")
    ran = run(command, "sessions", *(["k"] if command == "get" else []), "--root", root)
    assert ran.exit_code == ds.OlderSchemaError.exit_code
    assert user_version(file_of(root, "sessions")) == 1


@pytest.mark.parametrize("command", ONE, ids=lambda command: command[0])
def test_absent_directory(run, tmp_path, command):
    """A mistyped --root makes no directory."""
    assert run(*command, "--root", tmp_path / "typo").exit_code == 4
    assert not (tmp_path / "typo").exists()


def test_look_refuses_to_write(root):
    """A handle for looking writes nothing, whoever asks it to."""
    with opened(root) as factory, factory.look("sessions") as store:
        with pytest.raises(ds.ReadOnlyError):
            store["k"] = 1
        assert "k" not in store
