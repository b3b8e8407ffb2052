"""Checks as a reader looks at them: how each ended in these results, and which faulty implementations it rejects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reports import text
from reports.catalogue import Check, Mutant
from reports.findings import Finding, failures, known
from reports.merge import JUDGED
from reports.page import numbered
from reports.view import SEVERITY, View, group_by, paginate

PATH, MUTANTS = "checks.html", "mutants.html"
_ELSEWHERE = ("benchmark", "sweep", "search")
"""Families of records that are no checks of this list."""


@dataclass(frozen=True)
class Row:
    """A check with what came of it: by operation how many cases ended how, its findings, the mutants that it rejects."""

    check: Check
    operations: dict[str, Counter[str]]
    findings: tuple[Finding, ...]
    mutants: tuple[Mutant, ...]

    @property
    def anchor(self) -> str:
        """Its anchor on the page."""
        return text.slug(self.check.name)

    @property
    def counts(self) -> Counter[str]:
        """How many cases ended how, over all operations."""
        return sum(self.operations.values(), Counter())

    @property
    def meant(self) -> int:
        """How many of its mutants are made for it."""
        return sum(self.check.name in mutant.meant for mutant in self.mutants)


def rows(view: View) -> list[Row]:
    """Every check, in the order of the run that named it; those that only records name come last."""
    worst: dict[tuple[str, str], str] = {}
    for case in view.cases:
        for record in case.records:
            if record.status in JUDGED and record.family not in _ELSEWHERE:
                key = (record.check, case.anchor)
                worst[key] = max(worst.get(key, "pass"), record.status, key=SEVERITY.__getitem__)
    operation = {case.anchor: case.case.operation for case in view.cases}
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(dict)
    for (check, anchor), status in worst.items():
        counts[check].setdefault(operation[anchor], Counter())[status] += 1
    found = group_by(_by_check(view), lambda pair: pair[0])
    return [
        Row(check, counts.get(name, {}), tuple(f for _, f in found.get(name, [])), tuple(m for m in view.results.mutants if m.by(name)))
        for name, check in _checks(view, counts).items()
    ]


def _checks(view: View, measured: Iterable[str]) -> dict[str, Check]:
    families = {r.check: r.family for r in view.results.records}
    unnamed = {name: Check(name, families[name], "", "") for name in measured}
    return {**view.results.checks, **{name: check for name, check in unnamed.items() if name not in view.results.checks}}


def _by_check(view: View) -> Iterator[tuple[str, Finding]]:
    """Every finding with each check that it is one of."""
    for finding in (*failures(view.cases), *known(view.cases)):
        for check in dict.fromkeys(record.check for _, record in finding.shown):
            yield check, finding


@dataclass(frozen=True)
class Table:
    """The mutants of one operation, with the checks that reject any of them."""

    operation: str
    checks: tuple[str, ...]
    mutants: tuple[Mutant, ...]

    @property
    def weight(self) -> int:
        """About how many characters it takes on a page."""
        return 400 + sum(300 + 110 * len(self.checks) for _ in self.mutants)


def tables(view: View) -> list[list[Table]]:
    """The kill matrix, one table for each operation, on pages of bounded weight."""
    order = [*view.results.checks, *dict.fromkeys(name for m in view.results.mutants for name in m.checks)]
    groups = group_by(view.results.mutants, lambda m: m.operation)
    found = [
        Table(name, tuple(c for c in dict.fromkeys(order) if any(m.by(c) for m in group)), tuple(group)) for name, group in groups.items()
    ]
    return list(paginate(found, lambda table: table.weight))


def hrefs(split: list[list[Table]]) -> dict[str, str]:
    """Where each mutant is shown."""
    paths = numbered(MUTANTS, len(split))
    return {
        m.mutant: f"{path}#{text.slug(m.mutant)}" for path, part in zip(paths, split, strict=True) for table in part for m in table.mutants
    }
