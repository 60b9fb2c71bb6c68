"""The estimators' parameters: their names and defaults, and what each may be.

Those down to max_fun are MLPClassifier's, with its meanings and defaults; the others are ours.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

from pipeline.errors import UsageError, number, whole_number
from pipeline.nn.initializers import INITIALIZERS
from pipeline.nn.optimizers import OPTIMIZERS
from pipeline.nn.schedules import SCHEDULES

# Names that the parameter `activation` may have, and the layers behind them.
ACTIVATIONS = {
    "identity": None, "logistic": "Sigmoid", "tanh": "Tanh", "relu": "ReLU", "leaky_relu": "LeakyReLU", "gelu": "GELU",
    "softplus": "Softplus",
}  # fmt: skip
CHOICES = {
    "activation": tuple(ACTIVATIONS),
    "solver": (*OPTIMIZERS, "lbfgs"),
    "learning_rate": ("constant", "invscaling", "adaptive"),
    **dict.fromkeys(("shuffle", "warm_start", "nesterovs_momentum", "early_stopping"), (True, False)),
    "init": ("mlp", *INITIALIZERS),
}
# What the optimisers, schedules and layers take, they check themselves.
RANGES = {
    "alpha": {"at_least": 0},
    "learning_rate_init": {"above": 0},
    "power_t": {"at_least": 0},
    "tol": {"at_least": 0},
    "validation_fraction": {"above": 0, "below": 1},
}
WHOLE = ("max_iter", "max_fun", "kernel_size")
BY_EPOCHS = ("dropout", "noise", "shift", "augment", "epochs", "schedule", "average_decay", "clip_norm")
WHOLE_OR_NOTHING = {"epochs": None, "batch_size": "auto", "n_iter_no_change": math.inf}


@dataclass(repr=False, eq=False)
class Parameters:
    """What NetworkClassifier and NetworkRegressor have in common.

    solver: adam, sgd, lbfgs as in scikit-learn; adamw, rmsprop.
    alpha: L2 penalty ½·alpha·‖W‖² / (rows of the batch), biases excepted.
    learning_rate: constant, invscaling (1 / t^power_t) or adaptive, the last two for solver sgd alone.

    init: how the weights begin. mlp: as MLPClassifier's, the very same numbers for the same random_state;
    he, glorot, lecun, normal, uniform: see pipeline.nn.initializers, biases 0.
    callbacks: functions that are called with the estimator after each epoch (lbfgs: iteration); its loss_, n_iter_
    and validation_scores_ are up to date, stop_reason_ is empty but at the end. A true answer ends the training.
    epochs: train exactly that many epochs; max_iter and tol then have no say. schedule: constant, step, cosine,
    one-cycle with learning_rate_init as its (largest) rate, or a function (step, steps) → rate; for `epochs`.
    dropout: share of hidden units left out while training. noise: σ of Gaussian noise on half of each batch, for
    rows in [0, 1]. shift: whole pixels by which pictures move at most. augment: a function (batch, *, rng) → batch.
    weight_decay, clip_norm: see pipeline.nn.optimizers. average_decay: decay of the moving average of the weights.
    image_shape: (height, width) of the pictures that the rows are; whole numbers are then pixels 0 … 255, floats
    lie in [0, 1]. filters: units of its convolutions, each followed by 2×2 max pooling; () for a dense net.
    """

    hidden_layer_sizes: Sequence[int] | int = (100,)
    activation: str = "relu"
    _: KW_ONLY
    solver: str = "adam"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: bool | int = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    n_iter_no_change: int | float = 10
    max_fun: int = 15000
    epochs: int | None = None
    schedule: str | Callable[[int, int], float] | None = None
    dropout: float = 0.0
    noise: float = 0.0
    shift: int = 0
    augment: Callable[..., Any] | None = None
    weight_decay: float | None = None
    clip_norm: float | None = None
    average_decay: float | None = None
    image_shape: tuple[int, int] | None = None
    filters: Sequence[int] = (16, 32)
    kernel_size: int = 3
    init: str = "mlp"
    callbacks: Sequence[Callable[[Any], Any]] = ()

    def check_parameters(self) -> None:
        """Raise UsageError for a parameter that is out of range or does not go with another."""
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                words = ", ".join(str(value) for value in allowed)
                raise UsageError(f"{name} must be one of {words}, found {getattr(self, name)!r}.")
        for name, limits in RANGES.items():
            number(name, getattr(self, name), **limits)
        for name in WHOLE:
            whole_number(name, getattr(self, name))
        for name, nothing in WHOLE_OR_NOTHING.items():
            if getattr(self, name) != nothing:
                whole_number(f"{name}, where it is not {nothing},", getattr(self, name))
        for name, sizes in (("hidden_layer_sizes", self.hidden_sizes), ("filters", self.filters)):
            for size in sizes:
                whole_number(f"{name}: each", size)
        self._check_pairs()

    @property
    def hidden_sizes(self) -> list[int]:
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, str):
            raise UsageError(f"hidden_layer_sizes must be a whole number or a list of them, found {sizes!r}.")
        return list(sizes) if hasattr(sizes, "__iter__") else [sizes]

    def _check_pairs(self) -> None:
        if isinstance(self.schedule, str) and self.schedule not in SCHEDULES:
            raise UsageError(f"schedule must be one of {', '.join(SCHEDULES)} or a function, found {self.schedule!r}.")
        if self.schedule is not None and self.epochs is None:
            raise UsageError("A schedule needs to know its end: give epochs along with schedule.")
        if self.image_shape is not None:
            if not isinstance(self.image_shape, (tuple, list)) or len(self.image_shape) != 2:
                raise UsageError(f"image_shape must be (height, width) in pixels, found {self.image_shape!r}.")
            for size in self.image_shape:
                whole_number("image_shape: each", size)
        if self.shift and self.image_shape is None:
            raise UsageError("shift moves pictures: give their (height, width) as image_shape.")
        for name in BY_EPOCHS if self.solver == "lbfgs" else ():
            if getattr(self, name):
                raise UsageError(f"solver lbfgs works on all rows as they are, without {name}: use adam or sgd.")
