"""The pages that list records one by one, case by case, and count those that they do not list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reports.page import Page
from reports.view import CaseView, group_by
from suite.model import Record


@dataclass(frozen=True)
class More:
    """What is counted, not listed."""

    cases: int
    records: int
    passed: int
    known: int
    failed: int
    errors: int


def more(cases: Sequence[CaseView]) -> More:
    """Those among the cases that are not listed, with how their records ended."""
    left = [view for view in cases if not view.listed]
    counts = Counter(record.status for view in left for record in view.records)
    return More(len(left), counts.total(), counts["pass"], counts["known"], counts["fail"], counts["error"])


def pages(operation: str, back: str, cases: Sequence[CaseView], hrefs: Mapping[str, str]) -> Iterator[Page]:
    """An operation's records; ``back`` is its page, ``hrefs`` says where findings are."""
    by_page = group_by(cases, lambda view: view.page)
    for number, (page, part) in enumerate(by_page.items(), 1):
        context = {
            "operation": operation,
            "back": back,
            "cases": [view for view in part if view.listed],
            "more": more(part),
            "number": number,
            "paths": list(by_page),
            "hrefs": hrefs,
        }
        yield Page(page, "records.j2", f"{operation}: records", context)


def brief(record: Record) -> bool:
    """Whether a line says enough: of what passed; of a known failure, which its finding explains; of a time, which has a table."""
    return record.status in ("pass", "known") or (record.family == "benchmark" and record.status == "grade")
