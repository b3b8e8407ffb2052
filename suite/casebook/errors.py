"""How far rounding alone can take what an experiment computes, for the pieces that several entries are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from suite.casebook.account import Account
from suite.floats import FORMATS, Floats


def allowed(account: Account, operation: str, inputs: Mapping[str, ArrayLike], dtype: str = "float32", argument: str = "") -> Floats:
    """The largest error of each of an operation's results by its bound, or of each entry of the gradient by an argument."""
    subject, batch = account.subject(operation, inputs, dtype)
    return subject.gradient_limits(batch)[argument] if argument else subject.value_limit(batch, subject.exact_values(batch).high)


def share(off: ArrayLike, bound: ArrayLike) -> float:
    """The largest share of a bound that differences use up; infinite if any is NaN, or where a bound of 0 is passed."""
    with np.errstate(all="ignore"):
        shares = np.where(np.equal(off, 0.0), 0.0, np.abs(np.asarray(off, dtype=np.float64)) / np.asarray(bound, dtype=np.float64))
    return float("inf") if np.isnan(shares).any() else float(np.max(shares))


def dense(weights: Sequence[Floats], x: Floats, error: ArrayLike = 0.0, dtype: str = "float32") -> tuple[Floats, Floats]:
    """Outputs of dense layers with relu between them, in float64, and how far those of a dtype can be from them.

    ``weights`` are kernel and bias in turn; ``error`` is that of the inputs. A layer of n inputs sums n + 1 terms, in any order, after n
    products: its own rounding is at most γ = (n + 1)u/(1 − (n + 1)u) of Σ|w x| + |b| (Higham 2002, section 3.1). What the inputs are off
    by comes through the kernel's magnitudes; relu adds nothing to it, and a unit that stays below 0 whatever it is off by passes nothing
    on. The float64 values' own error, 2^−29 of this, is left out.
    """
    u, off = FORMATS[dtype].u, np.broadcast_to(np.asarray(error, dtype=np.float64), np.shape(x))
    for number in range(0, len(weights), 2):
        kernel, bias = weights[number], weights[number + 1]
        if number:
            x, off = np.maximum(x, 0.0), np.where(x + off > 0, off, 0.0)
        gamma = (len(kernel) + 1) * u / (1 - (len(kernel) + 1) * u)
        size = (np.abs(x) + off) @ np.abs(kernel) + np.abs(bias)
        x, off = x @ kernel + bias, off @ np.abs(kernel) + gamma * size
    return x, off
