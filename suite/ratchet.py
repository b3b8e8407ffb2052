"""The ratchet: grades of the boundary grid, the same in each run, put on record and held against their baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.baselines import Baselines, Comparison, graded
from suite.batch import PLAIN
from suite.checks import Check
from suite.floats import FORMATS, Floats, Format, hexadecimal, ulp
from suite.judging import Outcome, failure, readable, shown_input
from suite.model import Case, Record
from suite.operations import operations
from suite.processes import WorkerError
from suite.reproduction import script
from suite.session import Judgement, Session

GRID = "boundary grid"
BETTER = "better than baseline"
"""The key in a record's ``extra``: by grade, what it was and what it is."""

ACCEPT = "if it is to stay so, record it: python -m suite.baselines write RESULT-FILES"
"""The end of a message: a ratchet is loosened by nothing but this command."""


def hold(baselines: Baselines, session: Session, check: Check, case: Case, outcome: Outcome) -> Outcome:
    """Puts the grid's grades on a check's record; where it holds, but has got worse than its baseline, it fails."""
    judged = on_grid(outcome.judgements)
    grid = of_grid(FORMATS[case.dtype], judged)
    if not grid or session.implementation(case).file:
        return outcome
    record = replace(outcome.records[0], extra={**outcome.records[0].extra, "grid": grid})
    found = baselines.compare(record, session.facts(case)) if record.status == "pass" else None
    if found and found.worse:
        record = _worse(session, check, record, judged, found)
        outcome.failures.append(f"{record.message}\n\n{record.reproduction}".rstrip())
    outcome.records[0] = _better(record, found)
    return outcome


def hold_sweep(baselines: Baselines, session: Session, case: Case, outcome: Outcome) -> Outcome:
    """The same for a sweep, whose record has its grades. Known failures are among them: they may not get worse either."""
    record = next(iter(outcome.records), None)
    if record is None or record.status in ("fail", "error") or session.implementation(case).file:
        return outcome
    found = baselines.compare(record, session.facts(case))
    if found and found.worse:
        where = f"\n  worst at {record.worst['x']}" if record.worst else ""
        message = f"{_told(record, found)}{where}\n{ACCEPT}"
        outcome.records[0] = replace(record, status="fail", message=message, extra={**record.extra, "baseline": dict(found.worse)})
        outcome.failures.append(message)
    else:
        outcome.records[0] = _better(record, found)
    return outcome


def _better(record: Record, found: Comparison | None) -> Record:
    """A record that says what of it is better than its baseline: grades, each as it was and as it is."""
    now = graded(record)
    if now is None or found is None or not found.better:
        return record
    return replace(record, extra={**record.extra, BETTER: {name: [before, now[name]] for name, before in found.better.items()}})


def _told(record: Record, found: Comparison) -> str:
    """What got worse, and since when."""
    now = graded(record)
    assert now is not None
    grown = "; ".join(f"{name} {now[name]:.4g}, was {before:.4g}" for name, before in found.worse.items())
    since = f"  baseline  {found.baseline}, recorded with {found.versions}"
    return f"{record.case.id}: {record.check} holds, and got worse than its baseline: {grown}\n{since}"


def _worse(session: Session, check: Check, record: Record, judged: list[Judgement], found: Comparison) -> Record:
    """A record that holds as one that fails, with the element that the first of the worse grades comes from, and a script for it."""
    case, name = record.case, next((n for n in found.worse if n != "lost bits"), "lost bits")
    message, reproduction = _told(record, found), ""
    fields: dict[str, Any] = {}
    if place := where(FORMATS[case.dtype], judged, name):
        judgement, part = place
        assert judgement.worst is not None
        got, exact = (float(a[judgement.worst]) for a in (judgement.verdict.got, judgement.verdict.expected))
        message += (
            f"\n  output    {judgement.verdict.output}\n  input     {shown_input(judgement)}"
            f"\n  got       {got!r} ({hexadecimal(got)})\n  exact     {exact!r} ({hexadecimal(exact)})"
        )
        reproduction = _script(session, check, case, judgement, _share(name, found, part))
        fields = {"worst": readable(judgement.example())}
    extra = {**record.extra, "baseline": dict(found.worse)}
    return replace(record, status="fail", message=f"{message}\n{ACCEPT}", reproduction=reproduction, extra=extra, **fields)


def _share(grade: str, found: Comparison, part: float) -> float:
    """What share of its error an element may have that is ``part`` in a grade: of a zero half; of a mean nothing can be said."""
    if grade in ("max ulp", "share of bound"):
        return float(found.worse[grade] * 2.0**found.slack / part)
    return 0.5 if grade in ("premature zeros", "flushed") else 1.0


def _script(session: Session, check: Check, case: Case, judgement: Judgement, share: float) -> str:
    """A script that fails on the element as it is, and holds where its error is that share of it or less; none that holds as it is."""
    try:
        found = failure(session, check, case, judgement)
    except WorkerError:
        found = None
    if found is None:
        return ""
    found = replace(found, limit=share * abs(found.got - found.expected))
    return script(operations()[case.operation], session.implementation(case), case, found) if found.decisive else ""


# Grades of the grid


def on_grid(judgements: Sequence[Judgement]) -> list[Judgement]:
    """Those of the grid, in the plain form and in rows of the first shape, which every profile has, that are graded.

    Known failures are left out, as they are from the verdict; where they cover all results, all are held.
    """
    batch = next((j.batch for j in judgements if j.batch.label == GRID and j.batch.form == PLAIN), None)
    found = [j for j in judgements if j.batch is batch and "elements" in j.verdict.grades]
    return found if any(j.judged.any() for j in found) else [replace(j, judged=j.verdict.judged) for j in found]


def of_grid(fmt: Format, judgements: Sequence[Judgement]) -> dict[str, Any]:
    """The grades of what is judged, none if that is nothing; ``inputs`` is a digest of what it is."""
    digest = blake2b(digest_size=4)
    found = []
    for judgement in judgements:
        digest.update(f"{judgement.batch.key}{judgement.verdict.output}".encode())
        digest.update(np.packbits(judgement.judged).tobytes())
        found.append(_Elements(fmt, judgement))
    if not sum(int(each.judged.sum()) for each in found):
        return {}
    errors = np.concatenate([each.ulps[each.normal] for each in found])
    return {
        "inputs": digest.hexdigest(),
        "max ulp": float(np.max(errors, initial=0.0)),
        "lost bits": float(np.log2(1.0 + errors).mean()) if errors.size else 0.0,
        "share of bound": max(float(np.max(each.share, initial=0.0)) for each in found),
        "premature zeros": float(sum(each.zeros.sum() for each in found)),
        "flushed": float(sum(each.flushed.sum() for each in found)),
        "non-finite": float(sum(each.lost.sum() for each in found)),
    }


def where(fmt: Format, judgements: Sequence[Judgement], grade: str) -> tuple[Judgement, float] | None:
    """The element that a grade comes from, the only one that is left judged, and its part in it; None where there is no such element."""
    best: tuple[Judgement, float] | None = None
    for judgement in judgements:
        each = _Elements(fmt, judgement)
        part = each.parts()[grade]
        place = np.unravel_index(int(np.argmax(part)), part.shape)
        if part[place] > (best[1] if best else 0.0):
            alone = np.zeros(part.shape, dtype=bool)
            alone[place] = True
            best = (replace(judgement, judged=alone), float(part[place]))
    return best


class _Elements:
    """An output's elements whose exact value is a finite number of the format.

    Errors are those of normal results: what underflows may be off by all its digits, which are counted, zero by zero, instead.
    """

    def __init__(self, fmt: Format, judgement: Judgement) -> None:
        verdict = judgement.verdict
        got, exact, limit, score = verdict.got, verdict.expected, verdict.limit, verdict.score
        self.judged: NDArray[np.bool_] = judgement.judged & np.isfinite(exact) & (np.abs(exact) <= fmt.max)
        self.lost: NDArray[np.bool_] = self.judged & ~np.isfinite(got)
        # Four times the smallest normal number, as the checks of premature zeros have it: below, a factor is flushed on the way.
        large, zero = np.abs(exact) >= 4.0 * fmt.tiny, self.judged & (got == 0)
        self.zeros: NDArray[np.bool_] = zero & large
        self.flushed: NDArray[np.bool_] = zero & ~large & (np.abs(exact) >= fmt.eta)
        self.normal: NDArray[np.bool_] = self.judged & large & ~self.lost & ~zero
        self.share: Floats = np.where(self.normal & np.isfinite(score), score, 0.0)
        with np.errstate(all="ignore"):
            # The score knows more digits of the exact value than ``expected`` has.
            exactly = np.isfinite(limit) & (limit > 0) & np.isfinite(score)
            error = np.where(exactly, score * limit, np.abs(got - exact))
            self.ulps: Floats = np.where(self.normal, error / ulp(fmt, exact), 0.0)

    def parts(self) -> Mapping[str, Floats]:
        """What each element adds to each grade."""
        counted = {"premature zeros": self.zeros, "flushed": self.flushed, "non-finite": self.lost}
        errors = {"max ulp": self.ulps, "lost bits": self.ulps, "share of bound": self.share}
        return {**errors, **{name: elements.astype(np.float64) for name, elements in counted.items()}}
