"""The findings' snippets: what is listed, what is written, and how each ending of a run is counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from reports import snippets
from reports.__main__ import UNUSABLE, main
from reports.merge import read
from reports.snippets import BREAKS, NONE, PASSES, REPRODUCES, SLOW, Snippet
from reports.view import View
from suite.meta.sample_results import Line, end, facts, record, run

Results = Callable[..., Path]

ENDINGS = {
    REPRODUCES: "assert 1 == 2, 'not within the bound'",
    PASSES: "print('within the bound')",
    BREAKS: "import json\njson.loads('{')",
    SLOW: "import time\ntime.sleep(60)",
    NONE: "",
}


def finding(code: str, **more: str) -> Line:
    """A known failure with this code; each of another implementation, so that none is another one's."""
    return record("known", reproduction=code, implementation=f"f{hash((code, *more.values()))}", **more)


def chosen_of(path: Path) -> list[Snippet]:
    """All snippets of a file."""
    return snippets.snippets(View(read([path])))


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Writes a result file of records."""

    def written(*records: Line) -> Path:
        path = tmp_path / "a.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in (run(), facts(), *records, end())), encoding="utf-8")
        return path

    return written


@pytest.mark.parametrize(("outcome", "code"), ENDINGS.items())
def test_endings_are_told_apart(results: Results, outcome: str, code: str) -> None:
    """The snippet's own assertion fails, it runs through, it breaks otherwise, it does not end, it is not there."""
    chosen = chosen_of(results(finding(code)))
    said: list[str] = []
    (done,) = snippets.run(chosen, 1, 2.0 if outcome == SLOW else 60.0, said.append)
    assert done.outcome == outcome
    assert said[0].startswith(f"[1/1] {outcome}  jax: ")


def test_an_assertion_of_someone_else_is_no_reproduction(results: Results) -> None:
    """It has to be the snippet's own: what a framework asserts of itself is another matter."""
    code = "import unittest\nunittest.TestCase().assertEqual(1, 2)"
    (done,) = snippets.run(chosen_of(results(finding(code))), 1, 60.0, print)
    assert (done.outcome, done.said) == (BREAKS, "AssertionError: 1 != 2")


def test_a_snippet_runs_with_the_framework_alone(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the checkout nor what PYTHONPATH names is there."""
    checkout = str(Path(snippets.__file__).parent.parent)
    monkeypatch.setenv("PYTHONPATH", checkout)
    code = f"import os, sys\nassert {{{checkout!r}, os.getcwd()}} & set(sys.path), 'neither of them'"
    (done,) = snippets.run(chosen_of(results(finding(code))), 1, 60.0, print)
    assert (done.outcome, done.said) == (REPRODUCES, "AssertionError: neither of them")


def test_the_command_counts(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 as soon as one does not reproduce; a line for each backend, and one for all."""
    fails, passes = finding(ENDINGS[REPRODUCES]), finding(ENDINGS[PASSES], backend="numpy")
    assert main(["snippets", str(results(fails)), "--run"]) == 0
    assert main(["snippets", str(results(fails, passes)), "--run", "--jobs", "1"]) == 1
    assert capsys.readouterr().out.endswith("jax: 1 reproduces\nnumpy: 1 does not reproduce\nall: 1 reproduces, 1 does not reproduce\n")
    assert main(["snippets", str(results(fails, passes)), "--run", "--backend", "jax"]) == 0


def test_the_command_lists_and_writes(results: Results, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without being told to run any; no more of a backend than it is told."""
    path = results(*(finding(f"assert {n} == -1") for n in range(3)), finding("", backend="numpy"), record("error", message="broken"))
    assert main(["snippets", str(path), "--limit", "2"]) == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == ["jax", "jax", "numpy"]
    assert main(["snippets", str(path), "--output", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: 3 snippets\n"
    assert all(p.read_text(encoding="utf-8").startswith("# jax: ") for p in (tmp_path / "out").iterdir())


def test_an_unknown_backend_is_an_error(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is run in silence of a backend that is not there."""
    assert main(["snippets", str(results(finding("assert False"))), "--backend", "jaxx"]) == UNUSABLE
    assert "no jaxx" in capsys.readouterr().err
