"""Artifacts of a search: the new recipe, the table of all trials, the figures, its record."""

import shlex
import tomllib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pipeline import storage
from pipeline.errors import COMMAND
from pipeline.jobs.tuning.figures import epochs, history, importances, parallel, slices
from pipeline.jobs.tuning.results import SearchResults, Trial, ranked
from pipeline.jobs.tuning.table import HEAD, notes, shown_trials, trial_cells
from pipeline.report.figures import save_figure
from pipeline.training import recipe as recipes
from pipeline.training.recipe import Recipe
from pipeline.training.search_space import Parameter, put, reach

BEST = "best.toml"


def best_toml(source: str | None, recipe: Recipe, values: Mapping[str, Any], *, about: str, reached: str) -> str:
    """Text of the recipe with these settings: its own file changed in place, comments and [search] kept.

    source: text of the recipe's file; None makes a plain file of its content. about: comment lines for the top.
    """
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
    folds = max((len(trial.score.accuracies) for trial in ranked(trials)), default=0)
    names = [setting.path for setting in space]
    of_folds = [f"fold_{fold + 1}_percent" for fold in range(folds)]
    figures = ["accuracy_percent", "low_percent", "high_percent", "log_loss"]
    lines = [["trial", "state", *names, *figures, *of_folds, "epochs_spent", "seconds", "reason"]]
    for trial in trials:
        cells = [""] * (4 + folds)
        if trial.score is not None:
            cells = [f"{100 * value:.4f}" for value in (*trial.accuracy(), *trial.score.accuracies)]
            cells.insert(3, f"{trial.score.log_loss:.5f}")
        spent = trial.curve[-1][0] if trial.curve else 0
        tried = [trial.values.get(name) for name in names]
        lines.append([trial.number, trial.state, *tried, *cells, spent, f"{trial.seconds:.1f}", trial.reason])
    return storage.csv_text(lines)


def next_command(folder: Path, source: Mapping[str, str], *, seed: int, holdout_share: float) -> str:
    """The main job with the best settings, on the very rows that were held out. source: the data options."""
    words = [*COMMAND.split(), "--recipe", (folder / BEST).as_posix(), "--noise", "0", "--repeats", "3"]
    words += ["--seed", str(seed), "--holdout", f"{holdout_share:g}"]
    words += [word for name, value in source.items() for word in (f"--{name.replace('_', '-')}", value)]
    return shlex.join(words)


def write_all(
    folder: Path,
    recipe: Recipe,
    source: str | None,
    results: SearchResults,
    shares: Mapping[str, float],
    *,
    seed: int,
    follow: str,
) -> None:
    """best.toml, trials.csv and the figures, into the run's folder. Raises StorageError.

    source: text of the recipe's file; see best_toml. shares: importances. follow: the command that measures the best.
    """
    best = results.best
    count = f"the best of {len(results.trials)} trials"
    figure = f"{100 * best.score.accuracy:.2f} % of {results.rows:,} rows in {results.folds} folds"
    about = (
        f"{count[0].upper()}{count[1:]} (trial {best.number}) of {results.recipe} on {results.data}, run "
        f"{folder.name}:\n{figure}; chosen by this very figure, so it is too high.\n"
        f"On rows that no trial has seen: {follow}"
    )
    reached = f"{figure}, chosen as {count}, so too high (python main.py tune, seed {seed})"
    text = best_toml(source, recipe, best.values, about=about, reached=reached)
    storage.write_text(folder / BEST, text)
    recipes.load(str(folder / BEST))
    storage.write_text(folder / "trials.csv", trials_csv(results.trials, results.space))
    drawn = {"history": history(results), "epochs": epochs(results), "slices": slices(results)}
    if len(results.space) > 1:
        drawn["parallel"] = parallel(results)
    if shares:
        drawn["importances"] = importances(results, shares)
    for name, figure in drawn.items():
        save_figure(figure, folder / name)


def record_of(results: SearchResults) -> dict[str, Any]:
    """What run.json keeps. Accuracies are shares of 1, intervals at 95 %."""
    best, own = results.best, results.own
    states = [trial.state for trial in results.trials]
    values = {"values": best.values, **best.accuracy()._asdict(), "log_loss": best.score.log_loss}
    return {
        "trial_seconds": round(sum(trial.seconds for trial in results.trials), 1),
        "rows": results.rows,
        "trials": {state: states.count(state) for state in ("complete", "pruned", "failed")},
        "best": {"trial": best.number, **values},
        "own": own and {"trial": own.number, **own.accuracy()._asdict()},
        "gain": results.gain and results.gain._asdict(),
        "expected": results.expected and results.expected._asdict(),
        "table": {"head": list(HEAD), "lines": [trial_cells(results, trial) for trial in shown_trials(results)]},
        "notes": notes(results),
        "optuna": metadata.version("optuna"),
    }
