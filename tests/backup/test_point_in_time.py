"""Point-in-time recovery as an operator has it: switched on, attended, restored from, ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from journal_tools import START, Recorded, made, recorded, traces

import dsfactory as ds
from dsfactory.backup.moments import recovery as point_in_time
from dsfactory.backup.moments.stretches import restorable_range, stretches
from dsfactory.backup.restoring import Course, restore_to
from dsfactory.backup.retention.policy import RetentionPolicy
from dsfactory.backup.retention.pruning import prune
from dsfactory.backup.vault import Vault

ROOT = Path(__file__).resolve().parents[2]
HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def vault(factory: ds.DataStoreFactory) -> Vault:
    """Where the factory keeps backups."""
    return factory._safe.vault


@pytest.fixture
def means(factory: ds.DataStoreFactory, tmp_path: Path, clock: ds.ManualClock) -> Recorded:
    """A store whose changes are recorded, and the means to restore it."""
    made(factory, "state", pitr="24h")
    return recorded(factory, "s", tmp_path / "scratch", clock)


def restored(vault: Vault, means: Recorded, at: int) -> dict[Any, Any]:
    """Restore to a moment, beside; return key and stored value of each entry."""
    way = point_in_time.way_back(vault, means.subject, at)
    backup = vault.catalog.require(way.base.id)
    target = means.scratch / f"at-{at}.db"
    restore_to(vault, Course(backup, at, point_in_time.replay_of(vault, way)), target)
    return {row[1]: row[-1] for row in means.content(target)["entry"]}


@pytest.mark.parametrize("kind", ["cache", "metrics", "custom"])
def test_other_kinds_refused(make_store: Callable[..., Any], kind: str) -> None:
    """Only the changes of config and state stores can be recorded; others say so."""
    with pytest.raises(ds.OptionError, match="pitr is for config and state stores") as refusal:
        make_store(kind, pitr="24h")
    assert refusal.value.facts["option"] == "pitr"
    assert make_store(kind, pitr=None).options.pitr is None


@pytest.mark.parametrize("bad", ["", "soon", -1, 0, 1.5, True])
def test_bad_promise(make_store: Callable[..., Any], bad: object) -> None:
    """A promise that is no duration is refused, naming the option."""
    with pytest.raises(ds.OptionError, match="pitr"):
        make_store("state", pitr=bad)


def test_off_leaves_no_trace(factory: ds.DataStoreFactory) -> None:
    """Without the option there is nothing of it in the file, and nobody takes part in a commit."""
    store = made(factory, "state")
    store["a"] = 1
    store.close()
    assert traces(store.path, store.options) == []
    assert made(factory, "state")._database._witness is None


def test_first_attendance(factory: ds.DataStoreFactory, vault: Vault, means: Recorded) -> None:
    """Attended for the first time, a backup is taken; from then on there is a range."""
    assert restorable_range(point_in_time.known_of(vault, means.subject)) is None
    done = point_in_time.attend(vault, means.subject)
    assert done is not None
    assert done.base is not None
    assert done.base.reason == "point-in-time"
    means.clock.advance(10)
    factory.get_store("s")["a"] = 1
    means.clock.advance(10)
    known = point_in_time.known_of(vault, means.subject)
    assert restorable_range(known) == (START, START + 20)
    again = point_in_time.attend(vault, means.subject)
    assert again is not None
    assert (again.shipped.rows, again.base) == (2, None)


def test_store_without_recording(factory: ds.DataStoreFactory, vault: Vault) -> None:
    """A store whose changes are not recorded is left alone."""
    made(factory, "state")
    means = recorded(factory, "s", factory.root / "scratch", None)
    assert point_in_time.attend(vault, means.subject) is None
    assert point_in_time.way_back(vault, means.subject, START) is None
    assert factory.restorable("s") == []


def test_restore_with_backups(factory: ds.DataStoreFactory, vault: Vault, means: Recorded) -> None:
    """The newest backup before a moment is brought back and the rest is replayed on it."""
    store = factory.get_store("s")
    for n in range(6):
        means.clock.advance(1000)
        store["n"] = n
        if n % 2:
            store.backup()
    known = point_in_time.known_of(vault, means.subject)
    assert stretches(known) == [(START + 2000, START + 6000)]
    for n in range(1, 6):
        assert restored(vault, means, START + 1000 * n + 1000) == {"n": str(n)}
    way = point_in_time.way_back(vault, means.subject, START + 5500)
    assert way.base.position.at == START + 4000


def test_promise_over_days(factory: ds.DataStoreFactory, vault: Vault, means: Recorded) -> None:
    """The range is never shorter than promised, whatever is pruned, and does not grow for ever."""
    store = factory.get_store("s")
    policy = RetentionPolicy(max_backups=1, max_age="1h")
    written: dict[int, str] = {}
    for hour in range(5 * 12):
        store["n"] = hour
        written[means.clock.now_ms()] = str(hour)
        point_in_time.attend(vault, means.subject)
        prune(vault, "s", policy, dry_run=False)
        known = point_in_time.known_of(vault, means.subject)
        found = restorable_range(known)
        assert found is not None
        assert found.from_ms <= max(START, means.clock.now_ms() - DAY)
        assert found.to_ms == means.clock.now_ms()
        means.clock.advance(2 * HOUR)
    assert found.from_ms > means.clock.now_ms() - 3 * DAY
    assert len(vault.catalog.backups("s")) <= 3
    moments = [at for at in written if at >= found.from_ms]
    for at in (moments[0], moments[len(moments) // 2], moments[-1]):
        assert restored(vault, means, at) == {"n": written[at]}


def test_pruning_says_why(factory: ds.DataStoreFactory, vault: Vault, means: Recorded) -> None:
    """A backup that recovery goes on from is kept, and the plan says so."""
    store = factory.get_store("s")
    point_in_time.attend(vault, means.subject)
    for n in range(3):
        means.clock.advance(HOUR)
        store["n"] = n
        store.backup()
    plan = prune(vault, "s", RetentionPolicy(max_backups=1), dry_run=True).plan
    oldest = plan.keep[-1]
    assert "needed for point-in-time recovery" in oldest.reasons
    assert oldest.backup.created_at == START
    assert len(plan.remove) == 2


def test_switched_off_and_on(factory: ds.DataStoreFactory, vault: Vault, means: Recorded) -> None:
    """Switched off nothing is recorded, and what was can be restored; on again begins anew."""
    store = factory.get_store("s")
    point_in_time.attend(vault, means.subject)
    store["a"] = 1
    store.close()
    means.clock.advance(1000)
    store = made(factory, "state", pitr=None)
    assert traces(store.path, store.options) == ["journal"]
    store["a"] = 2
    means.clock.advance(1000)
    store.close()
    store = made(factory, "state", pitr="1h")
    point_in_time.attend(vault, means.subject)
    means.clock.advance(1000)
    store["a"] = 3
    means.clock.advance(1000)
    means = recorded(factory, "s", means.scratch, means.clock)
    known = point_in_time.known_of(vault, means.subject)
    assert [tuple(one) for one in stretches(known)] == [
        (START, START + 999),
        (START + 2000, START + 4000),
    ]
    assert restored(vault, means, START + 500) == {"a": "1"}
    assert restored(vault, means, START + 2500) == {"a": "2"}
    assert restored(vault, means, START + 3000) == {"a": "3"}
    with pytest.raises(ds.RestoreRefusedError, match=r"22:13:20.000Z to .*22:13:20.999Z"):
        point_in_time.way_back(vault, means.subject, START + 1500)


def test_upgrade_between(factory: ds.DataStoreFactory, vault: Vault, means: Recorded) -> None:
    """The journal does not cross revisions: both sides of an upgrade can be restored."""
    store = factory.get_store("s")
    point_in_time.attend(vault, means.subject)
    means.clock.advance(1000)
    store["a"] = 1
    store.close()
    for to, down in (("state_0001", True), ("head", False)):
        (report,) = factory.upgrade("s", to=to, down=down)
        assert report.error is None
    means.clock.advance(1000)
    store = factory.get_store("s")
    done = point_in_time.attend(vault, means.subject)
    assert done is not None
    assert done.base is not None
    store["a"] = 2
    assert restored(vault, means, START + 1000 - 1) == {}
    assert restored(vault, means, START + 2000) == {"a": "2"}
    assert len(stretches(point_in_time.known_of(vault, means.subject))) == 2


def test_damaged_file(factory: ds.DataStoreFactory, vault: Vault, means: Recorded) -> None:
    """Of a damaged file all that was shipped is restored, to the commit."""
    store = factory.get_store("s")
    point_in_time.attend(vault, means.subject)
    for n in range(3):
        means.clock.advance(1000)
        store["n"] = n
    means.clock.advance(1)
    point_in_time.attend(vault, means.subject)
    store.close()
    store.path.write_bytes(b"SQLite format 3\0" + bytes(5000))
    assert restored(vault, means, START + 2500) == {"n": "1"}
    assert restored(vault, means, START + 3000) == {"n": "2"}
    with pytest.raises(ds.RestoreRefusedError):
        point_in_time.way_back(vault, means.subject, START + 9000)
    store.path.unlink()


def test_place_out_of_reach(factory: ds.DataStoreFactory, vault: Vault, means: Recorded) -> None:
    """While the place refuses, the journal stays in the store; nothing of it is lost."""
    store = factory.get_store("s")
    point_in_time.attend(vault, means.subject)
    folder = factory.root / "backups" / "s"
    aside = folder.rename(folder.with_name("aside"))
    folder.write_text("in the way")
    means.clock.advance(1000)
    store["a"] = 1
    with pytest.raises(ds.DataStoreError):
        point_in_time.attend(vault, means.subject)
    assert store["a"] == 1
    folder.unlink()
    aside.rename(folder)
    store["a"] = 2
    means.clock.advance(1000)
    assert restored(vault, means, START + 1500) == {"a": "2"}


def test_factory_restores_in_place(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """restore(at=...) gives the state at that moment; the way there is kept, and can be undone."""
    store = made(factory, "config", pitr="24h")
    factory.maintain()
    for n in range(4):
        clock.advance(1000)
        store.set("n", n, who="ann", why=f"step {n}")
    assert factory.restorable("s") == [(START, START + 4000)]
    clock.advance(1000)
    report = factory.restore("s", at=START + 2500)
    assert report.safety is not None
    store = made(factory, "config")
    assert store["n"] == 1
    assert [(v.who, v.why) for v in store.history("n")] == [("ann", "step 1"), ("ann", "step 0")]
    assert store.check() == []
    clock.advance(1000)
    factory.maintain()
    clock.advance(1000)
    store["n"] = 100
    clock.advance(1000)
    assert factory.restorable("s") == [(START, START + 8000)]
    factory.restore("s", at=START + 3500)
    assert made(factory, "config")["n"] == 2
    factory.restore("s", at=START + 7000)
    assert made(factory, "config")["n"] == 100


def test_plain_restore_begins_anew(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A backup that is restored as it is goes on in a lineage of its own."""
    store = made(factory, "state", pitr="24h")
    store["a"] = "first"
    backup = store.backup()
    clock.advance(1000)
    store["a"] = "second"
    clock.advance(1000)
    factory.restore("s", backup.id)
    store = made(factory, "state")
    assert store["a"] == "first"
    clock.advance(1000)
    store["a"] = "third"
    factory.maintain()
    clock.advance(1000)
    for at, value in ((500, "first"), (1500, "second"), (3500, "third")):
        factory.restore("s", at=START + at, to=factory.root / f"{at}.db")
        means = recorded(factory, "s", factory.root / "scratch", clock)
        assert means.content(factory.root / f"{at}.db")["entry"][0][-1] == f'"{value}"'


def test_moment_out_of_range(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """A moment outside of the range is refused by what can be restored; nothing is changed."""
    store = made(factory, "state", pitr="24h")
    store["a"] = 1
    factory.maintain()
    clock.advance(1000)
    for at in (START - 1, START + 1001):
        with pytest.raises(ds.RestoreRefusedError, match=r"22:13:20\.000Z to .*22:13:21\.000Z"):
            factory.restore("s", at=at)
    assert store["a"] == 1


def test_script_without_registry(factory: ds.DataStoreFactory, clock: ds.ManualClock) -> None:
    """With nothing but the folder of backups left, scripts/restore brings any moment back."""
    store = made(factory, "state", pitr="24h")
    factory.maintain()
    for n in range(3):
        clock.advance(1000)
        store["n"] = n
    clock.advance(1)
    factory.maintain()
    place, target = factory.root / "backups", factory.root / "back.db"
    listed = script("--from", place, "--list")
    assert "any moment from 2023-11-14T22:13:20.000Z to 2023-11-14T22:13:23.000Z" in listed
    script("--from", place, "s", "--at", "2023-11-14T22:13:22.500Z", "--to", target)
    means = recorded(factory, "s", factory.root / "scratch", clock)
    assert means.content(target)["entry"][0][-1] == "1"


def script(*arguments: str | Path) -> str:
    """Return what scripts/restore says."""
    command = [sys.executable, str(ROOT / "scripts" / "restore"), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return " ".join(ran.stdout.split())


def test_sealed(factory: ds.DataStoreFactory, vault: Vault, means: Recorded) -> None:
    """Where backups are encrypted the journal is too, and needs the identity to be replayed."""
    x25519 = pytest.importorskip("pyrage").x25519
    from dsfactory.backup.sealing.age import Opener, Seal

    identity = x25519.Identity.generate()
    sealed = vault._replace(seal=Seal([str(identity.to_public())]), opener=Opener(str(identity)))
    point_in_time.attend(sealed, means.subject)
    factory.get_store("s")["a"] = "a value that nobody may read" * 3
    means.clock.advance(1000)
    point_in_time.attend(sealed, means.subject)
    (kept,) = (factory.root / "backups" / "s").glob("log-*")
    assert kept.name.endswith(".seg.age")
    assert kept.read_bytes().startswith(b"age-encryption.org")
    assert list(restored(sealed, means, START)) == ["a"]
    with pytest.raises(ds.BackupSealedError, match="identity"):
        restored(vault, means, START + 1)
