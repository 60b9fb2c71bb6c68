"""Recipes: a network and how it is trained, one TOML file each, checked before anything runs.

    summary = "…"                           what it is, in a line
    reached = "…"                           what it reached, on which rows, from which seed
    [network]   layers = [{ layer = "Dense", units = 512 }, …]; units = "classes" for the last; dtype
    [loss]      name, and the arguments of its class in nn/losses.py
    [optimizer] name, and the arguments of its class in nn/optimizers.py
    [schedule]  name, and the arguments of its class in nn/schedules.py
    [[augment]] change = "Affine", and the arguments of its class in augment/; any number, in their order
    [training]  epochs, batch_size, noisy_share, clip_noise
    [adversary] epsilon, norm, steps, step, share: adversarial training (robustness/adversarial.py)
    [search]    which of these `python main.py tune` may change: see search_space.py

`like = "cnn"` takes the sections that a file does not have from that recipe, all but summary, reached and [run].

The classes themselves say what they take: a key that is not an argument is refused by name, and a value
out of range by the class that would use it.
"""

import inspect
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from pipeline.augment import CHANGES, Chain
from pipeline.augment.noise import NoiseOnShare
from pipeline.errors import RecipeError, UsageError, did_you_mean
from pipeline.evaluation.robustness.adversarial import AdversarialTraining
from pipeline.nn.averaging import AVERAGES
from pipeline.nn.layers import LAYERS, Layer
from pipeline.nn.losses import LOSSES
from pipeline.nn.network import Network
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.nn.schedules import SCHEDULES
from pipeline.training.plan import TrainingPlan
from pipeline.training.recipe_tables import RunDefaults, Training, fits, in_words, refuse_unknown
from pipeline.training.search_space import flat, search_space

SHOWN = 60  # letters of what was found, in an error
_PACKAGE = Path(__file__).parent.parent
FOLDER = (_PACKAGE if (_PACKAGE / "recipes").is_dir() else _PACKAGE.parent) / "recipes"  # inside once it is installed
SECTIONS = (
    "summary", "reached", "network", "loss", "optimizer", "schedule", "augment", "training", "adversary", "average",
    "run", "search",
)  # fmt: skip
OWN = ("summary", "reached", "run", "search")  # what a recipe does not take from the one that it is like

MAX_BYTES = 2**18  # of a file; the longest that comes along has 3,000
MAX_DOTS = 100  # in one key, whose reading takes time with their square
MAX_PARAMS = 2**28  # of a network: a gigabyte, and three more to train it


@dataclass(frozen=True)
class Recipe:
    """A checked recipe. `content` is the file's own content, as it goes into runs and model files."""

    name: str
    content: Mapping[str, Any]
    training: Training
    run: RunDefaults = field(default_factory=RunDefaults)

    @property
    def summary(self) -> str:
        return str(self.content.get("summary", self.name))

    @property
    def record(self) -> dict[str, Any]:
        """Name and content together, without [search], as runs, the ledger and model files keep them."""
        return {"name": self.name, **{key: value for key, value in self.content.items() if key != "search"}}

    @property
    def reached(self) -> str:
        """The accuracy that was measured with it, in words; empty where nobody has measured."""
        return str(self.content.get("reached", ""))

    def network(self, input_shape: tuple[int, ...], classes: int, *, rng: np.random.Generator | None) -> Network:
        """A fresh network for rows of `input_shape`; without `rng` its parameters are zeros."""
        table = self.content["network"]
        dtype = table.get("dtype", "float32")
        return build_network(table.get("layers"), input_shape, classes, rng=rng, dtype=dtype, most_params=MAX_PARAMS)

    def loss(self) -> Callable[..., tuple[float, np.ndarray]]:
        return _build(LOSSES, "name", self.content["loss"])

    def optimizer(self, network: Network) -> Any:
        return _build(OPTIMIZERS, "name", self.content["optimizer"], network.params.size, network.dtype)

    def schedule(self) -> Callable[[int, int], float]:
        return _build(SCHEDULES, "name", self.content["schedule"])

    def plan(self, network: Network, rows: int, *, threads: int = 1) -> TrainingPlan:
        """How a network is trained on so many rows, with a loss and an optimizer of its own."""
        return TrainingPlan(
            loss=self.loss(),
            optimizer=self.optimizer(network),
            schedule=self.schedule(),
            epochs=self.training.epochs,
            batch_size=self.training.batch_size_for(rows),
            threads=threads,
        )

    def average(self, network: Network) -> Any:
        """The average of the weights that [average] asks for, or None."""
        table = _table(self.content, "average")
        return _build(AVERAGES, "name", table, network.values.size, network.dtype) if table else None

    def adversary(self) -> AdversarialTraining | None:
        """The attacks on training batches that [adversary] asks for, or None. Made anew for each fit."""
        table = _table(self.content, "adversary")
        return _call("[adversary]", AdversarialTraining, table) if table else None

    def augment(self, sigma: float) -> Chain | None:
        """What training does to each batch: the recipe's changes, then noise of level σ on its share of the rows.

        Made anew for each fit, because the changes keep arrays to work in; None where nothing is done.
        """
        tables = self.content.get("augment", [])
        if not isinstance(tables, (list, tuple)) or not all(isinstance(table, Mapping) for table in tables):
            raise UsageError('augment must be a list of tables such as [[augment]] change = "Affine".')
        changes = [_build(CHANGES, "change", table) for table in tables]
        if sigma > 0:
            changes.append(NoiseOnShare(sigma, share=self.training.noisy_share, clip=self.training.clip_noise))
        return Chain(*changes) if changes else None


def names() -> list[str]:
    """Names of the recipes that come along, sorted."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def file_of(name: str) -> Path:
    """The file that `load` reads for that name."""
    return Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"


def load(name: str) -> Recipe:
    """The recipe of that name, or in that file when the name ends in .toml.

    Raises RecipeError for a missing or unreadable file, an unknown key, or a value out of range.
    """
    path = file_of(name)
    return check(_content(path, name), name=path.stem, where=str(path))


def _content(path: Path, name: str, *, may_follow: bool = True) -> dict[str, Any]:
    """What a recipe's file says, with the sections of the recipe that it is `like` where it has none of its own."""
    if not _is_file(path):
        advice = did_you_mean(name, names(), f"choose one of {', '.join(names())}, or give a .toml file.")
        if _is_file(Path(f"{name}.toml")):
            advice = f"did you mean {name}.toml?"
        raise RecipeError(f"There is no recipe {name[:SHOWN]}: {advice}")
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1).decode("utf-8")
        keys = re.split(r"[\n=,\[\]{}]", text.replace(" ", "").replace("\t", ""))
        if len(text) > MAX_BYTES or max(key.count(".") for key in keys) > MAX_DOTS:
            raise ValueError(f"it has more than {MAX_BYTES:,} letters, or a key with more than {MAX_DOTS} dots")
        content = tomllib.loads(text)
    except (ValueError, RecursionError, OSError) as error:
        raise RecipeError(f"{path} cannot be read as a TOML file: {str(error)[:SHOWN]}.") from error
    if "like" not in content:
        return content
    like = content.pop("like")
    if not isinstance(like, str) or not may_follow:
        raise RecipeError(f"{path}: like must name a recipe that is not itself like another one, found {like!r}.")
    base = _content(file_of(like), like, may_follow=False)
    return {key: value for key, value in base.items() if key not in OWN} | content


def _is_file(path: Path) -> bool:
    with suppress(OSError):  # a name that is longer than names may be
        return path.is_file()
    return False


def check(content: Mapping[str, Any], *, name: str, where: str) -> Recipe:
    """A Recipe from a file's content. Raises RecipeError that begins with `where`."""
    try:
        refuse_unknown(content, SECTIONS, "section")
        _refuse_values(content)
        for section in ("network", "loss", "optimizer", "schedule"):
            if section not in content:
                raise UsageError(f"section [{section}] is missing.")
            _table(content, section)
        refuse_unknown(content["network"], ("layers", "dtype"), "key of [network]:")
        if content["network"].get("dtype", "float32") not in ("float32", "float64"):
            raise UsageError(f'dtype must be "float32" or "float64", found {content["network"]["dtype"]!r}.')
        training, run = (
            _call(f"[{section}]", build, _table(content, section))
            for section, build in (("training", Training), ("run", RunDefaults))
        )
        recipe = Recipe(name, content, training, run)
        # Building it once on a small picture lets every class check its own arguments.
        network = recipe.network((28, 28), 10, rng=None)
        recipe.loss(), recipe.optimizer(network), recipe.schedule(), recipe.augment(0.0), recipe.average(network)
        recipe.adversary()
        if "search" in content:
            search_space(content)
    except UsageError as error:
        raise RecipeError(f"{where}: {error}") from error
    except RecursionError:
        raise RecipeError(f"{where}: tables and lists lie too deep within one another.") from None
    return recipe


def _table(content: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    """A section's keys and values; none where it is missing. Raises UsageError where it is no table."""
    table = content.get(section, {})
    if not isinstance(table, Mapping):
        raise UsageError(f"{section} must be a table that begins with [{section}], found {repr(table)[:SHOWN]}.")
    return table


def _refuse_values(content: Mapping[str, Any]) -> None:
    """Raise UsageError for what neither a recipe nor JSON, in which runs keep it, can hold."""
    for name in ("summary", "reached"):
        if not isinstance(content.get(name, ""), str):
            raise UsageError(f"{name} must be a text.")
    for path, value in flat(content):
        is_too_large = isinstance(value, int) and abs(value) >= 2**63
        if is_too_large or not isinstance(value, (str, int, float, tuple)):
            raise UsageError(f"{path} is a date or a number of more than 64 bits, which a recipe does not take.")


def build_network(
    layers: Any,
    input_shape: tuple[int, ...],
    classes: int,
    *,
    rng: np.random.Generator | None,
    dtype: str = "float32",
    most_params: int | None = None,
) -> Network:
    """A network from its layers' specs, as recipes and model files hold them.

    Raises UsageError for an unknown layer or argument, for layers that do not end in one output a class, and
    for more parameters than `most_params` (a file may declare more than memory holds).
    """
    if not isinstance(layers, (list, tuple)) or not layers:
        raise UsageError('[network] layers must be a list of tables such as { layer = "Dense", units = 512 }.')
    built: list[Layer] = []
    for place, spec in enumerate(layers, 1):
        if not isinstance(spec, Mapping):
            raise UsageError(f'layer {place} must be a table such as {{ layer = "ReLU" }}, found {spec!r}.')
        spec = {key: classes if value == "classes" else value for key, value in spec.items()}
        built.append(_build(LAYERS, "layer", spec))
    network = Network(built, input_shape, rng=rng, dtype=dtype, most_params=most_params)
    if network.output_shape != (classes,):
        raise UsageError(
            f"the layers end in an output of shape {network.output_shape} where {classes} classes need ({classes},): "
            'end with { layer = "Dense", units = "classes" }.'
        )
    return network


def _build(registry: Mapping[str, Callable[..., Any]], key: str, table: Mapping[str, Any], *given: Any) -> Any:
    name = table.get(key)
    if not isinstance(name, str) or name not in registry:
        otherwise = f"choose one of {', '.join(registry)}."
        raise UsageError(f"{key} = {repr(name)[:SHOWN]} is not known: {did_you_mean(name, registry, otherwise)}")
    return _call(name, registry[name], {k: v for k, v in table.items() if k != key}, *given)


def _call(name: str, build: Callable[..., Any], arguments: Mapping[str, Any], *given: Any) -> Any:
    parameters = list(inspect.signature(build).parameters.values())[len(given) :]
    refuse_unknown(arguments, [parameter.name for parameter in parameters], f"key of {name}:")
    hints = get_type_hints(build.__init__)
    for key, value in arguments.items():
        if not fits(value, hints[key]):
            raise UsageError(f"{name}: {key} must be {in_words(hints[key])}, found {repr(value)[:SHOWN]}.")
    for parameter in parameters:
        if parameter.default is parameter.empty and parameter.name not in arguments:
            raise UsageError(f"{name}: {parameter.name}, {in_words(hints[parameter.name])}, is missing.")
    return build(*given, **arguments)
