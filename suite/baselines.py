"""Accuracy baselines: how far off each case's results were when they were last recorded, platform by platform. A ratchet.

What is held does not depend on a run's seed: the grades of the boundary grid, and of the sweeps over every input of 16 bits. A grade
that gets worse by more than its slack (:data:`HELD`) fails the check that it comes from; one that gets better asks to be recorded.
Nothing but ``python -m suite.baselines write RESULT-FILES`` writes baselines; ``show`` lists the platforms that there are.

On the platform that they were recorded on (:mod:`suite.platforms`), and on one that differs from it in versions alone, grades are
compared; what fails names both versions. On another CPU other kernels may be as good and have other errors: there it is compared
alone whether results are finite, which is the formula's doing. A run says so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Context
from math import isfinite, log2
from pathlib import Path
from typing import Any

from suite.backends import backends
from suite.cases import all_cases
from suite.commandline import UNUSABLE, Parser
from suite.floats import FORMATS
from suite.model import Held, Kinship, Record
from suite.platforms import Platform

BASELINES = Path(__file__).resolve().parent.parent / "fixtures" / "baselines"
FORMAT = 1

RESOLUTION = {"max ulp": 0.05, "lost bits": 0.01, "share of bound": 0.01, "premature zeros": 0.0, "flushed": 0.0, "non-finite": 0.0}
"""The grades, each with a difference that says nothing by itself: one result of a thousand that is rounded the other way.

``lost bits`` are the mean of log2(1 + error in ulp): where a sum cancels, a few results are off by millions, and would be all of a mean.
"""

HELD: Mapping[Kinship, tuple[tuple[str, ...], float]] = {
    "same": (tuple(RESOLUTION), 0.25),
    "other versions": (tuple(name for name in RESOLUTION if name != "max ulp"), 1.0),
    "other CPU": (("non-finite",), 1.0),
}
"""The grades that are held, and by how many bits they may grow, so that an error may be twice as large with a slack of 1.

The same kernels give the same grades to the last bit; a quarter leaves room for sums that threads divide. Another release may take a
sum in another order, and be as good: nine terms in twelve orders, by softmax and logsumexp of the grid, differ in their share of the
bound by 0.7 bits, in lost bits by 0.53, and in their max ulp by twenty bits, where sums cancel. On another CPU kernels are others, and
whether a result is finite at all is the formula's doing.
"""

_PLATFORM = ("backend", "device", "cpu", "vector extensions", "settings", "versions")
_GRADES = ["inputs", *RESOLUTION]

Grades = Mapping[str, Any]
"""By name: the grades, and ``inputs``, a digest of what they were measured on."""


class BaselineError(Exception):
    """A baseline that cannot be used; the text names the file and what is wrong in it."""


# Grades


def graded(record: Record) -> Grades | None:
    """The grades that a record holds for a baseline: those of the boundary grid, or of a sweep over every input of 16 bits.

    A sweep's errors are steps from the correctly rounded result, of which its histogram tells three from fewer.
    """
    if "grid" in record.extra:
        grid: Grades = record.extra["grid"]
        return grid
    swept = record.family == "sweep" and FORMATS[record.case.dtype].bits == 16 and not record.check.endswith(" alone")
    extra = record.extra
    if not swept or not extra.get("inputs"):
        return None
    lost = sum(log2(1 + steps) * count for steps, count in enumerate(extra["histogram"]))
    found = {
        **extra, "inputs": str(extra["inputs"]), "max ulp": extra["max ulp of normal results"], "lost bits": lost / extra["inputs"],
        "flushed": extra["flushed in"] + extra["flushed out"],
    }  # fmt: skip
    return {name: found.get(name, 0.0) for name in _GRADES}


def rounded_up(grade: float) -> float:
    """To four digits, so that what has been recorded is never exceeded by itself."""
    return float(Context(prec=4, rounding=ROUND_CEILING).create_decimal_from_float(grade)) if isfinite(grade) else grade


def grew(name: str, before: float, after: float, kinship: Kinship = "same") -> bool:
    """Whether a grade has grown by more than it may, in platforms so related."""
    slack = HELD[kinship][1]
    most = before + slack if name == "lost bits" else before * 2.0**slack
    return after > most + RESOLUTION[name]


@dataclass(frozen=True)
class Comparison:
    """A case's grades beside a baseline: those that are worse, each as it was, or, if none is, those that are better.

    ``baseline`` is the file's name, ``versions`` what it was recorded with, ``slack`` by how many bits grades may grow.
    """

    baseline: str
    versions: str
    slack: float
    worse: Mapping[str, float] = field(default_factory=dict)
    better: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Baseline:
    """A platform's grades, by case and check."""

    path: Path
    platform: Platform
    grades: Mapping[str, Mapping[str, Grades]]

    def compare(self, record: Record, here: Platform) -> Comparison | None:
        """A record that was made ``here``; None where the baseline has nothing to say: no such case, or other inputs."""
        now, before = graded(record), self.grades.get(record.case.id, {}).get(record.check)
        if now is None or before is None or now["inputs"] != before["inputs"]:
            return None
        kinship = self.platform.kinship(here)
        names, slack = HELD[kinship]
        worse = {n: before[n] for n in names if grew(n, before[n], rounded_up(now[n]), kinship)}
        better = {} if worse else {n: before[n] for n in names if grew(n, rounded_up(now[n]), before[n], kinship)}
        return Comparison(self.path.name, self.platform.differing(here) or self.platform.release, slack, worse, better)


@dataclass
class Baselines:
    """All baselines of a directory, and what has been compared with them."""

    known: Sequence[Baseline]
    _chosen: dict[str, tuple[Kinship, Platform, Baseline | None]] = field(default_factory=dict)
    _counts: dict[str, Counter[str]] = field(default_factory=dict)

    def compare(self, record: Record, facts: Mapping[str, str]) -> Comparison | None:
        """A record beside the baseline that is nearest to its platform; None where there is nothing to compare."""
        if graded(record) is None:
            return None
        case = record.case
        if case.backend not in self._chosen:
            self._chosen[case.backend] = self._nearest(Platform.of(case.backend, case.device, facts))
        _, platform, baseline = self._chosen[case.backend]
        found = baseline.compare(record, platform) if baseline else None
        counts = self._counts.setdefault(case.backend, Counter())
        counts["graded"] += 1
        if found:
            counts.update(["compared", *(["worse"] if found.worse else ["better"] if found.better else [])])
        return found

    def _nearest(self, platform: Platform) -> tuple[Kinship, Platform, Baseline | None]:
        """The latest of those that have most in common."""
        for kinship in ("same", "other versions", "other CPU"):
            if found := [b for b in self.known if b.platform.kinship(platform) == kinship]:
                return kinship, platform, max(found, key=lambda b: b.platform.newness)
        return "none", platform, None

    def held(self) -> Iterator[Held]:
        """What a run has held, backend by backend."""
        for backend, (kinship, platform, baseline) in self._chosen.items():
            counts = {name: self._counts[backend][name] for name in ("graded", "compared", "worse", "better")}
            versions = (baseline.platform.differing(platform) or baseline.platform.release) if baseline else ""
            yield Held(backend, platform.name, baseline.path.name if baseline else "", kinship, versions, **counts)

    def notes(self, results: str) -> Iterator[str]:
        """What a run has to say at its end, a line for each backend at most; ``results`` are its result files."""
        write = f"record them: python -m suite.baselines write {results}"
        for backend, (kinship, platform, baseline) in self._chosen.items():
            counts = self._counts[backend]
            if baseline is None or kinship == "other CPU":
                known = {f"{b.platform.cpu} with {b.platform.release}": None for b in self.known if b.platform.backend == backend}
                compared = (
                    f"of {counts['compared']} results is compared whether they are finite, no more" if baseline else "nothing is compared"
                )
                here = f"{platform.cpu}, its vector extensions or settings are not on record; known: {', '.join(known) or 'none'}"
                yield f"baselines: {backend}: unknown platform ({here}): {compared}; {write}"
                continue
            versions = f"recorded with {baseline.platform.differing(platform)}" if kinship == "other versions" else ""
            numbers = {"new": counts["graded"] - counts["compared"], "worse": counts["worse"], "better": counts["better"]}
            compared = f"{counts['compared']} results compared"
            told = [versions, *(f"{count} {what}" for what, count in numbers.items() if count)]
            if any(told):
                more = f"; {write}" if numbers["new"] or numbers["better"] else ""
                yield f"baselines: {backend}: {', '.join([compared, *filter(None, told)])}{more}"


# Files


def load(directory: Path = BASELINES) -> Baselines:
    """Every baseline of a directory; raises :class:`BaselineError` on one that cannot be read."""
    if not directory.is_dir():
        raise BaselineError(f"{directory}: no such directory; one without any file is allowed")
    return Baselines([read(path) for path in sorted(directory.glob("*.json"))])


def read(path: Path) -> Baseline:
    """One file; raises :class:`BaselineError`."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        platform, columns = data["platform"], data["grades"]
        if data["format"] != FORMAT or columns != _GRADES:
            raise ValueError(f"format {data['format']} with the grades {columns}; this version reads {FORMAT} with {_GRADES}")
        backend, device, cpu, extensions, settings, versions = (platform[name] for name in _PLATFORM)
        found = Baseline(path, Platform(backend, device, cpu, extensions, settings, versions), _entries(data["cases"]))
        if backend not in backends():
            raise ValueError(f"unknown backend {backend!r}; known are {', '.join(backends())}")
        if path.stem != found.platform.name:
            raise ValueError(f"its platform would be in a file named {found.platform.name}.json; baselines are not edited by hand")
    except OSError as error:
        raise BaselineError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
        raise BaselineError(f"{path}: not a baseline: {reason}; python -m suite.baselines writes one") from error
    return found


def _entries(cases: Mapping[str, Mapping[str, list[Any]]]) -> dict[str, dict[str, Grades]]:
    for case, entries in cases.items():
        for check, row in entries.items():
            good = len(row) == len(_GRADES) and isinstance(row[0], str) and all(isinstance(n, int | float) for n in row[1:])
            if not good:
                raise ValueError(f"{case}: {check}: {row} should be {', '.join(_GRADES)}")
    return {case: {check: dict(zip(_GRADES, row, strict=True)) for check, row in entries.items()} for case, entries in cases.items()}


def save(baseline: Baseline) -> None:
    """Writes a baseline's file in one step: a line for each check of a case, sorted."""
    platform = baseline.platform
    values = (platform.backend, platform.device, platform.cpu, platform.extensions, dict(platform.settings), dict(platform.versions))
    head = {"format": FORMAT, "platform": dict(zip(_PLATFORM, values, strict=True)), "grades": _GRADES}
    cases = []
    for case, checks in sorted(baseline.grades.items()):
        lines = [f"   {json.dumps(check)}: {json.dumps([grades[n] for n in _GRADES])}" for check, grades in sorted(checks.items())]
        cases.append(f"  {json.dumps(case)}: {{\n" + ",\n".join(lines) + "}")
    top = "".join(f" {json.dumps(name)}: {json.dumps(value)},\n" for name, value in head.items())
    text = "{\n" + top + ' "cases": {\n' + ",\n".join(cases) + "\n }\n}\n"
    part = baseline.path.with_name(f"{baseline.path.name}.{os.getpid()}.part")
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(text, encoding="utf-8")
    part.replace(baseline.path)


# The command


Cases = dict[str, dict[str, Grades]]


def measured(files: Iterable[Path]) -> list[tuple[Platform, Cases]]:
    """What result files hold for baselines, by platform, case and check; of several runs the last one counts.

    What a check does not hold for is left out: it has to be mended, or to become a known failure, before it is a baseline.
    """
    from reports.read import read_processes, records

    found: dict[str, tuple[Platform, Cases]] = {}
    processes = [process for _, written in read_processes(files) for process in written]
    for process in sorted(processes, key=lambda p: p.moment):
        for record, _ in records(process):
            grades = graded(record)
            holds = record.status in ("pass", "known", "grade") or "baseline" in record.extra
            if grades is None or not holds or record.environment not in process.environments:
                continue
            backend, facts = process.environments[record.environment]
            platform = Platform.of(backend, record.case.device, facts)
            try:
                rounded = {"inputs": str(grades["inputs"]), **{n: rounded_up(grades[n]) for n in RESOLUTION}}
            except (KeyError, TypeError) as error:
                raise BaselineError(f"{process.file}: {record.case.id}: {record.check}: not the grades of a baseline: {error}") from error
            found.setdefault(platform.name, (platform, {}))[1].setdefault(record.case.id, {})[record.check] = rounded
    return list(found.values())


def write(files: Iterable[Path], directory: Path) -> Iterator[str]:
    """Records what result files hold; says for each platform what is new, better, worse than what is on record there.

    Cases that the files lack stay as they are, those that no table names any more go.
    """
    known = load(directory) if directory.is_dir() else Baselines([])
    for platform, cases in measured(files):
        path = directory / f"{platform.name}.json"
        old = next((b.grades for b in known.known if b.path.name == path.name), {})
        there = {case.id for case in all_cases(platform.device)}
        made = Baseline(path, platform, {c: {**old.get(c, {}), **cases.get(c, {})} for c in {*old, *cases} & there})
        yield from _told(old, made, cases)
        save(made)


def _told(old: Mapping[str, Mapping[str, Grades]], made: Baseline, cases: Mapping[str, Mapping[str, Grades]]) -> Iterator[str]:
    """What a baseline's new grades are to the old ones: counts, then a line for each that is better or worse."""
    counts: Counter[str] = Counter()
    lines = []
    for case, checks in sorted(cases.items()):
        for check, now in sorted(checks.items()):
            before = old.get(case, {}).get(check)
            if before is None or before["inputs"] != now["inputs"]:
                counts["new" if before is None else "on other inputs"] += 1
                continue
            grown = [n for n in RESOLUTION if grew(n, before[n], now[n])]
            shrunk = [n for n in RESOLUTION if grew(n, now[n], before[n])]
            counts["worse" if grown else "better" if shrunk else "as before"] += 1
            moves = ", ".join(f"{n} {before[n]:g} -> {now[n]:g}" for n in grown or shrunk)
            lines += [f"  {'worse' if grown else 'better'}: {case} {check}: {moves}"] if moves else []
    told = ", ".join(f"{counts[what]} {what}" for what in ("new", "better", "worse", "as before", "on other inputs") if counts[what])
    yield f"{made.path}: {made.platform.release} on {made.platform.cpu}: {told}"
    yield from lines


def show(directory: Path) -> Iterator[str]:
    """A line for each platform."""
    for baseline in load(directory).known:
        platform = baseline.platform
        versions = ", ".join(f"{name} {version}" for name, version in platform.versions.items())
        settings = "".join(f", {name}={value}" for name, value in platform.settings.items() if name != "numpy cpu features")
        count = sum(map(len, baseline.grades.values()))
        yield f"{baseline.path}: {versions}; {platform.cpu}, {platform.device}{settings}; {count} results"


EXITS = "exit codes: 0, done; 4, unusable options, files or directories"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m suite.baselines", description="Records accuracy baselines from the results of runs, or lists them.", epilog=EXITS,
        allow_abbrev=False,
    )  # fmt: skip
    commands = parser.add_subparsers(dest="command", required=True, metavar="{write,show}")
    described = "Records what result files hold, and says what is new, better, worse."
    example = f"{EXITS}. example: python -m suite.baselines write reports/results"
    writer = commands.add_parser("write", help="record what result files hold", description=described, epilog=example, allow_abbrev=False)
    writer.add_argument("files", nargs="+", type=Path, metavar="FILE_OR_DIR", help="result files of runs, or directories that hold them")
    for command in (writer, commands.add_parser("show", help="list the platforms", epilog=EXITS, allow_abbrev=False)):
        command.add_argument("--baselines", type=Path, default=BASELINES, metavar="DIR", help="where they are (default: %(default)s)")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; 0 when it is done, 4 when options, a file or a directory cannot be used."""
    from reports.progress import Progress
    from reports.read import ResultsError

    try:
        options = _parser().parse_args(arguments)
    except SystemExit as stopped:
        return int(stopped.code or 0)
    try:
        with Progress("reading results and baselines"):
            lines = list(write(options.files, options.baselines) if options.command == "write" else show(options.baselines))
    except (BaselineError, ResultsError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return UNUSABLE
    print(*lines or ["nothing that a baseline could hold" if options.command == "write" else "no baseline"], sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
