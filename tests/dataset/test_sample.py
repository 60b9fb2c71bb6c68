"""The embedded sample: written once, the same everywhere, and always called by its name."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipeline.dataset import load, sample
from pipeline.errors import DataError, StorageError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_sample_is_scikit_learns_digits(here):
    competition = load()
    assert competition.is_sample and competition.name == "sample (scikit-learn 8×8 digits)"
    assert competition.fingerprint == sample.FINGERPRINT
    assert (competition.train.n, competition.test.n, competition.train.side) == (1442, 355, 8)
    assert competition.ids.tolist() == list(range(1, 356))
    assert competition.train.classes.tolist() == list(range(10))
    theirs, labels = load_digits(return_X_y=True)
    # The first nine rows are 0…8, none the fifth of its class; 16 is full ink, 8 is half: 127.5, rounded to even.
    assert competition.train.labels[:9].tolist() == labels[:9].tolist()
    first = competition.train.images[0].ravel()
    assert np.array_equal(np.round(first / 15.9375), theirs[0])
    assert competition.train.images.max() == 255 and 128 in competition.train.images
    counts = np.bincount(competition.train.labels)
    assert np.array_equal(counts, np.bincount(labels) - np.bincount(labels) // 5)


def test_sample_is_written_once(here):
    load()
    files = [here / "data" / "sample" / name for name in ("train.csv", "test.csv", "sample_submission.csv")]
    stamps = [file.stat().st_mtime_ns for file in files]
    assert load().is_sample
    assert [file.stat().st_mtime_ns for file in files] == stamps
    assert files[0].read_text().startswith("label,pixel0,pixel1,")
    assert files[2].read_text().startswith("ImageId,Label\n1,0\n2,0\n")


@pytest.mark.parametrize("name", ["train.csv", "test.csv"])
def test_damaged_sample_is_written_again(here, name):
    load()
    path = here / "data" / "sample" / name
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    assert load().fingerprint == sample.FINGERPRINT and path.read_bytes() == good


def test_sample_is_known_again_elsewhere(here):
    load()
    moved = here / "data" / "sample"
    moved.rename(here / "elsewhere")
    assert load(here / "elsewhere").is_sample


def test_own_data_come_first(here, folder):
    (here / "data").mkdir()
    for name in ("train.csv", "test.csv"):
        (folder / name).rename(here / "data" / name)
    competition = load()
    assert not competition.is_sample and competition.train.n == 4


def test_half_of_ones_own_data_is_an_error_and_not_the_sample(here):
    (here / "data").mkdir()
    (here / "data" / "train.csv").write_text("label,a\n")
    with pytest.raises(DataError, match=r"data has no test\.csv"):
        load()


def test_sample_that_cannot_be_written(here):
    (here / "data").write_text("a file where the folder would be")
    with pytest.raises(StorageError, match="could not be written"):
        load()
