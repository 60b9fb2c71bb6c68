"""Batch normalisation: each feature, or each channel of pictures, brought to mean 0 and variance 1."""

from __future__ import annotations

import numpy as np

from pipeline.checks import number
from pipeline.errors import UsageError
from pipeline.nn.layers.base import Backward, Layer, Shape
from pipeline.nn.workspace import Pass


class BatchNorm(Layer):
    """y = γ·(x − μ) / √(v + ε) + β (Ioffe and Szegedy 2015, algorithm 1).

    In a training pass μ and v are the mean and variance over the batch (and over all pixels of a channel),
    and the running moments move towards them by `momentum`; in any other pass μ and v are the running
    moments. The running variance is of the unbiased kind, as in PyTorch. Training passes of one network
    must not run at the same time.

    Takes rows (features,), or pictures (channels, height, width) in blocks or not. Parameters: gamma, beta;
    state: mean, variance, each (features or channels,).
    """

    def __init__(self, *, momentum: float = 0.1, epsilon: float = 1e-5) -> None:
        super().__init__()
        self.momentum = number("BatchNorm momentum", momentum, above=0, at_most=1)
        self.epsilon = number("BatchNorm epsilon", epsilon, above=0)

    def spec(self) -> dict[str, object]:
        return {"layer": "BatchNorm", "momentum": self.momentum, "epsilon": self.epsilon}

    def param_shapes(self, shape: Shape) -> dict[str, Shape]:
        if len(shape) not in (1, 3):
            raise UsageError(
                f"BatchNorm takes rows (features,) or pictures (channels, height, width), found shape {shape}: "
                "put it after Flatten or Conv2D."
            )
        return {"gamma": (shape[0],), "beta": (shape[0],)}

    def state_shapes(self, shape: Shape) -> dict[str, Shape]:
        return {"mean": (shape[0],), "variance": (shape[0],)}

    def initialize(self, rng: np.random.Generator) -> None:
        self.params["gamma"][...] = 1
        self.params["beta"][...] = 0
        self.state["mean"][...] = 0
        self.state["variance"][...] = 1

    def forward(self, x: np.ndarray, ctx: Pass) -> tuple[np.ndarray, Backward]:
        gamma, beta = self.params["gamma"], self.params["beta"]
        blocks, outer = x.shape[:2] if x.ndim == 5 else (1, len(x))
        shape = (blocks, outer, len(gamma), x.size // (blocks * outer * len(gamma)))
        m = x.size // len(gamma)  # numbers that a mean is taken over
        xs = x.reshape(shape)
        centred = ctx.array(self, "centred", shape, x.dtype)
        y = ctx.array(self, "y", shape, x.dtype)

        def per_channel(values: np.ndarray) -> np.ndarray:
            return values.astype(x.dtype)[:, None]

        mean = sum(ctx.share(blocks, lambda b, _: _sums(xs[b]))) / m if ctx.train else self.state["mean"]
        shift = per_channel(mean)

        def centre(b: int, _: int) -> np.ndarray | None:
            np.subtract(xs[b], shift, out=centred[b])
            return _sums(centred[b], centred[b]) if ctx.train else None

        squares = ctx.share(blocks, centre)
        if ctx.train:
            variance = sum(squares) / m
            self._remember(mean, variance * (m / max(m - 1, 1)))
        else:
            variance = self.state["variance"].astype(np.float64)
        scale = 1 / np.sqrt(variance + self.epsilon)
        factor, beta = per_channel(gamma * scale), per_channel(beta)

        def stretch(b: int, _: int) -> None:
            np.multiply(centred[b], factor, out=y[b])
            y[b] += beta

        ctx.share(blocks, stretch)

        def backward(dy: np.ndarray) -> np.ndarray:
            dys = dy.reshape(shape)
            sums = ctx.share(blocks, lambda b, _: (_sums(dys[b]), _sums(dys[b], centred[b])))
            dbeta, dcentred = (sum(parts) for parts in zip(*sums, strict=True))
            self.grads["beta"][...] = dbeta
            self.grads["gamma"][...] = dcentred * scale
            dx = ctx.array(self, "dx", shape, x.dtype)
            # The batch's own moments move with x; running moments do not.
            slope, offset = per_channel(-(scale**2) * dcentred / m), per_channel(-dbeta / m)

            def backward_block(b: int, _: int) -> None:
                if ctx.train:
                    np.multiply(centred[b], slope, out=dx[b])
                    dx[b] += dys[b]
                    dx[b] += offset
                    dx[b] *= factor
                else:
                    np.multiply(dys[b], factor, out=dx[b])

            ctx.share(blocks, backward_block)
            return dx.reshape(x.shape)

        return y.reshape(x.shape), backward

    def _remember(self, mean: np.ndarray, variance: np.ndarray) -> None:
        for running, now in ((self.state["mean"], mean), (self.state["variance"], variance)):
            running += self.momentum * (now - running)


def _sums(a: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """Σ a, or Σ a·b, for each channel of (outer, channels, inner): float64 (channels,)."""
    inner = np.einsum("ocr->oc", a) if b is None else np.einsum("ocr,ocr->oc", a, b)
    return inner.sum(axis=0, dtype=np.float64)
