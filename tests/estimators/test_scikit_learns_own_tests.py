"""scikit-learn's own tests of its MLP, from the installed package, with our estimators in the place of the MLP.

They are collected here as if they stood here. What fails is listed below with its reason, and must fail.
"""

from __future__ import annotations

import importlib.util
import warnings
from unittest import mock

import numpy as np
import pytest
import sklearn.neural_network

from pipeline.estimators import NetworkClassifier, NetworkRegressor

PRIVATE = "touches private parts: "
FAILS = {
    "test_fit": PRIVATE + "sets weights before there is a network",
    "test_gradient": PRIVATE + "_loss_grad_lbfgs",
    "test_learning_rate_warmstart": PRIVATE + "_optimizer.learning_rate",
    "test_adaptive_learning_rate": PRIVATE + "_optimizer.learning_rate",
    "test_n_iter_no_change": PRIVATE + "_no_improvement_count",
    "test_n_iter_no_change_inf": PRIVATE + "_no_improvement_count",
    "test_nonfinite_params": "wording: a ValueError as well, which says what to do about it",
    "test_early_stopping_stratified": "wording: a ValueError as well, for the validation set is too small",
}


def own_tests() -> dict:
    """The test module's functions, made anew with our estimators under the MLP's names."""
    spec = importlib.util.find_spec("sklearn.neural_network.tests.test_mlp")
    module = importlib.util.module_from_spec(spec)
    ours = {"MLPClassifier": NetworkClassifier, "MLPRegressor": NetworkRegressor}
    with mock.patch.multiple(sklearn.neural_network, **ours), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec.loader.exec_module(module)
    return {name: value for name, value in vars(module).items() if name.startswith("test_")}


OWN = own_tests()
for _name, _reason in FAILS.items():
    if _name in OWN:  # an older scikit-learn has fewer tests
        OWN[_name] = pytest.mark.xfail(reason=_reason, strict=True)(OWN[_name])
globals().update(OWN)
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


@pytest.fixture(autouse=True)
def the_same_randomness():
    """What estimators without random_state draw from."""
    np.random.seed(0)  # noqa: NPY002


@pytest.fixture
def global_random_seed() -> int:
    """scikit-learn's own fixture gives 42 where nothing else is asked for."""
    return 42


def test_they_are_scikit_learns_and_run_with_ours():
    assert len(OWN) > 35
    assert OWN["test_shuffle"].__globals__["MLPRegressor"] is NetworkRegressor
    assert OWN["test_shuffle"].__module__ == "sklearn.neural_network.tests.test_mlp"
