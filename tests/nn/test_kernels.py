"""Every compiled kernel against the NumPy form that defines it, and what happens where Numba does not work."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kernel_inputs import EXACT, INPUTS, SCRATCH

import pipeline.augment
import pipeline.nn
from pipeline.nn import kernels
from pipeline.nn.kernels import Kernel

ROOT = Path(__file__).parent.parent.parent


def all_kernels() -> dict[str, Kernel]:
    """By the loop's name."""
    found = {}
    for package in (pipeline.nn, pipeline.augment):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, Kernel):
                    found[value.loop.__name__] = value
    return found


KERNELS = all_kernels()


def test_every_kernel_is_tested():
    assert set(KERNELS) == set(INPUTS)


def changed(form, arguments) -> list[np.ndarray]:
    """The arrays as `form` leaves them."""
    mine = [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in arguments]
    form(*mine)
    return [argument for argument in mine if isinstance(argument, np.ndarray)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(KERNELS))
def test_the_loop_does_what_the_numpy_form_does(name, dtype):
    pytest.importorskip("numba")
    for arguments in INPUTS[name](np.random.default_rng(0), np.dtype(dtype).type):
        loops, arrays = (changed(form, arguments) for form in (KERNELS[name], KERNELS[name].numpy_form))
        assert KERNELS[name]._ready[np.dtype(dtype).char] is not KERNELS[name].numpy_form
        for place, (a, b) in enumerate(zip(loops, arrays, strict=True)):
            if name in SCRATCH and place == len(loops) - 1:
                continue
            assert a.dtype == b.dtype
            if name in EXACT:
                np.testing.assert_array_equal(a, b)
            else:
                tolerance = 2e-6 if dtype == "float32" else 1e-13
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance * np.nanmax(np.abs(b), initial=1))


def run(program: str, **environment: str) -> subprocess.CompletedProcess:
    begin = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import numpy as np; "
    return subprocess.run(
        [sys.executable, "-c", begin + program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )


STEP = """
from pipeline.nn.optimizers import SGD
p, g = np.ones(3, 'f4'), np.ones(3, 'f4')
for _ in range(2): SGD(3, np.dtype('f4')).step(p, g, 0.25)
print(p.tolist())
"""


def test_without_numba_one_line_says_so_and_all_works():
    done = run("sys.modules['numba'] = None" + STEP)
    assert done.stdout == "[0.5, 0.5, 0.5]\n"
    assert done.stderr == "Numba is not installed: everything works, training takes longer (pip install numba).\n"


def test_a_numba_that_does_not_know_this_numpy_is_done_without(tmp_path):
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 1.0 or less')")
    done = run(f"sys.path.insert(0, {str(tmp_path)!r})" + STEP)
    assert done.stdout == "[0.5, 0.5, 0.5]\n"
    assert done.stderr.startswith("Numba does not work here (Numba needs NumPy 1.0 or less): everything works")


def test_kernels_are_compiled_once_and_told_in_a_line(tmp_path):
    pytest.importorskip("numba")
    first, second = (
        run(STEP + "from pipeline.nn.kernels import say_compiled; say_compiled()", XDG_CACHE_HOME=str(tmp_path))
        for _ in range(2)
    )
    assert first.stdout == second.stdout == "[0.5, 0.5, 0.5]\n"
    assert re.fullmatch(r"Compiling for this processor, once: \d+ s\n", first.stderr)
    assert second.stderr == ""


def test_where_no_folder_can_be_written_to_it_compiles_for_itself(tmp_path, monkeypatch):
    pytest.importorskip("numba")
    file = tmp_path / "file"
    file.touch()
    done = run(STEP, XDG_CACHE_HOME=str(file), TMPDIR=str(tmp_path))
    assert done.stdout == "[0.5, 0.5, 0.5]\n"
    assert list(tmp_path.glob("inkproof-*/kernels/*/*.nbi"))
    monkeypatch.setattr(kernels, "_cache_folder", lambda: None)

    @kernels.kernel(lambda x: None)
    def negate(x):
        for i in range(x.size):
            x[i] = -x[i]

    x = np.ones(2)
    negate(x)
    assert x.tolist() == [-1, -1]


def test_the_users_own_cache_folder_is_respected(tmp_path):
    pytest.importorskip("numba")
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    run(STEP, XDG_CACHE_HOME=str(mine), NUMBA_CACHE_DIR=str(theirs))
    assert list(theirs.glob("*/*.nbi"))
    assert not list(mine.glob("inkproof/kernels/*/*.nbi"))


def test_two_processes_do_not_compile_the_same_at_the_same_time(tmp_path):
    pytest.importorskip("numba")
    begin = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import numpy as np"
    said = [
        subprocess.Popen(
            [sys.executable, "-c", begin + STEP],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        )
        for _ in range(2)
    ]
    assert sorted(process.communicate()[1] for process in said)[0] == ""
