"""What a change of the inputs does to the results: nothing, or what can be foretold. No reference is used.

The changed inputs have the shape of the given ones, so that nothing is compiled anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from suite.batch import Batch
from suite.checks.base import Asked, Check, Prepare, Subject, Verdict, share, unit_score
from suite.floats import Floats, Format, adds_exactly, from_ordinal, is_representable, to_ordinal
from suite.model import Operation

Mask = NDArray[np.bool_]

SHIFTED = ("softmax", "log_softmax", "softmax_cross_entropy_with_logits", "sparse_softmax_cross_entropy_with_logits")
FROM_PROBABILITIES = ("categorical_cross_entropy", "sparse_categorical_cross_entropy")


@dataclass(frozen=True)
class Change:
    """``change`` makes other inputs and says which examples can be judged; ``foretell`` has the results that follow from the old ones.

    Results are ``equal`` to those bit for bit, or within their ``bound`` and that of the old ones, or only ``at least`` as large.
    """

    name: str
    statement: str
    applies: Callable[[Operation], bool]
    change: Callable[[Operation, Format, Batch], tuple[Batch, Mask]]
    foretell: Callable[[Operation, Floats, Batch], Floats] = lambda operation, results, batch: results
    compared: Literal["equal", "bound", "at least"] = "equal"
    prepare: Prepare | None = None


def _first(operation: Operation) -> str:
    return operation.arguments[0].name


# The changes


def _shifted(operation: Operation, fmt: Format, batch: Batch) -> tuple[Batch, Mask]:
    """Each row moved by a power of two of about its own size; judged where no entry rounds."""
    x = batch.first
    size = np.max(np.abs(np.where(np.isfinite(x), x, 0.0)), axis=-1, keepdims=True)
    step = np.exp2(np.clip(np.ceil(np.log2(np.maximum(size, 1.0))), -8, fmt.emax - 3)) * np.where(size > 0, 1.0, 4.0)
    moved = x + step
    exact = np.asarray((is_representable(fmt, moved) & adds_exactly(x, step) & np.isfinite(moved)).all(axis=-1))
    return batch.replaced("shifted", {_first(operation): np.where(exact[..., None], moved, x)}), exact.ravel()


def _scaled(operation: Operation, fmt: Format, batch: Batch) -> tuple[Batch, Mask]:
    """Probabilities halved; judged where none becomes subnormal."""
    p = batch.first
    halved = np.asarray((p >= 2.0 * fmt.tiny).all(axis=-1))
    return batch.replaced("halved", {_first(operation): np.where(halved[..., None], 0.5 * p, p)}), halved.ravel()


def _classes_reversed(operation: Operation, fmt: Format, batch: Batch) -> tuple[Batch, Mask]:
    """The last class first, labels and masks too."""
    n = batch.first.shape[-1]
    arrays = {name: a[..., ::-1] if a.ndim == 3 else a for name, a in batch.arrays.items()}
    for argument in operation.arguments:
        if argument.role == "index":
            arrays[argument.name] = n - 1 - batch.arrays[argument.name]
    return Batch("classes reversed", arrays, batch.form), _finite(batch)


def _back(operation: Operation, results: Floats, batch: Batch) -> Floats:
    return results[:, ::-1] if operation.shape == "row" else results


def _finite(batch: Batch) -> Mask:
    first = batch.first
    return np.asarray(np.isfinite(first).reshape(first.shape[0] * first.shape[1], -1).all(axis=-1))


def _examples_reversed(operation: Operation, fmt: Format, batch: Batch) -> tuple[Batch, Mask]:
    """The last example of each block first."""
    arrays = {name: a[:, ::-1] for name, a in batch.arrays.items()}
    return Batch("examples reversed", arrays, batch.form), np.ones(batch.first.shape[0] * batch.first.shape[1], dtype=bool)


def _examples_back(operation: Operation, results: Floats, batch: Batch) -> Floats:
    k, b = batch.first.shape[:2]
    return results.reshape(k, b, *results.shape[1:])[:, ::-1].reshape(results.shape)


def _neighbours_infinite(operation: Operation, fmt: Format, batch: Batch) -> tuple[Batch, Mask]:
    """Every second example replaced by infinities."""
    x = batch.first.copy()
    x[:, 1::2] = np.inf
    kept = np.zeros(x.shape[:2], dtype=bool)
    kept[:, ::2] = True
    return batch.replaced("neighbours replaced", {_first(operation): x}), kept.ravel()


def _one_step_up(operation: Operation, fmt: Format, batch: Batch) -> tuple[Batch, Mask]:
    """The next number above, in the labelled class of rows."""
    x = batch.first
    inside = np.isfinite(x) & (x < fmt.max)
    if operation.name in ("log", "log1p"):
        inside &= (x > 0.0) & (x >= fmt.tiny)
    raised = from_ordinal(fmt, to_ordinal(fmt, np.where(np.isnan(x), 0.0, x)) + 1)
    if x.ndim == 3:
        here = np.arange(x.shape[-1]) == _labelled(operation, batch)[..., None]
        return batch.replaced("a step up", {_first(operation): np.where(here & inside, raised, x)}), (
            inside.all(axis=-1) & _hard(batch)
        ).ravel()
    return batch.replaced("a step up", {_first(operation): np.where(inside, raised, x)}), inside.ravel()


def _and_every_number(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """Of functions of one number in a format of 16 bits every finite input too: a descent may be one number wide."""
    if fmt.bits != 16 or len(operation.arguments) > 1 or operation.has_rows:
        return list(plain)
    name, block = _first(operation), plain[0].first.shape[1]
    last = int(to_ordinal(fmt, np.array(fmt.max)))
    ordinals = np.arange(-last - 1, last + 1)
    count = -(-len(ordinals) // block)
    numbers = from_ordinal(fmt, np.resize(np.clip(ordinals, -last, last), count * block))
    return [*plain, Batch("every number", {name: numbers.reshape(count, block)})]


def _labelled(operation: Operation, batch: Batch) -> NDArray[Any]:
    """The labelled class; of an operation without labels the first."""
    labels = batch.arrays.get("labels")
    if labels is None:
        return np.zeros(batch.first.shape[:2], dtype=int)
    return labels if labels.ndim == 2 else labels.argmax(axis=-1)


def _swapped(operation: Operation, fmt: Format, batch: Batch) -> tuple[Batch, Mask]:
    return batch.replaced("swapped", {"a": batch.arrays["b"], "b": batch.arrays["a"]}), np.ones(batch.first.size, dtype=bool)


def _hard(batch: Batch) -> Mask:
    """Examples whose labels, if they come in rows, are 0 and 1 alone: of soft ones no class is the one to raise."""
    labels = batch.arrays.get("labels")
    if labels is None or labels.ndim < 3:
        return np.ones(batch.first.shape[:2], dtype=bool)
    return np.asarray(((labels == 0.0) | (labels == 1.0)).all(axis=-1))


def _rises(operation: Operation) -> int:
    """1 or −1 for an elementwise function that rises or falls everywhere, and for a loss in the labelled logit; else 0."""
    if operation.name in ("softmax_cross_entropy_with_logits", "sparse_softmax_cross_entropy_with_logits"):
        return -1
    if operation.name == "logsumexp":
        return 1
    if operation.has_rows or len(operation.arguments) > 1 or not operation.slices:
        return 0
    left, right = operation.slices[0].curves[0].trend
    return left if left == right else 0


_SUMS = ("softplus", "log_sigmoid")
"""max(x, 0) and a tail that falls while it rises: their rounded sum may go down by a unit in the last place, in the soundest formula."""

CHANGES = (
    Change(
        "shift_changes_nothing", "A number added to a row of logits without rounding changes no bit of the result.",
        lambda operation: operation.name in SHIFTED, _shifted,
    ),
    Change(
        "scale_changes_nothing", "Probabilities halved without rounding change no bit of the loss of a distribution that is normalised.",
        lambda operation: operation.name in FROM_PROBABILITIES, _scaled,
    ),
    Change(
        "classes_permute", "Classes in another order give the same result in that order, each within its bound.",
        lambda operation: operation.has_rows, _classes_reversed, _back, "bound",
    ),
    Change(
        "examples_permute", "Examples in another order give the same results in that order, bit for bit, wherever in a block they stand.",
        lambda operation: True, _examples_reversed, _examples_back,
    ),
    Change(
        "neighbours_have_no_influence", "Infinities in every second example change no bit of the others' results.",
        lambda operation: operation.name != "smooth_labels", _neighbours_infinite,
    ),
    Change(
        "is_monotone", "The next larger number gives no smaller value of a rising function, and no larger one of a falling one.",
        lambda operation: bool(_rises(operation)), _one_step_up,
        lambda operation, results, batch: results, "at least", _and_every_number,
    ),
    Change(
        "is_symmetric", "logaddexp(a, b) = logaddexp(b, a), bit for bit.",
        lambda operation: operation.name.startswith("logaddexp"), _swapped,
    ),
)  # fmt: skip


def _judge(change: Change, subject: Subject, batch: Batch) -> list[Verdict]:
    operation, fmt = subject.operation, subject.rounding.fmt
    changed, judged = change.change(operation, fmt, batch)
    before, got = subject.values(batch), subject.values(changed)
    expected = change.foretell(operation, before, batch)
    judged = judged if got.ndim == 1 else np.broadcast_to(judged[:, None], got.shape).copy()
    limit = np.zeros(got.shape)
    if change.compared == "bound":
        error = np.abs(got - expected)
        limit = subject.value_limit(changed, got) + change.foretell(operation, subject.value_limit(batch, before), batch)
        score = np.where(np.isnan(got) & np.isnan(expected), 0.0, share(error, limit))
        judged &= np.isfinite(expected) & np.isfinite(limit)
    else:
        score = unit_score(fmt, got, expected)
        if change.compared == "at least":
            score = np.where((got - expected) * _rises(operation) > 0, 0.0, score)
            judged &= ~np.isnan(expected)
            if operation.name in _SUMS:
                score = np.where(score == 2.0, 1.0, score)
        if change.compared == "at least" and operation.has_rows:
            # Of a sum each term rises, but not the rounded sum: each result may err by its bound.
            limit = subject.value_limit(changed, got) + subject.value_limit(batch, before)
            score = np.where(score == 0.0, 0.0, share(np.abs(got - expected), limit))
    return [Verdict("value", score, judged, got, expected, limit, inputs=changed)]


def _check(change: Change) -> Check:
    return Check(
        change.name, "stability", "bound" if change.compared == "bound" else "law", change.statement, change.applies,
        lambda subject, batch: _judge(change, subject, batch), thorough=True, prepare=change.prepare,
        against="before",
        also=lambda operation, fmt, batch: [Asked(change.change(operation, fmt, batch)[0])],
    )  # fmt: skip


CHECKS = tuple(_check(change) for change in CHANGES)
