"""C3: a softmax of one unit learns nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from suite.backends.training import Dense, Training, Weights, flattened, glorot
from suite.casebook.base import Arrays, Entry
from suite.casebook.drawing import chart, figure, line, network
from suite.casebook.habits import EPSILON, HIDDEN_LOGITS
from suite.floats import FORMATS
from suite.lab import Lab
from suite.model import Axis

if TYPE_CHECKING:
    from suite.casebook.account import Account

HIDDEN, STEPS = 16, 150
HEADS = ("softmax", "sigmoid")


def start() -> Weights:
    """Weights 2→16→1, uniform as Glorot and Bengio have it."""
    random, sizes = np.random.RandomState(11), (2, HIDDEN, 1)
    found: Weights = []
    for before, after in pairwise(sizes):
        found += [glorot(random, before, after).astype(np.float32), np.zeros(after)]
    return found


def numbers() -> Any:
    """Logits of all sizes, ``(2000, 1)``, as they are in float32, the largest among them; and cotangents for them."""
    random = np.random.RandomState(5)
    x = random.normal(size=2000) * 10.0 ** random.uniform(-38, 38, size=2000)
    x[:4] = [0.0, -0.0, float(np.finfo(np.float32).max), -float(np.finfo(np.float32).max)]
    return x.astype(np.float32).astype(np.float64)[:, None], random.normal(size=(2000, 1)).astype(np.float32)


def _keras(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    return _measured(lab, data, "binary_crossentropy")


def _formulas(lab: Lab, data: Arrays) -> Mapping[str, Any]:
    """The clipped loss of probabilities, written out where the framework has none."""
    ops = lab.ops

    def clipped(y: Any, prediction: Any) -> Any:
        p = ops.clip(prediction, EPSILON, 1 - EPSILON)
        return -ops.mean(y * ops.log(p) + (1 - y) * ops.log(1 - p))

    return _measured(lab, data, clipped)


def _measured(lab: Lab, data: Arrays, loss: Any) -> dict[str, Any]:
    x, cotangent = numbers()
    softmax, ops = lab.function("softmax"), lab.ops
    found: dict[str, Any] = {"softmax": lab.values(softmax, x)}
    found["softmax gradient"] = lab.gradients(softmax, x, cotangent=cotangent)[0]

    def earlier(p: Any, y: Any) -> Any:
        """As Keras 2 on TensorFlow had it."""
        p = ops.clip(p, EPSILON, 1 - EPSILON)
        return -(y * ops.log(p + EPSILON) + (1 - y) * ops.log(1 - p + EPSILON))

    for name, mode in (("", ""), (", eager", "eager")):
        found[f"earlier formula{name}"] = lab.values(earlier, np.ones((2, 1)), np.array([[0.0], [1.0]]), mode=mode)
    for head in HEADS:
        task = Training((Dense(HIDDEN, "relu"), Dense(1, head)), loss, "adam", 0.05, STEPS, STEPS)
        for when, steps in (("before", 0), ("after", STEPS)):
            done = lab.train(replace(task, steps=steps), start(), data["classes.x"], data["classes.y"])
            found |= {f"{head} reported {when}": done.reported, f"{head} predicted {when}": done.predicted}
            found |= {f"{head} weights {when}": flattened(done.weights)}
    return found


def _judge(account: Account) -> None:
    account.same("A softmax of one unit is exactly 1, for numbers of every size", account["softmax"], np.ones((2000, 1)))
    account.same("Its gradient is exactly 0 for every cotangent", np.abs(account["softmax gradient"]), np.zeros((2000, 1)))
    _judge_formulas(account)
    y = account.data["classes.y"]
    accuracy = {head: float(np.mean((account[f"{head} predicted after"] > 0.5) == (y == 1))) for head in HEADS}
    account.printed("Predicting class 1 for everyone has the document's accuracy on these labels", "accuracy", accuracy["softmax"])
    for when in ("before", "after"):
        text = f"The softmax head predicts exactly 1 for everyone, {when} training"
        account.same(text, account[f"softmax predicted {when}"], np.ones(y.shape))
    if account.backend in HIDDEN_LOGITS:
        _judge_hidden(account, accuracy["softmax"])
    else:
        _judge_stuck(account, accuracy["softmax"])
    _judge_sigmoid(account, accuracy["sigmoid"])
    _draw(account, accuracy)


def _judge_formulas(account: Account) -> None:
    """What a wrong certainty costs: the earlier Keras' and today's."""
    shown, rounding = account.golden("accuracy"), 0.5e-6 * 22 * np.log(2)
    account.printed("The document's loss is (1 − accuracy)·22 ln 2, as far as the printed digits of its accuracy tell", "loss",
                    (1 - shown.values[0]) * 22 * np.log(2), rounding)  # fmt: skip
    u = FORMATS["float32"].u
    got, eager = account["earlier formula"][0, 0], account["earlier formula, eager"][0, 0]
    account.near("22 ln 2 is what log(1 − p + 1e-7) makes of p = 1 − 2^-23 where a compiler takes (1 + 1e-7) − p, which is 2^-22", got,
                 22 * np.log(2), 4 * u * 22 * np.log(2))  # fmt: skip
    apart = -np.log(2.0**-23 + float(np.float32(EPSILON)))
    account.near("Run eagerly, in the order it is written in, it is −log(2^-23 + 1e-7)", eager, apart, 4 * u * apart)


def _judge_stuck(account: Account, accuracy: float) -> None:
    account.same("Training does not move a single weight", account["softmax weights after"], account["softmax weights before"])
    wanted = (1 - accuracy) * 23 * np.log(2)
    # A logarithm of 16 rounds to 3 units in the last place, a sum of 1,845 terms to as many roundings.
    slack = (6 + len(account.data["classes.y"])) * FORMATS["float32"].u * wanted
    for when in ("before", "after"):
        account.near(f"The loss reported {when} training is (1 − accuracy)·23 ln 2: 1 − p is 2^-23 once p is clipped",
                     account[f"softmax reported {when}"], wanted, slack)  # fmt: skip


def _judge_hidden(account: Account, accuracy: float) -> None:
    before, after = float(account["softmax reported before"]), float(account["softmax reported after"])
    account.refuted(
        "The loss that fit and evaluate report is not stuck: it falls, since Keras on TensorFlow takes the logits that softmax leaves on "
        "its result (_keras_logits, read by _get_logits in keras/src/backend/tensorflow/nn.py), and for binary_crossentropy passes them "
        "to a sigmoid, whatever activation they came from. So it has been from Keras 3.0.0 on, at the latest",
        after < 0.1 * before, f"{before:.6g} → {after:.6g}", "a tenth of the start",
    )  # fmt: skip
    for what in ("reported", "weights"):
        account.same(f"What is trained is the sigmoid network, bit for bit: its {what} after training", account[f"softmax {what} after"],
                     account[f"sigmoid {what} after"], "limit")  # fmt: skip
    stated = (1 - accuracy) * 23 * np.log(2)
    account.limit("But the loss of what it predicts is (1 − accuracy)·23 ln 2: larger than what it reports by",
                  stated / after > 100, f"a factor of {stated / after:.4g}", "> 100")  # fmt: skip


def _judge_sigmoid(account: Account, accuracy: float) -> None:
    first, last = account["sigmoid weights before"], account["sigmoid weights after"]
    account.same("Both networks start from the same weights", first, account["softmax weights before"])
    moved = float(np.max(np.abs(last - first)))
    account.claim("With sigmoid the weights move; the largest change", moved > 0.1, moved, "> 0.1")
    x, y = account.data["classes.x"], account.data["classes.y"]
    true = 2 * 1.45 * x.sum(axis=1, keepdims=True)
    best = float(np.mean((true > 0) == (y == 1)))
    account.claim("The network learns: its accuracy is within 0.01 of the rule that the data were drawn by",
                  abs(accuracy - best) <= 0.01, f"{accuracy:.6g}", f"{best:.6g} ± 0.01")  # fmt: skip
    ideal = float(np.mean(np.logaddexp(0, true) - y * true))
    loss = float(account["sigmoid reported after"])
    account.claim("Its loss is at most a tenth above that of the probabilities that the data were drawn with", loss <= 1.1 * ideal, loss,
                  f"≤ 1.1 · {ideal:.6g}")  # fmt: skip
    from suite.casebook.audit import audit, binary

    for when in ("before", "after"):
        recomputed = binary(y, account[f"sigmoid predicted {when}"], account.rounding())
        audit(account, f"the sigmoid network {when} training", float(account[f"sigmoid reported {when}"]), recomputed)


def _draw(account: Account, accuracy: Mapping[str, float]) -> None:
    y = account.data["classes.y"][:, 0]
    panels = []
    for head in HEADS:
        p = account[f"{head} predicted after"][:, 0]
        levels = np.linspace(0, 1, 41)
        series = [line(f"class {k}", levels, [np.mean(p[y == k] <= level) for level in levels]) for k in (0, 1)]
        panels.append(
            chart(f"{head}: what is predicted", Axis("predicted probability of class 1"), Axis("share of examples up to there"), *series)
        )
    inside = ["1", "2", "…", str(HIDDEN)]
    nets = [network(f"Network, {head}", [("input", ["x1", "x2"]), ("relu", inside), (head, ["p"])]) for head in HEADS]
    account.figure(figure("Predictions after training: a softmax of one unit says 1 whatever it is given", *panels, *nets))
    rows = [(head, *(account[f"{head} reported {when}"] for when in ("before", "after")), accuracy[head]) for head in HEADS]
    account.table("Losses as reported, in nats", ("head", "before", "after", "accuracy of the predictions"), rows)


ENTRY = Entry(
    "C3",
    "A softmax of one unit is stuck",
    "001_6dd32db1a395a767.txt",
    "A network that ends in Dense(1, softmax) under binary cross-entropy stays at accuracy 0.501897 and loss 7.595693 for ever; with a "
    "sigmoid in its place it reaches about 0.98 and 0.06.",
    "A network 2→16→1 on 1,845 points with the document's share of class 1, 150 steps of Adam, once with either head; the loss by the "
    "framework's own binary cross-entropy of probabilities, or written out with the same clipping where it has none.",
    {"keras": _keras, "": _formulas},
    _judge,
    data=("classes",),
)
