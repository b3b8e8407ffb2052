"""C6: softmax cannot be fitted to targets that are no distribution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.training import Dense, Training
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.floats import FORMATS, Floats
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

TARGET = (0.0, 0.08193582, 0.13141066, 0.13495408, 0.16852582, 0.2154705, 0.30517559, 0.32567417, 0.34073457, 0.37453226)
"""The document's ten expected entries."""
N = len(TARGET)
ZERO = [np.zeros((1, N)), np.zeros(N)]
MIXED = [np.where(np.arange(N) % 2 == 0, -0.25, 0.25)[None], np.zeros(N)]
"""Weights of both signs, as random ones are."""
SOFTMAX_STEPS, SOFTMAX_EVERY = 1000, 200
LINEAR_STEPS, LINEAR_EVERY, RATE = 60, 6, 1.0
U = FORMATS["float32"].u


def _by_name(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    return _trained(lab, "mean_squared_error", "poisson")


def _by_function(lab: Lab, _data: Arrays) -> Mapping[str, Any]:
    ops = lab.ops

    def squared(y: Any, prediction: Any) -> Any:
        return ops.mean(ops.square(prediction - y))

    def poisson(y: Any, prediction: Any) -> Any:
        return ops.mean(prediction - y * ops.log(prediction + 1e-7))

    return _trained(lab, squared, poisson)


def _trained(lab: Lab, squared: Any, poisson: Any) -> Mapping[str, Any]:
    x, y = np.ones((1, 1)), np.array([TARGET])
    tasks = {
        "softmax": (Training((Dense(N, "softmax"),), squared, "adam", 0.1, SOFTMAX_STEPS, SOFTMAX_EVERY), ZERO),
        "linear": (Training((Dense(N),), squared, "sgd", RATE, LINEAR_STEPS, LINEAR_EVERY), ZERO),
        "poisson": (Training((Dense(N),), poisson, "sgd", RATE, 1, 1), MIXED),
    }
    found: dict[str, Any] = {}
    for name, (task, start) in tasks.items():
        done = lab.train(task, start, x, y)
        found |= {f"{name} predicted": done.predicted[0], f"{name} reported": done.reported, f"drawn {name}": done.path}
    return found


def projected(target: Floats) -> Floats:
    """The distribution nearest to a target: max(t − τ, 0), τ such that it sums to 1 (Held, Wolfe & Crowder, Math. Prog. 6 (1974), 62–88).

    With the entries sorted downwards, τ is (t₁ + … + t_k − 1)/k for the largest k whose own entry stays above it.
    """
    descending = np.sort(target)[::-1]
    thresholds = (np.cumsum(descending) - 1) / np.arange(1, len(target) + 1)
    return np.asarray(np.maximum(target - thresholds[np.flatnonzero(descending > thresholds)[-1]], 0.0))


def _judge(account: Account) -> None:
    account.printed("The target is the document's first ten expected entries", "expected", TARGET)
    # What the frameworks are given are the entries rounded to float32.
    target = np.array(TARGET, dtype=np.float32).astype(np.float64)
    nearest, total = projected(target), float(np.sum(target))
    floor = float(np.sum((nearest - target) ** 2))
    account.claim(
        f"They sum to {total:.5g} and none is negative: no entries after them can make them part of a distribution",
        total > 1 and np.min(target) >= 0,
        total,
        "> 1",
    )

    softmax, linear = account["softmax predicted"], account["linear predicted"]
    residuals = {"softmax": float(np.sum((softmax - target) ** 2)), "linear": float(np.sum((linear - target) ** 2))}
    _softmax(account, target, softmax, residuals["softmax"], floor)
    _linear(account, target, linear, residuals["linear"], floor)

    _reported(account, "softmax", softmax - target, 2 * _softmax_error(account, softmax))
    _reported(account, "linear", linear - target, np.zeros(N))
    _poisson(account, target)
    others = np.array(account.golden("predicted").values)
    account.claim(
        "The document's own prediction is above the floor as well",
        np.sum((others - target) ** 2) > floor,
        float(np.sum((others - target) ** 2)),
        f"> {floor:.6g}",
    )
    _show(account, target, nearest, floor, residuals)


def _softmax(account: Account, target: Floats, got: Floats, residual: float, floor: float) -> None:
    """No distribution has a smaller residual than the floor; what softmax returns sums to 1 but for its rounding.

    Its sum may be above 1 by the bound's sum, ε. Then the nearest point is that of the simplex of sum 1 + ε, whose residual is smaller by
    2τε at most, τ < 1 being the threshold. In the other direction: f(p) = |p − t|² is convex, so f(p) − f(q) ≤ ∇f(p)·(p − q) for every
    distribution q, and the largest of these, at a corner, says how far above the best p can be at most.
    """
    epsilon = float(np.sum(_softmax_error(account, got)))
    account.near("Softmax outputs sum to 1, but for their rounding", np.sum(got), 1.0, epsilon)
    account.claim(
        f"Softmax trained on the squared error stays above {floor:.6g}, the squared distance from the target to the nearest "
        "distribution, but for the rounding of its sum",
        residual >= floor - 2 * epsilon,
        residual,
        f"≥ {floor:.9g} − {2 * epsilon:.2g}",
    )
    slope = 2 * (got - target)
    gap = float(slope @ got - np.min(slope))
    account.claim(
        "It has found the nearest distribution: by convexity none has a squared distance that is smaller by one per cent of that",
        gap < floor / 100 and residual - floor <= gap + 2 * epsilon,
        gap,
        f"< {floor / 100:.3g}",
    )


def _softmax_error(account: Account, p: Floats) -> Floats:
    """The bound of softmax's rounding at the logits log p; where p has underflowed, that of an entry of e^−80."""
    from suite.casebook.errors import allowed

    logits = np.log(np.maximum(p, np.exp(-80.0))).astype(np.float32).astype(np.float64)
    return np.asarray(allowed(account, "softmax", {"x": logits[None]})[0])


def _linear(account: Account, target: Floats, got: Floats, residual: float, floor: float) -> None:
    """Where descent of the linear head ends.

    Weight w and bias b of an output have the same gradient, 0.2e for the error e = w + b − t, and start alike: w = b, and w + b is exact.
    A step takes e to (1 − 0.4 · rate)e = 0.6e, and rounding w and b to within u|t| of it; a step that is lost to rounding leaves e as it
    is, where 0.2|e| ≤ u|w|. Either way |e| ends at u|t|/(1 − 0.6) = 2.5u|t| at most; 3u|t| leaves room for the gradient's own rounding.
    """
    account.claim(
        "A linear head reaches the target to the last digits: every entry within three rounding errors of it",
        np.all(np.abs(got - target) <= 3 * U * np.abs(target)),
        np.max(np.abs(got - target)),
        f"≤ 3u|t| ≤ {3 * U * max(TARGET):.2g}",
    )
    text = "So its squared error, 9u²Σt² at most, is less than a 10¹²th of softmax's floor"
    account.claim(text, residual < floor / 1e12, residual, f"< {floor / 1e12:.2g}")


def _poisson(account: Account, target: Floats) -> None:
    """The gradient of the mean of ŷ − t log(ŷ + 1e-7) by a weight or bias is (1 − t/ŷ)/10, and an output moves with both of them.

    For a negative ŷ it is positive whatever the target: descent makes the output more negative. Ten roundings lead to the new output.
    """
    start, step = MIXED[0][0], 2 * RATE / N
    moved = -step * (1 - target / (start + 1e-7))
    off, sizes = np.abs(account["poisson predicted"] - (start + moved)), np.abs(start) + step * (1 + np.abs(target / start))
    away = moved * (target - start) < 0
    account.limit(
        "Under the document's own loss, Poisson, which takes the logarithm of the output, a linear head has the loss NaN, and a step of "
        "descent takes every negative output further from its target: with the head, the loss has to be changed",
        bool(np.isnan(account["poisson reported"])) and np.array_equal(away, start < 0) and bool(np.all(off <= 10 * U * sizes)),
        f"loss {float(account['poisson reported']):.3g}, outputs {np.max(off):.2g} from where that step leads",
        f"loss nan, outputs ≤ {10 * U * np.max(sizes):.2g} from there",
    )


def _reported(account: Account, name: str, off: Floats, moved: Floats) -> None:
    """The mean of n squares: a difference, a square, n − 1 additions and a quotient round; predictions may round otherwise elsewhere."""
    loss = float(np.mean(off**2))
    error = (N + 3) * U * loss + float(np.mean(2 * np.abs(off) * moved + moved**2))
    account.near(
        f"The loss reported for the {name} head is that of its predictions, but for their rounding",
        account[f"{name} reported"],
        loss,
        error,
    )


def _show(account: Account, target: Floats, nearest: Floats, floor: float, residuals: Mapping[str, float]) -> None:
    def sizes(name: str) -> Floats:
        raw = account[f"drawn {name}"][:, :N] + account[f"drawn {name}"][:, N:]
        weights = np.exp(raw - raw.max(axis=1, keepdims=True))
        outputs = weights / weights.sum(axis=1, keepdims=True) if name == "softmax" else raw
        return np.asarray(((outputs - target) ** 2).sum(axis=1))

    entries, steps = np.arange(1, N + 1), max(SOFTMAX_STEPS, LINEAR_STEPS)
    account.figure(
        figure(
            "A softmax head stops at the nearest distribution, a linear head at the target",
            chart(
                "What is fitted",
                Axis("entry"),
                Axis("value"),
                line("target", entries, target, "marked"),
                line("softmax head", entries, account["softmax predicted"], "points"),
                line("linear head", entries, account["linear predicted"], "points"),
                line("nearest distribution", entries, nearest, "dashed"),
            ),
            chart(
                "Distance from the target",
                Axis("step"),
                Axis("sum of squared errors", log=True),
                line("softmax head", np.arange(0, SOFTMAX_STEPS + 1, SOFTMAX_EVERY), sizes("softmax")),
                line("linear head", np.arange(0, LINEAR_STEPS + 1, LINEAR_EVERY), sizes("linear")),
                line("no distribution is below", [0, steps], [floor, floor], "dashed"),
            ),
            network("Either head", [("input", ["1"]), ("softmax, or linear", ["ŷ₁", "ŷ₂", "…", "ŷ₁₀"])]),
        )
    )
    account.table(
        "Sums of squared errors over the ten entries",
        ("softmax head", "floor", "linear head", "the document's prediction"),
        [(residuals["softmax"], floor, residuals["linear"], float(np.sum((np.array(account.golden("predicted").values) - target) ** 2)))],
    )


ENTRY = Entry(
    "C6",
    "A softmax head cannot fit targets that are no distribution",
    "001_6dd32db1a395a767.txt",
    "A network with a softmax head cannot learn targets whose entries sum to 2, whatever lies below the head; a linear head can.",
    "A softmax head and a linear head are trained on the document's ten entries with the squared error. What softmax can reach at best is "
    "the Euclidean projection onto the probability simplex, known in closed form.",
    {"keras": _by_name, "": _by_function},
    _judge,
)
