"""What fails, with reproductions: failures that turn the run red, and known ones, each recorded as a limitation."""

from __future__ import annotations

from collections.abc import Iterator

from reports.findings import PATH, failures, parts
from reports.findings import known as known_failures
from reports.page import Page, Section, numbered
from reports.view import View


def pages(view: View) -> Iterator[Page]:
    """Failures and errors first, then known failures; continued on further pages if they are many."""
    split = parts(view.cases)
    red, known = failures(view.cases), known_failures(view.cases)
    paths = numbered(PATH, len(split))
    context = {
        "paths": paths,
        "red": red,
        "total": len(red) + len(known),
        "more": len(red) + len(known) - sum(map(len, split)),
        "known": known,
        "frameworks": len({view.case.backend.partition("-")[0] for finding in known for view, _ in finding.shown}),
        "without": sum(not finding.worst.reproduction for finding in known),
    }
    for number, (path, part) in enumerate(zip(paths, split, strict=True), 1):
        yield Page(path, "findings.j2", "Findings", {**context, "number": number, "part": part})


SECTION = Section("Findings", 20, pages)
