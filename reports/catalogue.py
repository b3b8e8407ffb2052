"""What a run says of its checks beside their verdicts: what each states, and which faulty implementations it rejects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports.fields import string


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


def read_check(data: Mapping[str, Any]) -> Check:
    """A line of kind ``check``; raises ``KeyError`` or ``TypeError`` on anything else."""
    return Check(*(string(data, key) for key in ("name", "family", "type", "statement")))


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
