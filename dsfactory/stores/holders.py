"""Who holds a lease: a process named so that its death can be told, and not its number alone."""

from __future__ import annotations

import functools
import itertools
import os
from pathlib import Path

_PROC = Path("/proc")

_calls = itertools.count()


def new_holder() -> str:
    """Return a name for one holder in this process, different at every call.

    It is "host process start call": the boot and the process namespace, without which a number
    means nothing; the process; the tick at which it was started, since numbers are given again.
    """
    return f"{_process(os.getpid())} {next(_calls)}"


def has_died(holder: str) -> bool:
    """Whether the process of *holder* is known to be gone.

    False in doubt: on another boot's or another container's word, and where there is no /proc.
    """
    if holder.count(" ") != 3:
        return False  # another program's
    host, process, started, _ = holder.split(" ")
    if host != _host():
        # Nothing of an earlier boot is alive; a container's processes cannot be seen from here.
        return _boot(host) not in ("", _boot(_host()))
    return host != "" and started != _started(int(process))


@functools.cache
def _process(number: int) -> str:
    return f"{_host()} {number} {_started(number)}"


def _host() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{(_PROC / 'self/ns/pid').stat().st_ino}"
    except OSError:
        return ""


def _boot(host: str) -> str:
    return host.partition("/")[0]


def _started(process: int) -> str:
    """The tick at which *process* was started; empty when it is no more, a zombie included."""
    try:
        stat = (_PROC / str(process) / "stat").read_text()
    except OSError:
        return ""
    # The name, in parentheses, may hold anything: the fields are counted from its end.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]
