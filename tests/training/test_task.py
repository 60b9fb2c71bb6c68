"""What a fit asks its network beyond clean rows: attacks, honesty checks, certificates, adversarial training."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pipeline.evaluation.robustness.conditions import condition
from pipeline.training import recipe
from pipeline.training.checkpoint import load_checkpoint, save_checkpoint, task_fingerprint
from pipeline.training.task import Certifying, Part, Rows, TrainingTask, run_fit


def task(quick, **changes):
    return dataclasses.replace(TrainingTask("t, repeat 1", quick, 0.0, (0, 1), [condition("clean")]), **changes)


def against(recipe_, **adversary):
    """The recipe with an [adversary]."""
    return recipe.check({**recipe_.content, "adversary": adversary}, name="against", where="here")


def accuracies(result, rows):
    return (result.probabilities.argmax(axis=-1) == rows.asked_labels).mean(axis=-1)


def test_attacks_are_columns_and_the_weights_stay_what_they_were(bars, quick_recipe):
    plain = run_fit(task(quick_recipe), bars)
    attacked = run_fit(task(quick_recipe, attacks=("pgd Linf 0", "pgd Linf 0.2", "pgd Linf 0.4"), checks=10), bars)
    assert attacked.values.tobytes() == plain.values.tobytes()
    clean, none, some, strong = accuracies(attacked, bars)
    assert clean == none == accuracies(plain, bars)[0] > 0.9
    # A bar is 0.6 brighter than its ground: at ε 0.4 every picture can be made another class.
    assert clean > some > strong == 0
    assert len(attacked.findings) >= 7 and plain.findings == ()


def test_adversarial_training_learns_from_attacked_pictures(bars, quick_recipe):
    plain = run_fit(task(quick_recipe), bars)
    none = run_fit(task(against(quick_recipe, epsilon=0)), bars)
    hard = run_fit(task(against(quick_recipe, epsilon=0.2, steps=5)), bars)
    assert none.values.tobytes() == plain.values.tobytes()
    # It trains on pictures that were made hard for it.
    assert hard.history[-1].train_loss > 1.5 * plain.history[-1].train_loss


def test_adversarial_training_withstands_more(bars, quick_recipe):
    content = {**quick_recipe.content, "training": {"epochs": 40, "batch_size": 32}}
    longer = recipe.check(content, name="quick", where="here")
    asked = {"attacks": ("pgd Linf 0.25",)}
    plain = run_fit(task(longer, **asked), bars)
    hard = run_fit(task(against(longer, epsilon=0.25), **asked), bars)
    assert accuracies(hard, bars)[1] > accuracies(plain, bars)[1] + 0.1


def test_certificates_of_the_first_rows(bars, quick_recipe):
    result = run_fit(task(quick_recipe, certifying=Certifying(0.25, rows=12, samples=200)), bars)
    assert result.certified.shape == result.radius.shape == (12,)
    assert (result.certified == bars.asked_labels[:12]).mean() > 0.8
    assert 0 < result.radius.max() < 0.6  # σ · Φ⁻¹(0.001^(1/200)) = 0.25 · 1.82 = 0.46


def test_a_kept_fit_comes_back_whole_and_only_for_its_own_task(tmp_path, bars, quick_recipe):
    asked = task(quick_recipe, attacks=("fgsm Linf 0.1",), checks=10, certifying=Certifying(0.25, 5, 50))
    result = run_fit(asked, bars)
    mine, other = task_fingerprint(asked, "data"), task_fingerprint(dataclasses.replace(asked, sigma=0.1), "data")
    assert len({mine, other, task_fingerprint(asked, "other data")}) == 3
    save_checkpoint(tmp_path / "fit", result, mine)
    found = load_checkpoint(tmp_path / "fit", mine)
    for name in ("values", "probabilities", "certified", "radius"):
        np.testing.assert_array_equal(getattr(found, name), getattr(result, name))
    assert (found.history, found.findings) == (result.history, result.findings)


def test_a_part_learns_its_own_rows_and_is_asked_about_those_it_holds(bars, quick_recipe):
    learnt, held = np.arange(0, 60), np.arange(60, 90)
    of_part = run_fit(task(quick_recipe, part=Part(learnt, held)), bars)
    by_hand = Rows(bars.images[:60], bars.labels[:60], 3, bars.images[60:], bars.labels[60:])
    alone = run_fit(task(quick_recipe), by_hand)
    assert of_part.values.tobytes() == alone.values.tobytes()
    assert np.array_equal(of_part.probabilities, alone.probabilities)
    both = run_fit(task(quick_recipe, part=Part(learnt, held, asked=True)), bars)
    np.testing.assert_allclose(both.probabilities[:, :30], of_part.probabilities, atol=1e-6)
    assert both.probabilities.shape[1] == 30 + len(bars.asked)
    assert [epoch.validation_accuracy for epoch in both.history] == [e.validation_accuracy for e in alone.history]


def test_rows_with_a_pseudo_label_are_learnt_and_the_others_are_not(bars, quick_recipe):
    pseudo = np.full(len(bars.asked), -1)
    pseudo[[3, 5]] = [2, 0]
    part = Part(np.arange(90), np.arange(0), asked=True, pseudo_labels=pseudo)
    taught = part.of(bars)
    assert np.array_equal(taught.images[90:], bars.asked[[3, 5]]) and taught.labels[90:].tolist() == [2, 0]
    nothing = Part(np.arange(90), np.arange(0), asked=True, pseudo_labels=np.full(len(bars.asked), -1))
    plain = run_fit(task(quick_recipe, part=nothing), bars)
    assert np.array_equal(plain.values, run_fit(task(quick_recipe), bars).values)
    assert plain.history[-1].validation_loss is None


def test_a_row_cannot_be_learnt_and_held(bars):
    with pytest.raises(ValueError, match="held out stand among those to be learnt"):
        Part(np.array([1, 2]), np.array([2])).of(bars)


def test_the_recipes_average_is_what_a_fit_gives_back(bars, quick_recipe):
    def with_average(**table):
        return recipe.check({**quick_recipe.content, "average": table}, name="averaged", where="here")

    plain = run_fit(task(quick_recipe), bars)
    # An average that forgets everything at once is the last step; one that forgets nothing is the first.
    assert np.array_equal(run_fit(task(with_average(name="ema", decay=0)), bars).values, plain.values)
    averaged = run_fit(task(with_average(name="swa", start=0.5)), bars)
    assert not np.array_equal(averaged.values, plain.values)
    assert (averaged.probabilities[0].argmax(axis=1) == bars.asked_labels).mean() > 0.9
