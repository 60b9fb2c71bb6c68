"""One training step of the convolutional recipes, here and in PyTorch, layer by layer and whole, as ratios.

    python benchmarks/convolution.py [--recipes cnn-small cnn-bn] [--threads 1 2] [--torch-python PYTHON]

The contestants take turns as processes of their own; of all their steps the fastest counts, on random pictures
of 28×28. An epoch is the step times Kaggle's 42,000 rows over the batch. With one thread processor time is
taken, which other work on the machine hardly disturbs, with more the clock's, which it does. PyTorch runs twice:
as its user gets it, and in its channels-last memory format. Ratios below 1 mean that ours takes less.
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
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from pipeline.cli.blas import prefer_wide_kernels  # noqa: E402

prefer_wide_kernels()  # before NumPy is imported

import numpy as np  # noqa: E402
from pairs import processor, ratio  # noqa: E402

ROWS, SIDE, CLASSES = 42_000, 28, 10


class Stopwatch:
    """The fastest time of each thing that is timed, in seconds."""

    def __init__(self, threads: int) -> None:
        self.clock = time.process_time if threads == 1 else time.perf_counter
        self.best: dict[str, float] = {}

    def __call__(self, name: str, work: Callable, *arguments: object) -> object:
        begin = self.clock()
        result = work(*arguments)
        self.best[name] = min(self.best.get(name, float("inf")), self.clock() - begin)
        return result


def batch_of(rows: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(256, size=(rows, SIDE, SIDE)).astype(np.uint8), rng.integers(CLASSES, size=rows)


def inkproof(name: str, threads: int, steps: int) -> dict[str, float]:
    """Ours: the matrix library on one thread, blocks of pictures on `threads`."""
    from threadpoolctl import threadpool_limits

    from pipeline.nn.workspace import Pass
    from pipeline.training import recipe

    chosen = recipe.load(name)
    network = chosen.network((SIDE, SIDE), CLASSES, rng=np.random.default_rng(0))
    pixels, labels = batch_of(chosen.training.batch_size)
    ctx, timed = Pass(train=True, rng=np.random.default_rng(1), threads=threads), Stopwatch(threads)
    loss, optimizer = chosen.loss(), chosen.optimizer(network)

    def step() -> None:
        outputs, backward = network.forward(network.to_numbers(pixels, ctx), ctx)
        backward(loss(outputs, labels, ctx)[1])
        optimizer.step(network.params, network.grads, 1e-3)

    def layer_by_layer() -> None:
        x, backwards = network.to_numbers(pixels, ctx), []
        for number, layer in enumerate(network.layers):
            x, backward = timed(f"{number} forward", layer.forward, x, ctx)
            backwards.append(backward)
        d = loss(x, labels, ctx)[1]
        for number in reversed(range(len(backwards))):
            d = timed(f"{number} backward", backwards[number], d)

    with threadpool_limits(1):
        for _ in range(steps):
            timed("step", step)
            layer_by_layer()
    return timed.best


def pytorch(name: str, threads: int, steps: int, *, channels_last: bool = False) -> dict[str, float]:
    """PyTorch's: the same layers, fused Adam, data in memory."""
    import torch

    torch.set_num_threads(threads)
    content = tomllib.loads((ROOT / "recipes" / f"{name}.toml").read_text(encoding="utf-8"))
    network, timed = torch_network(content["network"]["layers"]), Stopwatch(threads)
    pixels, labels = batch_of(content["training"]["batch_size"])
    rows, targets = torch.from_numpy(pixels)[:, None].float() / 255, torch.from_numpy(labels)
    if channels_last:
        network, rows = network.to(memory_format=torch.channels_last), rows.to(memory_format=torch.channels_last)
    loss = torch.nn.CrossEntropyLoss(label_smoothing=content["loss"].get("label_smoothing", 0.0))
    optimizer = torch.optim.Adam(network.parameters(), fused=True)

    def step() -> None:
        optimizer.zero_grad()
        loss(network(rows), targets).backward()
        optimizer.step()

    def layer_by_layer() -> None:
        x, inputs, outputs = rows, [], []
        for number, layer in enumerate(network):
            inputs.append(x.detach().requires_grad_(number > 0))
            outputs.append(timed(f"{number} forward", layer, inputs[-1]))
            x = outputs[-1]
        last = x.detach().requires_grad_()
        loss(last, targets).backward()
        d = last.grad
        for number in reversed(range(len(network))):
            timed(f"{number} backward", outputs[number].backward, d)
            d = inputs[number].grad

    for _ in range(steps):
        timed("step", step)
        layer_by_layer()
    return timed.best


def torch_network(specs: list[dict]):
    """The layers of a recipe as a torch.nn.Sequential."""
    import torch
    from torch import nn

    kinds = {
        "Conv2D": lambda filters, kernel, bias=True: nn.LazyConv2d(filters, kernel, bias=bias),
        "MaxPool2D": lambda size, stride=None: nn.MaxPool2d(size, stride),
        "Dropout": lambda rate: nn.Dropout(rate),
        "ReLU": nn.ReLU,
        "Tanh": nn.Tanh,
        "Flatten": nn.Flatten,
        "Deslant": lambda **_: nn.Identity(),  # PyTorch has none and goes without
        "Dense": lambda units, bias=True, init="": nn.LazyLinear(CLASSES if units == "classes" else units, bias=bias),
    }
    made, flat = [], False
    for spec in specs:
        arguments = {key: value for key, value in spec.items() if key != "layer"}
        flat |= spec["layer"] == "Flatten"
        if spec["layer"] == "BatchNorm":
            made.append((nn.LazyBatchNorm1d if flat else nn.LazyBatchNorm2d)(**arguments))
        else:
            made.append(kinds[spec["layer"]](**arguments))
    network = nn.Sequential(*made)
    network(torch.zeros(2, 1, SIDE, SIDE))  # lazy layers take their sizes from this
    return network


CONTESTANTS = {
    "inkproof": inkproof,
    "pytorch": pytorch,
    "pytorch channels-last": lambda *arguments: pytorch(*arguments, channels_last=True),
}


def compare(name: str, threads: int, *, rounds: int, steps: int, torch_python: str | None) -> None:
    """Print one table."""
    names = [contestant for contestant in CONTESTANTS if torch_python or contestant == "inkproof"]
    best: dict[str, dict[str, float]] = {contestant: {} for contestant in names}
    turns: dict[str, list[float]] = {contestant: [] for contestant in names}
    for _ in range(rounds):
        for contestant in names:
            python = sys.executable if contestant == "inkproof" else torch_python
            command = [python, __file__, "--contestant", contestant, "--recipes", name]
            command += ["--threads", str(threads), "--steps", str(steps)]
            environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
            said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment).stdout
            turns[contestant].append(json.loads(said)["step"])
            for part, seconds in json.loads(said).items():
                best[contestant][part] = min(seconds, best[contestant].get(part, seconds))

    from pipeline.training import recipe

    chosen = recipe.load(name)
    layers = chosen.network((SIDE, SIDE), CLASSES, rng=None).layers
    print(f"\n{name}, batch {chosen.training.batch_size}, threads: {threads}; milliseconds (ours / theirs)")
    print(f"  {'':24}{'ours':>8}" + "".join(f"{other:>24}" for other in names[1:]))
    lines = [
        (f"{layer.describe()} {way}", f"{number} {way}")
        for number, layer in enumerate(layers)
        for way in ("forward", "backward")
    ]
    for title, part in [*lines, ("one step", "step")]:
        show(title, [best[contestant][part] * 1e3 for contestant in names])
    scale = ROWS / chosen.training.batch_size
    show("an epoch, seconds", [best[contestant]["step"] * scale for contestant in names])
    for other in names[1:]:
        print(f"  one step, ours / {other}: {ratio(turns['inkproof'], turns[other])}")


def show(title: str, figures: list[float]) -> None:
    ours, *others = figures
    print(f"  {title:24}{ours:8.2f}" + "".join(f"{other:16.2f} ({ours / other:5.2f})" for other in others))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", nargs="+", default=["cnn-small", "cnn-bn"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=8, help="a process and round")
    parser.add_argument("--torch-python", help="a Python that has PyTorch, where this one has not")
    parser.add_argument("--contestant", choices=CONTESTANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant:
        print(json.dumps(CONTESTANTS[options.contestant](options.recipes[0], options.threads[0], options.steps)))
        return
    print(processor())
    torch_python = options.torch_python or (sys.executable if importlib.util.find_spec("torch") else None)
    if torch_python is None:
        print("PyTorch is not installed here: only our own times follow.")
    for name in options.recipes:
        for threads in options.threads:
            compare(name, threads, rounds=options.rounds, steps=options.steps, torch_python=torch_python)


if __name__ == "__main__":
    main()
