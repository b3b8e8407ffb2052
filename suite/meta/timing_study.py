"""What the gate for time gets right: ``python -m suite.meta.timing_study record FILE`` and ``… tables FILE``.

``record`` launches one release against itself, pair by pair, and times in turns: the cells in the one process, and in the other the
cells as they are and with work added inside the timed function, enough to make them 5 and 10 % slower. ``tables`` replays comparisons of
launches that follow each other through the gate's own decisions and through the rules of pytest-benchmark and asv.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tqdm import tqdm

from suite import gate, timing
from suite.cases import canonical
from suite.gate import LOOKS, Decision, Stream
from suite.meta.slowed import LARGEST
from suite.processes import Process, Processes, Request
from suite.workloads import Cell

Floats = NDArray[np.float64]

BACKEND = "jax"
CELLS = 44
SIZES = ("1e3", "1e6", "128x10", "1024x1000")
SLOWDOWNS = (0.05, 0.10)
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
def _launched(count: int) -> Iterator[list[Process]]:
    started = [Processes(worker="suite.meta.slowed") for _ in range(count)]
    try:
        yield [processes.process(BACKEND) for processes in started]
    finally:
        for processes in started:
            processes.close()


def record(path: Path, pairs: int) -> None:
    """Times pairs of launches and writes them to ``path`` as they come, so that a recording that is interrupted can be read."""
    chosen = cells()
    with _launched(1) as (process,):
        work = _calibrated(process, chosen)
    print(f"{len(chosen)} cells; extra work of {SLOWDOWNS[0]:.0%}: {min(work[SLOWDOWNS[0]].values())} numbers and more", file=sys.stderr)
    streams = (*gate.PAIR, *(Stream(1, _adding(work[s])) for s in SLOWDOWNS))
    paces: gate.Paces = {}
    taken: list[Floats] = []
    starts: list[float] = []
    for turn in tqdm(range(pairs), unit=" pairs", disable=None):
        starts.append(time.time())
        with _launched(2) as processes:
            taken.append(gate.timed(processes, chosen, paces, streams, turn))
        about = {"cells": [c.id for c in chosen], "slowdowns": SLOWDOWNS, "starts": starts}
        np.savez(path, seconds=np.stack(taken), about=np.array(json.dumps(about)))


def _adding(work: Mapping[Cell, int]) -> Callable[[Cell], Mapping[str, int]]:
    return lambda cell: {"extra": work[cell]}


def _calibrated(process: Process, chosen: Sequence[Cell]) -> dict[float, dict[Cell, int]]:
    """For each slowdown and cell the extra work that takes that share of its time; fixed from here on, as a real change would be."""
    usual = np.nanmedian(gate.timed([process], chosen, {}, (Stream(0),))[0], axis=-1)
    sizes = np.unique(np.geomspace(1, LARGEST, 60).astype(int))
    costs = np.maximum.accumulate([_cost(process, int(size)) for size in sizes])
    return {
        s: {cell: max(1, int(np.interp(s * seconds, costs, sizes))) for cell, seconds in zip(chosen, usual, strict=True)} for s in SLOWDOWNS
    }


def _cost(process: Process, extra: int) -> float:
    def seconds(count: int) -> float:
        return float(process.submit(Request({"do": "spin", "count": count, "extra": extra})).result()[0]["seconds"]) / count

    count = max(1, int(1e-3 / seconds(3)))
    return float(np.median([seconds(count) for _ in range(9)]))


# Replaying


@dataclass(frozen=True)
class Recording:
    """``seconds`` of shape ``(pairs, streams, cells, rounds)``: the one process, then the other as it is and slowed; when pairs began.

    NaN where a cell has fewer rounds than others.
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
        """The pairs from ``first`` on that fit into the time of a comparison."""
        end = int(np.searchsorted(self.starts, self.starts[first] + LIMIT))
        return min(end, self.pairs) - first


@dataclass(frozen=True)
class Trial:
    """A comparison of pairs ``first`` and following: the stream that is the new release, and whether the two change places."""

    first: int
    new: int
    swapped: bool = False


def gated(recording: Recording, trial: Trial) -> tuple[Decision, int]:
    """The gate's decision on a trial, and the pairs it took; those that the time, or the recording, leaves at most."""
    available = min(recording.within(trial.first), LOOKS[-1])
    decision = Decision(recording.seconds.shape[2])
    open_cells = list(range(decision.cells))
    for look in [n for n in LOOKS if n < available] + [available]:
        part = recording.seconds[trial.first : trial.first + look]
        old, new = (part[:, s] for s in ((trial.new, 0) if trial.swapped else (0, trial.new)))
        decision.look({c: (_rounds(old[:, c]), _rounds(new[:, c])) for c in open_cells})
        open_cells = [c for c in open_cells if decision.verdicts[c] == "cannot tell"]
        if not open_cells:
            return decision, look
    return decision, available


def _rounds(times: Floats) -> Floats:
    """Those that a cell has."""
    return times[..., np.isfinite(times[0])]


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


def tables(recording: Recording) -> str:
    """False alarms and power, as Markdown."""
    firsts = [f for f in range(recording.pairs - 1) if f + min(LOOKS[-1], recording.within(f)) < recording.pairs or f == 0]
    slowdowns = range(len(recording.slowdowns))
    same = [gated(recording, Trial(f, 1, swapped)) for f in firsts for swapped in (False, True)]
    slowed = [[gated(recording, Trial(f, s + 2)) for f in firsts] for s in slowdowns]
    alarms = np.array([[v in ("slower", "faster") for v in d.verdicts] for d, _ in same])
    rows = [("gate", alarms, [np.array([[v == "slower" for v in d.verdicts] for d, _ in found]) for found in slowed])]
    for name, rule in RULES.items():
        found = [np.array([rule(recording, Trial(f, s)) for f in firsts]) for s in range(1, 2 + len(slowdowns))]
        rows.append((name, found[0], found[1:]))
    heads = ["rule", "comparisons with a false alarm", "cells with one", *(f"{s:.0%} slower, found" for s in recording.slowdowns)]
    lines = [
        f"{2 * recording.pairs} launches of one release, {recording.seconds.shape[2]} cells; {len(firsts)} places to begin a comparison",
        "",
        _row(heads),
        _row(["---"] * len(heads)),
        *(_row([n, _share(np.asarray(false.any(axis=1))), _share(false), *(f"{p.mean():.1%}" for p in power)]) for n, false, power in rows),
    ]
    return "\n".join([*lines, "", *_remarks(recording, same, slowed)]) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _share(found: NDArray[Any]) -> str:
    return f"{int(found.sum()):,} of {found.size:,} ({found.mean():.2%})"


def _remarks(recording: Recording, same: list[tuple[Decision, int]], slowed: list[list[tuple[Decision, int]]]) -> list[str]:
    """How long comparisons take, what is left open, and how much slower the slowed cells were."""
    seconds = float(np.median(np.diff(recording.starts)))
    lines = []
    for name, found in [("unchanged", same), *((f"{s:.0%} slower", f) for s, f in zip(recording.slowdowns, slowed, strict=True))]:
        pairs = np.array([n for _, n in found])
        kinds = [v for d, _ in found for v in d.verdicts]
        shares = ", ".join(f"{kinds.count(k) / len(kinds):.1%} {k}" for k in ("same", "slower", "faster", "cannot tell"))
        lines.append(f"- {name}: {shares}; {np.median(pairs):.0f} pairs of launches in the median, {pairs.max()} at most")
    logs = np.log(np.nanmedian(recording.seconds, axis=-1))
    differences = logs - logs[:, :1]
    executed = [np.expm1(np.median(differences[:, s + 2] - differences[:, 1], axis=0)) for s in range(len(recording.slowdowns))]
    done = "; ".join(f"{np.median(e):.1%} ({e.min():.1%} to {e.max():.1%})" for e in executed)
    lines.append(f"- extra work executed, over the same process' time without it, in the median over cells: {done}")
    lines.append(
        f"- a pair of launches took {seconds:.1f} s, with all four streams; processes differ by {_spread(logs):.1%} (CV of medians)"
    )
    return lines


def _spread(logs: Floats) -> float:
    return float(np.median(np.std(logs[:, 0], axis=0)))


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
