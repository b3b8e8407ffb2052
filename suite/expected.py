"""What should come out of a chunk of inputs: one result for all, the inputs themselves, or one for each; and what a function obeys.

Runs beside a framework.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.floats import Format, pattern_type, to_patterns

Patterns = NDArray[Any]

CONSTANT, LINE, DENSE = 0, 1, 2
"""What is expected of a chunk: one result for all its inputs, the inputs themselves (perhaps negated), or one for each."""

BLOCK = 1 << 16
"""Results that are computed and compared at a time; small enough for a core's own cache."""

UNKNOWN = bytes(hashlib.sha256().digest_size)
"""In place of a digest."""


@dataclass(frozen=True)
class Expected:
    """The correctly rounded results of a chunk; ``pattern`` is the constant, or the line's sign bit; ``digest`` a line's, if known."""

    kind: int
    pattern: int = 0
    dense: Patterns | None = None
    digest: bytes = UNKNOWN

    def patterns(self, fmt: Format, start: int, count: int) -> Patterns:
        """All of them. A line's inputs are numbered by their own patterns."""
        if self.dense is not None:
            return self.dense
        if self.kind == CONSTANT:
            return np.full(count, self.pattern, dtype=pattern_type(fmt))
        return _line(fmt, start, count, self.pattern)


def inputs(fmt: Format, start: int, count: int) -> Patterns:
    """``count`` bit patterns from ``start`` on."""
    return (np.arange(count, dtype=np.uint32) + np.uint32(start)).astype(pattern_type(fmt), copy=False)


def digest(patterns: Patterns) -> bytes:
    """SHA-256 over the bits."""
    return hashlib.sha256(patterns.data).digest()


@lru_cache(maxsize=16)
def _line(fmt: Format, start: int, count: int, sign: int) -> Patterns:
    """The inputs, perhaps negated; the next output of the same shard asks for the same."""
    return np.asarray(inputs(fmt, start, count) ^ pattern_type(fmt)(sign))


@lru_cache(maxsize=1 << 13)
def digest_of_line(fmt: Format, start: int, count: int, sign: int) -> bytes:
    """That of a chunk whose results are the inputs; kept for all chunks, since some functions take less time than the hash."""
    return digest(_line(fmt, start, count, sign))


@lru_cache(maxsize=256)
def digest_of_constant(fmt: Format, pattern: int, count: int) -> bytes:
    """That of so many results of the same bits."""
    return digest(np.full(count, pattern, dtype=pattern_type(fmt)))


@dataclass(frozen=True)
class Law:
    """What a curve obeys.

    ``trend`` left and right of zero, ``range`` as ordinals, ``nan_expected`` (else NaN says: not judged), the result ``at_zero`` as an
    ordinal, and ``single``: whether inputs are numbered by their own bit patterns, as those of one number are.
    """

    trend: tuple[int, int]
    range: tuple[int, int]
    nan_expected: bool
    at_zero: int
    single: bool = True

    @classmethod
    def of(cls, fmt: Format, trend: tuple[int, int], interval: tuple[float, float], nan_expected: bool, at_zero: int, single: bool) -> Law:
        """The ends of ``interval`` are rounded, so that correctly rounded values lie inside; ``at_zero`` is a pattern."""
        low, high = (int(o) for o in ordinals(fmt, to_patterns(fmt, np.array(interval))))
        zero = int(ordinals(fmt, np.array([at_zero], dtype=pattern_type(fmt)))[0])
        return cls(trend, (low, high), nan_expected, zero, single)


def ordinals(fmt: Format, patterns: Patterns) -> NDArray[np.int64]:
    """Integers in the order of the numbers, both zeros 0; NaN beyond the infinities."""
    sign = fmt.sign_pattern
    magnitude = (patterns & pattern_type(fmt)(sign - 1)).astype(np.int64)
    return np.asarray(np.where(patterns >= sign, -magnitude, magnitude))
