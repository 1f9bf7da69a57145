"""A process that monitors until it is killed: python health_monitor_worker.py ROOT."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from health_monitor_tools import quiet_monitor

import dsfactory as ds


def say(line: str) -> None:
    """Tell the test, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(root: Path) -> None:
    """Say "told RULE" for every alert, "counted N" when N requests are on disk; end by a kill."""
    with ds.DataStoreFactory(root, maintenance="manual") as factory:
        factory.create_state_store("users")["eve"] = 1
        monitor = quiet_monitor(factory)
        monitor.configure(limits={"memory": 1}, cooldown="1d")
        monitor.on_alert(lambda alert: say(f"told {alert.rule}"))
        for _ in range(25):
            monitor.observe(0.25, failed=False)
        monitor.start()
        monitor.snapshot()
        say("counted 25")
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
