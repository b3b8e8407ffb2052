"""Faulty implementations, each with the check that must reject it. They compute in the dtype of their arguments.

Most were found in a released framework. A check in ``suite.checks`` without a mutant here fails ``test_mutants.py``.
"""

# ruff: noqa: ARG005  - leaving an argument out is a fault of its own
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.meta.formulas import (
    BCE,
    BCE_LOGITS,
    CE,
    CE_LOGITS,
    FOCAL,
    GRADIENTS,
    SOUND,
    SPARSE,
    SPARSE_LOGITS,
    WEIGHTED,
    Function,
    categorical,
    cross_entropy,
    focal,
    from_probabilities,
    log_softmax,
    logsumexp,
    masked_mean,
    one_hot,
    sigmoid,
    softmax,
    softplus,
    sparse_categorical,
    sparse_cross_entropy,
    top,
    weighted,
    with_logits,
)


@dataclass(frozen=True)
class Mutant:
    """A fault by name; ``value`` and ``gradient`` as :func:`suite.meta.subjects.of_numpy` takes them."""

    name: str
    operation: str
    killed_by: str
    value: Function
    gradient: Function | None = None
    dtype: str = "float32"
    form: str = "plain"
    """The form of call that brings the fault to light: ``where``, ``b``."""

    @property
    def id(self) -> str:
        """Readable and unique."""
        return f"{self.operation}: {self.name}"


# Faults of more than one line


def clipped_sigmoid_loss(x: Any, y: Any) -> Any:
    """Cross-entropy from logits through probabilities that are kept away from 0 and 1."""
    return from_probabilities(np.clip(sigmoid(x), 1e-7, 1 - 1e-7), y)


def few_ulps_off(x: Any) -> Any:
    """Ten units in the last place too large between 3 and 3.05."""
    return np.where((x >= 3) & (x <= 3.05), sigmoid(x) * (1 + 10 * np.finfo(x.dtype).eps), sigmoid(x))


def over_sum(e: Any, axis: int = -1) -> Any:
    """Weights over their sum."""
    return e / e.sum(axis=axis, keepdims=True)


def without_nan(x: Any) -> Any:
    """A softmax whose maximum and sum leave NaN out."""
    e = np.exp(x - np.nanmax(x, axis=-1, keepdims=True))
    return np.nan_to_num(e / np.nansum(e, axis=-1, keepdims=True))


def additive_mask(x: Any, where: Any) -> Any:
    """-1e9 added to masked logits: a large one wins."""
    return softmax(x + np.where(where, 0, -1e9).astype(x.dtype))


def through_softmax(x: Any, c: Any) -> Any:
    """The gradient of log(softmax): the cotangent over the probability, 0/0 where that underflows."""
    p = softmax(x)
    return p * (c / p - (p * (c / p)).sum(axis=-1, keepdims=True))


def rounded_labels(x: Any, y: Any) -> Any:
    """Labels cast to eight bits of significand on the way in."""
    bits = np.asarray(y, np.float32).view(np.uint32) + np.uint32(0x8000) & np.uint32(0xFFFF0000)
    return cross_entropy(x, bits.view(np.float32).astype(x.dtype))


def twice_eps(p: Any, y: Any) -> Any:
    """Clipped to eps, and eps added once more."""
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return -y * np.log(p + 1e-7) - (1 - y) * np.log(1 - p + 1e-7)


def tiny_eps(p: Any, y: Any) -> Any:
    """An eps that is below the dtype's resolution at 1."""
    return -y * np.log(p + 1e-9) - (1 - y) * np.log(1 - p + 1e-9)


def clip_gradient(p: Any, y: Any) -> Any:
    """0 where a clip is flat."""
    return np.where((p > 1e-7) & (p < 1 - 1e-6), (1 - y) / (1 - p) - y / p, 0)


def wrong_part(x: Any, y: Any, q: Any) -> Any:
    """max(x, 0) for max(-x, 0)."""
    return (1 - y) * x + (1 + (q - 1) * y) * (np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0))


def alpha_for_both(x: Any, y: Any, gamma: float, alpha: float) -> Any:
    """alpha where 1 - alpha belongs."""
    return focal(x, y, gamma, alpha) * alpha / np.where(y == 1, alpha, 1 - alpha)


def constant_focus(x: Any, y: Any, gamma: float, alpha: float) -> Any:
    """The derivative of the cross-entropy alone, times the focal weight."""
    q = np.where(y == 1, sigmoid(-x), sigmoid(x))
    return np.where(y == 1, -alpha, 1 - alpha) * q**gamma * q


VALUE, GRADIENT, ZERO = "value_within_bound", "gradient_within_bound", "no_premature_zero"
RANGE, NAN = "stays_in_range", "nan_propagates"
SQUARED = "sigmoid_squared_error"

BUILDING_BLOCKS = (
    Mutant("clipped at 80", "exp", VALUE, lambda x: np.exp(np.clip(x, -80, 80))),
    Mutant("in float16", "exp", VALUE, lambda x: np.exp(x.astype(np.float16))),
    Mutant("clipped at 5", "exp", "exp_is_expm1", lambda x: np.exp(np.minimum(x, 5))),
    Mutant("derivative 0 below -80", "exp", ZERO, np.exp, lambda x: np.where(x < -80, 0, np.exp(x))),
    Mutant("exp(x) - 1", "expm1", VALUE, lambda x: np.exp(x) - 1),
    Mutant("below -1", "expm1", RANGE, lambda x: np.expm1(x) - (x < -20) * np.finfo(x.dtype).eps),
    Mutant("the value for the derivative", "expm1", GRADIENT, np.expm1, np.expm1),
    Mutant("log(x + eps)", "log", VALUE, lambda x: np.log(x + np.finfo(x.dtype).eps)),
    Mutant("subnormal arguments flushed", "log", VALUE, lambda x: np.log(np.where(x < np.finfo(x.dtype).tiny, 0, x))),
    Mutant("0 for NaN", "log", NAN, lambda x: np.where(np.isnan(x), 0, np.log(x))),
    Mutant("derivative with eps", "log", GRADIENT, np.log, lambda x: 1 / (x + 1e-7)),
    Mutant("log(1 + x)", "log1p", VALUE, lambda x: np.log(1 + x)),
    Mutant("1/x for the derivative", "log1p", GRADIENT, np.log1p, lambda x: 1 / x),
    Mutant("quotient of exps", "tanh", VALUE, lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))),
    Mutant("1 - tanh^2", "tanh", ZERO, np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    Mutant("linear below 1/2", "tanh", "sigmoid_is_tanh", lambda x: np.where(np.abs(x) < 0.5, x, np.tanh(x))),
)  # fmt: skip

LOGISTIC = (
    Mutant("exp(x)/(1 + exp(x))", "sigmoid", VALUE, lambda x: np.exp(x) / (1 + np.exp(x))),
    Mutant("1/2 + tanh(x/2)/2", "sigmoid", VALUE, lambda x: 0.5 + 0.5 * np.tanh(x / 2)),
    Mutant("1/2 + tanh(x/2)/2 in float16", "sigmoid", VALUE, lambda x: 0.5 + 0.5 * np.tanh(x / 2), dtype="float16"),
    Mutant("1/2 + tanh(x/2)/2 in bfloat16", "sigmoid", VALUE, lambda x: 0.5 + 0.5 * np.tanh(x / 2), dtype="bfloat16"),
    Mutant("clipped at 10", "sigmoid", VALUE, lambda x: sigmoid(np.clip(x, -10, 10))),
    Mutant("clipped at 10", "sigmoid", "sigmoid_is_softmax", lambda x: sigmoid(np.clip(x, -10, 10))),
    Mutant("1/2 above 88", "sigmoid", VALUE, lambda x: np.where(x > 88, 0.5, sigmoid(x))),
    Mutant("1/2 above 88", "sigmoid", "sigmoid_reflection", lambda x: np.where(x > 88, 0.5, sigmoid(x))),
    Mutant("a few ulps off in a narrow band", "sigmoid", VALUE, few_ulps_off),
    Mutant("a few ulps off in a narrow band of float64", "sigmoid", VALUE, few_ulps_off, dtype="float64"),
    Mutant("one ulp above 1", "sigmoid", RANGE, lambda x: np.where(x > 17, np.nextafter(x * 0 + 1, 2), sigmoid(x))),
    Mutant("s (1 - s)", "sigmoid", ZERO, sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    Mutant("s (1 - s) in float64", "sigmoid", ZERO, sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)), "float64"),
    Mutant("s (1 + s)", "sigmoid", GRADIENT, sigmoid, lambda x: sigmoid(x) * (1 + sigmoid(x))),
    Mutant("NaN swallowed by a clip", "sigmoid", NAN, lambda x: sigmoid(np.fmax(np.fmin(x, 100), -100))),
    Mutant("log(sigmoid(x))", "log_sigmoid", VALUE, lambda x: np.log(sigmoid(x))),
    Mutant("log(sigmoid(x))", "log_sigmoid", "log_sigmoid_is_softplus", lambda x: np.log(sigmoid(x))),
    Mutant("-log(1 + exp(-x))", "log_sigmoid", VALUE, lambda x: -np.log(1 + np.exp(-x))),
    Mutant("1 - s for the derivative", "log_sigmoid", ZERO, lambda x: -softplus(-x), lambda x: 1 - sigmoid(x)),
    Mutant("log1p(exp(x))", "softplus", VALUE, lambda x: np.log1p(np.exp(x))),
    Mutant("log1p(exp(x))", "softplus", "softplus_difference", lambda x: np.log1p(np.exp(x))),
    Mutant("log for log1p", "softplus", VALUE, lambda x: np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x)))),
    Mutant("linear above 5", "softplus", VALUE, lambda x: np.where(x > 5, x, softplus(x))),
    Mutant("linear above 5", "softplus", "softplus_is_logaddexp", lambda x: np.where(x > 5, x, softplus(x))),
    Mutant("exp/(1 + exp) for the derivative", "softplus", GRADIENT, softplus, lambda x: np.exp(x) / (1 + np.exp(x))),
    Mutant("derivative 0 at 0", "softplus", GRADIENT, softplus, lambda x: np.where(x == 0, 0, sigmoid(x))),
    Mutant("derivative 0 at 0", "softplus", ZERO, softplus, lambda x: np.where(x == 0, 0, sigmoid(x))),
    Mutant("leaky", "relu", RANGE, lambda x: np.where(x > 0, x, x / 100)),
    Mutant("wrong derivative above 6", "relu", GRADIENT, lambda x: np.maximum(x, 0), lambda x: (x > 0) & (x < 6)),
    Mutant("NaN swallowed", "relu", NAN, lambda x: np.fmax(x, 0)),
)  # fmt: skip

ROWS = (
    Mutant("without the maximum", "softmax", VALUE, lambda x: over_sum(np.exp(x))),
    Mutant("the batch's maximum", "softmax", VALUE, lambda x: over_sum(np.exp(x - x.max()))),
    Mutant("the maximum of the wrong axis", "softmax", VALUE, lambda x: over_sum(np.exp(x - x.max(axis=0)))),
    Mutant("the sum of the wrong axis", "softmax", VALUE, lambda x: over_sum(np.exp(x - top(x)), axis=0)),
    Mutant("over the wrong axis", "softmax", VALUE, lambda x: softmax(x.T).T),
    Mutant("over the wrong axis", "softmax", "softmax_is_exp_log_softmax", lambda x: softmax(x.T).T),
    Mutant("minus the minimum", "softmax", VALUE, lambda x: over_sum(np.exp(x - x.min(axis=-1, keepdims=True)))),
    Mutant("applied twice", "softmax", VALUE, lambda x: softmax(softmax(x))),
    Mutant("the mask ignored", "softmax", VALUE, lambda x, where: softmax(x), form="where"),
    Mutant("an additive mask of -1e9", "softmax", VALUE, additive_mask, form="where"),
    Mutant("one ulp above 1", "softmax", RANGE, lambda x: softmax(x) * (1 + np.finfo(x.dtype).eps)),
    Mutant("NaN left out of maximum and sum", "softmax", NAN, without_nan),
    Mutant("NaN spread over the batch", "softmax", NAN, lambda x: softmax(x) + 0 * x.sum()),
    Mutant("gradient without the sum", "softmax", GRADIENT, softmax, lambda x, c: softmax(x) * c),
    Mutant("p - p^2 for the dominant class", "softmax", ZERO, softmax, GRADIENTS["softmax"]),
    Mutant("log(softmax)", "log_softmax", VALUE, lambda x: np.log(softmax(x))),
    Mutant("x - logsumexp(x)", "log_softmax", VALUE, lambda x: x - logsumexp(x)[:, None]),
    Mutant("log(softmax + 1e-7)", "log_softmax", VALUE, lambda x: np.log(softmax(x) + 1e-7)),
    Mutant("the mask ignored", "log_softmax", VALUE, lambda x, where: log_softmax(x), form="where"),
    Mutant("through softmax", "log_softmax", GRADIENT, log_softmax, through_softmax),
    Mutant("1 - p for the dominant class", "log_softmax", ZERO, log_softmax, GRADIENTS["log_softmax"]),
    Mutant("without the maximum", "logsumexp", VALUE, lambda x: np.log(np.exp(x).sum(axis=-1))),
    Mutant("the maximum not added back", "logsumexp", VALUE, lambda x: logsumexp(x) - x.max(axis=-1)),
    Mutant("the weights ignored", "logsumexp", VALUE, lambda x, b: logsumexp(x), form="b"),
    Mutant("the mask ignored", "logsumexp", VALUE, lambda x, where: logsumexp(x), form="where"),
    Mutant("weights left out of the gradient", "logsumexp", GRADIENT, logsumexp, lambda x, b: softmax(x), form="b"),
    Mutant("the mask left out of the gradient", "logsumexp", GRADIENT, logsumexp, lambda x, where: softmax(x), form="where"),
    Mutant("NaN left out", "logsumexp", NAN, lambda x: np.nanmax(x, axis=-1) + np.log(np.nansum(np.exp(x - top(x)), axis=-1))),
)  # fmt: skip

PAIRS = (
    Mutant("the larger one not found", "logaddexp", VALUE, lambda a, b: a + np.log1p(np.exp(b - a))),
    Mutant("the larger one not found", "logaddexp", "logaddexp_is_logsumexp", lambda a, b: a + np.log1p(np.exp(b - a))),
    Mutant("(1, 0) for the gradient of a tie", "logaddexp", GRADIENT, SOUND["logaddexp"],
           lambda a, b: (np.where(a == b, 1, sigmoid(a - b)), np.where(a == b, 0, sigmoid(b - a)))),
    Mutant("1 - the other's derivative", "logaddexp", ZERO, SOUND["logaddexp"],
           lambda a, b: (sigmoid(a - b), 1 - sigmoid(a - b))),
    Mutant("natural logarithm", "logaddexp2", VALUE, lambda a, b: np.maximum(a, b) + np.log1p(np.exp2(-np.abs(a - b)))),
    Mutant("gradient to base e", "logaddexp2", GRADIENT, SOUND["logaddexp2"], lambda a, b: (sigmoid(a - b), sigmoid(b - a))),
    Mutant("log2", "xlogy", VALUE, lambda a, b: a * np.log2(b)),
    Mutant("log2", "xlogy", "xlogy_is_log", lambda a, b: a * np.log2(b)),
    Mutant("derivatives swapped", "xlogy", GRADIENT, SOUND["xlogy"], lambda a, b: (a / b, np.log(b))),
    Mutant("0 for NaN times log", "xlogy", NAN, lambda a, b: np.nan_to_num(a * np.log(b))),
)  # fmt: skip

BINARY = (
    Mutant("clipped at 1e-7", BCE, VALUE, lambda p, y: from_probabilities(np.clip(p, 1e-7, 1 - 1e-7), y)),
    Mutant("eps twice", BCE, VALUE, twice_eps),
    Mutant("eps 1e-9", BCE, VALUE, tiny_eps),
    Mutant("eps 1e-9", BCE, "binary_is_categorical", tiny_eps),
    Mutant("derivative 0 beyond a clip", BCE, ZERO, from_probabilities, clip_gradient),
    Mutant("derivative with eps", BCE, GRADIENT, from_probabilities, lambda p, y: (1 - y) / (1 - p + 1e-7) - y / (p + 1e-7)),
    Mutant("through a clipped sigmoid", BCE_LOGITS, VALUE, clipped_sigmoid_loss),
    Mutant("through a clipped sigmoid", BCE_LOGITS, "binary_is_categorical_with_logits", clipped_sigmoid_loss),
    Mutant("max(-x, 0)", BCE_LOGITS, VALUE, lambda x, y: np.maximum(-x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))),
    Mutant("log for log1p", BCE_LOGITS, VALUE, lambda x, y: np.maximum(x, 0) - x * y + np.log(1 + np.exp(-np.abs(x)))),
    Mutant("gradient off by 1/2 at 0", BCE_LOGITS, GRADIENT, with_logits, lambda x, y: sigmoid(x) - y - 0.5 * (x == 0)),
    Mutant("s - y", BCE_LOGITS, ZERO, with_logits, lambda x, y: sigmoid(x) - y),
    Mutant("s - y in float64", BCE_LOGITS, ZERO, with_logits, lambda x, y: sigmoid(x) - y, "float64"),
    Mutant("soft labels rounded to 0 and 1", BCE_LOGITS, VALUE, lambda x, y: with_logits(x, np.round(y))),
    Mutant("negative near 0", BCE_LOGITS, RANGE, lambda x, y: with_logits(x, y) - np.finfo(x.dtype).tiny),
    Mutant("NaN swallowed", BCE_LOGITS, NAN, lambda x, y: np.fmax(with_logits(x, y), 0)),
    Mutant("weight on both terms", WEIGHTED, VALUE, lambda x, y, q: q * with_logits(x, y)),
    Mutant("weight on the wrong term", WEIGHTED, VALUE, lambda x, y, q: y * softplus(-x) + q * (1 - y) * softplus(x)),
    Mutant("weight left out of the gradient", WEIGHTED, GRADIENT, weighted, lambda x, y, q: sigmoid(x) - y),
    Mutant("max(x, 0)", WEIGHTED, "weight_one_is_unweighted", wrong_part),
    Mutant("alpha for both labels", FOCAL, VALUE, alpha_for_both),
    Mutant("p_t of the other label", FOCAL, VALUE, lambda x, y, gamma, alpha: focal(x, 1 - y, gamma, alpha)),
    Mutant("gamma off by one", FOCAL, VALUE, lambda x, y, gamma, alpha: focal(x, y, gamma - 1, alpha)),
    Mutant("gradient of the cross-entropy alone", FOCAL, GRADIENT, focal, constant_focus),
    Mutant("half of the square", SQUARED, VALUE, lambda x, y: (sigmoid(x) - y) ** 2 / 2),
    Mutant("half of the square", SQUARED, "squared_error_is_of_sigmoid", lambda x, y: (sigmoid(x) - y) ** 2 / 2),
    Mutant("2 (s - y) s (1 - s)", SQUARED, ZERO, SOUND[SQUARED],
           lambda x, y: 2 * (sigmoid(x) - y) * sigmoid(x) * (1 - sigmoid(x))),
    Mutant("the sigmoid's slope left out", SQUARED, GRADIENT, SOUND[SQUARED], lambda x, y: 2 * (sigmoid(x) - y)),
)  # fmt: skip

CATEGORICAL = (
    Mutant("clipped at 1e-7", CE, VALUE, lambda p, y: categorical(np.clip(p, 1e-7, 1 - 1e-7), y)),
    Mutant("the mean over classes", CE, VALUE, lambda p, y: categorical(p, y) / p.shape[-1]),
    Mutant("gradient without the sum", CE, GRADIENT, categorical, lambda p, y: -y / p),
    Mutant("label off by one", SPARSE, VALUE, lambda p, k: sparse_categorical(p, k - 1)),
    Mutant("label off by one", SPARSE, "sparse_is_one_hot", lambda p, k: sparse_categorical(p, k - 1)),
    Mutant("the label's derivative alone", SPARSE, GRADIENT, sparse_categorical, lambda p, k: -one_hot(k, p) / p),
    Mutant("double softmax", CE_LOGITS, VALUE, lambda x, y: cross_entropy(softmax(x), y)),
    Mutant("0 times -inf", CE_LOGITS, VALUE, lambda x, y: -(y * np.log(softmax(x))).sum(axis=-1)),
    Mutant("the mask ignored", CE_LOGITS, VALUE, lambda x, y, where: cross_entropy(x, y), form="where"),
    Mutant("labels through bfloat16", CE_LOGITS, VALUE, rounded_labels),
    Mutant("NaN swallowed with labels of 0", CE_LOGITS, NAN, lambda x, y: -np.nansum(y * log_softmax(x), axis=-1)),
    Mutant("p - y", CE_LOGITS, ZERO, cross_entropy, lambda x, y: softmax(x) - y),
    Mutant("p - y in float64", CE_LOGITS, ZERO, cross_entropy, lambda x, y: softmax(x) - y, "float64"),
    Mutant("gradient over the classes", CE_LOGITS, GRADIENT, cross_entropy, lambda x, y: (softmax(x) - y) / x.shape[-1]),
    Mutant("label off by one", SPARSE_LOGITS, VALUE, lambda x, k: sparse_cross_entropy(x, k - 1)),
    Mutant("label off by one", SPARSE_LOGITS, "sparse_is_one_hot_with_logits", lambda x, k: sparse_cross_entropy(x, k - 1)),
    Mutant("log(softmax)", SPARSE_LOGITS, VALUE, lambda x, k: -np.log((softmax(x) * one_hot(k, x)).sum(axis=-1))),
    Mutant("p - y", SPARSE_LOGITS, ZERO, sparse_cross_entropy, lambda x, k: softmax(x) - one_hot(k, x)),
    Mutant("divided by the batch", "smooth_labels", VALUE, lambda y, amount: y * (1 - amount) + amount / y.shape[0]),
    Mutant("shared among the others", "smooth_labels", VALUE, lambda y, amount: y * (1 - amount) + amount / (y.shape[-1] - 1)),
    Mutant("more than 1", "smooth_labels", RANGE, lambda y, amount: y + amount / y.shape[-1]),
    Mutant("over masked elements too", "masked_mean", VALUE, lambda v, m: np.where(m, v, 0).mean(axis=-1)),
    Mutant("the mask ignored", "masked_mean", VALUE, lambda v, m: v.mean(axis=-1)),
    Mutant("gradient over masked elements too", "masked_mean", GRADIENT, masked_mean, lambda v, m: m / v.shape[-1]),
    Mutant("NaN left out", "masked_mean", NAN, lambda v, m: np.nansum(np.where(m, v, 0), axis=-1) / m.sum(axis=-1)),
)  # fmt: skip

MUTANTS = (*BUILDING_BLOCKS, *LOGISTIC, *ROWS, *PAIRS, *BINARY, *CATEGORICAL)
