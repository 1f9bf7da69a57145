"""A registry over a file that a test opens again and again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import dsfactory as ds
from dsfactory.registry import Registry


@pytest.fixture
def open_registry(tmp_path: Path, clock: ds.ManualClock) -> Iterator[Callable[[], Registry]]:
    """Open the registry of the test's directory; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_one() -> Registry:
            registry = Registry(tmp_path / "metadata.db", clock)
            stack.callback(registry.close)
            return registry

        yield open_one


@pytest.fixture
def registry(open_registry: Callable[[], Registry]) -> Registry:
    """A new registry."""
    return open_registry()
