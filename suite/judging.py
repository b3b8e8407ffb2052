"""From verdicts to records and to the message of a failure."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import Phase
from hypothesis.errors import HypothesisException

from suite import inputs, verdicts
from suite.batch import Arrays, Batch
from suite.checks import Check
from suite.floats import FORMATS, hexadecimal
from suite.model import Case, Limitation, Record
from suite.operations import operations
from suite.processes import Absent, WorkerError
from suite.reproduction import Failure, script
from suite.session import Judgement, Session
from suite.shards import Output

SHRINK_SECONDS = 5.0
"""Longest time to spend on making one failing block simpler."""


@dataclass
class Outcome:
    """What a check says of a case: records for the report, messages for the terminal; no message means that it holds."""

    records: list[Record] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    absent: str = ""


def judge(session: Session, check: Check, case: Case, environment: str) -> Outcome:
    """Runs a check on a case: all batches with known regions taken out, then every limitation's witness."""
    outcome = Outcome()
    try:
        if reason := session.missing(case):
            outcome.absent = reason
            return outcome
        known = session.limitations(check, case)
        judgements = [j for batch in session.inputs_for(check, case) for j in session.judge(check, case, batch, known)]
        outcome.records.append(_record(session, check, case, environment, judgements, outcome.failures))
        for entry in known:
            outcome.records.append(_known(session, check, case, environment, entry, outcome.failures))
    except Absent as error:
        outcome.absent = str(error)
    except (WorkerError, ArithmeticError) as error:
        outcome.records.append(_plain(check, case, environment, status="error", message=str(error)))
        outcome.failures.append(f"{case.id}: {check.name} could not be judged\n{error}")
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
    extra = {**_grades(judgements), "rows": float(rows), "violations": float(violations)}
    fields: dict[str, Any] = {"value": value, "limit": 1.0 if check.kind == "bound" else 0.0, "extra": extra, "status": "pass"}
    if worst is not None and worst.worst is not None:
        fields["worst"] = _readable(worst.example())
    if violations and worst is not None:
        simplest = _shrunk(session, check, case, worst)
        message, reproduction = explain(session, check, case, simplest)
        fields |= {"status": "fail", "message": message, "reproduction": reproduction, "worst": _readable(simplest.example())}
        count = f"{violations} of {sum(j.judged.size for j in judgements)} judged results fail"
        failures.append(f"{message}\n{count}; {_replay(session, case)}\n\n{reproduction}")
    return _plain(check, case, environment, **fields)


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
        failures.append(f"{case.id}: {check.name}: {message}")
        return _plain(check, case, environment, status="fail", message=message, extra={"limitation": entry.id})
    message, reproduction = explain(session, check, case, found)
    return _plain(
        check, case, environment, status="known", metric="known failure", value=found.score, limit=1.0, worst=_readable(found.example()),
        message=f"{entry.reason}\n{message}", reproduction=reproduction, extra={"limitation": entry.id, "url": entry.url},
    )  # fmt: skip


def _grades(judgements: list[Judgement]) -> dict[str, float]:
    """The grades of all batches together."""
    found = [j.verdict.grades for j in judgements if j.verdict.grades]
    if not found:
        return {}
    total = sum(g["elements"] for g in found)
    weighted = {n: sum(g[n] * g["elements"] for g in found) / total for n in ("mean ulp", "correctly rounded")}
    summed = {n: sum(g[n] for g in found) for n in ("premature zeros", "flushed", "non-finite", "elements")}
    return {"max ulp": max(g["max ulp"] for g in found), **weighted, **summed}


def explain(session: Session, check: Check, case: Case, judgement: Judgement) -> tuple[str, str]:
    """The message and the script for a judgement's worst element."""
    place = judgement.worst
    assert place is not None
    verdict = judgement.verdict
    numbers = {
        "got": float(verdict.got[place]),
        "expected": float(verdict.expected[place]),
        "limit": float(verdict.limit[place]),
    }
    example = judgement.example()
    shown = ", ".join(f"{n} = {_short(v)}" for n, v in example.items() if n != "cotangent")
    got, expected = numbers["got"], numbers["expected"]
    message = (
        f"{case.id}: {check.name} does not hold for {verdict.output}: {check.statement}\n"
        f"  input     {shown}{f', {judgement.batch.form.name}' if judgement.batch.form.name != 'plain' else ''}\n"
        f"  got       {got!r} ({hexadecimal(got)})\n"
        f"  exact     {expected!r} ({hexadecimal(expected)})\n"
        f"  error     {abs(got - expected):.6g}, allowed {numbers['limit']:.6g}"
    )
    operation = operations()[case.operation]
    implementation = session.implementation(case)
    arrays, row = _block(session, case, judgement)
    failure = Failure(verdict.output, arrays, (row, *place[1:]), form=judgement.batch.form, **numbers)
    return message, script(operation, implementation, case, failure)


def _block(session: Session, case: Case, judgement: Judgement) -> tuple[dict[str, Any], int]:
    """The arrays of a block that shows the failure, and the failing row: the one example throughout if that does, else as it was."""
    batch, verdict, place = judgement.inputs, judgement.verdict, judgement.worst
    assert place is not None
    size = next(iter(batch.arrays.values())).shape[1]
    block, row = divmod(place[0], size)
    alone = {n: np.repeat(a[block : block + 1, row : row + 1], size, axis=1) for n, a in batch.arrays.items()}
    results = session.evaluate(case, Batch("alone", alone, batch.form), "value" if verdict.output == "value" else "gradient")
    if np.array_equal(results[verdict.output][0][(0, *place[1:])], verdict.got[place], equal_nan=True):
        return {n: a[0] for n, a in alone.items()}, 0
    return {n: a[block] for n, a in batch.arrays.items()}, row


def _short(value: Any) -> str:
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item()!r}"
    return "[" + ", ".join(f"{v!r}" for v in array.tolist()) + "]"


def _readable(example: dict[str, Any]) -> dict[str, Any]:
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
        for judgement in session.judge(check, case, inputs.as_batch(operation, [block]), known):
            if judgement.violated.any():
                best = judgement
                raise _Violation

    try:
        strategy, phases = inputs.blocks(operation, fmt, shape), (Phase.reuse, Phase.generate, Phase.shrink)
        inputs.run_hypothesis(strategy, body, session.seed, session.examples, phases, report_multiple_bugs=False)
    except (_Violation, HypothesisException):
        pass
    return best
