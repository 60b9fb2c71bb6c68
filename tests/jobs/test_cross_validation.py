"""`run --cv`: no network is asked about what it learnt, and what is reported is what the files say."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from pipeline import dataset
from pipeline.dataset import Digits
from pipeline.errors import UsageError
from pipeline.jobs import cross_validation
from pipeline.jobs.cross_validation import Settings, Split
from pipeline.jobs.noise_levels import Settings as MainSettings
from pipeline.jobs.noise_levels import run as run_main
from pipeline.jobs.progress import RunLog
from pipeline.prediction.model_file import load
from pipeline.training import recipe


@pytest.fixture
def sample(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return dataset.load()


@pytest.fixture
def partner(tmp_path, quick_recipe):
    """quick.toml with a smaller partner and a view."""
    text = (tmp_path / "quick.toml").read_text(encoding="utf-8")
    (tmp_path / "small.toml").write_text(text.replace("units = 16", "units = 8"), encoding="utf-8")
    run = recipe.RunDefaults(partners=(str(tmp_path / "small.toml"),), views=("turn left 4",))
    return dataclasses.replace(quick_recipe, run=run)


def settings_in(folder, chosen, **changes):
    base = Settings(chosen, folds=3, submission=folder / "submission.csv", runs=folder / "runs")
    return dataclasses.replace(base, **changes)


def test_every_row_is_held_once_and_never_learnt(sample, quick_recipe):
    for holdout in (0.0, 0.2):
        settings = Settings(quick_recipe, folds=4, holdout=holdout)
        split = Split.of(sample.train, settings)
        extra = np.array([sample.train.n, sample.train.n + 1])
        tasks = cross_validation._tasks(settings, [quick_recipe], [], split, extra)
        held = np.concatenate([task.part.held for task in tasks])
        assert np.array_equal(np.sort(np.r_[held, split.kept]), np.arange(sample.train.n))
        assert len(split.kept) == round(holdout * sample.train.n)
        for task in tasks:
            assert not np.intersect1d(task.part.learnt, np.r_[task.part.held, split.kept]).size
            assert np.isin(extra, task.part.learnt).all() and not np.isin(extra, task.part.held).any()
        assert len({task.key for task in tasks}) == len(tasks)


def test_the_held_out_rows_are_the_main_jobs(tmp_path, sample, quick_recipe):
    changes = {"submission": tmp_path / "s.csv", "runs": tmp_path / "main", "holdout": 0.2}
    main = run_main(sample, MainSettings(quick_recipe, sigmas=(0.0,), repeats=1, **changes), RunLog(quiet=True))
    folds = cross_validation.run(sample, settings_in(tmp_path, quick_recipe, holdout=0.2), RunLog(quiet=True))
    with np.load(main.folder / "holdout.npz") as one, np.load(folds.folder / "holdout.npz") as two:
        assert np.array_equal(one["rows"], two["rows"])
        assert two["correct"].mean() == folds.summary.holdout.value


def test_figures_are_what_the_answers_say(tmp_path, sample, partner):
    outcome = cross_validation.run(sample, settings_in(tmp_path, partner, repeats=2, jobs=2), RunLog(quiet=True))
    with np.load(outcome.folder / "out_of_fold.npz") as file:
        labels, fold, members, committee = (file[name] for name in ("labels", "fold", "members", "committee"))
    assert members.shape == (2, 2, 2, sample.train.n, 10)  # members, repeats, views, rows, classes
    assert np.array_equal(labels, sample.train.labels)
    quick, small, all_ = outcome.summary.scores
    assert (quick.name, small.name, all_.name) == ("quick", "small", "all together")
    assert (quick.networks, small.networks, all_.networks) == (6, 6, 12)
    for score, right in (
        (quick, members[0, :, 0].argmax(axis=-1) == labels),
        (small, members[1, :, 0].argmax(axis=-1) == labels),
        (all_, (committee.argmax(axis=-1) == labels)[None]),
    ):
        assert score.accuracy == pytest.approx(right.mean())
        assert score.by_fold == pytest.approx([right[:, fold == f].mean() for f in range(3)])
    assert sum(outcome.summary.weights.values()) == pytest.approx(1)
    with np.load(outcome.folder / "test.npz") as file:
        answered = file["committee"].argmax(axis=-1)
    lines = (tmp_path / "submission.csv").read_text().split()[1:]
    assert [int(line.split(",")[1]) for line in lines] == sample.train.classes[answered].tolist()
    # The networks themselves say what the file of answers holds: the first is of member 0, repeat 1, fold 1.
    one = load(outcome.folder / "models" / "final" / "quick-repeat-1-fold-1.safetensors")
    rows = fold == 0
    said = one.network.probabilities(sample.train.images[rows])
    np.testing.assert_allclose(said, members[0, 0, 0][rows], atol=1e-6)
    record = json.loads((outcome.folder / "run.json").read_text(encoding="utf-8"))
    assert record["kind"] == "folds" and record["holdout"]["accuracy"] == pytest.approx(all_.accuracy)
    assert any(note.startswith("Averaged over clean, turn left 4:") for note in record["notes"])
    assert {path.name for path in outcome.folder.iterdir()} == {
        "folds.csv", "folds.png", "folds.svg", "history", "holdout.npz", "log.txt", "models", "out_of_fold.npz",
        "run.json", "table.md", "test.npz",
    }  # fmt: skip


def test_a_seed_means_the_same_bytes_whatever_the_jobs(tmp_path, sample, quick_recipe):
    def made(name, **changes):
        folder = tmp_path / name
        outcome = cross_validation.run(sample, settings_in(folder, quick_recipe, **changes), RunLog(quiet=True))
        models = sorted(outcome.folder.glob("models/final/*"))
        return [path.read_bytes() for path in (folder / "submission.csv", outcome.folder / "folds.csv", *models)]

    assert made("one", jobs=1) == made("two", jobs=2)
    assert made("other", jobs=1, seed=1) != made("one", jobs=1)


def test_pseudo_labels_train_a_second_time_and_are_told(tmp_path, sample, quick_recipe):
    settings = settings_in(tmp_path, quick_recipe, pseudo_labels=0.9, holdout=0.2)
    outcome = cross_validation.run(sample, settings, RunLog(quiet=True))
    (note,) = outcome.summary.notes
    assert note.startswith("Trained again with ")
    taught = int(note.split()[3].replace(",", ""))
    assert 0 < taught <= sample.test.n
    plain = cross_validation.run(sample, settings_in(tmp_path / "plain", quick_recipe, holdout=0.2), RunLog(quiet=True))
    assert plain.summary.scores != outcome.summary.scores


def test_extra_rows_are_learnt(tmp_path, sample, quick_recipe):
    # Labels that are all wrong: learnt, they cost accuracy; measured on, they would be most of the rows.
    train = sample.train
    wrong = Digits(train.images, (train.labels + 1) % 10, train.classes)
    plain = cross_validation.run(sample, settings_in(tmp_path / "a", quick_recipe), RunLog(quiet=True))
    misled = cross_validation.run(sample, settings_in(tmp_path / "b", quick_recipe, extra=wrong), RunLog(quiet=True))
    assert misled.summary.rows == train.n
    assert misled.summary.scores[-1].accuracy < plain.summary.scores[-1].accuracy - 0.1


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ({"views": ("clean",)}, 'views are ways of looking beside "clean"'),
        ({"views": ("turn lefd 4",)}, "There is no turn direction 'lefd': did you mean left?"),
        ({"partners": ("defualt",)}, "There is no recipe defualt: did you mean default?"),
        ({"partners": ("quick.toml",)}, "The partners of recipe quick must be other recipes than itself."),
    ],
)
def test_wrong_names_are_told_before_there_is_a_run(tmp_path, sample, quick_recipe, run, sentence):
    chosen = dataclasses.replace(quick_recipe, run=recipe.RunDefaults(**run))
    with pytest.raises(Exception, match=sentence) as caught:
        cross_validation.run(sample, settings_in(tmp_path, chosen), RunLog(quiet=True))
    assert isinstance(caught.value, UsageError)
    assert not (tmp_path / "runs").exists()
