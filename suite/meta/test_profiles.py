"""What records keep of their results: the error along a format, and results at special inputs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from suite.batch import FORMS, Batch
from suite.checks import checks
from suite.checks.base import Verdict
from suite.checks.laws import corner_batch, plant_nan
from suite.floats import FORMATS, Floats, from_ordinal
from suite.inputs import grid
from suite.operations import operations
from suite.profiles import BUCKETS, SAMPLED, Judged, literal, sampled, special

SIGMOID = operations()["sigmoid"]


def judged(batch: Batch, got: Floats, wanted: Floats, score: Floats | None = None, counted: bool = True) -> Judged:
    """A verdict on a value."""
    score = np.zeros(got.shape) if score is None else score
    whole = np.ones(got.shape, dtype=bool)
    return batch, Verdict("value", score, whole, got, wanted, np.zeros(got.shape), nearest=wanted), whole & counted


def of_numbers(dtype: str, x: Any, got: Any, nearest: Any) -> dict[str, Any]:
    """The profile of a function of one number."""
    batch = Batch("boundary grid", {"x": np.asarray(x, dtype=np.float64)[None]})
    found: dict[str, Any] = sampled(SIGMOID, FORMATS[dtype], [judged(batch, np.asarray(got), np.asarray(nearest))])["value"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def test_each_piece_keeps_its_worst() -> None:
    """1.5 and 1.75 share one of 1,024 pieces of float32; an input that stands there twice counts once, one that is right has no entry."""
    made = of_numbers(
        "float32", [1.5, 1.75, 1.75, -2.0, 4.0], [1.0, 1.0 + 2.0**-22, 1.0 + 2.0**-22, 0.5, 1.0], [1.0 + 2.0**-23, 1.0, 1.0, 0.5, np.inf]
    )
    assert made["histogram"] == [1, 1, 1, 0]
    assert made["profile"] == [[255, 2, ["0x1.cp+0"], "0x1.000004p+0", "0x1p+0"]]
    assert (made["axis"], made["arguments"]) == ("x", ["x"])


def test_what_is_not_finite_counts_as_far_off() -> None:
    """It has no distance, and so no entry."""
    made = of_numbers("float16", [1.0, 2.0, np.inf], [np.nan, np.inf, 1.0], [1.0, 1.0, 1.0])
    assert (made["histogram"], made["profile"]) == ([0, 0, 0, 2], [])


def test_a_profile_stays_small() -> None:
    """However many inputs there are; the worst of all is kept, in float64 at any distance."""
    x = from_ordinal(FORMATS["float64"], np.arange(1, 4000) << 51)
    got = np.where(np.arange(len(x)) == 1234, 0.0, np.nextafter(1.0, 2.0))
    made = of_numbers("float64", x, got, np.ones(len(x)))
    assert BUCKETS // 16 < len(made["profile"]) <= SAMPLED
    steps = [entry[1] for entry in made["profile"]]
    assert max(steps) == float(0x3FF << 52)
    assert literal(x[1234]) in [entry[2][0] for entry in made["profile"]]


def test_opposite_signs_are_the_furthest_apart() -> None:
    """In float64 by more steps than int64 counts: from −2 to 2, and over the whole format."""
    top = float(np.finfo(np.float64).max)
    made = of_numbers("float64", [1.5, 2.5, 3.5, 1e300], [-2.0, 2.0, -1.0, -top], [2.0, 2.0, 1.0, top])
    assert made["histogram"] == [1, 0, 0, 3]
    assert [entry[1] for entry in made["profile"]] == [float(0x400 << 53), float(0x3FF << 53), 2.0 * ((0x7FF << 52) - 1)]


def test_zeros_that_come_too_soon_have_a_frontier() -> None:
    """On each side the nearest to 0, and where 0 is right; nothing where none comes too soon."""
    made = of_numbers("float32", [-100.0, -90.0, -80.0, 3.0, 110.0], [0.0, 0.0, 1.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0, 0.0])
    assert made["frontier"] == ["0x1.8p+1", "-0x1.68p+6"]
    assert made["true zero"] == ["0x1.b8p+6", "-0x1.9p+6"]
    assert "frontier" not in of_numbers("float32", [-100.0], [0.0], [0.0])


def test_other_forms_and_rows_have_no_profile() -> None:
    """Only plain calls of functions of single numbers lie on one axis."""
    strided = next(f for f in FORMS if f.name == "strided")
    one = np.ones(1)
    assert sampled(SIGMOID, FORMATS["float32"], [judged(Batch("a", {"x": one[None]}, strided), one, one)]) == {}
    assert sampled(operations()["softmax"], FORMATS["float32"], [judged(Batch("a", {"x": one[None, None]}), one[None], one[None])]) == {}


@pytest.mark.parametrize(("score", "counted", "said"), [(0.0, True, "right"), (2.0, True, "wrong"), (2.0, False, "known")])
def test_zeros_and_infinities_are_kept_with_their_verdict(score: float, counted: bool, said: str) -> None:
    """Of the boundary grid these alone, each once."""
    batch = grid(SIGMOID, FORMATS["float16"], (32, 8))
    got = np.zeros(batch.first.size)
    found = judged(batch, got, got, np.full(got.shape, score), counted)
    kept = special(SIGMOID, checks()["value_within_bound"], [found, found])
    assert [entry["input"]["x"] for entry in kept] == ["0x0p+0", "-0x0p+0", "-inf", "inf"]
    assert {entry["verdict"] for entry in kept} == {said}
    assert (kept[0]["got"], kept[0]["wanted"], kept[0]["output"]) == ("0x0p+0", "0x0p+0", "value")


def test_corners_are_rows_that_go_on_with_their_last_entry() -> None:
    """As they stand in the operation."""
    operation, fmt = operations()["softmax"], FORMATS["float32"]
    batch = corner_batch(operation, fmt, (grid(operation, fmt, (32, 16)),))[0]
    rows = np.tile(np.arange(16.0), (32, 1))
    kept = special(operation, checks()["special_values"], [judged(batch, rows, rows)])
    assert [entry["input"] for entry in kept] == [{"x": ["0x0p+0", "-inf"]}, {"x": ["-inf", "-inf", "0x0p+0", "-inf"]}]
    assert kept[0]["got"] == [*(literal(float(n)) for n in range(8)), "…"]


@pytest.mark.parametrize("name", ["binary_cross_entropy_with_logits", "softmax_cross_entropy_with_logits", "tanh"])
def test_one_example_with_nan_is_the_same_in_every_dtype(name: str) -> None:
    """So that a table has one row for it."""
    check, operation, kept = checks()["nan_propagates"], operations()[name], []
    for fmt in FORMATS.values():
        batch = grid(operation, fmt, (32, 8))
        poisoned, planted = plant_nan(batch, operation)
        (place,) = check.special(operation, batch)
        assert planted[place]
        kept.append({n: a[place].tolist() for n, a in poisoned.flat().items()})
    assert len({repr(inputs) for inputs in kept}) == 1
