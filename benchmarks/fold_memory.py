"""Memory of a comparison of many fits, with made-up probabilities: python benchmarks/fold_memory.py --fits 10000

Folds so many fits of 4,200 rows × 37 test conditions × 10 classes into a grid, as a job does, and prints the peak
memory of this process. Predictions stay, two bytes each, and running sums; no probabilities do.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from pipeline.evaluation.grid import GridFold

ROWS, CONDITIONS, CLASSES = 4_200, 37, 10


@click.command()
@click.option("--fits", type=click.IntRange(1), default=10_000, show_default=True, help="Networks in all.")
@click.option("--trained", type=click.IntRange(1), default=5, show_default=True, help="Ways of training among them.")
def main(fits: int, trained: int) -> None:
    """Print the peak memory and the processor time of folding that many fits."""
    rng = np.random.default_rng(0)
    names = [f"way {number}" for number in range(trained)]
    conditions = [f"condition {number}" for number in range(CONDITIONS)]
    labels = rng.integers(CLASSES, size=ROWS)
    repeats = -(-fits // trained)
    fold = GridFold(trained=names, repeats=repeats, conditions=conditions, labels=labels, classes=CLASSES)
    made_up = rng.random((CONDITIONS + 1, ROWS, CLASSES), dtype=np.float32)
    begin = time.process_time()
    for repeat in range(repeats):
        for name in names:
            shift = int(rng.integers(2))  # results that differ from one another
            fold.add(name, repeat, dict(zip(conditions, made_up[shift:], strict=False)))
    seconds = time.process_time() - begin
    accuracy = fold.grid().accuracy()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024
    print(f"{repeats * trained:,} fits × {CONDITIONS} conditions × {ROWS:,} rows: accuracy {accuracy.mean():.3f}")
    print(f"peak memory {peak:.2f} GB, {seconds / (repeats * trained) * 1000:.1f} ms of processor time a fit")


if __name__ == "__main__":
    main()
