"""Two releases beside each other: what counts as worse, as better and as other bits; what checks foretell; what dies is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from suite.backends import backends
from suite.batch import Batch
from suite.cases import PROFILES, cases_of, swept_outputs
from suite.checks import Check, checks
from suite.checks.accuracy import grades
from suite.checks.base import Asked, Question, Subject, Verdict
from suite.differing import Pair, aligned, findings
from suite.floats import FORMATS, Floats
from suite.limitations import load
from suite.meta.subjects import batches
from suite.model import Case, Operation
from suite.operations import operations
from suite.operations.bounds import Rounding
from suite.oracle import Exact
from suite.processes import Processes
from suite.release import Release
from suite.session import LIMITATIONS
from suite.upgrade import Upgrade

FLOAT32 = FORMATS["float32"]
BATCH = Batch("boundary grid", {"x": np.arange(4.0)[None]})


def verdict(got: list[float], score: list[float], judged: list[bool] | None = None, graded: bool = True) -> Verdict:
    """A verdict of an accuracy check on results all of which should be 1, or of one that has no grades."""
    results, exact = np.array(got), np.ones(len(got))
    found = grades(FLOAT32, results, Exact(exact, np.zeros(len(got)))) if graded else {}
    return Verdict("value", np.array(score), np.array(judged or [True] * len(got)), results, exact, np.full(len(got), 1e-3), found)


def said(old: Verdict, new: Verdict) -> list[tuple[str, int, bool]]:
    """Direction, elements, and whether digits alone are concerned."""
    return [(f.direction, f.elements, bool(f.digits)) for f in findings(FLOAT32, [Pair(BATCH, old, new)])]


class TestFindings:
    """From two verdicts to what is said of them."""

    def test_the_same_bits_are_nothing(self) -> None:
        """NaN with NaN too."""
        one = verdict([1.0, 1.0, np.nan, 0.0], [0.0, 0.5, np.inf, np.inf])
        assert said(one, one) == []

    def test_a_new_violation_is_worse_and_one_that_is_gone_better(self) -> None:
        """Element by element: both can be true of one output; what fails in both is neither."""
        old = verdict([1.0, 2.0, 2.0, 1.0], [0.0, 9.0, 9.0, 0.0])
        new = verdict([2.0, 2.5, 1.0, 1.0], [9.0, 9.0, 0.0, 0.0])
        assert said(old, new) == [("worse", 1, False), ("better", 1, False)]

    def test_what_is_nearer_to_the_exact_result_is_not_worse(self) -> None:
        """A law breaks by a zero, where there was a number that was further off; and it is mended by such a number."""
        zero, other = verdict([0.0] * 4, [np.inf] * 4, graded=False), verdict([-9.0] * 4, [0.0] * 4, graded=False)
        assert said(other, zero) == said(zero, other) == [("changed", 4, False)]

    def test_what_is_not_judged_is_no_violation(self) -> None:
        """The bits are told of."""
        old, new = verdict([1.0] * 4, [0.0] * 4), verdict([2.0] + [1.0] * 3, [9.0] + [0.0] * 3, [False] + [True] * 3)
        assert said(old, new) == [("changed", 1, False)]

    def test_a_zero_of_the_other_sign_is_another_result(self) -> None:
        """As its bits say."""
        old, new = verdict([0.0] * 4, [0.0] * 4), verdict([-0.0] + [0.0] * 3, [0.0] * 4)
        assert said(old, new) == [("changed", 1, False)]

    @pytest.mark.parametrize(("old", "new", "direction"), [(0.2, 0.5, "worse"), (0.5, 0.2, "better"), (0.2, 0.35, ""), (0.5, 0.9, "")])
    def test_the_share_of_the_bound(self, old: float, new: float, direction: str) -> None:
        """By more than the factor and by more than the margin; else the bits are others, and no more."""
        before, after = ([1.0, 1.0, 1.0, 1.0 + s * 1e-3] for s in (old, new))
        found = said(verdict(before, [0.0, 0.0, 0.0, old]), verdict(after, [0.0, 0.0, 0.0, new]))
        assert found == ([(direction, 1, True)] if direction else [("changed", 1, False)])

    @pytest.mark.parametrize(("units", "results", "worse"), [(3.0, 64, True), (1.5, 64, False), (3.0, 32, False)])
    def test_the_average_error(self, units: float, results: int, worse: bool) -> None:
        """Three units where there was one, far below a wide bound, is a loss of digits; half as much again, or of a few results, is not."""
        u = 2.0**-23
        old, new = (verdict([1.0 + k * u] * results, [k * 1e-3] * results) for k in (1.0, units))
        assert said(old, new) == [("worse", results, True) if worse else ("changed", results, False)]

    def test_laws_know_no_digits(self) -> None:
        """Without grades there is right and wrong alone."""
        old, new = verdict([1.0] * 4, [0.0] * 4, graded=False), verdict([1.5] * 4, [0.9] * 4, graded=False)
        assert said(old, new) == [("changed", 4, False)]

    def test_a_refusal_stands_alone(self) -> None:
        """A check that says nothing of the old release, which refuses, and finds fault with the new one."""
        new = verdict([2.0] * 4, [9.0] * 4)
        (pair,) = aligned(BATCH, [], [new])
        assert [(f.direction, f.elements) for f in findings(FLOAT32, [pair])] == [("worse", 4)]

    def test_outputs_are_aligned_by_name(self) -> None:
        """Several verdicts on one output by their order."""
        one, two = verdict([1.0] * 4, [0.0] * 4), verdict([2.0] * 4, [9.0] * 4)
        slope = replace(one, output="d x")
        pairs = list(aligned(BATCH, [one, two, slope], [slope, one, one]))
        assert [(p.output, bool(p.worse.any()), bool(p.better.any())) for p in pairs] == [
            ("value", False, False), ("value", False, True), ("d x", False, False),
        ]  # fmt: skip


# What checks ask


def nothing(operation: Operation, asked: list[Any], name: str = "") -> Subject:
    """A subject whose results are all 0, and which notes what it is asked."""

    def evaluate(batch: Batch, question: Question) -> Mapping[str, Floats]:
        asked.append((name, batch.key, question))
        shape = batch.first.shape[:2] if operation.shape == "scalar" else batch.first.shape
        first = operation.differentiable[:1]
        names = {"gradient": operation.differentiable, "curvature": first, "tangent": first}.get(question, ())
        letter = {"gradient": "d", "curvature": "h", "tangent": "t"}.get(question, "")
        slopes = {f"{letter} {n}": np.zeros(batch.arrays[n].shape if question != "tangent" else shape) for n in names}
        return {"value": np.zeros(shape), **slopes}

    def first_mode() -> Subject:
        return nothing(operation, asked, "first mode")

    return Subject(
        operation, Rounding(FLOAT32), evaluate, peer=lambda other: nothing(operations()[other], asked, other), first_mode=first_mode
    )


def foretold(check: Check, operation: Operation, batch: Batch) -> set[Any]:
    """What a check says that it will ask for."""
    also = check.also(operation, FLOAT32, batch)
    asked = [Asked(batch, check.asks), *also]
    return {("first mode" if a.first_mode else a.operation, a.batch.key, a.question) for a in asked}


@pytest.mark.parametrize("check", checks().values(), ids=checks())
def test_checks_foretell_what_they_ask(check: Check) -> None:
    """By this it is known that two releases differ in nothing that a check sees, before it is run."""
    operation = next(o for o in operations().values() if check.fits(o, True, set(operations())))
    with np.errstate(all="ignore"):
        for batch in batches(check, operation.name, "float32", ())[:2]:
            asked: list[Any] = []
            check.run(nothing(operation, asked), batch)
            more = set(asked) - foretold(check, operation, batch)
            assert not more or check.sequential


# Two workers


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[Upgrade]:
    """NumPy twice, the new one doctored as the test says."""
    known = load(LIMITATIONS, checks(), operations())
    ways: tuple[dict[str, str], ...] = ({}, {"LOGITBENCH_DOCTORED": request.param})
    sides = [Processes(time_limit=10.0, variables=v, worker="suite.meta.doctored") for v in ways]
    quick = PROFILES["quick"]
    upgrade = Upgrade(*(Release(s, quick, 0, 2, known) for s in sides))
    yield upgrade
    for side in sides:
        side.close()


def numpy_case(operation: str, dtype: str = "float32") -> Case:
    """The first case of NumPy's."""
    return next(c for i in backends()["numpy"].implementations if i.operation == operation for c in cases_of(i) if c.dtype == dtype)


def directions(upgrade: Upgrade, check: str, case: Case) -> set[str]:
    """Of the changes that a check sees."""
    return {c.direction for c in upgrade.compare(checks()[check], case)}


@pytest.mark.parametrize("pair", ["nothing"], indirect=True)
def test_a_release_and_itself(pair: Upgrade) -> None:
    """No check sees anything."""
    assert [directions(pair, name, numpy_case("softmax")) for name in ("value_within_bound", "examples_permute", "special_values")] == [
        set()
    ] * 3


@pytest.mark.parametrize("pair", ["wrong"], indirect=True)
def test_a_wrong_number_is_worse(pair: Upgrade) -> None:
    """The change has the element, both results, and a script that NumPy alone, which is not doctored, passes."""
    (change,) = pair.compare(checks()["value_within_bound"], numpy_case("exp"))
    assert change.direction == "worse"
    assert change.new == np.inf > (change.old or 0.0) > FLOAT32.max / 2
    assert change.extra["new max ulp"] > 1e6 > change.extra["old max ulp"]
    assert "np.exp" in change.reproduction
    done = subprocess.run([sys.executable, "-c", change.reproduction], capture_output=True, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("pair", ["wrong"], indirect=True)
def test_every_input_of_a_format(pair: Upgrade) -> None:
    """A sweep sees it too."""
    outputs = list(swept_outputs(numpy_case("exp", "float16")))
    pair.announce([], outputs)
    found = [c for o in outputs for c in pair.compare_sweep(o)]
    assert [(c.direction, c.check, bool(c.reproduction)) for c in found] == [("worse", "sweep value", True)]
    assert found[0].compared == 65536 - 2 * 1023


@pytest.mark.parametrize(("pair", "text"), [("dies", "died with exit status 3"), ("raises", "ValueError: doctored")], indirect=["pair"])
def test_no_answer_is_worse_than_any(pair: Upgrade, text: str) -> None:
    """It is told of once for each question, and the other operations go on."""
    first, again = (pair.compare(checks()[name], numpy_case("exp")) for name in ("value_within_bound", "examples_permute"))
    assert {(c.direction, text in c.message) for c in first} == {("worse", True)}
    assert again == []
    assert directions(pair, "value_within_bound", numpy_case("log1p")) == set()
    assert bool(pair.dead) is ("died" in text)


@pytest.mark.parametrize("pair", ["missing"], indirect=True)
def test_what_is_gone_is_said_to_be(pair: Upgrade) -> None:
    """By the side that lacks it."""
    assert (pair.old.missing(numpy_case("exp")), pair.new.missing(numpy_case("exp"))) == ("", "doctored")


@pytest.mark.parametrize("pair", ["flushes"], indirect=True)
def test_flushing_is_not_excused_where_one_release_does_not(pair: Upgrade) -> None:
    """Both are judged by what the better one can do."""
    case = numpy_case("exp")
    assert [r.facts(case)["flushes eager float32"] for r in (pair.old, pair.new)] == ["nothing", "nothing"]
