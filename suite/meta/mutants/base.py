"""What a mutant is: a faulty implementation, with the checks that it is made for."""

from __future__ import annotations

from dataclasses import dataclass

from suite.batch import FORMS, Batch
from suite.checks import Check
from suite.checks.base import Subject
from suite.meta.formulas import Function
from suite.meta.subjects import accepted, batches, of_numpy
from suite.operations import operations

VALUE, GRADIENT, CURVATURE = "value_within_bound", "gradient_within_bound", "curvature_within_bound"
ZERO, ZERO_VALUE, ZERO_CURVATURE = "no_premature_zero", "no_premature_zero_in_value", "no_premature_zero_in_curvature"
RANGE, NAN, SPECIAL = "stays_in_range", "nan_propagates", "special_values"

_FORMS = {form.name for form in FORMS[1:]}


@dataclass(frozen=True)
class Mutant:
    """A fault by name; ``value``, ``gradient`` and the other functions as :func:`suite.meta.subjects.of_numpy` takes them.

    ``killed_by`` is the check that it is made for, or several of them. Which others reject it too stands in ``fixtures/kills.json``.
    """

    name: str
    operation: str
    killed_by: str | tuple[str, ...]
    value: Function
    gradient: Function | None = None
    dtype: str = "float32"
    form: str = "plain"
    """The form of call that brings the fault to light: ``where``, ``axis 0``; ``any`` for all that it takes."""
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

    @property
    def subject(self) -> Subject:
        """What the checks judge."""
        functions = (self.value, self.gradient, self.curvature, self.tangent, self.mapped, self.first_mode)
        return of_numpy(operations()[self.operation], self.dtype, *functions)

    def fits(self, check: Check) -> bool:
        """Whether the check has anything to say: of derivatives that the mutant has, and of modes if it has two."""
        if (check.asks == "curvature" and self.curvature is None) or (check.among == "other modes" and self.first_mode is None):
            return False
        return check.fits(operations()[self.operation], self.gradient is not None, set(operations()))

    def inputs(self, check: Check) -> tuple[Batch, ...]:
        """What a session would judge it on, of its own form alone: of a plain one all that need no keyword."""
        function = {"gradient": self.gradient, "curvature": self.curvature}.get(check.asks) or self.value
        takes = accepted(function)
        takes += ("axes",) if "axis" in takes else ()
        if not set(check.needs(operations()[self.operation])) <= set(takes):
            return ()
        found = batches(check, self.operation, self.dtype, takes)
        return tuple(b for b in found if self.form in (b.form.name, "any") or (self.form == "plain" and b.form.name not in _FORMS))
