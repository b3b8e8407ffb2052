"""Results of any number are read in bounded memory, and everything is still counted."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from reports import findings, kept, view
from reports.findings import failures
from reports.html import build
from reports.kept import IN_THE_FILE, Keeper
from reports.merge import read
from reports.summary import summary
from reports.view import View
from suite.meta.sample_results import Line, Write, end, facts, record, run, sweep
from suite.model import Record, Status


def many(amount: int, status: Status = "pass", **more: Any) -> list[Line]:
    """Records, each of a case of its own, that have something to say."""
    said: Line = {"message": "m" * 300, "worst": {"x": "0x1p+0"}, "extra": {"limitation": "known", "rows": 1.0}}
    return [record(status, implementation=f"f{n}", **said, **more) for n in range(amount)]


def full(records: tuple[Record, ...]) -> int:
    """How many are kept with all that they say."""
    return sum(bool(r.worst) for r in records)


class TestMemory:
    """What is kept of records."""

    @pytest.mark.parametrize("amount", [200, 400])
    def test_what_records_say_is_kept_while_there_is_room(self, write: Write, monkeypatch: pytest.MonkeyPatch, amount: int) -> None:
        """However many there are: the same number is kept in full, and all are counted."""
        monkeypatch.setattr(kept, "ROOM", {"red": 0, "known": 0, "rest": 50_000})
        results = read([write(run(), facts(), *many(amount), end())])
        assert 50 < full(results.records) < 100
        slim = results.records[-1]
        assert (slim.worst, slim.message, slim.extra) == ({}, IN_THE_FILE, {"limitation": "known"})
        assert View(results).tally.passed == amount

    def test_passed_records_take_no_room_from_failures(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each kind has its own."""
        monkeypatch.setattr(kept, "ROOM", {"red": 10_000, "known": 10_000, "rest": 1_000})
        results = read([write(run(), facts(), *many(100), *many(5, "fail", dtype="float16"), end())])
        assert all(r.worst for r in results.records if r.status == "fail")
        assert results.failures == 5

    def test_the_worst_of_a_defect_is_kept_in_full(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """A finding is shown with its input and its code, wherever in the file they stand."""
        monkeypatch.setattr(kept, "ROOM", dict.fromkeys(kept.ROOM, 2_000))
        shown: Line = {"message": "m" * 900, "worst": {"x": "0x1p+0"}, "reproduction": "code"}
        lines = [record("fail", dtype=f"d{n}", value=float(n % 37), **shown) for n in range(80)]
        results = read([write(run(), facts(), *lines, end())])
        (finding,) = failures(View(results).cases)
        assert (len(finding.shown), finding.worst.value, finding.worst.reproduction) == (80, 36.0, "code")
        assert (full(results.records), results.slim) == (2, {"red": 78})

    @pytest.mark.parametrize("status", ["fail", "known"])
    def test_any_number_of_defects_stays_in_the_room(self, write: Write, monkeypatch: pytest.MonkeyPatch, status: Status) -> None:
        """Each is the worst of its own; what has no room is counted, and has no text."""
        monkeypatch.setattr(kept, "ROOM", dict.fromkeys(kept.ROOM, 10_000))
        lines = [{**line, "extra": {"limitation": f"l{n:04}"}, "value": float(n)} for n, line in enumerate(many(200, status), 1000)]
        for amount in (100, 200):
            results = read([write(run(), facts(), *lines[:amount], end())])
            assert full(results.records) == 2 * (10_000 // (len(json.dumps(lines[-1])) + 1))
            assert results.slim == {"red" if status == "fail" else "known": amount - full(results.records)}

    def test_what_is_left_out_is_said(self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """On the first page and in the summary; nothing is said where nothing is left out."""
        path = write(run(), facts(), *many(2), *many(1, "known", dtype="float16"), record(dtype="float64"), end())
        title = "Too many records to keep all that they say"
        assert title not in build([path], tmp_path / "all").read_text(encoding="utf-8") + summary([path])
        monkeypatch.setattr(kept, "ROOM", dict.fromkeys(kept.ROOM, 0))
        for text in (build([path], tmp_path / "some").read_text(encoding="utf-8"), summary([path]).lower()):
            assert title.lower() in text.lower()
            assert "of 1 known failure and 2 other records this report has the verdict and the value alone" in text.lower()

    def test_sweeps_are_counted_without_what_they_say(self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """All of their inputs were compared, whatever is kept of them."""
        path = write(run(), facts(), *(sweep(implementation=name, status="pass") for name in "fg"), end())
        everything = (build([path], tmp_path / "all").parent / "sweeps.html").read_text(encoding="utf-8")
        monkeypatch.setattr(kept, "ROOM", dict.fromkeys(kept.ROOM, 0))
        slim = (build([path], tmp_path / "some").parent / "sweeps.html").read_text(encoding="utf-8")
        assert "2 outputs of 2 cases were computed at every input" in slim
        assert "could not be compared" not in slim
        assert slim == everything
        assert "data-errors" not in (tmp_path / "some" / "operations" / "sigmoid.html").read_text(encoding="utf-8")

    def test_an_earlier_run_s_records_are_not_even_kept(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """Memory is that of the places, not of the runs that have something in them."""
        taken: list[str] = []

        def keep(_: Keeper, record: Record, __: int, into: list[Record]) -> None:
            taken.append(record.status)
            into.append(record)

        monkeypatch.setattr(Keeper, "keep", keep)
        for day in range(1, 6):
            name = f"r{day}"
            started = f"2026-01-0{day}T00:00:00+00:00"
            path = write(run(name, started), facts(), *many(20, "pass" if day == 5 else "fail"), end(name), name=f"{name}.jsonl")
        assert read([path.parent]).failures == 0
        assert taken == ["pass"] * 20


class TestPages:
    """What is shown of very many results."""

    def test_what_there_is_no_room_for_is_counted(self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The worst are listed; the page says how many more there are, links to them lead there, and the verdict counts all."""
        monkeypatch.setattr(view, "ROOM", 25_000)
        lines = [*many(40), *many(2, "known", dtype="float16"), *many(3, "fail", dtype="bfloat16")]
        index = build([write(run(), facts(), *lines, end())], tmp_path / "out")
        page = (index.parent / "records" / "sigmoid.html").read_text(encoding="utf-8")
        listed = re.findall(r'<(?:tr|li) data-s="(\w+)"', page)
        assert (listed.count("fail"), listed.count("known")) == (3, 2)
        assert 0 < listed.count("pass") < 40
        left = 45 - len(listed)
        assert f'id="more">{left} more cases of sigmoid with {left} records are counted' in page
        assert f"{left} of these records passed, 0 failed as known, 0 failed" in page
        first = index.read_text(encoding="utf-8")
        assert "Of 45 checks on 45 cases, 40 passed, 2 failed as known and 3 failed" in first
        assert f"{45 - left} of 45 cases are listed one by one" in first
        assert len(re.findall('<a class="m ', first)) == len(listed)

    def test_findings_without_room_are_counted(self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Failures first; what leads to the others leads to their number."""
        monkeypatch.setattr(findings, "ROOM", 20_000)
        lines = many(30, "fail")
        index = build([write(run(), facts(), *lines, end())], tmp_path / "out")
        page = (index.parent / "findings.html").read_text(encoding="utf-8")
        shown = page.count("<article")
        assert 3 < shown < 30
        assert "30 failures that turn a run red" in page
        assert f'id="more">{30 - shown} more findings are counted' in page
        assert (index.parent / "operations" / "sigmoid.html").read_text(encoding="utf-8").count("findings.html#more") == 30 - shown

    def test_one_case_without_room_takes_it_from_none(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """Though it is the worst; its records are counted."""
        monkeypatch.setattr(view, "ROOM", 50_000)
        long = [record("fail", metric=f"m{n}", message="m" * 15_000) for n in range(3)]
        cases = View(read([write(run(), facts(), *long, *many(5), end())])).cases
        assert [(len(case.records), case.listed) for case in cases if case.status == "fail"] == [(3, False)]
        assert all(case.listed for case in cases if case.status == "pass")

    def test_one_finding_without_room_takes_it_from_none(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """Though it comes first; a reason takes what is shown of it, however long it is."""
        monkeypatch.setattr(findings, "ROOM", 50_000)
        long = record("error", message="m" * 15_000, reproduction="r" * 20_000)
        known = record("known", dtype="float16", extra={"limitation": "l", "reason": "r" * 100_000})
        cases = View(read([write(run(), facts(), long, known, *many(2, "fail"), end())])).cases
        assert [found.status for part in findings.parts(cases) for found in part] == ["fail", "fail", "known"]
        assert findings.failures(cases)[0].status == "error"

    def test_a_finding_of_many_cases_lists_the_worst(self, write: Write, tmp_path: Path) -> None:
        """And counts the others."""
        lines = [record("fail", dtype=f"d{n}", value=float(n)) for n in range(findings.MOST + 5)]
        index = build([write(run(), facts(), *lines, end())], tmp_path / "out")
        page = (index.parent / "findings.html").read_text(encoding="utf-8")
        assert "5 more cases are counted, not listed" in page
        assert page.count('<li data-s="fail"') == findings.MOST
        assert f">sigmoid-jax.nn.sigmoid-jit-d{findings.MOST + 4}</a>: {findings.MOST + 4}</li>" in page

    def test_a_finding_lists_a_case_of_each_choice(self, write: Write) -> None:
        """However small their errors are, since a filter finds it by these; beside them the worst."""
        large = [record("fail", implementation="f", dtype=f"d{n}", value=9.0 + n, mode="eager") for n in range(50)]
        large += [{**line, "case": {**line["case"], "device": "gpu"}} for line in large]
        small = [record("fail", implementation="f", mode=mode, dtype=dtype, value=0.0) for mode in ("jit", "vmap") for dtype in ("d1", "e")]
        (finding,) = failures(View(read([write(run(), facts(), *large, *small, end())])).cases)
        listed = [(view.case.mode, view.case.dtype) for view, _ in finding.listed]
        assert len(listed) == findings.MOST < len(finding.shown)
        assert {mode for mode, _ in listed} == set(finding.modes)
        assert {dtype for _, dtype in listed} == set(finding.dtypes)
        assert {(mode, dtype) for mode, dtype in listed if mode != "eager"} == {(m, d) for m in ("jit", "vmap") for d in ("d1", "e")}
        assert listed[:2] == [("eager", "d49")] * 2

    def test_pages_stay_below_a_megabyte(self, write: Write, tmp_path: Path) -> None:
        """Of thousands of records, with a page for each operation's, and the whole below ten."""
        lines = [line for n in range(12) for line in many(250, "known" if n % 3 == 0 else "pass", operation=f"o{n}")]
        index = build([write(run(), facts(), *lines, end())], tmp_path / "out")
        sizes = {path: path.stat().st_size for path in index.parent.rglob("*") if path.is_file() and path.name != "plotly.min.js"}
        assert max(sizes.values()) < 1_000_000
        assert sum(sizes.values()) < 5_000_000


def test_an_error_yields_to_a_later_verdict_and_stands_beside_one_of_its_run(write: Write) -> None:
    """Whatever its metric is."""
    error = record("error", metric="raised")
    path = write(run(), facts(), error, record("fail", metric="other"), end())
    assert {r.status for r in read([path]).records} == {"error", "fail"}
    later = write(run("r2", "2026-11-21T00:00:00+00:00"), facts(), record(), end("r2"), name="b.jsonl")
    assert {r.status for r in read([path, later]).records} == {"pass", "fail"}


def test_records_are_found_however_their_lines_are_written(write: Write) -> None:
    """Keys in another order, blanks, escapes: JSON says what a record is, not this suite's way to write it."""
    line = record("fail")
    turned = dict(reversed(line.items()))
    escaped = write(run(), facts(), record(dtype="float16"), turned, end())
    text = escaped.read_text(encoding="utf-8")
    escaped.write_text(text.replace('"kind": "record", "case"', ' "kind" :"rec\\u006frd", "case"'), encoding="utf-8")
    assert Counter(r.status for r in read([escaped]).records) == {"fail": 1, "pass": 1}
