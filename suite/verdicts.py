"""From a sweep's tallies to a record: results judged by the checks that judge any result, known failures taken out.

Formats of 16 bits: every result. Wider ones, and pairs: the worst of each chunk, an eighth of a binade of float32, and the first and the
last that are not finite or lie outside the range; every result has been counted, none in the chunk is further off in units in the last
place, and within a chunk of numbers the bound moves little. Pairs have theirs judged for each binade of the second number, with as many
first ones as a shard has: a binade of bfloat16, an eighth of one of float16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite import elementary, limitations, shards
from suite.batch import Batch, directions
from suite.checks import Check, checks
from suite.checks.accuracy import grades
from suite.checks.base import Subject, Verdict, law
from suite.floats import FORMATS, Floats, from_ordinal, from_patterns, hexadecimal, round_to, ulp
from suite.model import Limitation, Record, Status
from suite.oracle import Exact
from suite.profiles import BUCKETS, literal, worst_of
from suite.reference import Reference
from suite.shards import Output
from suite.totals import Total

METRIC = "max error (ulp)"

Facts = Mapping[str, str]


def record(
    output: Output,
    answers: list[dict[str, Any]],
    facts: Facts,
    environment: str,
    known: tuple[Limitation, ...],
    part: tuple[int, int] | None = None,
) -> Record:
    """The record of an output whose shards have all been computed, or those of a ``part``, which its name then says."""
    some = [f"shards {part[0]} to {part[1] - 1} alone"] if part and shards.partial(output, part) else []
    what = ", ".join([output.what, *some])
    fields: dict[str, Any] = {"case": output.case, "check": f"sweep {what}", "family": "sweep", "metric": METRIC}
    if error := next((a["error"] for a in answers if "error" in a), ""):
        return Record(**fields, status="error", message=error, environment=environment)
    total = Total(FORMATS[output.case.dtype], answers)
    points = _Points(output, total)
    judged = points.judge(facts, known)
    seconds = {name: sum(a.get(name, 0.0) for a in answers) for name in ("evaluating", "comparing", "reference")}
    counts = total.counts
    judged_results = max(1, counts["judged"])
    extra = {
        "slice": output.slice.label, "order": output.order, "inputs": counts["judged"], "histogram": total.histogram,
        "mean ulp": counts["total"] / judged_results, "correctly rounded": total.histogram[0] / judged_results,
        **points.exact_worst(), **{k: v for k, v in counts.items() if k not in ("judged", "total")},
        "firsts": {what: points.hexadecimal(n) for what in counts if (n := total.first(what)) is not None},
        "frontier": [points.hexadecimal(n) for n in total.frontier],
        "true zero": [points.hexadecimal(n) for n in output.reference.frontier(0)],
        "digest": total.digest, "profile": points.profile(), "seconds": seconds, **judged.extra,
    }  # fmt: skip
    worst = {"x": points.hexadecimal(total.at[0])} if total.at else {}
    return Record(
        **fields, status=judged.status, value=float(total.worst), worst=worst, message=judged.message, extra=extra, environment=environment
    )


def judged(output: Output, answer: Mapping[str, Any], facts: Facts) -> list[tuple[Check, Batch, Verdict]]:
    """What the checks say of every result of a format of 16 bits, of a row's entries of the first alone.

    Where NaN goes in it has to come out. Second derivatives are graded, by the check that judges them elsewhere.
    """
    points = _Points(output, Total(FORMATS[output.case.dtype], [answer]))
    found = [(check, batch, _first_of_rows(verdict)) for check, batch, verdict, _ in points.verdicts(facts)]
    return [*found, *points.graded(facts), *points.not_a_number()]


def _first_of_rows(verdict: Verdict) -> Verdict:
    """The verdict on the first entry of each row."""
    return replace(verdict, judged=verdict.judged & (np.arange(verdict.score.shape[1]) == 0)) if verdict.score.ndim > 1 else verdict


class _Points:
    """The worst result of every chunk, or every result, with its input."""

    def __init__(self, output: Output, total: Total) -> None:
        self._output, self._total = output, total
        self._fmt = FORMATS[output.case.dtype]
        self._distance, self._number, got = np.array(total.profile + total.relative + total.cells, dtype=np.int64).reshape(-1, 3).T
        self._got = from_ordinal(self._fmt, got)
        stray, odd = np.array(total.strays, dtype=np.int64).reshape(-1, 2).T
        self._stray = stray
        self._odd = np.where(np.abs(odd) > self._fmt.infinity_ordinal, np.nan, from_ordinal(self._fmt, odd))
        self._all = [shards.kept_results(s["results"]) for s in total.shards if "results" in s]

    def hexadecimal(self, number: int | None) -> Any:
        """An input for a reader: one float, or two; None stays."""
        if number is None:
            return None
        numbers = [hexadecimal(float(n[0])) for n in self._output.reference.numbers(np.array([number]))]
        return numbers[0] if len(numbers) == 1 else numbers

    def exact_worst(self) -> dict[str, float]:
        """The largest error in units in the last place of the exact result: of the results furthest off, and of normal ones.

        Where not all results are kept, that is the largest at the points judged; but the distance from the correctly rounded result,
        which is half a unit off at most, bounds the relative error of every normal one: so many times 2u.
        """
        number, got = self._judged_points()
        exact = self._exact(number)
        with np.errstate(all="ignore"):
            errors = np.abs((got - exact.high) - exact.low) / ulp(self._fmt, exact.high)
        finite = np.isfinite(errors)
        furthest = finite & np.isin(number, self._number[self._distance == self._total.worst])
        normal = finite & (np.abs(exact.high) >= 2.0 * self._fmt.tiny) & (got != 0)
        largest, of_normal = (float(np.max(errors[chosen], initial=0.0)) for chosen in (furthest, normal))
        bound = of_normal if self._all else self._total.normal + 0.5
        return {"max ulp": largest, "max ulp of normal results": of_normal, "bound of normal results": bound}

    def profile(self) -> list[list[Any]]:
        """The error along the inputs, as :mod:`suite.profiles` describes it."""
        size = 1 << (32 if self._fmt.bits == 32 or self._output.slice.arity > 1 else 16)
        piece = self._number // (size // BUCKETS)
        tops = worst_of(piece, self._distance)
        exact = self._exact(self._number[tops])
        nearest = round_to(self._fmt, exact.high, exact.low)
        return [
            [int(piece[i]), int(self._distance[i]), self.hexadecimal(int(self._number[i])), literal(self._got[i]), literal(right)]
            for i, right in zip(tops, nearest, strict=True)
        ]

    def _exact(self, numbers: NDArray[np.int64]) -> Exact:
        return everywhere(self._output.reference)[numbers] if self._all else self._output.reference.exact(numbers)

    def judge(self, facts: Facts, known: tuple[Limitation, ...]) -> _Judged:
        """The checks that speak of values or of gradients, on these points."""
        judged = _Judged(graded=self._output.order > 1)
        self._missing_nan(facts, known, judged)
        for check, batch, verdict, kept in self.verdicts(facts):
            self._check(check, verdict, batch, kept, facts, known, judged)
        return judged

    def verdicts(self, facts: Facts) -> Iterator[tuple[Check, Batch, Verdict, NDArray[np.int64]]]:
        """Those checks' verdicts, with the numbers of the points."""
        order = self._output.order
        batch, subject, kept = self._subject(facts)
        for check in (checks()[name] for name in (_OF_VALUES, _OF_GRADIENTS, ())[order]):
            if batch is not None and check.applies(self._output.operation):
                with np.errstate(all="ignore"):
                    yield check, batch, check.run(subject, batch)[0 if order == 0 else self._place()], kept

    def graded(self, facts: Facts) -> Iterator[tuple[Check, Batch, Verdict]]:
        """The grades of second derivatives."""
        batch, subject, _ = self._subject(facts)
        if self._output.order == 2 and batch is not None:
            name = subject.operation.differentiable[self._place()]
            got, exact = subject.gradients(batch)[name], subject.exact_gradients(batch)[name]
            nothing, there = np.zeros(got.shape), np.isfinite(exact.high)
            verdict = Verdict(f"h {name}", nothing, there, got, exact.high, nothing, grades(self._fmt, got, exact))
            yield checks()["curvature_within_bound"], batch.replaced(batch.label, {"direction": directions(batch)}), verdict

    def not_a_number(self) -> Iterator[tuple[Check, Batch, Verdict]]:
        """What comes of NaN."""
        order, operation, reference = self._output.order, self._output.operation, self._output.reference
        numbers, got = self._judged_points()
        moving = reference.numbers(numbers)
        nan = np.flatnonzero(np.isnan(moving[0]))
        if reference.law().nan_expected and len(nan):
            arrays = self._output.arrays([m[nan] for m in moving])
            output = f"{'dh'[order - 1]} {operation.differentiable[self._place()]}" if order else "value"
            verdict = law(output, np.isnan(got[nan]), got[nan], np.full(len(nan), np.nan))
            yield checks()["nan_propagates"], Batch("sweep", {n: a[None] for n, a in arrays.items()}), verdict

    def _missing_nan(self, facts: Facts, known: tuple[Limitation, ...], into: _Judged) -> None:
        """NaN in gives NaN out. Where that is known to fail, no NaN is told from another."""
        count, first = self._total.counts["NaN swallowed"], self._total.first("NaN swallowed")
        if not count:
            return
        entries = limitations.matching(known, self._output.case, "nan_propagates", facts)
        into.known |= bool(entries)
        into.limitations += [entry.id for entry in entries]
        if not entries:
            where = f"the first of them with the bit pattern {first:#x}"
            into.failures.append(f"nan_propagates does not hold: {count} times NaN goes in and a number comes out, {where}")

    def _check(
        self,
        check: Check,
        verdict: Verdict,
        batch: Batch,
        kept: NDArray[np.int64],
        facts: Facts,
        known: tuple[Limitation, ...],
        into: _Judged,
    ) -> None:
        operation, case = self._output.operation, self._output.case
        entries = limitations.matching(known, case, check.name, facts)
        violated, covered = verdict.violated, np.zeros(verdict.score.shape, dtype=bool)
        first = (slice(None), 0) if verdict.score.ndim > 1 else (slice(None),)
        for entry in entries:
            here = limitations.covered(entry, operation, self._fmt, batch, verdict.score)
            if (here & violated)[first].any():
                into.limitations.append(entry.id)
            covered |= here
        if check.kind == "bound":
            used = verdict.score[first][verdict.judged[first] & ~covered[first]]
            into.share = max(into.share, float(np.max(used, initial=0.0)))
        failing = np.flatnonzero((violated & ~covered)[first])
        if len(failing):
            worst = failing[np.argmax(verdict.score[first][failing])]
            into.failures.append(self._explain(check, verdict, worst, int(kept[worst])))
        into.known |= bool((violated & covered)[first].any())

    def _place(self) -> int:
        """Which of the operation's gradients is looked at."""
        operation, moving = self._output.operation, self._output.slice.moving[0]
        return operation.differentiable.index(operation.arguments[moving].name)

    def _explain(self, check: Check, verdict: Verdict, place: int, number: int) -> str:
        index = (place, 0) if verdict.got.ndim > 1 else (place,)
        got, exact, limit = (float(a[index]) for a in (verdict.got, verdict.expected, verdict.limit))
        error = f"error {abs(got - exact):.6g}, allowed {limit:.6g}"
        return f"{check.name} does not hold at {self.hexadecimal(number)}: got {got!r}, exact {exact!r}, {error}"

    def _subject(self, facts: Facts) -> tuple[Batch | None, Subject, NDArray[np.int64]]:
        """The points as a batch of the operation's own arguments, and what has returned these results for them."""
        case, operation = self._output.case, self._output.operation
        numbers, got = self._judged_points()
        moving = self._output.reference.numbers(numbers)
        numbers_in = np.logical_and.reduce([np.isfinite(m) for m in moving])
        if self._output.order == 0 and operation.special:
            numbers_in |= np.isinf(moving[0])
        kept = np.flatnonzero(numbers_in & ~self._output.reference.unjudged(moving))
        arrays = self._output.arrays([m[kept] for m in moving])
        results = {n: self._results(n, got[kept], arrays) for n in ("value", *(f"d {n}" for n in operation.differentiable))}
        truth = self._truth(numbers[kept], arrays)
        subject = Subject(operation, elementary.rounding(case, facts), lambda *_: results, truth=lambda *_: truth)
        return (Batch("sweep", {n: a[None] for n, a in arrays.items()}) if len(kept) else None), subject, numbers[kept]

    def _judged_points(self) -> tuple[NDArray[np.int64], Floats]:
        if self._all:
            return np.arange(len(self._all[0])), from_patterns(self._fmt, self._all[0])
        return np.append(self._number, self._stray), np.append(self._got, self._odd)

    def _truth(self, numbers: NDArray[np.int64], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Exact]:
        """The exact results of the output, NaN for everything else that the operation returns."""
        operation, exact = self._output.operation, self._exact(numbers)
        names = ("value",) if self._output.order == 0 else tuple(f"d {n}" for n in operation.differentiable)
        mine = names[0] if self._output.order == 0 else names[self._place()]
        truth = {}
        for name in names:
            shape = self._results(name, exact.high, arrays).shape[1:]
            high, low = np.full(shape, np.nan), np.zeros(shape)
            if name == mine:
                first = (slice(None), 0) if len(shape) > 1 else (slice(None),)
                high[first], low[first] = exact.high, exact.low
            truth[name] = Exact(high, low)
        return truth

    def _results(self, name: str, got: Floats, arrays: Mapping[str, NDArray[Any]]) -> Floats:
        """The computed results in the output's shape; a row's other entries are of no interest."""
        operation = self._output.operation
        shape = arrays[name[2:]].shape if name != "value" else arrays[operation.arguments[0].name].shape
        if len(shape) == 1 or (name == "value" and operation.shape == "scalar"):
            return got[None]
        return np.broadcast_to(got[:, None], shape)[None]


@cache
def everywhere(reference: Reference) -> Exact:
    """The exact results at every input of a format of 16 bits."""
    return reference.certified(np.arange(1 << reference.fmt.bits))


_OF_VALUES = ("value_within_bound", "stays_in_range")
_OF_GRADIENTS = ("gradient_within_bound", "no_premature_zero")


@dataclass
class _Judged:
    """What the checks said of all points: the largest share of the bound outside known failures, and what lies outside."""

    share: float = 0.0
    known: bool = False
    limitations: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    graded: bool = False

    @property
    def status(self) -> Status:
        """As of any check."""
        return "grade" if self.graded else "fail" if self.failures else "known" if self.known else "pass"

    @property
    def message(self) -> str:
        """The worst failure of each check."""
        return "\n".join(self.failures)

    @property
    def extra(self) -> dict[str, Any]:
        """For the record."""
        return {"share of bound": self.share, "limitations": sorted(set(self.limitations))}
