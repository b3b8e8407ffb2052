"""Correctly rounded results for every input of a format: double precision with a certified error, Arb where that cannot decide.

A :class:`~suite.model.Curve` is computed in float64, whose error is at most :data:`ERROR` relative to the result; ``suite/meta`` certifies
that against Arb on millions of points. Where both ends of that interval round to the same number of the format, that number is the
correctly rounded result. The others, some hundreds in 2^32, are decided by Arb. Two things save most of the work: a monotone function
whose ends of a chunk round to the same number is constant on it, and an asymptote that is the input itself needs no computing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite import oracle
from suite.expected import BLOCK, CONSTANT, DENSE, LINE, Expected, Law, digest_of_line, inputs
from suite.floats import Floats, Format, from_patterns, pattern_type, round_to, to_patterns
from suite.model import Curve, Slice
from suite.oracle import Exact

ERROR = 2.0**-46
"""Largest relative error of a curve's ``compute`` where its result is not below :data:`UNDERFLOW`."""

UNDERFLOW = 2.0**-160
"""Results below are zero in every format of 24 bits or fewer, whatever their digits."""

Patterns = NDArray[Any]


@dataclass(frozen=True)
class Reference:
    """The value (``order`` 0) or a derivative of a slice, as every number of ``fmt`` should give it.

    Raises ``ValueError`` for float64, which double precision cannot decide.
    """

    piece: Slice
    order: int
    fmt: Format

    def __post_init__(self) -> None:
        if self.fmt.precision > 24:
            raise ValueError(f"a double-precision reference cannot decide the rounding of {self.fmt.name}")

    @property
    def curve(self) -> Curve:
        """The function."""
        return self.piece.curves[self.order]

    def key(self, start: int, count: int) -> tuple[object, ...]:
        """References with the same key expect the same results of these inputs.

        Away from infinities, kinks and the ends of the domain that is a matter of the curve alone.
        """
        finite = (start & (self.fmt.sign_pattern - 1)) + count <= self.fmt.infinity_ordinal
        if self.piece.arity > 1 or (finite and self._plain(start, count)):
            return (id(self.curve),)
        return id(self.curve), self.order > 0, self.piece.domain, self.piece.kinks if self.order else ()

    def law(self) -> Law:
        """What a tally is told."""
        zero = np.zeros(1, dtype=pattern_type(self.fmt))
        single = self.piece.arity == 1
        at_zero = int(self._rounded((from_patterns(self.fmt, zero),))[0]) if single else 0
        return Law.of(self.fmt, self.curve.trend, self.curve.range, self.order == 0 and single, at_zero, single)

    def expected(self, start: int, count: int) -> Expected:
        """The correctly rounded results for the inputs with the numbers ``start`` … ``start + count``, on one side of zero.

        An input's number is its bit pattern; of two inputs the first one's stands before the second one's. NaN says NaN, or, for
        derivatives, that the input is not judged.
        """
        if self.piece.arity > 1:
            return Expected(DENSE, dense=self._dense(start, count))
        infinity, sign = self.fmt.infinity_ordinal, self.fmt.sign_pattern
        first = start & (sign - 1)
        side = int(start >= sign)
        if first >= infinity + 1:
            return Expected(CONSTANT, self.fmt.nan_pattern)
        if self._plain(start, count):
            line = self.curve.straight[1 - side]
            if line and float(from_patterns(self.fmt, inputs(self.fmt, first, 1))[0]) >= line[0] and first + count <= infinity:
                flip = 0 if line[1] > 0 else sign
                return Expected(LINE, flip, digest=digest_of_line(self.fmt, start, count, flip))
            if self.curve.trend[1 - side] and first + count <= infinity:
                ends = self._dense(start, 1)[0], self._dense(start + count - 1, 1)[0]
                if ends[0] == ends[1]:
                    return Expected(CONSTANT, int(ends[0]))
        return Expected(DENSE, dense=self._dense(start, count))

    def _plain(self, start: int, count: int) -> bool:
        """Whether all inputs of a chunk are judged and inside the domain."""
        ends = np.concatenate([inputs(self.fmt, start, 1), inputs(self.fmt, start + count - 1, 1)])
        low, high = np.sort(from_patterns(self.fmt, ends))
        inside = low >= self.piece.domain[0] and high <= self.piece.domain[1]
        kinked = self.order > 0 and any(low <= kink <= high for kink in self.piece.kinks)
        return bool(inside and not kinked)

    def _dense(self, start: int, count: int) -> Patterns:
        """One result for each input, computed in pieces that stay in a core's own cache."""
        pieces = [self._piece(at, min(BLOCK, start + count - at)) for at in range(start, start + count, BLOCK)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _piece(self, start: int, count: int) -> Patterns:
        numbers = self.numbers(np.arange(start, start + count, dtype=np.int64))
        patterns = self._rounded(numbers)
        left_out = self.unjudged(numbers)
        return np.where(left_out, pattern_type(self.fmt)(self.fmt.nan_pattern), patterns) if left_out.any() else patterns

    def numbers(self, index: NDArray[np.int64]) -> tuple[Floats, ...]:
        """The inputs with these numbers."""
        if self.piece.arity == 1:
            return (from_patterns(self.fmt, index.astype(pattern_type(self.fmt))),)
        shift = np.int64(self.fmt.bits)
        first, second = (index >> shift), (index & ((1 << self.fmt.bits) - 1))
        return tuple(from_patterns(self.fmt, part.astype(pattern_type(self.fmt))) for part in (first, second))

    def unjudged(self, numbers: tuple[Floats, ...]) -> NDArray[np.bool_]:
        """Which inputs lie outside the domain or, for a derivative, where there is none."""
        x = numbers[0]
        if self.piece.arity > 1:
            return np.asarray(~np.logical_and.reduce([np.isfinite(n) for n in numbers]))
        outside = (x < self.piece.domain[0]) | (x > self.piece.domain[1])
        if self.order:
            outside |= ~np.isfinite(x)
            for kink in self.piece.kinks:
                outside |= x == kink
        return outside

    def _rounded(self, numbers: tuple[Floats, ...]) -> Patterns:
        """Correctly rounded results, ambiguous ones by Arb."""
        with np.errstate(all="ignore"):
            y = np.asarray(self.curve.compute(*numbers)) + 0.0  # no −0, which would not be an end of anything
            error = ERROR + 2.0**-51  # the second term is for what the next lines round off
            if self.curve.cancels:
                size = np.abs(y) + np.abs(np.maximum(*numbers))
                margin = np.where(np.isfinite(size), size * error, 0.0)
                low, high = to_patterns(self.fmt, y - margin), to_patterns(self.fmt, y + margin)
            else:
                low, high = to_patterns(self.fmt, y * (1.0 - error)), to_patterns(self.fmt, y * (1.0 + error))
        todo = np.flatnonzero(low != high)
        if len(todo):
            exact = self._arb(tuple(n[todo] for n in numbers))
            low[todo] = to_patterns(self.fmt, round_to(self.fmt, exact.high, exact.low))
        return low

    def _arb(self, numbers: Sequence[Floats]) -> Exact:
        return oracle.curve(self.curve, numbers)

    def exact(self, index: NDArray[np.int64]) -> Exact:
        """The exact results for the inputs with these numbers, by Arb; NaN where a reference says NaN."""
        numbers = self.numbers(index)
        finite = np.logical_and.reduce([np.isfinite(n) for n in numbers]) & ~self.unjudged(numbers)
        with np.errstate(all="ignore"):
            high, low = np.asarray(self.curve.compute(*numbers)).copy(), np.zeros(len(index))
        todo = np.flatnonzero(finite & np.isfinite(high))
        found = self._arb(tuple(n[todo] for n in numbers))
        high[todo], low[todo] = found.high, found.low
        return Exact(np.where(self.unjudged(numbers), np.nan, high), low)

    def certified(self, index: NDArray[np.int64]) -> Exact:
        """The exact results to within :data:`ERROR`, on the right side of every rounding boundary, for inputs of one number each."""
        numbers = self.numbers(index)
        with np.errstate(all="ignore"):
            y = np.asarray(self.curve.compute(*numbers))
        low = np.zeros(y.shape)
        rounded = from_patterns(self.fmt, self._rounded(numbers))
        todo = np.flatnonzero(np.isfinite(y) & (round_to(self.fmt, y) != rounded))
        if len(todo):
            exact = self._arb(tuple(n[todo] for n in numbers))
            y[todo], low[todo] = exact.high, exact.low
        return Exact(np.where(self.unjudged(numbers), np.nan, y), low)

    def frontier(self, threshold: int) -> tuple[int | None, int | None]:
        """The input nearest to zero, on the positive and the negative side, whose result has an ordinal of at most ``threshold`` in size.

        None where there is none, or where the function does not fall monotonically to zero on that side.
        """
        return self._side(0, threshold), self._side(self.fmt.sign_pattern, threshold)

    def _side(self, base: int, threshold: int) -> int | None:
        if self.piece.arity > 1 or not self.curve.trend[0 if base else 1]:
            return None
        magnitude = np.int64(self.fmt.sign_pattern - 1)

        def small(offset: int) -> bool:
            return bool(int(self._dense(base + offset, 1)[0]) & magnitude <= threshold)

        low, high = 1, self.fmt.infinity_ordinal - 1
        if small(low) or not small(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if small(middle) else (middle, high)
        return base + high


def chunks(reference: Reference, start: int, stop: int, size: int) -> Iterator[Expected]:
    """The expected results from ``start`` to ``stop``, ``size`` at a time."""
    for at in range(start, stop, size):
        yield reference.expected(at, min(size, stop - at))
