"""Builds the HTML report: static pages that open from disk, without a network, under a strict content security policy."""

from __future__ import annotations

import contextlib
import gc
import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import jinja2

from reports import packed, single, text
from reports import sections as section_modules
from reports.findings import FILTERED, finding_name
from reports.history import read as read_history
from reports.merge import read
from reports.page import Page, Section
from reports.place import put
from reports.policy import claimed, policy
from reports.records import brief
from reports.view import KINDS, View

HERE = Path(__file__).parent


def build(paths: Iterable[Path | str], output_dir: Path | str, history: Path | None = None, single_file: bool = False) -> Path:
    """Reads result files, and those of earlier runs in a directory, and writes the report; returns its first page.

    With ``single_file`` the same report stands beside it as one file, ``report.html``. Raises ``ResultsError`` on results that
    cannot be read and ``OSError`` on a directory that cannot be written.
    """
    output = Path(output_dir)
    with _seldom_collected():
        view = View(read(paths), read_history(history) if history else None)
        put(output, _with_single(_files(view)) if single_file else _files(view))
    return output / "index.html"


@contextlib.contextmanager
def _seldom_collected() -> Iterator[None]:
    """Records and pages are many and have no cycles: to look for some at the usual pace takes a quarter of the time of a build."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _with_single(files: Iterable[tuple[str, str | bytes]]) -> Iterator[tuple[str, str | bytes]]:
    """The files, and behind them all of them as one."""
    found = list(files)
    yield from found
    yield single.NAME, single.pack(found, environment())


def sections() -> list[Section]:
    """Every section of the report: each module of ``reports.sections`` holds one."""
    names = [module.name for module in pkgutil.iter_modules(section_modules.__path__)]
    modules = [importlib.import_module(f"{section_modules.__name__}.{name}") for name in names]
    return sorted((module.SECTION for module in modules), key=lambda section: section.order)


def _files(view: View) -> Iterator[tuple[str, str | bytes]]:
    """Every file of the report: its path and its content. Pages come after what they load."""
    for asset in sorted((HERE / "static").iterdir()):
        yield f"static/{asset.name}", asset.read_text(encoding="utf-8")
    yield packed.NAME, packed.plotly()
    made = [(section, list(section.pages(view))) for section in sections()]
    for section, _ in made:
        yield from section.files(view)
    navigation = [(section, pages[0].path) for section, pages in made]
    for section, pages in made:
        for page in pages:
            yield page.path, _render(page, section, navigation, view)


def _render(page: Page, section: Section, navigation: list[tuple[Section, str]], view: View) -> str:
    template = environment().get_template(page.template)
    shared = {"policy": policy(page.figures), "claimed": claimed() if page.figures else ()}
    return template.render(**shared, page=page, root=page.root, section=section, navigation=navigation, view=view, **page.context)


@cache
def environment() -> jinja2.Environment:
    """The templates' environment: everything is escaped, and an undefined name is an error."""
    loader = jinja2.FileSystemLoader(HERE / "templates")
    made = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    shown = (
        text.number,
        text.whole,
        text.exact,
        text.seconds,
        text.size,
        text.share,
        text.metric,
        text.worst,
        text.short,
        text.plural,
        text.clip,
        text.line,
        text.breakable,
        text.formula,
        text.slug,
        finding_name,
    )
    made.filters.update({function.__name__: function for function in shown})
    made.tests["brief"] = brief
    made.globals.update(kinds=KINDS, filtered=FILTERED)
    return made
