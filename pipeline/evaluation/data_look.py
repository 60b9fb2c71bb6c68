"""What the data are before anything is trained: classes, duplicates, odd pictures, drift between train and test."""

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.statistics import Estimate

INK = 128  # a pixel that is this far from its picture's background belongs to what is drawn
FLAT = 16  # a picture whose pixels differ by no more is blank
EDGE_PIXELS = 2  # inked pixels on the outermost line, from which a picture may be cut off
USUAL = 0.05  # share of rows from which something is the data's way and no oddity
DRIFT_ROWS = 3000  # of train and of test each, at most
Z95 = 1.959964


@dataclass(frozen=True, kw_only=True, eq=False)
class Duplicates:
    """Pictures that stand more than once, pixel for pixel.

    train, test: rows that repeat an earlier row of the same file. conflicts: training rows whose picture stands
    elsewhere with another label. across: test rows whose picture is a training row's. All are indices.
    """

    train: np.ndarray
    test: np.ndarray
    conflicts: np.ndarray
    across: np.ndarray


def find_duplicates(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> Duplicates:
    """train (n, side, side), test (m, side, side) uint8; labels (n,)."""
    everything = np.concatenate([train, test]).reshape(len(train) + len(test), -1)
    keys = np.ascontiguousarray(everything).view(np.dtype((np.void, everything.shape[1])))[:, 0]
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    group_train, group_test = np.split(group, [len(train)])
    repeats = np.flatnonzero(first[group_train] != np.arange(len(train)))
    _, first_test, at = np.unique(group_test, return_index=True, return_inverse=True)
    low = np.full(len(first), np.iinfo(np.int64).max)
    high = np.full(len(first), -1)
    np.minimum.at(low, group_train, labels)
    np.maximum.at(high, group_train, labels)
    return Duplicates(
        train=repeats,
        test=np.flatnonzero(first_test[at] != np.arange(len(test))),
        conflicts=np.flatnonzero((low != high)[group_train]),
        across=np.flatnonzero(np.isin(group_test, group_train)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class OddRows:
    """Indices of pictures that are unlike the others. cut_off is empty where pictures reach the edge as a rule."""

    blank: np.ndarray
    inverted: np.ndarray
    cut_off: np.ndarray


def find_odd(images: np.ndarray) -> OddRows:
    """images (n, side, side) uint8.

    Blank: hardly any contrast. Inverted: its outermost line is bright where most rows' is dark, or the other way
    round. Cut off: several inked pixels on the outermost line, so that a part may be missing.
    """
    edge = np.concatenate([images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]], axis=1)
    blank = np.ptp(images.reshape(len(images), -1), axis=1) <= FLAT
    bright = np.median(edge, axis=1) >= INK
    usual = np.median(bright[~blank]) >= 0.5 if (~blank).any() else False
    background = np.median(edge, axis=1, keepdims=True)
    reaching = (np.abs(edge - background) >= INK).sum(axis=1) >= EDGE_PIXELS
    reaching &= ~blank & (bright == usual)
    inverted = ~blank & (bright != usual)
    return OddRows(
        blank=np.flatnonzero(blank),
        inverted=np.flatnonzero(inverted if inverted.mean() < USUAL else np.zeros_like(inverted)),
        cut_off=np.flatnonzero(reaching if reaching.mean() < USUAL else np.zeros_like(reaching)),
    )


def drift(train: np.ndarray, test: np.ndarray, *, rng: np.random.Generator) -> Estimate:
    """Area under the ROC curve of a classifier that tells test rows from training rows, with its 95 % interval.

    0.5: nothing tells them apart. train (n, side, side), test (m, side, side) uint8. Extremely randomised trees,
    cross-validated in five folds over at most DRIFT_ROWS rows of each.
    """
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    parts = [rng.permutation(images)[:DRIFT_ROWS].reshape(-1, images[0].size) for images in (train, test)]
    is_test = np.repeat([0, 1], [len(part) for part in parts])
    folds = StratifiedKFold(min(5, *map(len, parts)), shuffle=True, random_state=int(rng.integers(2**31)))
    trees = ExtraTreesClassifier(60, min_samples_leaf=3, random_state=int(rng.integers(2**31)), n_jobs=-1)
    scores = cross_val_predict(trees, np.concatenate(parts), is_test, cv=folds, method="predict_proba")[:, 1]
    return auc(scores[is_test == 1], scores[is_test == 0])


def auc(positive: np.ndarray, negative: np.ndarray) -> Estimate:
    """Area under the ROC curve of two sets of scores, (m,) and (n,), with DeLong's 95 % interval.

    E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, Biometrics 44 (1988). Needs at least two scores of each.
    """
    from scipy.stats import rankdata

    m, n = len(positive), len(negative)
    together = rankdata(np.concatenate([positive, negative]))
    above_negatives = (together[:m] - rankdata(positive)) / n
    below_positives = 1 - (together[m:] - rankdata(negative)) / m
    value = float(above_negatives.mean())
    error = float(np.sqrt(above_negatives.var(ddof=1) / m + below_positives.var(ddof=1) / n))
    return Estimate(value, max(value - Z95 * error, 0.0), min(value + Z95 * error, 1.0))
