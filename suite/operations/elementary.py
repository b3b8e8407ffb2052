"""The building blocks: exp, expm1, log, log1p, tanh."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from suite.floats import Floats
from suite.model import Argument, Curve, Operation, Slice
from suite.operations.bounds import ELEMENTARY, Inputs, Rounding

SOURCE = "ISO C17, annex F (special values); The OpenCL C Specification 3.0, relative error as ULPs (bound)"
_X = (Argument("x"),)


def exp_ball(x: Any) -> Any:
    """e^x; arguments so far out that every format over- or underflows are pulled in to where ball arithmetic stays finite."""
    return min(max(x, x * 0 - 20000), x * 0 + 20000).exp()


def _sech_squared(x: Any) -> Any:
    """tanh' = 1/cosh², by e^−2|x| alone."""
    e = exp_ball(-2 * abs(x))
    return 4 * e / (1 + e) ** 2


def _double_sech_squared(x: Floats) -> Floats:
    e = np.exp(-2.0 * np.abs(x))
    return np.asarray(4.0 * e / (1.0 + e) ** 2)


def _tanh_ball(x: Any) -> Any:
    return min(max(x, x * 0 - 20000), x * 0 + 20000).tanh()


_FALLS = (-1, -1)
_RISES = (1, 1)
EXP = Curve(np.exp, exp_ball, _RISES, (0.0, inf))
EXPM1 = Curve(np.expm1, lambda x: x.expm1() if x < 1 else exp_ball(x) - 1, _RISES, (-1.0, inf))
LOG = Curve(np.log, lambda x: x.log(), _RISES)
RECIPROCAL = Curve(lambda x: np.where(x < 0, np.nan, 1.0 / np.abs(x)), lambda x: 1 / x, _FALLS, (0.0, inf))
INVERSE_SQUARE = Curve(lambda x: np.where(x < 0, np.nan, 1.0 / x**2), lambda x: 1 / x**2, _FALLS, (0.0, inf))
LOG1P = Curve(np.log1p, lambda x: x.log1p(), _RISES)
RECIPROCAL_1P = Curve(lambda x: np.where(x < -1, np.nan, 1.0 / (1.0 + x)), lambda x: 1 / (1 + x), _FALLS, (0.0, inf))
INVERSE_SQUARE_1P = Curve(lambda x: np.where(x < -1, np.nan, 1.0 / (1.0 + x) ** 2), lambda x: 1 / (1 + x) ** 2, _FALLS, (0.0, inf))
TANH = Curve(np.tanh, _tanh_ball, _RISES, (-1.0, 1.0))
SECH_SQUARED = Curve(_double_sech_squared, _sech_squared, (1, -1), (0.0, 1.0))
TANH_BEND = Curve(lambda x: -2.0 * np.tanh(x) * _double_sech_squared(x), lambda x: -2 * _tanh_ball(x) * _sech_squared(x), range=(-1.0, 1.0))


def _bound(function: str) -> Any:
    def bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
        return r.in_ulps(function, exact)

    limit = f"{ELEMENTARY[function]:g} units in the last place of the exact value"
    bound.__doc__ = f"{limit}: the published limit of {function}, which is itself what is judged."
    return bound


def _exp_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """e^x is its own derivative: the limit of exp."""
    return (r.in_ulps("exp", exact),)


def _expm1_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """Either e^x, or (e^x − 1) + 1 from the value."""
    return (r.relative("exp") * exact + r.relative("expm1") * np.abs(np.expm1(inputs["x"])) + r.u * exact,)


def _reciprocal_bound(roundings: float) -> Any:
    def bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
        return (r.grow(roundings * r.u) * np.abs(exact),)

    bound.__doc__ = "One quotient, which rounds once." if roundings == 1 else "A sum and a quotient, each of which rounds once."
    return bound


def _tanh_gradient_bound(inputs: Inputs, exact: Floats, r: Rounding) -> tuple[Floats]:
    """1 − y², or (1 − y)(1 + y), from the value y: twice its error, and what either form rounds."""
    square = np.tanh(inputs["x"]) ** 2
    return (r.grow(2.0 * r.relative("tanh") + r.u) * square + r.grow(3.0 * r.u) * exact,)


# Second derivatives: as autodiff makes them of the formulas above.


def _exp_curvature_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """exp's relative error, and the two products of the chain rule."""
    return np.asarray(r.grow(r.relative("exp") + 2.0 * r.u) * exact)


def _expm1_curvature_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """The derivative's bound, and the two products of the chain rule."""
    return np.asarray(_expm1_gradient_bound(inputs, exact, r)[0] + r.grow(2.0 * r.u) * exact)


def _power_bound(roundings: float) -> Any:
    def bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
        """−1/x², for log1p of 1 + x: from the reciprocal squared, as a quotient or by pow.

        The reciprocal may be subnormal, and so may x², by which the result then moves as far relative to itself; where x² overflows, the
        quotient is 0.
        """
        size = np.abs(exact)
        lost = r.underflow * size
        square = np.where(lost < 0.5, 2.0 * lost * size, np.inf) + np.where(size * r.fmt.max < 1.01, size, 0.0)
        return np.asarray(r.grow(roundings * r.u + r.relative("pow")) * size + 2.0 * r.underflow * np.sqrt(size) + square)

    return bound


def _tanh_curvature_bound(inputs: Inputs, exact: Floats, r: Rounding) -> Floats:
    """−2y(1 − y²) from the value y: its error in both factors, and the roundings of y² and of 1 − y².

    Or, of (1 − y)(1 + y), the difference y'(1 − y) − y'(1 + y): each term rounds at the size of y'.
    """
    y = np.abs(np.tanh(inputs["x"]))
    slope, error = _double_sech_squared(inputs["x"]), r.grow(r.relative("tanh")) * y
    squares = 2.0 * (y + error) * (2.0 * y * error + 2.0 * r.u * y**2 + r.u)
    return np.asarray(2.0 * error * slope + squares + r.grow(5.0 * r.u) * np.abs(exact) + r.grow(4.0 * r.u) * slope)


KEEPS_SIGN = (({"x": 0.0}, 0.0), ({"x": -0.0}, -0.0))
"""ISO C17, annex F: the sign of a zero comes through."""

OPERATIONS = (
    Operation(
        "exp", _X, "elementwise", exp_ball, _bound("exp"), "e^x", SOURCE,
        gradient=lambda x: [exp_ball(x)], gradient_bound=_exp_gradient_bound, curvature=exp_ball, curvature_bound=_exp_curvature_bound,
        special={inf: inf, -inf: 0.0}, range=(0.0, inf), slices=(Slice((EXP, EXP, EXP)),),
        gradient_range=(0.0, inf),
    ),
    Operation(
        "expm1", _X, "elementwise", EXPM1.ball, _bound("expm1"), "e^x − 1", SOURCE,
        gradient=lambda x: [exp_ball(x)], gradient_bound=_expm1_gradient_bound, curvature=exp_ball, curvature_bound=_expm1_curvature_bound,
        special={inf: inf, -inf: -1.0}, range=(-1.0, inf), slices=(Slice((EXPM1, EXP, EXP)),),
        gradient_range=(0.0, inf), corners=KEEPS_SIGN,
    ),
    Operation(
        "log", _X, "elementwise", lambda x: x.log(), _bound("log"), "log x", SOURCE,
        gradient=lambda x: [1 / x], gradient_bound=_reciprocal_bound(1.0), curvature=lambda x: -1 / x**2, curvature_bound=_power_bound(4.0),
        special={inf: inf, 0.0: -inf}, domain=(0.0, inf), critical=(1.0,),
        slices=(Slice((LOG, RECIPROCAL, INVERSE_SQUARE.negated()), kinks=(0.0,)),),
    ),
    Operation(
        "log1p", _X, "elementwise", lambda x: x.log1p(), _bound("log1p"), "log(1 + x)", SOURCE,
        gradient=lambda x: [1 / (1 + x)], gradient_bound=_reciprocal_bound(2.0),
        curvature=lambda x: -1 / (1 + x) ** 2, curvature_bound=_power_bound(6.0),
        special={inf: inf, -1.0: -inf}, domain=(-1.0, inf), critical=(-1.0, 1.0),
        slices=(Slice((LOG1P, RECIPROCAL_1P, INVERSE_SQUARE_1P.negated()), kinks=(-1.0,)),),
        corners=KEEPS_SIGN,
    ),
    Operation(
        "tanh", _X, "elementwise", _tanh_ball, _bound("tanh"), "tanh x", SOURCE,
        gradient=lambda x: [_sech_squared(x)], gradient_bound=_tanh_gradient_bound,
        curvature=TANH_BEND.ball, curvature_bound=_tanh_curvature_bound,
        special={inf: 1.0, -inf: -1.0}, range=(-1.0, 1.0), critical=(4.97, 9.01, 18.71),
        slices=(Slice((TANH, SECH_SQUARED, TANH_BEND)),),
        gradient_range=(0.0, 1.0), corners=KEEPS_SIGN,
    ),
)  # fmt: skip
