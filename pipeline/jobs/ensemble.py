"""A committee's answers: what the networks of all folds said, and what is chosen from it on rows none of them saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.ensemble_weights import mixture_weights, seen, views_help
from pipeline.evaluation.statistics import mcnemar_exact
from pipeline.training.task import TrainingResult


@dataclass(frozen=True, eq=False)
class Answers:
    """Probabilities, float32, of M members × R repeats × F folds under V views.

    held (M, R, V, n, classes): out-of-fold, of the n rows that the folds are of.
    asked (F, M, V, m, classes): of the m rows that no fold has, repeats averaged.
    """

    held: np.ndarray
    asked: np.ndarray

    @classmethod
    def of(cls, results: Sequence[TrainingResult], folds: Sequence[np.ndarray], *, members: int, views: int) -> Answers:
        """From the fits' results, which come fold by fold, in it repeat by repeat, in it member by member.

        folds: the rows of each, which its fits answered before the asked rows. Answers to more than `views`
        conditions are left aside.
        """
        repeats = len(results) // (len(folds) * members)
        found = [result.probabilities[:views] for result in results]
        classes = found[0].shape[-1]
        held = np.empty((members, repeats, views, sum(map(len, folds)), classes), np.float32)
        asked = np.empty((len(folds), members, views, found[0].shape[1] - len(folds[0]), classes), np.float32)
        for fold, rows in enumerate(folds):
            here = found[fold * repeats * members : (fold + 1) * repeats * members]
            for member in range(members):
                own = here[member::members]
                for repeat, probabilities in enumerate(own):
                    held[member, repeat][:, rows] = probabilities[:, : len(rows)]
                asked[fold, member] = np.mean([probabilities[:, len(rows) :] for probabilities in own], axis=0)
        return cls(held, asked)

    @property
    def by_member(self) -> np.ndarray:
        """(M, V, n, classes): out-of-fold probabilities, repeats averaged."""
        return self.held.mean(axis=1)

    def plain(self) -> np.ndarray:
        """(n,) class of each row by the plain average of all networks that did not see it, as the picture is."""
        return self.by_member[:, 0].mean(axis=0).argmax(axis=1)


def choose(views: np.ndarray, labels: np.ndarray) -> tuple[bool, np.ndarray]:
    """Whether to average over all views, and the members' weights, from views (M, V, n, classes) and labels (n,)."""
    averaged = views.shape[1] > 1 and views_help(views, labels)
    return averaged, mixture_weights(seen(views, averaged), labels)


def pseudo_labels(answers: Answers, fold: int, threshold: float, rows: int) -> np.ndarray:
    """Answers of one fold's networks to the asked rows where they are sure, to be trained on; (m,) class or -1.

    Lee 2013. They come from the networks of this very fold, which never saw its rows, so its out-of-fold answers
    stay honest. rows: how many of the asked rows may be given a label; held-out rows behind them never are.
    """
    probabilities = answers.asked[fold, :, 0].mean(axis=0)
    labels = np.where(probabilities.max(axis=1) >= threshold, probabilities.argmax(axis=1), -1)
    labels[rows:] = -1
    return labels


def views_sentence(answers: Answers, labels: np.ndarray, averaged: bool, names: Sequence[str]) -> str:
    """What averaging over the views does to out-of-fold rows, and what was done about it."""
    members = answers.by_member.mean(axis=0)
    alone, together = (seen(members[None], mean)[0].argmax(axis=1) == labels for mean in (False, True))
    done = "The submission averages over them." if averaged else "The submission does without them."
    return f"Averaged over {', '.join(names)}: {_change(alone, together)}. {done}"


def pseudo_sentence(before: Answers, after: Answers, labels: np.ndarray, taught: float) -> str:
    """What training with pseudo-labels did to out-of-fold rows. taught: mean number of pseudo-labels of a fit."""
    change = _change(before.plain() == labels, after.plain() == labels)
    return f"Trained again with {taught:,.0f} test rows as they were answered: {change}."


def _change(before: np.ndarray, after: np.ndarray) -> str:
    wins, losses = int((after & ~before).sum()), int((before & ~after).sum())
    return (
        f"{wins - losses:+,} of {len(before):,} out-of-fold rows right (won {wins:,}, lost {losses:,}; exact McNemar "
        f"p = {mcnemar_exact(wins, losses):.2g})"
    )
