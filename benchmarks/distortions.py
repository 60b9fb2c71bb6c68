"""What distortions cost, next to the same distortions by SciPy and, where installed, PyTorch.

    python benchmarks/distortions.py [--recipe distort]

Processor seconds for as many pictures of 28×28 as Kaggle's train.csv has, on one thread, the best of three;
and the seconds on the clock when two threads share the work, which mean something on a quiet machine only.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported
sys.path.insert(0, str(Path(__file__).parent.parent))
from pipeline.cli.blas import prefer_wide_kernels

prefer_wide_kernels()

import numpy as np  # noqa: E402
from scipy import ndimage  # noqa: E402

from pipeline.augment import Affine, Chain, CutOut, Elastic, Shift, Thickness  # noqa: E402
from pipeline.training import recipe as recipes  # noqa: E402
from pipeline.training.recipe import Recipe  # noqa: E402

PICTURES, SIDE, BATCH = 42_000, 28, 256
PEER_PICTURES = 2_000  # as many as the slow peers distort; their time is scaled up
AFFINE = {"rotation": 10, "scale": 0.1, "shear": 0.1, "shift": 0.05}
ELASTIC = {"alpha": 0.04, "sigma": 0.14}


def pictures(n: int) -> np.ndarray:
    """(n, side, side) float32 in [0, 1], a fifth of it bright, as with digits."""
    rng = np.random.default_rng(0)
    return np.where(rng.random((n, SIDE, SIDE)) < 0.2, rng.random((n, SIDE, SIDE)), 0).astype(np.float32)


def best_of(work: Callable[[], object], clock: Callable[[], float], times: int = 3) -> float:
    seconds = []
    for _ in range(times):
        begin = clock()
        work()
        seconds.append(clock() - begin)
    return min(seconds)


def over_batches(change: Callable[..., np.ndarray], images: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    batch = np.empty((BATCH, SIDE, SIDE), np.float32)
    for first in range(0, len(images), BATCH):
        part = images[first : first + BATCH]
        batch[: len(part)] = part
        change(batch[: len(part)], rng=rng)


def on_two_threads(recipe: Recipe, images: np.ndarray) -> float:
    def work() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(over_batches, (recipe.augment(0.0), recipe.augment(0.0)), np.array_split(images, 2)))

    return best_of(work, time.perf_counter)


def with_scipy(images: np.ndarray) -> None:
    """The elastic field by a filter over white noise and the gather by map_coordinates, picture by picture."""
    rng = np.random.default_rng(0)
    places = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    affine = Affine(**AFFINE).field(images.shape, rng=rng).swapaxes(0, 1)
    for picture, field in zip(images, affine, strict=True):
        noise = rng.uniform(-1, 1, (2, SIDE, SIDE)).astype(np.float32)
        elastic = 34 * ndimage.gaussian_filter(noise, (0, 4, 4), mode="constant")
        ndimage.map_coordinates(picture, places + field + elastic, order=1, mode="constant")


def with_torch(images: np.ndarray) -> None:
    """The same in PyTorch: both filters as convolutions, one grid_sample a batch; affine maps as above."""
    import torch
    from torch.nn import functional as F

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    line = torch.exp(-((torch.arange(25) - 12.0) ** 2) / 32)
    line /= line.sum()
    pixels = torch.from_numpy(np.mgrid[:SIDE, :SIDE].astype(np.float32))[:, None]
    for first in range(0, len(images), BATCH):
        part = torch.from_numpy(images[first : first + BATCH])
        affine = torch.from_numpy(Affine(**AFFINE).field(tuple(part.shape), rng=rng))
        noise = torch.rand(2 * len(part), 1, SIDE, SIDE) * 2 - 1
        rows = F.conv2d(noise, line.view(1, 1, 1, -1), padding=(0, 12))
        smooth = F.conv2d(rows, line.view(1, 1, -1, 1), padding=(12, 0))
        places = pixels + affine + 34 * smooth.view(2, len(part), SIDE, SIDE)
        grid = (places.flip(0).permute(1, 2, 3, 0) + 0.5) * (2 / SIDE) - 1
        F.grid_sample(part[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipe", default="distort")
    recipe = recipes.load(parser.parse_args().recipe)
    images = pictures(PICTURES)
    both = Chain(Affine(**AFFINE), Elastic(**ELASTIC))
    print(f"Processor seconds for {PICTURES:,} pictures of {SIDE}×{SIDE} in batches of {BATCH}, one thread:")
    for name, change in {
        "shift by whole pixels": Shift(share_of_side=0.04),
        "cut-out": CutOut(share_of_side=0.3),
        "thickness": Thickness(share_of_side=0.03),
        "affine": Affine(**AFFINE),
        "elastic": Elastic(**ELASTIC),
        f"recipe {recipe.name}": recipe.augment(0.0),
    }.items():
        print(f"  {name:<24}{best_of(lambda change=change: over_batches(change, images), time.process_time):6.2f}")
    print(f"  recipe {recipe.name} on two threads: {on_two_threads(recipe, images):.2f} s on the clock")

    print("Affine and elastic together (ratio = ours / theirs):")
    ours = best_of(lambda: over_batches(both, images), time.process_time)
    print(f"  ours                    {ours:6.2f}")
    peers = {"SciPy": with_scipy}
    if importlib.util.find_spec("torch"):
        peers["PyTorch"] = with_torch
    few = images[:PEER_PICTURES]
    for name, peer in peers.items():
        theirs = best_of(lambda peer=peer: peer(few), time.process_time) * PICTURES / PEER_PICTURES
        print(f"  {name:<24}{theirs:6.2f}   ratio {ours / theirs:.2f}")


if __name__ == "__main__":
    main()
