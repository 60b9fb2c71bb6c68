"""A data folder knows its competition: written down, recognised, or told; never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.dataset import load
from pipeline.dataset.slug import MARK, same_slug, slug_of, write_mark
from pipeline.errors import DataError, UsageError

REAL_ZIP = Path(__file__).parents[3] / "shared" / "data" / "digit-recognizer.zip"


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("digit-recognizer", "digit-recognizer"),
        ("https://www.kaggle.com/competitions/digit-recognizer", "digit-recognizer"),
        ("https://www.kaggle.com/c/digit-recognizer/overview?x=1", "digit-recognizer"),
        ("kaggle.com/competitions/Kannada-MNIST/data", "Kannada-MNIST"),
        ("HTTPS://WWW.Kaggle.com/c/Kannada-MNIST", "Kannada-MNIST"),
        ("Kannada-MNIST", "Kannada-MNIST"),
        (" digit-recognizer ", "digit-recognizer"),
        ("digit recognizer", None),
        ("", None),
        ("--force", None),
        ("../data", None),
        ("https://example.org/digit-recognizer", None),
    ],
)
def test_slug(text, slug):
    if slug is None:
        with pytest.raises(UsageError, match="short name"):
            slug_of(text)
    else:
        assert slug_of(text) == slug


def test_kaggle_does_not_tell_capitals_from_small_letters():
    assert same_slug("Kannada-MNIST", "kannada-mnist")
    assert not same_slug("kannada-mnist", "mnist")


@pytest.fixture
def folder(tmp_path):
    """A competition of 28×28 pictures with Digit Recognizer's header, which is not Digit Recognizer."""
    names = ",".join(f"pixel{i}" for i in range(784))
    pixels = ",".join(["7"] * 784)
    (tmp_path / "train.csv").write_text(f"label,{names}\n" + "".join(f"{i % 2},{pixels}\n" for i in range(4)))
    (tmp_path / "test.csv").write_text(f"{names}\n{pixels}\n")
    return tmp_path


def test_what_nobody_named_is_unnamed(folder):
    data = load(folder)
    assert (data.slug, data.name) == (None, f"{folder.name} (unnamed)")


def test_the_folder_tells(folder):
    write_mark(folder, "Kannada-MNIST")
    data = load(folder)
    assert (data.slug, data.name) == ("Kannada-MNIST", "Kannada-MNIST")
    assert load(folder, competition="https://www.kaggle.com/c/kannada-mnist").slug == "Kannada-MNIST"
    with pytest.raises(UsageError, match="holds the files of Kannada-MNIST, found --competition digit-recognizer"):
        load(folder, competition="digit-recognizer")


def test_the_caller_tells(folder):
    assert load(folder, competition="https://www.kaggle.com/competitions/emnist-letters").slug == "emnist-letters"
    assert load(folder).slug is None


def test_a_mark_that_is_no_slug_is_refused(folder):
    (folder / MARK).write_bytes(b"my data \xff\n")
    with pytest.raises(DataError, match=r"competition\.txt must hold the short name"):
        load(folder)


@pytest.mark.skipif(not REAL_ZIP.exists(), reason="Kaggle's files are not here")
def test_kaggles_own_files_are_recognised_under_any_name(tmp_path):
    (tmp_path / "mine.zip").symlink_to(REAL_ZIP)
    assert load(tmp_path / "mine.zip", cache=False).slug == "digit-recognizer"
