"""The kill matrix is what is measured, on whatever CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reports.merge import read
from suite.backends.base import numpy_dtype
from suite.checks import checks
from suite.floats import FORMATS, to_ordinal
from suite.meta.kills import DISTURBED, FILE, OFF, WELL_ROUNDED, disturbed, killers, measured, stored, text
from suite.meta.mutants import MUTANTS, Mutant
from suite.meta.mutants.base import VALUE
from suite.records import Writer

HOW = "python -m suite.meta.kills writes it"


def test_the_file_has_every_mutant() -> None:
    """Each in a line, sorted, no other."""
    assert set(stored()) == {m.id for m in MUTANTS}, HOW
    assert FILE.read_text(encoding="utf-8") == text(stored().values()), HOW


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.id)
def test_the_row_is_what_is_measured(mutant: Mutant) -> None:
    """Every certain check rejects it; one that does besides is known to depend on rounding."""
    row, found = stored()[mutant.id], killers(mutant)
    assert (row.operation, row.dtype, row.form, row.meant) == (mutant.operation, mutant.dtype, mutant.form, mutant.meant), HOW
    assert row.certain <= found
    assert found <= row.certain | set(row.rounding), HOW


def test_a_run_tells_its_readers(tmp_path: Path) -> None:
    """Every check and the whole matrix are in its result file."""
    writer = Writer(tmp_path, "r", "main")
    writer.begin("main", [], "quick", 1, 0)
    writer.catalogue(checks().values())
    writer.close()
    results = read([writer.path])
    assert [(c.name, c.statement) for c in results.checks.values()] == [(c.name, c.statement) for c in checks().values()]
    assert [vars(m) for m in results.mutants] == [vars(row) for row in stored().values()]


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", DISTURBED)
def test_disturbed_functions_are_a_little_wrong(name: str, dtype: str) -> None:
    """By no more than is said, the same at every call, f(0) not at all; and wrong they are."""
    x = np.linspace(-3, 3, 501).astype(numpy_dtype(dtype))
    with np.errstate(all="ignore"):
        right = getattr(np, name)(x)
        with disturbed(1):
            moved, again = getattr(np, name)(x), getattr(np, name)(x)
    finite = np.isfinite(right)
    steps = np.subtract(*(to_ordinal(FORMATS[dtype], y[finite].astype(np.float64)) for y in (moved, right)))
    assert 0 < np.abs(steps).max() <= OFF
    assert np.array_equal(moved, again, equal_nan=True)
    assert np.array_equal(np.isnan(moved), np.isnan(right))
    assert moved[250] == right[250]


@pytest.mark.parametrize("dtype", FORMATS)
@pytest.mark.parametrize("name", DISTURBED)
def test_well_rounded_functions_are_right(name: str, dtype: str) -> None:
    """Next to what this CPU says, in the dtype that they are given."""
    x = np.linspace(-3, 3, 501).astype(numpy_dtype(dtype))
    with np.errstate(all="ignore"):
        own = getattr(np, name)(x)
        with disturbed(WELL_ROUNDED):
            better = getattr(np, name)(x)
    finite = np.isfinite(own)
    steps = np.subtract(*(to_ordinal(FORMATS[dtype], y[finite].astype(np.float64)) for y in (better, own)))
    assert (better.dtype, np.abs(steps).max() <= OFF) == (own.dtype, True)


def test_a_mutant_that_survives_is_refused() -> None:
    """The file is not written of checks that ought to reject a mutant and do not."""
    with pytest.raises(ValueError, match=r"relu: sound: it takes luck for value_within_bound .* never"):
        measured(Mutant("sound", "relu", VALUE, lambda x: np.maximum(x, 0)))
