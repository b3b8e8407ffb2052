"""Faults that a change of the inputs shows, and small ones: one lane, one number, one dtype, a few units in the last place."""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.meta.formulas import (
    BCE,
    BCE_LOGITS,
    CE,
    CE_LOGITS,
    SPARSE,
    SPARSE_LOGITS,
    SQUARED,
    WEIGHTED,
    categorical,
    cross_entropy,
    from_probabilities,
    log_softmax,
    logaddexp,
    logaddexp2,
    logsumexp,
    sigmoid,
    softmax,
    softplus,
    sparse_categorical,
    sparse_cross_entropy,
    top,
    with_logits,
)
from suite.meta.mutants.base import NAN, RANGE, SPECIAL, VALUE, ZERO_VALUE, Mutant

SHIFT, SCALE, CLASSES, EXAMPLES = "shift_changes_nothing", "scale_changes_nothing", "classes_permute", "examples_permute"
NEIGHBOURS, MONOTONE, SYMMETRIC = "neighbours_have_no_influence", "is_monotone", "is_symmetric"


def ulps(y: Any, count: float) -> Any:
    """Results off by so many units in the last place."""
    return (y + count * np.spacing(np.abs(y))).astype(y.dtype)


def in_band(low: float, high: float, count: float) -> Any:
    """A sigmoid off by so many units in the last place in a narrow band."""
    return lambda x: np.where((x >= low) & (x <= high), ulps(sigmoid(x), count), sigmoid(x))


def one_lane(x: Any) -> Any:
    """A unit in the last place too little in the fourth of eight lanes."""
    lane = np.arange(x.size).reshape(x.shape) % 8 == 3
    return np.where(lane & (x < 0), ulps(sigmoid(x), -1), sigmoid(x))


def one_row_lane(x: Any) -> Any:
    """The sum from the right in every fourth row, from the left in the others."""
    e = np.exp(x - top(x))
    total = np.add.accumulate(e, axis=-1)[..., -1:], np.add.accumulate(e[..., ::-1], axis=-1)[..., -1:]
    return e / np.where((np.arange(len(x)) % 4 == 0)[:, None], *total)


def by_the_batch(x: Any) -> Any:
    """Two sound formulas; which one is taken depends on whether any number of the batch overflows."""
    plain = 1 / (1 + np.exp(-x))
    return np.where(x < -80, sigmoid(x), plain) if np.isfinite(x).all() else sigmoid(x)


def rows_by_the_batch(x: Any) -> Any:
    """Shifted by a quarter more than the maximum where all numbers of the batch are finite."""
    e = np.exp(x - (top(x) + x.dtype.type(0.25 if np.isfinite(x).all() else 0)))
    return e / e.sum(axis=-1, keepdims=True)


def labelled(x: Any, k: Any) -> Any:
    """The labelled class's entries."""
    return np.take_along_axis(x, np.clip(k, 0, x.shape[-1] - 1).astype(np.int64)[..., None], axis=-1)[..., 0]


def zigzag(x: Any) -> Any:
    """Every second result on the left a unit too small."""
    odd = np.ascontiguousarray(x).view(f"i{x.itemsize}") % 2 == 0
    return np.where(odd & (x < 0) & (x > -1), ulps(sigmoid(x), -1), sigmoid(x))


def coarse_shift(x: Any) -> Any:
    """Shifted by a maximum of eight bits."""
    bits = top(x).astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
    e = np.exp(x - np.where(np.isfinite(top(x)), bits.view(np.float32), top(x)))
    return e / e.sum(axis=-1, keepdims=True)


def first_wins(x: Any) -> Any:
    """Of equal logits the first one gets a little more."""
    return softmax(x + (np.arange(x.shape[-1]) == x.argmax(axis=-1)[..., None]) * x.dtype.type(1e-3))


def left_branch(a: Any, b: Any) -> Any:
    """Two sound formulas, by which of both is larger."""
    return np.where(a >= b, logaddexp(a, b), b - np.log(1 / (1 + np.exp(a - b))))


def zigzag_near_0(x: Any) -> Any:
    """Every second result near 1/2 a unit too small: of a table for bfloat16 that is read between its entries."""
    odd = np.ascontiguousarray(x).view(np.int16) % 2 == 0
    return np.where(odd & (np.abs(x) < 0.5), ulps(sigmoid(x), -1), sigmoid(x))


def one_descent(x: Any) -> Any:
    """One number of bfloat16, 2.484375, whose result lies a unit too low, below that of the number before."""
    return np.where(x == 2.484375, ulps(sigmoid(x), -1), sigmoid(x))


def max_form(x: Any, y: Any) -> Any:
    """max(x, 0) − x y + log1p(e^−|x|): ∞ − ∞ for a logit of ∞ with label 1."""
    return np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))


def weighted_max_form(x: Any, y: Any, q: Any) -> Any:
    """(1 − y) x + l (log1p(e^−|x|) + max(−x, 0)): the small loss of a large negative logit is lost in a sum."""
    return (1 - y) * x + (1 + (q - 1) * y) * (np.log1p(np.exp(-np.abs(x))) + np.maximum(-x, 0))


CHANGED = (
    Mutant("shifted by eight bits of the maximum", "softmax", SHIFT, coarse_shift),
    Mutant("x - logsumexp(x)", SPARSE_LOGITS, SHIFT, lambda x, k: logsumexp(x) - labelled(x, k)),
    Mutant("log(p + eps)", CE, SCALE, lambda p, y: -(y * np.log(p + np.finfo(p.dtype).tiny)).sum(axis=-1)),
    Mutant("divided by the sum and eps", SPARSE, SCALE,
           lambda p, k: -np.log(labelled(p, k) / (p.sum(axis=-1) + 1e-7))),
    Mutant("the first of equals wins", "softmax", (CLASSES, VALUE), first_wins),
    Mutant("the last class weighs less", "logsumexp", CLASSES,
           lambda x: logsumexp(x - (np.arange(x.shape[-1]) == x.shape[-1] - 1) * x.dtype.type(1e-3))),
    Mutant("one ulp in one lane", "sigmoid", EXAMPLES, one_lane),
    Mutant("another order of the sum in every fourth row", "softmax", EXAMPLES, one_row_lane),
    Mutant("another formula for the first example", "log_softmax", EXAMPLES,
           lambda x: np.where((np.arange(len(x)) == 0)[:, None], x - logsumexp(x)[..., None], log_softmax(x))),
    Mutant("the formula chosen by the batch", "sigmoid", NEIGHBOURS, by_the_batch),
    Mutant("the shift chosen by the batch", "softmax", NEIGHBOURS, rows_by_the_batch),
    Mutant("infinities spread over the batch", BCE_LOGITS, (NEIGHBOURS, NAN), lambda x, y: with_logits(x, y) + 0 * x.sum()),
    Mutant("a zigzag of one ulp", "sigmoid", MONOTONE, zigzag),
    Mutant("a zigzag of one ulp in bfloat16", "sigmoid", MONOTONE, zigzag_near_0, dtype="bfloat16"),
    Mutant("one descent in bfloat16", "sigmoid", MONOTONE, one_descent, dtype="bfloat16"),
    Mutant("a step down at 5", "softplus", MONOTONE, lambda x: np.where(x > 5, ulps(softplus(x), -4), softplus(x))),
    Mutant("the loss rises with the label's logit", SPARSE_LOGITS, MONOTONE,
           lambda x, k: sparse_cross_entropy(x, k) * (1 + 1e-4 * (labelled(x, k).view(np.int32) % 2))),
    Mutant("another formula where b is larger", "logaddexp", SYMMETRIC, left_branch),
    Mutant("1/ln 2 to four digits where a is larger", "logaddexp2", SYMMETRIC,
           lambda a, b: np.where(a > b, a + np.log1p(np.exp2(b - a)) * a.dtype.type(1.4427), logaddexp2(a, b))),
)  # fmt: skip
"""Shown by a change that ought to change nothing, or something that can be foretold."""

CORNERS = (
    Mutant("max(x, 0) - x y + log1p(exp(-|x|))", BCE_LOGITS, SPECIAL, max_form),
    Mutant("max(-x, 0) times a weight", WEIGHTED, (SPECIAL, ZERO_VALUE), weighted_max_form),
    Mutant("0 times log 0", "xlogy", SPECIAL, lambda a, b: a * np.log(b)),
    Mutant("xlogy(0, NaN) = 0", "xlogy", SPECIAL, lambda a, b: np.where(a == 0, 0, a * np.log(b))),
    Mutant("the sign of -0.0 lost", "tanh", SPECIAL, lambda x: np.tanh(x) + 0.0),
    Mutant("the sign of -0.0 lost", "expm1", SPECIAL, lambda x: np.where(x == 0, 0, np.expm1(x))),
    Mutant("the sign of -0.0 lost", "log1p", SPECIAL, lambda x: np.abs(np.log1p(x)) * np.where(x < 0, -1, 1)),
    Mutant("inf - inf", "logaddexp", SPECIAL, lambda a, b: np.maximum(a, b) + np.log1p(np.exp(-np.abs(a - b)))),
    Mutant("-inf - -inf", "logsumexp", SPECIAL, lambda x: top(x)[..., 0] + np.log(np.exp(x - top(x)).sum(axis=-1))),
    Mutant("0 log 0 of a certain label", CE, SPECIAL, lambda p, y: -(y * np.log(p / p.sum(axis=-1, keepdims=True))).sum(axis=-1)),
    Mutant("0 log 0 of a certain label", BCE, SPECIAL, lambda p, y: -y * np.log(p) - (1 - y) * np.log1p(-p)),
    Mutant("a class of probability 0 at 104", SPARSE_LOGITS, SPECIAL, lambda x, k: np.minimum(sparse_cross_entropy(x, k), 104)),
    Mutant("the wrong sign at -3/4", "tanh", VALUE, lambda x: np.where(x == -0.75, -np.tanh(x), np.tanh(x))),
    Mutant("-0.0 taken for negative", "softplus", VALUE, lambda x: np.where((x == 0) & np.signbit(x), 0, softplus(x))),
    Mutant("-0.0 taken for negative", "sigmoid", VALUE, lambda x: np.where((x == 0) & np.signbit(x), 0, sigmoid(x))),
    Mutant("a tie without log 2", "logaddexp", VALUE, lambda a, b: np.where(a == b, a, logaddexp(a, b))),
    Mutant("a tie counted once", "logsumexp", VALUE, lambda x: logsumexp(np.where(tied(x), -np.inf, x).astype(x.dtype))),
    Mutant("the largest number infinite", "relu", VALUE, lambda x: np.where(x == np.finfo(x.dtype).max, np.inf, np.maximum(x, 0))),
    Mutant("subnormal results flushed to the smallest normal", "exp", VALUE, lambda x: np.maximum(np.exp(x), np.finfo(x.dtype).tiny)),
)  # fmt: skip
"""Wrong at single points."""


def tied(x: Any) -> Any:
    """Entries equal to the one before them."""
    return np.concatenate([np.zeros_like(x[..., :1], bool), x[..., 1:] == x[..., :-1]], axis=-1)


SMALL = (
    Mutant("3 ulps in a narrow band", "sigmoid", VALUE, in_band(3, 3.05, 3)),
    Mutant("3 ulps in a narrow band of float64", "sigmoid", VALUE, in_band(3, 3.05, 3), dtype="float64"),
    Mutant("3 ulps in a narrow band of float16", "sigmoid", VALUE, in_band(3, 3.05, 3), dtype="float16"),
    Mutant("3 ulps in a narrow band of bfloat16", "sigmoid", VALUE, in_band(3, 3.05, 3), dtype="bfloat16"),
    Mutant("3 ulps in another narrow band", "sigmoid", VALUE, in_band(7.33, 7.39, 3)),
    Mutant("3 ulps at saturation", "sigmoid", (VALUE, RANGE), in_band(16.6, 16.7, 3)),
    Mutant("8 ulps in a narrow band on the left", "sigmoid", VALUE, in_band(-3.05, -3, 8)),
    Mutant("4 ulps between 2 and 2.1", "exp", VALUE, lambda x: np.where((x >= 2) & (x <= 2.1), ulps(np.exp(x), 6), np.exp(x))),
    Mutant("1/2 + tanh(x/2)/2 in bfloat16 alone", "log_sigmoid", VALUE,
           lambda x: np.log(0.5 + 0.5 * np.tanh(x / 2)) if x.dtype.itemsize == 2 else -softplus(-x), dtype="bfloat16"),
    Mutant("in float16 between in bfloat16", "softplus", VALUE, lambda x: softplus(x.astype(np.float16)).astype(x.dtype), dtype="bfloat16"),
    Mutant("the loss rounded to bfloat16", SPARSE_LOGITS, VALUE, lambda x, k: quantised(sparse_cross_entropy(x, k))),
    Mutant("(s - y)^2 of s and y", SQUARED, ZERO_VALUE, lambda x, y: (sigmoid(x) - y) ** 2),
    Mutant("the logarithm of a sum near 1", "logsumexp", ZERO_VALUE, logsumexp),
    Mutant("log of the sum", "softplus", ZERO_VALUE, lambda x: np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x)))),
    Mutant("losses below 1e-10 dropped", BCE_LOGITS, ZERO_VALUE, lambda x, y: np.where(with_logits(x, y) < 1e-10, 0, with_logits(x, y))),
    Mutant("the small loss of a clear maximum lost", CE_LOGITS, ZERO_VALUE, cross_entropy),
    Mutant("1 - p of a rounded p", BCE, VALUE, lambda p, y: from_probabilities(1 - (1 - p), y)),
    Mutant("an eps in the denominator", "softmax", ("rows_sum_to_one", VALUE),
           lambda x: np.exp(x - top(x)) / (np.exp(x - top(x)).sum(axis=-1, keepdims=True) + 1e-4).astype(x.dtype)),
    Mutant("the sum's logarithm too small", "log_softmax", "rows_sum_to_one", lambda x: np.minimum(log_softmax(x) + x.dtype.type(1e-4), 0)),
    Mutant("a hard knee at 6", "sigmoid", ("apis_agree", "two_heads_are_one"), lambda x: np.where(x > 6, 1, sigmoid(x))),
    Mutant("one loss of a framework smoothed", SPARSE, "apis_agree",
           lambda p, k: 0.999 * sparse_categorical(p, k) - 0.001 * np.log(p / p.sum(axis=-1, keepdims=True)).mean(axis=-1)),
    Mutant("labels of four bits", CE_LOGITS, VALUE, lambda x, y: cross_entropy(x, np.round(y * 16) / 16)),
    Mutant("clip then log(p + eps)", CE, VALUE, lambda p, y: -(y * np.log(np.clip(p, 1e-7, 1) + 1e-7)).sum(axis=-1)),
    Mutant("one class against the others", CE, VALUE, lambda p, y: categorical(p, y) + from_probabilities(p, y).sum(axis=-1) * 1e-5),
)  # fmt: skip
"""Off by little, or in one dtype alone."""


def quantised(y: Any) -> Any:
    """Eight bits of significand."""
    return (y.astype(np.float32).view(np.uint32) + np.uint32(0x8000) & np.uint32(0xFFFF0000)).view(np.float32)


MUTANTS = (*CHANGED, *CORNERS, *SMALL)
