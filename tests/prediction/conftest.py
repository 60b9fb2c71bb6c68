"""Drawn digits, and a run of two networks that were trained on them in a moment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_digits import CLASSES, draw

from pipeline.nn.layers import Dense, Flatten, ReLU
from pipeline.nn.losses import SoftmaxCrossEntropy
from pipeline.nn.network import Network
from pipeline.nn.optimizers import Adam
from pipeline.prediction import model_file as model
from pipeline.prediction.picture import prepare
from pipeline.training import Streams, TrainingData, TrainingPlan, fit


def train(seed, rows, labels):
    network = Network([Flatten(), Dense(24), ReLU(), Dense(3)], rows.shape[1:], rng=Streams.of(seed).weights)
    plan = TrainingPlan(
        loss=SoftmaxCrossEntropy(label_smoothing=0.1),
        optimizer=Adam(network.params.size, network.dtype),
        schedule=lambda step, steps: 0.01,
        epochs=12,
        batch_size=30,
    )
    fit(network, TrainingData(rows=rows, labels=labels), plan, streams=Streams.of(seed))
    return model.Model(network, CLASSES, rows.shape[1], {"pictures": {"threshold": 0.75}})


@pytest.fixture(scope="session")
def trained():
    """Two models that tell the three apart."""
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    rows = [
        prepare(np.asarray(draw(CLASSES[label], pen=int(rng.integers(7, 12)), jitter=0.05, rng=rng))).image
        for label in labels
    ]
    return [train(seed, np.stack(rows), labels) for seed in (0, 1)]


@pytest.fixture
def run(tmp_path, trained, monkeypatch):
    """A folder with a run in it, which is also the current one: its two final networks, and one other that differs."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "20260101-000000-drawn-0000"
    for number, each in enumerate(trained, 1):
        model.save(each, folder / "models" / "final" / f"all-rows-repeat-{number}.safetensors")
    odd = replace(trained[0], classes=np.array([3, 4, 5]))
    model.save(odd, folder / "models" / "holdout" / "sigma-0-repeat-1.safetensors")
    return folder


@pytest.fixture
def pictures(tmp_path):
    """A folder with 0_a.png, 1_b.png, 7_c.png."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for digit, name in ((0, "0_a"), (1, "1_b"), (7, "7_c")):
        draw(digit).save(folder / f"{name}.png")
    return folder
