"""The report's tables as records: the page draws from them, and each is a CSV file beside it."""

from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.evaluation.robustness.calibration import cross_tempered, reliability, risk_coverage
from pipeline.evaluation.robustness.ladder import Ladders
from pipeline.report.page_data import RunData

COVERAGES = (1.0, 0.99, 0.95, 0.9)
RADII = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)


def tables(run: RunData) -> dict[str, list[dict[str, Any]]]:
    """File name → table, for everything that this run can tell. Shares are 0 to 1, `points` are percentage points."""
    drawn = {"epochs": _epochs(run), "matrix": _matrix(run) if run.grid is not None else []}
    drawn |= {"verdicts": _verdicts(run), "honesty": _honesty(run)}
    if run.rows is not None:
        drawn |= {"confusion": _confusion(run), "classes": _classes(run), "calibration": _calibration(run)}
    drawn |= {"certificates": _certificates(run), "certified-rows": _certified_rows(run)}
    if run.ladders is not None:
        drawn |= {"attacked-and-proven": ladder_table(run.ladders), "transfer": _transfer(run.ladders)}
    return {name: records for name, records in drawn.items() if records}


def _epochs(run: RunData) -> list[dict]:
    return [
        {"train": name, "repeat": repeat, **epoch}
        for name, histories in run.histories.items()
        for repeat, history in enumerate(histories, 1)
        for epoch in history
    ]


def ladder_table(ladders: Ladders) -> list[dict]:
    """A line for each network: median distance, then at each ε the shares that attacks leave and that are proven."""
    found = []
    for place, name in enumerate(ladders.trained.tolist()):
        line = {"train": name, "rows": ladders.clean.shape[1], "median_distance": ladders.median_distance(place)}
        for step, epsilon in enumerate(ladders.epsilons.tolist()):
            line[f"attacked_at_{epsilon:g}"] = float(ladders.attacked[place, step].mean())
            proven = float(ladders.proven[place, step].mean()) if ladders.provable[place] else None
            line[f"proven_at_{epsilon:g}"] = proven
        found.append(line)
    return found


def _transfer(ladders: Ladders) -> list[dict]:
    names = ladders.trained.tolist()
    return [
        {"epsilon": epsilon, "made_against": made, "read_by": reader, "accuracy": float(accuracy)}
        for epsilon, matrix in zip(ladders.epsilons.tolist(), ladders.transferred, strict=True)
        for made, row in zip(names, matrix, strict=True)
        for reader, accuracy in zip(names, row, strict=True)
    ]


def _matrix(run: RunData) -> list[dict]:
    return [
        {"train": name, "test": test, "accuracy": cell.value, "low": cell.low, "high": cell.high}
        for name, row in zip(run.trained, run.cells, strict=True)
        for test, cell in zip(run.conditions, row, strict=True)
    ]


def _verdicts(run: RunData) -> list[dict]:
    figures = ("level", "p", "p_holm", "detectable")
    return [
        {"train": one.trained, "test": one.condition, "verdict": one.verdict, "points": one.points.value}
        | {"low": one.points.low, "high": one.points.high, **{name: getattr(one, name) for name in figures}}
        for one in run.comparisons
    ]


def _honesty(run: RunData) -> list[dict]:
    return [{"train": name, **asdict(finding)} for name, findings in run.findings.items() for finding in findings]


def confusion(run: RunData, trained: int) -> np.ndarray:
    """(k, k) int: how many clean holdout rows of each class (down) the averaged networks gave each class (across)."""
    classes = len(run.rows.classes)
    said = run.rows.averaged[trained].argmax(axis=1)
    return np.bincount(run.rows.labels * classes + said, minlength=classes**2).reshape(classes, classes)


def _confusion(run: RunData) -> list[dict]:
    return [
        {"train": name, "true": true, "said": said, "rows": count, "share_of_true": count / max(1, row.sum())}
        for place, name in enumerate(run.trained)
        for true, row in zip(run.rows.classes.tolist(), confusion(run, place), strict=True)
        for said, count in zip(run.rows.classes.tolist(), row.tolist(), strict=True)
    ]


def _classes(run: RunData) -> list[dict]:
    """Precision and recall; None where no row was said to be, or is, of the class."""
    from sklearn.metrics import precision_recall_fscore_support

    records, classes = [], range(len(run.rows.classes))
    for place, name in enumerate(run.trained):
        said = run.rows.averaged[place].argmax(axis=1)
        figures = precision_recall_fscore_support(run.rows.labels, said, labels=classes, zero_division=np.nan)
        for label, precision, recall, _, support in zip(run.rows.classes.tolist(), *figures, strict=True):
            records.append({"train": name, "class": label, "rows": support, "precision": precision, "recall": recall})
    return records


def _calibration(run: RunData) -> list[dict]:
    records, labels = [], run.rows.labels
    for name, probabilities in zip(run.trained, run.rows.first, strict=True):
        curve = risk_coverage(probabilities, labels)
        calibrated, temperature = cross_tempered(probabilities, labels)
        ece, after = (reliability(each, labels).ece for each in (probabilities, calibrated))
        at = {f"accuracy_of_surest_{share:.0%}": curve.at_coverage(share)[2] for share in COVERAGES}
        records.append({"train": name, "ece": ece, "temperature": temperature, "ece_calibrated": after, **at})
    return records


def _certificates(run: RunData) -> list[dict]:
    records = []
    for name, one in run.certificates.items():
        labels = run.rows.labels[: len(one.classes)]
        radii = [radius for radius in RADII if radius <= one.largest_radius]
        at = dict(zip((f"certified_at_{radius:g}" for radius in radii), one.accuracy(labels, radii), strict=True))
        average, abstained = one.average_radius(labels), float((one.classes < 0).mean())
        records.append({"train": name, "rows": len(labels), **at, "average_radius": average, "abstained": abstained})
    return records


def _certified_rows(run: RunData) -> list[dict]:
    """Row by row of the holdout: the class that is certified, or "abstain", and the L2 radius that it holds for."""
    if not run.certificates:
        return []
    classes = [*run.rows.classes.tolist(), "abstain"]  # which is −1
    return [
        {"train": name, "row": row, "true": classes[run.rows.labels[row]], "certified": classes[said], "radius": radius}
        for name, one in run.certificates.items()
        for row, (said, radius) in enumerate(zip(one.classes.tolist(), one.radius.tolist(), strict=True))
    ]
