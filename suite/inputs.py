"""Inputs: the boundary grid and the generated ones, for an operation at a dtype.

Inputs come in batches of blocks of one shape, since each new shape is a compilation. Hypothesis draws the generated blocks, once for
all implementations of an operation at a dtype, from the seed of the run; the strategy is there for shrinking what fails.
Real numbers are drawn as ordinals of the dtype's numbers (log-uniform over bit patterns), near critical points, and in the range where
nothing saturates. Rows keep below a quarter of the dtype's range, so that differences of two entries stay finite.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from suite.batch import Arrays, Batch, Form, unit_vectors
from suite.floats import Floats, Format, from_ordinal, round_to, to_ordinal
from suite.model import Argument, Operation

ELEMENTS = 256
"""Numbers in a block of an elementwise operation."""


def block_shape(operation: Operation, rows: tuple[int, int]) -> tuple[int, ...]:
    """The shape of an operation's first argument in one block."""
    return rows if operation.has_rows else (ELEMENTS,)


DENSE_RAMP = np.arange(-480, 481) / 20.0
"""Through the unsaturated range, for functions of one number: nothing a twentieth wide goes unseen there."""


# The boundary grid


def critical_points(operation: Operation, fmt: Format) -> Floats:
    """Positive and negative points near which something happens: exp over- or underflows, 1 − σ rounds to 1, formulas switch."""
    u, log = fmt.u, np.log
    thresholds = [log(fmt.max), log(fmt.tiny), log(fmt.eta), log(fmt.eta) - log(2.0), log(u), log(u / 2), log(2 * u), log(u) / 2, 1.0]
    finite = [c for c in operation.critical if abs(c) <= fmt.max]
    return round_to(fmt, np.unique(np.concatenate([thresholds, -np.asarray(thresholds), finite])))


def elementwise_grid(operation: Operation, fmt: Format) -> Floats:
    """Zeros, subnormals, extremes, powers of two, critical points with their neighbours, and a ramp through the unsaturated range."""
    near = from_ordinal(fmt, to_ordinal(fmt, critical_points(operation, fmt))[:, None] + np.arange(-2, 3)).ravel()
    exponents = np.unique(np.linspace(fmt.emin - fmt.precision + 1, fmt.emax, 40).astype(int))
    powers = np.ldexp(1.0, exponents)
    extremes = np.array([fmt.eta, 2 * fmt.eta, fmt.tiny - fmt.eta, fmt.tiny, fmt.max, fmt.max / 2, np.inf])
    ramp = round_to(fmt, np.concatenate([np.linspace(-24.0, 24.0, 65), np.linspace(np.log(fmt.eta), np.log(fmt.max), 31)]))
    points = np.concatenate([near, powers, -powers, extremes, -extremes, ramp])
    return np.concatenate([[0.0, -0.0], np.unique(points[points != 0])])


def _blocks(values: NDArray[Any], size: int) -> NDArray[Any]:
    """Cut into blocks, the last one filled up with its own last entry."""
    count = -(-len(values) // size)
    index = np.minimum(np.arange(count * size), len(values) - 1)
    return values[index].reshape(count, size, *values.shape[1:])


def _pair_grid(operation: Operation, fmt: Format) -> Arrays:
    """All pairs of a short grid, labels with every logit."""
    long = elementwise_grid(operation, fmt)
    long = long[np.isfinite(long)]
    short = np.unique(np.concatenate([long[:: max(1, len(long) // 24)], [0.0, 1.0, -1.0, fmt.tiny]]))
    columns: list[Floats] = []
    for argument in operation.arguments:
        choice: Floats = {
            "binary": np.array([0.0, 1.0, 0.25]),
            "hard": np.array([0.0, 1.0]),
            "weight": np.array([1.0, 4.0]),
            "positive": short[short > 0],
            "probability": _probability_grid(fmt),
        }.get(argument.role, short if len(operation.differentiable) > 1 else long)
        columns.append(choice)
    pairs = np.array(list(itertools.product(*columns)))
    return {a.name: _blocks(pairs[:, i], ELEMENTS) for i, a in enumerate(operation.arguments)}


def _probability_grid(fmt: Format) -> Floats:
    """From the smallest normal number to 1 − u, dense at both ends and at ½."""
    small = np.ldexp(1.0, np.unique(np.linspace(fmt.emin, -1, 40).astype(int)))
    below_one = 1.0 - np.ldexp(1.0, -np.arange(1, fmt.precision + 1))
    return np.unique(round_to(fmt, np.concatenate([small, below_one, np.linspace(0.01, 0.99, 33)])))


def _row_grid(operation: Operation, fmt: Format, rows: tuple[int, int]) -> Arrays:
    """Rows with one dominant class by a critical gap, first or last, with and without an offset; ties, equal rows, ramps.

    And rows whose largest entry is 0: the logarithm of their sum is as small as the others' share.
    """
    n = rows[1]
    gaps = np.abs(critical_points(operation, fmt))
    gaps = np.unique(np.concatenate([[0.0], gaps[gaps < fmt.max / 8]]))
    patterns = []
    for offset in (0.0, 100.0):
        for gap in gaps:
            for place in (0, n - 1):
                row = np.full(n, offset)
                row[place] += gap
                patterns.append(row)
            patterns.append(np.where(np.arange(n) < min(2, n), offset + gap, offset))
            patterns.append(offset + np.linspace(-1.0, 1.0, n) * gap)
    patterns += [np.where(np.arange(n) == i % n, 0.0, -gap) for i, gap in enumerate(gaps)]
    x = round_to(fmt, np.array(patterns))
    return {name: _blocks(a, rows[0]) for name, a in _row_arrays(operation, fmt, x).items()}


def _row_arrays(operation: Operation, fmt: Format, x: Floats) -> Arrays:
    """The other arguments for given logits: labels of the largest class and others in turns, one-hot, every third row soft."""
    count, n = x.shape
    index = np.where(np.arange(count) % 2 == 0, x.argmax(axis=-1), np.arange(count) // 4 % n)
    one_hot = (np.arange(n) == index[:, None]).astype(np.float64)
    share = 2.0 ** -np.ceil(np.log2(n) + 1)
    even = np.where(one_hot > 0, 1.0 - (n - 1) * share, share)
    soft = np.where((np.arange(count) % 3 == 2)[:, None], even, one_hot)
    mask = (np.arange(n) + np.arange(count)[:, None]) % 3 != 1
    mask[:, 0] |= ~mask.any(axis=1)
    made: Arrays = {}
    for argument in operation.arguments:
        made[argument.name] = {
            "index": index,
            "distribution": soft,
            "mask": mask,
            "probability": _to_probabilities(fmt, x),
        }.get(argument.role, x)
    return made


def _to_probabilities(fmt: Format, x: Floats) -> Floats:
    """The softmax of rows, as normal numbers of the format below 1."""
    weights = np.exp(np.maximum(x - x.max(axis=-1, keepdims=True), -700.0))
    return round_to(fmt, np.clip(weights / weights.sum(axis=-1, keepdims=True), fmt.tiny, 1.0 - fmt.u))


def grid(operation: Operation, fmt: Format, rows: tuple[int, int]) -> Batch:
    """The boundary grid, plain form."""
    label = "boundary grid"
    if operation.has_rows:
        return Batch(label, _with_cotangent(operation, _row_grid(operation, fmt, rows)))
    if len(operation.arguments) == 1:
        signed, points = np.split(elementwise_grid(operation, fmt), [2])
        points = np.unique(np.concatenate([points, round_to(fmt, DENSE_RAMP)]))
        return Batch(label, {operation.arguments[0].name: _blocks(np.concatenate([signed, points[points != 0]]), ELEMENTS)})
    return Batch(label, _pair_grid(operation, fmt))


def _with_cotangent(operation: Operation, arrays: Arrays) -> Arrays:
    """For an operation that returns rows: unit vectors, class by class."""
    if operation.shape != "row" or operation.gradient is None:
        return arrays
    first = arrays[operation.arguments[0].name]
    return {**arrays, "cotangent": unit_vectors(first.shape)}


def with_form(batch: Batch, operation: Operation, fmt: Format, form: Form) -> Batch:
    """The same inputs called another way; masks keep at least one entry, and the labelled class. What is masked is large."""
    name = operation.arguments[0].name
    shape = batch.arrays[name].shape
    extra: Arrays = {}
    if "where" in form.extra:
        mask = np.arange(np.prod(shape)).reshape(shape) % 3 != 0
        for argument in operation.arguments:
            if argument.role == "index":
                mask |= np.arange(shape[-1]) == batch.arrays[argument.name][..., None]
            elif argument.role == "distribution":
                mask |= batch.arrays[argument.name] > 0
        mask[..., -1] |= ~mask.any(axis=-1)
        extra["where"] = mask
        extra[name] = np.where(mask, batch.arrays[name], fmt.max / 4)
    if "b" in form.extra:
        extra["b"] = 2.0 ** (np.arange(np.prod(shape)).reshape(shape) % 5 - 2)
    return Batch(batch.label, {**batch.arrays, **extra}, form)


# Generated inputs


_DRAWN = 1000
"""Hypothesis draws no more than 8 KiB for an example: larger blocks repeat what was drawn."""


def _integers(count: int) -> st.SearchStrategy[NDArray[np.uint64]]:
    """Uniform 64-bit integers for one block, drawn as one string of bytes: thousands at the cost of one; all zeros is the simplest."""
    size = 8 * min(count, _DRAWN)
    return st.binary(min_size=size, max_size=size).map(lambda drawn: np.resize(np.frombuffer(drawn, dtype="<u8"), count))


def _raw_size(operation: Operation, rows: tuple[int, int]) -> int:
    """How many integers a block takes: one for each number, and for rows two for each example besides."""
    if operation.has_rows:
        return rows[0] * rows[1] + 2 * rows[0]
    return ELEMENTS * len(operation.arguments)


def _choose(drawn: NDArray[np.uint64], options: ArrayLike) -> NDArray[Any]:
    """An entry of ``options`` for each integer; its upper half decides, 0 means the first."""
    table = np.asarray(options)
    return table[((drawn >> np.uint64(32)) % np.uint64(len(table))).astype(np.int64)]


_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: multiplying by it spreads an integer over all of 64 bits, which float64's range takes."""


def _numbers(operation: Operation, fmt: Format, drawn: NDArray[np.uint64], low: float, high: float) -> Floats:
    """Integers as numbers in [low, high]: a third each in the unsaturated range, near a critical point, and log-uniform."""
    first, last = (int(o) for o in to_ordinal(fmt, [low, high]))
    anywhere = drawn * _GOLDEN
    style, drawn = drawn % np.uint64(3), drawn // np.uint64(3)
    ramp = np.concatenate([np.arange(-640, 641) / 20.0, np.linspace(np.log(fmt.eta), np.log(fmt.max), 640)])
    plain = to_ordinal(fmt, round_to(fmt, ramp))
    critical = to_ordinal(fmt, critical_points(operation, fmt))
    near = _choose(drawn, critical) + (drawn % np.uint64(33)).astype(np.int64) - 16
    uniform = first + (anywhere % np.uint64(last - first + 1)).astype(np.int64)
    ordinals = np.select([style == 0, style == 1], [_choose(drawn, plain[np.argsort(np.abs(plain), kind="stable")]), near], uniform)
    inside = (ordinals >= first) & (ordinals <= last)
    return from_ordinal(fmt, np.where(inside, ordinals, uniform))


def _elements(operation: Operation, argument: Argument, fmt: Format, drawn: NDArray[np.uint64]) -> NDArray[Any]:
    """A block of one argument of an elementwise operation."""
    if argument.role in ("binary", "hard"):
        return _choose(drawn, [0.0, 1.0] if argument.role == "hard" else [0.0, 1.0, 0.0, 1.0, 0.125, 0.5, 0.875])
    low, high = {
        "probability": (fmt.tiny, 1.0 - fmt.u),
        "positive": (fmt.tiny, fmt.max),
        "weight": (2.0**-6, 2.0**6),
    }.get(argument.role, (max(operation.domain[0], -fmt.max), min(operation.domain[1], fmt.max)))
    if len(operation.arguments) > 1 and argument.role == "real":
        low, high = -fmt.max / 4, fmt.max / 4
    return _numbers(operation, fmt, drawn, low, high)


def _logits(operation: Operation, fmt: Format, drawn: NDArray[np.uint64], style: NDArray[np.uint64]) -> Floats:
    """Rows offset + k·2^e with small integers k (ties are common), every fourth row log-uniform over the whole range."""
    scale = _choose(style, 2.0 ** np.arange(-8, 2))
    offset = _choose(style // np.uint64(16), [0.0, 0.0, 0.0, 1.0, -10.0, 1000.0])
    x = round_to(fmt, offset + ((drawn % np.uint64(129)).astype(np.float64) - 64.0) * scale)
    wide = len(drawn) // 4
    x[:wide] = _numbers(operation, fmt, drawn[:wide], -fmt.max / 4, fmt.max / 4)
    return x


def _rows(operation: Operation, fmt: Format, rows: tuple[int, int], drawn: NDArray[np.uint64]) -> Arrays:
    """A block of an operation on rows: logits, then labels of all kinds."""
    count, n = rows
    numbers, style, choice = np.split(drawn, [count * n, count * n + count])
    x = _logits(operation, fmt, numbers.reshape(rows), style[:, None])
    index = (choice % np.uint64(n)).astype(np.int64)
    one_hot = (np.arange(n) == index[:, None]).astype(np.float64)
    made = _row_arrays(operation, fmt, x)
    for argument in operation.arguments:
        if argument.role == "index":
            made[argument.name] = index
        elif argument.role == "distribution":
            weights = np.exp(-np.arange(n) * _choose(choice, [0.0, 0.5, 2.0])[:, None])
            soft = round_to(fmt, weights / weights.sum(axis=-1, keepdims=True))
            made[argument.name] = np.where((np.arange(count) % 2 == 0)[:, None], one_hot, soft)
    return made


def _decode(operation: Operation, fmt: Format, rows: tuple[int, int], drawn: NDArray[np.uint64]) -> Arrays:
    """One block from its integers."""
    if operation.has_rows:
        return _rows(operation, fmt, rows, drawn)
    parts = np.split(drawn, len(operation.arguments))
    return {a.name: _elements(operation, a, fmt, part) for a, part in zip(operation.arguments, parts, strict=True)}


def blocks(operation: Operation, fmt: Format, rows: tuple[int, int]) -> st.SearchStrategy[Arrays]:
    """One block of inputs, by argument name."""
    return _integers(_raw_size(operation, rows)).map(lambda drawn: _decode(operation, fmt, rows, drawn))


def as_batch(operation: Operation, drawn: list[Arrays]) -> Batch:
    """Blocks stacked."""
    return Batch("generated", _with_cotangent(operation, {name: np.stack([d[name] for d in drawn]) for name in drawn[0]}))


def generate(operation: Operation, fmt: Format, rows: tuple[int, int], count: int, run_seed: int) -> Batch:
    """``count`` blocks drawn by Hypothesis from ``run_seed``; the same seed gives the same blocks."""
    drawn = _drawn(_raw_size(operation, rows), count + SIMPLEST, run_seed)
    return as_batch(operation, [_decode(operation, fmt, rows, d) for d in drawn])


SIMPLEST = 1
"""Hypothesis begins with its simplest example, all zeros: one number throughout, which the boundary grid has too. It is left out."""


@cache
def _drawn(size: int, count: int, run_seed: int) -> tuple[NDArray[np.uint64], ...]:
    """What Hypothesis draws for blocks of ``size`` integers: the same for every operation and dtype, so drawn once."""
    found: list[NDArray[np.uint64]] = []

    def collect(drawn: NDArray[np.uint64]) -> None:
        found.append(drawn)

    run_hypothesis(_integers(size), collect, run_seed, count, (Phase.generate,), database=None)
    return tuple(found[SIMPLEST:])


def run_hypothesis(
    strategy: st.SearchStrategy[Any],
    body: Callable[[Any], None],
    run_seed: int,
    examples: int,
    phases: tuple[Phase, ...],
    **options: Any,
) -> None:
    """Runs ``body`` on generated blocks; blocks are large by design, so the health checks on size and speed are off."""
    quiet = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
    test = given(strategy)(body)
    test = settings(max_examples=examples, phases=phases, deadline=None, derandomize=False, suppress_health_check=quiet, **options)(test)
    with warnings.catch_warnings():
        seed(run_seed)(test)()
