"""sigmoid, log_sigmoid, softplus, relu."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from suite.floats import Floats
from suite.model import Argument, Curve, Operation, Slice
from suite.operations.bounds import Inputs, Rounding, exp_difference, logistic, sigmoid_error, softplus, softplus_error

_X = (Argument("x"),)
_SATURATION = (2.0, 5.0, 8.3, 10.0, 11.1, 16.64, 20.0, 34.0, 36.74, 37.43, 87.34, 88.72, 103.28, 709.78, 745.13)
"""Where formulas change: a sigmoid's 1 − σ rounds to 0 (8.3, 16.64, 36.74), exp over- or underflows, in the four dtypes."""
_BOTH_SIDES = tuple(s * x for x in _SATURATION for s in (1.0, -1.0))


def sigmoid_ball(x: Any) -> Any:
    """σ(x) without cancellation or overflow: e^−|x| only."""
    return 1 / (1 + (-x).exp()) if x >= 0 else (e := x.exp()) / (1 + e)


def softplus_ball(x: Any) -> Any:
    """log(1 + e^x) without cancellation."""
    return x + (-x).exp().log1p() if x >= 0 else x.exp().log1p()


def _double_slope(x: Floats) -> Floats:
    """σ'(x) = e^−|x|/(1 + e^−|x|)²."""
    e = np.exp(-np.abs(x))
    return np.asarray(e / (1.0 + e) ** 2)


def _double_bend(x: Floats) -> Floats:
    """σ''(x) = −σ'(x) tanh(x/2)."""
    return np.asarray(-_double_slope(x) * np.tanh(0.5 * x))


def _bend_ball(x: Any) -> Any:
    return sigmoid_ball(x) * sigmoid_ball(-x) * (sigmoid_ball(-x) - sigmoid_ball(x))


SIGMOID = Curve(logistic, sigmoid_ball, (1, 1), (0.0, 1.0))
SIGMOID_SLOPE = Curve(_double_slope, lambda x: sigmoid_ball(x) * sigmoid_ball(-x), (1, -1), (0.0, 0.25))
SIGMOID_BEND = Curve(_double_bend, _bend_ball, range=(-0.0963, 0.0963))
SOFTPLUS = Curve(softplus, softplus_ball, (1, 1), (0.0, inf), (None, (128.0, 1.0)))
"""Beyond 128, softplus(x) − x = log1p(e^−x) < 2^−184: less than half a unit in the last place of any number of 24 bits or fewer."""
REFLECTED_SIGMOID, REFLECTED_SOFTPLUS = SIGMOID.mirrored(), SOFTPLUS.mirrored()
RELU = Curve(lambda x: np.where(np.isnan(x), x, np.maximum(x, 0.0)), lambda x: x if x > 0 else x * 0,
             (1, 1), (0.0, inf), (None, (0.0, 1.0)))  # fmt: skip
STEP = Curve(lambda x: np.where(np.isnan(x), x, (x > 0) * 1.0), lambda x: x * 0 + 1 if x > 0 else x * 0, (1, 1), (0.0, 1.0))
ZERO = Curve(lambda x: np.where(np.isnan(x), x, 0.0), lambda x: x * 0, (1, 1), (0.0, 0.0))


def of_difference(curve: Curve) -> Curve:
    """f(a − b).

    The difference of two numbers of at most 11 bits errs by 2^−53 of itself in double. That moves the logarithm of a function that falls
    like e^−|x| by less than 104·2^−53 where the result is not below the formats' numbers: within ``suite.reference.ERROR``.
    """
    return Curve(lambda a, b: curve.compute(a - b), lambda a, b: curve.ball(a - b), range=curve.range)


def _sigmoid_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """1/(1 + e^−x): exp's error enters with weight 1 − σ(x), the sum and the quotient round once each.

    Where e^−x overflows the quotient is 0; the exact value there is below 1/max.
    """
    return sigmoid_error(inputs["x"], r)


def _sigmoid_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """s(1 − s) from the value s: the error of s enters both factors, the difference and the product round."""
    return (sigmoid_gradient_error(inputs["x"], r),)


def _sigmoid_curvature_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """s(1 − s)(1 − 2s) from the value s, whose error enters with |1 − 6s + 6s²|; the differences and products round."""
    return sigmoid_curvature_error(inputs["x"], exact, r)


def sigmoid_gradient_error(x: Floats, r: Rounding) -> Floats:
    """Absolute error of s(1 − s) from the value s."""
    return np.asarray(sigmoid_error(x, r) + r.grow(2.0 * r.u) * logistic(x) * logistic(-x))


def softplus_gradient_error(x: Floats, r: Rounding) -> Floats:
    """Either σ(x), or exp(x − softplus(x)) from the value."""
    from_value = exp_difference(x - softplus(x), softplus_error(x, r), r)
    return np.asarray(np.maximum(logistic(x) * from_value, sigmoid_error(x, r)))


def _softplus_bound(sign: float) -> Any:
    def bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
        """max(z, 0) + log1p(e^−|z|): log1p has condition number ≤ 1; the sum's rounding is at most its distance to max(z, 0).

        Here z = x, and −x for log σ.
        """
        return softplus_error(sign * inputs["x"], r)

    return bound


def _softplus_gradient_bound(sign: float) -> Any:
    def bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
        """Whichever is larger of σ(z) computed directly, and exp(z − softplus(z)) from the value, whose error exp carries on.

        Here z = x, and −x for log σ.
        """
        return (softplus_gradient_error(sign * inputs["x"], r),)

    return bound


def _softplus_curvature_bound(sign: float) -> Any:
    def bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
        """The largest of three ways to σ'(x): by way of σ, of exp(z − softplus(z)) with z = ±x, or of t = e^−|x|/(1 + e^−|x|) as t − t²."""
        return softplus_curvature_error(sign * inputs["x"], r)

    return bound


def sigmoid_curvature_error(x: Floats, exact: Floats, r: Rounding) -> Floats:
    """Absolute error of s(1 − s)(1 − 2s) from the value s."""
    s, slope = logistic(x), logistic(x) * logistic(-x)
    inherited = (sigmoid_error(x, r) + r.u * s) * np.abs(1.0 - 6.0 * slope)
    return np.asarray(inherited + 6.0 * sigmoid_error(x, r) ** 2 + r.grow(8.0 * r.u) * slope)


def softplus_curvature_error(x: Floats, r: Rounding) -> Floats:
    """σ' by way of σ, of exp(x − softplus(x)), or of t = e^−|x|/(1 + e^−|x|) as t − t²."""
    t, slope = logistic(-np.abs(x)), logistic(x) * logistic(-x)
    from_value = slope * exp_difference(x - softplus(x), softplus_error(x, r), r) + logistic(x) * softplus_gradient_error(x, r)
    direct = t * r.grow(r.relative("exp") + 6.0 * r.u)
    return np.asarray(np.maximum(np.maximum(sigmoid_gradient_error(x, r), from_value), direct))


def _relu_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """No error: the derivative is 0 or 1."""
    return (np.zeros_like(exact),)


def _relu_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """No error: a comparison rounds nothing."""
    return np.zeros_like(exact)


OPERATIONS = (
    Operation(
        "sigmoid", _X, "elementwise", sigmoid_ball, _sigmoid_bound, "σ(x) = 1/(1 + e^−x)",
        "standard model on 1/(1 + e^−x), relative in both tails",
        gradient=lambda x: [sigmoid_ball(x) * sigmoid_ball(-x)],
        gradient_bound=_sigmoid_gradient_bound, curvature=SIGMOID_BEND.ball, curvature_bound=_sigmoid_curvature_bound,
        special={inf: 1.0, -inf: 0.0}, range=(0.0, 1.0), critical=_BOTH_SIDES,
        slices=(Slice((SIGMOID, SIGMOID_SLOPE, SIGMOID_BEND)),),
        gradient_range=(0.0, 0.25),
    ),
    Operation(
        "log_sigmoid", _X, "elementwise", lambda x: -softplus_ball(-x), _softplus_bound(-1.0), "log σ(x) = −softplus(−x)",
        "standard model on min(x, 0) − log1p(e^−|x|)",
        gradient=lambda x: [sigmoid_ball(-x)], gradient_bound=_softplus_gradient_bound(-1.0),
        curvature=lambda x: -SIGMOID_SLOPE.ball(x), curvature_bound=_softplus_curvature_bound(-1.0),
        special={inf: 0.0, -inf: -inf}, range=(-inf, 0.0), critical=_BOTH_SIDES,
        slices=(Slice((REFLECTED_SOFTPLUS.negated(), REFLECTED_SIGMOID, SIGMOID_SLOPE.negated())),),
        gradient_range=(0.0, 1.0),
    ),
    Operation(
        "softplus", _X, "elementwise", softplus_ball, _softplus_bound(1.0), "softplus(x) = log(1 + e^x)",
        "standard model on max(x, 0) + log1p(e^−|x|)",
        gradient=lambda x: [sigmoid_ball(x)], gradient_bound=_softplus_gradient_bound(1.0),
        curvature=SIGMOID_SLOPE.ball, curvature_bound=_softplus_curvature_bound(1.0),
        special={inf: inf, -inf: 0.0}, range=(0.0, inf), critical=_BOTH_SIDES,
        slices=(Slice((SOFTPLUS, SIGMOID, SIGMOID_SLOPE)),),
        gradient_range=(0.0, 1.0),
    ),
    Operation(
        "relu", _X, "elementwise", lambda x: x if x > 0 else x * 0, _relu_bound, "max(x, 0)", "exact: a comparison",
        gradient=lambda x: [x * 0 + 1 if x > 0 else x * 0], gradient_bound=_relu_gradient_bound,
        curvature=lambda x: x * 0, curvature_bound=_relu_bound,
        special={inf: inf, -inf: 0.0}, kinks=(0.0,), range=(0.0, inf), rounds=False,
        slices=(Slice((RELU, STEP, ZERO), kinks=(0.0,)),),
        gradient_range=(0.0, 1.0), corners=(({"x": -0.0}, 0.0), ({"x": inf}, inf), ({"x": -inf}, 0.0)),
    ),
)  # fmt: skip
