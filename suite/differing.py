"""Two verdicts on the same inputs beside each other: where a check has begun or ceased to hold, and whether digits were lost within it.

A result can lose digits and stay within its bound. Of accuracy checks the errors are compared too, of results that are within their bound
in both releases: as shares of that bound, since near cancellation units in the last place say nothing of quality, and on the average.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from suite.batch import Batch
from suite.checks.base import Verdict
from suite.floats import Floats, Format, ulp
from suite.model import Direction

FACTOR, MARGIN, FEWEST = 2.0, 0.25, 64
"""Errors are worse if the largest share of the bound that they use grows by more than the factor and the margin, or if they grow by more
than the factor on the (geometric) average of so many results.

A sum in another order, a fused multiplication or another approximation of the same quality moves single errors by a few roundings, the
average of dozens hardly, and the largest share, whose unit is the sum of all roundings, by less than a quarter. Twice is a bit lost.
"""


@dataclass(frozen=True)
class Pair:
    """What a check says of one output on one batch in both releases."""

    batch: Batch
    old: Verdict
    new: Verdict

    @property
    def output(self) -> str:
        """The output's name."""
        return self.new.output

    @property
    def worse(self) -> NDArray[np.bool_]:
        """Where it has ceased to hold."""
        return self.new.violated & ~self.old.violated & ~(self._growth < 0)

    @property
    def better(self) -> NDArray[np.bool_]:
        """Where it holds now."""
        return self.old.violated & ~self.new.violated & ~(self._growth > 0)

    @property
    def _growth(self) -> Floats:
        """By how much the error has grown where both are to be the same number; NaN elsewhere.

        A law can break by a result that is nearer to the exact one: a zero that comes too soon, where there was any number before. That
        is not worse.
        """
        wanted = self.new.expected
        with np.errstate(all="ignore"):
            growth = np.abs(self.new.got - wanted) - np.abs(self.old.got - wanted)
        return np.where((wanted == self.old.expected) & np.isfinite(growth), growth, np.nan)

    @property
    def differs(self) -> NDArray[np.bool_]:
        """Where the bits are others; all NaN are one."""
        got, other = self.old.got, self.new.got
        same = (got == other) & (np.signbit(got) == np.signbit(other))
        return np.asarray(~(same | (np.isnan(got) & np.isnan(other))))

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Where both are judged and hold."""
        return self.old.judged & self.new.judged & ~self.old.violated & ~self.new.violated

    @property
    def compared(self) -> int:
        """How many are judged in either."""
        return int((self.old.judged | self.new.judged).sum())


def aligned(batch: Batch, old: Sequence[Verdict], new: Sequence[Verdict]) -> Iterator[Pair]:
    """The verdicts on the same output side by side; beside one that has no counterpart stands one that says nothing."""
    for output in dict.fromkeys(v.output for v in (*old, *new)):
        mine, theirs = ([v for v in verdicts if v.output == output] for verdicts in (old, new))
        for place in range(max(len(mine), len(theirs))):
            one, other = (found[place] if place < len(found) else None for found in (mine, theirs))
            if one and other and one.score.shape == other.score.shape:
                yield Pair(batch, one, other)
            else:
                yield from ([Pair(batch, one, _silent(one))] if one else [])
                yield from ([Pair(batch, _silent(other), other)] if other else [])


def _silent(verdict: Verdict) -> Verdict:
    """Nothing judged, nothing got."""
    return replace(verdict, judged=np.zeros(verdict.judged.shape, dtype=bool), got=np.full(verdict.got.shape, np.nan), grades={})


@dataclass(frozen=True)
class Place:
    """Elements of a pair that something is to be said of, by the ``mask``; the most telling one has the top ``rank``."""

    pair: Pair
    mask: NDArray[np.bool_]
    rank: Floats


@dataclass(frozen=True)
class Finding:
    """What differs of one output. ``digits`` says, where nothing else is better or worse, what became of the errors."""

    direction: Direction
    places: tuple[Place, ...]
    digits: str = ""

    @property
    def elements(self) -> int:
        """How many."""
        return sum(int(p.mask.sum()) for p in self.places)


def findings(fmt: Format, pairs: Sequence[Pair]) -> list[Finding]:
    """What differs of one output, which all pairs are of: what is worse and what is better; other bits where neither is."""
    found = [
        Finding("worse", tuple(Place(p, p.worse, _number(p.new.score)) for p in pairs)),
        Finding("better", tuple(Place(p, p.better, _number(p.old.score)) for p in pairs)),
    ]
    found = [f for f in found if f.elements]
    digits = _digits(fmt, [p for p in pairs if "max ulp" in p.old.grades and "max ulp" in p.new.grades])
    if digits and digits.direction not in [f.direction for f in found]:
        found.append(digits)
    if not found:
        found = [Finding("changed", tuple(Place(p, p.differs, units_between(fmt, p)) for p in pairs))]
    return [f for f in found if f.elements]


def _digits(fmt: Format, pairs: Sequence[Pair]) -> Finding | None:
    """Whether errors have grown or shrunk where the check holds in both."""
    held = [p.holds & p.differs for p in pairs]
    if not any(h.any() for h in held):
        return None
    shares = [tuple(np.where(h, v.score, 0.0) for v in (p.old, p.new)) for p, h in zip(pairs, held, strict=True)]
    old, new = (max(float(both[side].max(initial=0.0)) for both in shares) for side in (0, 1))
    if max(old, new) > FACTOR * min(old, new) and abs(new - old) > MARGIN:
        return _ranked(pairs, held, shares, new - old, f"the largest error was {old:.3g} of the bound and is {new:.3g}")
    bits = [tuple(np.where(p.holds, _in_bits(fmt, p, v), 0.0) for v in (p.old, p.new)) for p in pairs]
    count = sum(int((p.holds & _is_normal(fmt, p)).sum()) for p in pairs)
    growth = sum(float((after - before).sum()) for before, after in bits) / max(1, count)
    if count >= FEWEST and abs(growth) > np.log2(FACTOR):
        return _ranked(pairs, held, bits, growth, f"errors are {2.0**growth:.3g} times as large on the average")
    return None


def _ranked(pairs: Sequence[Pair], held: list[NDArray[np.bool_]], sizes: list[tuple[Floats, ...]], growth: float, text: str) -> Finding:
    """The elements by how much their errors have grown, or shrunk."""
    sign = np.sign(growth)
    places = [Place(p, h, sign * (after - before)) for p, h, (before, after) in zip(pairs, held, sizes, strict=True)]
    return Finding("worse" if growth > 0 else "better", tuple(places), text)


def _is_normal(fmt: Format, pair: Pair) -> NDArray[np.bool_]:
    size = np.abs(pair.new.expected)
    return np.asarray((size >= fmt.tiny) & (size <= fmt.max))


def _in_bits(fmt: Format, pair: Pair, verdict: Verdict) -> Floats:
    """Errors in units in the last place, of which half a one is none, as a power of two; 0 where the exact result is no normal number."""
    with np.errstate(all="ignore"):
        units = np.abs(verdict.got - verdict.expected) / ulp(fmt, verdict.expected)
    counted = _is_normal(fmt, pair) & np.isfinite(units)
    return np.where(counted, np.log2(np.maximum(np.where(counted, units, 0.5), 0.5)), 0.0)


def units_between(fmt: Format, pair: Pair) -> Floats:
    """How far the two results are from each other, in units in the last place of the old; infinite where one of them is no number."""
    with np.errstate(all="ignore"):
        distance = np.abs(pair.new.got - pair.old.got) / ulp(fmt, pair.old.got)
    return np.where(pair.differs, np.where(np.isnan(distance), np.inf, distance), 0.0)


def _number(score: Floats) -> Floats:
    return np.where(np.isnan(score), np.inf, score)
