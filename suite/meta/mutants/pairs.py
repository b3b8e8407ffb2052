"""Faults of functions of two numbers."""

from __future__ import annotations

import numpy as np

from suite.meta.formulas import SOUND, sigmoid
from suite.meta.mutants.base import GRADIENT, NAN, VALUE, ZERO, Mutant

MUTANTS = (
    Mutant("the larger one not found", "logaddexp", (VALUE, "logaddexp_is_logsumexp"), lambda a, b: a + np.log1p(np.exp(b - a))),
    Mutant("(1, 0) for the gradient of a tie", "logaddexp", GRADIENT, SOUND["logaddexp"],
           lambda a, b: (np.where(a == b, 1, sigmoid(a - b)), np.where(a == b, 0, sigmoid(b - a)))),
    Mutant("1 - the other's derivative", "logaddexp", ZERO, SOUND["logaddexp"],
           lambda a, b: (sigmoid(a - b), 1 - sigmoid(a - b))),
    Mutant("natural logarithm", "logaddexp2", VALUE, lambda a, b: np.maximum(a, b) + np.log1p(np.exp2(-np.abs(a - b)))),
    Mutant("gradient to base e", "logaddexp2", GRADIENT, SOUND["logaddexp2"], lambda a, b: (sigmoid(a - b), sigmoid(b - a))),
    Mutant("log2", "xlogy", (VALUE, "xlogy_is_log"), lambda a, b: a * np.log2(b)),
    Mutant("derivatives swapped", "xlogy", GRADIENT, SOUND["xlogy"], lambda a, b: (a / b, np.log(b))),
    Mutant("0 for NaN times log", "xlogy", NAN, lambda a, b: np.nan_to_num(a * np.log(b))),
)  # fmt: skip
