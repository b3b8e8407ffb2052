"""The curves of all slices, the points at which they are looked at, and how far double precision is from Arb there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import ceil, inf, log
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from suite.floats import FORMATS, Floats, from_ordinal, from_patterns, pattern_type, to_ordinal
from suite.model import Curve, Operation, Slice
from suite.operations import operations
from suite.reference import UNDERFLOW

BITS = 256
CERTAIN = 64
"""Bits that a ball has to have; what is left of its radius is far below what is measured."""

OVERFLOW = 2.0**1000
WANTED = 1_000_000
"""Points for each operation, over all of its curves."""

SEAMS = (0.0, log(2.0), 1.0, 16.6, 16.635, 17.3, 17.329, 88.7, 88.723, 103.97, 103.972, 128.0)
"""Where formulas change: a branch, a saturation, an asymptote, an edge of a domain; on both sides of zero."""

NEAR = 64
"""Numbers of float32 to either side of a seam."""

SMALLER = (20.0, 60.0)
"""By how many powers of two the second number of a pair may be the smaller one: what a double sum rounds away begins in between."""


@dataclass(frozen=True)
class Subject:
    """A curve with the slice where it was met first, and the number of points that it owes to the operations it belongs to."""

    operation: Operation
    piece: Slice
    order: int
    count: int

    @property
    def curve(self) -> Curve:
        """The function."""
        return self.piece.curves[self.order]

    @property
    def domain(self) -> tuple[float, float]:
        """The open interval in which the ball is defined."""
        own = self.operation.domain if len(self.operation.arguments) == 1 else (-inf, inf)
        return max(own[0], self.piece.domain[0]), min(own[1], self.piece.domain[1])

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.operation.name, self.piece.label, f"order {self.order}")))


@cache
def subjects() -> tuple[Subject, ...]:
    """Every curve once."""
    found: dict[int, Subject] = {}
    for operation in operations().values():
        distinct = {id(c) for piece in operation.slices for c in piece.curves}
        for piece in operation.slices:
            for order, curve in enumerate(piece.curves):
                before = found.get(id(curve), Subject(operation, piece, order, 0))
                count = max(before.count, ceil(WANTED / len(distinct)))
                found[id(curve)] = Subject(before.operation, before.piece, before.order, count)
    return tuple(found.values())


def single(rng: np.random.Generator, domain: tuple[float, float], count: int) -> Floats:
    """Numbers of float32 inside a domain: the seams, then everywhere, where functions bend, near 1, and where results underflow."""
    seams = np.array([s * sign for s in SEAMS for sign in (1.0, -1.0)], dtype=np.float32).astype(np.float64)
    near = from_ordinal(FORMATS["float32"], to_ordinal(FORMATS["float32"], seams)[:, None] + np.arange(-NEAR, NEAR + 1)).ravel()
    parts = [_inside(near, domain)]
    while sum(map(len, parts)) < count:
        parts.append(_inside(_drawn(rng, 1 << 18), domain))
    return np.concatenate(parts)[: max(count, len(parts[0]))]


def _inside(x: Floats, domain: tuple[float, float]) -> Floats:
    return x[np.isfinite(x) & (x > domain[0]) & (x < domain[1])]


def _drawn(rng: np.random.Generator, count: int) -> Floats:
    wide = from_patterns(FORMATS["float32"], rng.integers(0, 1 << 32, count // 4, dtype=np.uint32))
    bend = 2.0 ** rng.uniform(-30.0, 8.0, count // 2)
    one = 1.0 + 2.0 ** -rng.uniform(1.0, 24.0, count // 8) * rng.choice([1.0, -1.0], count // 8)
    tails = rng.uniform(0.0, 160.0, count // 8)
    drawn = np.concatenate([bend, one, tails])
    return np.concatenate([wide, (drawn * rng.choice([1.0, -1.0], len(drawn))).astype(np.float32).astype(np.float64)])


def pairs(rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
    """Pairs of numbers of float16 and of bfloat16: any, equal, nearly equal or opposite, of ordinary size, one far smaller."""
    parts = [_drawn_pairs(rng, name, ceil(count / 2)) for name in ("float16", "bfloat16")]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _drawn_pairs(rng: np.random.Generator, name: str, count: int) -> tuple[Floats, Floats]:
    fmt = FORMATS[name]
    finite = rng.integers(1 - fmt.infinity_ordinal, fmt.infinity_ordinal, (2, count))
    ordinary = to_ordinal(fmt, _cut(name, 2.0 ** rng.uniform(-10.0, 7.5, (2, count)) * rng.choice([1.0, -1.0], (2, count))))
    kind = rng.integers(0, 6, count)
    first, second = np.where(kind % 2 == 0, finite, ordinary)
    second = np.where(kind == 2, first, second)
    second = np.where(kind == 3, (first + rng.integers(-3, 4, count)) * rng.choice([1, -1], count), second)
    a, b = from_ordinal(fmt, first), from_ordinal(fmt, second)
    smaller = _cut(name, a * 2.0 ** -rng.uniform(*SMALLER, count) * rng.choice([1.0, -1.0], count))
    b = np.where(kind == 5, smaller, b)
    usable = np.isfinite(a) & np.isfinite(b)
    return a[usable], b[usable]


def _cut(name: str, values: Floats) -> Floats:
    """Numbers of the format close to these; its own rounding is tested elsewhere."""
    patterns = values.astype(np.float16).view(np.uint16) if name == "float16" else values.astype(np.float32).view(np.uint32) >> 16
    return from_patterns(FORMATS[name], patterns.astype(pattern_type(FORMATS[name])))


def points(subject: Subject, count: int, seed: int) -> tuple[Floats, ...]:
    """So many of the kind that the subject takes, or a few more."""
    rng = np.random.default_rng(seed)
    return pairs(rng, count) if subject.piece.arity == 2 else (single(rng, subject.domain, count),)


def errors(curve: Curve, numbers: tuple[Floats, ...], compute: Callable[..., Any] | None = None) -> Floats:
    """|compute − exact| relative to what is computed, as :data:`suite.reference.ERROR` counts it; infinite where that cannot be enclosed.

    A result below UNDERFLOW, or above OVERFLOW, has only to be so by Arb as well.
    """
    with np.errstate(all="ignore"):
        computed = np.asarray((compute or curve.compute)(*numbers), dtype=np.float64)
    size = np.abs(computed)
    regular = (size >= UNDERFLOW) & (size <= OVERFLOW)
    rest, certain = _differences(curve, numbers, np.where(regular, computed, 0.0))
    if curve.cancels:
        size = size + np.abs(np.maximum(*numbers))
    with np.errstate(all="ignore"):
        relative = np.abs(rest) / size
    large = (np.abs(rest) > OVERFLOW) & (np.sign(rest) == np.sign(computed)) & (np.abs(computed) > OVERFLOW)
    small = (np.abs(rest) < UNDERFLOW) & (np.abs(computed) < UNDERFLOW)
    return np.where(certain & regular, relative, np.where(certain & (large | small), 0.0, inf))


def _differences(curve: Curve, numbers: tuple[Floats, ...], computed: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Exact less computed, and whether the ball is narrow enough for that, or all of it below UNDERFLOW."""
    rest, certain = [], []
    arb, ball = flint.arb, curve.ball
    with flint.ctx.workprec(BITS):
        for *row, y in zip(*(n.tolist() for n in numbers), computed.tolist(), strict=True):
            exact = ball(*map(arb, row))
            rest.append(float(exact - y))
            certain.append(exact.rel_accuracy_bits() >= CERTAIN or bool(abs(exact) < UNDERFLOW))
    return np.array(rest), np.array(certain)
