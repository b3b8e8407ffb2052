"""A tally once more: one result at a time, with Python's floats for what is compared; slow, and with nothing shared."""

from __future__ import annotations

from math import frexp, inf, isfinite, isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.expected import Law
from suite.floats import Format, from_ordinal, from_patterns, to_ordinal
from suite.tally import COUNTS, FINE_BLOCK, KEPT

Patterns = NDArray[Any]


def count(fmt: Format, law: Law, start: int, got: Patterns, wanted: Patterns, chunk: int) -> dict[str, Any]:
    """What a tally's result says, but for its edges and its digest."""
    return _Count(fmt, law, start, got, wanted, chunk).result()


class _Count:
    def __init__(self, fmt: Format, law: Law, start: int, got: Patterns, wanted: Patterns, chunk: int) -> None:
        self.fmt, self.law, self.start = fmt, law, start
        self.got, self.wanted = from_patterns(fmt, got).tolist(), from_patterns(fmt, wanted).tolist()
        self.places, self.right = _places(fmt, self.got), _places(fmt, self.wanted)
        self.low, self.high, self.at_zero = from_ordinal(fmt, np.array([*law.range, law.at_zero])).tolist()
        self.group = FINE_BLOCK if fmt.bits == 16 and law.single else chunk
        self.counts, self.firsts, self.histogram = dict.fromkeys(COUNTS, 0), {}, [0, 0, 0, 0]  # type: dict[str, int], dict[str, int], list[int]
        self.off: list[tuple[int, int]] = []
        self.odd: dict[int, dict[str, list[tuple[int, int]]]] = {}
        self.frontier: list[int | None] = [None, None]
        for i in range(len(got)):
            self.look(i)

    def note(self, what: str, i: int) -> None:
        """One more, and perhaps the first."""
        self.counts[what] += 1
        if what in ("descents", "outside", "non-finite", "NaN lost", "NaN swallowed"):
            self.firsts.setdefault(what, self.start + i)

    def look(self, i: int) -> None:
        """Everything about one result."""
        got, wanted = self.got[i], self.wanted[i]
        if i and self.falls(i):
            self.note("descents", i)
        if isnan(wanted):
            if self.law.nan_expected:
                self.note("NaN expected", i)
                if not isnan(got):
                    self.note("NaN lost", i)
                    if isnan(float(from_patterns(self.fmt, np.array([(self.start + i) % (1 << self.fmt.bits)]))[0])):
                        self.note("NaN swallowed", i)
            return
        self.note("judged", i)
        if got < self.low or got > self.high:
            self.note("outside", i)
            self.stray("outside", i)
        if isnan(got) or (isfinite(wanted) and not isfinite(got)):
            self.note("non-finite", i)
            self.stray(str(got), i)
            self.histogram[3] += 1
        else:
            distance = abs(self.places[i] - self.right[i])
            self.histogram[min(distance, 3)] += 1
            self.counts["total"] += distance
            self.off += [(distance, i)] if distance else []
        if got != wanted:
            self.zero(i, got, wanted)

    def stray(self, kind: str, i: int) -> None:
        """One that has no place among the worst."""
        place = self.fmt.nan_pattern if isnan(self.got[i]) else self.places[i]
        self.odd.setdefault(i // self.group, {}).setdefault(kind, []).append((self.start + i, place))

    def cells(self) -> list[list[int]]:
        """Of pairs, the first of the worst for each binade of the second number."""
        worst: dict[int, tuple[int, int]] = {}
        for distance, i in [] if self.law.single else self.off:
            binade = ((self.start + i) & ((1 << self.fmt.bits) - 1)) >> (self.fmt.precision - 1)
            if distance > worst.get(binade, (0, 0))[0]:
                worst[binade] = distance, i
        return [[d, self.start + i, self.places[i]] for _, (d, i) in sorted(worst.items())]

    def zero(self, i: int, got: float, wanted: float) -> None:
        """Whether an input or a result was taken for zero."""
        tiny = self.tiny_input(i)
        if tiny and got in (0.0, self.at_zero):
            self.note("flushed in", i)
        if got == 0 and abs(wanted) < self.fmt.tiny and not tiny:
            self.note("flushed out", i)
        if got == 0 and self.fmt.tiny <= abs(wanted) < inf:
            self.note("premature zeros", i)
            side = 1 if self.law.single and self.negative(i) else 0
            known = self.frontier[side]
            self.frontier[side] = self.start + i if known is None else known

    def negative(self, i: int) -> bool:
        """Whether the input has a sign."""
        return self.start + i >= 1 << (self.fmt.bits - 1)

    def tiny_input(self, i: int) -> bool:
        """Whether the input is subnormal."""
        exponent = (self.start + i) >> (self.fmt.precision - 1) << (self.fmt.precision - 1)
        significand = self.start + i - exponent
        return self.law.single and exponent in (0, 1 << (self.fmt.bits - 1)) and significand > 0

    def normal(self, i: int) -> bool:
        """Whether the exact value is a number of at least twice the smallest normal one, and the result not zero."""
        return bool(2 * self.fmt.tiny <= abs(self.wanted[i]) < inf and self.got[i] != 0)

    def significand(self, i: int) -> int:
        """That of the exact value, as an integer."""
        return int(frexp(abs(self.wanted[i]))[0] * 2**self.fmt.precision)

    def falls(self, i: int) -> bool:
        """Whether this result and the one before it, which both are to be judged, go the wrong way."""
        numbers = self.got[i - 1], self.got[i], self.wanted[i - 1], self.wanted[i]
        if any(map(isnan, numbers)):
            return False
        negative = self.law.single and self.negative(i)
        before, after = (numbers[1], numbers[0]) if negative else numbers[:2]
        trend = self.law.trend[0 if negative else 1]
        return (trend > 0 and after < before) or (trend < 0 and after > before)

    def result(self) -> dict[str, Any]:
        """In the tally's own words."""
        worst = max((d for d, _ in self.off), default=0)
        groups: dict[int, list[tuple[int, int]]] = {}
        for distance, i in self.off:
            groups.setdefault(i // self.group, []).append((distance, i))
        peaks, relative = [], []
        for members in groups.values():
            # The first of the largest, both times.
            peaks.append(max(members, key=lambda m: m[0]))
            normal = [m for m in members if self.normal(m[1])]
            steep = max(normal, key=lambda m: m[0] / self.significand(m[1]), default=peaks[-1])
            relative += [steep] if steep != peaks[-1] else []
        return {
            "counts": self.counts, "firsts": self.firsts, "histogram": self.histogram, "worst": worst,
            "at": [self.start + i for d, i in self.off if d == worst][:KEPT], "frontier": self.frontier,
            "profile": [[d, self.start + i, self.places[i]] for d, i in peaks],
            "normal": max((d for d, i in self.off if self.normal(i)), default=0),
            "relative": [[d, self.start + i, self.places[i]] for d, i in relative],
            "cells": self.cells(),
            "strays": [
                [*end] for _, kinds in sorted(self.odd.items()) for end in sorted({e for m in kinds.values() for e in (m[0], m[-1])})
            ],
        }  # fmt: skip


def _places(fmt: Format, values: list[float]) -> list[int]:
    """Ordinals; NaN has none, and is given one that would be seen."""
    array = np.array(values)
    missing = np.isnan(array)
    ordinals = to_ordinal(fmt, np.where(missing, 0.0, array))
    return [-(1 << 60) if gone else place for gone, place in zip(missing.tolist(), ordinals.tolist(), strict=True)]
