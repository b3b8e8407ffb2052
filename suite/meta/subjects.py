"""Implementations in this very process, for the checks to judge: any NumPy function, and the correctly rounded reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from suite import inputs, oracle
from suite.backends.base import exact_cast, numpy_dtype
from suite.batch import Batch
from suite.checks import Check
from suite.checks.base import Subject
from suite.floats import FORMATS, Floats, round_to
from suite.model import Operation
from suite.operations import operations
from suite.operations.bounds import Rounding
from suite.oracle import Exact

ROWS = (32, 9)
BLOCKS = 3
SEED = 20_240_229

Function = Callable[..., Any]


@cache
def plain_batches(name: str, dtype: str) -> tuple[Batch, ...]:
    """The boundary grid and a few generated blocks, the same at every call."""
    operation, fmt = operations()[name], FORMATS[dtype]
    return inputs.grid(operation, fmt, ROWS), inputs.generate(operation, fmt, ROWS, BLOCKS, SEED)


@cache
def form_batches(name: str, dtype: str) -> tuple[Batch, ...]:
    """The boundary grid with a mask and with weights, for the operations that have them; axes are a session's own work."""
    operation, fmt = operations()[name], FORMATS[dtype]
    forms = [f for f in inputs.FORMS if f.extra and set(f.needs) <= set(operation.optional)]
    return tuple(inputs.with_form(plain_batches(name, dtype)[0], operation, fmt, form) for form in forms)


def batches(check: Check, name: str, dtype: str) -> tuple[Batch, ...]:
    """What a session would judge an implementation on that takes every keyword."""
    if check.grid_only:
        return plain_batches(name, dtype)[:1]
    return (*plain_batches(name, dtype), *(form_batches(name, dtype) if check.forms else ()))


def violations(check: Check, subject: Subject, judged: tuple[Batch, ...]) -> int:
    """How many judged elements of the batches violate the check."""
    found = [v for batch in judged for v in check.run(subject, batch)]
    assert found, f"{check.name} judged nothing"
    return sum(int(v.violated.sum()) for v in found)


def of_numpy(operation: Operation, dtype: str, value: Function, gradient: Function | None = None) -> Subject:
    """A NumPy function of arrays of the dtype, block by block; masks and weights come as ``where`` and ``b``, options by name.

    ``gradient`` takes the cotangent last where the operation returns rows, and returns a tuple where there are several gradients.
    """

    def evaluate(batch: Batch, with_gradient: bool) -> Mapping[str, Floats]:
        blocks = [_block(operation, dtype, batch, i, value, gradient if with_gradient else None) for i in range(batch.blocks)]
        return {name: np.stack([b[name] for b in blocks]) for name in blocks[0]}

    return Subject(operation, Rounding(FORMATS[dtype]), evaluate, gradient is not None, lambda name: perfect(name, dtype))


def _block(operation: Operation, dtype: str, batch: Batch, index: int, value: Function, gradient: Function | None) -> dict[str, Floats]:
    tensors = {name: _tensor(array[index], dtype) for name, array in batch.arrays.items()}
    row = [tensors[a.name] for a in operation.arguments]
    keywords = {**operation.options, **{name: tensors[name] for name in batch.form.extra}}
    with np.errstate(all="ignore"):
        results = {"value": _back(value(*row, **keywords), dtype)}
        if gradient is not None:
            row += [tensors["cotangent"]] if operation.shape == "row" else []
            slopes = gradient(*row, **keywords)
            for name, slope in zip(operation.differentiable, slopes if isinstance(slopes, tuple) else (slopes,), strict=True):
                results[f"d {name}"] = _back(slope, dtype)
    return results


def _tensor(array: NDArray[Any], dtype: str) -> NDArray[Any]:
    return exact_cast(array, dtype) if array.dtype.kind == "f" else array


def _back(result: Any, dtype: str) -> Floats:
    return np.asarray(np.asarray(result).astype(numpy_dtype(dtype)), dtype=np.float64)


def perfect(name: str, dtype: str, flushes: bool = False) -> Subject:
    """The exact reference, correctly rounded; subnormal results become 0 where the arithmetic ``flushes``."""
    operation, fmt = operations()[name], FORMATS[dtype]

    def rounded(exact: Exact, batch: Batch) -> Floats:
        result = round_to(fmt, exact.high, exact.low)
        result = np.where(np.abs(result) < fmt.tiny, 0.0, result) if flushes else result
        return result.reshape(batch.blocks, -1, *result.shape[1:])

    def evaluate(batch: Batch, with_gradient: bool) -> Mapping[str, Floats]:
        arrays, undefined = _finite(operation, batch.flat())
        value = rounded(oracle.value(operation, arrays, operation.options), batch)
        mask = undefined.reshape(value.shape[:2])
        results = {"value": np.where(mask if value.ndim == 2 else mask[..., None], np.nan, value)}
        if with_gradient:
            slopes = oracle.gradient(operation, arrays, operation.options)
            results |= {f"d {n}": rounded(slope, batch) for n, slope in slopes.items()}
        return results

    def peer(other: str) -> Subject:
        return perfect(other, dtype, flushes)

    return Subject(operation, Rounding(fmt, flushes), evaluate, operation.gradient is not None, peer)


def _finite(operation: Operation, arrays: dict[str, NDArray[Any]]) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """½ in place of what the reference has no value for: NaN, and infinities unless ``special`` has them; and which examples."""
    count = len(next(iter(arrays.values())))
    undefined = np.zeros(count, dtype=bool)
    made = dict(arrays)
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            odd = np.isnan(array) if operation.special else ~np.isfinite(array)
            undefined |= odd.reshape(count, -1).any(axis=-1)
            made[name] = np.where(odd, 0.5, array)
    return made, undefined
