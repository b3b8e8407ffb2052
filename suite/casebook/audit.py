"""Does the loss that a compiled model reports follow from what it predicts?

The loss is recomputed in float64 from the predictions, clipped as Keras clips them. What may lie between the two is rounding alone:
that of the mean, that of the loss, and that of the probabilities, which the loss's own graph may round otherwise than ``predict`` does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from suite.casebook.account import Account
from suite.casebook.habits import EPSILON
from suite.floats import FORMATS, Floats
from suite.operations import operations
from suite.operations.bounds import Rounding


@dataclass(frozen=True)
class Recomputed:
    """A mean loss, from probabilities, and how far a framework's may be from it."""

    loss: float
    allowed: float


def binary(labels: ArrayLike, predicted: ArrayLike, rounding: Rounding) -> Recomputed:
    """Binary cross-entropy, averaged over everything; labels and probabilities of one shape."""
    y, p = (np.asarray(a, dtype=np.float64).ravel() for a in (labels, predicted))
    clipped = np.clip(p, *_limits(rounding))
    losses = np.asarray(-(y * np.log(clipped) + (1 - y) * np.log1p(-clipped)))
    own = operations()["binary_cross_entropy"].bound({"probabilities": clipped, "labels": y}, losses, rounding)
    x = np.log(clipped) - np.log1p(-clipped)
    moved = 2 * np.asarray(operations()["sigmoid"].bound({"x": x}, clipped, rounding))
    steepest = y / np.maximum(clipped - moved, _limits(rounding)[0]) + (1 - y) / np.maximum(1 - clipped - moved, _limits(rounding)[0])
    return _mean(losses, own + steepest * moved, rounding)


def categorical(labels: ArrayLike, predicted: ArrayLike, rounding: Rounding) -> Recomputed:
    """Cross-entropy of rows ``(N, n)`` of labels with rows of probabilities, averaged over the rows."""
    y, p = (np.asarray(a, dtype=np.float64) for a in (labels, predicted))
    clipped = np.clip(p / p.sum(axis=-1, keepdims=True), *_limits(rounding))
    losses = np.asarray(-(y * np.log(clipped)).sum(axis=-1))
    own = operations()["categorical_cross_entropy"].bound({"probabilities": clipped, "labels": y}, losses, rounding)
    x = np.log(clipped)
    moved = 2 * np.asarray(operations()["softmax"].bound({"x": x}, clipped, rounding))
    steepest = (y * moved / np.maximum(clipped - moved, _limits(rounding)[0])).sum(axis=-1)
    return _mean(losses, own + steepest, rounding)


def audit(account: Account, what: str, reported: float, recomputed: Recomputed) -> None:
    """States that what a model reports follows from what it predicts."""
    account.near(
        f"The loss that {what} reports is that of its predictions, but for their rounding", reported, recomputed.loss, recomputed.allowed
    )


def _limits(rounding: Rounding) -> tuple[float, float]:
    dtype = np.float64 if rounding.fmt is FORMATS["float64"] else np.float32
    return float(dtype(EPSILON)), float(dtype(1) - dtype(EPSILON))


def _mean(losses: Floats, errors: Floats, rounding: Rounding) -> Recomputed:
    loss = float(np.mean(losses))
    return Recomputed(loss, float(np.mean(errors)) + (len(losses) + 1) * rounding.u * (loss + float(np.mean(errors))))
