"""A whole epoch of a recipe, distortions included, here and in PyTorch: processor time on one thread, as a ratio.

    python benchmarks/recipes.py --data data/digit-recognizer.zip [--recipes distort cnn-bn] [--torch-python PYTHON]

The same network, batch size, optimiser and distortions on the same rows; PyTorch distorts with grid_sample, its own
way, and takes fused Adam. The contestants take turns as processes of their own; of a turn's epochs the fastest counts,
and of the turns' ratios the median. One thread each, because a run trains several networks at a time; processor time,
because other work on the machine hardly disturbs it. Ratios below 1 mean that ours takes less.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "benchmarks"))

from pipeline.cli.blas import prefer_wide_kernels  # noqa: E402

prefer_wide_kernels()  # before NumPy is imported

import numpy as np  # noqa: E402
from convolution import torch_network  # noqa: E402
from pairs import processor, ratio  # noqa: E402


def rows(data: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first rows: pixels (count, side, side) uint8 and labels (count,)."""
    with np.load(data) as file:
        return file["images"][:count], file["labels"][:count]


def inkproof(recipe: str, data: str, count: int, epochs: int) -> float:
    from threadpoolctl import threadpool_limits

    from pipeline.training import Hooks, Streams, TrainingData, TrainingPlan, fit
    from pipeline.training import recipe as recipes

    chosen, (images, labels) = recipes.load(recipe), rows(data, count)
    streams = Streams.of(0)
    network = chosen.network(images.shape[1:], int(labels.max()) + 1, rng=streams.weights)
    marks = [time.process_time()]
    with threadpool_limits(1):
        plan = TrainingPlan(
            loss=chosen.loss(),
            optimizer=chosen.optimizer(network),
            schedule=chosen.schedule(),
            epochs=epochs,
            batch_size=chosen.training.batch_size,
        )
        hooks = Hooks(
            augment=chosen.augment(0.0),
            average=chosen.average(network),
            on_epoch=lambda epoch: marks.append(time.process_time()),
        )
        fit(network, TrainingData(rows=images, labels=labels), plan, streams=streams, hooks=hooks)
    return float(np.diff(marks).min())


def pytorch(recipe: str, data: str, count: int, epochs: int) -> float:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    content = tomllib.loads((ROOT / "recipes" / f"{recipe}.toml").read_text(encoding="utf-8"))
    images, labels = (torch.from_numpy(part) for part in rows(data, count))
    network, batch = torch_network(content["network"]["layers"]), content["training"]["batch_size"]
    changes = [torch_change(table) for table in content.get("augment", [])]
    loss = torch.nn.CrossEntropyLoss(label_smoothing=content["loss"].get("label_smoothing", 0.0))
    optimizer = torch.optim.Adam(network.parameters(), fused=True)
    marks = [time.process_time()]
    for _ in range(epochs):
        order = torch.randperm(len(images))
        for start in range(0, len(images), batch):
            chosen = order[start : start + batch]
            x = images[chosen][:, None].float() / 255
            for change in changes:
                x = change(x)
            optimizer.zero_grad()
            loss(network(x), labels[chosen]).backward()
            optimizer.step()
        marks.append(time.process_time())
    return float(np.diff(marks).min())


def torch_change(table: dict) -> Callable:
    """A change of [[augment]] as PyTorch's users write it: batches (n, 1, side, side) → the same."""
    import torch
    from torch.nn import functional as F

    def affine(x, rotation=0.0, scale=0.0, shear=0.0, shift=0.0):
        n = len(x)

        def draw(reach, shape):
            return (torch.rand(shape) * 2 - 1) * reach

        angle, slant = draw(np.deg2rad(rotation), n), draw(shear, n)
        size = 1 + draw(scale, (2, n))
        cos, sin = torch.cos(angle) * size[0], torch.sin(angle) * size[1]
        matrix = torch.stack([torch.stack([cos, slant - sin], 1), torch.stack([sin, cos], 1)], 1)
        theta = torch.cat([matrix, draw(2 * shift, (n, 2, 1))], 2)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    def elastic(x, alpha, sigma):
        n, side = len(x), x.shape[-1]
        width = sigma * side
        reach = round(3 * width)
        line = torch.exp(-((torch.arange(2 * reach + 1) - float(reach)) ** 2) / (2 * width**2))
        line /= line.norm()  # of unit norm: smoothed white noise keeps its variance
        noise = torch.rand(2 * n, 1, side, side) * 2 - 1
        smooth = F.conv2d(
            F.conv2d(noise, line.view(1, 1, 1, -1), padding=(0, reach)), line.view(1, 1, -1, 1), padding=(reach, 0)
        )
        identity = F.affine_grid(torch.eye(2, 3).expand(n, 2, 3), list(x.shape), align_corners=False)
        grid = identity + 2 * alpha * smooth.view(n, 2, side, side).permute(0, 2, 3, 1)
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    def shift(x, share_of_side):
        pixels = round(share_of_side * x.shape[-1])
        return torch.roll(x, tuple(int(torch.randint(-pixels, pixels + 1, ())) for _ in range(2)), (2, 3))

    known = {"Affine": affine, "Elastic": elastic, "Shift": shift}
    arguments = {key: value for key, value in table.items() if key != "change"}
    if table["change"] not in known:
        print(f"PyTorch goes without {table['change']}.", file=sys.stderr)
        return lambda x: x
    return lambda x: known[table["change"]](x, **arguments)


CONTESTANTS = {"inkproof": inkproof, "pytorch": pytorch}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--recipes", nargs="+", default=["distort", "cnn-bn"])
    parser.add_argument("--rows", type=int, default=8_400)
    parser.add_argument("--epochs", type=int, default=2, help="a process and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--torch-python", help="a Python that has PyTorch, where this one has not")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        print(
            json.dumps(CONTESTANTS[options.contestant](options.recipes[0], options.data, options.rows, options.epochs))
        )
        return
    torch_python = options.torch_python or (sys.executable if importlib.util.find_spec("torch") else None)
    print(processor())
    compare(options, torch_python)


def compare(options: argparse.Namespace, torch_python: str | None) -> None:
    """Print one line for each recipe."""
    import tempfile

    from pipeline import dataset

    train = dataset.load(options.data).train
    pythons = {"inkproof": sys.executable} | ({"pytorch": torch_python} if torch_python else {})
    if torch_python is None:
        print("PyTorch is not installed here: only our own times follow.")
    print(
        f"Processor seconds of an epoch of {train.n:,} rows on one thread, from {min(options.rows, train.n):,} of them:"
    )
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "rows.npz")
        np.savez(data, images=train.images, labels=train.labels)  # PyTorch's Python need not have our packages
        for recipe in options.recipes:
            seconds: dict[str, list[float]] = {name: [] for name in pythons}
            for _ in range(options.rounds):
                for name, python in pythons.items():
                    command = [python, __file__, "--data", data, "--contestant", name, "--recipes", recipe]
                    command += ["--rows", str(options.rows), "--epochs", str(options.epochs)]
                    said = subprocess.run(
                        command,
                        stdout=subprocess.PIPE,
                        text=True,
                        check=True,
                        env={**os.environ, "OMP_NUM_THREADS": "1"},
                    )
                    seconds[name].append(json.loads(said.stdout) * train.n / min(options.rows, train.n))
            line = f"  {recipe:<24}ours {min(seconds['inkproof']):7.2f}"
            if torch_python:
                ratios = ratio(seconds["inkproof"], seconds["pytorch"])
                line += f"   PyTorch {min(seconds['pytorch']):7.2f}   ratio {ratios}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
