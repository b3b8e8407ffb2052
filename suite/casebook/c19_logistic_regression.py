"""C19: logistic regression by cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.training import Dense, Training
from suite.casebook.base import Arrays, Entry
from suite.casebook.data import arrays
from suite.casebook.drawing import chart, figure, line, moving, network, path
from suite.casebook.logistic import LOSSES, RATE, SEEN, SINGLE, START, TRUTH, along, cross_entropy, design, precision
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

EPOCHS, EVERY = 1000, 100
OTHERS = {"low": -1.5, "high": -0.5}
FIRST = {loss: np.array([SINGLE[loss], SEEN[0][loss], SEEN[1][loss]]).T for loss in LOSSES}
"""Where the document's single epochs began, a column for each."""


def _measured(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    x, y = data["logistic.x"], data["logistic.y"]
    found: dict[str, Any] = {}
    for loss, weights in FIRST.items():
        found[f"first {loss}"] = lab.values(along(lab, loss), weights, design(x), y, dtype="float64")
        found[f"first gradient {loss}"] = lab.gradients(along(lab, loss), weights, design(x), y, dtype="float64")[0]
    for dtype in ("float64", "float32"):
        with precision(lab, dtype):
            done = _trained(lab, START, dtype, EVERY if dtype == "float64" else EPOCHS, data)
        found |= {f"{dtype} path": done.path, f"{dtype} reported": done.reported, f"{dtype} predicted": done.predicted[:, 0]}
    return found | {f"end from {name}": _trained(lab, weight, "float32", EPOCHS, data).path[-1, 0] for name, weight in OTHERS.items()}


def _trained(lab: Lab, weight: float, dtype: str, every: int, data: Arrays) -> Any:
    task = Training((Dense(1, "sigmoid"),), cross_entropy(lab.ops), "sgd", RATE, EPOCHS, every, dtype)
    return lab.train(task, [np.array([[weight]]), np.zeros(1)], data["logistic.x"], data["logistic.y"])


def _judge(account: Account) -> None:
    _judge_data(account)
    _judge_double(account)
    _judge_single(account)
    _draw(account)


def _judge_data(account: Account) -> None:
    """The labels are printed nowhere, but losses and steps that follow from them are."""
    from suite.casebook.descent import point

    single = account.rounding("float32")
    for loss, weights in FIRST.items():
        text = (
            f"The labels are the document's: the {loss} that it prints for three single epochs comes out at their starts, all four digits"
        )
        account.printed(text, f"first {loss}", account[f"first {loss}"])
        gradient, at = account[f"first gradient {loss}"], point("MSE" if loss == "MSE" else "BCE", weights[:, 0])
        slack = RATE * at.gradient_error(single).max() + 2 * single.u * np.abs(at.weights).max()
        account.printed(f"So do the weights after the single epoch of SGD on {loss}, but for the rounding of one step in float32",
                        f"after {loss}", weights[:, 0] - RATE * gradient[:, 0], slack)  # fmt: skip
        signs = np.sign(weights[:, 1:].T.ravel() - np.array(account.golden(f"after Adam {loss}").values))
        account.same(f"And the signs of {loss}'s gradient at the starts of its epochs of Adam, whose first step is 0.1 against the sign",
                     np.sign(gradient[:, 1:].T.ravel()), signs)  # fmt: skip
    others, share = _other_samples(account)
    account.same("The digits tell samples apart: of 1,000 others of the same law, so many give the four losses of Adam's epochs", others, 0)
    account.claim("Some of them give the first of these losses, as chance has it: that comparison can be passed, and hardly ever is",
                  0 < share < 0.05, share, "0 to 0.05")  # fmt: skip


def _other_samples(account: Account) -> tuple[int, float]:
    """How many of 1,000 other samples give all four losses, and the share of those that give the first; the losses are linear in y."""
    p, matrix = arrays("logistic")["p"][:, 0], design(arrays("logistic")["x"])
    y = (np.random.RandomState(1).uniform(size=(1000, len(p))) < p).astype(np.float64)
    alike = []
    for loss, weights in FIRST.items():
        s = 1 / (1 + np.exp(-matrix @ weights[:, 1:]))
        one, zero = ((1 - s) ** 2, s**2) if loss == "MSE" else (-np.log(s), -np.log(1 - s))
        losses = (y @ one + (1 - y) @ zero) / len(p)
        number = account.golden(f"first {loss}")
        alike.append(np.abs(losses - number.values[1:]) <= number.halves[1:])
    every = np.concatenate(alike, axis=1)
    return int(every.all(axis=1).sum()), float(every[:, 0].mean())


def _judge_double(account: Account) -> None:
    from suite.casebook.audit import audit
    from suite.casebook.descent import Rule, follow, point, recomputed, rule
    from suite.casebook.errors import share

    double, single = account.rounding("float64"), account.rounding("float32")
    at, got, own = point("BCE", (START, 0.0), bias_last=True), account["float64 path"], rule(account.backend, "sgd")
    wanted = follow(at, own, EPOCHS, EVERY, double)
    if own == Rule("sgd"):
        account.within("In float64 the weights every 100 epochs are those of NumPy's descent, within what rounding can do to both",
                       share(got - wanted.path, 2 * wanted.error))  # fmt: skip
    else:
        account.within("In float64 the weights every 100 epochs are those of NumPy's descent with 1/2000 rounded to float32, within what "
                       "rounding can do to both: keras.ops.mean computes in float32 on JAX, whatever it is given "
                       "(keras/src/backend/jax/numpy.py; keras/src/backend/common/dtypes.py, BIT64_TO_BIT32_DTYPE)",
                       share(got - wanted.path, 2 * wanted.error), "limit")  # fmt: skip
        exact = follow(at, Rule("sgd"), EPOCHS, EVERY, double)
        off = share(got[-1] - exact.path[-1], 2 * exact.error[-1])
        account.limit("With 1/2000 in float64 they would not be: that bound is passed", off > 1, f"{off:.3g} of the bound", "> 1")
    again = recomputed(account, "BCE", account["float64 predicted"], "float64")
    audit(account, "the float64 model", float(account["float64 reported"]), again)
    account.printed("From weight −1.00347 and bias 0 the weight after 1,000 epochs is the document's, all its digits", "weight", got[-1, 0])
    rounded = follow(at, Rule("sgd"), EPOCHS, EPOCHS, single).error[-1]
    account.printed("The bias then comes out by itself, but for what 1,000 steps of float32 can have done to the document's", "bias",
                    got[-1, 1], rounded[1])  # fmt: skip
    printed = np.array([account.golden(name).values[0] for name in ("weight", "bias")])
    document = point("BCE", printed, bias_last=True)
    moved = np.array([account.golden("weight").halves[0], rounded[1]])
    allowed = np.abs(document.gradient) @ moved + moved @ np.abs(document.hessian) @ moved + document.value_error(single)
    account.near("Its loss is that at the document's weights, but for as much as these can be off", account["float64 reported"],
                 document.value, float(allowed))  # fmt: skip


def _judge_single(account: Account) -> None:
    from suite.casebook.audit import audit
    from suite.casebook.descent import Rule, follow, point, recomputed
    from suite.casebook.errors import share

    single = account.rounding("float32")
    wanted = follow(point("BCE", (START, 0.0), bias_last=True), Rule("sgd"), EPOCHS, EPOCHS, single)
    got = account["float32 path"]
    account.within(
        "In float32, the document's dtype, they end there as well, within what rounding can do", share(got - wanted.path, wanted.error)
    )
    audit(
        account,
        "the float32 model",
        float(account["float32 reported"]),
        recomputed(account, "BCE", account["float32 predicted"], "float32"),
    )
    for name, weight in OTHERS.items():
        end = follow(point("BCE", (weight, 0.0), bias_last=True), Rule("sgd"), EPOCHS, EPOCHS, single)
        side = "below" if name == "low" else "above"
        account.printed(f"From weight {weight} the weight ends a little {side}: the start is not forgotten after 1,000 epochs",
                        f"end from {name}", account[f"end from {name}"], end.error[-1, 0])  # fmt: skip
    best = point("BCE", TRUTH).minimiser()
    rows: list[Sequence[object]] = [
        ["document", *account.golden("weight").printed, *account.golden("bias").printed],
        ["float32", f"{got[-1, 0]:.9g}", f"{got[-1, 1]:.9g}"],
        ["float64", f"{account['float64 path'][-1, 0]:.9g}", f"{account['float64 path'][-1, 1]:.9g}"],
        ["minimum of the loss (Newton's method, NumPy)", f"{best[1]:.9g}", f"{best[0]:.9g}"],
        ["what the labels were drawn with", TRUTH[1], TRUTH[0]],
    ]
    account.table("Weight and bias after 1,000 epochs of SGD(0.1)", ["", "weight", "bias"], rows)


def _draw(account: Account) -> None:
    data, way = arrays("logistic"), account["float64 path"]
    x, y, p = (data[name][::10, 0] for name in ("x", "y", "p"))
    fits = [1 / (1 + np.exp(-(w * x + b))) for w, b in way]
    curves = line("labels, every tenth", x, y, "points"), line("P(y = 1)", x, p, "dashed"), moving("fit", x, fits)
    ends = line("document's end", account.golden("weight").values, account.golden("bias").values, "marked")
    account.figure(
        figure(
            "Logistic regression, 1,000 epochs of gradient descent",
            chart("Fit", Axis("x"), Axis("probability"), *curves),
            chart("Way of the weights", Axis("weight"), Axis("bias"), path("descent", way[:, 0], way[:, 1]), ends,
                  line("truth", [TRUTH[1]], [TRUTH[0]], "marked")),
            network("Network", [("input", ["x"]), ("sigmoid", ["ŷ"])]),
            steps=[f"epoch {EVERY * i}" for i in range(len(way))],
        )
    )  # fmt: skip


ENTRY = Entry(
    "C19",
    "Logistic regression by cross-entropy",
    "004_78d1e29d7eb87949.txt",
    "Logistic regression on 2,000 labels drawn with intercept −1 and slope 5 reaches weight 4.307486 and bias −0.82411796 after "
    "1,000 epochs "
    "of SGD with step 0.1 on binary cross-entropy.",
    "The document's data, drawn again and checked by the losses and steps that it prints; one sigmoid unit trained from the one "
    "weight that "
    "ends at the document's, in float64 and float32, with the loss written out as in the document.",
    {"": _measured},
    _judge,
    data=("logistic",),
    x64=True,
)
