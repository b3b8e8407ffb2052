"""Reports: the pages, the summary and the command line, made of result files."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # plotly ships no types

from reports.__main__ import UNUSABLE, main
from reports.html import HERE, build, sections
from reports.merge import read
from reports.policy import hashes
from reports.summary import summary
from reports.text import number, seconds, share, slug, worst
from reports.view import PAGE_WEIGHT, View, paginate
from suite.meta.sample_results import SCRIPT, Line, Write, check, comparison, end, facts, kills, record, run, sample, timing


class Links(HTMLParser):
    """Everything that a page refers to, its anchors, and its texts."""

    def __init__(self, page: Path) -> None:
        """Parses a page."""
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes what a tag refers to."""
        values = dict(attrs)
        self.attributes |= set(values)
        self.ids += [values["id"] or ""] if "id" in values else []
        target = values.get("href") or values.get("src")
        if target:
            (self.links if tag == "a" else self.loads).append(target)
        if tag == "script" and "src" not in values:
            self.inline.append(values.get("type") or "")


@pytest.fixture
def report(write: Write, tmp_path: Path) -> dict[Path, Links]:
    """A report of the sample: its pages, parsed."""
    index = build([write(*sample()), write(*comparison(), name="b.jsonl")], tmp_path / "out")
    return {page: Links(page) for page in sorted(index.parent.rglob("*.html"))}


class TestPages:
    """The HTML report."""

    def test_the_verdict_counts_everything(self, write: Write) -> None:
        """One sentence, each number with its denominator."""
        verdict = View(read([write(*sample())])).verdict
        assert verdict.startswith("Failed. Of 4 checks on 4 cases, 1 passed, 1 failed as known, 1 failed and 1 raised an error;")
        assert "; 1 timing and 1 not measured. The casebook: of 2 reproductions of 1 claim, " in verdict

    def test_a_red_run_without_a_failed_record_is_said(self, write: Write) -> None:
        """A test that fails outside the records must not look like a success."""
        view = View(read([write(run(), facts(), record(), end(exit=1))]))
        assert view.state == "failed"
        assert "pytest exited 1" in view.notes[0]

    def test_every_section_is_there_and_linked(self, report: dict[Path, Links]) -> None:
        """Every page links the first page of every section."""
        titles = [section.title for section in sections()]
        first = ["Overview", "Operations", "Checks", "Casebook", "Sweeps", "Findings", "Comparison"]
        assert titles == [*first, "Benchmarks", "History", "Environment"]
        for page in report:
            text = page.read_text(encoding="utf-8")
            assert all(f">{title}</a>" in text for title in titles)

    def test_all_links_resolve(self, report: dict[Path, Links]) -> None:
        """Pages, assets and anchors: everything that a page names exists, and no anchor twice. What has a ``=`` is a filter's state."""
        for page, links in report.items():
            assert len(set(links.ids)) == len(links.ids)
            for link in [*links.links, *links.loads]:
                path, anchor = urldefrag(link)
                target = (page.parent / unquote(path)).resolve() if path else page
                assert target.is_file(), f"{page}: {link}"
                assert not anchor or "=" in anchor or anchor in report[target].ids, f"{page}: {link}"

    def test_nothing_comes_from_a_network(self, report: dict[Path, Links]) -> None:
        """Assets lie beside the pages; styles and scripts of our own name no address."""
        for links in report.values():
            assert not [link for link in [*links.loads, *links.links] if ":" in link or link.startswith("//")]
        for asset in (HERE / "static").iterdir():
            text = asset.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
            assert not re.search(r"https?:|[\"'(]//|fetch\(|XMLHttp|@import|url\(", text)

    def test_a_strict_policy_holds(self, report: dict[Path, Links]) -> None:
        """No inline script, no handler, no style attribute; only pages with figures allow any inline style, by its hash."""
        for page, links in report.items():
            text = page.read_text(encoding="utf-8")
            hashed = f" {hashes([get_plotlyjs()])}".replace("'", "&#39;") if "plotly.min.js" in text else ""
            assert f"default-src &#39;none&#39;; script-src &#39;self&#39;{hashed}; style-src &#39;self&#39;" in text
            assert set(links.inline) <= {"application/json"}
            assert not [name for name in links.attributes if name == "style" or name.startswith("on")]
            assert "unsafe-inline" not in text
            assert ("unsafe-hashes" in text) == ("plotly.min.js" in text)

    def test_texts_from_results_are_escaped(self, report: dict[Path, Links]) -> None:
        """A case, message, command, fact or reason that is markup shows as text; an address is only ever https."""
        pages = {page: page.read_text(encoding="utf-8") for page in report}
        assert not [page for page, text in pages.items() if SCRIPT in text or "javascript:" in text]
        shown = "&lt;script&gt;alert(1)&lt;/script&gt;"
        for name in ("environment.html", "findings.html", "index.html", "operations.html"):
            assert shown in next(text for page, text in pages.items() if page.name == name).replace("<wbr>", "")

    def test_a_failure_is_shown_with_its_reproduction(self, report: dict[Path, Links]) -> None:
        """The findings hold the message, the input and the code, for failures and known failures."""
        text = next(p for p in report if p.name == "findings.html").read_text(encoding="utf-8")
        assert text.count("print(jax.nn.sigmoid(17.0))  # &lt;b&gt; &amp; ```") == 2
        assert "x = 0x1.1p+4 (17)" in text
        assert "sigmoid-saturates" in text
        assert "TypeError: axis" in text

    def test_a_check_is_shown_with_its_verdicts_and_mutants(self, report: dict[Path, Links]) -> None:
        """What it states, how many cases ended how, what it rejects; one without a case is there too."""
        pages = {page.name: re.sub(r"<wbr>", "", page.read_text(encoding="utf-8")) for page in report}
        assert re.search(
            r'value_within_bound</a></th><td>stability</td><td>bound</td>(<td class="num[^>]*>1</td>){4}', pages["checks.html"]
        )
        assert "2, 2 of them made for it" in pages["checks.html"]
        assert "never_measured</a></th>" in pages["checks.html"]
        assert 'no maximum <span class="soft">with where</span>' in pages["mutants.html"]
        assert pages["mutants.html"].count('<span class="hide">rounding</span>') == 1

    def test_a_large_matrix_stays_readable(self, write: Write, tmp_path: Path) -> None:
        """Three hundred mutants and fifty checks: every page below 1 MB, each mutant on one of them."""
        names = [f"check_number_{i}" for i in range(50)]
        mutants = [{"mutant": f"m{i}", "operation": f"o{i % 25}", "meant": names[:1], "also": names[1 : i % 50]} for i in range(300)]
        index = build([write(run(), *(check(name) for name in names), kills(*mutants), end())], tmp_path / "out")
        texts = [p.read_text(encoding="utf-8") for p in index.parent.glob("*.html")]
        assert max(map(len, texts)) < 900_000
        assert sum(text.count('<tr id="m') for text in texts) == 300

    def test_incompleteness_is_on_the_first_page(self, write: Write, tmp_path: Path) -> None:
        """A run without an end is announced above all results."""
        text = build([write(run(), facts(), record())], tmp_path / "out").read_text(encoding="utf-8")
        assert 'class="verdict incomplete"' in text
        assert "process main has not ended" in text

    @pytest.mark.parametrize("lines", [[run(selected=0), end(finished=0)], [run(), timing(), end()], [run(), record("absent"), end()]])
    def test_sparse_results_make_a_report(self, write: Write, tmp_path: Path, lines: list[Line]) -> None:
        """No record, nothing but times, nothing but absence: the report says so."""
        index = build([write(*lines)], tmp_path / "out")
        assert "Nothing judged. No check was run" in index.read_text(encoding="utf-8")

    def test_what_a_case_lacks_is_a_mark_with_its_reason(self, write: Write, tmp_path: Path) -> None:
        """A dtype that an implementation does not have is not a hole in the matrix."""
        gone = {
            "kind": "absent",
            "backend": "jax",
            "operation": "sigmoid",
            "implementation": "jax.nn.sigmoid",
            "dtype": "float64",
        }
        index = build([write(run(), record(), gone | {"reason": "no x64"}, end())], tmp_path / "out")
        assert 'aria-label="jit float64: not measured: no x64">–</span>' in index.read_text(encoding="utf-8")

    def test_hostile_names_stay_inside(self, write: Write, tmp_path: Path) -> None:
        """Operations are file names: none leaves the report, overwrites a page, or meets another."""
        names = ["../../x", "a/b", "a b", "index", "", "ä" * 300, "softmax.2", "CON\\x", "{{ 7 * 7 }}"]
        build([write(run(), *(record(operation=name) for name in names), end())], tmp_path / "out")
        assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "results"]
        assert len(list((tmp_path / "out" / "operations").iterdir())) == len(names)

    def test_numbers_that_json_lacks_are_shown(self, write: Write, tmp_path: Path) -> None:
        """Infinity and NaN are results too, and never reach a figure's data."""
        bad = [
            record("fail", value=float("nan")),
            record("fail", value=float("inf"), dtype="float16"),
            timing(value=float("nan")),
        ]
        index = build([write(run(), *bad, end())], tmp_path / "out")
        block = (index.parent / "benchmarks.html").read_text(encoding="utf-8").split('application/json">')[1].split("</script>")[0]
        assert json.loads(block, parse_constant=lambda name: pytest.fail(name))["cases"][0][5][0][2] is None

    def test_stale_pages_go_and_other_files_stay(self, write: Write, tmp_path: Path) -> None:
        """A report built over an older one leaves none of its pages, and nobody else's file is touched."""
        out = tmp_path / "out"
        build([write(run(), record(operation="old"), end())], out)
        (out / "mine.html").write_text("mine", encoding="utf-8")
        build([write(run(), record(operation="new"), end())], out)
        assert [p.name for p in (out / "operations").iterdir()] == ["new.html"]
        assert (out / "mine.html").exists()

    def test_sizes_are_bounded(self, write: Write, tmp_path: Path) -> None:
        """Long results are continued on further pages: none is over 1 MB, and there is one Plotly."""
        long = {"reproduction": "x = 1\n" * 400, "message": "m" * 500}
        lines = [record("fail", implementation=f"f{i}", **long) for i in range(600)]
        index = build([write(run(), facts(), *lines, end())], tmp_path / "out")
        sizes = {p.relative_to(index.parent).as_posix(): p.stat().st_size for p in index.parent.rglob("*") if p.is_file()}
        assert max(size for name, size in sizes.items() if "plotly" not in name) < 1_000_000
        assert {"findings.2.html", "records/sigmoid.2.html"} <= set(sizes)
        assert sum("plotly" in name for name in sizes) == 1


class TestSummary:
    """The Markdown summary."""

    def test_it_holds_verdict_failures_and_absence(self, write: Write) -> None:
        """What a reader of a CI job has to know; markup in it shows as text."""
        text = summary([write(*sample())])
        assert "Failed. Of 4 checks" in text
        assert "- tensorflow: not installed &lt;script&gt;" in text
        assert "| jax | 4 | 4 | 1 | 1 | 1 | 1 | 1 |" in text
        assert "fails (sigmoid-saturates): 1 case" in text
        assert "````python\nimport jax" in text
        assert SCRIPT not in text

    def test_many_failures_are_counted(self, write: Write) -> None:
        """A summary stays short and says what it left out."""
        text = summary([write(run(), *(record("fail", implementation=f"f{i}") for i in range(30)), end())])
        assert text.count("### ") == 20
        assert "… and 10 failures more." in text


class TestCommand:
    """``python -m reports``."""

    def test_build_and_summary(self, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Both commands take directories; ``build`` prints where the report is."""
        folder = str(write(*sample()).parent)
        assert main(["build", folder, "--output", str(tmp_path / "out")]) == 0
        assert capsys.readouterr().out == f"{tmp_path / 'out' / 'index.html'}\n"
        assert main(["summary", folder]) == 0
        assert capsys.readouterr().out.startswith("# logitbench\n")

    def test_bad_input_is_one_line(self, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
        """Corrupt results and an output that is a file end with a message and exit code 2."""
        corrupt, good = write(run(), tail="?\n"), write(*sample(), name="good.jsonl")
        assert main(["summary", str(corrupt)]) == UNUSABLE
        assert capsys.readouterr().err.startswith(f"error: {corrupt}:2: ")
        assert main(["build", str(good), "--output", str(good)]) == UNUSABLE
        error = capsys.readouterr().err
        assert error.startswith(f"error: {good}: cannot be written: ")
        assert error.count("\n") == 1

    @pytest.mark.parametrize("arguments", [[], ["build"], ["draw", "x"], ["summary", "x", "--output", "y"]])
    def test_wrong_usage_exits_2(self, arguments: list[str]) -> None:
        """The command line is checked by argparse."""
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == UNUSABLE


class TestTexts:
    """How facts are written."""

    @pytest.mark.parametrize(
        ("shown", "expected"),
        [
            (number(None), "–"),
            (number(1234567), "1,234,567"),
            (number(0.0012345), "0.00123"),
            (number(float("nan")), "nan"),
            (seconds(3.2e-5), "32 µs"),
            (seconds(4e-9), "4 ns"),
            (seconds(1284.6), "1,285 s"),
            (share(0.99999), ">99.9 %"),
            (share(1.0), "100 %"),
            (worst({"x": "0x1.8p+1"}), "x = 0x1.8p+1 (3)"),
            (worst({"x": ["0x1p+0"] * 1000}), "x = [" + "0x1p+0, " * 6 + "… 1,000 values]"),
            (worst({"x": "0x1p+99999"}), "x = 0x1p+99999"),
        ],
    )
    def test_values(self, shown: str, expected: str) -> None:
        """Three significant digits, units, and never a rounding that claims the whole."""
        assert shown == expected

    def test_slugs_never_meet(self) -> None:
        """Different names stay different after what a file name cannot hold is gone."""
        names = ["a/b", "a b", "a-b", "A", "index", "f(x=True)", "f(x=False)"]
        assert len({slug(name) for name in names}) == len(names)
        assert slug("softmax") == "softmax"

    def test_pages_hold_what_fits(self) -> None:
        """Items stay in order; one too heavy for any page still gets one."""
        pages = list(paginate([1, PAGE_WEIGHT * 2, 2, 3], lambda item: item))
        assert pages == [[1], [PAGE_WEIGHT * 2], [2, 3]]
        assert list(paginate([], lambda _: 1)) == [[]]
