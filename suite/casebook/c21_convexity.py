"""C21: of the two surfaces of logistic regression one is convex."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.casebook.base import Arrays, Entry
from suite.casebook.data import arrays
from suite.casebook.drawing import chart, figure, line, surface
from suite.casebook.logistic import CANONICAL, LOSSES, MINIMA, TRUTH, W0, W1, along, design
from suite.floats import Floats
from suite.lab import Lab
from suite.model import Axis, Panel

if TYPE_CHECKING:
    from suite.casebook.account import Account
    from suite.casebook.descent import Point
    from suite.operations.bounds import Rounding

jax = lazy("jax")

GRID = np.stack([each.ravel() for each in np.meshgrid(W0, W1, indexing="ij")])
"""A column for each place of the document's grid: intercept and slope."""
PART = 5 * len(W1)
"""So many places at a time: all of them at once would take gigabytes."""
SEGMENTS = 150


def segments() -> Floats:
    """Random segments as columns: first ends, second ends, midpoints. Every other lies on the grid's rectangle, the rest go far beyond."""
    random = np.random.RandomState(21)
    near = random.uniform([[-10.0], [-1.0]], [[3.0], [10.0]], size=(2, 2, SEGMENTS))
    far = random.normal(size=(2, 2, SEGMENTS)) * 10.0 ** random.uniform(-1, 3, size=SEGMENTS)
    a, b = np.where(np.arange(SEGMENTS) % 2, far, near)
    return np.concatenate([a, b, (a + b) / 2], axis=1)


def parts() -> Iterator[slice]:
    """The grid, part by part."""
    return (slice(start, start + PART) for start in range(0, GRID.shape[1], PART))


def _sums(lab: Lab, loss: str) -> Callable[..., Any]:
    """(weights, X, labels) → for each column of weights the sum of the framework's own losses from logits; labels have a column each.

    What is differentiated is the sum, not the mean: Keras on JAX takes a loss's gradient through float32, where 1 is a number and 1/2000
    is not.
    """
    ops, function = lab.ops, lab.function(CANONICAL[loss])

    def sums(weights: Any, matrix: Any, labels: Any) -> Any:
        logits = ops.matmul(matrix, weights)
        losses = function(ops.reshape(logits, (-1,)), ops.reshape(labels, (-1,)))
        return ops.sum(ops.reshape(losses, labels.shape), 0)

    return sums


def _twice_differentiated(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """Hessians as the gradients of the gradients' two components."""

    def hessians(loss: str) -> Callable[..., Any]:
        backend, sums = lab.backend, _sums(lab, loss)

        def run(weights: Any, matrix: Any, labels: Any, ones: Any) -> list[Any]:
            def gradient(w: Any) -> Any:
                return backend.pullback(lambda v: sums(v, matrix, labels), [0])(w, ones)[1][0]

            return [backend.pullback(lambda w, i=i: gradient(w)[i], [0])(weights, ones)[1][0] for i in (0, 1)]

        return backend.compile(run, lab.mode)

    return _measured(lab, data, hessians)


def _by_hessian(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """``jax.hessian``, mapped over the places."""

    def hessians(loss: str) -> Callable[..., Any]:
        function = lab.function(CANONICAL[loss])

        def total(w: Any, matrix: Any, labels: Any) -> Any:
            return lab.ops.sum(function(matrix @ w, labels))

        mapped = jax.vmap(jax.hessian(total), (1, None, None), 2)
        return lab.backend.compile(lambda weights, matrix, labels, _: list(mapped(weights, matrix, labels[:, 0])), lab.mode)

    return _measured(lab, data, hessians)


def _measured(lab: Lab, data: Arrays, hessians: Callable[[str], Callable[..., Any]]) -> Mapping[str, Any]:
    matrix, y, found = design(data["logistic.x"]), data["logistic.y"], {}
    drawn = segments()
    narrow, wide = (np.ascontiguousarray(np.broadcast_to(y, (len(y), count))) for count in (PART, drawn.shape[1]))
    rest = [lab.backend.tensor(a, "float64") for a in (matrix, narrow, np.ones(PART))]
    for loss in LOSSES:
        found[f"surface {loss}"] = lab.values(along(lab, loss), GRID, matrix, y, dtype="float64")
        compiled = hessians(loss)
        rows = [compiled(lab.backend.tensor(np.ascontiguousarray(GRID[:, part]), "float64"), *rest) for part in parts()]
        summed = np.concatenate([np.stack([lab.backend.array(row) for row in pair]) for pair in rows], axis=2)
        found[f"hessian {loss}"] = summed.reshape(4, -1) / len(y)
        found[f"segments {loss}"] = lab.values(_sums(lab, loss), drawn, matrix, wide, dtype="float64") / len(y)
    return found


def _judge(account: Account) -> None:
    for loss in LOSSES:
        _judge_surface(account, loss)
    _judge_hessians(account)
    _judge_segments(account)
    _draw(account)


def _judge_surface(account: Account, loss: str) -> None:
    from suite.casebook.descent import Rule, rule
    from suite.casebook.errors import share

    double, single = account.rounding("float64"), account.rounding("float32")
    exact, error = (np.concatenate(each) for each in zip(*(_heights(loss, part, double) for part in parts()), strict=True))
    grid = f"the document's grid of {GRID.shape[1]:,} places"
    text = f"{loss}: the surface over {grid} is NumPy's, within what float64's rounding can do to both"
    if rule(account.backend, "sgd") == Rule("sgd"):
        account.within(text, share(account[f"surface {loss}"] - exact, error))
        return
    error = error + (len(arrays("logistic")["y"]) + 2) * single.u * exact
    account.within(f"{text}, and float32's to the mean, which keras.ops.mean computes in float32 on JAX (keras/src/backend/jax/numpy.py)",
                   share(account[f"surface {loss}"] - exact, error), "limit")  # fmt: skip


def _judge_hessians(account: Account) -> None:
    """Eigenvalues of a symmetric matrix that is off by E are off by ‖E‖ at most, here by its Frobenius norm."""
    from suite.casebook.errors import share

    lowest, allowed, wanted = {}, {}, {}
    for loss in LOSSES:
        got, double = account[f"hessian {loss}"], account.rounding("float64")
        own = _own_error(loss, double)
        found = (_curvature(loss, part, double, own) for part in parts())
        exact, error = (np.concatenate(each, axis=1) for each in zip(*found, strict=True))
        account.within(f"{loss}: the Hessians that the framework finds by differentiating its own loss from logits twice are "
                       "NumPy's at every place of the grid, within what float64's rounding can do to both",
                       share(got - exact, error))  # fmt: skip
        lowest[loss], wanted[loss] = _lowest(got), _lowest(exact)
        allowed[loss] = np.sqrt((error**2).sum(axis=0))
    least = int(np.argmin(lowest["BCE"]))
    account.claim("BCE is convex: the smaller eigenvalue of its Hessian is above 0 at every place of the grid by more than it can be off",
                  bool(np.all(lowest["BCE"] > allowed["BCE"])), f"≥ {lowest['BCE'][least]:.4g}",
                  f"> {allowed['BCE'][least]:.2g}")  # fmt: skip
    negative = lowest["MSE"] < -allowed["MSE"]
    account.same("MSE is not: its smaller eigenvalue is below 0, by more than it can be off, at so many places of the grid, as "
                 "many as in NumPy",
                 np.sum(negative), np.sum(wanted["MSE"] < -allowed["MSE"]))  # fmt: skip
    share_of_all = float(np.mean(negative))
    account.claim("These are more than half of all", share_of_all > 0.5, share_of_all, "> 0.5")
    bottom = int(np.argmin(wanted["MSE"]))
    account.near(f"Its most negative eigenvalue, at intercept {GRID[0, bottom]:.1f} and slope {GRID[1, bottom]:.1f}", lowest["MSE"][bottom],
                 wanted["MSE"][bottom], allowed["MSE"][bottom])  # fmt: skip
    for name, place in MINIMA.items():
        near = int(np.argmin(np.linalg.norm(GRID - np.array(place)[:, None], axis=0)))
        account.claim(f"Next to its minimum {name} bends upwards: there the smaller eigenvalue is above 0",
                      lowest[name][near] > allowed[name][near], lowest[name][near], "> 0")  # fmt: skip


def _judge_segments(account: Account) -> None:
    from suite.casebook.errors import share

    excess, allowed, exact = {}, {}, {}
    for loss in LOSSES:
        got, error = account[f"segments {loss}"], _segment_error(account, loss)
        exact[loss] = _points(loss, segments()).value
        account.within(f"{loss} at the ends and in the middle of {SEGMENTS} random segments, every other within the grid's "
                       "rectangle, the rest "
                       "thousands of units long, is NumPy's, within rounding", share(got - exact[loss], 2 * error))  # fmt: skip
        excess[loss], allowed[loss] = _excess(got), _excess(error, 1.0)
    above = int(np.sum(~(excess["BCE"] <= allowed["BCE"])))
    account.same("Midpoint convexity: on so many of these segments BCE at the middle lies above the mean of the ends by more "
                 "than rounding can do",
                 above, 0)  # fmt: skip
    inside = np.arange(SEGMENTS) % 2 == 0
    worst = int(np.argmax(np.where(inside, _excess(exact["MSE"]), -1.0)))
    spot = [f"({end[0, worst]:.4g}, {end[1, worst]:.4g})" for end in np.split(segments(), 3, axis=1)]
    account.claim(f"A counter-example for MSE, within the rectangle: halfway between {spot[0]} and {spot[1]} it lies above the "
                  "mean of the ends by so much", excess["MSE"][worst] > allowed["MSE"][worst], excess["MSE"][worst],
                  f"> {allowed['MSE'][worst]:.2g}")  # fmt: skip
    violated = float(np.mean(excess["MSE"][inside] > allowed["MSE"][inside]))
    account.claim("Of the segments within the rectangle such a share are counter-examples for MSE", violated > 0.1, violated, "> 0.1")
    values = account["segments MSE"].reshape(3, -1)[:, worst]
    rows = [[where, at, f"{value:.9g}"] for where, at, value in zip(("one end", "other end", "middle"), spot, values, strict=True)]
    account.table("The counter-example", ["", "intercept, slope", "MSE"], rows)


def _excess(values: Floats, sign: float = -1.0) -> Floats:
    """What lies in the middle less the mean of the ends; with a sign of 1 their sum, for errors."""
    a, b, middle = np.split(values, 3)
    return np.asarray(middle + sign * (a + b) / 2)


def _points(loss: Any, weights: Floats) -> Point:
    from suite.casebook.descent import Point

    data = arrays("logistic")
    return Point(design(data["x"]), data["y"], weights, loss)


def _segment_error(account: Account, loss: str) -> Floats:
    """The loss's own bound, its logit's error through its steepest slope, and the mean's; Keras on JAX rounds each loss to float32."""
    from suite.casebook.descent import Rule, rule
    from suite.operations import operations

    r, at = account.rounding("float64"), _points(loss, segments())
    labels = np.broadcast_to(at.labels, at.x.shape)
    each = at.residual**2 if loss == "MSE" else np.asarray(np.maximum(at.x, 0) - at.x * labels + np.log1p(np.exp(-np.abs(at.x))))
    own = operations()[CANONICAL[loss]].bound({"logits": at.x, "labels": labels}, each, r)
    own = own + (0.0 if rule(account.backend, "sgd") == Rule("sgd") else account.rounding("float32").u * each)
    steepest = 0.297 if loss == "MSE" else 1.0
    return np.asarray(np.mean(own + steepest * at.logit_error(r) + r.underflow, axis=0) + (len(labels) + 2) * r.u * np.mean(each, axis=0))


def _lowest(hessian: Floats) -> Floats:
    """The smaller eigenvalue of each column of four entries; NaN if any is not finite."""
    matrices = np.moveaxis(hessian.reshape(2, 2, -1), 2, 0)
    return np.asarray(np.linalg.eigvalsh(matrices)[:, 0]) if np.isfinite(matrices).all() else np.full(len(matrices), np.nan)


def _logit_error(part: slice, r: Rounding) -> Floats:
    """Two products and a sum, at each place; |x| ≤ 1."""
    return np.asarray(4 * r.u * np.abs(GRID[:, part]).sum(axis=0))


def _heights(loss: str, part: slice, r: Rounding) -> tuple[Floats, Floats]:
    """A surface, and how far a framework's and NumPy's can be apart, from the formulas as written.

    σ is off by c = exp's error + 2u of itself at most, 1 − σ by one u more, and both by σ' times the logit's error: of the likelihood L
    of a label that is (c + u)/L and 1 − L; its logarithm is off by as much, and by its own error. The square's root is off by σ's error.
    """
    at, x = _points(loss, GRID[:, part]), _logit_error(part, r)
    c, value, size = float(r.grow(r.relative("exp") + 3 * r.u)), at.value, len(at.labels)
    likelihood = 1 - np.abs(at.residual)
    if loss == "BCE":
        error = 1.02 * (
            np.mean(np.abs(at.residual), axis=0) * x + c * np.mean(1 / likelihood, axis=0) + (r.relative("log") + 3 * r.u) * value
        )
    else:
        error = 2.02 * (np.mean(np.abs(at.residual) * at.p * at.q, axis=0) * x + c * np.mean(np.abs(at.residual), axis=0))
    return value, 2 * np.asarray(error + (size + 4) * r.u * value)


def _curvature(loss: str, part: slice, r: Rounding, own: tuple[float, float]) -> tuple[Floats, Floats]:
    """Hessians in rows of four, and how far a framework's and NumPy's can be apart: by each example's curvature, its logit, and the mean.

    An example's curvature is made of terms of the size ``base``, and changes by 5 times as much with its logit, at most; what it is off by
    itself is ``own``: a part of that, and, where something cancels in a tail, something absolute.
    """
    at, size = _points(loss, GRID[:, part]), len(arrays("logistic")["y"])
    base = _base(at)
    products = np.stack([at.design[:, i] * at.design[:, j] for i in (0, 1) for j in (0, 1)])
    summed, sizes = np.einsum("kn,ng->kg", products, at.bend), np.einsum("kn,ng->kg", np.abs(products), base)
    error = (own[0] + (size + 8) * r.u + 5 * _logit_error(part, r)) * sizes / size
    error = error + own[1] * np.mean(np.abs(products), axis=1)[:, None]
    return summed / size, 2 * error


def _base(at: Point) -> Floats:
    """σ' for BCE; for MSE the magnitudes of 2σ'² and 2(σ − y)σ''."""
    s = at.p * at.q
    return np.asarray(s if at.loss == "BCE" else 2 * s * s + 2 * np.abs(at.residual) * s * np.abs(at.q - at.p))


def _own_error(loss: Any, r: Rounding) -> tuple[float, float]:
    """What an example's curvature is off by, at logits as far out as the grid's: in units of ``base``, and beyond that.

    BCE: the operation's own bound. MSE: σ'·σ' and (σ − y)·σ'', each factor with its own.
    """
    from suite.casebook.descent import Point
    from suite.operations import operations
    from suite.operations.bounds import sigmoid_error
    from suite.operations.logistic import sigmoid_curvature_error, sigmoid_gradient_error

    x = np.tile(np.linspace(-21, 21, 4001), 2)
    at = Point(x[:, None], np.repeat([0.0, 1.0], 4001), np.ones(1), loss)
    base = _base(at)
    if loss == "BCE":
        bound = operations()[CANONICAL["BCE"]].curvature_bound
        assert bound is not None
        error = np.asarray(bound({"logits": x, "labels": at.labels}, at.bend, r))
    else:
        s, residual, slope_error = at.p * at.q, np.abs(at.residual), sigmoid_gradient_error(x, r)
        second = s * np.abs(at.q - at.p)
        moved = (residual + sigmoid_error(x, r)) * (second + sigmoid_curvature_error(x, second, r)) - residual * second
        error = 2 * (2 * s * slope_error + slope_error**2) + 2 * moved + 6 * r.u * base
    relative = float(np.max((error / base)[np.abs(x) <= 2]))
    return relative, float(np.max(error - relative * base))


def _draw(account: Account) -> None:
    axes = Axis("intercept w0"), Axis("slope w1")
    panels, shape = [], (len(W0), len(W1))
    for loss in LOSSES:
        heights = account[f"surface {loss}"].reshape(shape)[::2, ::2]
        best = MINIMA[loss]
        lowest = float(_points(loss, np.array(best)[:, None]).value[0])
        mark = line("minimum", [best[0]], [best[1]], "marked", z=(lowest,))
        panels.append(Panel(loss, (surface(loss, W0[::2], W1[::2], heights), mark), *axes, Axis(loss)))
    account.figure(figure("The two surfaces over the document's grid, every second place", *panels))
    eigen = {loss: _lowest(account[f"hessian {loss}"]).reshape(shape) for loss in LOSSES}
    rows = {"slope 5": int(np.argmin(np.abs(W1 - TRUTH[1]))), "slope −1": 0}
    cuts = {loss: [line(name, W0, values[:, row]) for name, row in rows.items()] for loss, values in eigen.items()}
    drawn = np.zeros(shape, dtype=bool)
    drawn[::2, ::2] = True
    below = GRID[:, (drawn & (eigen["MSE"] < 0)).ravel()]
    account.figure(
        figure(
            "Smaller eigenvalue of the Hessian: MSE's goes below 0, BCE's nowhere",
            *(chart(loss, Axis("intercept w0"), Axis("eigenvalue"), *lines) for loss, lines in cuts.items()),
            chart("Where MSE's is below 0, every second place", *axes, line("below 0", below[0], below[1], "points")),
        )
    )


ENTRY = Entry(
    "C21",
    "The surface of cross-entropy is convex, that of squared error is not",
    "004_78d1e29d7eb87949.txt",
    "Over intercept and slope, the mean cross-entropy of logistic regression is a convex surface, the mean squared error is not.",
    "Both surfaces over the document's grid in float64 from the formulas as written there; Hessians by the framework's own "
    "second derivatives; "
    "random segments.",
    {"": _twice_differentiated, "jax": _by_hessian},
    _judge,
    data=("logistic",),
    x64=True,
)
