"""Faults of masks: what is left out has an influence, a gradient, or leaves 0/0 behind."""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.meta.formulas import (
    CE_LOGITS,
    SPARSE_LOGITS,
    cross_entropy,
    cross_entropy_gradient,
    finite_top,
    log_softmax,
    log_softmax_gradient,
    logsumexp,
    masked,
    masked_mean,
    one_hot,
    smooth,
    softmax,
    softmax_gradient,
    sparse_cross_entropy,
    sparse_cross_entropy_gradient,
    top,
    weighted_softmax,
)
from suite.meta.mutants.base import GRADIENT, VALUE, Mutant

INFLUENCE, INFLUENCE_ON_GRADIENT = "masked_has_no_influence", "masked_has_no_influence_on_gradient"
NO_GRADIENT, EMPTY, EMPTY_GRADIENT = "masked_gradient_is_zero", "all_masked_is_defined", "all_masked_is_defined_on_gradient"
MINUS, MINUS_GRADIENT = "minus_infinity_counts_as_nothing", "minus_infinity_counts_as_nothing_on_gradient"


def additive(size: float) -> Any:
    """A number added to masked logits: a large one wins, and NaN stays."""
    return lambda x, where: softmax(x + np.where(where, 0, -size).astype(x.dtype))


def times_mask(x: Any, where: Any) -> Any:
    """Masked weights multiplied by 0 after exp: infinity times 0."""
    e = np.exp(x - top(masked(x, where))) * where
    return e / e.sum(axis=-1, keepdims=True)


def unguarded(x: Any, where: Any = None) -> Any:
    """Masked with -inf, and nothing done about a row of them alone: -inf - -inf."""
    e = np.exp(masked(x, where) - top(masked(x, where)))
    return e / e.sum(axis=-1, keepdims=True)


def unguarded_sum(x: Any, where: Any = None) -> Any:
    """The logarithm of the sum with the maximum as it is, infinite or not."""
    x = masked(x, where)
    return top(x)[..., 0] + np.log(np.exp(x - top(x)).sum(axis=-1))


def maximum_of_all(x: Any, where: Any) -> Any:
    """The maximum of masked logits too: a large one lets all others underflow."""
    e = np.where(where, np.exp(x - top(x)), 0).astype(x.dtype)
    return e / e.sum(axis=-1, keepdims=True)


def nan_wins(x: Any, where: Any) -> Any:
    """Sound but for a masked NaN, which the guard on the maximum lets through."""
    return np.where(np.isnan(x).any(axis=-1, keepdims=True), np.nan, softmax(x, where)).astype(x.dtype)


def exp_under_mask(x: Any, c: Any, where: Any) -> Any:
    """The gradient of ``where(mask, exp(x − top), 0)`` as autodiff makes it: masked logits still reach exp, and 0 · inf is NaN."""
    e = np.exp(x - finite_top(masked(x, where)))
    p = where * e / np.where(where, e, 0).sum(axis=-1, keepdims=True)
    return p * (c - (p * c).sum(axis=-1, keepdims=True))


def sum_under_mask(x: Any, where: Any = None) -> Any:
    """The same of the logarithm of the sum."""
    if where is None:
        return softmax(x)
    e = np.exp(x - finite_top(masked(x, where)))
    return where * e / np.where(where, e, 0).sum(axis=-1, keepdims=True)


def smoothed_behind_mask(x: Any, k: Any, where: Any = None) -> Any:
    """A label's share of 1e-3 for every class, masked ones too."""
    gradient = sparse_cross_entropy_gradient(x, k, where)
    return gradient if where is None else gradient - np.where(where, 0, 1e-3).astype(x.dtype)


def no_guard_for_none(v: Any, m: Any) -> Any:
    """0/0 where nothing is left."""
    return m / m.sum(axis=-1, keepdims=True).astype(v.dtype)


MASKS = (
    Mutant("an additive mask of -1e9 with large logits behind it", "softmax", INFLUENCE, additive(1e9), form="where"),
    Mutant("an additive mask of -1e4 in float16", "softmax", (VALUE, INFLUENCE), additive(1e4), dtype="float16", form="where"),
    Mutant("weights times the mask", "softmax", INFLUENCE, times_mask, form="where"),
    Mutant("a masked NaN comes through", "softmax", INFLUENCE, nan_wins, form="where"),
    Mutant("the maximum of masked logits too", "softmax", (VALUE, INFLUENCE), maximum_of_all, form="where"),
    Mutant("labels times masked log-probabilities", CE_LOGITS, VALUE,
           lambda x, y, where: -(y * log_softmax(x, where)).sum(axis=-1), form="where"),
    Mutant("a label's logit read behind the mask", SPARSE_LOGITS, INFLUENCE,
           lambda x, k, where: sparse_cross_entropy(x, k, where) + 0 * x.sum(axis=-1), form="where"),
    Mutant("NaN times 0", "masked_mean", INFLUENCE, lambda v, m: (v * m).sum(axis=-1) / np.maximum(m.sum(axis=-1), 1).astype(v.dtype)),
    Mutant("the mask taken for its opposite when half is left", "masked_mean", VALUE,
           lambda v, m: masked_mean(v, np.where(m.sum(axis=-1, keepdims=True) * 2 < m.shape[-1] + 4, ~m, m))),
    Mutant("masked logits still reach exp", "softmax", INFLUENCE_ON_GRADIENT, softmax, exp_under_mask, form="where"),
    Mutant("masked logits still reach exp", "logsumexp", (GRADIENT, INFLUENCE_ON_GRADIENT), logsumexp, sum_under_mask, form="where"),
    Mutant("NaN times 0 in the gradient", "masked_mean", INFLUENCE_ON_GRADIENT, masked_mean,
           lambda v, m: (m + 0 * v) / np.maximum(m.sum(axis=-1, keepdims=True), 1).astype(v.dtype)),
    Mutant("a share of the label for masked classes", SPARSE_LOGITS, NO_GRADIENT, sparse_cross_entropy, smoothed_behind_mask, form="where"),
    Mutant("the mask left out of the gradient", "log_softmax", NO_GRADIENT, log_softmax,
           lambda x, c, where: log_softmax_gradient(np.where(where, x, 0), c), form="where"),
    Mutant("1e-7 for masked gradients", CE_LOGITS, NO_GRADIENT, cross_entropy,
           lambda x, y, where: cross_entropy_gradient(x, y, where) + np.where(where, 0, 1e-7).astype(x.dtype), form="where"),
    Mutant("-0 and a subnormal for masked gradients", "softmax", NO_GRADIENT, softmax,
           lambda x, c, where: softmax_gradient(x, c, where) + np.where(where, 0, np.finfo(x.dtype).smallest_subnormal), form="where"),
)  # fmt: skip

NOTHING_LEFT = (
    Mutant("-inf - -inf for a row without classes", "softmax", EMPTY, unguarded, form="where"),
    Mutant("an additive mask of -1e9 in float16", "softmax", EMPTY, additive(1e9), dtype="float16", form="where"),
    Mutant("an unguarded maximum of -inf", "logsumexp", EMPTY, unguarded_sum, form="where"),
    Mutant("0/0 for a row without elements", "masked_mean", EMPTY, lambda v, m: np.where(m, v, 0).sum(axis=-1) / m.sum(axis=-1)),
    Mutant("all ignored: 0/0", CE_LOGITS, EMPTY,
           lambda x, y, where: cross_entropy(x, y, where) * (where.sum(axis=-1) / where.sum(axis=-1)).astype(x.dtype), form="where"),
    Mutant("0/0 in the gradient of a row without elements", "masked_mean", EMPTY_GRADIENT, masked_mean, no_guard_for_none),
    Mutant("-inf - -inf in the gradient", "logsumexp", EMPTY_GRADIENT, logsumexp,
           lambda x, where=None: unguarded(x, where), form="where"),
    Mutant("NaN of nothing in the gradient", SPARSE_LOGITS, EMPTY_GRADIENT, sparse_cross_entropy,
           lambda x, k, where: unguarded(x, where) - one_hot(k, x), form="where"),
)  # fmt: skip
"""Wrong where a mask leaves nothing."""

INFINITE = (
    Mutant("minus the mean", "softmax", (MINUS, "shift_changes_nothing"),
           lambda x: np.exp(x - x.mean(axis=-1, keepdims=True)) / np.exp(x - x.mean(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True)),
    Mutant("0 times -inf for a class that is not there", CE_LOGITS, MINUS, lambda x, y: -(y * log_softmax(x)).sum(axis=-1)),
    Mutant("-inf clipped to -30", "logsumexp", MINUS, lambda x: logsumexp(np.maximum(x, top(x) - 10))),
    Mutant("smoothed over classes that are not there", SPARSE_LOGITS, MINUS,
           lambda x, k: -(smooth(one_hot(k, x), 1e-6) * log_softmax(x)).sum(axis=-1)),
    Mutant("p log p in the gradient", "logsumexp", MINUS_GRADIENT, logsumexp, lambda x: weighted_softmax(x) + 0 * x),
    Mutant("y/p for a class that is not there", CE_LOGITS, MINUS_GRADIENT, cross_entropy,
           lambda x, y: softmax(x) * (y.sum(axis=-1, keepdims=True) - y / softmax(x))),
    Mutant("through c/softmax", "log_softmax", MINUS_GRADIENT, log_softmax,
           lambda x, c: softmax(x) * (c / softmax(x) - c.sum(axis=-1, keepdims=True))),
)  # fmt: skip
"""Wrong for logits of −∞."""

MUTANTS = (*MASKS, *NOTHING_LEFT, *INFINITE)
