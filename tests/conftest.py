"""What tests share: a small competition, quick recipes, and the command line as its own process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

# Tests run beside one another: threads of matrix products would only wait for each other, at twice the processor time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # a test must not reach out of the machine, whoever's idea it is

import commands
import numpy as np
import pytest
from hypothesis import settings

from pipeline.cli import main
from pipeline.training import recipe
from pipeline.training.task import SharedRows, Split

ROOT = Path(__file__).parent.parent
COMPILING = re.compile(r"Compiling for this processor, once: \d+ s\n")  # said by whoever is first to train here

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


def pytest_xdist_auto_num_workers(config):
    """One more than there are processors: a test waits for its processes, servers and browser a third of its time."""
    return (os.cpu_count() or 1) + 1


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
    """Rows of 6×6 pictures: class 0 has a bright bar on the left, class 1 on the right, class 2 at the top.

    The split "holdout" trains on the first 90 and predicts the other 30.
    """
    rng = np.random.default_rng(1)
    labels = np.arange(120) % 3
    images = rng.integers(0, 60, (120, 6, 6), dtype=np.uint8)
    images[labels == 0, :, :2] += 150
    images[labels == 1, :, 4:] += 150
    images[labels == 2, :2, :] += 150
    split = Split(train=np.arange(90), validation=np.arange(90, 120))
    return SharedRows(images=images, labels=labels, classes=3, test_images=images[:0], splits={"holdout": split})


@pytest.fixture
def inkproof(tmp_path, tmp_path_factory):
    """Runs `python main.py …` in an empty folder; gives the finished process with its texts."""

    def run(*arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        texts = tmp_path_factory.mktemp("texts")
        done = commands.run(list(arguments), tmp_path, out=texts / "out", err=texts / "err", timeout=timeout)
        done.stderr = COMPILING.sub("", done.stderr)
        return done

    return run


@pytest.fixture
def inkproof_here(tmp_path, monkeypatch, capsys):
    """The same in this process, for what needs none of its own: a new one spends seconds on imports."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "argv", [str(ROOT / "main.py")])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        code, before = 0, [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
        try:
            main(list(arguments))
        except SystemExit as end:
            code = end.code or 0
        finally:
            for number, handler in before:
                signal.signal(number, handler)
        out, err = capsys.readouterr()
        return subprocess.CompletedProcess(["main.py", *arguments], code, out, COMPILING.sub("", err))

    return run
