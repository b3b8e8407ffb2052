"""The slices' curves: double precision against Arb on millions of points, and whether they are what their operations say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint
import numpy as np
import pytest
from numpy.typing import NDArray

from suite import oracle
from suite.floats import Floats
from suite.meta.curves import WANTED, Subject, errors, points, subjects
from suite.model import Operation, Slice
from suite.operations import operations
from suite.reference import ERROR, UNDERFLOW

SOME = 12_000
SLICES = [pytest.param(o, p, id=", ".join(filter(None, (o.name, p.label)))) for o in operations().values() for p in o.slices]

each_subject = pytest.mark.parametrize("subject", subjects(), ids=str)


# Double precision


def test_every_operation_is_seen_often_enough() -> None:
    """Over its curves, a million points for each operation."""
    counts = {id(s.curve): s.count for s in subjects()}
    for operation in operations().values():
        if operation.slices:
            assert sum(counts[i] for i in {id(c) for p in operation.slices for c in p.curves}) >= WANTED


@each_subject
def test_double_precision_is_as_good_as_stated(subject: Subject) -> None:
    """Within a quarter of the bound; a difference of two numbers is itself rounded, which takes half of it."""
    numbers = points(subject, subject.count, seed=sum(map(ord, str(subject))))
    assert len(numbers[0]) >= 0.9 * subject.count
    found = errors(subject.curve, numbers)
    worst = int(found.argmax())
    assert found[worst] <= ERROR * (0.25 if subject.piece.arity == 1 else 0.6), [float(n[worst]) for n in numbers]


COARSER: dict[str, Callable[[Floats], Floats]] = {
    "rounded to float32": lambda y: y.astype(np.float32).astype(np.float64), "2^-40 off": lambda y: y * (1 + 2.0**-40),
}  # fmt: skip
INEXACT = [s for s in subjects() if s.operation.rounds]


@pytest.mark.parametrize("subject", INEXACT, ids=str)
@pytest.mark.parametrize("fault", COARSER)
def test_a_coarser_curve_is_caught(subject: Subject, fault: str) -> None:
    """Where it is inexact, its results lie outside the bound."""
    numbers = points(subject, SOME, seed=1)
    with np.errstate(all="ignore"):
        found = errors(subject.curve, numbers, lambda *x: COARSER[fault](subject.curve.compute(*x)))
    assert np.mean(found > ERROR) > 0.05


NAIVE: dict[tuple[str, int], Callable[..., Any]] = {
    ("softplus", 0): lambda x: np.log(1 + np.exp(x)),
    ("log_sigmoid", 0): lambda x: np.log(1 / (1 + np.exp(-x))),
    ("sigmoid", 0): lambda x: 1 - 1 / (1 + np.exp(x)),
    ("sigmoid", 1): lambda x: (s := 1 / (1 + np.exp(-x))) * (1 - s),
    ("expm1", 0): lambda x: np.exp(x) - 1,
    ("log1p", 0): lambda x: np.log(1 + x),
    ("tanh", 0): lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    ("tanh", 1): lambda x: 1 - np.tanh(x) ** 2,
}  # fmt: skip


@pytest.mark.parametrize(("name", "order"), NAIVE, ids=lambda v: str(v))
def test_a_naive_formula_is_caught(name: str, order: int) -> None:
    """Cancellation, overflow, a lost tail."""
    subject = Subject(operations()[name], operations()[name].slices[0], order, SOME)
    assert (errors(subject.curve, points(subject, SOME, seed=2), NAIVE[name, order]) > ERROR).any()


def test_a_naive_sum_of_two_is_caught() -> None:
    """log(e^a + e^b) overflows."""
    subject = next(s for s in subjects() if s.curve.cancels)
    assert (errors(subject.curve, points(subject, SOME, seed=2), lambda a, b: np.log(np.exp(a) + np.exp(b))) > ERROR).any()


def test_what_lies_outside_a_domain_is_nan() -> None:
    """Where a value is not defined, and beside it where its derivatives are not."""
    for subject in (s for s in subjects() if s.piece.arity == 1):
        x = points(Subject(subject.operation, Slice((subject.curve,)), 0, SOME), SOME, seed=3)[0]
        own = subject.operation.domain
        with np.errstate(all="ignore"):
            y = subject.curve.compute(x)
        outside = (x < own[0]) | (x > own[1])
        assert np.isnan(y[outside]).all(), str(subject)
        assert not np.isnan(y[(x > subject.domain[0]) & (x < subject.domain[1])]).any(), str(subject)


# The slices


def arguments(operation: Operation, piece: Slice, moving: list[Floats]) -> dict[str, NDArray[Any]]:
    """The operation's arguments for numbers of a slice, with a cotangent for the first entry of a row."""
    count = len(moving[0])
    rest = [np.full(count, v) for v in piece.row]
    made: dict[str, NDArray[Any]] = {name: np.full(count, value) for name, value in piece.fixed.items()}
    places = iter(moving)
    for place, argument in enumerate(operation.arguments):
        if place in piece.moving:
            made[argument.name] = np.stack([*moving, *rest], axis=-1) if argument.rows else next(places)
    if operation.shape == "row":
        made["cotangent"] = np.array([[1.0, 0.0]] * count)
    return made


@pytest.mark.parametrize(("operation", "piece"), SLICES)
def test_a_slice_is_the_operation_with_the_others_fixed(operation: Operation, piece: Slice) -> None:
    """Value and derivative, to 2^−100."""
    moving = [n[-50:] for n in points(Subject(operation, piece, 0, 50), SOME, seed=9)]
    arrays = arguments(operation, piece, moving)
    wrt = operation.arguments[piece.moving[0]].name
    of_operation = oracle.value(operation, arrays, operation.options), oracle.gradient(operation, arrays, operation.options)[wrt]
    for curve, whole in zip(piece.curves, of_operation, strict=False):
        right = whole[:, 0] if whole.high.ndim > 1 else whole
        found = oracle.curve(curve, moving)
        judged = np.isfinite(right.high) & (np.abs(right.high) > UNDERFLOW)
        assert judged.sum() > 10
        assert np.array_equal(found.high[judged], right.high[judged])
        assert (np.abs(found.low - right.low) <= 2.0**-100 * np.abs(right.high))[judged].all()


@pytest.mark.parametrize(("operation", "piece"), [p for p in SLICES if len(p.values[1].curves) > 2])  # type: ignore[union-attr]
def test_second_derivatives_are_slopes_of_first_ones(operation: Operation, piece: Slice) -> None:
    """Difference quotients at 800 bits."""
    low, high = Subject(operation, piece, 2, 0).domain
    x = np.random.default_rng(10).uniform(max(low, -30.0), min(high, 30.0), 50)
    with flint.ctx.workprec(800):
        for number in map(flint.arb, x.tolist()):
            step = abs(number) * flint.arb(2) ** -200
            slope = (piece.curves[1].ball(number + step) - piece.curves[1].ball(number - step)) / (2 * step)
            bend = piece.curves[2].ball(number)
            assert abs(slope - bend) <= abs(bend) * flint.arb(2) ** -100
