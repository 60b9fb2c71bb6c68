"""A committee's answers put together, and pseudo-labels, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.jobs.ensemble import Answers, choose, pseudo_labels, pseudo_sentence, views_sentence
from pipeline.training.task import TrainingResult


def result(*rows):
    """A fit that gave class 0 these probabilities, for 1 view; of 2 classes."""
    first = np.array(rows)
    return TrainingResult(np.zeros(1), [], np.stack([first, 1 - first], axis=1)[None], 0.0)


# 2 folds of 2 rows, 2 repeats, 2 members, 1 asked row: fold by fold, repeat by repeat, member by member.
FOLDS = [np.array([0, 3]), np.array([1, 2])]
RESULTS = [
    result(0.1, 0.2, 0.3), result(0.4, 0.5, 0.6), result(0.3, 0.4, 0.5), result(0.6, 0.7, 0.8),
    result(0.9, 0.8, 0.9), result(0.5, 0.5, 0.9), result(0.7, 0.6, 0.7), result(0.5, 0.5, 0.99),
]  # fmt: skip


def test_answers_are_sorted_by_member_repeat_and_row():
    answers = Answers.of(RESULTS, FOLDS, members=2, views=1)
    held = answers.held[:, :, 0, :, 0]
    np.testing.assert_allclose(held[0], [[0.1, 0.9, 0.8, 0.2], [0.3, 0.7, 0.6, 0.4]], rtol=1e-6)
    np.testing.assert_allclose(held[1], [[0.4, 0.5, 0.5, 0.5], [0.6, 0.5, 0.5, 0.7]], rtol=1e-6)
    np.testing.assert_allclose(answers.asked[:, :, 0, 0, 0], [[0.4, 0.7], [0.8, 0.945]], rtol=1e-6)
    np.testing.assert_allclose(answers.by_member[0, 0, :, 0], [0.2, 0.8, 0.7, 0.3], rtol=1e-6)
    # Class 0 on average: (0.2 + 0.5) / 2, (0.8 + 0.5) / 2, (0.7 + 0.5) / 2, (0.3 + 0.6) / 2.
    assert answers.plain().tolist() == [1, 0, 0, 1]


def test_conditions_behind_the_views_are_left_aside():
    more = [TrainingResult(r.values, [], np.concatenate([r.probabilities, 9 * r.probabilities]), 0.0) for r in RESULTS]
    np.testing.assert_array_equal(
        Answers.of(more, FOLDS, members=2, views=1).held, Answers.of(RESULTS, FOLDS, members=2, views=1).held
    )


def test_pseudo_labels_are_the_folds_own_sure_answers():
    # Both members of fold 0 on average: class 0 with 0.9, 0.3, 0.55, 0.99; the last row is held out.
    of_fold = np.array([[0.95, 0.2, 0.6, 1.0], [0.85, 0.4, 0.5, 0.98]])
    asked = np.stack([of_fold, 1 - of_fold], axis=-1)[None, :, None]
    answers = Answers(np.zeros((2, 1, 1, 0, 2), np.float32), np.concatenate([asked, 1 - asked]))
    assert pseudo_labels(answers, 0, 0.7, rows=3).tolist() == [0, 1, -1, -1]
    assert pseudo_labels(answers, 1, 0.7, rows=3).tolist() == [1, 0, -1, -1]


def test_choosing_takes_the_views_only_where_they_help():
    right, wrong = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[0.4, 0.6], [0.7, 0.3]])
    labels = np.array([0, 1])
    assert choose(np.stack([wrong, right])[None], labels)[0]
    averaged, weights = choose(np.stack([right, wrong])[None], labels)
    assert not averaged and weights.tolist() == [1.0]
    assert not choose(right[None, None], labels)[0]


def test_sentences_count_wins_and_losses():
    labels = np.array([0, 1, 0, 0])
    before = Answers.of(RESULTS, FOLDS, members=2, views=1)  # says 1, 0, 0, 1
    flipped = [TrainingResult(r.values, [], 1 - r.probabilities, 0.0) for r in RESULTS]
    after = Answers.of(flipped, FOLDS, members=2, views=1)  # says 0, 1, 1, 0
    # 3 wins to 1 loss: p = 2 · (1 + 4) / 16.
    assert pseudo_sentence(before, after, labels, 12.4) == (
        "Trained again with 12 test rows as they were answered: +2 of 4 out-of-fold rows right (won 3, lost 1; exact "
        "McNemar p = 0.62)."
    )
    both = Answers(np.concatenate([after.held, 3 * before.held], axis=2), before.asked)
    sentence = views_sentence(both, labels, False, ["clean", "shift left 1"])
    assert sentence.startswith("Averaged over clean, shift left 1: -2 of 4 out-of-fold rows right (won 1, lost 3;")
    assert sentence.endswith("The submission does without them.")


@pytest.mark.parametrize("threshold", [0.5, 0.999])
def test_no_pseudo_label_below_the_threshold(threshold):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.1] * 3, (1, 2, 1, 50)).astype(np.float32)
    answers = Answers(np.zeros((2, 1, 1, 0, 3), np.float32), probabilities)
    labels = pseudo_labels(answers, 0, threshold, rows=50)
    sure = probabilities[0, :, 0].mean(axis=0).max(axis=1)
    assert (sure[labels >= 0] >= threshold).all() and (sure[labels < 0] < threshold).all()
