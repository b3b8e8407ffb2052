"""Reads result files (JSON lines) into processes: what one process of a run wrote, checked line by line.

``reports.merge`` puts processes together. A file is read twice: ``read_processes`` leaves out the records, of which there may be very
many, and ``records`` reads those of one process, one by one. A file that ends in the middle of its last line is what a killed process
leaves behind: it is read up to there. Anything else that is not a valid line is an error that names file and line. A line of a kind that
is not known is counted and left out, so that versions may add kinds; what changes the meaning of a known kind has a format of its own.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from reports import catalogue, entries
from reports.fields import any_object, object_of_strings, one_of, real, string, whole
from reports.lines import cut_off, lines, parse
from suite.model import RESULT_FORMAT, Case, Change, Direction, Held, Kinship, Ratio, Record, Reproduction, Side, Speed, Status

SUFFIX = ".jsonl"
_RECORD = b'{"kind": "record"'
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"\x28\xb5\x2f\xfd")
_REASON = 500
"""Characters of what is wrong with a line that are said."""
STATUSES: tuple[str, ...] = get_args(Status)
_SIDES: tuple[str, ...] = get_args(get_type_hints(Side)["name"])
_DIRECTIONS: tuple[str, ...] = get_args(Direction)
_KINSHIPS: tuple[str, ...] = get_args(Kinship)
_SPEEDS: tuple[str, ...] = get_args(Speed)


class ResultsError(Exception):
    """A result file that cannot be used; the message is one line and names the file, and the line where there is one."""


@dataclass(frozen=True)
class Absent:
    """Something that a run did not measure, and why. Without an implementation it is the whole backend."""

    backend: str
    reason: str
    implementation: str = ""
    operation: str = ""
    mode: str = ""
    dtype: str = ""


@dataclass
class Process:
    """What one process of a run wrote into one file."""

    run: str
    name: str
    started: str
    file: Path
    command: tuple[str, ...] = ()
    profile: str = ""
    seed: int | None = None
    selected: int = 0
    ended: bool = False
    exit: int | None = None
    seconds: float | None = None
    finished: int = 0
    truncated: int = 0
    environments: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    absent: list[Absent] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    checks: dict[str, catalogue.Check] = field(default_factory=dict)
    kills: tuple[catalogue.Mutant, ...] = ()
    operations: dict[str, catalogue.Operation] = field(default_factory=dict)
    entries: dict[str, entries.Entry] = field(default_factory=dict)
    reproductions: list[Reproduction] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    sides: dict[str, Side] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    """Lines of kinds that this version does not know, by kind."""
    begins: tuple[int, int] = (0, 1)
    """Its first line: the place in the file, and the number."""
    stops: int = 0
    """Where in the file its last line ends."""
    plain: bool = True
    """Whether all of its records begin as this suite writes them, so that other lines need not be parsed to find them."""

    @property
    def moment(self) -> datetime:
        """When the process started; a time without a zone counts as UTC."""
        moment = datetime.fromisoformat(self.started)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def result_files(paths: Iterable[Path]) -> list[Path]:
    """Files to read: each path itself, or every ``*.jsonl`` below it, sorted by name; the same file counts once."""
    found: dict[Path, Path] = {}
    for path in paths:
        try:
            inside = _inside(path)
        except OSError as error:
            raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from error
        found.update((p.resolve(), p) for p in inside if p.resolve() not in found)
    return list(found.values())


def _inside(path: Path) -> list[Path]:
    if not path.exists():
        raise ResultsError(f"{path}: no such file or directory")
    if path.is_dir():
        inside = sorted(p for p in path.rglob(f"*{SUFFIX}") if p.is_file())
        if not inside:
            raise ResultsError(f"{path}: this directory holds no result file (*{SUFFIX})")
        return inside
    if not path.is_file():
        raise ResultsError(f"{path}: not a regular file, which is read twice")
    return [path]


def read_processes(paths: Iterable[Path]) -> Iterator[tuple[Path, list[Process]]]:
    """Reads every file among or below ``paths`` but for its records: each file with its processes."""
    for path in result_files(paths):
        yield path, read_file(path)


def read_file(path: Path) -> list[Process]:
    """Reads one file but for its records; an empty list means that its process wrote nothing."""
    processes: list[Process] = []
    for place, number, line in _lines(path):
        if not (processes and line.startswith(_RECORD) and line.endswith(b"\n")):
            with _named(path, number):
                _read_line(path, (place, number), line, processes)
        if processes:
            processes[-1].stops = place + len(line)
    return processes


def records(process: Process) -> Iterator[tuple[Record, bytes]]:
    """Every record of a process, with its line."""
    for _, number, line in _lines(process.file, *process.begins, process.stops):
        if process.plain and not line.startswith(_RECORD):
            continue
        with _named(process.file, number):
            data = _data(line)
            if data is not None and data.get("kind") == "record":
                yield _record(data), line


def _lines(path: Path, start: int = 0, first: int = 1, stop: int | None = None) -> Iterator[tuple[int, int, bytes]]:
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            yield from lines(stream, first, stop)
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def _named(path: Path, number: int) -> Iterator[None]:
    """Whatever is wrong with a line becomes an error that names it, in one line."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ResultsError(f"{path}:{number}: not a result line: {' '.join(reason.split())[:_REASON]}") from error


def _data(line: bytes) -> dict[str, Any] | None:
    """The object that a line holds; ``None`` for one that is empty or cut off."""
    if not line.strip():
        return None
    try:
        data = parse(line)
    except ValueError as error:
        if line.startswith(_COMPRESSED):
            raise ValueError("the file is compressed; unpack it first") from None
        if cut_off(line):
            return None
        raise ValueError(f"not a line of JSON: {error}") from error
    if not isinstance(data, dict):
        raise TypeError(f"an object is expected, not {type(data).__name__}")
    return data


def _read_line(path: Path, at: tuple[int, int], line: bytes, processes: list[Process]) -> None:
    data = _data(line)
    if data is None:
        if processes and line.strip():
            processes[-1].truncated = at[1]
        return
    kind = string(data, "kind")
    if kind == "run":
        processes.append(_run(path, data))
        processes[-1].begins = at
    elif not processes:
        raise ValueError(f"the first line must be of kind 'run', not {kind!r}")
    elif kind == "record":
        processes[-1].plain &= line.startswith(_RECORD)
    elif kind in _KINDS:
        _KINDS[kind](data, processes)
    else:
        processes[-1].unknown[kind] += 1


def _run(path: Path, data: Mapping[str, Any]) -> Process:
    version = whole(data, "format")
    if version > RESULT_FORMAT:
        raise ValueError(f"format {version} is newer than {RESULT_FORMAT}, the newest that this version reads; update logitbench")
    command = data.get("command", [])
    if not isinstance(command, list):
        raise TypeError("'command' must be a list")
    process = Process(
        run=string(data, "run"),
        name=string(data, "process", "main"),
        started=string(data, "started"),
        file=path,
        command=tuple(str(word) for word in command),
        profile=string(data, "profile", ""),
        seed=whole(data, "seed") if data.get("seed") is not None else None,
        selected=whole(data, "selected", 0),
    )
    process.moment  # noqa: B018 - a time that cannot be read must fail here, where the line is known
    return process


def _environment(data: Mapping[str, Any], processes: list[Process]) -> None:
    facts = data["facts"]
    if not isinstance(facts, dict):
        raise TypeError("'facts' must be an object")
    processes[-1].environments[string(data, "id")] = (string(data, "backend"), {key: str(value) for key, value in facts.items()})


def _absent(data: Mapping[str, Any], processes: list[Process]) -> None:
    optional = {key: string(data, key, "") for key in ("implementation", "operation", "mode", "dtype")}
    processes[-1].absent.append(Absent(string(data, "backend"), string(data, "reason"), **optional))


def _record(data: dict[str, Any]) -> Record:
    """A record; what many have in common, they share. Keys that this version does not know are passed over."""
    for key in data.keys() - _FIELDS:
        del data[key]
    case = object_of_strings(data, "case")
    one_of(data, "status", STATUSES)
    for key in ("check", "family", "metric"):
        string(data, key)
    for key in ("message", "reproduction", "environment"):
        string(data, key, "")
    for key in ("value", "limit"):
        data[key] = real(data, key)
    for key in ("worst", "extra"):
        any_object(data, key)
    for key in ("status", "check", "family", "metric", "environment"):
        data[key] = sys.intern(data.get(key, ""))
    data["case"] = _case(**(case if case.keys() <= _CASE else {key: case[key] for key in case.keys() & _CASE}))
    return Record(**data)


_FIELDS, _CASE = (frozenset(f.name for f in fields(noun)) for noun in (Record, Case))


@lru_cache(maxsize=100_000)
def _case(**fields: str) -> Case:
    return Case(**fields)


def _check(data: Mapping[str, Any], processes: list[Process]) -> None:
    check = catalogue.read_check(data)
    processes[-1].checks[check.name] = check


def _kills(data: Mapping[str, Any], processes: list[Process]) -> None:
    processes[-1].kills = catalogue.read_kills(data)


def _operation(data: Mapping[str, Any], processes: list[Process]) -> None:
    operation = catalogue.read_operation(data)
    processes[-1].operations[operation.name] = operation


def _entry(data: Mapping[str, Any], processes: list[Process]) -> None:
    entry = entries.read_entry(data)
    processes[-1].entries[entry.id] = entry


def _reproduction(data: Mapping[str, Any], processes: list[Process]) -> None:
    processes[-1].reproductions.append(entries.read_reproduction(data))


def _note(data: Mapping[str, Any], processes: list[Process]) -> None:
    processes[-1].notes.append(string(data, "text"))


def _held(data: Mapping[str, Any], processes: list[Process]) -> None:
    one_of(data, "kinship", _KINSHIPS)
    backend, platform, baseline, versions = (string(data, key) for key in ("backend", "platform", "baseline", "versions"))
    graded, compared, worse, better = (whole(data, key) for key in ("graded", "compared", "worse", "better"))
    processes[-1].held.append(Held(backend, platform, baseline, data["kinship"], versions, graded, compared, worse, better))


def _side(data: Mapping[str, Any], processes: list[Process]) -> None:
    versions = object_of_strings(data, "versions") if "versions" in data else {}
    name = one_of(data, "name", _SIDES)
    processes[-1].sides[name] = Side(name, string(data, "wanted"), string(data, "python", ""), versions, string(data, "error", ""))


def _change(data: Mapping[str, Any], processes: list[Process]) -> None:
    object_of_strings(data, "case")
    one_of(data, "direction", _DIRECTIONS)
    string(data, "check")
    for key in ("output", "message", "reproduction"):
        string(data, key, "")
    for key in ("elements", "compared"):
        whole(data, key, 0)
    for key in ("old", "new", "exact", "limit"):
        real(data, key)
    for key in ("worst", "extra"):
        any_object(data, key)
    processes[-1].changes.append(Change.from_json(data))


def _ratio(data: Mapping[str, Any], processes: list[Process]) -> None:
    object_of_strings(data, "case")
    one_of(data, "verdict", _SPEEDS)
    for key in ("what", "workload"):
        string(data, key)
    string(data, "message", "")
    whole(data, "launches", 0)
    if data.get("needed") is not None:
        whole(data, "needed")
    for key in ("ratio", "low", "high", "old", "new"):
        real(data, key)
    processes[-1].ratios.append(Ratio.from_json(data))


def _end(data: Mapping[str, Any], processes: list[Process]) -> None:
    run, name = string(data, "run"), data.get("process")
    same = [p for p in processes if p.run == run and name in (None, p.name)]
    if not same:
        raise ValueError(f"the end of run {run!r}, which this file does not begin")
    process = next((p for p in reversed(same) if not p.ended), same[-1])
    process.ended = True
    process.exit = whole(data, "exit") if data.get("exit") is not None else None
    process.seconds = real(data, "seconds")
    process.finished = whole(data, "finished", 0)


_KINDS: dict[str, Callable[[Mapping[str, Any], list[Process]], None]] = {
    "environment": _environment,
    "absent": _absent,
    "check": _check,
    "kills": _kills,
    "operation": _operation,
    "entry": _entry,
    "reproduction": _reproduction,
    "note": _note,
    "held": _held,
    "side": _side,
    "change": _change,
    "ratio": _ratio,
    "end": _end,
}
