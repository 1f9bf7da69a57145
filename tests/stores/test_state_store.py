"""The state store: the contract of all kinds, and entries that stay."""

from __future__ import annotations

from dataclasses import dataclass

from contract.common import Store
from contract.expiry_contract import DAY, ExpiryContract
from contract.store_contract import StoreContract

import dsfactory as ds


@dataclass
class Session:
    """What a service knows of a visitor."""

    user: str
    visits: int = 0


class TestStateStore(StoreContract, ExpiryContract):
    """What every kind promises, and those with expiry."""

    kind = "state"

    def test_entries_stay(self, store: Store, clock: ds.ManualClock) -> None:
        """Without a ttl an entry never expires."""
        store["k"] = 1
        assert store.ttl("k") is None
        clock.advance(7000 * 365 * DAY)
        assert store["k"] == 1
        assert store.expire() == 0

    def test_typed_values(self, factory: ds.DataStoreFactory) -> None:
        """Records are read and written as records, in every operation."""
        store = factory.create_state_store("sessions", Session)
        store["a"] = Session("ann")
        assert store.setdefault("a", Session("eve")) == Session("ann")
        assert store.get_or_set("b", lambda: Session("bob")) == Session("bob")
        store.update_with("a", lambda old: Session(old.user, old.visits + 1))
        assert dict(store) == {"a": Session("ann", 1), "b": Session("bob")}
        assert store.popitem() == ("a", Session("ann", 1))
