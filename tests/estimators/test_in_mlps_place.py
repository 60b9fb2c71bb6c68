"""What our estimators add to MLP: losses, own validation rows, callbacks, files for other programs; what they mend."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from pipeline.errors import DivergedError, UsageError
from pipeline.estimators import NetworkClassifier, NetworkRegressor

X, DIGITS = load_digits(return_X_y=True)
X, DIGITS = X[:600] / 16, DIGITS[:600]
TARGETS = {
    "classes": DIGITS,
    "words": np.array(["even", "odd"])[DIGITS % 2],
    "words as objects": np.array(["low", "middle", "high"], dtype=object)[DIGITS % 3],
    "multi-label": np.stack([DIGITS % 2, DIGITS > 4], axis=1).astype(int),
}


def quick(**given) -> NetworkClassifier:
    return NetworkClassifier(**{"hidden_layer_sizes": (20,), "epochs": 3, "random_state": 0, **given})


@pytest.mark.parametrize("given", [{}, {"warm_start": True, "solver": "sgd"}, {"image_shape": (8, 8), "filters": (3,)}])
def test_skops_keeps_all_of_a_network(given):
    io = pytest.importorskip("skops.io")
    net = quick(**given).fit(X, DIGITS)
    content = io.dumps(net)
    copy = io.loads(content, trusted=io.get_untrusted_types(data=content))
    np.testing.assert_array_equal(copy.predict_proba(X), net.predict_proba(X))
    assert [weight.shape for weight in copy.coefs_] == [weight.shape for weight in net.coefs_]
    np.testing.assert_array_equal(copy.fit(X, DIGITS).predict_proba(X), net.fit(X, DIGITS).predict_proba(X))


@pytest.mark.parametrize("y", TARGETS.values(), ids=TARGETS.keys())
@pytest.mark.parametrize("given", [{}, {"image_shape": (8, 8), "filters": (3,), "activation": "gelu"}])
def test_onnxruntime_gives_the_classifiers_answers(y, given):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    net = quick(epochs=15, **given).fit(X, y)
    session = runtime.InferenceSession(net.to_onnx().SerializeToString(), providers=["CPUExecutionProvider"])
    labels, probabilities = session.run(["label", "probabilities"], {"X": X.astype(np.float32)})
    np.testing.assert_allclose(probabilities, net.predict_proba(X), atol=1e-5)
    sure = (np.abs(net.predict_proba(X) - 0.5) > 1e-4).all(axis=1)
    assert sure.sum() > 500
    np.testing.assert_array_equal(labels[sure], net.predict(X)[sure])


@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_onnxruntime_gives_the_regressors_answers(loss):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    y = np.stack([DIGITS, 9 - DIGITS], axis=1)
    net = NetworkRegressor(loss, 20, epochs=5, random_state=0).fit(X, y)
    session = runtime.InferenceSession(net.to_onnx().SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(["variable"], {"X": X.astype(np.float32)})
    np.testing.assert_allclose(found, net.predict(X), rtol=1e-4, atol=1e-5)


def test_absolute_error_finds_the_line_that_wild_targets_hide():
    rng = np.random.default_rng(0)
    rows = rng.uniform(-1, 1, (300, 1))
    y = 2 * rows[:, 0] + 1
    y[:40] += 50
    net = NetworkRegressor("absolute_error", (), solver="adam", learning_rate_init=0.02, epochs=300, random_state=0)
    grid = np.array([[-1.0], [0.0], [1.0]])
    np.testing.assert_allclose(net.fit(rows, y).predict(grid), [-1, 1, 3], atol=0.1)
    assert np.abs(LinearRegression().fit(rows, y).predict(grid) - [-1, 1, 3]).min() > 4


@pytest.mark.parametrize("loss", ["absolute_error", "poisson"])
def test_the_validation_score_is_the_share_of_the_own_loss_that_is_explained(loss):
    rows, y = load_diabetes(return_X_y=True)
    y = y / 100
    net = NetworkRegressor(loss, epochs=20, early_stopping=True, learning_rate_init=0.01, random_state=0)
    net.fit(rows[:400], y[:400], X_val=rows[400:], y_val=y[400:])
    metrics = {"absolute_error": sklearn.metrics.mean_absolute_error, "poisson": sklearn.metrics.mean_poisson_deviance}
    mean = np.full(len(y[400:]), y[400:].mean())
    loss_of = metrics[loss]
    expected = 1 - loss_of(y[400:], net.predict(rows[400:])) / loss_of(y[400:], mean)
    assert net.best_validation_score_ == pytest.approx(expected)


def test_poisson_refuses_targets_that_count_nothing():
    for y in (-np.ones(600), np.zeros(600)):
        with pytest.raises(UsageError, match="loss='poisson' is for y of at least 0, not all 0, found"):
            NetworkRegressor("poisson", epochs=1).fit(X, y)
    with pytest.raises(UsageError, match=r"loss must be one of squared_error, poisson, absolute_error, found \(20,\)"):
        NetworkRegressor((20,)).fit(X, DIGITS)


def test_validation_rows_go_through_a_pipeline_by_routing():
    net = quick(epochs=4, early_stopping=True)
    with sklearn.config_context(enable_metadata_routing=True):
        net.set_fit_request(X_val=True, y_val=True)
        pipe = make_pipeline(StandardScaler(), net, transform_input=["X_val"])
        pipe.fit(X[:400], DIGITS[:400], X_val=X[400:], y_val=DIGITS[400:])
    assert pipe.score(X[400:], DIGITS[400:]) == pytest.approx(pipe[-1].best_validation_score_)
    assert pipe[-1].loss_curve_ == quick(epochs=4).fit(pipe[0].transform(X[:400]), DIGITS[:400]).loss_curve_


@pytest.mark.parametrize("given", [{}, {"early_stopping": True, "solver": "lbfgs", "epochs": None}])
def test_validation_rows_that_nothing_watches_are_refused(given):
    with pytest.raises(UsageError, match="give both, with early_stopping=True"):
        quick(**given).fit(X[:400], DIGITS[:400], X_val=X[400:], y_val=DIGITS[400:])
    with pytest.raises(UsageError, match="give both"):
        quick(early_stopping=True).fit(X, DIGITS, X_val=X)
    with pytest.raises(UsageError, match=r"y holds \[10\], which are not among the classes"):
        quick(early_stopping=True).fit(X, DIGITS, X_val=X[:2], y_val=[3, 10])


@pytest.mark.filterwarnings("ignore:batch_size=600 is above")
def test_rows_that_count_nothing_are_not_held_out():
    """Early stopping with weights of 0 is early stopping without these rows; all zero is refused."""
    weights = np.ones(600)
    weights[::3] = 0
    given = {"early_stopping": True, "validation_fraction": 0.3, "shuffle": False, "batch_size": 600}
    thin = quick(**given).fit(X[weights > 0], DIGITS[weights > 0])
    with_zeros = quick(**given).fit(X, DIGITS, sample_weight=weights)
    np.testing.assert_allclose(with_zeros.predict_proba(X), thin.predict_proba(X), rtol=1e-9)
    with pytest.raises(UsageError, match="zero for every row"):
        quick(**given).fit(X, DIGITS, sample_weight=np.zeros(600))
    almost = np.zeros(600)
    almost[:12] = 1
    assert quick(early_stopping=True, validation_fraction=0.2).fit(X, DIGITS, sample_weight=almost).n_iter_ == 3


def test_a_breakdown_under_early_stopping_keeps_the_best_epoch():
    y = DIGITS.astype(float)
    given = {"hidden_layer_sizes": 50, "activation": "identity", "solver": "sgd", "learning_rate_init": 1.0}
    net = NetworkRegressor(**given, early_stopping=True, random_state=0)
    with pytest.warns(ConvergenceWarning, match="broke down in epoch"):
        net.fit(X[:400], y[:400], X_val=X[400:], y_val=y[400:])
    assert np.isnan(net.validation_scores_[-1])
    assert net.n_iter_ == len(net.loss_curve_) == len(net.validation_scores_)
    assert net.score(X[400:], y[400:]) == pytest.approx(net.best_validation_score_)
    assert "broke down" in net.stop_reason_
    with pytest.raises(ValueError, match="broke down") as error:
        NetworkRegressor(**given, random_state=0).fit(X, y)
    assert isinstance(error.value, DivergedError)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_see_each_epoch_and_may_end_the_training(solver):
    seen = []

    def watch(net):
        seen.append((net.n_iter_, net.loss_, net.stop_reason_))
        return net.n_iter_ == 4

    net = NetworkClassifier(20, solver=solver, random_state=0, callbacks=[watch]).fit(X, DIGITS)
    assert [number for number, _, _ in seen] == [1, 2, 3, 4]
    assert all(not reason for _, _, reason in seen)
    assert (net.n_iter_, net.stop_reason_) == (4, "a callback asked for it")
    assert net.loss_ == pytest.approx(seen[-1][1])


def test_callbacks_are_told_why_training_stops(capsys):
    reasons = []
    given = {"callbacks": [lambda net: reasons.append(net.stop_reason_)], "verbose": True}
    quick(**given).fit(X, DIGITS)
    assert reasons == ["", "", "3 of 3 epochs are done"]
    assert capsys.readouterr().out.splitlines()[-1] == "Stopped: 3 of 3 epochs are done."
    given["epochs"] = None
    quick(**given, tol=1e9, n_iter_no_change=2).fit(X, DIGITS)
    why = "the training loss did not improve by more than tol=1e+09 for 2 epochs in a row"
    assert reasons[-1] == why
    assert capsys.readouterr().out.splitlines()[-1] == f"Stopped: {why}."
    slower = {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 3e-6}
    quick(**given, **slower, tol=1e9, n_iter_no_change=1).fit(X, DIGITS)
    assert "Learning rate set to 6e-07" in capsys.readouterr().out
    quick(**given, early_stopping=True, tol=1.0, n_iter_no_change=1).fit(X, DIGITS)
    assert reasons[-1].startswith("the validation score did not improve by more than tol=1")
    net = quick(**given, solver="lbfgs", alpha=1.0, tol=0.02).fit(X, DIGITS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("Stopped: lbfgs: CONVERGENCE")
    assert lines[-2].startswith(f"Iteration {net.n_iter_}, loss = ")


@pytest.mark.parametrize(
    ("given", "category"),
    [
        ({"epochs": None, "max_iter": 2}, ConvergenceWarning),
        ({"epochs": None, "max_iter": 2, "solver": "lbfgs"}, ConvergenceWarning),
        ({"batch_size": 601}, UserWarning),
    ],
)
def test_warnings_point_to_the_line_that_calls_fit(given, category):
    with pytest.warns(category) as warned:
        quick(**given).fit(X, DIGITS)
    assert [warning.filename for warning in warned] == [__file__]


def test_a_batch_of_more_rows_than_there_are_warns():
    with pytest.warns(UserWarning, match="batch_size=700 is above the 600 training rows: one batch is all"):
        large = quick(batch_size=700).fit(X, DIGITS)
    np.testing.assert_array_equal(large.predict_proba(X), quick(batch_size=600).fit(X, DIGITS).predict_proba(X))


def test_layer_sizes_as_a_word_are_refused_as_a_whole():
    with pytest.raises(UsageError, match="hidden_layer_sizes must be a whole number or a list of them, found '20'"):
        quick(hidden_layer_sizes="20").fit(X, DIGITS)


@pytest.mark.parametrize("init", ["he", "glorot", "lecun"])
def test_init_names_how_the_weights_begin(init):
    """A learning rate of almost 0 leaves them: He N(0, 2/64), Glorot U(±√(6/(64 + 400))), LeCun N(0, 1/64)."""
    net = quick(hidden_layer_sizes=(400,), init=init, epochs=1, solver="sgd", learning_rate_init=1e-12).fit(X, DIGITS)
    expected = {"he": np.sqrt(2 / 64), "glorot": np.sqrt(6 / 464 / 3), "lecun": 1 / 8}[init]
    assert net.coefs_[0].std() == pytest.approx(expected, rel=0.02)
    assert np.abs(net.intercepts_[0]).max() < 1e-9
    with pytest.raises(UsageError, match="init must be one of mlp, he, glorot, lecun, normal, uniform, found 'xavier'"):
        quick(init="xavier").fit(X, DIGITS)


def test_what_min_max_scaling_leaves_beside_1_is_no_reason_to_refuse():
    rows = np.random.default_rng(0).normal(5, 3, (600, 64))
    scaled = MinMaxScaler().fit_transform(rows)
    scaled[0, 0] = 1.0000000000000002
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(noise=0.1).fit(scaled, DIGITS)
        quick(image_shape=(8, 8), filters=(2,)).fit(scaled, DIGITS)
    with pytest.raises(UsageError, match=r"noise is for rows in \[0, 1\]"):
        quick(noise=0.1).fit(scaled * 1.001, DIGITS)


@pytest.mark.parametrize(
    "given", [{"solver": "lbfgs", "epochs": None, "max_iter": 5}, {"noise": 0.1}, {"early_stopping": True}]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_sparse_rows_work_with_all_that_dense_rows_do(given):
    dense, thin = quick(**given).fit(X, DIGITS), quick(**given).fit(sparse.csr_array(X), DIGITS)
    np.testing.assert_allclose(thin.predict_proba(sparse.csr_array(X)), dense.predict_proba(X), rtol=1e-6)
