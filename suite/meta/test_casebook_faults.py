"""Every entry of the casebook can fail: by each number that it measures, and by a framework's function that is wrong. On JAX."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from suite.casebook import Entry, entries
from suite.casebook.account import Account
from suite.casebook.golden import golden
from suite.model import Reproduction
from suite.processes import Processes, python_path
from suite.reproducing import Attempt, attempts, data, measure

pytest.importorskip("jax")

ATTEMPTS = [attempt for attempt in attempts() if attempt.backend == "jax"]
DRAWN = "drawn"
"""What the names of arrays begin with that are shown and not judged."""


DISTORTIONS: tuple[Callable[[Any], Any], ...] = (lambda a: np.full_like(a, np.nan), lambda a: a + 1.0, np.zeros_like)
"""Ways to be wrong; where NaN or 0 is right, another has to be noticed."""


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """JAX's, with and without the 64-bit switch."""
    made = Processes()
    yield made
    made.close()


def verdict(entry: Entry, measured: Mapping[str, Any], facts: Mapping[str, str]) -> tuple[str, Account]:
    """What the entry makes of it; what it cannot judge is not reproduced."""
    account = Account(entry.id, "jax", measured, data(entry), facts)
    try:
        with np.errstate(all="ignore"):
            entry.judge(account)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return "not reproduced", account
    return Reproduction(entry.id, "jax", tuple(account.statements)).verdict, account


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda a: a.id)
def test_every_number_matters(attempt: Attempt, processes: Processes) -> None:
    """The entry is reproduced, and not any more once any one array is wrong; the document's numbers are all held against something."""
    measured, facts = measure(processes, attempt)
    found, account = verdict(attempt.entry, measured, facts)
    assert found != "not reproduced", [s for s in account.statements if not s.holds]
    assert account.cited == set(golden().get(attempt.entry.id, {}))
    assert account.figures
    for name in (name for name in measured if not name.startswith(DRAWN)):
        wrong = ({**measured, name: distorted(measured[name])} for distorted in DISTORTIONS)
        assert any(verdict(attempt.entry, broken, facts)[0] == "not reproduced" for broken in wrong), name


FAULTS = {
    "C3": "jax.nn.softmax = lambda x, axis=-1, where=None: jax.numpy.exp(x) / (jax.numpy.exp(x).sum(axis, keepdims=True) + 1e-6)",
    "C15": "optax.sgd = lambda rate, keep=optax.sgd: keep(rate * 1e-3)",
    "C16": "jax.nn.relu = lambda x: jax.numpy.maximum(x, 1e-7 * x)",
    "C19": "jax.nn.sigmoid = lambda x: 1 / (1 + jax.numpy.exp(-x * (1 + 1e-3)))",
}
"""By entry: a wrong function in a framework's place."""

SCRIPT = """
import jax, optax
{fault}
from suite.backends import backends
from suite.casebook import entries
from suite.lab import Lab
from suite.meta.test_casebook_faults import verdict
from suite.reproducing import data
from suite.worker import Worker
backend, entry = backends()["jax"], entries()["{entry}"]
implementations = {{(i.operation, i.name): i for i in backend.implementations}}
arrays = entry.experiment("jax")(Lab(backend, implementations), data(entry))
measured = {{name: __import__("numpy").asarray(array, dtype="float64") for name, array in arrays.items()}}
facts = Worker(backend, "cpu").describe({{}}, {{}})[0]["facts"]
print(verdict(entry, measured, facts)[0])
"""


@pytest.mark.parametrize("entry", FAULTS)
@pytest.mark.parametrize("faulty", [False, True], ids=["right", "wrong"])
def test_a_wrong_function_turns_an_entry_red(entry: str, faulty: bool) -> None:
    """And the right one does not, by the same script."""
    script = SCRIPT.format(fault=FAULTS[entry] if faulty else "", entry=entry)
    x64 = "1" if entries()[entry].x64 else "0"
    environment = {**os.environ, "PYTHONPATH": python_path(), "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": x64}
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=300)
    assert (done.stdout.strip().splitlines()[-1] == "not reproduced") == faulty
