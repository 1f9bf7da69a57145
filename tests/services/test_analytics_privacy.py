"""Opting out, retention, export, and deletion: proved by the bytes of the files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import dsfactory as ds
from dsfactory.services import AnalyticsManager
from dsfactory.services.analytics.records import Tracked

DAY_MS = 86_400_000
NOON = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp() * 1000)
ALWAYS = date(2020, 1, 1), date(2030, 1, 1)

Make = Callable[..., AnalyticsManager]


@pytest.fixture
def clock() -> ds.ManualClock:
    """Noon of a Monday, UTC."""
    return ds.ManualClock(NOON)


@pytest.fixture
def make(factory: ds.DataStoreFactory) -> Make:
    """Make an analytics manager that is on."""
    return lambda **options: AnalyticsManager(factory, **{"enabled": True, **options})


def use(analytics: AnalyticsManager, clock: ds.ManualClock, days: int = 5) -> None:
    """Many users on several days; ada has commands and scopes of her own."""
    for day in range(days):
        for user in range(120):
            analytics.track_command(user, f"command-{user % 7}", scope="red")
        for n in range(30):
            analytics.track_command("ada", f"only-ada-{n}", scope="room-of-ada")
        analytics.track_engagement("ada", "ada-waves")
        if day < days - 1:
            clock.advance(DAY_MS)


def traces(factory: ds.DataStoreFactory, words: list[bytes]) -> list[tuple[str, bytes]]:
    """Where any of *words* is in the raw files of the stores, logs included."""
    return [
        (path.name, word)
        for path in sorted((factory.root / "stores").rglob("*"))
        if path.is_file()
        for word in words
        if word in path.read_bytes()
    ]


def traces_in_new_backups(
    factory: ds.DataStoreFactory, words: list[bytes], scratch: Path
) -> list[tuple[str, bytes]]:
    """The same in backups made now, unpacked."""
    found = []
    for name in ("analytics", "analytics-kept", "analytics-secrets"):
        backup = factory.backup(name, reason="after")
        unpacked = scratch / f"{name}.db"
        factory.restore(name, backup.id, to=unpacked)
        found += [(name, word) for word in words if word in unpacked.read_bytes()]
    return found


def ada_of(analytics: AnalyticsManager) -> list[bytes]:
    """Every word that stands for ada in a file."""
    export = analytics.export_user("ada")
    usage = export["days"][0]["usage"]
    return [
        *(one.encode() for one in export["hashes"]),
        *(scope.encode() for scope in usage if scope),
        b"only-ada",
        b"ada-waves",
    ]


@pytest.mark.parametrize("backup_format", ["full", "pack"])
def test_deleted_user_is_in_no_byte(
    make: Make,
    factory: ds.DataStoreFactory,
    clock: ds.ManualClock,
    tmp_path: Path,
    backup_format: str,
) -> None:
    """After delete_user() no table, free page, log or new backup holds anything of the user."""
    options = {"compression": False, "ttl": "90d", "backup_format": backup_format}
    factory.create_metrics_store("analytics", Tracked, **options)
    analytics = make()
    use(analytics, clock)
    factory.maintain()
    analytics.set_retention("ada", 80)
    words = ada_of(analytics)
    for name in ("analytics", "analytics-kept"):
        factory.get_store(name).backup(reason="before")
    assert {word for _, word in traces(factory, words)} == set(words)
    before = analytics.usage_statistics(*ALWAYS)
    assert analytics.delete_user("ada") == 5
    assert traces(factory, words) == []
    assert traces_in_new_backups(factory, words, tmp_path) == []
    factory.maintain()
    assert traces(factory, words) == []
    after = analytics.usage_statistics(*ALWAYS)
    assert (after.commands, after.unique_users) == (before.commands - 150, 120)
    assert analytics.export_user("ada")["days"] == []
    assert analytics.privacy("ada").retention_days is None


def test_plain_deletion_would_leave_traces(
    make: Make, factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """The search finds what an ordinary delete leaves behind: it can fail."""
    analytics = make()
    use(analytics, clock)
    (hashed,) = analytics.export_user("ada")["hashes"]
    events = factory.get_store("analytics")
    events.delete_many([key for key in events if hashed in str(key)])
    events.maintain()
    assert traces(factory, [b"only-ada"])
    events.scrub()
    assert not traces(factory, [b"only-ada"])


def test_expired_days_are_scrubbed_too(
    make: Make, factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """What is past the retention and not swept yet goes as well."""
    analytics = make(retention="2d")
    use(analytics, clock, days=1)
    words = ada_of(analytics)
    clock.advance(10 * DAY_MS)
    assert analytics.usage_statistics(*ALWAYS).commands == 0
    assert traces(factory, words)
    assert analytics.delete_user("ada") == 0
    assert traces(factory, words) == []


KILLED = """
import os, signal, sys
import dsfactory as ds
from dsfactory.services import AnalyticsManager
clock = ds.ManualClock(int(sys.argv[2]))
factory = ds.DataStoreFactory(sys.argv[1], maintenance="manual", clock=clock)
analytics = AnalyticsManager(factory, enabled=True)
die, calls = int(sys.argv[3]), 0
def counting(method):
    def run(self, *arguments, **options):
        global calls
        calls += 1
        if calls == die:
            os.kill(os.getpid(), signal.SIGKILL)
        return method(self, *arguments, **options)
    return run
for name in ("set", "delete_many", "scrub", "delete"):
    setattr(ds.DataStore, name, counting(getattr(ds.DataStore, name)))
analytics.delete_user("ada")
print("done")
"""


def test_killed_deletion_is_finished_by_maintenance(tmp_path: Path, clock: ds.ManualClock) -> None:
    """Killed before any of its steps, a deletion either never began or is finished later."""
    seed, root = tmp_path / "seed", tmp_path / "data"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with ds.DataStoreFactory(seed, maintenance="manual", clock=clock) as factory:
        analytics = AnalyticsManager(factory, enabled=True)
        use(analytics, clock, days=2)
        analytics.set_retention("ada", 80)
        words = ada_of(analytics)
        factory.maintain()
    outcomes = []
    for step in range(1, 20):
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(seed, root)
        command = [sys.executable, "-c", KILLED, str(root), str(clock.now_ms()), str(step)]
        child = subprocess.run(command, env=environment, stdout=subprocess.PIPE)
        with ds.DataStoreFactory(root, maintenance="manual", clock=clock) as factory:
            analytics = AnalyticsManager(factory, enabled=True)
            begun = any(key for key in factory.get_store("analytics-kept") if key[0] == "x")
            factory.maintain()
            left = traces(factory, words)
            total = analytics.usage_statistics(*ALWAYS)
            for name in ("analytics", "analytics-kept"):
                assert factory.get_store(name).check() == []
        if child.returncode == 0:
            assert left == []
            break
        assert child.returncode == -9
        outcomes.append(begun)
        assert (left == []) is begun, step
        assert bool([c for c in total.by_command if c.startswith("only")]) is not begun
    assert outcomes[0] is False
    assert sum(outcomes) >= 5


def test_opt_out_holds_in_every_manager(make: Make, factory: ds.DataStoreFactory) -> None:
    """Who has opted out is not recorded until opting in, and delete_user forgets it."""
    analytics, other = make(), AnalyticsManager(factory, enabled=True)
    analytics.track_command("ada", "help")
    analytics.opt_out("ada")
    assert not other.track_command("ada", "help")
    assert not other.track_engagement("ada")
    assert analytics.usage_statistics(*ALWAYS).commands == 1
    assert other.privacy("ada").opted_out
    other.opt_in("ada")
    assert analytics.track_command("ada", "help")
    analytics.opt_out("ada")
    analytics.delete_user("ada")
    assert analytics.track_command("ada", "help")


def test_nothing_comes_after_opting_out(
    make: Make, factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """While threads go on tracking, what was deleted after opting out stays deleted."""
    analytics = make()
    use(analytics, clock, days=1)
    words = [word for word in ada_of(analytics) if word.startswith((b"only", b"ada"))]
    ended = threading.Event()

    def track() -> None:
        while not ended.is_set():
            analytics.track_command("ada", "only-ada-0")
            analytics.track_command("bob", "help")

    threads = [threading.Thread(target=track) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        analytics.opt_out("ada")
        assert analytics.delete_user("ada", keep_opt_out=True) == 1
        assert traces(factory, words) == []
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert traces(factory, words) == []
    assert analytics.privacy("ada").opted_out
    assert "only-ada-0" not in analytics.usage_statistics(*ALWAYS).by_command


def test_rotation_reaches_what_older_keys_hashed(
    make: Make, factory: ds.DataStoreFactory, clock: ds.ManualClock
) -> None:
    """Opting out, export and deletion go through rotations; keys go when nothing needs them."""
    analytics = make()
    analytics.track_command("ada", "only-ada-1")
    analytics.opt_out("bob")
    old = analytics.export_user("ada")["hashes"]
    analytics.rotate_key()
    assert not analytics.track_command("bob", "help")
    analytics.track_command("ada", "only-ada-2")
    export = analytics.export_user("ada")
    assert len(export["days"]) == 2
    assert export["hashes"][1:] == old
    assert analytics.delete_user("ada") == 1
    assert traces(factory, [one.encode() for one in export["hashes"]]) == []
    clock.advance(100 * DAY_MS)
    factory.maintain()
    assert not analytics.track_command("bob", "help")  # the old key is kept for this
    analytics.opt_in("bob")
    factory.maintain()
    assert len(analytics.export_user("ada")["hashes"]) == 1


def test_retention_drops_days(
    make: Make, clock: ds.ManualClock, factory: ds.DataStoreFactory
) -> None:
    """After 90 days, or what the user chose, days are gone; totals follow."""
    analytics = make()
    analytics.track_command("ada", "only-ada")
    analytics.track_command("bob", "help")
    clock.advance(DAY_MS)
    factory.maintain()
    assert analytics.usage_statistics(*ALWAYS).by_command == {"help": 1, "only-ada": 1}
    analytics.set_retention("ada", 1)
    factory.maintain()
    assert analytics.usage_statistics(*ALWAYS).by_command == {"help": 1}
    clock.advance(89 * DAY_MS)
    factory.maintain()
    assert analytics.usage_statistics(*ALWAYS).commands == 1
    clock.advance(DAY_MS)
    assert analytics.usage_statistics(*ALWAYS).commands == 0
    factory.maintain()
    assert len(factory.get_store("analytics")) == 0
    assert len(factory.get_store("analytics-kept")) == 1  # what ada decided


def test_shorter_retention_applies_to_what_there_is(
    make: Make, clock: ds.ManualClock, factory: ds.DataStoreFactory
) -> None:
    """A retention that was lowered since deletes older days at the next maintenance."""
    use(make(), clock, days=3)
    factory.get_store("analytics").close()
    short = AnalyticsManager(factory, enabled=True, retention="1d")
    factory.maintain()
    assert list(short.usage_statistics(*ALWAYS).by_day) == [date(2026, 3, 3), date(2026, 3, 4)]
