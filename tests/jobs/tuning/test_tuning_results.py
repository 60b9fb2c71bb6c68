"""What is claimed of the best trial: the choice among many, ties, and the new recipe's text."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from pipeline.jobs.tuning.artifacts import best_toml
from pipeline.jobs.tuning.results import Trial, after_choice, ranked
from pipeline.jobs.tuning.trials import Score
from pipeline.training import recipe


def trial(number, right, log_loss=0.1):
    right = np.array(right, bool)
    score = Score((float(right.mean()),), (log_loss,), ~right)
    return Trial(number=number, state="complete", values={}, curve=(), seconds=1.0, score=score)


def test_the_best_of_many_equals_is_no_better_than_they_are():
    """Fifty models that are right on nine rows of ten, by chance alone: the best is said to be right on 0.9."""
    best, said = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        trials = [trial(number, rng.random(2000) < 0.9) for number in range(50)]
        best.append(ranked(trials)[0].score.accuracy)
        said.append(after_choice(trials, seed=0))
        assert said[-1].low < 0.9 < said[-1].high
    assert np.mean(best) > 0.91
    assert abs(np.mean([one.value for one in said]) - 0.9) < 0.003


def test_a_clear_winner_is_worth_what_it_scored():
    trials = [trial(0, [True, False] * 500), trial(1, [True, True, True, False] * 250)]
    said = after_choice(trials, seed=0)
    assert said.value == pytest.approx(0.75, abs=0.002)
    # 95 % of samples of about 368 rows: 0.75 ± 1.96 · √(0.75 · 0.25 / 368)
    assert (said.low, said.high) == (pytest.approx(0.706, abs=0.012), pytest.approx(0.794, abs=0.012))
    assert after_choice(trials[:1], seed=0) is None


def test_the_first_of_equals_by_log_loss_then_by_age():
    half, most = [True, False], [True, True]
    trials = [trial(0, half, 0.3), trial(1, half, 0.2), trial(2, most, 0.9), trial(3, half, 0.2)]
    assert [one.number for one in ranked(trials)] == [2, 1, 3, 0]


def test_better_than_is_paired():
    """50 of 100 rows against 60, all of the 50 among them: 0.1 ± t(99) · √(0.1 · 0.9 / 99 · (1 + 2/10)).

    The last factor is for ten rows that differ: they tell little of how many might.
    """
    worse, better = trial(0, np.arange(100) < 50), trial(1, np.arange(100) < 60)
    value, low, high = better.better_than(worse)
    assert value == pytest.approx(0.1)
    half = 1.98422 * np.sqrt(0.09 / 99 * 1.2)
    assert (low, high) == (pytest.approx(0.1 - half, abs=1e-6), pytest.approx(0.1 + half, abs=1e-6))


SOURCE = """# My own words.
summary = "A net"  # short
reached = "98 %"
[network]
layers = [
    { layer = "Flatten" },
    { layer = "Dense", units = 16 },  # enough
    { layer = "ReLU" },
    { layer = "Dense", units = "classes" },
]
[loss]
name = "softmax-cross-entropy"
[optimizer]
name = "adam"  # Kingma and Ba
[schedule]
name = "constant"
learning_rate = 0.01  # one hundredth
[[augment]]
change = "Affine"
rotation = 10  # degrees
[search]
schedule.learning_rate = { low = 0.001, high = 0.1, log = true }  # wide
"""
VALUES = {"network.layers.1.units": 64, "schedule.learning_rate": 0.0213, "augment.0.rotation": 10}


@pytest.mark.parametrize("source", [SOURCE, None, SOURCE.replace("0.01 ", "0.02 ")])
def test_the_new_recipe_is_the_old_one_with_the_best_settings(source):
    old = recipe.check(tomllib.loads(SOURCE), name="mine", where="mine")
    text = best_toml(source, old, VALUES, about="first\nsecond", reached="99 %")
    assert text.startswith("# first\n# second\n")
    made = tomllib.loads(text)
    expected = tomllib.loads(SOURCE.replace("units = 16", "units = 64").replace("0.01  #", "0.0213  #"))
    assert made == {**expected, "summary": "A net, tuned", "reached": "99 %"}
    recipe.check(made, name="best", where="best")


def test_comments_stay_but_for_those_of_what_changed():
    old = recipe.check(tomllib.loads(SOURCE), name="mine", where="mine")
    text = best_toml(SOURCE, old, VALUES, about="", reached="")
    for comment in ("# My own words.", "# Kingma and Ba", "# degrees", "# wide", "# enough", "0.0213  # was 0.01"):
        assert comment in text
    assert "one hundredth" not in text


def test_a_recipe_without_a_summary_or_words_of_its_own_gets_them():
    bare = "\n".join(line for line in SOURCE.splitlines() if not line.startswith(("summary", "reached")))
    old = recipe.check(tomllib.loads(bare), name="mine", where="mine")
    made = tomllib.loads(best_toml(bare, old, VALUES, about="", reached="99 %"))
    assert (made["summary"], made["reached"]) == ("mine, tuned", "99 %")
    twice = recipe.check(made, name="best", where="best")
    assert tomllib.loads(best_toml(None, twice, {}, about="", reached="x"))["summary"] == "mine, tuned"
