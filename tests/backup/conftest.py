"""An S3 server on loopback, a process of its own, for those tests that ask for a bucket."""

from __future__ import annotations

from collections.abc import Iterator

import object_server
import pytest
from object_server import Bucket


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """An S3 server."""
    with object_server.running() as endpoint:
        yield endpoint


@pytest.fixture
def bucket(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, and an environment that leads to it."""
    for name, value in object_server.environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    made = Bucket(s3_endpoint, object_server.unique_name())
    made.make()
    return made
