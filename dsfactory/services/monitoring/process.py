"""What the system says of this process: /proc where there is one, else the standard library.

No psutil: four numbers of one process are no reason for a compiled dependency.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
from pathlib import Path

from dsfactory.clock import cpu_ns, ticks_ns
from dsfactory.services.monitoring.readings import ProcessReading

_PROC = Path("/proc")
_IMPORTED_NS = ticks_ns()
_START_FIELD = 19
"""Of /proc/PID/stat behind the name in brackets: field 22 of proc(5), in ticks since boot."""


class ProcessMeter:
    """Measures the process; the CPU share is that since the reading before."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._before: tuple[int, int] | None = None

    def read(self, *, keep: bool) -> ProcessReading:
        """Return how the process stands; with *keep* the next CPU share counts from now."""
        moment = (ticks_ns(), cpu_ns())
        before = self._before
        if keep:
            self._before = moment
        disk = shutil.disk_usage(self._root)
        return ProcessReading(
            cpu_percent=None if before is None else _share(before, moment),
            memory_bytes=memory_bytes(),
            threads=threading.active_count(),
            uptime_s=uptime_s(),
            # As df counts: what only root may use is not free.
            disk_used=disk.used / max(1, disk.used + disk.free),
            disk_free_bytes=disk.free,
        )


def _share(before: tuple[int, int], now: tuple[int, int]) -> float:
    return 100 * (now[1] - before[1]) / max(1, now[0] - before[0])


def memory_bytes() -> int:
    """Return the resident memory; without /proc the most that there ever was."""
    try:
        resident = int((_PROC / "self/statm").read_text().split()[1])
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    return resident * os.sysconf("SC_PAGE_SIZE")


def uptime_s() -> float:
    """Return for how long the process runs; without /proc, for how long it monitors."""
    born = birth(os.getpid())
    try:
        since_boot = float((_PROC / "uptime").read_text().split()[0])
    except OSError:
        born = None
    if born is None:
        return (ticks_ns() - _IMPORTED_NS) / 1e9
    return max(0.0, since_boot - born / os.sysconf("SC_CLK_TCK"))


def birth(pid: int) -> int | None:
    """Return when a process began, in ticks since boot; None when it is gone or nobody knows."""
    try:
        return int((_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[_START_FIELD])
    except OSError:
        return None


def boot() -> str:
    """Return what tells this boot of the machine from others; "" when nobody knows."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Whether there is a process of this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
