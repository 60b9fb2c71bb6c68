"""`python main.py tune` as a user types it, on the embedded sample."""

from __future__ import annotations

import csv
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SEARCH = """
[search]
schedule.learning_rate = { low = 0.001, high = 0.1, log = true }
training.batch_size = { choices = [16, 32] }
"""


@pytest.fixture
def searched_file(quick_recipe_file):
    path = quick_recipe_file.with_name("mine.toml")
    path.write_text(quick_recipe_file.read_text(encoding="utf-8") + SEARCH, encoding="utf-8")
    return path


def run_folder(tmp_path):
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    return folder


def test_the_whole_search_its_continuation_and_what_it_says_to_run_next(inkproof, tmp_path, searched_file):
    asked = ["tune", "--recipe", "mine.toml", "--pruner", "none", "--jobs", "2"]
    done = inkproof(*asked, "--trials", "3")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "Inkproof: reading data/"
    text = " ".join(done.stdout.split())
    for said in (
        "3 folds of 1,298 rows; 144 rows are held out and seen by no trial",
        "0 of 3 trials are there already",
        "EMBEDDED SAMPLE",
        "0, the recipe",
        "3 trials: 3 complete, 0 pruned, 0 failed",
        "winner's curse",
        "Measure it on rows that no trial has seen:",
    ):
        assert said in text, said
    assert sum(line.startswith("trial ") for line in lines) == 3 + 1  # and the table's head
    folder = run_folder(tmp_path)
    assert folder.name.split("-")[2:4] == ["tune", "mine"]

    more = inkproof(*asked, "--trials", "4", "--quiet")
    assert (more.returncode, more.stderr) == (0, "")
    assert run_folder(tmp_path) == folder
    assert more.stdout.lstrip().startswith("EMBEDDED SAMPLE")
    with (folder / "trials.csv").open(encoding="utf-8") as file:
        assert [line["trial"] for line in csv.DictReader(file)] == ["0", "1", "2", "3"]
    assert "4 trials: 4 complete" in " ".join(more.stdout.split())

    words = shlex.split(more.stdout.splitlines()[-1])
    assert words[:2] == ["python", "main.py"]
    measured = inkproof(*words[2:])
    assert (measured.returncode, measured.stderr) == (0, "")
    assert "1,298 rows to train on, 144 held out; recipe best" in measured.stdout

    listed = inkproof("runs")
    assert folder.name[:15] in listed.stdout  # the beginning that is enough
    page = inkproof("report", folder.name)
    assert (page.returncode, page.stdout) == (0, f"Report: runs/{folder.name}/report.html\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--recipe", "quick.toml"], "quick.toml has no [search], which says what may change"),
        (["--recipe", "wrong.toml"], "[search] schedule.learning_rate: low must lie below high"),
        (["--recipe", "mine.toml", "--storage", "nonsense"], "--storage nonsense cannot be used"),
        (["--recipe", "mine.toml", "--trials", "0"], "0 is not in the range"),
        (["--recipe", "mine.toml", "--folds", "1"], "1 is not in the range"),
        (["--recipe", "mine.toml", "--holdout", "1"], "is not in the range 0<x<1"),
        (["--recipe", "mine.toml", "--pruner", "hyper"], "'hyper' is not one of 'asha', 'hyperband', 'none'"),
    ],
)
def test_wrong_use_ends_with_2_and_leaves_no_run(inkproof_here, tmp_path, searched_file, arguments, sentence):
    wrong = searched_file.read_text(encoding="utf-8").replace("high = 0.1", "high = 0.0001")
    (tmp_path / "wrong.toml").write_text(wrong, encoding="utf-8")
    done = inkproof_here("tune", *arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals for other processes")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_says_how_to_go_on_and_leaves_a_whole_journal(inkproof, tmp_path, searched_file, jobs):
    asked = ["tune", "--recipe", "mine.toml", "--pruner", "none", "--jobs", jobs]
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "main.py"), *asked, "--trials", "500"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        for line in process.stdout:
            if line.startswith("trial "):
                break
        os.killpg(process.pid, signal.SIGINT)
        out, errors = process.communicate(timeout=60)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert process.returncode == 130
    assert "Stopped." in errors and "Traceback" not in errors
    assert "the same command again goes on from there" in out
    again = inkproof(*asked, "--trials", "3")
    assert (again.returncode, again.stderr) == (0, "")
    assert "0 of 3 trials are there already" not in again.stdout


def test_neither_the_help_nor_the_main_job_imports_optuna():
    code = (
        "import sys; from pipeline.cli import group; from pipeline.jobs import noise_levels; "
        "from pipeline.training import recipe; recipe.load('default'); "
        "import pipeline.cli.tune, pipeline.cli.run; assert 'optuna' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
