"""What a check is, what it is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suite import oracle
from suite.floats import Floats, ulp
from suite.inputs import Batch
from suite.model import Operation
from suite.operations.bounds import Rounding
from suite.oracle import Exact

Evaluate = Callable[[Batch, bool], Mapping[str, Floats]]
"""(batch, with gradient) → ``value`` and, if asked for, ``d <argument>``, each with the leading axes of the batch."""

_exact: dict[tuple[str, str, str], Any] = {}
_EXACT_KEPT = 4096


def _remember(key: tuple[str, str, str], compute: Callable[[], Any]) -> Any:
    """References are shared by all implementations of an operation; the oldest are dropped beyond a fixed number."""
    if key not in _exact:
        if len(_exact) >= _EXACT_KEPT:
            del _exact[next(iter(_exact))]
        _exact[key] = compute()
    return _exact[key]


Truth = Callable[[Operation, Batch, bool], Mapping[str, Exact]]
"""(operation, batch, gradient) → the exact ``value``, or ``d <argument>`` for each differentiable argument."""


def by_oracle(operation: Operation, batch: Batch, gradient: bool) -> Mapping[str, Exact]:
    """Exact results from the operation's definition; kept, since all implementations of an operation are judged on the same batches."""

    def compute() -> Mapping[str, Exact]:
        if gradient:
            return {f"d {n}": e for n, e in oracle.gradient(operation, batch.flat(), operation.options).items()}
        return {"value": oracle.value(operation, batch.flat(), operation.options)}

    exact: Mapping[str, Exact] = _remember((operation.name, batch.key, "gradient" if gradient else "value"), compute)
    return exact


@dataclass(frozen=True)
class Subject:
    """An implementation as a check sees it: something that maps inputs to results, with the arithmetic that it runs in.

    ``truth`` says what the results should be. ``peer`` gives the backend's canonical implementation of another operation in the same
    mode and dtype, or None.
    """

    operation: Operation
    rounding: Rounding
    evaluate: Evaluate
    has_gradient: bool = True
    peer: Callable[[str], Subject | None] = lambda name: None
    truth: Truth = by_oracle

    def values(self, batch: Batch) -> Floats:
        """Computed values, ``(R,)`` or ``(R, n)``."""
        return _flat(self.evaluate(batch, False)["value"])

    def gradients(self, batch: Batch) -> dict[str, Floats]:
        """Computed gradients by argument name."""
        results = self.evaluate(batch, True)
        return {name: _flat(results[f"d {name}"]) for name in self.operation.differentiable}

    def exact_values(self, batch: Batch) -> Exact:
        """What they should be."""
        return self.truth(self.operation, batch, False)["value"]

    def exact_gradients(self, batch: Batch) -> dict[str, Exact]:
        """What they should be."""
        found = self.truth(self.operation, batch, True)
        return {name: found[f"d {name}"] for name in self.operation.differentiable}

    def value_limit(self, batch: Batch, exact: Floats) -> Floats:
        """Largest error that the bound allows, underflow included."""
        with np.errstate(all="ignore"):
            bound = self.operation.bound(batch.flat(), exact, self.rounding, **self.operation.options)
        return self.rounding_floor(bound, exact)

    def gradient_limits(self, batch: Batch) -> dict[str, Floats]:
        """The same for each gradient."""
        exact = self.exact_gradients(batch)
        assert self.operation.gradient_bound is not None
        with np.errstate(all="ignore"):
            highs = (e.high for e in exact.values())
            bounds = self.operation.gradient_bound(batch.flat(), *highs, self.rounding, **self.operation.options)
        return {name: self.rounding_floor(b, exact[name].high) for name, b in zip(exact, bounds, strict=True)}

    def rounding_floor(self, bound: Floats, exact: Floats) -> Floats:
        """No result can be nearer than correct rounding; what underflows on the way adds at most a few of the smallest numbers."""
        floor = np.maximum(bound, 0.5 * ulp(self.rounding.fmt, exact))
        return np.asarray(floor + 4.0 * self.rounding.underflow if self.operation.rounds else floor)


def _flat(array: Floats) -> Floats:
    return array.reshape(-1, *array.shape[2:])


@dataclass(frozen=True)
class Verdict:
    """Judgement of every element of one output.

    ``score`` up to 1 holds, above it (or NaN) violates; for a bound it is the share of the bound that was used, for a law 0 or
    infinity. ``judged`` leaves elements out. ``inputs`` is what was judged if it is not the batch that the check was given. All
    arrays have the output's shape. ``grades`` characterise the same results.
    """

    output: str
    score: Floats
    judged: NDArray[np.bool_]
    got: Floats
    expected: Floats
    limit: Floats
    grades: Mapping[str, float] = field(default_factory=dict)
    inputs: Batch | None = None

    @property
    def violated(self) -> NDArray[np.bool_]:
        """Where the check does not hold."""
        return self.judged & ~(self.score <= 1.0)


Kind = Literal["law", "bound"]


@dataclass(frozen=True)
class Check:
    """Something that must hold of an implementation.

    ``statement`` is one sentence for the report. ``applies`` says for which operations, ``run`` judges a batch. ``needs_gradient``
    leaves backends without autodiff out, ``other_operation`` those without that one. ``forms`` asks for masks and axes too.
    ``also`` tells which other values ``run`` will ask for, as (operation, batch), so that they can be computed ahead.
    """

    name: str
    family: Literal["stability", "equivalence", "vanishing"]
    kind: Kind
    statement: str
    applies: Callable[[Operation], bool]
    run: Callable[[Subject, Batch], list[Verdict]]
    needs_gradient: bool = False
    other_operation: str = ""
    forms: bool = False
    grid_only: bool = False
    also: Callable[[Operation, Batch], list[tuple[str, Batch]]] = lambda operation, batch: []

    def fits(self, operation: Operation, has_gradient: bool, available: set[str]) -> bool:
        """Whether the check says anything about this operation on a backend with those operations."""
        if self.needs_gradient and not (has_gradient and operation.gradient):
            return False
        if self.other_operation and self.other_operation not in available:
            return False
        return self.applies(operation)
