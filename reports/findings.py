"""Failures and known failures, grouped so that one defect is one finding however many cases show it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from reports import text
from reports.kept import rank
from reports.merge import Environment
from reports.page import numbered
from reports.view import SEVERITY, CaseView, dtype_order, fitting, group_by, paginate, worst_status
from suite.model import Record

PATH = "findings.html"
MOST = 60
"""Cases that a finding lists; it counts the rest."""
FILTERED = {"o": "operation", "b": "backend", "d": "dtype", "m": "mode"}
"""What a page can be filtered by: the letter of its attribute, and the field of a case."""
ROOM = 1_500_000
"""About how many characters all findings may take that are shown; the rest are counted."""
MORE = "more"
"""Where the findings that are not shown are counted."""


@dataclass(frozen=True)
class Finding:
    """One defect: the cases that show it, and the record that shows it most."""

    name: str
    title: str
    shown: tuple[tuple[CaseView, Record], ...]

    @cached_property
    def _shown_most(self) -> tuple[CaseView, Record]:
        return max(self.shown, key=lambda pair: rank(pair[1]))

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
    def reason(self) -> str:
        """Why it is known to fail; empty where the results do not say so."""
        return str(self.worst.extra.get("reason", ""))

    @property
    def numbers(self) -> tuple[tuple[str, str], ...]:
        """What was computed and what it should have been, each with the bits; empty where the results do not say so."""
        names = (("got", "Computed"), ("expected", "Should be"), ("limit", "Allowed error"))
        extra = self.worst.extra
        return tuple((label, text.exact(extra[name], bits=name != "limit")) for name, label in names if name in extra)

    @cached_property
    def implementations(self) -> tuple[str, ...]:
        """The functions that show it."""
        return tuple(dict.fromkeys(view.case.implementation for view, _ in self.shown))

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes that show it."""
        return tuple(dict.fromkeys(view.case.mode for view, _ in self.shown))

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The dtypes that show it."""
        return tuple(sorted({view.case.dtype for view, _ in self.shown}, key=dtype_order))

    @property
    def checks(self) -> tuple[str, ...]:
        """The checks that fail."""
        return tuple(dict.fromkeys(record.check for _, record in self.shown))

    def frameworks(self, environments: Mapping[str, Environment]) -> tuple[str, ...]:
        """The backends that show it, each with the versions of what its name and its functions' names begin with."""
        found: dict[str, dict[str, str]] = {}
        for view, _ in self.shown:
            case, versions = view.case, found.setdefault(view.column, {})
            facts = environments[view.environment].facts if view.environment in environments else {}
            for name in (*case.backend.split("-"), re.split(r"\W", case.implementation)[0]):
                if name in facts:
                    versions[name] = facts[name]
        return tuple(
            f"{column}: {', '.join(f'{n} {v}' for n, v in versions.items()) or 'version not recorded'}"
            for column, versions in found.items()
        )

    @property
    def url(self) -> str:
        """Where the limitation is reported upstream; only a web address."""
        url = str(self.worst.extra.get("url", ""))
        return url if url.startswith("https://") else ""

    @property
    def weight(self) -> int:
        """About how many characters it takes on a page."""
        said = 2 * len(text.clip(self.said)) + len(text.clip(self.worst.reproduction)) + 2 * len(text.clip(self.reason))
        return 1_300 + said + 330 * len(self.listed)

    @property
    def said(self) -> str:
        """The record's message, without what the finding says itself: the reason, and where it is known to fail, the numbers."""
        return "" if self.status == "known" and self.numbers else self.worst.message.removeprefix(self.reason).lstrip("\n")

    @property
    def shared(self) -> Mapping[str, str]:
        """What all of its listed cases have in common of what a page can be filtered by, by letter."""
        values = {letter: {getattr(view.case, name) for view, _ in self.listed} for letter, name in FILTERED.items()}
        return {letter: next(iter(found)) for letter, found in values.items() if len(found) == 1}

    @cached_property
    def listed(self) -> tuple[tuple[CaseView, Record], ...]:
        """The cases that are listed. If they are many, those that show it most; and of each backend, mode and dtype the first of these.

        A page's filter finds a finding by the cases that it lists, by several choices together where these are not too many.
        """
        if len(self.shown) <= MOST:
            return self.shown
        ordered = sorted(self.shown, key=lambda pair: rank(pair[1]), reverse=True)
        first: dict[tuple[object, ...], tuple[CaseView, Record]] = {}
        for pair in ordered:
            for choice in enumerate(_choices(*pair)):
                first.setdefault(choice, pair)
        for pair in ordered:
            first.setdefault(_choices(*pair), pair)
        chosen = list({id(pair): pair for pair in (*first.values(), *ordered)}.values())[:MOST]
        return tuple(sorted(chosen, key=lambda pair: rank(pair[1]), reverse=True))


def _choices(view: CaseView, record: Record) -> tuple[str, ...]:
    """What a page's filter tells cases apart by."""
    return (view.case.operation, view.case.backend, view.case.mode, view.case.dtype, record.status)


def failures(cases: Iterable[CaseView]) -> list[Finding]:
    """What turned the run red, by implementation and check; errors first."""
    shown = [(v, r) for v in cases for r in v.red]
    groups = group_by(shown, lambda pair: _name(*pair))
    found = [Finding(each, _title(*group[0]), tuple(group)) for each, group in groups.items()]
    return sorted(found, key=lambda f: (-SEVERITY[f.status], f.shown[0][0].case.operation))


def known(cases: Iterable[CaseView]) -> list[Finding]:
    """Known failures, by limitation; where a record names none, by implementation and check."""
    shown = [(v, r) for v in cases for r in v.known]
    groups = group_by(shown, lambda pair: _known_name(*pair))
    return [Finding(each, _known_title(group), tuple(group)) for each, group in groups.items()]


def parts(cases: Sequence[CaseView]) -> list[list[Finding]]:
    """Findings, failures first, on pages of bounded weight; as many as there is room for."""
    shown = fitting([*failures(cases), *known(cases)], lambda f: f.weight, ROOM)
    return list(paginate(shown, lambda f: f.weight))


def hrefs(cases: Sequence[CaseView]) -> dict[str, str]:
    """Where each finding is shown, or counted, by its name."""
    split = parts(cases)
    pages = zip(numbered(PATH, len(split)), split, strict=True)
    counted = {finding.name: f"{PATH}#{MORE}" for finding in (*failures(cases), *known(cases))}
    return counted | {finding.name: f"{path}#{finding.anchor}" for path, part in pages for finding in part}


def finding_name(record: Record, view: CaseView) -> str:
    """The finding that a record of a case is a part of."""
    return _known_name(view, record) if record.status == "known" else _name(view, record)


def _known_name(view: CaseView, record: Record) -> str:
    return f"known/{record.extra.get('limitation') or _name(view, record)}"


def _name(view: CaseView, record: Record) -> str:
    case = view.case
    return f"{case.operation}/{view.column}/{case.implementation}/{record.check}"


def _title(view: CaseView, record: Record) -> str:
    return f"{view.case.operation}: {view.case.implementation} on {view.column}, {record.check.replace('_', ' ')}"


def _known_title(group: list[tuple[CaseView, Record]]) -> str:
    """Operation, functions, backends and checks, in words."""
    first, shown = group[0][0].case, Finding("", "", tuple(group))
    functions = shown.implementations if len(shown.implementations) <= 2 else (f"{len(shown.implementations)} functions",)
    backends = dict.fromkeys(view.case.backend for view, _ in group)
    checks = " and ".join(check.replace("_", " ") for check in shown.checks[:2]) + (" and more" if len(shown.checks) > 2 else "")
    return f"{first.operation.replace('_', ' ')}: {', '.join(functions)} on {', '.join(backends)}: {checks} fails"
