"""The harness of hostile inputs, in short, and that it sees what it looks for."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def faults():
    sys.path.insert(0, str(BENCHMARKS))
    yield importlib.import_module("faults")
    sys.path.remove(str(BENCHMARKS))


def test_no_reader_ends_badly(faults):
    said = []
    assert faults.readers(6, 3, said.append) == 0, said


@pytest.mark.skipif(sys.platform != "linux", reason="the harness looks into /proc")
def test_a_killed_job_ends_well(faults):
    from fault_jobs import JOBS, kills

    said = []
    assert kills(1, 1, said.append, [job for job in JOBS if job.name == "tune"]) == 0, said


@pytest.mark.parametrize(
    ("read", "expect", "end"),
    [
        (lambda path: 1 / 0, None, "traceback"),
        (lambda path: 5, lambda path: 6, "changed"),
        (lambda path: 5, lambda path: 1 / 0, "changed"),
        (lambda path: 5, lambda path: 5, "read"),
        (lambda path: np.array([1.0]) / 0 and 5, lambda path: 5, "traceback"),  # a library's warning
    ],
)
def test_a_planted_fault_is_seen(faults, tmp_path, read, expect, end):
    reader = faults.Reader(make=lambda rng, folder: folder, read=read, expect=expect)
    assert faults.strike(reader, np.random.default_rng(0), tmp_path)[0] == end


@pytest.mark.parametrize(
    ("sentence", "end"),
    [
        ("It is wrong.", "refused"),
        ("It\nis wrong.", "sentence"),
        ("x" * 900 + ".", "sentence"),
        ("No stop", "sentence"),
    ],
)
def test_a_refusal_is_one_sentence(faults, tmp_path, sentence, end):
    from pipeline.errors import DataError

    def read(path):
        raise DataError(sentence)

    reader = faults.Reader(make=lambda rng, folder: folder, read=read, expect=None)
    assert faults.strike(reader, np.random.default_rng(0), tmp_path) == (end, sentence)
