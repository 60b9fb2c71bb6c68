"""The solver lbfgs: all rows at once, through SciPy's L-BFGS-B on the network's flat parameters."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.errors import DivergedError
from pipeline.nn.network import Network
from pipeline.nn.workspace import Pass
from pipeline.training.plan import Loss, Regularizer, TrainingData


def minimize(
    network: Network, data: TrainingData, loss: Loss, regularizer: Regularizer, *, stop: Callable, options: dict
) -> Any:
    """Train `network` in place and give SciPy's result: the last loss `fun`, whether it converged as `success`.

    stop(loss): whether to stop after an iteration. options: SciPy's maxiter, maxfun and gtol.
    Raises DivergedError, the network then being as it was.
    """
    from scipy import optimize

    ctx, weights = Pass(), data.sample_weight
    x = network.to_numbers(data.rows, ctx)
    total = x.shape[0] if weights is None else float(weights.sum())

    def value_and_gradient(params: np.ndarray) -> tuple[float, np.ndarray]:
        network.params[...] = params
        outputs, backward = network.forward(x, ctx)
        value, gradient = loss(outputs, data.labels, ctx, weights)
        backward(gradient)
        value += regularizer(total)
        return value, network.grads.astype(np.float64)

    def after_iteration(intermediate_result: Any) -> None:
        network.params[...] = intermediate_result.x
        if stop(float(intermediate_result.fun)):
            raise StopIteration

    start = network.params.astype(np.float64)
    given = {"jac": True, "callback": after_iteration, "options": options}
    with np.errstate(over="ignore", invalid="ignore"):
        result = optimize.minimize(value_and_gradient, start, method="L-BFGS-B", **given)
    if not np.isfinite(result.fun):
        network.params[...] = start
        raise DivergedError("lbfgs broke down: the loss is no finite number; scale the data, or raise alpha.")
    network.params[...] = result.x
    return result
