"""`python main.py run --cv`, a recipe's own [run], and extra rows, as a user types them."""

from __future__ import annotations

import json

import pytest


def test_folds_on_the_embedded_sample(inkproof_here, tmp_path, quick_recipe_file):
    done = inkproof_here("--recipe", str(quick_recipe_file), "--cv", "3", "--noise", "0.1", "--jobs", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert "quick, repeat 1, fold 3: epoch 3/3" in done.stdout
    assert "1,442 rows in 3 folds, 0 rows held out" in done.stdout
    assert "EMBEDDED SAMPLE" in done.stdout and "all together" in done.stdout
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert (record["folds"], record["repeats"], record["sigma"]) == (3, 1, 0.1)
    listed = inkproof_here("runs")
    assert run.name[:15] in listed.stdout  # the beginning that is enough
    # Its networks answer as a main job's do.
    assert len(list((run / "models" / "final").iterdir())) == 3
    assert {path.name for path in run.iterdir()} == {
        "folds.csv", "table.md", "folds.png", "folds.svg", "out_of_fold.npz", "test.npz", "holdout.npz", "held_out.npz",
        "evaluation.npz", "submission.csv", "history", "models", "run.json", "job.json", "log.txt", "report",
        "report.html", "report.json",
    }  # fmt: skip
    again = inkproof_here("report", run.name)
    assert (again.returncode, again.stdout) == (0, f"Report: runs/{run.name}/report.html\n")


def test_a_recipe_may_say_how_it_is_run(inkproof_here, tmp_path, quick_recipe_file):
    text = quick_recipe_file.read_text(encoding="utf-8")
    quick_recipe_file.write_text(text + "[run]\nnoise = [0.0]\nrepeats = 1\n", encoding="utf-8")
    done = inkproof_here("--recipe", str(quick_recipe_file), "--quiet", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    names = sorted(path.stem for path in run.glob("models/*/*"))
    assert names == ["all-rows-repeat-1", "sigma-0-repeat-1"]
    assert len(json.loads((run / "run.json").read_text())["fit_cpu_seconds"]) == 2


def test_extra_rows_are_trained_on_and_never_measured_on(inkproof_here, tmp_path, quick_recipe_file):
    # Every extra row says 3, and there are more of them than of all others.
    header = ",".join(["label", *(f"pixel{i}" for i in range(64))])
    (tmp_path / "mine.csv").write_text(header + "\n" + ("3" + ",9" * 64 + "\n") * 2000, encoding="utf-8")
    options = ("--recipe", str(quick_recipe_file), "--noise", "0", "--repeats", "1", "--jobs", "1")
    done = inkproof_here(*options, "--extra", "mine.csv")
    assert done.returncode == 0, done.stderr
    assert "mine.csv: 2,000 rows more to train on" in done.stdout
    (run,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["holdout"]["rows"] == 144  # a tenth of the sample's own 1,442
    assert record["extra"]["rows"] == 2000 and len(record["extra"]["sha256"]) == 64


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--cv", "1"], "--cv 1 is no cross-validation: give at least 2 folds, or 0 for a holdout."),
        (["--cv", "5", "--noise", "0,0.1"], "A cross-validation trains at one noise level, found 0, 0.1"),
        (["--cv", "5", "--submit-level", "0"], "--submit-level chooses among noise levels"),
        (["--pseudo-labels", "0.9"], "--pseudo-labels goes with a cross-validation: add --cv 5."),
        (["--cv", "5", "--pseudo-labels", "0.1"], "0.1 is not in the range 0.5<=x<=1"),
        (["--cv", "-1"], "-1 is not in the range 0<=x<=100"),
    ],
)
def test_wrong_use_ends_with_2_and_writes_nothing(inkproof_here, tmp_path, arguments, sentence):
    done = inkproof_here(*arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_extra_rows_that_are_not_there(inkproof_here, tmp_path):
    done = inkproof_here("--extra", "nowhere.csv")
    assert done.returncode == 1
    assert "nowhere.csv does not exist" in done.stderr
    assert not (tmp_path / "runs").exists()
