"""Verdicts on times: is the new release slower, faster, the same, or can it not be told?

The unit of evidence is a launch: one process of each release, alive together, timed in turns. Of a cell it gives one number, the median
over its rounds of the logarithm of the ratio of the two times, taken one right after the other; within a process times are not
independent, so more rounds do not replace another launch. What is believed of a cell is the trimmed mean of these numbers, which one
disturbed launch in five cannot move far; its standard error comes from a hierarchical bootstrap, which draws launches and, of each that is
drawn, rounds (Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). Its tails are Student's with the degrees of
freedom of a trimmed mean (Tukey & McLaughlin, Sankhyā A 25, 1963), since a bootstrap of five launches knows nothing of its own tails.

A cell is *slower* or *faster* if its time has changed at all, with the false discovery rate held at :data:`RATE` over all cells and all
looks (Benjamini & Hochberg, J. R. Stat. Soc. B 57, 1995; a look has its equal part of the rate), and the change is believed to be
:data:`EFFECT` or more; to prove that as well takes (5/3)² times as many launches for a change of 5 %. It is the *same* if two one-sided
tests at :data:`SAME` say that it lies between (Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from suite.model import Speed

Floats = NDArray[np.float64]

EFFECT = 0.02
"""The smallest change that is called one. Where code comes to lie in memory alone is worth 1 % and more."""

RATE = 0.01
"""Share of false alarms among alarms. Where nothing has changed, every alarm is false: then it is the share of comparisons with any."""

SAME = 0.05
"""Chance, at a look, to call a cell the same whose time has changed by :data:`EFFECT`."""

TRIMMED = 0.2
"""Share of the launches left out at each end."""

FEWEST = 5
"""Launches from which on anything is said: one is trimmed at each end, and three are left."""

RESAMPLES = 2000
"""Of the bootstrap: its standard error is then itself known to 2 %."""

_REPLICATES = 50
"""Resampled medians kept of each launch, from which the bootstrap draws."""

MOST = 10_000
"""Launches beyond which it is no use to say how many are needed."""


@dataclass(frozen=True)
class Estimate:
    """The logarithm of a cell's ratio with its standard error and degrees of freedom, from so many launches."""

    log_ratio: float
    error: float
    freedom: int
    launches: int

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The ratio's confidence interval, of this cell by itself."""
        half = float(stats.t.ppf(0.5 + confidence / 2, self.freedom)) * self.error
        return math.exp(self.log_ratio - half), math.exp(self.log_ratio + half)

    @property
    def change(self) -> float:
        """p-value of "the time has not changed", two-sided."""
        return 2.0 * float(stats.t.sf(abs(self.log_ratio) / self.error, self.freedom))

    @property
    def matters(self) -> bool:
        """Whether the change, as it is believed, is :data:`EFFECT` or more."""
        return abs(self.log_ratio) >= math.log1p(EFFECT)

    @property
    def sameness(self) -> float:
        """p-value of "the time has changed by :data:`EFFECT` or more": the larger one of the two one-sided tests."""
        return float(stats.t.sf((math.log1p(EFFECT) - abs(self.log_ratio)) / self.error, self.freedom))


def estimate(old: Floats, new: Floats, rng: np.random.Generator) -> Estimate:
    """What is believed of one cell.

    Args:
        old: times of a call in seconds, shape ``(launches, rounds)``.
        new: the same of the new release, launch by launch beside the old one.
        rng: the bootstrap's.

    Raises:
        ValueError: fewer than :data:`FEWEST` launches, other shapes, or times that are not positive.
    """
    if old.shape != new.shape or old.ndim != 2 or len(old) < FEWEST:
        raise ValueError(f"times of shape {old.shape} and {new.shape}: two of the same shape are needed, {FEWEST} launches or more")
    if not (np.isfinite(old).all() and np.isfinite(new).all() and (old > 0).all() and (new > 0).all()):
        raise ValueError("times have to be positive and finite")
    launches, rounds = old.shape
    logs = np.log(new) - np.log(old)
    centre = float(stats.trim_mean(np.median(logs, axis=1), TRIMMED))
    redrawn = rng.integers(rounds, size=(_REPLICATES, launches, rounds))
    bank = np.median(np.take_along_axis(logs[None], redrawn, axis=2), axis=2).T

    def resampled(index: NDArray[np.int64], axis: int) -> Floats:
        drawn = bank[index, rng.integers(_REPLICATES, size=index.shape)]
        return np.asarray(stats.trim_mean(drawn, TRIMMED, axis=axis))

    drawn = stats.bootstrap(
        (np.arange(launches),), resampled, n_resamples=RESAMPLES, vectorized=True, method="percentile", rng=rng
    )  # fmt: skip
    # Drawing with replacement makes n launches vary as n − 1 do; a clock's resolution is the least that can be known.
    error = math.hypot(float(drawn.standard_error) * math.sqrt(launches / (launches - 1)), 1e-9)
    return Estimate(centre, error, int(_freedom(launches)), launches)


def verdicts(found: Sequence[Estimate], looks: int) -> list[Speed]:
    """What is said of each cell when all are looked at, for one of ``looks`` times."""
    if not found:
        return []
    discovered = stats.false_discovery_control([e.change for e in found], method="bh") <= RATE / looks
    return [_verdict(e, bool(d)) for e, d in zip(found, discovered, strict=True)]


def _verdict(found: Estimate, discovered: bool) -> Speed:
    if discovered and found.matters:
        return "slower" if found.log_ratio > 0 else "faster"
    return "same" if found.sameness <= SAME else "cannot tell"


def needed(found: Estimate, cells: int, looks: int) -> int | None:
    """Launches that would probably decide a cell that has the ratio found, among so many cells; None beyond :data:`MOST`.

    The error falls with the square root of the launches. To be called changed, a cell alone in having changed must pass the first step of
    Benjamini's and Hochberg's procedure.
    """
    size = abs(found.log_ratio)
    distance, level = (size, RATE / looks / cells / 2) if found.matters else (math.log1p(EFFECT) - size, SAME)
    launches = np.arange(found.launches + 1, MOST + 1)
    errors = found.error * np.sqrt(found.launches / launches)
    enough = stats.t.isf(level, _freedom(launches)) * errors <= distance
    return int(launches[enough.argmax()]) if enough.any() else None


def _freedom(launches: Any) -> Any:
    """Of a trimmed mean: one less than the launches that are left."""
    return launches - 2 * (TRIMMED * launches // 1) - 1
