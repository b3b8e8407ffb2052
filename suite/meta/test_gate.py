"""The gate for time: turns, launches, cells that are clear, and everything that can go wrong with a process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest

from suite import gate, machine, wire
from suite.gate import FEWEST_ROUNDS, LOOKS, MOST_ROUNDS, CellError, Gate, Paces, Stream
from suite.model import Case, Ratio
from suite.processes import Absent, FrameworkError, Process, Processes, Request, StartError, WorkerError
from suite.workloads import WORKLOADS, Cell

SMALL = next(w for w in WORKLOADS if w.name == "1e3")
CELLS = [Cell(Case(name, "numpy", f"numpy.{name}", "eager", "float32"), "forward", SMALL) for name in ("exp", "log", "tanh")]
BY_ID = {cell.id: cell.case.operation for cell in CELLS}

Trouble = Callable[[str, str], None]
"""Of what is done and the operation: raises, or does nothing."""


def fine(_do: str, _operation: str) -> None:
    """No trouble."""


@dataclass
class FakeProcess:
    """A worker that is as fast as it says: seconds of a call by operation, with noise of its own launch."""

    seconds: Mapping[str, float]
    rng: np.random.Generator
    trouble: Trouble = fine
    asked: list[tuple[str, str]] = field(default_factory=list)
    extras: list[int] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    cores: list[int] = field(default_factory=list)
    noise: float = 0.02

    def __post_init__(self) -> None:
        self._launch = {name: float(np.exp(self.noise * self.rng.normal())) for name in self.seconds}

    def pin(self, core: int) -> None:
        """Notes the core."""
        self.cores.append(core)

    def submit(self, request: Request) -> Future[wire.Message]:
        """Answers at once."""
        do, operation = request.header["do"], BY_ID[request.header["slot"]]
        self.asked.append((do, operation))
        self.extras.append(request.header.get("extra", 0))
        self.named += [request.header["implementation"]] if do == "prepare" else []
        answer: Future[wire.Message] = Future()
        try:
            self.trouble(do, operation)
        except (WorkerError, Absent) as error:
            answer.set_exception(error)
        else:
            each = self.seconds[operation] * self._launch[operation] * float(np.exp(self.noise / 3 * self.rng.normal()))
            answer.set_result(({"seconds": each * request.header.get("count", 1), "first call": each}, {}))
        return answer


@dataclass
class Fakes:
    """Launches of one release; what was launched, and how much of it is still running."""

    factors: Mapping[str, float] = field(default_factory=dict)
    trouble: Trouble = fine
    seed: int = 0
    launched: list[FakeProcess] = field(default_factory=list)
    running: int = 0

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)

    def __call__(self) -> Processes:
        """Another launch."""
        seconds = {name: 1e-4 * self.factors.get(name, 1.0) for name in BY_ID.values()}
        process = FakeProcess(seconds, self._rng, self.trouble)
        self.launched.append(process)
        self.running += 1
        return cast("Processes", _Launched(self, process))


@dataclass
class _Launched:
    owner: Fakes
    process: FakeProcess

    def of(self, _case: Case) -> FakeProcess:
        return self.process

    def steady(self, core: int | None, _cache: str) -> None:
        self.process.cores += [] if core is None else [core]

    def close(self) -> None:
        self.owner.running -= 1


def compared(old: Fakes, new: Fakes, seconds: float = 1e9) -> dict[str, Ratio]:
    """What the gate says, by operation; nothing may be left running."""
    made = Gate(CELLS, old, new, seconds)
    made.run()
    assert old.running == new.running == 0
    return {r.case.operation: r for r in made.ratios()}


def verdicts(found: Mapping[str, Ratio]) -> dict[str, str]:
    """Of each operation."""
    return {name: ratio.verdict for name, ratio in found.items()}


def failing(error: Exception, do: str = "loop", operation: str = "log", times: int = 10**6) -> Trouble:
    """Raises at an operation, so many times."""
    left = [times]

    def trouble(asked: str, about: str) -> None:
        if (asked, about) == (do, operation) and left[0]:
            left[0] -= 1
            raise error

    return trouble


def test_a_release_against_itself_is_the_same() -> None:
    """All cells, some of them early."""
    found = compared(Fakes(seed=1), Fakes(seed=2))
    assert set(verdicts(found).values()) == {"same"}
    assert any(r.launches < LOOKS[-1] for r in found.values())
    assert [r.ratio for r in found.values()] == pytest.approx([1.0] * len(CELLS), abs=0.02)


def test_one_slower_and_one_faster_function_are_found() -> None:
    """Those, and no other, with their ratios."""
    found = compared(Fakes(seed=1), Fakes({"log": 1.2, "tanh": 0.8}, seed=2))
    assert verdicts(found) == {"exp": "same", "log": "slower", "tanh": "faster"}
    assert found["log"].ratio == pytest.approx(1.2, rel=0.04)
    assert found["log"].old == pytest.approx(1e-4, rel=0.05)
    assert found["log"].new == pytest.approx(1.2e-4, rel=0.05)


def test_a_clear_cell_is_timed_no_more() -> None:
    """A factor of three is clear at the first look; what is hard goes on."""
    old, new = Fakes(seed=1), Fakes({"log": 3.0, "exp": 1.02}, seed=2)
    found = compared(old, new)
    assert found["log"].launches == LOOKS[0] < found["exp"].launches
    assert ("loop", "log") not in new.launched[LOOKS[0]].asked


def test_what_cannot_be_told_says_how_much_is_needed() -> None:
    """A little below the effect: open after the last look; a number, or that none will do."""
    found = compared(Fakes(seed=1), Fakes({"exp": 1.017}, seed=2))["exp"]
    assert found.verdict == "cannot tell"
    assert found.launches == LOOKS[-1]
    assert found.needed is None or found.needed > LOOKS[-1]


@pytest.mark.parametrize("do", ["prepare", "loop"])
def test_a_function_that_raises_was_not_measured(do: str) -> None:
    """The others are; the message names the release and the error."""
    found = compared(Fakes(seed=1), Fakes(trouble=failing(FrameworkError("no such kernel"), do), seed=2))
    assert verdicts(found) == {"exp": "same", "log": "not measured", "tanh": "same"}
    assert found["log"].message == "new: no such kernel"


def test_a_process_that_dies_costs_one_cell() -> None:
    """Its turn is repeated without it."""
    found = compared(Fakes(trouble=failing(WorkerError("died with signal 9")), seed=1), Fakes(seed=2))
    assert verdicts(found) == {"exp": "same", "log": "not measured", "tanh": "same"}
    assert found["log"].message == "old: died with signal 9"


@pytest.mark.parametrize("kind", [Absent, StartError])
def test_a_release_that_does_not_start_was_not_measured(kind: type[Exception]) -> None:
    """No cell is green, and none is to blame: there is one launch."""
    new = Fakes(trouble=failing(kind("cannot be imported"), "prepare"), seed=2)
    found = compared(Fakes(seed=1), new)
    assert len(new.launched) == 1
    assert set(verdicts(found).values()) == {"not measured"}
    assert {r.message for r in found.values()} == {"cannot be imported"}


def test_time_that_is_up_is_no_verdict() -> None:
    """One launch says nothing of any cell."""
    found = compared(Fakes(seed=1), Fakes({"log": 3.0}, seed=2), seconds=0.0)
    assert set(verdicts(found).values()) == {"not measured"}
    assert all("launches" in r.message for r in found.values())


@pytest.mark.parametrize("all_cores", [False, True])
def test_both_are_timed_on_one_core(all_cores: bool) -> None:
    """Started on different ones, if there are, since they prepare at once; and each core has its turn. Unless every core is wanted."""
    old, new = Fakes(seed=1), Fakes({"exp": 1.02}, seed=2)
    Gate(CELLS, old, new, 1e9, all_cores=all_cores).run()
    both = [(one.cores, other.cores) for one, other in zip(old.launched, new.launched, strict=True)]
    if all_cores:
        assert both == [([], [])] * len(both)
        return
    available = len(machine.cores())
    assert all(own == pinned == other[1] for (own, pinned), other in both)
    assert all((other[0] != own[0]) == (available > 1) for own, other in both)
    assert len({own[0] for own, _ in both}) == min(available, len(both))


def test_a_hiccup_does_not_slow_a_pace() -> None:
    """One call of four that takes a thousand times as long."""
    process = FakeProcess({"exp": 1e-4}, np.random.default_rng(0), noise=0.0)
    slow = iter([False, True])
    process.trouble = lambda do, _: process.seconds.update(exp=0.1 if do == "loop" and next(slow, False) else 1e-4)  # type: ignore[attr-defined]
    paces: Paces = {}
    gate.timed([cast("Process", process)], CELLS[:1], paces, (Stream(0),))
    assert paces[CELLS[0].id].calls == 20


def test_an_interrupted_comparison_keeps_what_it_has() -> None:
    """What was clear stays clear; nothing runs on."""
    calls = []

    def told(launches: int, _open: int) -> None:
        calls.append(launches)
        if launches == LOOKS[0] + 1:
            raise KeyboardInterrupt

    old, new = Fakes(seed=1), Fakes({"log": 3.0, "exp": 1.02}, seed=2)
    made = Gate(CELLS, old, new, 1e9)
    with pytest.raises(KeyboardInterrupt):
        made.run(told)
    assert {r.case.operation: r.verdict for r in made.ratios()}["log"] == "slower"
    assert old.running == new.running == 0


def test_streams_take_turns() -> None:
    """Each begins a round as often as the others, give or take one."""
    order: list[int] = []
    running = [Fakes(trouble=lambda do, _, k=k: order.append(k) if do == "loop" else None)() for k in (0, 1)]  # type: ignore[misc]
    processes = [r.of(CELLS[0].case) for r in running]
    seconds = gate.timed(processes, CELLS[:1], {})
    in_rounds = order[-MOST_ROUNDS * 4 :: 4]
    assert seconds.shape == (2, 1, MOST_ROUNDS)
    assert abs(in_rounds.count(0) - in_rounds.count(1)) <= 1


def test_a_cell_may_go_by_another_name_in_the_new_release() -> None:
    """What is prepared there is what that calls it."""
    processes = [FakeProcess({"exp": 1e-4}, np.random.default_rng(0)) for _ in range(2)]
    named = [cast("Process", p) for p in processes]
    gate.timed(named, CELLS[:1], {}, called=lambda process, cell: f"{cell.case.implementation}{' (new)' * process}")
    assert [set(p.named) for p in processes] == [{"numpy.exp"}, {"numpy.exp (new)"}]


def test_a_stream_adds_to_the_request() -> None:
    """What a study of the gate asks for beside the cell."""
    process = FakeProcess({"exp": 1e-4}, np.random.default_rng(0))
    gate.timed([cast("Process", process)], CELLS[:1], {}, (Stream(0), Stream(0, lambda _: {"extra": 7})))
    assert process.extras.count(7) == 2 * MOST_ROUNDS
    assert process.extras.count(0) == 2 * MOST_ROUNDS + len(["prepare", "once", *range(3)])


def test_who_failed_is_told() -> None:
    """The cell, the place of the process, and whether it goes on."""
    processes = [Fakes(trouble=t)().of(CELLS[0].case) for t in (fine, failing(FrameworkError("no"), "prepare"))]
    with pytest.raises(CellError, match="no") as caught:
        gate.timed(processes, CELLS, {})
    assert (caught.value.cell, caught.value.process, caught.value.died) == (CELLS[1], 1, False)


def test_a_real_process_is_timed() -> None:
    """NumPy's, with work added and without."""
    running = Processes(time_limit=60.0, worker="suite.meta.slowed")
    try:
        seconds = gate.timed([running.of(CELLS[0].case)], CELLS[:1], {}, (Stream(0), Stream(0, lambda _: {"extra": 10})))
    finally:
        running.close()
    assert seconds.shape == (2, 1, MOST_ROUNDS)
    assert (seconds[..., :FEWEST_ROUNDS] > 0).all()


@pytest.mark.parametrize(
    ("each", "calls", "rounds"), [(1e-6, 2000, MOST_ROUNDS), (1e-4, 20, MOST_ROUNDS), (5e-3, 1, 12), (1.0, 1, FEWEST_ROUNDS)]
)
def test_slow_cells_have_fewer_rounds(each: float, calls: int, rounds: int) -> None:
    """And fast ones more calls in each; what was once found is kept from launch to launch."""
    paces: Paces = {}
    for factor in (1.0, 3.0):
        process = FakeProcess({"exp": each * factor}, np.random.default_rng(0), noise=0.0)
        seconds = gate.timed([cast("Process", process)], CELLS[:1], paces, (Stream(0),))
        assert (paces[CELLS[0].id].calls, paces[CELLS[0].id].rounds) == (calls, rounds)
        assert np.isfinite(seconds).sum() == rounds
