"""What is counted when an implementation's results for every input of a format are compared with the correctly rounded ones.

Everything is counted in integers, so that tallies of shards add up to the same numbers in any order: an error is the distance between
the ordinals of the computed and of the correctly rounded result, in units of the format's own grid. Runs beside a framework.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.expected import BLOCK, CONSTANT, LINE, UNKNOWN, Expected, Law, digest, digest_of_constant, digest_of_line, ordinals
from suite.floats import Format, pattern_type

Patterns = NDArray[Any]

FINE_BLOCK = 1 << 8
"""Results of a format of 16 bits, whose chunks are few, that are compared at a time, and of which the worst is kept."""

KEPT = 8
"""Inputs kept of those that share the largest distance in a shard."""

LARGE = 3
"""Distances from here on are counted together."""

COUNTS = (
    "judged", "total", "descents", "outside", "flushed in", "flushed out", "premature zeros", "non-finite", "NaN expected", "NaN lost",
    "NaN swallowed",
)  # fmt: skip
"""NaN is expected, and may be lost, where NaN goes in or where the input lies outside the domain; swallowed it is where it goes in."""

FIRSTS = ("descents", "outside", "non-finite", "NaN lost", "NaN swallowed")
"""Counts of which the first input is kept, on each side of zero the one nearest to it."""


@dataclass
class Tally:
    """Counts over the chunks of one shard, added in order. Inputs are named by their number, which is their bit pattern."""

    fmt: Format
    law: Law
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    firsts: dict[str, int] = field(default_factory=dict)
    histogram: list[int] = field(default_factory=lambda: [0] * (LARGE + 1))
    worst: int = 0
    at: list[int] = field(default_factory=list)
    frontier: list[int | None] = field(default_factory=lambda: [None, None])
    profile: list[list[int]] = field(default_factory=list)
    normal: int = 0
    relative: list[list[int]] = field(default_factory=list)
    strays: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._hash = hashlib.sha256()
        self._edges: list[int | None] = [None, None, None]
        self._direction = 0
        self._peak = [0, 0, 0]
        self._steep, self._steepness = [0, 0, 0], 0.0
        self._stray: dict[str | int, list[tuple[int, int]]] = {}
        # Of pairs the worst for each binade of the second number: distance, input, computed ordinal.
        self._cells = np.zeros((0 if self.law.single else 1 << (self.fmt.bits - self.fmt.precision + 1), 3), dtype=np.int64)

    def add(self, start: int, got: Patterns, expected: Expected) -> None:
        """Compares the results of a chunk."""
        if self._one_for_all(start, got):
            count, got = len(got), self._quiet(got[:1])
            self._hash.update(digest_of_constant(self.fmt, int(got[0]), count))
            if expected.kind == CONSTANT:
                self._compare(start, got, expected.patterns(self.fmt, start, 1), count)
            else:
                self._blocks(start, np.repeat(got, count), expected)
        elif expected.kind == LINE and np.array_equal(got, expected.patterns(self.fmt, start, len(got))):
            known = expected.digest != UNKNOWN
            self._hash.update(expected.digest if known else digest_of_line(self.fmt, start, len(got), expected.pattern))
            self._all_right(start, got)
        else:
            got = self._quiet(got)
            self._hash.update(digest(got))
            self._blocks(start, got, expected)
        self._keep_peak()

    def _all_right(self, start: int, got: Patterns) -> None:
        """Counts a chunk of numbers that are all as expected, and so in order."""
        self._step(start, *(int(end) for end in ordinals(self.fmt, got[[0, -1]])))
        self.histogram[0] += len(got)
        self.counts["judged"] += len(got)

    def _blocks(self, start: int, got: Patterns, expected: Expected) -> None:
        wanted = expected.patterns(self.fmt, start, len(got))
        fine = self.fmt.bits == 16 and self.law.single
        size = FINE_BLOCK if fine else BLOCK
        for at in range(0, len(got), size):
            self._compare(start + at, got[at : at + size], wanted[at : at + size])
            if fine:
                self._keep_peak()

    def _keep_peak(self) -> None:
        if self._peak[0]:
            self.profile.append(self._peak)
        if self._steep[0] and self._steep != self._peak:
            self.relative.append(self._steep)
        self.strays += [list(end) for end in sorted({end for ends in self._stray.values() for end in ends})]
        self._peak = [0, 0, 0]
        self._steep, self._steepness = [0, 0, 0], 0.0
        self._stray = {}

    def result(self) -> dict[str, Any]:
        """Plain data for :class:`suite.totals.Total`."""
        return {
            "counts": self.counts, "firsts": self.firsts, "histogram": self.histogram, "worst": self.worst, "at": self.at,
            "frontier": self.frontier, "profile": self.profile, "normal": self.normal, "relative": self.relative,
            "strays": self.strays, "cells": self._cells[self._cells[:, 0] > 0].tolist(),
            "edges": [self._direction, *self._edges], "digest": self._hash.hexdigest(),
        }  # fmt: skip

    def _quiet(self, got: Patterns) -> Patterns:
        """NaN of any sign and payload becomes one NaN: which one comes out says nothing about quality."""
        infinity, sign = self.fmt.infinity_ordinal, self.fmt.sign_pattern
        low, high = int(got.min()), int(got.max())
        if high <= infinity or (low >= sign and high <= sign | infinity):
            return got
        magnitude = got & pattern_type(self.fmt)(sign - 1)
        return np.where(magnitude > infinity, pattern_type(self.fmt)(self.fmt.nan_pattern), got)

    def _one_for_all(self, start: int, got: Patterns) -> bool:
        """Whether one comparison stands for all: all results are the same, and all inputs or none are subnormal."""
        if not self.law.single:
            return False
        magnitude, tiny = start & (self.fmt.sign_pattern - 1), self.fmt.tiny_pattern
        return (magnitude >= tiny or 0 < magnitude <= tiny - len(got)) and bool(got[0] == got[-1] and (got == got[0]).all())

    def _compare(self, start: int, got: Patterns, wanted: Patterns, weight: int = 1) -> None:
        if self._plain(start, got, wanted, weight):
            return
        computed, exact = ordinals(self.fmt, got), ordinals(self.fmt, wanted)
        numbers = np.abs(exact) <= self.fmt.infinity_ordinal
        # What is not judged has no place in the order: there it counts as NaN.
        self._order(start, computed if numbers.all() else np.where(numbers, computed, exact))
        self._not_a_number(start, computed, numbers, weight)
        judged = np.flatnonzero(numbers)
        self.counts["judged"] += weight * len(judged)
        self._range(start, computed, numbers, weight)
        distance = np.abs(computed[judged] - exact[judged])
        wrong = distance != 0
        self.histogram[0] += weight * int(len(judged) - np.count_nonzero(wrong))
        places = judged[wrong]
        if len(places):
            self._errors(start, places, distance[wrong], computed[places], exact[places], weight)

    def _plain(self, start: int, got: Patterns, wanted: Patterns, weight: int) -> bool:
        """Compares a block of numbers of one sign, none below twice the smallest normal one, in a few passes over the format's integers.

        False for any other block.
        """
        sign, mask = self.fmt.sign_pattern, self.fmt.sign_pattern - 1
        low, high, least, most = int(got.min()), int(got.max()), int(wanted.min()), int(wanted.max())
        # The least and the largest pattern have the same sign only if all have.
        if ((low ^ high) | (least ^ most) | (low ^ least)) & sign:
            return False
        if min(low & mask, least & mask) < 2 * self.fmt.tiny_pattern or max(high & mask, most & mask) >= self.fmt.infinity_ordinal:
            return False
        ends = (-(high & mask), -(low & mask)) if low & sign else (low, high)
        if ends[0] < self.law.range[0] or ends[1] > self.law.range[1]:
            return False
        self._order_plain(start, got, bool(low & sign))
        self.counts["judged"] += weight * len(got)
        distance = np.abs((got - wanted).view(f"i{got.dtype.itemsize}"))
        wrong = int(np.count_nonzero(distance))
        self.histogram[0] += weight * (len(got) - wrong)
        if not wrong:
            return True
        top = int(distance.max())
        self._distances(distance, wrong, top, weight)
        if top > self._peak[0] or top > self.worst or (top == self.worst and len(self.at) < KEPT):
            places = np.flatnonzero(distance == top)[:KEPT]
            self._worst(start, places, distance[places].astype(np.int64), ordinals(self.fmt, got[places]))
        if self._steeper(top):
            places = self._steepest(distance, wanted, top)
            self._normals(start, places, distance[places].astype(np.int64), *(ordinals(self.fmt, p[places]) for p in (got, wanted)))
        return True

    def _steepest(self, distance: NDArray[Any], wanted: Patterns, top: int) -> NDArray[np.int64]:
        """Places among which the relatively worst result of a plain block is.

        Of those furthest off the one with the smallest significand; should that be large, all that may be worse with a significand of 1.
        """
        kind, one = pattern_type(self.fmt), self.fmt.tiny_pattern
        # What is less far off gets a sign bit, and so is larger than any fraction.
        fraction = (wanted & kind(one - 1)) | ((distance - top).view(kind) & kind(self.fmt.sign_pattern))
        first = int(fraction.argmin())
        least = -(-top * one // (one + int(fraction[first])))
        return np.array([first]) if least == top else np.flatnonzero(distance >= least)

    def _steeper(self, distance: int) -> bool:
        """Keeps the largest distance of normal results; whether one so far off may be relatively the worst of its chunk."""
        self.normal = max(self.normal, distance)
        return distance > self._steepness * self.fmt.tiny_pattern

    def _normals(
        self, start: int, places: NDArray[np.int64], distance: NDArray[np.int64], got: NDArray[np.int64], exact: NDArray[np.int64]
    ) -> None:
        """Looks for the relatively worst of results whose exact values are at least twice the smallest normal number."""
        one = self.fmt.tiny_pattern
        steepness = distance / (np.abs(exact) & (one - 1) | one)
        first = int(steepness.argmax())
        if steepness[first] > self._steepness:
            self._steepness = float(steepness[first])
            self._steep = [int(distance[first]), start + int(places[first]), int(got[first])]

    def _distances(self, distance: NDArray[Any], wrong: int, top: int, weight: int) -> None:
        """Histogram and sum of distances, of which ``wrong`` are not 0, and the largest is ``top``."""
        rest, total = wrong, 0
        for k in range(1, LARGE):
            number = rest if k >= top else int(np.count_nonzero(distance == k))
            self.histogram[k] += weight * number
            rest, total = rest - number, total + k * number
        self.histogram[LARGE] += weight * rest
        self.counts["total"] += weight * (int(distance.sum(dtype=np.int64)) if rest else total)

    def _errors(
        self,
        start: int,
        places: NDArray[np.int64],
        distance: NDArray[np.int64],
        got: NDArray[np.int64],
        exact: NDArray[np.int64],
        weight: int,
    ) -> None:
        infinity, tiny = self.fmt.infinity_ordinal, self.fmt.tiny_pattern
        lost = (np.abs(got) > infinity) | (np.abs(got) == infinity) & (np.abs(exact) < infinity)
        self._count("non-finite", start, places[lost], weight)
        for kind in np.unique(got[lost]).tolist():
            here = lost & (got == kind)
            self._keep_strays(kind, start, places[here], got[here], weight)
        self.histogram[LARGE] += weight * int(np.count_nonzero(lost))
        subnormal = (np.abs(exact) < tiny) & (exact != 0)
        tiny_input = self._tiny_inputs(start, places)
        zero = got == 0
        self.counts["flushed in"] += weight * int(np.count_nonzero(tiny_input & (zero | (got == self.law.at_zero))))
        self.counts["flushed out"] += weight * int(np.count_nonzero(~tiny_input & zero & subnormal))
        premature = zero & (np.abs(exact) >= tiny) & (np.abs(exact) < infinity)
        self._premature(start, places[premature], weight)
        places, distance, got = places[~lost], distance[~lost], got[~lost]
        if len(places):
            self._distances(distance, len(distance), int(distance.max()), weight)
            self._worst(start, places, distance, got)
            if not self.law.single:
                self._worst_of_binades(start, places, distance, got)
        exact = exact[~lost]
        normal = np.flatnonzero((np.abs(exact) >= 2 * tiny) & (np.abs(exact) < infinity) & (got != 0))
        if len(normal) and self._steeper(int(distance[normal].max())):
            self._normals(start, places[normal], distance[normal], got[normal], exact[normal])

    def _worst(self, start: int, places: NDArray[np.int64], distance: NDArray[np.int64], got: NDArray[np.int64]) -> None:
        top = int(distance.max())
        if top > self._peak[0]:
            first = int(distance.argmax())
            self._peak = [top, start + int(places[first]), int(got[first])]
        if top < self.worst:
            return
        if top > self.worst:
            self.worst, self.at = top, []
        if len(self.at) < KEPT:
            self.at += [start + int(p) for p in places[distance == top][: KEPT - len(self.at)]]

    def _worst_of_binades(self, start: int, places: NDArray[np.int64], distance: NDArray[np.int64], got: NDArray[np.int64]) -> None:
        binade = ((start + places) & ((1 << self.fmt.bits) - 1)) >> (self.fmt.precision - 1)
        first = np.flatnonzero(np.diff(binade, prepend=-1))
        cells, worst = binade[first], np.maximum.reduceat(distance, first)
        for cell, begin, end, top in zip(cells, first, [*first[1:], len(places)], worst, strict=True):
            if top > self._cells[cell, 0]:
                at = begin + int(distance[begin:end].argmax())
                self._cells[cell] = top, start + places[at], got[at]

    def _not_a_number(self, start: int, computed: NDArray[np.int64], numbers: NDArray[np.bool_], weight: int) -> None:
        if not self.law.nan_expected or numbers.all():
            return
        expected = np.flatnonzero(~numbers)
        self.counts["NaN expected"] += weight * len(expected)
        lost = expected[np.abs(computed[expected]) <= self.fmt.infinity_ordinal]
        self._count("NaN lost", start, lost, weight)
        self._count("NaN swallowed", start, lost[(start + lost) & (self.fmt.sign_pattern - 1) > self.fmt.infinity_ordinal], weight)

    def _range(self, start: int, computed: NDArray[np.int64], numbers: NDArray[np.bool_], weight: int) -> None:
        low, high = self.law.range
        inside = (computed >= low) & (computed <= high) | (np.abs(computed) > self.fmt.infinity_ordinal)
        if not inside.all():
            places = np.flatnonzero(~inside & numbers)
            self._count("outside", start, places, weight)
            self._keep_strays("outside", start, places, computed[places], weight)

    def _keep_strays(self, kind: str | int, start: int, places: NDArray[np.int64], got: NDArray[np.int64], weight: int) -> None:
        """Of a chunk's results of a kind that have no distance, or are no worse than others, keeps the first and the last.

        They are judged beside the worst: a known failure may take out the one and not the other.
        """
        if len(places):
            first, last = (start + int(places[0]), int(got[0])), (start + int(places[-1]) + weight - 1, int(got[-1]))
            self._stray[kind] = [self._stray[kind][0] if kind in self._stray else first, last]

    def _premature(self, start: int, places: NDArray[np.int64], weight: int) -> None:
        """Counts them, and keeps the one nearest to zero on each side."""
        if not len(places):
            return
        self.counts["premature zeros"] += weight * len(places)
        first = start + int(places[0])
        side = int(first >= self.fmt.sign_pattern) if self.law.single else 0
        known = self.frontier[side]
        self.frontier[side] = first if known is None else min(first, known)

    def _order(self, start: int, computed: NDArray[np.int64]) -> None:
        """Counts where the results go the wrong way. Patterns of negative numbers count away from zero."""
        direction = self._step(start, int(computed[0]), int(computed[-1]))
        if direction:
            step = np.diff(computed)
            wrong = step < 0 if direction > 0 else step > 0
            if wrong.any():
                numbers = np.abs(computed) <= self.fmt.infinity_ordinal
                self._count("descents", start + 1, np.flatnonzero(wrong & numbers[1:] & numbers[:-1]), 1)

    def _order_plain(self, start: int, got: Patterns, negative: bool) -> None:
        """The same for numbers of one sign; negative ones are ordered against their patterns."""
        ends = ordinals(self.fmt, got[[0, -1]])
        direction = self._step(start, int(ends[0]), int(ends[1])) * (-1 if negative else 1)
        if direction:
            wrong = got[1:] < got[:-1] if direction > 0 else got[1:] > got[:-1]
            if wrong.any():
                self._count("descents", start + 1, np.flatnonzero(wrong), 1)

    def _step(self, start: int, first: int, last: int) -> int:
        """Compares a block's first result with the one before it, and returns which way the results should go."""
        direction = self._direction = self._direction_at(start)
        if direction and descends(self.fmt.infinity_ordinal, direction, self._edges[1], first):
            self._count("descents", start, np.zeros(1, np.int64), 1)
        if self._edges[0] is None:
            self._edges[0], self._edges[2] = first, start
        self._edges[1] = last
        return direction

    def _direction_at(self, start: int) -> int:
        if start >= self.fmt.sign_pattern and self.law.single:
            return -self.law.trend[0]
        return self.law.trend[1]

    def _tiny_inputs(self, start: int, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        if not self.law.single:
            return np.zeros(places.shape, dtype=bool)
        magnitude = (start + places) & (self.fmt.sign_pattern - 1)
        return np.asarray((magnitude < self.fmt.tiny_pattern) & (magnitude > 0))

    def _count(self, what: str, start: int, places: NDArray[np.int64], weight: int) -> None:
        if len(places):
            self.counts[what] += weight * len(places)
            self.firsts.setdefault(what, start + int(places[0]))


def descends(infinity: int, direction: int, before: int | None, after: int) -> bool:
    """Whether two neighbouring results, both numbers, go the wrong way."""
    return before is not None and abs(before) <= infinity and abs(after) <= infinity and (after - before) * direction < 0
