"""C15: a straight line through a bent one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.training import Dense, Training
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.floats import FORMATS
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

RATE, EPOCHS = 0.1, 1000
START = [np.ones((1, 1)), np.zeros(1)]


def _by_name(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    return _trained(lab, data, "mse")


def _by_function(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    return _trained(lab, data, lambda y, prediction: lab.ops.mean(lab.ops.square(prediction - y)))


def _trained(lab: Lab, data: Arrays, loss: Any) -> Mapping[str, Any]:
    task = Training((Dense(1),), loss, "sgd", RATE, EPOCHS, EPOCHS)
    done = lab.train(task, START, data["bent.x"], data["bent.y"])
    return {"weight": done.weights[0][0, 0], "bias": done.weights[1][0], "reported": done.reported, "predicted": done.predicted}


def _judge(account: Account) -> None:
    u, x, y = FORMATS["float32"].u, account.data["bent.x"][:, 0], account.data["bent.y"][:, 0]
    account.printed("The data are the document's, all 100 values of y to the last printed digit", "y", y)

    design = np.stack([x, np.ones_like(x)], axis=1)
    weight, bias = np.linalg.lstsq(design, y, rcond=None)[0]
    account.printed("Least squares in float64", "least_squares", [weight, bias])
    got = np.array([account["weight"], account["bias"]])
    slack = _stall(u, x, y, weight, bias)
    text = "In float32 descent ends where a step no longer changes the weights, this far from least squares at most: {}"
    account.near(text.format("weight"), got[0], weight, slack[0])
    account.near(text.format("bias"), got[1], bias, slack[1])
    account.printed("The document's weight, which ended its own descent in float32, but for as much", "weight", got[0], slack[0])
    account.printed("The document's bias, likewise", "bias", got[1], slack[1])

    residual, noise = float(np.mean((weight * x + bias - y) ** 2)), 0.3**2
    account.claim("No line does better: the squared error of least squares is beyond twice that of the noise", residual > 2 * noise,
                  residual, f"> 2 · {noise:.3g}")  # fmt: skip
    again = float(np.mean((account["predicted"][:, 0] - y.astype(np.float32)) ** 2))
    account.near("The loss reported is that of the predictions, but for the rounding of 100 squares and their sum", account["reported"],
                 again, (len(x) + 3) * u * again)  # fmt: skip
    points = line("data", x, y, "points")
    fits = line("fitted line", x, account["predicted"]), line("what the data were made of", x, np.where(x < 0, x, 3.5 * x), "dashed")
    account.figure(
        figure(
            "A line through a bent line: best of its kind, and wrong",
            chart("Fit after 1,000 epochs", Axis("x"), Axis("y"), points, *fits),
            network("Network", [("input", ["x"]), ("linear", ["ŷ"])]),
        )
    )


def _stall(u: float, x: Any, y: Any, weight: float, bias: float) -> tuple[float, float]:
    """How far from the minimum descent can stop.

    A step is lost when rate·|g| is at most half a unit in the last place of the weight, u·2|w|; the gradient g = mean 2(ŷ − y)x errs by
    (n + 4)u of the mean of its terms' magnitudes, ŷ's own rounding included. The loss is quadratic: the distance is H⁻¹g, and here,
    x being symmetric about 0, H is diagonal: 2·mean(x²) and 2.
    """
    terms = 2 * (np.abs(weight * x + bias - y) + np.abs(weight * x) + np.abs(bias))
    errors = [(len(x) + 4) * u * float(np.mean(terms * np.abs(factor))) for factor in (x, np.ones_like(x))]
    found = [(2 * u * abs(w) / RATE + e) / h for w, e, h in zip((weight, bias), errors, (2 * float(np.mean(x * x)), 2.0), strict=True)]
    return found[0], found[1]


ENTRY = Entry(
    "C15",
    "A straight line underfits a bent one",
    "004_78d1e29d7eb87949.txt",
    "A linear model fitted to a bent line reaches weight 2.2616348 and bias 0.6069048 after 1,000 epochs of SGD with step 0.1, and no "
    "number of epochs would make it fit: its architecture cannot express the bend.",
    "The document's data, drawn again; one linear unit trained from weight 1 and bias 0, since the minimum does not depend on the start.",
    {"keras": _by_name, "": _by_function},
    _judge,
    data=("bent",),
)
