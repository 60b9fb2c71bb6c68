"""Scikit-learn's own checks, its tools around our estimators, and its MLP as the oracle."""

from __future__ import annotations

import copy
import pickle

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_diabetes, load_digits
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import compute_sample_weight
from sklearn.utils.estimator_checks import (
    check_array_api_input,
    check_classifiers_multilabel_output_format_decision_function,
    check_sample_weight_equivalence_on_dense_data,
    check_sample_weight_equivalence_on_sparse_data,
    estimator_checks_generator,
)

from pipeline.estimators import NetworkClassifier, NetworkRegressor

X, DIGITS = load_digits(return_X_y=True)
X, DIGITS = X[:600] / 16, DIGITS[:600]
TARGETS = {
    "classes": DIGITS,
    "two classes": DIGITS % 2,
    "multi-label": np.stack([DIGITS % 2, DIGITS > 4, DIGITS % 3 == 0], axis=1).astype(int),
}


# These would skip: one runs only where SCIPY_ARRAY_API is set before SciPy is imported, one only for estimators with a
# decision_function. No other check is left out, and none is expected to fail.
NOT_APPLICABLE = (check_array_api_input, check_classifiers_multilabel_output_format_decision_function)
CHECKED = [
    NetworkClassifier(),
    # With a weaker penalty it separates the toy data so well that probabilities round to 0 and 1.
    NetworkClassifier(10, solver="lbfgs", alpha=0.3),
    NetworkRegressor(learning_rate_init=0.01),
]


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        (estimator, check)
        for checked in CHECKED
        for estimator, check in estimator_checks_generator(checked)
        if check.func not in NOT_APPLICABLE
    ],
    ids=lambda value: getattr(value, "func", value).__name__ if callable(value) else str(value),
)
@pytest.mark.filterwarnings("ignore:.*before it had converged:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:batch_size=.* is more than:UserWarning")
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_balanced_classes_count_rows_by_their_weight(solver):
    """check_sample_weight_equivalence: a row of weight 2 is two rows, one of weight 0 none, for the balance too."""
    net = NetworkClassifier(10, solver=solver, alpha=0.3, class_weight="balanced")
    for check in (check_sample_weight_equivalence_on_dense_data, check_sample_weight_equivalence_on_sparse_data):
        check("NetworkClassifier", net)


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS.keys())
def test_balanced_without_weights_is_scikit_learns_balance(y):
    balanced = NetworkClassifier(10, epochs=3, random_state=0, class_weight="balanced").fit(X, y)
    weights = compute_sample_weight("balanced", y)
    by_row = NetworkClassifier(10, epochs=3, random_state=0).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(balanced.predict_proba(X), by_row.predict_proba(X), rtol=1e-9)


SAME = {
    "adam": {},
    "adam, logistic": {"activation": "logistic", "alpha": 1.0, "epsilon": 1e-3},
    "sgd": {"solver": "sgd"},
    "sgd, one batch": {"solver": "sgd", "batch_size": len(X), "nesterovs_momentum": False, "alpha": 1.0},
    "sgd, in order": {"solver": "sgd", "shuffle": False, "batch_size": 90, "activation": "tanh"},
    "sgd, no momentum": {"solver": "sgd", "momentum": 0, "activation": "identity", "learning_rate_init": 0.1},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "tol": 0.05, "n_iter_no_change": 1},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5, "tol": 0},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 3, "learning_rate_init": 0.02},
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("y", "given"),
    [
        pytest.param(y, given, id=f"{name}, {kind}")
        for kind, y in TARGETS.items()
        for name, given in SAME.items()
        # For early stopping MLPClassifier splits by class where there are two, ours where there are more as well.
        if (kind, name) != ("classes", "early stopping")
    ],
)
def test_the_same_random_state_gives_mlpclassifiers_network(y, given):
    """Loss curve, number of epochs, weights and predictions, to rounding."""
    given = {"hidden_layer_sizes": (30, 20), "max_iter": 20, "random_state": 7, **given}
    theirs, ours = MLPClassifier(**given).fit(X, y), NetworkClassifier(**given).fit(X, y)
    assert ours.n_iter_ == theirs.n_iter_
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    assert ours.validation_scores_ == theirs.validation_scores_
    for mine, other in zip(ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(mine, other, atol=1e-9)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-9)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_going_on_is_going_on_as_mlpclassifier_does():
    """partial_fit keeps velocity and rate, a warm start counts its rows on and begins with the first rate."""
    given = {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5, "random_state": 7, "tol": 0}
    theirs, ours = MLPClassifier(20, **given), NetworkClassifier(20, **given)
    for net in (theirs, ours):
        for _ in range(5):
            net.partial_fit(X, DIGITS, classes=range(10))
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    for net in (theirs, ours):
        net.set_params(warm_start=True, max_iter=5).fit(X, DIGITS).fit(X, DIGITS)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS.keys())
def test_lbfgs_goes_the_same_way(y):
    given = {"solver": "lbfgs", "max_iter": 20, "random_state": 7}
    theirs, ours = MLPClassifier(20, **given).fit(X, y), NetworkClassifier(20, **given).fit(X, y)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-6)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_the_same_random_state_gives_mlpregressors_network(loss, columns, early_stopping):
    rows, target = load_diabetes(return_X_y=True)
    y = target / 100 if columns == 1 else np.stack([target / 100, 4 - target / 100], axis=1)
    given = {"hidden_layer_sizes": 10, "learning_rate_init": 0.01, "max_iter": 20, "random_state": 7}
    given |= {"early_stopping": early_stopping, "alpha": 0}
    theirs, ours = MLPRegressor(loss, **given).fit(rows, y), NetworkRegressor(loss, **given).fit(rows, y)
    if early_stopping:
        if columns == 1 and loss == "squared_error":
            np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-9)
            np.testing.assert_allclose(ours.predict(rows), theirs.predict(rows), rtol=1e-9)
    else:
        np.testing.assert_allclose(ours.predict(rows), theirs.predict(rows), rtol=1e-9)
    # Ours is the sum over the columns that both make small, of the squared error theirs reports the mean.
    factor = columns if loss == "squared_error" else 1
    np.testing.assert_allclose(ours.loss_curve_, factor * np.array(theirs.loss_curve_), rtol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("MLP", [MLPClassifier, NetworkClassifier])
def test_one_script_runs_with_either_import(MLP):
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    y = names[DIGITS]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), MLP(hidden_layer_sizes=(40,), max_iter=60, random_state=0)),
        {"mlpclassifier__alpha" if MLP is MLPClassifier else "networkclassifier__alpha": [1e-4, 1e-2]},
        cv=2,
    )
    assert search.fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.7

    # Numbers as classes: MLPClassifier of scikit-learn 1.7 cannot stop early where classes are words.
    net = MLP(20, "tanh", solver="sgd", learning_rate_init=0.1, early_stopping=True, random_state=1)
    net.fit(X[:400], DIGITS[:400])
    assert net.n_iter_ == len(net.loss_curve_) == len(net.validation_scores_)
    assert net.best_validation_score_ == max(net.validation_scores_) > 0.7
    assert net.best_loss_ is None
    assert (net.n_layers_, net.n_outputs_, net.out_activation_) == (3, 10, "softmax")
    assert [w.shape for w in net.coefs_] == [(64, 20), (20, 10)]
    assert [b.shape for b in net.intercepts_] == [(20,), (10,)]
    assert list(net.classes_) == list(range(10))
    proba = net.predict_proba(X)
    assert (net.classes_[proba.argmax(axis=1)] == net.predict(X)).all()
    np.testing.assert_allclose(np.exp(net.predict_log_proba(X)), proba)

    stream = MLP((30,), random_state=0, learning_rate_init=0.01)
    for start in [*range(0, 400, 50)] * 4:
        stream.partial_fit(X[start : start + 50], y[start : start + 50], classes=names)
    assert len(stream.loss_curve_) == 32
    assert stream.score(X[400:], y[400:]) > 0.5

    calibrated = CalibratedClassifierCV(MLP(20, max_iter=5, random_state=0), cv=2).fit(X[:200], DIGITS[:200] % 2)
    assert calibrated.predict_proba(X).shape == (600, 2)
    assert cross_val_score(MLP(20, max_iter=100, random_state=0), X, DIGITS % 2, cv=2).min() > 0.8
    assert cross_val_predict(MLP(20, max_iter=5, random_state=0), X, DIGITS, cv=2).shape == (600,)


def test_copies_go_on_where_the_original_stood():
    original = NetworkClassifier(10, random_state=0).partial_fit(X, DIGITS, classes=range(10))
    copies = [copy.deepcopy(original), pickle.loads(pickle.dumps(original))]
    expected = original.partial_fit(X, DIGITS).predict_proba(X)
    for other in copies:
        assert not np.array_equal(other.predict_proba(X), expected)
        np.testing.assert_array_equal(other.partial_fit(X, DIGITS).predict_proba(X), expected)


def test_clones_are_unfitted_and_carry_all_parameters():
    original = NetworkClassifier(7, epochs=1, image_shape=(8, 8), filters=(), shift=1, class_weight={0: 2}).fit(
        X, DIGITS
    )
    other = clone(original)
    assert other.get_params() == original.get_params()
    assert not hasattr(other, "network_")
    assert not hasattr(other, "coefs_")


def test_processes_give_what_this_one_gives():
    tasks = [NetworkClassifier(10, epochs=2, random_state=seed) for seed in (0, 1)]
    apart = joblib.Parallel(2)(joblib.delayed(task.fit)(X, DIGITS) for task in tasks)
    for here, there in zip(tasks, apart, strict=True):
        np.testing.assert_allclose(there.predict_proba(X), here.fit(X, DIGITS).predict_proba(X), rtol=1e-9)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array, sparse.csr_matrix])
@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS.keys())
def test_sparse_rows_give_what_dense_rows_give(kind, y):
    dense = NetworkClassifier(10, epochs=2, random_state=0).fit(X, y)
    thin = NetworkClassifier(10, epochs=2, random_state=0).fit(kind(X), y)
    # Columns of zeros are left off dense rows in training, so the sums are taken in another order.
    np.testing.assert_allclose(thin.predict_proba(kind(X)), dense.predict_proba(X), rtol=1e-12)


def test_sparse_labels_are_taken():
    y = TARGETS["multi-label"]
    dense = NetworkClassifier(10, epochs=2, random_state=0).fit(X, y)
    thin = NetworkClassifier(10, epochs=2, random_state=0).fit(X, sparse.csr_array(y))
    np.testing.assert_array_equal(thin.predict(X), dense.predict(X))


def test_data_frames_hand_on_their_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"pixel{i}" for i in range(64)])
    net = NetworkClassifier(10, epochs=3, random_state=0).fit(frame, pandas.Series(DIGITS))
    assert list(net.feature_names_in_) == list(frame.columns)
    assert net.score(frame, DIGITS) == accuracy_score(DIGITS, net.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        net.predict(frame.rename(columns={"pixel3": "other"}))
