"""A Markdown summary, for a CI job's page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from reports import text
from reports.casebook import chapters, columns
from reports.compared import Comparison
from reports.comparison import Group, cells, groups
from reports.findings import Finding, failures, known
from reports.merge import read
from reports.read import Absent
from reports.view import View, tally
from suite.model import Ratio, Reproduction

MOST = 20
"""Failures, and rows of a comparison, that are written out; the summary counts the rest."""


def summary(paths: Iterable[Path | str]) -> str:
    """Reads result files and describes them in Markdown; raises ``ResultsError`` on what cannot be read."""
    return "\n".join(_lines(View(read(paths)))) + "\n"


def _lines(view: View) -> Iterator[str]:
    yield from ("# logitbench", "", _escape(view.verdict), "")
    yield from _list("Incomplete", [_escape(reason) for reason in view.results.incomplete])
    kept = f"of {view.slim} this report has the verdict and the value alone; the result files have what they say"
    yield from _list("Too many records to keep all that they say", [kept] if view.slim else [])
    yield from _list("A run failed outside its records", [_escape(note) for note in view.notes])
    yield from _list("Not measured", [_escape(_named(absent)) for absent, elsewhere in view.absent if not elsewhere])
    yield from _table(view)
    yield from _book(view)
    for compared in view.results.comparisons:
        yield from _comparison(compared)
    red = failures(view.cases)
    if red:
        yield from ("## Failures", "")
        for found in red[:MOST]:
            yield from _finding(found)
        if len(red) > MOST:
            yield from (f"… and {text.plural(len(red) - MOST, 'failure')} more.", "")
    yield from _list("Casebook: not reproduced", [_escape(_failed(r)) for r in view.results.not_reproduced])
    yield from _list("Known failures", [_known(f) for f in known(view.cases)])
    yield from _list("Environments", [_escape(_facts(e.label, e.facts.items())) for e in view.results.environments])


def _failed(found: Reproduction) -> str:
    reasons = [found.error] if found.error else [f"{s.text}: {s.measured}, wanted {s.wanted}" for s in found.statements if not s.holds]
    return f"{found.entry} on {found.backend}: {text.clip('; '.join(reasons) or 'states nothing')}"


def _known(found: Finding) -> str:
    limitation = f" ({found.limitation})" if found.limitation else ""
    return f"{_escape(found.title + limitation)}: {text.plural(len(found.shown), 'case')}"


def _named(absent: Absent) -> str:
    fields = ("backend", "implementation", "operation", "mode", "dtype")
    return f"{', '.join(getattr(absent, f) for f in fields if getattr(absent, f))}: {absent.reason}"


def _facts(label: str, facts: Iterable[tuple[str, str]]) -> str:
    return f"{label}: {'; '.join(f'{name} {fact}' for name, fact in facts if fact) or 'no facts recorded'}"


def _table(view: View) -> Iterator[str]:
    if not view.cases and view.results.comparisons:
        return
    yield "| Backend | Cases | Checks | Passed | Known failures | Failed | Errors | Timings |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for name, cases in [*view.by_column.items(), ("All", view.cases)]:
        t = tally(cases)
        numbers = (t.cases, t.checks, t.passed, t.known, t.failed, t.errors, t.timings)
        yield f"| {_escape(name)} | {' | '.join(f'{n:,}' for n in numbers)} |"
    yield ""


def _book(view: View) -> Iterator[str]:
    """The casebook's verdicts, claims by backends."""
    found = chapters(view)
    if not found:
        return
    heads = columns(found)
    yield from ("## Casebook", "", f"| Claim | {' | '.join(map(_escape, heads))} |", f"|---|{'---|' * len(heads)}")
    for chapter in found:
        tried = {name: r.verdict for name, r in chapter.tried}
        cells = (tried.get(name, "not expressed" if name in chapter.entry.cannot else "not run") for name in heads)
        yield f"| {_escape(f'{chapter.entry.id} {chapter.entry.title}')} | {' | '.join(cells)} |"
    yield ""


def _comparison(found: Comparison) -> Iterator[str]:
    """What differs between two releases, by function and check, with the regressions written out; cells that are not the same."""
    yield from (f"## Comparison: {_escape(found.title)}", "")
    yield from (f"- {_escape(f'the {side.name} release could not be used: {side.error}')}" for side in found.unusable)
    worse, better = groups(found.of("worse")), groups(found.of("better"))
    heads = ("Numerics", "Function", "Check", "Modes", "dtypes", "Results", "Old", "New", "Exact")
    rows = [_difference(group) for group in (*worse, *better)]
    yield from _rows(heads, "lllllrrrr", rows)
    cell_heads = ("Time", "Cell", "New ÷ old", "Interval", "Old", "New", "Launches", "Remark")
    telling = [_cell(ratio) for _, ratio in cells(found.ratios) if ratio.verdict != "same"]
    yield from _rows(cell_heads, "llrrrrrl", telling)
    for group in worse[:MOST]:
        yield from (f"### Worse: {_escape(group.title)}", "", _escape(text.clip(group.shown.message)), "")
        yield from _fenced(text.clip(group.shown.reproduction)) if group.shown.reproduction else ()
    missing = [_escape(_named(absent)) for absent in found.absent]
    yield from _list("Not compared", [*missing[:MOST], *([f"and {len(missing) - MOST:,} more"] if len(missing) > MOST else [])])


def _difference(group: Group) -> tuple[str, ...]:
    shown, case = group.shown, group.case
    function = f"{case.operation}: {case.implementation} on {case.backend}"
    numbers = (text.exact(value, bits=False) for value in (shown.old, shown.new, shown.exact))
    lists = (", ".join(names) for names in (group.modes, group.dtypes))
    return (shown.direction, function, shown.check, *lists, text.whole(len(group.changes)), *numbers)


def _cell(ratio: Ratio) -> tuple[str, ...]:
    ends = "–" if ratio.low is None or ratio.high is None else f"{text.number(ratio.low)} – {text.number(ratio.high)}"
    needed = "" if ratio.needed is None else f"needs about {text.plural(ratio.needed, 'launch', 'launches')}"
    times = (text.seconds(ratio.old), text.seconds(ratio.new))
    cell = f"{ratio.case.id} {ratio.what} {ratio.workload}"
    return (ratio.verdict, cell, text.number(ratio.ratio), ends, *times, text.whole(ratio.launches), ratio.message or needed)


def _rows(heads: Sequence[str], sides: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """A table of the first rows, its columns to the left or right as ``sides`` has it; the others are counted. Nothing without rows."""
    if not rows:
        return
    yield f"| {' | '.join(heads)} |"
    yield f"|{'|'.join('---:' if side == 'r' else '---' for side in sides)}|"
    yield from (f"| {' | '.join(map(_escape, row))} |" for row in rows[:MOST])
    yield ""
    if len(rows) > MOST:
        yield from (f"… and {text.plural(len(rows) - MOST, 'row')} more.", "")


def _list(title: str, items: list[str]) -> Iterator[str]:
    if items:
        yield from (f"## {title}", "", *(f"- {item}" for item in items), "")


def _finding(found: Finding) -> Iterator[str]:
    worst = found.worst
    yield from (f"### {_escape(found.title)}", "")
    value = f" {text.metric(worst.value, worst.metric)}" if worst.value is not None else ""
    yield f"{worst.status}: {_escape(worst.metric)}{value} in {text.plural(len(found.shown), 'case')}."
    yield ""
    if worst.message:
        yield from (_escape(text.clip(worst.message)), "")
    if worst.reproduction:
        yield from _fenced(text.clip(worst.reproduction))


def _fenced(code: str) -> Iterator[str]:
    """A block of code in a fence longer than any inside it."""
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", code)), default=0))
    yield from (f"{fence}python", code.rstrip("\n"), fence, "")


def _escape(words: str) -> str:
    """Text as Markdown that shows as itself, on one line: no markup, no HTML, no mention, no table cell's end."""
    escaped = re.sub(r"([\\`*_{}\[\]#|~!])", r"\\\1", " ".join(words.split()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "&#64;")
