"""Rounding-error bounds: the model of arithmetic, and the pieces that the operations' bounds are put together from.

A bound is a function ``bound(inputs, exact, r)``:

* ``inputs`` maps argument names to float64 arrays, ``(R,)`` or ``(R, n)``, and ``where`` to a mask if there is one;
* ``exact`` is the exact result rounded to float64, ``(R,)`` or ``(R, n)``;
* ``r`` is the :class:`Rounding` of the dtype;

and returns the largest |computed − exact| that the standard algorithm can have, in exact arithmetic but for what falls below the
format's normal range: :attr:`Rounding.underflow` is added by the caller. Every bound assumes the standard model
fl(a op b) = (a op b)(1 + δ), |δ| ≤ u (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., 2.2). The error of exp, log and
their like, which theorems take for granted, is what a sweep of the backend's own function has measured
(``fixtures/elementary.json``); where none has been swept, and where such a function is itself what is judged, it is :data:`ELEMENTARY`.
Sums of n terms carry n − 1 roundings, which covers any order of summation: recursive, pairwise or blocked. Products of factors
(1 + δ_i)^±1 are bounded by exp(Σ|δ_i|/(1 − max|δ_i|)).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.floats import FORMATS, Floats, Format, ulp

Inputs = Mapping[str, NDArray[Any]]

ELEMENTARY = {"exp": 3.0, "expm1": 3.0, "log": 3.0, "log1p": 2.0, "tanh": 5.0, "pow": 16.0}
"""Largest error of the elementary functions in units in the last place: the limits that The OpenCL C Specification 3.0, section
"Relative Error as ULPs", sets for single and double precision. No framework under test promises anything; this is the published
standard for the hardware they run on. Half precision's limits there are tighter or equal, bfloat16 has none: both get these."""


@dataclass(frozen=True)
class Rounding:
    """The arithmetic of one dtype on one backend and mode.

    ``flushes`` says that results or inputs below the smallest normal number may be replaced by zero. ``measured`` has the largest
    errors of the backend's own elementary functions, in units in the last place.
    """

    fmt: Format
    flushes: bool = False
    measured: Mapping[str, float] = field(default_factory=dict)

    @property
    def u(self) -> float:
        """Unit roundoff."""
        return self.fmt.u

    @property
    def underflow(self) -> float:
        """Absolute error of one operation whose result is below the normal range."""
        return self.fmt.tiny if self.flushes else self.fmt.eta

    def relative(self, function: str) -> float:
        """Relative error of an elementary function on the way: a unit in the last place is at most 2u of the value."""
        return self.measured.get(function, ELEMENTARY[function]) * 2.0 * self.u

    def in_ulps(self, function: str, exact: Floats) -> Floats:
        """Absolute error of an elementary function that is itself what is judged, with that exact value."""
        return ELEMENTARY[function] * ulp(self.fmt, exact)

    def grow(self, relative: Any) -> Any:
        """Relative error of a product of factors (1 + δ_i)^±1 whose |δ_i| sum to ``relative``."""
        largest = max(self.u, *(self.relative(function) for function in ("exp", "expm1", "log", "log1p", "tanh")))
        return np.expm1(np.minimum(np.asarray(relative) / (1.0 - largest), 700.0))


FLOAT32 = Rounding(FORMATS["float32"])


def logistic(x: Floats) -> Floats:
    """σ(x) to double accuracy in both tails."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1.0, e) / (1.0 + e))


def log1p_exp(x: Floats) -> Floats:
    """log(1 + e^−|x|): the part of softplus that is not exact."""
    return np.asarray(np.log1p(np.exp(-np.abs(x))))


def softplus(x: Floats) -> Floats:
    """log(1 + e^x) to double accuracy."""
    return np.asarray(np.maximum(x, 0.0) + log1p_exp(x))


def sigmoid_relative(x: Floats, r: Rounding) -> Floats:
    """σ = 1/(1 + e^−x): exp's error enters with weight 1 − σ, the sum and the quotient round once each."""
    return np.asarray(logistic(-x) * r.relative("exp") + 2.0 * r.u)


def sigmoid_error(x: Floats, r: Rounding) -> Floats:
    """Absolute error of 1/(1 + e^−x). Where e^−x overflows the quotient is 0: the true value is below 1/max."""
    return np.asarray(r.grow(sigmoid_relative(x, r)) * logistic(x) + np.where(x < 0, 1.01 / r.fmt.max, 0.0))


def softplus_error(x: Floats, r: Rounding) -> Floats:
    """max(x, 0) + log1p(e^−|x|): log1p has condition number ≤ 1; the sum's rounding is at most its distance to max(x, 0)."""
    tail = log1p_exp(x)
    return np.asarray(r.grow(r.relative("exp") + r.relative("log1p")) * tail + np.minimum(r.u * softplus(x), tail + (x < 0) * r.u * tail))


def exp_difference(distance: Floats, error: Floats, r: Rounding) -> Floats:
    """Relative error of exp(a − b) where b carries ``error`` and the difference, ``distance`` wide, rounds once."""
    return np.asarray(r.grow(error + r.u * np.abs(distance) + r.relative("exp") + 2.0 * r.u))


@dataclass(frozen=True)
class Row:
    """What the softmax family's bounds share, for rows of logits ``(R, n)``.

    ``depth`` is max(x) − x, ``p`` the exact softmax, ``log_sum`` log Σ e^−depth, ``terms`` how many entries count, all in double.
    """

    depth: Floats
    p: Floats
    log_sum: Floats
    terms: Floats

    @classmethod
    def of(cls, x: Floats, mask: NDArray[np.bool_] | None = None) -> Row:
        """Masked entries have probability 0 and depth 0."""
        valid = np.ones(x.shape, dtype=bool) if mask is None else mask
        top = np.max(np.where(valid, x, -np.inf), axis=-1, keepdims=True)
        depth = np.where(valid, top - np.where(valid, x, top), 0.0)
        weights = np.where(valid, np.exp(-depth), 0.0)
        total = weights.sum(axis=-1, keepdims=True)
        return cls(depth, weights / total, np.log(total), valid.sum(axis=-1, keepdims=True).astype(np.float64))

    def mean_depth(self) -> Floats:
        """Σ p_j depth_j, the weight with which the rounding of the differences enters the sum."""
        return np.asarray(np.where(self.p > 0, self.p * np.where(self.p > 0, self.depth, 0.0), 0.0).sum(axis=-1, keepdims=True))

    def sum_relative(self, r: Rounding) -> Floats:
        """Relative error of Σ e^−depth in any order: differences, exp, and n − 1 additions."""
        return np.asarray(r.u * self.mean_depth() + r.relative("exp") + (self.terms - 1.0) * r.u)

    def softmax_relative(self, r: Rounding) -> Floats:
        """Componentwise form of Blanchard, Higham & Higham (IMA J. Numer. Anal. 41, 2021), theorem 4.3: e^−depth over its sum."""
        return np.asarray(r.grow(self.sum_relative(r) + r.u * np.where(self.p > 0, self.depth, 0.0) + r.relative("exp") + r.u))

    def log_softmax_error(self, log_p: Floats, r: Rounding) -> Floats:
        """(x − max) − log Σ e^−depth: absolute error, ibid. theorem 4.1 and 4.2."""
        finite = np.where(np.isfinite(log_p), np.abs(log_p), 0.0)
        return np.asarray(r.u * self.depth + self.log_sum_error(r) + r.u * finite)

    def log_sum_error(self, r: Rounding) -> Floats:
        """log Σ e^−depth: absolute error."""
        return np.asarray(r.grow(self.sum_relative(r)) + r.relative("log") * np.abs(self.log_sum))
