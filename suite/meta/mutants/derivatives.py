"""Faults of second derivatives, of forward derivatives, and of what derivatives have to be among themselves."""

# ruff: noqa: ARG005  - leaving an argument out is a fault of its own
from __future__ import annotations

from typing import Any

import numpy as np

from suite.meta.formulas import (
    BCE,
    BCE_LOGITS,
    CE_LOGITS,
    CURVATURES,
    GRADIENTS,
    SOUND,
    SPARSE_LOGITS,
    SQUARED,
    TANGENTS,
    WEIGHTED,
    cross_entropy,
    cross_entropy_gradient,
    hessian_product,
    log_softmax,
    logaddexp,
    logsumexp,
    one_hot,
    sigmoid,
    slope,
    softmax,
    softplus,
    sparse_cross_entropy,
    weighted,
    with_logits,
)
from suite.meta.mutants.base import CURVATURE, GRADIENT, ZERO, ZERO_CURVATURE, Mutant

NONNEGATIVE, CHAIN, FORWARD = "curvature_is_nonnegative", "gradient_through_a_chain", "forward_is_backward"
GRADIENT_RANGE, SUMS = "gradient_stays_in_range", "gradients_of_a_row_add_up"


def log_sigmoid(x: Any) -> Any:
    """The sound one."""
    return -softplus(-x)


def one_minus_square(x: Any) -> Any:
    """−2 y (1 − y²) of the value y."""
    y = np.tanh(x)
    return -2 * y * (1 - y * y)


def without_pairs(x: Any, d: Any) -> Any:
    """The Hessian's diagonal alone."""
    p = softmax(x)
    return p * (1 - p) * d


def hard_argmax(x: Any) -> Any:
    """The derivative of the maximum in place of the logarithm's of the sum."""
    return one_hot(x.argmax(axis=-1), x)


def above_a_quarter(x: Any) -> Any:
    """σ' with 1 + u for 1 at its top: ¼ and a unit in the last place."""
    return np.where(np.abs(x) < 1e-4, np.nextafter(x * 0 + x.dtype.type(0.25), 1), slope(x))


def half_wrong_tangent(x: Any, d: Any) -> Any:
    """Σ p d left out wherever the direction's own class is the largest."""
    p = softmax(x)
    inner = (p * d).sum(axis=-1, keepdims=True)
    return p * (d - np.where((p * d).max(axis=-1, keepdims=True) > 0.5, 0, inner).astype(x.dtype))


SECOND = (
    Mutant("second derivative 0 below -80", "exp", (CURVATURE, ZERO_CURVATURE), np.exp, np.exp,
           curvature=lambda x: np.where(x < -80, 0, np.exp(x))),
    Mutant("the value for the second derivative", "expm1", CURVATURE, np.expm1, np.exp, curvature=np.expm1),
    Mutant("s (1 - s) (1 - 2 s) for the second derivative", "sigmoid", ZERO_CURVATURE, sigmoid, slope,
           curvature=lambda x: sigmoid(x) * (1 - sigmoid(x)) * (1 - 2 * sigmoid(x))),
    Mutant("second derivative of the wrong sign", "sigmoid", CURVATURE, sigmoid, slope, curvature=lambda x: slope(x) * np.tanh(x / 2)),
    Mutant("second derivative 0 right of 8", "sigmoid", CURVATURE, sigmoid, slope,
           curvature=lambda x: np.where(x > 8, 0, CURVATURES["sigmoid"](x))),
    Mutant("(z - 1) z for the second derivative", "log_sigmoid", ZERO_CURVATURE, log_sigmoid, lambda x: sigmoid(-x),
           curvature=lambda x: (sigmoid(x) - 1) * sigmoid(x)),
    Mutant("s (1 - s) for the second derivative", "softplus", ZERO_CURVATURE, softplus, sigmoid,
           curvature=lambda x: sigmoid(x) * (1 - sigmoid(x))),
    Mutant("s (1 - s) for the second derivative in float64", "softplus", ZERO_CURVATURE, softplus, sigmoid, "float64",
           curvature=lambda x: sigmoid(x) * (1 - sigmoid(x))),
    Mutant("second derivative 0 at 0", "softplus", CURVATURE, softplus, sigmoid, curvature=lambda x: np.where(x == 0, 0, slope(x))),
    Mutant("second derivative negative", "softplus", NONNEGATIVE, softplus, sigmoid, curvature=lambda x: -slope(x)),
    Mutant("second derivative off in bfloat16 alone", "softplus", CURVATURE, softplus, sigmoid, "bfloat16",
           curvature=lambda x: slope(x) * (1 + (x.dtype.itemsize == 2) * 0.125)),
    Mutant("-2 y (1 - y^2) for the second derivative", "tanh", ZERO_CURVATURE, np.tanh, GRADIENTS["tanh"], curvature=one_minus_square),
    Mutant("1/x^2 without its sign", "log", CURVATURE, np.log, lambda x: 1 / x, curvature=lambda x: 1 / (x * x)),
    Mutant("second derivative of log", "log1p", CURVATURE, np.log1p, lambda x: 1 / (1 + x), curvature=lambda x: -1 / (x * x)),
    Mutant("second derivative 1 at the kink's right", "relu", CURVATURE, SOUND["relu"], GRADIENTS["relu"],
           curvature=lambda x: np.where((x > 0) & (x < 1e-6), 1, 0)),
    Mutant("Hessian 0", CE_LOGITS, (CURVATURE, ZERO_CURVATURE), cross_entropy, cross_entropy_gradient, curvature=lambda x, y, d: 0 * x),
    Mutant("Hessian 0 for the labelled class", SPARSE_LOGITS, CURVATURE, sparse_cross_entropy, GRADIENTS[SPARSE_LOGITS],
           curvature=lambda x, k, d: hessian_product(x, d) * (1 - one_hot(k, x))),
    Mutant("Hessian's diagonal alone", CE_LOGITS, CURVATURE, cross_entropy, cross_entropy_gradient,
           curvature=lambda x, y, d: y.sum(axis=-1, keepdims=True) * without_pairs(x, d)),
    Mutant("Hessian of the wrong sign", SPARSE_LOGITS, NONNEGATIVE, sparse_cross_entropy, GRADIENTS[SPARSE_LOGITS],
           curvature=lambda x, k, d: -hessian_product(x, d)),
    Mutant("Hessian's diagonal alone", "logsumexp", CURVATURE, logsumexp, softmax, curvature=without_pairs),
    Mutant("Hessian p pT - diag(p)", "logsumexp", NONNEGATIVE, logsumexp, softmax, curvature=lambda x, d: -hessian_product(x, d)),
    Mutant("second derivative 0 at a tie", "logaddexp", CURVATURE, logaddexp, GRADIENTS["logaddexp"],
           curvature=lambda a, b: np.where(a == b, 0, slope(a - b))),
    Mutant("second derivative times the label", BCE_LOGITS, CURVATURE, with_logits, GRADIENTS[BCE_LOGITS],
           curvature=lambda x, y: y * slope(x)),
    Mutant("second derivative 0 for soft labels", BCE_LOGITS, CURVATURE, with_logits, GRADIENTS[BCE_LOGITS],
           curvature=lambda x, y: np.where((y == 0) | (y == 1), slope(x), 0)),
    Mutant("second derivative without the weight", WEIGHTED, CURVATURE, weighted, GRADIENTS[WEIGHTED],
           curvature=lambda x, y, q: slope(x) + 0 * y * q),
    Mutant("second derivative for label 1 alone", BCE, CURVATURE, SOUND[BCE], GRADIENTS[BCE], curvature=lambda p, y: y / (p * p)),
)  # fmt: skip
"""The value and the gradient are right."""

FIRST = (
    Mutant("1/4 and one ulp at 0", "sigmoid", GRADIENT_RANGE, sigmoid, above_a_quarter),
    Mutant("gradient of a step up", "relu", GRADIENT_RANGE, SOUND["relu"], lambda x: np.where(x == 0, 2, x > 0)),
    Mutant("below 0 by rounding", "softplus", GRADIENT_RANGE, softplus, lambda x: sigmoid(x) - np.finfo(x.dtype).eps * (x < -20)),
    Mutant("straight through", "sigmoid", CHAIN, sigmoid, np.ones_like),
    Mutant("slope of a half", "tanh", CHAIN, np.tanh, lambda x: GRADIENTS["tanh"](x) / 2),
    Mutant("slopes of two digits", "sigmoid", CHAIN, sigmoid, lambda x: np.round(slope(x), 2)),
    Mutant("0 beyond a clip at 8", "sigmoid", "sigmoid_slope_is_of_softmax", sigmoid, lambda x: np.where(np.abs(x) < 8, slope(x), 0)),
    Mutant("probabilities of at least 1e-4", "sigmoid", "sigmoid_slope_is_even", sigmoid,
           lambda x: np.maximum(sigmoid(x), 1e-4) * sigmoid(-x)),
    Mutant("1 below 1/2 for the derivative", "tanh", "tanh_slope_is_of_sigmoid", np.tanh,
           lambda x: np.where(np.abs(x) < 0.5, 1, GRADIENTS["tanh"](x))),
    Mutant("derivative 1 above 5", "softplus", "softplus_slope_is_sigmoid", softplus, lambda x: np.where(x > 5, 1, sigmoid(x))),
    Mutant("derivative 0 below -20", "log_sigmoid", "log_sigmoid_slope_is_sigmoid", log_sigmoid,
           lambda x: np.where(x < -20, 0, sigmoid(-x))),
    Mutant("differences clipped at 5 in the gradient", "logaddexp", "logaddexp_slope_is_sigmoid", logaddexp,
           lambda a, b: (sigmoid(np.clip(a - b, -5, 5)), sigmoid(np.clip(b - a, -5, 5)))),
    Mutant("gradient of the maximum", "logsumexp", "logsumexp_slope_is_softmax", logsumexp, hard_argmax),
    Mutant("gradient off by 1/2 at 0", BCE_LOGITS, (GRADIENT, "binary_slope_is_categorical_with_logits"), with_logits,
           lambda x, y: sigmoid(x) - y - 0.5 * (x == 0)),
    Mutant("gradient of -0.0 negated", BCE_LOGITS, GRADIENT, with_logits,
           lambda x, y: np.where((x == 0) & np.signbit(x), y - sigmoid(x), GRADIENTS[BCE_LOGITS](x, y))),
    Mutant("gradient for the largest label alone", CE_LOGITS, "cross_entropy_slope_is_p_minus_y", cross_entropy,
           lambda x, y: softmax(x) - one_hot(y.argmax(axis=-1), x)),
    Mutant("gradient for class 0", SPARSE_LOGITS, "sparse_slope_is_one_hot_with_logits", sparse_cross_entropy,
           lambda x, k: softmax(x) - one_hot(0 * k, x)),
    Mutant("gradient halved at a tie with the label", SPARSE_LOGITS, GRADIENT, sparse_cross_entropy,
           lambda x, k: np.where((np.sort(x)[..., -1] == np.sort(x)[..., -2])[..., None], 0.5, 1) * (softmax(x) - one_hot(k, x))),
    Mutant("gradient without the sum", "softmax", (GRADIENT, SUMS), softmax, lambda x, c: softmax(x) * c),
    Mutant("a constant in the gradient", "logsumexp", SUMS, logsumexp, lambda x: softmax(x) + x.dtype.type(1e-4)),
    Mutant("the last class's gradient left out", SPARSE_LOGITS, SUMS, sparse_cross_entropy,
           lambda x, k: (softmax(x) - one_hot(k, x)) * (np.arange(x.shape[-1]) < x.shape[-1] - 1)),
    Mutant("the derivative in half precision", "log_softmax", GRADIENT, log_softmax,
           lambda x, c: (c - (softmax(x).astype(np.float16) * c.sum(axis=-1, keepdims=True))).astype(x.dtype)),
    Mutant("4 (s - y) s (1 - s)", SQUARED, GRADIENT, SOUND[SQUARED], lambda x, y: 2 * GRADIENTS[SQUARED](x, y)),
    Mutant("derivative 0 where the loss is", SQUARED, ZERO, SOUND[SQUARED],
           lambda x, y: np.where(SOUND[SQUARED](x, y) < 1e-30, 0, GRADIENTS[SQUARED](x, y))),
)  # fmt: skip
"""The value is right."""

FORWARD_ALONE = (
    Mutant("forward without the sum", "softmax", FORWARD, softmax, GRADIENTS["softmax"], tangent=lambda x, d: softmax(x) * d),
    Mutant("forward without the sum for a dominant class", "softmax", FORWARD, softmax, GRADIENTS["softmax"], tangent=half_wrong_tangent),
    Mutant("forward by the value", "tanh", FORWARD, np.tanh, GRADIENTS["tanh"], tangent=lambda x, d: np.tanh(x) * d),
    Mutant("forward 0 at -0.0", "softplus", FORWARD, softplus, sigmoid,
           tangent=lambda x, d: np.where((x == 0) & np.signbit(x), 0, sigmoid(x) * d)),
    Mutant("forward without the labels", CE_LOGITS, FORWARD, cross_entropy, cross_entropy_gradient,
           tangent=lambda x, y, d: (softmax(x) * d).sum(axis=-1)),
    Mutant("forward off in bfloat16", "logsumexp", FORWARD, logsumexp, softmax, "bfloat16",
           tangent=lambda x, d: TANGENTS["logsumexp"](x, d) * x.dtype.type(1.5)),
)  # fmt: skip
"""The value and the backward derivative are right."""


def plateau(x: Any, y: Any) -> Any:
    """A loss that ends at its clip: no convex function is bounded."""
    return np.minimum(with_logits(x, y), x.dtype.type(16.1))


SHAPE = (
    Mutant("a plateau at 16.1", BCE_LOGITS, "is_convex", plateau),
    Mutant("a bell for the part that is lost", "logaddexp", "is_convex",
           lambda a, b: np.maximum(a, b) + np.log(2.0).astype(a.dtype) * np.exp(-((a - b) ** 2) / 50)),
    Mutant("a bump around 1", "softplus", "is_convex", lambda x: softplus(x) + np.maximum(0, 0.3 - 0.15 * np.abs(x - 1)).astype(x.dtype)),
    Mutant("a plateau for large losses", SPARSE_LOGITS, "is_convex", lambda x, k: np.minimum(sparse_cross_entropy(x, k), 100)),
    Mutant("cross-entropy for the squared error", SQUARED, "is_not_convex", with_logits),
)  # fmt: skip
"""Wrong in value, and in convexity."""

MUTANTS = (*SECOND, *FIRST, *FORWARD_ALONE, *SHAPE)
