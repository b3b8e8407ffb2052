"""Implementations in this very process, for the checks to judge: any NumPy function, and the correctly rounded reference."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite import inputs, oracle
from suite.backends.base import exact_cast, numpy_dtype
from suite.batch import Batch
from suite.cases import forms_of
from suite.checks import Check
from suite.checks.base import Question, Subject, Verdict
from suite.floats import FORMATS, Floats, round_to
from suite.model import Operation
from suite.operations import operations
from suite.operations.bounds import Rounding
from suite.oracle import Exact
from suite.processes import FrameworkError

ROWS = (32, 9)
BLOCKS = 3
SEED = 20_240_229

Function = Callable[..., Any]

KEYWORDS = ("axis", "axes", "where", "b", "gamma", "alpha", "amount", "label_smoothing")

MAY_BE_IDLE = ("no_loss_for_no_class", "integer_labels_are_labels", "many_classes_within_bound")
"""Checks that judge nothing where an implementation refuses its inputs, or where 16 bits leave the bound without meaning."""


@cache
def plain_batches(name: str, dtype: str) -> tuple[Batch, ...]:
    """The boundary grid and a few generated blocks, the same at every call."""
    operation, fmt = operations()[name], FORMATS[dtype]
    return inputs.grid(operation, fmt, ROWS), inputs.generate(operation, fmt, ROWS, BLOCKS, SEED)


@cache
def batches(check: Check, name: str, dtype: str, accepts: tuple[str, ...] = KEYWORDS) -> tuple[Batch, ...]:
    """What a session would judge an implementation on that takes those keywords."""
    operation, fmt, plain = operations()[name], FORMATS[dtype], plain_batches(name, dtype)
    with np.errstate(all="ignore"):
        judged = tuple(check.prepare(operation, fmt, plain)) if check.prepare else plain
    forms = forms_of(operation, accepts) if check.forms else []
    return (*judged, *(inputs.with_form(plain[0], operation, fmt, f) for f in forms))


def violations(check: Check, subject: Subject, judged: tuple[Batch, ...]) -> int:
    """How many judged elements of the batches violate the check."""
    return sum(int(v.violated.sum()) for v in _verdicts(check, subject, judged))


def judged_and_violated(check: Check, subject: Subject, judged: tuple[Batch, ...]) -> tuple[int, int]:
    """How many elements of the batches are judged, and how many violate the check."""
    found = _verdicts(check, subject, judged)
    return sum(int(v.judged.sum()) for v in found), sum(int(v.violated.sum()) for v in found)


def _verdicts(check: Check, subject: Subject, judged: tuple[Batch, ...]) -> list[Verdict]:
    with np.errstate(all="ignore"):
        found = [v for batch in judged for v in check.run(subject, batch)]
    assert found or check.name in MAY_BE_IDLE, f"{check.name} judged nothing"
    return found


def accepted(function: Function) -> tuple[str, ...]:
    """The keywords that a function takes; of axes one alone."""
    try:
        return tuple(n for n in inspect.signature(function).parameters if n in KEYWORDS)
    except ValueError:  # a ufunc
        return ()


def of_numpy(
    operation: Operation,
    dtype: str,
    value: Function,
    gradient: Function | None = None,
    curvature: Function | None = None,
    tangent: Function | None = None,
    mapped: Function | None = None,
    first_mode: Function | None = None,
) -> Subject:
    """A NumPy function of arrays of the dtype, block by block; keyword arguments come by name where the function takes them.

    ``gradient`` takes the cotangent last where the operation returns rows, and returns a tuple where there are several gradients;
    ``curvature`` takes a direction last where the first argument is a row. ``tangent`` takes a direction last; without it the gradient's
    transpose is taken. ``mapped`` stands for the function as a framework maps it, ``first_mode`` for the function in another mode.
    """
    functions = {"value": value, "gradient": gradient, "curvature": curvature, "tangent": tangent, "mapped": mapped or value}

    def evaluate(batch: Batch, question: Question) -> Mapping[str, Floats]:
        try:
            parts = [_block(operation, dtype, batch, i, functions, question) for i in range(batch.blocks)]
        except (ValueError, IndexError, ZeroDivisionError) as error:  # what NumPy raises of shapes and indices that it does not take
            raise FrameworkError(str(error)) from error
        return {name: np.stack([p[name] for p in parts]) for name in parts[0]}

    def other() -> Subject:
        return perfect(operation.name, dtype) if first_mode is None else of_numpy(operation, dtype, first_mode)

    return Subject(operation, Rounding(FORMATS[dtype]), evaluate, gradient is not None, lambda name: perfect(name, dtype), first_mode=other)


def _block(
    operation: Operation, dtype: str, batch: Batch, index: int, functions: Mapping[str, Function | None], question: Question
) -> dict[str, Floats]:
    form, first = batch.form, operation.differentiable[:1]
    tensors = {name: _tensor(form.arrange(array[index : index + 1])[0], dtype, name, batch) for name, array in batch.arrays.items()}
    row = [tensors[a.name] for a in operation.arguments]
    keywords: dict[str, Any] = {**operation.options, **form.options, **{name: tensors[name] for name in form.extra}}
    keywords |= {"axis": form.axis} if form.moves_axis else {}
    results = {}

    def call(what: str, *more: Any) -> tuple[Any, ...]:
        function = functions[what]
        assert function is not None
        given = {k: v for k, v in keywords.items() if k in accepted(function) or k in form.needs}
        result = function(*row, *more, **given)
        return result if isinstance(result, tuple) else (result,)

    def back(result: Any) -> Floats:
        return np.asarray(form.restore(_back(result, dtype)[None], batch.first.shape[1:])[0])

    cotangent = [tensors["cotangent"]] if operation.shape == "row" and "cotangent" in tensors else []
    with np.errstate(all="ignore"):
        results["value"] = back(call("mapped" if question == "mapped" else "value")[0])
        if question == "gradient":
            results |= _gradients(operation, tensors, [back(g) for g in call("gradient", *cotangent)])
        if question == "curvature":
            direction = [tensors["direction"]] if operation.arguments[0].rows else []
            results[f"h {first[0]}"] = back(call("curvature", *direction)[0])
        if question == "tangent":
            along = (
                call("tangent", tensors["direction"])[0]
                if functions["tangent"]
                else _along(operation, tensors, call("gradient", *cotangent)[0])
            )
            results[f"t {first[0]}"] = back(along)
    return results


def _gradients(operation: Operation, tensors: Mapping[str, Any], slopes: list[Floats]) -> dict[str, Floats]:
    """By name; a cotangent of single numbers is multiplied into them."""
    weight = tensors["cotangent"] if operation.shape == "elementwise" and "cotangent" in tensors else None
    found = dict(zip(operation.differentiable, slopes, strict=True))
    if weight is not None:
        found = {n: _back(g.astype(weight.dtype) * weight, str(weight.dtype)) for n, g in found.items()}
    return {f"d {n}": g for n, g in found.items()}


def _along(operation: Operation, tensors: Mapping[str, Any], slope: Any) -> Any:
    """J d for a unit vector d, from Jᵀ c: of rows the one entry that c and d have in common, of others the product with d."""
    direction = tensors["direction"]
    if operation.shape == "row":
        return np.where(tensors["cotangent"] > 0, (slope * direction).sum(axis=-1, keepdims=True), 0)
    return (slope * direction).sum(axis=-1) if slope.ndim > 1 else slope * direction


def _tensor(array: NDArray[Any], dtype: str, name: str, batch: Batch) -> NDArray[Any]:
    if name == "labels" and batch.form.labels:
        return array.astype(batch.form.labels)
    tensor: NDArray[Any] = np.ascontiguousarray(exact_cast(array, dtype) if array.dtype.kind == "f" else array)
    if batch.form.view == "strided" and name not in ("cotangent", "direction"):
        gaps: NDArray[Any] = tensor.repeat(2, axis=-1)
        return np.asarray(gaps[..., ::2])
    if batch.form.view == "scaled":
        return np.asarray(tensor * np.asarray(3.3, tensor.dtype))
    return np.asfortranarray(tensor) if batch.form.view == "transposed" else tensor


def _back(result: Any, dtype: str) -> Floats:
    return np.asarray(np.asarray(result).astype(numpy_dtype(dtype)), dtype=np.float64)


# The correctly rounded reference


def perfect(name: str, dtype: str, flushes: bool = False) -> Subject:
    """The exact reference, correctly rounded; subnormal results become 0 where the arithmetic ``flushes``."""
    operation, fmt = operations()[name], FORMATS[dtype]

    def rounded(exact: Exact, batch: Batch) -> Floats:
        result = round_to(fmt, exact.high, exact.low)
        result = np.where(np.abs(result) < fmt.tiny, 0.0, result) if flushes else result
        return result.reshape(*batch.first.shape[:2], *result.shape[1:])

    def evaluate(batch: Batch, question: Question) -> Mapping[str, Floats]:
        given = batch
        if batch.form.view == "scaled":
            batch = batch.replaced(batch.label, {"x": round_to(fmt, batch.first * 3.3)})
        sound = _Sound(operation, batch)
        options = {**operation.options, **batch.form.options}
        results = {"value": sound.values(rounded(oracle.value(operation, sound.arrays, options), given))}
        if question == "gradient":
            slopes = oracle.gradient(operation, sound.arrays, options)
            found = {
                n: np.where(np.isnan(g.high) & np.isfinite(sound.arrays[n]), 0.0, rounded(g, given).reshape(g.high.shape))
                for n, g in slopes.items()
            }
            results |= {
                f"d {n}": _weighted(operation, given, fmt, sound.slopes(g.reshape(given.arrays[n].shape))) for n, g in found.items()
            }
        first = operation.differentiable[:1]
        if question == "curvature":
            results[f"h {first[0]}"] = rounded(oracle.curvature(operation, sound.arrays, options), given)
        if question == "tangent":
            slope = rounded(oracle.gradient(operation, sound.arrays, options)[first[0]], given)
            tensors = {n: a.reshape(-1, *a.shape[2:]) for n, a in given.arrays.items()}
            along = np.asarray(_along(operation, tensors, slope.reshape(-1, *slope.shape[2:])))
            results[f"t {first[0]}"] = along.reshape(*given.first.shape[:2], *along.shape[1:])
        return results

    def twin() -> Subject:
        return perfect(name, dtype, flushes)

    return Subject(
        operation, Rounding(fmt, flushes), evaluate, operation.gradient is not None, lambda other: perfect(other, dtype, flushes),
        first_mode=twin,
    )  # fmt: skip


def _weighted(operation: Operation, batch: Batch, fmt: Any, slope: Floats) -> Floats:
    """Slopes of single numbers times their cotangents."""
    if operation.shape != "elementwise" or "cotangent" not in batch.arrays:
        return slope
    return round_to(fmt, slope * batch.arrays["cotangent"])


class _Sound:
    """A batch as the reference can take it, and what is to be said of the examples that it cannot.

    Logits of −∞ and what a mask leaves out are no classes; ½ stands in for other infinities and NaN, whose results are NaN unless they
    are special; so do rows without a class and labels of none.
    """

    def __init__(self, operation: Operation, batch: Batch) -> None:
        self._operation, self._batch = operation, batch
        arrays = batch.flat()
        first = operation.arguments[0].name
        count = len(arrays[first])
        self.undefined, self.empty = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
        mask = arrays.get("where")
        if operation.arguments[0].rows and "where" in operation.optional:
            valid = arrays[first] != -np.inf if mask is None or not batch.form.extra else mask
            arrays["where"] = valid & (mask if mask is not None else True)
            self.empty = np.asarray(~arrays["where"].any(axis=-1))
            arrays["where"] = arrays["where"] | self.empty[:, None]
        kept = arrays.get("where", arrays.get("mask"))
        if "mask" in arrays:
            self.empty = np.asarray(~arrays["mask"].any(axis=-1))
            arrays["mask"] = arrays["mask"] | self.empty[:, None]
        if kept is not None:
            arrays[first] = np.where(kept & ~self.empty[:, None], arrays[first], 0.0)
        self.arrays = {n: self._replaced(n, a) for n, a in arrays.items()}

    def _replaced(self, name: str, array: NDArray[Any]) -> NDArray[Any]:
        if array.dtype.kind == "i":
            classes = self._batch.first.shape[-1]
            self.undefined |= (array < 0) | (array >= classes)
            return np.asarray(np.clip(array, 0, classes - 1))
        if array.dtype.kind != "f":
            return array
        odd = np.isnan(array) if self._operation.special else ~np.isfinite(array)
        if self._batch.label == "special values":
            odd = np.ones(array.shape, dtype=bool)
        elif name == "probabilities":
            odd |= (array == 0.0) | (array == 1.0)
        self.undefined |= np.asarray(odd.any(axis=tuple(range(1, odd.ndim))))
        return np.where(odd, 0.5, array)

    def values(self, value: Floats) -> Floats:
        """With NaN where there is no value, what is usual where there are no classes, and the special values."""
        value = self._set(self._set(value, self.empty, 0.0), self.undefined, np.nan)
        if self._batch.label != "special values":
            return value
        corners, block = self._operation.corners, value.shape[1]
        for i in range(block):
            wanted = corners[i % len(corners)][1]
            if isinstance(wanted, tuple):
                value[:, i] = [wanted[min(j, len(wanted) - 1)] for j in range(value.shape[2])]
            else:
                value[:, i] = wanted
        return value

    def slopes(self, slope: Floats) -> Floats:
        """0 where there are no classes."""
        return self._set(slope, self.empty, 0.0)

    def _set(self, results: Floats, examples: NDArray[np.bool_], value: float) -> Floats:
        here = examples.reshape(results.shape[:2])
        return np.where(here if results.ndim == 2 else here[..., None], value, results)
