"""How often a table of pure chance says "better" or "worse", how often intervals cover, and what repeats can find.

    python benchmarks/verdicts.py [--tables 400] [--seed 0]

Rows, ways of training and seeds are simulated with spreads like those of real comparisons: each test condition has an
accuracy, a spread of it over training seeds, and rows that some ways read and others do not, though no way is better.
Families of 1, 6 and 148 comparisons, as the tables of two networks, of the main job and of `compare` have them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pipeline.evaluation.crossed import paired_luck
from pipeline.evaluation.grid import Grid
from pipeline.evaluation.statistics import compare_to_baseline, repeats_to_find

# Accuracy of a condition and its standard deviation over training seeds, both as shares: clean pictures first, then
# what shifts, noise and attacks leave of it.
CONDITIONS = ((0.985, 0.0005), (0.97, 0.003), (0.90, 0.012), (0.80, 0.01), (0.60, 0.03), (0.34, 0.044), (0.12, 0.03))
FAMILIES = {1: (2, 1), 6: (4, 2), 148: (5, 37)}  # ways of training, test conditions
REPEATS = (2, 3, 5, 10)
ROWS = (400, 4200)
WAY, CHANCE = 0.3, 0.4  # spread of margins over rows that one way reads and another not, and over single answers
LOPSIDED = (0.3, 1.0, 1.7)  # how much the ways' seeds differ in spread, in turn


def simulated(
    *, ways: int, conditions: int, repeats: int, rows: int, rng: np.random.Generator, gain: float = 0.0, first: int = 0
) -> Grid:
    """A grid in which all ways have the same expected accuracy, but for the last, which has `gain` (a share) more.

    A row is read where its easiness + what the way makes of it + the seed's luck + chance is above a bound.
    """
    from scipy.special import ndtri

    predictions = np.empty((ways, repeats, conditions, rows), np.int8)
    shared = rng.standard_normal((ways, repeats))  # a seed that is good at one thing is good at others
    spread = np.array([LOPSIDED[way % len(LOPSIDED)] for way in range(ways)])
    for place in range(conditions):
        accuracy, of_seeds = CONDITIONS[(first + place) % len(CONDITIONS)]
        total = np.sqrt(1 + WAY**2 + CHANCE**2)
        # d accuracy / d margin = φ(bound / total) / total
        slope = np.exp(-(ndtri(accuracy) ** 2) / 2) / np.sqrt(2 * np.pi) / total
        seeds = of_seeds / slope * spread
        luck = (0.7 * shared + np.sqrt(0.51) * rng.standard_normal((ways, repeats))) * seeds[:, None]
        wanted = np.full(ways, accuracy)
        wanted[-1] += gain
        bound = -ndtri(wanted) * np.sqrt(total**2 + seeds**2)
        fixed = rng.standard_normal(rows) + WAY * rng.standard_normal((ways, rows))
        margin = CHANCE * rng.standard_normal((ways, repeats, rows), dtype=np.float32)
        margin += (fixed - bound[:, None])[:, None].astype(np.float32) + luck[:, :, None].astype(np.float32)
        predictions[:, :, place] = margin < 0
    names = tuple(f"way {way}" for way in range(ways)), tuple(f"condition {place}" for place in range(conditions))
    return Grid(*names, np.zeros(rows, np.int8), predictions, predictions[:, 0])


def false_verdicts(family: int, repeats: int, rows: int, tables: int, rng: np.random.Generator) -> tuple[float, float]:
    """Share of null tables with any false verdict, and share of single 95 % intervals that hold 0."""
    ways, conditions = FAMILIES[family]
    false = covered = compared = 0
    for table in range(tables):
        grid = simulated(ways=ways, conditions=conditions, repeats=repeats, rows=rows, rng=rng, first=table)
        comparisons = compare_to_baseline(grid, "way 0", grid.conditions)
        # At two repeats there are no verdicts: there the intervals are what may fool.
        false += any(one.outcome != "none" for one in comparisons)
        for one in comparisons:
            if one.repeats >= 3 and (one.outcome != "none") != one.points.excludes_zero():
                raise SystemExit(f"verdict and interval contradict one another: {one}")
        covered += sum(one.p >= 0.05 for one in comparisons)
        compared += len(comparisons)
    return false / tables, covered / compared


def power(repeats: int, rows: int, rng: np.random.Generator) -> tuple[float, float, str]:
    """On clean pictures: the difference (points) a table of 6 says it finds in 80 %, how often it does, and repeats
    for 0.1 points by a pilot of so many."""
    said, grids = [], []
    for _ in range(60):
        grids.append(simulated(ways=2, conditions=1, repeats=repeats, rows=rows, rng=rng))
        _, luck = paired_luck(grids[-1].correct(1, 0), grids[-1].correct(0, 0))
        said.append(luck.detectable(1 - 0.05 / 6))
    gain = float(np.median(said))
    found = 0
    for _ in range(150):
        grid = simulated(ways=2, conditions=1, repeats=repeats, rows=rows, rng=rng, gain=gain)
        value, luck = paired_luck(grid.correct(1, 0), grid.correct(0, 0))
        found += luck.p_value(value) < 0.05 / 6 and value > 0
    needed, _ = repeats_to_find(grids[0].correct(1, 0), grids[0].correct(0, 0), 0.001, family=6)
    return 100 * gain, found / 150, "more than 100" if needed is None else str(needed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=400, help="simulated tables of each kind (ten times for 1 and 6)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    print("Null tables: no way is better than another. Allowed: a false verdict in 6 % of tables; 93 to 97 % covered.")
    print(
        f"{'family':>6} {'repeats':>7} {'rows':>6} {'tables':>6} {'false verdict in':>17} {'95 % intervals cover':>21}"
    )
    for family in FAMILIES:
        for repeats in REPEATS:
            for rows in ROWS:
                tables = given.tables * (1 if family == 148 else 10)
                false, covered = false_verdicts(family, repeats, rows, tables, rng)
                print(f"{family:6} {repeats:7} {rows:6,} {tables:6} {false:17.1%} {covered:21.1%}", flush=True)
    print("\nPower on clean pictures (98.5 %), as one of 6 comparisons: what a table says it finds in 80 %, and does.")
    print(f"{'repeats':>7} {'rows':>6} {'points':>7} {'found in':>9}   repeats for 0.1 points")
    for repeats in REPEATS[1:]:
        for rows in (4200, 28_000):
            points, found, needed = power(repeats, rows, rng)
            print(f"{repeats:7} {rows:6,} {points:7.2f} {found:9.0%}   {needed}", flush=True)


if __name__ == "__main__":
    main()
