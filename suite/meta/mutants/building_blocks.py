"""Faults of exp, log and their like."""

from __future__ import annotations

import numpy as np

from suite.meta.mutants.base import GRADIENT, NAN, RANGE, VALUE, ZERO, Mutant

MUTANTS = (
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
