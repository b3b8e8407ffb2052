"""The ends of what can be asked: nothing, one class, very many; everything masked, whatever is masked; labels of every kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite.batch import BLOCK_ROWS, FORMS, PLAIN, Batch, Form, unit_vectors
from suite.checks.accuracy import gradient_within_bound, value_within_bound
from suite.checks.base import Asked, Check, Kind, Prepare, Question, Subject, Verdict, first_example, law, unit_score
from suite.floats import Floats, Format, is_representable, round_to
from suite.model import Operation
from suite.processes import FrameworkError

MASKED, SCALED = next(f for f in FORMS if f.name == "where"), Form("scaled", view="scaled")
MANY = (5_000, 100_000)
LABEL_DTYPES = ("uint8", "int8", "int32", "int64", "uint32")


def _role(operation: Operation, role: str) -> str:
    """The argument that has the role; empty if there is none."""
    return next((a.name for a in operation.arguments if a.role == role), "")


# Masks


def _mask_name(operation: Operation) -> str:
    return _role(operation, "mask") or "where"


def _takes_mask(operation: Operation) -> tuple[str, ...]:
    return () if _role(operation, "mask") else ("where",)


def _is_masked(operation: Operation) -> bool:
    return bool(_role(operation, "mask")) or "where" in operation.optional


def _form_of_mask(operation: Operation) -> Form | None:
    return None if _role(operation, "mask") else MASKED


def _masked(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """The grid with zeros where the mask says no; every mask leaves something, the labelled class among it."""
    batch = plain[0]
    name, x = _mask_name(operation), batch.first
    mask = batch.arrays.get(name, np.arange(x.size).reshape(x.shape) % 3 != 0)
    for argument in operation.arguments:
        if argument.role == "index":
            mask = mask | (np.arange(x.shape[-1]) == batch.arrays[argument.name][..., None])
        elif argument.role == "distribution":
            mask = mask | (batch.arrays[argument.name] > 0)
    mask = mask | ((np.arange(x.shape[-1]) == x.shape[-1] - 1) & ~mask.any(axis=-1, keepdims=True))
    arrays = {operation.arguments[0].name: np.where(mask, x, 0.0), name: mask}
    if "cotangent" in batch.arrays:
        arrays["cotangent"] = (np.arange(x.shape[-1]) == mask.argmax(axis=-1)[..., None]).astype(np.float64)
    return [batch.replaced("masked zeros", arrays, _form_of_mask(operation))]


def _masked_contents(operation: Operation, fmt: Format, batch: Batch) -> list[Batch]:
    """The same with huge numbers, infinities and NaN behind the mask."""
    name, mask = operation.arguments[0].name, batch.arrays[_mask_name(operation)]
    contents = {"huge": fmt.max / 4.0, "infinite": np.inf, "-infinite": -np.inf, "NaN": np.nan}
    return [batch.replaced(f"masked {what}", {name: np.where(mask, batch.first, value)}) for what, value in contents.items()]


def _within_bound(question: Question) -> Any:
    return gradient_within_bound if question == "gradient" else value_within_bound


def _masked_has_no_influence(question: Question) -> Any:
    def run(subject: Subject, batch: Batch) -> list[Verdict]:
        verdicts = []
        before = _outputs(subject, batch, question)
        for changed in _masked_contents(subject.operation, subject.rounding.fmt, batch):
            for output, got in _outputs(subject, changed, question).items():
                expected = before[output]
                score = unit_score(subject.rounding.fmt, got, expected)
                judged = np.ones(got.shape, dtype=bool)
                verdicts.append(Verdict(output, score, judged, got, expected, np.zeros(got.shape), inputs=changed))
        return verdicts

    return run


def _outputs(subject: Subject, batch: Batch, question: Question) -> dict[str, Floats]:
    if question == "gradient":
        return {f"d {name}": g for name, g in subject.gradients(batch).items()}
    return {"value": subject.values(batch)}


def _masked_gradient_is_zero(subject: Subject, batch: Batch) -> list[Verdict]:
    mask = batch.flat()[_mask_name(subject.operation)]
    return [law(f"d {n}", mask | (g == 0), g, np.where(mask, g, 0.0)) for n, g in subject.gradients(batch).items()]


def _all_masked(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """Rows of which a mask leaves nothing."""
    batch, name = plain[0], _mask_name(operation)
    return [batch.replaced("all masked", {name: np.zeros(batch.first.shape, dtype=bool)}, _form_of_mask(operation))]


def _all_masked_is_defined(question: Question) -> Any:
    def run(subject: Subject, batch: Batch) -> list[Verdict]:
        low, high = subject.operation.range
        outputs = _outputs(subject, batch, question)
        fine = {o: np.isfinite(g) if question == "gradient" else (low <= g) & (g <= high) for o, g in outputs.items()}
        return [law(o, fine[o], g, np.zeros(g.shape)) for o, g in outputs.items()]

    return run


def _minus_infinity(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """Logits of −∞ in a third of the classes; ``where`` tells the reference, and nobody else, to leave them out."""
    masked = _masked(operation, fmt, plain)[0]
    x = np.where(masked.arrays["where"], masked.first, -np.inf)
    return [masked.replaced("logits of -infinity", {operation.arguments[0].name: x}, PLAIN)]


# How many


def _one_class(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """64 rows of one class."""
    x = np.resize(np.unique(plain[0].first[np.isfinite(plain[0].first)]), (1, 64, 1))
    arrays: dict[str, NDArray[Any]] = {}
    for argument in operation.arguments:
        arrays[argument.name] = {"index": np.zeros((1, 64), dtype=np.int64), "distribution": np.ones((1, 64, 1))}.get(argument.role, x)
    if operation.shape == "row":
        arrays["cotangent"] = np.ones((1, 64, 1))
    return [Batch("one class", arrays)]


def _one_class_is_certain(question: Question) -> Any:
    def run(subject: Subject, batch: Batch) -> list[Verdict]:
        x = batch.flat()[subject.operation.arguments[0].name]
        value = {"softmax": np.ones(x.shape), "log_softmax": np.zeros(x.shape), "logsumexp": x[:, 0]}
        slope = np.full(x.shape, 1.0 if subject.operation.name == "logsumexp" else 0.0)
        wanted = value.get(subject.operation.name, np.zeros(len(x))) if question == "value" else slope
        return [law(o, g == wanted, g, wanted) for o, g in _outputs(subject, batch, question).items()]

    return run


def _no_examples(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    return [Batch("no examples", {n: a[:1, :0] for n, a in plain[0].arrays.items()})]


def _nothing_gives_nothing(subject: Subject, batch: Batch) -> list[Verdict]:
    """Judged on one made-up example, since there is none: 1 stands for an error or for a wrong shape."""
    try:
        shape = subject.evaluate(batch, "value")["value"].shape
        note = f"a result of shape {shape}"
    except FrameworkError as error:
        shape, note = (), f"raises {error}"
    wanted = batch.first.shape if subject.operation.shape != "scalar" else batch.first.shape[:2]
    got = np.array([0.0 if shape == wanted else 1.0])
    stand_in = Batch(batch.label, {n: np.zeros((1, 1, *a.shape[2:]), a.dtype) for n, a in batch.arrays.items()})
    return [replace(law("value", got == 0.0, got, np.zeros(1), stand_in), note=f"for no example: {note}")]


def _many_classes(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """Rows of thousands of classes: all alike, and in steps of a sixteenth that go round."""
    found = []
    for n in (n for n in MANY if n < fmt.max):
        x = round_to(fmt, np.stack([np.zeros(n), np.arange(n) % 33 / 16.0])[None])
        arrays: dict[str, NDArray[Any]] = {}
        for argument in operation.arguments:
            arrays[argument.name] = {
                "index": np.array([[0, n - 1]]), "distribution": unit_vectors(x.shape), "mask": np.ones(x.shape, dtype=bool),
                "probability": round_to(fmt, np.full(x.shape, 1.0 / n)),
            }.get(argument.role, x)  # fmt: skip
        found.append(Batch(f"{n} classes", arrays))
    return found


def _within_a_bound_that_says_something(subject: Subject, batch: Batch) -> list[Verdict]:
    """Where a sum may lose all of its digits, as thousands of terms in 16 bits may, the bound holds for anything: not judged there."""
    return [replace(v, judged=v.judged & (v.limit < np.abs(v.expected))) for v in value_within_bound(subject, batch)]


# Labels


def _out_of_range(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """Class −1, and one more than there are, in turns."""
    batch = plain[0]
    labels = np.where(np.arange(batch.first.shape[1]) % 2 == 0, -1, batch.first.shape[-1])
    return [batch.replaced("labels out of range", {"labels": np.broadcast_to(labels, batch.first.shape[:2]).copy()})]


def _no_loss_for_no_class(subject: Subject, batch: Batch) -> list[Verdict]:
    try:
        got = subject.values(batch)
    except FrameworkError:
        return []
    return [law("value", np.isnan(got), got, np.full(got.shape, np.nan))]


def _is_loss(operation: Operation) -> bool:
    return any(a.name == "labels" for a in operation.arguments[1:])


def _integer_labels(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """The grid with labels of 0 and 1, or indices, for each integer type."""
    batch = plain[0]
    labels = batch.arrays["labels"]
    whole = labels if labels.dtype.kind == "i" else np.where(labels == labels.max(axis=-1, keepdims=True), 1.0, 0.0)
    whole = np.round(labels) if labels.ndim == 2 and labels.dtype.kind == "f" else whole
    return [batch.replaced("integer labels", {"labels": whole}, Form(f"labels {d}", labels=d)) for d in LABEL_DTYPES]


def _as_floats(batch: Batch) -> Batch:
    return batch.replaced("the same labels", {}, PLAIN)


def _integers_are_labels_too(subject: Subject, batch: Batch) -> list[Verdict]:
    """A refusal is fine: nobody then goes on with a wrong loss."""
    try:
        got = subject.values(batch)
    except FrameworkError:
        return []
    expected, fmt = subject.values(_as_floats(batch)), subject.rounding.fmt
    # Integers and floats together may give a wider float, which says more.
    judged = is_representable(fmt, got) | ~is_representable(fmt, expected)
    return [Verdict("value", unit_score(fmt, got, expected), judged, got, expected, np.zeros(got.shape))]


def _unnormalised(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """Labels that sum to ½, 1 and 2, in turns."""
    factor = np.array([0.5, 1.0, 2.0])[np.arange(plain[0].first.shape[1]) % 3][:, None]
    return [b.replaced("labels of another sum", {"labels": b.arrays["labels"] * factor}) for b in plain]


# Scaling inside a compiled function


def _huge(operation: Operation, fmt: Format, plain: Sequence[Batch]) -> list[Batch]:
    """Rows of numbers that differ in every digit, from 1 up to a hundredth of the largest number."""
    n = plain[0].first.shape[-1]
    sizes = np.exp2(np.linspace(0.0, fmt.emax - 7.0, BLOCK_ROWS))[:, None]
    x = round_to(fmt, sizes * (1.0 + np.sin(1.0 + np.arange(BLOCK_ROWS * n)).reshape(BLOCK_ROWS, n) / 3.0))[None]
    return [Batch("huge logits", {operation.arguments[0].name: x}, SCALED)]


def _scaling_keeps_probabilities(subject: Subject, batch: Batch) -> list[Verdict]:
    """Where every product is a number, so is every result, and in range."""
    got, (low, high) = subject.values(batch), subject.operation.range
    return [law("value", (got >= low) & (got <= high), got, np.clip(np.nan_to_num(got), low, high))]


def _pair(
    name: str, statement: str, applies: Callable[[Operation], bool], run: Callable[[Question], Any], prepare: Prepare, kind: Kind = "law",
    also: Callable[[Question], Any] = lambda question: lambda operation, fmt, batch: [], **more: Any,
) -> tuple[Check, Check]:  # fmt: skip
    """A check of values and its twin of gradients."""
    value, slope = run("value"), run("gradient")
    return (
        Check(name, "stability", kind, f"{statement}.", applies, value, prepare=prepare, thorough=True, also=also("value"), **more),
        Check(f"{name}_on_gradient", "vanishing", kind, f"{statement}: the gradient.", applies, slope, "gradient", prepare=prepare,
              thorough=True, also=also("gradient"), **more),
    )  # fmt: skip


def _contents(question: Question) -> Any:
    return lambda operation, fmt, batch: [Asked(b, question) for b in _masked_contents(operation, fmt, batch)]


def _of_logits(operation: Operation) -> bool:
    return "where" in operation.optional


CHECKS = (
    *_pair(
        "masked_has_no_influence", "Huge numbers, infinities and NaN behind a mask change no bit of what zeros there give", _is_masked,
        _masked_has_no_influence, _masked, needs=_takes_mask, compiles=1, also=_contents, against="zeros",
    ),
    Check(
        "masked_gradient_is_zero", "vanishing", "law", "The gradient with respect to what is masked is exactly 0.", _is_masked,
        _masked_gradient_is_zero, asks="gradient", prepare=_masked, needs=_takes_mask, thorough=True, compiles=1,
    ),
    *_pair(
        "all_masked_is_defined", "A row of which a mask leaves nothing gives no NaN and nothing out of range", _is_masked,
        _all_masked_is_defined, _all_masked, needs=_takes_mask, compiles=1, special=first_example,
    ),
    *_pair(
        "minus_infinity_counts_as_nothing", "Logits of −∞ count as classes that are not there, within the bound", _of_logits,
        _within_bound, _minus_infinity, kind="bound",
    ),
    *_pair(
        "one_class_is_certain", "Of one class the probability is 1, the loss 0 and the derivative 0, exactly",
        lambda operation: operation.has_rows and operation.name not in ("masked_mean", "smooth_labels"), _one_class_is_certain,
        _one_class, compiles=1, special=first_example,
    ),
    Check(
        "no_examples_give_no_results", "stability", "law", "A batch of length 0 gives results of length 0.",
        lambda operation: True, _nothing_gives_nothing, prepare=_no_examples, thorough=True, compiles=1,
    ),
    Check(
        "many_classes_within_bound", "stability", "bound",
        "Values stay within their bound for 5,000 and for 100,000 classes, where that leaves them a digit.",
        lambda operation: operation.has_rows, _within_a_bound_that_says_something, prepare=_many_classes, thorough=True, compiles=1,
    ),
    Check(
        "no_loss_for_no_class", "stability", "law", "A label that names no class gives NaN or is refused: no number.",
        lambda operation: bool(_role(operation, "index")), _no_loss_for_no_class, prepare=_out_of_range, thorough=True,
        special=lambda operation, batch: range(2),
    ),
    Check(
        "integer_labels_are_labels", "stability", "law",
        "Labels of any integer type, signed or not, give bit for bit what floating-point ones give, or are refused.",
        _is_loss, _integers_are_labels_too, prepare=_integer_labels, thorough=True, compiles=1, against="as floats",
        also=lambda operation, fmt, batch: [Asked(_as_floats(batch))],
    ),
    *_pair(
        "labels_need_not_sum_to_one", "Labels that sum to ½ or 2 give the loss that its formula says, within the bound",
        lambda operation: bool(_role(operation, "distribution")) and operation.name != "smooth_labels", _within_bound,
        _unnormalised, kind="bound",
    ),
    Check(
        "scaled_logits_keep_range", "stability", "law",
        "Finite logits multiplied by a factor inside the compiled function, however large, give results in range, never NaN.",
        lambda operation: operation.name in ("softmax", "log_softmax"), _scaling_keeps_probabilities, prepare=_huge, thorough=True,
        compiles=1,
    ),
)  # fmt: skip
