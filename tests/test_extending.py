"""docs/extending.md is true: one class and one entry in a list are enough, and what is missing is a sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from pipeline import augment, dataset, jobs
from pipeline.errors import UsageError
from pipeline.evaluation.robustness import corruptions, methods
from pipeline.evaluation.robustness.condition_names import columns
from pipeline.evaluation.robustness.conditions import condition
from pipeline.jobs.bench import JobOptions
from pipeline.jobs.driver import run_job
from pipeline.jobs.plan import Outcome, Plan
from pipeline.jobs.progress import RunLog
from pipeline.nn import layers
from pipeline.nn.layers import Layer
from pipeline.prediction import model_file
from pipeline.prediction.onnx_export import to_onnx
from pipeline.training import recipe as recipes
from pipeline.training import twins

ROOT = Path(__file__).parent.parent


class Cube(Layer):
    """y = x³."""

    def forward(self, x, ctx):
        return x**3, lambda dy: 3 * x**2 * dy


class Mirror:
    """Every picture's left and right exchanged."""

    def __call__(self, batch, *, rng):
        return batch[:, :, ::-1]


class ToWhite:
    """As bright as the ball allows."""

    def run(self, target, pictures, labels, ball, *, rng):
        return ball.clip(pictures + ball.epsilon, pictures)


@pytest.fixture
def with_layer(quick_recipe, monkeypatch):
    """The quick recipe with a Cube in the place of its ReLU."""
    monkeypatch.setitem(layers.LAYERS, "Cube", Cube)
    specs = [
        {"layer": "Cube"} if spec["layer"] == "ReLU" else spec for spec in quick_recipe.content["network"]["layers"]
    ]
    return recipes.check({**quick_recipe.content, "network": {"layers": specs}}, name="cubed", where="here")


def test_a_layer_is_built_from_recipes_and_kept_in_model_files(tmp_path, with_layer):
    network = with_layer.network((6, 6), 3, rng=np.random.default_rng(0))
    model = model_file.Model(network, np.arange(3), 6, {})
    model_file.save(model, tmp_path / "cubed.safetensors")
    pictures = np.random.default_rng(1).integers(0, 255, (2, 6, 6), dtype=np.uint8)
    again = model_file.load(tmp_path / "cubed.safetensors")
    np.testing.assert_array_equal(again.network.probabilities(pictures), model.network.probabilities(pictures))


def test_without_a_reference_implementation_or_an_onnx_form_it_is_refused_by_name(with_layer):
    network = with_layer.network((6, 6), 3, rng=np.random.default_rng(0))
    with pytest.raises(UsageError, match="Cube has no reference implementation"):
        twins.twin_of(network)
    with pytest.raises(UsageError, match="The layer Cube has no counterpart"):
        to_onnx(model_file.Model(network, np.arange(3), 6, {}))


def test_an_augmentation_is_what_recipes_may_name(quick_recipe, monkeypatch):
    monkeypatch.setitem(augment.CHANGES, "Mirror", Mirror)
    mirrored = recipes.check({**quick_recipe.content, "augment": [{"change": "Mirror"}]}, name="m", where="here")
    batch = np.arange(12, dtype=np.float32).reshape(1, 3, 4) / 12
    change = mirrored.augment(0.0)
    np.testing.assert_array_equal(change(batch.copy(), rng=np.random.default_rng(0)), batch[:, :, ::-1])


def test_a_corruption_is_a_test_condition_with_a_curve_of_its_own(monkeypatch):
    factors = (0.9, 0.8, 0.7, 0.6, 0.5)
    monkeypatch.setitem(corruptions.CORRUPTIONS, "dimmer", (lambda images, factor, *, rng: images * factor, factors))
    dimmer = condition("dimmer 2")
    np.testing.assert_allclose(dimmer.apply(np.full((1, 4, 4), 255, np.uint8)), 0.8, rtol=1e-6)
    assert (dimmer.axis.kind, dimmer.axis.family, dimmer.axis.strength) == ("corruption", "dimmer", 2)


def test_an_attack_is_a_column(monkeypatch):
    monkeypatch.setitem(methods.METHODS, "to-white", ToWhite)
    monkeypatch.setattr("pipeline.evaluation.robustness.condition_names.NAMES", ("clean", "to-white"))
    _, (attack,) = columns(["to-white Linf 0.1"], seed=0)
    assert (attack.name, attack.axis.family, attack.axis.strength) == ("to-white Linf 0.1", "to-white Linf", 0.1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Counting(Plan):
    """A job that counts its rows."""

    kind: ClassVar[str] = "count"

    def work(self, bench):
        bench.run_log.say("counting")
        return Outcome(folder=bench.folder, record={"rows": self.competition.train.n})


def test_a_job_gets_a_run_folder_a_record_and_an_entry(tmp_path, quick_recipe, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(jobs.PLANS, "count", f"{__name__}:Counting")
    monkeypatch.setattr("pipeline.jobs.driver.write_report", lambda folder, record: None)
    plan = jobs.plan_class("count")(competition=dataset.load(), recipe=quick_recipe)
    outcome = run_job(plan, JobOptions(runs=tmp_path / "runs"), RunLog(quiet=True))
    assert outcome.record["rows"] == plan.competition.train.n
    assert {"run.json", "job.json", "log.txt"} <= {path.name for path in outcome.folder.iterdir()}


def test_the_places_that_the_page_names_are_there():
    page = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:nn|augment|evaluation|jobs|cli|training)/[a-z_/.]+|checks\.py)`", page):
        assert (ROOT / "pipeline" / name).exists(), name
    assert set(re.findall(r"^\| (an? [a-z]+|a kind of job)", page, re.M)) >= {"an activation", "a layer", "an attack"}
