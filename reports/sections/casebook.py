"""The claims of the source documents: verdicts at a glance, then a chapter for each."""

from __future__ import annotations

from collections.abc import Iterator

from reports import pictures
from reports.casebook import FOLDER, KINDS, PATH, chapters, columns, script
from reports.entries import sentence
from reports.page import Page, Section
from reports.view import View


def pages(view: View) -> Iterator[Page]:
    """One page."""
    found = chapters(view)
    drawn = [chapter.anchor for chapter in found if chapter.figures]
    context = {
        "chapters": found,
        "columns": columns(found),
        "verdicts": KINDS,
        "sentence": sentence(view.results.reproductions),
        "pictures": {name: f"{FOLDER}/{name}" for name in drawn},
    }
    yield Page(PATH, "casebook.j2", "Casebook", context, figures=bool(drawn), scripts=("casebook.js",))


def files(view: View) -> Iterator[tuple[str, str | bytes]]:
    """For each chapter what its figures are drawn from, and a still picture of each."""
    for chapter in chapters(view):
        if not chapter.figures:
            continue
        yield f"{FOLDER}/{chapter.anchor}.js", script(chapter)
        _, first = chapter.figures[0]
        for number, figure in enumerate(first, 1):
            yield f"{FOLDER}/{chapter.anchor}-{number}.svg", pictures.draw(figure)


SECTION = Section("Casebook", 14, pages, files)
