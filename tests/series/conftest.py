"""What tests of series share."""

from __future__ import annotations

from typing import Any

import pytest

import dsfactory as ds


@pytest.fixture
def store(factory: ds.DataStoreFactory) -> ds.MetricsStore[Any]:
    """A metrics store that keeps samples for ever; checked when the test has ended."""
    return factory.create_metrics_store("telemetry", ttl=None)
