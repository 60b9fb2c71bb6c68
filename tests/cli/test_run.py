"""`python main.py` as a user types it: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pipeline
from pipeline.cli import COMMANDS
from pipeline.training import recipe

ROOT = Path(__file__).parent.parent.parent


def test_the_whole_job_on_the_embedded_sample(inkproof, tmp_path, quick_recipe_file):
    done = inkproof("--recipe", str(quick_recipe_file), "--repeats", "2", "--noise", "0.3,0")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "Inkproof: reading data/"
    assert "python main.py fetch" in done.stdout
    assert "EMBEDDED SAMPLE" in done.stdout
    assert "σ 0.3, repeat 2: epoch 3/3, loss" in done.stdout
    assert "Submission: submissions/submission.csv" in lines

    with (tmp_path / "submissions" / "submission.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["ImageId", "Label"]
    assert [row[0] for row in rows[1:]] == [str(i) for i in range(1, len(rows))]
    assert {row[1] for row in rows[1:]} <= set("0123456789")

    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    names = {path.name for path in run.iterdir()}
    assert names == {
        "grid.csv", "table.csv", "table.md", "noise.png", "noise.svg", "history", "models", "run.json", "log.txt",
        "holdout.npz", "held_out.npz", "evaluation.npz", "grid.npz", "test.npz", "submission.csv", "job.json",
        "report", "report.html", "report.json",
    }  # fmt: skip
    assert f"Its report: {(run / 'report.html').relative_to(tmp_path)}" in lines
    assert (run / "submission.csv").read_bytes() == (tmp_path / "submissions" / "submission.csv").read_bytes()
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["data"]["sample"] is True
    assert record["holdout"]["low"] < record["holdout"]["accuracy"] < record["holdout"]["high"]
    with (run / "grid.csv").open(encoding="utf-8") as file:
        grid = list(csv.DictReader(file))
    assert len(grid) == 2 * 2 * 3  # levels × repeats × (clean, σ 0.3, σ 0.5)
    assert "EMBEDDED SAMPLE" in (run / "table.md").read_text(encoding="utf-8")
    assert not list(tmp_path.rglob("*.part"))


def test_quiet_prints_the_table_and_the_submission_only(inkproof_here, quick_recipe_file):
    done = inkproof_here(
        "run", "--quiet", "--recipe", str(quick_recipe_file), "--repeats", "1", "--noise", "0", "--jobs", "1"
    )
    assert done.returncode == 0, done.stderr
    assert "epoch" not in done.stdout and "reading" not in done.stdout
    assert "Accuracy in %" in done.stdout
    assert done.stdout.splitlines()[-1] == "Submission: submissions/submission.csv"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--noise", "0,3"], "σ 3 lies outside of 0 to 2"),
        (["--noise", "0,-0.1"], "σ -0.1 lies outside of 0 to 2"),
        (["--noise", "0,nan"], "σ nan lies outside of 0 to 2"),
        (["--noise", "0,0.1,0.10"], "a level stands twice in 0,0.1,0.10"),
        (["--noise", "0,much"], "'much' is not a number"),
        (["--noise", ""], "'' is not a number"),
        (["--repeats", "0"], "0 is not in the range 1<=x<=100"),
        (["--holdout", "1"], "1.0 is not in the range 0<x<1"),
        (["--submit-level", "0.7"], "--submit-level 0.7 is not among the noise levels 0, 0.1, 0.2, 0.3"),
        (["--recipe", "defualt"], "There is no recipe defualt: did you mean default?"),
        (["--nois", "0"], "No such option"),
        (["rnu"], "No such command 'rnu'"),
    ],
)
def test_wrong_use_ends_with_2_and_writes_nothing(inkproof_here, tmp_path, arguments, sentence):
    done = inkproof_here(*arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_bad_data_ends_with_1_and_writes_nothing(inkproof_here, tmp_path):
    data = tmp_path / "mine"
    data.mkdir()
    (data / "train.csv").write_text("label,pixel0\n1,0\n1,7\n0,256\n0,3\n")
    (data / "test.csv").write_text("pixel0\n1\n")
    done = inkproof_here("--data", str(data))
    assert done.returncode == 1
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("Error: ")
    for part in ("train.csv", "pixel0", "256", "255"):
        assert part in sentence
    assert not (tmp_path / "runs").exists() and not (tmp_path / "submissions").exists()


def test_missing_data_is_told(inkproof):
    done = inkproof("--data", "nowhere")
    assert (done.returncode, done.stdout) == (1, "Inkproof: reading nowhere\n")
    assert done.stderr.startswith("Error: nowhere does not exist: ")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals for other processes")
@pytest.mark.parametrize(
    ("number", "to_all", "code", "words"),
    [
        (signal.SIGINT, True, 130, "Stopped."),  # as a terminal does: to all processes of the group
        (signal.SIGTERM, False, 143, "Stopped."),
        (signal.SIGKILL, False, -9, ""),
    ],
)
def test_stopped_from_outside_it_leaves_no_half_file_and_no_process(tmp_path, number, to_all, code, words):
    command = [sys.executable, str(ROOT / "main.py"), "--repeats", "20"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        for line in process.stdout:
            if "epoch 2/" in line:
                break
        (os.killpg if to_all else os.kill)(process.pid, number)
        _, errors = process.communicate(timeout=60)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    assert process.returncode == code
    assert words in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "submissions").exists()
    # A killed process leaves the temporary file that it was at; the same command removes it (tests/jobs).
    assert code == -9 or not list(tmp_path.rglob("*.part"))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _alive(process.pid):
        time.sleep(0.1)
    assert not _alive(process.pid), "worker processes are left over"


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--help"], COMMANDS),
        (["run", "--help"], ("--noise", "--repeats", "--holdout", "--recipe", "--submit-level")),
        (["--version"], (pipeline.__version__,)),
        (["recipes"], recipe.names()),
    ],
)
def test_help_and_lists(inkproof_here, arguments, words):
    done = inkproof_here(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(words) <= set(done.stdout.replace(":", " ").split())
