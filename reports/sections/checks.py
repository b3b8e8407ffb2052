"""What is checked: each check with what came of it, and the faulty implementations that prove that it can fail."""

from __future__ import annotations

from collections.abc import Iterator

from reports import findings
from reports.checks import MUTANTS, PATH, hrefs, rows, tables
from reports.page import Page, Section, numbered
from reports.text import slug
from reports.view import View


def pages(view: View) -> Iterator[Page]:
    """The checks, and the kill matrix, continued on further pages if it is long."""
    checks, split = rows(view), tables(view)
    paths = numbered(MUTANTS, len(split))
    shared = {"checks": checks, "mutants": view.results.mutants, "paths": paths}
    operations = {name: f"operations/{slug(name)}.html" for name in view.by_operation}
    where = {"hrefs": findings.hrefs(view.cases), "mutant_hrefs": hrefs(split), "operations": operations}
    yield Page(PATH, "checks.j2", "Checks", {**shared, **where})
    anchors = {row.check.name: f"{PATH}#{row.anchor}" for row in checks}
    for number, (path, part) in enumerate(zip(paths, split, strict=True), 1):
        yield Page(path, "mutants.j2", "Mutants", {**shared, "part": part, "number": number, "anchors": anchors})


SECTION = Section("Checks", 12, pages)
