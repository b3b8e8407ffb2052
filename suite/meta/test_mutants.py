"""Every check rejects the faults that it is for, and lets sound formulas pass."""

from __future__ import annotations

from collections import Counter

import pytest

from suite.checks import checks
from suite.floats import FORMATS
from suite.meta.formulas import GRADIENTS, SOUND
from suite.meta.mutants import MUTANTS, Mutant
from suite.meta.subjects import batches, of_numpy, violations
from suite.operations import operations


@pytest.mark.parametrize(("mutant", "name"), [pytest.param(m, c, id=f"{m.id}, {c}") for m in MUTANTS for c in m.meant])
def test_the_mutant_is_killed_by_its_check(mutant: Mutant, name: str) -> None:
    """At least one judged element violates the check, on the inputs of a short run."""
    check = checks()[name]
    assert mutant.fits(check)
    assert violations(check, mutant.subject, mutant.inputs(check)) > 0


@pytest.mark.parametrize("check", checks())
def test_every_check_kills_a_mutant(check: str) -> None:
    """A check that has never rejected anything does not land."""
    assert [m.id for m in MUTANTS if check in m.meant]


@pytest.mark.parametrize("operation", operations())
def test_every_operation_has_mutants(operation: str) -> None:
    """Of value, and of gradient where there is one."""
    killers = {check for m in MUTANTS if m.operation == operation for check in m.meant}
    assert killers & {"value_within_bound", "stays_in_range"}
    assert killers & {"gradient_within_bound", "no_premature_zero"} or not operations()[operation].gradient


def test_mutants_have_names_of_their_own() -> None:
    """Each stands once, and names a check once."""
    named = [*(m.id for m in MUTANTS), *((m.id, check) for m in MUTANTS for check in m.meant)]
    assert [name for name, count in Counter(named).items() if count > 1] == []


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("operation", operations())
def test_a_sound_formula_passes(operation: str, dtype: str) -> None:
    """The textbook's stable formula in the dtype's own arithmetic stays within every bound and law on values."""
    subject = of_numpy(operations()[operation], dtype, SOUND[operation])
    for check in checks().values():
        if check.fits(subject.operation, False, set(operations())):
            found = violations(check, subject, batches(check, operation, dtype))
            assert found == 0, check.name


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("operation", GRADIENTS)
def test_a_sound_derivative_passes(operation: str, dtype: str) -> None:
    """The bounds on gradients hold for the formulas that frameworks use."""
    subject = of_numpy(operations()[operation], dtype, SOUND[operation], GRADIENTS[operation])
    check = checks()["gradient_within_bound"]
    found = violations(check, subject, batches(check, operation, dtype))
    assert found == 0


def test_the_sound_formulas_are_complete() -> None:
    """One for each operation, and one for each gradient."""
    assert set(SOUND) == set(operations())
    assert set(GRADIENTS) == {o.name for o in operations().values() if o.gradient}
