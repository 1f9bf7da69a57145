"""The wheel and the checkout both find their migrations."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import zstandard
from upgrade_tools import ROOT

from dsfactory.errors import LineageError
from dsfactory.upgrade import scripts

KEPT = ROOT / "tests" / "compat" / "files" / "state_0001.db.zst"
UPGRADE = """
import sys
import dsfactory as ds
from dsfactory.upgrade.scripts import migrations_root
with ds.DataStoreFactory(sys.argv[1], maintenance="manual") as factory:
    store = factory.create_state_store("compat")
    print(ds.__file__, migrations_root(), store["user-007"]["user"], store.check(), sep="\\n")
    print(*(report.steps for report in factory.upgrade()))
"""


def run(*command: object) -> str:
    """Run a command; return what it prints."""
    ran = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd="/")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without a network."""
    pytest.importorskip("hatchling", reason="the build backend comes with the extra 'test'")
    folder = tmp_path_factory.mktemp("wheel")
    offline = ("--no-build-isolation", "--no-deps", "--no-index", "--quiet")
    run(sys.executable, "-m", "pip", "wheel", *offline, "-w", folder, ROOT)
    (path,) = folder.iterdir()
    return path


def test_wheel_contains_migrations(wheel: Path) -> None:
    """The wheel brings every migration, env.py, the template and the marker of types."""
    names = set(zipfile.ZipFile(wheel).namelist())
    ours = (p for p in (ROOT / "migrations").rglob("*") if p.suffix in (".py", ".mako"))
    wanted = {f"dsfactory/_migrations/{p.relative_to(ROOT / 'migrations')}" for p in ours}
    assert len(wanted) >= 14
    assert wanted | {"dsfactory/py.typed"} <= names
    assert not [name for name in names if name.endswith(".pyc") or name.startswith("tests")]


def test_installed_wheel_upgrades(wheel: Path, tmp_path: Path) -> None:
    """Installed into a clean environment it upgrades a file of the first revision."""
    home = tmp_path / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", home)
    python = home / "bin" / "python"
    run(
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        wheel,
    )
    # What it needs comes from here; the checkout's own .pth file is not followed from there.
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (Path(site) / "here.pth").write_text(sysconfig.get_path("purelib"))
    path = tmp_path / "data" / "stores" / "compat.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(zstandard.decompress(KEPT.read_bytes()))
    package, root, user, found, steps = run(
        "/usr/bin/env", "-u", "PYTHONPATH", python, "-c", UPGRADE, tmp_path / "data"
    ).splitlines()
    assert package.startswith(str(home))
    assert root.startswith(str(home))
    assert root.endswith("dsfactory/_migrations")
    assert (user, found) == ("user-007", "[]")
    assert steps == "() ()"


def test_checkout_finds_its_own() -> None:
    """A checkout uses the migrations beside the package."""
    assert scripts.migrations_root() == ROOT / "migrations"


def test_without_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that lost them says so."""
    monkeypatch.setattr(scripts.dsfactory, "__file__", str(tmp_path / "dsfactory" / "__init__.py"))
    with pytest.raises(LineageError, match="Install it anew"):
        scripts.migrations_root()
