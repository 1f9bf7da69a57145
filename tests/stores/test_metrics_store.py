"""The metrics store: the contract of all kinds, and a default of 30 days."""

from __future__ import annotations

from contract.common import Store
from contract.expiry_contract import DAY, ExpiryContract
from contract.store_contract import StoreContract

import dsfactory as ds


class TestMetricsStore(StoreContract, ExpiryContract):
    """What every kind promises, and those with expiry."""

    kind = "metrics"

    def test_entries_live_30_days(self, store: Store, clock: ds.ManualClock) -> None:
        """Without a ttl an entry expires after 30 days."""
        store["k"] = 1
        clock.advance(30 * DAY - 1)
        assert store.ttl("k") == 1
        clock.advance(1)
        assert "k" not in store
