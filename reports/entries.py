"""What a run says of the casebook: the entries that it tried, and what came of each on each backend."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from reports.fields import object_of_strings, one_of, string
from reports.text import plural
from suite.model import Axis, Figure, Panel, Reproduction, Series, Statement, Table, Verdict

T = TypeVar("T")

_ROLES = get_args(get_type_hints(Statement)["role"])
_STYLES = get_args(get_type_hints(Series)["style"])


@dataclass(frozen=True)
class Entry:
    """A claim as the run that made the results had it. ``cannot`` says why backends cannot express it, ``data`` has (what, hash)."""

    id: str
    title: str
    document: str
    claim: str
    method: str
    cannot: Mapping[str, str]
    data: tuple[tuple[str, str], ...]


def read_entry(data: Mapping[str, Any]) -> Entry:
    """A line of kind ``entry``; raises ``KeyError``, ``TypeError`` or ``ValueError`` on anything else."""
    cannot = object_of_strings(data, "cannot")
    described = tuple((str(what), str(digest)) for what, digest in _list(data, "data"))
    number, title, document, claim, method = (string(data, key) for key in ("entry", "title", "document", "claim", "method"))
    return Entry(number, title, document, claim, method, cannot, described)


def read_reproduction(data: Mapping[str, Any]) -> Reproduction:
    """A line of kind ``reproduction``; raises ``KeyError``, ``TypeError`` or ``ValueError`` on anything else."""
    made = Reproduction(
        string(data, "entry"), string(data, "backend"), _each(data, "statements", _statement), _each(data, "figures", _figure),
        _each(data, "tables", _table), string(data, "error"), _number(data["seconds"]), string(data, "environment"),
    )  # fmt: skip
    if data["verdict"] != made.verdict:
        raise ValueError(f"the verdict is {data['verdict']!r}, the statements make it {made.verdict!r}")
    return made


def counted(reproductions: Iterable[Reproduction]) -> list[tuple[str, int]]:
    """Verdicts, the mildest first, with how often each was reached."""
    counts = Counter(r.verdict for r in reproductions)
    return [(name, counts[name]) for name in get_args(Verdict) if counts[name]]


def sentence(reproductions: Sequence[Reproduction]) -> str:
    """The casebook in a sentence; empty where it was not run."""
    if not reproductions:
        return ""
    claims = plural(len({r.entry for r in reproductions}), "claim")
    parts = ", ".join(f"{number:,} {_WORDS[name]}" for name, number in counted(reproductions))
    return f"The casebook: of {plural(len(reproductions), 'reproduction')} of {claims}, {parts}."


_WORDS = {"holds": "held", "holds with limits": "held with limits", "no longer holds": "no longer held", "not reproduced": "failed"}


def _statement(data: Mapping[str, Any]) -> Statement:
    if not isinstance(data["holds"], bool):
        raise TypeError("'holds' must be true or false")
    return Statement(string(data, "text"), data["holds"], string(data, "measured"), string(data, "wanted"), one_of(data, "role", _ROLES))


def _figure(data: Mapping[str, Any]) -> Figure:
    return Figure(string(data, "caption"), _each(data, "panels", _panel), _texts(data, "steps"))


def _panel(data: Mapping[str, Any]) -> Panel:
    x, y, z = (None if data[name] is None else _axis(data[name]) for name in ("x", "y", "z"))
    if z is not None and (x is None or y is None):
        raise ValueError("a panel with an axis 'z' has to have 'x' and 'y'")
    return Panel(string(data, "title"), _each(data, "series", _series), x, y, z)


def _axis(data: Mapping[str, Any]) -> Axis:
    bounds = data["range"]
    return Axis(string(data, "label"), bool(data["log"]), None if bounds is None else (_number(bounds[0]), _number(bounds[1])))


def _series(data: Mapping[str, Any]) -> Series:
    style = one_of(data, "style", _STYLES)
    rows = _list(data, "z")
    z = tuple(_numbers(row) for row in rows) if style == "surface" else _numbers(rows)
    frames = tuple(_numbers(frame) for frame in _list(data, "frames"))
    x, y = _numbers(_list(data, "x")), _numbers(_list(data, "y"))
    return Series(string(data, "name"), x, y, z, style, _texts(data, "texts"), frames, bool(data["reveal"]))


def _table(data: Mapping[str, Any]) -> Table:
    rows = tuple(tuple(str(cell) for cell in row) for row in _list(data, "rows"))
    return Table(string(data, "caption"), _texts(data, "head"), rows)


def _each(data: Mapping[str, Any], key: str, build: Callable[[Mapping[str, Any]], T]) -> tuple[T, ...]:
    return tuple(build(item) for item in _list(data, key))


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(str(text) for text in _list(data, key))


def _numbers(values: Any) -> tuple[float, ...]:
    return tuple(_number(value) for value in values)


def _number(value: Any) -> float:
    if value in ("nan", "inf", "-inf"):
        return float(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"a number is expected, not {value!r}")
    return float(value)


def _list(data: Mapping[str, Any], key: str) -> list[Any]:
    if not isinstance(data[key], list):
        raise TypeError(f"{key!r} must be a list")
    return list(data[key])
