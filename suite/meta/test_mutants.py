"""Every check rejects the faults that it is for, and lets sound formulas pass."""

from __future__ import annotations

from collections import Counter

import pytest

from suite.checks import checks
from suite.floats import FORMATS
from suite.meta.formulas import CURVATURES, GRADIENTS, SOUND, SOUND_FAILS, TANGENTS
from suite.meta.mutants import MUTANTS, Mutant
from suite.meta.subjects import accepted, violations
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
    """Of value, of gradient and of the second derivative where there is one."""
    killers = {check for m in MUTANTS if m.operation == operation for check in m.meant}
    assert killers & {"value_within_bound", "stays_in_range"}
    assert killers & {"gradient_within_bound", "no_premature_zero"} or not operations()[operation].gradient
    assert killers & {"curvature_within_bound", "no_premature_zero_in_curvature"} or not operations()[operation].curvature


def test_mutants_have_names_of_their_own() -> None:
    """Each stands once, and names a check once."""
    named = [*(m.id for m in MUTANTS), *((m.id, check) for m in MUTANTS for check in m.meant)]
    assert [name for name, count in Counter(named).items() if count > 1] == []


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("operation", operations())
def test_a_sound_formula_passes(operation: str, dtype: str) -> None:
    """The textbook's stable formulas in the dtype's own arithmetic stay within every bound and law, in every form that they take."""
    sound = formula(operation, dtype)
    for check in checks().values():
        if sound.fits(check) and operation not in SOUND_FAILS.get(check.name, ()):
            found = violations(check, sound.subject, sound.inputs(check))
            assert found == 0, check.name


def formula(operation: str, dtype: str) -> Mutant:
    """No mutant: the sound formulas, which no check is to reject."""
    return Mutant(
        "sound", operation, (), SOUND[operation], GRADIENTS.get(operation), dtype, "any",
        curvature=CURVATURES.get(operation), tangent=TANGENTS.get(operation),
    )  # fmt: skip


@pytest.mark.parametrize(("check", "operation"), [(c, o) for c, found in SOUND_FAILS.items() for o in found if c != "is_monotone"])
def test_a_sound_formula_is_known_to_fail(check: str, operation: str) -> None:
    """In some dtype, by that law: else it need not be left out. How monotone functions are depends on the CPU."""
    sound = [formula(operation, dtype) for dtype in FORMATS]
    assert checks()[check].kind == "law"
    assert any(violations(checks()[check], s.subject, s.inputs(checks()[check])) for s in sound)


def test_the_sound_formulas_are_complete() -> None:
    """One for each operation, one for each gradient and for each second derivative, for every keyword and for several axes."""
    assert set(SOUND) == set(operations())
    assert set(GRADIENTS) == {o.name for o in operations().values() if o.gradient}
    assert set(CURVATURES) == {o.name for o in operations().values() if o.curvature}
    for functions in (SOUND, GRADIENTS):
        assert all(set(operations()[name].optional) <= set(accepted(f)) for name, f in functions.items())
