"""The ratchet: what baselines hold, what is compared with them where, what fails, what asks to be recorded, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from suite import baselines, ratchet
from suite.baselines import RESOLUTION, Baseline, BaselineError, Baselines, grew, rounded_up
from suite.batch import Batch
from suite.cases import PROFILES, all_cases
from suite.checks import checks
from suite.floats import FORMATS, round_to
from suite.judging import Outcome, judge
from suite.meta.sample_results import end, record, run
from suite.meta.test_options import ONE, USAGE_ERROR, suite
from suite.model import Case, Record
from suite.platforms import Platform
from suite.processes import Processes
from suite.session import Session

VALUE = checks()["value_within_bound"]
CASE = Case("softmax", "numpy", "scipy.special.softmax", "eager", "float32")
FACTS = {"cpu": "A CPU", "vector extensions": "avx avx2", "numpy": "2.4.0", "scipy": "1.17.0", "numpy cpu features": "AVX AVX2"}
HERE = Platform.of("numpy", "cpu", FACTS)
GRID = {"inputs": "0badcafe", **dict.fromkeys(RESOLUTION, 0.0), "max ulp": 1.0, "lost bits": 0.5, "share of bound": 0.25}


def held(grid: Mapping[str, Any] = GRID, platform: Platform = HERE, directory: Path = Path()) -> Baseline:
    """A baseline of one case."""
    return Baseline(directory / f"{platform.name}.json", platform, {CASE.id: {VALUE.name: grid}})


def measured(**grid: Any) -> Record:
    """A record of that case."""
    return Record(CASE, VALUE.name, VALUE.family, "share of bound", "pass", extra={"grid": {**GRID, **grid}})


@pytest.fixture
def session() -> Iterator[Session]:
    """One with NumPy's worker."""
    processes = Processes(time_limit=60.0)
    yield Session(processes, PROFILES["quick"], 1, 1)
    processes.close()


def outcome(session: Session, known: Baselines) -> Outcome:
    """What a run makes of the case."""
    return ratchet.hold(known, session, VALUE, CASE, judge(session, VALUE, CASE, "numpy-cpu"))


def recorded(session: Session) -> Baseline:
    """The case's baseline as a run of the session records it."""
    grid = outcome(session, Baselines([])).records[0].extra["grid"]
    grid = {n: rounded_up(g) if n in RESOLUTION else g for n, g in grid.items()}
    return held(grid, Platform.of("numpy", "cpu", session.facts(CASE)))


def coarser(session: Session, monkeypatch: pytest.MonkeyPatch, units: int) -> None:
    """Makes every result larger by some units in the last place."""
    evaluate, fmt = session.evaluate, FORMATS[CASE.dtype]

    def worse(case: Case, batch: Batch, *question: Any) -> Any:
        return {n: round_to(fmt, a * (1.0 + units * 2.0 * fmt.u)) for n, a in evaluate(case, batch, *question).items()}

    monkeypatch.setattr(session, "evaluate", worse)


def test_the_projects_own_baselines_are_sound() -> None:
    """Each can be read, speaks of cases that there are, and is small enough to be looked at."""
    names = {case.id for case in all_cases()}
    for baseline in baselines.load().known:
        assert set(baseline.grades) <= names
        assert baseline.path.stat().st_size < 300_000


def test_the_same_results_are_as_good_as_their_baseline(session: Session) -> None:
    """Whatever the seed."""
    known = Baselines([recorded(session)])
    again = outcome(Session(session.processes, PROFILES["ci"], 2, 3), known)
    assert again.failures == []
    assert list(known.notes("FILES")) == []


def test_a_loss_of_digits_within_the_bound_fails(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound lets it pass; the ratchet does not, and says since when, where, and how to see it."""
    known = Baselines([recorded(session)])
    coarser(session, monkeypatch, 2)
    assert judge(session, VALUE, CASE, "").failures == []
    (failure,) = outcome(session, known).failures
    for text in ("holds, and got worse than its baseline: ", f"recorded with numpy {np.__version__}", "input     x = [", "write"):
        assert text in failure


def test_the_script_of_a_failure_fails(session: Session) -> None:
    """It allows what the baseline allows."""
    grid = dict(recorded(session).grades[CASE.id][VALUE.name])
    doctored = held({**grid, "max ulp": 0.5}, Platform.of("numpy", "cpu", session.facts(CASE)))
    found = outcome(session, Baselines([doctored])).records[0]
    assert found.status == "fail"
    assert found.extra["baseline"] == {"max ulp": 0.5}
    with pytest.raises(AssertionError, match="not within the bound"):
        exec(found.reproduction, {})  # noqa: S102 - a script for a person to run


def test_known_regions_are_left_out(session: Session) -> None:
    """Grades are those of what is judged, and where that changes the inputs are others."""
    judged = ratchet.on_grid(judge(session, VALUE, CASE, "").judgements)
    everything = ratchet.of_grid(FORMATS["float32"], judged)
    wide = np.ptp(judged[0].batch.flat()["x"], axis=-1) > 16.0
    fewer = ratchet.of_grid(FORMATS["float32"], [replace(j, judged=j.judged & ~wide[:, None]) for j in judged])
    assert fewer["max ulp"] < everything["max ulp"]
    assert fewer["inputs"] != everything["inputs"]


def test_what_is_known_to_fail_throughout_is_held_too(session: Session) -> None:
    """Nothing is left for the verdict, everything for the ratchet."""
    judgements = judge(session, VALUE, CASE, "").judgements
    known = [replace(j, judged=np.zeros_like(j.judged)) for j in judgements]
    assert ratchet.of_grid(FORMATS["float32"], ratchet.on_grid(known)) == ratchet.of_grid(FORMATS["float32"], ratchet.on_grid(judgements))


@pytest.mark.parametrize(
    ("name", "before", "after", "here", "later"),
    [
        ("max ulp", 1.0, 1.2, False, False),
        ("max ulp", 1.0, 1.3, True, False),
        ("share of bound", 0.25, 0.6, True, True),
        ("lost bits", 0.5, 0.7, False, False),
        ("lost bits", 0.5, 1.2, True, False),
        ("lost bits", 0.5, 1.6, True, True),
        ("premature zeros", 8.0, 8.0, False, False),
        ("premature zeros", 8.0, 12.0, True, False),
        ("non-finite", 0.0, 1.0, True, True),
    ],
)
def test_how_much_worse_is_worse(name: str, before: float, after: float, here: bool, later: bool) -> None:
    """A quarter of a bit by the same versions, one bit by others: sums may be taken in another order."""
    assert grew(name, before, after) is here
    assert grew(name, before, after, "other versions") is later


@pytest.mark.parametrize("grade", [0.0, 1.0, 0.50001, 1234.5678, 3e-9, 1e300])
def test_rounding_up_never_falls_below(grade: float) -> None:
    """What has been recorded holds the next time."""
    assert grade <= rounded_up(grade) <= grade * 1.001


def test_better_asks_to_be_recorded() -> None:
    """In one line, with the command."""
    known = Baselines([held()])
    found = known.compare(measured(**{"max ulp": 0.5}), FACTS)
    assert found is not None
    assert found.better
    assert list(known.notes("FILES")) == [
        "baselines: numpy: 1 results compared, 1 better; record them: python -m suite.baselines write FILES"
    ]


def test_what_was_held_is_on_record() -> None:
    """Against which baseline, and how many results it had anything to say about."""
    known = Baselines([held()])
    known.compare(measured(**{"max ulp": 0.5}), FACTS)
    known.compare(measured(inputs="others"), FACTS)
    (told,) = known.held()
    assert (told.kinship, told.versions, told.baseline) == ("same", "numpy 2.4.0", f"{told.platform}.json")
    assert (told.graded, told.compared, told.worse, told.better) == (2, 1, 0, 1)


def test_a_result_better_than_its_baseline_says_so(session: Session) -> None:
    """The grade as it was, and as it is."""
    grid = dict(recorded(session).grades[CASE.id][VALUE.name])
    worse = held({**grid, "max ulp": 8.0 * grid["max ulp"]}, Platform.of("numpy", "cpu", session.facts(CASE)))
    (record, *_) = outcome(session, Baselines([worse])).records
    before, now = record.extra[ratchet.BETTER]["max ulp"]
    assert (record.status, before) == ("pass", 8.0 * grid["max ulp"])
    assert now <= grid["max ulp"]


def test_other_versions_are_compared_and_named() -> None:
    """Both are: what was recorded, and what is here."""
    known = Baselines([held()])
    found = known.compare(measured(**{"max ulp": 5.0, "lost bits": 1.6}), {**FACTS, "numpy": "2.5.0"})
    assert found is not None
    assert found.worse == {"lost bits": 0.5}
    assert found.versions == "numpy 2.4.0, here 2.5.0"
    assert list(known.notes("FILES")) == ["baselines: numpy: 1 results compared, recorded with numpy 2.4.0, here 2.5.0, 1 worse"]


def test_of_other_versions_the_latest_counts() -> None:
    """2.10 is later than 2.9."""
    older, latest = (held(platform=Platform.of("numpy", "cpu", {**FACTS, "numpy": v})) for v in ("2.9.0", "2.10.0"))
    found = Baselines([latest, older]).compare(measured(), {**FACTS, "numpy": "2.11.0"})
    assert found is not None
    assert found.versions == "numpy 2.10.0, here 2.11.0"


@pytest.mark.parametrize("elsewhere", [{"vector extensions": "avx"}, {"numpy cpu features": "AVX"}])
def test_on_another_cpu_digits_are_not_compared(elsewhere: dict[str, str]) -> None:
    """Other kernels have other errors; a result that is no number is the formula's doing. The run says so."""
    known = Baselines([held()])
    found = known.compare(measured(**{"lost bits": 5.0, "premature zeros": 1.0, "non-finite": 1.0}), {**FACTS, **elsewhere})
    assert found is not None
    assert found.worse == {"non-finite": 0.0}
    (note,) = known.notes("FILES")
    assert "unknown platform (A CPU, " in note
    assert "known: A CPU with numpy 2.4.0): of 1 results is compared whether they are finite, no more; record them: " in note


@pytest.mark.parametrize("known", [[], [held(platform=Platform.of("jax", "cpu", FACTS))], [held(platform=replace(HERE, device="gpu"))]])
def test_another_backend_or_device_says_nothing(known: list[Baseline]) -> None:
    """Nothing is compared, and the run says that too."""
    found = Baselines(known)
    assert found.compare(measured(**{"non-finite": 9.0}), FACTS) is None
    assert "unknown platform" in next(found.notes("FILES"))


@pytest.mark.parametrize("other", [replace(measured(), check="another"), measured(inputs="1"), replace(measured(), extra={})])
def test_what_has_no_baseline_is_not_compared(other: Record) -> None:
    """A new check, other inputs, a record without grades."""
    assert Baselines([held()]).compare(other, FACTS) is None


def test_sweeps_are_held_too() -> None:
    """By their errors of normal results, their histogram, and what is zero too soon; a part of the inputs is no sweep."""
    extra = {"inputs": 8, "histogram": [4, 2, 1, 1], "max ulp of normal results": 1.5, "flushed in": 1, "flushed out": 2, "non-finite": 0}
    swept = Record(replace(CASE, dtype="float16"), "sweep value", "sweep", "max error (ulp)", "pass", 7.0, extra=extra)
    grades = baselines.graded(swept)
    assert grades is not None
    assert grades == pytest.approx({**grades, "inputs": "8", "max ulp": 1.5, "lost bits": (2 + np.log2(3) + 2) / 8, "flushed": 3})
    assert baselines.graded(replace(swept, check="sweep value, shards 0 to 1 alone")) is None
    assert baselines.graded(replace(swept, case=CASE)) is None


# Files and the command


def results(path: Path, status: Any = "pass", facts: dict[str, str] = FACTS, **more: Any) -> Path:
    """A result file with a record of the case."""
    line = {**measured().to_json(), "environment": "numpy-cpu", "status": status, **more}
    environment = {"kind": "environment", "id": "numpy-cpu", "backend": "numpy", "facts": facts}
    path.write_text("\n".join(json.dumps(part) for part in (run(), environment, line, record(), end())), encoding="utf-8")
    return path


def test_write_records_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """First what is new, then what got worse; another case's grades stay as they are."""
    options = ["--baselines", str(tmp_path / "kept")]
    assert baselines.main(["write", str(results(tmp_path / "1.jsonl")), *options]) == 0
    assert "numpy 2.4.0 on A CPU: 1 new" in capsys.readouterr().out
    worse = {**measured(**{"max ulp": 2.0}).extra, "baseline": {"max ulp": 1.0}}
    assert baselines.main(["write", str(results(tmp_path / "2.jsonl", "fail", extra=worse)), *options]) == 0
    told = capsys.readouterr().out
    assert "1 worse" in told
    assert f"worse: {CASE.id} value_within_bound: max ulp 1 -> 2" in told
    (kept,) = baselines.load(tmp_path / "kept").known
    assert kept.grades[CASE.id][VALUE.name] == {**GRID, "max ulp": 2.0}


def test_versions_have_files_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What an older release could do is not forgotten."""
    for name, version in (("1.jsonl", "2.4.0"), ("2.jsonl", "2.5.0")):
        assert (
            baselines.main(["write", str(results(tmp_path / name, facts={**FACTS, "numpy": version})), "--baselines", str(tmp_path)]) == 0
        )
    assert baselines.main(["show", "--baselines", str(tmp_path)]) == 0
    shown = capsys.readouterr().out.splitlines()[-2:]
    assert sorted(line.partition(": ")[2] for line in shown) == [
        f"numpy {version}, scipy 1.17.0; A CPU, cpu; 1 results" for version in ("2.4.0", "2.5.0")
    ]


def test_what_does_not_hold_is_no_baseline(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A check that fails has to be mended first."""
    assert baselines.main(["write", str(results(tmp_path / "1.jsonl", "fail")), "--baselines", str(tmp_path)]) == 0
    assert "nothing that a baseline could hold" in capsys.readouterr().out
    assert list(tmp_path.glob("*.json")) == []


def test_grades_that_are_none_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By file, case and check; nothing is written."""
    wrong = results(tmp_path / "1.jsonl", extra={"grid": {**GRID, "lost bits": "inf"}})
    assert baselines.main(["write", str(wrong), "--baselines", str(tmp_path)]) == USAGE_ERROR
    assert f"error: {wrong}: {CASE.id}: value_within_bound: not the grades of a baseline" in capsys.readouterr().err
    assert list(tmp_path.glob("*.json")) == []


def test_a_case_that_no_table_names_goes(tmp_path: Path) -> None:
    """Writing leaves out what no run can measure any more."""
    baselines.save(replace(held(directory=tmp_path), grades={CASE.id: {"another": GRID}, "gone": {VALUE.name: GRID}}))
    list(baselines.write([results(tmp_path / "1.jsonl")], tmp_path))
    (kept,) = baselines.load(tmp_path).known
    assert {case: set(found) for case, found in kept.grades.items()} == {CASE.id: {"another", VALUE.name}}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.pop("platform"), "'platform' is missing"),
        (lambda data: data.update(format=2), "format 2 .*this version reads 1"),
        (lambda data: data["cases"][CASE.id][VALUE.name].pop(), "should be inputs, max ulp"),
        (lambda data: data["platform"]["versions"].update(numpy="9"), "would be in a file named numpy-"),
        (lambda data: data["platform"].update(backend="torch"), "unknown backend 'torch'; known are numpy"),
        (lambda data: data["platform"].update(settings=3), "."),
        (lambda data: data.update(cases=[]), "."),
    ],
)
def test_a_file_that_is_no_baseline_is_refused(change: Any, says: str, tmp_path: Path) -> None:
    """By name, with what is wrong and what writes one."""
    baselines.save(held(directory=tmp_path))
    (path,) = tmp_path.glob("*.json")
    data = json.loads(path.read_text(encoding="utf-8"))
    change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(BaselineError, match=f"{path.name}: not a baseline: .*{says}.*python -m suite.baselines writes one"):
        baselines.load(tmp_path)


@pytest.mark.parametrize("arguments", [("write", "nowhere.jsonl"), ("show", "--baselines", "nowhere")])
def test_the_command_refuses_what_is_not_there(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """In one line."""
    assert baselines.main(arguments) == USAGE_ERROR
    assert capsys.readouterr().err.startswith("error: nowhere")


@pytest.mark.parametrize("arguments", [(), ("wipe",), ("write",), ("show", "--baseline", "fixtures")])
def test_wrong_options_end_as_everywhere(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """With the exit code that is not the one of an interrupted run, and how the command is used."""
    assert baselines.main(arguments) == USAGE_ERROR
    assert "see python -m suite.baselines" in capsys.readouterr().err


# Whole runs


def test_a_run_fails_by_a_baseline_better_than_what_it_measures(tmp_path: Path) -> None:
    """Recorded, doctored, held against: exit code 1, and the message. As recorded it passes."""
    kept = f"--baselines={tmp_path / 'kept'}"
    (tmp_path / "kept").mkdir()
    done = suite(*ONE, "-m", "stability", f"--report={tmp_path / 'first'}", kept)
    assert done.returncode == 0
    assert "baselines: numpy: unknown platform (" in done.stdout
    list(baselines.write([tmp_path / "first"], tmp_path / "kept"))
    assert "baselines:" not in suite(*ONE, "-m", "stability", "--no-report", kept).stdout
    (baseline,) = baselines.load(tmp_path / "kept").known
    lowered = {c: {k: {**g, "max ulp": 0.1} for k, g in found.items()} for c, found in baseline.grades.items()}
    baselines.save(replace(baseline, grades=lowered))
    done = suite(*ONE, "-m", "stability", f"--report={tmp_path / 'second'}", kept)
    assert done.returncode == 1
    assert "value_within_bound holds, and got worse than its baseline: max ulp" in done.stdout


def test_a_wrong_file_ends_a_run_before_it_begins(tmp_path: Path) -> None:
    """A usage error in one line."""
    (tmp_path / "numpy-0.json").write_text("{", encoding="utf-8")
    done = suite(*ONE, "--no-report", f"--baselines={tmp_path}")
    assert done.returncode == USAGE_ERROR
    assert "ERROR: --baselines: " in done.stdout + done.stderr
    assert "numpy-0.json: not a baseline" in done.stdout + done.stderr
