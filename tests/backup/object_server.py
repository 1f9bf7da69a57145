"""An S3 server on loopback, and servers that answer badly."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

SERVER = """
import sys
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""

SECRET = "wJalrXUtnFEMI-s3cr3t"  # noqa: S105 -- of nobody
KEY_ID = "AKIAIOSFODNN7EXAMPLE"

PAGE = 50
"""Objects in one answer to a listing; S3 has 1,000."""


class Bucket(NamedTuple):
    """An empty bucket of a test."""

    endpoint: str
    name: str

    @property
    def url(self) -> str:
        """What a place is asked for."""
        return f"s3://{self.name}/some/backups"

    def unfinished(self) -> int:
        """How many uploads were begun and neither finished nor given up."""
        return self._get("?uploads").count(b"<UploadId>")

    def listing(self) -> bytes:
        """The server's own listing."""
        return self._get("?list-type=2")

    def put(self, key: str, content: bytes) -> None:
        """Store an object past us."""
        self._request(f"/{key}", "PUT", content)

    def _get(self, rest: str) -> bytes:
        return self._request(rest, "GET")

    def _request(self, rest: str, method: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(  # noqa: S310 -- http, on loopback
            f"{self.endpoint}/{self.name}{rest}", method=method, data=data
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return bytes(answer.read())

    def make(self) -> None:
        """Make it."""
        self._request("", "PUT")


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run the server as a process of its own; yield its endpoint."""
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,  # it ends when we are gone
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)},
    )
    assert process.stdin
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def environment(endpoint: str) -> dict[str, str]:
    """What the library reads; its way to the provider's identity service leads nowhere."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_METADATA_ENDPOINT": "http://127.0.0.1:1",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


@contextlib.contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """Serve every connection the same *answer*, or (None) take it and say nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken: list[socket.socket] = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    taken.append(connection)
                    if answer is not None:
                        connection.recv(1 << 20)
                        connection.sendall(answer)
                        connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in taken:
            connection.close()


def unique_name() -> str:
    """A bucket that no other test has."""
    return f"bucket-{os.urandom(6).hex()}"
