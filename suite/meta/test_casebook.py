"""The casebook's parts: entries, data, the documents' numbers, accounts and verdicts. Entries are reproduced in the main job."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from suite.backends import backends
from suite.casebook import Entry, data, entries
from suite.casebook.account import Account
from suite.casebook.audit import binary, categorical
from suite.casebook.golden import Golden, golden
from suite.floats import FORMATS
from suite.model import Reproduction, Statement
from suite.operations.bounds import Rounding
from suite.reproducing import attempts, catalogue, message

ROOT = Path(__file__).resolve().parent.parent.parent
ENTRIES = list(entries().values())
FRAMEWORKS = [name for name, backend in backends().items() if backend.has_gradient]
DIGESTS = {
    "bent": "9d7538f100f68b57",
    "noise": "8936d7f90c7dfe12",
    "logistic": "151158f22d28b485",
    "descents": "9e491c434c1c70b9",
    "blobs": "ebec7e65c5c65365",
    "sequences": "3f1fbe99995c1be1",
    "overlapping": "d967667ed06ee30a",
    "classes": "d428ad82f1ce02f6",
}


def account(**measured: object) -> Account:
    """An account of C15 on JAX."""
    return Account("C15", "jax", {name: np.asarray(value, dtype=np.float64) for name, value in measured.items()}, {}, {})


def test_every_claim_has_an_entry() -> None:
    """C1 to C24, each in a module of its number."""
    assert list(entries()) == [f"C{n}" for n in range(1, 25)]
    modules = sorted((ROOT / "suite" / "casebook").glob("c[0-9][0-9]_*.py"))
    assert [f"C{int(path.name[1:3])}" for path in modules] == list(entries())


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.id)
def test_an_entry_says_what_it_is_about(entry: Entry) -> None:
    """Texts, a document of the sources, data that exist, and for every framework an experiment or why there is none."""
    assert re.fullmatch(r"00[0-4]_[0-9a-f]{16}\.txt", entry.document)
    assert all(text and text == text.strip() for text in (entry.title, entry.claim, entry.method))
    assert set(entry.data) <= set(data.DATASETS)
    for name in FRAMEWORKS:
        assert (entry.experiment(name) is None) == bool(entry.reason(name)), name


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.id)
def test_experiments_can_be_called_by_name(entry: Entry) -> None:
    """In the framework's process they are found by module and name."""
    for experiment in entry.experiments.values():
        assert getattr(sys.modules[experiment.__module__], experiment.__name__) is experiment


def test_entries_are_imported_with_numpy_alone() -> None:
    """So that experiments run beside any framework; what judges them is imported when it judges."""
    code = "import suite.casebook, sys; suite.casebook.entries(); print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert not set(done.stdout.split()) & {"flint", "hypothesis", "scipy", "tensorflow", "jax", "keras", "pytest", "optax", "matplotlib"}


def test_attempts_are_entries_on_backends_that_can() -> None:
    """One for each pair; NumPy, which has no derivatives, is not among them."""
    found = [(a.entry.id, a.backend) for a in attempts()]
    assert len(set(found)) == len(found)
    assert {backend for _, backend in found} == set(FRAMEWORKS)


def test_the_catalogue_has_reasons_and_hashes() -> None:
    """What the report says of an entry."""
    for entry in ENTRIES:
        told = catalogue(entry)
        assert len(told["data"]) == len(entry.data)
        assert all(re.fullmatch("[0-9a-f]{16}", digest) for _, digest in told["data"])


@pytest.mark.parametrize("name", data.DATASETS)
def test_data_are_the_same_everywhere(name: str) -> None:
    """Their hash is what it was when the casebook was written."""
    assert data.digest(name) == DIGESTS[name]


@pytest.mark.parametrize("name", data.DATASETS)
def test_data_cannot_be_changed(name: str) -> None:
    """They are shared by all entries."""
    for array in data.arrays(name).values():
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_the_bent_line_is_the_documents() -> None:
    """All 100 printed values."""
    number = golden()["C15"]["y"]
    assert np.all(np.abs(data.arrays("bent")["y"][:, 0] - number.values) <= number.halves)


def test_numbers_are_kept_as_printed() -> None:
    """Half a unit of the last digit, with and without an exponent; every one says where it stands."""
    number = Golden(("2.2616348", "-6.01e-05", "7"), "")
    assert number.halves == pytest.approx((5e-8, 5e-8, 0.5))
    assert number.values == (2.2616348, -6.01e-05, 7.0)
    assert all(each.where and each.printed for numbers in golden().values() for each in numbers.values())
    assert set(golden()) <= set(entries())


@pytest.mark.parametrize(("got", "holds"), [(2.2616348, True), (2.26163484, True), (2.26163486, False), (np.nan, False)])
def test_printed_digits_have_to_come_out(got: float, holds: bool) -> None:
    """To half a unit of the last one."""
    found = account()
    found.printed("weight", "weight", got)
    assert found.statements[0].holds == holds
    assert found.cited == {"weight"}


def test_slack_widens_what_is_printed() -> None:
    """By as much as the statement explains."""
    found = account()
    found.printed("weight", "weight", 2.2617, slack=1e-4)
    found.printed("weight", "weight", [2.2616348, 2.2616348])
    assert [s.holds for s in found.statements] == [True, False]


@pytest.mark.parametrize(
    ("got", "holds"), [([1.0, 2.0], True), ([1.0, 2.1], True), ([1.0, 2.11], False), ([1.0, np.nan], False), ([], False)]
)
def test_near_is_the_largest_distance(got: list[float], holds: bool) -> None:
    """NaN, and nothing at all, is near to nothing."""
    found = account()
    found.near("numbers", got, [1.0, 2.0] if got else [], 0.1000001)
    assert found.statements[0].holds == holds


@pytest.mark.parametrize(("got", "holds"), [([1.0, np.nan], True), ([1.0, 2.0], False), ([1.0], False)])
def test_same_is_bit_for_bit(got: list[float], holds: bool) -> None:
    """NaN is the same as NaN; another shape is not."""
    found = account()
    found.same("numbers", got, [1.0, np.nan])
    assert found.statements[0].holds == holds


@pytest.mark.parametrize(("wrong", "holds"), [(0.0, True), (1e-9, True), (1e-6, False), (np.nan, False)])
def test_shares_are_of_the_operations_bound(wrong: float, holds: bool) -> None:
    """Against the exact result, at the dtype asked for, for values and gradients."""
    x = np.array([-1.0, 0.5, 2.0])
    p = 1 / (1 + np.exp(-x))
    found = account()
    found.within("value", found.share("sigmoid", {"x": x}, p + wrong))
    found.within("gradient", found.share("sigmoid", {"x": x}, p * (1 - p) + wrong, argument="x"))
    assert [s.holds for s in found.statements] == [holds, holds]


def test_exact_results_come_from_the_oracle() -> None:
    """Values and gradients, where float64 has no digit left."""
    found = account()
    inputs = {"logits": [40.0], "labels": [1.0]}
    assert found.exact("binary_cross_entropy_with_logits", inputs)[0] == pytest.approx(np.exp(-40.0), rel=1e-15)
    assert found.exact("binary_cross_entropy_with_logits", inputs, "logits")[0] == pytest.approx(-np.exp(-40.0), rel=1e-15)


@pytest.mark.parametrize(
    ("roles", "holds", "verdict"),
    [
        (["claim"], True, "holds"),
        (["claim", "limit"], True, "holds with limits"),
        (["claim", "limit", "refuted"], True, "no longer holds"),
        (["claim", "refuted"], False, "not reproduced"),
        ([], True, "not reproduced"),
    ],
)
def test_statements_make_the_verdict(roles: list[str], holds: bool, verdict: str) -> None:
    """The gravest role counts, if every statement holds."""
    statements = [Statement("s", True, role=role) for role in roles[:-1]] + [Statement("s", holds, role=r) for r in roles[-1:]]  # type: ignore[arg-type]
    found = Reproduction("C1", "jax", tuple(statements))
    assert found.verdict == verdict
    assert bool(message(found)) == (verdict == "not reproduced")


def test_an_error_spoils_a_reproduction() -> None:
    """And is the message."""
    found = Reproduction("C1", "jax", (Statement("s", True),), error="it burns")
    assert found.verdict == "not reproduced"
    assert "it burns" in message(found)


@pytest.mark.parametrize(("reported", "holds"), [(1.0, True), (1 + 4e-7, True), (1.0001, False)])
def test_audits_allow_for_rounding_alone(reported: float, holds: bool) -> None:
    """The mean loss of probabilities, binary and of rows."""
    rounding = Rounding(FORMATS["float32"])
    y, p = np.array([[0.0], [1.0], [1.0]]), np.array([[0.25], [0.75], [0.5]])
    found = binary(y, p, rounding)
    loss = -np.mean(np.log([0.75, 0.75, 0.5]))
    assert (abs(reported * loss - found.loss) <= found.allowed) == holds
    rows = categorical(np.eye(2)[[0, 1]], np.array([[0.75, 0.25], [0.5, 0.5]]), rounding)
    assert (abs(reported * -np.mean(np.log([0.75, 0.5])) - rows.loss) <= rows.allowed) == holds
