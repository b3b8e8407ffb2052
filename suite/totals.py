"""The tallies of a sweep's shards, put together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

from suite.floats import Format
from suite.tally import COUNTS, descends


@dataclass(frozen=True)
class Total:
    """The tallies of all shards of one output together; ``shards`` has their results in the order of their inputs."""

    fmt: Format
    shards: Sequence[Mapping[str, Any]]

    @cached_property
    def counts(self) -> dict[str, int]:
        """Sums, with the steps from shard to shard."""
        counts = {name: sum(s["counts"][name] for s in self.shards) for name in COUNTS}
        counts["descents"] += len(self._descents)
        return counts

    @cached_property
    def _descents(self) -> list[int]:
        """The shards' first inputs at which the results go the wrong way."""
        found = []
        for one, other in pairwise(self.shards):
            (direction, _, before, _), (onward, after, _, start) = one["edges"], other["edges"]
            if direction == onward != 0 and descends(self.fmt.infinity_ordinal, direction, before, after):
                found.append(int(start))
        return found

    @cached_property
    def histogram(self) -> list[int]:
        """How many results are 0, 1, 2 and more units off."""
        return [sum(column) for column in zip(*(s["histogram"] for s in self.shards), strict=True)]

    @property
    def worst(self) -> int:
        """The largest distance of a finite result."""
        return max(int(s["worst"]) for s in self.shards)

    @property
    def at(self) -> list[int]:
        """Inputs at which it is reached, the first few of each shard."""
        return [i for s in self.shards if s["worst"] == self.worst for i in s["at"]]

    @property
    def digest(self) -> str:
        """SHA-256 over the shards' digests, each over its chunks' digests, each over the results' bits with one NaN for all."""
        return hashlib.sha256("".join(s["digest"] for s in self.shards).encode()).hexdigest()

    def first(self, what: str) -> int | None:
        """The first input of those counted so."""
        found = [s["firsts"][what] for s in self.shards if what in s["firsts"]]
        return min(found[:1] + (self._descents[:1] if what == "descents" else []), default=None)

    @property
    def frontier(self) -> tuple[int | None, int | None]:
        """The premature zeros nearest to zero, on the positive and the negative side."""
        sides = [[s["frontier"][side] for s in self.shards if s["frontier"][side] is not None] for side in (0, 1)]
        return (min(sides[0], default=None), min(sides[1], default=None))

    @property
    def normal(self) -> int:
        """The largest distance of a result that is not zero and whose exact value is at least twice the smallest normal number."""
        return max(int(s["normal"]) for s in self.shards)

    @property
    def relative(self) -> list[list[int]]:
        """(distance, input, computed ordinal) of every chunk's relatively worst such result, where that is not its worst one."""
        return [entry for s in self.shards for entry in s["relative"]]

    @property
    def cells(self) -> list[list[int]]:
        """(distance, input, computed ordinal) of the worst result of pairs in each shard, for each binade of the second number."""
        return [entry for s in self.shards for entry in s["cells"]]

    @property
    def strays(self) -> list[list[int]]:
        """(input, computed ordinal) of the first and the last result of each chunk that is NaN, infinite or outside the range, by kind.

        Ordinals beyond the infinities say NaN.
        """
        return [entry for s in self.shards for entry in s["strays"]]

    @property
    def profile(self) -> list[list[int]]:
        """(distance, input, computed ordinal) of every chunk's worst result."""
        return [entry for s in self.shards for entry in s["profile"]]
