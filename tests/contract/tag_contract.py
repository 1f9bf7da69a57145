"""Tags: several entries that are deleted by one name."""

from __future__ import annotations

from typing import Any

import pytest
from contract.common import Contract, Store, nothing_written

import dsfactory as ds


def tags_of(store: Store, key: ds.Key) -> tuple[str, ...]:
    """The tags of an entry that is there."""
    entry = store.entry(key)
    assert entry is not None
    return entry.tags


class TagContract(Contract):
    """set(..., tags=...) and evict_tag."""

    def test_tags_of_entry(self, store: Store) -> None:
        """An entry shows its tags, each once and in order."""
        store.set("k", 1, tags=["b", "a", "é", "b"])
        store.set("plain", 1)
        assert tags_of(store, "k") == ("a", "b", "é")
        assert tags_of(store, "plain") == ()

    def test_evict_tag(self, store: Store) -> None:
        """Every entry with the tag goes, no other; the number of live ones returns."""
        store.set("a", 1, tags=["t", "u"])
        store.set("b", 2, tags=iter(["t"]))
        store.set("c", 3, tags=["u"])
        store.set("d", 4)
        assert store.evict_tag("t") == 2
        assert store.evict_tag("t") == 0
        assert store == {"c": 3, "d": 4}

    @pytest.mark.parametrize(
        ("write", "kept"),
        [
            (lambda store: store.set("k", 2), ()),
            (lambda store: store.__setitem__("k", 2), ()),
            (lambda store: store.set_many({"k": 2}), ()),
            (lambda store: store.batch().set("k", 2).commit(), ()),
            (lambda store: store.set("k", 2, tags=["new"]), ("new",)),
            (lambda store: store.batch().set("k", 2, tags=["new"]).commit(), ("new",)),
            (lambda store: store.increment("k"), ("t",)),
            (lambda store: store.update_with("k", lambda old: old + 1), ("t",)),
            (lambda store: store.add("k", 2), ("t",)),
        ],
    )
    def test_tags_after_write(self, store: Store, write: Any, kept: tuple[str, ...]) -> None:
        """A set replaces the tags; what changes an entry in place keeps them."""
        store.set("k", 1, tags=["t"])
        write(store)
        assert tags_of(store, "k") == kept

    def test_tags_of_deleted_entry(self, store: Store) -> None:
        """The tags of a deleted entry do not come back with its key."""
        store.set("k", 1, tags=["t"])
        del store["k"]
        store["k"] = 2
        assert tags_of(store, "k") == ()
        assert store.evict_tag("t") == 0
        assert store == {"k": 2}

    @pytest.mark.parametrize(
        "tags", ["text", b"bytes", [""], ["x" * 129], ["new\nline"], ["\ud800"], [1], [None]]
    )
    def test_tags_refused(self, store: Store, tags: Any) -> None:
        """A tag is printable text of 1 to 128 characters, and tags are several."""
        with nothing_written(store):
            with pytest.raises(ds.OptionError, match="tag"):
                store.set("k", 1, tags=tags)
            with pytest.raises(ds.OptionError, match="tag"):
                store.batch().set("k", 1, tags=tags)

    def test_evict_tag_refused(self, store: Store) -> None:
        """What cannot be a tag is refused here as well."""
        wrong: list[Any] = ["\ud800", b"t", 5, None, ""]
        with nothing_written(store):
            for tag in wrong:
                with pytest.raises(ds.OptionError, match="tag"):
                    store.evict_tag(tag)

    def test_tags_undone_with_transaction(self, store: Store) -> None:
        """Tags are undone with the write that brought them."""
        store.set("k", 1, tags=["t"])
        with store.transaction():
            store.set("k", 2, tags=["u"])
            assert store.evict_tag("u") == 1
            raise ds.Rollback
        assert tags_of(store, "k") == ("t",)
