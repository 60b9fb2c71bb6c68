"""The comparison: bytes that do not depend on the jobs, and names that are checked before anything is written."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.evaluation.robustness.conditions import condition
from pipeline.jobs.compare import ComparePlan
from pipeline.prediction.confidence_threshold import threshold_for
from pipeline.prediction.find_models import newest_run
from pipeline.prediction.model_file import load
from pipeline.seeds import Stream, derived_seed

TRAIN = ("clean", "σ 0.2", "shift", "adversarial Linf 0.1")
TEST = ("σ 0.3", "shift right 1", "fgsm Linf 0.1")


@pytest.fixture
def plan(sample, quick_recipe):
    def new(**changes):
        settings = {"train": TRAIN[:2], "test": TEST, "repeats": 2, "sanity_rows": 20, **changes}
        return ComparePlan(competition=sample, recipe=quick_recipe, **settings)

    return new


def bytes_of(folder):
    """What the settings decide."""
    tables = [folder / name for name in ("grid.csv", "grid.npz", "table.csv", "certificates.npz")]
    return [path.read_bytes() for path in [*tables, *sorted(folder.glob("fits/models/*.safetensors"))]]


def test_the_same_bytes_however_many_jobs(tmp_path, plan, do):
    whole = plan(train=TRAIN, certify=0.25, certify_rows=10, certify_samples=50)
    first, second = do(whole, tmp_path / "1"), do(whole, tmp_path / "2", jobs=2)
    assert len(bytes_of(first.folder)) == 4 + 4 * 2
    assert bytes_of(first.folder) == bytes_of(second.folder)
    assert first.grid.trained == TRAIN
    assert first.grid.conditions == ("clean", "σ 0.3", "shift right 1", "fgsm Linf 0.1")
    assert len(first.comparisons) == first.comparisons[0].family == 3 * 4
    assert set(first.findings) == set(TRAIN)


def test_each_line_of_the_grid_is_its_models_own(tmp_path, plan, do):
    """The grid's lines stand where their names say: each model, loaded, gives its own line."""
    outcome = do(plan(), tmp_path)
    seed = derived_seed(0, Stream.TEST_CONDITIONS)
    with np.load(outcome.folder / "held_out.npz") as file:
        images = file["images"]
    for row, stem in enumerate(("clean", "sigma-0.2")):
        for repeat in range(2):
            model = load(outcome.folder / "fits" / "models" / f"{stem}-repeat-{repeat + 1}.safetensors")
            for name in ("clean", "σ 0.3", "shift right 1"):
                said = model.network.logits(condition(name, seed=seed).apply(images)).argmax(axis=1)
                column = outcome.grid.conditions.index(name)
                np.testing.assert_array_equal(outcome.grid.predictions[row, repeat, column], said)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"train": ("clean", "σ 0")}, "A training condition stands twice among clean, clean"),
        ({"baseline": "shift"}, "The baseline 'shift' is not trained: choose one of clean, σ 0.2."),
        ({"train": ("claen",)}, "did you mean clean?"),
        ({"test": ("σ 0.1", "rotat 3")}, "did you mean rotate?"),
    ],
)
def test_wrong_names_are_told_before_anything_is_written(tmp_path, plan, do, changes, sentence):
    with pytest.raises(UsageError) as caught:
        do(plan(**changes), tmp_path)
    assert sentence in str(caught.value)
    assert not (tmp_path / "runs").exists()


def test_its_models_know_when_they_may_be_sure_and_are_not_taken_for_a_main_jobs(tmp_path, plan, do):
    """`predict` and `serve` answer with the newest run's networks."""
    folder = do(plan(repeats=1), tmp_path).folder
    models = [load(path) for path in folder.glob("fits/models/*.safetensors")]
    assert len(models) == 2
    assert all({"threshold", "style"} <= model.about["pictures"].keys() for model in models)
    assert 0 < threshold_for(models) <= 1
    assert newest_run(tmp_path / "runs") is None
