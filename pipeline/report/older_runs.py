"""Run folders without a grid.npz, as earlier versions left them: their networks and checkpoints are evaluated again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.grid import Axis, Grid, GridFold
from pipeline.evaluation.robustness.conditions import condition
from pipeline.evaluation.robustness.methods import parse_attack
from pipeline.evaluation.statistics import Comparison, compare_to_baseline
from pipeline.prediction import model_file
from pipeline.report.page_data import RunData, certificates_of, findings_of, matrix_data, read_epochs
from pipeline.runs.run_folder import HELD_OUT, HeldOut, load_arrays


def older_matrix(folder: Path, record: Mapping[str, Any]) -> RunData:
    """A main job or a comparison as the report sees it. Raises as read_run.run_data expects."""
    rows = load_arrays(folder / HELD_OUT, ("images", "labels", "classes"))
    levels = record.get("levels", {})
    if record.get("kind") == "compare":
        names = {"trained": tuple(record["trained"]), "conditions": tuple(record["conditions"])}
    else:
        names = {"trained": tuple(levels), "conditions": tuple(next(iter(levels.values())))}
    shape = {**names, "labels": rows["labels"], "classes": len(rows["classes"])}
    if record.get("kind") == "compare":
        fold, more = _comparison(folder, record, shape)
    else:
        fold, more = _main_job(folder, record, shape, rows["images"])
    grid = fold.grid()
    rows |= {"pictured": np.arange(grid.rows), "averaged": fold.mean(grid.conditions[0]), "first": fold.first}
    return matrix_data(
        folder,
        record,
        grid,
        comparisons=_comparisons(record, grid),
        axes={name: _axis(name, record.get("attacks", ())) for name in grid.conditions},
        rows=HeldOut(**rows),
        **more,
    )


def _comparison(folder: Path, record: Mapping[str, Any], shape: Mapping[str, Any]) -> tuple[GridFold, dict[str, Any]]:
    """From fits/<fit>/result.safetensors, which the record lists repeat by repeat."""
    fold = GridFold(**shape, repeats=record["repeats"])
    histories: dict[str, list] = {}
    findings, certificates = {}, {}
    for number, name in enumerate(record["fits"]):
        repeat, row = divmod(number, len(fold.trained))
        trained = fold.trained[row]
        header, arrays = _fit(folder / "fits" / name / "result.safetensors")
        fold.add(trained, repeat, dict(zip(fold.conditions, arrays["probabilities"], strict=True)))
        histories.setdefault(trained, []).append(header["history"])
        if header["findings"]:
            findings.setdefault(trained, findings_of(header["findings"]))
        if "certified" in arrays:
            certificates[trained] = certificates_of(arrays["certified"], arrays["radius"], record["certify"])
    return fold, {"histories": histories, "findings": findings, "certificates": certificates}


def _fit(file: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of a finished fit."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as fit:
            return json.loads(fit.metadata()["fit"]), {key: fit.get_tensor(key) for key in fit.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{file} is not a finished fit: {error}") from error


def _main_job(
    folder: Path, record: Mapping[str, Any], shape: Mapping[str, Any], images: np.ndarray
) -> tuple[GridFold, dict[str, Any]]:
    """From models/holdout/, whose networks are asked again."""
    files = sorted((folder / "models" / "holdout").glob("*.safetensors"))
    if not files:
        raise ValueError("version 0.9 kept no predictions, and the networks in models/holdout are gone")
    models = {file: model_file.load(file) for file in files}
    views = record["recipe"].get("run", {}).get("views", ())
    fold = GridFold(**shape, repeats=len(files) // len(shape["trained"]))
    looks = {name: condition(name, seed=record["seed"] + 1) for name in fold.conditions}
    looks |= {name: condition(name, seed=record["seed"]) for name in views}
    pictures = {name: look.apply(images) for name, look in looks.items()}
    histories: dict[str, list] = {}
    for file, model in sorted(models.items(), key=lambda item: item[1].about["key"]):
        trained, repeat = f"σ {model.about['sigma']:g}", model.about["key"][-1]
        found = {name: model.network.probabilities(changed) for name, changed in pictures.items()}
        fold.add(trained, repeat, found | {"clean": np.mean([found[name] for name in ("clean", *views)], axis=0)})
        histories.setdefault(trained, []).append(read_epochs(folder / "history" / f"{file.stem}.jsonl"))
    return fold, {"histories": histories, "shown": shape["trained"].index(f"σ {record['submitted_level']:g}")}


def _comparisons(record: Mapping[str, Any], grid: Grid) -> list[Comparison]:
    """What was compared then, by the analysis of now."""
    kept = record.get("comparisons", ())
    if not kept:
        return []
    return compare_to_baseline(grid, kept[0]["baseline"], list(dict.fromkeys(each["condition"] for each in kept)))


def _axis(name: str, attacks: tuple[str, ...]) -> Axis:
    if name not in attacks:
        return condition(name).axis
    ball = parse_attack(name)[1]
    return Axis(kind="attack", family=f"{name.split()[0]} {ball.norm}", strength=ball.epsilon)
