"""`blend`: weights by rows that the runs did not see, an honest gain, and a run like others."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from pipeline.dataset import load
from pipeline.errors import UsageError
from pipeline.jobs.bench import JobOptions
from pipeline.jobs.blend import Blend, blend_of, choose
from pipeline.jobs.out_of_fold import OutOfFold
from pipeline.jobs.progress import RunLog
from pipeline.runs.ledger import Ledger
from pipeline.runs.run_folder import data_record


@pytest.fixture
def two_runs(inkproof_here, quick_recipe_file, tmp_path):
    """Two finished runs on the sample, the second by another network; gives their ids, the oldest first."""
    other = tmp_path / "other.toml"
    other.write_text(quick_recipe_file.read_text(encoding="utf-8").replace("epochs = ", "epochs = 1"), encoding="utf-8")
    for recipe in (quick_recipe_file, other):
        done = inkproof_here("--recipe", recipe, "--noise", "0", "--repeats", "1", "--holdout", "0.3")
        assert done.returncode == 0, done.stderr
    return sorted(path.parent.name for path in (tmp_path / "runs").glob("*/run.json"))


def test_a_blend_is_a_run_with_a_submission_a_report_and_answers(inkproof_here, two_runs, tmp_path):
    done = inkproof_here("blend", *two_runs)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "The blend: " in said and "95 % interval" in said and "Weights: " in said
    (run,) = [run for run in Ledger(tmp_path / "runs").runs() if run.recipe["name"] == "blend"]
    folder = tmp_path / "runs" / run.id
    assert run.status == "finished" and run.results["holdout"]["rows"] == 433
    record = json.loads((folder / "run.json").read_text())
    weights = record["summary"]["weights"]
    assert list(weights) == two_runs and sum(weights.values()) == pytest.approx(1)
    theirs = [np.load(tmp_path / "runs" / id / "test.npz")["committee"] for id in two_runs]
    blended = sum(weight * each for weight, each in zip(weights.values(), theirs, strict=True))
    with (folder / "submission.csv").open(newline="") as file:
        labels = [int(row["Label"]) for row in csv.DictReader(file)]
    assert labels == blended.argmax(axis=1).tolist()
    assert (tmp_path / "submissions" / "submission.csv").read_bytes() == (folder / "submission.csv").read_bytes()
    assert "What the runs reach together" in (folder / "report.html").read_text(encoding="utf-8")
    assert inkproof_here("answer", run.id, "--data", "data/sample/test.csv").returncode == 0
    assert (tmp_path / "answers.csv").read_bytes() == (folder / "submission.csv").read_bytes()
    assert inkproof_here("blend", run.id, two_runs[0]).returncode == 0  # a blend can be blended
    done = inkproof_here("blend", two_runs[0], two_runs[0])
    assert done.returncode == 2 and "two or more different runs" in done.stderr


def test_runs_of_other_held_out_rows_or_without_answers_are_refused(inkproof_here, two_runs, quick_recipe_file):
    inkproof_here("--recipe", quick_recipe_file, "--noise", "0", "--repeats", "1", "--seed", "1")
    ledger, data = Ledger("runs"), load()
    other = next(run.id for run in ledger.runs() if run.seed == 1)
    with pytest.raises(UsageError, match=r"was measured on 144 rows, .* on other rows \(433\): blend runs of the same"):
        blend_of([two_runs[0], other], data, ledger)
    ledger.start_run("unended", {"recipe": {"name": "x"}, "seed": 0, "data": data_record(data)}, "c")
    with pytest.raises(UsageError, match="Run unended is running: let it end"):
        blend_of([two_runs[0], "unended"], data, ledger)
    ledger.finish_run("unended", {})
    with pytest.raises(UsageError, match="has no out-of-fold answers"):
        blend_of([two_runs[0], "unended"], data, ledger)
    about = {"recipe": {"name": "x"}, "seed": 0, "data": {"name": "other", "fingerprint": "f"}}
    ledger.start_run("elsewhere", about, "c")
    ledger.finish_run("elsewhere", {})
    with pytest.raises(UsageError, match="Run elsewhere is of other, found sample"):
        blend_of([two_runs[0], "elsewhere"], data, ledger)


def test_a_run_that_only_guesses_gets_no_weight_and_gains_nothing(tmp_path, monkeypatch, quick_recipe):
    monkeypatch.chdir(tmp_path)
    data = load()
    rng = np.random.default_rng(0)
    rows, labels = np.arange(data.train.n), data.train.labels
    good = np.full((len(rows), 10), 0.02)
    good[rows, np.where(rng.random(len(rows)) < 0.9, labels, rng.integers(0, 10, len(rows)))] = 0.82
    guess = rng.dirichlet(np.ones(10), len(rows))
    test = np.full((data.test.n, 10), 0.1)
    test[:, :5] += 0.01 * np.arange(5)
    answers = [OutOfFold(rows=rows, labels=labels, probabilities=each, test=test) for each in (good, guess)]

    class Bench:
        folder, options, run_log = tmp_path / "runs" / "b", JobOptions(), RunLog(quiet=True)

    monkeypatch.setattr("pipeline.jobs.blend.write_labels", lambda *arguments: None)
    outcome = Blend(competition=data, recipe=quick_recipe, runs=("good", "guess"), answers=answers).work(Bench())
    assert outcome.summary.weights["good"] >= 0.9
    assert "no difference that these rows can show" in outcome.summary.notes[0]


def test_a_modest_run_that_is_right_outweighs_a_sure_one_that_is_wrong_more_often():
    labels = np.arange(1000) % 10
    modest, sure = np.full((1000, 10), 0.08), np.full((1000, 10), 1e-4)  # as label smoothing, and none, leave them
    modest[np.arange(1000), labels] = 0.28
    sure[np.arange(1000), np.where(np.arange(1000) < 900, labels, (labels + 1) % 10)] = 0.999
    assert choose(np.stack([modest, sure])[:, None], labels)[1].tolist() == [1, 0]
