"""One run: which cases, on which inputs, through which processes; judging a case; what is announced ahead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite import elementary, inputs, limitations, peers, shards
from suite.backends import backends
from suite.checks import Check, checks
from suite.checks.base import Subject, Verdict
from suite.floats import FORMATS, Floats
from suite.inputs import Batch
from suite.model import Case, Implementation, Limitation, Operation
from suite.operations import operations
from suite.processes import Absent, Processes, Request
from suite.shards import Output

LIMITATIONS = Path(__file__).resolve().parent.parent / "fixtures" / "limitations.toml"


@dataclass(frozen=True)
class Profile:
    """How deep a run goes: shapes ``(B, n)`` of rows, and the dtypes that masks, weights and other axes are checked at.

    The number of generated blocks is Hypothesis' own ``max_examples``. A ``thin`` profile takes the canonical implementations at
    float32 in every mode and at each other dtype in one mode, the other implementations at float32 in one mode, identities at
    float32 alone, and the values with masks, weights and axes in one mode; that mode goes round from operation to operation and from
    dtype to dtype.
    """

    rows: tuple[tuple[int, int], ...]
    form_dtypes: tuple[str, ...]
    max_examples: int
    thin: bool = False


PROFILES = {
    "quick": Profile(((32, 9),), ("float32",), 6, thin=True),
    "ci": Profile(((32, 9),), ("float32", "bfloat16"), 20),
    "nightly": Profile(((32, 9), (64, 1), (64, 4), (32, 7), (32, 8), (8, 64), (8, 120), (8, 1023)), tuple(FORMATS), 100),
}


@cache
def implementations() -> dict[tuple[str, str, str], Implementation]:
    """Every implementation by backend, operation and name."""
    return {(i.backend, i.operation, i.name): i for b in backends().values() for i in b.implementations}


def all_cases(device: str = "cpu") -> Iterator[Case]:
    """Every case that the tables name, operation by operation so that all backends have work from the start."""
    for operation in operations():
        for backend in backends().values():
            for found in backend.implementations:
                if found.operation == operation:
                    yield from cases_of(found, device)


def cases_of(found: Implementation, device: str = "cpu") -> Iterator[Case]:
    """An implementation in every mode, at every dtype."""
    backend = backends()[found.backend]
    for mode in backend.modes:
        for dtype in backend.dtypes:
            if dtype in found.dtypes:
                yield Case(found.operation, found.backend, found.name, mode, dtype, device)


def swept_outputs(case: Case) -> Iterator[Output]:
    """What is swept of a case in a run of the checks: every input of a format of 16 bits, value and derivatives."""
    if FORMATS[case.dtype].bits != 16:
        return
    deepest = 3 if backends()[case.backend].has_gradient else 1
    for place, piece in enumerate(operations()[case.operation].slices):
        if piece.arity == 1:
            yield from (Output(case, place, order) for order in range(min(deepest, len(piece.curves))))


def canonical(backend: str, operation: str) -> Implementation | None:
    """The first implementation in the backend's table: the API that most people use."""
    return next((i for i in backends()[backend].implementations if i.operation == operation), None)


def in_thin_profile(check: Check, case: Case) -> bool:
    """Whether a thin profile takes the check on the case."""
    if check.family == "equivalence" and case.dtype != "float32":
        return False
    first = canonical(case.backend, case.operation)
    is_canonical = first is not None and case.implementation == first.name
    if is_canonical and case.dtype == "float32":
        return True
    return (is_canonical or case.dtype == "float32") and _in_turn(case)


def in_thin_sweep(output: Output) -> bool:
    """Whether a thin profile takes a sweep: canonical implementations, each in one mode, without second derivatives."""
    first = canonical(output.case.backend, output.case.operation)
    return output.order < 2 and first is not None and first.name == output.case.implementation and _in_turn(output.case)


def _in_turn(case: Case) -> bool:
    """Whether the case's mode is the one that a thin profile takes for its operation and dtype."""
    modes = backends()[case.backend].modes
    turn = list(operations()).index(case.operation) + list(FORMATS).index(case.dtype)
    return case.mode == modes[turn % len(modes)]


def request_header(
    what: str, case: Case, arrays: list[str], positional: int, options: Mapping[str, Any], gradient: list[int], blocks: int
) -> dict[str, Any]:
    """What a worker is told beside the arrays: the first ``positional`` of them go by position, the others by keyword.

    ``gradient`` has the places of the arguments to differentiate by; where there are any, the arrays hold a cotangent too.
    """
    return {
        "do": what, "operation": case.operation, "implementation": case.implementation, "mode": case.mode, "dtype": case.dtype,
        "arrays": arrays, "positional": positional, "options": dict(options), "gradient": gradient, "blocks": blocks,
    }  # fmt: skip


def fitting(check: Check, case: Case) -> bool:
    """Whether the check says anything about the case."""
    backend = backends()[case.backend]
    available = {i.operation for i in backend.implementations if case.dtype in i.dtypes}
    return check.fits(operations()[case.operation], backend.has_gradient, available)


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
        self._declared = {(i.backend, i.operation, i.name): i for i in self.declared}
        self._batches: dict[tuple[str, str, tuple[int, int]], tuple[Batch, ...]] = {}
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
        elementwise = not any(a.rows for a in operation.arguments)
        key = (operation.name, dtype, (0, 0) if elementwise else rows)
        if key not in self._batches:
            fmt = FORMATS[dtype]
            generated = inputs.generate(operation, fmt, rows, self.examples, self.seed)
            self._batches[key] = (inputs.grid(operation, fmt, rows), generated)
        return self._batches[key]

    def inputs_for(self, check: Check, case: Case) -> list[Batch]:
        """The batches that a check judges a case on."""
        operation = operations()[case.operation]
        implementation = self.implementation(case)
        shapes = self.profile.rows if any(a.rows for a in operation.arguments) else self.profile.rows[:1]
        if operation.name == "masked_mean":
            shapes = tuple(s for s in shapes if s[1] > 1)
        found: list[Batch] = []
        for rows in shapes:
            grid, generated = self.batches(operation, case.dtype, rows)
            found += [grid] if check.grid_only else [grid, generated]
            with_forms = (
                check.forms
                and case.dtype in self.profile.form_dtypes
                and (not self.profile.thin or (_in_turn(case) and not check.needs_gradient))
            )
            if with_forms and rows == shapes[0]:
                found += [
                    inputs.with_form(grid, operation, FORMATS[case.dtype], form)
                    for form in inputs.FORMS[1:]
                    if set(form.needs) <= set(implementation.accepts) & set(operation.optional)
                ]
        return found

    # Asking the workers

    def _request(self, case: Case, batch: Batch, gradient: bool) -> tuple[Any, Request]:
        operation = operations()[case.operation]
        positional = [a.name for a in operation.arguments]
        options: dict[str, Any] = dict(operation.options)
        arrays = dict(batch.arrays)
        if batch.form.axis == 0:
            options["axis"] = 0
            arrays = {n: a.swapaxes(1, 2) if a.ndim == 3 else a for n, a in arrays.items()}
        cotangent = arrays.pop("cotangent", None)
        names = [*positional, *batch.form.extra]
        wrt = [positional.index(n) for n in operation.differentiable] if gradient else []
        if gradient:
            first = arrays[positional[0]]
            reduced = first.shape[:1] + first.shape[2 if batch.form.axis == 0 else 1 :][: first.ndim - 2]
            shape = reduced if operation.shape == "scalar" else first.shape
            arrays["cotangent"] = np.ones(shape) if cotangent is None else cotangent
        header = request_header("evaluate", case, names, len(positional), options, wrt, batch.blocks)
        return (case, batch.key, gradient), Request(header, arrays)

    def evaluate(self, case: Case, batch: Batch, gradient: bool) -> Mapping[str, Floats]:
        """What the implementation returns, in the batch's layout."""
        key, request = self._request(case, batch, gradient)
        _, arrays = self.processes.answer(key, self.processes.of(case), request)
        if batch.form.axis == 0:
            return {n: a.swapaxes(1, 2) if a.ndim == 3 else a for n, a in arrays.items()}
        return arrays

    def announce(self, work: Iterable[tuple[Check, Case]]) -> None:
        """Queues what the checks will ask, witnesses included, so that all processes compile and compute ahead."""
        for check, case in work:
            process = self.processes.of(case)
            always = limitations.everywhere(self.known_of(case))
            witnesses = [self._witness_batch(case, e) for e in limitations.matching(always, case, check.name, {})]
            for batch in (*self.inputs_for(check, case), *witnesses):
                for key, request in self._announcements(check, case, batch):
                    self.processes.announce(key, process, request)

    def _announcements(self, check: Check, case: Case, batch: Batch) -> Iterator[tuple[Any, Request]]:
        yield self._request(case, batch, check.needs_gradient)
        for name, other in check.also(operations()[case.operation], batch):
            first = canonical(case.backend, name)
            if name == case.operation and name != check.other_operation:
                yield self._request(case, other, False)
            elif first is not None and case.dtype in first.dtypes:
                yield self._request(replace(case, operation=name, implementation=first.name), other, False)

    def facts(self, case: Case) -> Mapping[str, str]:
        """What the case's process says of itself."""
        x64 = case.dtype == "float64" and backends()[case.backend].needs_x64
        facts: Mapping[str, str] = self.processes.describe(case.backend, x64)["facts"]
        return facts

    def missing(self, case: Case) -> str:
        """Why the installed release lacks the implementation; empty if it has it."""
        x64 = case.dtype == "float64" and backends()[case.backend].needs_x64
        reason: str = self.processes.describe(case.backend, x64)["missing"].get(f"{case.operation} {case.implementation}", "")
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
            lambda batch, gradient: self.evaluate(case, batch, gradient),
            backend.has_gradient,
            peer,
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
        for output in outputs:
            self._swept.setdefault(output.case, []).append(output)
        for case in self._swept:
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
        with np.errstate(all="ignore"):
            return check.run(self.subject(case), batch)

    def judge(self, check: Check, case: Case, batch: Batch, known: list[Limitation]) -> list[Judgement]:
        """The check's verdicts on one batch, known regions taken out."""
        found = []
        operation = operations()[case.operation]
        for verdict in self._run(check, case, batch):
            judged = verdict.judged.copy()
            for entry in known:
                judged &= ~limitations.covered(entry, operation, FORMATS[case.dtype], batch, verdict.score)
            found.append(Judgement(batch, verdict, judged))
        return found

    def _witness_batch(self, case: Case, entry: Limitation) -> Batch:
        operation = operations()[case.operation]
        return limitations.witness(entry, operation, case.dtype, inputs.block_shape(operation, self.profile.rows[0]))

    def witness(self, check: Check, case: Case, entry: Limitation) -> Judgement | None:
        """The check's verdict on an entry's witness if it fails there, else None: the entry has had its day."""
        batch = self._witness_batch(case, entry)
        for verdict in self._run(check, case, batch):
            if verdict.violated.any():
                return Judgement(batch, verdict, verdict.judged)
        return None


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
