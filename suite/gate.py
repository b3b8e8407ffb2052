"""The gate for time: two releases in turns, over several launches, until each cell is clear or the time is up.

A turn starts one process of each release. Both prepare every cell, at once; then in each round every cell is timed in the one and right
after in the other, so that whatever disturbs the machine for longer disturbs both. :mod:`suite.statistics` judges after the numbers of
launches in :data:`LOOKS`; a cell that is clear is timed no more.

Both are timed on one core, another one in the next turn. Where a call is handed from thread to thread, its time on several cores is
decided by which of them happen to sleep: on a virtual machine of two, rounds of JAX's small functions differed by 55 %, on one core
by 10 %.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from suite import machine, statistics, timing
from suite.model import Ratio, Speed
from suite.processes import Absent, FrameworkError, Process, Processes, Request, StartError, WorkerError, needs_x64
from suite.statistics import Estimate, Floats
from suite.workloads import Cell

LOOKS = (6, 9, 13, 19, 28, 41, 60)
"""Launches after which verdicts are taken; the last is the most that a comparison takes."""

ROUND_SECONDS = 0.002
"""A round calls the function until about so much time is over, once at least; where that is several calls, after one to wake it up."""

CELL_SECONDS = 0.06
"""Time that the rounds of a cell may take in a launch of one release."""

FEWEST_ROUNDS, MOST_ROUNDS = 5, 25
"""Of a cell in a launch: many short ones, since on a shared machine they are no noisier than long ones."""

Launch = Callable[[], Processes]
"""Gives the processes of a release, not yet started."""

Called = Callable[[int, Cell], str]
"""The name of a cell's implementation in the release at a place, where the two have other names for it."""


def as_named(_process: int, cell: Cell) -> str:
    """The cell's own."""
    return cell.case.implementation


@dataclass(frozen=True)
class Stream:
    """One of the things that are timed in turns: the place of its process, and what a request to it says beside the cell."""

    process: int
    extra: Callable[[Cell], Mapping[str, int]] = lambda _: {}


PAIR = (Stream(0), Stream(1))


class CellError(Exception):
    """A cell could not be timed; ``process`` is the place of the process that failed, which has ``died`` or goes on."""

    def __init__(self, cell: Cell, process: int, reason: str, died: bool) -> None:
        super().__init__(reason)
        self.cell, self.process, self.died = cell, process, died


@dataclass(frozen=True)
class Pace:
    """How a cell is timed in each launch: calls in a round, and rounds."""

    calls: int
    rounds: int


Paces = dict[str, Pace]
"""By the cells' ids; whatever is timed for the first time is added."""


def timed(
    processes: Sequence[Process],
    cells: Sequence[Cell],
    paces: Paces,
    streams: Sequence[Stream] = PAIR,
    turn: int = 0,
    called: Called = as_named,
    core: int | None = None,
) -> Floats:
    """The rounds of one launch: seconds of a call, shape ``(streams, cells, MOST_ROUNDS)``, NaN where a cell has fewer.

    The order of the streams goes round from round to round, beginning with the ``turn``. If a ``core`` is given, all are timed on it.

    Raises:
        CellError: a framework raised, died or hung at a cell.
        Absent, StartError: a process cannot be started.
    """
    waiting = [(cell, k, p.submit(_prepare(cell, called(k, cell)))) for cell in cells for k, p in enumerate(processes)]
    for cell, k, future in waiting:
        with _Blamed(cell, k):
            future.result()
    if core is not None:
        for process in processes:
            process.pin(core)
    for cell in cells:
        if cell.id not in paces:
            paces[cell.id] = _pace(processes, cell)
    seconds = np.full((len(streams), len(cells), MOST_ROUNDS), np.nan)
    for r in range(MOST_ROUNDS):
        for c, cell in enumerate(cells):
            if r >= paces[cell.id].rounds:
                continue
            for s in [(k + turn + r) % len(streams) for k in range(len(streams))]:
                seconds[s, c, r] = _round(processes, cell, streams[s], paces[cell.id].calls)
    return seconds


def cores(turn: int, count: int) -> list[int]:
    """For so many processes the cores to start on, different ones as far as there are; in the next turn others come first."""
    allowed = machine.cores()
    return [allowed[(turn + k) % len(allowed)] for k in range(count)]


def _round(processes: Sequence[Process], cell: Cell, stream: Stream, calls: int) -> float:
    process, extra = processes[stream.process], stream.extra(cell)
    with _Blamed(cell, stream.process):
        if calls > 1:
            _loop(process, cell, 1, extra)
        return _loop(process, cell, calls, extra) / calls


def _prepare(cell: Cell, implementation: str) -> Request:
    asked = timing.request(cell)
    return Request({**asked.header, "implementation": implementation, "slot": cell.id}, asked.arrays)


def _loop(process: Process, cell: Cell, count: int, extra: Mapping[str, int]) -> float:
    header, _ = process.submit(Request({"do": "loop", "count": count, "slot": cell.id, **extra})).result()
    return float(header["seconds"])


def _pace(processes: Sequence[Process], cell: Cell) -> Pace:
    """By the quickest of a few calls in the slower process; the first counts only where it takes the time of several rounds."""
    slowest = 1e-9
    for k, process in enumerate(processes):
        with _Blamed(cell, k):
            once = _loop(process, cell, 1, {})
            slowest = max(slowest, once if once > 10 * ROUND_SECONDS else min(_loop(process, cell, 3, {}) / 3 for _ in range(3)))
    rounds = round(CELL_SECONDS / max(slowest, ROUND_SECONDS))
    return Pace(max(1, round(ROUND_SECONDS / slowest)), min(max(rounds, FEWEST_ROUNDS), MOST_ROUNDS))


@dataclass
class _Blamed:
    """Says of a failure which cell it was, and which process."""

    cell: Cell
    process: int

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, WorkerError) and not isinstance(error, StartError):
            raise CellError(self.cell, self.process, str(error), not isinstance(error, FrameworkError)) from error


@dataclass
class Decision:
    """Verdicts while the launches come in, cell by cell."""

    cells: int
    looks: Sequence[int] = LOOKS
    verdicts: list[Speed] = field(init=False)
    estimates: list[Estimate | None] = field(init=False)

    def __post_init__(self) -> None:
        self.verdicts = ["cannot tell"] * self.cells
        self.estimates = [None] * self.cells

    def look(self, estimates: Mapping[int, Estimate]) -> None:
        """Judges the cells that are still open, by their places."""
        for place, found in estimates.items():
            self.estimates[place] = found
        known = [(i, e) for i, e in enumerate(self.estimates) if e is not None]
        for (place, _), verdict in zip(known, statistics.verdicts([e for _, e in known], len(self.looks)), strict=True):
            if place in estimates:
                self.verdicts[place] = verdict

    def needed(self, place: int) -> int | None:
        """Launches that would probably decide an open cell, if anything is known of it."""
        found = self.estimates[place]
        return statistics.needed(found, self.cells, len(self.looks)) if found else None


class Gate:
    """A comparison of two releases over cells, for at most ``seconds``; what is known is there at any moment.

    With ``all_cores`` the processes have every core that this one has: as in use, and as unsteady.
    """

    def __init__(
        self, cells: Iterable[Cell], old: Launch, new: Launch, seconds: float, called: Called = as_named, all_cores: bool = False
    ) -> None:
        self.cells = sorted(cells, key=_group)
        self.launches = 0
        self._sides, self._seconds, self._called, self._all_cores = (old, new), seconds, called, all_cores
        self._times: dict[int, list[Floats]] = {place: [] for place in range(len(self.cells))}
        self._paces: Paces = {}
        self._failed: dict[int, str] = {}
        self._decision = Decision(len(self.cells))
        self._rng = np.random.default_rng(0)

    @property
    def open(self) -> list[int]:
        """Places of the cells that are not clear."""
        return [p for p, v in enumerate(self._decision.verdicts) if v == "cannot tell" and p not in self._failed]

    def run(self, told: Callable[[int, int], None] = lambda _launches, _open: None) -> None:
        """Launches until every cell is clear or the time is up; ``told`` after each turn how many launches, and how many open cells."""
        with tempfile.TemporaryDirectory() as cache:
            self._run(told, cache)

    def _run(self, told: Callable[[int, int], None], cache: str) -> None:
        begin = time.monotonic()
        while self.open and self.launches < LOOKS[-1]:
            started = time.monotonic()
            for _, group in groupby(self.open, key=lambda place: _group(self.cells[place])):
                self._turn(list(group), cache)
            self.launches += 1
            now = time.monotonic()
            last = now + (now - started) > begin + self._seconds
            if self.launches in LOOKS or last:
                self._look()
            told(self.launches, len(self.open))
            if last:
                break

    def _look(self) -> None:
        if self.launches >= statistics.FEWEST:
            both = {p: np.stack(self._times[p], axis=1) for p in self.open}
            self._decision.look({p: statistics.estimate(old, new, self._rng) for p, (old, new) in both.items()})

    def _turn(self, places: list[int], cache: str) -> None:
        """A launch of both releases for the cells of one process; one that fails is left out, and the turn repeated if a process died."""
        while places:
            first = self.cells[places[0]].case
            running = [side() for side in self._sides]
            own = [None, None] if self._all_cores else cores(self.launches, 2)
            for processes, core in zip(running, own, strict=True):
                processes.steady(core, cache)
            try:
                both = [r.of(first) for r in running]
                chosen = [self.cells[p] for p in places]
                seconds = timed(both, chosen, self._paces, turn=self.launches, called=self._called, core=own[0])
            except CellError as error:
                culprit = next(p for p in places if self.cells[p] == error.cell)
                self._failed[culprit] = f"{('old', 'new')[error.process]}: {error}"
                places = [p for p in places if p != culprit]
            except (Absent, StartError) as error:
                self._failed |= dict.fromkeys(places, str(error))
                return
            else:
                for c, place in enumerate(places):
                    self._times[place].append(seconds[:, c, : self._paces[self.cells[place].id].rounds])
                return
            finally:
                for processes in running:
                    processes.close()

    def ratios(self) -> list[Ratio]:
        """What is known of every cell. One without enough launches was not measured."""
        return [self._ratio(place, cell) for place, cell in enumerate(self.cells)]

    def _ratio(self, place: int, cell: Cell) -> Ratio:
        found, times = self._decision.estimates[place], self._times[place]
        named = (cell.case, cell.what, cell.workload.name)
        if place in self._failed:
            return Ratio(*named, "not measured", launches=len(times), message=self._failed[place])
        if found is None:
            reason = f"the time was up after {len(times)} launches; {statistics.FEWEST} are needed at least"
            return Ratio(*named, "not measured", launches=len(times), message=reason)
        low, high = found.interval()
        old, new = (float(np.exp(np.median(np.log(np.median(times, axis=-1)[:, side])))) for side in (0, 1))
        verdict = self._decision.verdicts[place]
        needed = self._decision.needed(place) if verdict == "cannot tell" else None
        ratio = float(np.exp(found.log_ratio))
        return Ratio(*named, verdict, ratio, low, high, found.launches, needed, old, new)


def _group(cell: Cell) -> tuple[str, bool]:
    """Cells of one group share a process."""
    return cell.case.backend, needs_x64(cell.case)
