"""Validation hooks decide what is written; monitoring hooks are told, and disturb nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from contract.common import VALUE_OPERATIONS, Contract, MakeStore, Store, nothing_written

import dsfactory as ds

PRIVATE = "a text that no message may show"


def refusing(value: Any) -> bool:
    """Say no to the private text."""
    return value != PRIVATE


def raising(value: Any) -> None:
    """Raise for the private text, and quote it."""
    if value == PRIVATE:
        raise ValueError(f"{value} is not allowed")


def raising_with_key(key: ds.Key, value: Any) -> None:
    """Take the key as well."""
    assert value != PRIVATE, f"{key} {value}"


class HookContract(Contract):
    """add_validation_hook and add_monitoring_hook."""

    @pytest.mark.parametrize("hook", [refusing, raising, raising_with_key])
    def test_validation_hook_refuses(
        self, store: Store, hook: Callable[..., object], subtests: pytest.Subtests
    ) -> None:
        """Whichever operation writes, a value that a hook refuses is not written or shown."""
        store.add_validation_hook(hook)
        for name, operation in VALUE_OPERATIONS.items():
            with subtests.test(name):
                with (
                    nothing_written(store, by=name),
                    pytest.raises(ds.ValidationRefusedError) as caught,
                ):
                    operation(store, PRIVATE)
                error = caught.value
                assert PRIVATE not in str(error) + repr(error) + repr(error.facts)
                assert isinstance(error, ValueError)
                operation(store, "harmless")
                assert "harmless" in store.values()
                store.clear()

    def test_validation_hook_order(self, make_store: MakeStore) -> None:
        """The validator comes first, then the hooks as they were added, until one refuses."""
        asked: list[tuple[str, object]] = []

        def hook(name: str, answer: object) -> Callable[[object], object]:
            def ask(value: object) -> object:
                asked.append((name, value))
                return answer

            return ask

        store = make_store(self.kind, validator=hook("validator", None))
        store.add_validation_hook(hook("first", True))
        store.add_validation_hook(hook("second", 0))
        store["k"] = 1
        store.add_validation_hook(hook("third", False))
        store.add_validation_hook(hook("fourth", True))
        with pytest.raises(ds.ValidationRefusedError):
            store["k"] = 2
        first_three = ["validator", "first", "second"]
        assert asked == [(n, 1) for n in first_three] + [(n, 2) for n in [*first_three, "third"]]

    def test_validation_hook_cause(self, store: Store) -> None:
        """What the hook raised is chained for the developer; the message names key and type."""
        store.add_validation_hook(raising)
        with pytest.raises(ds.ValidationRefusedError, match=r"'the-key'.*ValueError") as caught:
            store["the-key"] = PRIVATE
        assert isinstance(caught.value.__cause__, ValueError)

    def test_validation_hook_forms(self, store: Store) -> None:
        """A function of (key, value) gets both; any other form of function gets the value."""
        seen: list[object] = []
        store.add_validation_hook(lambda key, value: seen.append((key, value)))
        store.add_validation_hook(lambda value, strict=True: seen.append((value, strict)))
        store.add_validation_hook(lambda *values: seen.append(values))
        store.add_validation_hook(int)
        store["k"] = 1
        assert seen == [("k", 1), (1, True), (1,)]
        with pytest.raises(ds.ValidationRefusedError):
            store["k"] = "no number"

    def test_validation_hook_of_increment(self, store: Store) -> None:
        """The sum is what hooks are asked about."""
        store.add_validation_hook(lambda value: value <= 2)
        assert [store.increment("n"), store.increment("n")] == [1, 2]
        with nothing_written(store), pytest.raises(ds.ValidationRefusedError):
            store.increment("n")

    def test_hook_not_callable(self, store: Store) -> None:
        """What cannot be called is no hook."""
        with pytest.raises(ds.OptionTypeError, match="validation hook"):
            store.add_validation_hook("text")  # type: ignore[arg-type]
        with pytest.raises(ds.OptionTypeError, match="monitoring hook"):
            store.add_monitoring_hook("text")  # type: ignore[arg-type]

    def test_monitoring_hook_events(self, store: Store) -> None:
        """After each operation a hook gets its name, what it took, and its error's type."""
        events: list[ds.OperationEvent] = []
        store.add_monitoring_hook(events.append)
        store.set("k", 1)
        store.get("k")
        with pytest.raises(KeyError):
            store["absent"]
        store.get_many(["k"])
        assert [(e.operation, e.error) for e in events] == [
            ("set", None),
            ("get", None),
            ("getitem", "KeyAbsentError"),
            ("get_many", None),
        ]
        assert all(e.duration_ms > 0 and e.store == "under-test" for e in events)

    def test_monitoring_hook_of_get_or_set(self, store: Store) -> None:
        """get_or_set is an operation: a hook is told of it, whether it computes or finds."""
        events: list[str] = []
        store.add_monitoring_hook(lambda event: events.append(event.operation))
        for _ in range(2):
            store.get_or_set("k", lambda: 1)
        assert events.count("get_or_set") == 2

    def test_monitoring_hook_raises(self, store: Store, caplog: pytest.LogCaptureFixture) -> None:
        """A hook that raises is logged and counted; the operation and later hooks go on."""
        told: list[ds.OperationEvent] = []

        def fail(event: ds.OperationEvent) -> None:
            raise ZeroDivisionError(event.operation)

        store.add_monitoring_hook(fail)
        store.add_monitoring_hook(told.append)
        with caplog.at_level(logging.ERROR, "dsfactory.stores"):
            assert store.set("k", PRIVATE) == 1
        assert store["k"] == PRIVATE
        assert len(told) == 2
        assert store.get_metrics().hook_failures == 2
        assert store.get_metrics().errors == {}
        assert "under-test" in caplog.text
        assert "ZeroDivisionError" in caplog.text
        assert PRIVATE not in caplog.text
