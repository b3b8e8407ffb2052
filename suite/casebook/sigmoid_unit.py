"""A sigmoid unit under gradient descent with binary cross-entropy, in float64, and how far rounding can take float32's from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from suite.floats import Floats
from suite.operations.bounds import Rounding, Row, logistic, sigmoid_error


@dataclass(frozen=True)
class Unit:
    """What it is trained on: features with a column of ones, labels, and the arithmetic whose errors are bound.

    If it stands for two softmax units, whose difference its weights are, ``total`` is the sum of theirs: it says how large they are.
    """

    x: Floats
    y: Floats
    rounding: Rounding
    total: Floats | None = None

    def gradient_error(self, weights: Floats, logits_error: ArrayLike = 0.0) -> Floats:
        """How far the computed mean gradient by each weight can be from that of (σ(z) − y)x.

        From logits, the gradient of either loss by a logit is p − y, computed from p. From probabilities the chain rule takes at most
        four terms, none larger than 1, each with ten roundings at most; computed from p̂ without any, they would give p̂/Σp̂ − y. So what
        p̂ is off by counts twice and 40u are added. What logits are off by counts with σ's slope. Then n products are summed and
        divided by n.
        """
        z, u, n = self.x @ weights, self.rounding.u, len(self.x)
        row = Row.of(np.stack([np.zeros_like(z), z], axis=-1))
        own = np.maximum((row.softmax_relative(self.rounding) * row.p).max(axis=-1), sigmoid_error(z, self.rounding))
        off = 2 * own + 40 * u + np.asarray(logits_error) / 4
        return np.asarray(((off + (n + 3) * u * (np.abs(row.p[:, 1] - self.y) + off))[:, None] * np.abs(self.x)).mean(axis=0))

    def descend(self, start: Floats, step: float, steps: int) -> Descent:
        """The path of exact gradient descent, and the bound of the computed one's distance from it.

        Let L be the largest eigenvalue of XᵀX/4n: the gradient of the mean loss is Lipschitz with it, and since the loss is convex a step
        of at most 2/L brings no two points further apart. So what rounding adds in each step, in the gradient and in the update, at
        most adds up. A hundredth is added for what is of second order.

        Raises:
            ArithmeticError: the step is larger than that.
        """
        if step * float(np.linalg.eigvalsh(self.x.T @ self.x / len(self.x))[-1]) / 4 > 2:
            raise ArithmeticError("the step is too large for the bound to hold")
        here, off, path, bound, u = start, 0.0, [start], [0.0], self.rounding.u
        for _ in range(steps):
            gradient = self.x.T @ (logistic(self.x @ here) - self.y) / len(self.x)
            error = step * self.gradient_error(here, self.logits_error(here)) + u * (self.sizes(here) + 3 * step * np.abs(gradient))
            here, off = here - step * gradient, off + 1.01 * float(np.linalg.norm(error))
            path.append(here)
            bound.append(off)
        return Descent(self, np.array(path), np.array(bound))

    def sizes(self, weights: Floats) -> Floats:
        """Magnitudes of what is rounded: of the unit's weights, or of both units' together."""
        if self.total is None:
            return np.abs(weights)
        return np.asarray((np.abs(self.total + weights) + np.abs(self.total - weights)) / 2)

    def logits_error(self, weights: Floats) -> Floats:
        """How far a computed logit, or a difference of two, can be off: products, and sums of as many terms as there are weights."""
        return np.asarray((len(weights) + 1) * self.rounding.u * (np.abs(self.x) @ self.sizes(weights)))


@dataclass(frozen=True)
class Descent:
    """After each step, the start first: (weights, bias) of exact gradient descent, and how far the computed ones may be from them."""

    unit: Unit
    path: Floats
    bound: Floats

    def predicted(self) -> tuple[Floats, Floats]:
        """σ(z) in the end, and how far a computed one may be: by σ's slope times what the logit is off by, and by its own rounding."""
        unit, here = self.unit, self.path[-1]
        z = unit.x @ here
        moved = np.linalg.norm(unit.x, axis=1) * self.bound[-1] + unit.logits_error(here)
        row = Row.of(np.stack([np.zeros_like(z), z], axis=-1))
        own = np.maximum((row.softmax_relative(unit.rounding) * row.p).max(axis=-1), sigmoid_error(z, unit.rounding))
        return logistic(z), np.asarray(1.01 * (moved / 4 + own))
