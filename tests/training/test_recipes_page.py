"""docs/recipes.md is what the classes' signatures and docstrings say."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

import pytest

from pipeline.augment import CHANGES
from pipeline.nn.layers import LAYERS
from pipeline.nn.losses import LOSSES
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.nn.schedules import SCHEDULES

DOCS = Path(__file__).parent.parent.parent / "docs"


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_recipes", DOCS / "make_recipes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_code_says(maker):
    assert (DOCS / "recipes.md").read_text(encoding="utf-8") == maker.page(), "run python docs/make_recipes.py"


def test_every_name_and_every_argument_stands_on_it(maker):
    page = maker.page()
    for names in (LAYERS, LOSSES, OPTIMIZERS, SCHEDULES, CHANGES):
        for name, build in names.items():
            section = page.split(f'= "{name}"`\n')[1].split("##")[0]
            for argument in list(inspect.signature(build).parameters)[2 * (names is OPTIMIZERS) :]:
                assert f"| `{argument}` | " in section, (name, argument)


def test_a_changed_default_and_a_new_argument_change_the_page(maker, monkeypatch):
    class Dropout(LAYERS["Dropout"]):
        """Drops.

        rate: of all. often, seldom: how often
            it does. Raises nothing.
        """

        def __init__(self, rate: float = 0.25, *, often: int | None = None, seldom: str = "x") -> None:
            super().__init__(rate)

    monkeypatch.setitem(maker.LAYERS, "Dropout", Dropout)
    assert '### `layer = "Dropout"`\n\nDrops.\n\n' in maker.page()
    for row in (
        "| `rate` | a number | `0.25` | of all. |",
        "| `often` | a whole number | – | how often it does. |",
        '| `seldom` | a text | `"x"` | how often it does. |',
    ):
        assert row in maker.page()
