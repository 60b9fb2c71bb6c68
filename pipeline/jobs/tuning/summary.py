"""What is said of a search at its end: the lines of its table, and the sentences below it."""

from __future__ import annotations

from typing import Any

from pipeline.jobs.tuning.artifacts import Outcome
from pipeline.jobs.tuning.plan import Settings
from pipeline.jobs.tuning.results import ranked
from pipeline.jobs.tuning.table import Line, points
from pipeline.training.recipe import Recipe
from pipeline.training.search_space import search_space

SHOWN = 5


def lines(outcome: Outcome) -> list[Line]:
    """The best SHOWN trials, and the recipe's own where it is not among them."""
    complete = ranked(outcome.trials)
    shown = complete[:SHOWN] + [one for one in complete[SHOWN:] if one is outcome.own]
    return [
        Line(
            one.number,
            one.accuracy(),
            None if outcome.own is None or one is outcome.own else one.better_than(outcome.own),
            one.score.log_loss,
            one is outcome.own,
        )
        for one in shown
    ]


def changes(outcome: Outcome, recipe: Recipe) -> dict[str, tuple[Any, Any]]:
    """Path → (the recipe's value, the best trial's)."""
    return {one.path: (one.own, outcome.best.values[one.path]) for one in search_space(recipe.content)}


def notes(outcome: Outcome, settings: Settings) -> list[str]:
    """What the figures rest on, and what they do not say."""
    states = [one.state for one in outcome.trials]
    found = [
        f"{len(states)} trials: {states.count('complete')} complete, {states.count('pruned')} pruned, "
        f"{states.count('failed')} failed. Accuracy: mean of {settings.folds} folds of {outcome.rows:,} rows, the same "
        "for all trials; intervals are of the luck of the rows, not of the seed. Log-loss in nats."
    ]
    found += [f"Trial {one.number} failed: {one.reason}" for one in outcome.trials if one.reason]
    if outcome.own is None:
        found.append("The recipe's own settings failed, so there is nothing to compare the best with.")
    elif outcome.gain is None:
        found.append("No trial did better than the recipe's own settings.")
    else:
        seen = "more than" if outcome.gain.low > 0 else "no more than"
        found.append(f"The best gains {points(outcome.gain)} points on the recipe: {seen} the luck of the rows can do.")
    if outcome.expected is not None:
        value, low, high = (100 * number for number in outcome.expected)
        found.append(
            f"The best of {states.count('complete')} is in part the luckiest (winner's curse), and all trials share "
            f"these folds and seeds. Chosen on some of the rows and judged on the others, 1,000 times, it reached "
            f"{value:.2f} % (95 % of them {low:.2f} to {high:.2f}). The search itself has looked at these rows, which "
            "that does not undo: only rows that no trial has seen tell."
        )
    return found
