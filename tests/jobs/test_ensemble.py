"""The ensemble of a cross-validation, folded network by network, and pseudo-labels, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.jobs.ensemble import EnsembleFold, choose, pseudo_labels, pseudo_sentence, views_sentence
from pipeline.training.task import TrainingResult, TrainingTask

# 2 folds of 2 rows, 2 repeats, 2 members, 1 test row: the probabilities of class 0 of 2, of a fold's rows and the
# test row, by (fold, repeat, member).
FOLDS = (np.array([0, 3]), np.array([1, 2]))
SAID = {
    (0, 0, 0): (0.1, 0.2, 0.3), (0, 0, 1): (0.4, 0.5, 0.6), (0, 1, 0): (0.3, 0.4, 0.5), (0, 1, 1): (0.6, 0.7, 0.8),
    (1, 0, 0): (0.9, 0.8, 0.9), (1, 0, 1): (0.5, 0.5, 0.9), (1, 1, 0): (0.7, 0.6, 0.7), (1, 1, 1): (0.5, 0.5, 0.99),
}  # fmt: skip


def folded(recipe, *, views=("clean",), change=lambda view, first: first, order=SAID):
    """The ensemble of SAID; change(view, probabilities of class 0) for other views."""
    sizes = {"members": 2, "repeats": 2, "classes": 2, "test_rows": 1}
    ensemble = EnsembleFold(**sizes, views=views, fold_rows=FOLDS, pseudo_labels=True)
    for fold, repeat, member in order:
        first = {view: np.asarray(change(view, np.array(SAID[fold, repeat, member])), np.float32) for view in views}
        result = TrainingResult(
            values=np.zeros(1),
            history=[],
            probabilities={view: np.stack([share, 1 - share], axis=1) for view, share in first.items()},
            seconds=0.0,
            cpu_seconds=2.0,
        )
        task = TrainingTask(
            name="t", trained="t", recipe=recipe, sigma=0.0, repeat=repeat, fold=fold, member=member, key=(0,),
            split="s", conditions=(),
        )  # fmt: skip
        ensemble.add(task, result)
    return ensemble


@pytest.mark.parametrize("order", [list(SAID), list(reversed(SAID))])
def test_every_network_stands_at_its_member_fold_and_row_whatever_came_first(quick_recipe, order):
    ensemble = folded(quick_recipe, order=order)
    np.testing.assert_allclose(ensemble.by_member[0, 0, :, 0], [0.2, 0.8, 0.7, 0.3], rtol=1e-6)
    np.testing.assert_allclose(ensemble.by_member[1, 0, :, 0], [0.5, 0.5, 0.5, 0.6], rtol=1e-6)
    # The test row: member 0 in fold 0 (0.3 + 0.5) / 2, in fold 1 (0.9 + 0.7) / 2; member 1 0.7 and 0.945.
    np.testing.assert_allclose(ensemble.test[:, 0, 0, 0], [0.6, 0.8225], rtol=1e-6)
    np.testing.assert_allclose(ensemble.test_of_fold[:, 0, 0], [(0.4 + 0.7) / 2, (0.8 + 0.945) / 2], rtol=1e-6)
    assert ensemble.plain[0].tolist() == [[1, 0, 0, 1], [1, 0, 0, 1]]
    # Class 0 on average: (0.2 + 0.5) / 2, (0.8 + 0.5) / 2, (0.7 + 0.5) / 2, (0.3 + 0.6) / 2.
    assert ensemble.plain_classes().tolist() == [1, 0, 0, 1]
    assert ensemble.cpu_seconds.tolist() == [8.0, 8.0]


def test_pseudo_labels_are_the_folds_own_sure_answers():
    # Class 0 with 0.9, 0.3, 0.55, 0.99; the last row is held out.
    first = np.array([0.9, 0.3, 0.55, 0.99])
    of_fold = np.stack([first, 1 - first], axis=-1)
    assert pseudo_labels(of_fold, 0.7, rows=3).tolist() == [0, 1, -1, -1]
    assert pseudo_labels(1 - of_fold, 0.7, rows=3).tolist() == [1, 0, -1, -1]


def test_choosing_takes_the_views_only_where_they_help():
    right, wrong = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.4, 0.6], [0.7, 0.3]])
    labels = np.array([0, 1])
    assert choose(np.stack([wrong, right])[None], labels)[0]
    averaged, weights = choose(np.stack([right, wrong])[None], labels)
    assert not averaged and weights.tolist() == [1.0]
    assert not choose(right[None, None], labels)[0]


def test_sentences_count_wins_and_losses(quick_recipe):
    labels = np.array([0, 1, 0, 0])
    before = np.array([1, 0, 0, 1])
    after = np.array([0, 1, 1, 0])
    # 3 wins to 1 loss: p = 2 · (1 + 4) / 16.
    assert pseudo_sentence(before, after, labels, 12.4) == (
        "Trained again with 12 test rows as they were answered: +2 of 4 out-of-fold rows right (won 3, lost 1; exact "
        "McNemar p = 0.62)."
    )
    # Alone, class 0 is 1 - SAID: right on rows 0, 1 and 3. A view thrice as sure of the opposite decides together.
    both = folded(
        quick_recipe,
        views=("clean", "shift left 1"),
        change=lambda view, first: 1 - first if view == "clean" else 0.5 + 3 * (first - 0.5),
    )
    sentence = views_sentence(both, labels, False)
    assert sentence.startswith("Averaged over clean, shift left 1: -2 of 4 out-of-fold rows right (won 1, lost 3;")
    assert sentence.endswith("The submission does without them.")


@pytest.mark.parametrize("threshold", [0.5, 0.999])
def test_no_pseudo_label_below_the_threshold(threshold):
    probabilities = np.random.default_rng(0).dirichlet([0.1] * 3, 50).astype(np.float32)
    labels = pseudo_labels(probabilities, threshold, rows=50)
    sure = probabilities.max(axis=1)
    assert (sure[labels >= 0] >= threshold).all() and (sure[labels < 0] < threshold).all()
