"""Compiled kernels: plain loops that Numba turns into machine code, each beside the NumPy form that defines it.

    @kernel(double_arrays)              # the NumPy form: same arguments, same effect
    def double(x: np.ndarray) -> None:  # the loop, which is what is compiled
        for i in range(x.size):
            x[i] += x[i]

Whoever calls `double` gets the loop where Numba works, else the NumPy form: where Numba is not installed, does not
know this NumPy, or is switched off by NUMBA_DISABLE_JIT=1. A loop that makes each number of its own numbers alone
gives the NumPy form's bits; sums agree up to rounding. Kernels run on one thread and let go of the interpreter,
so Pass.share may run several at once.

The first argument is a float array, and of its dtype are all scalars that meet it: a Python float would make
float32 work float64. Compiled code is kept in the user's cache folder, for each kind of processor its own.
"""

import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.storage import FileLock

Array, Number = np.ndarray, np.floating  # short, because kernels take many of them
CHUNK = 16_384  # numbers that the NumPy forms work on at a time: their scratch then stays in a core's cache

LONGEST_WAIT = 60.0  # seconds for another process to compile; some network disks know no locks


_compiling: list[float] = []  # seconds that each kernel of this process took, until say_compiled says them


class Kernel:
    """A loop and the NumPy form that defines it, called like either; compiled at its first call for a dtype."""

    def __init__(self, numpy_form: Callable[..., None], loop: Callable[..., None]) -> None:
        self.numpy_form, self.loop, self.__doc__ = numpy_form, loop, loop.__doc__
        self._dispatcher: Any = None
        self._ready: dict[str, Callable[..., None]] = {}

    def __call__(self, *arguments: Any) -> None:
        form = self._ready.get(arguments[0].dtype.char)
        if form is None:
            form = self._ready[arguments[0].dtype.char] = self._compiled(arguments)
        form(*arguments)

    def _compiled(self, arguments: tuple[Any, ...]) -> Callable[..., None]:
        numba = numba_or_none()
        if numba is None:
            return self.numpy_form
        begin = time.perf_counter()
        with _one_process_at_a_time() as folder:
            if self._dispatcher is None:
                self._dispatcher = _dispatcher(numba, self.loop, folder)
            self._dispatcher.compile(tuple(numba.typeof(argument) for argument in arguments))
        if not self._dispatcher.stats.cache_hits:
            _compiling.append(time.perf_counter() - begin)
        return self._dispatcher


def kernel(numpy_form: Callable[..., None]) -> Callable[[Callable[..., None]], Kernel]:
    """Decorate a loop with the NumPy form that defines it: see the head of this file."""
    return lambda loop: Kernel(numpy_form, loop)


def chunks(*arrays: np.ndarray) -> Iterator[list[np.ndarray]]:
    """The flat arrays part by part, CHUNK numbers of each at a time."""
    for start in range(0, arrays[0].size, CHUNK):
        yield [array[start : start + CHUNK] for array in arrays]


@cache
def numba_or_none() -> Any:
    """The module numba, or None where it cannot be used; then a line says why, unless the user wants it so."""
    try:
        import numba
    except Exception as error:  # not installed, or made for another NumPy: whatever it is, there is another way
        reason = "is not installed" if isinstance(error, ModuleNotFoundError) else f"does not work here ({error})"
        print(f"Numba {reason}: everything works, training takes longer (pip install numba).", file=sys.stderr)
        return None
    return None if numba.config.DISABLE_JIT else numba


def _dispatcher(numba: Any, loop: Callable[..., None], folder: Path | None) -> Any:
    # No fastmath: sums in another order and contracted products would give other bits from version to version.
    # error_model="numpy": a division that may raise keeps a loop from being vectorised.
    options = {"error_model": "numpy", "nogil": True, "cache": folder is not None}
    theirs = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = theirs or str(folder or "")
    try:
        return numba.njit(**options)(loop)
    finally:
        numba.config.CACHE_DIR = theirs


@cache
def _cache_folder() -> Path | None:
    """A folder of this user's own for compiled kernels, or None where none can be written to."""
    user = os.getuid() if hasattr(os, "getuid") else None
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    for parent in (Path(home) / "inkproof", Path(tempfile.gettempdir()) / f"inkproof-{user}"):
        try:
            folder = parent.expanduser() / "kernels"
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
        except (OSError, RuntimeError):  # RuntimeError: a user without a home
            continue
        # What others may write to would be run as this user.
        if os.access(folder, os.W_OK | os.X_OK) and (user is None or status.st_uid == user):
            return folder
    return None


@contextmanager
def _one_process_at_a_time() -> Iterator[Path | None]:
    """While the block runs no other process compiles: whoever waits finds the kernel in the cache folder."""
    folder = _cache_folder()
    if folder is None:
        yield None
        return
    lock, end = FileLock(folder / "lock"), time.monotonic() + LONGEST_WAIT
    while not lock.acquire() and time.monotonic() < end:
        time.sleep(0.02)
    try:
        yield folder
    finally:
        lock.release()


def say_compiled() -> None:
    """Say in a line how long this process has compiled, if it has; of several that did it together one says it."""
    if not _compiling:
        return
    seconds = math.ceil(sum(_compiling))
    _compiling.clear()
    with _one_process_at_a_time() as folder, suppress(OSError):
        if folder is not None:
            said = folder / "said"
            if said.exists() and time.time() - said.stat().st_mtime < LONGEST_WAIT:
                return
            said.touch()
    print(f"Compiling for this processor, once: {seconds} s", file=sys.stderr)
