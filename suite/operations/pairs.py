"""logaddexp, logaddexp2, xlogy: elementwise functions of two numbers."""

from __future__ import annotations

from math import inf, log, nan
from typing import Any

import numpy as np

from suite.floats import Floats
from suite.model import Argument, Curve, Operation, Slice
from suite.operations.bounds import Inputs, Rounding, exp_difference, logistic
from suite.operations.elementary import INVERSE_SQUARE, LOG, RECIPROCAL
from suite.operations.logistic import SIGMOID, SIGMOID_SLOPE, SOFTPLUS, of_difference, sigmoid_ball, softplus_curvature_error

_AB = (Argument("a"), Argument("b"))
_LN2 = log(2.0)


def _logaddexp_ball(a: Any, b: Any) -> Any:
    return a + (b - a).exp().log1p() if a >= b else b + (a - b).exp().log1p()


def _logaddexp_gradient(a: Any, b: Any) -> list[Any]:
    return [sigmoid_ball(a - b), sigmoid_ball(b - a)]


def _ln2(x: Any) -> Any:
    return (x * 0 + 2).log()


def _logaddexp2_ball(a: Any, b: Any) -> Any:
    ln2 = _ln2(a)
    return _logaddexp_ball(a * ln2, b * ln2) / ln2


def _logaddexp2_gradient(a: Any, b: Any) -> list[Any]:
    ln2 = _ln2(a)
    return _logaddexp_gradient(a * ln2, b * ln2)


def _tail(inputs: Inputs, scale: float) -> tuple[Floats, Floats]:
    """|a − b|·scale and log1p(e^−that)."""
    distance = np.asarray(np.abs(inputs["a"] - inputs["b"]) * scale)
    return distance, np.asarray(np.log1p(np.exp(-distance)))


def _error(inputs: Inputs, exact: Floats, r: Rounding, scale: float) -> Floats:
    """Absolute error of max + log1p(e^−d)/scale, d = |a − b|·scale."""
    distance, tail = _tail(inputs, scale)
    roundings = 1.0 if scale == 1.0 else 3.0
    relative = r.relative("exp") + r.relative("log1p") + (roundings - 1.0) * r.u
    slope = np.where(tail > 0, distance * np.exp(-distance) / (1.0 + np.exp(-distance)), 0.0)
    inner = (r.grow(relative) * tail + r.grow(roundings * r.u * np.minimum(distance, 1e3)) * np.minimum(slope + tail, tail * 2)) / scale
    return np.asarray(inner + np.minimum(r.u * np.abs(exact), tail / scale + inner))


def _bound(scale: float) -> Any:
    def bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
        """max + log1p(e^−d)/c with d = c|a − b|, c = 1 or ln 2: d rounds (with ln 2 also the product and the constant), then exp and log1p.

        The last sum's rounding is at most its distance to the maximum, which is representable.
        """
        return _error(inputs, exact, r, scale)

    return bound


def _gradient_bound(scale: float) -> Any:
    def bound(inputs: Inputs, exact_a: Floats, exact_b: Floats, r: Rounding) -> tuple[Floats, Floats]:
        """Whichever is larger of 1/(1 + e^(other − own)), and exp(own − value) from the value, whose error exp carries on."""
        top = np.maximum(inputs["a"], inputs["b"])
        distance, tail = _tail(inputs, scale)
        value = top + tail / scale
        error = _error(inputs, value, r, scale) * scale
        roundings = 1.0 if scale == 1.0 else 3.0
        results = []
        for name, exact in (("a", exact_a), ("b", exact_b)):
            below = np.where(inputs[name] == top, tail, distance + tail)
            from_value = exp_difference(below * roundings, error, r)
            direct = r.grow(roundings * r.u * np.minimum(distance, 1e3) + r.relative("exp") + 3.0 * r.u)
            results.append(np.asarray(exact * np.maximum(from_value, direct)))
        return results[0], results[1]

    return bound


def _logaddexp_curvature_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """σ'(a − b): the derivative of either form of the gradient, whose difference rounds."""
    d = inputs["a"] - inputs["b"]
    slope = logistic(d) * logistic(-d)
    return np.asarray(softplus_curvature_error(d, r) + r.grow(2.0 * r.u * np.minimum(np.abs(d), 1e3)) * slope)


def _xlogy_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """log's relative error, and the product rounds once."""
    return np.asarray(r.grow(r.relative("log") + r.u) * np.abs(exact))


def _xlogy_gradient_bound(inputs: Inputs, exact_a: Floats, exact_b: Floats, r: Rounding) -> tuple[Floats, Floats]:
    """log b, and a/b or a·(1/b), whose reciprocal may be subnormal."""
    return r.in_ulps("log", exact_a) + r.u * np.abs(exact_a), r.grow(2.0 * r.u) * np.abs(exact_b) + r.underflow * np.abs(inputs["a"])


_LOGADDEXP = Curve(lambda a, b: np.maximum(a, b) + np.log1p(np.exp(-np.abs(a - b))), _logaddexp_ball, cancels=True)
_SOFTPLUS2 = Curve(
    lambda x: np.maximum(x, 0.0) + np.log1p(np.exp2(-np.abs(x))) / _LN2, lambda x: _logaddexp2_ball(x, x * 0), (1, 1), (0.0, inf)
)
_SIGMOID2 = Curve(
    lambda x: np.where(x >= 0, 1.0, np.exp2(-np.abs(x))) / (1.0 + np.exp2(-np.abs(x))),
    lambda x: sigmoid_ball(x * _ln2(x)),
    (1, 1),
    (0.0, 1.0),
)

_INFINITE_PAIRS = (
    ({"a": inf, "b": 1.0}, inf), ({"a": -inf, "b": 3.0}, 3.0), ({"a": 3.0, "b": -inf}, 3.0), ({"a": -inf, "b": -inf}, -inf),
    ({"a": inf, "b": inf}, inf), ({"a": inf, "b": -inf}, inf),
)  # fmt: skip

OPERATIONS = (
    Operation(
        "logaddexp", _AB, "elementwise", _logaddexp_ball, _bound(1.0), "log(e^a + e^b)", "standard model on max + log1p(e^−|a−b|)",
        gradient=_logaddexp_gradient, gradient_bound=_gradient_bound(1.0),
        curvature=lambda a, b: SIGMOID_SLOPE.ball(a - b), curvature_bound=_logaddexp_curvature_bound,
        slices=(
            Slice((SOFTPLUS, SIGMOID, SIGMOID_SLOPE), fixed={"b": 0.0}),
            Slice((_LOGADDEXP, of_difference(SIGMOID)), moving=(0, 1), arity=2),
        ),
        gradient_range=(0.0, 1.0), corners=_INFINITE_PAIRS,
    ),
    Operation(
        "logaddexp2", _AB, "elementwise", _logaddexp2_ball, _bound(_LN2), "log2(2^a + 2^b)",
        "standard model on max + log1p(2^−|a−b|)/ln 2",
        gradient=_logaddexp2_gradient, gradient_bound=_gradient_bound(_LN2),
        slices=(Slice((_SOFTPLUS2, _SIGMOID2), fixed={"b": 0.0}),),
        gradient_range=(0.0, 1.0), corners=_INFINITE_PAIRS,
    ),
    Operation(
        "xlogy", (Argument("a"), Argument("b", "positive")), "elementwise", lambda a, b: a * b.log() if a != 0 else a,
        _xlogy_bound, "a log b, 0 where a is 0",
        "standard model on a · log b",
        gradient=lambda a, b: [b.log(), a / b], gradient_bound=_xlogy_gradient_bound,
        slices=(Slice((LOG, RECIPROCAL, INVERSE_SQUARE.negated()), moving=(1,), fixed={"a": 1.0}, domain=(0.0, inf), kinks=(0.0,)),),
        corners=(
            ({"a": 0.0, "b": 0.0}, 0.0), ({"a": 0.0, "b": inf}, 0.0), ({"a": 0.0, "b": nan}, nan), ({"a": 1.0, "b": 0.0}, -inf),
            ({"a": -1.0, "b": 0.0}, inf), ({"a": 1.0, "b": inf}, inf),
        ),
    ),
)  # fmt: skip
