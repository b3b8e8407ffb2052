"""One of two releases that are compared: a session that goes on where a process dies, and that judges as strictly as the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from suite import wire
from suite.batch import PLAIN, Batch
from suite.checks import Check
from suite.checks.base import Question, Verdict
from suite.model import Case, Implementation
from suite.operations import operations
from suite.processes import Absent, FrameworkError, Request, WorkerError
from suite.reproduction import REFUSED, Failure
from suite.session import Session
from suite.shards import Output

Way = tuple[Case, str, str]
"""A way to ask: the case, the question, the form of call."""


@dataclass(frozen=True)
class Refusal:
    """What came in place of an answer: the framework raised, or its process died, or hung and was stopped."""

    asked: Way
    text: str
    batch: Batch | None = None

    def failure(self, batch: Batch) -> Failure:
        """The call that gave no answer."""
        case, question, _ = self.asked
        output = question if question in ("value", "mapped") else f"d {operations()[case.operation].differentiable[0]}"
        arrays = {n: a[0] for n, a in batch.arrays.items()}
        return Failure(output, arrays, (0,), np.nan, np.nan, 0.0, batch.form, question, REFUSED)


@dataclass
class Release(Session):
    """A session on one of the two.

    ``dead`` has what a process died of, or hung at, which is not asked again: a form of call, and with the plain one all forms, and with
    its value all questions. Once it knows the ``other``, a release is judged as strictly as that. ``twins`` are declared
    implementations by what they go by in the other.
    """

    twins: Mapping[tuple[str, str, str], Implementation] = field(default_factory=dict)
    other: Release | None = None
    dead: dict[Way, str] = field(default_factory=dict)
    refusal: Refusal = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._declared |= self.twins

    def facts(self, case: Case) -> Mapping[str, str]:
        """The facts to judge by. If one of the two flushes no subnormal number, the other is not excused for it."""
        mine, flushes = super().facts(case), f"flushes {case.mode} {case.dtype}"
        kept = self.other is not None and super(Release, self.other).facts(case).get(flushes) == "nothing"
        return {**mine, flushes: "nothing"} if kept else mine

    def answer(self, case: Case, batch: Batch, question: Question) -> wire.Message:
        """As of any session; ``refusal`` keeps what came in place of the last answer that did not come."""
        asked = (case, question, batch.form.name)
        if self._is_dead(asked, batch):
            raise WorkerError(self.refusal.text)
        try:
            return super().answer(case, batch, question)
        except (WorkerError, Absent) as error:
            self.refusal = Refusal(asked, str(error), batch)
            if not isinstance(error, FrameworkError):
                self._bury(asked, str(error))
            raise

    def _is_dead(self, asked: Way, batch: Batch | None = None) -> bool:
        """Whether a process is known to die of it; ``refusal`` then says so."""
        case, question, _ = asked
        first = next((way for way in (asked, (case, question, PLAIN.name), (case, "value", PLAIN.name)) if way in self.dead), None)
        if first is not None:
            self.refusal = Refusal(first, self.dead[first], batch)
        return first is not None

    def _bury(self, asked: Way, text: str) -> None:
        """Notes what a process died of, and takes back what is still to be asked of the same."""
        case, question, form = asked
        self.dead[asked] = text
        all_of_it = (question, form) == ("value", PLAIN.name)
        self.processes.forget(lambda key: case in key[:2] and (all_of_it or key[-1] == question))

    def bits(self, case: Case, batch: Batch, question: Question) -> tuple[Any, ...]:
        """An answer, for comparison: dtypes and numbers, all NaN being one; or what kind of error came in its place."""
        try:
            header, arrays = self.answer(case, batch, question)
        except (WorkerError, Absent) as error:
            return (str(error).partition(":")[0],)
        return (*header["dtypes"], *((name, np.where(a != a, np.nan, a).tobytes()) for name, a in arrays.items()))

    def dtypes(self, case: Case, batch: Batch, question: Question) -> str:
        """The dtypes of an answer; none where there is none."""
        try:
            return ", ".join(self.answer(case, batch, question)[0]["dtypes"])
        except (WorkerError, Absent):
            return ""

    def verdicts(self, check: Check, case: Case, batch: Batch) -> list[Verdict] | Refusal:
        """What a check says, or what kept it from saying anything; overflow, NaN and division by zero are what it is about."""
        try:
            with np.errstate(all="ignore"):
                return check.run(self.subject(case), batch)
        except (WorkerError, Absent):
            return self.refusal
        except ArithmeticError as error:
            return Refusal((case, check.asks, batch.form.name), f"cannot be judged: {error}")

    def swept(self, output: Output) -> dict[str, Any] | Refusal:
        """A sweep's answer, or what came in its place."""
        asked = (output.case, "sweep", PLAIN.name)
        if self._is_dead(asked):
            return self.refusal
        try:
            answer = self.sweep(output)
        except (WorkerError, Absent) as error:
            if not isinstance(error, FrameworkError | Absent):
                self._bury(asked, str(error))
            return Refusal(asked, str(error))
        return Refusal((output.case, f"sweep {output.what}", PLAIN.name), answer["error"]) if "error" in answer else answer

    def batches_for(self, check: Check, case: Case) -> list[Batch]:
        """What the check judges the case on, the witnesses of all known failures of it among that."""
        return [*self.inputs_for(check, case), *self.witnesses(check, case)]

    def asks_also(self, check: Check, case: Case, batch: Batch) -> list[tuple[Case, Batch, Question]]:
        """What else the check foretells that it will ask for."""
        asked = [(self._asked(case, one), one) for one in self._also(check, case, batch)]
        return [(other, one.batch, one.question) for other, one in asked if other is not None]

    def _request(self, case: Case, batch: Batch, question: Question) -> tuple[Any, Request]:
        key, request = super()._request(case, batch, question)
        return key, replace(request, header={**request.header, "implementation": self.implementation(case).name})

    def _sweep_request(self, case: Case) -> tuple[list[Output], Any, Request]:
        outputs, key, request = super()._sweep_request(case)
        asked = [{**o, "implementation": self.implementation(case).name} for o in request.header["outputs"]]
        return outputs, key, replace(request, header={**request.header, "outputs": asked})


def told(case: Case, question: str, form: str) -> str:
    """What was asked, for a reader."""
    return f"{case.id}, {question}{'' if form == PLAIN.name else f', {form}'}"
