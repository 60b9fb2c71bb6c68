"""The ledger's runs in an MLflow store, for who keeps all their experiments there.

mlflow-skinny is an extra: it is imported when an export is asked for, and nowhere else.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from pipeline.errors import InkproofError, UsageError, without_password
from pipeline.runs.ledger.database import Run
from pipeline.runs.ledger.diff import flatten

EXPERIMENT = "inkproof"
TAG = "inkproof.run"
# MLflow's own words for how a run ended.
STATUS = {"running": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
PARAMETER_LENGTH = 6000
# In the results, but not a result: these are a run's settings.
NOT_RESULTS = ("recipe", "data", "seed", "command")


def export(runs: Iterable[Run], uri: str, experiment: str = EXPERIMENT) -> int:
    """Copy `runs` to the MLflow store at `uri` and return how many were new. Those there already stay.

    Raises UsageError when mlflow-skinny is missing, InkproofError when the store refuses.
    """
    try:
        from mlflow.exceptions import MlflowException
        from mlflow.tracking import MlflowClient
    except ImportError as error:
        raise UsageError(
            "--mlflow needs mlflow-skinny, which is missing: type `python -m pip install mlflow-skinny`."
        ) from error
    try:
        client = MlflowClient(tracking_uri=uri)
        known = client.get_experiment_by_name(experiment)
        target = known.experiment_id if known else client.create_experiment(experiment)
        return sum(_export_one(client, target, run) for run in runs)
    except ImportError as error:
        # mlflow-skinny leaves out what a database needs.
        raise UsageError(
            f"{without_password(uri)} needs the package {error.name}, which is missing: type "
            f"`python -m pip install {error.name}`."
        ) from error
    except MlflowException as error:
        reason = without_password(str(error).splitlines()[0])
        raise InkproofError(
            f"MLflow at {without_password(uri)} refused the export ({reason}): check the address given as --mlflow."
        ) from error


def _export_one(client: Any, experiment: str, run: Run) -> bool:
    if client.search_runs([experiment], filter_string=f"tags.`{TAG}` = '{run.id}'", max_results=1):
        return False
    tags = {"mlflow.runName": run.id, "mlflow.source.git.commit": run.git_commit or ""}
    created = client.create_run(experiment, start_time=_milliseconds(run.started), tags=tags).info.run_id
    parameters = flatten(run.recipe) | {"seed": run.seed, "data": run.data_name}
    for name, value in (parameters | {"data_fingerprint": run.data_fingerprint}).items():
        client.log_param(created, _name(name), str(value)[:PARAMETER_LENGTH])
    results = {name: value for name, value in run.results.items() if name not in NOT_RESULTS}
    figures = flatten(results) | {"public_score": run.public_score}
    for name, value in figures.items():
        if isinstance(value, int | float):
            client.log_metric(created, _name(name), float(value))
    end = _milliseconds(run.finished) if run.finished else None
    client.set_terminated(created, STATUS[run.status], end)
    # Last, so that an export that broke off in a run does that run again.
    client.set_tag(created, TAG, run.id)
    return True


def _name(name: str) -> str:
    """MLflow takes letters, digits and a few signs in names: σ=0.1 becomes _0.1."""
    return re.sub(r"[^A-Za-z0-9_\-. /]+", "_", name)


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
