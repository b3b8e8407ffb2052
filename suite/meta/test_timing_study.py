"""The study of the gate: what it replays, by which rules, and what it says of recordings whose truth is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from suite.gate import LOOKS
from suite.meta import timing_study
from suite.meta.timing_study import EXCHANGES, LIMIT, RULES, Floats, Recording, Replays, Trial, tables

PAIRS, CELLS, ROUNDS = 70, 5, 9


def recording(noise: float = 0.02, slower: tuple[float, ...] = (1.05, 1.10), every: float = 8.0, seed: int = 0) -> Recording:
    """Times with noise from launch to launch, and streams that are slower by so much."""
    rng = np.random.default_rng(seed)
    process = noise * rng.normal(size=(PAIRS, 2, CELLS, 1))
    streams = process[:, [0, *[1] * (1 + len(slower))]]
    within = 0.01 * rng.normal(size=(PAIRS, 2 + len(slower), CELLS, ROUNDS))
    seconds: Floats = 1e-3 * np.exp(streams + within)
    seconds[:, 2:] *= np.array(slower)[:, None, None]
    seconds[:, :, 1, ROUNDS - 2 :] = np.nan  # a cell of fewer rounds
    return Recording(seconds, np.arange(PAIRS, dtype=np.float64) * every, (0.05, 0.10))


def test_cells_are_enough_and_of_all_kinds() -> None:
    """Forty at least, forward and gradient, both modes, small and large, each once."""
    found = timing_study.cells()
    assert len({c.id for c in found}) == len(found) >= 40
    assert {(c.what, c.case.mode) for c in found} == {(w, m) for w in ("forward", "gradient") for m in ("eager", "jit")}
    assert {c.workload.name for c in found} == set(timing_study.SIZES)


def test_a_comparison_of_equals_raises_no_alarm() -> None:
    """Whichever of them are called the new ones."""
    for exchanged in range(EXCHANGES):
        decision, taken = Replays(recording()).gated(Trial(0, 1, exchanged))
        assert not {"slower", "faster"} & set(decision.verdicts)
        assert taken <= LOOKS[-1]


@pytest.mark.parametrize(("exchanged", "verdict"), [(0, "slower"), (1, "faster")])
def test_a_slowed_stream_is_found(exchanged: int, verdict: str) -> None:
    """A tenth; and the other way round."""
    decision, _ = Replays(recording()).gated(Trial(3, 3, exchanged))
    assert set(decision.verdicts) == {verdict}


def test_one_slowed_cell_is_found() -> None:
    """That one, and no other; after a comparison in which all were slowed."""
    replays = Replays(recording())
    for alone in (None, 2):
        decision, _ = replays.gated(Trial(3, 3, alone=alone))
    assert [v == "slower" for v in decision.verdicts] == [c == 2 for c in range(CELLS)]


def test_old_and_new_are_exchanged_in_some_pairs() -> None:
    """In drawn ones, each pair's times as they were."""
    made = recording(slower=(2.0, 2.0)).seconds
    old, new = Trial(0, 3, exchanged=2).sides(made, 0)
    turned = new[:, 0] < old[:, 0]
    assert PAIRS / 4 < turned.sum() < 3 * PAIRS / 4
    assert np.array_equal(np.where(turned[:, None], new, old), made[:, 0, 0])
    assert np.array_equal(np.where(turned[:, None], old, new), made[:, 3, 0])


def test_a_comparison_takes_no_more_than_its_time() -> None:
    """Of launches two minutes apart of which it needs one, ten."""
    slow = recording(noise=0.3, every=120.0)
    assert slow.within(0) == LIMIT / 60.0
    assert Replays(slow).gated(Trial(0, 1))[1] == 10
    assert slow.within(PAIRS - 3) == 3


@pytest.mark.parametrize(("rule", "factor", "found"), [(n, f, f > t) for n, t in
                         zip(RULES, (1.05, 1.10, 1.05, 1.05, 1.10), strict=True) for f in (1.02, 1.2)])  # fmt: skip
def test_the_rules_of_others(rule: str, factor: float, found: bool) -> None:
    """Each at its own threshold, on times without noise from launch to launch."""
    flagged = RULES[rule](recording(noise=0.0, slower=(factor, factor)), Trial(0, 2))
    assert flagged.tolist() == [found] * CELLS


def test_one_process_is_not_enough() -> None:
    """What a threshold for one process flags where nothing has changed, at the noise of a shared machine."""
    noisy = recording(noise=0.05)
    flagged = [RULES["pytest-benchmark, `median:5%`"](noisy, Trial(f, 1)).mean() for f in range(PAIRS)]
    assert np.mean(flagged) > 0.1


def test_the_tables_say_what_is_there() -> None:
    """Every rule in a row; no false alarm of the gate, all that is 10 % slower found."""
    text = tables(recording())
    gate = next(line for line in text.splitlines() if line.startswith("| gate"))
    assert "| 0 of " in gate
    assert gate.endswith("100.0% |")
    assert all(f"| {rule} |" in text for rule in RULES)
    assert f"{2 * PAIRS} launches" in text


def test_a_recording_is_read_back(tmp_path: Path) -> None:
    """As it was written, pair by pair."""
    made = recording()
    about = {"cells": [], "slowdowns": made.slowdowns, "starts": made.starts.tolist()}
    np.savez(tmp_path / "r.npz", seconds=made.seconds, about=np.array(json.dumps(about)))
    found = Recording.read(tmp_path / "r.npz")
    assert np.array_equal(found.seconds, made.seconds, equal_nan=True)
    assert (found.slowdowns, found.pairs) == (made.slowdowns, PAIRS)
