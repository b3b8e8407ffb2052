"""From verdicts to records and to the message of a failure."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from hypothesis import Phase
from hypothesis.errors import HypothesisException

from suite import inputs, profiles, verdicts
from suite.backends import backends
from suite.batch import PLAIN, Arrays, Batch
from suite.checks import Check
from suite.checks.base import Question, Verdict
from suite.floats import FORMATS, hexadecimal
from suite.model import Case, Limitation, Record
from suite.operations import operations
from suite.processes import Absent, FrameworkError, WorkerError
from suite.reproduction import READINGS, REFUSED, Failure, script
from suite.session import Judgement, Session
from suite.shards import Output

SHRINK_SECONDS = 5.0
"""Longest time to spend on making one failing block simpler."""

IDLE = "has nothing to judge here"


@dataclass
class Outcome:
    """What a check says of a case: records for the report, messages for the terminal; no message means that it holds.

    ``judgements`` are what the first record was made of. ``absent`` says what the installed release lacks, ``idle`` why there was
    nothing to judge.
    """

    records: list[Record] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    absent: str = ""
    idle: str = ""


def judge(session: Session, check: Check, case: Case, environment: str) -> Outcome:
    """Runs a check on a case: all batches with known regions taken out, then every limitation's witness."""
    outcome = Outcome()
    try:
        if reason := session.missing(case):
            outcome.absent = reason
            return outcome
        known = session.limitations(check, case)
        judgements = [j for batch in session.inputs_for(check, case) for j in session.judge(check, case, batch, known)]
        if any(j.verdict.judged.any() for j in judgements):
            outcome.records.append(_record(session, check, case, environment, judgements, outcome.failures))
            outcome.judgements = judgements
        else:
            outcome.idle = f"{check.name} {IDLE}"
        for entry in known:
            outcome.records.append(_known(session, check, case, environment, entry, outcome.failures))
    except Absent as error:
        outcome.absent = str(error)
    except (WorkerError, ArithmeticError) as error:
        outcome.records.append(_plain(check, case, environment, status="error", message=str(error)))
        outcome.failures.append(f"{case.id}: {check.name} could not be judged\n  {_raised(session, case, error)}\n{_replay(session, case)}")
    return outcome


def swept(session: Session, output: Output, environment: str) -> Outcome:
    """Compares an output with the correctly rounded result at every input of its format."""
    outcome = Outcome()
    case = output.case
    try:
        if reason := session.missing(case):
            outcome.absent = reason
            return outcome
        record = verdicts.record(output, [session.sweep(output)], session.facts(case), environment, session.known_of(case))
    except Absent as error:
        outcome.absent = str(error)
        return outcome
    except WorkerError as error:
        record = Record(case, f"sweep {output.what}", "sweep", verdicts.METRIC, "error", message=str(error), environment=environment)
    outcome.records.append(record)
    if record.status in ("fail", "error"):
        outcome.failures.append(f"{output.id}\n{record.message}")
    return outcome


def _plain(check: Check, case: Case, environment: str, **fields: Any) -> Record:
    metric = "share of bound" if check.kind == "bound" else "violations (count)"
    return Record(case, check.name, check.family, environment=environment, **{"metric": metric, **fields})


def _record(session: Session, check: Check, case: Case, environment: str, judgements: list[Judgement], failures: list[str]) -> Record:
    worst = max(judgements, key=lambda j: j.score, default=None)
    violations = sum(int(j.violated.sum()) for j in judgements)
    rows = sum(len(j.judged) for j in judgements)
    value = (worst.score if worst else 0.0) if check.kind == "bound" else float(violations)
    extra = {
        **grades(j.verdict for j in judgements),
        "rows": float(rows),
        "violations": float(violations),
        **_kept(check, case, judgements),
    }
    fields: dict[str, Any] = {"value": value, "limit": 1.0 if check.kind == "bound" else 0.0, "extra": extra, "status": "pass"}
    if worst is not None and worst.worst is not None:
        fields["worst"] = readable(worst.example())
    if violations and worst is not None:
        simplest = _shrunk(session, check, case, worst)
        message, reproduction, numbers = explain(session, check, case, simplest)
        fields |= {"status": "fail", "message": message, "reproduction": reproduction, "worst": readable(simplest.example())}
        fields["extra"] = {**extra, **numbers}
        count = f"{violations} of {sum(j.judged.size for j in judgements)} judged results fail"
        failures.append(f"{message}\n{count}; {_replay(session, case)}" + (f"\n\n{reproduction}" if reproduction else ""))
    return _plain(check, case, environment, **fields)


def _kept(check: Check, case: Case, judgements: list[Judgement]) -> dict[str, Any]:
    """What :mod:`suite.profiles` keeps of the results, if there is anything."""
    operation, found = operations()[case.operation], [(j.batch, j.verdict, j.judged) for j in judgements]
    try:
        sampled = profiles.sampled(operation, FORMATS[case.dtype], found)
        special = profiles.special(operation, check, found)
    except Exception as error:  # noqa: BLE001 - what illustrates a verdict must not cost it
        return {"not kept": f"{type(error).__name__}: {error}"}
    return {**({"sampled": sampled} if sampled else {}), **({"special": special} if special else {})}


def _raised(session: Session, case: Case, error: Exception) -> str:
    """What was raised, and where in the file that declares the function, or in the backend's module."""
    file = session.implementation(case).file or f"{inspect.getsourcefile(type(backends()[case.backend]))}"
    lines = re.findall(rf'File "{re.escape(file)}", line (\d+)', getattr(error, "traceback", ""))
    return f"{error}" + (f"\n  at {file}:{lines[-1]}" if lines else "")


def _replay(session: Session, case: Case) -> str:
    """How to see the same inputs again."""
    if not session.command:
        return f"replay: the same test with seed={session.seed}"
    selected = f"--backend {case.backend}:{case.mode} --operation {case.operation} --dtype {case.dtype}"
    return f"replay: {session.command} --hypothesis-seed={session.seed} {selected}"


def _known(session: Session, check: Check, case: Case, environment: str, entry: Limitation, failures: list[str]) -> Record:
    found = session.witness(check, case, entry)
    if found is None:
        remedy = "take it out of fixtures/limitations.toml, or bound its releases or its cpu"
        message = f"limitation {entry.id} does not show on its witness any more: {remedy}"
        failures.append(f"{case.id}: {check.name}: {message}\n{_replay(session, case)}")
        return _plain(check, case, environment, status="fail", message=message, extra={"limitation": entry.id})
    message, reproduction, numbers = explain(session, check, case, found)
    extra = {"limitation": entry.id, "url": entry.url, "reason": entry.reason, **numbers}
    return _plain(
        check, case, environment, status="known", metric="known failure", value=found.score, limit=1.0, worst=readable(found.example()),
        message=f"{entry.reason}\n{message}", reproduction=reproduction, extra=extra,
    )  # fmt: skip


def grades(found: Iterable[Verdict]) -> dict[str, float]:
    """The grades of all batches together; frontiers, and whatever else a check names, are the first of all."""
    graded = [v.grades for v in found if v.grades]
    accurate = [g for g in graded if "elements" in g]
    firsts = {n: min(g[n] for g in graded if n in g) for n in {n for g in graded for n in g} - _ACCURACY}
    if not accurate:
        return firsts
    total = sum(g["elements"] for g in accurate)
    weighted = {n: sum(g[n] * g["elements"] for g in accurate) / total for n in ("mean ulp", "correctly rounded")}
    summed = {n: sum(g[n] for g in accurate) for n in ("premature zeros", "flushed", "non-finite", "elements")}
    return {"max ulp": max(g["max ulp"] for g in accurate), **weighted, **summed, **firsts}


_ACCURACY = {"max ulp", "mean ulp", "correctly rounded", "premature zeros", "flushed", "non-finite", "elements"}


def explain(session: Session, check: Check, case: Case, judgement: Judgement) -> tuple[str, str, dict[str, float]]:
    """The message and the script for a judgement's worst element, and its numbers: ``got``, ``expected``, ``limit``."""
    message, numbers = described(check, case, judgement)
    return message, _reproduction(session, check, case, judgement), numbers


def described(check: Check, case: Case, judgement: Judgement) -> tuple[str, dict[str, float]]:
    """The message and the numbers alone."""
    place = judgement.worst
    assert place is not None
    verdict = judgement.verdict
    numbers = {
        "got": float(verdict.got[place]),
        "expected": float(verdict.expected[place]),
        "limit": float(verdict.limit[place]),
    }
    message = (
        f"{case.id}: {check.name} does not hold for {verdict.output}: {check.statement}\n"
        f"  input     {shown_input(judgement)}\n"
        f"  got       {verdict.note or _compared(check.against, **numbers)}"
    )
    return message, numbers


def shown_input(judgement: Judgement) -> str:
    """The worst example, for a reader."""
    form = judgement.batch.form.name
    shown = [f"{n} = {_short(v)}" for n, v in judgement.example().items() if n != "cotangent"]
    return ", ".join([*shown, *([form] if form != "plain" else [])])


def _compared(against: str, got: float, expected: float, limit: float) -> str:
    return (
        f"{got!r} ({hexadecimal(got)})\n"
        f"  {against:<10}{expected!r} ({hexadecimal(expected)})\n"
        f"  error     {abs(got - expected):.6g}, allowed {limit:.6g}"
    )


def _reproduction(session: Session, check: Check, case: Case, judgement: Judgement) -> str:
    """The script for a judgement's worst element; empty where no single call of the implementation shows it."""
    found = failure(session, check, case, judgement)
    return script(operations()[case.operation], session.implementation(case), case, found) if found and found.decisive else ""


def failure(session: Session, check: Check, case: Case, judgement: Judgement) -> Failure | None:
    """A judgement's worst element in a single call of the implementation; None where none gives the number that was judged."""
    verdict, worst = judgement.verdict, judgement.worst
    assert worst is not None
    letter = verdict.output.partition(" ")[0]
    question = _BY_LETTER.get(letter, "mapped" if check.asks == "mapped" else "value")
    if not judgement.batch.first.size or (found := _block(session, case, judgement, question)) is None:
        return None
    arrays, place, reading = found
    got, expected, limit, score = (float(a[worst]) for a in (verdict.got, verdict.expected, verdict.limit, verdict.score))
    if check.kind == "bound" and 1.0 < score < np.inf and limit > 0:
        # What is compared has more digits than a script shows: its limit is the same share of the error that it sees.
        limit = min(limit, abs(got - expected) / score)
    return Failure(verdict.output, arrays, place, got, expected, limit, judgement.inputs.form, question, reading)


def shown(session: Session, case: Case, found: Failure) -> float | None:
    """The number that a failure's script would read, from another session's implementation; None where one of the two refuses."""
    if found.reading == REFUSED:
        return None
    batch = Batch("shown", {n: a[None] for n, a in found.arrays.items()}, found.form)
    at = found.place[0]
    try:
        answer = session.evaluate(case, batch, cast("Question", found.question))[found.output][0]
    except FrameworkError:
        return None
    return _read(answer[at], {n: a[at] for n, a in found.arrays.items()}, found.place[1:], found.reading)


_BY_LETTER: dict[str, Question] = {"d": "gradient", "h": "curvature", "t": "tangent"}
_Found = tuple[dict[str, Any], tuple[int, ...], str]


def _block(session: Session, case: Case, judgement: Judgement, question: Question) -> _Found | None:
    """The arrays of a block that shows the failure, where in the answer, and how a number is made of it.

    The one example throughout if that does, else the block as it was; None if neither gives the number that was judged.
    """
    batch, place = judgement.inputs, judgement.worst
    assert place is not None
    size = batch.first.shape[1]
    block, row = divmod(place[0], size)
    alone = {n: np.repeat(a[block : block + 1, row : row + 1], size, axis=1) for n, a in batch.arrays.items()}
    as_it_was = {n: a[block : block + 1] for n, a in batch.arrays.items()}
    for label, arrays, at in (("alone", alone, 0), ("one block", as_it_was, row)):
        try:
            answer = session.evaluate(case, Batch(label, arrays, batch.form), question)[judgement.verdict.output][0]
        except FrameworkError:
            if batch.form != PLAIN:
                return {n: a[0] for n, a in arrays.items()}, (at, *place[1:]), REFUSED
            continue
        for reading in READINGS:
            number = _read(answer[at], {n: a[0, at] for n, a in arrays.items()}, place[1:], reading)
            if number is not None and np.array_equal(number, judgement.verdict.got[place], equal_nan=True):
                return {n: a[0] for n, a in arrays.items()}, (at, *place[1:]), reading
    return None


def _read(example: Any, arrays: dict[str, Any], place: tuple[int, ...], reading: str) -> float | None:
    """A number of an example's answer, as :data:`suite.reproduction.READINGS` has it; None where that makes no sense."""
    entries = np.asarray(example)
    if reading == "entry":
        return float(entries[place]) if len(place) == entries.ndim else None
    weights = {"sum": 1.0, "along": arrays.get("direction"), "cotangent's entry": arrays.get("cotangent")}[reading]
    if weights is None or not entries.ndim or (reading != "sum" and np.shape(weights) != entries.shape):
        return None
    return float((entries * weights).sum())


SMALL = range(-1000, 1001)
"""Whole numbers that are read more easily without their bits."""


def _short(value: Any) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        value = array.item()
        return f"{value!r}" if not isinstance(value, float) or value in SMALL else f"{value!r} ({hexadecimal(value)})"
    return "[" + ", ".join(f"{v!r}" for v in array.tolist()) + "]"


def readable(example: dict[str, Any]) -> dict[str, Any]:
    """Inputs for a record: floats as hexadecimal strings."""

    def convert(value: Any) -> Any:
        array = np.asarray(value)
        if array.ndim:
            return [convert(v) for v in array]
        return hexadecimal(float(array)) if array.dtype.kind == "f" else array.item()

    return {name: convert(value) for name, value in example.items()}


class _Violation(AssertionError):
    """What Hypothesis minimises."""


def _shrunk(session: Session, check: Check, case: Case, found: Judgement) -> Judgement:
    """A generated block that fails, made simpler by Hypothesis and kept in its example database; anything else as it is."""
    if found.batch.label != "generated":
        return found
    operation, fmt = operations()[case.operation], FORMATS[case.dtype]
    rows = next(iter(found.batch.arrays.values())).shape[1:3]
    shape = (int(rows[0]), int(rows[1])) if len(rows) == 2 else session.profile.rows[0]
    known = session.limitations(check, case)
    best = found
    deadline = time.monotonic() + SHRINK_SECONDS

    def body(block: Arrays) -> None:
        nonlocal best
        if time.monotonic() > deadline:
            return
        batch = inputs.as_batch(operation, [block])
        for prepared in check.prepare(operation, fmt, (batch,)) if check.prepare else [batch]:
            for judgement in session.judge(check, case, prepared, known):
                if judgement.violated.any():
                    best = judgement
                    raise _Violation

    try:
        strategy, phases = inputs.blocks(operation, fmt, shape), (Phase.reuse, Phase.generate, Phase.shrink)
        inputs.run_hypothesis(strategy, body, session.seed, session.examples + inputs.SIMPLEST, phases, report_multiple_bugs=False)
    except (_Violation, HypothesisException):
        pass
    return best
