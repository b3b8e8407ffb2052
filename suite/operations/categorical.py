"""Losses over classes: one for each row, unreduced.

Cross-entropy from probabilities is that of the distribution proportional to them, −Σ y_i log(p_i / Σ p_j): Keras documents the scaling,
and for rows that sum to 1 it changes nothing.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from suite.floats import Floats
from suite.model import Argument, Curve, Operation, Slice
from suite.operations.bounds import Inputs, Rounding, Row
from suite.operations.logistic import REFLECTED_SIGMOID, REFLECTED_SOFTPLUS, of_difference, softplus_ball
from suite.operations.softmax import (
    Balls,
    hessian_product_error,
    log_softmax_balls,
    p_rest,
    probability_error,
    softmax_balls,
    softmax_gradient,
)

_LABELS = Argument("labels", "distribution", differentiable=False, rows=True)
_INDEX = Argument("labels", "index", differentiable=False)
_LOGITS = Argument("logits", rows=True)
_PROBABILITIES = Argument("probabilities", "probability", rows=True)
_OPTIONAL = ("axis", "where")


def _smoothed(labels: Balls, amount: float) -> Balls:
    """y (1 − a) + a/n; the labels themselves for an amount of 0."""
    a = labels[0] * 0 + amount
    return [y * (1 - a) + a / len(labels) for y in labels] if amount else labels


def _soft(logits: Balls, labels: Balls, label_smoothing: float = 0.0) -> Any:
    labels = _smoothed(labels, label_smoothing)
    return sum(-y * log_p for y, log_p in zip(labels, log_softmax_balls(logits), strict=True) if y != 0) + logits[0] * 0


def _soft_gradient(logits: Balls, labels: Balls, label_smoothing: float = 0.0) -> list[Balls]:
    """p_i Σ y − y_i, written p_i (Σ y − y_i) − y_i (1 − p_i): no cancellation for one-hot labels."""
    labels = _smoothed(labels, label_smoothing)
    p = softmax_balls(logits)
    total = sum(labels)
    return [[p_i * (total - y) - (y * p_rest(p, i) if y != 0 else y) for i, (p_i, y) in enumerate(zip(p, labels, strict=True))]]


def one_hot(index: int, classes: int, zero: Any) -> Balls:
    """The row of labels that the index stands for."""
    return [zero + (1 if i == index else 0) for i in range(classes)]


def _sparse(logits: Balls, index: int) -> Any:
    return _soft(logits, one_hot(index, len(logits), logits[0] * 0))


def _sparse_gradient(logits: Balls, index: int) -> list[Balls]:
    return _soft_gradient(logits, one_hot(index, len(logits), logits[0] * 0))


def _labels(inputs: Inputs, like: Floats) -> Floats:
    """Labels as rows, whichever way they came."""
    labels = inputs["labels"]
    return np.asarray(labels if labels.ndim == like.ndim else (np.arange(like.shape[-1]) == labels[..., None]).astype(np.float64))


def _smooth_labels(y: Floats, amount: float) -> tuple[Floats, float]:
    """Labels smoothed in double, and how many roundings that takes: of the amount, 1 − a, the product, the quotient, the sum."""
    return (np.asarray(y * (1.0 - amount) + amount / y.shape[-1]), 5.0) if amount else (y, 0.0)


def _logits_bound(inputs: Inputs, exact: Floats, r: Rounding, label_smoothing: float = 0.0) -> Floats:
    """Σ y_i (−log p_i): the error of each log_softmax, the products and the sum; an index adds nothing."""
    row = Row.of(inputs["logits"], inputs.get("where"))
    y, more = _smooth_labels(_labels(inputs, row.p), label_smoothing)
    log_p = -row.depth - row.log_sum
    return np.asarray((np.abs(y) * (row.log_softmax_error(log_p, r) + r.grow((row.terms + more) * r.u) * np.abs(log_p))).sum(axis=-1))


def _logits_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding, label_smoothing: float = 0.0) -> tuple[Floats]:
    """p_i Σ y − y_i, where p comes from the logits or is exp of log_softmax, whichever errs more."""
    row = Row.of(inputs["logits"], inputs.get("where"))
    y, more = _smooth_labels(np.abs(_labels(inputs, row.p)), label_smoothing)
    total = y.sum(axis=-1, keepdims=True)
    error = probability_error(row, r) + r.grow((row.terms + more + 2.0) * r.u) * row.p
    return (np.asarray(total * error + (2.0 + more) * r.u * y),)


def _curvature(logits: Balls, labels: Balls, direction: Balls) -> Balls:
    """Σ y (diag(p) − p pᵀ) d."""
    mass = sum(labels)
    return [mass * ball for ball in softmax_gradient(logits, direction)[0]]


def _sparse_curvature(logits: Balls, index: int, direction: Balls) -> Balls:
    return softmax_gradient(logits, direction)[0]


def _curvature_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """Σ y p_i (d_i − Σ p_j d_j) along a direction d, multiplied out or not, from p with the error that it has in the gradient."""
    row = Row.of(inputs["logits"], inputs.get("where"))
    mass = np.abs(_labels(inputs, row.p)).sum(axis=-1, keepdims=True)
    return np.asarray(hessian_product_error(row, inputs["direction"], r) * mass + r.grow((row.terms + 2.0) * r.u) * np.abs(exact))


def _normalised(p: Balls) -> Balls:
    total = sum(p)
    return [q / total for q in p]


def _from_probabilities(p: Balls, labels: Balls, label_smoothing: float = 0.0) -> Any:
    labels = _smoothed(labels, label_smoothing)
    return sum(-y * q.log() for y, q in zip(labels, _normalised(p), strict=True) if y != 0) + p[0] * 0


def _from_probabilities_gradient(p: Balls, labels: Balls, label_smoothing: float = 0.0) -> list[Balls]:
    """Σ y / Σ p − y_i / p_i; for one-hot labels the class's own entry is −(Σ p − p_i) / (p_i Σ p)."""
    labels = _smoothed(labels, label_smoothing)
    mass, total = sum(labels), sum(p)
    pairs = enumerate(zip(p, labels, strict=True))
    return [[(mass - y) / total - (y * p_rest(p, i) / (q * total) if y != 0 else y) for i, (q, y) in pairs]]


def _sparse_from_probabilities(p: Balls, index: int) -> Any:
    return _from_probabilities(p, one_hot(index, len(p), p[0] * 0))


def _sparse_from_probabilities_gradient(p: Balls, index: int) -> list[Balls]:
    return _from_probabilities_gradient(p, one_hot(index, len(p), p[0] * 0))


def _log_error(inputs: Inputs, r: Rounding, label_smoothing: float) -> tuple[Floats, Floats, Floats, Row]:
    """log(p_i / Σ p), its error, y, and the row: by division and log, or as log_softmax of log p, whichever is larger.

    What smoothing the labels adds counts as an error of the logarithm.
    """
    p = inputs["probabilities"]
    logs = np.log(p)
    row = Row.of(logs)
    y, more = _smooth_labels(_labels(inputs, p), label_smoothing)
    log_p = -row.depth - row.log_sum
    inherited = r.relative("log") * (np.abs(logs) + (row.p * np.abs(logs)).sum(axis=-1, keepdims=True))
    error = row.log_softmax_error(log_p, r) + inherited + (r.relative("log") + more * r.u) * np.abs(log_p) + r.u
    return log_p, np.asarray(error), y, row


def _probabilities_bound(inputs: Inputs, exact: Floats, r: Rounding, label_smoothing: float = 0.0) -> Floats:
    """Σ y_i (−log(p_i/Σp)): by a quotient and log, or as log_softmax of log p, whichever errs more; then the products and the sum."""
    log_p, error, y, row = _log_error(inputs, r, label_smoothing)
    return np.asarray((np.abs(y) * (error + r.grow(row.terms * r.u) * np.abs(log_p))).sum(axis=-1))


def _probabilities_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding, label_smoothing: float = 0.0) -> tuple[Floats]:
    """The two terms of the derivative, each with the error of the sum and its own roundings, or (softmax(log p) − y)/p."""
    _, error, y, row = _log_error(inputs, r, label_smoothing)
    p = inputs["probabilities"]
    mass, total = np.abs(y).sum(axis=-1, keepdims=True), p.sum(axis=-1, keepdims=True)
    quotient = r.grow((2.0 * row.terms + (12.0 if label_smoothing else 6.0)) * r.u) * (np.abs(y) / p + mass / total)
    from_logs = (mass * row.p * r.grow(error + r.relative("exp")) + 3.0 * r.u * (mass * row.p + np.abs(y))) / p
    return (np.asarray(np.maximum(quotient, from_logs)),)


def _loss_ball(own: Any, other: Any) -> Any:
    """softplus of the difference. Beyond 80 it is that and something of no size, whose sign counts where the difference is a tie."""
    d = other - own
    return d + d * 2.0**-120 if d > 80 else softplus_ball(d)


_LOSS = Curve(of_difference(REFLECTED_SOFTPLUS).compute, _loss_ball, range=REFLECTED_SOFTPLUS.range)
_FROM_LOGITS = "log_softmax's bound (Blanchard, Higham & Higham 2021, section 4) under the labels' weighted sum"
_FROM_PROBABILITIES = "standard model on log(p/Σp), and on log_softmax(log p)"

_CERTAIN_LOGITS = (((0.0, -inf), 0.0), ((-inf, 0.0), inf), ((3.0, -inf), 0.0))
_CERTAIN = (((1.0, 0.0), 0.0), ((0.0, 0.0, 1.0, 0.0), inf))
"""Rows that leave no doubt, label 0: the loss is 0 or infinite."""

OPERATIONS = (
    Operation(
        "categorical_cross_entropy", (_PROBABILITIES, _LABELS), "scalar", _from_probabilities, _probabilities_bound,
        "−Σ y_i log(p_i/Σp)", _FROM_PROBABILITIES,
        gradient=_from_probabilities_gradient, gradient_bound=_probabilities_gradient_bound,
        optional=("axis", "label_smoothing"), range=(0.0, inf),
        corners=tuple(({"probabilities": p, "labels": (1.0, 0.0)}, loss) for p, loss in _CERTAIN),
    ),
    Operation(
        "sparse_categorical_cross_entropy", (_PROBABILITIES, _INDEX), "scalar", _sparse_from_probabilities, _probabilities_bound,
        "−log(p_k/Σp)", _FROM_PROBABILITIES,
        gradient=_sparse_from_probabilities_gradient, gradient_bound=_probabilities_gradient_bound, optional=("axis",), range=(0.0, inf),
        corners=tuple(({"probabilities": p, "labels": 0}, loss) for p, loss in _CERTAIN),
    ),
    Operation(
        "softmax_cross_entropy_with_logits", (_LOGITS, _LABELS), "scalar", _soft, _logits_bound,
        "−Σ y_i log softmax(x)_i", _FROM_LOGITS,
        gradient=_soft_gradient, gradient_bound=_logits_gradient_bound, curvature=_curvature, curvature_bound=_curvature_bound,
        optional=(*_OPTIONAL, "label_smoothing"), range=(0.0, inf),
        gradient_range=(-1.0, 1.0), corners=tuple(({"logits": x, "labels": (1.0, 0.0)}, loss) for x, loss in _CERTAIN_LOGITS),
    ),
    Operation(
        "sparse_softmax_cross_entropy_with_logits", (_LOGITS, _INDEX), "scalar", _sparse, _logits_bound,
        "−log softmax(x)_k", _FROM_LOGITS,
        gradient=_sparse_gradient, gradient_bound=_logits_gradient_bound, curvature=_sparse_curvature, curvature_bound=_curvature_bound,
        optional=_OPTIONAL, range=(0.0, inf),
        slices=(Slice((_LOSS, of_difference(REFLECTED_SIGMOID.negated())), fixed={"labels": 0}, arity=2),),
        gradient_range=(-1.0, 1.0), corners=tuple(({"logits": x, "labels": 0}, loss) for x, loss in _CERTAIN_LOGITS),
    ),
)  # fmt: skip
