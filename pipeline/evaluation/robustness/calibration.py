"""Can the probabilities be believed, and what does it buy to let the network say "not sure"?

A row's confidence is its largest probability; its answer is the class that has it.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.errors import UsageError, whole_number

SMALLEST = 1e-12  # a probability of exactly 0 has no logarithm
TEMPERATURES = (0.05, 20.0)  # what is looked at


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, bin by bin. All arrays (bins,): NaN in bins without rows.

    edges: (bins + 1,) equally wide from 0 to 1; a bin holds its upper edge, not its lower one (but for 0).
    rows: how many; confidence, accuracy: their means, 0 to 1.
    """

    edges: np.ndarray
    rows: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def ece(self) -> float:
        """Expected calibration error, 0 to 1: the mean over rows of their bin's |accuracy − confidence|.

        Guo et al. 2017, eq. 3. It depends on the bins: tell their number with it. Even perfect probabilities
        have an ECE above 0 on few rows.
        """
        filled = self.rows > 0
        gaps = np.abs(self.accuracy - self.confidence)[filled]
        return float(np.average(gaps, weights=self.rows[filled]))


def reliability(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 15) -> Reliability:
    """The reliability curve of probabilities (n, classes) for labels (n,) of class indices.

    Raises UsageError for shapes that do not fit, values outside [0, 1] and fewer than 1 bin.
    """
    confidence, correct = _confidence(probabilities, labels)
    whole_number("The bins of a reliability curve", bins)
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    rows = np.bincount(place, minlength=bins)
    sums = (np.bincount(place, weights=each, minlength=bins) for each in (confidence, correct))
    return Reliability(edges, rows, *(each / np.where(rows > 0, rows, np.nan) for each in sums))


@dataclass(frozen=True)
class RiskCoverage:
    """What happens when only rows of at least some confidence are answered (El-Yaniv and Wiener 2010).

    One entry for each different confidence among the rows, from the surest down; all (m,) float64.
    threshold: the confidence asked for. coverage: share of rows answered. accuracy: among those, 0 to 1.
    """

    threshold: np.ndarray
    coverage: np.ndarray
    accuracy: np.ndarray

    def at_coverage(self, coverage: float) -> tuple[float, float, float]:
        """Threshold, coverage and accuracy where at least this share (0 to 1] of the rows is answered.

        Rows of equal confidence are answered together, so that the coverage may be larger than asked for.
        Raises UsageError outside of (0, 1].
        """
        if not 0 < coverage <= 1:
            raise UsageError(f"A coverage must lie above 0 and at most at 1, found {coverage}.")
        # 1e-12: 0.3 of 10 rows are 3 rows, whatever binary fractions make of it.
        place = int(np.searchsorted(self.coverage, coverage - 1e-12))
        return float(self.threshold[place]), float(self.coverage[place]), float(self.accuracy[place])


def risk_coverage(probabilities: np.ndarray, labels: np.ndarray) -> RiskCoverage:
    """The curve for probabilities (n, classes) and labels (n,). Raises UsageError as `reliability` does.

    A threshold that is chosen on these rows is a little too good on them.
    """
    confidence, correct = _confidence(probabilities, labels)
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], np.cumsum(correct[order])
    last = np.append(confidence[1:] != confidence[:-1], True)  # of the rows that share a confidence
    answered = np.arange(1, len(order) + 1)[last]
    return RiskCoverage(confidence[last].astype(np.float64), answered / len(order), right[last] / answered)


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(logits / temperature), float64, of probabilities (…, classes), which are softmax(logits)."""
    from scipy.special import softmax

    return softmax(np.log(np.maximum(np.asarray(probabilities, np.float64), SMALLEST)) / temperature, axis=-1)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature of the largest likelihood: what logits are divided by for confidence to be accuracy.

    probabilities (n, classes) of one network, or (k, n, classes) of several that answer on average, of rows that none
    was trained on; labels (n,) class indices. Above 1 the network was too sure, below 1 too modest, as after label
    smoothing. The answers stay what they are. Guo et al., On Calibration of Modern Neural Networks (2017, §4.2).
    """
    from scipy.optimize import minimize_scalar

    each = probabilities if probabilities.ndim == 3 else probabilities[None]
    _confidence(each.mean(axis=0), labels)

    def loss(log_temperature: float) -> float:
        right = tempered(each, np.exp(log_temperature)).mean(axis=0)[np.arange(len(labels)), labels]
        return -float(np.log(np.maximum(right, SMALLEST)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded").x))


def cross_tempered(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Calibrated probabilities (n, classes), each half of the rows at the temperature of the other half; their mean.

    So what is reported of these rows was not chosen on them. Rows are halved in turn: first, third, … and the rest.
    """
    out, found = np.empty(probabilities.shape), []
    halves = slice(0, None, 2), slice(1, None, 2)
    for half, other in (halves, halves[::-1]):
        found.append(fit_temperature(probabilities[other], labels[other]))
        out[half] = tempered(probabilities[half], found[-1])
    return out, float(np.mean(found))


def _confidence(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence (n,) float64 and whether the answer is right (n,) bool."""
    if probabilities.ndim != 2 or len(probabilities) == 0 or labels.shape != probabilities.shape[:1]:
        raise UsageError(
            f"Calibration takes probabilities (n, classes) and n labels, n at least 1, found {probabilities.shape} "
            f"and {labels.shape}."
        )
    confidence = probabilities.max(axis=1).astype(np.float64)
    if not (probabilities.min() >= 0 and confidence.max() <= 1 + 1e-5):
        raise UsageError("Calibration takes probabilities from 0 to 1, found values outside: give no logits.")
    return np.minimum(confidence, 1), probabilities.argmax(axis=1) == labels
