"""How far rounding can take means of losses, and the gradients of a relu network by its weights: a running error analysis.

Every bound is that of sums of products in any order, γ_n = n u/(1 − n u) of the terms' magnitudes (Higham 2002, section 3.1), with what
the terms themselves are off by carried along. All of it is computed in float64, whose own error, 2^−29 of float32's, is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from suite.casebook.errors import dense, share
from suite.floats import FORMATS, Floats

U = FORMATS["float32"].u


@dataclass(frozen=True)
class Off:
    """Exact numbers, and how far those of float32 can be from them."""

    value: Floats
    error: Floats

    @property
    def size(self) -> Floats:
        """The largest magnitude."""
        return np.asarray(np.abs(self.value) + self.error)

    def scaled(self, factor: float, roundings: int) -> Off:
        """Times a factor, which takes so many roundings, its own among them."""
        return Off(self.value * factor, np.asarray((self.error + gamma(roundings) * self.size) * abs(factor)))

    def plus(self, other: Off) -> Off:
        """The sum, rounded."""
        error = self.error + other.error
        return Off(np.asarray(self.value + other.value), np.asarray(error + U * (np.abs(self.value + other.value) + error)))


def gamma(roundings: int) -> float:
    """γ_n: the relative error of n roundings, at most."""
    return roundings * U / (1 - roundings * U)


def mean(losses: Off) -> Off:
    """Over everything, as a sum in any order and a quotient, or with the quotient in front."""
    return Off(np.asarray(np.mean(losses.value)), np.asarray(np.mean(losses.error) + gamma(losses.value.size + 1) * np.mean(losses.size)))


def forward(weights: Sequence[Floats], x: Floats, exact: bool = False) -> list[Off]:
    """What each layer is given, and last the logits. ``exact`` says that the numbers are such that nothing rounds.

    Raises:
        ArithmeticError: a unit is so near 0 that rounding could switch it.
    """
    found = [Off(x, np.zeros(x.shape))]
    for number in range(0, len(weights), 2):
        value, error = dense(weights[number : number + 2], found[-1].value, found[-1].error)
        error = np.zeros_like(value) if exact else error
        if number + 2 < len(weights):
            if np.any((np.abs(value) <= error) & (error > 0)):
                raise ArithmeticError("a relu unit lies within its own error of 0")
            value, error = np.maximum(value, 0.0), error * (value > 0)
        found.append(Off(value, error))
    return found


def backward(weights: Sequence[Floats], inputs: Sequence[Off], logits: Off) -> list[Off]:
    """Gradients by kernels and biases in turn, from those by the logits; ``inputs`` as :func:`forward` returns them."""
    found: list[Off] = []
    for number in reversed(range(0, len(weights), 2)):
        given = inputs[number // 2]
        kernel = _product(Off(given.value.T, given.error.T), logits)
        bias = _product(Off(np.ones((1, len(logits.value))), np.zeros((1, len(logits.value)))), logits)
        found = [kernel, Off(bias.value[0], bias.error[0]), *found]
        before = _product(logits, Off(weights[number].T, np.zeros(weights[number].T.shape)))
        active = given.value > 0
        logits = Off(before.value * active, before.error * active)
    return found


def _product(left: Off, right: Off) -> Off:
    inherited = left.error @ right.size + np.abs(left.value) @ right.error
    rounded = gamma(left.value.shape[1]) * (left.size @ right.size)
    return Off(np.asarray(left.value @ right.value), np.asarray(inherited + rounded))


def stepped(weights: Sequence[Floats], gradients: Sequence[Off], rate: float) -> list[Off]:
    """Weights after a step of gradient descent: the product rounds, and the difference."""
    return [Off(w, np.zeros(w.shape)).plus(g.scaled(-rate, 2)) for w, g in zip(weights, gradients, strict=True)]


def used(got: Sequence[Floats], wanted: Sequence[Off]) -> float:
    """The largest share of the errors allowed that results use up; infinite if any is NaN, or off where nothing rounds."""
    pairs = zip(got, wanted, strict=True)
    return max((share(np.asarray(g, dtype=np.float64).reshape(w.value.shape) - w.value, w.error) for g, w in pairs), default=0.0)


def apart(got: Sequence[Floats], other: Sequence[Floats], wanted: Sequence[Off]) -> float:
    """The same for the differences of two computations of one thing, each of which may be off."""
    pairs = [np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64) for a, b in zip(got, other, strict=True)]
    return used(pairs, [Off(np.zeros(p.shape), 2 * w.error.reshape(p.shape)) for p, w in zip(pairs, wanted, strict=True)])
