"""`run --drop`: rows that are not trained on, measured on all the same, and known to resume, report and ledger."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from pipeline.dataset import Digits, load, read_dropped
from pipeline.errors import DataError
from pipeline.jobs.noise_levels import NoiseLevels
from pipeline.runs.ledger import Ledger
from pipeline.training import recipe as recipes
from pipeline.training.task import Split

TRAIN = Digits(np.zeros((6, 2, 2), np.uint8), np.array([0, 1, 0, 1, 0, 1]), np.array([3, 8]))


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "rows.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_rows_count_from_one_and_labels_are_those_of_the_rows(write):
    assert read_dropped(write("row,label\n6,8\n1,3\n6,8\n"), TRAIN).tolist() == [0, 5]
    assert read_dropped(write("note,row\nx,2\n"), TRAIN).tolist() == [1]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "must have a column 'row'"),
        ("line\n1\n", "must have a column 'row', found 'line'"),
        ("row\n0\n", "row 1 (line 2), column 'row' must be 1 to 6, found '0'"),
        ("row\n7\n", "must be 1 to 6, found '7'"),
        ("row\n1.0\n", "found '1.0'"),
        ("row,label\n1,8\n", "gives row 1 the label '8', which is '3' in the data"),
        ("row\n1\n3\n", "leaves 1 of class 3"),
    ],
)
def test_another_file_is_refused_with_a_sentence(write, text, fault):
    with pytest.raises(DataError) as refused:
        read_dropped(write(text), TRAIN)
    assert fault in str(refused.value)


def test_what_is_dropped_is_nowhere_trained_on_and_stays_in_the_holdout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny = load()
    dropped = np.arange(0, tiny.train.n, 5)
    plan = NoiseLevels(competition=tiny, recipe=recipes.load("softmax"), dropped=dropped)
    whole = NoiseLevels(competition=tiny, recipe=plan.recipe)
    train, held = plan.holdout(0.2)
    shared = plan.shared_rows({"holdout": Split(train=train, validation=held)})
    assert not np.isin(shared.splits["holdout"].train, dropped).any()
    assert np.array_equal(held, whole.holdout(0.2)[1]) and np.isin(dropped, held).any()
    assert len(shared.splits["holdout"].train) == len(train) - np.isin(dropped, train).sum()
    assert plan.identity != whole.identity


def test_the_run_tells_what_it_left_out(inkproof_here, tmp_path, quick_recipe_file):
    (tmp_path / "mine.csv").write_text("row\n3\n10\n")
    words = ("--recipe", quick_recipe_file, "--noise", "0", "--repeats", "1", "--drop", "mine.csv")
    done = inkproof_here("run", *words)
    assert done.returncode == 0, done.stderr
    assert "mine.csv: 2 rows not trained on" in done.stdout
    (run,) = Ledger(tmp_path / "runs").runs()
    folder = tmp_path / "runs" / run.id
    assert run.results["dropped"]["rows"] == 2
    assert "2 of them not trained on" in (folder / "report.html").read_text(encoding="utf-8")
    assert "left out     2 rows of train.csv" in inkproof_here("runs", "show", run.id).stdout
    assert json.loads((folder / "job.json").read_text())["source"]["drop"] == "mine.csv"
    with (folder / "grid.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) > 0
