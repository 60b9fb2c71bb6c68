"""The ensemble of a cross-validation: what its networks said, and what is chosen from it on out-of-fold rows."""

from collections.abc import Sequence

import numpy as np

from pipeline.evaluation.ensemble_weights import average_views, mixture_weights, views_help
from pipeline.evaluation.statistics import mcnemar_exact
from pipeline.training.task import TrainingResult, TrainingTask


class EnsembleFold:
    """Folds the probabilities of M members × R repeats × F folds under V views, one network after the other.

    fold_rows: the rows of each fold, n in all; test_rows: how many rows m no fold has. What stays: by_member
    (M, V, n, k) float32 out-of-fold probabilities, repeats averaged; plain (M, R, n) int16, each network's own answers
    to the picture as it is; test (M, V, m, k) float32, the mean over folds and repeats for rows that no fold has;
    test_of_fold (F, m, k) float32, the mean over a fold's networks of the picture as it is, where pseudo-labels are
    wanted. cpu_seconds (M,): processor time of each member's fits.
    """

    def __init__(
        self,
        *,
        members: int,
        repeats: int,
        views: Sequence[str],
        classes: int,
        fold_rows: Sequence[np.ndarray],
        test_rows: int,
        pseudo_labels: bool = False,
    ) -> None:
        self.views, self.fold_rows = views, fold_rows
        rows = sum(map(len, fold_rows))
        self.by_member = np.zeros((members, len(views), rows, classes), np.float32)
        self.plain = np.full((members, repeats, rows), -1, np.int16)
        self.test = np.zeros((members, len(views), test_rows, classes), np.float32)
        self.test_of_fold = np.zeros((len(fold_rows) if pseudo_labels else 0, test_rows, classes), np.float32)
        self.cpu_seconds = np.zeros(members)

    def add(self, task: TrainingTask, result: TrainingResult) -> None:
        """Fold in the network of task.member, task.repeat and task.fold."""
        members, repeats, _ = self.plain.shape
        rows = self.fold_rows[task.fold]
        for view, name in enumerate(self.views):
            said = result.probabilities[name]
            self.by_member[task.member, view][rows] += said[: len(rows)] / np.float32(repeats)
            self.test[task.member, view] += said[len(rows) :] / np.float32(repeats * len(self.fold_rows))
        clean = result.probabilities[self.views[0]]
        self.plain[task.member, task.repeat, rows] = clean[: len(rows)].argmax(axis=-1)
        if len(self.test_of_fold):
            self.test_of_fold[task.fold] += clean[len(rows) :] / np.float32(repeats * members)
        self.cpu_seconds[task.member] += result.cpu_seconds

    def plain_classes(self) -> np.ndarray:
        """(n,) class of each row by the plain average of all networks that did not see it, without views."""
        return self.by_member[:, 0].mean(axis=0).argmax(axis=1)


def choose(views: np.ndarray, labels: np.ndarray) -> tuple[bool, np.ndarray]:
    """Whether to average over all views, and the members' weights, from views (M, V, n, classes) and labels (n,)."""
    averaged = views.shape[1] > 1 and views_help(views, labels)
    return averaged, mixture_weights(average_views(views, averaged), labels)


def pseudo_labels(probabilities: np.ndarray, threshold: float, rows: int) -> np.ndarray:
    """Answers of one fold's networks to test rows where they are sure, to be trained on; (m,) class or -1.

    Lee 2013. They come from the networks of this very fold, which never saw its rows, so its out-of-fold answers
    stay honest. probabilities (m, classes). rows: how many of the rows may be given a label; held-out rows behind
    them never are.
    """
    labels = np.where(probabilities.max(axis=1) >= threshold, probabilities.argmax(axis=1), -1)
    labels[rows:] = -1
    return labels


def views_sentence(ensemble: EnsembleFold, labels: np.ndarray, averaged: bool) -> str:
    """What test-time augmentation does to out-of-fold rows, and what was done about it."""
    members = ensemble.by_member.mean(axis=0)
    alone, together = (average_views(members[None], mean)[0].argmax(axis=1) == labels for mean in (False, True))
    done = "The submission averages over them." if averaged else "The submission does without them."
    return f"Averaged over {', '.join(ensemble.views)}: {_change(alone, together)}. {done}"


def pseudo_sentence(before: np.ndarray, after: np.ndarray, labels: np.ndarray, added: float) -> str:
    """What pseudo-labels did to out-of-fold rows. before, after (n,): classes; added: mean pseudo-labels of a fit."""
    change = _change(before == labels, after == labels)
    return f"Trained again with {added:,.0f} test rows as they were answered: {change}."


def _change(before: np.ndarray, after: np.ndarray) -> str:
    wins, losses = int((after & ~before).sum()), int((before & ~after).sum())
    return (
        f"{wins - losses:+,} of {len(before):,} out-of-fold rows right (won {wins:,}, lost {losses:,}; exact McNemar "
        f"p = {mcnemar_exact(wins, losses):.2g})"
    )
