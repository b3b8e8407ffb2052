"""Faults of losses of many classes, and of what goes into them and comes out of them."""

# ruff: noqa: ARG005  - leaving an argument out is a fault of its own
from __future__ import annotations

from typing import Any

import numpy as np

from suite.meta.formulas import (
    CE,
    CE_LOGITS,
    SPARSE,
    SPARSE_LOGITS,
    categorical,
    cross_entropy,
    log_softmax,
    masked_mean,
    one_hot,
    softmax,
    sparse_categorical,
    sparse_cross_entropy,
)
from suite.meta.mutants.base import GRADIENT, NAN, RANGE, VALUE, ZERO, Mutant


def rounded_labels(x: Any, y: Any) -> Any:
    """Labels cast to eight bits of significand on the way in."""
    bits = np.asarray(y, np.float32).view(np.uint32) + np.uint32(0x8000) & np.uint32(0xFFFF0000)
    return cross_entropy(x, bits.view(np.float32).astype(x.dtype))


MUTANTS = (
    Mutant("clipped at 1e-7", CE, VALUE, lambda p, y: categorical(np.clip(p, 1e-7, 1 - 1e-7), y)),
    Mutant("the mean over classes", CE, VALUE, lambda p, y: categorical(p, y) / p.shape[-1]),
    Mutant("gradient without the sum", CE, GRADIENT, categorical, lambda p, y: -y / p),
    Mutant("label off by one", SPARSE, (VALUE, "sparse_is_one_hot"), lambda p, k: sparse_categorical(p, k - 1)),
    Mutant("the label's derivative alone", SPARSE, GRADIENT, sparse_categorical, lambda p, k: -one_hot(k, p) / p),
    Mutant("double softmax", CE_LOGITS, VALUE, lambda x, y: cross_entropy(softmax(x), y)),
    Mutant("0 times -inf", CE_LOGITS, VALUE, lambda x, y: -(y * np.log(softmax(x))).sum(axis=-1)),
    Mutant("the mask ignored", CE_LOGITS, VALUE, lambda x, y, where: cross_entropy(x, y), form="where"),
    Mutant("labels through bfloat16", CE_LOGITS, VALUE, rounded_labels),
    Mutant("NaN swallowed with labels of 0", CE_LOGITS, NAN, lambda x, y: -np.nansum(y * log_softmax(x), axis=-1)),
    Mutant("p - y", CE_LOGITS, ZERO, cross_entropy, lambda x, y: softmax(x) - y),
    Mutant("p - y in float64", CE_LOGITS, ZERO, cross_entropy, lambda x, y: softmax(x) - y, "float64"),
    Mutant("gradient over the classes", CE_LOGITS, GRADIENT, cross_entropy, lambda x, y: (softmax(x) - y) / x.shape[-1]),
    Mutant("label off by one", SPARSE_LOGITS, (VALUE, "sparse_is_one_hot_with_logits"), lambda x, k: sparse_cross_entropy(x, k - 1)),
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
