"""A training task: its split, attacks, sanity checks, certificates, adversarial training."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.evaluation.robustness.conditions import condition
from pipeline.training import recipe
from pipeline.training.checkpoint import load_checkpoint, save_checkpoint, task_fingerprint
from pipeline.training.task import SharedRows, Smoothing, Split, TrainingTask, run_task


def task(quick, **changes):
    plain = TrainingTask(
        name="t, repeat 1",
        trained="t",
        recipe=quick,
        sigma=0.0,
        repeat=0,
        key=(0, 1),
        split="holdout",
        conditions=(condition("clean"),),
    )
    return dataclasses.replace(plain, **changes)


def with_split(shared, **split):
    """The rows with one more split, "own"."""
    return dataclasses.replace(shared, splits={**shared.splits, "own": Split(**split)})


def labels_of(shared, split="holdout"):
    return shared.labels[shared.splits[split].validation]


def against(recipe_, **adversary):
    """The recipe with an [adversary]."""
    return recipe.check({**recipe_.content, "adversary": adversary}, name="against", where="here")


def accuracies(result, rows):
    """Of the validation rows, under each condition and attack in their order."""
    return [float((found.argmax(axis=-1) == labels_of(rows)).mean()) for found in result.probabilities.values()]


def test_attacks_are_columns_and_the_weights_stay_what_they_were(bars, quick_recipe):
    plain = run_task(task(quick_recipe), bars)
    attacked = run_task(
        task(quick_recipe, attacks=("pgd Linf 0", "pgd Linf 0.2", "pgd Linf 0.4"), sanity_rows=10), bars
    )
    assert attacked.values.tobytes() == plain.values.tobytes()
    clean, none, some, strong = accuracies(attacked, bars)
    assert clean == none == accuracies(plain, bars)[0] > 0.9
    # A bar is 0.6 brighter than its ground: at ε 0.4 every picture can be made another class.
    assert clean > some > strong == 0
    assert len(attacked.findings) >= 7 and plain.findings == ()


def test_adversarial_training_learns_from_attacked_pictures(bars, quick_recipe):
    plain = run_task(task(quick_recipe), bars)
    none = run_task(task(against(quick_recipe, epsilon=0)), bars)
    hard = run_task(task(against(quick_recipe, epsilon=0.2, steps=5)), bars)
    assert none.values.tobytes() == plain.values.tobytes()
    # It trains on pictures that were made hard for it.
    assert hard.history[-1].train_loss > 1.5 * plain.history[-1].train_loss


def test_adversarial_training_withstands_more(bars, quick_recipe):
    content = {**quick_recipe.content, "training": {"epochs": 40, "batch_size": 32}}
    longer = recipe.check(content, name="quick", where="here")
    asked = {"attacks": ("pgd Linf 0.25",)}
    plain = run_task(task(longer, **asked), bars)
    hard = run_task(task(against(longer, epsilon=0.25), **asked), bars)
    assert accuracies(hard, bars)[1] > accuracies(plain, bars)[1] + 0.1


def test_certificates_of_the_first_rows(bars, quick_recipe):
    result = run_task(task(quick_recipe, smoothing=Smoothing(sigma=0.25, rows=12, samples=200)), bars)
    assert result.certified.shape == result.radius.shape == (12,)
    assert (result.certified == labels_of(bars)[:12]).mean() > 0.8
    assert 0 < result.radius.max() < 0.6  # σ · Φ⁻¹(0.001^(1/200)) = 0.25 · 1.82 = 0.46


def test_a_checkpoint_comes_back_whole_and_only_for_its_own_task(tmp_path, bars, quick_recipe):
    smoothing = Smoothing(sigma=0.25, rows=5, samples=50)
    whole = task(quick_recipe, attacks=("fgsm Linf 0.1",), sanity_rows=10, smoothing=smoothing)
    result = run_task(whole, bars)
    about = {"data": "data", "split": "split"}
    prints = {
        task_fingerprint(whole, **about),
        task_fingerprint(dataclasses.replace(whole, sigma=0.1), **about),
        task_fingerprint(whole, data="other data", split="split"),
        task_fingerprint(whole, data="data", split="other split"),
    }
    assert len(prints) == 4
    save_checkpoint(tmp_path / "fit", result, "mine")
    loaded = load_checkpoint(tmp_path / "fit", "mine")
    for name in ("values", "certified", "radius"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(result, name))
    assert list(loaded.probabilities) == list(result.probabilities) == ["clean", "fgsm Linf 0.1"]
    for name, probabilities in result.probabilities.items():
        np.testing.assert_array_equal(loaded.probabilities[name], probabilities)
    assert (loaded.history, loaded.findings) == (result.history, result.findings)


def test_other_code_makes_another_fingerprint(quick_recipe, monkeypatch):
    before = task_fingerprint(task(quick_recipe), data="d", split="s")
    monkeypatch.setattr("pipeline.training.checkpoint.environment", lambda: {"code": "other"})
    assert task_fingerprint(task(quick_recipe), data="d", split="s") != before


def test_a_fit_trains_on_its_own_split_and_predicts_the_other_rows(bars, quick_recipe):
    rows = with_split(bars, train=np.arange(60), validation=np.arange(60, 90))
    of_split = run_task(task(quick_recipe, split="own"), rows)
    by_hand = SharedRows(
        images=bars.images[:90],
        labels=bars.labels[:90],
        classes=3,
        test_images=bars.images[90:],
        splits={"holdout": Split(train=np.arange(60), validation=np.arange(60, 90), test=True)},
    )
    both = run_task(task(quick_recipe), by_hand)
    assert of_split.values.tobytes() == both.values.tobytes()
    np.testing.assert_allclose(both.probabilities["clean"][:30], of_split.probabilities["clean"], atol=1e-6)
    assert both.probabilities["clean"].shape == (30 + 30, 3)
    assert [e.validation_accuracy for e in both.history] == [e.validation_accuracy for e in of_split.history]


def test_rows_with_a_pseudo_label_are_trained_on_and_the_others_are_not(bars, quick_recipe):
    bars = dataclasses.replace(bars, test_images=bars.images[90:])
    pseudo = np.full(30, -1)
    pseudo[[3, 5]] = [2, 0]
    split = {"train": np.arange(90), "validation": np.arange(0), "test": True}
    rows, predicted = with_split(bars, **split, pseudo_labels=pseudo).of("own")
    assert np.array_equal(predicted, bars.test_images) and rows.validation is None
    assert np.array_equal(rows.rows[90:], bars.test_images[[3, 5]]) and rows.labels[90:].tolist() == [2, 0]
    nothing = with_split(bars, **split, pseudo_labels=np.full(30, -1))
    plain = run_task(task(quick_recipe, split="own"), nothing)
    assert np.array_equal(plain.values, run_task(task(quick_recipe), bars).values)
    assert plain.history[-1].validation_loss is None


def test_a_row_cannot_be_trained_on_and_predicted(bars):
    leaking = with_split(bars, train=np.array([1, 2]), validation=np.array([2]))
    with pytest.raises(ValueError, match="has rows in both train and validation"):
        leaking.of("own")


def test_the_recipes_average_is_what_a_fit_gives_back(bars, quick_recipe):
    def with_average(**table):
        return recipe.check({**quick_recipe.content, "average": table}, name="averaged", where="here")

    plain = run_task(task(quick_recipe), bars)
    # An average that forgets everything at once is the last step; one that forgets nothing is the first.
    assert np.array_equal(run_task(task(with_average(name="ema", decay=0)), bars).values, plain.values)
    averaged = run_task(task(with_average(name="swa", start=0.5)), bars)
    assert not np.array_equal(averaged.values, plain.values)
    assert accuracies(averaged, bars)[0] > 0.9
