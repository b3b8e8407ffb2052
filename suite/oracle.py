"""The exact reference: Arb balls with rising precision until the result rounds unambiguously (Ziv's method).

A result is returned as two float64 numbers: ``high``, the float64 nearest to the exact value, and ``low``, the rest, so that their sum is
the exact value to about 2^−106 relative. With both, an error is computed without cancellation and the correct rounding to any
narrower format is decided, ties included (:func:`suite.floats.round_to`). No framework under test is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flint
import numpy as np
from numpy.typing import NDArray

from suite.floats import Floats
from suite.model import Argument, Curve, Operation

PRECISIONS = (128, 256, 512, 1024, 2048, 4096)
"""Bits to try. A value still ambiguous at the last is exactly representable or a tie, and its midpoint is taken."""

_NEGLIGIBLE = flint.arb(2) ** -1200
"""Below this a value rounds to zero in every format, whatever its digits."""

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Exact:
    """Exact results, ``(R,)`` or ``(R, n)``: ``high`` correctly rounded to float64, ``low`` what is left."""

    high: Floats
    low: Floats

    def __getitem__(self, index: Any) -> Exact:
        """The same selection of both."""
        return Exact(self.high[index], self.low[index])


def value(operation: Operation, arrays: Arrays, options: Mapping[str, float]) -> Exact:
    """Exact values of an operation.

    Args:
        operation: what to compute.
        arrays: by argument name, ``(R,)`` or ``(R, n)``; ``where`` and ``b`` too if there are any.
        options: ``gamma``, ``alpha``, ``amount``.

    Returns:
        ``(R, n)`` for an operation that returns rows, else ``(R,)``. Masked entries of a row are 0 (softmax) or −inf (log_softmax).
    """
    if operation.shape == "elementwise" and len(operation.arguments) == 1:
        return _unary(operation, arrays[operation.arguments[0].name], lambda x: operation.value(x, **options), operation.special)
    rows = _Rows(operation, {n: a for n, a in arrays.items() if n not in ("cotangent", "direction")})
    fill = -np.inf if operation.name == "log_softmax" else 0.0
    if operation.shape == "row":
        return rows.evaluate(lambda *row: [operation.value(*row, **options)], [True], fill)[0]
    return rows.evaluate(lambda *row: [operation.value(*row, **options)], [False])[0]


def gradient(operation: Operation, arrays: Arrays, options: Mapping[str, float]) -> dict[str, Exact]:
    """Exact gradients by the name of the differentiable argument, each of that argument's shape.

    An operation that returns rows needs ``cotangent`` among the arrays; for the others the cotangent is 1 for each result. Entries
    without a derivative (kinks, points outside the domain, infinities) are NaN. Masked entries are 0.
    """
    if operation.gradient is None:
        return {}
    compute = operation.gradient
    if operation.shape == "elementwise" and len(operation.arguments) == 1:
        name = operation.arguments[0].name
        return {name: _unary(operation, _smooth(operation, arrays[name]), lambda ball: compute(ball)[0], {})}
    row_shaped = [a.rows for a in operation.arguments if a.differentiable]
    plain = {n: a for n, a in arrays.items() if n != "direction"}
    results = _Rows(operation, plain).evaluate(lambda *row: compute(*row, **options), row_shaped, 0.0)
    return dict(zip(operation.differentiable, results, strict=True))


def curvature(operation: Operation, arrays: Arrays, options: Mapping[str, float]) -> Exact:
    """Exact second derivatives with respect to the first differentiable argument, of that argument's shape.

    For an argument with a class axis, the product of the Hessian with ``direction``. NaN where there is no gradient.
    """
    assert operation.curvature is not None
    compute = operation.curvature
    if operation.shape == "elementwise" and len(operation.arguments) == 1:
        return _unary(operation, _smooth(operation, arrays[operation.arguments[0].name]), compute, {})
    names = {a.name for a in operation.arguments} | {"direction", "where", "b"}
    along = {n: a for n, a in arrays.items() if n in names and (n != "direction" or operation.shape == "scalar")}
    is_row = next(a.rows for a in operation.arguments if a.differentiable)
    return _Rows(operation, along).evaluate(lambda *row: [compute(*row, **options)], [is_row], 0.0)[0]


def _smooth(operation: Operation, x: Floats) -> Floats:
    """The arguments at which there is a derivative; NaN in place of the others."""
    inside = np.isfinite(x) & (x > operation.domain[0]) & (x < operation.domain[1]) & ~np.isin(x, operation.kinks)
    return np.where(inside, x, np.nan)


def curve(function: Curve, numbers: Sequence[Floats]) -> Exact:
    """Exact results of a curve for finite inputs inside its domain, one array ``(R,)`` for each of its numbers."""
    rows = list(zip(*(n.tolist() for n in numbers), strict=True))
    solved = _ziv(len(rows), lambda i: [function.ball(*map(flint.arb, rows[i]))])
    highs, lows = zip(*(pairs[0] for pairs in solved), strict=True) if rows else ((), ())
    return Exact(np.array(highs, dtype=np.float64), np.array(lows, dtype=np.float64))


def _unary(operation: Operation, x: Floats, compute: Callable[[Any], Any], special: Mapping[float, float]) -> Exact:
    inside = np.isfinite(x) & (x >= operation.domain[0]) & (x <= operation.domain[1])
    high, low = np.full(x.shape, np.nan), np.zeros(x.shape)
    for point, result in special.items():
        high[x == point] = result
        inside &= x != point
    todo = np.flatnonzero(inside)
    numbers = x[todo].tolist()
    solved = _ziv(len(todo), lambda i: [compute(flint.arb(numbers[i]))])
    high[todo] = [pairs[0][0] for pairs in solved]
    low[todo] = [pairs[0][1] for pairs in solved]
    return Exact(high, low)


class _Rows:
    """Examples one by one as balls and lists of balls, masked entries left out."""

    def __init__(self, operation: Operation, arrays: Arrays) -> None:
        self._mask = arrays.get("where")
        names: list[Argument] = list(operation.arguments)
        names += [Argument(n, "weight", rows=True) for n in ("b",) if n in arrays and n in operation.optional]
        names += [Argument(n, rows=True) for n in ("cotangent",) if n in arrays and operation.shape == "row"]
        names += [Argument(n, rows=True) for n in ("direction",) if n in arrays]
        self._columns = [self._column(argument, arrays[argument.name]) for argument in names]
        first = arrays[operation.arguments[0].name]
        self._count = len(first)
        self._width = first.shape[-1] if first.ndim > 1 else 0
        self._odd = self._without_value(arrays[a.name] for a in names)

    def _without_value(self, arrays: Iterable[NDArray[Any]]) -> NDArray[np.bool_]:
        """Examples with an infinity or NaN that no mask leaves out: their results are NaN."""
        found = np.zeros(self._count, dtype=bool)
        for array in arrays:
            if array.dtype.kind == "f":
                odd = ~np.isfinite(array) & (self._mask if self._mask is not None and array.ndim > 1 else True)
                found |= odd.any(axis=-1) if array.ndim > 1 else odd
        return found

    def _column(self, argument: Argument, array: NDArray[Any]) -> list[Any]:
        if argument.role == "index" and self._mask is not None:
            # Among the entries that are left, the class stands at another place.
            return [int(mask[:k].sum()) for k, mask in zip(array.tolist(), self._mask, strict=True)]
        plain: list[Any] = array.tolist()
        if argument.role in ("index", "mask"):
            return plain
        if not argument.rows:
            return [flint.arb(v) for v in plain]
        if self._mask is None:
            return [[flint.arb(v) for v in row] for row in plain]
        masked = zip(plain, self._mask.tolist(), strict=True)
        return [[flint.arb(v) for v, keep in zip(row, mask, strict=True) if keep] for row, mask in masked]

    def evaluate(self, compute: Callable[..., list[Any]], row_shaped: list[bool], fill: float = 0.0) -> list[Exact]:
        """Runs ``compute`` on every example; each of its results is a ball, or a list of balls where ``row_shaped`` says so."""
        shapes = [(self._count, self._width) if is_row else (self._count,) for is_row in row_shaped]
        highs, lows = [np.full(s, fill) for s in shapes], [np.zeros(s) for s in shapes]

        usual = np.flatnonzero(~self._odd).tolist()

        def flat(place: int) -> list[Any]:
            i = usual[place]
            results = compute(*(column[i] for column in self._columns))
            return [ball for r in results for ball in (r if isinstance(r, list) else [r])]

        for high in highs:
            high[self._odd] = np.nan
        for i, pairs in zip(usual, _ziv(len(usual), flat), strict=True):
            rest = iter(pairs)
            for high, low, is_row in zip(highs, lows, row_shaped, strict=True):
                if not is_row:
                    high[i], low[i] = next(rest)
                    continue
                for j in range(self._width):
                    if self._mask is None or self._mask[i, j]:
                        high[i, j], low[i, j] = next(rest)
        return [Exact(high, low) for high, low in zip(highs, lows, strict=True)]


def _ziv(count: int, compute: Callable[[int], list[Any]]) -> list[list[tuple[float, float]]]:
    """(high, low) of every ball of every example; those that do not round unambiguously are repeated with more bits."""
    results: list[list[tuple[float, float]]] = [[] for _ in range(count)]
    todo = list(range(count))
    for precision in PRECISIONS:
        unresolved = []
        with flint.ctx.workprec(precision):
            for i in todo:
                pairs = [_split(ball, precision == PRECISIONS[-1]) for ball in compute(i)]
                if None in pairs:
                    unresolved.append(i)
                else:
                    results[i] = [pair for pair in pairs if pair is not None]
        todo = unresolved
        if not todo:
            break
    return results


def _split(ball: Any, last: bool) -> tuple[float, float] | None:
    """The float64 nearest to every number of the ball, and the rest; None if the ball is too wide to tell."""
    high = float(ball.lower())
    if high != float(ball.upper()):
        if abs(ball) < _NEGLIGIBLE:
            return 0.0, 0.0
        if not last:
            return None
        high = float(ball.mid())
    elif not last and ball.rel_accuracy_bits() < 110 and not ball.is_exact():
        # The remainder needs digits too: after cancellation, high alone may be certain.
        return None
    if high in (np.inf, -np.inf) or high != high:
        if not ball.is_finite():
            raise ArithmeticError(f"the reference does not enclose a finite value: {ball}")
        return high, 0.0
    return high + 0.0, float(ball - high)
