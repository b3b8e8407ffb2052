"""What is made of a sweep's tallies: records, verdicts with known failures taken out, measured errors of elementary functions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import elementary, verdicts
from suite.expected import DENSE, Expected, inputs
from suite.floats import FORMATS
from suite.model import Case, Limitation, Record
from suite.operations.bounds import ELEMENTARY
from suite.search import Search
from suite.shards import Grid, Output, answers
from suite.tally import Tally

HALF = FORMATS["float16"]
SIGMOID = Output(Case("sigmoid", "jax", "jax.nn.sigmoid", "jit", "float16"))
SLOPE = Output(SIGMOID.case, 0, 1)
AT_TWO = 0x4000
ENTRY = Limitation("known", "sigmoid", ("value_within_bound",), "because", region={"x": (2.0, 2.0)}, witness={"x": 2.0})


def swept(output: Output, entry: Limitation = ENTRY, **planted: int) -> Record:
    """The record of the correctly rounded results, with some patterns replaced: ``x4000=0x3c00`` gives 1 at 2."""
    grid, reference = Grid.of(HALF, 1), output.reference
    tally = Tally(HALF, reference.law())
    kept = []
    for start in range(0, grid.shard, grid.chunk):
        expected = reference.expected(start, grid.chunk)
        got = expected.patterns(HALF, start, grid.chunk).copy()
        for name, pattern in planted.items():
            got[inputs(HALF, start, grid.chunk) == int(name[1:], 16)] = pattern
        tally.add(start, got, expected)
        kept.append(got)
    result: dict[str, Any] = {**tally.result(), "evaluating": 1.0, "comparing": 0.5, "reference": 0.25}
    (answer,) = answers(({"outputs": [result]}, {"results 0": np.concatenate(kept)}))
    return verdicts.record(output, [answer], {}, "somewhere", (entry,))


@pytest.mark.parametrize("output", [SIGMOID, SLOPE])
def test_correctly_rounded_results_pass(output: Output) -> None:
    """With every count at nothing, and half a unit in the last place at most."""
    record = swept(output)
    assert (record.status, record.value, record.message) == ("pass", 0.0, "")
    assert record.extra["correctly rounded"] == 1.0
    assert record.extra["max ulp of normal results"] <= 0.5001
    assert record.extra["seconds"] == {"evaluating": 1.0, "comparing": 0.5, "reference": 0.25}
    assert not any(record.extra[name] for name in ("descents", "outside", "premature zeros", "non-finite", "NaN lost", "profile"))


def test_a_wrong_value_fails_with_its_input() -> None:
    """One result out of 65,536, far outside the bound."""
    record = swept(SIGMOID, x4200=0x3C00)
    assert record.status == "fail"
    assert "value_within_bound does not hold at 0x1.8000000000000p+1: got 1.0" in record.message
    assert record.worst == {"x": "0x1.8000000000000p+1"}
    assert record.extra["profile"] == [[264, 97, "0x1.8000000000000p+1", "0x1p+0", "0x1.e7cp-1"]]


def test_a_known_failure_is_known_in_its_region_alone() -> None:
    """At 2 it is, beside it not."""
    assert swept(SIGMOID, x4000=0x3C00).status == "known"
    assert swept(SIGMOID, x4000=0x3C00).extra["limitations"] == ["known"]
    assert swept(SIGMOID, x4000=0x3C00, x4001=0x3C00).status == "fail"


def test_a_premature_zero_fails_a_gradient() -> None:
    """And its place stands beside the one where the true gradient becomes 0."""
    record = swept(SLOPE, x4800=0)
    assert record.status == "fail"
    assert "no_premature_zero" in record.message
    assert record.extra["frontier"] == ["0x1.0000000000000p+3", None]
    assert [float.fromhex(x) for x in record.extra["true zero"]] == [17.34375, -17.34375]


def test_the_laws_of_values_are_judged() -> None:
    """Above the range by a unit; a limit at infinity; NaN that becomes a number, which may be known to."""
    assert "stays_in_range does not hold at" in swept(SIGMOID, x4C00=0x3C01).message
    assert "value_within_bound does not hold at inf: got 0.0" in swept(SIGMOID, x7C00=0).message
    assert "value_within_bound does not hold at -inf: got nan" in swept(SIGMOID, xFC00=0x7E00).message
    lost = swept(SIGMOID, x7E01=0, xFFFF=0)
    assert lost.status == "fail"
    assert "2 times NaN goes in and a number comes out, the first of them with the bit pattern 0x7e01" in lost.message
    entry = replace(ENTRY, id="no NaN", check=("nan_propagates",), region={})
    assert swept(SIGMOID, entry, x7E01=0).status == "known"
    assert swept(SIGMOID, entry, x7E01=0, x4200=0x3C00).status == "fail"


def test_results_that_are_no_numbers_are_judged_wherever_they_are() -> None:
    """In float32, one NaN behind a chunk's first, which is known, and one infinity between."""
    output = replace(SIGMOID, case=replace(SIGMOID.case, dtype="float32"))
    start, size = 0xC2400000, 1 << 12
    x = output.reference.numbers(np.arange(start, start + size))[0]
    right = output.reference.expected(start, size).patterns(FORMATS["float32"], start, size)
    entry = replace(ENTRY, region={"x": (float(x[99]), float(x[0]))})
    nan, infinity = 0x7FC00000, 0x7F800000
    for planted, status in (({5: nan}, "known"), ({5: nan, 900: nan}, "fail"), ({5: nan, 900: infinity}, "fail")):
        got = right.copy()
        got[list(planted)] = list(planted.values())
        tally = Tally(FORMATS["float32"], output.reference.law())
        tally.add(start, got, Expected(DENSE, dense=right))
        record = verdicts.record(output, [{**tally.result(), "evaluating": 1.0, "comparing": 0.5}], {}, "somewhere", (entry,))
        assert (record.status, record.extra["non-finite"]) == (status, len(planted))
        assert status == "known" or f"at {float(x[900]).hex()}: got {'nan' if planted[900] == nan else 'inf'}" in record.message


def test_a_pair_is_judged_beside_others_that_are_further_off() -> None:
    """log(e^a + e^b) may err by many units where it is near 0, by 60 nowhere else: each binade of b has a worst result of its own."""
    output = Output(Case("logaddexp", "jax", "jax.numpy.logaddexp", "jit", "bfloat16"), 1)
    fmt, start = FORMATS["bfloat16"], 0xBF320000  # a = -0.6953…, all b
    right = output.reference.expected(start, 1 << 16).patterns(fmt, 0, 1 << 16)
    near, far = 0xBF32, 0x4040  # b = a, where the sum is about 1, and 3
    for spoiled, status in (({near: 200}, "pass"), ({near: 200, far: 60}, "fail")):
        got = right.copy()
        got[list(spoiled)] += np.array(list(spoiled.values()), dtype=got.dtype)
        tally = Tally(fmt, output.reference.law())
        tally.add(start, got, Expected(DENSE, dense=right))
        record = verdicts.record(output, [{**tally.result(), "evaluating": 1.0, "comparing": 0.5}], {}, "somewhere", ())
        assert (record.status, record.value) == (status, 200.0), record.message


def test_a_part_says_that_it_is_one() -> None:
    """So that its digest stands beside none of all inputs."""
    output = replace(SIGMOID, case=replace(SIGMOID.case, dtype="float32"))
    answer = {**Tally(FORMATS["float32"], output.reference.law()).result(), "evaluating": 1.0}
    assert verdicts.record(output, [answer], {}, "somewhere", (), (0, 512)).check == "sweep value"
    record = verdicts.record(output, [answer], {}, "somewhere", (), (3, 5))
    assert record.check == "sweep value, shards 3 to 4 alone"


def test_an_error_is_the_record() -> None:
    """Of the framework, in its own words."""
    record = verdicts.record(SIGMOID, [{"error": "no such kernel"}], {}, "somewhere", ())
    assert (record.status, record.message) == ("error", "no such kernel")


def test_of_a_chunk_the_relatively_worst_is_judged_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Around σ = 1/4: above it a unit is twice as much of the bound as below, and four there are worse than five here."""
    monkeypatch.setattr(elementary, "measured", dict)
    output = replace(SIGMOID, case=replace(SIGMOID.case, dtype="float32"))
    start, size, quarter = 0xBF800000, 1 << 20, 0x3E800000
    expected = output.reference.expected(start, size)
    got = expected.patterns(FORMATS["float32"], start, size).copy()
    above, below = np.flatnonzero(got > quarter + 9)[-1], np.flatnonzero(got < quarter - 9)[0]
    got[[above, below]] += np.array([4, 5], dtype=np.uint32)
    tally = Tally(FORMATS["float32"], output.reference.law())
    tally.add(start, got, expected)
    record = verdicts.record(output, [{**tally.result(), "evaluating": 1.0, "comparing": 0.5}], {}, "somewhere", ())
    (x,) = output.reference.numbers(np.array([start + above]))
    assert (record.status, record.value, record.extra["bound of normal results"]) == ("fail", 5.0, 5.5)
    assert f"does not hold at {float(x[0]).hex()}" in record.message


def test_measured_errors_are_written_and_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounded up; functions that have not been swept keep the published limit, and so do other modes."""
    monkeypatch.setattr(elementary, "PATH", tmp_path / "elementary.json")
    exp = Record(Case("exp", "jax", "jax.numpy.exp", "jit", "float32"), "sweep value", "sweep", verdicts.METRIC, "pass",
                 extra={"bound of normal results": 0.812}, environment="e")  # fmt: skip
    assert elementary.write([exp], {"e": {"jax": "1"}}) == 1
    assert elementary.write([exp], {"e": {"jax": "1"}}) == 0
    elementary.measured.cache_clear()
    r = elementary.rounding(exp.case, {})
    assert r.relative("exp") == 0.82 * 2 * r.u
    assert r.relative("log") == ELEMENTARY["log"] * 2 * r.u
    assert r.in_ulps("exp", np.array([1.0])) == ELEMENTARY["exp"] * 2 * r.u
    assert elementary.rounding(SIGMOID.case, {}).measured == elementary.rounding(replace(exp.case, device="gpu"), {}).measured == {}
    elementary.measured.cache_clear()


def test_a_search_looks_into_every_binade_near_one() -> None:
    """Where a formula gives way to another: an error of up to 53.5 units over a tenth of a binade."""

    def faulty(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with np.errstate(all="ignore"):
            off = 100 * 2.0**-53 * np.where((x > -0.4142) & (x < -0.39), (x + 0.39) / 0.0242, 0.0)
            return np.asarray(np.log1p(x) * (1.0 + off))

    search = Search(Output(Case("log1p", "jax", "jax.numpy.log1p", "jit", "float64")), faulty)
    search.run(1)
    record = search.record(1, "somewhere")
    assert 53.0 < (record.value or 0.0) < 55.0
    assert float.fromhex(record.worst["x"]) < -0.41


def test_a_search_without_a_single_number_finds_no_error() -> None:
    """A function that is NaN everywhere is not one whose error is 0."""
    search = Search(Output(Case("sigmoid", "jax", "jax.nn.sigmoid", "jit", "float64")), lambda x: np.full(x.shape, np.nan))
    search.run(1)
    record = search.record(1, "somewhere")
    assert (record.value, record.worst) == (None, {})
    assert record.extra["non-finite"] > 10_000
    assert np.isfinite(float.fromhex(record.extra["firsts"]["non-finite"]))


def test_a_search_finds_where_the_error_peaks() -> None:
    """An error that grows to 1,000 units in the last place around 3, in float64, and nowhere else."""

    def faulty(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        with np.errstate(over="ignore"):
            right = 1.0 / (1.0 + np.exp(-x))
            return np.asarray(right * (1.0 + 1000 * 2.0**-52 / (1.0 + np.abs(x - 3.0) * 64.0)))

    search = Search(Output(Case("sigmoid", "jax", "jax.nn.sigmoid", "jit", "float64")), faulty)
    search.run(1)
    record = search.record(1, "somewhere")
    assert 900 < (record.value or 0.0) < 2100
    assert abs(float.fromhex(record.worst["x"]) - 3.0) < 0.1
    assert record.extra["evaluations"] == search.seen > 10_000
