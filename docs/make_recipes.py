"""Writes docs/recipes.md from the signatures and docstrings of the classes that a recipe names.

    python docs/make_recipes.py

A test fails where the page is not what this writes.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from pipeline.augment import CHANGES  # noqa: E402
from pipeline.evaluation.robustness.adversarial import AdversarialTraining  # noqa: E402
from pipeline.nn import optimizers, schedules  # noqa: E402
from pipeline.nn.averaging import AVERAGES  # noqa: E402
from pipeline.nn.layers import LAYERS  # noqa: E402
from pipeline.nn.losses import LOSSES  # noqa: E402
from pipeline.training import recipe, recipe_tables  # noqa: E402
from pipeline.training.recipe_tables import RunDefaults, Training, in_words  # noqa: E402

INTRODUCTION = f"""\
# Recipes: what a file may hold

Made from the code by `python docs/make_recipes.py`: the classes' own arguments, defaults and docstrings.

A recipe is a TOML file: a network, and how it is trained. `python main.py recipes` lists those that come along,
`--recipe NAME` takes one of them and `--recipe mine.toml` your own. Shortest of all is one that is like another:

```toml
like = "cnn"  # takes the sections that this file does not have, all but {", ".join(recipe.OWN)}
summary = "cnn for half the time"
[training]
epochs = 6
```

| section | what it holds |
|---|---|
| `summary`, `reached` | a line on what it is, and what it reached, on which rows, from which seed |
| `[network]` | `layers`, a list of tables such as `{{ layer = "ReLU" }}`; `dtype`, "float32" (usual) or "float64" |
| `[loss]`, `[optimizer]`, `[schedule]` | `name`, and the arguments of that name below; all three are needed |
| `[[augment]]` | `change`, and its arguments; any number of them, in their order |
| `[training]`, `[run]` | plain values, below |
| `[average]`, `[adversary]` | an average of the weights; attacks on training batches; neither by default |
| `[search]` | what `python main.py tune` may change: see [tuning.md](tuning.md) |

A key that is not known, a value of another type or out of range is refused by name before anything runs. A file has at
most {recipe.MAX_BYTES:,} letters, a network at most {recipe.MAX_PARAMS:,} parameters.
"""


def page() -> str:
    """The whole of docs/recipes.md."""
    parts = [
        INTRODUCTION,
        registry(
            "[network] layers", "layer", LAYERS, note='The last one has `units = "classes"`: a number for each class.'
        ),
        registry("[loss]", "name", LOSSES),
        registry("[optimizer]", "name", optimizers.OPTIMIZERS, given=2, shared=meanings(optimizers.__doc__)),
        registry("[schedule]", "name", schedules.SCHEDULES, shared=meanings(schedules.__doc__)),
        registry("[[augment]]", "change", CHANGES),
        registry("[average]", "name", AVERAGES, given=2),
        *("## [adversary]\n", described(AdversarialTraining)),
        *("## [training]\n", described(Training)),
        *("## [run]\n", described(RunDefaults)),
        f"Where neither the options nor `[run]` say anything: noise {list(recipe_tables.NOISE)}, "
        f"{recipe_tables.REPEATS} repeats,\na holdout of {recipe_tables.HOLDOUT}; with folds one level, σ 0, one "
        "network in each fold, and no holdout.\n",
    ]
    return "\n".join(parts)


def registry(
    title: str,
    key: str,
    classes: Mapping[str, Callable],
    *,
    given: int = 0,
    note: str = "",
    shared: Mapping[str, str] | None = None,
) -> str:
    """A section with all the classes that a table may name.

    given: how many of their first arguments come from the network, not from the recipe. shared: what their module
    says of arguments that several take.
    """
    parts = [f"## {title}\n", *([note + "\n"] if note else [])]
    for name, build in classes.items():
        parts += [f'### `{key} = "{name}"`\n', described(build, given, shared)]
    return "\n".join(parts)


def described(build: Callable, given: int = 0, shared: Mapping[str, str] | None = None) -> str:
    """The first paragraph of a class's docstring, and a row for each argument that a recipe may give."""
    text = inspect.getdoc(build) or ""
    parameters = list(inspect.signature(build).parameters.values())[given:]
    hints = get_type_hints(build if is_dataclass(build) else build.__init__)
    said = (shared or {}) | meanings(text)
    rows = [
        f"| `{p.name}` | {in_words(hints[p.name])} | {as_toml(p.default)} | {said.get(p.name, '')} |"
        for p in parameters
    ]
    table = ["", "| key | what | by default | |", "|---|---|---|---|", *rows] if rows else []
    return "\n".join([text.split("\n\n")[0].replace("\n", " "), *table, ""])


def as_toml(default: Any) -> str:
    if default is inspect.Parameter.empty:
        return "needed"
    if default is None:
        return "–"
    plain = list(default) if isinstance(default, tuple) else default
    return f"`{json.dumps(plain, ensure_ascii=False)}`"


def meanings(docstring: str) -> dict[str, str]:
    """What a docstring says of arguments: `name: …` or `first, second: …`, each up to the next one or a blank line."""
    found = {}
    for paragraph in re.split(r"\n\s*\n", docstring):
        text = re.sub(r"\s+", " ", paragraph)
        text = re.split(r" (?:Raises|Parameters:) ", text)[0]
        parts = re.split(r"(?:^|(?<=\. ))([a-z_0-9]+(?:, [a-z_0-9]+)*): ", text)
        for names, meaning in zip(parts[1::2], parts[2::2], strict=True):
            found |= dict.fromkeys(names.split(", "), meaning.strip().replace("|", "\\|"))
    return found


if __name__ == "__main__":
    (HERE / "recipes.md").write_text(page(), encoding="utf-8")
