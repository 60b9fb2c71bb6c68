"""The same training done by others: scikit-learn's MLPClassifier and, where installed, PyTorch.

Each peer runs as a process of its own, as its user would start it: `python benchmarks/peers.py NAME …` prints one
number, seconds: of the processor with OMP_NUM_THREADS=1, else on the clock. That way neither its threads nor its
memory disturb whom it is compared with.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))
from pairs import clock

now = clock()


def rows(data: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, side²) float32 in [0, 1] and labels (n,)."""
    from pipeline import dataset

    train = dataset.load(data).train
    return train.images.reshape(train.n, -1) / np.float32(255), train.labels


def sklearn_epoch(x: np.ndarray, y: np.ndarray, hidden: int, batch: int, epochs: int) -> float:
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")  # it warns that so few epochs do not converge
    net = MLPClassifier((hidden,), batch_size=batch, max_iter=epochs, alpha=0.0, random_state=0)
    begin = now()
    net.fit(x, y)
    return (now() - begin) / epochs


def sklearn_early_stopping(x: np.ndarray, y: np.ndarray, hidden: int, batch: int, epochs: int) -> float:
    """The whole of one fit as scikit-learn's documentation shows it; batch and epochs are its own."""
    from sklearn.neural_network import MLPClassifier

    begin = now()
    MLPClassifier((hidden,), early_stopping=True, random_state=0).fit(x, y)
    return now() - begin


def torch_epoch(x: np.ndarray, y: np.ndarray, hidden: int, batch: int, epochs: int) -> float:
    """Median of the epochs: data in memory, fused Adam, PyTorch's own choice of threads."""
    import torch

    torch.manual_seed(0)
    inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
    net = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, int(y.max()) + 1)
    )
    optimizer, loss = torch.optim.Adam(net.parameters(), fused=True), torch.nn.CrossEntropyLoss()
    seconds = []
    for _ in range(epochs):
        begin = now()
        order = torch.randperm(len(inputs))
        for start in range(0, len(inputs), batch):
            chosen = order[start : start + batch]
            optimizer.zero_grad()
            loss(net(inputs[chosen]), targets[chosen]).backward()
            optimizer.step()
        seconds.append(now() - begin)
    return float(np.median(seconds))


def inkproof_epoch(x: np.ndarray, y: np.ndarray, hidden: int, batch: int, epochs: int) -> float:
    """Ours, for the same job: median of the epochs but the first, BLAS's own choice of threads."""
    from pipeline.nn.layers import Dense, ReLU
    from pipeline.nn.losses import SoftmaxCrossEntropy
    from pipeline.nn.network import Network
    from pipeline.nn.optimizers import Adam
    from pipeline.nn.schedules import Constant
    from pipeline.training import Hooks, Streams, TrainingData, TrainingPlan, fit

    streams = Streams.of(0)
    pixels = np.round(x * 255).astype(np.uint8)  # as the main job holds them
    net = Network([Dense(hidden), ReLU(), Dense(int(y.max()) + 1)], (x.shape[1],), rng=streams.weights)
    plan = TrainingPlan(
        loss=SoftmaxCrossEntropy(),
        optimizer=Adam(net.params.size, net.dtype),
        schedule=Constant(learning_rate=0.001),
        epochs=epochs,
        batch_size=batch,
    )
    marks: list[float] = []
    hooks = Hooks(on_epoch=lambda epoch: marks.append(now()))
    fit(net, TrainingData(rows=pixels, labels=y), plan, streams=streams, hooks=hooks)
    return float(np.median(np.diff(marks)))


PEERS = {
    "inkproof": inkproof_epoch,
    "scikit-learn": sklearn_epoch,
    "scikit-learn-early-stopping": sklearn_early_stopping,
    "pytorch": torch_epoch,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("--data", required=True)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=5)
    chosen = parser.parse_args()
    if chosen.peer == "inkproof":
        from pipeline.cli.blas import prefer_wide_kernels

        prefer_wide_kernels()
    x, y = rows(chosen.data)
    print(PEERS[chosen.peer](x, y, chosen.hidden, chosen.batch, chosen.epochs))
