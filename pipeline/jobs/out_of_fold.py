"""What a finished run said of labelled rows that its networks did not see, and of the test rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.runs.run_folder import EVALUATION, HELD_OUT, load_arrays

OUT_OF_FOLD, TEST = "out_of_fold.npz", "test.npz"


@dataclass(frozen=True, kw_only=True, eq=False)
class OutOfFold:
    """rows (n,): sorted indices of labelled rows; labels (n,); probabilities (n, k) of networks that did not see them.

    test (m, k): probabilities of the test rows, as the run's submission has them; None in a folder without them.
    """

    rows: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    test: np.ndarray | None


def read_out_of_fold(folder: Path, record: Mapping[str, Any]) -> OutOfFold:
    """Out-of-fold answers of a cross-validation or a blend, or the holdout's of a run at noise levels.

    record: the run's results. Raises UsageError for a run that keeps neither.
    """
    try:
        if (folder / OUT_OF_FOLD).exists():
            arrays = load_arrays(folder / OUT_OF_FOLD)
            rows, labels = arrays["rows"], arrays["labels"]
            probabilities = arrays["ensemble" if "ensemble" in arrays else "committee"]
        else:
            rows = load_arrays(folder / "holdout.npz", ("rows",))["rows"]
            labels = load_arrays(folder / HELD_OUT, ("labels",))["labels"]
            averaged = load_arrays(folder / EVALUATION, ("averaged",))["averaged"]
            probabilities = averaged[list(record["trained"]).index(record["shown"])]
        test = None
        if (folder / TEST).exists():
            arrays = load_arrays(folder / TEST)
            test = arrays["ensemble" if "ensemble" in arrays else "committee"]
    except (OSError, LookupError, ValueError) as error:
        raise UsageError(
            f"Run {folder.name} has no out-of-fold answers in {folder} ({error}): name a run made with --cv 5."
        ) from error
    order = np.argsort(rows, kind="stable")
    return OutOfFold(rows=rows[order], labels=labels[order], probabilities=probabilities[order], test=test)
