"""C12: two softmax outputs and one sigmoid output are the same classifier; two sigmoids and one softmax output are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.base import lazy
from suite.backends.training import Dense, Training, Weights, forward
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, network, path
from suite.casebook.habits import HIDDEN_LOGITS
from suite.floats import FORMATS, Floats
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account
    from suite.casebook.sigmoid_unit import Unit

keras = lazy("keras")

COUNT, STEPS, EVERY, RATE = 128, 40, 8, 0.5
U = FORMATS["float32"].u
KERNEL, BIAS = np.array([[0.5, -0.25], [-0.125, 0.75]]), np.array([0.25, -0.5])
"""Weights of the two units, multiples of 1/8."""
TWO: Weights = [KERNEL, BIAS]
ONE: Weights = [KERNEL[:, 1:] - KERNEL[:, :1], BIAS[1:] - BIAS[:1]]
MIRRORED: Weights = [np.concatenate([-ONE[0], ONE[0]], axis=1), np.concatenate([-ONE[1], ONE[1]])]
START = np.concatenate([ONE[0][:, 0], ONE[1]])


@dataclass(frozen=True)
class Head:
    """A last layer, its loss, the step that it descends with, in units of that of the one sigmoid, and where it starts."""

    units: int
    activation: str
    loss: str
    step: float
    start: tuple[Any, ...]


HEADS = {
    "one sigmoid": Head(1, "sigmoid", "binary", 1.0, tuple(ONE)),
    "softmax at half the step": Head(2, "softmax", "categorical", 0.5, tuple(TWO)),
    "softmax at the same step": Head(2, "softmax", "categorical", 1.0, tuple(TWO)),
    "two sigmoids": Head(2, "sigmoid", "binary", 2.0, tuple(TWO)),
    "two mirrored sigmoids": Head(2, "sigmoid", "binary", 2.0, tuple(MIRRORED)),
    "softmax of one": Head(1, "softmax", "single", 1.0, tuple(ONE)),
}
"""Binary cross-entropy is a mean over both of two sigmoids: each of them descends with half of the step."""


def _examples(data: Arrays) -> tuple[Floats, Floats]:
    """The first points, rounded to multiples of 1/8: at the start every logit is exact in float32. Labels as a column."""
    x = np.clip(np.round(data["overlapping.x"][:COUNT] * 8) / 8, -4, 4)
    return np.asarray(x, dtype=np.float64), data["overlapping.y"][:COUNT, None].astype(np.float64)


def _labels(head: Head, y: Floats) -> Floats:
    return y if head.units == 1 else np.concatenate([1 - y, y], axis=1)


def _by_models(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """Keras' losses take probabilities."""
    binary, categorical = keras.losses.BinaryCrossentropy(), keras.losses.CategoricalCrossentropy()
    return _measured(lab, data, {"binary": binary, "categorical": categorical, "single": binary}, activated=True)


def _by_functions(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """The losses of TensorFlow and optax take logits; the activation comes in where something is predicted."""
    of_rows, of_columns = lab.function("softmax_cross_entropy_with_logits"), lab.function("binary_cross_entropy_with_logits")

    def categorical(y: Any, logits: Any) -> Any:
        return lab.ops.mean(of_rows(logits, y))

    def binary(y: Any, logits: Any) -> Any:
        return lab.ops.mean(of_columns(logits, y))

    return _measured(lab, data, {"binary": binary, "categorical": categorical, "single": categorical}, activated=False)


def _measured(lab: Lab, data: Arrays, losses: Mapping[str, Any], activated: bool) -> Mapping[str, Any]:
    x, y = _examples(data)
    found: dict[str, Any] = {}
    for name, head in HEADS.items():
        layer = Dense(head.units, head.activation if activated else "linear")
        task = Training((layer,), losses[head.loss], "sgd", RATE * head.step, STEPS, EVERY)
        done = lab.train(task, list(head.start), x, _labels(head, y))
        predicted = done.predicted if activated else lab.values(getattr(lab.ops, head.activation), done.predicted)
        found |= {f"{name} path": done.path, f"{name} reported": done.reported, f"{name} predicted": predicted}

    def loss_of(head: Head) -> Any:
        layer = Dense(head.units, head.activation if activated else "linear")
        return lambda x, y, *weights: losses[head.loss](y, forward(lab.ops, (layer,), weights, x))

    for name in ("one sigmoid", "softmax at half the step"):
        head = HEADS[name]
        given = (x, _labels(head, y), *head.start)
        found[f"{name} loss"] = lab.values(loss_of(head), *given)
        found[f"{name} kernel gradient"], found[f"{name} bias gradient"] = lab.gradients(loss_of(head), *given, wrt=(2, 3))
    return found | _activations(lab, x)


def _activations(lab: Lab, x: Floats) -> dict[str, Any]:
    """The gradient of one softmax output by its kernel, contracted with numbers of every size; and two outputs that have a logit each."""

    def one(x: Any, *weights: Any) -> Any:
        return forward(lab.ops, (Dense(1, "softmax"),), weights, x)

    (single,) = lab.gradients(one, x, *ONE, wrt=(1,), cotangent=np.arange(1.0, COUNT + 1)[:, None])
    sigmoid, softmax = lab.values(lab.ops.sigmoid, 4 * x), lab.values(lab.ops.softmax, 4 * x)
    return {"single gradient": single, "independent sigmoid": sigmoid, "independent softmax": softmax}


def _unit(account: Account, pair: Weights | None = None) -> Unit:
    """One sigmoid unit on these points, or what the difference of a pair of units is."""
    from suite.casebook.sigmoid_unit import Unit

    x, y = _examples(account.data)
    total = None if pair is None else np.concatenate([pair[0].sum(axis=1), [pair[1].sum()]])
    return Unit(np.concatenate([x, np.ones((COUNT, 1))], axis=1), y[:, 0], account.rounding(), total)


def _judge(account: Account) -> None:
    _algebra(account)
    _paths(account)
    _two_sigmoids(account)
    _not_exclusive(account)
    _softmax_of_one(account)
    _show(account)


def _algebra(account: Account) -> None:
    """Loss and gradients at the start, where the logits are exact."""
    from suite.casebook.audit import binary, categorical
    from suite.casebook.errors import share

    unit, r = _unit(account), account.rounding()
    y = unit.y[:, None]
    p = 1 / (1 + np.exp(-unit.x @ START))
    one, two = binary(unit.y, p, r), categorical(np.concatenate([1 - y, y], axis=1), np.stack([1 - p, p], axis=1), r)
    losses = account["one sigmoid loss"], account["softmax at half the step loss"]
    text = "With w = w₁ − w₀ and b = b₁ − b₀ both heads have the same loss, but for the rounding of both"
    account.near(text, losses[1], losses[0], one.allowed + two.allowed)
    account.near("It is the mean of −y log σ(z) − (1 − y) log(1 − σ(z)), but for its rounding", losses[0], one.loss, one.allowed)

    error, exact = unit.gradient_error(START), unit.x.T @ (p - unit.y) / COUNT
    single, double = (
        np.concatenate([account[f"{name} kernel gradient"], account[f"{name} bias gradient"][None]])
        for name in ("one sigmoid", "softmax at half the step")
    )
    account.within("The one unit's gradient is the mean of (σ(z) − y)x within its bound", share(single[:, 0] - exact, error))
    account.within("The gradient by the second of two units is that by the one unit", share(double[:, 1] - single[:, 0], 2 * error))
    account.within("The gradient by the first of two units is its opposite", share(double[:, 0] + single[:, 0], 2 * error))


def _of(flat: Floats, unit: int) -> Floats:
    """Of two units' path, kernel and bias in one row, that of one of them."""
    return flat[:, unit::2]


def _away(a: Floats, b: Floats, bound: Floats) -> float:
    """The share of its bound that the distance of two paths uses up, where it is kept."""
    from suite.casebook.errors import share

    return share(np.linalg.norm(a - b, axis=1), bound[::EVERY])


def _paths(account: Account) -> None:
    from suite.casebook.audit import audit, binary, categorical
    from suite.casebook.errors import share

    alone = _unit(account).descend(START, RATE, STEPS)
    half, full = (_unit(account, TWO).descend(START, step, STEPS) for step in (RATE, 2 * RATE))
    one, pair, quick = (account[f"{name} path"] for name in list(HEADS)[:3])
    slow, fast = (_of(flat, 1) - _of(flat, 0) for flat in (pair, quick))

    text = f"Over {STEPS} steps of {RATE} the one unit follows exact gradient descent within the bound"
    account.within(text, _away(one, alone.path[::EVERY], alone.bound))
    account.within(
        "At half the step w₁ − w₀ and b₁ − b₀ go the same way as the one unit, within both bounds, "
        f"{alone.bound[-1] + half.bound[-1]:.2g} at the end",
        _away(slow, one, alone.bound + half.bound),
    )
    text = "At the same step the difference moves twice as fast: it goes the way of one unit with twice the step, within the bound"
    account.within(text, _away(fast, full.path[::EVERY], full.bound))
    apart, bound = float(np.linalg.norm(fast[1] - one[1])), float((full.bound + alone.bound)[EVERY])
    account.claim(f"So at the same step the two ways part: here after {EVERY} steps", apart > bound, apart, f"> {bound:.2g}")
    sums = _of(pair, 0) + _of(pair, 1)
    account.within("The sums w₀ + w₁ and b₀ + b₁ stay where they were", _away(sums, sums[:1], half.bound))

    for name, descent in zip(HEADS, (alone, half, full), strict=False):
        exact, off = descent.predicted()
        wanted = np.stack([1 - exact, exact], axis=1)[:, -HEADS[name].units :]
        found = share(account[f"{name} predicted"] - wanted, off[:, None])
        account.within(f"The head of {name} predicts as exact descent does at all points, within the bound", found)
    for name, head in HEADS.items():
        if head.loss != "single":
            recompute = binary if head.loss == "binary" else categorical
            again = recompute(_labels(head, _examples(account.data)[1]), account[f"{name} predicted"], account.rounding())
            audit(account, f"the head of {name}", float(account[f"{name} reported"]), again)


def _two_sigmoids(account: Account) -> None:
    """Each is a unit of its own: the second learns the labels, the first 1 − y, which is to learn the labels from opposite weights."""
    from suite.casebook.errors import share

    flat, mirrored = account["two sigmoids path"], account["two mirrored sigmoids path"]
    starts = [np.concatenate([-KERNEL[:, 0], -BIAS[:1]]), np.concatenate([KERNEL[:, 1], BIAS[1:]])]
    first, second = (_unit(account).descend(start, RATE, STEPS) for start in starts)
    for name, got, descent in (("first", -_of(flat, 0), first), ("second", _of(flat, 1), second)):
        text = f"Two sigmoids are two classifiers: the {name} goes the way of one unit with its weights, within the bound"
        account.within(text, _away(got, descent.path[::EVERY], descent.bound))
    sums, own = account["two sigmoids predicted"].sum(axis=1), float(np.max(first.predicted()[1] + second.predicted()[1]))
    account.claim(
        f"They do not sum to 1 in the end, but to {np.min(sums):.4g} up to {np.max(sums):.4g}, and rounding explains {own:.2g}",
        np.max(np.abs(sums - 1)) > own,
        np.max(np.abs(sums - 1)),
        f"> {own:.2g}",
    )
    (exact, off), (other, more) = first.predicted(), second.predicted()
    account.within("Their sums are those of the two exact ones, within their bounds", share(sums - (1 - exact + other), off + more))

    alone = _unit(account).descend(START, RATE, STEPS)
    ways = [_away(sign * _of(mirrored, i), alone.path[::EVERY], alone.bound) for i, sign in enumerate((-1, 1))]
    sums, off = account["two mirrored sigmoids predicted"].sum(axis=1) - 1, 2 * alone.predicted()[1]
    account.limit(
        "Nothing forbids that they do: begun with opposite weights, both go the way of one sigmoid unit, and sum to 1 within the bound",
        max(ways) <= 1 and share(sums, off) <= 1,
        f"{max(*ways, share(sums, off)):.3g} of the bounds",
        "≤ 1",
    )


def _not_exclusive(account: Account) -> None:
    x, _ = _examples(account.data)
    both = (x > 0).all(axis=1)
    sigmoid, softmax = account["independent sigmoid"], account["independent softmax"]
    text = "For labels that are not exclusive, x₁ > 0 and x₂ > 0, two sigmoids of 4x give both"
    account.same(f"{text} at all {COUNT} points", sigmoid > 0.5, x > 0)
    account.within("They are σ(4x) within its bound", account.share("sigmoid", {"x": 4 * x.ravel()}, sigmoid.ravel()))
    count = np.sum((softmax[both] > 0.5).all(axis=1))
    account.same(f"Softmax of 4x gives both at none of the {np.sum(both)} points that have both", count, 0)
    text = "Its two outputs sum to 1, but for the rounding of sum and quotients: whatever the weights, only one can be above ½"
    account.near(text, softmax.sum(axis=1), 1.0, 4 * U)


def _softmax_of_one(account: Account) -> None:
    unit, y = _unit(account), _examples(account.data)[1]
    predicted, reported = account["softmax of one predicted"], float(account["softmax of one reported"])
    account.same("A softmax of one output predicts exactly 1 for every point, after training too", predicted, np.ones((COUNT, 1)))
    account.same("Its gradient by the weights is exactly 0", account["single gradient"], np.zeros((2, 1)))
    account.same("So it is right for the points labelled 1 alone", np.mean((predicted > 0.5) == (y == 1)), np.mean(y))
    if account.backend in HIDDEN_LOGITS:
        _hidden_logits(account, reported)
        return
    taken = np.tile(START, (STEPS // EVERY + 1, 1))
    if account.backend == "tensorflow":
        # Every product and sum here is a multiple of 1/4096 below 16: float32 has them all.
        moved = RATE * (unit.x * (1 - y)).mean(axis=0)
        account.same(
            "Training moves the weights all the same: tf.nn.softmax_cross_entropy_with_logits returns softmax less labels as its gradient, "
            "1 for each label 0, which is right only where a row of labels sums to 1, as its documentation says",
            account["softmax of one path"],
            taken - np.arange(0, STEPS + 1, EVERY)[:, None] * moved,
            role="limit",
        )
    else:
        account.same("Training leaves every weight as it was", account["softmax of one path"], taken)
    if account.backend == "keras-jax":
        r, exact = account.rounding(), float(np.mean(np.where(y == 1, 2.0**-23, 23 * np.log(2))))
        account.near(
            "The loss reported is that of predictions clipped to 1 − 2^−23, 23 ln 2 for each label 0, but for logarithm and mean",
            reported,
            exact,
            (r.relative("log") + (COUNT + 2) * U) * exact,
        )
    else:
        account.same("Its loss is 0 whatever the labels", reported, 0.0)


def _hidden_logits(account: Account, reported: float) -> None:
    """The logits at the end are rounded: 4u of Σ|w x| + |b|, and the loss moves with them by its slope, 1 at most."""
    from suite.casebook.audit import binary

    unit, path, r = _unit(account), account["softmax of one path"], account.rounding()
    alone = unit.descend(START, RATE, STEPS)
    hidden = binary(unit.y, 1 / (1 + np.exp(-unit.x @ path[-1])), r)
    text = "Yet fit trains it, the way that one sigmoid unit goes: Keras on TensorFlow takes the logits that softmax has left on its output"
    account.within(f"{text} (_get_logits in keras/src/backend/tensorflow/nn.py)", _away(path, alone.path[::EVERY], alone.bound), "limit")
    account.near(
        "The loss that evaluate reports is not that of what predict returns, but that of a sigmoid of the same logits",
        reported,
        hidden.loss,
        hidden.allowed + 4 * U * float(np.mean(np.abs(unit.x) @ np.abs(path[-1]))),
        role="limit",
    )
    before, wrong = float(account["one sigmoid loss"]), binary(unit.y, account["softmax of one predicted"][:, 0], r).loss
    account.limit(
        f"So it falls from {before:.4g}, while the loss of what predict returns is {wrong:.4g} throughout",
        reported < before < wrong,
        reported,
        f"< {before:.6g}",
    )


def _show(account: Account) -> None:
    one, pair, quick = (account[f"{name} path"] for name in list(HEADS)[:3])
    slow, fast = (_of(flat, 1) - _of(flat, 0) for flat in (pair, quick))
    account.figure(
        figure(
            "Two softmax units at half the step go the way of one sigmoid unit",
            chart(
                f"Weights, every {EVERY} steps",
                Axis("w of one unit, w₁ − w₀ of two: first feature"),
                Axis("second feature"),
                path("one sigmoid unit", one[:, 0], one[:, 1]),
                path("two softmax units, half the step", slow[:, 0], slow[:, 1], style="points"),
                path("two softmax units, the same step", fast[:, 0], fast[:, 1]),
            ),
            *(
                network(title, [("features", ["x₁", "x₂"]), (kind, nodes)])
                for title, kind, nodes in (
                    ("The same classifier", "softmax", ["1 − p", "p"]),
                    ("The same classifier", "sigmoid", ["p"]),
                    ("Labels that are not exclusive", "sigmoid", ["p₁", "p₂"]),
                    ("No classifier", "softmax", ["1"]),
                )
            ),
            steps=range(0, STEPS + 1, EVERY),
        )
    )
    sums = {name: account[f"{name} predicted"].sum(axis=1) for name in HEADS}
    account.table(
        f"After {STEPS} steps on {COUNT} points",
        ("head", "step", "loss reported", "sum of outputs"),
        [
            (name, RATE * head.step, account[f"{name} reported"], f"{np.min(sums[name]):.6g} to {np.max(sums[name]):.6g}")
            for name, head in HEADS.items()
        ],
    )


ENTRY = Entry(
    "C12",
    "Two softmax outputs or one sigmoid output",
    "002_fd96f1392fe2ebc9.txt",
    "For two exclusive classes a last layer of two softmax units and one of a single sigmoid unit are equivalent. Two sigmoid units are "
    "for labels that are not exclusive, and a single softmax unit is wrong.",
    "The four heads are trained on the same points from corresponding weights. Loss, gradients and paths of the first two are compared by "
    "the algebra w = w₁ − w₀; what is wrong with the others is measured.",
    {"keras": _by_models, "": _by_functions},
    _judge,
    data=("overlapping",),
)
