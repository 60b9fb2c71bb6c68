"""Help OpenBLAS, the matrix library inside NumPy, to see what the processor can do."""

import os
from pathlib import Path

AVX512 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


def prefer_wide_kernels(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Choose OpenBLAS's AVX-512 kernels where the processor has them; call this before NumPy is imported.

    OpenBLAS, the matrix library inside NumPy, takes a processor that is newer than itself for a Haswell and leaves a
    quarter of its speed unused. A choice that the user has made in OPENBLAS_CORETYPE stays.
    """
    if "OPENBLAS_CORETYPE" in os.environ:
        return
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        return
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    if set(flags) >= AVX512:
        os.environ["OPENBLAS_CORETYPE"] = "SkylakeX"
