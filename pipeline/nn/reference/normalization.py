"""Batch normalisation in plain loops, for rows (features,) or pictures (channels, height, width)."""

import math

from pipeline.nn import layers as fast
from pipeline.nn.reference.layers import Backward, Nested, each, flat, zeros
from pipeline.nn.workspace import Pass


class BatchNorm(fast.BatchNorm):
    """y = γ·(x − μ) / √(v + ε) + β, where μ and v are moments over the batch in training, else the running ones."""

    def forward(self, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        channels = range(len(x[0]))
        y = zeros((len(x), len(x[0])))
        backwards = []
        for c in channels:
            channel, backward_channel = self.forward_channel(c, [row[c] for row in x], ctx)
            backwards.append(backward_channel)
            for n in range(len(x)):
                y[n][c] = channel[n]

        def backward(dy: Nested) -> Nested:
            dx = zeros((len(dy), len(dy[0])))
            for c in channels:
                dchannel = backwards[c]([row[c] for row in dy])
                for n in range(len(dy)):
                    dx[n][c] = dchannel[n]
            return dx

        return y, backward

    def forward_channel(self, c: int, x: Nested, ctx: Pass) -> tuple[Nested, Backward]:
        """One feature, or one channel, of every row."""
        gamma, beta = self.params["gamma"][c], self.params["beta"][c]
        numbers = flat(x)
        m = len(numbers)
        if ctx.train:
            mean = sum(numbers) / m
            variance = sum((number - mean) ** 2 for number in numbers) / m
            unbiased = variance * m / max(m - 1, 1)
            self.state["mean"][c] += self.momentum * (mean - self.state["mean"][c])
            self.state["variance"][c] += self.momentum * (unbiased - self.state["variance"][c])
        else:
            mean, variance = self.state["mean"][c], self.state["variance"][c]
        deviation = math.sqrt(variance + self.epsilon)
        normal = each(lambda number: (number - mean) / deviation, x)

        def backward(dy: Nested) -> Nested:
            dbeta = sum(flat(dy))
            dgamma = sum(flat(each(lambda d, z: d * z, dy, normal)))
            self.grads["beta"][c], self.grads["gamma"][c] = dbeta, dgamma
            if not ctx.train:
                return each(lambda d: d * gamma / deviation, dy)
            # μ and v move with every x: what they pass on is subtracted.
            return each(lambda d, z: gamma / deviation * (d - dbeta / m - z * dgamma / m), dy, normal)

        return each(lambda z: gamma * z + beta, normal), backward
