"""Faults of the sigmoid and what is made of it, elementwise."""

from __future__ import annotations

from typing import Any

import numpy as np

from suite.meta.formulas import sigmoid, softplus
from suite.meta.mutants.base import GRADIENT, NAN, RANGE, VALUE, ZERO, Mutant


def few_ulps_off(x: Any) -> Any:
    """Ten units in the last place too large between 3 and 3.05."""
    return np.where((x >= 3) & (x <= 3.05), sigmoid(x) * (1 + 10 * np.finfo(x.dtype).eps), sigmoid(x))


MUTANTS = (
    Mutant("exp(x)/(1 + exp(x))", "sigmoid", VALUE, lambda x: np.exp(x) / (1 + np.exp(x))),
    Mutant("1/2 + tanh(x/2)/2", "sigmoid", VALUE, lambda x: 0.5 + 0.5 * np.tanh(x / 2)),
    Mutant("1/2 + tanh(x/2)/2 in float16", "sigmoid", VALUE, lambda x: 0.5 + 0.5 * np.tanh(x / 2), dtype="float16"),
    Mutant("1/2 + tanh(x/2)/2 in bfloat16", "sigmoid", VALUE, lambda x: 0.5 + 0.5 * np.tanh(x / 2), dtype="bfloat16"),
    Mutant("clipped at 10", "sigmoid", (VALUE, "sigmoid_is_softmax"), lambda x: sigmoid(np.clip(x, -10, 10))),
    Mutant("1/2 above 88", "sigmoid", (VALUE, "sigmoid_reflection"), lambda x: np.where(x > 88, 0.5, sigmoid(x))),
    Mutant("a few ulps off in a narrow band", "sigmoid", VALUE, few_ulps_off),
    Mutant("a few ulps off in a narrow band of float64", "sigmoid", VALUE, few_ulps_off, dtype="float64"),
    Mutant("one ulp above 1", "sigmoid", RANGE, lambda x: np.where(x > 17, np.nextafter(x * 0 + 1, 2), sigmoid(x))),
    Mutant("s (1 - s)", "sigmoid", ZERO, sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))),
    Mutant("s (1 - s) in float64", "sigmoid", ZERO, sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x)), "float64"),
    Mutant("s (1 + s)", "sigmoid", GRADIENT, sigmoid, lambda x: sigmoid(x) * (1 + sigmoid(x))),
    Mutant("NaN swallowed by a clip", "sigmoid", NAN, lambda x: sigmoid(np.fmax(np.fmin(x, 100), -100))),
    Mutant("log(sigmoid(x))", "log_sigmoid", (VALUE, "log_sigmoid_is_softplus"), lambda x: np.log(sigmoid(x))),
    Mutant("-log(1 + exp(-x))", "log_sigmoid", VALUE, lambda x: -np.log(1 + np.exp(-x))),
    Mutant("1 - s for the derivative", "log_sigmoid", ZERO, lambda x: -softplus(-x), lambda x: 1 - sigmoid(x)),
    Mutant("log1p(exp(x))", "softplus", (VALUE, "softplus_difference"), lambda x: np.log1p(np.exp(x))),
    Mutant("log for log1p", "softplus", VALUE, lambda x: np.maximum(x, 0) + np.log(1 + np.exp(-np.abs(x)))),
    Mutant("linear above 5", "softplus", (VALUE, "softplus_is_logaddexp"), lambda x: np.where(x > 5, x, softplus(x))),
    Mutant("exp/(1 + exp) for the derivative", "softplus", GRADIENT, softplus, lambda x: np.exp(x) / (1 + np.exp(x))),
    Mutant("derivative 0 at 0", "softplus", (GRADIENT, ZERO), softplus, lambda x: np.where(x == 0, 0, sigmoid(x))),
    Mutant("leaky", "relu", RANGE, lambda x: np.where(x > 0, x, x / 100)),
    Mutant("wrong derivative above 6", "relu", GRADIENT, lambda x: np.maximum(x, 0), lambda x: (x > 0) & (x < 6)),
    Mutant("NaN swallowed", "relu", NAN, lambda x: np.fmax(x, 0)),
)  # fmt: skip
