"""Logistic regression in float64: loss, gradient, Hessian, descent; and how far rounding can take a framework from each.

The analysis is to first order. What each step rounds, at most, is carried forward by the derivative of all later steps; what is left out
is of the size of its square. Sums of n terms, in any order, err by n·u of their magnitudes; u is the dtype's unit roundoff.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from suite.casebook.account import Account
from suite.casebook.audit import Recomputed, binary
from suite.casebook.data import arrays
from suite.casebook.logistic import RATE, Run, design
from suite.floats import Floats
from suite.operations.bounds import Rounding, logistic, sigmoid_error, softplus

Loss = Literal["MSE", "BCE"]
FIRST, SECOND, EPSILON = 0.9, 0.999, 1e-7
"""Adam's β₁, β₂ and ε, as Keras has them."""


@dataclass(frozen=True)
class Point:
    """The problem at some weights: what its loss, gradient and Hessian are made of. ``p`` is σ(x), ``q`` is σ(−x).

    With labels in a column, ``(N, 1)``, the weights may have a column for each of several places; Hessian and minimiser are for one.
    """

    design: Floats
    labels: Floats
    weights: Floats
    loss: Loss

    @cached_property
    def x(self) -> Floats:
        """The logits."""
        return np.asarray(self.design @ self.weights)

    @cached_property
    def p(self) -> Floats:
        """Probabilities of label 1."""
        return logistic(self.x)

    @cached_property
    def q(self) -> Floats:
        """Those of label 0."""
        return logistic(-self.x)

    @cached_property
    def residual(self) -> Floats:
        """p − y, without cancellation."""
        return np.where(self.labels == 1, -self.q, self.p)

    @property
    def value(self) -> Floats:
        """The mean loss."""
        if self.loss == "MSE":
            return np.asarray(np.mean(self.residual**2, axis=0))
        return np.asarray(np.mean(softplus(np.where(self.labels == 1, -self.x, self.x)), axis=0))

    @property
    def slope(self) -> Floats:
        """Each example's derivative by its logit: p − y, and 2(p − y)p(1 − p)."""
        return self.residual if self.loss == "BCE" else np.asarray(2 * self.residual * self.p * self.q)

    @property
    def bend(self) -> Floats:
        """Each example's second derivative by its logit."""
        s = self.p * self.q
        return np.asarray(s if self.loss == "BCE" else 2 * s * s + 2 * self.residual * s * (self.q - self.p))

    @property
    def gradient(self) -> Floats:
        """By the weights."""
        return np.asarray(self.design.T @ self.slope / len(self.labels))

    @property
    def hessian(self) -> Floats:
        """By the weights, twice."""
        return np.asarray((self.design * self.bend[:, None]).T @ self.design / len(self.labels))

    def logit_error(self, r: Rounding) -> Floats:
        """A product and a sum for each weight; data and weights may be rounded to the dtype first."""
        return np.asarray((len(self.weights) + 2) * r.u * (np.abs(self.design) @ np.abs(self.weights)))

    def probability_error(self, r: Rounding) -> Floats:
        """The logit's error through σ, and σ's own."""
        return np.asarray(1.01 * self.p * self.q * self.logit_error(r) + sigmoid_error(self.x, r))

    def slope_error(self, r: Rounding) -> Floats:
        """Of autodiff through the document's formulas: p̂(1 − p̂)/p̂ and p̂(1 − p̂)/(1 − p̂); (p̂ − y)·p̂(1 − p̂), each with its roundings."""
        moved, residual, s = self.probability_error(r), np.abs(self.residual), self.p * self.q
        if self.loss == "BCE":
            return np.asarray(moved + 8 * r.u * residual)
        factor = s + moved * np.abs(self.q - self.p) + moved**2 + 2 * r.u * s
        return np.asarray(2 * ((residual * (1 + r.u) + moved) * factor - residual * s) + 4 * r.u * np.abs(self.slope))

    def gradient_error(self, r: Rounding) -> Floats:
        """A mean of products, in any order."""
        terms = self.slope_error(r) + (len(self.labels) + 4) * r.u * np.abs(self.slope)
        return np.asarray(np.abs(self.design).T @ terms / len(self.labels))

    def value_error(self, r: Rounding) -> Floats:
        """The document's formulas: −log of the label's probability, or the square of the residual; and their mean."""
        moved = self.probability_error(r) + r.u
        if self.loss == "MSE":
            each = 2 * np.abs(self.residual) * moved + moved**2
        else:
            likelihood = np.where(self.labels == 1, self.p, self.q)
            each = moved / (likelihood - moved) + (r.relative("log") + 3 * r.u) * -np.log(likelihood)
        return np.asarray(np.mean(each, axis=0) + (len(self.labels) + 2) * r.u * self.value)

    def minimiser(self) -> Floats:
        """The nearest minimum, by Newton's method from here."""
        at = self
        for _ in range(30):
            at = replace(at, weights=at.weights - np.linalg.solve(at.hessian, at.gradient))
        return at.weights


def point(loss: Loss, weights: Floats | tuple[float, ...], bias_last: bool = False) -> Point:
    """The document's problem at (intercept, slope); with ``bias_last`` at (slope, intercept), as a layer with a bias has them."""
    data = arrays("logistic")
    matrix = design(data["x"])
    return Point(matrix[:, ::-1] if bias_last else matrix, data["y"][:, 0], np.asarray(weights, dtype=np.float64), loss)


@dataclass(frozen=True)
class Rule:
    """An optimiser as some framework has it.

    ``mean`` is what a mean's sum is multiplied by, in units of 1/n. ``powers`` are the β₁ and β₂ whose powers correct Adam's bias; with
    ``late_epsilon`` its ε is added to the corrected root mean square, not to the one before.
    """

    optimiser: str
    mean: float = 1.0
    powers: tuple[float, float] = (FIRST, SECOND)
    late_epsilon: bool = False


def rule(backend: str, optimiser: str) -> Rule:
    """An optimiser as a backend has it in float64.

    Keras on JAX takes means in float32 (``keras/src/backend/jax/numpy.py``, ``mean``: ``dtypes.result_type`` never gives float64 there, see
    ``keras/src/backend/common/dtypes.py``, ``BIT64_TO_BIT32_DTYPE``), and 1/n is rounded to it. Keras on TensorFlow casts β₁ and β₂ with
    ``tf.cast``, which first makes them float32 (``keras/src/optimizers/adam.py``, ``update_step``). optax adds ε to the corrected root mean
    square, as Kingma & Ba's algorithm 1 has it; Keras to the one before, after their last paragraph of section 2.
    """
    if optimiser == "adam" and backend == "keras-tensorflow":
        return Rule(optimiser, powers=(float(np.float32(FIRST)), float(np.float32(SECOND))))
    size = len(arrays("logistic")["y"])
    mean = float(np.float32(1 / size)) * size if backend == "keras-jax" else 1.0
    return Rule(optimiser, mean, late_epsilon=optimiser == "adam" and backend == "jax")


@dataclass(frozen=True)
class State:
    """Where a descent is: weights, Adam's two moments, the number of steps taken."""

    weights: Floats
    first: Floats
    second: Floats
    time: int = 0

    @classmethod
    def fresh(cls, weights: Floats) -> State:
        """Without moments."""
        return cls(weights, np.zeros_like(weights), np.zeros_like(weights))


@dataclass(frozen=True)
class _Step:
    """One step: where it leads, how that depends on where it began, and what rounds in it, at most."""

    state: State
    derivative: Floats
    error: Floats


def _sgd_step(at: Point, state: State, rule: Rule, r: Rounding) -> _Step:
    change = RATE * rule.mean * at.gradient
    weights = state.weights - change
    error = RATE * at.gradient_error(r) + r.u * np.abs(weights) + 2 * r.u * np.abs(change)
    return _Step(replace(state, weights=weights, time=state.time + 1), np.eye(len(weights)) - RATE * rule.mean * at.hessian, error)


def _adam_step(at: Point, state: State, rule: Rule, r: Rounding) -> _Step:
    """Kingma & Ba (ICLR 2015), algorithm 1; the decay rates, and one less them, may be rounded to the dtype."""
    g, h, e, u, time = rule.mean * at.gradient, rule.mean * at.hessian, at.gradient_error(r), r.u, state.time + 1
    powers = np.array(rule.powers) ** time
    rate = RATE * np.sqrt(1 - powers[1]) / (1 - powers[0])
    epsilon = EPSILON * (np.sqrt(1 - powers[1]) if rule.late_epsilon else 1.0)
    first, second = FIRST * state.first + (1 - FIRST) * g, SECOND * state.second + (1 - SECOND) * g * g
    root = np.sqrt(second)
    weights = state.weights - rate * first / (root + epsilon)

    size, none, one = len(g), np.zeros((len(g), len(g))), np.eye(len(g))
    by_first, by_second = -rate / (root + epsilon), rate * first / (2 * root * (root + epsilon) ** 2)
    d_first = np.concatenate([(1 - FIRST) * h, FIRST * one, none], axis=1)
    d_second = np.concatenate([2 * (1 - SECOND) * g[:, None] * h, none, SECOND * one], axis=1)
    d_weights = np.eye(size, 3 * size) + by_first[:, None] * d_first + by_second[:, None] * d_second

    first_error = (1 - FIRST) * e + 4 * u * (np.abs(state.first) + np.abs(g))
    second_error = (1 - SECOND) * (2 * np.abs(g) * e + e * e) + 4 * u * second + 2 * u * g * g
    relative = u * (10 + powers[1] * (time + 32) / (1 - powers[1]) / 2 + powers[0] * (time + 32) / (1 - powers[0]))
    own = u * np.abs(weights) + relative * np.abs(weights - state.weights)
    error = np.concatenate([own + np.abs(by_first) * first_error + np.abs(by_second) * second_error, first_error, second_error])
    return _Step(State(weights, first, second, time), np.concatenate([d_weights, d_first, d_second]), error)


@dataclass(frozen=True)
class Followed:
    """A descent: the weights at the start and every so many steps, how far a framework's may be from them; and the state at the end.

    ``end_error`` is how far a framework's may be from that: weights and both moments in a row.
    """

    path: Floats
    error: Floats
    end: State
    end_error: Floats


def follow(at: Point, rule: Rule, steps: int, every: int, r: Rounding, before: Followed | None = None) -> Followed:
    """Descends from a point, with the moments that the descent ``before`` has left, if there was one."""
    state = State.fresh(at.weights) if before is None else replace(before.end, weights=at.weights)
    size = len(at.weights)
    span = 3 * size if rule.optimiser == "adam" else size
    begin = np.zeros(span) if before is None else before.end_error.copy()
    begin[:size] = r.u * np.abs(at.weights)
    path, bounds, taken = [at.weights], [begin], list[_Step]()
    for number in range(1, steps + 1):
        step = (_adam_step if rule.optimiser == "adam" else _sgd_step)(replace(at, weights=state.weights), state, rule, r)
        taken.append(step)
        state = step.state
        if number % every == 0:
            path.append(state.weights)
            bounds.append(_carried(begin, taken))
    return Followed(np.stack(path), np.stack([bound[:size] for bound in bounds]), state, bounds[-1])


def _carried(begin: Floats, steps: list[_Step]) -> Floats:
    """Every step's error, and that at the beginning, through the derivative of all steps after it."""
    through, total = np.eye(len(begin)), np.zeros(len(begin))
    for step in reversed(steps):
        total = total + np.abs(through) @ step.error
        through = through @ step.derivative
    return np.asarray(total + np.abs(through) @ begin)


def of_run(run: Run, loss: Loss, rule: Rule, r: Rounding, steps: int, every: int) -> Followed:
    """One of the document's descents, with what its epoch before has left in the moments."""
    before = None if run.before is None else follow(point(loss, run.before[loss]), rule, 1, 1, r)
    return follow(point(loss, run.start), rule, steps, every, r, before)


def recomputed(account: Account, loss: Loss, predicted: Floats, dtype: str) -> Recomputed:
    """The mean loss of what a model predicts, and how far what it reports may be from it.

    Its loss's own graph may round the probabilities otherwise than ``predict`` does; squares, logarithms and the mean round. On JAX Keras
    takes the mean in float32 (see :func:`rule`).
    """
    r, y, single = account.rounding(dtype), arrays("logistic")["y"][:, 0], account.rounding("float32")
    if loss == "BCE":
        found = binary(y, predicted, r)
    else:
        off = np.abs(predicted - y)
        moved = 2 * sigmoid_error(np.log(predicted) - np.log1p(-predicted), r)
        mean = float(np.mean(off**2))
        found = Recomputed(mean, float(np.mean(2 * off * moved + moved**2)) + (len(y) + 4) * r.u * mean)
    narrow = dtype == "float64" and rule(account.backend, "sgd").mean != 1
    return Recomputed(found.loss, found.allowed + (len(y) + 2) * single.u * found.loss * narrow)
