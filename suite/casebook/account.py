"""The account of one reproduction: statements that hold or not, figures, tables; and what statements are proven with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from suite import elementary
from suite.backends import backends
from suite.batch import Batch
from suite.casebook.golden import Golden, golden
from suite.checks.accuracy import gradient_within_bound, value_within_bound
from suite.checks.base import Subject
from suite.floats import Floats
from suite.model import Case, Figure, Statement, Table
from suite.operations import operations
from suite.operations.bounds import Rounding

Role = Literal["claim", "limit", "refuted"]


class Account:
    """What a judgement is given, and what it writes into.

    ``measured`` is what the experiment found, ``data`` what it was given, ``backend`` whose it is, ``facts`` those of its environment.
    """

    def __init__(self, entry: str, backend: str, measured: Mapping[str, Floats], data: Mapping[str, NDArray[Any]],
                 facts: Mapping[str, str]) -> None:  # fmt: skip
        self.entry, self.backend, self.measured, self.data, self.facts = entry, backend, measured, data, facts
        self.statements: list[Statement] = []
        self.figures: list[Figure] = []
        self.tables: list[Table] = []
        self.cited: set[str] = set()

    def __getitem__(self, name: str) -> Floats:
        """What was measured under a name; raises ``KeyError`` if nothing was."""
        return self.measured[name]

    # Statements

    def claim(self, text: str, holds: bool | np.bool_, measured: object = "", wanted: object = "") -> None:
        """Something that bears the claim out."""
        self._state("claim", text, holds, measured, wanted)

    def limit(self, text: str, holds: bool | np.bool_, measured: object = "", wanted: object = "") -> None:
        """Something that limits the claim: it has to hold as well, and the verdict says "with limits"."""
        self._state("limit", text, holds, measured, wanted)

    def refuted(self, text: str, holds: bool | np.bool_, measured: object = "", wanted: object = "") -> None:
        """Something that shows the claim not to hold with today's frameworks; it has to hold itself."""
        self._state("refuted", text, holds, measured, wanted)

    def _state(self, role: Role, text: str, holds: bool | np.bool_, measured: object, wanted: object) -> None:
        self.statements.append(Statement(text, bool(holds), shown(measured), shown(wanted), role))

    def near(self, text: str, got: ArrayLike, wanted: ArrayLike, error: float, role: Role = "claim") -> None:
        """Every number is as far as ``error`` from what is wanted, at most; ``text`` says where the error comes from."""
        off = _largest(np.abs(np.asarray(got, dtype=np.float64) - np.asarray(wanted, dtype=np.float64)))
        self._state(role, text, off <= error, got if np.ndim(got) == 0 else f"off by {shown(off)}",
                    f"{shown(wanted)} ± {error:.3g}" if np.ndim(wanted) == 0 else f"≤ {error:.3g}")  # fmt: skip

    def same(self, text: str, got: ArrayLike, wanted: ArrayLike, role: Role = "claim") -> None:
        """Bit for bit the same, NaN too."""
        a, b = np.asarray(got, dtype=np.float64), np.asarray(wanted, dtype=np.float64)
        equal = a.shape == b.shape and bool(np.all((a == b) | (np.isnan(a) & np.isnan(b))))
        few = a.size <= 4
        self._state(role, text, equal, got if few else f"{_differing(a, b)} of {a.size} differ", wanted if few else "none differs")

    def within(self, text: str, share: float, role: Role = "claim") -> None:
        """The share of an error bound that is used up is 1 at most: see :meth:`share`."""
        self._state(role, text, share <= 1.0, f"{share:.3g} of the bound", "≤ 1")

    # The documents' numbers

    def golden(self, name: str) -> Golden:
        """A number of the document's."""
        self.cited.add(name)
        return golden()[self.entry][name]

    def printed(self, text: str, name: str, got: ArrayLike, slack: float = 0.0, role: Role = "claim") -> None:
        """The document's digits come out, all of them; with ``slack``, but for that much, which ``text`` has to explain."""
        number = self.golden(name)
        values = np.atleast_1d(np.asarray(got, dtype=np.float64)).ravel()
        off = np.abs(values - np.array(number.values))
        holds = values.shape == (len(number.printed),) and bool(np.all(off <= np.array(number.halves) * (1 + 1e-6) + slack))
        wanted = ", ".join(number.printed) + (f" ± {slack:.3g}" if slack else "")
        self._state(role, text, holds, ", ".join(shown(v) for v in values[:8]), wanted)

    # Proofs

    def rounding(self, dtype: str = "float32", mode: str = "") -> Rounding:
        """The arithmetic that the backend computes in."""
        case = Case(self.entry, self.backend, "", mode or backends()[self.backend].modes[1], dtype)
        return elementary.rounding(case, self.facts)

    def subject(
        self, operation: str, inputs: Mapping[str, ArrayLike], dtype: str, results: Mapping[str, Floats] | None = None
    ) -> tuple[Subject, Batch]:
        """What the checks judge: an operation with its results, in one block, and the inputs."""
        batch = Batch("casebook", {name: np.asarray(array)[None] for name, array in inputs.items()})
        return Subject(operations()[operation], self.rounding(dtype), lambda *_: results or {}), batch

    def share(self, operation: str, inputs: Mapping[str, ArrayLike], got: ArrayLike, dtype: str = "float32", argument: str = "") -> float:
        """The largest share of the operation's error bound that results use up, those of the gradient by ``argument`` if one is named.

        ``inputs`` are ``(R,)`` or ``(R, n)`` by argument name, as they are in the dtype; ``got`` has a value for each example.
        """
        results = {"value": np.asarray(got, dtype=np.float64)[None]}
        if argument:
            results = {f"d {name}": np.full(np.shape(array), np.nan)[None] for name, array in inputs.items()} | {"value": results["value"]}
            results[f"d {argument}"] = np.asarray(got, dtype=np.float64)[None]
        subject, batch = self.subject(operation, inputs, dtype, results)
        with np.errstate(all="ignore"):
            verdicts = gradient_within_bound(subject, batch) if argument else value_within_bound(subject, batch)
        (verdict,) = [v for v in verdicts if v.output == (f"d {argument}" if argument else "value")]
        return _largest(np.where(verdict.judged, verdict.score, 0.0))

    def exact(self, operation: str, inputs: Mapping[str, ArrayLike], argument: str = "") -> Floats:
        """Exact values, or exact gradients by an argument, correctly rounded to float64."""
        subject, batch = self.subject(operation, inputs, "float64")
        return subject.exact_gradients(batch)[argument].high if argument else subject.exact_values(batch).high

    # What is shown

    def figure(self, figure: Figure) -> None:
        """A figure of the page."""
        self.figures.append(figure)

    def table(self, caption: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table of the page."""
        self.tables.append(Table(caption, tuple(head), tuple(tuple(shown(cell) for cell in row) for row in rows)))


def shown(value: object) -> str:
    """A number with nine digits, or a text."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    if isinstance(value, (int, np.integer)):
        return f"{value:,}"
    if isinstance(value, (float, np.floating)) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return f"{float(value):.9g}"
    if isinstance(value, (list, tuple, np.ndarray)):
        numbers = np.asarray(value).ravel()
        return ", ".join(f"{v:.9g}" for v in numbers[:6]) + (", …" if numbers.size > 6 else "")
    return str(value)


def _largest(numbers: Floats) -> float:
    """The largest; infinite if any is NaN, so that nothing holds by it."""
    if numbers.size == 0 or np.isnan(numbers).any():
        return float("inf")
    return float(np.max(numbers))


def _differing(a: Floats, b: Floats) -> int:
    if a.shape != b.shape:
        return int(a.size)
    return int(np.sum(~((a == b) | (np.isnan(a) & np.isnan(b)))))
