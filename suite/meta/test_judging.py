"""From verdicts to outcomes: witnesses, refusals, what a peer may be judged by, cases with nothing to judge."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from math import inf
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from suite import plugin
from suite.backends import backends
from suite.batch import Batch
from suite.cases import PROFILES, cases_of
from suite.checks import checks
from suite.judging import Outcome, judge
from suite.meta.subjects import batches, perfect
from suite.model import Case, Limitation
from suite.peers import sound
from suite.processes import FrameworkError, Processes
from suite.session import Session

NOTHING = Limitation(
    "nothing left", "masked_mean", ("all_masked_is_defined",), "NumPy's mean of nothing is NaN", backend=("numpy",),
    region={"largest": (0.0, 4.0)}, witness={"values": [1.0, 3.0], "mask": [False, False]},
)  # fmt: skip


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Workers that are ended."""
    found = Processes(time_limit=60.0)
    yield found
    found.close()


def numpy_case(operation: str) -> Case:
    """The first case of NumPy's."""
    return next(c for i in backends()["numpy"].implementations if i.operation == operation for c in cases_of(i) if c.dtype == "float32")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [({}, True), ({"ceiling": 4.0}, False), ({"region": {"largest": (0.0, 2.0)}}, False), ({"region": {"largest": (4.0, inf)}}, False)],
)
def test_a_witness_fails_inside_its_entry(changes: dict[str, Any], shown: bool, processes: Processes) -> None:
    """Another failure of the same input, out of the region or beyond the ceiling, is none that the entry knows."""
    entry = replace(NOTHING, **changes)
    session = Session(processes, PROFILES["quick"], 0, 1, (entry,))
    found = session.witness(checks()["all_masked_is_defined"], numpy_case("masked_mean"), entry)
    assert (found is not None) is shown


def test_a_refusal_says_what_was_raised(monkeypatch: pytest.MonkeyPatch, processes: Processes) -> None:
    """In place of numbers, which there are none of."""
    case = numpy_case("softmax")
    session = Session(processes, PROFILES["quick"], 0, 1)
    answer = session.evaluate

    def evaluate(case: Case, batch: Batch, *question: Any) -> Any:
        if batch.form.moves_axis:
            raise FrameworkError("ValueError: the last axis alone")
        return answer(case, batch, *question)

    monkeypatch.setattr(session, "evaluate", evaluate)
    outcome = judge(session, checks()["value_within_bound"], case, "")
    assert "got       raises ValueError: the last axis alone" in outcome.failures[0]
    assert "  exact  " not in outcome.failures[0]


def test_what_illustrates_a_verdict_does_not_cost_it(monkeypatch: pytest.MonkeyPatch, processes: Processes) -> None:
    """A defect there is on record beside it."""
    monkeypatch.setattr("suite.profiles.special", lambda *_: 1 / 0)
    (record,) = judge(Session(processes, PROFILES["quick"], 0, 1), checks()["value_within_bound"], numpy_case("sigmoid"), "").records
    assert record.status == "pass"
    assert record.extra["not kept"] == "ZeroDivisionError: division by zero"


@pytest.mark.parametrize("failures", [[], ["this failed before it was gone"]])
def test_what_failed_before_a_backend_was_gone_fails(failures: list[str]) -> None:
    """It is not skipped."""
    environment = SimpleNamespace(environment=lambda *_: "", keep=lambda _: None, note_absent=lambda *_: None, session=object())
    request = SimpleNamespace(config=SimpleNamespace(stash={plugin._STATE: environment}), node=SimpleNamespace(user_properties=[]))  # noqa: SLF001
    outcome = Outcome(failures=failures, absent="gone")
    with contextlib.nullcontext() if failures else pytest.raises(pytest.skip.Exception, match="gone"):
        assert plugin._on_record(cast("Any", request), numpy_case("sigmoid"), lambda *_: outcome) is outcome  # noqa: SLF001


def test_where_nothing_is_judged_nothing_passes(processes: Processes) -> None:
    """A check that a refusal leaves without results is on record as neither passed nor failed."""
    session = Session(processes, PROFILES["quick"], 0, 1)
    idle = replace(checks()["value_within_bound"], run=lambda *_: [])
    outcome = judge(session, idle, numpy_case("softmax"), "")
    assert (outcome.records, outcome.failures) == ([], [])
    assert outcome.idle == "value_within_bound has nothing to judge here"


@pytest.mark.parametrize(("name", "wrong"), [("value", 1.0 + 1e-3), ("d x", 1.0 - 1e-2)])
def test_neither_values_nor_gradients_of_a_wrong_peer_count(name: str, wrong: float) -> None:
    """They are NaN, which identities leave out; what is right stays."""
    peer, batch = perfect("sigmoid", "float32"), Batch("peer", {"x": np.array([[-1.0, 0.0, 2.0]])})
    results = dict(peer.evaluate(batch, "gradient"))
    results[name] = results[name] * [1.0, wrong, 1.0]
    got = sound(replace(peer, evaluate=lambda *_: results)).evaluate(batch, "gradient")
    assert np.isnan(got[name]).tolist() == [[False, True, False]]
    assert all(np.isfinite(got[other]).all() for other in got if other != name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_peer_is_asked_beyond_its_domain(dtype: str) -> None:
    """Probabilities that were rounded to 0 and 1 have no loss to be judged by."""
    check, subject = checks()["logits_and_probabilities_agree"], perfect("binary_cross_entropy_with_logits", dtype)
    careful = replace(subject, peer=lambda name: sound(perfect(name, dtype)))
    with np.errstate(all="ignore"):
        found = [v for b in batches(check, subject.operation.name, dtype) for v in check.run(careful, b)]
    assert sum(v.judged.sum() for v in found) > 0
    assert not any(v.violated.any() for v in found)
