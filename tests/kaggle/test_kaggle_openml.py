"""MNIST in Kaggle's format, from a stand-in for scikit-learn's fetch_openml."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.dataset import load
from pipeline.errors import DataError, SubmissionError
from pipeline.kaggle.openml import fetch_openml
from pipeline.kaggle.submit import competition_of
from pipeline.runs.ledger import Ledger


def source(name, **settings):
    """70 pictures of 2×2; the last 10 are MNIST's test rows, and row 3 is one of them as well."""
    assert (name, settings["version"], settings["as_frame"]) == ("mnist_784", 1, False)
    data = np.array([[i, 1, 2, 255 - i] for i in range(70)], dtype=np.float64)
    data[3] = data[65]
    return SimpleNamespace(data=data, target=np.array([str(i % 10) for i in range(70)], dtype=object))


def test_files(tmp_path):
    files = fetch_openml(tmp_path / "data", source=source)
    assert [file.path.name for file in files] == ["train.csv", "test.csv", "sample_submission.csv"]
    train, test, sample = (file.path.read_bytes().decode().splitlines() for file in files)
    assert train[:3] == ["label,pixel0,pixel1,pixel2,pixel3", "0,0,1,2,255", "1,1,1,2,254"]
    assert len(train) == 1 + 60 - 1, "the picture that is in test.csv too must be left out"
    assert not {line.split(",", 1)[1] for line in train[1:]} & set(test[1:])
    assert (test[0], test[1]) == ("pixel0,pixel1,pixel2,pixel3", "60,1,2,195")
    assert len(test) == 11
    assert sample[:2] == ["ImageId,Label", "1,0"]


def test_the_dataset_reads_them_and_submit_refuses_them(tmp_path):
    fetch_openml(tmp_path / "data", source=source)
    competition = load(tmp_path / "data", cache=False)
    assert (competition.train.n, competition.test.n, competition.ids[-1]) == (59, 10, 10)
    with pytest.raises(SubmissionError, match="MNIST's own split from OpenML, which Kaggle cannot score"):
        competition_of("submission.csv", competition, Ledger(tmp_path / "runs"))


def test_files_that_are_there_stay(tmp_path):
    (tmp_path / "train.csv").write_text("mine")
    with pytest.raises(DataError, match=r"train\.csv is there already"):
        fetch_openml(tmp_path, source=source)
    assert (tmp_path / "train.csv").read_text() == "mine"
    fetch_openml(tmp_path, source=source, force=True)
    assert (tmp_path / "train.csv").read_text().startswith("label")


@pytest.mark.parametrize("error", [ConnectionResetError("reset by peer"), TimeoutError(), ValueError("bad md5")])
def test_no_network(tmp_path, error):
    def broken(name, **settings):
        raise error

    with pytest.raises(DataError, match="could not be fetched from OpenML"):
        fetch_openml(tmp_path / "data", source=broken)
    assert not Path(tmp_path / "data").exists()
