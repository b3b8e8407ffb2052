"""Faults of softmax, log-softmax and log-sum-exp."""

# ruff: noqa: ARG005  - leaving an argument out is a fault of its own
from __future__ import annotations

from typing import Any

import numpy as np

from suite.meta.formulas import GRADIENTS, log_softmax, logsumexp, softmax, top
from suite.meta.mutants.base import GRADIENT, NAN, RANGE, VALUE, ZERO, Mutant


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


MUTANTS = (
    Mutant("without the maximum", "softmax", VALUE, lambda x: over_sum(np.exp(x))),
    Mutant("the batch's maximum", "softmax", VALUE, lambda x: over_sum(np.exp(x - x.max()))),
    Mutant("the maximum of the wrong axis", "softmax", VALUE, lambda x: over_sum(np.exp(x - x.max(axis=0)))),
    Mutant("the sum of the wrong axis", "softmax", VALUE, lambda x: over_sum(np.exp(x - top(x)), axis=0)),
    Mutant("over the wrong axis", "softmax", (VALUE, "softmax_is_exp_log_softmax"), lambda x: softmax(x.T).T),
    Mutant("minus the minimum", "softmax", VALUE, lambda x: over_sum(np.exp(x - x.min(axis=-1, keepdims=True)))),
    Mutant("applied twice", "softmax", VALUE, lambda x: softmax(softmax(x))),
    Mutant("the mask ignored", "softmax", VALUE, lambda x, where: softmax(x), form="where"),
    Mutant("an additive mask of -1e9", "softmax", VALUE, additive_mask, form="where"),
    Mutant("one ulp above 1", "softmax", RANGE, lambda x: softmax(x) * (1 + np.finfo(x.dtype).eps)),
    Mutant("NaN left out of maximum and sum", "softmax", NAN, without_nan),
    Mutant("NaN spread over the batch", "softmax", NAN, lambda x: softmax(x) + 0 * x.sum()),
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
