"""What the first page says of the baselines that a run was held against."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from reports.held import better
from reports.html import build
from reports.merge import read
from reports.read import ResultsError
from reports.view import View
from suite.meta.sample_results import Line, Write, end, facts, record, run


def held(**more: Any) -> Line:
    """What one process of a run held."""
    line: Line = {
        "kind": "held",
        "backend": "jax",
        "platform": "jax-1",
        "baseline": "jax-1.json",
        "kinship": "same",
        "versions": "jax 0.10.2",
    }
    return {**line, "graded": 5, "compared": 4, "worse": 1, "better": 2, **more}


def moved(**extra: Any) -> Line:
    """A record with the grades that are better."""
    return record(extra={"better than baseline": extra})


def test_counts_are_those_of_all_processes_of_the_latest_run(write: Write) -> None:
    """An earlier run's are of another day."""
    earlier = write(run("r0", "2026-11-19T00:00:00+00:00"), facts(), record(), held(compared=1), end("r0"), name="a.jsonl")
    one = write(run(process="gw0"), facts(), record(), held(), end(process="gw0"), name="b.jsonl")
    two = write(run(process="gw1"), facts(), record(), held(compared=3), end(process="gw1"), name="c.jsonl")
    (found,) = read([one, two, earlier]).held
    assert (found.graded, found.compared, found.worse, found.better) == (10, 7, 2, 4)


def test_each_platform_stands_for_itself(write: Write) -> None:
    """Two machines have two baselines."""
    lines = [held(), held(platform="jax-2", kinship="other CPU"), held(platform="jax-3", kinship="none", baseline="", versions="")]
    assert [h.kinship for h in read([write(run(), facts(), record(), *lines, end())]).held] == ["same", "other CPU", "none"]


def test_the_first_page_shows_them(write: Write, tmp_path: Path) -> None:
    """Counts with their denominator, and which results are better, from what to what."""
    page = build([write(run(), facts(), moved(**{"max ulp": [4.0, 1.5]}), held(), end())], tmp_path / "out").read_text(encoding="utf-8")
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "jax same platform, same versions (jax 0.10.2) 4 of 5 1 2 1" in words
    assert "1 result better than on record" in words
    assert "max ulp 4 → 1.5" in words


def test_results_that_were_not_held_say_so(write: Write, tmp_path: Path) -> None:
    """Older files, or a run without baselines."""
    page = build([write(run(), facts(), record(), end())], tmp_path / "out").read_text(encoding="utf-8")
    assert "not held against a baseline" in page


def test_what_was_infinite_is_better_as_a_number(write: Write) -> None:
    """Infinities are written as texts."""
    (found,) = better(View(read([write(run(), facts(), moved(**{"max ulp": ["inf", 3.0]}), end())])).cases)
    assert found.grades == (("max ulp", float("inf"), 3.0),)


@pytest.mark.parametrize("grades", [{"max ulp": 4.0}, {"max ulp": [1.0]}, {"max ulp": ["<b>", 1.0]}, [1, 2], "x", {}])
def test_what_is_no_grade_is_left_out(write: Write, grades: Any) -> None:
    """Result files may come from anywhere."""
    assert not better(View(read([write(run(), facts(), record(extra={"better than baseline": grades}), end())])).cases)


@pytest.mark.parametrize("wrong", [{"kinship": "cousins"}, {"graded": "5"}, {"baseline": None}])
def test_a_line_that_is_wrong_is_named(write: Write, wrong: Line) -> None:
    """By its file and number."""
    with pytest.raises(ResultsError, match=r"\.jsonl:3: not a result line: "):
        read([write(run(), facts(), held(**wrong), end())])
