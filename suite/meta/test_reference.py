"""Correctly rounded results for every input: double precision against Arb, the roundings, the shortcuts, the slices themselves."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from suite import oracle, reference
from suite.expected import CONSTANT, DENSE, LINE, inputs
from suite.floats import FORMATS, Floats, Format, from_ordinal, from_patterns, round_to, to_ordinal, to_patterns
from suite.meta.curves import Subject, subjects
from suite.operations import operations
from suite.oracle import Exact
from suite.reference import Reference, chunks

Patterns = NDArray[Any]
HALF = ("float16", "bfloat16")
FLOAT32 = FORMATS["float32"]
FULL = ("sigmoid", "softplus", "log_sigmoid", "tanh", "log1p", "binary_cross_entropy_with_logits")
"""Rounded for all inputs of 16 bits; the other curves for some thousands."""

SWEPT = ("sigmoid", "log_sigmoid", "softplus", "relu", "softmax", "binary_cross_entropy_with_logits")
"""Swept over all of float32."""

SOME = 4096
LARGE_CHUNK = 1 << 20

SINGLE = [s for s in subjects() if s.piece.arity == 1]
PAIRS = [s for s in subjects() if s.piece.arity == 2]
SLICES = [pytest.param(o, p, id=", ".join(filter(None, (o.name, p.label)))) for o in operations().values() for p in o.slices]

each_subject = pytest.mark.parametrize("subject", subjects(), ids=str)
each_half = pytest.mark.parametrize("fmt", [FORMATS[name] for name in HALF], ids=HALF)


def of(operation: str, order: int = 0, piece: int = 0, dtype: str = "float32") -> Reference:
    """A reference by name."""
    return Reference(operations()[operation].slices[piece], order, FORMATS[dtype])


def stated(found: Reference, start: int, count: int, size: int) -> Patterns:
    """What a reference says of a range of inputs, chunk by chunk."""
    parts = zip(range(start, start + count, size), chunks(found, start, start + count, size), strict=True)
    return np.concatenate([e.patterns(found.fmt, at, min(size, start + count - at)) for at, e in parts])


def unsigned(fmt: Format, patterns: Patterns) -> Patterns:
    """One zero for both: the reference decides no sign of zero."""
    return np.where(patterns == fmt.sign_pattern, 0, patterns)


def judged(subject: Subject, x: Floats) -> NDArray[np.bool_]:
    """Finite inputs inside the domain."""
    return np.asarray(np.isfinite(x) & (x > subject.domain[0]) & (x < subject.domain[1]))


def misrounded(found: Reference, subject: Subject, index: NDArray[np.int64], patterns: Patterns) -> list[tuple[float, ...]]:
    """Inputs for which the patterns are not what Arb's results round to; those without a ball are left out."""
    numbers = found.numbers(index)
    kept = np.logical_and.reduce([judged(subject, x) for x in numbers])
    kinks = subject.piece.kinks if subject.order else ()
    kept &= ~np.isin(numbers[0], kinks)
    assert kept.any()
    numbers = tuple(x[kept] for x in numbers)
    exact = oracle.curve(subject.curve, numbers)
    right = to_patterns(found.fmt, round_to(found.fmt, exact.high, exact.low))
    wrong = unsigned(found.fmt, right) != unsigned(found.fmt, patterns[kept])
    return list(zip(*(x[wrong].tolist() for x in numbers), strict=True))


# Roundings


@each_half
@pytest.mark.parametrize("subject", SINGLE, ids=str)
def test_correct_rounding_at_16_bits(subject: Subject, fmt: Format) -> None:
    """As Arb's result rounds, whatever the size of a chunk."""
    found = Reference(subject.piece, subject.order, fmt)
    patterns = stated(found, 0, 1 << 16, 1 << 15)
    assert np.array_equal(stated(found, 0, 1 << 16, 1 << 10), patterns)
    index = np.arange(1 << 16)
    if subject.operation.name not in FULL:
        index = np.random.default_rng(4).choice(index, SOME, replace=False)
    assert misrounded(found, subject, index, patterns[index]) == []


def runs(fmt: Format, arity: int, count: int, size: int, seed: int) -> list[int]:
    """Starts of so many runs of inputs: half of them anywhere, the others where functions bend."""
    rng = np.random.default_rng(seed)
    x = (2.0 ** rng.uniform(-30.0, 7.5, (arity, count)) * rng.choice([1.0, -1.0], (arity, count))).astype(np.float32).astype(np.float64)
    bend = to_patterns(fmt, x).astype(np.int64)
    chosen = bend[0] if arity == 1 else (bend[0] << fmt.bits) + bend[1]
    anywhere = rng.integers(0, 1 << (fmt.bits * arity), count)
    starts: list[int] = (np.where(np.arange(count) % 2 == 0, anywhere, chosen) // size * size).tolist()
    return starts


def at_runs(found: Reference, starts: list[int], size: int) -> tuple[NDArray[np.int64], Patterns]:
    """The inputs of these runs, and what a reference says of them."""
    index = np.concatenate([np.arange(s, s + size) for s in starts])
    return index, np.concatenate([found.expected(s, size).patterns(found.fmt, s, size) for s in starts])


@pytest.mark.parametrize("subject", [s for s in SINGLE if s.operation.name in SWEPT], ids=str)
def test_correct_rounding_at_float32(subject: Subject) -> None:
    """20,000 inputs in short runs."""
    found = Reference(subject.piece, subject.order, FLOAT32)
    assert misrounded(found, subject, *at_runs(found, runs(FLOAT32, 1, 1250, 16, seed=5), 16)) == []


@each_half
@pytest.mark.parametrize("subject", PAIRS, ids=str)
def test_correct_rounding_of_pairs(subject: Subject, fmt: Format) -> None:
    """Of two numbers the first one's pattern stands before the second one's."""
    found = Reference(subject.piece, subject.order, fmt)
    index, patterns = at_runs(found, runs(fmt, 2, 512, 16, seed=6), 16)
    a, b = found.numbers(index)
    assert np.array_equal(a, from_patterns(fmt, (index >> 16).astype(np.uint16)), equal_nan=True)
    assert np.array_equal(b, from_patterns(fmt, (index & 0xFFFF).astype(np.uint16)), equal_nan=True)
    assert misrounded(found, subject, index, patterns) == []


@pytest.mark.parametrize("name", ["sigmoid", "log_sigmoid", "softplus", "relu", "tanh", "exp", "expm1", "log", "log1p"])
@pytest.mark.parametrize("dtype", [*HALF, "float32"])
def test_special_inputs(name: str, dtype: str) -> None:
    """Infinities, zeros, the domain's edges: limits for values; derivatives are not judged at infinities and kinks. NaN is NaN."""
    operation, fmt = operations()[name], FORMATS[dtype]
    numbers = np.array([*operation.special, 0.0, -0.0, -2.0, np.nan])
    right = oracle.value(operation, {"x": numbers}, {}).high
    for order in range(3):
        found = of(name, order, dtype=dtype)
        got = [float(from_patterns(fmt, found.expected(int(n), 1).patterns(fmt, int(n), 1))[0]) for n in to_patterns(fmt, numbers)]
        unjudged = ~np.isfinite(numbers) | np.isin(numbers, found.piece.kinks) | np.isnan(right)
        assert np.array_equal(np.isnan(got), unjudged if order else np.isnan(right))
        assert order or np.array_equal(got, round_to(fmt, right), equal_nan=True)


@each_half
@pytest.mark.parametrize("label", [0, 1])
def test_probabilities_outside_their_range_are_not_judged(fmt: Format, label: int) -> None:
    """Of a slice with a domain of its own; 0 and 1, where one of the two labels has a pole, are outside as well."""
    found = of("binary_cross_entropy", 0, label, fmt.name)
    x = from_patterns(fmt, inputs(fmt, 0, 1 << 16))
    nan = np.isnan(from_patterns(fmt, stated(found, 0, 1 << 16, 1 << 12)))
    assert np.array_equal(nan, ~((x > 0) & (x < 1)))


def ties(fmt: Format, low: int, factor: float = 1.0) -> tuple[Floats, Floats]:
    """The numbers above 80 whose product with a factor lies midway between two numbers of the format; and the lower of those."""
    x = from_ordinal(fmt, np.arange(int(to_ordinal(fmt, 80.0)), fmt.infinity_ordinal - low))
    below = round_to(fmt, factor * x, -1.0)
    middle = (below + from_ordinal(fmt, to_ordinal(fmt, below) + 1)) / 2
    return x[middle == factor * x], below[middle == factor * x]


@each_half
def test_a_tie_and_something_negative_rounds_down(fmt: Format) -> None:
    """¾ of a focal loss's asymptote is often a tie; the loss itself lies below it, by less than any precision shows."""
    x, below = ties(fmt, 1, 0.75)
    found = of("binary_focal_cross_entropy", dtype=fmt.name)
    assert len(x) > 100
    got = stated(found, 0, 1 << 15, 1 << 15)[to_patterns(fmt, x)]
    assert np.array_equal(from_patterns(fmt, got), below)


@each_half
def test_a_tie_and_something_positive_rounds_up(fmt: Format) -> None:
    """softplus(b − a) lies above b − a, which is a tie where a is half a unit of b."""
    found = of("sparse_softmax_cross_entropy_with_logits", dtype=fmt.name)
    b = from_ordinal(fmt, np.arange(int(to_ordinal(fmt, 128.0)), fmt.infinity_ordinal - 1))
    half = (from_ordinal(fmt, to_ordinal(fmt, b) + 1) - b) / 2
    pattern = (to_patterns(fmt, -half).astype(np.int64) << 16) + to_patterns(fmt, b)
    got = from_patterns(fmt, np.array([found.expected(int(n), 1).patterns(fmt, int(n), 1)[0] for n in pattern[::7]]))
    assert np.array_equal(got, from_ordinal(fmt, to_ordinal(fmt, b) + 1)[::7])


# Shortcuts


@pytest.mark.parametrize("size", [1 << 12, 1 << 16, LARGE_CHUNK])
@pytest.mark.parametrize("name", SWEPT)
@pytest.mark.parametrize("order", [0, 1])
def test_chunks_of_any_size_are_right(name: str, order: int, size: int) -> None:
    """Random members of chunks, constant ones and lines among them, against Arb."""
    found = of(name, order)
    subject = Subject(operations()[name], found.piece, order, 0)
    rng = np.random.default_rng(size)
    kinds = []
    for start in runs(FLOAT32, 1, 12, size, seed=7):
        expected = found.expected(start, size)
        kinds.append(expected.kind)
        index = rng.integers(start, start + size, 64)
        if judged(subject, found.numbers(index)[0]).any():
            assert misrounded(found, subject, index, expected.patterns(FLOAT32, start, size)[index - start]) == []
    assert CONSTANT in kinds or LINE in kinds


def kinds_of(found: Reference, step: int) -> dict[int, int]:
    """The kinds of every so many chunks of float32, by the chunks' first inputs."""
    starts = range(0, 1 << 32, step * LARGE_CHUNK)
    return {s: found.expected(s, LARGE_CHUNK).kind for s in starts}


def test_most_chunks_of_a_sigmoid_are_constant() -> None:
    """Only where it is not saturated, and at subnormal results, is it computed."""
    kinds = kinds_of(of("sigmoid"), 32)
    assert sum(k == CONSTANT for k in kinds.values()) > 0.8 * len(kinds)
    assert DENSE in kinds.values()


def test_softplus_ends_in_a_line() -> None:
    """Beyond 128 it is its input, up to the chunk with the infinity; its mirror image is so on the other side."""
    softplus, loss = of("softplus"), of("log_sigmoid")
    for start in range(0x43000000, 0x7F800000, 24 * LARGE_CHUNK):
        assert softplus.expected(start, LARGE_CHUNK).kind == LINE
        mirrored = loss.expected(start | 0x80000000, LARGE_CHUNK)
        assert (mirrored.kind, mirrored.patterns(FLOAT32, start | 0x80000000, 2).tolist()) == (
            LINE,
            [start | 0x80000000, start + 1 | 0x80000000],
        )
    assert softplus.expected(0x43000000 - LARGE_CHUNK, LARGE_CHUNK).kind == DENSE
    assert softplus.expected(0x7F800000, LARGE_CHUNK).kind == DENSE
    assert softplus.expected(0x7F800000 + LARGE_CHUNK, LARGE_CHUNK).pattern == FLOAT32.nan_pattern


def test_a_shortcut_needs_a_trend() -> None:
    """The slope of a squared error rises on the left of 0 and does both on the right, where its zeros are computed one by one."""
    found = of("sigmoid_squared_error", 1)
    assert [found.expected(start, LARGE_CHUNK).kind for start in (0x60000000, 0xE0000000)] == [DENSE, CONSTANT]


@pytest.mark.parametrize("dtype", [*HALF, "float32"])
@pytest.mark.parametrize(("name", "order"), [("sigmoid", 0), ("softplus", 0), ("tanh", 2), ("log1p", 0), ("log_sigmoid", 1)])
def test_a_wider_margin_changes_nothing(name: str, order: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What double precision leaves open is asked of Arb, and comes out the same."""
    found, starts = of(name, order, dtype=dtype), runs(FORMATS[dtype], 1, 64, 32, seed=8)
    asked: list[int] = []
    own = oracle.curve

    def counted(curve: Any, numbers: Any) -> Exact:
        asked.append(len(numbers[0]))
        return own(curve, numbers)

    before = at_runs(found, starts, 32)[1]
    monkeypatch.setattr(reference, "ERROR", 2.0**-20 if dtype == "float32" else 2.0**-9)
    monkeypatch.setattr(oracle, "curve", counted)
    assert np.array_equal(at_runs(found, starts, 32)[1], before)
    assert sum(asked) > 100


@pytest.mark.parametrize(
    ("name", "order", "piece"), [("sigmoid", 0, 0), ("tanh", 2, 0), ("log1p", 0, 0), ("logaddexp", 0, 1), ("softmax", 1, 1)]
)
@each_half
def test_an_error_within_the_margin_changes_nothing(
    name: str, order: int, piece: int, fmt: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A curve that errs to either side by all that it may: relative to the larger number too where a sum with it cancels."""
    found = of(name, order, piece, fmt.name)
    curve, bound = found.curve, 2.0**-10

    def erring(*numbers: Floats) -> Floats:
        y = curve.compute(*numbers)
        size = np.abs(y) + (np.abs(np.maximum(*numbers)) if curve.cancels else 0.0)
        return np.asarray(y + np.where(np.isfinite(size), 0.99 * bound * size * np.where(np.arange(len(y)) % 2, 1.0, -1.0), 0.0))

    starts = runs(fmt, found.piece.arity, 64, 32, seed=8) if order or not piece else cancelling(fmt)
    wrong = dataclasses.replace(found.piece, curves=(*found.piece.curves[:order], dataclasses.replace(curve, compute=erring)))
    before = at_runs(found, starts, 32)[1]
    monkeypatch.setattr(reference, "ERROR", bound)
    assert np.array_equal(at_runs(Reference(wrong, order, fmt), starts, 32)[1], before)


def cancelling(fmt: Format) -> list[int]:
    """Runs of pairs with log(e^a + e^b) near 0."""
    a = -(2.0 ** np.random.default_rng(9).uniform(-4.0, 2.0, 64))
    first, second = (to_patterns(fmt, x).astype(np.int64) for x in (a, np.log1p(-np.exp(a))))
    starts: list[int] = ((first << 16) + second // 32 * 32).tolist()
    return starts


def test_zeros_need_no_arb(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result of −0, whole binades of which a second derivative has, is no open question."""
    monkeypatch.setattr(oracle, "curve", None)
    for name, order, piece in (("tanh", 2, 0), ("sigmoid", 2, 0), ("binary_focal_cross_entropy", 1, 1)):
        expected = of(name, order, piece).expected(0x60000000, 64)
        assert not expected.patterns(FLOAT32, 0x60000000, 64).any()


# The frontier, the formats


def test_float64_is_refused() -> None:
    """Double precision cannot decide its own rounding."""
    with pytest.raises(ValueError, match="float64"):
        of("sigmoid", dtype="float64")


@pytest.mark.parametrize("dtype", [*HALF, "float32"])
@pytest.mark.parametrize("threshold", [0, 1, 100])
def test_the_frontier_is_where_a_slope_ends(dtype: str, threshold: int) -> None:
    """The first input on either side whose result is as small; the one before it has a larger one."""
    found = of("sigmoid", 1, dtype=dtype)
    for side, at in zip((1, -1), found.frontier(threshold), strict=True):
        assert at is not None
        assert (at >= found.fmt.sign_pattern) == (side < 0)
        exact = oracle.curve(found.curve, found.numbers(np.array([at - 1, at])))
        before, after = to_ordinal(found.fmt, round_to(found.fmt, exact.high, exact.low))
        assert before > threshold >= after
    assert dtype != "float32" or threshold or 103.9 < float(found.numbers(np.array([found.frontier(0)[0]]))[0][0]) < 104.0


def test_what_does_not_fall_to_zero_has_no_frontier() -> None:
    """A sigmoid does so on one side; what is not monotone, or has two numbers, on none."""
    right, left = of("sigmoid").frontier(0)
    assert right is None
    assert left is not None
    assert of("tanh").frontier(0) == of("sigmoid", 2).frontier(0) == of("softmax", 0, 1, "float16").frontier(0) == (None, None)
