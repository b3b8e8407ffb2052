"""A fault in the reference is caught: by a test that passes without it and is named beside it."""

from __future__ import annotations

from collections import Counter

import pytest

from suite.meta.oracle_mutants import ORACLE_MUTANTS, OracleMutant

each_mutant = pytest.mark.parametrize("mutant", ORACLE_MUTANTS, ids=lambda m: m.id)


@each_mutant
def test_the_mutant_fails_its_test(mutant: OracleMutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test passes, the fault is put in, the test fails: it finds a difference, or a ball that encloses no number."""
    mutant.run()
    mutant.plant(monkeypatch)
    with pytest.raises((AssertionError, ArithmeticError)):
        mutant.run()


def test_mutants_have_names_of_their_own() -> None:
    """Each fault stands once for each test that it fails."""
    assert [name for name, count in Counter(m.id for m in ORACLE_MUTANTS).items() if count > 1] == []


def test_what_catches_them_is_run_by_itself() -> None:
    """A test of its module, so that a run of the suite's own tests holds it against the reference as it is."""
    assert all(m.caught_by.__name__.startswith("test_") and "." not in m.caught_by.__qualname__ for m in ORACLE_MUTANTS)
