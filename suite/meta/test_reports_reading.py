"""Reading result files and merging them: every line is checked, and no result hides another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reports.merge import Results, read
from reports.read import ResultsError
from reports.view import View
from suite.meta.sample_results import Line, Write, check, end, facts, kills, record, run, timing
from suite.model import RESULT_FORMAT, Record


def reasons(results: Results) -> str:
    """Why results are incomplete."""
    return "; ".join(results.incomplete)


class TestReading:
    """One file at a time."""

    def test_a_record_comes_back_as_it_was_written(self, write: Write) -> None:
        """Reading is the inverse of writing, environment included."""
        line = record("known", message="µ", worst={"x": ["0x1p+0", "-0x1p+1"]}, extra={"limitation": "a"})
        assert read([write(run(), facts(), line, end())]).records == (Record.from_json(line),)

    @pytest.mark.parametrize(
        ("tail", "reason"),
        [
            ("{]\n", "not a line of JSON"),
            ("[1]\n", "an object is expected"),
            ("[" * 100_000 + "\n", "not a line of JSON"),
            ('{"kind": "run"}\n', "'format' is missing"),
            ('{"kind": "run", "format": 1, "run": "r", "started": "yesterday"}\n', "yesterday"),
            ('{"kind": "check", "name": "a", "family": "b", "type": "c"}\n', "'statement' is missing"),
            ('{"kind": "kills", "mutants": {}}\n', "'mutants' must be"),
            ('{"kind": "kills", "mutants": [{"meant": "a"}]}\n', "'meant' must be"),
            ('{"kind": "operation", "name": "a"}\n', "'formula' is missing"),
            (
                '{"kind": "operation", "name": "a", "formula": "", "source": "", "shape": "", "bounds": [], "arguments": []}\n',
                "'bounds' and",
            ),
            ('{"kind": "end", "run": "other"}\n', "does not begin"),
            ('{"kind": "record"}\n', "'case' is missing"),
            ('{"kind": "environment", "id": "a", "backend": "b", "facts": []}\n', "'facts' must be"),
        ],
    )
    def test_a_corrupt_line_is_named(self, write: Write, tail: str, reason: str) -> None:
        """The error names file and line, says what is wrong, and is one line."""
        path = write(run(), tail=tail)
        with pytest.raises(ResultsError) as caught:
            read([path])
        message = str(caught.value)
        assert message.startswith(f"{path}:2: ")
        assert reason in message
        assert "\n" not in message

    @pytest.mark.parametrize(
        "wrong",
        [{"status": "great"}, {"value": "1"}, {"value": True}, {"message": None}, {"worst": []}, {"case": {}}],
    )
    def test_a_wrong_field_is_named(self, write: Write, wrong: Line) -> None:
        """A record whose fields are not what they should be is an error, not a surprise on a page."""
        with pytest.raises(ResultsError, match=r"a\.jsonl:2: not a result line"):
            read([write(run(), record() | wrong)])

    def test_bytes_that_are_not_utf8_are_an_error(self, write: Write) -> None:
        """Binary files end in a message, not in a traceback."""
        path = write(run())
        path.write_bytes(path.read_bytes() + b'{"kind": "\xff"}\n')
        with pytest.raises(ResultsError, match=r"a\.jsonl:2"):
            read([path])

    def test_a_newer_format_is_refused(self, write: Write) -> None:
        """A newer format may mean anything; the error says which is known."""
        with pytest.raises(ResultsError, match=rf"a\.jsonl:1: .*format {RESULT_FORMAT + 1} is newer than {RESULT_FORMAT}"):
            read([write(run(format=RESULT_FORMAT + 1))])

    def test_a_kind_that_is_not_known_is_left_out(self, write: Write) -> None:
        """A later version may add kinds; what it left out is said of the run, whose other lines count."""
        results = read([write(run(), {"kind": "surprise"}, facts(), {"kind": "surprise", "a": []}, record(), end())])
        assert results.runs[0].unknown == "2 of kind 'surprise'"
        assert (len(results.records), results.incomplete) == (1, ())

    def test_the_latest_run_says_what_checks_are(self, write: Write) -> None:
        """Its statements and its mutants replace those of an earlier one; a check that it has no more stays."""
        write(
            run("old", started="2026-01-01T00:00:00+00:00"), check("a"), check("b"), kills({}, {"mutant": "m"}), end("old"), name="z.jsonl"
        )
        folder = write(run(), check("a", statement="New."), kills({"mutant": "n"}), end()).parent
        results = read([folder])
        assert {name: found.statement == "New." for name, found in results.checks.items()} == {"a": True, "b": False}
        assert [m.mutant for m in results.mutants] == ["n"]

    def test_a_file_has_to_begin_with_its_run(self, write: Write) -> None:
        """Records of nobody knows which run are refused."""
        with pytest.raises(ResultsError, match=r"a\.jsonl:1: .*must be of kind 'run'"):
            read([write(record())])

    @pytest.mark.parametrize("tail", ['{"kind": "rec', '{"kind": "record", "case": {"operation": "µ'])
    def test_a_cut_off_last_line_makes_the_run_incomplete(self, write: Write, tail: str) -> None:
        """A killed process leaves half a line; what stands before it counts."""
        results = read([write(run(), record(), tail=tail)])
        assert len(results.records) == 1
        assert "a.jsonl:3: the last line is cut off" in reasons(results)

    def test_a_last_line_without_its_newline_counts(self, write: Write) -> None:
        """Only what cannot be read is cut off."""
        results = read([write(run(), record(), tail=json.dumps(end()))])
        assert not results.incomplete

    def test_an_empty_file_is_incomplete(self, write: Write) -> None:
        """A process that was killed before its first line is still mentioned."""
        assert "a.jsonl: empty" in reasons(read([write()]))

    @pytest.mark.parametrize(
        ("last", "reason"),
        [
            ([], "process main has not ended"),
            ([end(finished=0)], "0 of 1 selected tests finished"),
            ([end(exit=2)], "interrupted (exit 2)"),
        ],
    )
    def test_an_unfinished_run_is_incomplete(self, write: Write, last: list[Line], reason: str) -> None:
        """No end, fewer tests than selected, or an interruption: each is said."""
        results = read([write(run(), record(), *last)])
        assert reason in reasons(results)
        assert View(results).verdict.startswith("Incomplete. ")

    def test_missing_paths_are_errors(self, tmp_path: Path) -> None:
        """A path that does not exist and a directory without results are different mistakes."""
        with pytest.raises(ResultsError, match="no such file"):
            read([tmp_path / "none"])
        with pytest.raises(ResultsError, match="no result file"):
            read([tmp_path])


class TestMerging:
    """Several files at a time."""

    def test_processes_of_a_run_are_one_run(self, write: Write) -> None:
        """Workers count their own tests; together they finish what was selected. An environment holds for the whole run."""
        write(run(selected=2), facts(), end(finished=0), name="main.jsonl")
        write(run(selected=2, process="gw0"), record(), end(), name="gw0.jsonl")
        path = write(run(selected=2, process="gw1"), record(dtype="float16"), end(), name="gw1.jsonl")
        results = read([path.parent])
        assert [r.processes for r in results.runs] == [("gw0", "gw1", "main")]
        assert not results.incomplete
        assert [(e.label, dict(e.facts)) for e in results.environments] == [("jax-cpu", {"jax": "0.10.2"})]

    @pytest.mark.parametrize("names", ["ab", "ba"])
    def test_the_later_run_wins(self, write: Write, names: str) -> None:
        """Later is what started later, however the files are called; what only the earlier one measured stays."""
        write(run(), facts(), record("fail"), record(dtype="float16"), end(), name=f"{names[0]}.jsonl")
        later = run("r2", "2026-11-20T14:00:00Z")
        path = write(later, facts(), record("pass"), end("r2"), name=f"{names[1]}.jsonl")
        found = sorted((r.case.dtype, r.status) for r in read([path.parent]).records)
        assert found == [("float16", "pass"), ("float32", "pass")]

    def test_a_later_verdict_replaces_an_earlier_error(self, write: Write) -> None:
        """An error's metric need not be the verdict's."""
        path = write(run(), facts(), record("error", metric="raised"), end())
        write(run("r2", "2026-11-20T14:00:00Z"), facts(), record(), end("r2"), name="b.jsonl")
        assert [r.status for r in read([path.parent]).records] == ["pass"]

    def test_no_record_of_a_run_hides_another(self, write: Write) -> None:
        """A check may fail on one input and pass on the next: it failed. The same line twice is one record."""
        results = read([write(run(), facts(), record("fail"), record(), record(), end())])
        assert [r.status for r in results.records] == ["fail", "pass"]
        assert (View(results).tally.checks, View(results).tally.failed) == (1, 1)

    def test_differing_environments_stay_apart(self, write: Write) -> None:
        """Results of two releases are shown side by side, named after what differs."""
        path = write(run(), facts(), record("fail"), end())
        write(run("r2", "2026-11-20T14:00:00Z"), facts(jax="0.11.0"), record(), end("r2"), name="b.jsonl")
        results = read([path.parent])
        assert [r.environment for r in results.records] == ["jax-cpu (jax 0.10.2)", "jax-cpu (jax 0.11.0)"]
        assert list(View(results).by_column) == ["jax (jax 0.10.2)", "jax (jax 0.11.0)"]

    def test_differing_machines_stay_apart(self, write: Write) -> None:
        """The machine's facts are part of every environment."""
        cpus = [{"kind": "environment", "id": "machine", "backend": "suite", "facts": {"cpu": cpu}} for cpu in "AB"]
        path = write(run(), cpus[0], facts(), record(), end())
        write(run("r2"), cpus[1], facts(), record(), end("r2"), name="b.jsonl")
        assert [r.environment for r in read([path.parent]).records] == ["jax-cpu (cpu A)", "jax-cpu (cpu B)"]

    def test_workloads_do_not_replace_each_other(self, write: Write) -> None:
        """The same case is timed over several workloads."""
        path = write(run(), facts(), timing("10"), timing("1000"), end())
        assert len(read([path, path]).records) == 2

    def test_absence_disproved_by_another_run_is_marked(self, write: Write) -> None:
        """A backend that one run lacked and another measured is not missing from the whole."""
        gone = {"kind": "absent", "reason": "not installed"}
        path = write(run(), facts(), record(), gone | {"backend": "jax"}, gone | {"backend": "tensorflow"}, end())
        view = View(read([path]))
        assert [elsewhere for _, elsewhere in view.absent] == [True, False]
        assert "1 not measured" in view.verdict
