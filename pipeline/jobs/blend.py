"""A blend: finished runs averaged, with weights chosen on rows that their networks did not see.

What the blend gains is told nested: the rows of each of FOLDS parts are answered with the weights that the other parts
chose.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pipeline.dataset import Competition
from pipeline.dataset.split import stratified_folds
from pipeline.errors import UsageError, counted
from pipeline.evaluation.ensemble_weights import blended, nested_out_of_fold
from pipeline.evaluation.scores import EnsembleSummary, Score
from pipeline.evaluation.statistics import paired_difference, wilson_interval
from pipeline.jobs.bench import Bench
from pipeline.jobs.cross_validation import CrossValidationOutcome, held_out_answers, write_tables
from pipeline.jobs.models import write_labels
from pipeline.jobs.out_of_fold import OUT_OF_FOLD, TEST, OutOfFold, read_out_of_fold
from pipeline.jobs.plan import SUBMITTED, FoldRows, Plan
from pipeline.runs.ledger import Ledger, Run
from pipeline.runs.ledger.diff import save_holdout
from pipeline.runs.run_folder import holdout_record, save_arrays, save_held_out
from pipeline.seeds import Stream, generator
from pipeline.training.recipe import Recipe
from pipeline.training.recipe_tables import Training

FOLDS = 5
STEPS = 20  # of the greedy choice: weights are multiples of a twentieth, or coarser
NAME = "blend"
ABOUT = (
    "A run's line is of its own answers to rows that its networks did not see; the last line of all of them, averaged "
    "with the weights that the other parts' rows chose."
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Blend(Plan):
    """runs: ids of finished runs of the same data that hold out the same rows. answers: what they said."""

    kind: ClassVar[str] = NAME
    submits: ClassVar[bool] = True

    runs: tuple[str, ...]
    answers: Sequence[OutOfFold]

    def work(self, bench: Bench) -> CrossValidationOutcome:
        train, first = self.competition.train, self.answers[0]
        folds = stratified_folds(first.labels, FOLDS, rng=generator(self.seed, Stream.FOLDS))
        fold_of = np.empty(len(first.rows), np.int64)
        for number, (_, predicted) in enumerate(folds):
            fold_of[predicted] = number
        split = FoldRows(pool=first.rows, labels=first.labels, folds=folds, fold_of=fold_of, held_out=np.arange(0))
        views = np.stack([answers.probabilities for answers in self.answers])[:, None]
        _, weights = choose(views, split.labels)
        nested = nested_out_of_fold(views, split.labels, fold_of, choose)
        final = blended(np.stack([answers.test for answers in self.answers]), weights)
        right = nested.argmax(axis=1) == split.labels
        alone = views[:, 0].argmax(axis=2) == split.labels
        summary = EnsembleSummary(
            scores=tuple(
                Score(
                    name=name,
                    networks=0,
                    by_fold=tuple(float(hits[fold_of == fold].mean()) for fold in range(FOLDS)),
                    accuracy=float(hits.mean()),
                    cpu_seconds=None,
                )
                for name, hits in zip((*self.runs, NAME), (*alone, right), strict=True)
            ),
            weights=dict(zip(self.runs, weights.tolist(), strict=True)),
            holdout=None,
            notes=(self._gain(alone, right),),
            data=self.competition.name,
            rows=len(split.pool),
            sample=self.competition.is_sample,
            about=ABOUT,
        )
        save_holdout(bench.folder, split.pool, right)
        save_held_out(bench.folder, held_out_answers(train, split, views[:, 0], nested))
        kept = {"rows": split.pool, "fold": fold_of, "labels": split.labels}
        save_arrays(bench.folder / OUT_OF_FOLD, **kept, ensemble=nested.astype(np.float32))
        save_arrays(bench.folder / TEST, ensemble=final.astype(np.float32))
        write_tables(bench.folder, summary)
        write_labels(self.competition, train.classes[final.argmax(axis=1)], bench.folder / SUBMITTED)
        return CrossValidationOutcome(folder=bench.folder, record=self._record(summary, right), summary=summary)

    def _gain(self, alone: np.ndarray, right: np.ndarray) -> str:
        """The blend against the run that is best on these very rows, which is the harder comparison."""
        best = int(alone.mean(axis=1).argmax())
        gain = paired_difference(right[None], alone[best][None])
        points = " to ".join(f"{100 * end:+.2f}" for end in (gain.low, gain.high))
        verdict = "more than chance" if gain.excludes_zero() else "no difference that these rows can show"
        return (
            f"The blend: {100 * gain.value:+.2f} points against {self.runs[best]}, the best run alone "
            f"({alone[best].mean():.2%}; 95 % interval {points}, over rows, not over seeds): {verdict}."
        )

    def _record(self, summary: EnsembleSummary, right: np.ndarray) -> dict[str, Any]:
        """What run.json keeps. Accuracies are shares of 1, intervals at 95 %."""
        accuracy = wilson_interval(int(right.sum()), len(right))
        of = f"a blend of {counted(len(self.runs), 'run')}, weights chosen on other rows"
        return {
            "holdout": holdout_record(accuracy, len(right), of),
            "folds": FOLDS,
            "repeats": 1,
            "trained": [*self.runs, NAME],
            "shown": NAME,
            "summary": asdict(summary),
            "fits": [],
        }


def choose(views: np.ndarray, labels: np.ndarray) -> tuple[bool, np.ndarray]:
    """Ensemble selection (Caruana et al. 2004): (False, weights (M,)) from views (M, 1, n, k): see nested_out_of_fold.

    Greedy and with replacement, by rows that are right: likelihood would prefer the run that is surest of itself, as
    label smoothing makes good runs modest.
    """
    counts, most, total = np.zeros(len(views)), -1, np.zeros(views.shape[2:])
    kept = counts
    for _ in range(STEPS):
        right = [int(((total + each[0]).argmax(axis=1) == labels).sum()) for each in views]
        best = int(np.argmax(right))
        total += views[best, 0]
        counts[best] += 1
        if right[best] > most:
            most, kept = right[best], counts.copy()
    return False, kept / kept.sum()


def blend_of(ids: Sequence[str], competition: Competition, ledger: Ledger) -> Blend:
    """The blend of those runs. Raises UsageError for runs that cannot be averaged."""
    runs = [ledger.run(id) for id in ids]
    names = tuple(run.id for run in runs)
    if len(set(names)) < max(2, len(names)):
        raise UsageError(f"A blend takes two or more different runs, found {', '.join(names)}: name others.")
    answers = [_answers(run, competition, ledger.folder) for run in runs]
    for name, each in zip(names, answers, strict=True):
        if not np.array_equal(each.rows, answers[0].rows):
            raise UsageError(
                f"Run {name} was measured on {counted(len(each.rows), 'row')}, {names[0]} on other rows "
                f"({len(answers[0].rows):,}): blend runs of the same --seed, --holdout and --cv."
            )
    content = {"summary": f"{counted(len(names), 'run')}, averaged: {', '.join(names)}"}
    recipe = Recipe(NAME, content, Training())
    return Blend(competition=competition, recipe=recipe, runs=names, answers=answers)


def _answers(run: Run, competition: Competition, runs: Path) -> OutOfFold:
    if run.status != "finished":
        raise UsageError(f"Run {run.id} is {run.status}: let it end, or leave it out.")
    if run.data_fingerprint != competition.fingerprint:
        raise UsageError(f"Run {run.id} is of {run.data_name}, found {competition.name}: name its data with --data.")
    answers = read_out_of_fold(runs / run.id, run.results)
    if answers.test is None or len(answers.test) != competition.test.n:
        raise UsageError(
            f"Run {run.id} kept no answers to the test rows, as comparisons and searches do: leave it out."
        )
    return answers
