"""Two releases as a run compared them: what they are, what differs, and what that amounts to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from reports.read import Absent, Process
from reports.text import plural
from suite.model import Change, Direction, Ratio, Side, Speed

_NAMES: tuple[Literal["old"], Literal["new"]] = ("old", "new")
_FEW = 3
"""Distributions that stand in a title at most."""

_WORDS: dict[Speed, str] = {
    "slower": "slower",
    "faster": "faster",
    "same": "the same",
    "not measured": "not measured",
    "cannot tell": "that cannot be told",
}


@dataclass(frozen=True)
class Comparison:
    """What one run found. ``numerics`` and ``time`` say what it was to compare, ``incomplete`` why it is so, empty if it is complete."""

    run: str
    started: str
    old: Side
    new: Side
    changes: tuple[Change, ...]
    ratios: tuple[Ratio, ...]
    absent: tuple[Absent, ...]
    numerics: bool = True
    time: bool = True
    incomplete: str = ""

    @property
    def title(self) -> str:
        """What was asked for: ``jax==0.10.1 → jax==0.10.2``. Of paths, what differs in them, where that is not much."""
        return f"{self._named(self.old)} → {self._named(self.new)}"

    def _named(self, side: Side) -> str:
        told = [f"{name} {side.versions.get(name, 'not installed')}" for name, _, _ in self.differing]
        by_version = "/" in side.wanted and 0 < len(told) <= _FEW
        return ", ".join(told) if by_version else side.wanted or f"the {side.name} release"

    @property
    def unusable(self) -> tuple[Side, ...]:
        """Releases that could not be used."""
        return tuple(side for side in (self.old, self.new) if side.error)

    @property
    def red(self) -> bool:
        """Whether it turns a report red: something is worse, slower or not measured, or a release could not be used."""
        bad = any(c.direction == "worse" for c in self.changes) or any(r.verdict in ("slower", "not measured") for r in self.ratios)
        return bad or bool(self.unusable)

    @property
    def differing(self) -> tuple[tuple[str, str, str], ...]:
        """Distributions whose versions differ: name, old, new; empty where one is not installed."""
        old, new = self.old.versions, self.new.versions
        both = ((name, old.get(name, ""), new.get(name, "")) for name in sorted({*old, *new}, key=str.lower))
        return tuple(row for row in both if row[1] != row[2])

    @property
    def same(self) -> int:
        """How many distributions are in both environments, in the same version."""
        return sum(self.new.versions.get(name) == version for name, version in self.old.versions.items())

    @property
    def speeds(self) -> dict[Speed, int]:
        """How many cells have each verdict."""
        counts = Counter(ratio.verdict for ratio in self.ratios)
        return {verdict: counts[verdict] for verdict in _WORDS}

    def of(self, direction: Direction) -> list[Change]:
        """Changes in a direction."""
        return [change for change in self.changes if change.direction == direction]

    @property
    def sentence(self) -> str:
        """What came of it, every number named."""
        unusable = [f"the {side.name} release could not be used" for side in self.unusable]
        return f"{self.title}: {'; '.join([*unusable, *self._numerics(), *self._time()])}."

    def _numerics(self) -> Iterator[str]:
        worse, better, changed = (functions(self.of(direction)) for direction in get_args(Direction))
        if self.changes:
            yield f"{plural(worse, 'function')} worse, {better:,} better, {changed:,} with other bits of the same quality"
        elif not self.unusable:
            yield "no result that was compared differs" if self.numerics else "numerics were not compared"

    def _time(self) -> Iterator[str]:
        if self.ratios:
            counts = ", ".join(f"{count:,} {_WORDS[verdict]}" for verdict, count in self.speeds.items())
            yield f"of {plural(len(self.ratios), 'cell')} {counts}"
        elif not self.unusable:
            yield "no cell was timed" if self.time else "time was not compared"


def functions(changes: Iterable[Change]) -> int:
    """How many functions they are of: implementations of an operation, each on its backend."""
    return len({(c.case.operation, c.case.backend, c.case.implementation) for c in changes})


def comparison(group: Sequence[Process], incomplete: str) -> Comparison | None:
    """What the processes of a run compared; ``None`` if they compared nothing."""
    sides = {name: side for p in group for name, side in p.sides.items()}
    changes = tuple(c for p in group for c in p.changes)
    ratios = tuple(r for p in group for r in p.ratios)
    if not (sides or changes or ratios):
        return None
    command = {word for p in group for word in p.command}
    absent = tuple(dict.fromkeys(a for p in group for a in p.absent))
    numerics, time = "--timing-only" not in command, "--numerics-only" not in command
    old, new = (sides.get(name, Side(name, "")) for name in _NAMES)
    return Comparison(group[0].run, group[0].started, old, new, changes, ratios, absent, numerics, time, incomplete)
