"""Results as a reader looks at them: grouped by case, counted, put into words. Pages and the summary are made of this."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TypeVar

from reports import text
from reports.entries import sentence
from reports.history import History
from reports.merge import JUDGED, MACHINE, Environment, Results
from reports.read import Absent
from suite.model import Case, Record

T = TypeVar("T")

SEVERITY = {status: rank for rank, status in enumerate(("absent", "grade", *JUDGED))}
DTYPES = ("float16", "bfloat16", "float32", "float64")
PAGE_WEIGHT = 450_000
"""About how many characters of content a page may hold before it is continued on another."""
ROOM, ELSEWHERE = 2_800_000, 1_200
"""About how many characters all cases may take that are listed; and what one takes beside its records, in tables of other pages."""
MORE = "more"
"""Where a page of records counts those that are not listed."""


@dataclass(frozen=True)
class Kind:
    """A status as it is shown: a mark and a word, so that colour is never alone."""

    status: str
    mark: str
    word: str
    meaning: str


KINDS = {
    kind.status: kind
    for kind in (
        Kind("pass", "✓", "passed", "every check holds"),
        Kind("known", "K", "known failure", "fails where a recorded limitation says so"),
        Kind("fail", "✗", "failed", "at least one check fails"),
        Kind("error", "!", "error", "raised an exception, so that nothing is known"),
        Kind("grade", "○", "measured", "timed or characterised, not judged"),
        Kind("absent", "–", "not measured", "was not run, for a stated reason"),
    )
}


@dataclass(frozen=True)
class Tally:
    """Counts with their denominators. A check is one check of one case in one environment, as bad as its worst record."""

    cases: int
    checks: int
    passed: int
    known: int
    failed: int
    errors: int
    characterised: int
    timings: int
    absent: int


@dataclass(frozen=True)
class CaseView:
    """A case in one environment, with its records and the place where they are shown."""

    case: Case
    environment: str
    column: str
    records: tuple[Record, ...]
    anchor: str
    page: str
    listed: bool = True
    """Whether its records are shown, one by one; of very many cases only a part are, the worst first, and the others are counted."""

    @property
    def href(self) -> str:
        """Where the records are, or are counted, from the report's root."""
        return f"{self.page}#{self.anchor if self.listed else MORE}"

    @property
    def mode(self) -> str:
        """The mode, and the device if it is no CPU."""
        return self.case.mode if self.case.device == "cpu" else f"{self.case.mode}, {self.case.device}"

    @cached_property
    def status(self) -> str:
        """The worst status among the records."""
        return worst_status(self.records)

    @cached_property
    def red(self) -> tuple[Record, ...]:
        """What turned the run red."""
        return tuple(r for r in self.records if r.status in ("fail", "error"))

    @cached_property
    def known(self) -> tuple[Record, ...]:
        """What fails as known."""
        return tuple(r for r in self.records if r.status == "known")

    @cached_property
    def weight(self) -> int:
        """About how many characters its records take on a page."""
        return 450 + sum(map(record_weight, self.records))

    def find(self, check: str, metric: str) -> Record | None:
        """The worst record of a check and metric; of several equally bad ones the one with the largest value."""
        found = [r for r in self.records if r.check == check and r.metric == metric]
        return max(found, key=lambda r: (SEVERITY[r.status], r.value or 0.0), default=None)


def worst_status(records: Iterable[Record]) -> str:
    """The most severe status among records."""
    return max((r.status for r in records), key=SEVERITY.__getitem__, default="absent")


def tally(cases: Iterable[CaseView], family: str = "") -> Tally:
    """Counts cases, checks and records, of one family if it is named."""
    checks: dict[tuple[str, str, str], str] = {}
    counts: Counter[str] = Counter()
    seen = set()
    for view in cases:
        for record in view.records:
            if family and record.family != family:
                continue
            seen.add(view.case)
            counts["timing" if record.family == "benchmark" and record.status == "grade" else record.status] += 1
            if record.status in JUDGED:
                key = (view.anchor, record.family, record.check)
                checks[key] = max(checks.get(key, "pass"), record.status, key=SEVERITY.__getitem__)
    verdicts = Counter(checks.values())
    return Tally(
        cases=len(seen),
        checks=len(checks),
        passed=verdicts["pass"],
        known=verdicts["known"],
        failed=verdicts["fail"],
        errors=verdicts["error"],
        characterised=counts["grade"],
        timings=counts["timing"],
        absent=counts["absent"],
    )


@dataclass(frozen=True)
class View:
    """Results with everything that pages share, computed once."""

    results: Results
    history: History | None = None

    @cached_property
    def environments(self) -> dict[str, Environment]:
        """Environments by their label."""
        return {e.label: e for e in self.results.environments}

    @cached_property
    def cases(self) -> tuple[CaseView, ...]:
        """Every case in every environment it was measured in, in reading order."""
        groups: dict[tuple[Case, str], list[Record]] = defaultdict(list)
        for record in self.results.records:
            groups[record.case, record.environment].append(record)
        ids = Counter(case.id for case, _ in groups)
        found = [
            CaseView(
                case, label, self.column_of(case.backend, label), tuple(records), _anchor(case, label, ids), _record_page(case.operation)
            )
            for (case, label), records in groups.items()
        ]
        return tuple(_placed(sorted(found, key=lambda v: (case_order(v.case), v.environment))))

    @cached_property
    def listed(self) -> tuple[CaseView, ...]:
        """The cases that are shown one by one."""
        return tuple(view for view in self.cases if view.listed)

    def column_of(self, backend: str, label: str) -> str:
        """A backend's name, with what tells its environment from others of the same id."""
        environment = self.environments.get(label)
        return f"{backend} ({environment.variant})" if environment and environment.variant else backend

    @cached_property
    def by_operation(self) -> dict[str, list[CaseView]]:
        """Cases by their operation's name, sorted."""
        return group_by(self.cases, lambda view: view.case.operation)

    @cached_property
    def by_column(self) -> dict[str, list[CaseView]]:
        """Cases by backend, apart where environments of the same id differ."""
        groups = group_by(self.cases, lambda view: view.column)
        return dict(sorted(groups.items()))

    @cached_property
    def tally(self) -> Tally:
        """Counts over everything."""
        return tally(self.cases)

    @cached_property
    def absent(self) -> tuple[tuple[Absent, bool], ...]:
        """What a run did not measure, each with whether another of the runs did."""
        measured = {key for view in self.cases for key in _wildcards(view.case)}
        return tuple((a, (a.backend, a.implementation, a.operation, a.mode, a.dtype) in measured) for a in self.results.absent)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader has to know beside the verdict: runs that went wrong although no record says so."""
        red = self.results.failures > 0
        compared = {found.run for found in self.results.comparisons}
        return tuple(
            f"run {run.id}: pytest exited {run.exit}, although no record failed: a test outside the records did; see the terminal"
            if run.id not in compared
            else f"run {run.id}: the comparison exited {run.exit}, although nothing is worse, slower or not measured; see the terminal"
            for run in self.results.runs
            if run.exit not in (None, 0, 2, 3, 4) and not red
        )

    @property
    def slim(self) -> str:
        """The records of which the report has verdict and numbers alone, in words; empty if there are none."""
        words = {"red": "failure", "known": "known failure", "rest": "other record"}
        return _listed([text.plural(n, word) for kind, word in words.items() if (n := self.results.slim.get(kind, 0))])

    @property
    def state(self) -> str:
        """One word: failed, incomplete, empty or passed."""
        if self.results.failures or self.notes:
            return "failed"
        if self.results.incomplete:
            return "incomplete"
        return "passed" if self.tally.checks or self.results.reproductions or self.results.comparisons else "empty"

    @property
    def verdict(self) -> str:
        """The result in one sentence, every number with its denominator."""
        t = self.tally
        missing = t.absent + sum(not elsewhere for _, elsewhere in self.absent)
        over = f"{text.plural(t.checks, 'check')} on {text.plural(t.cases, 'case')}"
        counts = [f"{t.passed:,} passed", *([f"{t.known:,} failed as known"] if t.known else []), f"{t.failed or 'none'} failed"]
        counts += [f"{t.errors:,} raised an error"] if t.errors else []
        more = [text.plural(n, word) for n, word in ((t.characterised, "characterisation"), (t.timings, "timing")) if n]
        more += [f"{missing:,} not measured"] if missing else []
        body = f"Of {over}, {_listed(counts)}" if t.checks else f"No check was run on {text.plural(t.cases, 'case')}"
        lead = {"failed": "Failed. ", "incomplete": "Incomplete. ", "passed": "No new failure. ", "empty": "Nothing judged. "}
        book = sentence(self.results.reproductions)
        said = [*([book] if book else []), *(found.sentence for found in self.results.comparisons)]
        also = " The results are incomplete." if self.results.incomplete and self.state == "failed" else ""
        checked = [] if said and not t.cases else [f"{body}{'; ' if more else ''}{_listed(more)}."]
        return f"{lead[self.state]}{' '.join([*checked, *said])}{also}"


def _listed(parts: Sequence[str]) -> str:
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)


def _wildcards(case: Case) -> Iterator[tuple[str, ...]]:
    """Everything an absence can be said of that this case disproves: its fields, any of them left open."""
    fields = (case.implementation, case.operation, case.mode, case.dtype)
    return ((case.backend, *chosen) for chosen in product(*(("", field) for field in fields)))


def _anchor(case: Case, environment: str, ids: Counter[str]) -> str:
    """What tells it from others of its page in short, and the hash of all of it; of its environment too, where there are several."""
    whole = f"{case.id}@{case.backend}{f'@{environment}' if ids[case.id] > 1 else ''}"
    return text.slug(f"{case.implementation}-{case.mode}-{case.dtype}", whole)


def _record_page(operation: str, number: int = 1) -> str:
    return f"records/{text.slug(operation)}{'' if number == 1 else f'.{number}'}.html"


def _placed(ordered: Sequence[CaseView]) -> Iterator[CaseView]:
    """Cases with the pages where they are listed; the worst come first, as many as there is room for."""
    worst_first = sorted(ordered, key=lambda v: -SEVERITY[v.status])
    kept = {id(view) for view in fitting(worst_first, lambda v: v.weight + ELSEWHERE, ROOM)}
    for operation, group in group_by(ordered, lambda v: v.case.operation).items():
        pages = {id(v): number for number, part in enumerate(paginate([v for v in group if id(v) in kept], _weight), 1) for v in part}
        for view in group:
            number = pages.get(id(view))
            yield replace(view, page=_record_page(operation, number or 1), listed=number is not None)


def _weight(view: CaseView) -> int:
    return view.weight


def record_weight(record: Record) -> int:
    """About how many characters a record takes on a page; one that needs no explanation takes less."""
    if record.status in ("pass", "grade", "known"):
        return {"pass": 130, "grade": 900, "known": 250}[record.status]
    return 500 + 2 * len(text.clip(record.message)) + len(text.clip(record.reproduction))


def fitting(items: Iterable[T], weight: Callable[[T], int], room: int) -> Iterator[T]:
    """The items that there is room for, in order; one that does not fit takes none from those behind it."""
    for item in items:
        if (taken := weight(item)) <= room:
            room -= taken
            yield item


def paginate(items: Iterable[T], weight: Callable[[T], int]) -> Iterator[list[T]]:
    """Splits items into pages of bounded weight, in order; at least one page, if only an empty one."""
    page: list[T] = []
    total = 0
    for item in items:
        if page and total + weight(item) > PAGE_WEIGHT:
            yield page
            page, total = [], 0
        page.append(item)
        total += weight(item)
    yield page


def group_by(items: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    """Items by a key, in order of first appearance."""
    groups: dict[str, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(groups)


def dtype_order(dtype: str) -> tuple[int, str]:
    """Sorts dtypes by width, unknown ones last."""
    return (DTYPES.index(dtype) if dtype in DTYPES else len(DTYPES), dtype)


def case_order(case: Case) -> tuple[object, ...]:
    """Sorts cases by operation, backend, implementation, mode, dtype."""
    return (case.operation, case.backend, case.implementation, case.mode, dtype_order(case.dtype), case.device)


def is_machine(environment: Environment) -> bool:
    """Whether an environment holds for every backend of its run."""
    return environment.backend == MACHINE
