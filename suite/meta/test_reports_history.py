"""Earlier runs over time: steps told from noise, files read, times divided, the pages, the options."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from reports import __main__ as command_line
from reports.history import SHARE, SPEED, ULP, Track, keep, read
from reports.html import build
from reports.read import ResultsError
from reports.steps import SHORTEST, _costs, noise, penalty, steps
from reports.trends import figure_data
from suite.meta.sample_results import SCRIPT, Line, end, facts, graded, record, run, timing
from suite.meta.test_options import ONE, USAGE_ERROR, suite

LEAST = 1e-9

Runs = Callable[..., Path]


def level(rng: np.random.Generator, *parts: tuple[float, int]) -> list[float]:
    """Normal noise of standard deviation 1 around levels, each held for so many values."""
    return [float(rng.normal(height)) for height, count in parts for _ in range(count)]


@pytest.mark.parametrize(("count", "series"), [(5, 1000), (8, 1000), (20, 500), (60, 100)])
def test_noise_has_no_steps(count: int, series: int) -> None:
    """In fewer than one series of a hundred is any found."""
    rng = np.random.default_rng(count)
    assert sum(bool(steps(level(rng, (0.0, count)), LEAST)) for _ in range(series)) <= series / 100


@pytest.mark.parametrize(("before", "after", "height"), [(20, 20, 3.0), (30, 8, 4.0), (12, 12, -5.0)])
def test_a_step_of_a_few_deviations_is_found(before: int, after: int, height: float) -> None:
    """Where it is, give or take one value, and none besides."""
    rng = np.random.default_rng(before)
    found = [steps(level(rng, (0.0, before), (height, after)), LEAST) for _ in range(100)]
    assert sum(len(places) == 1 and abs(places[0] - before) <= 1 for places in found) >= 90


@pytest.mark.parametrize("place", [0, 7, 19])
def test_one_outlier_is_no_step(place: int) -> None:
    """However far off, and wherever."""
    rng = np.random.default_rng(place)
    values = level(rng, (0.0, 20))
    values[place] = 1000.0
    assert steps(values, LEAST) == []


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([1.0] * 10 + [1.5] * SHORTEST, [10]),
        ([1.0] * 4 + [2.0] * 4 + [1.0] * 4, [4, 8]),
        ([1.0] * 12, []),
        ([1.0] * 10 + [1.5], []),
        ([1.0, 2.0, 2.0], []),
        ([1.0] * 10 + [1.005] * 10, []),
        ([], []),
    ],
)
def test_a_series_without_noise_changes_when_it_changes(values: list[float], places: list[int]) -> None:
    """By more than counts, and for as many values as make a level."""
    assert steps(values, 0.01) == places


def test_costs_are_distances_from_the_median() -> None:
    """Kept up value by value, they are what the definition gives."""
    rng = np.random.default_rng(3)
    values = [float(rng.integers(6)) for _ in range(30)]
    for end_of, cost in _costs(values, 4):
        assert cost == pytest.approx(sum(abs(v - median(values[4:end_of])) for v in values[4:end_of]))


def test_the_division_is_the_best() -> None:
    """Of all that there are, in short series."""
    rng = np.random.default_rng(4)
    for _ in range(40):
        values = level(rng, (0.0, 4), (float(rng.choice([0.0, 20.0])), 4))
        price = penalty(8) * noise(values)

        def cost(places: tuple[int, ...], values: list[float] = values, price: float = price) -> float:
            parts = [values[a:b] for a, b in itertools.pairwise([0, *places, 8])]
            short = any(len(part) < SHORTEST for part in parts)
            return float("inf") if short else price * len(places) + sum(abs(v - median(part)) for part in parts for v in part)

        best = min((places for n in range(4) for places in itertools.combinations(range(1, 8), n)), key=cost)
        assert cost(tuple(steps(values, LEAST))) == pytest.approx(cost(best))


# Reading


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Writes a run for each list of lines, a day apart, the first named last, and returns their directory."""

    def write(*each: list[Line], after: str = "") -> Path:
        for day, lines in enumerate(each, 1):
            started = f"2026-11-{day:02}T00:00:00+00:00"
            text = "".join(json.dumps(line) + "\n" for line in (run(f"r{day}", started), *lines, end(f"r{day}")))
            (tmp_path / f"{99 - day}.jsonl").write_text(text + after, encoding="utf-8")
        return tmp_path

    return write


def timed(backend: str, seconds: float, check: str = "forward", dtype: str = "float32", **more: Any) -> Line:
    """A time of a backend."""
    return timing(backend=backend, implementation=f"{backend}.sigmoid", check=check, dtype=dtype, value=seconds, **more)


def test_series_go_from_the_oldest_run_to_the_latest(runs: Runs) -> None:
    """Whatever the files' names; the grid's grades go before others."""
    found = read(runs([graded(1.0)], [graded(2.0, 0.5)], [record()], [graded(3.0)]))
    assert [each.id for each in found.runs] == ["r1", "r2", "r4"]
    assert {each.track.metric: each.values for each in found.series} == {ULP: (1.0, 2.0, 3.0), SHARE: (0.25, 0.5, 0.25)}


def test_a_sweep_has_the_error_of_its_normal_results(runs: Runs) -> None:
    """Zeros in place of subnormal numbers would be all of another one."""
    extra = {"max ulp": 1024.0, "max ulp of normal results": 1.5, "share of bound": 0.9}
    found = read(runs([record("known", dtype="float16", family="sweep", check="sweep value", extra=extra)]))
    assert {each.track.metric: each.values for each in found.series} == {ULP: (1.5,), SHARE: (0.9,)}


def test_times_are_divided_by_those_of_numpy(runs: Runs) -> None:
    """Cell by cell; a gradient by the forward pass, bfloat16 by float32, another operation by the mean of what all runs have."""
    numpy = [timed("numpy", 2.0), timed("numpy", 8.0, operation="softmax")]
    jax = [timed("jax", 1.0), timed("jax", 6.0, "gradient"), timed("jax", 3.0, dtype="bfloat16"), timed("jax", 2.0, operation="relu")]
    found = read(runs([*numpy, *jax], [*numpy, timed("numpy", 5.0, operation="tanh")]))
    first = {(t.backend, t.operation, t.what, t.dtype): v[0] for t, _, v in ((s.track, s.runs, s.values) for s in found.series)}
    assert first == {
        ("numpy", "sigmoid", "forward", "float32"): 0.5,
        ("numpy", "softmax", "forward", "float32"): 2.0,
        ("numpy", "tanh", "forward", "float32"): 1.25,
        ("jax", "sigmoid", "forward", "float32"): 0.5,
        ("jax", "sigmoid", "gradient", "float32"): 3.0,
        ("jax", "sigmoid", "forward", "bfloat16"): 1.5,
        ("jax", "relu", "forward", "float32"): 0.5,
    }


def test_times_without_numpy_are_left_out(runs: Runs) -> None:
    """Seconds of different machines say nothing beside each other; a cell that failed has none."""
    failed = {"status": "error", "value": None}
    assert read(runs([timed("jax", 1.0)], [{**timed("numpy", 1.0), **failed}, timed("jax", 1.0)])).series == ()


def test_a_step_says_what_changed_with_it(runs: Runs) -> None:
    """One row for an implementation, the worst of its cases, and which facts are others than in the run before."""
    old = [facts(jax="0.10.1"), graded(1.0), graded(1.0, dtype="float16")]
    new = [facts(jax="0.10.2"), graded(2.0), graded(4.0, dtype="float16")]
    (step,) = read(runs(*[old] * 3, *[new] * 3)).steps
    track, before, after = step.worst
    assert (track.metric, track.dtype, before, after) == (ULP, "float16", 1.0, 4.0)
    assert (step.at.id, step.before.id, len(step.tracks), step.worse) == ("r4", "r3", 2, True)
    assert step.changed == ["jax 0.10.1 → 0.10.2"]


def test_a_file_cut_off_is_read_up_to_there(runs: Runs) -> None:
    """What a killed process leaves; whoever lacks an end line counts too."""
    assert len(read(runs([graded(1.0)], after='{"kind": "record", "max ulp')).series) == 2


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"kind": "record", "max ulp', "not a line of JSON"),
        ('{"kind": "record", "extra": {"max ulp": 1}}', "'case' is missing"),
        ('{"kind": "run", "run": "r9"}', "'started' is missing"),
        ('{"kind": "run", "run": "r9", "started": "yesterday"}', "Invalid isoformat"),
        ("[]", "not a result line"),
    ],
)
def test_a_wrong_line_is_named(line: str, says: str, runs: Runs) -> None:
    """By file and number."""
    with pytest.raises(ResultsError, match=f"98.jsonl:4: .*{says}"):
        read(runs([graded(1.0)], after=f"{line}\n"))


def test_files_of_one_run_are_one_run(runs: Runs) -> None:
    """As xdist's workers leave them; the larger error counts."""
    where = runs([graded(1.0)])
    (where / "98.jsonl").with_name("other.jsonl").write_text("\n".join(json.dumps(each) for each in (run("r1"), graded(3.0))))
    found = read(where)
    assert [each.id for each in found.runs] == ["r1"]
    assert found.series[0].values == (3.0,)


def test_keeping_copies_once(tmp_path: Path) -> None:
    """Also where the directory is the results' own."""
    (tmp_path / "a.jsonl").write_text("x", encoding="utf-8")
    for directory in (tmp_path, tmp_path / "kept", tmp_path / "kept"):
        keep([tmp_path / "a.jsonl"], directory)
        assert (directory / "a.jsonl").read_text(encoding="utf-8") == "x"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.jsonl", "a.jsonl", "kept"]


# Pages


def test_the_figures_values_are_changes(runs: Runs) -> None:
    """What stays as it is is left out, a gap is marked, and the end is told."""
    found = read(runs([graded(1.0)], [graded(1.0)], [graded(2.0, check="other")], [graded(1.0)], [graded(3.0)]))
    (series,) = [s for s in found.series if s.track.metric == ULP and s.track.what != "other"]
    data = figure_data(found.runs, [series])
    assert data["rows"][0][1:] == [[0, 1.0, 2, None, 3, 1.0, 4, 3.0, 4], []]
    assert [name for _, name, _ in data["runs"]] == ["r1", "r2", "r3", "r4", "r5"]
    assert Track(ULP, "sigmoid", *(data["texts"][place] for place in data["rows"][0][0][1:])) == series.track


def test_the_pages_hold_everything_escaped(runs: Runs, tmp_path: Path) -> None:
    """Steps first, a page for the operation with its figures' data and both tables; no name becomes markup."""
    each = [[graded(1.0 + later, operation=SCRIPT), timed("numpy", 1.0), timed("jax", 2.0)] for later in (0, 0, 1, 1)]
    where = runs(*each)
    build([where / "95.jsonl"], tmp_path / "html", where)
    text = (tmp_path / "html" / "history.html").read_text(encoding="utf-8")
    assert "4 runs, from 2026-11-01 00:00 to 2026-11-04 00:00 UTC" in text
    assert "▲ worse" in text
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "html" / "history").iterdir()}
    assert len(pages) == 2
    assert all(SCRIPT not in page for page in (text, *pages.values()))
    (data,) = re.findall(r'<script type="application/json">(.*?)</script>', pages["sigmoid.html"], re.DOTALL)
    assert {row[0][0] for row in json.loads(data)["rows"]} == {json.loads(data)["texts"].index(SPEED)}


def test_without_a_history_the_page_says_how_to_have_one(runs: Runs, tmp_path: Path) -> None:
    """Both ways."""
    build([runs([record()])], tmp_path / "html")
    text = (tmp_path / "html" / "history.html").read_text(encoding="utf-8")
    assert "pytest --history=DIR" in text
    assert "python -m reports build FILES --history DIR" in text


def test_a_directory_without_results_is_refused(runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line that names it."""
    arguments = ["build", str(runs([record()])), "--output", str(tmp_path / "html"), "--history", str(tmp_path / "nowhere")]
    assert command_line.main(arguments) == command_line.UNUSABLE
    assert f"error: {tmp_path / 'nowhere'}: no such file or directory" in capsys.readouterr().err


def test_runs_are_kept_and_drawn(tmp_path: Path) -> None:
    """Each in its turn; a run whose report is elsewhere finds the earlier ones."""
    for number in (1, 2):
        done = suite(*ONE, "-m", "stability", f"--report={tmp_path / str(number)}", f"--history={tmp_path / 'kept'}")
        assert done.returncode == 0
    assert len(list((tmp_path / "kept").glob("*.jsonl"))) == 2
    assert "2 runs, from " in (tmp_path / "2" / "html" / "history.html").read_text(encoding="utf-8")


def test_a_history_needs_results(tmp_path: Path) -> None:
    """A usage error, and so is a directory that cannot be."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = suite(*ONE, "--no-report", f"--history={tmp_path}")
    assert done.returncode == USAGE_ERROR
    assert "--history and --no-report exclude each other" in done.stderr
    done = suite(*ONE, f"--report={tmp_path / 'report'}", f"--history={tmp_path / 'file'}")
    assert done.returncode == USAGE_ERROR
    assert f"--history: cannot keep results under {tmp_path / 'file'}" in done.stderr + done.stdout
