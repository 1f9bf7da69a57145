"""Running the command line in this process, and directories that commands look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import dsfactory as ds
from dsfactory.cli.main import main


@dataclass(frozen=True)
class Ran:
    """What the shell would see of one command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)


Run = Callable[..., Ran]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command as the shell does: run("stores", "--root", path)."""
    monkeypatch.delenv("DSFACTORY_ROOT", raising=False)
    monkeypatch.setenv("COLUMNS", "100")

    def run_command(*arguments: object) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ran(ended.value.code, out, err)  # type: ignore[arg-type]  # always an int here

    return run_command


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A directory with a state store, a cache of small bounds and a custom store of a type."""
    where = tmp_path / "data"
    with ds.DataStoreFactory(where, maintenance="manual") as factory:
        sessions = factory.create_state_store("sessions")
        sessions["a-secret-key"] = {"password": "a-secret-value"}
        factory.create_cache_store("thumbs", max_entries=7).set_many({n: n for n in range(5)})
        factory.create_custom_store("counts", dict[str, int], features={"expiry"})
    yield where
    with ds.DataStoreFactory(where, maintenance="manual") as factory:
        for record in factory.get_registered_stores():
            if record.path.exists() and record.path.stat().st_size:
                assert factory.get_store(record.name).check() == []
