"""What single changes of a recipe are worth: one fold of five, the same rows and seed for all (see docs/accuracy.md).

    python benchmarks/steps.py --data data/digit-recognizer.zip [NAME …]

Each step trains on 33,600 of Kaggle's rows and answers the other 8,400, on one thread. One network more or less right
by 8 rows is chance (a tenth of a point); the log-loss, at the temperature that suits the network best, is steadier
and decides. These rows have thereby been chosen on: no figure of the recipes themselves comes from them.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported
sys.path.insert(0, str(Path(__file__).parent.parent))

from pipeline.cli.blas import prefer_wide_kernels

prefer_wide_kernels()

import numpy as np  # noqa: E402

from pipeline import dataset  # noqa: E402
from pipeline.dataset.split import stratified_folds  # noqa: E402
from pipeline.evaluation.robustness.conditions import condition  # noqa: E402
from pipeline.training import recipe as recipes  # noqa: E402
from pipeline.training.parallel import attempt  # noqa: E402
from pipeline.training.search_space import with_values  # noqa: E402
from pipeline.training.task import Part, Rows, TrainingTask  # noqa: E402

NORM = [{"layer": "BatchNorm"}, {"layer": "ReLU"}]
UPRIGHT = [{"layer": "Deslant"}, {"layer": "Flatten"}]


def dense(units: int, *, upright: bool = False, norm: bool = True) -> list[dict]:
    hidden = [{"layer": "Dense", "units": units, "bias": not norm}, *(NORM if norm else NORM[1:])]
    return [*(UPRIGHT if upright else UPRIGHT[1:]), *hidden, {"layer": "Dense", "units": "classes"}]


SHORT = {"training.epochs": 30}
FASTER = SHORT | {"schedule.learning_rate": 0.004}
MILD = {"augment.0.rotation": 8, "augment.0.scale": 0.08, "augment.0.shear": 0.08, "augment.0.shift": 0.03}
MILD |= {"augment.1.alpha": 0.03}
STRONG = {"augment.0.rotation": 15, "augment.0.scale": 0.15, "augment.0.shear": 0.15, "augment.0.shift": 0.06}
STRONG |= {"augment.1.alpha": 0.05, "augment.1.sigma": 0.16}
# name: the recipe it begins with, and the settings that it changes, as a [search] names them.
STEPS: dict[str, tuple[str, dict]] = {
    "distort, 30 epochs": ("distort", SHORT),
    "learning rate 0.001": ("distort", SHORT | {"schedule.learning_rate": 0.001}),
    "learning rate 0.004": ("distort", FASTER),
    "milder distortions": ("distort", SHORT | MILD),
    "stronger distortions": ("distort", SHORT | STRONG),
    "batch normalisation": ("distort", FASTER | {"network.layers": dense(1000)}),
    "and 2000 units": ("distort", FASTER | {"network.layers": dense(2000)}),
    "milder and upright": ("distort", SHORT | MILD | {"network.layers": dense(1000, upright=True, norm=False)}),
    "distort-norm, 60 epochs": ("distort-norm", {"training.epochs": 60}),
    "2000 units, 120 epochs": ("distort-norm", {"training.epochs": 120, "network.layers": dense(2000)}),
    "cnn, 10 epochs": ("cnn", {"training.epochs": 10}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(STEPS)}; all by default")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in STEPS]
    if unknown:
        parser.error(f"there is no step {unknown[0]!r}: choose among {', '.join(STEPS)}.")
    train = dataset.load(options.data).train
    learnt, held = stratified_folds(train.labels, 5, rng=np.random.default_rng(777))[0]
    rows = Rows(train.images, train.labels, len(train.classes), train.images[:0], None)
    print(f"{'':28}{'right':>7}{'accuracy':>10}{'log-loss':>10}{'CPU s':>8}   of {len(held):,} rows")
    for name in options.names or STEPS:
        base, values = STEPS[name]
        recipe = recipes.load(base)
        recipe = recipes.check(with_values(recipe.content, values), name=base, where=name)
        task = TrainingTask(name, recipe, 0.0, (0, 0), [condition("clean")], part=Part(learnt, held))
        found = attempt(task, rows)
        if isinstance(found, str):
            sys.exit(f"{name}: {found}")
        right = int((found.probabilities[0].argmax(axis=1) == train.labels[held]).sum())
        loss = log_loss(found.probabilities[0], train.labels[held])
        print(f"{name:28}{right:7,}{right / len(held):10.2%}{loss:10.4f}{found.cpu_seconds:8.0f}", flush=True)


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean −log p of the true classes, the logits divided by the temperature that makes it least."""
    logs = np.log(np.maximum(probabilities, 1e-12)).astype(np.float64)

    def at(temperature: float) -> float:
        scaled = logs / temperature
        scaled -= scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(labels)), labels]).mean())

    return min(at(temperature) for temperature in np.geomspace(0.2, 2, 40))


if __name__ == "__main__":
    main()
