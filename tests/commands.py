"""The command line in processes of their own that begin with the libraries already imported.

A new Python spends two seconds of processor time on imports, a fork of one that has made them spends none. What
is about the beginning of a process (its first output, its imports, an installed package) starts a real one.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings
from pathlib import Path

from pipeline.cli.blas import prefer_wide_kernels

ROOT = Path(__file__).parent.parent
IMPORTED = [
    "joblib.externals.loky",
    "matplotlib.figure",
    "numba",
    "pandas",
    "rich.progress",
    "scipy.optimize",
    "sklearn.metrics",
]

prefer_wide_kernels()  # as the command line does: before the server imports NumPy
_SERVER = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
if sys.platform != "win32":
    _SERVER.set_forkserver_preload(IMPORTED)


def start(arguments: list[str], folder: Path, *, out: Path, err: Path, own_group: bool = False):
    """`python main.py ARGUMENTS` in a folder; a multiprocessing.Process, whose texts go to the files out and err."""
    settings = {**os.environ, "PYTHONUTF8": "1", "COLUMNS": "100"}
    process = _SERVER.Process(target=_command, args=(arguments, folder, settings, out, err, own_group))
    process.start()
    return process


def run(
    arguments: list[str], folder: Path, *, out: Path, err: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """The same to its end, with its exit code and its texts. Raises TimeoutExpired."""
    process = start(arguments, folder, out=out, err=err)
    process.join(timeout)
    if process.exitcode is None:
        process.kill()
        raise subprocess.TimeoutExpired(arguments, timeout)
    texts = (path.read_text(encoding="utf-8") for path in (out, err))
    return subprocess.CompletedProcess(["main.py", *arguments], process.exitcode, *texts)


def _command(
    arguments: list[str], folder: Path, settings: dict[str, str], out: Path, err: Path, own_group: bool
) -> None:
    if own_group:
        os.setsid()
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(settings)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (it ends with the process)
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
    sys.argv = [str(ROOT / "main.py"), *arguments]
    warnings.resetwarnings()
    warnings.simplefilter("error")
    from pipeline.cli import main

    try:
        main(arguments)
    finally:
        sys.stdout.flush()
        threading._shutdown()  # multiprocessing ends its processes without these two
        atexit._run_exitfuncs()
