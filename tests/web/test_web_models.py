"""Which networks the page finds and loads."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.errors import ModelFileError, UsageError
from pipeline.prediction import model_file as model
from pipeline.web.models import load_models


@pytest.fixture
def run(tmp_path, make_model):
    """A run's folder with levels 0, 0.5, 0.1, two repeats each, and networks trained on all rows."""
    folder = tmp_path / "runs" / "20260102-000000-default-aaaa"
    for sigma in (0.0, 0.5, 0.1):
        for repeat in (1, 2):
            made = make_model(repeat, sigma, side=6)
            model.save(made, folder / "models" / "holdout" / f"sigma-{sigma:g}-repeat-{repeat}.safetensors")
    for repeat in (1, 2, 10):
        made = make_model(repeat, 0.1, side=6)
        model.save(made, folder / "models" / "final" / f"all-rows-repeat-{repeat}.safetensors")
    return folder


def test_a_run_gives_one_network_a_level_and_the_submitted_one(run):
    models = load_models(run)
    assert models.default.name == "all-rows"
    assert [choice.name for choice in models.levels] == [
        "sigma-0-repeat-1",
        "sigma-0.1-repeat-1",
        "sigma-0.5-repeat-1",
    ]
    assert [choice.sigma for choice in models.levels] == [0, 0.1, 0.5]
    assert models.get(None) is models.default
    assert models.get("sigma-0.1-repeat-1").sigma == 0.1
    assert models.style.side == 6
    assert len(models.default.reader.models) == 3


def test_the_default_answers_as_predict_does(run, tmp_path):
    from pipeline.prediction.reader import load_reader

    images = np.random.default_rng(0).integers(0, 256, (5, 6, 6), dtype=np.uint8)
    reader = load_reader(None, tmp_path / "runs")
    np.testing.assert_array_equal(load_models(run).default.probabilities(images), reader.probabilities(images))


def test_one_file_answers_and_is_the_only_level(run):
    models = load_models(run / "models" / "holdout" / "sigma-0.5-repeat-2.safetensors")
    assert models.default.name == "sigma-0.5-repeat-2"
    assert models.levels == (models.default,)


def test_a_plain_folder_of_files(run):
    models = load_models(run / "models" / "holdout")
    assert models.default is models.levels[0]
    assert len(models.levels) == 3


def test_many_levels_are_thinned_out(tmp_path, make_model):
    for i in range(15):
        model.save(make_model(0, i / 10, side=6), tmp_path / f"sigma-{i / 10:g}.safetensors")
    levels = load_models(tmp_path).levels
    assert len(levels) == 8
    assert (levels[0].sigma, levels[-1].sigma) == (0.0, 1.4)


def test_networks_for_other_pictures_do_not_mix(tmp_path, make_model):
    model.save(make_model(0, 0.1, side=6), tmp_path / "a.safetensors")
    model.save(make_model(0, 0.2, side=8), tmp_path / "b.safetensors")
    with pytest.raises(UsageError, match="do not take the same pictures"):
        load_models(tmp_path)


def test_what_is_not_there(tmp_path, run):
    with pytest.raises(UsageError, match="does not exist"):
        load_models(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFileError, match="no model files"):
        load_models(tmp_path / "empty")
    with pytest.raises(UsageError, match="choose one of"):
        load_models(run).get("gpt")


def test_accuracy_and_examples_come_from_the_run(run):
    clean = {"clean": {"value": 0.9, "low": 0.85, "high": 0.95}}
    held = {"rows": 120, "accuracy": 0.96, "low": 0.9, "high": 0.98, "of": "3 networks"}
    record = {"holdout": held, "levels": {"σ 0.1": clean}}
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    images = np.arange(20 * 36, dtype=np.uint8).reshape(20, 6, 6)
    np.savez(run / "held_out.npz", images=images, labels=np.arange(20)[::-1] % 10, classes=np.arange(10))
    models = load_models(run)
    said = [choice.accuracy and (choice.accuracy["value"], choice.accuracy["rows"]) for choice in models.levels]
    assert said == [None, (0.9, 120), None]  # no record of σ 0 and σ 0.5
    assert (models.default.accuracy["value"], models.default.accuracy["low"]) == (0.96, 0.9)
    assert [label for label, _ in models.starters] == list(range(10))
    np.testing.assert_array_equal(models.starters[9][1], images[0])
    assert load_models(run / "models" / "final" / "all-rows-repeat-1.safetensors").default.accuracy["value"] == 0.96
    for damaged in ("{", "[]", '{"holdout": 3, "levels": [1]}', '{"levels": {"σ 0": {"clean": 1}}}'):
        (run / "run.json").write_text(damaged, encoding="utf-8")
        (run / "held_out.npz").write_bytes(b"PK")
        models = load_models(run)
        assert models.default.accuracy is None and models.starters == []
