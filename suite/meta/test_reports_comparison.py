"""Comparisons of two releases in result files, in the report and in the summary."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from reports.comparison import cells, figure_data, groups, parts
from reports.html import build
from reports.merge import read
from reports.read import ResultsError
from reports.summary import MOST, summary
from reports.view import View
from suite.meta.sample_results import SCRIPT, Line, Write, change, comparison, end, facts, ratio, record, run, side
from suite.model import Change, Ratio, Side
from suite.records import Writer


def sides() -> list[Line]:
    """Two releases."""
    return [side("old", "0.10.1"), side("new", "0.10.2")]


def page(path: Path, folder: Path, name: str = "comparison.html") -> str:
    """A page of the report of a file."""
    return (build([path], folder).parent / name).read_text(encoding="utf-8")


class TestReading:
    """Lines of the kinds ``side``, ``change`` and ``ratio``."""

    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        """Sides, changes and ratios come back as they were, NaN and all."""
        made = (Change.from_json(change(old="nan", new="-inf")), Ratio.from_json(ratio("cannot tell", needed=41)))
        writer = Writer(tmp_path, "c1", "compare")
        writer.begin("compare", [], "ci", 1, 0)
        writer.side(Side("new", "jax", "bin/python", {"jax": "0.10.2"}))
        for each in made:
            writer.record(each)
        writer.end(0, 0)
        writer.close()
        (found,) = read([writer.path]).comparisons
        assert repr((*found.changes, *found.ratios)) == repr(made)
        assert found.new == Side("new", "jax", "bin/python", {"jax": "0.10.2"})

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (side("older", "1"), "unknown name 'older'; known are old, new"),
            (side("old", "1", versions={"jax": 1}), "'versions' must be an object of strings"),
            (side("old", "1", error=None), "'error' must be a string"),
            (change() | {"direction": "sideways"}, "unknown direction 'sideways'"),
            (change(case={"operation": 1}), "'case' must be an object of strings"),
            (change(case={}), "missing"),
            (change(elements="3"), "'elements' must be a whole number"),
            (change(exact="one"), "'exact' must be a number"),
            (change(worst=[]), "'worst' must be an object"),
            (ratio() | {"verdict": "slow"}, "unknown verdict 'slow'"),
            (ratio(launches=1.5), "'launches' must be a whole number"),
            (ratio(needed="many"), "'needed' must be a whole number"),
            (ratio(low=True), "'low' must be a number"),
            ({"kind": "ratio"}, "'case' is missing"),
        ],
    )
    def test_a_line_that_is_wrong_is_an_error(self, write: Write, line: Line, reason: str) -> None:
        """It names file, line and reason."""
        with pytest.raises(ResultsError, match=rf"a\.jsonl:2: not a result line: .*{re.escape(reason)}"):
            read([write(run(), line)])

    def test_comparisons_stay_apart_by_run(self, write: Write) -> None:
        """The latest comes first; what one could not compare is its own, and no absence of the whole."""
        gone = {"kind": "absent", "backend": "jax", "reason": "gone"}
        later = write(run("r2", "2026-11-21T00:00:00Z"), *sides(), gone, end("r2"), name="0.jsonl")
        other = write(run("r3"), facts(), record(), end("r3"), name="b.jsonl")
        results = read([later, write(*comparison()), other])
        assert [(c.run, len(c.changes), len(c.absent)) for c in results.comparisons] == [("r2", 0, 1), ("c1", 5, 1)]
        assert results.absent == ()


class TestVerdict:
    """What a comparison makes of a report."""

    def test_the_sentence_has_its_numbers(self, write: Write) -> None:
        """Functions by direction, cells by verdict, of how many."""
        view = View(read([write(*comparison())]))
        assert view.verdict == (
            "Failed. jax==0.10.2 → jax==0.10.1: 1 function worse, 1 better, 1 with other bits of the same quality; "
            "of 5 cells 1 slower, 1 faster, 1 the same, 1 not measured, 1 that cannot be told."
        )

    @pytest.mark.parametrize(
        ("lines", "state"),
        [
            ([], "passed"),
            ([change("better"), change("changed"), ratio(), ratio("faster"), ratio("cannot tell")], "passed"),
            ([change()], "failed"),
            ([ratio("slower")], "failed"),
            ([ratio("not measured", None)], "failed"),
            ([side("new", "0.10.2", error="no such version")], "failed"),
        ],
    )
    def test_the_state_follows_from_what_was_found(self, write: Write, lines: list[Line], state: str) -> None:
        """What is worse, slower, not measured or unusable is a failure; a comparison alone is a result."""
        assert View(read([write(run(), *sides(), *lines, end())])).state == state

    @pytest.mark.parametrize(
        ("option", "said"),
        [
            ("--numerics-only", "no result that was compared differs; time was not compared."),
            ("--timing-only", "numerics were not compared; no cell was timed."),
            ("--quick", "no result that was compared differs; no cell was timed."),
        ],
    )
    def test_what_was_not_compared_is_said(self, write: Write, option: str, said: str) -> None:
        """Nothing follows from nothing."""
        verdict = View(read([write(run(command=["compare", option]), *sides(), end())])).verdict
        assert verdict == f"No new failure. jax==0.10.1 → jax==0.10.2: {said}"

    def test_a_release_that_could_not_be_used_is_all_there_is(self, write: Write) -> None:
        """Then nothing is the same either."""
        lines = [side("old", "0.10.1"), side("new", "9", error="no such version")]
        assert View(read([write(run(), *lines, end(exit=4))])).verdict.endswith(
            "jax==0.10.1 → jax==9: the new release could not be used. The results are incomplete."
        )

    def test_an_interrupted_comparison_is_incomplete(self, write: Write, tmp_path: Path) -> None:
        """What it has found counts; the page and the verdict say that there is more."""
        path = write(run(), *sides(), change("better"))
        assert View(read([path])).verdict.startswith("Incomplete. ")
        assert "The comparison is incomplete: process main has not ended" in page(path, tmp_path / "html")

    def test_an_exit_code_that_nothing_explains_is_said(self, write: Write) -> None:
        """In the words of a comparison; one that something worse explains is not."""
        view = View(read([write(run(), *sides(), end(exit=1))]))
        assert view.state == "failed"
        assert "the comparison exited 1" in view.notes[0]
        assert not View(read([write(*comparison())])).notes

    def test_environments_go_by_what_differs_in_them(self, write: Write) -> None:
        """A path says little; it stands where nothing else does."""
        old, new = side("old", "1", wanted="/envs/a"), side("new", "2", wanted="/envs/b")
        titles = [read([write(run(), old, each, end())]).comparisons[0].title for each in (new, {**old, "name": "new"})]
        assert titles == ["jax 1, jaxlib 1 → jax 2, jaxlib 2", "/envs/a → /envs/a"]

    def test_beside_checks_it_comes_behind_theirs(self, write: Write) -> None:
        """One sentence after the other."""
        verdict = View(read([write(run(), facts(), record(), *sides(), end())])).verdict
        assert verdict.startswith("No new failure. Of 1 check on 1 case, 1 passed")
        assert verdict.endswith("jax==0.10.1 → jax==0.10.2: no result that was compared differs; no cell was timed.")


class TestRows:
    """From lines to what is shown."""

    def test_one_check_of_one_function_is_one_group(self, write: Write) -> None:
        """With its modes, dtypes and outputs; the change with a reproduction is shown."""
        lines = [change(), change(dtype="float16", output="d x"), change(mode="eager", reproduction="x"), change(check="monotone")]
        found = groups(read([write(run(), *lines, end())]).comparisons[0].of("worse"))
        assert [(g.modes, g.dtypes, g.outputs, g.shown.check) for g in found] == [
            (("eager", "jit"), ("float16", "float32"), ("value", "d x"), "value_within_bound"),
            (("jit",), ("float32",), ("value",), "monotone"),
        ]
        assert found[0].shown.case.mode == "eager"

    def test_cells_are_in_order_of_their_ratio(self, write: Write) -> None:
        """Those that were not measured first; only what can be drawn reaches the figure, which JSON can hold."""
        lines = [ratio("faster", 0.5), ratio("slower", 2.0), ratio("not measured", None), ratio(ratio="inf"), ratio(low="nan")]
        rows = cells(read([write(run(), *lines, end())]).comparisons[0].ratios)
        assert [(n, r.verdict) for n, r in rows[:2]] == [(1, "not measured"), (2, "slower")]
        drawn = figure_data(rows)
        assert [(row["number"], row["ends"]) for row in drawn["rows"]] == [(2, [2.0, 1.96, 2.04]), (4, [0.5, 0.49, 0.51])]
        assert drawn["verdicts"] == ["slower", "faster"]
        json.dumps(drawn, allow_nan=False)


class TestPage:
    """The page, and the pages that it is continued on."""

    def test_it_has_everything(self, write: Write, tmp_path: Path) -> None:
        """Sides, versions, input in both notations, results, reproduction, grades, cells, absences; nothing of it as markup."""
        text = page(write(*comparison()), tmp_path / "html").replace("<wbr>", "")
        assert SCRIPT not in text
        assert text.index('id="worse"') < text.index('id="better"') < text.index('id="changed"') < text.index('id="speed"')
        for shown in (
            '<th scope="row">jaxlib</th><td>0.10.2</td><td>0.10.1</td>',
            "Distributions whose versions differ; 1 does not",
            "<code>x = 0x0.0p+0 (0), y = nan</code>",
            "<dt>New</dt><dd><code>0.0 (0x0.0p+0)</code></dd>",
            "<dd>bfloat16, float32</dd>",
            "<summary>Reproduction</summary>",
            '<td class="num">3 of 512</td><td class="num">1</td><td class="num">0.5</td><td class="num">1.5</td>',
            "needs about 41 launches",
            "new: died &lt;script&gt;",
            "silu, jax.nn.silu: gone &lt;script&gt;",
        ):
            assert shown in text

    def test_verdicts_have_marks_and_words(self, write: Write, tmp_path: Path) -> None:
        """None is a colour alone."""
        text = page(write(*comparison()), tmp_path / "html")
        found = dict(re.findall(r'<span class="status \w+">(\S) ([a-z ]+)</span>', text))
        assert found == {"✗": "worse", "✓": "better", "►": "slower", "◄": "faster", "●": "same", "◇": "cannot tell", "!": "not measured"}

    def test_a_change_without_numbers_is_told(self, write: Write, tmp_path: Path) -> None:
        """An API that is gone has a message, and no element to show."""
        none: Line = dict.fromkeys(("old", "new", "exact", "limit"))
        line = change(**none, worst={}, elements=0, compared=0, output="", extra={}, message="it is gone")
        text = page(write(run(), *sides(), line, end()), tmp_path / "html")
        assert "it is gone" in text
        assert "<dt>At</dt>" not in text
        assert "None" not in text

    def test_without_a_comparison_the_page_says_so(self, write: Write, tmp_path: Path) -> None:
        """And how to make one."""
        assert "python -m suite.compare --old" in page(write(run(), facts(), record(), end()), tmp_path / "html")

    def test_sides_that_were_not_recorded_are_no_error(self, write: Write, tmp_path: Path) -> None:
        """A file that was cut by hand still reads."""
        assert "the old release → the new release" in page(write(run(), change(), end()), tmp_path / "html")

    def test_every_comparison_has_its_page(self, write: Write, tmp_path: Path) -> None:
        """The latest is the section's own; each links the others."""
        later = write(run("r2", "2026-11-21T00:00:00Z"), *sides(), end("r2"), name="b.jsonl")
        index = build([write(*comparison()), later], tmp_path / "html")
        first, other = ((index.parent / name).read_text(encoding="utf-8") for name in ("comparison.html", "comparison/c1.html"))
        assert "no result that was compared differs" in first
        assert 'href="comparison/c1.html"' in first
        assert 'href="../comparison.html">jax==0.10.1 → jax==0.10.2 ' in other
        assert 'href="comparison/c1.html">Comparison jax==0.10.2' in index.read_text(encoding="utf-8")

    def test_long_comparisons_are_continued(self, write: Write, tmp_path: Path) -> None:
        """No page is over 1 MB, nothing is lost, the figure stands once, and the contents say where things begin."""
        long: Line = {"reproduction": "x = 1\n" * 400, "message": "m" * 500}
        lines = [change(implementation=f"f{i}", **long) for i in range(300)] + [ratio() for _ in range(900)]
        path = write(run(), *sides(), *lines, end())
        split = parts(read([path]).comparisons[0])
        pages = list(build([path], tmp_path / "html").parent.glob("comparison*.html"))
        texts = [p.read_text(encoding="utf-8") for p in pages]
        assert len(split) == len(pages) > 2
        assert max(map(len, texts)) < 1_000_000
        assert [sum(t.count(f'data-s="{name}"') for t in texts) for name in ("worse", "same")] == [300, 900]
        assert sum("plotly.min.js" in t for t in texts) == 1
        (speed,) = {found for t in texts for found in re.findall(r'href="(comparison[.\d]*html)#speed"', t)}
        assert 'id="speed"' in (tmp_path / "html" / speed).read_text(encoding="utf-8")


class TestSummary:
    """The Markdown summary."""

    def test_it_has_the_tables(self, write: Write) -> None:
        """What is worse or better, what is not as fast as before, what was not compared; markup in it shows as text."""
        text = summary([write(*comparison())])
        assert "| worse | xlogy: jax.scipy.special.xlogy on jax | value\\_within\\_bound | eager, jit | bfloat16, float32 | 3 |" in text
        assert "| 3 | nan | 0 | nan |" in text
        assert "| slower | softmax-jax.nn.softmax-jit-float32 forward 1024x1000 | 1.25 | 1.23 – 1.27 | 10 µs | 12.5 µs | 13 |  |" in text
        assert "needs about 41 launches" in text
        assert "| same |" not in text
        assert "### Worse: xlogy" in text
        assert "- jax, jax.nn.silu, silu: gone &lt;script&gt;" in text
        assert SCRIPT not in text
        assert "| All | 0 |" not in text

    def test_many_rows_are_counted(self, write: Write) -> None:
        """It stays short and says what it left out."""
        lines = [change(implementation=f"f{i}") for i in range(MOST + 3)] + [ratio("slower", 1.5) for _ in range(MOST + 1)]
        text = summary([write(run(), *sides(), *lines, end())])
        assert (text.count("| worse |"), text.count("| slower |")) == (MOST, MOST)
        assert "… and 3 rows more." in text
        assert "… and 1 row more." in text
