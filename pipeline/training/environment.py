"""What the bytes of a result depend on besides its task and rows: the code that trains, libraries, matrix kernels."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# Folders and files of pipeline/ whose code a trained network, or what is predicted with it, depends on.
CODE = ("nn", "augment", "evaluation/robustness", "training", "dataset/split.py", "seeds.py")
LIBRARIES = ("numpy", "scipy", "numba")


@cache
def code_hash() -> str:
    """SHA-256 over the source files that results depend on, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for name in CODE:
        place = PACKAGE / name
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(f"{file.relative_to(PACKAGE).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


@cache
def environment() -> dict[str, str]:
    """Name → value of everything here that results depend on; equal on two machines, they give equal results."""
    import numpy  # noqa: F401 - threadpoolctl sees the libraries that are loaded
    from threadpoolctl import threadpool_info

    kernels = sorted(
        {str(library.get("architecture")) for library in threadpool_info() if library["user_api"] == "blas"}
    )
    python = ".".join(platform.python_version_tuple()[:2])
    return {"code": code_hash()[:16], "python": python, "matrix kernels": ", ".join(kernels)} | {
        name: _version(name) for name in LIBRARIES
    }


def differences(there: Mapping[str, str]) -> list[str]:
    """What is not the same there as here, in words such as "numpy 2.2.0 (here 2.4.6)"."""
    here = environment()
    other = [name for name in here if there.get(name) != here[name]]
    return [f"{name} {there.get(name, 'unknown')} (here {here[name]})" for name in other]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
