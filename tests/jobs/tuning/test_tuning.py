"""The search: what a score is, what no trial may see, what is pruned, what fails, what comes out."""

from __future__ import annotations

import csv
import json

import numpy as np
import optuna
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import cross_validate

from pipeline.errors import InkproofError, UsageError
from pipeline.evaluation.robustness.conditions import condition
from pipeline.jobs.noise_levels import NoiseLevels
from pipeline.jobs.tuning.search import Search
from pipeline.jobs.tuning.study import pruner_of
from pipeline.runs.ledger import Ledger
from pipeline.seeds import Stream
from pipeline.training import Streams, TrainingData, TrainingPlan, recipe
from pipeline.training import fit as train
from pipeline.training import task as fits
from pipeline.training.task import TrainingTask, attempt

GOOD_OR_HOPELESS = "schedule.learning_rate = { choices = [0.01, 1e-7] }"


def number_of(image):
    """Which row of the competition this is: its first two pixels say so."""
    return int(image[0, 0]) * 256 + int(image[0, 1])


class ByHand(ClassifierMixin, BaseEstimator):
    """The recipe's network trained without the search's code; it is the first, second, … fold at each fit."""

    folds = 0

    def __init__(self, made=None):
        self.made = made

    def fit(self, images, labels):
        self.classes_ = np.unique(labels)
        streams = Streams.of(5, Stream.SEARCH_FITS, ByHand.folds)
        ByHand.folds += 1
        self.network_ = self.made.network(images.shape[1:], 3, rng=streams.weights)
        plan = TrainingPlan(
            loss=self.made.loss(),
            optimizer=self.made.optimizer(self.network_),
            schedule=self.made.schedule(),
            epochs=3,
            batch_size=16,
        )
        train(self.network_, TrainingData(rows=images, labels=labels), plan, streams=streams)
        return self

    def predict_proba(self, images):
        return self.network_.probabilities(images)

    def predict(self, images):
        return self.classes_[self.predict_proba(images).argmax(axis=1)]


def test_the_score_is_the_cross_validation_that_scikit_learn_makes_of_the_same_folds(search, plan, searched):
    found = search(seed=5, trials=2)
    rows = plan(seed=5).rows()
    shared = plan(seed=5).shared_rows(rows.splits())
    assert sorted(np.concatenate(rows.predicted)) == list(range(162))
    folds = [(split.train, split.validation) for split in shared.splits.values()]
    assert len(folds) == 3 and len(np.unique(np.concatenate([held for _, held in folds]))) == 162
    ByHand.folds = 0
    # 162 rows are few: batches of 32 become batches of 16.
    said = cross_validate(
        ByHand(searched()), shared.images, shared.labels, cv=folds, scoring=["accuracy", "neg_log_loss"]
    )
    own = found.results.trials[0].score
    np.testing.assert_allclose(own.accuracies, said["test_accuracy"], rtol=1e-12)
    np.testing.assert_allclose(own.log_losses, -said["test_neg_log_loss"], rtol=1e-5)
    assert own.accuracy == pytest.approx(said["test_accuracy"].mean())
    assert own.wrong.mean() == pytest.approx(1 - said["test_accuracy"].mean())
    assert 0.4 < own.accuracy < 1


def test_no_fit_sees_the_rows_that_the_main_job_holds_out(search, competition, searched, do, tmp_path, monkeypatch):
    settings = {"sigmas": (0.0,), "repeats": 1, "holdout_share": 0.2, "seed": 3}
    outcome = do(NoiseLevels(competition=competition, recipe=searched(), **settings), tmp_path / "main")
    with np.load(outcome.folder / "holdout.npz") as file:
        held_out = set(file["rows"].tolist())
    assert len(held_out) == 36
    seen, real = set(), fits.fit

    def watched(network, data, *more, **named):
        own = {number_of(image) for image in data.rows}
        judged = {number_of(image) for image in data.validation.rows}
        assert len(own) == len(data.rows) and not own & judged
        seen.update(own, judged)
        return real(network, data, *more, **named)

    monkeypatch.setattr(fits, "fit", watched)
    search(holdout_share=0.2, seed=3, trials=2)
    assert seen == set(range(180)) - held_out


@pytest.mark.parametrize("pruner", ["asha", "hyperband"])
def test_a_hopeless_trial_is_pruned_and_the_recipe_itself_is_not(search, pruner):
    found = search(GOOD_OR_HOPELESS, pruner=pruner, trials=16).results
    states = {one.values["schedule.learning_rate"]: set() for one in found.trials}
    for one in found.trials:
        states[one.values["schedule.learning_rate"]].add(one.state)
    assert "pruned" in states[1e-7]
    assert "pruned" not in states[0.01]  # equal trials tie, and a tie goes on
    for one in found.trials:
        spent = one.curve[-1][0]
        assert spent == 9 if one.state == "complete" else spent < 9
    assert found.best.values == {"schedule.learning_rate": 0.01}

    hopeless = {"schedule": {"name": "constant", "learning_rate": 1e-7}}
    hopeless_first = search(GOOD_OR_HOPELESS, pruner=pruner, changes=hopeless, trials=16, folder="other").results
    assert hopeless_first.own is hopeless_first.trials[0]
    own = [one.state for one in hopeless_first.trials if one.values == hopeless_first.own.values]
    assert len(own) > 1 and set(own) == {"complete"}
    assert hopeless_first.gain.low > 0


@pytest.mark.parametrize(("longest", "rungs"), [(15, (7, 14)), (10, (5, 10)), (2, (1, 2))])
def test_the_first_rungs_are_at_half_of_the_epochs_and_at_the_end_of_the_first_fold(longest, rungs):
    study = optuna.create_study(direction="maximize", pruner=pruner_of("asha", longest, 3))

    def pruned_at(accuracies):
        trial = study.ask()
        for step in range(1, longest + 1):
            trial.report(accuracies(step), step)
            if trial.should_prune():
                return step
        return None

    assert pruned_at(lambda step: 0.9) is None
    assert pruned_at(lambda step: 0.8) == rungs[0]
    assert pruned_at(lambda step: 0.95 if step < rungs[1] else 0.8) == rungs[1]


def test_without_a_pruner_all_trials_end(search):
    found = search(GOOD_OR_HOPELESS, trials=5).results
    assert [one.state for one in found.trials] == ["complete"] * 5
    assert [epochs for epochs, _ in found.trials[0].curve] == [1, 2, 3, 6, 9]


def test_a_trial_that_makes_no_recipe_or_breaks_down_fails_with_its_sentence(search):
    space = """
    "network.layers.1.units" = { choices = [16, -3] }
    schedule.learning_rate = { choices = [0.01, 1e30] }
    """
    outcome = search(space, trials=12, changes={"optimizer": {"name": "sgd"}})
    found = outcome.results
    failed = [one for one in found.trials if one.state == "failed"]
    sentences = " ".join(one.reason for one in failed)
    assert "units must be" in sentences and "found -3" in sentences
    assert "Training broke down in epoch 1" in sentences
    assert all(-3 in one.values.values() or 1e30 in one.values.values() for one in failed)
    assert found.best.values == {"network.layers.1.units": 16, "schedule.learning_rate": 0.01}
    with (outcome.folder / "trials.csv").open(encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["state"] for line in lines] == [one.state for one in found.trials]
    assert {line["reason"] for line in lines} == {"", *(one.reason for one in failed)}


def test_a_search_whose_trials_all_fail_is_told(search, tmp_path):
    changes = {"optimizer": {"name": "sgd"}, "schedule": {"name": "constant", "learning_rate": 1e30}}
    with pytest.raises(InkproofError, match=r"^None of 2 trials ended with a score: Training broke down"):
        search("training.batch_size = { choices = [16, 32] }", changes=changes, trials=2)
    (run,) = Ledger(tmp_path / "runs").runs()
    assert (run.status, run.reason.startswith("None of 2 trials")) == ("failed", True)


def test_what_a_search_leaves(search, plan):
    outcome = search(trials=11, options={"report": True})
    found, folder = outcome.results, outcome.folder
    names = {path.name for path in folder.iterdir()}
    drawn = {f"{name}.{kind}" for name in ("history", "epochs", "slices", "parallel", "importances")
             for kind in ("png", "svg")}  # fmt: skip
    pages = {"report.html", "report.json"}
    assert names == {"journal.log", "job.json", "trials.csv", "best.toml", "run.json", "log.txt"} | drawn | pages
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert (record["kind"], record["trials"]) == ("tune", {"complete": 11, "pruned": 0, "failed": 0})
    assert record["best"]["value"] == found.best.score.accuracy
    (run,) = Ledger(folder.parent).runs()
    assert (run.status, run.accuracy) == ("finished", None)  # the folds' figure is not the holdout's
    assert "search" not in run.recipe

    best = recipe.load(str(folder / "best.toml"))
    for path, value in found.best.values.items():
        section, *_, last = path.split(".")
        table = best.content[section] if section != "network" else best.content["network"]["layers"][1]
        assert table[last] == value
    shared = plan().shared_rows(plan().rows().splits())
    name, split = next(iter(shared.splits.items()))
    task = TrainingTask(
        name="again",
        trained="best",
        recipe=best,
        sigma=0.0,
        repeat=0,
        key=(0, Stream.SEARCH_FITS, 0),
        split=name,
        conditions=(condition("clean"),),
    )
    again = attempt(task, shared)
    right = (again.probabilities["clean"].argmax(axis=1) == shared.labels[split.validation]).mean()
    assert right == pytest.approx(found.best.score.accuracies[0])  # the file trains what the trial trained


def test_a_recipe_without_a_search_is_told_before_anything_is_written(competition, searched, do, tmp_path):
    bare = searched()
    bare = recipe.check({k: v for k, v in bare.content.items() if k != "search"}, name="bare", where="bare")
    with pytest.raises(UsageError, match=r"^\[search\] names no setting"):
        do(Search(competition=competition, recipe=bare), tmp_path)
    assert not (tmp_path / "runs").exists()
