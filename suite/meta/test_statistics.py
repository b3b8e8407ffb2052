"""Verdicts on times: the estimate, its error, what is called what, and how often that is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from suite.statistics import EFFECT, FEWEST, Estimate, Floats, estimate, needed, verdicts


def rng(seed: int = 0) -> np.random.Generator:
    """A generator with a seed of its own."""
    return np.random.default_rng(seed)


def times(seed: int, launches: int = 10, rounds: int = 7, process: float = 0.03, within: float = 0.02) -> Floats:
    """Seconds about 1 ms, with noise from process to process and within each."""
    draw = rng(seed)
    noise = process * draw.normal(size=(launches, 1)) + within * draw.normal(size=(launches, rounds))
    return np.asarray(1e-3 * np.exp(noise))


def believed(log_ratio: float, error: float, launches: int = 20) -> Estimate:
    """An estimate as if from so many launches."""
    return Estimate(log_ratio, error, launches - 2 * int(launches / 5) - 1, launches)


def test_equal_times_are_the_same() -> None:
    """Without noise there is no error to speak of."""
    old = times(1)
    found = estimate(old, old, rng())
    assert found.log_ratio == 0.0
    assert found.interval() == pytest.approx((1.0, 1.0), abs=1e-6)
    assert verdicts([found], 1) == ["same"]


@pytest.mark.parametrize(("factor", "verdict"), [(1.3, "slower"), (1 / 1.3, "faster")])
def test_a_large_change_is_seen_either_way(factor: float, verdict: str) -> None:
    """And the interval holds it."""
    found = estimate(times(1), times(2) * factor, rng())
    low, high = found.interval()
    assert low < factor < high
    assert verdicts([found], 6) == [verdict]


def test_both_directions_are_treated_alike() -> None:
    """Old and new changed, the ratio is the reciprocal and the error the same, but for the bootstrap's own."""
    there, back = estimate(times(1), times(2), rng()), estimate(times(2), times(1), rng())
    assert there.log_ratio == pytest.approx(-back.log_ratio, abs=1e-12)
    assert there.error == pytest.approx(back.error, rel=0.1)


def test_one_disturbed_launch_moves_little() -> None:
    """A launch of three times the time would move a mean by a tenth of 110 %."""
    old, new = times(1), times(2)
    disturbed = new.copy()
    disturbed[4] *= 3.0
    assert abs(estimate(old, disturbed, rng()).log_ratio - estimate(old, new, rng()).log_ratio) < 0.02


def test_one_disturbed_round_moves_little() -> None:
    """However long it took: of seven, one more is on the other side of the median."""
    old, new = times(1), times(2)
    disturbed = new.copy()
    disturbed[:, 3] *= 50.0
    assert abs(estimate(old, disturbed, rng()).log_ratio - estimate(old, new, rng()).log_ratio) < 0.02


def test_what_disturbs_both_is_no_difference() -> None:
    """Rounds that are slow for both, each by another factor: the ratios are what they were."""
    old, new = times(1), times(2)
    weather = np.exp(rng(3).normal(size=old.shape))
    assert estimate(old * weather, new * weather, rng()).log_ratio == pytest.approx(estimate(old, new, rng()).log_ratio, abs=1e-12)


def test_rounds_do_not_stand_in_for_launches() -> None:
    """A hundred times as many rounds leave the error where it was; four times as many launches halve it."""
    few = estimate(times(1), times(2), rng()).error
    assert estimate(times(1, rounds=700), times(2, rounds=700), rng()).error == pytest.approx(few, rel=0.5)
    assert estimate(times(1, launches=160), times(2, launches=160), rng()).error < few / 2


@pytest.mark.parametrize("launches", [FEWEST, 9, 19])
def test_false_alarms_are_as_rare_as_they_should_be(launches: int) -> None:
    """Of 300 comparisons of equals, p < 0.05 for "nothing has changed" at most as often as 5 % allows, with three standard deviations."""
    found = [estimate(times(2 * s, launches), times(2 * s + 1, launches), rng(s)) for s in range(300)]
    p = np.array([2 * stats.t.sf(abs(e.log_ratio) / e.error, e.freedom) for e in found])
    assert (p < 0.05).mean() <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 300)


def test_the_interval_holds_the_truth() -> None:
    """In 95 of 100 cases at least, less three standard deviations; and not always, or it would be too wide."""
    inside = []
    for seed in range(200):
        low, high = estimate(times(2 * seed, 12), times(2 * seed + 1, 12) * 1.1, rng(seed)).interval(0.8)
        inside.append(low < 1.1 < high)
    assert 0.8 - 3 * math.sqrt(0.16 / 200) <= np.mean(inside) < 0.95


def test_a_change_below_the_effect_is_none() -> None:
    """However certain; one that is just above is one, and one that is just below, and might be above, cannot be told."""
    certain = [believed(math.log1p(size * EFFECT), 1e-4) for size in (-0.5, 0.5, -1.01, 1.01)]
    assert verdicts(certain, 1) == ["same", "same", "faster", "slower"]
    assert verdicts([believed(math.log1p(0.99 * EFFECT), 1e-3)], 1) == ["cannot tell"]


def test_many_cells_need_stronger_evidence() -> None:
    """What alone would be slower is not among a hundred that are not; a hundred alike are."""
    weak = believed(0.034, 0.01)
    quiet = [believed(0.0, 0.001)] * 99
    assert verdicts([weak], 1) == ["slower"]
    assert verdicts([weak, *quiet], 1)[0] == "cannot tell"
    assert verdicts([weak] * 100, 1) == ["slower"] * 100


def test_looking_often_needs_stronger_evidence() -> None:
    """Each look has its part of the rate."""
    weak = believed(0.034, 0.01)
    assert verdicts([weak], 6) == ["cannot tell"]


def test_no_cell_no_verdict() -> None:
    """And no error."""
    assert verdicts([], 3) == []


@pytest.mark.parametrize("log_ratio", [0.0, 0.005, math.log(1.05), math.log(0.9)])
def test_as_many_launches_as_are_said_to_be_needed_decide(log_ratio: float) -> None:
    """With the same ratio, and an error that has shrunk accordingly; half as many do not."""
    cells, looks = 40, 6
    now = believed(log_ratio, 0.03, 6)
    launches = needed(now, cells, looks)
    assert launches is not None
    quiet = [believed(0.0, 1e-4, 1000)] * (cells - 1)
    then = believed(log_ratio, 0.03 * math.sqrt(6 / (1.2 * launches)), int(1.2 * launches))
    early = believed(log_ratio, 0.03 * math.sqrt(6 / (launches / 2)), launches // 2)
    assert verdicts([then, *quiet], looks)[0] in ("same", "slower", "faster")
    assert verdicts([early, *quiet], looks)[0] == "cannot tell"


def test_what_no_number_of_launches_decides() -> None:
    """A ratio just below the effect."""
    assert needed(believed(math.log1p(EFFECT) - 1e-6, 0.01), 40, 6) is None
    assert needed(believed(math.log1p(EFFECT), 0.01), 40, 6) is not None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (times(1, FEWEST - 1), times(2, FEWEST - 1)),
        (times(1), times(2, 9)),
        (times(1)[0], times(2)[0]),
        (times(1), -times(2)),
        (times(1), times(2) * np.nan),
    ],
)
def test_what_cannot_be_judged_is_refused(old: Floats, new: Floats) -> None:
    """Too few launches, other shapes, times that are none."""
    with pytest.raises(ValueError, match="times"):
        estimate(old, new, rng())


def test_it_is_the_same_every_time() -> None:
    """The bootstrap's generator is the caller's."""
    assert estimate(times(1), times(2), rng(5)) == estimate(times(1), times(2), rng(5))
