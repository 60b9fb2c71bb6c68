"""What the tests of a search share: a small competition whose rows can be told apart, and a recipe to search."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from pipeline.dataset import Competition, Digits
from pipeline.jobs.tuning.search import Search
from pipeline.training import recipe

SPACE = """
schedule.learning_rate = { low = 0.001, high = 0.1, log = true }
"network.layers.1.units" = { low = 8, high = 32, step = 8 }
"""


@pytest.fixture
def competition():
    """180 labelled rows of 6×6 pictures with a bright bar for each of 3 classes, and noise that hides it at times."""
    rng = np.random.default_rng(7)
    labels = rng.permutation(np.arange(180) % 3)
    images = rng.integers(0, 160, (180, 6, 6), dtype=np.uint8)
    for digit, bar in enumerate((np.s_[:, 2:, :2], np.s_[:, 2:, 2:4], np.s_[:, 2:, 4:])):
        chosen = images[labels == digit]
        chosen[bar] += 60
        images[labels == digit] = chosen
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(180), 256)
    classes = np.arange(3)
    train, test = Digits(images, labels, classes), Digits(images[:10].copy())
    ids = np.arange(1, 11)
    return Competition(train, test, ids, "ImageId", "Label", "bars", False, Path("bars"), "f" * 64)


@pytest.fixture
def searched(quick_recipe):
    """The quick recipe with the [search] given, or SPACE."""

    def make(space: str = SPACE, **changes) -> recipe.Recipe:
        content = {**quick_recipe.content, **tomllib.loads(f"[search]\n{space}"), **changes}
        return recipe.check(content, name="searched", where="searched.toml")

    return make


@pytest.fixture
def plan(competition, searched):
    """A Search of 4 trials on 3 folds without a pruner, where nothing else is given."""

    def make(space: str = SPACE, *, changes=None, **settings) -> Search:
        given = {"trials": 4, "folds": 3, "pruner": "none", **settings}
        return Search(competition=competition, recipe=searched(space, **(changes or {})), **given)

    return make


@pytest.fixture
def search(tmp_path, plan, do):
    """Runs a search below tmp_path/folder; gives its SearchOutcome."""

    def run(space: str = SPACE, *, folder: str = ".", options=None, **settings):
        return do(plan(space, **settings), tmp_path / folder, **(options or {}))

    return run
