"""What fails, with reproductions: failures that turn the run red, and known ones, each recorded as a limitation."""

from __future__ import annotations

from collections.abc import Iterator

from reports.findings import PATH, parts
from reports.page import Page, Section, numbered
from reports.view import View


def pages(view: View) -> Iterator[Page]:
    """Failures and errors first, then known failures; continued on further pages if they are many."""
    split = parts(view.cases)
    red = [finding for part in split for finding in part if finding.status != "known"]
    total = sum(len(part) for part in split)
    paths = numbered(PATH, len(split))
    known = [finding for part in split for finding in part if finding.status == "known"]
    context = {
        "paths": paths,
        "red": red,
        "total": total,
        "known": known,
        "frameworks": len({view.case.backend.partition("-")[0] for finding in known for view, _ in finding.shown}),
        "without": sum(not finding.worst.reproduction for finding in known),
    }
    for number, (path, part) in enumerate(zip(paths, split, strict=True), 1):
        yield Page(path, "findings.j2", "Findings", {**context, "number": number, "part": part})


SECTION = Section("Findings", 20, pages)
