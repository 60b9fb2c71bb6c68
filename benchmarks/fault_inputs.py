"""Hostile inputs for every reader of files: a good file is taken apart by its structure and put together wrong.

READERS maps a reader's name to a Reader: `make` writes an input, `read` reads it with Inkproof, `expect` reads it with
other code, which is stricter and slower. What `read` takes, `expect` must take, and find the same in it.
"""

from __future__ import annotations

import copy
import json
import math
import tomllib
from pathlib import Path

import numpy as np
import tomlkit
from fault_archives import expect_idx, expect_npz, expect_zip, make_idx, make_npz, make_zip
from fault_tables import Reader, bend, expect_folder, facts, labelled, make_extra, make_folder, pick, read_extra_rows

from pipeline.nn.workspace import Pass
from pipeline.training import recipe as recipes

# Recipes

DEEP = 3000
VALUES = (
    0, 1, -1, 2, 2**31, 2**62, 2**63, 10**400, 0.0, 0.5, 1.0, -0.0, 512.0, 1e308, 1e-320, math.inf, -math.inf, math.nan,
    True, False, "", "adam", "classes", "x" * 300, "\0", "σ", "1", [], [[]], [0.1], [[0.1]], [1, 1], ["adam"], [{}], {},
    {"name": "adam"}, {"low": 1, "high": 9}, {"a": {"b": {}}}, [[[[1]]]], [1, "a", {}], "../../etc/passwd", "\u200b",
)  # fmt: skip
TEXTS = (
    "training = 3", 'training = ["epochs"]', "a = " + "[" * DEEP + "]" * DEEP, "a" + ".a" * 20_000 + " = 1",
    "training.epochs = " + "9" * 5000, 'like = "' + "x" * 300 + '"', 'like = "mine"', "like = []", 'like = "\\u0000"',
    "[network]\n", "[run]\nnoise = [[0.1]]", "[training]\nepochs = 1979-05-27", "a" * 100_000, "[a]\n" * 30_000,
    "x = " + '"' * 3 + "y" * 500_000, "[" * 5000, "a = {" + "b = {" * DEEP, "\0", "a = 1\r", "a . b . c = 1\n" * 50,
    "a" + " . a" * 20_000 + " = 1", "[a" + ".a" * 20_000 + "]", "a = 0x" + "f" * 5000, "a = 1e99999", "𝕒 = 1",
)  # fmt: skip
KEYS = ("name", "layer", "units", "epochs", "", "a.b", "σ", "x" * 300, "low", "choices", "self", "size", "rng", "like")


def make_recipe(rng: np.random.Generator, folder: Path) -> Path:
    path = folder / "mine.toml"
    text = (recipes.FOLDER / f"{pick(rng, recipes.names())}.toml").read_text(encoding="utf-8")
    if rng.random() < 0.1:
        path.write_text(pick(rng, ("", text)) + "\n" + pick(rng, TEXTS) + "\n", encoding="utf-8")
    elif rng.random() < 0.15:
        path.write_bytes(bend(text.encode(), rng))
    else:
        content = tomllib.loads(text)
        for _ in range(min(rng.geometric(0.6), 4)):
            change_tree(content, rng)
        path.write_text(tomlkit.dumps(content), encoding="utf-8")
    return path


def change_tree(content: dict, rng: np.random.Generator) -> None:
    """Replace, remove or add a value somewhere in a recipe's tables."""
    places = [(content, key) for key in content]
    for table_or_list, key in places:
        inside = table_or_list[key]
        if isinstance(inside, dict | list):
            places += [(inside, k) for k in (inside if isinstance(inside, dict) else range(len(inside)))]
    if not places:
        return
    inside, key = pick(rng, places)
    kind, value = int(rng.integers(5)), copy.deepcopy(pick(rng, VALUES))
    if kind == 0:
        del inside[key]
    elif kind == 1 and isinstance(inside, dict):
        inside[pick(rng, KEYS)] = value
    elif kind == 1:
        inside.insert(key, value)
    else:
        inside[key] = value


def read_recipe(path: Path) -> str:
    """A recipe that is taken must also do: a step of training on a few pictures, and a record that JSON can hold."""
    recipe = recipes.load(str(path))
    json.dumps(recipe.record, allow_nan=False)
    rng = np.random.default_rng(0)
    network = recipe.network((28, 28), 10, rng=rng)
    if network.params.size < 10**6:
        batch = rng.random((4, 28, 28), dtype=np.float32)
        change = recipe.augment(0.1)
        batch = batch if change is None else change(batch, rng=rng)
        ctx = Pass(train=True, rng=rng)
        outputs, backward = network.forward(network.to_numbers(batch), ctx)
        with np.errstate(all="ignore"):
            backward(recipe.loss()(outputs, np.arange(4), ctx)[1])
            recipe.optimizer(network).step(network.params, network.grads, recipe.schedule()(0, 100))
    return json.dumps({key: recipe.content[key] for key in sorted(recipe.content)})


def expect_recipe(path: Path) -> str:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    if like := content.pop("like", None):
        base = tomllib.loads((recipes.FOLDER / f"{like}.toml").read_text(encoding="utf-8"))
        content = {key: base[key] for key in base if key not in recipes.OWN} | content
    return json.dumps({key: content[key] for key in sorted(content)})


READERS = {
    "CSV": Reader(
        make=lambda rng, folder: make_folder(rng, folder, spoil=("train.csv", "test.csv")),
        read=facts, expect=expect_folder,
    ),
    "sample submission": Reader(
        make=lambda rng, folder: make_folder(rng, folder, spoil=("sample_submission.csv",)),
        read=facts, expect=expect_folder,
    ),
    "extra rows": Reader(make=make_extra, read=read_extra_rows, expect=lambda path: labelled(path.read_bytes())),
    "zip": Reader(make=make_zip, read=facts, expect=expect_zip),
    "IDX": Reader(make=make_idx, read=facts, expect=expect_idx),
    "npz": Reader(make=make_npz, read=facts, expect=expect_npz),
    "recipe": Reader(make=make_recipe, read=read_recipe, expect=expect_recipe),
}  # fmt: skip
