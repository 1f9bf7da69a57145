"""Values that are refused: too large, too deep, not representable. Nothing is written."""

from __future__ import annotations

from typing import Any

import pytest
from contract.common import (
    NO_VALUE,
    VALUE_OPERATIONS,
    Contract,
    MakeStore,
    Store,
    nothing_written,
)

import dsfactory as ds


def nested(levels: int) -> list[Any]:
    """A list in a list, *levels* deep."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


class RefusalContract(Contract):
    """What no store takes."""

    def test_value_not_representable(self, store: Store, subtests: pytest.Subtests) -> None:
        """Whichever operation brings it, what would not read back is refused by its path."""
        for name, operation in VALUE_OPERATIONS.items():
            with (
                subtests.test(name),
                nothing_written(store, by=name),
                pytest.raises(ds.ValueShapeError, match=r"\$\.a\[1\]"),
            ):
                operation(store, {"a": [1, NO_VALUE]})
        assert store == {}

    def test_value_too_deep(self, store: Store, subtests: pytest.Subtests) -> None:
        """Values of 500 levels are stored, deeper ones are refused."""
        store["deep"] = nested(500)
        assert store["deep"] == nested(500)
        for name, operation in VALUE_OPERATIONS.items():
            with (
                subtests.test(name),
                nothing_written(store, by=name),
                pytest.raises(ds.ValueTooDeepError, match="500"),
            ):
                operation(store, nested(501))

    def test_value_too_large(self, make_store: MakeStore, subtests: pytest.Subtests) -> None:
        """max_value_bytes is exact: one byte more is refused, with the sizes as facts."""
        store = make_store(self.kind, max_value_bytes=1000)
        overhead = 2 if store.options.codec == "json" else 3  # quotes, or a header of 3 bytes
        largest = "v" * (1000 - overhead)
        store["fits"] = largest
        assert store["fits"] == largest
        for name, operation in VALUE_OPERATIONS.items():
            with subtests.test(name):
                with (
                    nothing_written(store, by=name),
                    pytest.raises(ds.ValueTooLargeError) as caught,
                ):
                    operation(store, largest + "v")
                facts = caught.value.facts
                assert (facts["size"], facts["limit"]) == (1001, 1000)
                assert "vvv" not in str(caught.value)

    def test_value_size_is_in_bytes(self, make_store: MakeStore) -> None:
        """What counts is bytes of UTF-8, not characters."""
        store = make_store(self.kind, max_value_bytes=100)
        store["fits"] = "e" * 90
        with pytest.raises(ds.ValueTooLargeError):
            store["k"] = "é" * 90
