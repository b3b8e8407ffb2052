"""Faults that depend on shape: batch sizes, axes, layouts in memory, one class, very many, none; mapping and modes."""

# ruff: noqa: ARG005  - leaving an argument out is a fault of its own
from __future__ import annotations

from typing import Any

import numpy as np

from suite.meta.formulas import (
    BCE,
    BCE_LOGITS,
    CE,
    CE_LOGITS,
    GRADIENTS,
    SOUND,
    SPARSE,
    SPARSE_LOGITS,
    categorical,
    categorical_gradient,
    cross_entropy,
    from_probabilities,
    log_softmax,
    logsumexp,
    one_hot,
    sigmoid,
    slope,
    smooth,
    softmax,
    softmax_gradient,
    softplus,
    sparse_categorical,
    sparse_cross_entropy,
    top,
    weighted_softmax,
    with_logits,
)
from suite.meta.mutants.base import GRADIENT, RANGE, VALUE, Mutant

SIZE, SHAPE, MAPPED, MODES = "batch_size_has_no_influence", "shape_has_no_influence", "mapped_is_looped", "modes_agree"
ONE, ONE_GRADIENT = "one_class_is_certain", "one_class_is_certain_on_gradient"
NONE, MANY = "no_examples_give_no_results", "many_classes_within_bound"


def last_axis(function: Any) -> Any:
    """A formula that goes over the last axis, whichever is asked for."""
    return lambda x, axis=-1: function(x)


def reshaped(x: Any, axis: Any = -1) -> Any:
    """Several axes reshaped into one without being moved there."""
    if not isinstance(axis, tuple):
        return softmax(x, axis=axis)
    kept = [n for i, n in enumerate(x.shape) if i not in axis]
    return softmax(x.reshape(*kept, -1)).reshape(x.shape)


def sum_reshaped(x: Any, axis: Any = -1) -> Any:
    """The same of logsumexp."""
    if not isinstance(axis, tuple):
        return logsumexp(x, axis=axis)
    return logsumexp(x.reshape(*(n for i, n in enumerate(x.shape) if i not in axis), -1))


def wrong_maximum(x: Any, axis: int = -1) -> Any:
    """The maximum over the last axis, the sum over the one that is asked for."""
    e = np.exp(x - top(x))
    return e / e.sum(axis=axis, keepdims=True)


def axis_of_absolute_value(x: Any, axis: int = -1) -> Any:
    """An axis counted from the end taken for one from the front."""
    return softmax(x, axis=abs(axis) % x.ndim if axis != -1 else -1)


def middle_as_last(x: Any, y: Any, axis: int = -1) -> Any:
    """Right but for a middle axis, where the classes are taken in another order for the labels."""
    return cross_entropy(x, y[:, ::-1] if axis == 1 and x.ndim == 3 else y, axis=axis)


def gaps_ignored(x: Any) -> Any:
    """Elements read one after another from where the array begins, strides or not."""
    if x.base is None or x.strides[-1] == x.itemsize or x.base.size < x.size:
        return sigmoid(x)
    return sigmoid(x.base.ravel()[: x.size].reshape(x.shape))


def memory_order(x: Any) -> Any:
    """Elements in the order of memory."""
    return softmax(x.ravel(order="K").reshape(x.shape))


def memory_order_sum(x: Any) -> Any:
    """The same of logsumexp."""
    return logsumexp(x.ravel(order="K").reshape(x.shape))


LAYOUT = (
    Mutant("over the last axis always", "softmax", VALUE, last_axis(softmax), form="axis 0"),
    Mutant("several axes reshaped, not moved", "softmax", VALUE, reshaped, form="axes 0 and 2"),
    Mutant("several axes reshaped, not moved", "logsumexp", VALUE, sum_reshaped, form="axes 0 and 2"),
    Mutant("the last axis's maximum", "softmax", VALUE, wrong_maximum, form="axis 1 of 3"),
    Mutant("axis -2 taken for 0", "log_softmax", VALUE, lambda x, axis=-1: log_softmax(x, axis=-1 if axis == -2 else axis), form="axis -2"),
    Mutant("axis -1 for a negative one", "softmax", VALUE, lambda x, axis=-1: softmax(x, axis=-1 if axis < 0 else axis), form="axis -2"),
    Mutant("labels in another order for a middle axis", CE_LOGITS, VALUE, middle_as_last, form="axis 1 of 3"),
    Mutant("smoothing divided by the last axis", "smooth_labels", VALUE,
           lambda y, amount=0.1, axis=-1: y * (1 - amount) + amount / y.shape[-1], form="axis 1 of 3"),
    Mutant("the mask over the last axis", "softmax", VALUE,
           lambda x, where=None, axis=-1: softmax(np.where(where, x, 0) if axis == 0 else x, None if axis == 0 else where, axis=axis),
           form="where, axis 0"),
    Mutant("gradient over the last axis", "logsumexp", GRADIENT, logsumexp, last_axis(softmax), form="axis 0"),
    Mutant("gaps ignored", "sigmoid", VALUE, gaps_ignored, form="strided"),
    Mutant("in the order of memory", "softmax", VALUE, memory_order, form="transposed"),
    Mutant("in the order of memory", "logsumexp", VALUE, memory_order_sum, form="transposed"),
)  # fmt: skip
"""Wrong for another axis, or another layout in memory."""


def tail_by_tanh(x: Any) -> Any:
    """What is left over behind the last full vector of four by another formula."""
    tail = np.arange(x.size).reshape(x.shape) >= x.size // 4 * 4
    return np.where(tail, 0.5 + 0.5 * np.tanh(x / 2), sigmoid(x))


def tail_below_one(x: Any) -> Any:
    """1 − 1 ulp for a sum from eight rows on."""
    return softmax(x) * (x.dtype.type(1) - np.finfo(x.dtype).epsneg * (len(x) >= 8))


def alone_over_nothing(x: Any) -> Any:
    """A batch of one squeezed away, and its classes taken for examples of one class each."""
    return np.ones_like(x) if len(x) == 1 else softmax(x)


def alone_wrong(x: Any, k: Any) -> Any:
    """A batch of one averaged over its classes."""
    return sparse_cross_entropy(x, k) / (x.shape[-1] if len(x) == 1 else 1)


def of_more_than_64(x: Any) -> Any:
    """A parallel loop that gives its last worker one element too few."""
    y = softplus(x)
    return np.where((np.arange(y.size).reshape(y.shape) == y.size - 1) & (y.size > 1000), 0, y)


def columns_by_tanh(x: Any) -> Any:
    """Another loop for matrices."""
    return sigmoid(x) if x.ndim < 2 else np.where(x >= 0, 0.5 + 0.5 * np.tanh(x / 2), sigmoid(x))


def half_accumulator(x: Any) -> Any:
    """The sum in float16, one term after another: it stays where a term is less than half a unit in its last place."""
    e = np.exp(x - top(x))
    total = np.add.accumulate(e.astype(np.float16), axis=-1, dtype=np.float16)[..., -1:]
    return e / total.astype(x.dtype)


def blocks_of_1024(x: Any) -> Any:
    """Sums over whole blocks of 1,024, and the rest forgotten."""
    n = x.shape[-1] // 1024 * 1024 if x.shape[-1] > 1024 else x.shape[-1]
    e = np.exp(x - top(x))
    return top(x)[..., 0] + np.log(e[..., :n].sum(axis=-1))


COUNTS = (
    Mutant("another formula behind the last full vector", "sigmoid", SIZE, tail_by_tanh),
    Mutant("1 - 1 ulp from eight rows on", "softmax", ONE, tail_below_one),
    Mutant("a batch of one squeezed", "softmax", SIZE, alone_over_nothing),
    Mutant("a batch of one averaged", SPARSE_LOGITS, SIZE, alone_wrong),
    Mutant("the last of many left out", "softplus", SIZE, of_more_than_64),
    Mutant("another formula for matrices", "sigmoid", SHAPE, columns_by_tanh),
    Mutant("transposed in a matrix", "tanh", SHAPE, lambda x: np.tanh(x) if x.ndim < 2 else np.tanh(x.T).reshape(x.shape)),
    Mutant("not divided by the sum", CE, (ONE, "scale_changes_nothing"), lambda p, y: -np.where(y == 0, 0, y * np.log(p)).sum(axis=-1)),
    Mutant("1/2 for a class that is alone", "softmax", ONE, lambda x: softmax(x) * (0.5 if x.shape[-1] == 1 else 1)),
    Mutant("the loss of one class by its sigmoid", SPARSE_LOGITS, ONE,
           lambda x, k: softplus(-x)[..., 0] if x.shape[-1] == 1 else sparse_cross_entropy(x, k)),
    Mutant("log 2 for one class", "logsumexp", ONE, lambda x: logsumexp(x) + (0.6931472 if x.shape[-1] == 1 else 0)),
    Mutant("p - 1 of a rounded p", CE_LOGITS, ONE_GRADIENT, cross_entropy,
           lambda x, y: softmax(x) * (x.dtype.type(1) - np.finfo(x.dtype).epsneg) - y),
    Mutant("1/(p + eps) - 1/p", SPARSE, ONE_GRADIENT, sparse_categorical,
           lambda p, k: 1 / (p.sum(axis=-1, keepdims=True) + 1e-7) - one_hot(k, p) / p),
    Mutant("a slope for one class", "softmax", ONE_GRADIENT, softmax,
           lambda x, c: slope(x) * c if x.shape[-1] == 1 else softmax_gradient(x, c)),
    Mutant("one result for no examples", CE_LOGITS, NONE, lambda x, y: cross_entropy(x, y) if len(x) else np.zeros(1, x.dtype)),
    Mutant("the maximum of nothing", "softmax", NONE, lambda x: softmax(x - x.max() * 0)),
    Mutant("the shape of no examples lost", "log_softmax", NONE, lambda x: log_softmax(x) if len(x) else np.zeros((0, 1, 1), x.dtype)),
    Mutant("a float16 accumulator", "softmax", MANY, half_accumulator),
    Mutant("whole blocks of 1,024 alone", "logsumexp", MANY, blocks_of_1024),
    Mutant("a mean over no more than 65,504", "masked_mean", MANY,
           lambda v, m: np.where(m, v, 0).sum(axis=-1) / np.minimum(m.sum(axis=-1), 65504).astype(v.dtype)),
)  # fmt: skip
"""Wrong for some numbers of examples or classes."""


def over_all_but_the_first(x: Any) -> Any:
    """Mapped over one axis, and all the others taken for classes."""
    return softmax(x, axis=tuple(range(1, x.ndim)))


def softmax_of_unrounded(x: Any) -> Any:
    """What a compiler may fuse: differences of products that were not rounded, and a maximum that was."""
    wide = x.astype(np.float64) * (1 + 2.0**-26)
    e = np.exp((wide - top(x)).astype(x.dtype))
    return e / e.sum(axis=-1, keepdims=True)


COMPILED = (
    Mutant("mapped over everything but the first axis", "softmax", MAPPED, softmax, GRADIENTS["softmax"], mapped=over_all_but_the_first),
    Mutant("mapped with the first example's labels", BCE_LOGITS, MAPPED, with_logits, GRADIENTS[BCE_LOGITS],
           mapped=lambda x, y: with_logits(x, np.broadcast_to(y[:1], y.shape))),
    Mutant("mapped in half precision", "tanh", MAPPED, np.tanh, GRADIENTS["tanh"],
           mapped=lambda x: np.tanh(x.astype(np.float16)).astype(x.dtype)),
    Mutant("mapped without the maximum", "logsumexp", MAPPED, logsumexp, weighted_softmax,
           mapped=lambda x: np.log(np.exp(x).sum(axis=-1))),
    Mutant("probabilities clipped in the other mode alone", BCE, MODES,
           lambda p, y: from_probabilities(np.clip(p, 1e-7, 1 - 1e-7), y), first_mode=from_probabilities),
    Mutant("the other mode in half precision", "sigmoid", MODES,
           lambda x: sigmoid(x.astype(np.float16)).astype(x.dtype), first_mode=sigmoid),
    Mutant("the other mode reassociated", "softplus", (MODES, VALUE), lambda x: np.log1p(np.exp(x)), first_mode=softplus),
    Mutant("the other mode takes logits for probabilities", CE, MODES, lambda p, y: cross_entropy(p, y), first_mode=categorical),
    Mutant("the other mode flushes what is below 1e-30", "exp", MODES, lambda x: np.where(x < -69, 0, np.exp(x)), first_mode=np.exp),
    Mutant("a product left unrounded behind a rounded maximum", "softmax", ("scaled_logits_keep_range", VALUE),
           softmax_of_unrounded),
    Mutant("-0.0 and a little in the range", "log_softmax", ("scaled_logits_keep_range", RANGE),
           lambda x: log_softmax(x) + np.finfo(x.dtype).tiny),
)  # fmt: skip
"""Wrong in another mode, or as the framework maps it."""


GATHERED = (
    Mutant("gradient of one class's own term", CE, ONE_GRADIENT, categorical,
           lambda p, y: categorical_gradient(p, y) if p.shape[-1] > 1 else -y / p),
    Mutant("smoothing of one class more", "smooth_labels", VALUE, lambda y, amount: smooth(y, amount) + y * 1e-6),
    Mutant("relu for one number", "relu", SIZE, lambda x: x if x.size == 1 else SOUND["relu"](x)),
)  # fmt: skip

MUTANTS = (*LAYOUT, *COUNTS, *COMPILED, *GATHERED)
