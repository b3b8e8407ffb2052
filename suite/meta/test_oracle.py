"""The exact reference against another one: textbook formulas in mpmath, difference quotients for gradients."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from math import inf, nan
from typing import Any

import numpy as np
import pytest
from mpmath import mp
from numpy.typing import NDArray

from suite import oracle
from suite.floats import FORMATS, Floats, round_to
from suite.meta.naive import FORMULAS, GRADIENT_BITS, agrees, difference, numbers, truths
from suite.model import Argument, Operation
from suite.operations import operations
from suite.oracle import Exact

Arrays = dict[str, NDArray[Any]]
SEED = 11
each_operation = pytest.mark.parametrize("operation", operations().values(), ids=operations())
with_gradient = [o for o in operations().values() if o.gradient]


def reals(rng: np.random.Generator, count: int) -> Floats:
    """Of every magnitude from the smallest subnormal to the largest number, half of them where functions bend."""
    bits = rng.integers(0, 0x7FEFFFFFFFFFFFFF, count // 4, dtype=np.uint64).view(np.float64)
    bend = np.exp(rng.uniform(-40.0, 7.0, count - len(bits)))
    return np.asarray(np.concatenate([bits, bend]) * rng.choice([-1.0, 1.0], count))


def row_reals(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Rows with ties, a dominant class, a large offset, or of wild magnitudes."""
    x = rng.integers(-12, 13, shape) * 2.0 ** rng.integers(-6, 7, (shape[0], 1)) + rng.choice([0.0, 1e4], (shape[0], 1))
    x[::4] = reals(rng, x[::4].size).reshape(-1, shape[1]) / 4
    x[1::4, 0] += 2.0 ** rng.integers(0, 11, x[1::4, 0].shape)
    return np.asarray(x)


def drawn(argument: Argument, rng: np.random.Generator, count: int, width: int) -> NDArray[Any]:
    """Numbers for one argument by its role."""
    shape = (count, width)
    if argument.role == "real":
        return row_reals(rng, shape) if argument.rows else reals(rng, count)
    if argument.role == "probability":
        return np.asarray(rng.dirichlet([0.3] * width, count) + 1e-300) if argument.rows else probabilities(rng, count)
    if argument.role == "distribution":
        return distributions(rng, shape)
    if argument.role == "mask":
        return np.asarray(rng.random(shape) < np.array([1.0] + [0.5] * (width - 1)))
    if argument.role == "index":
        return rng.integers(0, width, count)
    if argument.role in ("binary", "hard"):
        return rng.choice([0.0, 1.0] if argument.role == "hard" else [0.0, 1.0, 0.25, 0.5], count)
    return np.maximum(np.abs(reals(rng, count)), 2.0**-1022) if argument.role == "positive" else np.exp(rng.uniform(-3, 3, count))


def points(operation: Operation, count: int, width: int = 4) -> Arrays:
    """Examples for an operation; the edges of its domain are tested by name."""
    rng = np.random.default_rng(SEED)
    made = {a.name: drawn(a, rng, count, width) for a in operation.arguments}
    if operation.shape == "elementwise" and len(made) == 1:
        low, high = operation.domain
        return {name: x[(x > low) & (x < high)] for name, x in made.items()}
    return made


def probabilities(rng: np.random.Generator, count: int) -> Floats:
    """Near 0 and near 1."""
    small = 2.0 ** -rng.uniform(1.0, 1020.0, count)
    return np.where(rng.random(count) < 0.5, 1 - 2.0 ** -rng.integers(1, 54, count).astype(float), small)


def distributions(rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """One-hot rows and soft ones."""
    hot = np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
    return np.where((np.arange(shape[0]) % 2 == 0)[:, None], hot, rng.dirichlet([1.0] * shape[1], shape[0]))


def disagreements(exact: Exact, expected: list[Any]) -> list[tuple[int, ...]]:
    """Places where the oracle and the truth differ."""
    places: Iterator[tuple[int, ...]] = np.ndindex(exact.high.shape)
    with mp.workprec(GRADIENT_BITS):
        return [p for p in places if not agrees(exact, p, expected[p[0]] if len(p) == 1 else expected[p[0]][p[1]])]


def formula(operation: Operation, **changed: float) -> Callable[..., Any]:
    """The textbook formula with the operation's options."""
    options = {**operation.options, **changed}
    return lambda *row: FORMULAS[operation.name](*row, **options)


def gradients(operation: Operation, arrays: Arrays, index: int) -> list[Any]:
    """Difference quotients for argument ``index`` on every example."""
    cotangent = operation.shape == "row"

    def one(*row: Any) -> Any:
        inner = row[: len(operation.arguments)]
        return difference(formula(operation), inner, index, row[-1] if cotangent else None)

    return truths(one, arrays, GRADIENT_BITS)


def test_every_operation_has_a_formula() -> None:
    """A new operation needs its textbook formula in ``suite.meta.naive``."""
    assert set(FORMULAS) == set(operations())


@each_operation
def test_values(operation: Operation) -> None:
    """Correctly rounded high parts, sums good to 2^−100."""
    arrays = points(operation, 60 if operation.has_rows else 300)
    exact = oracle.value(operation, arrays, operation.options)
    assert disagreements(exact, truths(formula(operation), arrays)) == []


@pytest.mark.parametrize("operation", with_gradient, ids=lambda o: o.name)
def test_gradients(operation: Operation) -> None:
    """The same for every partial derivative; rows are contracted with a cotangent of any numbers."""
    arrays = points(operation, 12 if operation.has_rows else 60)
    first = next(iter(arrays.values()))
    if operation.shape == "row":
        arrays["cotangent"] = np.random.default_rng(SEED).integers(-2, 3, first.shape).astype(float)
        arrays["cotangent"][::2] = np.eye(first.shape[1])[np.arange(len(first[::2])) % first.shape[1]]
    exact = oracle.gradient(operation, arrays, operation.options)
    assert list(exact) == list(operation.differentiable)
    for index, argument in enumerate(operation.arguments):
        if argument.differentiable:
            assert disagreements(exact[argument.name], gradients(operation, arrays, index)) == []


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_masks(name: str) -> None:
    """A masked row is the row of the others; masked entries are 0, −inf for log_softmax, and have gradient 0."""
    operation = operations()[name]
    arrays = points(operation, 24, 6)
    mask = arrays["x"] > np.median(arrays["x"], axis=-1, keepdims=True)
    mask[::3] = True
    exact = oracle.value(operation, {**arrays, "where": mask}, {})
    for i, keep in enumerate(mask):
        short = {"x": arrays["x"][i : i + 1, keep]}
        mine = exact[i : i + 1] if name == "logsumexp" else exact[i : i + 1][:, keep]
        assert disagreements(mine, truths(formula(operation), short)) == []
    if name != "logsumexp":
        assert set(exact.high[~mask]) == {-inf if name == "log_softmax" else 0.0}


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp", "sparse_softmax_cross_entropy_with_logits"])
def test_masked_gradients(name: str) -> None:
    """Those of the short row, 0 where masked."""
    operation = operations()[name]
    arrays = points(operation, 8, 5)
    rows, ones = next(iter(arrays.values())), np.ones((8, 5))
    mask = np.arange(5) % 5 != (np.arange(8) % 5)[:, None]
    if "labels" in arrays:
        mask |= np.arange(5) == arrays["labels"][:, None]
    given = {**arrays, "where": mask, **({"cotangent": ones * np.arange(5)} if operation.shape == "row" else {})}
    exact = oracle.gradient(operation, given, {})[operation.differentiable[0]]
    assert not exact.high[~mask].any()
    for i, keep in enumerate(mask):
        short: Arrays = {"x": rows[i : i + 1, keep]}
        short |= {"labels": np.array([int(keep[: arrays["labels"][i]].sum())])} if "labels" in arrays else {}
        short |= {"cotangent": given["cotangent"][i : i + 1, keep]} if "cotangent" in given else {}
        assert disagreements(exact[i : i + 1][:, keep], gradients(operation, short, 0)) == []


def test_masked_labels() -> None:
    """Soft labels outside the mask have no share in the loss."""
    operation = operations()["softmax_cross_entropy_with_logits"]
    arrays = points(operation, 20)
    mask = arrays["labels"] > 0
    exact = oracle.value(operation, {**arrays, "where": mask}, {})
    for i, keep in enumerate(mask):
        short = {name: array[i : i + 1, keep] for name, array in arrays.items()}
        assert disagreements(exact[i : i + 1], truths(formula(operation), short)) == []


def test_weights() -> None:
    """log Σ b e^x and its gradient with respect to x."""
    operation = operations()["logsumexp"]
    arrays = points(operation, 20)
    arrays["b"] = np.exp(np.random.default_rng(SEED).uniform(-5, 5, arrays["x"].shape))
    exact = oracle.value(operation, arrays, {})
    assert disagreements(exact, truths(FORMULAS["logsumexp"], arrays)) == []
    slope = oracle.gradient(operation, arrays, {})["x"]
    expected = truths(lambda x, b: difference(FORMULAS["logsumexp"], [x, b], 0, None), arrays, GRADIENT_BITS)
    assert disagreements(slope, expected) == []


@pytest.mark.parametrize(("gamma", "alpha"), [(0.0, 0.5), (0.5, 0.25), (5.0, 0.9)])
def test_focal_options(gamma: float, alpha: float) -> None:
    """Other values of gamma and alpha than the default ones."""
    operation = operations()["binary_focal_cross_entropy"]
    arrays = points(operation, 40)
    options = {"gamma": gamma, "alpha": alpha}
    exact = oracle.value(operation, arrays, options)
    assert disagreements(exact, truths(formula(operation, **options), arrays)) == []
    slope = oracle.gradient(operation, arrays, options)["logits"]
    expected = truths(lambda x, y: difference(formula(operation, **options), [x, y], 0, None), arrays, GRADIENT_BITS)
    assert disagreements(slope, expected) == []


SPECIAL = {
    "exp": {inf: inf, -inf: 0.0, 0.0: 1.0},
    "expm1": {inf: inf, -inf: -1.0, 0.0: 0.0},
    "log": {inf: inf, 0.0: -inf, -1.0: nan, -inf: nan, 1.0: 0.0},
    "log1p": {inf: inf, -1.0: -inf, -2.0: nan, -inf: nan, 0.0: 0.0},
    "tanh": {inf: 1.0, -inf: -1.0, 0.0: 0.0},
    "sigmoid": {inf: 1.0, -inf: 0.0, 0.0: 0.5},
    "log_sigmoid": {inf: 0.0, -inf: -inf},
    "softplus": {inf: inf, -inf: 0.0},
    "relu": {inf: inf, -inf: 0.0, 0.0: 0.0},
}
"""ISO C17, annex F.10, and limits."""


@pytest.mark.parametrize("name", SPECIAL)
def test_special_values(name: str) -> None:
    """Infinities, poles, zeros, points outside the domain, NaN."""
    x = np.array([*SPECIAL[name], nan])
    got = oracle.value(operations()[name], {"x": x}, {}).high
    assert np.array_equal(got, [*SPECIAL[name].values(), nan], equal_nan=True)


def test_minus_zero() -> None:
    """The sign of a zero decides nothing: log(−0) is −inf, as C has it."""
    minus = np.array([-0.0])
    assert oracle.value(operations()["log"], {"x": minus}, {}).high.tolist() == [-inf]
    assert oracle.value(operations()["sigmoid"], {"x": minus}, {}).high.tolist() == [0.5]


@pytest.mark.parametrize("name", SPECIAL)
def test_no_gradient_at_special_points(name: str) -> None:
    """NaN marks what has no derivative: infinities, poles, kinks, NaN."""
    edges = [inf, -inf, nan, *{"log": [0.0, -1.0], "log1p": [-1.0, -2.0], "relu": [0.0]}.get(name, [])]
    assert np.isnan(oracle.gradient(operations()[name], {"x": np.array(edges)}, {})["x"].high).all()


@pytest.mark.parametrize("name", ["sigmoid", "log", "softmax", "binary_focal_cross_entropy", "logaddexp2"])
@pytest.mark.parametrize("fault", ["float32", "1e-12", "no low part", "one ulp"])
def test_a_coarser_oracle_is_caught(name: str, fault: str) -> None:
    """The comparison above tells a reference apart that is a little wrong."""
    operation = operations()[name]
    arrays = points(operation, 24)
    exact = oracle.value(operation, arrays, operation.options)
    coarse: Floats = {
        "float32": round_to(FORMATS["float32"], exact.high),
        "1e-12": exact.high * (1 + 1e-12),
        "no low part": exact.high,
        "one ulp": np.nextafter(exact.high, inf),
    }[fault]
    wrong = dataclasses.replace(exact, high=coarse, low=exact.low if fault == "one ulp" else np.zeros(exact.low.shape))
    assert disagreements(wrong, truths(formula(operation), arrays)) != []


def test_ties_and_exact_values_are_resolved() -> None:
    """Exactly representable results end Ziv's loop with a rest of 0."""
    sums = {"values": np.array([[1.0, 2.0], [0.5, 2.0**-60]]), "mask": np.ones((2, 2), bool)}
    exact = oracle.value(operations()["masked_mean"], sums, {})
    assert exact.high.tolist() == [1.5, 0.25]
    assert exact.low.tolist() == [0.0, 2.0**-61]
    relu = oracle.value(operations()["relu"], {"x": np.array([0.1, -0.1])}, {})
    assert (relu.high.tolist(), relu.low.tolist()) == ([0.1, 0.0], [0.0, 0.0])


def test_numbers_keep_indices_and_masks() -> None:
    """Only floats become mpf."""
    assert numbers([1.5, [0.25]]) == [1.5, [0.25]]
    assert type(numbers(3)) is int
    assert numbers([True]) == [True]
