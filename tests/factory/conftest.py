"""Factories over directories that a test opens again and again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds

Opener = Callable[..., ds.DataStoreFactory]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The directory of the test's factories; not made yet."""
    return tmp_path / "data"


@pytest.fixture
def opened(root: Path, clock: ds.ManualClock) -> Iterator[Opener]:
    """Open a factory over *root* or another directory; all are closed at the end."""
    with contextlib.ExitStack() as stack:

        def open_factory(where: Path | str = root, **options: Any) -> ds.DataStoreFactory:
            options = {"maintenance": "manual", "clock": clock} | options
            return stack.enter_context(ds.DataStoreFactory(where, **options))

        yield open_factory
