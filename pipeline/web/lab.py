"""One's own digit before networks of every noise level: shifted, turned, attacked, made noisy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.augment.noise import gaussian
from pipeline.errors import within
from pipeline.evaluation.robustness.attacks import Ball, Target, ascend
from pipeline.evaluation.robustness.warps import turned_back, warp
from pipeline.nn.network import Network
from pipeline.web.answers import as_bytes
from pipeline.web.models import Choice
from pipeline.web.reading import plain

CURVE = tuple(round(0.05 * i, 2) for i in range(13))  # σ 0 … 0.6
DRAWS = 8  # of noise, for each point of the curve
STEPS, STEP = 20, 0.125  # of the attack; each step in ε, so that they cross the ball
SEED = 28  # the same noise for every network and every request, so that only the slider changes a bar

# Name → lowest, highest. Shifts in pixels of a picture of 28 × 28, rotation in degrees (clockwise).
SLIDERS = {"sigma": (0, 1), "right": (-10, 10), "down": (-10, 10), "rotation": (-180, 180), "epsilon": (0, 0.5)}


@dataclass(frozen=True)
class Change:
    """Where the sliders stand. sigma and epsilon in units of the [0, 1] pixel scale."""

    sigma: float = 0.0
    right: float = 0.0
    down: float = 0.0
    rotation: float = 0.0
    epsilon: float = 0.0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Change:
        """From a request's values. Raises UsageError for one that is no number or out of range."""
        return cls(**{name: within(name, plain(value), *SLIDERS[name]) for name, value in values.items()})


def experiment(image: np.ndarray, change: Change, levels: Sequence[Choice], label: int) -> dict[str, Any]:
    """What each network says of the changed picture, and how its confidence falls with noise.

    image: floats (side, side) in [0, 1]. label: the class index that the picture really shows; the attack
    leads away from it, and `confidence` is its probability. Each network gets the attack made for it.
    """
    moved = move(image, change)
    noise = np.random.default_rng(SEED).standard_normal(image.shape).astype(np.float32)
    answers = []
    for choice in levels:
        network = choice.reader.models[0].network
        worst = attacked(network, moved, label, change.epsilon)
        shown = np.clip(worst + np.float32(change.sigma) * noise, 0, 1)
        probabilities = choice.probabilities(shown[None])[0]
        draws = [gaussian(np.repeat(worst[None], DRAWS, 0), s, rng=np.random.default_rng(SEED)) for s in CURVE]
        curve = choice.probabilities(np.concatenate(draws))[:, label].reshape(len(CURVE), DRAWS).mean(axis=1)
        answers.append(
            {
                "model": choice.name,
                "sigma": choice.sigma,
                "seen": as_bytes(shown),
                "label": choice.labels[int(probabilities.argmax())],
                "probability": float(probabilities.max()),
                "confidence": float(probabilities[label]),
                "probabilities": probabilities.tolist(),
                "curve": np.round(curve.astype(float), 4).tolist(),
            }
        )
    return {"label": levels[0].labels[label], "side": len(image), "curve_sigmas": list(CURVE), "models": answers}


def move(image: np.ndarray, change: Change) -> np.ndarray:
    """The picture turned about its middle and shifted, bilinearly; paper comes in from outside."""
    if not (change.rotation or change.right or change.down):
        return image
    back = turned_back(np.deg2rad(change.rotation))[None]
    step = -len(image) / 28 * (back @ np.array([change.down, change.right]))
    return np.clip(warp(image[None], back, step[..., None, None])[0], 0, 1)


def attacked(network: Network, image: np.ndarray, label: int, epsilon: float) -> np.ndarray:
    """The picture (side, side) changed by at most ε a pixel, so that `label` loses as much as can be.

    The attack goes on where the picture is misread already: who moves the slider is to see what ε can do, not where the
    answer first flips.
    """
    if epsilon == 0:
        return image
    clean = network.to_numbers(image[None])
    ball = Ball("Linf", epsilon)
    return ascend(Target(network), clean, clean, np.array([label]), ball, steps=[STEP] * STEPS)[0]
