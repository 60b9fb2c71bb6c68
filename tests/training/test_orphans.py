"""Processes that a killed job had started end with it, whenever it was killed, and leave nothing behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

psutil = pytest.importorskip("psutil")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 2.0
BUSY = """
import sys
import time
from pathlib import Path

import numpy as np


def busy(item, shared):
    Path(f"begun-{item}").touch()
    while True:
        sum(range(10_000))


if __name__ == "__main__":
    shared = {"rows": np.zeros(1_000_000)}
    if sys.argv[1] == "dask":
        from pipeline.training.dask_cluster import cluster, on_cluster

        with cluster(None, 2) as client:
            import busy

            list(on_cluster(busy.busy, range(2), shared, client=client))
    else:
        import busy
        from pipeline.training.parallel import in_processes

        list(in_processes(busy.busy, range(2), shared, jobs=2))
"""


@pytest.mark.parametrize(
    ("engine", "moment"), [("processes", "started"), ("processes", "at work"), ("dask", "started")]
)
def test_no_worker_outlives_a_killed_parent(tmp_path, engine, moment):
    (tmp_path / "busy.py").write_text(BUSY, encoding="utf-8")
    (tmp_path / "temporary").mkdir()
    paths = os.pathsep.join([str(ROOT), str(tmp_path)])
    parent = subprocess.Popen(
        [sys.executable, "busy.py", engine], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths, "TMPDIR": str(tmp_path / "temporary"), "PYTHONUTF8": "1"},
    )  # fmt: skip
    kin: list[psutil.Process] = []
    try:
        deadline = time.monotonic() + 60
        while len(kin) < 2 or (moment == "at work" and len(list(tmp_path.glob("begun-*"))) < 2):
            assert parent.poll() is None and time.monotonic() < deadline
            kin = psutil.Process(parent.pid).children(recursive=True)
            time.sleep(0.005)
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        deadline = time.monotonic() + LONGEST_SECONDS
        while any(map(is_alive, kin)):
            assert time.monotonic() < deadline, [process.cmdline() for process in filter(is_alive, kin)]
            time.sleep(0.02)
        assert memory_of([parent, *kin]) == []
        if engine == "processes":
            assert list((tmp_path / "temporary").iterdir()) == []
    finally:
        for process in (parent, *kin):
            with suppress(psutil.NoSuchProcess):
                process.kill()


def is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def memory_of(processes: list[psutil.Process]) -> list[str]:
    """Shared memory by name that Python's libraries made for them: they put the number of the process into it."""
    shared = Path("/dev/shm")
    names = [path.name for path in shared.iterdir()] if shared.is_dir() else []
    return [name for name in names if any(str(process.pid) in re.split("[-_]", name) for process in processes)]
