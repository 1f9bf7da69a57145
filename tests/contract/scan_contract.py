"""scan: live entries in key order, compared with a model in Python."""

from __future__ import annotations

from typing import Any

import pytest
from contract.common import Contract, Store, examples
from hypothesis import example, given
from hypothesis import strategies as st

import dsfactory as ds

# Few letters, so that prefixes are shared; the last ones are where an order goes wrong.
TEXT = st.text(alphabet="ab\0é\ud7ff\ue000\uffff\U00010000\U0010ffff", max_size=3)
BYTES = st.binary(max_size=3) | st.sampled_from([b"\xff", b"\xff\xff", b"a\xff", b"a\xffb"])
INTEGERS = st.integers(-3, 3) | st.sampled_from([2**63 - 1, -(2**63)])
KEYS = INTEGERS | TEXT | BYTES
ROWS = 1203
"""Entries that a scan cannot fetch in two pages of 500."""


def rank(key: Any) -> tuple[int, Any]:
    """Where *key* sorts: integers, then text by code point, then bytes."""
    return (int, str, bytes).index(type(key)), key


def model_scan(
    keys: set[Any],
    prefix: Any,
    start: Any,
    end: Any,
    reverse: bool,
    limit: int | None,
) -> list[Any]:
    """The keys that scan() promises, from its docstring."""
    chosen = sorted(keys, key=rank, reverse=reverse)
    if prefix is not None:
        chosen = [k for k in chosen if type(k) is type(prefix) and k.startswith(prefix)]
    if start is not None:
        chosen = [key for key in chosen if rank(key) >= rank(start)]
    if end is not None:
        chosen = [key for key in chosen if rank(key) < rank(end)]
    return chosen if limit is None else chosen[:limit]


class ScanContract(Contract):
    """scan() and iteration."""

    @examples
    @given(
        keys=st.sets(KEYS, max_size=25),
        prefix=st.none() | TEXT | BYTES,
        start=st.none() | KEYS,
        end=st.none() | KEYS,
        reverse=st.booleans(),
        limit=st.none() | st.integers(0, 9),
    )
    @example({"a", "b", b"", 1}, "", None, None, False, None)
    @example({"a", b"", b"\xff\xff", b"\xff", 1}, b"\xff", None, None, True, None)
    @example({"\ud7ff", "\ud7ffa", "\ue000"}, "\ud7ff", None, None, False, None)
    @example({"a\U0010ffff", "a\U0010ffffb", "b"}, "a\U0010ffff", None, None, False, None)
    @example({"a", "ab", "b", b"a"}, "a", 5, b"z", False, None)
    def test_scan_against_model(
        self,
        store: Store,
        keys: set[Any],
        prefix: Any,
        start: Any,
        end: Any,
        reverse: bool,
        limit: int | None,
    ) -> None:
        """Whatever is asked for, a scan gives the entries that the model gives, in its order."""
        store.clear()
        store.set_many([(key, repr(key)) for key in keys])
        found = list(store.scan(prefix=prefix, start=start, end=end, reverse=reverse, limit=limit))
        wanted = model_scan(keys, prefix, start, end, reverse, limit)
        assert found == [(key, repr(key)) for key in wanted]

    @pytest.mark.parametrize("reverse", [False, True])
    def test_scan_over_pages(self, roomy: Store, reverse: bool) -> None:
        """More entries than are fetched at once all come, each once, up to the limit."""
        roomy.set_many({number: number for number in range(ROWS)})
        keys = list(range(ROWS))[:: -1 if reverse else 1]
        for limit in (None, 500, 501, 1000, ROWS, 5000):
            found = [key for key, _ in roomy.scan(reverse=reverse, limit=limit)]
            assert found == keys[:limit]
        assert len(list(roomy)) == ROWS

    @pytest.mark.parametrize("reverse", [False, True])
    def test_scan_while_changing(self, roomy: Store, reverse: bool) -> None:
        """A store may be changed while it is scanned: no key comes twice, none is missing."""
        roomy.set_many(dict.fromkeys(range(ROWS), 0))
        seen = []
        for key, _ in roomy.scan(reverse=reverse):
            seen.append(key)
            if len(seen) % 100 == 1:
                roomy[key] = 1
                roomy.delete_many([600, 601])
                roomy[-len(seen)] = 1
        assert len(seen) == len(set(seen))
        assert set(range(ROWS)) - {600, 601} <= set(seen)

    def test_scan_inside_transaction(self, store: Store) -> None:
        """A scan inside of a transaction sees what the transaction did."""
        store["a"] = 1
        with store.transaction():
            store["b"] = 2
            del store["a"]
            assert list(store.scan()) == [("b", 2)]
            assert list(store) == ["b"]
            assert len(store) == 1
            raise ds.Rollback
        assert list(store.scan()) == [("a", 1)]

    @pytest.mark.parametrize(
        ("limit", "error"),
        [
            (-1, ds.OptionError),
            (True, ds.OptionTypeError),
            (1.5, ds.OptionTypeError),
            ("1", ds.OptionTypeError),
        ],
    )
    def test_scan_limit_refused(self, store: Store, limit: Any, error: type[Exception]) -> None:
        """A limit that is no count is refused at the call."""
        with pytest.raises(error, match="limit"):
            store.scan(limit=limit)

    def test_scan_prefix_of_integer(self, store: Store) -> None:
        """Integers have no prefix."""
        with pytest.raises(ds.OptionTypeError, match="prefix"):
            store.scan(prefix=1)  # type: ignore[arg-type]
