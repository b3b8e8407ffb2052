"""Results of earlier runs, kept under a directory: what each implementation's accuracy and speed were from run to run, and their steps.

Accuracy is that of the boundary grid, the same in each run, or of a sweep; results that have neither are of inputs that vary with the
seed. Times are divided by those of NumPy in the same run, so that another machine, or a busy one, cancels out; see :func:`_relative`.
Of every file, line by line, nothing is kept but these numbers.
"""

from __future__ import annotations

import json
import shutil
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import pairwise
from math import exp, isfinite, log
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

from reports.read import ResultsError, result_files
from reports.steps import steps

ULP, SHARE, SPEED = "max ulp", "share of bound", "time relative to NumPy"
LEAST = {ULP: 0.01, SHARE: 0.01, SPEED: 0.02}
"""The noise, as a part of the value, below which no series is believed to be."""

_FLOOR = 0.01
"""Errors below so many ulp, and such shares of a bound, count as equal: an error may be 0."""

_NUMPY = "numpy"
_OF_NO_USE = tuple(f'{{"kind": "{kind}"'.encode() for kind in ("check", "kills", "entry", "reproduction", "absent", "change", "ratio"))
_RECORD, _OF_USE = b'{"kind": "record"', (b'"max ulp', b'"benchmark"')
"""How the lines begin that hold no number of a series, and what a record that does has in it: most need not be parsed."""


class Track(NamedTuple):
    """What is followed over the runs. ``what`` is a check, or a pass; ``mode`` names the device too if it is no CPU."""

    metric: str
    operation: str
    backend: str
    implementation: str
    mode: str
    dtype: str
    what: str
    workload: str = ""


@dataclass
class Run:
    """A run as history keeps it: the facts of its backends, and numbers by the places of their tracks."""

    id: str
    started: str
    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    places: array[int] = field(default_factory=lambda: array("l"))
    values: array[float] = field(default_factory=lambda: array("d"))

    @property
    def moment(self) -> datetime:
        """When it started; a time without a zone counts as UTC."""
        moment = datetime.fromisoformat(self.started)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    @property
    def when(self) -> str:
        """The same to the minute, in UTC."""
        return f"{self.moment.astimezone(UTC):%Y-%m-%d %H:%M}"


@dataclass(frozen=True)
class Series:
    """A track's values in the runs that have one, by the run's place, and the places in ``values`` where a new level begins."""

    track: Track
    runs: tuple[int, ...]
    values: tuple[float, ...]

    @cached_property
    def steps(self) -> list[int]:
        """Found in logarithms: what counts is by what factor a value changes."""
        floor = 0.0 if self.track.metric == SPEED else _FLOOR
        return steps([log(value + floor) for value in self.values], LEAST[self.track.metric])

    @property
    def levels(self) -> list[float]:
        """The medians between the steps."""
        return [median(self.values[a:b]) for a, b in pairwise([0, *self.steps, len(self.values)])]


@dataclass(frozen=True)
class Step:
    """Changes of one implementation at one run, in accuracy or in speed: one row of the list. ``tracks`` come with their two levels."""

    at: Run
    before: Run
    tracks: tuple[tuple[Track, float, float], ...]

    @cached_property
    def worst(self) -> tuple[Track, float, float]:
        """The one that changes most."""
        return max(self.tracks, key=lambda each: abs(_factor(each)))

    @property
    def worse(self) -> bool:
        """Whether errors or times have grown."""
        return _factor(self.worst) > 0

    @property
    def changed(self) -> list[str]:
        """What the runs say of themselves that differs: versions, the CPU, settings."""
        backend = self.worst[0].backend
        old, new = ({**run.facts.get("suite", {}), **run.facts.get(backend, {})} for run in (self.before, self.at))
        names = [n for n in {**old, **new} if not n.startswith("flushes ") and old.get(n) != new.get(n)]
        return [f"{n} {old.get(n) or '–'} → {new.get(n) or '–'}" for n in names]

    def listed(self, name: str) -> str:
        """The values of a field over all tracks."""
        return ", ".join(dict.fromkeys(str(getattr(track, name)) for track, _, _ in self.tracks))


def _factor(changed: tuple[Track, float, float]) -> float:
    track, old, new = changed
    floor = 0.0 if track.metric == SPEED else _FLOOR
    return log((new + floor) / (old + floor))


@dataclass(frozen=True)
class History:
    """All runs, oldest first, and every track that any of them has."""

    directory: Path
    runs: tuple[Run, ...]
    series: tuple[Series, ...]

    @cached_property
    def by_operation(self) -> dict[str, list[Series]]:
        """Series by their operation, sorted."""
        found: dict[str, list[Series]] = defaultdict(list)
        for series in sorted(self.series, key=lambda s: s.track):
            found[series.track.operation].append(series)
        return dict(found)

    @cached_property
    def steps(self) -> list[Step]:
        """The latest first, then what got worse, and by most."""
        groups: dict[tuple[int, int, str, str, str, bool], list[tuple[Track, float, float]]] = defaultdict(list)
        for series in (s for s in self.series if s.steps):
            track = series.track
            for place, (old, new) in zip(series.steps, pairwise(series.levels), strict=True):
                at, before = series.runs[place], series.runs[place - 1]
                groups[at, before, track.operation, track.backend, track.implementation, track.metric == SPEED].append((track, old, new))
        found = [(at, Step(self.runs[at], self.runs[before], tuple(tracks))) for (at, before, *_), tracks in groups.items()]
        found.sort(key=lambda each: (each[0], each[1].worse, abs(_factor(each[1].worst))), reverse=True)
        return [step for _, step in found]


def keep(files: Iterable[Path], directory: Path) -> None:
    """Copies result files into a directory, each in one step; one that is there already stays. Raises ``OSError``."""
    directory.mkdir(parents=True, exist_ok=True)
    for file in files:
        kept = directory / file.name
        if not (kept.exists() and kept.samefile(file)):
            part = kept.with_suffix(".part")
            shutil.copyfile(file, part)
            part.replace(kept)


def read(directory: Path) -> History:
    """The runs in the result files of a directory, in the order in which they started; raises ``ResultsError``."""
    runs: dict[str, Run] = {}
    places: dict[Track, int] = {}
    for path in result_files([directory]):
        _read_file(path, runs, places)
    ordered = sorted((run for run in runs.values() if run.values), key=lambda run: (run.moment, run.id))
    return History(directory, tuple(ordered), tuple(_series(ordered, list(places))))


# Reading


def _read_file(path: Path, runs: dict[str, Run], places: dict[Track, int]) -> None:
    """Adds a file's numbers to its runs. A last line that is cut off is left out."""
    run: Run | None = None
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.startswith(_OF_NO_USE) or (line.startswith(_RECORD) and not any(part in line for part in _OF_USE)):
                    continue
                run = _read_line(f"{path}:{number}", line, run, runs, places)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_line(where: str, line: bytes, run: Run | None, runs: dict[str, Run], places: dict[Track, int]) -> Run | None:
    if not line.strip():
        return run
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        if not line.endswith(b"\n"):
            return run
        raise ResultsError(f"{where}: not a line of JSON: {error}") from error
    try:
        if data["kind"] == "run":
            found = runs.setdefault(str(data["run"]), Run(str(data["run"]), str(data["started"])))
            found.moment  # noqa: B018 - a time that cannot be read must fail here, where the line is known
            return found
        if run is None:
            raise ValueError("the first line must be of kind 'run'")
        if data["kind"] == "environment":
            run.facts.setdefault(data["backend"], dict(data["facts"]))
        elif data["kind"] == "record":
            for track, value in _numbers(data):
                run.places.append(places.setdefault(track, len(places)))
                run.values.append(value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ResultsError(f"{where}: not a result line: {reason}") from error
    return run


def _numbers(data: Mapping[str, Any]) -> Iterator[tuple[Track, float]]:
    """What a record says of accuracy, or of time in seconds."""
    case, extra = data["case"], data.get("extra", {})
    device = case.get("device", "cpu")
    mode = case["mode"] if device == "cpu" else f"{case['mode']}, {device}"
    names = (case["operation"], case["backend"], case["implementation"], mode, case["dtype"], data["check"])
    if data["family"] == "benchmark":
        if data["status"] == "grade" and _positive(data["value"]):
            yield Track(SPEED, *names, str(extra.get("workload", ""))), data["value"]
        return
    graded = extra.get("grid") or {SHARE: extra.get(SHARE), ULP: extra.get("max ulp of normal results", extra.get(ULP))}
    for metric in (ULP, SHARE):
        value = graded.get(metric)
        if isinstance(value, int | float) and isfinite(value) and value >= 0:
            yield Track(metric, *names), float(value)


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and isfinite(value) and value > 0


# Series


def _series(runs: Sequence[Run], tracks: Sequence[Track]) -> Iterator[Series]:
    """Every track's values over the runs: of several in one run the largest error, the last time."""
    found: dict[Track, dict[int, float]] = defaultdict(dict)
    times: list[dict[Track, float]] = []
    for at, run in enumerate(runs):
        times.append({})
        for place, value in zip(run.places, run.values, strict=True):
            track = tracks[place]
            if track.metric == SPEED:
                times[-1][track] = value
            else:
                found[track][at] = max(value, found[track].get(at, 0.0))
    of_numpy = [{track for track in timed if track.backend == _NUMPY} for timed in times]
    common = set.intersection(*filter(None, of_numpy)) if any(of_numpy) else set()
    for at, timed in enumerate(times):
        for track, value in _relative(timed, common):
            found[track][at] = value
    for track, values in found.items():
        yield Series(track, tuple(values), tuple(values.values()))


def _relative(timed: Mapping[Track, float], common: set[Track]) -> Iterator[tuple[Track, float]]:
    """Times over that of the NumPy cell of the same operation, workload, pass and dtype.

    A gradient, which NumPy has none of, is divided by the forward pass; a dtype that NumPy lacks by float32. Without such a cell it is
    the geometric mean of the NumPy cells that all runs have in ``common``, and so for NumPy's own, which shows where those change.
    """
    cells: dict[tuple[str, str, str], float] = {}
    for track, value in timed.items():
        if track.backend == _NUMPY and track.what == "forward":
            cells.setdefault((track.operation, track.workload, track.dtype), value)
    own = [timed[track] for track in common if track in timed]
    mean = exp(fmean(map(log, own))) if own and len(own) == len(common) else None
    for track, value in timed.items():
        wanted = () if track.backend == _NUMPY else (track.dtype, "float32")
        reference = next((cells[key] for d in wanted if (key := (track.operation, track.workload, d)) in cells), mean)
        if reference:
            yield track, value / reference
