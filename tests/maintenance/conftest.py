"""Several factories over one directory, as several programs have them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds


@pytest.fixture
def opened(tmp_path: Path, clock: ds.ManualClock) -> Iterator[Callable[..., ds.DataStoreFactory]]:
    """Open a factory over the test's directory; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_factory(**options: Any) -> ds.DataStoreFactory:
            options = {"maintenance": "manual", "clock": clock} | options
            return stack.enter_context(ds.DataStoreFactory(tmp_path / "data", **options))

        yield open_factory
