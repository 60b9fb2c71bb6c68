"""Runs as version 0.9 left them, which kept no grid: their pages come from their networks and finished fits."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save

from pipeline.errors import DataError
from pipeline.evaluation.robustness.conditions import condition
from pipeline.prediction import model_file
from pipeline.report.page import write_report
from pipeline.runs.run_folder import load_grid

EVERY = ("id", "seconds", "command", "seed", "recipe", "data", "extra", "holdout", "comparisons", "versions")
MAIN = (*EVERY, "levels", "submitted_level", "submitted_because", "submission", "fit_cpu_seconds")
COMPARE = (*EVERY, "kind", "trained", "conditions", "attacks", "repeats", "certify", "baseline")


def begin(new, folder, keys, **changes):
    """The files of a run that are what they were: run.json with these keys alone, the holdout, the epochs."""
    record = json.loads((new / "run.json").read_text(encoding="utf-8"))
    folder.mkdir()
    with np.load(new / "held_out.npz") as arrays:
        rows = {name: arrays[name] for name in ("images", "labels", "classes")}
    np.savez_compressed(folder / "held_out.npz", **rows)
    shutil.copytree(new / "history", folder / "history")
    record = {name: record[name] for name in keys} | changes
    kept = ("trained", "baseline", "condition", "rows", "repeats", "points", "p", "p_holm", "family")
    record["comparisons"] = [
        {**{name: each[name] for name in kept}, "wins": 3, "losses": 1} for each in record["comparisons"]
    ]
    (folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    return record, rows


@pytest.fixture
def main_job(runs, tmp_path):
    folder = tmp_path / "main"
    begin(runs["main"], folder, MAIN)
    shutil.copytree(runs["main"] / "models", folder / "models")
    return folder


@pytest.fixture
def comparison(runs, tmp_path):
    """fits/<fit>/ with result.safetensors and model.safetensors; answers are as sure as can be, so that they add up."""
    new, folder = runs["compare"], tmp_path / "compare"
    fits = json.loads((new / "run.json").read_text(encoding="utf-8"))["fits"]
    names = [fit["file"] for fit in fits]
    record, rows = begin(new, folder, COMPARE, fits=names)
    findings = json.loads((new / "run.json").read_text(encoding="utf-8"))["findings"]
    grid = load_grid(new)
    with np.load(new / "certificates.npz") as arrays:
        certified = {
            name: (classes, radius)
            for name, classes, radius in zip(
                arrays["trained"].tolist(), arrays["classes"], arrays["radius"], strict=True
            )
        }
    for fit in fits:
        here = folder / "fits" / fit["file"]
        here.mkdir(parents=True)
        row = record["trained"].index(fit["trained"])
        said = grid.predictions[row, fit["repeat"]]
        arrays = {"values": np.zeros(3, np.float32), "probabilities": np.eye(len(rows["classes"]), dtype="f4")[said]}
        if fit["repeat"] == 0:
            arrays["certified"], arrays["radius"] = certified[fit["trained"]]
        epochs = (new / "history" / f"{fit['file']}.jsonl").read_text(encoding="utf-8").splitlines()
        header = {
            "fingerprint": "0" * 64,
            "history": [json.loads(line) for line in epochs],
            "findings": findings[fit["trained"]] if fit["repeat"] == 0 else [],
            "seconds": 1.0,
            "sha256": "0" * 64,
        }
        (here / "result.safetensors").write_bytes(save(arrays, metadata={"fit": json.dumps(header)}))
        shutil.copy(new / "fits" / "models" / f"{fit['file']}.safetensors", here / "model.safetensors")
    return folder


def shares_of(folder, images, labels, seed, views=()):
    """By hand: (σ of training, test condition) → mean accuracy of the two networks."""
    found = {}
    for sigma in ("0", "0.2"):
        networks = [
            model_file.load(folder / "models" / "holdout" / f"sigma-{sigma}-repeat-{repeat}.safetensors").network
            for repeat in (1, 2)
        ]
        looks = [images, *(condition(view, seed=seed).apply(images) for view in views)]
        clean = [sum(network.probabilities(look) for look in looks) for network in networks]
        found[f"σ {sigma}", "clean"] = np.mean([one.argmax(axis=1) == labels for one in clean])
        for test in ("σ 0.2", "σ 0.5"):
            noisy = condition(test, seed=seed + 1).apply(images)
            found[f"σ {sigma}", test] = np.mean(
                [network.logits(noisy).argmax(axis=1) == labels for network in networks]
            )
    return found


@pytest.mark.parametrize("views", [(), ("turn left 8", "shift down 1")])
def test_a_main_jobs_page_comes_from_its_networks(main_job, views):
    path = main_job / "run.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["recipe"]["run"] = {"views": list(views)}
    record["seed"] = 4  # changed pictures were drawn from it
    path.write_text(json.dumps(record), encoding="utf-8")
    text = write_report(main_job).read_text(encoding="utf-8")
    for heading in ("Verdicts", "The matrix", "Figures", "Calibration", "Confusion on clean pictures"):
        assert f"<h2>{heading}</h2>" in text
    with np.load(main_job / "held_out.npz") as rows:
        expected = shares_of(main_job, rows["images"], rows["labels"], 4, views)
    matrix = pd.read_csv(main_job / "report" / "matrix.csv")
    found = {(line.train, line.test): line.accuracy for line in matrix.itertuples()}
    assert found == pytest.approx(expected, abs=1e-6)
    epochs = pd.read_csv(main_job / "report" / "epochs.csv")
    assert epochs.groupby(["train", "repeat"]).size().to_dict() == {
        (f"σ {sigma}", repeat): 2 for sigma in ("0", "0.2") for repeat in (1, 2)
    }


def test_a_comparisons_page_is_what_it_was(runs, comparison):
    text = write_report(comparison).read_text(encoding="utf-8")
    new = runs["compare"]
    for name in ("matrix", "verdicts", "honesty", "epochs", "certificates", "certified-rows"):
        table = f"report/{name}.csv"
        assert (comparison / table).read_bytes() == (new / table).read_bytes(), name
    for name in ("against-sigma", "against-shift-right", "against-fgsm-Linf", "certificates"):
        assert (comparison / "report" / f"{name}.svg").exists()
    # The strips of both: pictures attacked with the first network.
    strip = 'alt="example pictures under fgsm Linf 0.1"'
    pictures = [
        page[page.rindex("<img", 0, page.index(strip)) : page.index(strip)]
        for page in (text, (new / "report.html").read_text(encoding="utf-8"))
    ]
    assert pictures[0] == pictures[1] and "data:image/png" in pictures[0]


def test_a_run_without_its_networks_or_with_a_damaged_fit_is_a_sentence(main_job, comparison):
    one = main_job / "models" / "holdout" / "sigma-0-repeat-2.safetensors"
    one.unlink()
    with pytest.raises(DataError, match="is incomplete"):
        write_report(main_job)
    shutil.rmtree(main_job / "models")
    with pytest.raises(DataError, match=r"kept no predictions, and the networks in models/holdout are gone"):
        write_report(main_job)
    fit = comparison / "fits" / "sigma-0.2-repeat-2" / "result.safetensors"
    fit.write_bytes(fit.read_bytes()[:-5])
    with pytest.raises(DataError, match="is not a finished fit"):
        write_report(comparison)
    fit.unlink()
    with pytest.raises(DataError, match="is incomplete"):
        write_report(comparison)


@pytest.mark.parametrize(
    ("kind", "files"), [("folds", r"table\.md and folds\.csv"), ("tune", r"trials\.csv and figures")]
)
def test_what_had_no_page_then_is_told_what_it_has(tmp_path, runs, kind, files):
    record = json.loads((runs[kind] / "run.json").read_text(encoding="utf-8"))
    for name in ("summary", "table", "notes"):
        record.pop(name, None)
    (tmp_path / kind).mkdir()
    (tmp_path / kind / "run.json").write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(DataError, match=f"written by an earlier version, which left {files} instead of a report"):
        write_report(tmp_path / kind)
