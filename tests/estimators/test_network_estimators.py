"""What our estimators add to scikit-learn's, and what they refuse."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, r2_score

from pipeline.errors import DivergedError, UsageError
from pipeline.estimators import NetworkClassifier, NetworkRegressor

X, DIGITS = load_digits(return_X_y=True)
X, DIGITS = X[:600] / 16, DIGITS[:600]


def quick(**given) -> NetworkClassifier:
    return NetworkClassifier(**{"hidden_layer_sizes": (20,), "epochs": 3, "random_state": 0, **given})


@pytest.mark.parametrize("outputs", ["classes", "two classes", "multi-label", "numbers"])
def test_the_input_gradient_is_that_of_each_rows_own_loss(outputs):
    multilabel = np.stack([DIGITS % 2, DIGITS > 4], axis=1).astype(int)
    y = {"classes": DIGITS, "two classes": DIGITS % 2, "multi-label": multilabel, "numbers": DIGITS * 1.0}[outputs]
    if outputs == "numbers":
        net = NetworkRegressor("squared_error", 10, "tanh", epochs=3, random_state=0).fit(X, y)
    else:
        net = quick(activation="tanh", dropout=0.3).fit(X, y)
    rows, labels = X[:3], y[:3]

    def loss(rows: np.ndarray) -> float:
        """Σ over the rows of their losses, from the predictions alone."""
        if outputs == "numbers":
            return 0.5 * ((net.predict(rows) - labels) ** 2).sum()
        probabilities = net.predict_proba(rows)
        if outputs == "multi-label":
            return -np.log(np.where(labels == 1, probabilities, 1 - probabilities)).sum()
        return log_loss(labels, probabilities, labels=net.classes_, normalize=False)

    gradient = net.input_gradient(rows, labels)
    assert gradient.shape == rows.shape
    for row, column in [(0, 10), (1, 33), (2, 60)]:
        step = np.zeros_like(rows)
        step[row, column] = 1e-5
        slope = (loss(rows + step) - loss(rows - step)) / 2e-5
        assert gradient[row, column] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def test_input_gradients_do_not_depend_on_how_many_rows_there_are():
    net = quick().fit(X, DIGITS)
    many = np.tile(X, (3, 1))
    expected = np.tile(net.input_gradient(X, DIGITS), (3, 1))
    np.testing.assert_allclose(net.input_gradient(many, np.tile(DIGITS, 3)), expected, atol=1e-12)
    np.testing.assert_allclose(net.input_gradient(sparse.csr_array(X), DIGITS), expected[:600], atol=1e-12)


def test_pictures_are_the_same_as_floats_and_as_whole_numbers():
    pixels = np.round(X * 255)
    given = {"image_shape": (8, 8), "filters": (4,), "epochs": 2}
    as_floats = quick(**given).fit((pixels / 255).astype(np.float32), DIGITS)
    for dtype in (np.uint8, np.int64, np.uint16):
        as_pixels = quick(**given).fit(pixels.astype(dtype), DIGITS)
        np.testing.assert_allclose(
            as_pixels.predict_proba(pixels.astype(dtype)), as_floats.predict_proba(pixels / 255), atol=1e-5
        )


def test_a_convolutional_net_has_the_layers_that_were_asked_for():
    net = quick(image_shape=(8, 8), filters=(3, 5), kernel_size=2, epochs=1).fit(X.astype(np.float32), DIGITS)
    assert [w.shape for w in net.coefs_] == [(3, 1, 2, 2), (5, 3, 2, 2), (5 * 2 * 2, 20), (20, 10)]
    assert [type(layer).__name__ for layer in net.network_.layers][:3] == ["Conv2D", "ReLU", "MaxPool2D"]
    assert net.coefs_[0].dtype == np.float32


@pytest.mark.parametrize(
    "given",
    [
        {"image_shape": (8, 8), "epochs": 8},
        {"image_shape": (8, 8), "filters": (), "shift": 1, "epochs": 40},
        {"noise": 0.2},
        {"dropout": 0.2, "label_smoothing": 0.1},
        {"schedule": "one-cycle", "learning_rate_init": 0.02},
        {"schedule": "cosine", "solver": "adamw", "weight_decay": 0.01, "clip_norm": 1.0},
        {"schedule": lambda step, steps: 0.01 * (1 - step / steps), "solver": "rmsprop"},
        {"average_decay": 0.9, "activation": "leaky_relu"},
        {"augment": lambda batch, *, rng: np.clip(batch * rng.uniform(0.8, 1.2), 0, 1), "activation": "gelu"},
        {"class_weight": "balanced", "solver": "sgd", "learning_rate_init": 0.2, "activation": "softplus"},
        {"solver": "lbfgs", "epochs": None, "max_iter": 300},
    ],
    ids=lambda given: " ".join(given),
)
def test_every_addition_learns_and_is_the_same_again(given):
    nets = [quick(**{"epochs": 25, "learning_rate_init": 0.005, "batch_size": 50, **given}) for _ in range(2)]
    rows = X.astype(np.float32) if "image_shape" in given else X
    first, second = (net.fit(rows[:450], DIGITS[:450]) for net in nets)
    assert first.score(rows[450:], DIGITS[450:]) > 0.75
    np.testing.assert_array_equal(first.predict_proba(rows), second.predict_proba(rows))


def test_label_smoothing_keeps_two_classes_from_certainty():
    y = DIGITS % 2
    sure = quick(epochs=150).fit(X, y).predict_proba(X)
    smooth = quick(epochs=150, label_smoothing=0.4).fit(X, y).predict_proba(X)
    # With ε = 0.4 the best answer is 1 − ε/2 = 0.8.
    assert np.median(sure.max(axis=1)) > 0.95
    assert np.median(smooth.max(axis=1)) == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("y", [DIGITS, DIGITS % 2], ids=["classes", "two classes"])
def test_a_class_weight_is_the_sample_weight_of_its_rows(y):
    by_class = quick(class_weight={0: 3.0}).fit(X, y)
    by_row = quick().fit(X, y, sample_weight=np.where(y == 0, 3.0, 1.0))
    both = quick(class_weight={0: 3.0}).fit(X, y, sample_weight=np.where(y == 0, 1 / 3, 1.0))
    plain = quick().fit(X, y)
    np.testing.assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X), rtol=1e-9)
    np.testing.assert_allclose(both.predict_proba(X), plain.predict_proba(X), rtol=1e-9)


def test_early_stopping_gives_back_the_best_epoch():
    net = quick(epochs=None, early_stopping=True, n_iter_no_change=3, max_iter=200, learning_rate_init=0.02)
    net.fit(X[:450], DIGITS[:450], X_val=X[450:], y_val=DIGITS[450:])
    assert net.best_validation_score_ == max(net.validation_scores_)
    assert net.score(X[450:], DIGITS[450:]) == pytest.approx(net.best_validation_score_)


def test_r2_of_the_regressors_holdout():
    rows, target = load_diabetes(return_X_y=True)
    y = np.stack([target, 2 * target + rows[:, 0]], axis=1) / target.std()
    net = NetworkRegressor(epochs=30, early_stopping=True, learning_rate_init=0.01, random_state=0)
    net.fit(rows[:400], y[:400], X_val=rows[400:], y_val=y[400:])
    expected = r2_score(y[400:], net.predict(rows[400:]), multioutput="variance_weighted")
    assert net.best_validation_score_ == pytest.approx(expected)
    assert len(net.validation_scores_) == net.n_iter_


def test_epochs_are_kept_exactly_and_max_iter_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert quick(epochs=7, max_iter=2, tol=10.0).fit(X, DIGITS).n_iter_ == 7
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        quick(epochs=None, max_iter=2).fit(X, DIGITS)
    with pytest.warns(ConvergenceWarning, match="lbfgs stopped after 2 iterations"):
        quick(epochs=None, solver="lbfgs", max_iter=2).fit(X, DIGITS)


def test_warm_start_goes_on_and_a_second_fit_does_not():
    warm = quick(epochs=2, warm_start=True).fit(X, DIGITS)
    before = warm.loss_
    assert len(warm.fit(X, DIGITS).loss_curve_) == 4
    assert warm.loss_ < before
    cold = quick(epochs=2).fit(X, DIGITS)
    expected = cold.predict_proba(X)
    np.testing.assert_array_equal(cold.fit(X, DIGITS).predict_proba(X), expected)
    assert len(cold.loss_curve_) == 2


def test_random_state_none_differs_from_fit_to_fit():
    net = quick(random_state=None, epochs=1)
    assert not np.array_equal(net.fit(X, DIGITS).predict_proba(X), net.fit(X, DIGITS).predict_proba(X))


def test_float32_rows_make_a_float32_network():
    net = quick().fit(X.astype(np.float32), DIGITS)
    assert net.network_.dtype == np.float32
    assert quick().fit(X, DIGITS).network_.dtype == np.float64
    assert net.predict_proba(X).dtype == np.float32


def test_a_training_that_breaks_down_leaves_a_usable_network():
    net = quick(solver="sgd", learning_rate_init=1e200)
    with pytest.raises(DivergedError, match="smaller learning rate"):
        net.fit(X, DIGITS)
    assert np.isfinite(net.predict_proba(X)).all()


def test_lbfgs_says_when_it_breaks_down():
    rows, target = load_diabetes(return_X_y=True)
    net = NetworkRegressor(hidden_layer_sizes=5, solver="lbfgs", random_state=0)
    with pytest.raises(DivergedError, match="scale the data"):
        net.fit(rows, target * 1e200)
    assert np.isfinite(net.predict(rows)).all()


def test_verbose_prints_a_line_an_epoch(capsys):
    quick(epochs=2, verbose=True, early_stopping=True).fit(X, DIGITS)
    lines = capsys.readouterr().out.splitlines()
    begins = [
        "Iteration 1, loss",
        "Validation score",
        "Iteration 2, loss",
        "Validation score",
        "Stopped: 2 of 2 epochs",
    ]
    assert all(line.startswith(begin) for line, begin in zip(lines, begins, strict=True))


REFUSED = {
    "activation": ({"activation": "sinus"}, "activation must be one of identity, logistic, tanh"),
    "solver": ({"solver": "newton"}, "solver must be one of sgd, rmsprop, adam, adamw, lbfgs, found 'newton'"),
    "alpha": ({"alpha": -1}, "alpha must be a number at least 0, found -1"),
    "max_iter": ({"max_iter": 2.5}, "max_iter must be a whole number of at least 1, found 2.5"),
    "epochs": ({"epochs": 0}, "epochs, where it is not None, must be a whole number of at least 1, found 0"),
    "batch_size": ({"batch_size": 0}, "batch_size, where it is not auto, must be a whole number of at least 1"),
    "layer size": ({"hidden_layer_sizes": (10, 0)}, "hidden_layer_sizes: each must be a whole number"),
    "dropout": ({"dropout": 1.0}, "Dropout rate must be a number at least 0 and below 1"),
    "noise": ({"noise": 3.0}, "noise level"),
    "beta_1": ({"beta_1": 1.0}, "beta_1 must be a number at least 0 and below 1"),
    "schedule": ({"schedule": "one-cycl"}, "schedule must be one of constant, step, cosine, one-cycle"),
    "schedule without end": ({"schedule": "cosine", "epochs": None}, "give epochs along with schedule"),
    "shift": ({"shift": 1}, r"give their \(height, width\) as image_shape"),
    "image_shape": ({"image_shape": (7, 8)}, r"image_shape \(7, 8\) needs rows of 56 numbers, found 64"),
    "image_shape as number": ({"image_shape": 64}, r"image_shape must be \(height, width\) in pixels, found 64"),
    "filters": ({"image_shape": (8, 8), "filters": (4, "x")}, "filters: each must be a whole number"),
    "pooling": ({"image_shape": (8, 8), "filters": (2, 2, 2, 2)}, "does not fit into a picture of 1×1"),
    "lbfgs": ({"solver": "lbfgs", "epochs": None, "dropout": 0.1}, "solver lbfgs works on all rows as they are"),
    "validation_fraction": (
        {"early_stopping": True, "validation_fraction": 0.001},
        "early stopping needs at least 2 rows",
    ),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_parameters_that_cannot_be_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        quick(**given).fit(X, DIGITS)


@pytest.mark.parametrize(
    ("given", "rows", "message"),
    [
        ({"image_shape": (8, 8)}, X * 255, "Pictures must be whole numbers from 0 to 255 or floats from 0 to 1"),
        ({"image_shape": (8, 8)}, (X * 300).astype(int), "from 0 to 300"),
        ({"noise": 0.1}, X * 16, r"noise is for rows in \[0, 1\], found numbers from 0 to 16"),
    ],
)
def test_rows_that_are_not_what_was_said_are_refused(given, rows, message):
    with pytest.raises(UsageError, match=message):
        quick(**given).fit(rows, DIGITS)


def test_targets_that_do_not_go_on_from_before_are_refused():
    with pytest.raises(UsageError, match="several columns of more than 0 and 1"):
        quick().fit(X, np.stack([DIGITS, DIGITS], axis=1))
    net = quick(warm_start=True).fit(X, DIGITS)
    with pytest.raises(UsageError, match=r"same classes .* Previously got \[0 1 2 3 4 5 6 7 8 9\], `y` has \[0 1\]"):
        net.fit(X, DIGITS % 2)
    with pytest.raises(UsageError, match=r"y holds \[10\], which are not among the classes \[0 1"):
        net.partial_fit(X, DIGITS + 1)
    with pytest.raises(UsageError, match="of the kind of the first fit"):
        net.fit(X, np.stack([DIGITS % 2, DIGITS % 2], axis=1))


def test_partial_fit_says_what_it_cannot_do():
    with pytest.raises(UsageError, match="needs classes"):
        quick().partial_fit(X, DIGITS)
    for name in ("early_stopping", "average_decay"):
        with pytest.raises(UsageError, match=f"partial_fit does not support {name}="):
            quick(**{name: 0.9 if name == "average_decay" else True}).partial_fit(X, DIGITS, classes=range(10))
    with pytest.raises(UsageError, match="give class_weight as a dictionary"):
        quick(class_weight="balanced").partial_fit(X, DIGITS, classes=range(10))
    net = quick().partial_fit(X, DIGITS, classes=range(10))
    with pytest.raises(UsageError, match="classes must be those of the first call"):
        net.partial_fit(X, DIGITS, classes=range(11))
    assert not hasattr(NetworkClassifier(solver="lbfgs"), "partial_fit")
    assert hasattr(NetworkRegressor(), "partial_fit")


def test_partial_fit_takes_classes_that_come_later():
    net = quick(learning_rate_init=0.02)
    small = DIGITS < 5
    for _ in range(20):
        net.partial_fit(X[small], DIGITS[small], classes=range(10))
    for _ in range(20):
        net.partial_fit(X, DIGITS)
    assert net.score(X, DIGITS) > 0.8
