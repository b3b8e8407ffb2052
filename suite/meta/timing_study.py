"""What the gate for time gets right: ``python -m suite.meta.timing_study record FILE`` and ``… tables FILE``.

``record`` launches one release against itself: two processes that time the cells as they are, and two that add work inside the timed
function, enough to make it 5 and 10 % slower, all four in turns. ``tables`` replays comparisons of launches that follow each other through
the gate's own decisions and through the rules of pytest-benchmark and asv.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tqdm import tqdm

from suite import gate, statistics, timing
from suite.cases import canonical
from suite.gate import LOOKS, Decision, Stream
from suite.processes import Process, Processes
from suite.statistics import Estimate
from suite.workloads import Cell

Floats = NDArray[np.float64]

BACKEND = "jax"
CELLS = 44
SIZES = ("1e3", "1e6", "128x10", "1024x1000")
SLOWDOWNS = (0.05, 0.10)
SHARES = (0.0, 0.0, *SLOWDOWNS)
"""Of its own time that a cell takes longer, stream by stream. Each has a process of its own: one that is asked more often is warmer."""

MUCH = 0.2
CALIBRATING = (0.0, MUCH, 0.0, MUCH)
CALIBRATIONS = 6
"""Launches that find the extra work; in the first none is done."""

A_TURN = 2e-8
"""Seconds that a turn of the extra work takes, about: where to begin."""

UNCHANGED = 1
"""The stream that is the new release where nothing has changed; those behind it are slowed."""

NEAR = 0.2
"""Share by which a slowdown that was executed may differ from the one that was meant, for a cell to say how well such ones are found."""

EXCHANGES = 6
"""Ways to say which launch of a pair is the old release where nothing has changed: always the first, never, and drawn."""

LIMIT = 600.0
"""Seconds that a comparison may take."""


def cells() -> list[Cell]:
    """So many of the backend's most used functions at float32, small and large, forward and gradient, in both modes."""
    found = [c for c in timing.cells("cpu", everything=True) if c.case.backend == BACKEND and c.workload.name in SIZES]
    usual = [c for c in found if c.case.dtype == "float32" and _is_canonical(c)]
    return [usual[i] for i in np.random.default_rng(0).permutation(len(usual))[:CELLS]]


def _is_canonical(cell: Cell) -> bool:
    first = canonical(BACKEND, cell.case.operation)
    return first is not None and first.name == cell.case.implementation


# Recording


@contextlib.contextmanager
def _launched(turn: int, cache: str) -> Iterator[tuple[list[Process], int]]:
    """A process for each stream, and the core to time them on, as a comparison has them."""
    started = [Processes(worker="suite.meta.slowed") for _ in range(len(SHARES))]
    own = gate.cores(turn, len(SHARES))
    for processes, core in zip(started, own, strict=True):
        processes.steady(core, cache)
    try:
        yield [processes.process(BACKEND) for processes in started], own[0]
    finally:
        for processes in started:
            processes.close()


def record(path: Path, pairs: int) -> None:
    """Times pairs of launches and writes them to ``path`` as they come, so that a recording that is interrupted can be read."""
    chosen = cells()
    paces: gate.Paces = {}
    taken: list[Floats] = []
    starts: list[float] = []
    with tempfile.TemporaryDirectory() as cache:
        streams = _streams(_calibrated(chosen, paces, cache), SHARES)
        for turn in tqdm(range(pairs), unit=" pairs", disable=None):
            starts.append(time.time())
            with _launched(turn, cache) as (processes, core):
                taken.append(gate.timed(processes, chosen, paces, streams, turn, core=core))
            about = {"cells": [c.id for c in chosen], "slowdowns": SLOWDOWNS, "starts": starts}
            np.savez(path, seconds=np.stack(taken), about=np.array(json.dumps(about)))


Work = Mapping[Cell, float]
"""The extra work that takes as much time as a call of the cell; fixed from the calibration on, as a real change would be."""


def _streams(work: Work, shares: Sequence[float]) -> list[Stream]:
    """Each in a process of its own, slowed by such a share of the cell's time."""

    def adding(share: float) -> Callable[[Cell], Mapping[str, int]]:
        return lambda cell: {"extra": round(share * work[cell])}

    return [Stream(s, adding(share)) for s, share in enumerate(shares)]


def _calibrated(chosen: Sequence[Cell], paces: gate.Paces, cache: str) -> Work:
    """By what the extra work takes where it is done, beside processes that do none."""
    work: Work = dict.fromkeys(chosen, 0.0)
    usual: list[Floats] = []
    turns: list[Floats] = []
    for launch in range(CALIBRATIONS):
        with _launched(launch, cache) as (processes, core):
            seconds = gate.timed(processes, chosen, paces, _streams(work, CALIBRATING), launch, core=core)
        medians = np.nanmedian(seconds, axis=-1)
        plain, slowed = (medians[np.array(CALIBRATING) == share].mean(axis=0) for share in (0.0, MUCH))
        usual.append(plain)
        if launch:
            turns.append((slowed - plain) / [round(MUCH * work[cell]) for cell in chosen])
        turn = np.clip(np.median(turns, axis=0), A_TURN / 4, A_TURN * 4) if turns else A_TURN
        work = dict(zip(chosen, (np.median(usual, axis=0) / turn).tolist(), strict=True))
    return work


# Replaying


@dataclass(frozen=True)
class Recording:
    """``seconds`` of shape ``(pairs, streams, cells, rounds)``, NaN where a cell has fewer rounds than others; when pairs began.

    A pair are here the launches of all streams: :data:`SHARES` says what they are.
    """

    seconds: Floats
    starts: Floats
    slowdowns: tuple[float, ...]

    @classmethod
    def read(cls, path: Path) -> Recording:
        """From a file that :func:`record` wrote."""
        with np.load(path) as found:
            about = json.loads(str(found["about"]))
            return cls(found["seconds"], np.array(about["starts"]), tuple(about["slowdowns"]))

    @property
    def pairs(self) -> int:
        """How many there are."""
        return len(self.seconds)

    def within(self, first: int) -> int:
        """The pairs from ``first`` on that fit into the time of a comparison, which has two of the streams and takes their part."""
        end = int(np.searchsorted(self.starts, self.starts[first] + LIMIT * self.seconds.shape[1] / 2))
        return min(end, self.pairs) - first


@dataclass(frozen=True)
class Trial:
    """A comparison of pairs ``first`` and following: the stream that is the new release, for all cells or for one ``alone``.

    What is old and what is new is ``exchanged`` in no pair (0), in all (1), or in pairs drawn by the number.
    """

    first: int
    new: int
    exchanged: int = 0
    alone: int | None = None

    def stream(self, cell: int) -> int:
        """The one that is new for a cell."""
        return self.new if self.alone in (None, cell) else UNCHANGED

    def sides(self, pairs: Floats, cell: int) -> Floats:
        """A cell's times in the old and in the new release, of shape ``(2, pairs, rounds)``."""
        both = np.stack([pairs[:, 0, cell], pairs[:, self.stream(cell), cell]])
        drawn = np.random.default_rng((self.exchanged, self.first)).random(len(pairs)) < 0.5
        turned = drawn if self.exchanged > 1 else np.full(len(pairs), self.exchanged == 1)
        sides = np.where(turned[None, :, None], both[::-1], both)
        return sides[..., np.isfinite(sides[0, 0])]


class Replays:
    """Comparisons of a recording's launches by the gate's own decisions."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._known: dict[tuple[int, int, int, int, int], Estimate] = {}

    def gated(self, trial: Trial) -> tuple[Decision, int]:
        """The decision, and the pairs it took; those that the time, or the recording, leaves at most."""
        available = min(self._recording.within(trial.first), LOOKS[-1])
        decision = Decision(self._recording.seconds.shape[2])
        open_cells = list(range(decision.cells))
        for look in [n for n in LOOKS if n < available] + [available]:
            decision.look({c: self._estimate(trial, look, c) for c in open_cells})
            open_cells = [c for c in open_cells if decision.verdicts[c] == "cannot tell"]
            if not open_cells:
                return decision, look
        return decision, available

    def _estimate(self, trial: Trial, look: int, cell: int) -> Estimate:
        key = (trial.first, trial.stream(cell), trial.exchanged, look, cell)
        if key not in self._known:
            pairs = self._recording.seconds[trial.first : trial.first + look]
            old, new = trial.sides(pairs, cell)
            self._known[key] = statistics.estimate(old, new, np.random.default_rng(key))
        return self._known[key]


Rule = Callable[[Recording, Trial], NDArray[np.bool_]]
"""Which cells a rule flags as slower in a trial."""


def of_one_process(statistic: Callable[..., Floats], threshold: float) -> Rule:
    """pytest-benchmark's ``--benchmark-compare-fail``: a statistic of one process against that of another."""

    def flagged(recording: Recording, trial: Trial) -> NDArray[np.bool_]:
        pair = recording.seconds[trial.first]
        return np.asarray(statistic(pair[trial.new], axis=-1) > statistic(pair[0], axis=-1) * (1 + threshold))

    return flagged


def of_asv(recording: Recording, trial: Trial) -> NDArray[np.bool_]:
    """asv's: two processes of each, samples together; medians that differ by a factor of 1.1, and Mann–Whitney's p < 0.002."""
    pairs = recording.seconds[trial.first : trial.first + 2]
    old, new = (np.concatenate(list(pairs[:, s]), axis=-1) for s in (0, trial.new))
    differ = stats.mannwhitneyu(old, new, axis=-1, nan_policy="omit").pvalue < 0.002
    return np.asarray(differ & (np.nanmedian(new, axis=-1) > 1.1 * np.nanmedian(old, axis=-1)))


RULES: dict[str, Rule] = {
    "pytest-benchmark, `median:5%`": of_one_process(np.nanmedian, 0.05),
    "pytest-benchmark, `median:10%`": of_one_process(np.nanmedian, 0.10),
    "pytest-benchmark, `min:5%`": of_one_process(np.nanmin, 0.05),
    "pytest-benchmark, `mean:5%`": of_one_process(np.nanmean, 0.05),
    "asv, factor 1.1": of_asv,
}


@dataclass(frozen=True)
class Found:
    """What a rule says of the comparisons of a recording, cell by cell, each of shape ``(comparisons, cells)``.

    ``alarms`` where nothing has changed; of each slowdown, what was ``slower`` where all cells were slowed, and where it was ``alone``.
    """

    alarms: NDArray[np.bool_]
    slower: list[NDArray[np.bool_]]
    alone: list[NDArray[np.bool_]]


def tables(recording: Recording) -> str:
    """False alarms and power, as Markdown."""
    firsts = [f for f in range(recording.pairs - 1) if f + min(LOOKS[-1], recording.within(f)) < recording.pairs or f == 0]
    slowed = range(UNCHANGED + 1, recording.seconds.shape[1])
    cells = range(recording.seconds.shape[2])
    replays = Replays(recording)

    def replayed(trials: Iterable[Trial]) -> list[tuple[Decision, int]]:
        return [replays.gated(trial) for trial in tqdm(list(trials), unit=" comparisons", disable=None)]

    same = replayed(Trial(f, UNCHANGED, e) for e in range(EXCHANGES) for f in firsts)
    all_slowed = [replayed(Trial(f, s) for f in firsts) for s in slowed]
    alone = [[[replays.gated(Trial(f, s, alone=c))[0].verdicts[c] == "slower" for c in cells] for f in firsts] for s in slowed]
    found = {"gate": Found(_flagged(same, "slower", "faster"), [_flagged(a, "slower") for a in all_slowed], [np.array(a) for a in alone])}
    for name, rule in RULES.items():
        alarms, *power = (np.array([rule(recording, Trial(f, s)) for f in firsts]) for s in (UNCHANGED, *slowed))
        found[name] = Found(alarms, power, power)
    heads = [f"{what}{s:.0%} slower, found" for what in ("", "alone ") for s in recording.slowdowns]
    near = _near(recording)
    lines = [
        f"{2 * recording.pairs} launches of one release, {len(cells)} cells; {len(firsts)} places to begin a comparison",
        "",
        _row(["rule", "comparisons with a false alarm", "cells with one", *heads]),
        _row(["---"] * (3 + len(heads))),
        *(_row([name, _share(np.asarray(f.alarms.any(axis=1))), _share(f.alarms), *_power(f, near)]) for name, f in found.items()),
    ]
    return "\n".join([*lines, "", *_remarks(recording, same, all_slowed)]) + "\n"


def _flagged(found: Sequence[tuple[Decision, int]], *verdicts: str) -> NDArray[np.bool_]:
    return np.array([[verdict in verdicts for verdict in decision.verdicts] for decision, _ in found])


def _executed(recording: Recording) -> Floats:
    """How much slower each cell really was, of shape ``(slowdowns, cells)``: over the times of the unchanged stream beside it."""
    differences = np.nanmedian(np.log(recording.seconds) - np.log(recording.seconds[:, UNCHANGED, None]), axis=-1)
    return np.asarray(np.expm1(np.median(differences[:, UNCHANGED + 1 :], axis=0)))


def _near(recording: Recording) -> list[NDArray[np.bool_]]:
    """For each slowdown the cells that were really slowed by it, give or take :data:`NEAR` of it."""
    return [np.abs(one / s - 1) <= NEAR for one, s in zip(_executed(recording), recording.slowdowns, strict=True)]


def _power(found: Found, near: Sequence[NDArray[np.bool_]]) -> list[str]:
    return [f"{flags[:, cells].mean():.1%}" for kind in (found.slower, found.alone) for flags, cells in zip(kind, near, strict=True)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _share(found: NDArray[Any]) -> str:
    return f"{int(found.sum()):,} of {found.size:,} ({found.mean():.2%})"


def _remarks(recording: Recording, same: list[tuple[Decision, int]], slowed: list[list[tuple[Decision, int]]]) -> list[str]:
    """How long comparisons take, what is left open, and how much slower the slowed cells were."""
    lines = []
    for name, found in [("unchanged", same), *((f"{s:.0%} slower", f) for s, f in zip(recording.slowdowns, slowed, strict=True))]:
        pairs = np.array([n for _, n in found])
        kinds = [v for d, _ in found for v in d.verdicts]
        shares = ", ".join(f"{kinds.count(k) / len(kinds):.1%} {k}" for k in ("same", "slower", "faster", "cannot tell"))
        lines.append(f"- {name}, all cells: {shares}; {np.median(pairs):.0f} pairs of launches in the median, {pairs.max()} at most")
    for s, one, near in zip(recording.slowdowns, _executed(recording), _near(recording), strict=True):
        spread = f"between {one.min():.1%} and {one.max():.1%}, {np.median(one):.1%} in the median"
        lines.append(f"- work of {s:.0%}, as executed: {spread}; the {near.sum()} cells near {s:.0%}: {np.median(one[near]):.1%}")
    seconds, streams = float(np.median(np.diff(recording.starts))), recording.seconds.shape[1]
    logs = np.log(recording.seconds[:, :2])
    processes, pairs = np.nanmedian(logs[:, 0], axis=-1), np.nanmedian(logs[:, 1] - logs[:, 0], axis=-1)
    lines.append(
        f"- launches of two streams took {2 * seconds / streams:.1f} s of the {seconds:.1f} s of all {streams}; processes differ by "
        f"{_spread(processes):.1%}, pairs by {_spread(pairs):.1%} (medians over cells)"
    )
    return lines


def _spread(logs: Floats) -> float:
    return float(np.median(np.std(logs, axis=0, ddof=1)))


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m suite.meta.timing_study", description=__doc__)
    parser.add_argument("what", choices=("record", "tables"))
    parser.add_argument("file", type=Path, help="the recording, .npz")
    parser.add_argument("--pairs", type=int, default=140, metavar="N", help="of launches to record (default: 140)")
    options = parser.parse_args(arguments)
    if options.what == "record":
        record(options.file, options.pairs)
    else:
        print(tables(Recording.read(options.file)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
