"""C20: logistic regression by squared error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.training import Dense, Training
from suite.casebook.base import Arrays, Entry
from suite.casebook.data import arrays
from suite.casebook.drawing import chart, figure, line, moving, network, path
from suite.casebook.logistic import LOSSES, MINIMA, RATE, START, TRUTH, along, design
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

EPOCHS, EVERY = 1000, 100


def _measured(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    x, y = data["logistic.x"], data["logistic.y"]
    found: dict[str, Any] = {}
    for name, loss in LOSSES.items():
        task = Training((Dense(1, "sigmoid"),), loss(lab.ops), "sgd", RATE, EPOCHS, EVERY)
        done = lab.train(task, [np.array([[START]]), np.zeros(1)], x, y)
        found |= {f"path {name}": done.path, f"reported {name}": done.reported, f"predicted {name}": done.predicted[:, 0]}
        places = np.array([(0.0, START), MINIMA[name]]).T
        (found[f"gradient {name}"],) = lab.gradients(along(lab, name), np.float32(places), np.float32(design(x)), y)
    return found


def _judge(account: Account) -> None:
    from suite.casebook.audit import audit
    from suite.casebook.descent import Rule, follow, point, recomputed
    from suite.casebook.errors import share

    single = account.rounding("float32")
    for name in ("MSE", "BCE"):
        wanted = follow(point(name, (START, 0.0), bias_last=True), Rule("sgd"), EPOCHS, EVERY, single)
        account.within(f"{name}: the weights every 100 epochs are those of NumPy's descent in float64, within what float32's "
                       "rounding can do",
                       share(account[f"path {name}"] - wanted.path, wanted.error))  # fmt: skip
        again = recomputed(account, name, account[f"predicted {name}"], "float32")
        audit(account, f"the model trained on {name}", float(account[f"reported {name}"]), again)
    _judge_fits(account)
    _judge_minima(account)
    _draw(account)


def _judge_fits(account: Account) -> None:
    y, p = (arrays("logistic")[name][:, 0] for name in ("y", "p"))
    fits = {name: account[f"predicted {name}"] for name in LOSSES}
    ends = {name: account[f"path {name}"][-1] for name in LOSSES}
    truth = np.array(TRUTH[::-1])
    measures = {
        "the distance of its weights from those that the labels were drawn with": {
            n: float(np.linalg.norm(ends[n] - truth)) for n in LOSSES
        },
        "the largest distance of its curve from the true probability": {n: float(np.max(np.abs(fits[n] - p))) for n in LOSSES},
        "its BCE": {n: float(-np.mean(np.log(np.where(y == 1, f, 1 - f)))) for n, f in fits.items()},
        "its MSE, which one of them was trained on,": {n: float(np.mean((f - y) ** 2)) for n, f in fits.items()},
    }
    for what, values in measures.items():
        account.claim(f"The fit by MSE is the worse one after as many epochs from the same start: {what} is larger than that of "
                      "the fit by BCE",
                      values["MSE"] > values["BCE"], values["MSE"], f"> {values['BCE']:.6g}")  # fmt: skip
    names = {"weight": 0, "bias": 1}
    rows = [[name, *(f"{ends[n][i]:.7g}" for n in LOSSES), TRUTH[1 - i]] for name, i in names.items()]
    rows += [[what.removesuffix(","), *(f"{v:.6g}" for v in values.values()), ""] for what, values in measures.items()]
    account.table("After 1,000 epochs of SGD(0.1) from weight −1.00347, bias 0", ["", "trained on MSE", "trained on BCE", "truth"], rows)


def _judge_minima(account: Account) -> None:
    from suite.casebook.descent import point

    single, norms = account.rounding("float32"), {}
    for name in ("MSE", "BCE"):
        start, least = (point(name, place) for place in ((0.0, START), MINIMA[name]))
        gradient = account[f"gradient {name}"]
        account.near(f"{name}: the gradient at the start is NumPy's, within float32's rounding", gradient[:, 0], start.gradient,
                     float(start.gradient_error(single).max()))  # fmt: skip
        allowed = float((least.gradient_error(single) + np.abs(least.hessian) @ np.full(2, 5e-9)).max())
        account.near(
            f"{name}: it is 0 at the minimum that Newton's method finds, within float32's rounding", gradient[:, 1], np.zeros(2), allowed
        )
        account.near(f"{name}: Newton's method in NumPy ends there, to the nine digits kept", least.minimiser(), MINIMA[name], 6e-9)
        norms[name] = float(np.linalg.norm(gradient[:, 0]))
    ratio = norms["BCE"] / norms["MSE"]
    account.claim("MSE is slow from the outset: BCE's gradient at the start is so many times as long", ratio > 2, ratio, "> 2")
    away = {name: float(np.linalg.norm(np.subtract(MINIMA[name], TRUTH))) for name in LOSSES}
    left = float(np.linalg.norm(account["path MSE"][-1] - np.array(TRUTH[::-1])))
    account.limit("What is worse is the speed, not the goal: MSE has its minimum at weight 5.4197 and bias −1.0629, less than a "
                  "quarter as far "
                  "from the truth as its fit after 1,000 epochs", away["MSE"] < left / 4, away["MSE"], f"< {left:.4g} / 4")  # fmt: skip


def _draw(account: Account) -> None:
    data = arrays("logistic")
    x, y, p = (data[name][::10, 0] for name in ("x", "y", "p"))
    ways = {name: account[f"path {name}"] for name in LOSSES}
    fits = [moving(f"fit by {name}", x, [1 / (1 + np.exp(-(w * x + b))) for w, b in way]) for name, way in ways.items()]
    marks = [line(f"minimum of {name}", [slope], [intercept], "marked") for name, (intercept, slope) in MINIMA.items()]
    account.figure(
        figure(
            "The same start, as many epochs, two losses",
            chart("Fits", Axis("x"), Axis("probability"), line("labels, every tenth", x, y, "points"), line("P(y = "
                                                                                                            "1)", x, p, "dashed"), *fits),
            chart("Ways of the weights", Axis("weight"), Axis("bias"), *(path(name, way[:, 0], way[:, 1]) for name, way in ways.items()),
                  line("truth", [TRUTH[1]], [TRUTH[0]], "marked"), *marks),
            network("Network", [("input", ["x"]), ("sigmoid", ["ŷ"])]),
            steps=[f"epoch {EVERY * i}" for i in range(len(ways["MSE"]))],
        )
    )  # fmt: skip


ENTRY = Entry(
    "C20",
    "Logistic regression by squared error",
    "004_78d1e29d7eb87949.txt",
    "With the mean squared error in place of cross-entropy, from the same start and after as many epochs, logistic regression fits worse.",
    "One sigmoid unit trained twice in float32 from the start found for C19, 1,000 epochs of SGD with step 0.1: on the squared "
    "error and on "
    "cross-entropy, both written out as in the document.",
    {"": _measured},
    _judge,
    data=("logistic",),
)
