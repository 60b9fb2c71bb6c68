"""The solver lbfgs: all rows at once, through SciPy's L-BFGS-B on the network's flat parameters."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from pipeline.errors import DivergedError
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass


def minimize(
    network: Network,
    rows: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray | None,
    *,
    loss: Callable[..., tuple[float, np.ndarray]],
    penalty: Callable[[float], float],
    max_iter: int,
    max_fun: int,
    tol: float,
) -> tuple[float, int]:
    """Train `network` in place; gives the last loss and the number of iterations.

    rows (n, *input_shape), targets and weights as training.fit takes them; tol: the largest element that the
    gradient may have in the end. Warns (ConvergenceWarning) where max_iter or max_fun come first.
    """
    from scipy import optimize
    from sklearn.exceptions import ConvergenceWarning

    run = Pass()
    x = network.to_numbers(rows.toarray() if hasattr(rows, "toarray") else rows, run)
    total = len(x) if weights is None else float(weights.sum())

    def value_and_gradient(params: np.ndarray) -> tuple[float, np.ndarray]:
        network.params[...] = params
        outputs, backward = network.forward(x, run)
        value, gradient = loss(outputs, targets, run, weights)
        backward(gradient)
        value += penalty(total)
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
