"""The command that compares: what it finds, how it ends, what is on disk then, what it refuses."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suite import compare
from suite.cases import PROFILES, all_cases
from suite.comparison import Found, Numerics
from suite.model import Change, Ratio, Side
from suite.sides import concerned

SOFTPLUS = """
import os
import time
import numpy as np
from suite import implements

@implements("softplus", backend="numpy")
def softplus(x):
    y = np.logaddexp(x.dtype.type(0), x)
    return {result}
"""
SECOND = """
@implements("relu", backend="numpy")
def relu(x):
    return np.maximum(x, x.dtype.type(0))
"""
SOUND = SOFTPLUS.format(result="y") + SECOND
Sides = tuple[str, str]
Files = Callable[[str, str], Sides]
QUICK = ("--profile", "quick", "--seed", "1", "--dtype", "float32")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Writes two files of functions and returns their paths."""

    def write(old: str, new: str) -> Sides:
        paths = tmp_path / "before.py", tmp_path / "after.py"
        for path, text in zip(paths, (old, new), strict=True):
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        return str(paths[0]), str(paths[1])

    return write


def run(sides: Sides, directory: Path, *options: str, half: str = "--numerics-only") -> tuple[int, str, list[dict[str, Any]]]:
    """Exit code, what is printed, and the lines of the result file, of one half of a comparison."""
    out = io.StringIO()
    code = compare.main(["--old", sides[0], "--new", sides[1], *QUICK, half, "--report", str(directory), *options], out)
    found = sorted((directory / "results").glob("*-compare.jsonl"))
    return code, out.getvalue(), [json.loads(line) for line in found[-1].read_text(encoding="utf-8").splitlines()] if found else []


def changes(lines: list[dict[str, Any]], direction: str = "worse") -> list[Change]:
    """Those that are on record."""
    return [c for c in (Change.from_json(line) for line in lines if line["kind"] == "change") if c.direction == direction]


def test_the_same_and_the_same(files: Files, tmp_path: Path) -> None:
    """Nothing is worse, better or even other."""
    code, text, lines = run(files(SOUND, SOFTPLUS.format(result="y + 0") + SECOND), tmp_path)
    assert (code, [line for line in lines if line["kind"] == "change"]) == (0, [])
    assert "worse: nothing\nbetter: nothing\nother bits of the same quality: 0 functions" in text
    assert [line["kind"] for line in lines][-1] == "end"
    assert [(s["name"], s["wanted"]) for s in lines if s["kind"] == "side"] == [
        ("old", str(tmp_path / "before.py")), ("new", str(tmp_path / "after.py")),
    ]  # fmt: skip


def test_a_fault_is_found_and_reproduced(files: Files, tmp_path: Path) -> None:
    """From 20 on the exact softplus is lost: the script of the report fails on the new file."""
    old, new = files(SOUND, SOFTPLUS.format(result="np.where(x > 20, y + 1, y)") + SECOND)
    code, text, lines = run((old, new), tmp_path)
    found = changes(lines)
    assert code == 1
    assert {c.case.operation for c in found} == {"softplus"}
    assert "worse: nothing" not in text
    script = next(c.reproduction for c in found if c.check == "value_within_bound")
    assert script in text
    for path, fails in ((new, True), (old, False)):
        mine = script.replace(new, path)
        done = subprocess.run([sys.executable, "-c", mine], capture_output=True, text=True, check=False, timeout=60)
        assert ("AssertionError" in done.stderr) is fails


def test_the_other_way_round_it_is_better(files: Files, tmp_path: Path) -> None:
    """An upgrade that mends something has nothing against it."""
    new, old = files(SOUND, SOFTPLUS.format(result="np.where(x > 20, y + 1, y)") + SECOND)
    code, text, lines = run((old, new), tmp_path)
    assert (code, changes(lines)) == (0, [])
    assert changes(lines, "better")
    assert "worse: nothing" in text


def test_lost_digits_are_found_within_the_bound(files: Files, tmp_path: Path) -> None:
    """Six digits where there were seven: no check fails."""
    old, new = files(SOUND, SOFTPLUS.format(result="np.where(x < -2, y * (1 + 2 * np.finfo(x.dtype).eps), y).astype(x.dtype)") + SECOND)
    code, text, lines = run((old, new), tmp_path)
    assert code == 1
    assert {c.check for c in changes(lines)} >= {"value_within_bound"}
    assert "holds for value in both releases, but" in text


@pytest.mark.parametrize(
    ("result", "options", "text"),
    [
        ("os._exit(7) if (x < 0).any() else y", (), "died with exit status 7"),
        ("time.sleep(60)", ("--time-limit", "5"), "gave no answer within 5 s"),
        ("1 / 0", (), "ZeroDivisionError"),
    ],
)
def test_what_gives_no_answer_is_named(result: str, options: tuple[str, ...], text: str, files: Files, tmp_path: Path) -> None:
    """And the other function is compared all the same."""
    worse = SECOND.replace("x.dtype.type(0))", "x.dtype.type(1))")
    code, said, lines = run(files(SOUND, SOFTPLUS.format(result=result) + worse), tmp_path, *options)
    assert code == 1
    assert {c.case.operation for c in changes(lines)} == {"softplus", "relu"}
    assert any(text in c.message for c in changes(lines) if c.case.operation == "softplus")
    assert ("not compared: new: softplus" in said) is (text != "ZeroDivisionError")


def test_what_died_in_the_old_release_is_not_compared(files: Files, tmp_path: Path) -> None:
    """Better than no answer is easy; it is said that nothing was compared."""
    new, old = files(SOUND, SOFTPLUS.format(result="os._exit(7)") + SECOND)
    code, said, lines = run((old, new), tmp_path)
    assert (code, changes(lines)) == (1, [])
    assert "not compared: old: softplus" in said


def test_what_could_not_be_timed_is_not_green(files: Files, tmp_path: Path) -> None:
    """No time for five launches, and a function that raises: every cell of both files' functions is there, and says why."""
    sides = files(SOUND, SOFTPLUS.format(result="1 / 0") + SECOND)
    code, _, lines = run(sides, tmp_path, "--minutes", "0.001", half="--timing-only")
    found = [Ratio.from_json(line) for line in lines if line["kind"] == "ratio"]
    assert code == 1
    assert {r.case.operation: r.verdict for r in found} == {"softplus": "not measured", "relu": "not measured"}
    assert any("ZeroDivisionError" in r.message for r in found if r.case.operation == "softplus")
    assert all("5 are needed" in r.message for r in found if r.case.operation == "relu")


def test_own_functions_are_timed_by_their_names(files: Files, tmp_path: Path) -> None:
    """A launch of each; what both sides call softplus has another name in each file."""
    _, _, lines = run(files(SOUND, SOUND), tmp_path, "--minutes", "0.001", half="--timing-only")
    found = [Ratio.from_json(line) for line in lines if line["kind"] == "ratio"]
    assert [r.launches for r in found] == [1] * len(found)
    assert {r.case.implementation for r in found} == {"before.softplus", "before.relu"}


def test_interrupted(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found stands in a file without an end, and the report is there."""
    one = Change(next(all_cases()), "value_within_bound", "worse", message="found before")

    def run_for_a_while(self: Numerics) -> None:
        self.found.keep(one)
        raise KeyboardInterrupt

    monkeypatch.setattr(Numerics, "run", run_for_a_while)
    code, said, lines = run(files(SOUND, SOUND), tmp_path)
    assert (code, changes(lines)) == (2, [one])
    assert "end" not in [line["kind"] for line in lines]
    assert "interrupted" in said
    assert (tmp_path / "html" / "index.html").exists()


def test_two_environments(tmp_path: Path) -> None:
    """This one and itself, named by its interpreter: nothing differs, so that everything there is is compared."""
    code, said, lines = run((sys.executable, sys.executable), tmp_path, "--backend", "numpy", "--operation", "sigmoid")
    assert (code, [line for line in lines if line["kind"] in ("change", "absent")]) == (0, [])
    assert "differing: nothing; backends: numpy" in said
    assert {line["id"] for line in lines if line["kind"] == "environment"} == {"suite", "old numpy-cpu", "new numpy-cpu"}


@pytest.mark.parametrize(
    ("old", "new", "options", "text"),
    [
        ("./no-such.whl", "numpy", (), "no-such.whl"),
        ("nowhere.py", "nowhere.py", (), "--old: nowhere.py: cannot be read"),
        (sys.executable, sys.executable, ("--backend", "numpie"), "unknown 'numpie'"),
        (sys.executable, sys.executable, ("--operation", "sigmoyd"), "unknown 'sigmoyd'"),
        (sys.executable, sys.executable, ("--backend", "numpy", "--dtype", "bfloat16", "--operation", "xlogy"), "nothing to compare"),
        (sys.executable, sys.executable, ("--minutes", "0"), "not a number above 0"),
        (sys.executable, sys.executable, ("--numerics-only", "--timing-only"), "not allowed with"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(
    old: str, new: str, options: tuple[str, ...], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything runs, with the name of what is wrong."""
    assert compare.main(["--old", old, "--new", new, "--report", str(tmp_path), *options]) == 4
    assert text in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_files_have_to_declare_the_same(files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or there would be nothing to compare it with."""
    old, new = files(SOUND, SOFTPLUS.format(result="y"))
    assert compare.main(["--old", old, "--new", new, "--report", str(tmp_path)]) == 4
    assert "--old and --new declare different things: relu for relu on numpy stands in one of them alone" in capsys.readouterr().err


def touched(old: dict[str, str], new: dict[str, str]) -> set[str]:
    """The first parts of the names of what is compared, by backend."""
    chosen = concerned(Side("old", "", versions=old), Side("new", "", versions=new))
    return {f"{c.backend}: {c.implementation.split('.')[0]}" for c in all_cases() if chosen(c)}


JAX = {"jax": "1", "jaxlib": "1", "optax": "1", "numpy": "2"}


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        (JAX, JAX | {"optax": "2"}, {"jax: optax"}),
        (JAX, JAX | {"jaxlib": "2"}, {"jax: jax", "jax: optax"}),
        (JAX, JAX, {"jax: jax", "jax: optax", "numpy: numpy", "numpy: scipy"}),
        ({"numpy": "2", "scipy": "1"}, {"numpy": "2", "scipy": "2"}, {"numpy: scipy"}),
        (JAX | {"keras": "3"}, JAX | {"keras": "4"}, {"keras-jax: keras"}),
        ({"tensorflow-cpu": "2", "numpy": "2"}, {"tensorflow-cpu": "3", "numpy": "2"}, {"tensorflow: tf"}),
    ],
)
def test_what_an_upgrade_concerns(old: dict[str, str], new: dict[str, str], wanted: set[str]) -> None:
    """What has no part in it is left out; where nothing differs, everything is compared."""
    assert touched(old, new) == wanted


@pytest.mark.parametrize(
    ("old", "new", "worse", "absent"), [("", "gone", 1, 1), ("not yet", "", 0, 1), ("not yet", "gone", 0, 0), ("", "", 0, 0)]
)
def test_a_function_that_is_gone(old: str, new: str, worse: int, absent: int) -> None:
    """Is worse, once for all its modes and dtypes; one that is new, or that neither has, is not. Without any other nothing is compared."""
    cases = [c for c in all_cases() if c.implementation == "jax.nn.softmax"]
    found = Found(None)
    upgrade: Any = SimpleNamespace(old=SimpleNamespace(missing=lambda _: old), new=SimpleNamespace(missing=lambda _: new))
    numerics = Numerics(upgrade, cases, found, PROFILES["quick"], narrow=False)
    numerics.keep_what_is_there()
    assert (len(found.changes), len(found.absent), bool(numerics.cases)) == (worse, absent, not (old or new))
    assert found.exit_code == int(bool(old or new))
