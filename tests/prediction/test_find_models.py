"""Which model files answer, and in which order they come."""

from __future__ import annotations

import pytest

from pipeline.errors import ModelFileError, UsageError
from pipeline.prediction.find_models import answering_files, model_files, newest_run, split_final


@pytest.fixture
def runs(tmp_path):
    """Two runs with models, a newer folder without any, and a file."""
    for name in (
        "20260101-000000-a/models/final/all-rows-repeat-1",
        "20260102-000000-b/models/final/all-rows-repeat-10",
        "20260102-000000-b/models/final/all-rows-repeat-9",
        "20260102-000000-b/models/holdout/sigma-0.1-repeat-1",
        "20260102-000000-b/models/holdout/sigma-0-repeat-1",
    ):
        path = tmp_path / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "20260103-000000-c" / "models").mkdir(parents=True)
    (tmp_path / "ledger.sqlite").touch()
    return tmp_path


def names(files):
    return [file.stem for file in files]


def test_the_newest_run_with_models(runs, tmp_path):
    assert newest_run(runs) == runs / "20260102-000000-b"
    assert newest_run(tmp_path / "nosuch") is None
    assert newest_run(runs / "20260103-000000-c") is None


def test_numbers_in_names_count_as_numbers(runs):
    files = model_files(runs / "20260102-000000-b")
    final, held = split_final(files)
    assert names(final) == ["all-rows-repeat-9", "all-rows-repeat-10"]
    assert names(held) == ["sigma-0-repeat-1", "sigma-0.1-repeat-1"]


def test_who_answers(runs):
    run = runs / "20260102-000000-b"
    assert names(answering_files(run)) == ["all-rows-repeat-9", "all-rows-repeat-10"]
    # Networks of several noise levels are no team.
    assert names(answering_files(run / "models" / "holdout")) == ["sigma-0-repeat-1"]
    file = run / "models" / "holdout" / "sigma-0.1-repeat-1.safetensors"
    assert answering_files(file) == [file]


def test_nobody_answers(runs):
    with pytest.raises(UsageError, match="nosuch does not exist"):
        answering_files(runs / "nosuch")
    with pytest.raises(ModelFileError, match="holds no model files"):
        answering_files(runs / "20260103-000000-c")
