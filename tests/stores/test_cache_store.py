"""The cache store: the contract of all kinds, and its defaults. Eviction has its own file."""

from __future__ import annotations

from contract.common import Store
from contract.expiry_contract import DAY, ExpiryContract
from contract.store_contract import StoreContract

import dsfactory as ds


class TestCacheStore(StoreContract, ExpiryContract):
    """What every kind promises, and those with expiry."""

    kind = "cache"

    def test_entries_live_a_year(self, store: Store, clock: ds.ManualClock) -> None:
        """Without a ttl an entry expires after 365 days."""
        store["k"] = 1
        assert store.ttl("k") == 365 * DAY
        clock.advance(365 * DAY)
        assert "k" not in store

    def test_hundred_entries(self, store: Store) -> None:
        """Without max_entries a cache holds 100."""
        for number in range(103):
            store[number] = number
        assert list(store) == list(range(3, 103))
        assert store.stats().max_entries == 100
