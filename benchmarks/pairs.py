"""What the speed benchmarks share: the processor's name, the clock, and the ratio of paired runs."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path


def processor() -> str:
    """The processor, its cores, and the Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        flags = next(line.split() for line in lines if line.startswith("flags"))
        name += ", AVX-512" if "avx512f" in flags else ""
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}"


def clock() -> Callable[[], float]:
    """Processor time where one thread is asked for, which other work hardly disturbs, else the clock on the wall."""
    return time.process_time if os.environ.get("OMP_NUM_THREADS") == "1" else time.perf_counter


def threads(count: int | None) -> dict[str, str]:
    """The environment of a contestant that may use so many threads; None leaves it the choice."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS") if count else ()
    return {**os.environ, **dict.fromkeys(names, str(count))}


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Median and range of the ratios of runs that took turns."""
    ratios = sorted(mine / other for mine, other in zip(ours, theirs, strict=True))
    return f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}, {len(ratios)} pairs)"
