"""Data and weights that float32 computes with exactly, so that all that rounds is the loss under test.

A sum of products of multiples of 1/8 is a multiple of 1/64, and one of those with a further factor a multiple of 1/512. As long as it is
smaller than 2^15 it has no more than float32's 24 bits: whatever the order of summation, and with fused products or without, the
result is the exact one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suite.floats import Floats

EXAMPLES, HIDDEN = 8, 8
"""Powers of two, so that means are exact as well."""


def eighths(random: np.random.RandomState, *shape: int, largest: float = 1.0) -> Floats:
    """Multiples of 1/8 of either sign, ``largest`` in magnitude at most."""
    top = int(8 * largest)
    return np.asarray(random.randint(-top, top + 1, size=shape) / 8)


@dataclass(frozen=True)
class Balanced:
    """A relu network of one hidden layer, whose logits are exactly 0 wherever the last feature is.

    Its hidden units come in pairs that differ in the weight of the last feature alone, and enter the logits with opposite signs. At a
    logit of 0 sigmoid, softmax and all their gradients are powers of two on every way of computing them: a whole step of
    gradient descent is exact there, and can be held against exact numbers bit for bit. ``x`` are inputs whose logits are not 0,
    ``level`` the same with a last feature of 0. ``weights`` are kernel and bias of the hidden layer, and those of the ``outputs``.
    """

    x: Floats
    weights: tuple[Floats, Floats, Floats, Floats]

    @classmethod
    def draw(cls, seed: int, outputs: int) -> Balanced:
        """With eight examples, five features and eight hidden units."""
        random = np.random.RandomState(seed)
        kernel = np.concatenate([np.repeat(eighths(random, 4, HIDDEN // 2), 2, axis=1), eighths(random, 1, HIDDEN)])
        bias = np.repeat(eighths(random, HIDDEN // 2), 2)
        last = np.repeat(eighths(random, HIDDEN // 2, outputs), 2, axis=0) * np.tile([[1.0], [-1.0]], (HIDDEN // 2, 1))
        x = eighths(random, EXAMPLES, 5)
        x[:, 4] = 1.0
        return cls(x, (kernel, bias, last, np.zeros(outputs)))

    @property
    def level(self) -> Floats:
        """Inputs at which every logit is 0."""
        return np.asarray(self.x * np.array([1.0, 1.0, 1.0, 1.0, 0.0]))

    def hidden(self, x: Floats) -> Floats:
        """The hidden layer's output, exact."""
        return np.asarray(np.maximum(x @ self.weights[0] + self.weights[1], 0.0))

    def logits(self, x: Floats) -> Floats:
        """The outputs' logits, exact."""
        return np.asarray(self.hidden(x) @ self.weights[2] + self.weights[3])

    def gradient(self, x: Floats, cotangent: Floats, hidden: Floats | float = 0.0) -> list[Floats]:
        """By the four weights, for the loss's gradients by the logits and, where it has one, by the hidden layer."""
        h = self.hidden(x)
        inner = (cotangent @ self.weights[2].T + hidden) * (h > 0)
        return [x.T @ inner, inner.sum(axis=0), h.T @ cotangent, cotangent.sum(axis=0)]
