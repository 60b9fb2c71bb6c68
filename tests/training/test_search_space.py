"""A recipe's [search]: what may be searched, what is refused and in which words."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RecipeError, UsageError
from pipeline.training import recipe
from pipeline.training.search_space import Parameter, flat, search_space, with_values

RECIPE = """
[network]
layers = [{ layer = "Flatten" }, { layer = "Dense", units = 16 }, { layer = "Dense", units = "classes" }]
[loss]
name = "softmax-cross-entropy"
label_smoothing = 0.1
[optimizer]
name = "adam"
[schedule]
name = "constant"
learning_rate = 0.01
[[augment]]
change = "Affine"
rotation = 10
[training]
epochs = 3
[search]
"""


def space_of(line: str) -> tuple[Parameter, ...]:
    return search_space(tomllib.loads(RECIPE + line))


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("network.layers.1.units = { low = 8, high = 64, step = 8 }", (16, 8, 64, False, 8, ())),
        ('"network.layers.1.units" = { low = 8, high = 64, step = 8 }', (16, 8, 64, False, 8, ())),
        ("schedule.learning_rate = { low = 0.001, high = 1, log = true }", (0.01, 0.001, 1, True, None, ())),
        ("augment.0.rotation = { low = 0, high = 20 }", (10, 0, 20, False, None, ())),
        ('optimizer.name = { choices = ["sgd", "adam"] }', ("adam", None, None, False, None, ("sgd", "adam"))),
    ],
)
def test_what_a_line_means(line, values):
    (found,) = space_of(line)
    assert (found.own, found.low, found.high, found.log, found.step, found.choices) == values


def test_whole_bounds_search_whole_numbers():
    whole, fractions = space_of(
        "augment.0.rotation = { low = 0, high = 20 }\ntraining.epochs = { low = 1.0, high = 9 }"
    )
    assert (whole.is_whole, fractions.is_whole) == (True, False)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "[search] names no setting: give one or more lines such as schedule.peak"),
        ("schedule.learning_rte = { low = 1, high = 2 }", "does not have: did you mean schedule.learning_rate?"),
        ("loss.qqq = { low = 1, high = 2 }", "which the recipe does not have: write it into its section first"),
        ("network.layers.1.unit = { low = 1, high = 2 }", "did you mean network.layers.1.units?"),
        (
            "augment = { choices = [1, 2] }",
            "augment is not one setting but several: name one of them, such as augment.0",
        ),
        ("schedule.learning_rate = 3", "schedule.learning_rate must be a table such as"),
        ("schedule.learning_rate = { low = 1, hgih = 2 }", "schedule.learning_rate: hgih; did you mean high?"),
        ("schedule.learning_rate = { low = 0.1 }", "high must be a number, or give choices; found None."),
        ("schedule.learning_rate = { low = 0.1, high = nan }", "high must be a number, or give choices; found nan."),
        ("schedule.learning_rate = { low = true, high = 2 }", "low must be a number, or give choices; found True."),
        ("schedule.learning_rate = { low = 0.02, high = 0.001 }", "low must lie below high; found '0.02 and 0.001'."),
        ("schedule.learning_rate = { low = 0, high = 1.0, log = true }", "log needs a low above 0; found 0."),
        ("schedule.learning_rate = { low = 0.0, high = 1.0, log = 1 }", "log must be true or false; found 1."),
        ("network.layers.1.units = { low = 8, high = 64, step = 8, log = true }", "log and step exclude each other"),
        ("network.layers.1.units = { low = 8, high = 63, step = 8 }", "step must lead from low to high in whole steps"),
        ("network.layers.1.units = { low = 8, high = 64, step = 0 }", "step must lead from low to high in whole steps"),
        ("network.layers.1.units = { low = 6, high = 66, step = 12 }", "the recipe's own value must be one of those"),
        ("network.layers.1.units = { low = 32, high = 64 }", "the recipe's own value must be one of those"),
        ("loss.label_smoothing = { low = 0, high = 1 }", "bounds with a decimal point allow fractions"),
        ("optimizer.name = { low = 1, high = 2 }", "need a recipe that has a number here (or give choices)"),
        ("optimizer.name = { choices = ['sgd'] }", "choices must be two different values or more"),
        ("training.epochs = { choices = [3, 3] }", "choices must be two different values or more"),
        ("training.epochs = { choices = [1, 2] }", "which is tried first, must be one of the choices; found 3."),
        ("training.epochs = { choices = [3, [4]] }", "choices must be numbers, texts or true and false"),
        ("training.epochs = { choices = 3 }", "choices must be a list and stand alone"),
        ("training.epochs = { choices = [3, 4], low = 2 }", "choices must be a list and stand alone"),
        ("summary.x = { low = 1, high = 2 }", "names summary.x, which the recipe does not have"),
        ('"training.epochs" = { low = 1, high = 9 }\ntraining.epochs = { low = 2, high = 4 }', "names a setting twice"),
    ],
)
def test_a_wrong_search_is_refused_by_name(line, sentence):
    with pytest.raises(UsageError) as caught:
        space_of(line)
    assert str(caught.value).removeprefix("unknown key of ").startswith("[search] ")
    assert sentence in str(caught.value)
    with pytest.raises(
        RecipeError, match=r"^mine\.toml: (unknown key of )?\[search\] "
    ):  # when the recipe is loaded already
        recipe.check(tomllib.loads(RECIPE + line), name="mine", where="mine.toml")


def test_values_go_to_their_places_and_the_original_stays():
    content = tomllib.loads(RECIPE + "training.epochs = { low = 1, high = 9 }")
    before = dict(flat(content))
    changed = with_values(content, {"network.layers.1.units": 64, "augment.0.rotation": 3})
    assert dict(flat(content)) == before
    after = dict(flat(changed))
    assert {path for path in before if before[path] != after[path]} == {"network.layers.1.units", "augment.0.rotation"}
    assert changed["network"]["layers"][1]["units"] == 64 and changed["augment"][0]["rotation"] == 3


@given(st.floats(0.0012345678, 0.0198765432))
def test_fractions_have_four_digits_and_stay_within_bounds(value):
    asked = Parameter("schedule.peak", 0.0123456, low=0.0012345678, high=0.0198765432)
    tried = asked.rounded(value)
    assert asked.low <= tried <= asked.high
    assert abs(tried - value) <= 0.0005 * value
    assert len(f"{tried:.10g}".replace("0.", "").lstrip("0")) <= 4 or tried in (asked.low, asked.high)
    assert asked.rounded(0.0123456) == 0.0123456  # the recipe's own value is tried as it is


def test_what_is_searched_is_no_part_of_a_runs_record():
    loaded = recipe.load("default")
    assert "search" in loaded.content and "search" not in loaded.record
