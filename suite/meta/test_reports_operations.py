"""The pages of operations: what one is, its errors along the inputs, its special values, and that no record breaks them."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from reports import errors, specials
from reports.html import build
from reports.merge import read
from reports.text import folded, formula
from reports.view import View
from suite.meta.sample_results import SCRIPT, SWEPT, Line, Write, end, facts, operation, record, run, sweep

ODD: tuple[Any, ...] = (None, True, -1, 1e300, "x", "nan", [], [[]], [1, 2, 3, 4, 5], {}, {"x": None}, [{}], [{"input": {}}])
PROFILE = [[255, 2, ["0x1.8p+0", "0x0p+0"], "0x1.000004p+0", "0x1p+0"], [767, 4, ["-0x1.8p+0", "0x1p+0"], "0x0p+0", "0x1p-149"]]
SAMPLED: Line = {
    "value": {"axis": "logits", "arguments": ["logits", "labels"], "histogram": [7, 5, 3, 1], "profile": PROFILE},
    "d logits": {"axis": "logits", "arguments": ["logits", "labels"], "histogram": [9, 0, 0, 0], "profile": []},
}
SPECIAL: list[Line] = [
    {"input": {"x": "inf"}, "output": "value", "got": "0x1p+0", "wanted": "0x1p+0", "verdict": "right"},
    {"input": {"x": ["0x0p+0", "-inf"]}, "output": "value", "got": "nan", "wanted": "-0x0p+0", "verdict": "known"},
]


def view(write: Write, *lines: Line) -> View:
    """Of a run with these records."""
    return View(read([write(run(), facts(), *lines, end())]))


def page(write: Write, tmp_path: Path, *lines: Line) -> str:
    """The page of sigmoid, with nothing that allows a break."""
    index = build([write(run(), facts(), *lines, end())], tmp_path / "out")
    return (index.parent / "operations" / "sigmoid.html").read_text(encoding="utf-8").replace("<wbr>", "")


def test_an_operation_is_defined(write: Write, tmp_path: Path) -> None:
    """Formula, arguments, range, options and every bound, all of it escaped; without the line the page says so."""
    text = page(write, tmp_path, operation(), record())
    assert '<p class="formula">σ(x) &lt;script&gt;' in text
    for shown in ("Argument <code>x</code>", "[0, 1]", "gamma = 2", "1/(1 + e<sup>−x</sup>).", "Error bound of the gradient", "s(1 − s)."):
        assert shown in text
    assert "Derivatives lie in" not in text
    assert "These results do not say what this operation is" in page(write, tmp_path, record())


def test_samples_are_drawn_by_their_axis(write: Write) -> None:
    """Input, result and the nearest number as bit patterns, the other argument behind them; those that err alike are one series."""
    lines = [record(extra={"sampled": SAMPLED}, implementation=name) for name in ("f", "g")]
    found = errors.series(view(write, *lines).cases)
    data = errors.figure_data(found)
    value, gradient = data["rows"]
    assert data["texts"][value["points"]] == "3fc00000,3f800002,3f800000,0 bfc00000,0,1,3f800000"
    assert [data["texts"][i] for i in value["arguments"]] == ["logits", "labels"]
    assert (value["histogram"], gradient["histogram"]) == ((7, 5, 3, 1), (9, 0, 0, 0))
    assert [data["texts"][i] for i in value["names"]] == ["f · jax · jit", "g · jax · jit"]
    assert data["texts"][gradient["output"]] == "gradient"


def test_sweeps_are_drawn_with_and_without_results(write: Write) -> None:
    """Older files have the distance alone; of a pair the second number stands behind; zeros that come too soon have their interval."""
    pair = {**SWEPT, "profile": [[512, 4, ["-0x0.0p+0", "0x1p+0"], "0x1p+0", "0x1.02p+0"]]}
    found = errors.series(view(write, sweep(), sweep("sweep value, x", dtype="bfloat16", extra=pair)).cases)
    data = errors.figure_data(found)
    one, old = data["rows"]
    assert data["texts"][one["points"]] == "8000,3f80,3f81,3f80"
    assert data["texts"][one["inputs"]] == "every input, x"
    assert data["texts"][old["points"]].startswith("3f800000,,1 ")
    assert old["zeros"] == [(float.fromhex("0x1.1542p+4"), float.fromhex("0x1.9fe3p+6"))]


def test_many_points_are_put_together(write: Write) -> None:
    """So that the figures of a page stay small; the worst of all is kept."""
    profile = [[b, 1 + b, (1.0 + b / 1024).hex()] for b in range(1024)]
    lines = [sweep(implementation=f"f{i}", dtype="float16", extra={**SWEPT, "profile": profile[i:]}) for i in range(60)]
    data = errors.figure_data(errors.series(view(write, *lines).cases))
    assert data["pieces"] < errors.PIECES
    assert len(json.dumps(data)) < 1.3 * errors.BUDGET
    assert all(",,1024" in data["texts"][row["points"]] for row in data["rows"])


def test_the_worst_inputs_are_listed_once(write: Write) -> None:
    """Largest first, three of each output and dtype, whoever errs so."""
    lines = [record(extra={"sampled": SAMPLED}, implementation="f"), record(extra={"sampled": SAMPLED}, implementation="g", value=0.5)]
    worst = errors.worst_cases(errors.series(view(write, *lines).cases))
    assert [entry.steps for _, entry in worst] == [4.0, 2.0]
    assert worst[0][0].shown(worst[0][1].at) == ["logits = -0x1.8p+0 (-1.5)", "labels = 0x1p+0 (1)"]


@pytest.mark.parametrize(
    ("histogram", "profile", "largest"), [([9, 0, 0, 0], [], 0.0), ([9, 0, 0, 5], [], None), ([7, 5, 3, 1], PROFILE, 4.0)]
)
def test_results_that_are_not_finite_are_no_error_of_none(write: Write, histogram: Any, profile: Any, largest: float | None) -> None:
    """They are counted, have no distance, and are not said to be exact."""
    sampled = {"value": {**SAMPLED["value"], "histogram": histogram, "profile": profile}}
    (one,) = errors.series(view(write, record(extra={"sampled": sampled})).cases)
    assert one.largest == largest


def test_many_special_values_are_cut_and_counted(write: Write) -> None:
    """A table is no longer than can be read."""
    many = [{**SPECIAL[0], "input": {"x": float(n).hex()}} for n in range(50)]
    (table,) = specials.tables(view(write, record(extra={"special": many})).cases)
    assert (len(table.rows), table.more) == (40, 10)


def test_special_values_are_a_table(write: Write, tmp_path: Path) -> None:
    """Cases that return the same are one column; what is as wanted in one dtype is so in all; right and wrong are words too."""
    lines = [record(extra={"special": SPECIAL}, dtype=d) for d in ("float32", "float64")]
    other = record(extra={"special": [{**SPECIAL[0], "verdict": "wrong", "got": "0x1.fp-1"}]}, implementation="g")
    (table,) = specials.tables(view(write, *lines, other).cases)
    assert table.columns == (("jax.nn.sigmoid · jax · jit · float32, float64",), ("g · jax · jit · float32",))
    assert [(row.inputs, row.wanted) for row in table.rows] == [("x = ∞", "1"), ("x = [0, −∞, …]", "−0")]
    assert [[cell and (cell.shown, cell.status) for cell in row.cells] for row in table.rows] == [
        [("1", "pass"), ("0.96875", "fail")],
        [("NaN", "known"), None],
    ]
    text = page(write, tmp_path, *lines, other)
    assert "known to be wrong</span>" in text
    assert "2 entries wrong" in text


@pytest.mark.parametrize("key", ["sampled", "special"])
def test_odd_fields_break_nothing(write: Write, tmp_path: Path, key: str) -> None:
    """Any field may be of another type, at any depth."""
    whole = {"sampled": SAMPLED["value"], "special": SPECIAL[0]}[key]
    odd = [{"value": {**whole, name: o}} if key == "sampled" else [{**whole, name: o}] for name in whole for o in ODD]
    lines = [record(extra={key: o}, implementation=f"f{i}") for i, o in enumerate([*ODD, *odd])]
    assert page(write, tmp_path, *lines).count("<tr data-s=") == len(lines)


def test_texts_are_escaped(write: Write, tmp_path: Path) -> None:
    """Arguments, outputs, results: markup shows as text."""
    sampled = {SCRIPT: {**SAMPLED["value"], "axis": SCRIPT, "arguments": [SCRIPT, "b"]}}
    special = [{"input": {SCRIPT: SCRIPT}, "output": SCRIPT, "got": SCRIPT, "wanted": SCRIPT, "verdict": SCRIPT}]
    text = page(write, tmp_path, operation(), record(extra={"sampled": sampled, "special": special}))
    assert SCRIPT not in text
    assert unescape(text).count(SCRIPT) > 8


def test_formulas_are_set() -> None:
    """What is raised and lowered, and no name that has an underscore."""
    assert formula("e^−|x| + 2^(a−b) − y_i log_softmax <x>^2") == (
        "e<sup>−|x|</sup> + 2<sup>a−b</sup> − y<sub>i</sub> log_softmax &lt;x&gt;<sup>2</sup>"
    )


def test_names_are_folded() -> None:
    """The last part first, whatever differs besides stays apart."""
    names = [("f", "jax", "eager"), ("f", "jax", "jit"), ("f", "numpy", "eager"), ("g", "jax", "jit")]
    assert folded(names) == ["f · jax · eager, jit", "f · numpy · eager", "g · jax · jit"]
    assert folded([]) == []


def test_many_findings_are_counted(write: Write, tmp_path: Path) -> None:
    """Failures are shown first, each in a line; the others are where all are."""
    known = [record("known", implementation=f"k{n}", extra={"limitation": f"l{n}", "reason": "r" * 9_000}) for n in range(3)]
    failed = [record("fail", check=f"c{n}", message="m" * 15_000, worst={"x": "w" * 9_000}, reproduction="code") for n in range(39)]
    text = page(write, tmp_path, *known, *failed)
    assert (text.count('<article class="finding fail"'), text.count('<article class="finding known"')) == (39, 1)
    assert '<a href="../findings.html#operation=sigmoid">2 more findings</a> of this operation are listed' in text
    assert len(text) < 39 * 2_000 + 20_000
    assert "more finding" not in page(write, tmp_path, *known)
