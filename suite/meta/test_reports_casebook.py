"""The casebook in result files and in the report."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from reports.casebook import chapters, columns, script
from reports.drawing import Scale
from reports.html import build
from reports.merge import read
from reports.pictures import draw
from reports.read import ResultsError
from reports.summary import summary
from reports.view import View
from suite.meta.sample_results import SCRIPT, Line, Write, end, entry, facts, record, reproduction, run
from suite.model import Axis, Reproduction
from suite.records import Writer


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """A reproduction comes back as it was, NaN and all."""
    line = reproduction()
    made = View(read([_file(tmp_path, line)])).results.reproductions[0]
    writer = Writer(tmp_path / "again", "r1", "main")
    writer.begin("main", [], "quick", 1, 1)
    writer.reproduction(made)
    writer.end(0, 1)
    writer.close()
    (again,) = read([writer.path]).reproductions
    assert repr(again) == repr(made)
    assert isinstance(again, Reproduction)


def _file(folder: Path, *lines: Line) -> Path:
    path = folder / "one.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in (run(), *lines, end())), encoding="utf-8")
    return path


AXIS: Line = {"label": "z", "log": False, "range": None}
FLAT: Line = {"caption": "f", "steps": [], "panels": [{"title": "p", "series": [], "x": None, "y": None, "z": AXIS}]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"verdict": "no longer holds"}, "the statements make it"),
        ({"statements": [{"text": "s", "holds": 1, "measured": "", "wanted": "", "role": "claim"}]}, "'holds' must be"),
        ({"statements": [{"text": "s", "holds": True, "measured": "", "wanted": "", "role": "wish"}]}, "unknown role"),
        ({"seconds": "long"}, "a number is expected"),
        ({"figures": {}}, "'figures' must be a list"),
        ({"error": None}, "'error' must be a string"),
        ({"figures": [FLAT]}, "has to have 'x' and 'y'"),
    ],
)
def test_a_line_that_is_wrong_is_an_error(tmp_path: Path, change: Line, reason: str) -> None:
    """It names file, line and reason."""
    with pytest.raises(ResultsError, match=rf"one\.jsonl:2: not a result line: .*{reason}"):
        read([_file(tmp_path, reproduction(**change))])


def test_an_entry_that_is_wrong_is_an_error(tmp_path: Path) -> None:
    """The same of what a run says of an entry."""
    with pytest.raises(ResultsError, match="'cannot' must be an object of strings"):
        read([_file(tmp_path, entry(cannot=["jax"]))])


def test_later_runs_replace_earlier_ones(write: Write) -> None:
    """Of one entry on one backend in one environment; elsewhere they stand side by side."""
    first = write(run(), facts(), reproduction(holds=False), reproduction("C2", holds=False), end())
    later = write(run("r2", "2026-11-21T00:00:00+00:00"), facts(), reproduction(), end("r2"), name="b.jsonl")
    other = write(run("r3", "2026-11-22T00:00:00+00:00"), facts(jax="0.9"), reproduction(holds=False), end("r3"), name="c.jsonl")
    assert [r.entry for r in read([first, later]).not_reproduced] == ["C2"]
    found = chapters(View(read([later, other])))
    assert [len(chapter.tried) for chapter in found] == [2]
    assert found[0].verdict == "not reproduced"
    assert len(columns(found)) == 2


def test_a_failed_reproduction_turns_the_report_red(write: Write) -> None:
    """Verdict, state, overview and summary say so, without any record."""
    path = write(run(), facts(), entry(), reproduction(holds=False), end(exit=1))
    view = View(read([path]))
    assert view.state == "failed"
    assert "1 reproduction of 1 claim, 1 failed" in view.verdict
    assert not view.notes
    assert "## Casebook: not reproduced" in summary([path])


def test_the_summary_has_the_table_of_verdicts(write: Write) -> None:
    """Claims by backends, with what is not expressed and what was not run."""
    path = write(run(), entry(), reproduction(), entry("C2", cannot={}), reproduction("C2", backend="keras-jax"), end())
    text = summary([path])
    assert "| Claim | jax | keras-jax | tensorflow |" in text
    assert "| C1 Title | holds with limits | not run | not expressed |" in text


def test_a_casebook_alone_is_a_result(write: Write) -> None:
    """And its sentence is the verdict; beside checks it comes behind theirs."""
    alone = View(read([write(run(), entry(), reproduction(), end())]))
    assert alone.state == "passed"
    assert alone.verdict == "No new failure. The casebook: of 1 reproduction of 1 claim, 1 held with limits."
    both = View(read([write(run(), facts(), record(), reproduction(), end(), name="b.jsonl")]))
    assert both.verdict.startswith("No new failure. Of 1 check")
    assert both.verdict.endswith("1 held with limits.")


def test_the_page_has_every_chapter(write: Write, tmp_path: Path) -> None:
    """Verdicts, statements, reasons, data, tables; nothing of it as markup; figures' data and pictures beside it."""
    path = write(run(), facts(), entry("C10"), entry("C2"), reproduction("C10"), reproduction("C2", backend="keras-jax"), end())
    build([path], tmp_path / "html")
    page = (tmp_path / "html" / "casebook.html").read_text(encoding="utf-8")
    assert page.index('id="C2"') < page.index('id="C10"')
    assert SCRIPT not in page
    assert all(text in page for text in ("it has no way", "0" * 16, "As it was.", "not expressed", "≤ 3", "Numbers"))
    assert (tmp_path / "html" / "casebook" / "C10-1.svg").read_text(encoding="utf-8").startswith("<svg ")
    assert (tmp_path / "html" / "casebook" / "C2.js").read_text(encoding="utf-8").startswith('Casebook.draw("C2", ')


def test_statements_of_several_backends_share_a_line(write: Write) -> None:
    """Where they read the same; what is wanted stands once if it is the same for all."""
    other = reproduction(backend="keras-jax")
    other["statements"][0] |= {"wanted": "2"}
    (chapter,) = chapters(View(read([write(run(), reproduction(), other, end())])))
    first, second = chapter.lines
    assert (first.wanted, second.wanted) == ("", "≤ 3")
    assert [name for name, _ in first.cells] == ["jax", "keras-jax"]
    assert chapter.tables[0][0] == ""


def test_figures_data_are_plain(write: Write) -> None:
    """What JSON lacks is null; a list of numbers stands there once."""
    (chapter,) = chapters(View(read([write(run(), reproduction(), end())])))
    text = script(chapter)
    data: Any
    name, data, lists = json.loads(f"[{text.removeprefix('Casebook.draw(').removesuffix(');' + chr(10))}]")
    curve = data[0]["figures"][0]["panels"][0]
    assert name == "C1"
    assert lists[curve["series"][0]["x"]] == [1, None]
    assert len(set(map(str, lists))) == len(lists)
    assert curve["axes"]["y"] == {"label": "y", "log": True, "range": None}


def test_a_picture_is_the_same_each_time_and_well_formed(write: Write) -> None:
    """Byte for byte, so that a report can be compared; texts are texts, whatever they hold."""
    (found,) = read([write(run(), reproduction(), end())]).reproductions
    drawn = draw(found.figures[0])
    assert drawn == draw(found.figures[0])
    texts = [node.text for node in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314 - it is our own
    assert texts.count(f"x {SCRIPT}") == 3
    assert {"Figure", "Curve", "Surface", "Network"} <= set(texts)


@pytest.mark.parametrize("value", [0.0, -5e-324, 1.7e308, 1e-300, float("inf"), float("nan")])
@pytest.mark.parametrize("log", [False, True])
def test_a_scale_takes_every_number(value: float, log: bool) -> None:
    """What it can draw has a finite place, what it cannot has none; there are few ticks, inside."""
    scale = Scale.fit(Axis("x", log), [value, 1.0], 0.0, 100.0)
    drawable = math.isfinite(value) and (value > 0 or not log)
    assert math.isfinite(scale(value)) == drawable
    assert 1 <= len(scale.ticks) <= 12
    assert all(-1e-6 <= place <= 100 + 1e-6 for place, _ in scale.ticks)


@pytest.mark.parametrize("value", [0.0, 5e-324, 1e16, -1e300, 1.7e308])
@pytest.mark.parametrize("log", [False, True])
def test_a_scale_has_room_around_a_single_number(value: float, log: bool) -> None:
    """A loss that stays where it is, be it ever so large."""
    scale = Scale.fit(Axis("x", log), [value, value], 0.0, 100.0)
    assert math.isfinite(scale(value)) == (value > 0 or not log)
    assert scale.ticks


def test_a_scale_keeps_to_its_range() -> None:
    """And round numbers stand where they belong."""
    scale = Scale.fit(Axis("x", range=(0.0, 10.0)), [-1e9, 1e9], 0.0, 100.0)
    assert scale.ticks == [(20.0 * n, f"{2 * n}") for n in range(6)]


def test_an_entry_names_no_file_elsewhere(write: Write, tmp_path: Path) -> None:
    """Result files may come from anywhere; what they say stays in the report's folder."""
    name = "../../elsewhere/C1"
    build([write(run(), facts(), entry(name), reproduction(name), end())], tmp_path / "a" / "html")
    assert not (tmp_path / "elsewhere").exists()
    assert len(list((tmp_path / "a" / "html" / "casebook").glob("*.js"))) == 1


def test_without_a_casebook_the_page_says_so(write: Write, tmp_path: Path) -> None:
    """And how to get one."""
    build([write(run(), facts(), record(), end())], tmp_path / "html")
    assert "pytest -m casebook" in (tmp_path / "html" / "casebook.html").read_text(encoding="utf-8")
