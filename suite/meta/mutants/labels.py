"""Faults of labels: of other types, other sums, out of range, soft."""

# ruff: noqa: ARG005  - leaving an argument out is a fault of its own
from __future__ import annotations

from typing import Any

import numpy as np

from suite.meta.formulas import (
    BCE,
    BCE_LOGITS,
    CE,
    CE_LOGITS,
    FOCAL,
    SPARSE,
    SPARSE_LOGITS,
    SQUARED,
    categorical,
    categorical_gradient,
    cross_entropy,
    cross_entropy_gradient,
    focal,
    from_probabilities,
    log_softmax,
    logsumexp,
    one_hot,
    sigmoid,
    smooth,
    softmax,
    softplus,
    sparse_categorical,
    sparse_cross_entropy,
    with_logits,
)
from suite.meta.mutants.base import GRADIENT, VALUE, ZERO, Mutant

INTEGERS, NO_CLASS = "integer_labels_are_labels", "no_loss_for_no_class"
SUM, SUM_GRADIENT, MANY = "labels_need_not_sum_to_one", "labels_need_not_sum_to_one_on_gradient", "many_classes_within_bound"


def gathered(x: Any, k: Any) -> Any:
    """The label's log-probability as NumPy indexes it: -1 is the last class, and beyond the last the first."""
    return -np.take_along_axis(log_softmax(x), (k.astype(np.int64) % x.shape[-1])[..., None], axis=-1)[..., 0]


def of_known_sum(x: Any, y: Any) -> Any:
    """log Σ e^x − Σ y x, which takes the labels to sum to 1."""
    top = x.max(axis=-1, keepdims=True)
    return logsumexp(x - top) - (y * (x - top)).sum(axis=-1)


def signs(x: Any, y: Any) -> Any:
    """softplus((1 − 2y) x), with 1 − 2y in the labels' own type: 255 for -1."""
    return softplus(np.where(y == 0, 1, 1 - 2 * y).astype(x.dtype) * x) if y.dtype.kind in "ui" else with_logits(x, y)


def negated(p: Any, y: Any) -> Any:
    """−y in the labels' own type: 255 for -1."""
    return (-y).astype(p.dtype) * np.log(p) - np.where(y == 1, 0, (1 - y.astype(p.dtype)) * np.log1p(-p))


def half_precision_index(x: Any, k: Any) -> Any:
    """The class as a number of float16: odd ones from 2,049 on are others."""
    return sparse_cross_entropy(x, np.minimum(k.astype(np.float16).astype(np.int64), x.shape[-1] - 1))


def smoothed_by_rows(x: Any, y: Any, label_smoothing: float = 0.0, axis: int = -1) -> Any:
    """Label smoothing's share by the length of the last axis, wherever the classes are."""
    y = y * (1 - label_smoothing) + label_smoothing / y.shape[-1]
    return cross_entropy(x, y, axis=axis)


def soft_argmax(x: Any, y: Any) -> Any:
    """Soft labels taken for the class that they favour."""
    return sparse_cross_entropy(x, y.argmax(axis=-1))


def focal_of_product(x: Any, y: Any, gamma: float = 2.0, alpha: float = 0.25) -> Any:
    """The derivative by way of (1 − p)^(γ − 1): 0^(γ − 1) times a loss, infinite for γ < 1 once p is 1."""
    p = np.where(y == 1, sigmoid(x), sigmoid(-x))
    loss = -np.log(p)
    inner = gamma * (1 - p) ** (gamma - 1) * p * (1 - p) * loss + (1 - p) ** gamma * (1 - p)
    return np.where(y == 1, -alpha, 1 - alpha).astype(x.dtype) * inner


MUTANTS = (
    Mutant("-y in the labels' own type", BCE, INTEGERS, negated),
    Mutant("1 - 2 y in the labels' own type", BCE_LOGITS, INTEGERS, signs),
    Mutant("labels in the logits' place of promotion", CE_LOGITS, INTEGERS,
           lambda x, y: cross_entropy(x.astype(np.float16), y).astype(x.dtype) if y.dtype.kind in "ui" else cross_entropy(x, y)),
    Mutant("unsigned labels taken for soft ones", SQUARED, INTEGERS,
           lambda x, y: (sigmoid(x) - (y / 255 if y.dtype == np.uint8 else y)).astype(x.dtype) ** 2),
    Mutant("indices of int8 off by one", SPARSE, INTEGERS, lambda p, k: sparse_categorical(p, k + (k.dtype == np.int8))),
    Mutant("label -1 wraps", SPARSE_LOGITS, NO_CLASS, gathered),
    Mutant("loss 0 for a label out of range", SPARSE_LOGITS, NO_CLASS, lambda x, k: cross_entropy(x, one_hot(k, x))),
    Mutant("loss of the nearest class", SPARSE, NO_CLASS, lambda p, k: sparse_categorical(p, np.clip(k, 0, p.shape[-1] - 1))),
    Mutant("NaN for -1 alone", SPARSE, NO_CLASS, lambda p, k: np.where(k < 0, np.nan, categorical(p, one_hot(k, p)))),
    Mutant("labels taken to sum to 1", CE_LOGITS, SUM, of_known_sum),
    Mutant("labels divided by their sum", CE, SUM, lambda p, y: categorical(p, y / y.sum(axis=-1, keepdims=True))),
    Mutant("p - y whatever the labels' sum", CE_LOGITS, SUM_GRADIENT, cross_entropy, lambda x, y: softmax(x) - y),
    Mutant("1 for the labels' sum in the gradient", CE, SUM_GRADIENT, categorical,
           lambda p, y: 1 / p.sum(axis=-1, keepdims=True) - y / p),
    Mutant("the index through float16", SPARSE_LOGITS, MANY, half_precision_index),
    Mutant("soft labels taken for their largest class", CE_LOGITS, VALUE, soft_argmax),
    Mutant("soft labels below 1/10 dropped", CE_LOGITS, (VALUE, SUM), lambda x, y: cross_entropy(x, np.where(y < 0.1, 0, y))),
    Mutant("soft labels squared in the gradient", CE_LOGITS, GRADIENT, cross_entropy, lambda x, y: cross_entropy_gradient(x, y * y)),
    Mutant("smoothing divided by the last axis", CE_LOGITS, VALUE, smoothed_by_rows, form="label smoothing, axis 0"),
    Mutant("smoothing ignored", CE_LOGITS, VALUE, lambda x, y, label_smoothing: cross_entropy(x, y), form="label smoothing"),
    Mutant("smoothing of the label alone", CE, VALUE,
           lambda p, y, label_smoothing: categorical(p, y * (1 - label_smoothing)), form="label smoothing"),
    Mutant("smoothing left out of the gradient", CE, GRADIENT, categorical,
           lambda p, y, label_smoothing: categorical_gradient(p, y), form="label smoothing"),
    Mutant("smoothing divided by the classes less one", "smooth_labels", VALUE,
           lambda y, amount: np.where(y == 0, amount / (y.shape[-1] - 1), smooth(y, amount))),
    Mutant("gradient through (1 - p)^(gamma - 1)", FOCAL, (GRADIENT, ZERO), focal, focal_of_product),
    Mutant("gradient through (1 - p)^(gamma - 1), gamma 1/2", FOCAL, GRADIENT, focal, focal_of_product, form="gamma 1/2"),
    Mutant("gamma fixed at 2", FOCAL, VALUE, lambda x, y, gamma, alpha: focal(x, y, 2.0, alpha), form="gamma 1/2"),
    Mutant("labels smoothed by 1/100", BCE_LOGITS, (VALUE, "logits_and_probabilities_agree"), lambda x, y: with_logits(x, 0.98 * y + 0.01)),
    Mutant("bits for nats", SPARSE_LOGITS, "logits_and_probabilities_agree",
           lambda x, k: sparse_cross_entropy(x, k) / np.log(np.array(2, x.dtype))),
    Mutant("the label of the next example", CE_LOGITS, "logits_and_probabilities_agree",
           lambda x, y: cross_entropy(x, np.roll(y, 1, axis=0))),
    Mutant("soft labels at 1/2 taken for 1", BCE, VALUE, lambda p, y: from_probabilities(p, np.where(y == 0.5, 1, y))),
)  # fmt: skip
