"""Attack methods: FGSM, PGD and a random search. Each is only its `run`; attacks.py clips and scores.

To add one, write its class and put it into METHODS.
"""

from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from numpy.random import Generator

from pipeline.errors import UsageError, number, one_of, whole_number
from pipeline.evaluation.robustness.apgd import APGD
from pipeline.evaluation.robustness.attacks import Ball, Target, ascend, lengths


@dataclass(frozen=True)
class FGSM:
    """One step of size ε along the gradient (Goodfellow, Shlens, Szegedy 2015, §4); the cheapest, and weak."""

    name = "FGSM"

    def run(self, target: Target, pictures: ndarray, labels: ndarray, ball: Ball, *, rng: Generator) -> ndarray:
        return pictures + ball.epsilon * ball.steepest(target.climb(pictures, labels)[1])


@dataclass(frozen=True)
class PGD:
    """Steps along the gradient, each clipped back into ball and [0, 1] (Madry et al. 2018, §2.1).

    steps: of each start. step: the size of one, in ε. restarts: the first starts at the picture itself and
    follows cross-entropy, the others start at random places of the ball and make for one wrong class each, the
    likeliest first (Gowal et al. 2019, MultiTargeted): cross-entropy's gradient is a mean over wrong classes,
    and may lead between two of them. A row is left alone as soon as it is misread.
    """

    steps: int = 40
    step: float = 0.0625  # 2.5 / 40: far enough to cross the ball, after Madry et al., §5
    restarts: int = 1
    name = "PGD"

    def __post_init__(self) -> None:
        whole_number("PGD steps", self.steps)
        whole_number("PGD restarts", self.restarts)
        number("PGD step", self.step, above=0)

    def run(self, target: Target, pictures: ndarray, labels: ndarray, ball: Ball, *, rng: Generator) -> ndarray:
        ranks = target.logits(pictures).argsort(axis=1)[:, ::-1]
        best, left = pictures.copy(), np.arange(len(pictures))
        how = {"steps": [self.step] * self.steps, "until_misread": True}
        for restart in range(self.restarts):
            clean = start = pictures[left]
            towards = None
            if restart:
                start = ball.clip(clean + ball.random(clean, rng=rng), clean)
                towards = ranks[left, 1 + (restart - 1) % (ranks.shape[1] - 1)]
            best[left] = ascend(target, start, clean, labels[left], ball, towards=towards, **how)
            left = left[target.logits(best[left]).argmax(axis=1) == labels[left]]
            if len(left) == 0:
                break
        return best


@dataclass(frozen=True)
class RandomSearch:
    """Squares of random place and sign, kept where they help; needs no gradient, so that none can be hidden from it.

    After Square Attack (Andriushchenko et al. 2020), made simpler. queries: how often each row is tried. A
    square's area begins at `share` of the picture and shrinks to one pixel. In L∞ it sets its pixels to ±ε from
    the clean ones; in L2 it adds to them and the whole change is brought back to length ε.
    """

    queries: int = 500
    share: float = 0.3
    name = "random search"

    def __post_init__(self) -> None:
        whole_number("random search queries", self.queries)
        number("random search share", self.share, above=0, at_most=1)

    def run(self, target: Target, pictures: ndarray, labels: ndarray, ball: Ball, *, rng: Generator) -> ndarray:
        n, side, _ = pictures.shape
        epsilon = pictures.dtype.type(ball.epsilon)
        # The start: stripes from top to bottom, to which convolutional networks are sensitive.
        stripes = rng.choice(np.array((-1, 1), pictures.dtype), (n, 1, side))
        change = np.broadcast_to(stripes, pictures.shape) * epsilon
        if ball.norm == "L2":
            change = change / side
        at = ball.clip(pictures + change, pictures)
        margin = _margins(target.logits(at), labels)
        left = np.flatnonzero(margin > 0)
        for query in range(self.queries):
            if len(left) == 0:
                break
            # From `share` to one pixel, by the same factor at each query.
            area = self.share * (1 / (self.share * side**2)) ** (query / self.queries)
            window = _windows(len(left), side, max(1, round(side * area**0.5)), rng)
            sign = rng.choice(np.array((-1, 1), pictures.dtype), (len(left), 1, 1))
            clean = pictures[left]
            change = at[left] - clean
            if ball.norm == "Linf":
                change = np.where(window, sign * epsilon, change)
            else:
                bump = window * sign
                change += bump * (epsilon / lengths(bump))
                change *= epsilon / np.maximum(lengths(change), 1e-12)
            moved = ball.clip(clean + change, clean)
            found = _margins(target.logits(moved), labels[left])
            better = found < margin[left]
            at[left[better]], margin[left[better]] = moved[better], found[better]
            left = left[margin[left] > 0]
        return at


METHODS = {"apgd": APGD, "fgsm": FGSM, "pgd": PGD, "random-search": RandomSearch}


def parse_attack(text: str) -> tuple[FGSM | PGD | RandomSearch, Ball]:
    """Method, with its own defaults, and ball from a text such as "pgd Linf 0.1" or "fgsm L2 1.5".

    Raises UsageError for a name that does not exist, with the nearest that does, and for a negative ε.
    """
    words = text.split()
    if len(words) != 3:
        raise UsageError(f'An attack is written as method, norm and ε, such as "pgd Linf 0.1", found {text!r}.')
    method = METHODS[one_of("attack", words[0], METHODS)]()
    try:
        epsilon = float(words[2])
    except ValueError as error:
        raise UsageError(f"{text!r}: ε must be a number of at least 0, found {words[2]!r}.") from error
    return method, Ball(words[1], epsilon)


def _margins(logits: ndarray, labels: ndarray) -> ndarray:
    """(n,) the label's logit less the largest other one: below 0 where misread."""
    rows = np.arange(len(labels))
    others = logits.copy()
    others[rows, labels] = -np.inf
    return logits[rows, labels] - others.max(axis=1)


def _windows(n: int, side: int, width: int, rng: Generator) -> ndarray:
    """(n, side, side) bool: a square of that width at a random place of each picture."""
    first = rng.integers(0, side - width + 1, (2, n, 1))
    pixels = np.arange(side)
    rows, columns = (pixels >= first) & (pixels < first + width)
    return rows[:, :, None] & columns[:, None, :]
