"""What a report is made of: sections, each with its pages.

To add a section, add a module to ``reports/sections`` that names its ``SECTION``, and a template; nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from reports.view import View


@dataclass(frozen=True)
class Page:
    """One file: its path from the report's root, its template, and what the template is given beside the view.

    ``figures`` says that it draws any: it then loads Plotly and the ``scripts`` that draw them.
    """

    path: str
    template: str
    title: str
    context: Mapping[str, Any] = field(default_factory=dict)
    figures: bool = False
    scripts: tuple[str, ...] = ("charts.js",)

    @property
    def root(self) -> str:
        """The way from this page to the report's root."""
        return "../" * self.path.count("/")


@dataclass(frozen=True)
class Section:
    """A part of the report. Its first page stands in the navigation, at the place that ``order`` gives it.

    ``files`` are what its pages load beside what all pages share: path from the report's root, and content.
    """

    title: str
    order: int
    pages: Callable[[View], Iterable[Page]]
    files: Callable[[View], Iterable[tuple[str, str | bytes]]] = lambda _: ()


def numbered(path: str, count: int) -> list[str]:
    """Paths of a page and its continuations: ``findings.html``, ``findings.2.html``."""
    stem = path.removesuffix(".html")
    return [path, *(f"{stem}.{number}.html" for number in range(2, count + 1))]
