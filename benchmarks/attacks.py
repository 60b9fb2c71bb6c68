"""Our attacks against public libraries' on the same weights and rows: accuracy left, in %, and processor time.

    python benchmarks/attacks.py MODEL.safetensors [MODEL.safetensors …] --data held_out.npz [--rows 300]

MODEL: model files as runs leave them (fits/…/model.safetensors). --data: a run's held_out.npz. The libraries are
torchattacks (APGD-CE, APGD-T, FAB-T and Square, the four of AutoAttack, and PGD with 50 steps from 10 starts) and
foolbox (DDN, FMN); "best of theirs" is the row-wise worst of all of them. Networks of Flatten, Dense, Conv2D without
stride, MaxPool2D and ReLU can be asked.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pipeline.evaluation.robustness.apgd import APGD
from pipeline.evaluation.robustness.attacks import Ball, attack
from pipeline.evaluation.robustness.methods import PGD
from pipeline.evaluation.robustness.minimal_norm import minimal_distances
from pipeline.nn.network import Network
from pipeline.prediction import model_file

BALLS = (("Linf", 0.05), ("Linf", 0.1), ("L2", 1.0), ("L2", 1.5))


def twin(network: Network):
    """The network as a PyTorch module that takes pictures (n, 1, side, side)."""
    import torch

    layers: list = []
    channels = 1
    for layer in network.layers:
        kind = type(layer).__name__
        weights = {name: torch.from_numpy(values.copy()) for name, values in layer.params.items()}
        if kind == "Dense":
            made = torch.nn.Linear(*weights["weight"].shape, bias="bias" in weights)
            made.weight.data = weights["weight"].T.contiguous()
        elif kind == "Conv2D":
            made = torch.nn.Conv2d(channels, layer.filters, layer.kernel, padding=layer.padding, bias="bias" in weights)
            size = (channels, layer.kernel, layer.kernel, layer.filters)
            made.weight.data = weights["weight"].reshape(size).permute(3, 0, 1, 2).contiguous()
            channels = layer.filters
        elif kind in ("ReLU", "Flatten"):
            made = getattr(torch.nn, kind)()
        elif kind == "MaxPool2D":
            made = torch.nn.MaxPool2d(layer.size, layer.stride)
        else:
            raise SystemExit(f"A network with the layer {kind} can't be given to the libraries.")
        if "bias" in weights:
            made.bias.data = weights["bias"]
        layers.append(made)
    return torch.nn.Sequential(*layers).eval()


def theirs(network: Network, images: np.ndarray, labels: np.ndarray, ball: Ball) -> dict[str, tuple[np.ndarray, float]]:
    """Which rows each library's attack leaves right, and its processor time."""
    import foolbox
    import torch
    import torchattacks

    module = twin(network)
    x, y = torch.from_numpy(images[:, None]), torch.from_numpy(labels.astype(np.int64))
    with torch.no_grad():
        difference = np.abs(module(x).numpy() - network.logits(images)).max()
    if difference > 1e-3:
        raise SystemExit(f"The PyTorch twin's logits differ by {difference:.2g}: the comparison would mean nothing.")
    norm, epsilon = ball.norm, ball.epsilon
    made = {
        "APGD-CE": torchattacks.APGD(module, norm=norm, eps=epsilon, steps=100, n_restarts=1, seed=0),
        "APGD-T": torchattacks.APGDT(module, norm=norm, eps=epsilon, steps=100, n_restarts=1, seed=0, n_classes=10),
        "FAB-T": torchattacks.FAB(
            module, norm=norm, eps=epsilon, steps=100, n_restarts=1, multi_targeted=True, n_classes=10, seed=0
        ),
        "Square": torchattacks.Square(module, norm=norm, eps=epsilon, n_queries=5000, n_restarts=1, seed=0),
    }
    outside = foolbox.PyTorchModel(module, bounds=(0, 1))
    pgd = {"Linf": foolbox.attacks.LinfPGD, "L2": foolbox.attacks.L2PGD}[norm](steps=50, rel_stepsize=0.05)
    minimal = {
        "FMN": {"Linf": foolbox.attacks.LInfFMNAttack, "L2": foolbox.attacks.L2FMNAttack}[norm](steps=200),
        **({"DDN": foolbox.attacks.DDNAttack(steps=200)} if norm == "L2" else {}),
    }
    found = {}
    for name, method in made.items():
        begin = time.process_time()
        found[name] = (_left(module, method(x, y), x, y, ball), time.process_time() - begin)
    begin, left = time.process_time(), np.ones(len(images), bool)
    for _ in range(10):
        left &= _left(module, pgd(outside, x, y, epsilons=epsilon)[1], x, y, ball)
    found["PGD-50×10"] = (left, time.process_time() - begin)
    for name, method in minimal.items():
        begin = time.process_time()
        found[name] = (_left(module, method(outside, x, y, epsilons=None)[0], x, y, ball), time.process_time() - begin)
    return found


def _left(module, attacked, x, y, ball: Ball) -> np.ndarray:
    """Rows that are right before, and after where the change is allowed."""
    import torch

    change = (attacked - x).flatten(1)
    size = change.abs().amax(1) if ball.norm == "Linf" else change.norm(dim=1)
    with torch.no_grad():
        wrong = (module(attacked.clamp(0, 1)).argmax(1) != y) & (size <= ball.epsilon * (1 + 1e-4) + 1e-6)
        return ((module(x).argmax(1) == y) & ~wrong).numpy()


def ours(network: Network, images: np.ndarray, labels: np.ndarray, ball: Ball, method) -> tuple[float, float]:
    """Accuracy left in %, and processor time."""
    begin = time.process_time()
    left = attack(network, images, labels, method, ball, rng=np.random.default_rng(0)).accuracy
    return 100 * left, time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=300)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    try:
        import foolbox  # noqa: F401
        import torch
        import torchattacks  # noqa: F401

        torch.set_num_threads(1)
        outside = True
    except ImportError as error:
        print(
            f"Without the libraries' columns: {error.name} is not installed (pip install torch torchattacks foolbox)."
        )
        outside = False
    with np.load(given.data) as arrays:
        images, labels = arrays["images"][: given.rows] / np.float32(255), arrays["labels"][: given.rows]
    for path in given.models:
        network = model_file.load(path).network
        clean = (network.logits(images).argmax(axis=1) == labels).mean()
        print(f"\n{path.parent.name or path}: {clean:.1%} of {len(images)} rows without an attack")
        for norm in ("Linf", "L2"):
            distances = minimal_distances(network, images, labels, norm, rng=np.random.default_rng(0))
            print(f"  median distance to a mistake in {norm}: {np.median(distances):.4f}")
        for norm, epsilon in BALLS:
            ball = Ball(norm, epsilon)
            cheap, cheap_time = ours(network, images, labels, ball, PGD())
            strong, strong_time = ours(network, images, labels, ball, APGD())
            line = f"  {norm} {epsilon:g}: PGD-40 {cheap:.1f} ({cheap_time:.2f} s)"
            line += f", APGD {strong:.1f} ({strong_time:.2f} s)"
            if outside:
                found = theirs(network, images, labels, ball)
                best = np.logical_and.reduce([left for left, _ in found.values()]).mean() * 100
                each = ", ".join(
                    f"{name} {100 * left.mean():.1f} ({taken:.0f} s)" for name, (left, taken) in found.items()
                )
                line += f"; best of theirs {best:.1f} ({strong - best:+.1f})\n    {each}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
