"""Exact losses and their slopes by the logits, with what a framework's may be off by, whichever way it computes them.

There are two ways: from the logits; and from probabilities that are made of them with an error of their own, which the logarithm
magnifies. The larger error counts. Away from the clip, that is: probabilities must not come near it.
"""

from __future__ import annotations

import numpy as np

from suite.casebook.account import Account
from suite.casebook.backward import Off, gamma
from suite.casebook.errors import allowed
from suite.floats import Floats
from suite.operations.binary import with_logits_error, with_logits_gradient_error
from suite.operations.bounds import Row, logistic, sigmoid_error, softplus


def binary_losses(account: Account, z: Floats, y: Floats) -> Off:
    """y softplus(−z) + (1 − y) softplus(z), for each element."""
    rounding = account.rounding()
    exact = y * softplus(-z) + (1 - y) * softplus(z)
    p, q, moved = logistic(z), logistic(-z), sigmoid_error(z, rounding)
    own = allowed(account, "binary_cross_entropy", {"probabilities": p.ravel(), "labels": y.ravel()}).reshape(y.shape)
    return Off(exact, np.maximum(with_logits_error(z, y, exact, rounding), own + (y / (p - moved) + (1 - y) / (q - moved)) * moved))


def binary_slopes(account: Account, z: Floats, y: Floats) -> Off:
    """σ(z) − y. From probabilities: the derivative of −y log p − (1 − y) log(1 − p), times p(1 − p), takes eight roundings."""
    rounding = account.rounding()
    p, q = logistic(z), logistic(-z)
    parts = gamma(8) * (y * q + (1 - y) * p)
    return Off(p - y, np.maximum(with_logits_gradient_error(z, y, rounding), 1.01 * (sigmoid_error(z, rounding) + parts)))


def categorical_losses(account: Account, z: Floats, y: Floats) -> Off:
    """−Σ y log softmax(z), for each row."""
    row = Row.of(z)
    from_logits = allowed(account, "softmax_cross_entropy_with_logits", {"logits": z, "labels": y})
    own = allowed(account, "categorical_cross_entropy", {"probabilities": row.p, "labels": y})
    moved = 2 * (y * row.softmax_relative(account.rounding())).sum(axis=-1)
    exact = account.exact("softmax_cross_entropy_with_logits", {"logits": z, "labels": y})
    return Off(exact, np.maximum(from_logits, own + 1.01 * moved))


def categorical_slopes(account: Account, z: Floats, y: Floats, mass: Floats) -> Off:
    """p m − y, with m the sum of the labels, or 1 where a framework takes it for granted.

    From probabilities: t = −y/q with q = p/Σp; through the quotient t/Σp − Σ t p/(Σp)², whose sum has n terms that add up to m; and
    through softmax p(d − Σ d p), whose sum has n terms of which the magnitudes add up to 2m. That makes 4n + 12 roundings of m p, and 8
    of y, beside what p itself is off by in either.
    """
    row = Row.of(z)
    relative = row.softmax_relative(account.rounding())
    ways = 2 * relative * row.p * mass + gamma(4 * z.shape[-1] + 12) * row.p * mass + gamma(8) * y
    return Off(row.p * mass - y, np.asarray(1.01 * ways))
