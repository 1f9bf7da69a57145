"""What the demo reads of this host, with and without /proc."""

from __future__ import annotations

import sys
import threading

import pytest

from dsfactory.cli.demonstration import host, telemetry

FILES = {
    "meminfo": "MemTotal:  100 kB\nMemAvailable:  60 kB\nHugePages_Total:  3\n",
    "stat": "cpu  100 0 50 1000\ncpu0 100 0 50 1000\nctxt 77\nbtime 1700000000\nintr 5 1 2\n",
    "self/status": "Name:\tpython\nVmRSS:\t  12 kB\nThreads:\t4\n",
    "self/io": "rchar: 5\nwrite_bytes: 4096\n",
    "net/dev": "Inter-|\n face |\n  eth0: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n",
}


def values(proc):
    return {reading.name: (reading.value, reading.unit) for reading in host.readings(proc)}


def written(tmp_path, files):
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_readings_of_proc(tmp_path):
    """Each file of /proc is read, in bytes and seconds."""
    found = values(written(tmp_path, FILES))
    assert found["memory.MemAvailable"] == (60 * 1024, "B")
    assert found["memory.HugePages_Total"] == (3, "")
    assert found["cpu.idle"][1] == "s"
    assert found["kernel.ctxt"] == (77, "")
    assert "kernel.btime" not in found
    assert found["process.memory"] == (12 * 1024, "B")
    assert found["process.io.write_bytes"] == (4096, "B")
    assert found["process.io.rchar"] == (5, "")
    assert (found["net.eth0.received"], found["net.eth0.sent"]) == ((10, "B"), (20, "B"))


def test_readings_without_proc(tmp_path):
    """Without /proc there is what Python itself knows."""
    found = values(tmp_path)
    assert found["process.cpu.user"][0] > 0
    assert found["disk.free"][1] == "B"


def test_readings_on_another_system(tmp_path, monkeypatch):
    """Without load averages and the module resource, what is left is read."""
    monkeypatch.delattr("os.getloadavg")
    monkeypatch.setitem(sys.modules, "resource", None)
    assert set(values(tmp_path)) == {"process.cpu.user", "process.cpu.system", "disk.free"}


def test_readings_of_another_kernel(tmp_path):
    """A file that looks otherwise than known is left out, and the others are read."""
    found = values(written(tmp_path, {**FILES, "net/dev": "1\n2\n  eth0: what\n"}))
    assert "memory.MemTotal" in found
    assert not [name for name in found if name.startswith("net.")]


def test_sum_of_timings(factory):
    """The newest timing of each name counts; when one is not known, the sum is not."""
    recorder = telemetry.Telemetry(factory)
    recorder.timings({"a": 1.0, "b": 2.0})
    assert recorder.last_timings(["a", "b"]) == 3.0
    assert recorder.last_timings(["a", "c"]) is None
    assert recorder.last_timings([]) == 0


def test_failure_while_sampling(factory, monkeypatch):
    """A sampler that fails in its thread fails the work, and does not vanish."""
    recorder = telemetry.Telemetry(factory)
    failed = threading.Event()

    def fail_outside_of_the_main_thread() -> None:
        if threading.current_thread() is not threading.main_thread():
            failed.set()
            raise OSError("no more readings")

    monkeypatch.setattr(recorder, "sample", fail_outside_of_the_main_thread)
    with pytest.raises(OSError, match="no more readings"), recorder.sampling(1):
        assert failed.wait(10)
