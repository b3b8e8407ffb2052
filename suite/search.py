"""A directed search for the worst input of a float64 function, whose inputs are too many to be swept.

Every binade near 1 is looked at; Hypothesis draws where to look further and is told how bad it was (``hypothesis.target``); from the worst
inputs found, each of another binade, neighbouring bit patterns are searched at ever smaller steps. What comes out is a lower bound on the
largest error, never a proof.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import Phase, target
from hypothesis import strategies as st
from numpy.typing import NDArray

from suite import inputs, oracle
from suite.floats import FORMATS, Floats, from_ordinal, hexadecimal, to_ordinal, ulp
from suite.model import Record
from suite.processes import Processes, Request, WorkerError
from suite.session import request_header
from suite.shards import Output

BLOCK = 512
"""Inputs evaluated at a time."""

EXPONENTS = range(-64, 12)
"""Of the binades that are looked at one by one, on both sides of zero: beyond, the functions are constant, linear or out of range."""

EXAMPLES = 60
"""Places that Hypothesis looks at."""

KEPT = 6
"""Inputs from which the neighbourhood is searched: the worst of so many binades."""

STEPS = tuple(1 << k for k in range(44, -1, -4))
"""Distances between the neighbours tried, in ordinals."""

FMT = FORMATS["float64"]
METRIC = "max error found (ulp)"

Evaluate = Callable[[Floats], Floats]
"""Inputs ``(BLOCK,)`` → results ``(BLOCK,)``."""


@dataclass
class Search:
    """The state of a search over one function of one number."""

    output: Output
    evaluate: Evaluate
    seen: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("premature zeros", "flushed out", "non-finite"), 0))
    firsts: dict[str, str] = field(default_factory=dict)
    """Of each, the first that was come upon."""
    best: dict[int, tuple[float, int]] = field(default_factory=dict)
    """The largest error that has been found in each binade, and its input's ordinal."""

    def look(self, ordinals: NDArray[np.int64]) -> float:
        """Evaluates a block of inputs and returns its largest error, in units in the last place of the exact result."""
        limit = FMT.infinity_ordinal - 1
        ordinals = np.clip(ordinals, -limit, limit)
        x = from_ordinal(FMT, ordinals)
        errors = self._errors(x, self.evaluate(x))
        self.seen += len(x)
        top = int(np.argmax(errors))
        entry = (float(errors[top]), int(ordinals[top]))
        binade = entry[1] >> (FMT.precision - 1)
        self.best[binade] = max(entry, self.best.get(binade, entry))
        return entry[0]

    def _errors(self, x: Floats, got: Floats) -> Floats:
        """In units in the last place; −1 where there is nothing to judge, and where the result is 0 or no number: those are counted."""
        piece, curve = self.output.slice, self.output.slice.curves[self.output.order]
        judged = (x >= piece.domain[0]) & (x <= piece.domain[1]) & ~np.isin(x, piece.kinks)
        with np.errstate(all="ignore"):
            judged &= np.isfinite(np.asarray(curve.compute(x)))
            x, got = x[judged], got[judged]
            exact = oracle.curve(curve, (x,))
            size = np.abs(exact.high)
            zero, lost = (got == 0) & (size > 0), ~np.isfinite(got) & (size <= FMT.max)
            kinds = {"premature zeros": zero & (size >= FMT.tiny), "flushed out": zero & (size < FMT.tiny), "non-finite": lost}
            for what, here in kinds.items():
                self.counts[what] += int(np.count_nonzero(here))
                if here.any():
                    self.firsts.setdefault(what, hexadecimal(float(x[here][0])))
            errors = np.full(judged.shape, -1.0)
            errors[judged] = np.where(zero | ~np.isfinite(got), -1.0, np.abs((got - exact.high) - exact.low) / ulp(FMT, exact.high))
        return errors

    def run(self, seed: int) -> None:
        """First in every binade near 1, then wherever Hypothesis looks, then around the worst inputs."""
        grid = to_ordinal(FMT, inputs.elementwise_grid(self.output.operation, FMT))
        for at in range(0, len(grid), BLOCK):
            self.look(np.resize(grid[at : at + BLOCK], BLOCK))
        rng, size = np.random.default_rng(seed), 1 << (FMT.precision - 1)
        for exponent in EXPONENTS:
            low = (exponent + FMT.emax) * size
            for sign in (1, -1):
                self.look(sign * (low + rng.integers(0, size, BLOCK)))
        around = np.arange(BLOCK) - BLOCK // 2

        def body(place: tuple[int, int]) -> None:
            center, step = place
            target(float(np.log2(1.0 + max(0.0, self.look(center + (around << step))))))

        limit = FMT.infinity_ordinal - 1
        places = st.tuples(st.integers(-limit, limit), st.integers(0, 48))
        phases = (Phase.generate, Phase.target)
        inputs.run_hypothesis(places, body, seed, EXAMPLES, phases, database=None)
        for step in STEPS:
            for _, center in sorted(self.best.values(), reverse=True)[:KEPT]:
                self.look(center + around * step)

    def record(self, seed: int, environment: str) -> Record:
        """What has been found; no error at all where no result was a number other than zero."""
        worst, at = max(self.best.values())
        extra = {"slice": self.output.slice.label, "order": self.output.order, "evaluations": self.seen, "seed": seed}
        found = worst >= 0.0
        return Record(
            self.output.case, f"search {self.output.what}", "search", METRIC, "grade", worst if found else None,
            worst={"x": hexadecimal(float(from_ordinal(FMT, at)))} if found else {}, environment=environment,
            extra={**extra, **self.counts, "firsts": self.firsts},
            message="a lower bound on the largest error, found by a directed search",
        )  # fmt: skip


def evaluator(processes: Processes, output: Output) -> Evaluate:
    """Evaluates blocks in the framework's process."""
    case, operation = output.case, output.operation
    names = [a.name for a in operation.arguments]
    wrt = [output.slice.moving[0]] if output.order else []

    def evaluate(x: Floats) -> Floats:
        arrays = {n: a[None] for n, a in output.arrays([x]).items()}
        if wrt and operation.shape != "row":
            arrays["cotangent"] = np.ones((1, len(x)))
        header = request_header("evaluate", case, names, len(names), operation.options, wrt, 1, "gradient" if wrt else "value")
        answer: Mapping[str, NDArray[Any]] = processes.of(case).submit(Request(header, arrays)).result()[1]
        result = answer[f"d {names[wrt[0]]}" if wrt else "value"][0]
        return np.asarray(result[:, 0] if result.ndim > 1 else result)

    return evaluate


def search(processes: Processes, output: Output, seed: int, environment: str) -> Record:
    """The worst input that a search from ``seed`` finds; an error of the framework's becomes the record's."""
    found = Search(output, evaluator(processes, output))
    try:
        found.run(seed)
    except WorkerError as error:
        return failed(output, str(error), environment)
    return found.record(seed, environment)


def failed(output: Output, message: str, environment: str = "") -> Record:
    """What is on record where nothing could be searched."""
    return Record(output.case, f"search {output.what}", "search", METRIC, "error", message=message, environment=environment)
