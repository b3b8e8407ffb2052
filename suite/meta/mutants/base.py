"""What a mutant is: a faulty implementation, with the checks that it is made for."""

from __future__ import annotations

from dataclasses import dataclass

from suite.meta.formulas import Function

VALUE, GRADIENT, ZERO = "value_within_bound", "gradient_within_bound", "no_premature_zero"
RANGE, NAN = "stays_in_range", "nan_propagates"


@dataclass(frozen=True)
class Mutant:
    """A fault by name; its functions, from ``value`` to ``first_mode``, as :func:`suite.meta.subjects.of_numpy` takes them.

    ``killed_by`` is the check that it is made for, or several of them. Which others reject it too stands in ``fixtures/kills.json``.
    """

    name: str
    operation: str
    killed_by: str | tuple[str, ...]
    value: Function
    gradient: Function | None = None
    dtype: str = "float32"
    form: str = "plain"
    """The form of call that brings the fault to light: ``where``, ``b``."""
    curvature: Function | None = None
    tangent: Function | None = None
    mapped: Function | None = None
    first_mode: Function | None = None

    @property
    def id(self) -> str:
        """Readable and unique."""
        return f"{self.operation}: {self.name}"

    @property
    def meant(self) -> tuple[str, ...]:
        """The checks that it is made for, by name."""
        return (self.killed_by,) if isinstance(self.killed_by, str) else self.killed_by
