"""What a run says beside its verdicts: what each check states and which faulty implementations it rejects; what each operation is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.fields import real, string


@dataclass(frozen=True)
class Check:
    """A check as the run that made the results had it; ``type`` is ``law`` or ``bound``."""

    name: str
    family: str
    type: str
    statement: str


@dataclass(frozen=True)
class Mutant:
    """A faulty implementation: the checks ``meant`` to reject it, those that ``also`` do, those that do as ``rounding`` has it."""

    mutant: str
    operation: str
    dtype: str
    form: str
    meant: tuple[str, ...]
    also: tuple[str, ...]
    rounding: tuple[str, ...]

    def by(self, check: str) -> str:
        """How a check rejects it: ``meant``, ``also``, ``rounding``, or empty if it does not."""
        return next((how for how in ("meant", "also", "rounding") if check in getattr(self, how)), "")

    @property
    def checks(self) -> tuple[str, ...]:
        """All checks that reject it, now and then at least."""
        return (*self.meant, *self.also, *self.rounding)


@dataclass(frozen=True)
class Argument:
    """An argument of an operation: what it may hold, whether it is differentiated by, whether it has a class axis."""

    name: str
    role: str
    differentiable: bool
    rows: bool


@dataclass(frozen=True)
class Operation:
    """What a run says of an operation, as ``suite.records.described`` writes it.

    ``bounds`` has the paragraphs that derive each bound, ``source`` where they come from; ``range`` and ``gradient_range`` are closed
    intervals, ``None`` where they are not told; ``options`` are keywords with the numbers that they are checked with.
    """

    name: str
    formula: str
    source: str
    shape: str
    arguments: tuple[Argument, ...]
    bounds: Mapping[str, tuple[str, ...]]
    options: Mapping[str, float]
    range: tuple[float, float] | None
    gradient_range: tuple[float, float] | None


def read_check(data: Mapping[str, Any]) -> Check:
    """A line of kind ``check``; raises ``KeyError`` or ``TypeError`` on anything else."""
    return Check(*(string(data, key) for key in ("name", "family", "type", "statement")))


def read_operation(data: Mapping[str, Any]) -> Operation:
    """A line of kind ``operation``; raises ``KeyError`` or ``TypeError`` on anything else."""
    name, formula, source, shape = (string(data, key) for key in ("name", "formula", "source", "shape"))
    bounds, options, rows = data["bounds"], data.get("options", {}), data["arguments"]
    if not isinstance(bounds, dict) or not isinstance(options, dict):
        raise TypeError("'bounds' and 'options' must be objects")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TypeError("'arguments' must be a list of objects")
    numbers = {key: number for key in options if (number := real(options, key)) is not None}
    arguments = tuple(Argument(string(r, "name"), string(r, "role"), bool(r.get("differentiable")), bool(r.get("rows"))) for r in rows)
    interval, slopes = (_interval(data, key) for key in ("range", "gradient range"))
    texts = {key: _names(bounds, key) for key in bounds}
    return Operation(name, formula, source, shape, arguments, texts, numbers, interval, slopes)


def _interval(data: Mapping[str, Any], key: str) -> tuple[float, float] | None:
    ends = data.get(key)
    if ends is None:
        return None
    if not isinstance(ends, list) or len(ends) != 2:
        raise TypeError(f"{key!r} must be a list of two numbers")
    low, high = (real({key: end}, key) for end in ends)
    return None if low is None or high is None else (low, high)


def read_kills(data: Mapping[str, Any]) -> tuple[Mutant, ...]:
    """A line of kind ``kills``; raises ``KeyError`` or ``TypeError`` on anything else."""
    rows = data["mutants"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise TypeError("'mutants' must be a list of objects")
    return tuple(_mutant(row) for row in rows)


def _mutant(row: Mapping[str, Any]) -> Mutant:
    meant, also, rounding = (_names(row, key) for key in ("meant", "also", "rounding"))
    return Mutant(string(row, "mutant"), string(row, "operation"), string(row, "dtype"), string(row, "form"), meant, also, rounding)


def _names(row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = row.get(key, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise TypeError(f"{key!r} must be a list of strings")
    return tuple(names)
