"""The logistic regression of C19 to C23: its losses, its starts, and how each framework descends. It runs in the frameworks' processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.backends.base import lazy
from suite.floats import Floats
from suite.lab import Lab

keras = lazy("keras")

RATE = 0.1
TRUTH = (-1.0, 5.0)
"""Intercept and slope that the labels were drawn with."""
MINIMA = {"MSE": (-1.06290897, 5.41969074), "BCE": (-1.0194952, 5.30045566)}
"""Where each loss is smallest on the document's sample, to nine digits."""
START = -1.00347
"""The weight from which, with bias 0, 1,000 epochs of SGD on BCE end at the document's; found by bisection, since its own start came from
the generator of another release."""
W0, W1 = np.arange(-10, 3, 0.2), np.arange(-1, 10, 0.2)
"""The document's grid of intercepts and slopes."""


def squared_error(ops: Any) -> Callable[..., Any]:
    """The document's MSE, in a framework's functions; over everything, or along an axis."""

    def mse(y: Any, prediction: Any, axis: int | None = None) -> Any:
        return ops.mean(ops.square(y - prediction), axis)

    return mse


def cross_entropy(ops: Any) -> Callable[..., Any]:
    """The document's BCE, from probabilities and unclipped; over everything, or along an axis."""

    def bce(y: Any, prediction: Any, axis: int | None = None) -> Any:
        return -ops.mean(y * ops.log(prediction) + (1 - y) * ops.log(1 - prediction), axis)

    return bce


LOSSES = {"MSE": squared_error, "BCE": cross_entropy}
CANONICAL = {"MSE": "sigmoid_squared_error", "BCE": "binary_cross_entropy_with_logits"}
"""The operations of the suite that compute each loss from a logit."""


def design(x: Any) -> Floats:
    """A column of ones and one of x: the document's X."""
    column = np.asarray(x, dtype=np.float64).reshape(-1, 1)
    return np.concatenate([np.ones_like(column), column], axis=1)


@contextmanager
def precision(lab: Lab, dtype: str) -> Iterator[None]:
    """Keras' floatx for as long as it takes: the dtype of its data, losses and rates, which a model's own dtype does not change."""
    if not lab.backend.name.startswith("keras"):
        yield
        return
    before = keras.config.floatx()
    keras.config.set_floatx(dtype)
    try:
        yield
    finally:
        keras.config.set_floatx(before)


@dataclass(frozen=True)
class Run:
    """A descent of the document's: 29 × 15 epochs from ``start``.

    ``before`` has, for each loss, where one epoch was taken with the same optimiser before its weights were set to ``start``. What that
    epoch left in Adam's moments goes on into the descent.
    """

    name: str
    optimiser: str
    start: tuple[float, float]
    before: Mapping[str, tuple[float, float]] | None = None


def along(lab: Lab, loss: str) -> Callable[..., Any]:
    """A function of (weights, X, y) whose weights have a pair (intercept, slope) in each column: the loss of each."""

    def losses(weights: Any, matrix: Any, y: Any) -> Any:
        return LOSSES[loss](lab.ops)(y, lab.ops.sigmoid(lab.ops.matmul(matrix, weights)), 0)

    return losses


STEPS, EVERY = 435, 15
SEEN = (
    {"MSE": (1.3018752, 0.63809683), "BCE": (-1.0399656, -0.6219858)},
    {"MSE": (0.71489564, -1.3362169), "BCE": (0.99960575, -0.73551056)},
)
"""Starts of the document's single epochs of Adam, second and third example: the weights printed after them, less one step of ±0.1."""
SINGLE = {"MSE": (0.19806325, 0.34282184), "BCE": (-1.11197141, -0.16651428)}
"""Starts of its single epochs of SGD, first example: from where one step leads to the weights printed after them."""
RUNS = (
    Run("SGD from (−3, −1)", "sgd", (-3.0, -1.0)),
    Run("SGD from (−10, −1)", "sgd", (-10.0, -1.0)),
    Run("Adam from (−3, −1)", "adam", (-3.0, -1.0), SEEN[0]),
    Run("Adam from (−10, −1)", "adam", (-10.0, -1.0), SEEN[1]),
    Run("fresh Adam from (−10, −1)", "adam", (-10.0, -1.0)),
)
"""Adam goes on from where its moments are after the single epoch, as in the document; ``fresh Adam`` starts with none."""
