"""Results at special inputs, as tables: inputs by implementations, those together that return the same."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from reports import text
from reports.errors import LETTERS
from reports.points import listed, real
from reports.view import CaseView, dtype_order, group_by

VERDICTS = {"right": "pass", "known": "known", "wrong": "fail", "unjudged": "absent"}
"""How a record calls a result, and the status that is shown for it; a result that is not judged has no verdict."""

_ROWS = 40
"""Most inputs of a table."""
_LIKE = "as wanted"


@dataclass(frozen=True)
class Cell:
    """A result, for a reader, and its status."""

    shown: str
    status: str


@dataclass(frozen=True)
class Row:
    """An input, the output that is looked at, what is wanted, and what each column has; ``None`` where it was not measured."""

    inputs: str
    output: str
    wanted: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class Table:
    """What a check recorded: its columns are the names of the cases that returned the same."""

    check: str
    columns: tuple[tuple[str, ...], ...]
    rows: tuple[Row, ...]
    more: int = 0
    """Inputs that are left out."""

    @property
    def wrong(self) -> int:
        """How many cells are wrong, known or not."""
        return sum(cell is not None and cell.status in ("known", "fail") for row in self.rows for cell in row.cells)


@dataclass(frozen=True)
class _Entry:
    inputs: str
    output: str
    wanted: str
    cell: Cell


def tables(views: Iterable[CaseView]) -> list[Table]:
    """One for each check that recorded results at special inputs."""
    found = [(r.check, v, _entries(r.extra.get("special"))) for v in views for r in v.records]
    by_check = group_by([each for each in found if each[2]], lambda each: each[0])
    return [_table(check, [(view, entries) for _, view, entries in group]) for check, group in by_check.items()]


def _table(check: str, group: Sequence[tuple[CaseView, list[_Entry]]]) -> Table:
    widest = sorted(group, key=lambda pair: dtype_order(pair[0].case.dtype), reverse=True)
    rows: dict[tuple[str, str], str] = {}
    for entry in (entry for _, entries in widest for entry in entries):
        rows.setdefault((entry.output, entry.inputs), entry.wanted if entry.cell.status != "absent" else "–")
    more = max(0, len(rows) - _ROWS)
    rows = dict(islice(rows.items(), _ROWS))
    vectors: dict[tuple[Cell | None, ...], list[CaseView]] = {}
    for view, entries in group:
        by_row = {(entry.output, entry.inputs): entry.cell for entry in entries}
        vectors.setdefault(tuple(by_row.get(row) for row in rows), []).append(view)
    columns = sorted(vectors.items(), key=lambda item: -len(item[1]))
    names = tuple(tuple(text.folded((v.case.implementation, v.column, v.mode, v.case.dtype) for v in views)) for _, views in columns)
    made = [
        Row(inputs, output, wanted, tuple(_filled(cells[i], wanted) for cells, _ in columns))
        for i, ((output, inputs), wanted) in enumerate(rows.items())
    ]
    return Table(check, names, tuple(made), more)


def _filled(cell: Cell | None, wanted: str) -> Cell | None:
    """What is as wanted is shown as the widest dtype's wanted result, so that dtypes that differ in rounding alone are not told apart."""
    return Cell(wanted, cell.status) if cell and cell.shown == _LIKE else cell


def _entries(special: Any) -> list[_Entry]:
    made = []
    for data in listed(special)[: 10 * _ROWS]:
        if not isinstance(data, dict) or not isinstance(data.get("input"), dict):
            continue
        inputs = ", ".join(f"{str(name)[:100]} = {_shown(value)}" for name, value in data["input"].items())
        got, wanted, verdict = _shown(data.get("got")), _shown(data.get("wanted")), str(data.get("verdict"))
        same = data.get("got") == data.get("wanted") and verdict == "right"
        made.append(
            _Entry(
                inputs, _output(str(data.get("output", ""))[:100]), wanted, Cell(_LIKE if same else got, VERDICTS.get(verdict, "absent"))
            )
        )
    return made


def _output(name: str) -> str:
    """``value``, or a derivative in words: ``gradient by logits``."""
    letter, _, argument = name.partition(" ")
    return f"{LETTERS[letter]} by {argument}" if argument and letter in LETTERS else name


def _shown(value: Any) -> str:
    """A number with its sign, a row in brackets."""
    if isinstance(value, list):
        return f"[{', '.join(_shown(each) for each in value[:12])}{'' if value[-1:] == ['…'] else ', …'}]"
    number = real(value)
    if number is None:
        return str(value)[:40]
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    return f"{number:.6g}".replace("-", "−")
