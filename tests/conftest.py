"""What tests share: a small competition, quick recipes, and the command line as its own process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from pipeline.training import recipe
from pipeline.training.task import Rows

ROOT = Path(__file__).parent.parent

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts background jobs so; the programs that tests start would inherit it and never hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says what else the machine does; the same examples each time, as all random numbers here.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")

QUICK = """
summary = "A small network that trains in a moment"
[network]
layers = [
    { layer = "Flatten" },
    { layer = "Dense", units = 16 },
    { layer = "ReLU" },
    { layer = "Dense", units = "classes" },
]
[loss]
name = "softmax-cross-entropy"
[optimizer]
name = "adam"
[schedule]
name = "constant"
learning_rate = 0.01
[training]
epochs = 3
batch_size = 32
"""


def pytest_addoption(parser):
    parser.addoption("--no-skips", action="store_true", help="fail where a test skips, for want of a package or a file")


def _failed_where_skipped(report, config):
    if config.getoption("--no-skips") and report.skipped and not hasattr(report, "wasxfail"):
        path, line, reason = report.longrepr
        report.outcome, report.longrepr = "failed", f"{path}:{line}: {reason}; nothing may be skipped (--no-skips)"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    return _failed_where_skipped((yield), item.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _failed_where_skipped((yield), collector.config)


@pytest.fixture
def quick_recipe_file(tmp_path):
    path = tmp_path / "quick.toml"
    path.write_text(QUICK, encoding="utf-8")
    return path


@pytest.fixture
def quick_recipe(quick_recipe_file):
    return recipe.load(str(quick_recipe_file))


@pytest.fixture
def bars():
    """Rows of 6×6 pictures: class 0 has a bright bar on the left, class 1 on the right, class 2 at the top."""
    rng = np.random.default_rng(1)
    labels = np.arange(120) % 3
    images = rng.integers(0, 60, (120, 6, 6), dtype=np.uint8)
    images[labels == 0, :, :2] += 150
    images[labels == 1, :, 4:] += 150
    images[labels == 2, :2, :] += 150
    return Rows(images[:90], labels[:90], 3, images[90:], labels[90:])


@pytest.fixture
def inkproof(tmp_path):
    """Runs `python main.py …` in an empty folder; gives the finished process with its texts."""

    def run(*arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", str(ROOT / "main.py"), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "100"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
        )

    return run
