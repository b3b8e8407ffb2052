"""Failures and known failures, grouped so that one defect is one finding however many cases show it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from reports import text
from reports.page import numbered
from reports.view import SEVERITY, CaseView, group_by, paginate, record_weight, worst_status
from suite.model import Record

PATH = "findings.html"


@dataclass(frozen=True)
class Finding:
    """One defect: the cases that show it, and the record that shows it most."""

    name: str
    title: str
    shown: tuple[tuple[CaseView, Record], ...]

    @cached_property
    def _shown_most(self) -> tuple[CaseView, Record]:
        return max(self.shown, key=lambda pair: _rank(pair[1]))

    @property
    def worst(self) -> Record:
        """The record to show: the most severe, of those with a reproduction, and of these the one with the largest value."""
        return self._shown_most[1]

    @property
    def example(self) -> CaseView:
        """The case of the record to show."""
        return self._shown_most[0]

    @property
    def status(self) -> str:
        """The worst status of its records."""
        return worst_status(record for _, record in self.shown)

    @property
    def anchor(self) -> str:
        """The finding's anchor on its page."""
        return text.slug(self.name)

    @property
    def limitation(self) -> str:
        """The recorded limitation's name, for a known failure."""
        return str(self.worst.extra.get("limitation", ""))

    @property
    def url(self) -> str:
        """Where the limitation is reported upstream; only a web address."""
        url = str(self.worst.extra.get("url", ""))
        return url if url.startswith("https://") else ""

    @property
    def weight(self) -> int:
        """About how many characters it takes on a page."""
        return 900 + record_weight(self.worst) + 380 * len(self.shown)


def _rank(record: Record) -> tuple[int, bool, float]:
    value = record.value if record.value is not None else -math.inf
    return (SEVERITY[record.status], bool(record.reproduction), math.inf if math.isnan(value) else value)


def failures(cases: Iterable[CaseView]) -> list[Finding]:
    """What turned the run red, by implementation and check; errors first."""
    shown = [(v, r) for v in cases for r in v.records if r.status in ("fail", "error")]
    groups = group_by(shown, lambda pair: _name(*pair))
    found = [Finding(name, _title(*group[0]), tuple(group)) for name, group in groups.items()]
    return sorted(found, key=lambda f: (-SEVERITY[f.status], f.shown[0][0].case.operation))


def known(cases: Iterable[CaseView]) -> list[Finding]:
    """Known failures, by limitation; where a record names none, by implementation and check."""
    shown = [(v, r) for v in cases for r in v.records if r.status == "known"]
    groups = group_by(shown, lambda pair: f"known/{pair[1].extra.get('limitation') or _name(*pair)}")
    return [Finding(name, _known_title(group), tuple(group)) for name, group in groups.items()]


def parts(cases: Sequence[CaseView]) -> list[list[Finding]]:
    """All findings, failures first, on pages of bounded weight."""
    return list(paginate([*failures(cases), *known(cases)], lambda finding: finding.weight))


def hrefs(cases: Sequence[CaseView]) -> dict[str, str]:
    """Where each finding is shown, by its name."""
    split = parts(cases)
    pages = zip(numbered(PATH, len(split)), split, strict=True)
    return {finding.name: f"{path}#{finding.anchor}" for path, part in pages for finding in part}


def _name(view: CaseView, record: Record) -> str:
    case = view.case
    return f"{case.operation}/{view.column}/{case.implementation}/{record.check}"


def _title(view: CaseView, record: Record) -> str:
    return f"{view.case.operation}: {view.case.implementation} on {view.column}, {record.check.replace('_', ' ')}"


def _known_title(group: list[tuple[CaseView, Record]]) -> str:
    limitation = group[0][1].extra.get("limitation")
    return str(limitation) if limitation else _title(*group[0])
