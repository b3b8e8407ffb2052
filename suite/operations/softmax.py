"""softmax, log_softmax, logsumexp: rows of logits.

With a mask, the reference is that of the valid entries alone; the oracle leaves the others out before it comes here.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from suite.floats import Floats
from suite.model import Argument, Operation, Slice
from suite.operations.bounds import Inputs, Rounding, Row
from suite.operations.logistic import SIGMOID, SIGMOID_BEND, SIGMOID_SLOPE, of_difference

_X = (Argument("x", rows=True),)
_BLANCHARD = "Blanchard, Higham & Higham, IMA J. Numer. Anal. 41 (2021), 2311–2330"

Balls = list[Any]


def ball_max(x: Balls) -> Any:
    """The largest of exact balls."""
    return max(x)


def softmax_balls(x: Balls) -> Balls:
    """e^x_i / Σ e^x_j, shifted by the maximum so that no ball overflows."""
    top = ball_max(x)
    weights = [(ball - top).exp() for ball in x]
    total = sum(weights)
    return [w / total for w in weights]


def logsumexp_ball(x: Balls, b: Balls | None = None) -> Any:
    """log Σ b_j e^x_j. log1p of the smaller ones keeps a result near 0 accurate."""
    top = ball_max(x)
    if b is None:
        rest = list(x)
        rest.remove(top)
        return top + sum(((ball - top).exp() for ball in rest), top * 0).log1p()
    return top + sum((w * (ball - top).exp() for w, ball in zip(b, x, strict=True)), top * 0).log()


def log_softmax_balls(x: Balls) -> Balls:
    """x_i − log Σ e^x_j as (x_i − max) − log1p(Σ of the others): two terms of one sign, so that a dominant class loses no digit."""
    top = ball_max(x)
    rest = list(x)
    rest.remove(top)
    log_sum = sum(((ball - top).exp() for ball in rest), top * 0).log1p()
    return [(ball - top) - log_sum for ball in x]


def softmax_gradient(x: Balls, cotangent: Balls) -> list[Balls]:
    """p_i Σ p_j (c_i − c_j): no cancellation for a cotangent of zeros and one entry."""
    p = softmax_balls(x)
    inner = sum(q * c for q, c in zip(p, cotangent, strict=True))

    def spread(c_i: Any) -> Any:
        return sum(q * (c_i - c) for q, c in zip(p, cotangent, strict=True)) if c_i != 0 else -inner

    return [[q * spread(c) for q, c in zip(p, cotangent, strict=True)]]


def _log_softmax_gradient(x: Balls, cotangent: Balls) -> list[Balls]:
    p = softmax_balls(x)
    total = sum(cotangent)
    return [[c - p_i * total if c != total else p_rest(p, i) * total for i, (c, p_i) in enumerate(zip(cotangent, p, strict=True))]]


def p_rest(p: Balls, i: int) -> Any:
    """1 − p_i as the sum of the others: no cancellation."""
    return sum((q for j, q in enumerate(p) if j != i), p[i] * 0)


def _logsumexp_gradient(x: Balls, b: Balls | None = None) -> list[Balls]:
    if b is None:
        return [softmax_balls(x)]
    top = ball_max(x)
    weights = [w * (ball - top).exp() for w, ball in zip(b, x, strict=True)]
    total = sum(weights)
    return [[w / total for w in weights]]


def _softmax_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """e^(x_i − max) over its sum, relative: max − x_i times u from the difference, exp's error in both, n − 1 additions."""
    return np.asarray(Row.of(inputs["x"], inputs.get("where")).softmax_relative(r) * exact)


def _softmax_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """p_i (c_i − Σ p_j c_j) for a cotangent c, multiplied out or not, from the values p with their error."""
    row = Row.of(inputs["x"], inputs.get("where"))
    c, relative = inputs["cotangent"], row.softmax_relative(r)
    inner = np.abs(row.p * c).sum(axis=-1, keepdims=True)
    inner_error = (np.abs(row.p * c) * relative).sum(axis=-1, keepdims=True) + r.grow(row.terms * r.u) * inner
    return (np.asarray(row.p * (relative * (np.abs(c) + inner) + inner_error + r.grow(3.0 * r.u) * (np.abs(c) + inner))),)


def _log_softmax_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """(x_i − max) − log Σ e^(x_j − max), absolute: both differences round, the sum errs as softmax's does, and log carries that on."""
    return Row.of(inputs["x"], inputs.get("where")).log_softmax_error(exact, r)


def probability_error(row: Row, r: Rounding) -> Floats:
    """p from the logits: e^−depth over its sum, or exp of log_softmax; absolute error."""
    with np.errstate(divide="ignore"):
        log_p = np.where(row.p > 0, -row.depth - row.log_sum, 0.0)
    from_log = r.grow(row.log_softmax_error(log_p, r) + r.relative("exp"))
    return np.asarray(row.p * np.maximum(from_log, row.softmax_relative(r)))


def _log_softmax_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """c_i − p_i Σ c for a cotangent c, where p comes from the logits or is exp of log_softmax, whichever errs more."""
    row = Row.of(inputs["x"], inputs.get("where"))
    c = inputs["cotangent"]
    total = np.abs(c).sum(axis=-1, keepdims=True)
    return (np.asarray(probability_error(row, r) * total + r.grow((row.terms + 1.0) * r.u) * row.p * total + r.u * np.abs(exact)),)


def hessian_product_error(row: Row, direction: Floats, r: Rounding) -> Floats:
    """p_i (d_i − Σ p_j d_j), multiplied out or not, where p has the error of :func:`probability_error`."""
    d, error = np.abs(direction), probability_error(row, r)
    inner = (row.p * d).sum(axis=-1, keepdims=True)
    inner_error = (error * d).sum(axis=-1, keepdims=True) + r.grow((row.terms + 1.0) * r.u) * inner
    return np.asarray(error * (d + inner + inner_error) + row.p * (inner_error + r.grow(4.0 * r.u) * (d + inner)))


def _logsumexp_curvature(x: Balls, direction: Balls) -> Balls:
    """(diag(p) − p pᵀ) d."""
    return softmax_gradient(x, direction)[0]


def _logsumexp_curvature_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """p_i (d_i − Σ p_j d_j) along a direction d, multiplied out or not, where p errs as in the gradient."""
    return hessian_product_error(Row.of(inputs["x"], inputs.get("where")), inputs["direction"], r)


def _weighted(inputs: Inputs) -> tuple[Row, Floats]:
    """The row with each weight b moved into its logit, and log b's share of the depth that is not rounded."""
    x = inputs["x"]
    return Row.of(x, inputs.get("where")), np.asarray(inputs.get("b", np.ones_like(x)))


def _logsumexp_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """max + log Σ b_j e^(x_j − max): the sum errs as softmax's does, log carries that on; the products with b round once more."""
    row, b = _weighted(inputs)
    weights = np.where(row.p > 0, b * row.p, 0.0)
    total = weights.sum(axis=-1, keepdims=True)
    share = weights / total
    depth = (share * row.depth).sum(axis=-1, keepdims=True)
    relative = r.u * depth + r.relative("exp") + row.terms * r.u
    log_sum = row.log_sum + np.log(total)
    return np.asarray((r.grow(relative) + r.relative("log") * np.abs(log_sum)).squeeze(-1) + r.u * np.abs(exact))


def _logsumexp_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """The softmax: from e^(x_i − max) over its sum, or exp(x_i − logsumexp) from the value, whichever errs more."""
    row, b = _weighted(inputs)
    value = np.where(row.p > 0, inputs["x"], -np.inf)
    top = value.max(axis=-1, keepdims=True)
    lse = top + row.log_sum + np.log((b * row.p).sum(axis=-1, keepdims=True))
    value_error = _logsumexp_bound(inputs, np.asarray(lse.squeeze(-1)), r)[..., None]
    from_value = r.grow(value_error + r.u * np.where(row.p > 0, np.abs(inputs["x"] - lse), 0.0) + r.relative("exp") + 2.0 * r.u)
    quotient = r.grow(row.sum_relative(r) + r.u * row.depth + r.relative("exp") + 5.0 * r.u)
    underflow = r.underflow * b / (b * np.exp(-row.depth)).sum(axis=-1, keepdims=True)
    return (np.asarray(np.abs(exact) * np.maximum(from_value, quotient) + underflow),)


OPERATIONS = (
    Operation(
        "softmax", _X, "row", softmax_balls, _softmax_bound, "e^x_i / Σ e^x_j", f"{_BLANCHARD}, theorem 4.3, componentwise",
        gradient=softmax_gradient, gradient_bound=_softmax_gradient_bound, optional=("axis", "where"), range=(0.0, 1.0),
        slices=(
            Slice((SIGMOID, SIGMOID_SLOPE, SIGMOID_BEND), row=(0.0,)),
            Slice((of_difference(SIGMOID), of_difference(SIGMOID_SLOPE)), arity=2),
        ),
        corners=(({"x": (0.0, -inf)}, (1.0, 0.0)), ({"x": (-inf, -inf, 0.0, -inf)}, (0.0, 0.0, 1.0, 0.0))),
    ),
    Operation(
        "log_softmax", _X, "row", log_softmax_balls, _log_softmax_bound, "x_i − log Σ e^x_j", f"{_BLANCHARD}, section 4",
        gradient=_log_softmax_gradient, gradient_bound=_log_softmax_gradient_bound, optional=("axis", "where"), range=(-inf, 0.0),
        corners=(({"x": (0.0, -inf)}, (0.0, -inf)), ({"x": (-inf, -inf, 0.0, -inf)}, (-inf, -inf, 0.0, -inf))),
    ),
    Operation(
        "logsumexp", _X, "scalar", logsumexp_ball, _logsumexp_bound, "log Σ b_j e^x_j", f"{_BLANCHARD}, section 4",
        gradient=_logsumexp_gradient, gradient_bound=_logsumexp_gradient_bound,
        curvature=_logsumexp_curvature, curvature_bound=_logsumexp_curvature_bound, optional=("axis", "where", "b"),
        gradient_range=(0.0, 1.0),
        corners=(({"x": (-inf,)}, -inf), ({"x": (inf, 0.0)}, inf), ({"x": (inf, -inf)}, inf), ({"x": (3.0, -inf)}, 3.0)),
    ),
)  # fmt: skip
