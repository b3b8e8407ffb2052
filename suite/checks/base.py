"""What a check is, what it is given, and what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suite import oracle
from suite.batch import Batch, directions
from suite.floats import Floats, Format, ulp
from suite.model import Operation
from suite.operations.bounds import Rounding
from suite.oracle import Exact

Question = Literal["value", "gradient", "curvature", "tangent", "mapped"]
"""What an implementation is asked for a batch, and what it answers, each with the batch's leading axes:

* ``value``: ``value``;
* ``gradient``: ``value`` and ``d <argument>`` for each differentiable argument, contracted with ``cotangent`` where there is one;
* ``curvature``: ``h <argument>``: the second derivative with respect to the first differentiable argument, times ``direction`` in a row;
* ``tangent``: ``t <argument>``: the derivative along ``direction``, forward through the function;
* ``mapped``: ``value``, by the backend's own vectorisation of the function over the leading axis.
"""

Evaluate = Callable[[Batch, Question], Mapping[str, Floats]]

_exact: dict[tuple[str, str, str], Any] = {}
_EXACT_KEPT = 4096


def _remember(key: tuple[str, str, str], compute: Callable[[], Any]) -> Any:
    """References are shared by all implementations of an operation; the oldest are dropped beyond a fixed number."""
    if key not in _exact:
        if len(_exact) >= _EXACT_KEPT:
            del _exact[next(iter(_exact))]
        _exact[key] = compute()
    return _exact[key]


Truth = Callable[[Operation, Batch, Question], Mapping[str, Exact]]
"""(operation, batch, question) → the exact ``value``, ``d <argument>`` for each differentiable argument, or ``h <argument>``."""


def by_oracle(operation: Operation, batch: Batch, question: Question) -> Mapping[str, Exact]:
    """Exact results from the operation's definition; kept, since all implementations of an operation are judged on the same batches."""

    def compute() -> Mapping[str, Exact]:
        arrays, options = batch.flat(), {**operation.options, **batch.form.options}
        if question == "gradient":
            return {f"d {n}": e for n, e in oracle.gradient(operation, arrays, options).items()}
        if question == "curvature":
            return {f"h {operation.differentiable[0]}": oracle.curvature(operation, arrays, options)}
        return {"value": oracle.value(operation, arrays, options)}

    exact: Mapping[str, Exact] = _remember((operation.name, batch.key, question), compute)
    return exact


@dataclass(frozen=True)
class Subject:
    """An implementation as a check sees it: something that maps inputs to results, with the arithmetic that it runs in.

    ``truth`` says what the results should be. ``peer`` gives the backend's canonical implementation of an operation in the same
    mode and dtype, or None; ``first_mode`` the same implementation in the backend's first mode.
    """

    operation: Operation
    rounding: Rounding
    evaluate: Evaluate
    has_gradient: bool = True
    peer: Callable[[str], Subject | None] = lambda name: None
    truth: Truth = by_oracle
    first_mode: Callable[[], Subject | None] = lambda: None

    def values(self, batch: Batch, question: Question = "value") -> Floats:
        """Computed values, ``(R,)`` or ``(R, n)``."""
        return _flat(self.evaluate(batch, question)["value"])

    def gradients(self, batch: Batch) -> dict[str, Floats]:
        """Computed gradients by argument name."""
        results = self.evaluate(batch, "gradient")
        return {name: _flat(results[f"d {name}"]) for name in self.operation.differentiable}

    def derivative(self, batch: Batch, question: Question) -> Floats:
        """The computed second derivative, or the derivative along a direction."""
        return _flat(self.evaluate(batch, question)[f"{question_letter(question)} {self.operation.differentiable[0]}"])

    def exact_values(self, batch: Batch) -> Exact:
        """What they should be."""
        return self.truth(self.operation, batch, "value")["value"]

    def exact_gradients(self, batch: Batch) -> dict[str, Exact]:
        """What they should be."""
        found = self.truth(self.operation, batch, "gradient")
        return {name: found[f"d {name}"] for name in self.operation.differentiable}

    def exact_curvature(self, batch: Batch) -> Exact:
        """What the second derivative should be."""
        return self.truth(self.operation, batch, "curvature")[f"h {self.operation.differentiable[0]}"]

    def value_limit(self, batch: Batch, exact: Floats) -> Floats:
        """Largest error that the bound allows, underflow included."""
        with np.errstate(all="ignore"):
            bound = self.operation.bound(batch.flat(), exact, self.rounding, **self._options(batch))
        return self.rounding_floor(bound, exact)

    def gradient_limits(self, batch: Batch) -> dict[str, Floats]:
        """The same for each gradient."""
        exact = self.exact_gradients(batch)
        assert self.operation.gradient_bound is not None
        with np.errstate(all="ignore"):
            highs = (e.high for e in exact.values())
            bounds = self.operation.gradient_bound(batch.flat(), *highs, self.rounding, **self._options(batch))
        return {name: self.rounding_floor(b, exact[name].high) for name, b in zip(exact, bounds, strict=True)}

    def curvature_limit(self, batch: Batch) -> Floats:
        """The same for the second derivative."""
        exact = self.exact_curvature(batch)
        assert self.operation.curvature_bound is not None
        with np.errstate(all="ignore"):
            bound = self.operation.curvature_bound(batch.flat(), exact.high, self.rounding)
        return self.rounding_floor(bound, exact.high)

    def rounding_floor(self, bound: Floats, exact: Floats) -> Floats:
        """No result can be nearer than correct rounding; what underflows on the way adds at most a few of the smallest numbers."""
        floor = np.maximum(bound, 0.5 * ulp(self.rounding.fmt, exact))
        return np.asarray(floor + 4.0 * self.rounding.underflow if self.operation.rounds else floor)

    def _options(self, batch: Batch) -> dict[str, float]:
        return {**self.operation.options, **batch.form.options}


def with_directions(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """The batches with something to differentiate along: what second derivatives are asked for."""
    return [batch.replaced(batch.label, {"direction": directions(batch)}) for batch in plain]


def question_letter(question: Question) -> str:
    """What a derivative's name begins with in an answer."""
    return {"gradient": "d", "curvature": "h", "tangent": "t"}[question]


def _flat(array: Floats) -> Floats:
    return array.reshape(-1, *array.shape[2:])


@dataclass(frozen=True)
class Verdict:
    """Judgement of every element of one output.

    ``score`` up to 1 holds, above it (or NaN) violates; for a bound it is the share of the bound that was used, for a law 0, infinity
    or how badly it is broken. ``judged`` leaves elements out. ``inputs`` is what was judged if it is not the batch that the check was
    given. All arrays have the output's shape. ``grades`` characterise the same results. ``note`` says what happened where there is no
    number to show. ``nearest`` are the correctly rounded results, where results are compared with those.
    """

    output: str
    score: Floats
    judged: NDArray[np.bool_]
    got: Floats
    expected: Floats
    limit: Floats
    grades: Mapping[str, float] = field(default_factory=dict)
    inputs: Batch | None = None
    note: str = ""
    nearest: Floats | None = None

    @property
    def violated(self) -> NDArray[np.bool_]:
        """Where the check does not hold."""
        return self.judged & ~(self.score <= 1.0)


Kind = Literal["law", "bound"]


@dataclass(frozen=True)
class Asked:
    """Something else that a check will ask for: of the implementation itself, or of an ``operation``'s canonical one."""

    batch: Batch
    question: Question = "value"
    operation: str = ""
    first_mode: bool = False


Prepare = Callable[[Operation, Format, Sequence[Batch]], list[Batch]]
"""(operation, format, [boundary grid, generated blocks]) → the batches that a check judges."""


Special = Callable[[Operation, Batch], Sequence[int]]


def first_example(operation: Operation, batch: Batch) -> Sequence[int]:
    """Of a batch whose examples are all of one kind."""
    return (0,)


@dataclass(frozen=True)
class Check:
    """Something that must hold of an implementation.

    ``statement`` is one sentence for the report. ``applies`` says for which operations, ``needs`` which keywords an implementation has
    to take, ``among`` which of a backend's cases. ``run`` judges a batch, for which ``asks`` is asked first; ``also`` tells what else
    ``run`` will ask for, so that it can be computed ahead. A check judges the boundary grid and the generated blocks, or what
    ``prepare`` makes of them; with ``forms`` other ways to call an operation too. ``others`` tells the operations that a backend has
    to have too. A ``thorough`` check is taken less often by a thin profile. ``compiles`` says that each of its batches has to be compiled
    anew, and how many of them a thin profile takes. A ``sequential`` one makes inputs of answers, which ``also`` cannot tell.
    ``against`` says, in nine letters at most, what results are compared with. ``special`` gives the places of a batch's examples whose
    results a record keeps: infinities, NaN and other inputs that a reader asks for by name.
    """

    name: str
    family: Literal["stability", "equivalence", "vanishing"]
    kind: Kind
    statement: str
    applies: Callable[[Operation], bool]
    run: Callable[[Subject, Batch], list[Verdict]]
    asks: Question = "value"
    others: Callable[[Operation], tuple[str, ...]] = lambda operation: ()
    forms: bool = False
    prepare: Prepare | None = None
    needs: Callable[[Operation], tuple[str, ...]] = lambda operation: ()
    among: Literal["all", "other modes", "other implementations"] = "all"
    thorough: bool = False
    compiles: int = 0
    sequential: bool = False
    against: str = "exact"
    also: Callable[[Operation, Format, Batch], list[Asked]] = lambda operation, fmt, batch: []
    special: Special = lambda operation, batch: ()

    @property
    def needs_gradient(self) -> bool:
        """Whether a backend without autodiff is left out."""
        return self.asks != "value"

    def fits(self, operation: Operation, has_gradient: bool, available: set[str]) -> bool:
        """Whether the check says anything about this operation on a backend with those operations."""
        if self.needs_gradient and not has_gradient:
            return False
        if self.asks in ("gradient", "curvature", "tangent") and not operation.gradient:
            return False
        if self.asks == "curvature" and not operation.curvature:
            return False
        return self.applies(operation) and set(self.others(operation)) <= available


def spread_over_rows(verdict: Verdict, width: int) -> Verdict:
    """A judgement of rows as one of each of their entries, so that it has the shape of an output of rows."""
    arrays: tuple[Any, ...] = (verdict.score, verdict.judged, verdict.got, verdict.expected, verdict.limit)
    score, judged, got, expected, limit = [np.asarray(np.repeat(a[:, None], width, axis=1)) for a in arrays]
    return Verdict(verdict.output, score, judged, got, expected, limit, verdict.grades, verdict.inputs)


def unit_score(fmt: Format, got: Floats, expected: Floats) -> Floats:
    """For laws of equality: 0 where both are the same (NaN too), else 1 and the difference in units in the last place."""
    with np.errstate(all="ignore"):
        distance = np.abs(got - expected) / ulp(fmt, expected)
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    return np.where(same, 0.0, np.where(np.isfinite(distance), 1.0 + distance, np.inf))


def law(output: str, holds: NDArray[np.bool_], got: Floats, expected: Floats, inputs: Batch | None = None) -> Verdict:
    """A verdict that knows right and wrong alone."""
    score = np.where(holds, 0.0, np.inf)
    return Verdict(output, score, np.ones(got.shape, dtype=bool), got, expected, np.zeros(got.shape), inputs=inputs)


def share(error: Floats, limit: Floats) -> Floats:
    """Error over limit; 0 for no error, infinite where that cannot be told."""
    with np.errstate(all="ignore"):
        score = np.where(error == 0.0, 0.0, error / limit)
    return np.where(np.isnan(score), np.inf, score)
