"""Merges what processes wrote into one set of results: several processes of a run, several runs, several machines.

A later run's records replace an earlier one's where case, check, metric and environment are the same. Environments are the
same only if their facts are, the machine's included: results from differing environments stand side by side.
Within one run every record is kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

from reports.catalogue import Check, Mutant, Operation
from reports.compared import Comparison, comparison
from reports.entries import Entry
from reports.kept import Keeper
from reports.read import Absent, Process, read_processes, records
from suite.model import Held, Record, Reproduction

JUDGED = ("pass", "known", "fail", "error")
"""Statuses that are a verdict, the mildest first."""

MACHINE = "suite"
"""The backend whose environments hold for every backend of the run."""

_INTERRUPTED = {2: "interrupted", 3: "stopped by an internal error", 4: "stopped by a usage error"}
_Facts = frozenset[tuple[str, str]]
_EnvironmentKey = tuple[str, _Facts, _Facts]


@dataclass(frozen=True)
class Run:
    """One run of the suite, all its processes together. ``incomplete`` says why it is so, empty if it is complete."""

    id: str
    started: str
    command: tuple[str, ...]
    profile: str
    seed: int | None
    selected: int
    finished: int
    exit: int | None
    seconds: float | None
    processes: tuple[str, ...]
    files: tuple[Path, ...]
    incomplete: str = ""
    notes: tuple[str, ...] = ()
    """What it had to say of itself at its end."""
    unknown: str = ""
    """Lines that were left out since their kind is not known, in words."""


@dataclass(frozen=True)
class Environment:
    """Facts under which records were measured. ``variant`` tells environments of the same id apart, empty if there is one."""

    id: str
    backend: str
    facts: Mapping[str, str] = field(default_factory=dict)
    variant: str = ""
    runs: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """A name unique among the results; records refer to it."""
        return f"{self.id} ({self.variant})" if self.variant else self.id


@dataclass(frozen=True)
class Results:
    """Everything that the files hold, merged. ``incomplete`` lists, in words, what is missing.

    ``checks``, ``operations`` and the casebook's ``entries`` are by name as the latest run that names them has them, ``mutants`` those of
    the latest run that names any, ``reproductions`` the latest of an entry on a backend in an environment, ``comparisons`` one of each
    run that made one, the latest first; what these could not compare is theirs, and not among the ``absent``. ``slim``
    counts the records that were kept without what they say: ``red``, ``known`` and the ``rest``.
    """

    files: tuple[Path, ...]
    runs: tuple[Run, ...]
    environments: tuple[Environment, ...]
    absent: tuple[Absent, ...]
    records: tuple[Record, ...]
    incomplete: tuple[str, ...]
    checks: Mapping[str, Check] = field(default_factory=dict)
    mutants: tuple[Mutant, ...] = ()
    operations: Mapping[str, Operation] = field(default_factory=dict)
    entries: Mapping[str, Entry] = field(default_factory=dict)
    reproductions: tuple[Reproduction, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    held: tuple[Held, ...] = ()
    slim: Mapping[str, int] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        """Number of records, of reproductions and of comparisons that turn a run red."""
        red = sum(record.status in ("fail", "error") for record in self.records)
        return red + len(self.not_reproduced) + sum(found.red for found in self.comparisons)

    @property
    def not_reproduced(self) -> tuple[Reproduction, ...]:
        """What of the casebook turns a run red."""
        return tuple(r for r in self.reproductions if r.verdict == "not reproduced")


def read(paths: Iterable[Path | str]) -> Results:
    """Reads and merges result files, and directories of them; raises ``ResultsError`` on what cannot be read."""
    files, processes, incomplete = [], [], []
    for path, written in read_processes([Path(p) for p in paths]):
        files.append(path)
        processes.extend(written)
        if not written:
            incomplete.append(f"{path}: empty, its process wrote nothing")
    by_run: dict[str, list[Process]] = defaultdict(list)
    processes.sort(key=lambda p: p.moment)
    for process in processes:
        by_run[process.run].append(process)
    runs = [_run(group) for group in by_run.values()]
    incomplete += [f"run {run.id}: {run.incomplete}" for run in runs if run.incomplete]
    keeper = Keeper()
    records, reproductions, environments = _measured(by_run, keeper)
    made = [comparison(by_run[run.id], run.incomplete) for run in reversed(runs)]
    comparisons = tuple(found for found in made if found)
    apart = {found.run for found in comparisons}
    absent = dict.fromkeys(a for p in processes if p.run not in apart for a in p.absent)
    checks = {name: check for p in processes for name, check in p.checks.items()}
    mutants = next((p.kills for p in reversed(processes) if p.kills), ())
    entries = {name: entry for p in processes for name, entry in p.entries.items()}
    defined = {name: operation for p in processes for name, operation in p.operations.items()}
    return Results(
        tuple(files), tuple(runs), tuple(environments), tuple(absent), tuple(records), tuple(incomplete), checks, mutants, defined,
        entries, tuple(reproductions), comparisons, _held(by_run.values()), keeper.slim,
    )  # fmt: skip


def _held(runs: Iterable[Sequence[Process]]) -> tuple[Held, ...]:
    """Of the latest run, over all of its processes."""
    latest: dict[tuple[str, str], Held] = {}
    for group in runs:
        of_run: dict[tuple[str, str], list[Held]] = defaultdict(list)
        for held in (h for process in group for h in process.held):
            of_run[held.backend, held.platform].append(held)
        for key, parts in of_run.items():
            counts = {name: sum(getattr(part, name) for part in parts) for name in ("graded", "compared", "worse", "better")}
            latest[key] = replace(parts[-1], **counts)
    return tuple(latest.values())


def _run(group: Sequence[Process]) -> Run:
    main = next((p for p in group if p.name == "main"), group[0])
    ends = [p for p in group if p.ended]
    finished = _finished(group)
    selected = max(p.selected for p in group)
    codes = [p.exit for p in ends if p.exit is not None]
    return Run(
        id=main.run,
        started=main.started,
        command=main.command,
        profile=main.profile,
        seed=main.seed,
        selected=selected,
        finished=finished,
        exit=main.exit if main.ended else max(codes, default=None),
        seconds=max((p.seconds for p in ends if p.seconds is not None), default=None),
        processes=tuple(dict.fromkeys(p.name for p in group)),
        files=tuple(dict.fromkeys(p.file for p in group)),
        incomplete="; ".join(_missing(group, finished, selected)),
        notes=tuple(dict.fromkeys(note for p in group for note in p.notes)),
        unknown=", ".join(f"{n:,} of kind {kind!r}" for kind, n in sum((p.unknown for p in group), Counter()).items()),
    )


def _finished(group: Sequence[Process]) -> int:
    """Tests finished: the main process counts all of them, workers count their own."""
    by_name: dict[str, int] = defaultdict(int)
    for process in group:
        by_name[process.name] = max(by_name[process.name], process.finished)
    return max(by_name.pop("main", 0), sum(by_name.values()))


def _missing(group: Sequence[Process], finished: int, selected: int) -> list[str]:
    reasons = []
    ended = {p.name for p in group if p.ended}
    for process in group:
        if process.name not in ended:
            reasons.append(f"process {process.name} has not ended (killed, or still running)")
        if process.truncated:
            reasons.append(f"{process.file}:{process.truncated}: the last line is cut off")
        if process.exit in _INTERRUPTED:
            reasons.append(f"process {process.name} was {_INTERRUPTED[process.exit]} (exit {process.exit})")
    if finished < selected and len(ended) == len({p.name for p in group}):
        reasons.append(f"{finished:,} of {selected:,} selected tests finished")
    return list(dict.fromkeys(reasons))


def _measured(by_run: Mapping[str, Sequence[Process]], keeper: Keeper) -> tuple[list[Record], list[Reproduction], list[Environment]]:
    """Records and reproductions that count, each pointing at an environment's label, and the environments."""
    reproduced: dict[tuple[object, ...], tuple[_EnvironmentKey, Reproduction]] = {}
    known: dict[str, _Known] = {}
    seen: dict[_EnvironmentKey, tuple[str, list[str]]] = {}
    for run, group in by_run.items():
        known[run] = _known(group)
        for keys, process in zip(known[run].keys, group, strict=True):
            for name, key in keys.items():
                _note(seen, key, known[run].backends[name], run)
            for found in process.reproductions:
                key = keys.get(found.environment, (found.environment, frozenset(), known[run].machine))
                _note(seen, key, found.backend, run)
                reproduced[found.entry, found.backend, key] = (key, found)
    kept = _latest(by_run, known, seen, keeper)
    environments = _environments(seen)
    records = []
    while kept:
        key, mine = kept.pop()
        label = environments[key].label
        records += [r if r.environment == label else replace(r, environment=label) for r in mine]
    reproductions = [replace(found, environment=environments[key].label) for key, found in reproduced.values()]
    used = {record.environment for record in records} | {found.environment for found in reproductions}
    return records, reproductions, [e for e in environments.values() if e.label in used or e.facts]


@dataclass(frozen=True)
class _Known:
    """The environments that a run names: by process, what each name stands for; the names' backends; the machine."""

    keys: tuple[dict[str, _EnvironmentKey], ...]
    backends: dict[str, str]
    machine: _Facts


def _known(group: Sequence[Process]) -> _Known:
    shared = {name: found for p in group for name, found in p.environments.items()}
    machine = frozenset(fact for backend, facts in shared.values() if backend == MACHINE for fact in facts.items())
    keys = tuple(
        {name: (name, frozenset(facts.items()), machine) for name, (_, facts) in {**shared, **p.environments}.items()} for p in group
    )
    return _Known(keys, {name: backend for name, (backend, _) in shared.items()}, machine)


_Kept = list[tuple[_EnvironmentKey, list[Record]]]


def _latest(
    by_run: Mapping[str, Sequence[Process]],
    known: Mapping[str, _Known],
    seen: dict[_EnvironmentKey, tuple[str, list[str]]],
    keeper: Keeper,
) -> _Kept:
    """The records that count, by environment, the latest run's first: what an earlier run has in the same place is not even kept."""
    kept: _Kept = []
    places = _Places()
    for run in reversed(list(by_run)):
        written: set[int] = set()
        mine: dict[_EnvironmentKey, list[Record]] = {}
        for keys, process in zip(known[run].keys, by_run[run], strict=True):
            numbered: dict[str, tuple[int, list[Record]]] = {}
            for record, line in records(process):
                if record.environment not in numbered:
                    key = keys.get(record.environment, (record.environment, frozenset(), known[run].machine))
                    _note(seen, key, record.case.backend, run)
                    numbered[record.environment] = (places.number(key), mine.setdefault(key, []))
                environment, found = numbered[record.environment]
                same = hash(line)
                if same not in written and places.take(record, environment, run):
                    keeper.keep(record, len(line), found)
                written.add(same)
        kept += reversed(list(mine.items()))
    return kept


class _Places:
    """Which run holds a place: a case, family, check, workload and environment; and, in it, each metric."""

    def __init__(self) -> None:
        self._held: dict[tuple[object, ...], tuple[str | None, tuple[tuple[str, str], ...]]] = {}
        self._shared: dict[object, Any] = {}
        self._numbers: dict[_EnvironmentKey, int] = {}

    def number(self, key: _EnvironmentKey) -> int:
        """A short name for an environment."""
        return self._numbers.setdefault(key, len(self._numbers))

    def take(self, record: Record, environment: int, run: str) -> bool:
        """Whether a record counts; runs come latest first. An earlier error yields to any later verdict, whatever its metric."""
        place = (record.case, record.family, record.check, str(record.extra.get("workload", "")), environment)
        judged, metrics = self._held.get(place, (None, ()))
        holder = next((by for metric, by in metrics if metric == record.metric), None)
        if holder not in (None, run) or (record.status == "error" and judged not in (None, run)):
            return False
        if record.status in JUDGED and judged is None:
            judged = run
        if holder is None:
            metrics = (*metrics, (record.metric, run))
        held = (judged, metrics)
        self._held[place] = self._shared.setdefault(held, held)
        return True


def _note(seen: dict[_EnvironmentKey, tuple[str, list[str]]], key: _EnvironmentKey, backend: str, run: str) -> None:
    runs = seen.setdefault(key, (backend, []))[1]
    if run not in runs:
        runs.append(run)


def _environments(seen: Mapping[_EnvironmentKey, tuple[str, list[str]]]) -> dict[_EnvironmentKey, Environment]:
    by_id: dict[str, list[_EnvironmentKey]] = defaultdict(list)
    for key in seen:
        by_id[key[0]].append(key)
    found = {}
    for name, keys in by_id.items():
        for key, variant in zip(keys, _variants(keys), strict=True):
            backend, runs = seen[key]
            found[key] = Environment(name, backend, dict(sorted(key[1])), variant, tuple(runs))
    return found


def _variants(keys: Sequence[_EnvironmentKey]) -> list[str]:
    """What tells environments of one id apart, in words: the first facts that differ, the backend's own before the machine's."""
    if len(keys) == 1:
        return [""]
    names = []
    own = [dict(key[1]) for key in keys]
    machine = [dict(key[2]) for key in keys]
    for facts in (own, machine):
        for name in sorted({name for one in facts for name in one}):
            if len({one.get(name) for one in facts}) > 1 and name not in names:
                names.append(name)
    texts, numbers = [], count(2)
    for mine, around in zip(own, machine, strict=True):
        values = [f"{name} {mine.get(name, around.get(name, '–')) or '(empty)'}"[:48] for name in names[:2]]
        text = ", ".join(values)
        texts.append(text if text not in texts else f"{text}, {next(numbers)}")
    return texts
