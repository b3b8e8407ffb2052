"""Faults of losses of two classes."""

# ruff: noqa: ARG005  - leaving an argument out is a fault of its own
from __future__ import annotations

from typing import Any

import numpy as np

from suite.meta.formulas import BCE, BCE_LOGITS, FOCAL, SOUND, WEIGHTED, focal, from_probabilities, sigmoid, softplus, weighted, with_logits
from suite.meta.mutants.base import GRADIENT, NAN, RANGE, VALUE, ZERO, Mutant

SQUARED = "sigmoid_squared_error"


def clipped_sigmoid_loss(x: Any, y: Any) -> Any:
    """Cross-entropy from logits through probabilities that are kept away from 0 and 1."""
    return from_probabilities(np.clip(sigmoid(x), 1e-7, 1 - 1e-7), y)


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


MUTANTS = (
    Mutant("clipped at 1e-7", BCE, VALUE, lambda p, y: from_probabilities(np.clip(p, 1e-7, 1 - 1e-7), y)),
    Mutant("eps twice", BCE, VALUE, twice_eps),
    Mutant("eps 1e-9", BCE, (VALUE, "binary_is_categorical"), tiny_eps),
    Mutant("divided by the sum of one class", BCE, VALUE, lambda p, y: from_probabilities(p / p, y)),
    Mutant("derivative 0 beyond a clip", BCE, ZERO, from_probabilities, clip_gradient),
    Mutant("derivative with eps", BCE, GRADIENT, from_probabilities, lambda p, y: (1 - y) / (1 - p + 1e-7) - y / (p + 1e-7)),
    Mutant("through a clipped sigmoid", BCE_LOGITS, (VALUE, "binary_is_categorical_with_logits"), clipped_sigmoid_loss),
    Mutant("max(-x, 0)", BCE_LOGITS, VALUE, lambda x, y: np.maximum(-x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))),
    Mutant("log for log1p", BCE_LOGITS, VALUE, lambda x, y: np.maximum(x, 0) - x * y + np.log(1 + np.exp(-np.abs(x)))),
    Mutant("through an unclipped sigmoid", BCE_LOGITS, VALUE, lambda x, y: from_probabilities(sigmoid(x), y)),
    Mutant("through a sigmoid clipped at 1e-7 in float16", BCE_LOGITS, VALUE, clipped_sigmoid_loss, dtype="float16"),
    Mutant("s - y of a float32 s", BCE_LOGITS, GRADIENT, with_logits,
           lambda x, y: sigmoid(x.astype(np.float32)).astype(x.dtype) - y, "float64"),
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
    Mutant("half of the square", SQUARED, (VALUE, "squared_error_is_of_sigmoid"), lambda x, y: (sigmoid(x) - y) ** 2 / 2),
    Mutant("2 (s - y) s (1 - s)", SQUARED, ZERO, SOUND[SQUARED],
           lambda x, y: 2 * (sigmoid(x) - y) * sigmoid(x) * (1 - sigmoid(x))),
    Mutant("the sigmoid's slope left out", SQUARED, GRADIENT, SOUND[SQUARED], lambda x, y: 2 * (sigmoid(x) - y)),
)  # fmt: skip
