"""Losses of binary labels, one for each element, unreduced."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from suite.floats import Floats
from suite.model import Argument, Curve, Operation, Slice
from suite.operations.bounds import Inputs, Rounding, exp_difference, log1p_exp, logistic, sigmoid_error, softplus, softplus_error
from suite.operations.elementary import INVERSE_SQUARE, LOG, RECIPROCAL
from suite.operations.logistic import (
    REFLECTED_SIGMOID,
    REFLECTED_SOFTPLUS,
    SIGMOID,
    SIGMOID_SLOPE,
    SOFTPLUS,
    sigmoid_ball,
    sigmoid_gradient_error,
    softplus_ball,
    softplus_curvature_error,
)

_LABELS = Argument("labels", "binary", differentiable=False)
_LOGITS = (Argument("logits"), _LABELS)
_POSITIVE = (0.0, inf)


# From logits: y softplus(−x) + (1 − y) softplus(x).


def _with_logits(x: Any, y: Any) -> Any:
    return y * softplus_ball(-x) + (1 - y) * softplus_ball(x)


def _with_logits_gradient(x: Any, y: Any) -> list[Any]:
    return [(1 - y) * sigmoid_ball(x) - y * sigmoid_ball(-x)]


def _is_soft(y: Floats) -> Floats:
    """1 where a label is neither 0 nor 1, so that products with it round."""
    return np.asarray(((y != 0.0) & (y != 1.0)).astype(np.float64))


def _with_logits_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """The larger of two forms: max(x, 0) − x y + log1p(e^−|x|), and −y log σ(x) − (1 − y) log σ(−x).

    The first one's products and difference are exact for hard labels; the second is a sum of non-negative terms.
    """
    return with_logits_error(inputs["logits"], inputs["labels"], exact, r)


def _with_logits_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """Derivatives of the two forms: with t = σ(−|x|), 1 − y − t or t − y; y σ(−x) and (1 − y) σ(x), each from its softplus."""
    return (with_logits_gradient_error(inputs["logits"], inputs["labels"], r),)


def _with_logits_curvature_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """σ' from either form: the second derivative of softplus of both signs, whatever the label."""
    return _with_logits_curvature_error(inputs["logits"], r)


def with_logits_error(x: Floats, y: Floats, exact: Floats, r: Rounding) -> Floats:
    """Absolute error of the loss, for all forms of it."""
    tail = r.grow(r.relative("exp") + r.relative("log1p")) * log1p_exp(x)
    product = np.abs(x * y)
    soft = _is_soft(y) * r.u * (product + np.abs(np.maximum(x, 0.0) - x * y))
    return np.asarray(tail + soft + r.grow(3.0 * r.u) * exact)


def with_logits_gradient_error(x: Floats, y: Floats, r: Rounding) -> Floats:
    """Absolute error of its derivative."""
    t = logistic(-np.abs(x))
    down = y * logistic(-x) * exp_difference(-x - softplus(-x), softplus_error(-x, r), r)
    up = (1.0 - y) * logistic(x) * exp_difference(x - softplus(x), softplus_error(x, r), r)
    cancels = np.where(x >= 0, np.where(y == 1.0, 0.0, 1.0), np.where(y == 0.0, 0.0, 1.0))
    return np.asarray(down + up + t * r.grow(r.relative("exp") + 3.0 * r.u) + 3.0 * r.u * cancels)


def _with_logits_curvature_error(x: Floats, r: Rounding) -> Floats:
    return softplus_curvature_error(x, r) + softplus_curvature_error(-x, r)


# With a weight on the positive term: (1 − y) x + l (log1p(e^−|x|) + max(−x, 0)), l = 1 + (q − 1) y.


def _weighted(x: Any, y: Any, q: Any) -> Any:
    return q * y * softplus_ball(-x) + (1 - y) * softplus_ball(x)


def _weighted_gradient(x: Any, y: Any, q: Any) -> list[Any]:
    return [(1 - y) * sigmoid_ball(x) - q * y * sigmoid_ball(-x)]


def _weight(y: Floats, q: Floats, r: Rounding) -> tuple[Floats, Floats]:
    """l and its absolute error."""
    weight = 1.0 + (q - 1.0) * y
    return weight, np.asarray(r.u * (np.abs(q - 1.0) + np.abs(q - 1.0) * y + weight))


def _weighted_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """(1 − y) x + l (log1p(e^−|x|) + max(−x, 0)): the weight l = 1 + (q − 1) y rounds three times, exp and log1p carry their errors."""
    x, y = inputs["logits"], inputs["labels"]
    weight, weight_error = _weight(y, inputs["pos_weight"], r)
    linear, curved = np.abs((1.0 - y) * x), softplus(-x)
    tail = r.grow(r.relative("exp") + r.relative("log1p")) * log1p_exp(x)
    curved_error = weight * (tail + r.grow(3.0 * r.u) * curved + 2.0 * r.underflow) + 1.01 * weight_error * curved
    # The product may overflow although its sum with the linear term, of the other sign, does not.
    overflow = np.where(weight * curved + curved_error > r.fmt.max, np.inf, 0.0)
    return np.asarray(2.0 * r.u * linear + curved_error + r.u * np.abs(exact) + overflow)


def _weighted_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """(1 − y) − l σ(−x), where σ(−x) comes from t = σ(−|x|) and the weight l carries its own error."""
    x, y = inputs["logits"], inputs["labels"]
    weight, weight_error = _weight(y, inputs["pos_weight"], r)
    t = logistic(-np.abs(x))
    inner = t * r.grow(r.relative("exp") + 3.0 * r.u) + 2.0 * r.u * (x < 0) + 2.0 * r.underflow
    return (np.asarray(weight * inner + 1.01 * weight_error * logistic(-x) + 3.0 * r.u * (weight * logistic(-x) + np.abs(1.0 - y))),)


def _weighted_curvature_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """l σ'(x): the error of σ' from either form of the loss, and that of the weight l."""
    weight, weight_error = _weight(inputs["labels"], inputs["pos_weight"], r)
    x = inputs["logits"]
    return np.asarray(weight * _with_logits_curvature_error(x, r) + (1.01 * weight_error + 2.0 * r.u * weight) * logistic(x) * logistic(-x))


# From probabilities: −y log p − (1 − y) log(1 − p).


def _from_probabilities(p: Any, y: Any) -> Any:
    positive = -y * p.log() if y != 0 else y
    return positive - (1 - y) * (-p).log1p() if y != 1 else positive


def _from_probabilities_gradient(p: Any, y: Any) -> list[Any]:
    positive = -y / p if y != 0 else y
    return [positive + (1 - y) / (1 - p) if y != 1 else positive]


def _from_probabilities_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """log's relative error in both terms, and three roundings; 1 − p rounds once below ½ and is exact above."""
    return from_probabilities_error(inputs["probabilities"], inputs["labels"], exact, r)


def from_probabilities_error(p: Floats, y: Floats, exact: Floats, r: Rounding) -> Floats:
    """Absolute error of −y log p − (1 − y) log(1 − p)."""
    log_p, log_q = np.abs(np.log(p)), np.abs(np.log1p(-p))
    terms = y * np.where(y > 0, log_p, 0.0), (1.0 - y) * np.where(y < 1, log_q, 0.0)
    return np.asarray(r.relative("log") * (terms[0] + terms[1]) + (1.0 - y) * r.grow(r.u) * (p < 0.5) + r.grow(3.0 * r.u) * np.abs(exact))


def _from_probabilities_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """−y/p + (1 − y)/(1 − p): four roundings, of the sizes of both terms together."""
    p, y = inputs["probabilities"], inputs["labels"]
    return (np.asarray(r.grow(4.0 * r.u) * (y / p + np.where(y < 1, (1.0 - y) / (1.0 - p), 0.0))),)


def _from_probabilities_curvature(p: Any, y: Any) -> Any:
    positive = y / p**2 if y != 0 else y
    return positive + (1 - y) / (1 - p) ** 2 if y != 1 else positive


def _from_probabilities_curvature_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """Each reciprocal as a quotient of a rounded square, or squared; the reciprocal of p may be subnormal."""
    return np.asarray(r.grow(7.0 * r.u + r.relative("pow")) * exact + 2.0 * r.underflow * np.sqrt(exact))


# Focal: α_t (1 − p_t)^γ times the cross-entropy, alpha for label 1 and 1 − alpha for label 0.


def _focal_parts(x: Any, y: Any, alpha: float) -> tuple[Any, Any]:
    """The logit of the labelled class, and α_t; labels are hard."""
    return (x, x * 0 + alpha) if y == 1 else (-x, 1 - (x * 0 + alpha))


def _focal(x: Any, y: Any, gamma: float = 2.0, alpha: float = 0.25) -> Any:
    z, weight = _focal_parts(x, y, alpha)
    return weight * (-softplus_ball(z) * gamma).exp() * softplus_ball(-z)


def _focal_gradient(x: Any, y: Any, gamma: float = 2.0, alpha: float = 0.25) -> list[Any]:
    z, weight = _focal_parts(x, y, alpha)
    inner = gamma * sigmoid_ball(z) * softplus_ball(-z) + sigmoid_ball(-z)
    slope = -weight * (-softplus_ball(z) * gamma).exp() * inner
    return [slope if y == 1 else -slope]


@dataclass(frozen=True)
class _FocalErrors:
    """The factors of the focal loss with their absolute errors: q = 1 − p_t from the value p_t, and the cross-entropy."""

    q: Floats
    q_error: Floats
    loss: Floats
    loss_error: Floats
    weight: Floats

    @classmethod
    def of(cls, inputs: Inputs, r: Rounding, alpha: float) -> _FocalErrors:
        x, y = inputs["logits"], inputs["labels"]
        z = np.where(y == 1.0, x, -x)
        q_error = sigmoid_error(x, r) + 3.0 * r.u
        loss = softplus(-z)
        return cls(logistic(-z), q_error, loss, with_logits_error(x, y, loss, r), np.where(y == 1.0, alpha, 1.0 - alpha))

    def power(self, exponent: float) -> tuple[Floats, Floats]:
        """q^exponent and how far it can move while q moves by its error, within [0, 1]."""
        value = self.q**exponent
        low, high = np.clip(self.q - self.q_error, 0.0, 1.0), np.clip(self.q + self.q_error, 0.0, 1.0)
        with np.errstate(divide="ignore"):
            return value, np.maximum(np.abs(high**exponent - value), np.abs(low**exponent - value))


def _focal_bound(inputs: Inputs, exact: Floats, r: Rounding, gamma: float = 2.0, alpha: float = 0.25) -> Floats:
    """(1 − p_t)^γ moves as 1 − p_t does when p_t errs as a sigmoid may; times the cross-entropy with its own error, and pow's."""
    parts = _FocalErrors.of(inputs, r, alpha)
    power, power_error = parts.power(gamma)
    moved = power_error * (parts.loss + parts.loss_error) + power * parts.loss_error
    return np.asarray(parts.weight * moved + r.grow(r.relative("pow") + 4.0 * r.u) * exact)


def _focal_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding, gamma: float = 2.0, alpha: float = 0.25) -> tuple[Floats]:
    """Product rule: γ q^(γ−1) s(1−s) loss + q^γ loss', each factor with its own error."""
    x, y = inputs["logits"], inputs["labels"]
    parts = _FocalErrors.of(inputs, r, alpha)
    low, low_error = parts.power(gamma - 1.0)
    high, high_error = parts.power(gamma)
    slope, slope_error = logistic(x) * logistic(-x), sigmoid_gradient_error(x, r)
    drop, drop_error = parts.q, with_logits_gradient_error(x, y, r)
    first = gamma * ((low + low_error) * (slope + slope_error) * (parts.loss + parts.loss_error) - low * slope * parts.loss)
    second = (high + high_error) * (drop + drop_error) - high * drop
    size = gamma * low * slope * parts.loss + high * drop
    return (np.asarray(parts.weight * (first + second + r.grow(r.relative("pow") + 6.0 * r.u) * size)),)


# The notes' "MSE": (σ(x) − y)².


def _squared(x: Any, y: Any) -> Any:
    return _residual(x, y) ** 2


def _residual(x: Any, y: Any) -> Any:
    """σ(x) − y; 1 − σ(x) is σ(−x)."""
    return -sigmoid_ball(-x) if y == 1 else sigmoid_ball(x) - y


def _squared_gradient(x: Any, y: Any) -> list[Any]:
    return [2 * _residual(x, y) * sigmoid_ball(x) * sigmoid_ball(-x)]


def _residual_error(x: Floats, y: Floats, r: Rounding) -> tuple[Floats, Floats]:
    residual = np.abs(logistic(x) - y)
    return residual, np.asarray(sigmoid_error(x, r) + r.u * residual)


def _squared_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """The square of a residual that carries the sigmoid's error and the rounding of the difference."""
    residual, error = _residual_error(inputs["logits"], inputs["labels"], r)
    return np.asarray((2.0 * residual + error) * error + r.grow(r.u) * exact)


def _squared_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """2 (σ(x) − y) σ'(x): the errors of both factors multiplied out, and four roundings."""
    x = inputs["logits"]
    residual, error = _residual_error(x, inputs["labels"], r)
    slope = logistic(x) * logistic(-x)
    moved = (residual + error) * (slope + sigmoid_gradient_error(x, r)) - residual * slope
    return (np.asarray(2.0 * moved + r.grow(4.0 * r.u) * np.abs(exact)),)


# The losses as functions of one number, hard labels fixed.


def _focal_ball(z: Any) -> Any:
    """σ² softplus. Beyond 80 it is z less something of no size, whose sign counts where ¾ z is a tie."""
    return z - z * 2.0**-120 if z > 80 else sigmoid_ball(z) ** 2 * softplus_ball(z)


def _double_focal(z: Floats) -> Floats:
    return np.asarray(logistic(z) ** 2 * softplus(z))


def _double_focal_slope(z: Floats) -> Floats:
    return np.asarray(logistic(z) ** 2 * (2.0 * logistic(-z) * softplus(z) + logistic(z)))


_SQUARE = Curve(lambda x: logistic(x) ** 2, lambda x: sigmoid_ball(x) ** 2, (1, 1), (0.0, 1.0))
_SQUARE_SLOPE = Curve(
    lambda x: 2.0 * logistic(x) ** 2 * logistic(-x), lambda x: 2 * sigmoid_ball(x) ** 2 * sigmoid_ball(-x), (1, 0), (0.0, 0.297)
)
_FOCAL = Curve(_double_focal, _focal_ball, (1, 1), _POSITIVE)
_FOCAL_SLOPE = Curve(
    _double_focal_slope, lambda z: sigmoid_ball(z) ** 2 * (2 * sigmoid_ball(-z) * softplus_ball(z) + sigmoid_ball(z)), range=_POSITIVE
)
_MINUS_LOG1P = Curve(lambda p: -np.log1p(-p), lambda p: -(-p).log1p(), (1, 1))
_ODDS = Curve(lambda p: np.where(p > 1, np.nan, 1.0 / (1.0 - p)), lambda p: 1 / (1 - p), (1, 1), _POSITIVE)
_SQUARED_ODDS = Curve(lambda p: np.where(p > 1, np.nan, 1.0 / (1.0 - p) ** 2), lambda p: 1 / (1 - p) ** 2, (1, 1), _POSITIVE)


_INSIDE = (2.0**-1074, 1.0 - 2.0**-53)
"""Probabilities other than 0 and 1."""


def _hard(zero: tuple[Curve, ...], one: tuple[Curve, ...], **options: Any) -> tuple[Slice, Slice]:
    """Label 0 and label 1."""
    fixed = options.pop("fixed", {})
    return Slice(zero, fixed={"labels": 0.0, **fixed}, **options), Slice(one, fixed={"labels": 1.0, **fixed}, **options)


_WITH_LOGITS = (SOFTPLUS, SIGMOID, SIGMOID_SLOPE), (REFLECTED_SOFTPLUS, REFLECTED_SIGMOID.negated(), SIGMOID_SLOPE)
_EXTREMES = (16.64, -16.64, 36.74, -36.74, 88.72, -88.72, 103.28, -103.28, 709.78, -709.78)


def _corners(certain: float, impossible: float, wrong: float, **more: float) -> tuple[tuple[dict[str, float], float], ...]:
    """Logits of ±∞ with the label that they speak for, where the loss is 0, and with the other."""
    pairs = ((certain, 1.0, 0.0), (impossible, 0.0, 0.0), (certain, 0.0, wrong), (impossible, 1.0, wrong))
    return tuple(({"logits": x, "labels": y, **more}, loss) for x, y, loss in pairs)


_CERTAIN = tuple(({"probabilities": p, "labels": y}, 0.0 if p == y else inf) for p in (0.0, 1.0) for y in (0.0, 1.0))

OPERATIONS = (
    Operation(
        "binary_cross_entropy", (Argument("probabilities", "probability"), _LABELS), "elementwise", _from_probabilities,
        _from_probabilities_bound,
        "−y log p − (1 − y) log(1 − p)", "standard model, term by term",
        gradient=_from_probabilities_gradient, gradient_bound=_from_probabilities_gradient_bound,
        curvature=_from_probabilities_curvature, curvature_bound=_from_probabilities_curvature_bound, range=_POSITIVE,
        slices=_hard((_MINUS_LOG1P, _ODDS, _SQUARED_ODDS), (LOG.negated(), RECIPROCAL.negated(), INVERSE_SQUARE), domain=_INSIDE),
        corners=_CERTAIN,
    ),
    Operation(
        "binary_cross_entropy_with_logits", _LOGITS, "elementwise", _with_logits,
        _with_logits_bound,
        "y softplus(−x) + (1 − y) softplus(x)", "standard model on max(x, 0) − x y + log1p(e^−|x|) and on −y log σ(x) − (1−y) log σ(−x)",
        gradient=_with_logits_gradient, gradient_bound=_with_logits_gradient_bound,
        curvature=lambda x, y: SIGMOID_SLOPE.ball(x), curvature_bound=_with_logits_curvature_bound,
        range=_POSITIVE, critical=_EXTREMES, slices=_hard(*_WITH_LOGITS),
        gradient_range=(-1.0, 1.0), corners=_corners(inf, -inf, inf),
    ),
    Operation(
        "weighted_binary_cross_entropy_with_logits", (*_LOGITS, Argument("pos_weight", "weight", differentiable=False)), "elementwise",
        _weighted, _weighted_bound, "q y softplus(−x) + (1 − y) softplus(x)",
        "standard model on (1 − y) x + l (log1p(e^−|x|) + max(−x, 0)), l = 1 + (q − 1) y",
        gradient=_weighted_gradient, gradient_bound=_weighted_gradient_bound,
        curvature=lambda x, y, q: (1 + (q - 1) * y) * SIGMOID_SLOPE.ball(x), curvature_bound=_weighted_curvature_bound, critical=_EXTREMES,
        slices=_hard(_WITH_LOGITS[0], tuple(c.scaled(4.0) for c in _WITH_LOGITS[1]), fixed={"pos_weight": 4.0}),
        corners=_corners(inf, -inf, inf, pos_weight=4.0),
    ),
    Operation(
        "binary_focal_cross_entropy", (Argument("logits"), Argument("labels", "hard", differentiable=False)), "elementwise", _focal,
        _focal_bound, "α_t (1 − p_t)^γ (−log p_t)", "Lin et al., arXiv:1708.02002, equation 5; standard model, factor by factor",
        gradient=_focal_gradient, gradient_bound=_focal_gradient_bound, options={"gamma": 2.0, "alpha": 0.25}, range=_POSITIVE,
        critical=_EXTREMES,
        slices=_hard(
            (_FOCAL.scaled(0.75), _FOCAL_SLOPE.scaled(0.75)),
            (_FOCAL.mirrored().scaled(0.25), _FOCAL_SLOPE.mirrored().negated().scaled(0.25)),
        ),
        corners=_corners(inf, -inf, inf),
    ),
    Operation(
        "sigmoid_squared_error", _LOGITS, "elementwise", _squared, _squared_bound, "(σ(x) − y)²", "standard model, factor by factor",
        gradient=_squared_gradient, gradient_bound=_squared_gradient_bound, range=(0.0, 1.0), critical=_EXTREMES,
        slices=_hard((_SQUARE, _SQUARE_SLOPE), (_SQUARE.mirrored(), _SQUARE_SLOPE.mirrored().negated())),
        corners=_corners(inf, -inf, 1.0),
    ),
)  # fmt: skip
