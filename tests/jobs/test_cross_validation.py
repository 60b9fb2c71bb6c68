"""Cross-validation: no network predicts what it was trained on, and what is reported is what the files say."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from pipeline.dataset import Digits
from pipeline.errors import UsageError
from pipeline.jobs.cross_validation import CrossValidation
from pipeline.prediction.model_file import load
from pipeline.training import recipe


@pytest.fixture
def partner(tmp_path, quick_recipe):
    """quick.toml with a smaller partner and a view."""
    text = (tmp_path / "quick.toml").read_text(encoding="utf-8")
    (tmp_path / "small.toml").write_text(text.replace("units = 16", "units = 8"), encoding="utf-8")
    run = recipe.RunDefaults(partners=(str(tmp_path / "small.toml"),), views=("turn left 4",))
    return dataclasses.replace(quick_recipe, run=run)


@pytest.fixture
def plan(sample, quick_recipe):
    def new(**changes):
        return CrossValidation(**{"competition": sample, "recipe": quick_recipe, "folds": 3, **changes})

    return new


def test_every_row_is_predicted_once_and_never_by_a_network_trained_on_it(sample, plan):
    extra = Digits(sample.train.images[:2], sample.train.labels[:2], sample.train.classes)
    added = [sample.train.n, sample.train.n + 1]
    for share in (0.0, 0.2):
        folds = plan(folds=4, holdout_share=share, extra=extra)
        split = folds.split()
        shared = folds._shared(split)
        assert len(split.held_out) == round(share * sample.train.n)
        predicted = np.concatenate([part.validation for part in shared.splits.values()])
        assert np.array_equal(np.sort(np.r_[predicted, split.held_out]), np.arange(sample.train.n))
        for part in shared.splits.values():
            assert not np.intersect1d(part.train, np.r_[part.validation, split.held_out]).size
            assert np.isin(added, part.train).all() and not np.isin(added, part.validation).any()
        tasks = folds.tasks()
        assert {task.split for task in tasks} == set(shared.splits)
        assert len({task.key for task in tasks}) == len(tasks)


def test_figures_are_what_the_answers_say(tmp_path, sample, plan, do, partner):
    outcome = do(plan(recipe=partner, repeats=2), tmp_path, jobs=2)
    with np.load(outcome.folder / "out_of_fold.npz") as file:
        labels, fold, members, ensemble = (file[name] for name in ("labels", "fold", "members", "ensemble"))
    assert members.shape == (2, 2, sample.train.n, 10)  # members, views, rows, classes; repeats averaged
    assert np.array_equal(labels, sample.train.labels)
    quick, small, all_ = outcome.summary.scores
    assert (quick.name, small.name, all_.name) == ("quick", "small", "all together")
    assert (quick.networks, small.networks, all_.networks) == (6, 6, 12)
    # The networks themselves say what the files of answers hold.
    said = {name: np.zeros((2, sample.train.n, 10)) for name in ("quick", "small")}
    for name, probabilities in said.items():
        for repeat in range(2):
            for number in range(3):
                file = outcome.folder / "models" / "final" / f"{name}-repeat-{repeat + 1}-fold-{number + 1}.safetensors"
                here = fold == number
                probabilities[repeat, here] = load(file).network.probabilities(sample.train.images[here])
    np.testing.assert_allclose(members[:, 0], [said["quick"].mean(axis=0), said["small"].mean(axis=0)], atol=1e-6)
    for score, right in (
        (quick, said["quick"].argmax(axis=-1) == labels),
        (small, said["small"].argmax(axis=-1) == labels),
        (all_, (ensemble.argmax(axis=-1) == labels)[None]),
    ):
        assert score.accuracy == pytest.approx(right.mean())
        assert score.by_fold == pytest.approx([right[:, fold == f].mean() for f in range(3)])
    assert sum(outcome.summary.weights.values()) == pytest.approx(1)
    with np.load(outcome.folder / "test.npz") as file:
        answered = file["ensemble"].argmax(axis=-1)
    lines = (tmp_path / "submission.csv").read_text().split()[1:]
    assert [int(line.split(",")[1]) for line in lines] == sample.train.classes[answered].tolist()
    record = json.loads((outcome.folder / "run.json").read_text(encoding="utf-8"))
    assert record["kind"] == "folds" and record["holdout"]["accuracy"] == pytest.approx(all_.accuracy)
    assert any(note.startswith("Averaged over clean, turn left 4:") for note in record["summary"]["notes"])
    assert {path.name for path in outcome.folder.iterdir()} == {
        "evaluation.npz", "folds.csv", "folds.png", "folds.svg", "held_out.npz", "history", "holdout.npz", "job.json",
        "log.txt", "models", "out_of_fold.npz", "run.json", "submission.csv", "table.md", "test.npz",
    }  # fmt: skip


def test_a_seed_means_the_same_bytes_whatever_the_jobs(tmp_path, plan, do):
    def made(name, *, jobs, **changes):
        folder = tmp_path / name
        outcome = do(plan(**changes), folder, jobs=jobs)
        models = sorted(outcome.folder.glob("models/final/*"))
        return [path.read_bytes() for path in (folder / "submission.csv", outcome.folder / "folds.csv", *models)]

    assert made("one", jobs=1) == made("two", jobs=2)
    assert made("other", jobs=1, seed=1) != made("one", jobs=1)


def test_pseudo_labels_train_a_second_time_and_are_reported(tmp_path, sample, plan, do):
    outcome = do(plan(pseudo_label=0.9, holdout_share=0.2), tmp_path)
    (note,) = outcome.summary.notes
    assert note.startswith("Trained again with ")
    added = int(note.split()[3].replace(",", ""))
    assert 0 < added <= sample.test.n
    assert len(list((outcome.folder / "models" / "final").iterdir())) == 3  # those that submit, not the first ones
    plain = do(plan(holdout_share=0.2), tmp_path / "plain")
    assert plain.summary.scores != outcome.summary.scores


def test_extra_rows_are_trained_on(tmp_path, sample, plan, do):
    # Labels that are all wrong: trained on, they cost accuracy; measured on, they would be most of the rows.
    train = sample.train
    wrong = Digits(train.images, (train.labels + 1) % 10, train.classes)
    plain = do(plan(), tmp_path / "a")
    misled = do(plan(extra=wrong), tmp_path / "b")
    assert misled.summary.rows == train.n
    assert misled.summary.scores[-1].accuracy < plain.summary.scores[-1].accuracy - 0.1


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        ({"views": ("clean",)}, 'views are pictures changed beside "clean"'),
        ({"views": ("turn lefd 4",)}, "There is no turn direction 'lefd': did you mean left?"),
        ({"partners": ("defualt",)}, "There is no recipe defualt: did you mean default?"),
        ({"partners": ("quick.toml",)}, "The partners of recipe quick must be other recipes than itself."),
    ],
)
def test_wrong_names_are_told_before_there_is_a_run(tmp_path, quick_recipe, plan, do, run, sentence):
    chosen = dataclasses.replace(quick_recipe, run=recipe.RunDefaults(**run))
    with pytest.raises(Exception, match=sentence) as caught:
        do(plan(recipe=chosen), tmp_path)
    assert isinstance(caught.value, UsageError)
    assert not (tmp_path / "runs").exists()
