"""The solver lbfgs: all rows at once, through SciPy's L-BFGS-B on the network's flat parameters."""

from __future__ import annotations

import warnings

import numpy as np

from pipeline.errors import DivergedError
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass
from pipeline.training.plan import Loss, Regularizer, TrainingData


def minimize(
    network: Network,
    data: TrainingData,
    *,
    loss: Loss,
    regularizer: Regularizer,
    max_iter: int,
    max_fun: int,
    tol: float,
) -> tuple[float, int]:
    """Train `network` in place; gives the last loss and the number of iterations.

    tol: the largest element that the gradient may have in the end. Warns (ConvergenceWarning) where
    max_iter or max_fun come first.
    """
    from scipy import optimize
    from sklearn.exceptions import ConvergenceWarning

    ctx, rows, weights = Pass(), data.rows, data.sample_weight
    x = network.to_numbers(rows.toarray() if hasattr(rows, "toarray") else rows, ctx)
    total = len(x) if weights is None else float(weights.sum())

    def value_and_gradient(params: np.ndarray) -> tuple[float, np.ndarray]:
        network.params[...] = params
        outputs, backward = network.forward(x, ctx)
        value, gradient = loss(outputs, data.labels, ctx, weights)
        backward(gradient)
        value += regularizer(total)
        return value, network.grads.astype(np.float64)

    options = {"maxiter": max_iter, "maxfun": max_fun, "gtol": tol}
    start = network.params.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        result = optimize.minimize(value_and_gradient, start, method="L-BFGS-B", jac=True, options=options)
    if not np.isfinite(result.fun):
        network.params[...] = start
        raise DivergedError("lbfgs broke down: the loss is no finite number; scale the data, or raise alpha.")
    network.params[...] = result.x
    if not result.success:
        warnings.warn(
            f"lbfgs stopped after {result.nit} iterations before it had converged ({result.message}): "
            "raise max_iter or max_fun, or scale the data.",
            ConvergenceWarning,
            stacklevel=4,
        )
    return float(result.fun), int(result.nit)
