"""One run: which cases, on which inputs, through which processes; judging a case; what is announced ahead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite import elementary, inputs, limitations, peers, shards, wire
from suite.backends import backends
from suite.batch import PLAIN, Batch, Form
from suite.cases import Profile, all_cases, canonical, fitting, forms_of, implementations, in_turn
from suite.checks import Check, checks
from suite.checks.base import Asked, Question, Subject, Verdict
from suite.floats import FORMATS, Floats
from suite.model import Case, Implementation, Limitation, Operation
from suite.operations import operations
from suite.processes import Absent, FrameworkError, Processes, Request, needs_x64
from suite.shards import Output

LIMITATIONS = Path(__file__).resolve().parent.parent / "fixtures" / "limitations.toml"


def request_header(
    what: str, case: Case, arrays: list[str], positional: int, options: Mapping[str, Any], wrt: list[int], blocks: int,
    question: Question = "value", form: Form = PLAIN,
) -> dict[str, Any]:  # fmt: skip
    """What a worker is told beside the arrays: the first ``positional`` of them go by position, the others by keyword.

    ``wrt`` has the places of the arguments to differentiate by; cotangents and directions are among the arrays where the question
    needs them.
    """
    return {
        "do": what, "operation": case.operation, "implementation": case.implementation, "mode": case.mode, "dtype": case.dtype,
        "arrays": arrays, "positional": positional, "options": dict(options), "question": question, "wrt": wrt, "blocks": blocks,
        "view": form.view, "dtypes": {"labels": form.labels} if form.labels else {},
    }  # fmt: skip


@dataclass(frozen=True)
class Judgement:
    """One verdict with what is left of it once the limitations' regions are taken out."""

    batch: Batch
    verdict: Verdict
    judged: NDArray[np.bool_]

    @property
    def violated(self) -> NDArray[np.bool_]:
        """Elements that fail without being known to."""
        return self.judged & self.verdict.violated

    @cached_property
    def worst(self) -> tuple[int, ...] | None:
        """Where the score is largest; among equals the first."""
        if not self.judged.any():
            return None
        score = np.where(self.judged, np.where(np.isnan(self.verdict.score), np.inf, self.verdict.score), -1.0)
        return tuple(int(i) for i in np.unravel_index(int(np.argmax(score)), score.shape))

    @property
    def score(self) -> float:
        """The largest score."""
        return 0.0 if self.worst is None else float(self.verdict.score[self.worst])

    def example(self) -> dict[str, Any]:
        """The worst example's inputs, one entry of each array."""
        assert self.worst is not None
        return {name: array[self.worst[0]] for name, array in self.inputs.flat().items()}

    @property
    def inputs(self) -> Batch:
        """What was judged."""
        return self.verdict.inputs or self.batch


@dataclass
class Session:
    """Everything that a run shares. ``declared`` are implementations beside those of the tables; ``command`` is what replays the run."""

    processes: Processes
    profile: Profile
    seed: int
    examples: int
    known: tuple[Limitation, ...] = field(default_factory=tuple)
    declared: tuple[Implementation, ...] = ()
    command: str = "pytest"

    def __post_init__(self) -> None:
        self._anywhere = limitations.everywhere(self.known)
        self._declared = {(i.backend, i.operation, i.name): i for i in self.declared}
        self._batches: dict[tuple[str, str, tuple[int, int]], tuple[Batch, ...]] = {}
        self._made: dict[tuple[str, str, str, str], list[Batch]] = {}
        self._asked_for: dict[tuple[str, str, str, str], list[Asked]] = {}
        self._swept: dict[Case, list[Output]] = {}

    def implementation(self, case: Case) -> Implementation:
        """What is under test."""
        key = (case.backend, case.operation, case.implementation)
        return self._declared.get(key) or implementations()[key]

    def known_of(self, case: Case) -> tuple[Limitation, ...]:
        """The known failures, which are those of the tables' implementations alone, whatever their patterns match."""
        return () if self.implementation(case).file else self.known

    def batches(self, operation: Operation, dtype: str, rows: tuple[int, int]) -> tuple[Batch, ...]:
        """The boundary grid and the generated blocks, the same for every implementation."""
        elementwise = not operation.has_rows
        key = (operation.name, dtype, (0, 0) if elementwise else rows)
        if key not in self._batches:
            fmt = FORMATS[dtype]
            generated = inputs.generate(operation, fmt, rows, self.examples, self.seed)
            self._batches[key] = (inputs.grid(operation, fmt, rows), generated)
        return self._batches[key]

    def inputs_for(self, check: Check, case: Case) -> list[Batch]:
        """The batches that a check judges a case on."""
        operation = operations()[case.operation]
        shapes = self.profile.rows if operation.has_rows else self.profile.rows[:1]
        if operation.name == "masked_mean":
            shapes = tuple(s for s in shapes if s[1] > 1)
        found: list[Batch] = []
        for rows in shapes:
            plain = self.batches(operation, case.dtype, rows)
            made = self._prepared(check, operation, case.dtype, plain) if check.prepare else list(plain)
            found += made[: check.compiles] if check.compiles and self.profile.thin else made
            if check.forms and rows == shapes[0]:
                found += self._forms(check, case, plain[0])
        return found

    def _prepared(self, check: Check, operation: Operation, dtype: str, plain: tuple[Batch, ...]) -> list[Batch]:
        """What the check makes of the batches; kept, since all implementations are judged on the same."""
        key = (check.name, operation.name, dtype, plain[0].key)
        if key not in self._made:
            assert check.prepare is not None
            with np.errstate(all="ignore"):
                self._made[key] = check.prepare(operation, FORMATS[dtype], plain)
        return self._made[key]

    def _forms(self, check: Check, case: Case, grid: Batch) -> list[Batch]:
        """The boundary grid in the other forms that the implementation takes."""
        in_one_mode = self.profile.breadth != "all"
        if (
            case.dtype not in self.profile.form_dtypes
            or (in_one_mode and not in_turn(case))
            or (self.profile.thin and check.needs_gradient)
        ):
            return []
        operation = operations()[case.operation]
        accepts = self.implementation(case).accepts
        return [inputs.with_form(grid, operation, FORMATS[case.dtype], form) for form in forms_of(operation, accepts)]

    # Asking the workers

    def _request(self, case: Case, batch: Batch, question: Question) -> tuple[Any, Request]:
        operation, form = operations()[case.operation], batch.form
        accepts = self.implementation(case).accepts
        positional = [a.name for a in operation.arguments]
        options: dict[str, Any] = {k: v for k, v in operation.options.items() if k in accepts} | dict(form.options)
        if form.moves_axis:
            options["axis"] = form.axis
        names = [*positional, *form.extra]
        wrt = [] if question in ("value", "mapped") else [positional.index(n) for n in operation.differentiable]
        wrt = wrt if question == "gradient" else wrt[:1]
        arrays = {n: a for n, a in batch.arrays.items() if n in names}
        if question in ("gradient", "curvature"):
            first = batch.first
            ones = np.ones(first.shape[:2] if operation.shape == "scalar" else first.shape)
            arrays["cotangent"] = batch.arrays.get("cotangent", ones)
        if question in ("curvature", "tangent"):
            arrays["direction"] = batch.arrays["direction"]
        arrays = {n: _handed_over(form, form.arrange(a)) if n in names else form.arrange(a) for n, a in arrays.items()}
        header = request_header("evaluate", case, names, len(positional), options, wrt, batch.blocks, question, form)
        return (case, batch.key, question), Request(header, arrays)

    def answer(self, case: Case, batch: Batch, question: Question) -> wire.Message:
        """The worker's answer: a header with the results' ``dtypes``, and the results in the layout of the batch's form."""
        key, request = self._request(case, batch, question)
        return self.processes.answer(key, self.processes.of(case), request)

    def evaluate(self, case: Case, batch: Batch, question: Question = "value") -> Mapping[str, Floats]:
        """What the implementation returns, in the batch's layout."""
        _, arrays = self.answer(case, batch, question)
        return {n: batch.form.restore(_given_back(batch.form, n, a), batch.first.shape[1:]) for n, a in arrays.items()}

    def announce(self, work: Iterable[tuple[Check, Case]]) -> None:
        """Queues what the checks will ask, witnesses included, so that all processes compile and compute ahead."""
        for check, case in work:
            process = self.processes.of(case)
            for batch in (*self.inputs_for(check, case), *self.witnesses(check, case)):
                self.processes.announce(*_keyed(process, self._request(case, batch, check.asks)))
                for asked in self._also(check, case, batch):
                    if (other := self._asked(case, asked)) is not None:
                        self.processes.announce(*_keyed(process, self._request(other, asked.batch, asked.question)))

    def _also(self, check: Check, case: Case, batch: Batch) -> list[Asked]:
        """What else the check will ask for; kept, since it is the same for all implementations."""
        key = (check.name, case.operation, case.dtype, batch.key)
        if key not in self._asked_for:
            with np.errstate(all="ignore"):
                self._asked_for[key] = check.also(operations()[case.operation], FORMATS[case.dtype], batch)
        return self._asked_for[key]

    def _asked(self, case: Case, asked: Asked) -> Case | None:
        """The case that is asked, if the backend has it."""
        if asked.first_mode:
            return replace(case, mode=backends()[case.backend].modes[0])
        if not asked.operation:
            return case
        first = canonical(case.backend, asked.operation)
        return (
            None if first is None or case.dtype not in first.dtypes else replace(case, operation=first.operation, implementation=first.name)
        )

    def facts(self, case: Case) -> Mapping[str, str]:
        """What the case's process says of itself."""
        facts: Mapping[str, str] = self.processes.describe(case.backend, needs_x64(case))["facts"]
        return facts

    def missing(self, case: Case) -> str:
        """Why the installed release lacks the implementation; empty if it has it."""
        reason: str = self.processes.describe(case.backend, needs_x64(case))["missing"].get(f"{case.operation} {case.implementation}", "")
        return reason

    def subject(self, case: Case) -> Subject:
        """The case as checks see it."""
        backend = backends()[case.backend]

        def peer(name: str) -> Subject | None:
            other = canonical(case.backend, name)
            if other is None or case.dtype not in other.dtypes:
                return None
            twin = replace(case, operation=name, implementation=other.name)
            if self.missing(twin):
                return None
            return peers.sound(self.subject(twin)) if self.implementation(case).file else self.subject(twin)

        return Subject(
            operations()[case.operation],
            elementary.rounding(case, self.facts(case)),
            lambda batch, question: self.evaluate(case, batch, question),
            backend.has_gradient,
            peer,
            first_mode=lambda: self.subject(replace(case, mode=backend.modes[0])),
        )

    def sweep(self, output: Output) -> dict[str, Any]:
        """The tally of an output over every input of its format."""
        outputs, key, request = self._sweep_request(output.case)
        found = shards.answers(self.processes.answer(key, self.processes.of(output.case), request))
        mine = found[outputs.index(output)]
        if "absent" in mine:
            raise Absent(mine["absent"])
        return mine

    def announce_sweeps(self, outputs: Iterable[Output]) -> None:
        """Queues what :meth:`sweep` will ask: all outputs of a case in one request."""
        asked = list(outputs)
        for output in asked:
            self._swept.setdefault(output.case, []).append(output)
        for case in dict.fromkeys(output.case for output in asked):
            _, key, request = self._sweep_request(case)
            self.processes.announce(key, self.processes.of(case), request)

    def _sweep_request(self, case: Case) -> tuple[list[Output], Any, Request]:
        outputs = self._swept[case]
        return outputs, ("sweep", case), shards.request(outputs, shards.Grid.of(FORMATS[case.dtype], 1), 0)

    # Judging

    def limitations(self, check: Check, case: Case) -> list[Limitation]:
        """The known failures of a case under a check."""
        return limitations.matching(self.known_of(case), case, check.name, self.facts(case))

    def _run(self, check: Check, case: Case, batch: Batch) -> list[Verdict]:
        """The check's verdicts; overflow, NaN and division by zero are what it is about, so NumPy does not warn of them."""
        subject = self.subject(case)
        with np.errstate(all="ignore"):
            try:
                return check.run(subject, batch)
            except FrameworkError as error:
                if batch.form == PLAIN:
                    raise
                return [_refused(subject.operation, batch, str(error))]

    def judge(self, check: Check, case: Case, batch: Batch, known: list[Limitation]) -> list[Judgement]:
        """The check's verdicts on one batch, known regions taken out."""
        found = []
        operation = operations()[case.operation]
        for verdict in self._run(check, case, batch):
            judged = verdict.judged.copy()
            for entry in known:
                judged &= ~limitations.covered(entry, operation, FORMATS[case.dtype], verdict.inputs or batch, verdict.score)
            found.append(Judgement(batch, verdict, judged))
        return found

    def _witness_batches(self, check: Check, case: Case, entry: Limitation) -> list[Batch]:
        """An entry's witness as the check judges it."""
        operation = operations()[case.operation]
        batch = limitations.witness(entry, operation, case.dtype, inputs.block_shape(operation, self.profile.rows[0]))
        return self._prepared(check, operation, case.dtype, (batch,)) if check.prepare else [batch]

    def witnesses(self, check: Check, case: Case) -> list[Batch]:
        """The witnesses of all entries that speak of a case under a check, on whatever release and CPU."""
        known = () if self.implementation(case).file else self._anywhere
        return [b for entry in limitations.matching(known, case, check.name, {}) for b in self._witness_batches(check, case, entry)]

    def witness(self, check: Check, case: Case, entry: Limitation) -> Judgement | None:
        """The check's verdict on an entry's witness if it fails there as the entry says, else None: the entry has had its day."""
        operation, fmt = operations()[case.operation], FORMATS[case.dtype]
        for batch in self._witness_batches(check, case, entry):
            for verdict in self._run(check, case, batch):
                inside = limitations.covered(entry, operation, fmt, verdict.inputs or batch, verdict.score)
                if (verdict.violated & inside).any():
                    return Judgement(batch, verdict, verdict.judged & inside)
        return None


def _refused(operation: Operation, batch: Batch, error: str) -> Verdict:
    """What is to be said of a way to call a function that it takes, by its signature, and at which it raises: NaN for every value."""
    shape = batch.flat()[operation.arguments[0].name].shape
    shape = shape[:1] if operation.shape == "scalar" else shape
    nothing = np.full(shape, np.nan)
    return Verdict("value", np.full(shape, np.inf), np.ones(shape, dtype=bool), nothing, nothing, np.zeros(shape), note=f"raises {error}")


def _handed_over(form: Form, array: NDArray[Any]) -> NDArray[Any]:
    """An array as the function's view of it begins: with gaps after every entry, or transposed."""
    if form.view == "strided":
        return np.repeat(array, 2, axis=-1)
    return array.swapaxes(-1, -2) if form.view == "transposed" and array.ndim > 2 else array


def _given_back(form: Form, name: str, array: NDArray[Any]) -> NDArray[Any]:
    """The inverse, for derivatives with respect to what was handed over: what lies in the gaps is dropped."""
    if not name.startswith(("d ", "h ")) or form.view not in ("strided", "transposed"):
        return array
    return array[..., ::2] if form.view == "strided" else array.swapaxes(-1, -2)


def _keyed(process: Any, asked: tuple[Any, Request]) -> tuple[Any, Any, Request]:
    return asked[0], process, asked[1]


def load_limitations(path: Path = LIMITATIONS) -> tuple[Limitation, ...]:
    """The known failures; an entry that speaks of no case of any backend is an error."""
    known = limitations.load(path, checks(), operations())
    cases = list(all_cases())
    for entry, anywhere in zip(known, limitations.everywhere(known), strict=True):
        pairs = ((case, check) for case in cases if case.operation == entry.operation for check in checks().values())
        if not any(fitting(check, case) and limitations.matching([anywhere], case, check.name, {}) for case, check in pairs):
            hint = "look at its operation, implementation, mode and dtype"
            raise limitations.LimitationsError(f"{path}: {entry.id}: matches no case; {hint}")
    return known
