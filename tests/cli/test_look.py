"""`python main.py look`: what is planted in the data is printed, drawn and listed."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from pipeline.cli import group as main
from pipeline.dataset import load
from pipeline.errors import UsageError
from pipeline.runs.ledger import Ledger
from pipeline.runs.run_folder import data_record

WRONG = (10, 53)  # rows, counted from 1


def write(folder, bars):
    """The bars as Kaggle's files, two labels wrong, one test row taken from train."""
    labels = bars.labels[:90].copy()
    for row in WRONG:
        labels[row - 1] = (labels[row - 1] + 1) % 3
    names = ",".join(f"pixel{n}" for n in range(36))
    images = bars.images[:90].reshape(90, 36)
    rows = "".join(f"{label},{','.join(map(str, image))}\n" for label, image in zip(labels, images, strict=True))
    folder.mkdir()
    (folder / "train.csv").write_text(f"label,{names}\n{rows}")
    test = np.random.default_rng(5).integers(0, 200, (20, 36))
    test[4] = images[7]
    (folder / "test.csv").write_text(f"{names}\n" + "".join(",".join(map(str, image)) + "\n" for image in test))


def test_a_look_before_and_after_a_run(tmp_path, bars, capsys, monkeypatch):
    write(tmp_path / "data", bars)
    monkeypatch.chdir(tmp_path)
    data = load("data")
    ledger = Ledger("runs")
    ledger.start_run("20260101-run", {"recipe": {"name": "quick"}, "seed": 0, "data": data_record(data)}, "c")
    pool = np.arange(90)[::-1]  # the rows in another order than the file's
    sure = 0.8 + 0.15 * np.random.default_rng(1).random(90)
    probabilities = np.full((90, 3), 0.0) + (1 - sure[:, None]) / 2
    probabilities[np.arange(90), bars.labels[pool]] = np.where(np.isin(pool + 1, WRONG), 0.99, sure)
    answers = {"rows": pool, "labels": data.train.labels[pool], "ensemble": probabilities}
    np.savez(tmp_path / "runs" / "20260101-run" / "out_of_fold.npz", **answers)
    main(["look", "--run", "2026"], standalone_mode=False)
    output = capsys.readouterr().out
    said = " ".join(output.split())
    assert "data (unnamed): 90 labelled and 20 unlabelled pictures of 6×6, 3 classes." in said
    assert "1 test row in train as well; 0 rows of train elsewhere with another label" in said
    assert max(map(len, output.splitlines())) <= 80
    with (tmp_path / "look" / "label-errors.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert sorted(int(row["row"]) for row in listed) == list(WRONG)
    assert all(int(row["suggested"]) == bars.labels[int(row["row"]) - 1] for row in listed)
    page = (tmp_path / "look" / "look.html").read_text(encoding="utf-8")
    assert "Test rows that stand in train: 1" in page
    assert page.count("<img") >= 3 + 1 + len(WRONG)  # means, the test row, the labels


def test_a_run_without_out_of_fold_answers(tmp_path, bars, monkeypatch):
    write(tmp_path / "data", bars)
    monkeypatch.chdir(tmp_path)
    record = {"recipe": {"name": "quick"}, "seed": 0, "data": data_record(load("data"))}
    Ledger("runs").start_run("20260101-run", record, "c")
    with pytest.raises(UsageError, match="has no out-of-fold answers"):
        main(["look", "--run", "2026"], standalone_mode=False)
