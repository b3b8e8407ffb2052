"""The format of result files: the schema says what is written and what is read, and the earliest files are still read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reports import read as reading
from reports.html import build
from reports.merge import Results, read
from reports.summary import summary
from suite.meta import sample_results
from suite.meta.sample_results import Line, Write
from suite.meta.test_options import suite, written
from suite.model import RESULT_FORMAT, Held

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA: dict[str, Any] = json.loads((ROOT / "reports" / "results.schema.json").read_text(encoding="utf-8"))
KINDS: dict[str, Any] = SCHEMA["$defs"]["kinds"]
EARLIEST = ROOT / "fixtures" / "earliest_results.jsonl"
"""A run of numpy's sigmoid by the first commit of this suite, trimmed of nothing but a path and the system's release."""

VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def wrong(lines: Iterable[Line]) -> list[str]:
    """What the schema has to say against lines."""
    return [
        f"{line['kind']}: {'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for line in lines for e in VALIDATOR.iter_errors(line)
    ]


def undescribed(line: Line) -> Iterator[str]:
    """Keys of a line, and of a record's ``extra``, that the schema does not describe."""
    described = KINDS[line["kind"]]["properties"]
    yield from (f"{line['kind']}: {key}" for key in line.keys() - described.keys())
    if line["kind"] == "record":
        yield from (f"extra: {key}" for key in line["extra"].keys() - described["extra"]["properties"].keys())


def samples() -> list[Line]:
    """Every line that readers are tested with, as it stands in a file."""
    files = [sample_results.sample(), sample_results.comparison(), *sample_results.everything(), *sample_results.earlier()]
    more = [{"kind": "note", "text": "Something."}, {"kind": "held", **asdict(Held("jax", "jax-cpu", "", "none"))}]
    return [json.loads(json.dumps(line)) for file in [*files, more] for line in file]


def lines_of(path: Path) -> list[Line]:
    """A result file's."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_schema_is_one() -> None:
    """Of draft 2020-12, about the format that is written."""
    VALIDATOR.check_schema(SCHEMA)
    assert SCHEMA["title"].endswith(f"format {RESULT_FORMAT}")
    assert set(KINDS) == {branch["if"]["properties"]["kind"]["const"] for branch in SCHEMA["allOf"]}


def test_it_has_the_kinds_that_readers_know() -> None:
    """Neither more nor less."""
    assert set(KINDS) == {"run", "record", *reading._KINDS}  # noqa: SLF001 - the readers' own table


def test_every_sample_is_described() -> None:
    """All kinds are among them, and every key has its place."""
    assert {line["kind"] for line in samples()} == set(KINDS)
    assert wrong(samples()) == []
    assert [key for line in samples() for key in undescribed(line)] == []


def test_what_a_run_writes_is_described(tmp_path: Path) -> None:
    """Checks, sweeps and times of a real one."""
    few = ("--backend", "numpy", "--operation", "exp,sigmoid", "--dtype", "float16,float32", "--benchmark-max-time=0.01")
    done = suite(*few, f"--report={tmp_path}")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = written(tmp_path)
    assert {"run", "environment", "check", "kills", "record", "end"} <= {line["kind"] for line in lines}
    assert {line["family"] for line in lines if line["kind"] == "record"} >= {"stability", "equivalence", "sweep", "benchmark"}
    assert wrong(lines) == []
    assert [key for line in lines for key in undescribed(line)] == []


@pytest.mark.parametrize(
    "line",
    [
        {**sample_results.record(), "status": "passed"},
        {**sample_results.record(), "value": "Infinity"},
        {**sample_results.record(), "worst": {"x": "0.5"}},
        {**sample_results.record(), "extra": {"histogram": [1, 2, 3]}},
        {key: value for key, value in sample_results.record().items() if key != "metric"},
        {**sample_results.run(), "format": "1"},
        {**sample_results.end(), "finished": -1},
        {**sample_results.change(), "direction": "other"},
    ],
)
def test_what_is_wrong_is_told(line: Line) -> None:
    """The schema is no mere list of names."""
    assert wrong([json.loads(json.dumps(line))]) != []


def test_a_later_version_may_add_keys_and_kinds(write: Write) -> None:
    """They are passed over, kinds with a word; what is known is read as ever. The schema allows both."""
    known = [
        sample_results.record(),
        sample_results.change(),
        sample_results.ratio(),
        sample_results.facts(),
        sample_results.side("old", "1"),
    ]
    more = [{**line, "colour": "red", **({"case": {**line["case"], "colour": "red"}} if "case" in line else {})} for line in known]
    begin, end = sample_results.run(), sample_results.end()
    plain, extended = (read([write(begin, *lines, end, name=name)]) for name, lines in (("a.jsonl", known), ("b.jsonl", more)))
    assert extended.records == plain.records
    assert extended.comparisons[0].changes == plain.comparisons[0].changes
    assert extended.comparisons[0].ratios == plain.comparisons[0].ratios
    assert wrong([*more, {"kind": "colour"}]) == []
    assert read([write(begin, {"kind": "colour"}, end)]).runs[0].unknown == "1 of kind 'colour'"


@pytest.fixture(scope="module")
def earliest() -> Results:
    """The earliest file, as today's readers have it."""
    return read([EARLIEST])


def test_the_earliest_file_is_still_read(earliest: Results) -> None:
    """Every record counts, with its environment, and the run is complete."""
    records = [line for line in lines_of(EARLIEST) if line["kind"] == "record"]
    assert [(r.case.id, r.check, r.value) for r in earliest.records] == [
        (f"sigmoid-scipy.special.expit-eager-{r['case']['dtype']}", r["check"], r["value"]) for r in records
    ]
    assert {e.label: e.facts["numpy"] for e in earliest.environments if e.backend == "numpy"} == {"numpy-cpu": "2.4.6"}
    assert (earliest.incomplete, earliest.failures) == ((), 0)
    assert wrong(lines_of(EARLIEST)) == []


def test_and_reported(earliest: Results, tmp_path: Path) -> None:
    """Its numbers stand in the summary and on the pages."""
    page = build([EARLIEST], tmp_path / "html")
    assert "scipy.special.expit" in "".join(p.read_text(encoding="utf-8") for p in page.parent.rglob("*.html"))
    told = summary([EARLIEST])
    passed, timed = (sum(r.status == status for r in earliest.records) for status in ("pass", "grade"))
    assert f"Of {passed} checks on 1 case, {passed} passed and none failed; {timed} timings." in told
