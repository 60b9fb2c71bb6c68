"""What a search leaves: the new recipe, the table of all trials, the figures, its record."""

from __future__ import annotations

import csv
import io
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import storage
from pipeline.dataset import Competition
from pipeline.evaluation.statistics import Estimate
from pipeline.jobs.tuning.figures import Searched, Tried, epochs, history, importances
from pipeline.jobs.tuning.plan import Settings, all_versions
from pipeline.jobs.tuning.results import Trial, ranked
from pipeline.jobs.tuning.settings_figures import parallel, slices
from pipeline.jobs.tuning.workers import Work
from pipeline.report.figures import save_figure
from pipeline.runs.run_folder import data_record
from pipeline.training import recipe as recipes
from pipeline.training.recipe import Recipe
from pipeline.training.search_space import Parameter, put, reach

BEST = "best.toml"


@dataclass(frozen=True)
class Outcome:
    """What a search found.

    trials: all that ended. own: that of the recipe's own settings, None where it failed. gain: the best less own.
    expected: the accuracy that the choice is worth, None with a single complete trial. next: the command that
    measures the best on the rows held out.
    """

    folder: Path
    rows: int
    trials: list[Trial]
    best: Trial
    own: Trial | None
    gain: Estimate | None
    expected: Estimate | None
    next: str


def write_best(path: Path, source: str | None, recipe: Recipe, best: Trial, *, about: str, reached: str) -> None:
    """Write the recipe with the best trial's settings: its own file changed in place, comments and [search] kept.

    source: text of the recipe's file; None makes a plain file of its content. about: comment lines for the top.
    """
    storage.write_text(path, best_toml(source, recipe, best.values, about=about, reached=reached))
    recipes.load(str(path))


def best_toml(source: str | None, recipe: Recipe, values: Mapping[str, Any], *, about: str, reached: str) -> str:
    """The text of that file."""
    import tomlkit

    if source is None or tomllib.loads(source) != recipe.content:
        source = tomlkit.dumps(recipe.content)
    document = tomlkit.parse(source)
    for path, value in values.items():
        _put_noting(document, path, value)
    document["summary"] = f"{recipe.summary.removesuffix(', tuned')}, tuned"
    document["reached"] = reached
    return "".join(f"# {line}\n" for line in about.splitlines()) + tomlkit.dumps(document)


def _put_noting(document: Any, path: str, value: Any) -> None:
    """Replace a setting; where there is room for a comment, one says what it was: the old comment may be wrong now."""
    import tomlkit
    from tomlkit.items import InlineTable, Table

    parent = reach(document, path.rpartition(".")[0])
    key = path.rpartition(".")[2]
    if isinstance(parent, Table) and not isinstance(parent, InlineTable) and parent[key] != value:
        was = tomlkit.item(parent[key]).as_string()
        value = tomlkit.item(value)
        value.comment(f"was {was}")
        value.trivia.comment_ws = "  "
    put(document, path, value)


def trials_csv(trials: Sequence[Trial], space: Sequence[Parameter]) -> str:
    """One line a trial: what it tried, what came of it. Accuracies in %, log-loss in nats, seconds of wall time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    folds = max((len(one.score.accuracies) for one in ranked(trials)), default=0)
    names = [one.path for one in space]
    of_folds = [f"fold_{fold + 1}_percent" for fold in range(folds)]
    figures = ["accuracy_percent", "low_percent", "high_percent", "log_loss"]
    writer.writerow(["trial", "state", *names, *figures, *of_folds, "epochs_spent", "seconds", "reason"])
    for one in trials:
        cells: list[str] = [""] * (4 + folds)
        if one.score is not None:
            cells = [f"{100 * value:.4f}" for value in one.accuracy()]
            cells += [f"{one.score.log_loss:.5f}", *(f"{100 * value:.4f}" for value in one.score.accuracies)]
        spent = one.curve[-1][0] if one.curve else 0
        tried = [one.values.get(name, "") for name in names]
        writer.writerow([one.number, one.state, *tried, *cells, spent, f"{one.seconds:.1f}", one.reason or ""])
    return buffer.getvalue()


def next_command(settings: Settings, folder: Path) -> str:
    """The main job with the best settings, on the very rows that were held out."""
    words = ["python", "main.py", "--recipe", (folder / BEST).as_posix(), "--noise", "0", "--repeats", "3"]
    words += ["--seed", str(settings.seed), "--holdout", f"{settings.holdout:g}"]
    return shlex.join([*words, *settings.data])


def write_all(
    competition: Competition, settings: Settings, work: Work, outcome: Outcome, shares: dict[str, float]
) -> None:
    """best.toml, trials.csv and the figures, into the run's folder. Raises StorageError."""
    best, n = outcome.best, outcome.rows
    count = f"the best of {len(outcome.trials)} trials"
    figure = f"{100 * best.score.accuracy:.2f} % of {n:,} rows in {settings.folds} folds"
    about = (
        f"{count[0].upper()}{count[1:]} (trial {best.number}) of {settings.recipe.name} on {competition.name}, run "
        f"{outcome.folder.name}:\n{figure}; chosen by this very figure, so it is too high.\n"
        f"On rows that no trial has seen: {outcome.next}"
    )
    reached = f"{figure}, chosen as {count}, so too high (python main.py tune, seed {settings.seed})"
    write_best(outcome.folder / BEST, settings.source, settings.recipe, best, about=about, reached=reached)
    storage.write_text(outcome.folder / "trials.csv", trials_csv(outcome.trials, work.space))
    tried = [
        Tried(
            one.number,
            one.state,
            one.values,
            None if one.score is None else one.score.accuracy,
            one.curve,
            one is outcome.own,
        )
        for one in outcome.trials
    ]
    searched = Searched(
        tried,
        best.number,
        work.space,
        [work.longest * (fold + 1) for fold in range(settings.folds)],
        f"{competition.name}, {settings.recipe.name}: {len(tried)} trials on {settings.folds} folds of {n:,} rows.",
    )
    drawn = {"history": history(searched), "epochs": epochs(searched), "slices": slices(searched)}
    if len(work.space) > 1:
        drawn["parallel"] = parallel(searched)
    if shares:
        drawn["importances"] = importances(searched, shares)
    for name, one in drawn.items():
        save_figure(one, outcome.folder / name)


def record_of(competition: Competition, settings: Settings, outcome: Outcome, seconds: float) -> dict[str, Any]:
    """What the ledger and run.json keep. Accuracies are shares of 1, intervals at 95 %."""
    best, own = outcome.best, outcome.own
    states = [one.state for one in outcome.trials]
    return {
        "kind": "tune",
        "seconds": round(seconds, 1),
        "trial_seconds": round(sum(one.seconds for one in outcome.trials), 1),
        "seed": settings.seed,
        "recipe": settings.recipe.record,
        "data": data_record(competition),
        "folds": settings.folds,
        "rows": outcome.rows,
        "trials": {state: states.count(state) for state in ("complete", "pruned", "failed")},
        "best": {
            "trial": best.number,
            "values": best.values,
            **best.accuracy()._asdict(),
            "log_loss": best.score.log_loss,
        },
        "own": None if own is None else {"trial": own.number, **own.accuracy()._asdict()},
        "gain": None if outcome.gain is None else outcome.gain._asdict(),
        "expected": None if outcome.expected is None else outcome.expected._asdict(),
        "pruner": settings.pruner,
        "holdout_share": settings.holdout,
        "versions": all_versions(),
    }
