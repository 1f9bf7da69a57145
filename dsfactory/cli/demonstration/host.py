"""What this host says of itself: the counters and gauges of /proc, or what Python's os knows."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Reading:
    """One number at one moment."""

    name: str
    value: float
    unit: str


Reader = Callable[[str], Iterator[Reading]]


def readings(proc: Path = PROC) -> list[Reading]:
    """Return everything that can be read now; what this host does not offer is left out."""
    found = [*_of_python()]
    for name, reader in FILES.items():
        # A container may hide a file, another system has none, an old kernel another format.
        with contextlib.suppress(OSError, ValueError, IndexError):
            found.extend([*reader((proc / name).read_text())])
    return found


def _of_python() -> Iterator[Reading]:
    spent = os.times()
    yield Reading("process.cpu.user", spent.user, "s")
    yield Reading("process.cpu.system", spent.system, "s")
    yield Reading("disk.free", shutil.disk_usage(Path.cwd().anchor).free, "B")
    if hasattr(os, "getloadavg"):
        with contextlib.suppress(OSError):
            for minutes, load in zip((1, 5, 15), os.getloadavg(), strict=True):
                yield Reading(f"load.{minutes}min", load, "")
    with contextlib.suppress(ImportError):
        import resource  # not on Windows

        usage = resource.getrusage(resource.RUSAGE_SELF)
        # ru_maxrss is in KiB on Linux, in bytes on macOS.
        peak = usage.ru_maxrss * (1 if os.uname().sysname == "Darwin" else 1024)
        yield Reading("process.memory.peak", peak, "B")
        yield Reading("process.switches", usage.ru_nvcsw + usage.ru_nivcsw, "")
        yield Reading("process.faults", usage.ru_minflt + usage.ru_majflt, "")


def _meminfo(text: str) -> Iterator[Reading]:
    for line in text.splitlines():
        name, number, *unit = line.replace(":", " ").split()
        factor = 1024 if unit == ["kB"] else 1
        yield Reading(f"memory.{name}", float(number) * factor, "B" if unit else "")


_CPU = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def _stat(text: str) -> Iterator[Reading]:
    ticks_per_second = os.sysconf("SC_CLK_TCK")
    for line in text.splitlines():
        name, *numbers = line.split()
        if name == "cpu":
            # Older kernels know fewer columns, newer ones more.
            for state, ticks in zip(_CPU, numbers, strict=False):
                yield Reading(f"cpu.{state}", int(ticks) / ticks_per_second, "s")
        elif len(numbers) == 1 and name != "btime":
            yield Reading(f"kernel.{name}", int(numbers[0]), "")


def _status(text: str) -> Iterator[Reading]:
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    yield Reading("process.memory", int(fields["VmRSS"].split()[0]) * 1024, "B")
    yield Reading("process.threads", int(fields["Threads"]), "")


def _io(text: str) -> Iterator[Reading]:
    for line in text.splitlines():
        name, number = line.split(":")
        yield Reading(f"process.io.{name}", int(number), "B" if "bytes" in name else "")


def _net(text: str) -> Iterator[Reading]:
    # Two lines of headings; a host of containers has hundreds of interfaces.
    for line in text.splitlines()[2:10]:
        name, _, numbers = line.partition(":")
        columns = numbers.split()
        yield Reading(f"net.{name.strip()}.received", int(columns[0]), "B")
        yield Reading(f"net.{name.strip()}.sent", int(columns[8]), "B")


FILES: Mapping[str, Reader] = {
    "meminfo": _meminfo,
    "stat": _stat,
    "self/status": _status,
    "self/io": _io,
    "net/dev": _net,
}
"""Which file of /proc is read how. A new one is a row."""
