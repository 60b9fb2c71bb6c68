"""Recipes: those that come along build, and a wrong one is refused by name."""

from __future__ import annotations

import datetime

import numpy as np
import pytest

from pipeline.augment import CutOut
from pipeline.augment.noise import NoiseOnShare
from pipeline.augment.shift import RandomShift
from pipeline.errors import RecipeError
from pipeline.training import recipe

GOOD = {
    "network": {"layers": [{"layer": "Flatten"}, {"layer": "Dense", "units": "classes"}]},
    "loss": {"name": "softmax-cross-entropy"},
    "optimizer": {"name": "sgd"},
    "schedule": {"name": "constant"},
}


def changed(section, **values):
    return {**GOOD, section: {**GOOD.get(section, {}), **values}}


def dense(units):
    return changed("network", layers=[{"layer": "Flatten"}, {"layer": "Dense", "units": units}])


def nested(depth):
    tables = {}
    for _ in range(depth):
        tables = {"a": tables}
    return tables


def augmented(*changes):
    return {**GOOD, "augment": list(changes)}


@pytest.mark.parametrize("name", recipe.names())
@pytest.mark.parametrize(("side", "classes"), [(28, 10), (28, 26)])
def test_every_recipe_builds_and_says_what_it_is(name, side, classes):
    loaded = recipe.load(name)
    network = loaded.network((side, side), classes, rng=np.random.default_rng(0))
    assert network.output_shape == (classes,)
    assert loaded.summary != name
    assert loaded.schedule()(0, 100) > 0


def test_default_is_784_512_10():
    # 784·512 + 512 + 512·10 + 10
    assert recipe.load("default").network((28, 28), 10, rng=None).params.size == 407_050


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (changed("training", epoch=3), "unknown key of [training]: epoch; did you mean epochs?"),
        (changed("training", epochs=0), "epochs must be a whole number from 1 to 100000, found 0."),
        (changed("training", epochs=2.5), "[training]: epochs must be a whole number, found 2.5."),
        (changed("training", noisy_share=0), "noisy_share must be a number above 0 and at most 1, found 0."),
        (changed("training", clip_noise=0), "clip_noise must be true or false, found 0."),
        (changed("adversary", epsilon=-0.1), "ε must be"),
        (changed("adversary", epsilon=0.1, norm="L3"), "There is no norm 'L3'"),
        (changed("adversary", epsilon=0.1, shares=0.5), "unknown key of [adversary]: shares; did you mean share?"),
        (changed("adversary", steps=3), "[adversary]: "),
        ({**GOOD, "adversary": 0.1}, "adversary must be a table that begins with [adversary], found 0.1."),
        (changed("average", name="emma"), "name = 'emma' is not known: did you mean ema?"),
        (changed("average", name="ema", decay=1), "decay must be a number at least 0 and below 1, found 1."),
        (changed("average", name="swa", decay=0.9), "unknown key of swa: decay; allowed: start, every"),
        ({**GOOD, "average": "ema"}, "average must be a table that begins with [average], found 'ema'."),
        (changed("run", fold=5), "unknown key of [run]: fold; did you mean folds?"),
        (changed("run", folds=1), "folds must be 0, for no cross-validation, or at least 2, found 1."),
        (changed("run", folds=2.5), "[run]: folds must be a whole number, found 2.5."),
        (changed("run", repeats=0), "repeats must be a whole number from 1 to 100, found 0."),
        (changed("run", noise=0.1), "[run]: noise must be a list (a number each), found 0.1."),
        (changed("run", noise=[0.1, 0.1]), "noise must name each one once, found 0.1, 0.1."),
        (changed("run", noise=[3]), "A noise level σ must be a number from 0 to 2, found 3"),
        (changed("run", noise=["0"]), "noise must be a list (a number each), found ['0']."),
        (changed("run", partners="distort"), "partners must be a list (a text each), found 'distort'."),
        (changed("run", views=["turn left 4"] * 2), "views must name each one once"),
        ({**GOOD, "run": 5}, "run must be a table that begins with [run], found 5."),
        (changed("training", shift=0.04), "unknown key of [training]: shift; allowed: epochs,"),
        (augmented({"change": "Shift", "share_of_side": 1}), "share_of_side must be a number from 0 to 0.5, found 1."),
        (augmented({"change": "Afine"}), "change = 'Afine' is not known: did you mean Affine?"),
        (augmented({"change": "Affine", "rotate": 5}), "unknown key of Affine: rotate; did you mean rotation?"),
        (augmented({"change": "Elastic", "alpha": 0.1}), "Elastic: "),
        (augmented("Affine"), "augment must be a list of tables such as [[augment]]"),
        ({**GOOD, "augment": {"change": "Affine"}}, "augment must be a list of tables such as [[augment]]"),
        (changed("optimizer", name="adm"), "name = 'adm' is not known: did you mean adam?"),
        (changed("optimizer", momentun=0.9), "unknown key of sgd: momentun; did you mean momentum?"),
        (changed("optimizer", momentum=1.5), "momentum must be a number at least 0 and below 1, found 1.5."),
        (changed("schedule", learning_rate=-1), "learning_rate must be a number above 0, found -1."),
        (changed("loss", label_smoothing=1), "label_smoothing must be a number at least 0 and below 1, found 1."),
        (changed("optimizer", name=["adam"]), "name = ['adam'] is not known: did you mean adam?"),
        ({**GOOD, "training": 3}, "training must be a table that begins with [training], found 3."),
        ({**GOOD, "training": ["epochs"]}, "training must be a table"),
        (changed("run", noise=[[0.1]]), "noise must be a list (a number each), found [[0.1]]."),
        (dense(512.0), "Dense: units must be a whole number, found 512.0."),
        (dense(True), "Dense: units must be a whole number, found True."),
        (dense(2**63), "network.layers.1.units is a date or a number of more than 64 bits"),
        (dense(2**62), "parameters, at most 268,435,456 are allowed."),
        ({**GOOD, "network": {}}, "[network] layers must be a list of tables"),
        (changed("network", dtype=["float32"]), 'dtype must be "float32" or "float64", found [\'float32\'].'),
        ({**GOOD, "summary": datetime.date(2020, 1, 1)}, "summary must be a text."),
        (
            changed("training", epochs=datetime.date(2020, 1, 1)),
            "training.epochs is a date or a number of more than 64 bits",
        ),
        (changed("loss", class_weight=["1"]), "class_weight must be a list (a number each), found ['1']."),
        (changed("loss", label_smoothing="0"), "label_smoothing must be a number, found '0'."),
        (changed("optimizer", nesterov=1), "nesterov must be true or false, found 1."),
        (augmented({"change": "Elastic", "alpha": 0.1}), "Elastic: sigma, a number, is missing."),
        ({**GOOD, "run": nested(3000)}, "tables and lists lie too deep within one another."),
        (changed("network", layers=[]), "[network] layers must be a list of tables"),
        (changed("network", layers=["ReLU"]), "layer 1 must be a table such as"),
        (changed("network", layers=[{"layer": "Flatten"}]), "the layers end in an output of shape (784,)"),
        (changed("network", layers=[{"layer": "Dense", "units": 10}]), "Dense takes rows of one dimension"),
        (changed("network", layers=[{"layer": "Flatten"}, {"layer": "Dense"}]), "missing"),
        ({**GOOD, "optimiser": {}}, "unknown section optimiser; did you mean optimizer?"),
        ({k: v for k, v in GOOD.items() if k != "loss"}, "section [loss] is missing."),
    ],
)
def test_a_wrong_recipe_is_refused_by_name(content, sentence):
    with pytest.raises(RecipeError) as caught:
        recipe.check(content, name="mine", where="mine.toml")
    assert str(caught.value).startswith("mine.toml: ")
    assert sentence in str(caught.value)


def test_unknown_recipe_names_the_nearest():
    with pytest.raises(RecipeError, match="no recipe defualt: did you mean default"):
        recipe.load("defualt")


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes((recipe.FOLDER / "kaggle-128.toml").read_bytes())
    assert recipe.load(str(path)).network((8, 8), 3, rng=None).params.size == 64 * 128 + 128 + 128 * 3 + 3


def test_a_recipe_like_another_takes_what_it_does_not_say(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('like = "cnn"\n[training]\nepochs = 2\n', encoding="utf-8")
    mine, base = recipe.load(str(path)), recipe.load("cnn")
    assert mine.content["network"] == base.content["network"] and mine.content["augment"] == base.content["augment"]
    assert (mine.training.epochs, mine.training.batch_size) == (2, recipe.Training().batch_size)
    assert (mine.summary, mine.reached, mine.run) == ("mine", "", recipe.RunDefaults())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("like = 5", "like must name a recipe that is not itself like another one, found 5."),
        ('like = "cnn-committee"', "recipe that is not itself like another one, found 'cnn'"),
        (f'like = "{"x" * 300}"', "There is no recipe x{60}: choose"),
        ('like = "\\u0000"', "There is no recipe"),
        ('like = "cn"', "There is no recipe cn: did you mean cnn?"),
    ],
)
def test_a_likeness_that_cannot_be(tmp_path, text, sentence):
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError, match=sentence):
        recipe.load(str(path))


@pytest.mark.parametrize(
    "content",
    [
        b"summary = ", b"\xff\xfe", b"a = 1\na = 2",
        b"a = " + b"[" * 3000 + b"]" * 3000, b"a" + b".a" * 20_000 + b" = 1",
        b"a" + b" . a" * 20_000 + b" = 1", b"a = " + b"9" * 5000, b"#" * 300_000,
    ],
)  # fmt: skip
def test_not_toml(tmp_path, content):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"broken\.toml cannot be read as a TOML file") as caught:
        recipe.load(str(path))
    assert len(str(caught.value)) < 300


def test_a_file_beside_one_that_is_named_without_its_end(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.toml").write_bytes((recipe.FOLDER / "softmax.toml").read_bytes())
    with pytest.raises(RecipeError, match=r"There is no recipe my: did you mean my\.toml\?"):
        recipe.load("my")
    with pytest.raises(RecipeError, match=r"There is no recipe a{60}: choose one of"):
        recipe.load("a" * 300)


@pytest.mark.parametrize(("rows", "size"), [(42_000, 128), (1000, 20), (30, 16), (9_999, 128)])
def test_small_data_get_small_batches(rows, size):
    assert recipe.Training(batch_size=128).batch_size_for(rows) == size


def test_the_default_shifts_by_a_pixel_and_then_adds_noise():
    batch = np.random.default_rng(0).random((20, 28, 28), dtype=np.float32)
    changed = recipe.load("default").augment(0.2)(batch.copy(), rng=np.random.default_rng(1))
    rng = np.random.default_rng(1)
    expected = NoiseOnShare(0.2, share=0.5)(RandomShift(1)(batch.copy(), rng=rng), rng=rng)
    np.testing.assert_array_equal(changed, expected)


def test_changes_come_in_the_order_of_the_file():
    tables = [{"change": "CutOut", "share_of_side": 0.5}, {"change": "Shift", "share_of_side": 0.2}]
    batch = np.ones((20, 10, 10), np.float32)
    loaded = recipe.check(augmented(*tables), name="mine", where="mine.toml")
    changed, rng = loaded.augment(0.0)(batch.copy(), rng=np.random.default_rng(1)), np.random.default_rng(1)
    expected = RandomShift(2)(CutOut(share_of_side=0.5)(batch, rng=rng), rng=rng)
    np.testing.assert_array_equal(changed, expected)


@pytest.mark.parametrize(
    ("own", "options", "settings"),
    [
        ({}, {}, ((0.0, 0.1, 0.2, 0.3), 3, 0, 0.1)),
        ({"folds": 5}, {}, ((0.0,), 1, 5, 0.0)),
        ({"folds": 5}, {"folds": 0}, ((0.0, 0.1, 0.2, 0.3), 3, 0, 0.1)),
        ({"folds": 5, "repeats": 2, "noise": (0.3,)}, {"holdout": 0.2}, ((0.3,), 2, 5, 0.2)),
        ({"repeats": 2, "noise": (0.3,)}, {"repeats": 7, "noise": (0.1, 0.2)}, ((0.1, 0.2), 7, 0, 0.1)),
    ],
)
def test_options_go_before_the_recipe_and_the_recipe_before_the_defaults(own, options, settings):
    found = recipe.RunDefaults(**own).settings(**options)
    assert (found.noise, found.repeats, found.folds, found.holdout) == settings
