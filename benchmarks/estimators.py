"""Time and score of NetworkClassifier and NetworkRegressor against scikit-learn's MLP, from the same settings.

    python benchmarks/estimators.py [--data data] [--seeds 20] [--repeats 3] [--keep scores.jsonl]

Time: processor time of fit, with MLP's defaults and a fixed number of epochs (tol=0, so that both do the same work),
the two in turn; the ratio is that of each pair. Score: on a quarter of the rows that is held out, another split,
random_state and fit for each seed, training until it stops by itself, the two large tables for 20 epochs at most; the
difference of each pair with its 95 % interval (Student's t). MNIST: the first 10,000 rows of train.csv, where --data
has one. --keep: a file that the scores go to as they come; the same command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np
from scipy import sparse, stats
from sklearn.datasets import load_breast_cancer, load_digits, load_wine, make_classification, make_friedman1
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import scale
from threadpoolctl import threadpool_limits

from pipeline.dataset.load import load
from pipeline.estimators import NetworkClassifier, NetworkRegressor

CLASSES, NUMBERS = (MLPClassifier, NetworkClassifier), (MLPRegressor, NetworkRegressor)


def tables(data: Path | None) -> dict:
    """Name → (rows, targets, (theirs, ours), epochs of the timing, epochs of the score at most)."""
    digits, wine, cancer = (get(return_X_y=True) for get in (load_digits, load_wine, load_breast_cancer))
    made = make_classification(20_000, 50, n_informative=20, n_classes=4, random_state=0)
    friedman = make_friedman1(2000, noise=1.0, random_state=0)
    rng = np.random.default_rng(0)
    thin = sparse.random_array((3000, 5000), density=0.01, format="csr", rng=rng)
    named = thin @ rng.normal(size=5000) > 0
    found = {
        "digits": (digits[0] / 16, digits[1], CLASSES, 50, 300),
        "wine": (scale(wine[0]), wine[1], CLASSES, 200, 300),
        "breast cancer": (scale(cancer[0]), cancer[1], CLASSES, 200, 300),
        "make_classification 20k x 50": (*made, CLASSES, 10, 20),
        "friedman1": (*friedman, NUMBERS, 100, 300),
        "sparse 3k x 5k, 1 %": (thin, named, CLASSES, 3, 0),
    }
    if data is not None:
        train = load(data).train
        rows = train.images[:10_000].reshape(10_000, -1) / 255
        found["MNIST 10k"] = (rows, train.labels[:10_000], CLASSES, 15, 20)
    return found


def processor_time(estimator, rows, targets) -> float:
    begin = time.process_time()
    estimator.fit(rows, targets)
    return time.process_time() - begin


def line(values: list[float]) -> str:
    return f"{statistics.median(values):8.3f} ({min(values):.3f} to {max(values):.3f})"


def compare_time(name, rows, targets, kinds, epochs, repeats) -> float:
    """Print the seconds of both and give the median ratio."""
    given = {"max_iter": epochs, "tol": 0.0, "n_iter_no_change": epochs, "random_state": 0}
    for kind in kinds:  # caches, and what is compiled at its first use
        kind(**given | {"max_iter": 1}).fit(rows[:500], targets[:500])
    pairs = [[processor_time(kind(**given), rows, targets) for kind in kinds] for _ in range(repeats)]
    ratios = [ours / theirs for theirs, ours in pairs]
    print(f"{name:30}{line([a for a, _ in pairs]):>28}{line([b for _, b in pairs]):>28}{line(ratios):>28}", flush=True)
    return statistics.median(ratios)


def compare_score(name, rows, targets, kinds, epochs, seeds, keep) -> None:
    """Print mean scores and the mean difference, ours less theirs, with its interval."""
    lines = keep.read_text("utf-8").splitlines() if keep is not None and keep.exists() else []
    kept = {(table, seed): pair for table, seed, pair in map(json.loads, lines)}
    for seed in range(seeds):
        if (name, seed) not in kept:
            X, X_test, y, y_test = train_test_split(rows, targets, random_state=seed)
            pair = [kind(random_state=seed, max_iter=epochs).fit(X, y).score(X_test, y_test) for kind in kinds]
            kept[name, seed] = pair
            if keep is not None:
                with keep.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([name, seed, pair]) + "\n")
    theirs, ours = np.array([kept[name, seed] for seed in range(seeds)]).T
    difference = ours - theirs
    half = stats.t.ppf(0.975, seeds - 1) * difference.std(ddof=1) / np.sqrt(seeds)
    word = "below" if difference.mean() + half < 0 else "not below"
    print(
        f"{name:30}{theirs.mean():10.4f}{ours.mean():10.4f}   {difference.mean():+.4f} ± {half:.4f}   {word}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder or zip with Kaggle's digits; without it no MNIST")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5, help="pairs of the timing; 0 leaves it out")
    parser.add_argument("--keep", type=Path, help="file for the scores so far")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    found = tables(arguments.data)
    print(f"{platform.processor() or platform.machine()}, {processor()}, one BLAS thread, NumPy {np.__version__}")
    with threadpool_limits(1):
        if arguments.repeats:
            print(f"\nprocessor seconds: median (least to most)\n{'':30}{'MLP':>28}{'ours':>28}{'ratio':>28}")
            ratios = {
                name: compare_time(name, rows, targets, kinds, epochs, arguments.repeats)
                for name, (rows, targets, kinds, epochs, _) in found.items()
            }
            dense = [ratio for name, ratio in ratios.items() if not name.startswith("sparse")]
            print(f"mean ratio of the dense tables: {statistics.mean(dense):.2f}")
        print(f"\nscores over {arguments.seeds} seeds: MLP's, ours, ours less MLP's, whether it is below beyond chance")
        for name, (rows, targets, kinds, _, most) in found.items():
            if most:
                compare_score(name, rows, targets, kinds, most, arguments.seeds, arguments.keep)


def processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return "unknown processor"
    return next(
        (text.partition(":")[2].strip() for text in lines if text.startswith("model name")), "unknown processor"
    )


if __name__ == "__main__":
    main()
