"""Whole ways: a run on the embedded 8×8 sample reads a picture; Kaggle's rows read real handwriting."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pipeline import dataset
from pipeline.evaluation.robustness.conditions import DistortedHoldout
from pipeline.prediction import confidence_threshold as world
from pipeline.prediction import model_file as model
from pipeline.prediction.reader import load_reader, read_picture
from pipeline.training import recipe
from pipeline.training.task import SharedRows, Split, TrainingTask, run_task

SHARED = Path(__file__).parent.parent.parent.parent / "shared"
HANDWRITING, KAGGLE = SHARED / "handwriting", SHARED / "data" / "digit-recognizer.zip"


def test_a_run_on_the_sample_reads_a_picture(inkproof, tmp_path, quick_recipe_file):
    trained = inkproof("--recipe", str(quick_recipe_file), "--repeats", "2", "--noise", "0", "--quiet")
    assert trained.returncode == 0, trained.stderr
    page = Image.new("L", (200, 200), 255)
    ImageDraw.Draw(page).ellipse((60, 40, 140, 160), outline=0, width=14)
    page.save(tmp_path / "zero.png")
    done = inkproof("predict", "zero.png", "--json", "--show", "sheet.png")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)
    assert row["label"] == 0
    assert (tmp_path / "sheet.png").exists()

    (run,) = (tmp_path / "runs").glob("*-quick-*")
    final = [model.load(path) for path in sorted((run / "models" / "final").iterdir())]
    held = [model.load(path) for path in sorted((run / "models" / "holdout").iterdir())]
    # The sample's digits fill their squares, which the default of 20 pixels in 28 would not.
    assert world.style_for(final[0]).box > 0.9
    assert final[0].about["pictures"] == final[1].about["pictures"]
    assert held[0].about["pictures"]["threshold"] != held[1].about["pictures"]["threshold"]


@pytest.mark.skipif(not (HANDWRITING / "index.csv").exists() or not KAGGLE.exists(), reason="no real pictures here")
def test_real_handwriting(tmp_path):
    """A small network after a few short epochs: far below the recipe's figures, far above those without `prepare`."""
    train = dataset.load(KAGGLE).train
    chosen = recipe.load("pictures")
    content = json.loads(json.dumps(chosen.content))
    content["network"]["layers"][1]["units"] = 128
    content["training"]["epochs"] = 6
    small = recipe.check(content, name="small", where="small")
    shared = SharedRows(
        images=train.images[:12_000],
        labels=train.labels[:12_000],
        classes=10,
        test_images=train.images[:0],
        splits={"own": Split(train=np.arange(10_000), validation=np.arange(10_000, 12_000))},
    )
    distorted = DistortedHoldout(0)
    task = TrainingTask(
        name="small",
        trained="small",
        recipe=small,
        sigma=0.0,
        repeat=0,
        key=(0,),
        split="own",
        conditions=(distorted,),
    )
    result = run_task(task, shared)
    network = small.network((28, 28), 10, rng=None)
    network.values[...] = result.values
    style = world.training_style(train.images[:10_000])
    about = {world.PICTURES: world.measure(style, result.probabilities[distorted.name], train.labels[10_000:12_000])}
    model.save(model.Model(network, train.classes, 28, about), tmp_path / "small.safetensors")

    reader = load_reader(str(tmp_path / "small.safetensors"), tmp_path)
    with (HANDWRITING / "index.csv").open(encoding="utf-8") as file:
        index = list(csv.DictReader(file))
    answers = [read_picture(reader, str(HANDWRITING / line["path"]))[0].row() for line in index]
    right = np.array([answer["label"] == int(line["label"]) for answer, line in zip(answers, index, strict=True)])
    sure = np.array([answer["verdict"] == "sure" for answer in answers])
    print(f"right {right.mean():.3f}, sure {sure.mean():.3f}, right when sure {right[sure].mean():.3f}")
    assert right.mean() > 0.75
    assert right[sure].mean() > 0.95
