"""Names of stores and spellings of directories: what is allowed, and what is the same."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from factory_traces import create, traces
from hypothesis import given, settings
from hypothesis import strategies as st

import dsfactory as ds
from dsfactory.model import Kind

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
REFUSED = [
    "",
    ".",
    "..",
    "a/b",
    "../x",
    "/etc/x",
    "a\\b",
    "a b",
    "-a",
    "_a",
    "a\n",
    "a\0b",
    "é",
    "a" * 129,
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ds.DataStoreFactory]:
    """One factory for all examples of a property."""
    root = tmp_path_factory.mktemp("shared")
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        yield factory


@given(name=st.from_regex(NAME, fullmatch=True))
@settings(max_examples=15, deadline=None)
def test_allowed_names(shared: ds.DataStoreFactory, name: str) -> None:
    """Every name of the allowed form is a store of its own, in a file of that name."""
    with shared.create_state_store(name) as store:
        assert store.path == shared.root / "stores" / f"{name}.db"
        assert store.path.is_file()
    assert shared.unregister_store(name, delete_files=True)


@given(name=st.one_of(st.text(), st.from_regex(NAME), st.text("aZ9._-/ \n\0é")))
@settings(deadline=None)
def test_refused_names(shared: ds.DataStoreFactory, name: str) -> None:
    """Every name outside of the allowed form is refused, and nothing is written."""
    if NAME.fullmatch(name) and name.isascii():
        return
    before = traces(shared)
    for ask in (shared.create_state_store, shared.get_store):
        with pytest.raises(ds.StoreNameError, match="allowed"):
            ask(name)
    assert traces(shared) == before


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("name", [*REFUSED, None, 5, b"x", "\ud800"])
def test_refused_name(factory: ds.DataStoreFactory, kind: Kind, name: Any) -> None:
    """No kind takes a name that leaves the directory, hides in it or is no text."""
    with pytest.raises(ds.StoreNameError, match="allowed"):
        create(factory, kind, name)
    assert traces(factory) == ([], [])


def spelt_by_symlink(root: Path) -> Path:
    """*root* by a symbolic link."""
    link = root.parent / "link"
    link.symlink_to(root)
    return link


SPELLINGS: dict[str, Callable[[Path], str | Path]] = {
    "text": str,
    "trailing slash": lambda root: f"{root}/",
    "dots": lambda root: root / ".." / root.name,
    "relative": os.path.relpath,
    "symlink": spelt_by_symlink,
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_root_spelt_otherwise(opened: Any, root: Path, spell: Callable[[Path], str | Path]) -> None:
    """Two spellings of one directory are the same stores, with one row each."""
    first = opened()
    first.create_state_store("x")["a"] = 1
    second = opened(spell(root))
    store = second.create_state_store("x")
    assert store["a"] == 1
    assert store.path == first.get_store("x").path
    assert second.root == first.root == root.resolve()
    assert traces(first).stores == traces(second).stores == ["x"]


def test_root_made_with_parents(opened: Any, tmp_path: Path) -> None:
    """Missing directories are made, readable for their owner alone."""
    opened(tmp_path / "a" / "b" / "c")
    for directory in ("a", "a/b", "a/b/c", "a/b/c/stores"):
        assert (tmp_path / directory).stat().st_mode & 0o777 == 0o700


def test_root_that_exists(opened: Any, root: Path) -> None:
    """A directory that was there keeps its mode and its other contents."""
    root.mkdir(mode=0o755)
    root.chmod(0o755)
    (root / "notes.txt").write_text("mine")
    opened(root)
    assert root.stat().st_mode & 0o777 == 0o755
    assert (root / "notes.txt").read_text() == "mine"


def test_root_through_a_missing_directory(opened: Any, tmp_path: Path) -> None:
    """`missing/../data` is `data`: the directory around keeps its mode."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o755)
    factory = opened(home / "missing" / ".." / "data")
    assert factory.root == (home / "data").resolve()
    assert home.stat().st_mode & 0o777 == 0o755


def test_root_at_a_dangling_symlink(tmp_path: Path) -> None:
    """A link to a directory that is not there is refused; the directory is not made."""
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ds.StorageError, match="cannot be made"):
        ds.DataStoreFactory(tmp_path / "link", maintenance="manual")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("spell", "error"),
    [
        (lambda file: file, ds.ForeignFileError),
        (lambda file: file / "below", ds.ForeignFileError),
        (lambda file: file.parent / ("x" * 300), ds.DataStoreError),
        (lambda file: f"{file.parent}/a\0b", ds.DataStoreError),
        (lambda file: os.fsdecode(os.fsencode(file.parent) + b"/\xff"), ds.DataStoreError),
        (lambda _file: 5, ds.DataStoreError),
    ],
    ids=["a file", "below a file", "too long", "NUL", "not UTF-8", "no path"],
)
def test_root_refused(
    tmp_path: Path, spell: Callable[[Path], Any], error: type[ds.DataStoreError]
) -> None:
    """A root at which no directory can be, or no store can be named, is a typed error."""
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(error):
        ds.DataStoreFactory(spell(file), maintenance="manual")
    assert file.read_text() == "mine"


def test_name_that_is_another_stores_file(
    factory: ds.DataStoreFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is a name, also where a file of another store is called so."""
    factory.create_state_store("x")["a"] = 1
    monkeypatch.chdir(factory.root / "stores")
    with pytest.raises(ds.StoreAbsentError):
        factory.get_store("x.db")
    other = factory.create_state_store("x.db")
    assert other.name == "x.db"
    assert traces(factory).stores == ["x", "x.db"]
